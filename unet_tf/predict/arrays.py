"""From a model and images of any size to probabilities, and to masks of the images' own size.

`predict` takes any callable from a batch of images to probabilities. `flipped` and `tiled` make
such a callable of another one, so they combine: `predict(tiled(flipped(model)), paths, "native")`.
"""

from unet_tf.files import UserError
from unet_tf.predict.stream import predictions
from unet_tf.predict.usage import card_of, decided


def predict(
    model, paths, image_size="card", resize=None, batch_size=32, threshold=None, labels=None
):
    """Predicted masks at original size, one after another.

    The probabilities are resized back (bilinear), then decided upon: a thresholded mask that is
    resized has stairs for edges.

    Parameters
    ----------
    model, paths, batch_size : as in `predictions`
    image_size, resize, threshold, labels :
        A `Predictor` knows them, others are told (`unet_tf.predict.card_of`).

    Yields
    ------
    uint8 array `(height, width)` in {0, 1}, or of class ids, in the order of `paths`.

    Raises
    ------
    UserError
        As `predictions`; and names a file which cannot be decoded.
    """
    card = card_of(model, image_size, resize, labels, threshold)

    def finish(path, answer, size):
        return decided(card, answer, size)

    yield from whole(predictions(model, paths, finish, card.image_size, card.resize, batch_size))


def probabilities(model, paths, image_size="card", resize=None, batch_size=32):
    """What the model says of each image, at the size it works at, one after another.

    Parameters
    ----------
    model, paths, image_size, resize, batch_size : as in `predictions`

    Yields
    ------
    float32 array `(h, w)` in [0, 1], in the order of `paths`; `(h, w, C)` of a model of C channels.

    Raises
    ------
    UserError
        As `predictions`; and names a file which cannot be decoded.
    """

    def finish(path, answer, size):
        return answer

    yield from whole(predictions(model, paths, finish, image_size, resize, batch_size))


def whole(outcomes):
    """The results of `predictions`; the first error is raised."""
    for _, result in outcomes:
        if isinstance(result, UserError):
            raise result
        yield result
