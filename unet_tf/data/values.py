"""What a mask file holds: ids, greys or colours, and which class each is."""

import numpy as np
from PIL import Image

from unet_tf.data.images import open_image
from unet_tf.files import atomically

VOID = 255  # of a mask: what counts nowhere


def values_of(path, greys=False):
    """What a mask file holds: grey values or palette indices, int64 `(H, W)`; or uint8 `(H, W, 3)`.

    An RGB mask whose channels are equal is still one of colours; alpha is dropped; 16-bit black and
    white is 0 and 255. With `greys` a grey mask is one of colours, too.

    Raises
    ------
    ValueError
        Names the file when it cannot be decoded.
    """
    return values_in(open_image(path), greys)


def is_grey(image):
    """Is a Pillow image of grey values, not of palette indices or colours?"""
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def values_in(image, greys=False):
    """What `values_of` has of a decoded Pillow image."""
    if image.mode in ("P", "PA"):
        return np.asarray(image.getchannel(0) if image.mode == "PA" else image).astype("int64")
    if is_grey(image):
        values = np.asarray(image).astype("int64")
        values = values[..., 0] if values.ndim == 3 else values
        if values.max(initial=0) == 65535 and not set(np.unique(values)) - {0, 65535}:
            values //= 257
        return np.repeat(values[..., None], 3, axis=2) if greys else values
    return np.asarray(image.convert("RGB"))


def ids_of(values, classes):
    """Class ids of a mask, and which of its pixels are of no class.

    Grey values and palette indices are ids, 255 being void; colours are looked up in the table.

    Parameters
    ----------
    values : array as from `values_of`
    classes : Classes

    Returns
    -------
    (ids, unknown) : uint8 `(H, W)`, `VOID` where unknown; bool `(H, W)`
    """
    if values.ndim == 2:
        unknown = (values < 0) | ((values >= len(classes.names)) & (values != VOID))
        return np.where(unknown, VOID, values).astype("uint8"), unknown
    if not classes.colours:
        return np.full(values.shape[:2], VOID, "uint8"), np.ones(values.shape[:2], bool)
    table = [*classes.colours, *([classes.void] if classes.void else [])]
    labels = np.array([*range(len(classes.colours)), VOID], "uint8")
    codes = packed(np.array(table))
    order = np.argsort(codes)
    mask = packed(values)
    place = order[np.searchsorted(codes[order], mask).clip(max=len(codes) - 1)]
    unknown = codes[place] != mask
    return np.where(unknown, VOID, labels[place]), unknown


def packed(colours):
    """Colours `(..., 3)` as one whole number each."""
    red, green, blue = np.moveaxis(np.asarray(colours).astype("int64"), -1, 0)
    return (red << 16) | (green << 8) | blue


def unknown_of(values, unknown, classes):
    """The values or colours of no class: `[(what, pixels, nearest class or None)]`, most first."""
    if not unknown.any():
        return []
    found, counts = np.unique(
        packed(values[unknown]) if values.ndim == 3 else values[unknown], return_counts=True
    )
    report = []
    for index in np.argsort(-counts, kind="stable"):
        code, nearest = int(found[index]), None
        what = (code >> 16, code >> 8 & 255, code & 255) if values.ndim == 3 else code
        if classes.colours:
            colour = np.array(what if values.ndim == 3 else [what] * 3)
            distance = np.square(np.array(classes.colours) - colour).sum(axis=1)
            nearest = classes.names[int(distance.argmin())]
        report.append((what, int(counts[index]), nearest))
    return report


def save_ids(path, ids, palette, **options):
    """Class ids, uint8 `(H, W)`, as a palette PNG: viewers show colours, readers get the ids.
    `options` are Pillow's."""
    image = Image.fromarray(ids).convert("P")  # not quantized: from L, values stay indices
    image.putpalette(palette.ravel().tolist())
    with atomically(path) as partial:
        image.save(partial, **options)
