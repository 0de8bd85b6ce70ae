"""Models made of others: averaged over mirror images, or applied tile by tile."""

import itertools

import numpy as np

from unet_tf.data import MOST_AT_ONCE
from unet_tf.files import UserError
from unet_tf.predict.usage import card_of, fixed_size

AXES = {"vertical": 1, "horizontal": 2}
PIECE, OVER = 1024, 0.25  # side of the tiles of what is too large to go through at once, overlap


def flipped(model, flips=("horizontal",)):
    """A model that averages its probabilities over an image and its mirror images.

    `flips` are "horizontal" and "vertical", both of them four predictions; UserError for another
    one. Cars do not stand on their roofs: horizontal alone is theirs.
    """
    flips = (flips,) if isinstance(flips, str) else tuple(flips)
    if unknown := set(flips) - set(AXES):
        raise UserError(f'flips are "horizontal" and "vertical", not {", ".join(unknown)}')
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


def in_pieces(model, shape):
    """The model for images of this (height, width): itself, or, where they are too large to go
    through at once (`unet_tf.data.MOST_AT_ONCE`), in tiles that are far larger than what a pixel's
    answer depends on."""
    stays = getattr(model, "stays_whole", False) or "tiles" in getattr(model, "identity", ())
    if stays or fixed_size(model) or shape[0] * shape[1] <= MOST_AT_ONCE:
        return model
    return tiled(model, [min(PIECE, length) for length in shape], OVER, batch_size=1)


def tiled(model, tile="card", overlap=0.5, batch_size=16):
    """A model that takes images of any size, in overlapping tiles.

    Where tiles overlap, the mean counts, each tile with a weight that falls from its middle to its
    edges: there a network sees least of what is around. An image smaller than a tile is filled up
    with zeros, and cut back.

    Parameters
    ----------
    model : callable, as in `predict`
    tile : (height, width)
        In pixels of the image; by default the size that the model was built for, or its card's.
    overlap : float
        The least share of a tile that its neighbour covers too, in [0, 1); else a UserError.
    batch_size : int
        Tiles in memory at a time.
    """
    if not 0 <= overlap < 1:
        raise UserError(f"overlap is a share of the tile, from 0 to below 1, not {overlap}")
    tile = card_of(model, tile).image_size
    if tile is None:
        raise UserError(
            "this model takes any size: say how large the tiles are, tile=(height, width) "
            "(--image-size)"
        )
    forward = getattr(model, "forward", model)  # a `Predictor` would cut large tiles once more
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
        corners = itertools.product(*map(starts, image.shape[:2], tile))
        places = [np.s_[top : top + tile[0], left : left + tile[1]] for top, left in corners]
        for first in range(0, len(places), batch_size):
            group = places[first : first + batch_size]
            tiles = np.stack([image[place] for place in group])
            probabilities = np.asarray(forward(tiles, training=False), "float32")
            if not first:
                total = np.zeros((*image.shape[:2], probabilities.shape[-1]), "float32")
                weights = np.zeros((*image.shape[:2], 1), "float32")
            for place, probability in zip(group, probabilities, strict=True):
                total[place] += weight * probability
                weights[place] += weight
        return (total / weights)[:height, :width]

    def whole(images, training=False):
        return np.stack([blend(image) for image in np.asarray(images)])

    whole.stays_whole = True  # what it is made of gets tiles as large as asked for
    return whole
