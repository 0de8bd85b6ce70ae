"""The usual causes of a black prediction, each tested on one image (`unet_tf.doctor`)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from unet_tf import data
from unet_tf.data import VOID, ids_at, resized_back, values_of
from unet_tf.scores import THRESHOLDS, confusion_matrix, dice, scores_of

DARK = 64  # of 255: a picture with nothing brighter looks black


FLAT = 0.02  # probabilities that differ less over the image say nothing of its pixels


MORE = 0.1  # a dice or a mean IoU that much higher is no accident


RANKED = 0.8  # area under the ROC curve; 0.5 is chance


SURE = 1e-4  # so near to 0 or 1 a sigmoid has no slope left


BLACK_FILE, NO_CLASS = "the mask's file looks black", "a mask of no class"


WHITE_IDS, ALL_VOID = "a mask of 0 and 255 where ids are wanted", "void everywhere"


EMPTY, NAN, LOGITS = "a mask of one class", "NaN", "logits instead of probabilities"


SCALE, CHANNELS = "0 to 255 where 0 to 1 are wanted, or the reverse", "red and blue swapped"


SIZE, COLLAPSED, FEW = "another size than in training", "collapsed", "too few steps"


THRESHOLD, NEVER = "the threshold is too high", "a class that never wins"


REMEDIES = {
    BLACK_FILE: "nothing is wrong with it: save ids with a palette (`classes.save_ids`), and look "
    "at masks of 0 and 1 times 255",
    NO_CLASS: "mend the mask, or the class table: `python -m unet_tf check DIR` looks at all",
    WHITE_IDS: "255 is void: save ids, 0, 1 and so on",
    ALL_VOID: "nothing can be learned from such a mask: draw it, or leave the pair out",
    EMPTY: "a prediction of that class alone is right: take another image, and look at the masks",
    NAN: "the training broke: load its best epoch; a lower learning rate, or float32",
    LOGITS: "put a sigmoid or a softmax behind the head; the rest is said of these",
    SCALE: "feed images as in training: 0 to 1 in this project",
    CHANNELS: "OpenCV reads BGR: turn the channels, `image[..., ::-1]`",
    SIZE: "give the `image_size` of the training",
    COLLAPSED: "train anew, with cross-entropy in the loss and a lower learning rate",
    FEW: "train longer",
    THRESHOLD: "train longer; until then choose a threshold on validation images "
    "(`scores.best_threshold`)",
    NEVER: "train longer; then class weights, or dice in the loss",
}


class Cause(NamedTuple):
    """A usual cause, whether it is there, and the numbers behind that."""

    what: str  # of `REMEDIES`
    verdict: str  # "yes"; "maybe", where there is no mask to compare with; "no"
    evidence: str


def cause(what, there, evidence):
    """A `Cause` that is there or is not."""
    return Cause(what, "yes" if there else "no", evidence)


def of_mask(path, channels, classes):
    """(truth, causes): the mask as ids, None where it cannot be had, and what its file shows."""
    if path is None:
        return None, []
    values, shown = values_of(path), data.read_image(path)
    counted = values != VOID  # white, but it marks where nothing is
    if channels == 1 or values.ndim == 3:
        counted = np.ones(shown.shape[:2], bool)
    high, brightest = values[counted].max(initial=0), shown[counted].max(initial=0)
    text = f"values up to {high}, void aside; a viewer shows them up to {brightest} of 255"
    causes = [cause(BLACK_FILE, high > 0 and brightest <= DARK, text)]
    try:
        truth = data.read_mask(path) if channels == 1 else classes.read(path)
    except ValueError as error:
        text = str(error).replace(str(path), Path(path).name)
        return None, [*causes, cause(NO_CLASS, True, text)]
    there = np.unique(truth[truth != VOID])
    void = np.mean(truth == VOID)
    if channels > 1:
        white = set(np.unique(values)) == {0, VOID} and list(there) == [0]
        text = f"{void:.1%} of the pixels are void"
        causes += [cause(WHITE_IDS, white, text), cause(ALL_VOID, void > 0.95, text)]
    names = ", ".join(classes.names[number] for number in there)
    causes.append(cause(EMPTY, len(there) == 1, f"it holds {names or 'void alone'}"))
    return (truth if len(there) else None), causes


def ids_of(probability, shape):
    """The prediction at `shape`, (height, width): class ids, or {0, 1} at a threshold of 0.5."""
    if probability.shape[-1] > 1:
        return ids_at(probability, shape)
    return (resized_back(probability[..., 0], shape) >= 0.5).astype("uint8")


def score_of(ids, truth, channels):
    """Dice, or the mean IoU of the classes in the truth."""
    if channels == 1:
        return dice(truth, ids)
    return scores_of(confusion_matrix(truth, ids, channels))["mean_iou"]


def useful_score(truth, channels):
    """A score that no answer gets which is the same for all pixels: a quarter of the way from the
    best of those to 1."""
    numbers = range(max(2, channels))
    same = max(score_of(np.full_like(truth, number), truth, channels) for number in numbers)
    return same + 0.25 * (1 - same)


def compared(probability, others, truth, shape):
    """(verdict, evidence): is one of the other answers much better than this one?"""
    if not others:
        return "no", "no other to try"
    ids, *found = [ids_of(one, shape) for one in (probability, *others)]
    if truth is None:  # all one class against a picture of something
        most = [np.bincount(one.ravel()).max() / one.size for one in (ids, *found)]
        text = f"the largest class covers {most[0]:.1%} of the pixels, {min(most[1:]):.1%} that way"
        return ("maybe" if most[0] > 0.999 and min(most[1:]) < 0.98 else "no"), text
    channels = probability.shape[-1]
    own, *scores = [score_of(one, truth, channels) for one in (ids, *found)]
    text = f"{'dice' if channels == 1 else 'mean IoU'} {own:.3f} as it is, {max(scores):.3f} so"
    better = max(scores) > max(own + MORE, useful_score(truth, channels))
    return ("yes" if better else "no"), text


def swept(probability, truth, shape):
    """`[(threshold, share of the pixels, dice or None)]`, by threshold; for several classes []."""
    if probability.shape[-1] > 1:
        return []
    found = resized_back(probability[..., 0], shape)
    thresholds = sorted({*THRESHOLDS, *np.quantile(found, np.linspace(0.02, 0.98, 49)).tolist()})
    masks = ((threshold, found >= threshold) for threshold in thresholds)
    return [
        (threshold, float(mask.mean()), None if truth is None else dice(truth, mask))
        for threshold, mask in masks
    ]


def of_training(probability, sweep, truth, shape, classes):
    """The causes that lie in the training, of a model that is fed as it was trained."""
    channels = probability.shape[-1]
    ids = ids_of(probability, shape)
    low, high = probability.min(axis=(0, 1)), probability.max(axis=(0, 1))
    counted = truth is not None and truth != VOID
    right = truth is not None and bool((ids == truth)[counted].all())
    sure = low.max() > 1 - SURE or (channels == 1 and high.max() < SURE)
    text = f"from {low[0]:.4f} to {high[0]:.4f}"
    if channels > 1:
        text = f"the largest probability is {probability.max(axis=-1).min():.4f} or more everywhere"
    there = "maybe" if truth is None else "yes"
    causes = [Cause(COLLAPSED, there if sure and not right else "no", text)]
    spread = float((high - low).max())
    useless, text = spread < FLAT, f"probabilities differ by {spread:.3f} over the image"
    if truth is not None and len(np.unique(truth[counted])) > 1:
        own, useful = score_of(ids, truth, channels), useful_score(truth, channels)
        best = max([own, *(score for _, _, score in sweep)])
        name = "mean IoU" if channels > 1 else "dice at the best threshold"
        text += f"; {name} {best:.3f}, useful from {useful:.3f} on"
        useless = useless or best < useful
        useless = useless or (channels == 1 and area_of(probability, truth) < RANKED)
    useless = useless and not right
    causes.append(Cause(FEW, there if useless and not sure else "no", text))
    if channels == 1:
        return [*causes, of_threshold(sweep, probability, truth, useless or sure)]
    missing = [
        number
        for number in range(channels)
        if not (ids == number).any() and (truth is None or (truth == number).any())
    ]
    shown = [f"{classes.names[number]} (at most {high[number]:.3f})" for number in missing]
    there = there if missing and not useless and not sure else "no"
    return [*causes, Cause(NEVER, there, ", ".join(shown) or "each is there")]


def area_of(probability, truth):
    """The area under the ROC curve: how likely foreground has a higher probability than not."""
    return roc_auc_score(truth.ravel(), resized_back(probability[..., 0], truth.shape).ravel())


def of_threshold(sweep, probability, truth, useless):
    """Would a lower threshold than 0.5 do? `useless`: no threshold would."""
    high = probability.max()
    if truth is None or truth.min() == truth.max():
        return Cause(
            THRESHOLD, "maybe" if high < 0.5 and not useless else "no", f"up to {high:.3f}"
        )
    own = next(score for threshold, _, score in sweep if threshold == 0.5)
    best, _, score = max(sweep, key=lambda row: row[2])
    area = area_of(probability, truth)
    text = f"dice {own:.3f} at 0.50, {score:.3f} at {best:.2f}; area under the ROC curve {area:.3f}"
    return cause(THRESHOLD, best < 0.5 and score > own + MORE and not useless, text)
