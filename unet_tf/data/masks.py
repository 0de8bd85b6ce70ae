"""Masks from files: black and white ones as 0 and 1; of others ids, greys or colours, by class."""

import numpy as np
from PIL import Image

from unet_tf.data.headers import Unreadable
from unet_tf.data.images import open_image
from unet_tf.files import UserError, atomically

VOID = 255  # of a mask: what counts nowhere


def read_mask(path):
    """A black and white mask file as uint8 `(H, W)` in {0, 1}.

    The maximum over the colour channels counts, a palette is applied; white is 1, 255 or 65535. A
    mask in an alpha channel is taken from there (`drawn`).

    Raises
    ------
    UserError
        Names the file when it cannot be decoded, or holds other values than black and one white.
    """
    image = drawn(open_image(path), path)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode == "RGB":  # planes: 20 times as fast as over the last axis
        channels = np.asarray(image)
        image = Image.fromarray(np.max([channels[..., i] for i in range(3)], axis=0))
    pixels = np.asarray(image)
    if image.mode in ("L", "P"):
        levels = np.arange(256)
        if image.mode == "P":
            palette = np.reshape(image.getpalette("RGB"), (-1, 3)).max(axis=1)
            levels = np.pad(palette, (0, 256 - len(palette)))
        used = np.unique([pixels.min(), pixels.max()])
        if used[-1] - used[0] > 1:  # there may be others between
            used = np.flatnonzero(image.histogram())  # far faster than to sort the pixels
        found = np.unique(levels[used])
    else:
        found = np.unique(pixels)
    if found[-1] not in (0, 1, 255, 65535) or len(found) > 2 or (len(found) == 2 and found[0]):
        shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        raise UserError(
            f"{path}: a black and white mask holds 0 and one of 1, 255 or 65535; this one holds "
            f"{len(found)} values ({shown}). Make the object 255, without anti-aliasing; no JPEG"
        )
    if image.mode in ("L", "P") and (used != (levels[used] > 0)).any():  # else it is 0 and 1
        pixels = np.asarray(image.point((levels > 0).astype(int).tolist()))
    return (pixels > 0).astype("uint8")


def drawn(image, path="this mask"):
    """A mask's Pillow image, of whole numbers or colours, without alpha.

    Where the colours are the same all over and the alpha is not, the mask is the alpha: so image
    editors and removers of backgrounds save it. Alpha is dropped where it is the same all over, or
    where all that is transparent has one colour. Else nobody knows which is meant: `Unreadable`.
    """
    if image.mode == "F":
        values = np.asarray(image)
        if (values != np.round(values)).any() or values.min() < 0:
            remedy = "Save the mask as whole numbers, 0 and 255, or ids"
            raise Unreadable(
                path, f"its floats go from {values.min():g} to {values.max():g}", remedy
            )
        return Image.fromarray(values.astype("int32"))
    if image.mode not in ("LA", "La", "PA", "RGBA", "RGBa") and "transparency" not in image.info:
        return image
    if image.mode == "P":  # an index that viewers do not show: a colour as any other
        return image
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    plain = {"LA": "L", "La": "L", "PA": "P"}.get(image.mode, "RGB")
    plain = image.getchannel(0) if image.mode == "PA" else image.convert(plain)
    if alpha.min() == alpha.max():
        return plain
    colours = np.asarray(plain)
    if (colours == colours[0, 0]).all():
        return Image.fromarray(alpha)
    hidden = colours[alpha == alpha.min()]
    if (hidden == hidden[0]).all():
        return plain
    remedy = "Save the mask as black and white, or as ids, without an alpha channel"
    raise Unreadable(path, "its colours and its alpha channel differ as masks", remedy)


def values_of(mask, greys=False):
    """What a mask holds: grey values or palette indices, int32 `(H, W)`; or uint8 `(H, W, 3)`.

    An RGB mask whose channels are equal is still one of colours; alpha is `drawn` or dropped;
    16-bit black and white is 0 and 255. With `greys` a grey mask is one of colours, too.

    Parameters
    ----------
    mask : path (raises as `open_image`), or decoded Pillow image
    greys : bool
    """
    image = drawn(mask) if isinstance(mask, Image.Image) else drawn(open_image(mask), mask)
    if image.mode == "P":
        return np.asarray(image).astype("int32")
    if not is_grey(image):
        return np.asarray(image.convert("RGB"))
    values = np.asarray(image).astype("int32")
    if values.max(initial=0) == 65535 and not set(np.unique(values)) - {0, 65535}:
        values //= 257
    return np.repeat(values[..., None], 3, axis=2) if greys else values


def counted(image):
    """(values, counts): what `values_of` has for a `drawn` mask, and in how many pixels."""
    if image.mode in ("L", "P"):  # in a twentieth of np.unique's time
        counts = np.array(image.histogram())
        return np.flatnonzero(counts), counts[counts > 0]
    if is_grey(image):
        return np.unique(values_of(image), return_counts=True)
    found = image.convert("RGB").getcolors(image.width * image.height)
    return np.array([colour for _, colour in found]), np.array([count for count, _ in found])


def is_grey(image):
    """Is a Pillow image of grey values, not of palette indices or colours?"""
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def ids_of(values, labels):
    """Class ids of a mask, and which of its pixels are of no class.

    Grey values and palette indices are ids, 255 being void; colours are looked up in the table.
    Of an array from `values_of`: uint8 `(H, W)`, `VOID` where unknown; and bool `(H, W)`.
    """
    if values.ndim == 2:
        unknown = (values < 0) | ((values >= len(labels.names)) & (values != VOID))
        return np.where(unknown, VOID, values).astype("uint8"), unknown
    if not labels.colours:
        return np.full(values.shape[:2], VOID, "uint8"), np.ones(values.shape[:2], bool)
    codes = packed([*labels.colours, *([labels.void] if labels.void else [])])
    numbers = np.array([*range(len(labels.colours)), VOID], "uint8")
    order = np.argsort(codes)
    mask = packed(values)
    place = order[np.searchsorted(codes[order], mask).clip(max=len(codes) - 1)]
    unknown = codes[place] != mask
    return np.where(unknown, VOID, numbers[place]), unknown


def packed(colours):
    """Colours `(..., 3)` as one whole number each."""
    red, green, blue = np.moveaxis(np.asarray(colours).astype("int32"), -1, 0)
    return (red << 16) | (green << 8) | blue


def as_keys(values):
    """Values `(n,)` as a list of whole numbers, colours `(n, 3)` as one of (r, g, b)."""
    return [tuple(value) if isinstance(value, list) else value for value in values.tolist()]


def nearest(value, labels):
    """The class whose colour is nearest to a grey value or a colour; None without colours."""
    if not labels.colours:
        return None
    distances = np.square(np.array(labels.colours) - value).sum(axis=1)
    return labels.names[int(distances.argmin())]


def save_ids(path, ids, palette, **options):
    """Class ids, uint8 `(H, W)`, as a palette PNG: viewers show colours, readers get the ids.
    `options` are Pillow's."""
    image = Image.fromarray(ids).convert("P")  # not quantized: from L, values stay indices
    image.putpalette(palette.ravel().tolist())
    with atomically(path) as partial:
        image.save(partial, **options)
