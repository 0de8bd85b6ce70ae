"""Every published protocol as data: `unet_tf.runs.run` carries one out.

*As written* is the protocol as published, transcription errors repaired, its faults included;
*corrected* mends the faults that change what is learned. Both get the same score at original size,
the hard dice of each image or, with many classes, their IoU: as written on the validation part,
which has also chosen the epoch and may share its cars with training, corrected on a test part of
cars that nothing else has seen; where the data set gives its parts, both on its test part. In both
precision follows the hardware.
"""

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable

import keras
from keras import layers

from unet_tf import augment, classes, losses, models

LOSSES_OF_ONE = (
    losses.bce_dice_loss,
    losses.dice_loss,
    losses.pooled_dice_loss,
    keras.losses.binary_crossentropy,
)
LOSSES_OF_MANY = (
    losses.cross_entropy,
    losses.class_dice_loss,
    losses.cross_entropy_dice_loss,
    losses.pooled_class_dice_loss,
)
LOSSES = {loss.__name__: loss for loss in (*LOSSES_OF_ONE, *LOSSES_OF_MANY)}
WEIGHTABLE = (losses.cross_entropy, losses.cross_entropy_dice_loss)
MONITORS = ("val_hard_dice", "val_mean_iou", "val_loss", "hard_dice", "mean_iou", "loss")
FIXED = ("name", "variant", "source", "published", "kind")  # what makes a recipe this one
AMOUNTS = tuple(inspect.signature(augment.augment).parameters)[3:]


def counts(value):
    """Is it a whole number of at least 1?"""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def known_augmentation(value):
    """Is it a bool, or a dict of amounts for `unet_tf.augment.augment`?"""
    if not isinstance(value, dict):
        return isinstance(value, bool)
    return all(map(known_amount, value, value.values()))


def known_amount(name, value):
    """Is it an amount that this part of the augmentation takes?"""
    if name == "outside" and value is None:
        return True
    number = isinstance(value, float | int) and not isinstance(value, bool)
    if name not in AMOUNTS or not number or not 0 <= value < math.inf:
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
    own = [name.lower() for name in value]
    return not isinstance(value, str) and 1 < len(own) == len(set(own)) and not set(own) & VOIDS


VOIDS = set(classes.VOID_NAMES)
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
    (
        "split_seed",
        lambda value: isinstance(value, int) and 0 <= value < 2**32,
        "a whole number from 0 to 2**32 - 1",
    ),
    ("shuffle", lambda value: isinstance(value, bool), "a bool: true or false"),
    ("split_by", lambda value: value in ("car", "image"), '"car" or "image"'),
    ("validation_size", lambda value: 0 < value < 1, "a number between 0 and 1"),
    ("test_size", lambda value: 0 <= value < 1, "a number from 0 to below 1"),
    (
        "augment",
        known_augmentation,
        f"a bool, or a dict of {', '.join(AMOUNTS)}: numbers of at least 0, the flips' and "
        "quarter_turn's probabilities, scale below 1",
    ),
    ("batch_size", counts, WHOLE),
    ("loss", callable, f"a function, or one of {', '.join(LOSSES)}"),
    ("learning_rate", lambda value: 0 < value < math.inf, "a number above 0"),
    ("epsilon", lambda value: 0 < value < math.inf, "a number above 0"),
    ("epochs", counts, WHOLE),
    ("monitor", lambda value: value in MONITORS, f"one of {', '.join(MONITORS)}"),
    ("patience", counts, WHOLE),
    (
        "crop",
        lambda value: value is None or (len(value) == 2 and all(map(counts, value))),
        "(height, width), or None for whole images",
    ),
    ("crops", counts, WHOLE),
    ("class_weights", known_weights, 'None, "inverse", "median", or a number a class'),
    (
        "class_names",
        lambda value: value is None or known_names(value),
        "two names or more, by class id, all different and none called void; or None",
    ),
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
    kind: str = "cars"  # the data it is for, as `unet_tf.data.find` names them
    crop: tuple | None = None  # train on random parts of this size, (height, width)
    crops: int = 1  # of each image in an epoch
    class_weights: str | tuple | None = None  # "inverse" and "median" are counted in training masks
    class_names: tuple | None = None  # for masks of ids without a class table

    @property
    def classes(self):
        """Is it one of class ids and a softmax, not of black and white masks?"""
        return self.kind != "cars"

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
        kinds = (LOSSES_OF_MANY, LOSSES_OF_ONE)
        own, others = kinds if self.classes else kinds[::-1]
        if self.loss in others:
            fitting = ", ".join(loss.__name__ for loss in own)
            what = "many classes" if self.classes else "black and white masks"
            raise ValueError(
                f"loss is {self.loss.__name__}, but {self.name} is for {what}: one of {fitting}"
            )
        if len(self.filters) < 2 and self.name != "article_simple":
            raise ValueError(f"filters is {self.filters}, but a U-Net has at least two levels")
        if isinstance(self.augment, dict) and self.augment.get("outside") and not self.classes:
            raise ValueError(
                f"augment.outside is {self.augment['outside']}, but black and white masks know no "
                "void: 0 for background, or None to mirror the image at its edge"
            )
        turned = isinstance(self.augment, dict) and self.augment.get("quarter_turn")
        if self.crop and self.image_size:
            raise ValueError("crops are of images at their own size: image_size has to be None")
        if self.crop and turned and self.crop[0] != self.crop[1]:
            raise ValueError(f"quarter turns want square crops, not {self.crop}")
        if self.crops > 1 and not self.crop:
            raise ValueError(f"{self.crops} crops of an image, but no crop, (height, width)")
        if self.class_names and not self.classes:
            raise ValueError(f"class_names are for many classes, which {self.name} does not know")
        if self.class_weights and self.loss not in WEIGHTABLE:
            takers = " or ".join(loss.__name__ for loss in WEIGHTABLE)
            raise ValueError(f"class_weights are for the loss {takers}, not {self.loss.__name__}")

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


def buildings_as_written(input_shape, filters, num_classes):
    """The buildings source's network as its listing has it: one convolution a block, where two are
    meant, transposed convolutions that keep the channels, and a head of logits without a softmax.

    What stands behind each convolution is lost in the listing: here batch norm and ReLU.
    """

    def block(x, width):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(
            x
        )
        return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))

    *encoder, bottleneck = filters

    def network(x):
        skips = []
        for width in encoder:
            skips.append(block(x, width))
            x = models.downsample(skips[-1])
        x = block(x, bottleneck)
        for width in reversed(encoder):
            x = models.upsample(x, x.shape[-1], "transposed_2x2")
            x = block(layers.Concatenate()([x, skips.pop()]), width)
        return layers.Conv2D(num_classes, 1, dtype="float32", name="head")(x)

    inputs = keras.Input(input_shape, name="image")
    outputs = models.with_padding(inputs, 2 ** len(encoder), network)
    return keras.Model(inputs, outputs, name="buildings_as_written")


def buildings_unet(input_shape, filters, num_classes):
    """The network that the buildings source describes: two convolutions a block, probabilities."""
    return models.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="transposed_2x2",
        final_conv=False,
        num_classes=num_classes,
        head="softmax",
    )


def multiclass_unet(input_shape, filters, num_classes):
    """The multi-class source's U-Net, with bilinear upsampling as it is by default there, behind
    ImageNet's mean and deviation: 17,263,042 trainable parameters at 2 classes."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.Normalization(
        mean=(0.485, 0.456, 0.406), variance=(0.229**2, 0.224**2, 0.225**2), name="imagenet"
    )(inputs)
    outputs = models.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="bilinear",
        final_conv=False,
        num_classes=num_classes,
        head="softmax",
    )(x)
    return keras.Model(inputs, outputs, name="multiclass_unet")


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
# The source takes one crop of each of 137 images an epoch: 75 updates in all. 25 crops show every
# pixel 0.7 times an epoch. Aerial images have no upright: flips and quarter turns fit them. Its
# dice, meant for probabilities, gets logits in its listing, and is smoothed by 1, here by 1e-5:
# as written keeps the logits; corrected takes probabilities, and adds cross-entropy.
BUILDINGS = Recipe(
    "buildings_unet",
    "corrected",
    "U-Net for Image Segmentation: Architecture, Implementation and Code Example, Piotr Rudzki, "
    "Asper Brothers, 2023",
    None,
    buildings_unet,
    filters=(64, 128, 256, 512, 1024),
    images=None,
    image_size=None,
    augment={
        "vertical_flip": 0.5,
        "quarter_turn": 0.75,
        "rotation": 0.0,
        "contrast": 0.2,
        "brightness": 0.1,
    },
    loss=losses.cross_entropy_dice_loss,
    learning_rate=5e-5,
    epsilon=1e-7,
    epochs=15,
    monitor="val_mean_iou",
    kind="town",
    crop=(256, 256),
    crops=25,
)
BUILDINGS_AS_WRITTEN = {
    "variant": "as written",
    "build": buildings_as_written,
    "augment": False,
    "loss": losses.pooled_class_dice_loss,
    "monitor": "val_loss",
    "patience": 15,  # it does not stop early
    "crops": 1,
}
# Scored on its own training images, in the source; here on a validation part, split by image.
MULTICLASS = Recipe(
    "multiclass_unet",
    "corrected",
    "Building a semantic segmentation model with U-Net, ApX Machine Learning, 2025",
    None,
    multiclass_unet,
    filters=(64, 128, 256, 512, 512),  # bilinear upsampling keeps the channels
    images=None,
    image_size=(128, 128),
    batch_size=8,
    loss=losses.cross_entropy_dice_loss,
    learning_rate=1e-4,
    epsilon=1e-7,
    epochs=25,
    monitor="val_mean_iou",
    kind="parts",
)
MULTICLASS_AS_WRITTEN = {
    "variant": "as written",
    "split_by": "image",
    "test_size": 0.0,
    "augment": False,
    "loss": losses.cross_entropy,
    "monitor": "val_loss",
    "patience": 25,  # it does not stop early
}
RECIPES = (
    dataclasses.replace(SIMPLE, **AS_WRITTEN, build=simple_as_written),
    SIMPLE,
    dataclasses.replace(UNET, **AS_WRITTEN),
    UNET,
    dataclasses.replace(GUIDE, variant="as written", augment=GUIDE_AUGMENTATION),
    GUIDE,
    dataclasses.replace(BUILDINGS, **BUILDINGS_AS_WRITTEN),
    BUILDINGS,
    dataclasses.replace(MULTICLASS, **MULTICLASS_AS_WRITTEN),
    MULTICLASS,
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
    names = [f.name for f in dataclasses.fields(Recipe) if f.name not in FIXED]
    for name in changes:
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
            raise ValueError(f"no setting {name!r}: {hint}")
    return dataclasses.replace(recipe, **changes)


def quick(recipe):
    """A small size of a recipe, for two CPU cores: a quarter of the filters, 320 images, at most 4
    crops of each, 8 epochs, batches of 16, and the learning rate that so few steps need."""
    filters, crops = tuple(width // 4 for width in recipe.filters), min(recipe.crops, 4)
    small = {"images": 320, "epochs": 8, "batch_size": 16, "learning_rate": 1e-3}
    return dataclasses.replace(recipe, filters=filters, crops=crops, **small)
