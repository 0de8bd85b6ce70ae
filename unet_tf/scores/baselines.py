"""What to measure a model by: predictions that look at no image, and true masks made small."""

import numpy as np

from unet_tf import data
from unet_tf.data import VOID, ids_at, resized_back, size_of
from unet_tf.scores.binary import dice, per_image_dice
from unet_tf.scores.classes import class_report


def mean_of(train, image_size):
    """The mean of the training masks at `image_size`, float32 `(h, w)` in [0, 1]."""
    mean = 0
    for _, path in train:
        mask = data.resized(data.read_mask(path), image_size, "nearest")
        mean = mean + mask.astype("float32") / len(train)
    return mean


def constant_baseline(train, scored, image_size=(96, 128), read=data.read_mask):
    """The per-image dice of a prediction that never looks at an image.

    It is the best of three: the mean of the training masks, thresholded at 0.5; nothing; and all
    of the image. That score a model has to beat.

    Parameters
    ----------
    train, scored : lists of (image path, mask path)
        The mean is taken over `train`; `scored` is what it is scored on.
    image_size : (height, width) or None
        Size of the mean mask; None: the masks' own, which must then be one size.
    read : callable, as in `report`, for the scored masks

    Returns
    -------
    float64 array `(len(scored),)`
    """
    mean = mean_of(train, image_size)

    dices = []
    for _, path in scored:
        mask = read(path)
        truth, guess = mask[mask != VOID] == 1, resized_back(mean, mask.shape)[mask != VOID] >= 0.5
        dices.append([dice(truth, one) for one in (guess, np.zeros_like(guess), guess | ~guess)])
    return max(np.transpose(dices), key=np.mean)


def ceiling(pairs, image_size, resize="area"):
    """Mean per-image dice at original size of true masks that went through `image_size`.

    What a model reaches that repeats the masks it was trained on (nearest), or that says of each
    pixel its share of foreground (area). A mark to measure by, no bound: probabilities that are
    fitted to the way back can come back a little better; sharper ones alone do not.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    image_size : (height, width)
    resize : "area" (each pixel its share of foreground) or "nearest" (as in training)
    """

    def predictions():
        for _, path in pairs:
            mask = data.read_mask(path)
            reduced = data.resized(255 * mask, image_size, resize) / np.float32(255)
            yield resized_back(reduced, mask.shape) >= 0.5

    return per_image_dice(pairs, predictions()).mean()


def class_baseline(train, scored, classes, image_size=(128, 128), read=None):
    """The `class_report` of a prediction that never looks at an image: the most frequent class of
    each place in the training masks, at `image_size`, enlarged to each mask's own. `read` is that
    of `class_report`."""
    counts = np.zeros((*image_size, len(classes.names)), "int64")
    for _, mask in train:
        ids = data.resized(classes.read(mask), image_size, "nearest")
        counts += ids[..., None] == np.arange(len(classes.names))
    shares = (counts / max(1, len(train))).astype("float32")
    predictions = (ids_at(shares, size_of(mask)) for _, mask in scored)
    return class_report(scored, predictions, classes, read)


def baseline_size(pairs, labels):
    """(height, width) of the constant baseline of a model that keeps the images' own size.

    The masks' own, where all have one; else, and for many classes, 128x128: counts stay small.
    """
    sizes = {size_of(mask) for _, mask in pairs} if labels.binary else ()
    return next(iter(sizes)) if len(sizes) == 1 else (128, 128)


def baseline_of(train, scored, labels, image_size=None, read=None):
    """The constant baseline of either task, as a record of a run has it: `baseline`, its dice or
    mean IoU, and of many classes `baseline_report`; empty without training masks.

    `image_size` is the model's (`unet_tf.data.size_at`); `read` as in `report`.
    """
    if not train:
        return {}
    size = image_size if isinstance(image_size, tuple) else baseline_size(train, labels)
    if labels.binary:
        dices = constant_baseline(train, scored, size, read or data.read_mask)
        return {"baseline": float(dices.mean())}
    found = class_baseline(train, scored, labels, size, read)
    return {"baseline": found["mean_iou"], "baseline_report": found}
