"""The rules: from what is found in a folder to settings of a recipe, each with its reason. Those of
the time that there is stand in `unet_tf.plan.pace`.

The idea of rules on a fingerprint of the data is nnU-Net's (Isensee et al., 2021,
https://doi.org/10.1038/s41592-020-01008-z); these are for two dimensions and for small budgets.
"""

import math
import statistics

from unet_tf import protocol
from unet_tf.data import size_at
from unet_tf.files import UserError
from unet_tf.plan.choices import Choice, by

KEEP = 0.975  # dice that masks keep at a size that is fine enough
SHARES = (1.0, 0.75, 0.5, 0.375, 0.25, 0.125)  # of the images' own size that crops are taken at
COMMON = 0.12  # of thumbnails, from which on images have a top, a left, a direction
LINES = 1.0  # from which on they have lines in one direction
RARE = 0.02  # share of the pixels: such a class is weighted
VARIED = 0.02  # standard deviation between images: then light, or colours, vary


def view(found, machine):
    """Whole images, if their masks survive it; else crops, at the coarsest share that keeps them.

    Whole images show the network everything at once, also where their shapes differ and all get
    one: of photographs whose objects are much of the image, crops show too little. Thin things die
    when images are made small: then parts are cut out of images as large as the masks need.
    """
    size, smallest = whole_size(found, machine), smallest_of(found)
    kept = found.kept(size)
    if min(smallest) < 64 or kept >= KEEP:
        sizes = f"{len(found.sizes)} sizes, from {by(smallest)} on" * (len(found.sizes) > 1)
        found_so = f"{sizes or by(smallest)}; at {by(size)} masks keep a dice of {kept:.3f}"
        why = "whole images show all at once" if kept >= KEEP else "too small for crops"
        yield Choice("image_size", size, found_so, why)
        yield Choice("crop", None, "", "")
        return
    yield (share := share_for(found, f"whole, at {by(size)}, they would keep {kept:.3f}"))
    yield crop_at(found, share.value, machine)


def whole_size(found, machine):
    """As large as a step of whole images may be here, in the shape of the median image."""
    if len(found.sizes) == 1 and math.prod(smallest_of(found)) <= machine.whole:
        return smallest_of(found)  # the network pads it itself
    sides = [statistics.median(sides) for sides in zip(*found.sizes.elements(), strict=True)]
    share = min(1, math.sqrt(machine.whole / math.prod(sides)))
    return tuple(max(16, 16 * int(share * side / 16 + 0.5)) for side in sides)


def own_size(found):
    """The size that all images have; UserError where they have several."""
    if len(found.sizes) > 1:
        raise UserError("whole images want one size, HEIGHTxWIDTH: give it, or leave crop out")
    return smallest_of(found)


def smallest_of(found):
    """The least height and the least width, pixels."""
    heights, widths = zip(*found.sizes, strict=True)
    return min(heights), min(widths)


def share_for(found, why, least=(64, 64)):
    """The `Choice` of the coarsest share of their own size that keeps the masks and at which every
    image has room for crops of `least`; UserError where none has."""
    smallest = smallest_of(found)
    dice = {share: found.kept(share) for share in SHARES}
    fine = [share for share in SHARES if dice[share] >= KEEP] or [1.0]
    for share in reversed(fine):
        if all(side >= one for side, one in zip(size_at(share, smallest), least, strict=True)):
            words = f"at {share:g} of their own size masks keep a dice of {dice[share]:.3f}"
            return Choice("image_size", None if share == 1 else share, words, why)
    raise UserError(
        f"a crop of {by(least)} has no room in the smallest images, {by(smallest)} (height x "
        "width): take a smaller one, or leave those images out"
    )


def crop_at(found, share, machine):
    """The largest square that a step may have here and that each image has, at that share."""
    smallest = smallest_of(found)
    side = min(machine.crop, max(16, 16 * (min(size_at(share, smallest)) // 16)))
    why = "as large as a step may be here" if side == machine.crop else "as the smallest image has"
    return Choice("crop", (side, side), f"images from {by(smallest)} on", why)


def view_given(found, machine, given):
    """What is asked for; crops where images keep their own size, or a share of it; for crops alone
    the share that keeps the masks."""
    size, crop = (Choice(name, given.get(name), "", "") for name in ("image_size", "crop"))
    if "crop" not in given and not isinstance(size.value, tuple):
        crop = crop_at(found, size.value, machine)
    elif crop.value and "image_size" not in given:
        size = share_for(found, "for these crops", crop.value)
    elif not crop.value and "image_size" not in given:
        size = Choice("image_size", whole_size(found, machine), "", "whole images, as given")
    elif not crop.value and isinstance(size.value, float):
        raise UserError(
            f"image_size is {size.value}, a share of the images' own: that is for crops"
        )
    return size, crop


def network(machine, chosen):
    """As many levels as leave 8 pixels a side at the bottom; filters by what the machine can do."""
    least = min(chosen["crop"] or chosen["image_size"])
    levels = max(3, min(5, 1 + int(math.log2(max(least, 8) / 8))))
    filters = tuple(machine.filters * 2**level for level in range(levels))
    found_so = f"{least} pixels at the shorter side"
    yield Choice("filters", filters, found_so, "8 pixels or more are left at the bottom")


def augmentation(found, chosen):
    """Images turned and coloured as they could have been taken, and in no other way."""
    height, width = chosen["crop"] or chosen["image_size"]
    upright, sided = found.upright > COMMON, found.sided > COMMON
    directed = upright or sided or found.crossed > COMMON or found.lines > LINES
    amounts = {
        "horizontal_flip": 0.0 if sided else 0.5,
        "vertical_flip": 0.0 if upright else 0.5,
        "quarter_turn": 0.75 if height == width and not directed else 0.0,
        "rotation": 0.01,
        "scale": 0.0 if upright else 0.1,
        "contrast": 0.2 if found.light > VARIED else 0.05,
        "brightness": 0.1 if found.light > VARIED else 0.0,
        "saturation": 0.2 if found.tint > VARIED else 0.0,
    }
    ways = ["a top" if upright else "no top", "a left" if sided else "no left"]
    ways += ["lines in one direction" if directed and not (upright or sided) else ""]
    ways += ["light varies" if found.light > VARIED else "even light"]
    ways += ["colours vary" if found.tint > VARIED else "even colours"]
    why = "images are changed as they could have been taken, no further"
    yield Choice("augment", amounts, ", ".join(filter(None, ways)), why)


def loss(found, chosen):
    """Dice beside cross-entropy; class weights where one of many classes is rare, and the loss
    that is `chosen` in the end takes them."""
    labels, shares = found.labels, found.shares
    rare = [f"{name} {share:.1%}" for name, share in shares.items() if 0 < share < RARE]
    if labels.binary:
        words = f"{labels.names[1]} {shares[labels.names[1]]:.1%} of the pixels"
        why = "dice counts a rare foreground fully, cross-entropy steadies it"
        yield Choice("loss", "bce_dice_loss", words, why)
        return
    why = "dice counts each class alike, cross-entropy steadies it"
    yield Choice("loss", "cross_entropy_dice_loss", f"{len(labels.names)} classes", why)
    takes_weights = {loss.__name__ for loss in protocol.WEIGHTABLE}
    if rare and getattr(chosen["loss"], "__name__", chosen["loss"]) in takes_weights:
        words = f"rare: {', '.join(rare[:4])}" + (", ..." if len(rare) > 4 else "")
        yield Choice("class_weights", "median", words, "else they may never be predicted")


def fixed():
    """What does not depend on the data."""
    yield Choice("learning_rate", 1e-3, "", "what so few steps need")
    yield Choice("schedule", "cosine", "", "large steps first, small ones at the end")
