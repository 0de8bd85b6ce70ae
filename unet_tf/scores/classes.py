"""Scores of many classes: plain NumPy, whole numbers of pixels summed over the set, original size.

Rules: void pixels count nowhere. A class that no truth holds is absent: its IoU and dice are None,
and no mean counts it; where it was predicted all the same, the class that was there has the error.
"""

import numpy as np

from unet_tf.data import groups_of, names_of
from unet_tf.files import UserError
from unet_tf.scores.binary import tens
from unet_tf.scores.intervals import class_intervals


def confusion_matrix(truth, prediction, num_classes):
    """How many pixels of each class were called which: int64 `(C, C)`, a row a class of the truth.

    Parameters
    ----------
    truth, prediction : integer arrays of one shape
        Class ids; a truth of `num_classes` or more, such as 255, is void and left out.

    Raises
    ------
    ValueError
        When the shapes differ, or a prediction outside void is no class.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise UserError(f"a mask of {truth.shape} cannot be scored with one of {prediction.shape}")
    valid = truth < num_classes
    rows, columns = truth[valid].astype("int64"), prediction[valid].astype("int64")
    if columns.size and not 0 <= columns.min() <= columns.max() < num_classes:
        raise UserError(f"a prediction holds {columns.max()}: ids are 0 to {num_classes - 1}")
    counts = np.bincount(num_classes * rows + columns, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def scores_of(confusion):
    """Every score of a confusion matrix, int64 `(C, C)`; counts may go beyond 2^31.

    Returns
    -------
    dict
        `iou` and `dice`, lists with None for absent classes; `mean_iou` and `mean_dice` over the
        present ones; `frequency_weighted_iou`, `pixel_accuracy`, `pooled_iou`.

    Raises
    ------
    ValueError
        When no pixel counts: all is void.
    """
    confusion = np.asarray(confusion, "int64")
    hits, truth, prediction = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    pixels, right = int(truth.sum()), int(hits.sum())
    if not pixels:
        raise UserError("no pixels to score: all of the masks is void")
    present = truth > 0
    iou = hits[present] / (truth + prediction - hits)[present]
    dice = 2 * hits[present] / (truth + prediction)[present]

    def by_class(values):
        found = iter(values.tolist())
        return [next(found) if there else None for there in present]

    return {
        "iou": by_class(iou),
        "dice": by_class(dice),
        "mean_iou": float(iou.mean()),
        "mean_dice": float(dice.mean()),
        "frequency_weighted_iou": float((truth[present] / pixels * iou).sum()),
        "pixel_accuracy": right / pixels,
        "pooled_iou": right / (2 * pixels - right),
    }


def class_report(pairs, predictions, classes, read=None, others=()):
    """Every score of one set of predictions, in one pass.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    predictions : iterable of uint8 arrays of class ids, in the same order
        At the size of the masks (`unet_tf.data.ids_at`).
    classes : unet_tf.data.Labels
    read : callable, optional
        Instead of `classes.read`, from a mask's path to ids (`unet_tf.data.reader`).
    others : list of path, images beside which these fall into groups (`unet_tf.data.groups_of`)

    Returns
    -------
    dict
        Ready for JSON: what `scores_of` gives; `mean_iou_interval` and, by class, `iou_intervals`,
        95% under another draw of groups; `classes`, their names; `images`; `groups`, how many;
        `shares`, of the truth's pixels that are not void; `void_share`; `absent`, names;
        `confusion`; and `worst`, the ten images with the lowest mean IoU of the classes in their
        own masks; `median`, ten from the middle.

    Raises
    ------
    ValueError
        For no images, and as `confusion_matrix` and `scores_of`.
    """
    if not pairs:
        raise UserError("no images to score: is this part of the split empty?")
    total, void, worst, counts = 0, 0, [], []
    names = names_of(image for image, _ in pairs)
    for name, (_, mask), prediction in zip(names, pairs, predictions, strict=True):
        truth = (read or classes.read)(mask)
        own = confusion_matrix(truth, prediction, len(classes.names))
        total, void = total + own, void + truth.size - int(own.sum())
        counts.append((np.diag(own), own.sum(axis=1), own.sum(axis=0)))
        if own.any():
            worst.append((scores_of(own)["mean_iou"], name))
    pixels, each = total.sum(axis=1), sorted(worst)
    groups = groups_of([*(image for image, _ in pairs), *others])[: len(names)]
    report = scores_of(total)
    interval, intervals = class_intervals(*np.stack(counts, axis=1), groups)
    return {
        "images": len(pairs),
        "groups": len(set(groups)),
        "classes": list(classes.names),
        **report,
        "mean_iou_interval": interval,
        "iou_intervals": intervals,
        "shares": (pixels / pixels.sum()).tolist(),
        "void_share": void / (void + int(pixels.sum())),
        "absent": [name for name, count in zip(classes.names, pixels, strict=True) if not count],
        "confusion": total.tolist(),
        **tens([name for _, name in each], "mean_iou", [iou for iou, _ in each]),
    }


def frequency_weights(pairs, classes, kind="median"):
    """Class weights counted from training masks, a float a class; absent classes get 0.

    Parameters
    ----------
    kind : "inverse" or "median"
        "inverse": 1 / share of the pixels, scaled so that the mean over present classes is 1.
        "median": the median of the shares / the own share, each share taken in the images that
        hold the class (Eigen and Fergus, 2015, https://arxiv.org/abs/1411.4734).
    """
    if kind not in ("inverse", "median"):
        raise UserError(f'class weights are "inverse", "median" or numbers, not {kind!r}')
    number = len(classes.names)
    pixels, around = np.zeros(number, "int64"), np.zeros(number, "int64")
    for _, mask in pairs:
        ids = classes.read(mask)
        own = np.bincount(ids[ids < number], minlength=number)
        pixels += own
        around += np.where(own > 0, own.sum(), 0)
    present = pixels > 0
    if not present.any():
        raise UserError("no pixels to count class weights from: all of the masks is void")
    weights = np.zeros(number)
    if kind == "inverse":
        weights[present] = pixels.sum() / pixels[present]
        weights[present] /= weights[present].mean()
    else:
        shares = pixels[present] / around[present]
        weights[present] = np.median(shares) / shares
    return weights.tolist()
