"""Every published protocol as data: `unet_tf.runs.run` carries one out.

*As written* is the protocol as published, transcription errors repaired, its faults included;
*corrected* mends the faults that change what is learned. Both get the same score, the hard dice of
each image at original size: as written on the validation part, which has also chosen the epoch and
shares its cars with training, corrected on a test part of cars that nothing else has seen. In both
precision follows the hardware.
"""

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable

import keras
from keras import layers

from unet_tf import augment, losses, models

LOSSES = {
    loss.__name__: loss
    for loss in (
        losses.bce_dice_loss,
        losses.dice_loss,
        losses.pooled_dice_loss,
        keras.losses.binary_crossentropy,
    )
}
MONITORS = ("val_hard_dice", "val_loss", "hard_dice", "loss")
AMOUNTS = tuple(inspect.signature(augment.augment).parameters)[3:]


def counts(value):
    """Is it a whole number of at least 1?"""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def known_augmentation(value):
    """Is it a bool, or a dict of numbers for `unet_tf.augment.augment`?"""
    if not isinstance(value, dict):
        return isinstance(value, bool)
    numbers = [isinstance(number, float | int) for number in value.values() if number is not None]
    return set(value) <= set(AMOUNTS) and all(numbers)


WHOLE = "a whole number of at least 1"
CHECKS = (  # setting, what it has to fulfil, the same in words
    ("build", callable, "a function of input shape and filters"),
    ("filters", lambda value: value and all(map(counts, value)), f"a tuple, each {WHOLE}"),
    ("images", lambda value: value is None or counts(value), f"{WHOLE}, or None for all"),
    (
        "image_size",
        lambda value: value is None or (len(value) == 2 and all(map(counts, value))),
        "(height, width), or None for the images' own",
    ),
    ("resize", lambda value: value in ("area", "nearest"), '"area" or "nearest"'),
    ("split_by", lambda value: value in ("car", "image"), '"car" or "image"'),
    ("validation_size", lambda value: 0 < value < 1, "a number between 0 and 1"),
    ("test_size", lambda value: 0 <= value < 1, "a number from 0 to below 1"),
    ("augment", known_augmentation, f"a bool, or a dict of {', '.join(AMOUNTS)}"),
    ("batch_size", counts, WHOLE),
    ("loss", callable, f"a function, or one of {', '.join(LOSSES)}"),
    ("learning_rate", lambda value: 0 < value < math.inf, "a number above 0"),
    ("epsilon", lambda value: 0 < value < math.inf, "a number above 0"),
    ("epochs", counts, WHOLE),
    ("monitor", lambda value: value in MONITORS, f"one of {', '.join(MONITORS)}"),
    ("patience", counts, WHOLE),
)


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
    image_size: tuple | None = (96, 128)  # height, width; None: the images' own
    resize: str = "area"
    split_by: str = "car"
    validation_size: float = 0.2
    test_size: float = 0.2
    split_seed: int = 42
    shuffle: bool = True
    augment: bool | dict = True  # a dict: arguments of `unet_tf.augment.augment`
    batch_size: int = 32
    loss: Callable = losses.bce_dice_loss
    learning_rate: float = 3e-4
    epsilon: float = 1e-6
    epochs: int = 20  # at most; the article allows 20, its published runs took 10 and 16
    monitor: str = "val_hard_dice"
    patience: int = 5

    def __post_init__(self):
        """Raise ValueError for a setting that makes no sense, by its name."""
        for name, good, wanted in CHECKS:
            value = getattr(self, name)
            try:
                fits = good(value)
            except TypeError:
                fits = False
            if not fits:
                raise ValueError(f"{name} is {value!r}, but has to be {wanted}")
        if self.validation_size + self.test_size >= 1:
            raise ValueError(
                f"validation_size is {self.validation_size} and test_size {self.test_size}: "
                "nothing is left for training, make one of them smaller"
            )

    @property
    def slug(self):
        """Name and variant as the name of a file or folder, such as `article_unet-as-written`."""
        return f"{self.name}-{self.variant.replace(' ', '-')}"


ARTICLE = "Image Segmentation: An In-Depth Guide, Ed Izaguirre, 2023"
AS_WRITTEN = {
    "variant": "as written",
    "resize": "nearest",
    "split_by": "image",
    "test_size": 0.0,
    "shuffle": False,
    "augment": False,
    "loss": losses.pooled_dice_loss,
    "learning_rate": 1e-4,
    "monitor": "val_loss",
    "patience": 2,
}


def simple_as_written(input_shape, filters):
    """The article's simple model, with its augmentation inside the model: the images are turned
    and flipped, the masks are not. The seeds are the article's."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.RandomFlip("horizontal", seed=42)(inputs)
    x = layers.RandomRotation(0.01, seed=42)(x)
    x = layers.RandomContrast(0.2, seed=42)(x)
    outputs = models.simple_fcn(input_shape, filters)(x)
    return keras.Model(inputs, outputs, name="simple_fcn_as_written")


def article_unet(input_shape, filters):
    """The article's U-Net. Its augmentation is lost in its own code, so there is none to build."""
    return models.unet(input_shape, filters)


def guide_unet(input_shape, filters):
    """The guide's U-Net: batch norm, 2x2 transposed convolutions, no dropout.

    Its head gives logits; the sigmoid behind it is kept in the model, so that what is saved gives
    probabilities. Keras computes the cross-entropy from the logits all the same.
    """
    return models.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="transposed_2x2",
        final_conv=False,
    )


# The article does not print the simple model's optimizer: its U-Net's is used.
SIMPLE = Recipe(
    "article_simple",
    "corrected",
    ARTICLE,
    0.8788,
    models.simple_fcn,
    filters=(64, 128, 256),
    epochs=10,
)
UNET = Recipe(
    "article_unet",
    "corrected",
    ARTICLE,
    0.9416,
    article_unet,
    filters=(64, 128, 256, 512, 1024),
    epochs=16,
)
# The guide publishes no score and lists one epoch. What it says of the split, train, validation and
# test, is done by car; where it resizes by OpenCV's bilinear, this is by area.
GUIDE = Recipe(
    "guide_unet",
    "corrected",
    "End-to-End Guide for Image Segmentation, Deepak Kolaparthi, AiEnsured",
    None,
    guide_unet,
    filters=(64, 128, 256, 512, 1024),
    images=None,
    image_size=(160, 240),
    batch_size=16,
    loss=keras.losses.binary_crossentropy,
    learning_rate=1e-4,
    epsilon=1e-7,
    epochs=20,
)
# Turned by up to 35 degrees, every tenth car upside down: no such car stands on the turntable.
GUIDE_AUGMENTATION = {"rotation": 35 / 360, "vertical_flip": 0.1, "contrast": 0.0}
RECIPES = (
    dataclasses.replace(SIMPLE, **AS_WRITTEN, build=simple_as_written),
    SIMPLE,
    dataclasses.replace(UNET, **AS_WRITTEN),
    UNET,
    dataclasses.replace(GUIDE, variant="as written", augment=GUIDE_AUGMENTATION),
    GUIDE,
)
NAMES = tuple(dict.fromkeys(recipe.name for recipe in RECIPES))


def get(name, variant="corrected", **changes):
    """The recipe of that name and variant, with settings changed where they are given.

    Raises
    ------
    ValueError
        For an unknown name, lists the known ones; for a setting that is unknown or makes no sense.
    """
    for recipe in RECIPES:
        if (recipe.name, recipe.variant) == (name, variant):
            return changed(recipe, **changes)
    raise ValueError(f'no recipe {name!r} ("{variant}"): there are {", ".join(NAMES)}')


def changed(recipe, **changes):
    """The recipe with other settings, each by its name; ValueError for those that make no sense."""
    names = [f.name for f in dataclasses.fields(Recipe)][4:]
    for name in changes:
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
            raise ValueError(f"no setting {name!r}: {hint}")
    return dataclasses.replace(recipe, **changes)


def quick(recipe):
    """A small size of a recipe, for two CPU cores: a quarter of the filters, 320 images, 8 epochs,
    batches of 16, and the learning rate that so few steps need."""
    filters = tuple(width // 4 for width in recipe.filters)
    return dataclasses.replace(
        recipe, filters=filters, images=320, epochs=8, batch_size=16, learning_rate=1e-3
    )
