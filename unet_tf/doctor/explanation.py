"""Why is my prediction all black? One model, one image: numbers, a picture, the usual causes."""

import dataclasses
import os

import numpy as np

from unet_tf import data
from unet_tf.data import Labels, resized_back, size_given
from unet_tf.doctor import causes as usual
from unet_tf.doctor.causes import REMEDIES, Answer, Cause, cause, compared, of_mask, of_training
from unet_tf.doctor.pictures import explained, shares_of
from unet_tf.files import UserError


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What a model said of an image, and the causes that were tested; `print` it."""

    image: np.ndarray  # float32 (H, W, 3) in [0, 1], to show
    probability: np.ndarray  # float32 (h, w, C); C is 1 for a black and white model
    prediction: np.ndarray  # uint8 (H, W): class ids, or {0, 1} at the threshold
    truth: np.ndarray | None  # the same; void is 255
    classes: Labels
    sweep: list  # (threshold, share of the pixels at or above it, dice or None); C of 1 only
    causes: list
    threshold: float

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
        return explained(self)


def explain(model, image, mask=None, image_size="card", resize=None, classes=None):
    """Ask a model about one image, in several ways, and test the usual causes of a black answer.

    What is found hides what may lie behind it: of a model that is fed wrongly, nothing is said
    about its training.

    Parameters
    ----------
    model : callable, as in `unet_tf.predict.probabilities`
        A `Predictor` of `unet_tf.predict` has a card, which says the rest; others are told.
    image : path, or float array `(h, w, 3)`
        A file is read and resized as in training. An array is what you feed the model yourself.
    mask : path, optional
        The image's true mask; without it, what wants a comparison is no more than likely. Take a
        pair of the training part: masks that teach nothing are among the causes.
    image_size : (height, width), "native" (or None), or "card"
        As in training, for a file. By default the card's, else what the model is built for.
    resize : as in training (`unet_tf.pipeline.dataset`); by default the card's, else "area".
    classes : unet_tf.data.Labels, optional
        By default the card's, else numbered.

    Returns
    -------
    Explanation

    Raises
    ------
    UserError
        For a file that cannot be decoded, for a size that nobody says, for an answer that is no map
        of the image's size, and for classes of another number than the model's channels.
    """
    card, file = getattr(model, "card", None), isinstance(image, str | os.PathLike)
    resize = resize or (card.resize if card else "area")
    value_range = card.value_range if card else None
    pixels = data.read_image(image, value_range) if file else np.asarray(image, "float32")

    def at(size):
        if file:
            return data.read_resized(image, size, resize, value_range)[0].astype("float32") / 255
        return smoothly(pixels, size)

    built = tuple((getattr(model, "input_shape", None) or (None,) * 4)[1:3])
    built = None if None in built else built
    asked = size_asked(image_size, card, built) if file else None
    asked = data.size_at(asked, pixels.shape[:2])
    fed = at(built or asked)
    said = answer(model, fed)
    labels = labels_for(said.shape[-1], classes or (card and card.labels))
    truth, causes = of_mask(mask, labels)
    shape = pixels.shape[:2] if truth is None else truth.shape
    lost, logits, found = np.mean(~np.isfinite(said)), are_logits(said), np.nan_to_num(said)
    causes.append(cause(usual.NAN, lost > 0, f"{lost:.1%} of the values"))
    causes.append(
        cause(usual.LOGITS, logits, f"values from {found.min():.3f} to {found.max():.3f}")
    )
    probability = as_probability(said, logits)
    given = Answer(probability, truth, shape, labels, card.threshold if card else 0.5)
    if not lost:
        if built:
            text = "the model is built for {}x{}, and was asked for {}x{}".format(*built, *asked)
            causes.append(cause(usual.SIZE, built != asked, text))
        wrong = []
        for what, others in other_ways(fed, at, None if built else asked, pixels.shape[0]).items():
            others = [as_probability(answer(model, other), logits) for other in others]
            wrong.append(Cause(what, *compared(given, others)))
        causes += wrong
        if all(verdict != "yes" for _, verdict, _ in wrong):
            causes += of_training(given)
    shown = np.clip(pixels / (255 if pixels.max() > 2 else 1), 0, 1).astype("float32")
    shown = smoothly(shown, shape)  # an array may be smaller than the mask
    ids, sweep = given.ids(), given.sweep()
    return Explanation(shown, probability, ids, truth, labels, sweep, causes, given.threshold)


def size_asked(image_size, card, built):
    """`image_size` for the files (`data.size_at`); UserError if nobody says."""
    if not isinstance(image_size, str) or image_size != "card":
        return size_given(image_size)
    if not (card or built):
        raise UserError(
            "the model does not say how large its images are: give image_size=(height, width) or "
            '"native", as in training'
        )
    return card.image_size if card else built


def labels_for(channels, labels):
    """The labels of a model of so many channels: those given, or numbered ones."""
    if labels is None:
        return Labels(tuple(map(str, range(channels)))) if channels > 1 else Labels.foreground()
    if channels == 1 and len(labels.names) == 2:
        return labels._replace(binary=True)
    if channels != labels.channels:
        raise UserError(f"the model answers {channels} channels for {labels.channels} classes")
    return labels


def other_ways(fed, at, asked, height):
    """`{cause: [images]}`: the image as it would be fed, were that cause there.

    `asked` is the size where the model takes any, `height` the image's own; else None.
    """
    ways = {
        usual.SCALE: [fed / 255 if fed.max() > 2 else fed * 255],
        usual.CHANNELS: [fed[..., ::-1]],
    }
    if asked:  # half and twice the size, but no larger than the image itself
        sizes = [(asked[0] * n // 2, asked[1] * n // 2) for n in (1, 4)]
        ways[usual.SIZE] = [at(size) for size in sizes if size[0] <= height]
    return ways


def smoothly(pixels, size):
    """Float32 `(h, w, 3)`, resized to `size`, (height, width): bilinear, without aliasing."""
    channels = np.moveaxis(np.asarray(pixels, "float32"), -1, 0)
    return np.stack([resized_back(np.ascontiguousarray(one), size) for one in channels], axis=-1)


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
    if not logits:
        return said
    from scipy.special import expit, softmax  # half a second, for which `check` need not wait

    return expit(said) if said.shape[-1] == 1 else softmax(said, axis=-1)
