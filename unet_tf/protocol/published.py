"""Every published protocol as data: `unet_tf.protocol.run` carries one out.

*As written* is the protocol as published, transcription errors repaired, its faults included;
*corrected* mends the faults that change what is learned. Both get the same score at original size,
the hard dice of each image or, with many classes, their IoU: as written on the validation part,
which has also chosen the epoch and may share its cars with training, corrected on a test part of
cars that nothing else has seen; where the data set gives its parts, both on its test part. In both
precision follows the hardware.
"""

import dataclasses

import keras

from unet_tf import network
from unet_tf.files import UserError
from unet_tf.protocol import networks
from unet_tf.protocol.recipe import Recipe, changed

ARTICLE = "Image Segmentation: An In-Depth Guide, Ed Izaguirre, 2023"
WIDE = (64, 128, 256, 512, 1024)
# Settings that several share: those as written, of these the ones without a test part, and those of
# many classes.
AS_WRITTEN = {"variant": "as written", "augment": False, "monitor": "val_loss"}
BY_IMAGE = {**AS_WRITTEN, "split_by": "image", "test_size": 0.0}
MANY = {"task": "classes", "loss": network.cross_entropy_dice_loss, "monitor": "val_mean_iou"}

# The article does not print the simple model's optimizer: its U-Net's is used.
SMALL = {"filters": (64, 128, 256), "epochs": 10, "levels": 1}
SIMPLE = Recipe("article_simple", "corrected", ARTICLE, 0.8788, network.simple_fcn, **SMALL)
UNET = Recipe("article_unet", "corrected", ARTICLE, 0.9416, networks.article_unet, WIDE, epochs=16)
ARTICLE_AS_WRITTEN = {**BY_IMAGE, "resize": "nearest", "shuffle": False, "patience": 2}
ARTICLE_AS_WRITTEN |= {"loss": network.pooled_dice_loss, "learning_rate": 1e-4}

# The guide publishes no score and lists one epoch. What it says of the split, train, validation and
# test, is done by car; where it resizes by OpenCV's bilinear, this is by area.
GUIDE = Recipe(
    "guide_unet",
    "corrected",
    "End-to-End Guide for Image Segmentation, Deepak Kolaparthi, AiEnsured",
    None,
    networks.guide_unet,
    WIDE,
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
    networks.buildings_unet,
    WIDE,
    **MANY,
    images=None,
    image_size=None,
    augment={"vertical_flip": 0.5, "quarter_turn": 0.75, "rotation": 0.0}
    | {"contrast": 0.2, "brightness": 0.1},
    learning_rate=5e-5,
    epsilon=1e-7,
    epochs=15,
    data="town",
    crop=(256, 256),
    crops=25,
)
BUILDINGS_AS_WRITTEN = {
    **AS_WRITTEN,
    "build": networks.buildings_as_written,
    "loss": network.pooled_class_dice_loss,
    "patience": 15,  # it does not stop early
    "crops": 1,
}

# Scored on its own training images, in the source; here on a validation part, split by image.
MULTICLASS = Recipe(
    "multiclass_unet",
    "corrected",
    "Building a semantic segmentation model with U-Net, ApX Machine Learning, 2025",
    None,
    networks.multiclass_unet,
    (64, 128, 256, 512, 512),  # bilinear upsampling keeps the channels
    **MANY,
    images=None,
    image_size=(128, 128),
    batch_size=8,
    learning_rate=1e-4,
    epsilon=1e-7,
    epochs=25,
    data="parts",
)
# It does not stop early.
MULTICLASS_AS_WRITTEN = {**BY_IMAGE, "loss": network.cross_entropy, "patience": 25}

RECIPES = (
    dataclasses.replace(SIMPLE, **ARTICLE_AS_WRITTEN, build=networks.simple_as_written),
    SIMPLE,
    dataclasses.replace(UNET, **ARTICLE_AS_WRITTEN),
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

    Raises `UserError` for an unknown name, lists the known ones; else as `changed` does.
    """
    for recipe in RECIPES:
        if (recipe.name, recipe.variant) == (name, variant):
            return changed(recipe, **changes)
    raise UserError(f'no recipe {name!r} ("{variant}"): there are {", ".join(NAMES)}')
