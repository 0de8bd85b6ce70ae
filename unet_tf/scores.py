"""Scores after training: plain NumPy, whole numbers of pixels, original size."""

import numpy as np

from unet_tf import pipeline
from unet_tf.predict import resized_back


def dice(truth, prediction):
    """Hard dice of one image: 2 |truth and prediction| / (|truth| + |prediction|).

    Parameters
    ----------
    truth, prediction : arrays of one shape, in {0, 1}

    Returns
    -------
    float
        In [0, 1]; 1 for two empty masks, as in the Carvana competition
        (https://www.kaggle.com/c/carvana-image-masking-challenge/overview/evaluation).

    Raises
    ------
    ValueError
        When the shapes differ: NumPy would broadcast them.
    """
    truth, prediction = np.asarray(truth, bool), np.asarray(prediction, bool)
    if truth.shape != prediction.shape:
        raise ValueError(f"a mask of {truth.shape} cannot be scored with one of {prediction.shape}")
    total = int(truth.sum()) + int(prediction.sum())
    return 2 * int((truth & prediction).sum()) / total if total else 1.0


def per_image_dice(pairs, predictions):
    """The hard dice of every image at original size, float64 `(len(pairs),)`.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    predictions : iterable of arrays `(height, width)` in {0, 1}, in the same order
    """
    return np.array(
        [
            dice(pipeline.read_mask(mask), prediction)
            for (_, mask), prediction in zip(pairs, predictions, strict=True)
        ]
    )


def constant_baseline(train, scored, image_size=(96, 128)):
    """The per-image dice of a prediction that never looks at an image.

    It predicts the mean of the training masks, thresholded at 0.5, for every image: the score that
    a model has to beat.

    Parameters
    ----------
    train, scored : lists of (image path, mask path)
        The mean is taken over `train`; `scored` is what it is scored on.
    image_size : (height, width) or None
        Size of the mean mask; None: the masks' own, which must then be one size.

    Returns
    -------
    float64 array `(len(scored),)`
    """
    mean = 0
    for _, path in train:
        mask = pipeline.resized(pipeline.read_mask(path), image_size, "nearest")
        mean = mean + mask.astype("float32") / len(train)

    def predictions():
        for _, path in scored:
            mask = pipeline.read_mask(path)
            yield resized_back(mean, mask.shape) >= 0.5

    return per_image_dice(scored, predictions())
