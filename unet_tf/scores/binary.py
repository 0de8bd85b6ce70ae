"""Scores after training: plain NumPy, whole numbers of pixels, original size."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from unet_tf import data
from unet_tf.data import resized_back
from unet_tf.files import UserError
from unet_tf.network import SMOOTH
from unet_tf.scores.boundary import boundary_f1, default_tolerance

THRESHOLDS = tuple(step / 20 for step in range(1, 20))  # 0.05 to 0.95


# What `report` calls it: its name in words, and who scores so.
USED_BY = {
    "dice": ("dice: per image, hard, original size", "the Carvana competition"),
    "mean_over_batches": (
        "dice: soft, pooled in each batch, mean over batches, model size",
        "the article *Image Segmentation: An In-Depth Guide*; "
        "the *End-to-End Guide for Image Segmentation*, with hard masks",
    ),
    "soft_dice": ("dice: per image, soft, model size", "this project's losses, as 1 - dice"),
    "pooled_dice": ("dice: pooled over all images, hard, original size", "BuildFormer, as F1"),
    "iou": (
        "IoU of the car, pooled over all images, original size",
        "PASCAL VOC for each class; BuildFormer on Massachusetts Buildings",
    ),
    "mean_iou": (
        "mean of the IoUs of car and background, pooled over all images, original size",
        "PASCAL VOC and Cityscapes, over their classes",
    ),
    "pixel_accuracy": (
        "pixel accuracy, original size",
        "the *End-to-End Guide for Image Segmentation*, at model size",
    ),
    "boundary_f1": (
        "boundary F1: per image, within {boundary_tolerance} px, original size",
        "Csurka et al., BMVC 2013; DAVIS as F, with a wider tolerance",
    ),
}


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
        raise UserError(f"a mask of {truth.shape} cannot be scored with one of {prediction.shape}")
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
            dice(data.read_mask(mask), prediction)
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
        mask = data.resized(data.read_mask(path), image_size, "nearest")
        mean = mean + mask.astype("float32") / len(train)

    def predictions():
        for _, path in scored:
            mask = data.read_mask(path)
            yield resized_back(mean, mask.shape) >= 0.5

    return per_image_dice(scored, predictions())


def ceiling(pairs, image_size, resize="area"):
    """Mean per-image dice at original size of true masks that went through `image_size`.

    What a model reaches that repeats the masks it was trained on (nearest), or that says of each
    pixel the share of it that is car (area). A mark to measure by, no bound: probabilities that are
    sharpened at the edges come back a little better.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    image_size : (height, width)
    resize : "area" (each pixel the share of it that is car) or "nearest" (as in training)
    """

    def predictions():
        for _, path in pairs:
            mask = data.read_mask(path)
            reduced = data.resized(255 * mask, image_size, resize) / np.float32(255)
            yield resized_back(reduced, mask.shape) >= 0.5

    return per_image_dice(pairs, predictions()).mean()


class Counts(NamedTuple):
    """What `report` keeps of an image: counts of pixels, sums of probabilities, and the outline."""

    both: int  # car in truth and in prediction, original size
    total: int  # pixels of the truth's car and of the prediction's, added
    size: int  # all pixels
    soft_both: float  # the same two of the probability, model size
    soft_total: float
    boundary_f1: float
    tolerance: int


def report(pairs, probabilities, threshold=0.5, batch_size=32, tolerance=None, draws=1000, seed=0):
    """Every score of one set of predictions, in one pass.

    Of an image a few numbers are kept: memory does not grow with its size. `USED_BY` says who
    scores in which way.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    probabilities : iterable of float arrays `(h, w)` in [0, 1], in the same order
        At the size the model works at, which may be the original one; masks in {0, 1} will do.
    threshold : float
        A pixel is car where its probability, resized to original size, is at least this.
    batch_size : int
        For `mean_over_batches` alone.
    tolerance : int or None
        Of the boundary, in pixels; None: 0.2% of each image's diagonal, at least 1.
    draws, seed : int
        Of the bootstrap (`bootstrap_interval`).

    Returns
    -------
    dict
        Ready for JSON. Scores in [0, 1]; where neither truth nor prediction holds a car, its dice
        and IoU are 1.

        - `images`, `cars`, `threshold`: numbers of images and of cars, and the threshold
        - `dice`: mean of the images' hard dice at original size; `dice_interval`: its 95%
          interval over cars, `[low, high]`, or None for a single car
        - `pooled_dice`, `iou`, `mean_iou`, `pixel_accuracy`: hard, at original size, from counts
          summed over all images; the mean over car and background leaves out a class that is
          neither in a truth nor in a prediction
        - `mean_over_batches`: soft, at model size, pooled over each batch of consecutive images,
          then the mean over batches, a short last one counting as a whole one
        - `soft_dice`: mean of the images' soft dice at model size
        - `boundary_f1`, `boundary_tolerance`: mean over images at original size
          (`unet_tf.scores`), and the tolerance in pixels, of the first image if they differ
        - `worst`: the ten worst images, `{"image": name, "dice": dice}`, the worst first
        - `dice_by_view`: mean dice of each view, "01" to "16", if all names are Carvana's

    Raises
    ------
    ValueError
        For no images, another number of predictions than images, and probabilities that are NaN,
        outside [0, 1] or not `(h, w)`; names the image.
    """
    counts = []
    for truth, probability, enlarged in opened(pairs, probabilities):
        prediction = enlarged >= float(threshold)
        small = data.resized(truth, probability.shape, "nearest")
        pixels = default_tolerance(truth.shape) if tolerance is None else tolerance
        counts.append(
            Counts(
                both=np.count_nonzero(truth & prediction),
                total=np.count_nonzero(truth) + np.count_nonzero(prediction),
                size=truth.size,
                soft_both=np.sum(probability * small, dtype="float64"),
                soft_total=np.count_nonzero(small) + np.sum(probability, dtype="float64"),
                boundary_f1=boundary_f1(truth, prediction, pixels),
                tolerance=pixels,
            )
        )
    images = Counts(*map(np.array, zip(*counts, strict=True)))
    dices = ratio(2 * images.both, images.total)
    starts = np.arange(0, len(counts), batch_size)
    soft_both, soft_total = (
        np.add.reduceat(column, starts) for column in (images.soft_both, images.soft_total)
    )
    both, size = int(images.both.sum()), int(images.size.sum())
    either = int(images.total.sum()) - both  # car in the truth, in the prediction or in both
    right = size - either + both
    ious = [part / whole for part, whole in ((both, either), (size - either, size - both)) if whole]

    names = [Path(image).name for image, _ in pairs]
    cars = [data.group_of(name) for name in names]
    views = [Path(name).stem[len(car) + 1 :] for name, car in zip(names, cars, strict=True)]
    result = {
        "images": len(names),
        "cars": len(set(cars)),
        "threshold": float(threshold),
        "dice": float(dices.mean()),
        "dice_interval": bootstrap_interval(dices, cars, draws, seed),
        "pooled_dice": float(ratio(2 * both, both + either)),
        "mean_over_batches": float(smoothed_dice(soft_both, soft_total).mean()),
        "soft_dice": float(smoothed_dice(images.soft_both, images.soft_total).mean()),
        "pixel_accuracy": right / size,
        "iou": float(ratio(both, either)),
        "mean_iou": float(np.mean(ious)),
        "boundary_f1": float(images.boundary_f1.mean()),
        "boundary_tolerance": int(images.tolerance[0]),
        "worst": [
            {"image": names[i], "dice": float(dices[i])}
            for i in np.argsort(dices, kind="stable")[:10]
        ],
    }
    if all(view.isdigit() for view in views):
        result["dice_by_view"] = {
            view: float(dices[np.array(views) == view].mean()) for view in sorted(set(views))
        }
    return result


def opened(pairs, probabilities):
    """Of one image after another: truth, bool, original size; probability, float32, model size;
    and the probability at original size. Raises as `report` does."""
    if not pairs:
        raise UserError("no images to score: is this part of the split empty?")
    for (image, mask), probability in zip(pairs, probabilities, strict=True):
        probability = np.asarray(probability, "float32")
        if probability.ndim != 2:
            raise UserError(f"{image}: probabilities are (h, w), not {probability.shape}")
        low, high = probability.min(), probability.max()
        if not -1e-6 <= low <= high <= 1 + 1e-6:  # so for NaN, too
            raise UserError(
                f"{image}: probabilities are in [0, 1], these go from {low:.3g} to {high:.3g}. "
                "NaN: training has diverged; other numbers: logits want a sigmoid, 8 bits / 255"
            )
        truth = data.read_mask(mask).astype(bool)
        yield truth, probability, resized_back(probability, truth.shape)


def ratio(part, whole):
    """part / whole, and 1 where the whole is empty."""
    return np.where(whole == 0, 1.0, part / np.maximum(whole, 1))


def smoothed_dice(both, total):
    """Soft dice from its sums, with the smoothing of `unet_tf.network`."""
    return (2 * both + SMOOTH) / (total + SMOOTH)


def bootstrap_interval(values, groups, draws=1000, seed=0):
    """The 95% interval of the mean of `values` under another draw of groups: `[low, high]`.

    Each draw takes as many groups as there are, with replacement, all values of a group together
    (views of one car are alike, so images are no independent draws), and their mean; the interval
    goes from the 2.5th to the 97.5th percentile of the means.

    Parameters
    ----------
    values : float array `(N,)`
    groups : sequence of N names
    draws, seed : int

    Returns
    -------
    list of two floats, or None for a single group, which says nothing about others.
    """
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None
    sums, sizes = np.bincount(index, values), np.bincount(index)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return np.percentile(means, (2.5, 97.5)).tolist()


def table(report, baseline=None):
    """A Markdown table of one report: score, value, who scores so.

    Parameters
    ----------
    report : dict
        What `report` returned.
    baseline : float or array, optional
        The constant baseline's dice, or its dices (`constant_baseline`): gets a line.
    """
    lines = ["| score | value | who scores so |", "| --- | --- | --- |"]
    for key, (name, who) in USED_BY.items():
        value = f"{report[key]:.4f}"
        if key == "dice" and report["dice_interval"]:
            value += " (95%: {:.4f} to {:.4f})".format(*report["dice_interval"])
        lines.append(f"| {name.format(**report)} | {value} | {who} |")
        if key == "dice" and baseline is not None:
            lines.append(f"| the same of the constant baseline | {np.mean(baseline):.4f} | |")
    return "\n".join(lines)


def best_threshold(pairs, probabilities, thresholds=THRESHOLDS):
    """The threshold with the highest per-image dice, and the dice of each.

    Choose it on the validation part: one chosen on the images that are scored flatters the score.

    Parameters
    ----------
    pairs, probabilities : as in `report`
    thresholds : sequence of floats in [0, 1]

    Returns
    -------
    float
        Of several equally good ones the nearest to 0.5.
    float64 array `(len(thresholds),)`
        Mean hard dice of the images at original size.

    Raises
    ------
    ValueError
        As `report`.
    """
    thresholds = [float(threshold) for threshold in thresholds]  # Python's: compared as float32
    dices = []
    for truth, _, enlarged in opened(pairs, probabilities):
        inside = enlarged[truth]
        both = np.array([np.count_nonzero(inside >= threshold) for threshold in thresholds])
        found = np.array([np.count_nonzero(enlarged >= threshold) for threshold in thresholds])
        dices.append(ratio(2 * both, len(inside) + found))
    means = np.mean(dices, axis=0)
    best = max(range(len(means)), key=lambda i: (means[i], -abs(thresholds[i] - 0.5)))
    return thresholds[best], means
