"""What is kept of a pair of files: a few facts, from which all findings come."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageStat

from unet_tf import data
from unet_tf.doctor.findings import short

DARK = 10  # mean brightness, 0 to 255
KEPT = 256  # values of one mask: more are no classes


class Photo(NamedTuple):
    """What is kept of an image."""

    size: tuple  # (height, width)
    mode: str  # Pillow's
    digest: str
    dark: bool  # or all of one brightness
    span: tuple | None  # `data.span_of` numbers of more than 8 bits
    turned: bool
    alpha: bool


class Mask(NamedTuple):
    """What is kept of a mask; `values` are as in `data.values_of`, `KEPT` of them at most."""

    size: tuple
    mode: str
    lossy: bool  # saved in a way that changes pixels
    values: np.ndarray  # (n,), or (n, 3) for RGB
    counts: np.ndarray  # (n,), pixels
    distinct: int  # values in all
    palette: np.ndarray | None  # (n, 3): the colours of the values in the file's own palette


class Facts(NamedTuple):
    """A pair and what was found; for a file that cannot be read None, and the error."""

    part: str
    pair: data.Pair
    photo: Photo | None
    mask: Mask | None
    faults: list  # of (file in words, `data.Unreadable`)

    @property
    def whole(self):
        """Can it be trained on: are both files whole, and of one size?"""
        return bool(self.photo and self.mask and self.photo.size == self.mask.size)


def photo_of(path):
    """The `Photo` of an image file, wholly decoded."""
    data.size_of(path)  # finds truncated files that Pillow decodes all the same
    image = data.open_image(path)
    span, shown = None, image
    if data.is_deep(image):
        span = data.span_of(image, path)
        shown = Image.fromarray(data.to_rgb(image, path, data.range_of([span])))
    grey = ImageStat.Stat(shown.convert("L"))
    low, high = grey.extrema[0]
    dark = low == high or grey.mean[0] < DARK
    turned = image.info["orientation"] != 1
    alpha = "A" in image.mode.upper() or "transparency" in image.info
    size, digest = image.size[::-1], data.digest(path)
    return Photo(size, image.mode, digest, dark, span, turned, alpha)


def mask_of(path):
    """The `Mask` of a mask file, wholly decoded."""
    data.size_of(path)
    stored = data.open_image(path)
    image = data.drawn(stored, path)
    values, counts = data.counted(image)
    palette = None
    if image.mode == "P":  # a file may hold fewer colours than 256: black follows
        own = bytes(image.getpalette("RGB")).ljust(768, b"\0")
        palette = np.frombuffer(own, "uint8").reshape(256, 3)[values]
    lossy, size = is_lossy(path, stored.format), image.size[::-1]
    return Mask(size, stored.mode, lossy, values[:KEPT], counts[:KEPT], len(values), palette)


def is_lossy(path, kind):
    """Is it a JPEG, or a WebP but for lossless ones, whose pixels are in a chunk called VP8L?"""
    if kind == "WEBP":
        return b"VP8L" not in path.read_bytes()
    return kind in ("JPEG", "MPO")


def facts_of(part, pair):
    """The `Facts` of one pair."""
    seen, faults = [], []
    for look, path in zip((photo_of, mask_of), pair, strict=True):
        try:
            seen.append(look(path))
        except data.Unreadable as error:
            seen.append(None)
            faults.append((short(path), error))
    return Facts(part, pair, *seen, faults)
