"""The usual causes of a black prediction, each tested on one image (`unet_tf.doctor`)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from unet_tf import data
from unet_tf.data import VOID, Labels, resized_back, values_of
from unet_tf.files import UserError
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
    BLACK_FILE: "nothing is wrong with it: save ids with a palette (`data.save_ids`), and look "
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


class Answer(NamedTuple):
    """What a model says of an image, and what would be right."""

    probability: np.ndarray  # float32 (h, w, C)
    truth: np.ndarray | None  # uint8 (H, W), void is 255
    shape: tuple  # (H, W), of the prediction
    labels: Labels
    threshold: float

    def ids(self):
        """The prediction: class ids, or {0, 1} at the threshold."""
        return self.labels.decide(self.probability, self.shape, self.threshold)

    def score(self, ids):
        """Dice, or the mean IoU of the classes in the truth."""
        if self.labels.binary:
            return dice(self.truth, ids)
        return scores_of(confusion_matrix(self.truth, ids, self.labels.channels))["mean_iou"]

    def useful(self):
        """A score that no answer gets which is the same for all pixels: a quarter of the way from
        the best of those to 1."""
        numbers = range(len(self.labels.names))
        same = max(self.score(np.full_like(self.truth, number)) for number in numbers)
        return same + 0.25 * (1 - same)

    def sweep(self):
        """`[(threshold, share of the pixels, dice or None)]`, by threshold; of classes []."""
        if not self.labels.binary:
            return []
        found = resized_back(self.probability[..., 0], self.shape)
        quantiles = np.quantile(found, np.linspace(0.02, 0.98, 49)).tolist()
        masks = ((at, found >= at) for at in sorted({self.threshold, *THRESHOLDS, *quantiles}))
        return [
            (at, float(mask.mean()), None if self.truth is None else dice(self.truth, mask))
            for at, mask in masks
        ]

    def area(self):
        """Under the ROC curve: how likely foreground has a higher probability than not."""
        from sklearn.metrics import roc_auc_score  # two seconds, for which `check` need not wait

        found = resized_back(self.probability[..., 0], self.shape)
        return roc_auc_score(self.truth.ravel(), found.ravel())


def of_mask(path, labels):
    """(truth, causes): the mask as ids, None where it cannot be had, and what its file shows."""
    if path is None:
        return None, []
    values, stored = values_of(path), data.open_image(path)
    bits = (0, 65535) if stored.mode.startswith("I") else None
    shown = data.to_rgb(stored, path, bits)
    counted = values != VOID  # white, but it marks where nothing is
    if labels.binary or values.ndim == 3:
        counted = np.ones(shown.shape[:2], bool)
    high, brightest = values[counted].max(initial=0), shown[counted].max(initial=0)
    text = f"values up to {high}, void aside; a viewer shows them up to {brightest} of 255"
    causes = [cause(BLACK_FILE, high > 0 and brightest <= DARK, text)]
    try:
        truth = labels.read(path)
    except UserError as error:
        text = str(error).replace(str(path), Path(path).name)
        return None, [*causes, cause(NO_CLASS, True, text)]
    there = np.unique(truth[truth != VOID])
    void = np.mean(truth == VOID)
    if not labels.binary:
        white = set(np.unique(values)) == {0, VOID} and list(there) == [0]
        text = f"{void:.1%} of the pixels are void"
        causes += [cause(WHITE_IDS, white, text), cause(ALL_VOID, void > 0.95, text)]
    names = ", ".join(labels.names[number] for number in there)
    causes.append(cause(EMPTY, len(there) == 1, f"it holds {names or 'void alone'}"))
    return (truth if len(there) else None), causes


def compared(answer, others):
    """(verdict, evidence): is one of the other probabilities much better than the answer's?"""
    if not others:
        return "no", "no other to try"
    ids, *found = [one.ids() for one in (answer, *(answer._replace(probability=o) for o in others))]
    if answer.truth is None:  # all one class against a picture of something
        most = [np.bincount(one.ravel()).max() / one.size for one in (ids, *found)]
        text = f"the largest class covers {most[0]:.1%} of the pixels, {min(most[1:]):.1%} that way"
        return ("maybe" if most[0] > 0.999 and min(most[1:]) < 0.98 else "no"), text
    own, best = answer.score(ids), max(map(answer.score, found))
    name = "dice" if answer.labels.binary else "mean IoU"
    better = best > max(own + MORE, answer.useful())
    return ("yes" if better else "no"), f"{name} {own:.3f} as it is, {best:.3f} so"


def of_training(answer):
    """The causes that lie in the training, of a model that is fed as it was trained."""
    probability, truth, binary = answer.probability, answer.truth, answer.labels.binary
    ids, likely = answer.ids(), "maybe" if truth is None else "yes"
    low, high = probability.min(axis=(0, 1)), probability.max(axis=(0, 1))
    counted = truth is not None and truth != VOID
    right = truth is not None and bool((ids == truth)[counted].all())
    sure = low.max() > 1 - SURE or (binary and high.max() < SURE)
    text = f"from {low[0]:.4f} to {high[0]:.4f}"
    if not binary:
        text = f"the largest probability is {probability.max(axis=-1).min():.4f} or more everywhere"
    causes = [Cause(COLLAPSED, likely if sure and not right else "no", text)]
    spread = float((high - low).max())
    useless, text = spread < FLAT, f"probabilities differ by {spread:.3f} over the image"
    if truth is not None and len(np.unique(truth[counted])) > 1:
        useful = answer.useful()
        best = max([answer.score(ids), *(score for _, _, score in answer.sweep())])
        name = "dice at the best threshold" if binary else "mean IoU"
        text += f"; {name} {best:.3f}, useful from {useful:.3f} on"
        useless = useless or best < useful or (binary and answer.area() < RANKED)
    useless = useless and not right
    causes.append(Cause(FEW, likely if useless and not sure else "no", text))
    last = of_threshold if binary else of_missing
    return [*causes, last(answer, useless or sure)]


def of_threshold(answer, useless):
    """Would a lower threshold do? `useless`: none would."""
    high, own = answer.probability.max(), answer.threshold
    if answer.truth is None or answer.truth.min() == answer.truth.max():
        verdict = "maybe" if high < own and not useless else "no"
        return Cause(THRESHOLD, verdict, f"up to {high:.3f}")
    scores = {at: score for at, _, score in answer.sweep()}
    best = max(scores, key=scores.get)
    text = (
        f"dice {scores[own]:.3f} at {own:.2f}, {scores[best]:.3f} at {best:.2f}; area under the "
        f"ROC curve {answer.area():.3f}"
    )
    better = best < own and scores[best] > scores[own] + MORE
    return cause(THRESHOLD, better and not useless, text)


def of_missing(answer, useless):
    """Is a class predicted nowhere, though the mask holds it?"""
    ids, truth, high = answer.ids(), answer.truth, answer.probability.max(axis=(0, 1))
    missing = [
        f"{name} (at most {high[number]:.3f})"
        for number, name in enumerate(answer.labels.names)
        if not (ids == number).any() and (truth is None or (truth == number).any())
    ]
    likely = "maybe" if truth is None else "yes"
    verdict = likely if missing and not useless else "no"
    return Cause(NEVER, verdict, ", ".join(missing) or "each is there")
