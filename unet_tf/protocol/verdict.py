"""Is a score better than a prediction that looks at no image; and if not, why, and what to try."""

import math

import numpy as np

from unet_tf import data, scores
from unet_tf.protocol.judge import prediction_files

FEW_STEPS, FEW_IMAGES = 500, 10
LOOKED_AT = 24  # masks, evenly taken


def better(report):
    """Is the dice, of many classes the mean IoU, above the constant prediction's by more than its
    95% interval?"""
    name = score_of(report)
    low, _ = report[f"{name}_interval"] or (report[name], None)
    return low > report["baseline"]


def score_of(report):
    """The name of the score that decides."""
    return "mean_iou" if "confusion" in report else "dice"


def verdict(recipe, report, labels, parts, history, to):
    """Nothing where the score is `better`; else what was found, ready for JSON: a list of (cause,
    bool: is it so, what was found, what to try).

    `report` is that of `judged`, `history` {name: a value for each epoch}, and `to` the run's
    folder, with its predictions.
    """
    if better(report):
        return []
    scored = parts.test or parts.validation
    causes = [too_few_steps(recipe, parts, history)]
    if labels.binary:
        causes += [collapsed(scored, to), too_small(recipe, scored), inverted(parts.train)]
    else:
        causes.append(never_found(report))
    few = len(scored) < FEW_IMAGES
    words = f"{len(scored)} images are scored"
    return [*causes, ("too few images to tell", few, words, "more images, or --folds 5")]


def too_few_steps(recipe, parts, history):
    epochs = len(history["loss"])
    steps = epochs * math.ceil(len(parts.train) * recipe.crops / recipe.batch_size)
    values = history.get(recipe.monitor, history["loss"])
    sign = -1 if "loss" in recipe.monitor else 1
    best = int(np.argmax(sign * np.array(values))) + 1
    rising = best == epochs and epochs > 1
    words = f"{steps} steps in all; the best epoch is {best} of {epochs}"
    return "too few steps", steps < FEW_STEPS or rising, words, "--minutes 30, or more --epochs"


def collapsed(scored, to):
    """Does it say the same of nearly all pixels?"""
    said = list(map(data.read_mask, prediction_files(to, scored)))
    share = float(np.mean([mask.mean() for mask in said]))
    words = f"{share:.2%} of the pixels are called foreground"
    what = "a smaller --learning-rate, such as 1e-4, and --set loss=bce_dice_loss"
    return "collapsed", share < 0.001 or share > 0.999, words, what


def never_found(report):
    """Are there classes of which no pixel is right?"""
    every = zip(report["classes"], report["iou"], strict=True)
    there = {name: iou for name, iou in every if iou is not None}
    lost = [name for name, iou in there.items() if iou == 0]
    words = f"{len(lost)} of {len(there)} classes have an IoU of 0"
    words += f": {', '.join(lost[:5])}" if lost else ""
    return "classes never found", bool(lost), words, "more --minutes, --set class_weights=inverse"


def too_small(recipe, scored):
    """Are the masks' structures lost at the size that the network works at?"""
    size = recipe.image_size
    if not isinstance(size, tuple):
        return "images too small for the masks", False, "they keep their own size, or a share", ""
    kept = float(scores.ceiling(scored[:: 1 + len(scored) // LOOKED_AT], size))
    words = f"at {size[0]}x{size[1]} the true masks themselves keep a dice of {kept:.3f}"
    what = "leave --recipe and --image-size out, so that it is planned; or crops: --image-size "
    return "images too small for the masks", kept < 0.9, words, what + "native --set crop=128,128"


def inverted(train):
    """Is most of it foreground?"""
    some = train[:: 1 + len(train) // LOOKED_AT]
    share = float(np.mean([data.read_mask(mask).mean() for _, mask in some]))
    words = f"{share:.1%} of the training masks is white"
    what = "if white is the background, turn the masks round: black and white change places"
    return "masks inverted", share > 0.5, words, what


def text(report, causes):
    """The verdict to read, a line a cause; "" where there is none."""
    if not causes:
        return ""
    name = score_of(report)
    score = f"{name.replace('mean_iou', 'mean IoU')} {report[name]:.4f}"
    lines = [f"NOT BETTER THAN A CONSTANT PREDICTION: {score}, against {report['baseline']:.4f}."]
    for cause, so, found, what in causes:
        lines.append(f"- {cause}: {'yes' if so else 'no'}: {found}{f'. Try {what}' * so}")
    return "\n".join(lines)
