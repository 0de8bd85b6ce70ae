"""From a model and image files to masks of the images' own size."""

import numpy as np
from PIL import Image

from unet_tf import data, pipeline


def predict(model, paths, image_size=(96, 128), resize="area", batch_size=32, threshold=0.5):
    """Predicted masks at original size, one after another.

    The probabilities are resized back (bilinear), then thresholded: a thresholded mask that is
    resized has stairs for edges.

    Parameters
    ----------
    model : callable
        From float32 `(B, H, W, 3)` in [0, 1] to probabilities `(B, H, W, 1)`.
    paths : list of path
        Image files.
    image_size, resize :
        As in training (`unet_tf.pipeline.dataset`).
    batch_size : int
        Images in memory at a time.
    threshold : float
        A pixel is car where its probability is at least this.

    Yields
    ------
    uint8 array `(height, width)` in {0, 1}, in the order of `paths`.
    """
    sizes = (data.size_of(path) for path in paths)
    for batch in pipeline.image_dataset(paths, image_size, batch_size, resize):
        for probability in np.asarray(model(batch, training=False), "float32")[..., 0]:
            yield (resized_back(probability, next(sizes)) >= threshold).astype("uint8")


def resized_back(probability, size):
    """Float32 `(h, w)`, resized bilinearly to `size`, (height, width)."""
    height, width = size
    image = Image.fromarray(probability)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
