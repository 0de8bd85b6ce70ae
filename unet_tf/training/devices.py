"""Several GPUs of one machine."""

import tensorflow as tf

from unet_tf.files import UserError
from unet_tf.network import JAX


def devices(count=None):
    """A strategy that divides each batch among GPUs, and says so; None where there is one, or none.

    Parameters
    ----------
    count : int, optional
        How many GPUs; None takes all.

    Returns
    -------
    tf.distribute.MirroredStrategy or None

    Raises
    ------
    UserError
        There are fewer, or Keras runs on JAX.
    """
    if JAX:
        if (count or 1) > 1:
            raise UserError(f"--devices {count}: on JAX one device trains. Leave it away")
        return None
    gpus = tf.config.list_logical_devices("GPU")
    there = max(1, len(gpus))  # without a GPU the CPU is one
    if count is not None and count > there:
        raise UserError(f"--devices {count}: there are {len(gpus)} GPUs: give a smaller number")
    count = count or there
    if count == 1:
        return None
    print(f"Devices: {count} GPUs, each with a part of every batch")
    return tf.distribute.MirroredStrategy([gpu.name for gpu in gpus[:count]])
