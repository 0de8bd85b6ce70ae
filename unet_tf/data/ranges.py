"""Numbers of more than 8 bits, whole or float, brought to the 8 bits that a model is fed."""

import numpy as np
from PIL import Image

from unet_tf.data.headers import Unreadable

RANGE = "(low, high), two numbers, the first of them smaller"
DEEP_COLOURS = "16 bits a colour"  # a note on an image whose upper bytes alone Pillow gives
ONE_RANGE = (
    "All images want one range: `train` finds it and keeps it in the model, --set "
    "value_range=LOW,HIGH names it. For a model without one convert them to 8 bits"
)


def known_range(value):
    """Is it such a range?"""
    match value:
        case (int() | float() as low, int() | float() as high):
            return -np.inf < low < high < np.inf
    return False


def in_words(value_range):
    """A range as messages say it: `0 to 4095`."""
    return "{:.10g} to {:.10g}".format(*value_range)


def is_deep(image):
    """Has a Pillow image numbers of more than 8 bits?"""
    return image.mode.startswith("I") or image.mode == "F"


def to_rgb(image, path="this image", value_range=None):
    """The pixels of a Pillow image as uint8 `(H, W, 3)`.

    Parameters
    ----------
    image : decoded Pillow image
    path : of its file, for errors
    value_range : (low, high), optional
        The numbers of grey that become black and white where there are more than 8 bits; what is
        beyond becomes black or white, too. None: 16-bit grey is divided by 257, and floats in
        [0, 1] are multiplied by 255. Colours of 16 bits are divided by 256.

    Raises
    ------
    Unreadable
        Numbers that no file of 16 bits or from 0 to 1 has, and no `value_range`; an image that is
        mostly above it, or nowhere in it: so read it would show nothing. Names the file.
    """
    if is_deep(image):
        span = span_of(image, path)
        image = Image.fromarray(in_8_bits(np.asarray(image), span, value_range, path))
    pixels = np.asarray(image.convert("RGB"))
    if DEEP_COLOURS in image.info and 0 < pixels.max() < 64:
        raise Unreadable(
            path,
            f"its colours have 16 bits and end below {256 * (int(pixels.max()) + 1)}",
            "Bring all images to one range, for instance those of 12 bits by ImageMagick: magick "
            "in.tif -evaluate multiply 16 -depth 8 out.png; the same for those to predict",
        )
    return pixels


def span_of(image, path):
    """(least number, largest number, are they whole?) of a deep image."""
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite((low, high)).all():
        raise Unreadable(
            path,
            "it holds numbers that are none (NaN, or infinite)",
            "Put a number in their place, the same in all images",
        )
    return low, high, image.mode != "F"


def plain(span):
    """Are these numbers of an image of 16 bits, or from 0 to 1, which say by themselves what is
    white?"""
    low, high, whole = span
    if not whole:
        return 0 <= low <= high <= 1
    return 0 <= low <= high <= 65535 and (high >= 2**14 or high == 0)


def range_of(spans):
    """The (low, high) that all images of a data set are read by; None where each is `plain`.

    Whole numbers from 0 on take the fewest bits that hold them all, others what there is.
    """
    spans = list(spans)
    if all(map(plain, spans)):
        return None
    lows, highs, whole = zip(*spans, strict=True)
    low, high = min(lows), max(highs)
    if all(whole) and low >= 0:
        return 0, 2 ** max(8, int(high).bit_length()) - 1
    return low, high if high > low else low + 1


def in_8_bits(values, span, value_range, path):
    """Numbers `(H, W)` of this span as uint8."""
    low, high, whole = span
    has = f"its numbers go from {in_words((low, high))}"
    if value_range is None and not plain(span):
        raise Unreadable(path, f"{has}, neither 8 nor 16 bits nor from 0 to 1", ONE_RANGE)
    if value_range is None:
        return (values.astype("int32") // 257 if whole else np.round(255 * values)).astype("uint8")
    black, white = value_range
    # Shares of 1, where the others are counts; an image that is all 0 is black in both.
    shares = not whole and low >= 0 and 0 < high <= 1 and white >= 255
    if shares or high < black or np.mean(values > white) > 0.5:
        raise Unreadable(
            path,
            f"{has}, mostly beyond the range that is read, {in_words(value_range)}",
            "Bring it to that range, or train with one that holds both: --set value_range=LOW,HIGH",
        )
    exact = "float32" if values.dtype.itemsize == 2 else "float64"
    share = (np.clip(values, black, white).astype(exact) - black) / (white - black)
    return np.round(255 * share).astype("uint8")
