"""Which backend Keras runs on: TensorFlow, or JAX, to which tf.data feeds."""

import keras

JAX = keras.backend.backend() == "jax"


def versions():
    """The versions of Keras and, where it runs on it, of JAX, by name."""
    found = {"keras": keras.__version__}
    if JAX:
        import jax

        found["jax"] = jax.__version__
    return found
