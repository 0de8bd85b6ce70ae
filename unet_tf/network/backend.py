"""Which backend Keras runs on: TensorFlow, or JAX, to which tf.data feeds."""

import contextlib
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


def gpus():
    """The GPUs, or TPUs, that JAX sees: (name, (major, minor) of the compute capability) each."""
    import jax

    found = [device for device in jax.devices() if device.platform != "cpu"]
    capable = [getattr(device, "compute_capability", "8.0").split(".") for device in found]
    return [
        (device.device_kind, tuple(map(int, numbers)))
        for device, numbers in zip(found, capable, strict=True)
    ]


def memory():
    """Bytes that JAX may take of the smallest GPU; None where it sees none."""
    import jax

    found = [device.memory_stats() for device in jax.devices() if device.platform != "cpu"]
    return min(one["bytes_limit"] for one in found) if found else None


def versions():
    """The versions of Keras and, where it runs on it, of JAX, by name."""
    found = {"keras": keras.__version__}
    if JAX:
        import jax

        found["jax"] = jax.__version__
    return found
