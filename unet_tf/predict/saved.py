"""A saved model, ready to predict: the network, its card, and what answers."""

import dataclasses
import hashlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from unet_tf.data import Card, table_of
from unet_tf.files import UserError, in_zip
from unet_tf.network import JAX  # and its layers, which are in saved models
from unet_tf.predict.stream import predict
from unet_tf.predict.tiles import flipped, in_pieces, tiled
from unet_tf.predict.usage import SIZE_WANTED, card_of, fixed_size


class Predictor:
    """A model that knows how it is used: a callable, as all of `unet_tf.predict` takes them.

    `load` makes one of a `.keras` file; `Predictor(model, card)` of a Keras model in memory.

    It holds the `model`, the `card` (size, resize, labels and threshold by which it predicts), and
    its `identity`, a dict ready for JSON of what makes its masks: a hash of the file, or of the
    weights of a model in memory, flips, tiles.
    """

    def __init__(self, model, card, identity=(), forward=None, input_shape=None):
        self.model, self.identity = model, dict(identity) or {"model": hash_of(model)}
        self.input_shape, self.output_shape = input_shape or model.input_shape, model.output_shape
        self.forward = forward or compiled(model)
        self.card = card_of(self, card=card)

    def __call__(self, images, training=False):
        """Probabilities of images, float32 `(B, H, W, 3)` in [0, 1]: float32 `(B, H, W, C)`; of
        images that are too large to go through at once, in tiles (`in_pieces`)."""
        own = fixed_size(self)
        if own and tuple(images.shape[1:3]) != own:
            raise UserError(f"this model takes {own[0]}x{own[1]} alone, not {images.shape[1:3]}")
        pieces = in_pieces(self, images.shape[1:3])
        forward = self.forward if pieces is self else pieces
        return np.asarray(forward(images, training=False), "float32")

    def masks(self, paths, batch_size=32):
        """Masks, uint8, at the images' own size, one after another (`unet_tf.predict.predict`)."""
        return predict(self, paths, batch_size=batch_size)

    def flipped(self, flips=("horizontal",)):
        """The same, averaged over mirror images (`unet_tf.predict.flipped`)."""
        identity = self.identity | {"flips": flips}
        return Predictor(self.model, self.card, identity, flipped(self, flips), self.input_shape)

    def tiled(self, tile="card", overlap=0.5, batch_size=16):
        """The same in tiles, for images at their own size (`unet_tf.predict.tiled`)."""
        forward = tiled(self, tile, overlap, batch_size)
        identity = self.identity | {"tiles": [card_of(self, tile).image_size, overlap]}
        card = dataclasses.replace(self.card, image_size=None)
        return Predictor(self.model, card, identity, forward, (None, None, None, 3))


def hash_of(model):
    """A short hash of a model's weights."""
    bits = hashlib.sha256()
    for weight in model.get_weights():
        bits.update(np.ascontiguousarray(weight).tobytes())
    return bits.hexdigest()[:16]


def load(path, image_size="card", resize=None, labels=None, threshold=None):
    """A `Predictor` of a `.keras` file: by its card, or as told instead (`card_of`).

    A file without a card wants `resize` and, where the model takes any size, `image_size`; its
    classes are those of the table beside it, or numbers.

    Raises
    ------
    UserError
        Names a file that is missing, damaged, or not from colour images to a value of each pixel;
        says what one without a card wants; as `card_of`.
    """
    path = Path(path)
    model, card = model_in(path), Card.read(path)
    if card is None:
        sized = fixed_size(model) or image_size != "card"
        wanted = [] if sized else [SIZE_WANTED]
        if not resize and (fixed_size(model) or image_size not in (None, "native")):
            wanted.append('resize="area" or "nearest" (--resize)')
        if wanted:
            both = " and ".join(wanted)
            raise UserError(f"{path} was saved without a card: give {both}, as in training")
        channels = model.output_shape[-1]
        beside = table_of(path.parent) if channels > 1 else None
        if beside and beside.channels == channels:  # else it is of another model
            labels = labels or beside
    card = card_of(model, image_size, resize, labels, threshold, card)
    return Predictor(model, card, {"model": hashlib.sha256(path.read_bytes()).hexdigest()[:16]})


def model_in(path):
    """The Keras model of a `.keras` file, from `(B, H, W, 3)` to `(B, H, W, C)`."""
    if path.is_dir():
        raise UserError(f"{path}: that is a folder: give the .keras file in it")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    in_zip(path, "config.json")  # names a file that is damaged
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise UserError(
            f"{path}: damaged, or no .keras file of this project ({type(error).__name__}: {reason})"
        ) from error
    taken, given = model.input_shape, model.output_shape
    images = all(isinstance(shape, tuple) and len(shape) == 4 for shape in (taken, given))
    if not images or taken[3] != 3 or (taken[1] is None) != (taken[2] is None):
        raise UserError(
            f"{path}: a model from {taken} to {given}: expected (batch, height, width, 3) to "
            "(batch, height, width, classes)"
        )
    return model


def compiled(model):
    """The model as one graph of TensorFlow, or of JAX, a callable as in `predict`: recipes and the
    command line predict so. It is faster, and in bfloat16 rounded otherwise: a dice may differ by
    1e-4."""
    if JAX:
        import jax

        forward = jax.jit(lambda *given: model.stateless_call(*given, training=False)[0])

        def answer(images, training=False):
            kinds = model.trainable_variables, model.non_trainable_variables
            return forward(*([one.value for one in kind] for kind in kinds), images)

    else:
        answer = tf.function(
            lambda images, training: model(images, training=False), reduce_retracing=True
        )
        # TensorFlow counts tracings by line of code, and warns where one run follows another here.
        answer._omit_frequent_tracing_warning = True
    answer.stays_whole = fixed_size(model) is not None  # for `unet_tf.predict.tiles.in_pieces`
    return answer
