"""A saved model, ready to predict."""

from pathlib import Path

import keras
import tensorflow as tf

from unet_tf.files import UserError


def load(path):
    """The Keras model of a `.keras` file, for prediction.

    Raises
    ------
    ValueError
        Names the file that is missing, damaged, or no `.keras` file.
    """
    if Path(path).is_dir():
        raise UserError(f"{path}: that is a folder: give the .keras file in it")
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise UserError(
            f"{path}: damaged, or no .keras file of this project ({type(error).__name__}: {reason})"
        ) from None


def size_of_model(model):
    """(height, width) that a model was built for; None where it takes any.

    Raises
    ------
    ValueError
        For a model that is not from colour images to probabilities of each pixel.
    """
    shapes = model.input_shape, model.output_shape
    if any(not isinstance(shape, tuple) or len(shape) != 4 for shape in shapes) or (
        shapes[0][3] != 3 or (shapes[0][1] is None) != (shapes[0][2] is None)
    ):
        raise UserError(
            f"a model from {shapes[0]} to {shapes[1]}: expected (batch, height, width, 3) to "
            "(batch, height, width, classes)"
        )
    return shapes[0][1:3] if shapes[0][1] else None


def compiled(model):
    """The model as one TensorFlow graph, a callable as in `predict`.

    Faster than layer by layer, and in bfloat16 rounded otherwise: a dice may differ by 1e-4. The
    recipes and the command line both predict so.
    """
    return tf.function(
        lambda images, training: model(images, training=False), reduce_retracing=True
    )
