"""Scores of one foreground: plain NumPy, whole numbers of pixels, original size."""

from pathlib import Path

import numpy as np

from unet_tf import data
from unet_tf.data import VOID, resized_back
from unet_tf.files import UserError
from unet_tf.scores.boundary import boundary_f1, default_tolerance
from unet_tf.scores.intervals import bootstrap_interval, pooled_interval

THRESHOLDS = tuple(step / 20 for step in range(1, 20))  # 0.05 to 0.95
SMOOTHING = 1e-5  # of soft dice: `unet_tf.network.SMOOTH`, without Keras


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


def report(
    pairs,
    probabilities,
    threshold=0.5,
    batch_size=32,
    labels=None,
    chosen_threshold=None,
    read=None,
    others=(),
):
    """Every score of one set of predictions, in one pass that keeps a few numbers of an image.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    probabilities : iterable of float arrays `(h, w)` in [0, 1], in the same order
        At the size the model works at, which may be the original one; masks in {0, 1} will do.
    threshold : float
        A pixel is foreground where its probability, resized to original size, is at least this.
    batch_size : int, for `mean_over_batches` alone
    labels : unet_tf.data.Labels, optional
        For the name of the foreground; else it is called a car where all names are Carvana's.
    chosen_threshold : float, optional
        One that was chosen on other images (`best_threshold`), for one more dice.
    read : callable, optional
        Instead of `unet_tf.data.read_mask`, from a mask's path to uint8 `(H, W)`: 0, 1, and `VOID`
        where nothing counts (`unet_tf.data.reader`).
    others : list of path, images beside which these fall into groups (`unet_tf.data.groups_of`)

    Returns
    -------
    dict
        Ready for JSON. The scores of `unet_tf.scores.USED_BY`, in [0, 1], and there is said how
        each is taken and who takes it so. Where neither truth nor prediction holds foreground, its
        dice and IoU are 1, and `mean_iou` is the background's alone. `mean_over_batches` is over
        batches of consecutive images, a short last one counting as a whole one. Beside them

        - `images`, `groups`: how many (`unet_tf.data.groups_of`: a car, a patient)
        - `foreground`, `threshold`: its name, and where it begins
        - `dice_interval`: the 95% interval of `dice` over groups, `[low, high]`, or None for a
          single group (`bootstrap_interval`); and so `iou_interval`, `sensitivity_interval`,
          `specificity_interval`, `boundary_f1_interval`
        - `boundary_tolerance`: in pixels, of the first image if they differ (`default_tolerance`)
        - `worst`: the ten worst images, `{"image": name, "dice": dice}`, the worst first; `median`:
          ten from the middle
        - `dice_by_view`: mean dice of each view, "01" to "16", if all names are Carvana's
        - `chosen_threshold`, `dice_at_chosen_threshold`: if one was chosen

    Raises
    ------
    ValueError
        For no images, another number of predictions than images, and probabilities that are NaN,
        outside [0, 1] or not `(h, w)`; names the image.
    """
    names = data.names_of(image for image, _ in pairs)
    groups = data.groups_of([*(image for image, _ in pairs), *others])[: len(names)]
    rows = counted(pairs, probabilities, threshold, chosen_threshold, read)
    both, true, found, size, *soft, outline, tolerance, chosen = map(
        np.array, zip(*rows, strict=True)
    )
    dices = ratio(2 * both, true + found)
    starts = np.arange(0, len(names), batch_size)
    in_batches = [np.add.reduceat(column, starts) for column in soft]
    either, rest = true + found - both, size - true  # in truth or prediction; in no truth
    right = size - either + both
    pooled = {"iou": (both, either), "sensitivity": (both, true)}
    pooled["specificity"] = size - either, rest
    ious = [(both, either), (size - either, size - both)]
    ious = [int(part.sum()) / int(whole.sum()) for part, whole in ious if whole.any()]
    carvana = data.word_of(names) == "car"
    foreground = labels.names[-1] if labels else "foreground"
    result = {
        "images": len(names),
        "groups": len(set(groups)),
        "foreground": "car" if carvana and foreground == "foreground" else foreground,
        "threshold": float(threshold),
        "dice": float(dices.mean()),
        "dice_interval": bootstrap_interval(dices, groups),
        "pooled_dice": float(ratio(2 * both.sum(), true.sum() + found.sum())),
        "mean_over_batches": float(smoothed_dice(*in_batches).mean()),
        "soft_dice": float(smoothed_dice(*soft).mean()),
        "pixel_accuracy": int(right.sum()) / int(size.sum()),
        **{name: float(ratio(part.sum(), whole.sum())) for name, (part, whole) in pooled.items()},
        **{f"{name}_interval": pooled_interval(*two, groups) for name, two in pooled.items()},
        "mean_iou": float(np.mean(ious)),
        "boundary_f1": float(outline.mean()),
        "boundary_f1_interval": bootstrap_interval(outline, groups),
        "boundary_tolerance": int(tolerance[0]),
        **tens(names, "dice", dices),
    }
    if carvana:
        views = np.array([Path(name).stem[-2:] for name in names])
        means = {str(view): float(dices[views == view].mean()) for view in np.unique(views)}
        result["dice_by_view"] = means
    if chosen_threshold is not None:
        result["chosen_threshold"] = chosen_threshold
        result["dice_at_chosen_threshold"] = float(chosen.mean())
    return result


def tens(names, score, values):
    """The ten images with the lowest values, and ten from the middle: `worst` and `median`."""
    order = sorted(zip(map(float, values), names, strict=True), key=lambda each: each[0])
    middle = max(0, (len(order) - 10) // 2)
    some = {"worst": order[:10], "median": order[middle : middle + 10]}
    return {
        kind: [{"image": name, score: value} for value, name in ten] for kind, ten in some.items()
    }


def counted(pairs, probabilities, threshold, chosen_threshold, read):
    """What `report` keeps of each image."""
    threshold = float(threshold)  # Python's float: compared as float32
    chosen_threshold = threshold if chosen_threshold is None else float(chosen_threshold)
    for mask, probability, enlarged in opened(pairs, probabilities, read):
        truth, counts = mask == 1, mask != VOID
        prediction = (enlarged >= threshold) & counts
        small = data.resized(mask, probability.shape, "nearest")
        probability = probability * (small != VOID)
        tolerance = default_tolerance(truth.shape)
        yield (
            np.count_nonzero(truth & prediction),  # pixels of both, at original size
            np.count_nonzero(truth),
            np.count_nonzero(prediction),
            np.count_nonzero(counts),
            np.sum(probability * (small == 1), dtype="float64"),  # these two, soft, at model size
            np.count_nonzero(small == 1) + np.sum(probability, dtype="float64"),
            boundary_f1(truth, prediction, tolerance, counts),
            tolerance,
            dice(truth, (enlarged >= chosen_threshold) & counts),
        )


def opened(pairs, probabilities, read=None):
    """Of one image after another: mask, uint8, original size; probability, float32, model size;
    and the probability at original size. Raises as `report` does."""
    if not pairs:
        raise UserError("no images to score: is this part of the split empty?")
    for (image, mask), probability in zip(pairs, probabilities, strict=True):
        probability = np.asarray(probability, "float32")
        if probability.ndim != 2:
            raise UserError(f"{image}: probabilities are (h, w), not {probability.shape}")
        low, high = probability.min(), probability.max()
        if not -1e-6 <= low <= high <= 1 + 1e-6:  # NaN fails every comparison
            raise UserError(
                f"{image}: probabilities are in [0, 1], these go from {low:.3g} to {high:.3g}. "
                "NaN: training has diverged; other numbers: logits want a sigmoid, 8 bits / 255"
            )
        mask = (read or data.read_mask)(mask)
        yield mask, probability, resized_back(probability, mask.shape)


def ratio(part, whole):
    """part / whole, and 1 where the whole is empty."""
    return np.where(whole == 0, 1.0, part / np.maximum(whole, 1))


def smoothed_dice(both, total):
    """Soft dice from its sums, with the smoothing of `unet_tf.network`."""
    return (2 * both + SMOOTHING) / (total + SMOOTHING)


def best_threshold(pairs, probabilities, thresholds=THRESHOLDS, read=None):
    """The threshold with the highest per-image dice, and the dice of each.

    Choose it on the validation part: one chosen on the images that are scored flatters the score.

    Parameters
    ----------
    pairs, probabilities, read : as in `report`
    thresholds : sequence of floats in [0, 1]

    Returns
    -------
    float, of several equally good ones the nearest to 0.5
    float64 array `(len(thresholds),)`, mean hard dice of the images at original size

    Raises
    ------
    ValueError
        As `report`.
    """
    thresholds = list(map(float, thresholds))  # Python's float: compared as float32
    dices = []
    for mask, _, enlarged in opened(pairs, probabilities, read):
        inside, shown = enlarged[mask == 1], enlarged[mask != VOID]
        both = np.array([np.count_nonzero(inside >= one) for one in thresholds])
        predicted = np.array([np.count_nonzero(shown >= one) for one in thresholds])
        dices.append(ratio(2 * both, len(inside) + predicted))
    means = np.mean(dices, axis=0)
    best = max(range(len(means)), key=lambda i: (means[i], -abs(thresholds[i] - 0.5)))
    return thresholds[best], means
