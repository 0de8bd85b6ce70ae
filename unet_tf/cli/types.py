"""What the words of a command line stand for: sizes, numbers, settings, flags."""

import argparse
import json
import math

from unet_tf.files import UserError


def image_size(text):
    """`96x128` -> (96, 128), height first; `native` -> None; `0.5`, a share of that, -> 0.5."""
    if text == "native":
        return None
    try:
        if 0 < float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    try:
        height, width = (int(number) for number in text.split("x"))
    except ValueError:
        height = width = 0
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: give height x width, such as 96x128, native, or 0.5"
        )
    return height, width


def frame_size(text):
    """`480x320` -> (480, 320), width first, as cameras and Kaggle name it."""
    size = image_size(text)
    if not isinstance(size, tuple):
        raise argparse.ArgumentTypeError("give width x height, such as 480x320")
    return size


def checked(kind, good, words):
    """The type of an option: what `kind` makes of its text, if it is `good`; `words` say so."""

    def read(text):
        try:
            found = kind(text)
        except ValueError:
            found = math.nan  # which is good for nothing
        if not good(found):
            raise argparse.ArgumentTypeError(f"{text!r} is no {words}")
        return found

    return read


def whole(least):
    """The type of a whole number of at least `least`."""
    return checked(int, lambda found: found >= least, f"whole number of at least {least}")


seed = checked(int, lambda found: 0 <= found < 2**32, "whole number from 0 to 2**32 - 1")
number = checked(float, lambda found: 0 < found < math.inf, "number above 0")
share = checked(float, lambda found: 0 <= found < 1, "share: give a number from 0 to below 1")


def value(text):
    """`1e-7` -> 1e-7; a list, `16,32`, becomes a tuple; `None` as in the table of settings; what is
    no JSON stays a text."""
    if text in ("None", "none"):
        return None
    try:
        found = json.loads(f"[{text}]")
    except ValueError:
        return text
    return found[0] if len(found) == 1 else tuple(found)


def named(text):
    """`epsilon=1e-7` -> ("epsilon", 1e-7)."""
    name, equals, setting = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: give NAME=VALUE, such as epsilon=1e-7")
    return name, value(setting)


def add_patterns(command):
    """The options for folders that are laid out in no usual way."""
    words = "image files, within the folder, such as 'scans/*.tif'; with --mask-files"
    command.add_argument("--image-files", metavar="PATTERN", help=words)
    words = "mask files, such as 'drawn/*_v2.png': what the stars stand for pairs the files"
    command.add_argument("--mask-files", metavar="PATTERN", help=words)


def patterns_of(arguments):
    """The two patterns, or None; UserError where they do not go together."""
    two = arguments.image_files, arguments.mask_files
    if two == (None, None):
        return None
    if None in two:
        raise UserError("give both --image-files and --mask-files, or neither")
    return two


def flag(command, name, text):
    """An option that is there or not."""
    command.add_argument(name, action="store_true", help=text)
