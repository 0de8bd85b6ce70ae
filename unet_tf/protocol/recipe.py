"""What a recipe is: settings, each checked."""

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable

import keras

from unet_tf import data, network, pipeline
from unet_tf.files import UserError

LOSSES_OF_ONE = (network.bce_dice_loss, network.dice_loss, network.pooled_dice_loss)
LOSSES_OF_ONE += (keras.losses.binary_crossentropy,)
WEIGHTABLE = (network.cross_entropy, network.cross_entropy_dice_loss)
LOSSES_OF_MANY = (*WEIGHTABLE, network.class_dice_loss, network.pooled_class_dice_loss)
LOSSES = {loss.__name__: loss for loss in (*LOSSES_OF_ONE, *LOSSES_OF_MANY)}
MONITORS = ("val_hard_dice", "val_mean_iou", "val_loss", "hard_dice", "mean_iou", "loss")
# What makes a recipe this one; all else are its settings.
FIXED = ("name", "variant", "source", "published", "task", "data", "levels")
AMOUNTS = tuple(inspect.signature(pipeline.augment).parameters)[3:]  # of its augmentation
WHOLE = "a whole number of at least 1"


def counts(value):
    """Is it a whole number of at least 1?"""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def two(value):
    """Is it (height, width), or None?"""
    return value is None or (len(value) == 2 and all(map(counts, value)))


def known_size(value):
    """Is it (height, width), None, or a share?"""
    return 0 < value <= 1 if isinstance(value, float) else two(value)


def known_augmentation(value):
    """Is it a bool, or a dict of amounts for `unet_tf.pipeline.augment`?"""
    if not isinstance(value, dict):
        return isinstance(value, bool)
    return all(map(known_amount, value, value.values()))


def known_amount(name, value):
    """Is it an amount that this part of the augmentation takes?"""
    if name == "outside" and value is None:
        return True
    if name not in AMOUNTS or isinstance(value, bool) or not 0 <= value < math.inf:
        return False
    probability = name in ("horizontal_flip", "vertical_flip", "quarter_turn")
    return value <= 1 if probability else value < 1 or name != "scale"


def known_weights(value):
    """Are they class weights: none, counted, or a number a class?"""
    return value in (None, "inverse", "median") or (
        len(value) > 1 and all(0 <= weight < math.inf for weight in value) and any(value)
    )


def known_names(value):
    """Are they names of classes?"""
    names = {str.lower(name) for name in value}
    return not isinstance(value, str) and 1 < len(value) == len(names - set(data.VOID_NAMES))


CHECKS = (  # setting, what it has to fulfil, the same in words
    ("build", callable, "a function of input shape and filters"),
    ("filters", lambda value: value and all(map(counts, value)), f"a tuple, each {WHOLE}"),
    ("images", lambda value: value is None or counts(value), f"{WHOLE}, or None for all"),
    (
        "image_size",
        known_size,
        "(height, width), None for the images' own, or a share of that, such as 0.5",
    ),
    ("resize", lambda value: value in ("area", "nearest"), '"area" or "nearest"'),
    (
        "split_seed",
        lambda value: isinstance(value, int) and 0 <= value < 2**32,
        "a whole number from 0 to 2**32 - 1",
    ),
    ("shuffle", lambda value: isinstance(value, bool), "a bool: true or false"),
    ("split_by", lambda value: value in ("group", "image"), '"group" or "image"'),
    ("validation_size", lambda value: 0 < value < 1, "a number between 0 and 1"),
    ("test_size", lambda value: 0 <= value < 1, "a number from 0 to below 1"),
    (
        "augment",
        known_augmentation,
        f"a bool, or a dict of {', '.join(AMOUNTS)}: numbers of at least 0, the flips' and "
        "quarter_turn's probabilities, scale below 1",
    ),
    *((name, counts, WHOLE) for name in ("batch_size", "epochs", "patience", "crops")),
    ("loss", inspect.isfunction, f"a function, or one of {', '.join(LOSSES)}"),
    ("learning_rate", lambda value: 0 < value < math.inf, "a number above 0"),
    ("schedule", lambda value: value in ("constant", "cosine"), '"constant" or "cosine"'),
    ("epsilon", lambda value: 0 < value < math.inf, "a number above 0"),
    ("monitor", lambda value: value in MONITORS, f"one of {', '.join(MONITORS)}"),
    ("crop", two, "(height, width), or None for whole images"),
    ("class_weights", known_weights, 'None, "inverse", "median", or a number a class'),
    (
        "region",
        lambda value: value is None or (isinstance(value, str) and value),
        "a folder or pattern, in the data, of files that are black where nothing counts; or None",
    ),
    (
        "value_range",
        lambda value: value is None or data.known_range(value),
        f"{data.RANGE}: black and white of images of more than 8 bits; or None",
    ),
    (
        "class_names",
        lambda value: value is None or known_names(value),
        "two names or more, by class id, all different and none called void; or None",
    ),
)


def clashes(recipe):
    """A sentence for each group of settings that do not go together."""
    r, classes, loss = recipe, recipe.classes, recipe.loss.__name__
    amounts = r.augment if isinstance(r.augment, dict) else {}
    if r.validation_size + r.test_size >= 1:
        yield (
            f"validation_size is {r.validation_size} and test_size {r.test_size}: nothing is left "
            "for training, make one of them smaller"
        )
    ours, others = (LOSSES_OF_MANY, LOSSES_OF_ONE)[:: 1 if classes else -1]
    if r.loss in others:
        what = "many classes" if classes else "black and white masks"
        fitting = ", ".join(fit.__name__ for fit in ours)
        yield f"loss is {loss}, but {r.name} is for {what}: one of {fitting}"
    if len(r.filters) < r.levels:
        yield f"filters is {r.filters}, but the network of {r.name} has at least {r.levels} levels"
    if (outside := amounts.get("outside")) and not classes:
        yield (
            f"augment.outside is {outside}, but black and white masks know no void: 0 for "
            "background, or None to mirror the image at its edge"
        )
    if r.crop and isinstance(r.image_size, tuple):
        yield "crops are of images at their own size, or a share of it: image_size has to be None"
    if isinstance(r.image_size, float) and not r.crop:
        yield f"image_size is {r.image_size}, a share of the images' own size: that is for crops"
    view = r.crop or r.image_size
    if amounts.get("quarter_turn") and isinstance(view, tuple) and view[0] != view[1]:
        what = f"quarter turns want square {'crops' if r.crop else 'images'}, not {view}"
        yield f"{what}: give a square one, or --set augment.quarter_turn=0"
    if r.crops > 1 and not r.crop:
        yield f"{r.crops} crops of an image, but no crop, (height, width)"
    if r.class_names and not classes:
        yield f"class_names are for many classes, which {r.name} does not know"
    if r.class_weights and r.loss not in WEIGHTABLE:
        takers = " or ".join(taker.__name__ for taker in WEIGHTABLE)
        yield f"class_weights are for the loss {takers}, not {loss}"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A protocol: model, data, loss, optimizer, epochs, and the number it was published with."""

    name: str
    variant: str  # "as written" or "corrected"
    source: str
    published: float | None  # the source's dice, scored its way (`mean_over_batches`)
    build: Callable  # (input_shape, filters) -> keras.Model
    filters: tuple
    images: int | None = 1000  # the first of the files sorted by name; None: all
    image_size: tuple | float | None = (96, 128)  # height, width; None: own; float: a share of it
    resize: str = "area"
    split_by: str = "group"
    validation_size: float = 0.2
    test_size: float = 0.2
    split_seed: int = 42
    shuffle: bool = True
    augment: bool | dict = True  # a dict: arguments of `unet_tf.pipeline.augment`
    batch_size: int = 32
    loss: Callable = network.bce_dice_loss  # or its name in `LOSSES`
    learning_rate: float = 3e-4
    schedule: str = "constant"  # of the learning rate; "cosine": down to 0 over all epochs
    epsilon: float = 1e-6
    epochs: int = 20  # at most; the article allows 20, its published runs took 10 and 16
    monitor: str = "val_hard_dice"
    patience: int = 5
    task: str = "binary"  # one foreground, or "classes": an id a class (`unet_tf.data.Labels`)
    data: str = "cars"  # the embedded data it is shown on, as `unet_tf.data.find` names them
    levels: int = 2  # the fewest that its network has
    crop: tuple | None = None  # train on random parts of this size, (height, width)
    crops: int = 1  # of each image in an epoch
    class_weights: str | tuple | None = None  # "inverse" and "median" are counted in training masks
    class_names: tuple | None = None  # for masks of ids without a class table
    region: str | None = None  # files of what counts (`unet_tf.data.reader`); None: all
    value_range: tuple | None = None  # black and white of more than 8 bits (`unet_tf.data.to_rgb`)

    @property
    def classes(self):
        """Is it one of class ids and a softmax, not of black and white masks?"""
        return self.task == "classes"

    def __post_init__(self):
        """Lists become tuples, a loss may be named. UserError names a setting without sense."""
        for name, value in list(vars(self).items()):
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
        if isinstance(self.loss, str):
            object.__setattr__(self, "loss", LOSSES.get(self.loss, self.loss))
        for name, good, wanted in CHECKS:
            value = getattr(self, name)
            try:
                fits = good(value)
            except TypeError:
                fits = False
            if not fits:
                raise UserError(f"{name} is {value!r}, but has to be {wanted}")
        for words in clashes(self):
            raise UserError(words)

    def model(self, size, labels):
        """Its network, for images of this (height, width) and these `unet_tf.data.Labels`."""
        channels = [labels.channels] if self.classes else []
        return self.build((*size, 3), self.filters, *channels)

    @property
    def slug(self):
        """Name and variant as the name of a file or folder, such as `article_unet-as-written`."""
        return f"{self.name}-{self.variant.replace(' ', '-')}"


def changed(recipe, **changes):
    """The recipe with other settings, each by its name; UserError for those that make no sense."""
    names = [f.name for f in dataclasses.fields(Recipe) if f.name not in FIXED]
    for name in changes:
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
            raise UserError(f"no setting {name!r}: {hint}")
    return dataclasses.replace(recipe, **changes)


def quick(recipe):
    """A small size of a recipe, for two CPU cores: a quarter of the filters, 320 images, at most 4
    crops of each, 8 epochs, batches of 16, and the learning rate that so few steps need."""
    filters, crops = tuple(width // 4 for width in recipe.filters), min(recipe.crops, 4)
    small = {"images": 320, "epochs": 8, "batch_size": 16, "learning_rate": 1e-3}
    return dataclasses.replace(recipe, filters=filters, crops=crops, **small)
