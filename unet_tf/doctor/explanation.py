"""Why is my prediction all black? One model, one image: numbers, a picture, the usual causes."""

import dataclasses
import os

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from unet_tf import data, plot
from unet_tf.data import VOID, Labels, palette_of
from unet_tf.doctor.causes import (
    CHANNELS,
    LOGITS,
    NAN,
    REMEDIES,
    SCALE,
    SIZE,
    Cause,
    cause,
    compared,
    ids_of,
    of_mask,
    of_training,
    swept,
)
from unet_tf.files import UserError


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What a model said of an image, and the causes that were tested; `print` it."""

    image: np.ndarray  # float32 (H, W, 3) in [0, 1], to show
    probability: np.ndarray  # float32 (h, w, C); C is 1 for a black and white model
    prediction: np.ndarray  # uint8 (H, W): class ids, or {0, 1} at a threshold of 0.5
    truth: np.ndarray | None  # the same; void is 255
    classes: Labels
    sweep: list  # (threshold, share of the pixels at or above it, dice or None); C of 1 only
    causes: list

    @property
    def found(self):
        """The causes whose verdict is not "no"."""
        return [cause.what for cause in self.causes if cause.verdict != "no"]

    def __str__(self):
        shares = zip(self.classes.names, shares_of(self.prediction, self.classes), strict=True)
        low, high = self.probability.min(), self.probability.max()
        lines = ["prediction: " + ", ".join(f"{name} {share:.1%}" for name, share in shares)]
        lines.append(f"probabilities: {low:.4f} to {high:.4f}")
        for threshold, share, score in self.sweep:
            if threshold in (0.05, 0.25, 0.5, 0.75, 0.95):
                end = "" if score is None else f", dice {score:.3f}"
                lines.append(f"  {threshold:.2f} or more: {share:6.1%} of the pixels{end}")
        for what, verdict, evidence in sorted(self.causes, key=lambda cause: cause.verdict == "no"):
            lines.append(f"{verdict:5} {what}: {evidence}")
            lines += [f"      -> {REMEDIES[what]}"] * (verdict != "no")
        return "\n".join(lines)

    def figure(self):
        """Image, probability or mask, and prediction; below, thresholds, or shares by class."""
        many = self.probability.shape[-1] > 1
        shown, palette = {"image": self.image}, palette_of(self.classes)
        if many:
            shown |= {} if self.truth is None else {"mask": palette[self.truth]}
            shown["prediction"] = palette[self.prediction]
        else:
            shown["probability"] = self.probability[..., 0]
            truth = np.zeros_like(self.prediction) if self.truth is None else self.truth
            head = "prediction" if self.truth is None else "found, missed, extra"
            shown[head] = plot.overlay(self.image, truth, self.prediction)
        top = 5.6 / 3 * self.image.shape[0] / self.image.shape[1] + 0.3
        figure = plt.figure(figsize=(5.8, top + 2.2), dpi=100, layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(top, 2.2))
        for axis, (title, pixels) in zip(above.subplots(1, len(shown)), shown.items(), strict=True):
            axis.imshow(pixels, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.set_title(title, fontsize=9)
        (draw_shares if many else draw_sweep)(below.subplots(), self)
        return figure


def explain(model, image, mask=None, image_size=(96, 128), resize="area", classes=None):
    """Ask a model about one image, in several ways, and test the usual causes of a black answer.

    What is found hides what may lie behind it: of a model that is fed wrongly, nothing is said
    about its training.

    Parameters
    ----------
    model : callable, as in `unet_tf.predict.probabilities`
    image : path, or float array `(h, w, 3)`
        A file is read and resized as in training. An array is what you feed the model yourself.
    mask : path, optional
        The image's true mask; without it, what wants a comparison is no more than likely. Take a
        pair of the training part: masks that teach nothing are among the causes.
    image_size, resize : as in training (`unet_tf.pipeline.dataset`)
    classes : unet_tf.data.Labels, optional
        Of a model of several classes; else they are numbered.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        For a file that cannot be decoded, and for an answer that is no map of the image's size.
    """
    file = isinstance(image, str | os.PathLike)
    pixels = data.read_image(image) if file else np.asarray(image, "float32")

    def at(size):
        if file:
            return data.read_resized(image, size, resize)[0].astype("float32") / 255
        return tf.image.resize(pixels, size, antialias=True).numpy()

    asked = tuple((file and image_size) or pixels.shape[:2])
    built = tuple((getattr(model, "input_shape", None) or (None,) * 4)[1:3])
    built = None if None in built else built
    fed = at(built or asked)
    said = answer(model, fed)
    if classes is None:
        names = ("background", "foreground") if said.shape[-1] == 1 else range(said.shape[-1])
        classes = Labels(tuple(map(str, names)))
    truth, causes = of_mask(mask, said.shape[-1], classes)
    shape = pixels.shape[:2] if truth is None else truth.shape

    lost, logits = np.mean(~np.isfinite(said)), are_logits(said)
    causes.append(cause(NAN, lost > 0, f"{lost:.1%} of the values"))
    found = np.nan_to_num(said)
    causes.append(cause(LOGITS, logits, f"values from {found.min():.3f} to {found.max():.3f}"))
    probability = as_probability(said, logits)
    sweep = swept(probability, truth, shape)
    if not lost:
        ways = {SCALE: [fed / 255 if fed.max() > 2 else fed * 255], CHANNELS: [fed[..., ::-1]]}
        if built is None:  # half and twice the size, but no larger than the image itself
            sizes = [(asked[0] * n // 2, asked[1] * n // 2) for n in (1, 4)]
            ways[SIZE] = [at(size) for size in sizes if size[0] <= pixels.shape[0]]
        else:
            text = "the model is built for {}x{}, and was asked for {}x{}"
            causes.append(cause(SIZE, built != asked, text.format(*built, *asked)))
        wrong = []
        for what, others in ways.items():
            others = [as_probability(answer(model, other), logits) for other in others]
            wrong.append(Cause(what, *compared(probability, others, truth, shape)))
        causes += wrong
        if all(verdict != "yes" for _, verdict, _ in wrong):
            causes += of_training(probability, sweep, truth, shape, classes)
    shown = np.clip(pixels / (255 if pixels.max() > 2 else 1), 0, 1).astype("float32")
    shown = tf.image.resize(shown, shape).numpy()  # an array may be smaller than the mask
    ids = ids_of(probability, shape)
    return Explanation(shown, probability, ids, truth, classes, sweep, causes)


def answer(model, fed):
    """What a model says of one image: float32 `(h, w, C)`."""
    said = np.asarray(model(fed[None].astype("float32"), training=False), "float32")
    if said.ndim != 4 or said.shape[:3] != (1, *fed.shape[:2]):
        raise UserError(
            f"the model gave {said.shape} for an image of {fed.shape}: expected (1, height, width, "
            "classes) of the same height and width"
        )
    return said[0]


def are_logits(said):
    """No probabilities: beyond 0 and 1; or, of several classes, of another sum than 1."""
    found = np.nan_to_num(said)
    sums = found.sum(axis=-1)[np.isfinite(said).all(axis=-1)]
    beyond = found.min() < -1e-3 or found.max() > 1 + 1e-3
    return bool(beyond or (said.shape[-1] > 1 and (np.abs(sums - 1) > 0.02).any()))


def as_probability(said, logits):
    """Probabilities, float32 `(h, w, C)`; NaN is 0."""
    said = np.nan_to_num(said)
    if logits:
        return np.asarray(tf.sigmoid(said) if said.shape[-1] == 1 else tf.nn.softmax(said))
    return said


def shares_of(ids, classes):
    """The share of each class in the pixels that are not void, float64 `(C,)`."""
    counts = np.bincount(ids[ids != VOID], minlength=len(classes.names))
    return counts / max(1, counts.sum())


def draw_sweep(axis, explanation):
    """The share of the pixels above each threshold, and the dice, onto an axis."""
    thresholds, shares, scores = zip(*explanation.sweep, strict=True)
    axis.plot(thresholds, shares, color=plot.EXTRA, label="share of the pixels")
    if explanation.truth is not None:
        axis.plot(thresholds, scores, color=plot.TRUTH, label="dice")
    axis.axvline(0.5, color="0.6", linestyle=":", label="0.5")
    axis.set(xlim=(0, 1), ylim=(-0.03, 1.03))
    axis.set_xlabel("threshold", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.legend(fontsize=8)


def draw_shares(axis, explanation):
    """A bar a class: its share of the prediction, beside that of the mask, onto an axis."""
    names, shown = explanation.classes.names, {"prediction": (explanation.prediction, plot.EXTRA)}
    if explanation.truth is not None:
        shown["mask"] = (explanation.truth, plot.TRUTH)
    for number, (label, (ids, colour)) in enumerate(shown.items()):
        shares = shares_of(ids, explanation.classes)
        places = np.arange(len(names)) + 0.4 * number
        bars = axis.bar(places, shares, 0.4, color=colour, label=label)
        axis.bar_label(bars, [f"{share:.1%}" for share in shares], fontsize=7)
    axis.set_xticks(np.arange(len(names)) + 0.2 * (len(shown) - 1), names)
    axis.tick_params(labelsize=8)
    axis.set(ylim=(0, 1.1))
    axis.set_ylabel("share of the pixels", fontsize=8)
    axis.legend(fontsize=8)
