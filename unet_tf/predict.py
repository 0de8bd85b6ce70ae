"""From a model and images of any size to masks of the images' own size.

`predict` takes any callable from a batch of images to probabilities. `flipped` and `tiled` make
such a callable of another one, so they combine: `predict(tiled(flipped(model)), paths, None)`.
"""

import itertools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from unet_tf import data, losses, metrics, models, pipeline  # noqa: F401  a file names some

AXES = {"vertical": 1, "horizontal": 2}


def predict(model, paths, image_size=(96, 128), resize="area", batch_size=32, threshold=0.5):
    """Predicted masks at original size, one after another.

    The probabilities are resized back (bilinear), then thresholded: a thresholded mask that is
    resized has stairs for edges.

    Parameters
    ----------
    model, paths, image_size, resize, batch_size : as in `probabilities`
    threshold : float
        A pixel is car where its probability is at least this.

    Yields
    ------
    uint8 array `(height, width)` in {0, 1}, in the order of `paths`.
    """
    found = probabilities(model, paths, image_size, resize, batch_size)
    for path, probability in zip(paths, found, strict=True):
        yield (resized_back(probability, data.size_of(path)) >= threshold).astype("uint8")


def probabilities(model, paths, image_size=(96, 128), resize="area", batch_size=32):
    """What the model says of each image, at the size it works at, one after another.

    Parameters
    ----------
    model : callable
        From float32 `(B, H, W, 3)` in [0, 1] to probabilities `(B, H, W, 1)` or `(B, H, W, C)`.
    paths : list of path
        Image files.
    image_size, resize :
        As in training (`unet_tf.pipeline.dataset`).
    batch_size : int
        Images in memory at a time. 1 for images of several sizes at `image_size=None`.

    Yields
    ------
    float32 array `(h, w)` in [0, 1], in the order of `paths`; `(h, w, C)` of a model of C classes.
    """
    for batch in pipeline.image_dataset(paths, image_size, batch_size, resize):
        found = np.asarray(model(batch, training=False), "float32")
        yield from found[..., 0] if found.shape[-1] == 1 else found


def load(path):
    """The Keras model of a `.keras` file, for prediction.

    Raises
    ------
    ValueError
        Names the file that is missing, damaged, or no `.keras` file.
    """
    if Path(path).is_dir():
        raise ValueError(f"{path}: that is a folder: give the .keras file in it")
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise ValueError(
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
        raise ValueError(
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


def resized_back(probability, size):
    """Float32 `(h, w)`, resized bilinearly to `size`, (height, width)."""
    height, width = size
    image = Image.fromarray(probability)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def ids_at(probability, size):
    """The most probable class of each pixel at `size`, (height, width): uint8 `size`.

    Each class's probability, float32 `(h, w, C)`, is resized back by itself, then the largest
    counts: class ids themselves cannot be resized smoothly.
    """
    classes = np.moveaxis(probability, -1, 0)
    best, ids = resized_back(np.ascontiguousarray(classes[0]), size), np.zeros(size, "uint8")
    for number, one in enumerate(classes[1:], start=1):
        enlarged = resized_back(np.ascontiguousarray(one), size)
        ids[enlarged > best] = number
        best = np.maximum(best, enlarged)
    return ids


def flipped(model, flips=("horizontal",)):
    """A model that averages its probabilities over an image and its mirror images.

    Parameters
    ----------
    model : callable, as in `predict`
    flips : sequence of "horizontal" and "vertical"
        Both: four predictions, mirrored either way and both ways. Cars do not stand on their
        roofs: horizontal alone is theirs.

    Returns
    -------
    callable
        From `(B, H, W, C)` to float32 `(B, H, W, classes)`.

    Raises
    ------
    ValueError
        For an unknown flip.
    """
    if unknown := set(flips) - set(AXES):
        raise ValueError(f'flips are "horizontal" and "vertical", not {", ".join(unknown)}')
    choices = itertools.product(*[((), (AXES[flip],)) for flip in flips])
    mirrorings = [sum(choice, ()) for choice in choices]

    def average(images, training=False):
        images = np.asarray(images)
        turned = [
            np.flip(np.asarray(model(np.flip(images, axes), training=False), "float32"), axes)
            for axes in mirrorings
        ]
        return np.mean(turned, axis=0)

    return average


def tiled(model, tile=(96, 128), overlap=0.5, batch_size=16):
    """A model that takes images of any size, in overlapping tiles.

    Where tiles overlap, the mean counts, each tile with a weight that falls from its middle to its
    edges: there a network sees least of what is around. A model that looks at each pixel alone
    gives the same tiled as on the whole image. An image smaller than a tile is filled up with
    zeros, and cut back.

    Parameters
    ----------
    model : callable, as in `predict`
    tile : (height, width)
        In pixels of the image; the size that the model was trained at, or another that it takes.
    overlap : float
        The least share of a tile that its neighbour covers too, in [0, 1).
    batch_size : int
        Tiles in memory at a time.

    Returns
    -------
    callable
        From `(B, H, W, C)` to float32 `(B, H, W, classes)`, image by image.

    Raises
    ------
    ValueError
        For an overlap out of range.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is a share of the tile, from 0 to below 1, not {overlap}")
    # A pyramid, above 0 also in the corners.
    slopes = [1 - np.abs((np.arange(n) + 0.5) * 2 / n - 1) for n in tile]
    weight = np.outer(*slopes).astype("float32")[..., None]

    def starts(length, size):
        """Where tiles start: evenly spread, the first at 0, the last at the image's end."""
        steps = int(np.ceil((length - size) / max(1, int(size * (1 - overlap)))))
        return np.linspace(0, length - size, steps + 1).round().astype(int)

    def blend(image):
        height, width = image.shape[:2]
        missing = [(0, max(0, n - length)) for n, length in zip(tile, image.shape, strict=False)]
        image = np.pad(image, [*missing, (0, 0)])
        corners = list(itertools.product(*map(starts, image.shape[:2], tile)))
        for first in range(0, len(corners), batch_size):
            places = [
                np.s_[top : top + tile[0], left : left + tile[1]]
                for top, left in corners[first : first + batch_size]
            ]
            tiles = np.stack([image[place] for place in places])
            probabilities = np.asarray(model(tiles, training=False), "float32")
            if not first:
                total = np.zeros((*image.shape[:2], probabilities.shape[-1]), "float32")
                weights = np.zeros((*image.shape[:2], 1), "float32")
            for place, probability in zip(places, probabilities, strict=True):
                total[place] += weight * probability
                weights[place] += weight
        return (total / weights)[:height, :width]

    def whole(images, training=False):
        return np.stack([blend(image) for image in np.asarray(images)])

    return whole
