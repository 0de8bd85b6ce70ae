"""Which backend Keras runs on: TensorFlow, or JAX, to which tf.data feeds."""

import contextlib
import os
import warnings

import keras

JAX = keras.backend.backend() == "jax"


def leave_gpus_to_jax():
    """Keep TensorFlow, which only reads and augments beside JAX, from the GPUs' memory."""
    with contextlib.suppress(ImportError):  # networks and losses want no TensorFlow
        import tensorflow as tf

        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:
            warnings.warn(
                "TensorFlow has started before unet_tf, and may hold the GPU's memory beside JAX: "
                "import unet_tf.network first",
                stacklevel=2,
            )


if JAX:
    leave_gpus_to_jax()
    if os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES"):  # before JAX does anything else
        keras.distribution.initialize()


def processes():
    """How many processes train together, by Keras's KERAS_DISTRIBUTION_..., and which of them this
    is, from 0: (1, 0) but on JAX."""
    if not JAX:
        return 1, 0
    import jax

    return jax.process_count(), jax.process_index()


def of_jax():
    """The GPUs, or TPUs, that JAX sees."""
    import jax

    return [device for device in jax.devices() if device.platform != "cpu"]


def gpus():
    """The GPUs that Keras's backend uses: (name, (major, minor) of the compute capability) each."""
    if JAX:  # a TPU, which has no such number, computes bfloat16 as GPUs of 8.0 do
        capable = [(one, getattr(one, "compute_capability", "8.0")) for one in of_jax()]
        return [(one.device_kind, tuple(map(int, at.split(".")))) for one, at in capable]
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    found = [details(gpu) for gpu in tf.config.get_visible_devices("GPU")]
    return [(one.get("device_name", "GPU"), one.get("compute_capability", (0, 0))) for one in found]


def memory():
    """Bytes that JAX may take of the smallest GPU; None where it sees none."""
    return min((device.memory_stats()["bytes_limit"] for device in of_jax()), default=None)


def versions():
    """The versions of Keras and, where it runs on it, of JAX, by name."""
    found = {"keras": keras.__version__}
    if JAX:
        import jax

        found["jax"] = jax.__version__
    return found
