"""From a model and images of any size to masks of the images' own size.

`predict` takes any callable from a batch of images to probabilities. `flipped` and `tiled` make
such a callable of another one, so they combine: `predict(tiled(flipped(model)), paths, None)`.
"""

import numpy as np

from unet_tf import data, pipeline
from unet_tf.data import resized_back


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
