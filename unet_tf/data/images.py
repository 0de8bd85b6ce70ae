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

from unet_tf.files import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff"}
# The last bytes of a whole file: a truncated one has others.
ENDINGS = {"JPEG": b"\xff\xd9", "GIF": b"\x3b", "PNG": b"IEND\xaeB`\x82"}


class Unreadable(UserError):
    """A file that cannot be read: `reason` says why, without the file's name."""

    def __init__(self, name, reason, remedy=""):
        super().__init__(f"{name}: {reason}{remedy}")
        self.reason = reason


def size_of(path):
    """(height, width) of an image file, in pixels, from its header; `Unreadable` names a file that
    is empty, truncated, or no image."""
    path = Path(path)
    try:
        with Image.open(path) as image:
            width, height = image.size
            ending = ENDINGS.get(image.format, b"")
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 64))
            tail = file.read()
    except UnidentifiedImageError:
        raise Unreadable(path.name, "not an image (JPEG, PNG, GIF or TIFF)") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(path.name, f"cannot be read ({error})") from None
    # A GIF ends in a single byte, which may stand anywhere: it has to be the last.
    if not (tail.rstrip(b"\0").endswith(ending) if len(ending) == 1 else ending in tail):
        raise Unreadable(path.name, "the file is truncated")
    return height, width


# What Pillow, and a zip that it reads from, say of a broken file.
UNDECODABLE = (
    *(OSError, SyntaxError, ValueError, Image.DecompressionBombError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError),
)


def read_image(path):
    """A photograph (JPEG, PNG, GIF) as uint8 `(H, W, 3)`: grey and palette become RGB, alpha is
    dropped, 16 bit becomes 8. Raises as `open_image`."""
    return to_rgb(open_image(path))


def to_rgb(image):
    """The pixels of a Pillow image as uint8 `(H, W, 3)`."""
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image, "int64") // 257).astype("uint8"))
    return np.asarray(image.convert("RGB"))


def open_image(path, at_least=None):
    """The decoded Pillow image of a file, or of a `zipfile.Path`; `Unreadable` names a broken one.

    `.info["size"]` is its (width, height) in the file. Given `at_least`, (height, width), a JPEG
    comes at a half, a quarter or an eighth of that where it is still so large: libjpeg then leaves
    out the fine detail while it decodes, which is four times as fast or more.
    """
    try:
        # A zipfile.Path, a file within a zip, opens itself.
        image = Image.open(path if isinstance(path, str | os.PathLike) else path.open("rb"))
        image.info["size"] = image.size
        if at_least is not None:
            image.draft(None, at_least[::-1])
        image.load()
    except FileNotFoundError:
        raise
    except UNDECODABLE as error:
        remedy = ". Replace the file, or remove it and its pair"
        raise Unreadable(path, f"cannot be decoded ({error})", remedy) from None
    return image


def read_resized(path, image_size, resize="area"):
    """A photograph at `image_size`, and the size that it has in the file.

    By "area" a JPEG is decoded only at three times `image_size` or a little more. Against the exact
    area of all its pixels, Carvana's size at 96x128 differs by 0.004 on average (of [0, 1]), from
    whole decoding by 0.002, nearest by 0.013.

    Parameters
    ----------
    path : path of a JPEG, PNG or GIF, or `zipfile.Path`
    image_size : (height, width), None, or a share, as in `size_at`
    resize : as in `resized`

    Returns
    -------
    uint8 array `(*image_size, 3)`, and (height, width) of the file; raises as `open_image`
    """
    by_area = isinstance(image_size, tuple | list) and resize == "area"
    image = open_image(path, at_least=[3 * side for side in image_size] if by_area else None)
    width, height = image.info["size"]
    drafts = {n: (-(-width // n), -(-height // n)) for n in (8, 4, 2, 1)}
    scale = {size: n for n, size in drafts.items()}.get(image.size, 1)
    # The last pixel may be a part of one.
    box = None if scale == 1 else (0, 0, width / scale, height / scale)
    size = size_at(image_size, (height, width))
    return resized(to_rgb(image), size, resize, box), (height, width)


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
