"""Photographs and masks from files, by Pillow: read, resized, taken back to their own size.

Pillow knows every PNG and GIF encoding, is twice as fast as TensorFlow on a GIF, and an error can
name its file.
"""

import contextlib
import ctypes
import functools
import lzma
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from unet_tf.data.headers import (
    TURNS,
    Unreadable,
    bands_of,
    ends,
    of_bands,
    orientation_of,
    require_one,
    upright_size,
)
from unet_tf.data.ranges import DEEP_COLOURS, to_rgb
from unet_tf.files import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff", ".bmp", ".webp"}
# The last bytes of a whole file: a truncated one has others.
ENDINGS = {"JPEG": b"\xff\xd9", "GIF": b"\x3b", "PNG": b"IEND\xaeB`\x82"}


def size_of(path):
    """(height, width) of an image file as viewers show it, in pixels, from its header; `Unreadable`
    names a file that is empty, truncated, of several pages, or no image."""
    path = Path(path)
    try:
        with Image.open(path) as image:
            width, height = upright_size(image)
            require_one(image, path)
            kind, ending = image.format, ENDINGS.get(image.format, b"")
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 64))
            tail = file.read()
    except UnidentifiedImageError:
        if bands := bands_of(path):
            raise of_bands(path.name, bands) from None
        raise Unreadable(path.name, "not an image (JPEG, PNG, GIF, TIFF, BMP or WebP)") from None
    except Unreadable:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(path.name, f"cannot be read ({error})") from None
    # A GIF ends in a single byte, which may stand anywhere: it has to be the last.
    last = tail.rstrip(b"\0").endswith(ending) if len(ending) == 1 else ending in tail
    if not last and not ends(path.read_bytes(), kind):
        raise Unreadable(path.name, "the file is truncated")
    return height, width


# Pixels that go through a network at once, at the most: a U-Net of 16 filters then takes 1.7 GB, of
# 64 filters 6.7 GB (25 bytes a pixel and filter).
MOST_AT_ONCE = 2**22
REPLACE = "Replace the file, or remove it and its pair"
# What Pillow, and a zip that it reads from, say of a broken file.
UNDECODABLE = (
    *(OSError, SyntaxError, ValueError, Image.DecompressionBombError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError),
)


def read_image(path, value_range=None):
    """A photograph (`SUFFIXES`) as uint8 `(H, W, 3)`: grey and palette become RGB, alpha is
    dropped, more than 8 bits become 8 (`to_rgb`). Raises as `open_image` and `to_rgb`."""
    return to_rgb(open_image(path), path, value_range)


def open_image(path, at_least=None):
    """The decoded Pillow image of a file, or of a `zipfile.Path`; `Unreadable` names a broken one,
    and one of several pages.

    It is turned and mirrored as its EXIF asks for (`.info["orientation"]`), so as viewers show it.
    `.info["size"]` is its (width, height) in the file, turned alike. Given `at_least`, (height,
    width), a JPEG comes at a half, a quarter or an eighth of that where it is still so large:
    libjpeg then leaves out the fine detail while it decodes, which is four times as fast or more.
    """
    try:
        # A zipfile.Path, a file within a zip, opens itself.
        image = Image.open(path if isinstance(path, str | os.PathLike) else path.open("rb"))
        require_one(image, Path(str(path)))
        turn, size = orientation_of(image), upright_size(image)
        deep = ";16" in f"{image.tile}"  # what Pillow decodes colours from
        if turn > 4:
            image.filename = ""  # else Pillow maps a TIFF's rows at the width that it turns them to
        if at_least is not None:
            image.draft(None, at_least[:: -1 if turn < 5 else 1])
        image.load()
        if turn in TURNS and image.format != "TIFF":  # a TIFF is turned by Pillow
            image, image.format = image.transpose(TURNS[turn]), image.format
    except (FileNotFoundError, Unreadable):
        raise
    except UNDECODABLE as error:
        raise Unreadable(path, f"cannot be decoded ({error})", REPLACE) from None
    image.info |= {"size": size, "orientation": turn, **({DEEP_COLOURS: True} if deep else {})}
    return image


def read_resized(path, image_size, resize="area", value_range=None):
    """A photograph at `image_size`, and the size that it has in the file.

    By "area" a JPEG is decoded only at three times `image_size` or a little more. Against the exact
    area of all its pixels, Carvana's size at 96x128 differs by 0.004 on average (of [0, 1]), from
    whole decoding by 0.002, nearest by 0.013.

    Parameters
    ----------
    path : path of an image file (`SUFFIXES`), or `zipfile.Path`
    image_size : (height, width), None, or a share, as in `size_at`
    resize : as in `resized`
    value_range : as in `to_rgb`

    Returns
    -------
    uint8 array `(*image_size, 3)`, and (height, width) of the file; raises as `open_image`
    """
    by_area = isinstance(image_size, tuple | list) and resize == "area"
    image = open_image(path, at_least=[3 * side for side in image_size] if by_area else None)
    width, height = image.info["size"]
    drafts = {(-(-width // n), -(-height // n)): n for n in (8, 4, 2, 1)}
    scale = drafts.get(image.size, 1)
    box = None
    if scale > 1:  # the last pixel may be a part of one, and a turned image's last pixel its first
        turn, box = image.info["orientation"], (width / scale, height / scale)
        left = image.width - box[0] if turn in (2, 3, 6, 7) else 0
        top = image.height - box[1] if turn in (3, 4, 7, 8) else 0
        box = (left, top, left + box[0], top + box[1])
    size = size_at(image_size, (height, width))
    return resized(to_rgb(image, path, value_range), size, resize, box), (height, width)


def size_at(image_size, own):
    """(height, width) of an image, `own` in its file, where all are used at `image_size`: that
    size; None for its own; or one number, the share of its own height and width."""
    if isinstance(image_size, float):
        return tuple(max(1, round(image_size * side)) for side in own)
    return tuple(image_size or own)


def resized(pixels, image_size, resize="area", box=None):
    """uint8 `(H, W)` or `(H, W, 3)`, resized.

    Parameters
    ----------
    pixels : uint8 array
    image_size : (height, width), or None to leave it as it is
    resize : "area" (each pixel the mean of what it covers) or "nearest"
    box : (left, top, right, bottom), the part to take by area, in pixels; None takes all
    """
    if image_size is None or tuple(pixels.shape[:2]) == tuple(image_size):
        return pixels
    height, width = image_size
    if resize == "area":
        area = Image.Resampling.BOX
        return np.asarray(Image.fromarray(pixels).resize((width, height), area, box))
    if resize == "nearest":  # float32, as in tf.image.resize: the article's pixels to the bit
        rows, columns = (
            ((np.arange(new, dtype="float32") + 0.5) * np.float32(old / new)).astype(int)
            for new, old in zip(image_size, pixels.shape, strict=False)
        )
        return pixels[rows[:, None], columns]
    raise UserError(f'resize is "area" or "nearest", not {resize!r}')


@functools.cache
def keep_freed_memory():
    """Let glibc (Linux) keep blocks of up to 32 MB that were freed, for the next image.

    Else each decoded image is new pages from the system, zeroed and mapped one by one, which takes
    a third of the time of reading. It holds for the whole process, from then on: free memory at the
    heap's end goes back above 128 MB, free blocks below others in use stay. Gives whether it holds.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no glibc
        mallopt, trim_threshold, mmap_threshold = ctypes.CDLL(None).mallopt, -1, -3
        return bool(mallopt(trim_threshold, 2**27) and mallopt(mmap_threshold, 2**25))
    return False


def resized_back(probability, size):
    """Float32 `(h, w)`, resized bilinearly to `size`, (height, width)."""
    height, width = size
    image = Image.fromarray(probability)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def ids_at(probability, size):
    """The most probable class of each pixel at `size`, (height, width): uint8 `size`.

    Each class's probability, float32 `(h, w, C)`, is resized back by itself, then the largest
    counts: class ids themselves cannot be resized smoothly.
    """
    classes = np.moveaxis(probability, -1, 0)
    best, ids = resized_back(np.ascontiguousarray(classes[0]), size), np.zeros(size, "uint8")
    for number, one in enumerate(classes[1:], start=1):
        enlarged = resized_back(np.ascontiguousarray(one), size)
        ids[enlarged > best] = number
        best = np.maximum(best, enlarged)
    return ids
