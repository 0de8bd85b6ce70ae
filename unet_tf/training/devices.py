"""Several GPUs of one machine."""

import math

import keras
import tensorflow as tf

from unet_tf.files import UserError
from unet_tf.network import JAX, processes
from unet_tf.training.makings import attribute


def devices(count=None):
    """A strategy that divides each batch among GPUs, and says so; None where there is one, or none.

    On JAX the batches of all models made from now on are divided, by
    `keras.distribution.DataParallel`, and there is no strategy; several processes
    (`unet_tf.network.processes`) use the GPUs of all.

    Parameters
    ----------
    count : int, optional
        How many GPUs; None takes all, on JAX one.

    Returns
    -------
    tf.distribute.MirroredStrategy or None

    Raises
    ------
    UserError
        There are fewer; a number for several processes.
    """
    gpus, (together, _) = accelerators(), processes()
    if together > 1:
        if count is not None:
            raise UserError("--devices is for one process: leave it out, several take all GPUs")
        gpus = gpus or keras.distribution.list_devices()
        count = len(gpus)
    there = max(1, len(gpus))  # without a GPU the CPU is one
    if count is not None and count > there:
        raise UserError(f"--devices {count}: there are {len(gpus)} GPUs: give a smaller number")
    count = count or (1 if JAX else there)
    if count == 1:
        if JAX:
            keras.distribution.set_distribution(None)
        return None
    what = f"devices of {together} processes" if together > 1 else "GPUs"
    print(f"Devices: {count} {what}, each with a part of every batch")
    if not JAX:
        return tf.distribute.MirroredStrategy(gpus[:count])
    among = keras.distribution.DataParallel(devices=gpus[:count], auto_shard_dataset=False)
    keras.distribution.set_distribution(among)
    return None


def accelerators():
    """The GPUs, as TensorFlow or JAX calls them; on JAX TPUs, too."""
    if not JAX:
        return [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    return [one for one in keras.distribution.list_devices() if not one.startswith("cpu")]


def divided():
    """Among how many devices of JAX each batch is divided; 1 on TensorFlow."""
    found = keras.distribution.distribution() if JAX else None
    return found.device_mesh.devices.size if found else 1


def backend():
    """What Keras runs on, as a training's settings name it: {"backend": str}, {} for TensorFlow."""
    count = divided()
    return {"backend": "jax" if count == 1 else f"jax on {count} devices"} if JAX else {}


def share_of(batches):
    """Of each batch the part that this process gives to JAX: all of it, where it is alone."""
    count, own = processes()

    def part(*arrays):
        size = tf.shape(arrays[0])[0] // count
        return tuple(array[own * size : (own + 1) * size] for array in arrays)

    return batches if count == 1 else batches.map(part)


def refuse_uneven(batches):
    """UserError unless each batch divides among the devices of JAX, for which all are read once."""
    if sizes := uneven(batches):
        raise UserError(
            f"a batch has {min(sizes)} images, which do not divide among {divided()} devices, as "
            "JAX asks for: choose another --batch-size, or --images, or --devices 1"
        )


def divisible(batches):
    """Of validation: each image so many times that all batches divide, by which means stay."""
    count = divided()
    times = math.lcm(*(count // math.gcd(size, count) for size in uneven(batches)))
    if times == 1:
        return batches
    return batches.map(lambda *arrays: [tf.repeat(array, times, axis=0) for array in arrays])


def uneven(batches):
    """The sizes of batches that do not divide among the devices of JAX, a set."""
    count, sizes = divided(), set()
    if count == 1:
        return sizes
    if int(batches.cardinality()) < 0:
        raise UserError("a data set of unknown length cannot be divided among devices of JAX")
    number = attribute(batches, "epoch")
    epoch = None if number is None else int(number)
    for images, *_ in batches:
        if number is not None:
            number.assign(epoch)  # what is drawn is as if nobody had looked
        sizes.add(len(images))
    return {size for size in sizes if size % count}
