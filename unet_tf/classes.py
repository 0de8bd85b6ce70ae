"""Masks of many classes: class tables, and ids from grey, palette and coloured masks.

A mask becomes class ids, uint8 `(H, W)`: 0 to the number of classes - 1, and `VOID` for pixels that
neither train nor score. A table (`label_class_dict.csv`, `class_dict.csv` or `classes.csv` with the
columns name, r, g, b) gives each class its colour; its rows in order are the ids, and a row called
void, ignore or unlabelled gives the colour of `VOID`.
"""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from unet_tf.files import atomically, write_text
from unet_tf.pipeline import open_image

VOID = 255
VOID_NAMES = ("void", "ignore", "unlabelled", "unlabeled")
TABLES = ("label_class_dict.csv", "class_dict.csv", "classes.csv")
MOST = 64  # classes that are taken from masks without a table: more are no classes


class Classes(NamedTuple):
    """Names of the classes by id; and, where masks are coloured, their colours `(r, g, b)`."""

    names: tuple
    colours: tuple | None = None
    void: tuple | None = None  # the colour of void
    greys: bool = False  # grey masks hold greys of the table, not ids (`with_greys`)

    def read(self, path):
        """`read_ids(path, self)`: what `unet_tf.pipeline.dataset` takes as `read`."""
        return read_ids(path, self)


def read_table(path):
    """The `Classes` of a CSV file with the columns name, r, g, b.

    Raises
    ------
    ValueError
        Names the file, and the row that is wrong.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8: save it so, or write plain letters") from None
    rows = [
        {str(key).strip().lower(): value for key, value in row.items()}
        for row in csv.DictReader(lines)
    ]
    known = {}  # name -> colour
    for number, row in enumerate(rows, start=2):
        try:
            name, colour = row["name"].strip(), tuple(int(row[channel]) for channel in "rgb")
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError(
                f"{path}, line {number}: expected the columns name,r,g,b, such as road,128,64,128"
            ) from None
        if min(colour) < 0 or max(colour) > 255:
            raise ValueError(f"{path}, line {number}: {colour} is no colour: 0 to 255 each")
        name = "void" if name.lower() in VOID_NAMES else name
        if colour in known.values() or name in known:
            raise ValueError(f"{path}, line {number}: {name} {colour} is there twice: remove one")
        known[name] = colour
    void = known.pop("void", None)
    if not 2 <= len(known) < VOID:
        raise ValueError(f"{path}: {len(known)} classes; expected 2 to {VOID - 1}, a row each")
    return Classes(tuple(known), tuple(known.values()), void)


def write_table(path, classes):
    """Write a class table that `read_table` reads; classes without colours get the palette's."""
    palette = palette_of(classes).tolist()
    rows = [[name, *colour] for name, colour in zip(classes.names, palette, strict=False)]
    if palette[VOID] not in [colour for _, *colour in rows]:
        rows.append(["void", *palette[VOID]])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["name", "r", "g", "b"], *rows])
    write_text(Path(path), text.getvalue())


def table_of(folder):
    """The class table that lies in `folder`, or in or beside `tiff` or `png` there; or None."""
    folder = Path(folder)
    beside = [folder.parent] if folder.name in ("tiff", "png") else []
    places = [folder, folder / "tiff", folder / "png", *beside]
    paths = [place / name for place in places for name in TABLES]
    return next((read_table(path) for path in paths if path.is_file()), None)


def palette_of(classes):
    """RGB of each possible value of a mask of ids, uint8 `(256, 3)`: the classes' own colours, or
    PASCAL VOC's, in which void is a light beige."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), "uint8")
    for bit in range(8):  # PASCAL VOC: the bits of an id, spread over the three channels
        for channel in range(3):
            palette[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype("uint8")
    if classes.colours:
        palette[: len(classes.colours)] = classes.colours
    if classes.void:
        palette[VOID] = classes.void
    return palette


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


def with_greys(classes, masks):
    """The classes, told whether the grey masks of a folder hold greys of the table, or ids.

    Greys, as long as all values are the table's and one of them is no id: 0 and 255 under a table
    with black and white. One answer for a whole folder: an all-black mask alone could be either.

    Parameters
    ----------
    classes : Classes
    masks : iterable of collections of int
        The values in each grey mask; no more of them are asked for than it takes.
    """
    table = [*(classes.colours or ()), *([classes.void] if classes.void else [])]
    greys = {colour[0] for colour in table if len(set(colour)) == 1}
    if all(grey < len(classes.names) for grey in greys):
        return classes  # none that could not be an id
    seen = False
    for own in masks:
        seen = True
        if not set(own) <= greys:
            return classes
        if any(value >= len(classes.names) for value in own):
            break
    return classes._replace(greys=seen)


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


def read_ids(path, classes):
    """A mask file as class ids, uint8 `(H, W)`, `VOID` where nothing counts.

    Raises
    ------
    ValueError
        Names the file when it cannot be decoded or holds values or colours of no class; these with
        their number of pixels and the class whose colour is nearest.
    """
    values = values_of(path, classes.greys)
    ids, unknown = ids_of(values, classes)
    if unknown.any():
        found = unknown_of(values, unknown, classes)
        shown = "; ".join(
            f"{what} ({count} pixels{f', nearest: {nearest}' if nearest else ''})"
            for what, count, nearest in found[:3]
        )
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise ValueError(
            f"{path}: {unknown.sum()} pixels are of none of the {len(classes.names)} classes: "
            f"{shown}{more}. Mend the mask, or the class table; `python -m unet_tf check` looks at "
            "all masks"
        )
    return ids


def from_masks(paths, names=None):
    """`Classes` for masks without a table: by the given names, or by what the masks hold.

    Black and white masks (0 and 255) are background and foreground. Ids up to the largest one found
    are classes "0", "1" and so on. Of coloured masks each colour is a class, named like "#ff0000",
    by rising value, so black comes first.

    Parameters
    ----------
    paths : sequence of path
    names : sequence of str, optional
        One a class, by id.

    Raises
    ------
    ValueError
        For masks of several kinds, and for more values than can be classes.
    """
    found, coloured = set(), None
    for path in paths:
        values = values_of(path)
        if coloured not in (None, values.ndim == 3):
            raise ValueError(f"{path}: some masks are coloured, others not: give them one kind")
        coloured = values.ndim == 3
        found |= set(np.unique(packed(values) if coloured else values).tolist())
        if len(found) > MOST + 1:
            raise ValueError(
                f"{path}: more than {MOST} {'colours' if coloured else 'values'} so far: masks "
                "with soft edges, or saved as JPEG, hold no classes. Save them as PNG, without "
                "smoothing, or give a class table"
            )
    values = sorted(found)
    largest = max([value for value in values if value != VOID], default=0)
    if not coloured and largest >= MOST:
        raise ValueError(
            f"masks hold the value {largest}: ids go from 0 to {MOST - 1} where no table names the "
            "classes. Renumber them, or write a class table"
        )
    if values == [0, VOID] and names is not None and len(names) != 2:
        raise ValueError(
            f"masks hold 0 and 255 alone, for {len(names)} classes: save the ids 0, 1, 2 and so on"
        )
    if coloured:
        colours = tuple((code >> 16, code >> 8 & 255, code & 255) for code in values)
        own = tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in colours)
    elif values == [0, VOID]:
        own, colours = ("background", "foreground"), ((0, 0, 0), (255, 255, 255))
    else:
        own = tuple(map(str, range(largest + 1)))
        colours = None
    if names is not None and colours and len(names) != len(own):
        raise ValueError(f"{len(names)} names for {len(own)} colours: {', '.join(own)}")
    return Classes(tuple(names or own), colours, greys=bool(colours) and not coloured)


def of(folder, parts, names=None):
    """The `Classes` of a folder: of its class table; else by the names given; else by its masks.

    Parameters
    ----------
    folder : path
        The table lies in it.
    parts : unet_tf.data.Split
    names : sequence of str, optional
        By id; must be the table's where there is one.

    Raises
    ------
    ValueError
        As `read_table` and `from_masks`; and for names other than the table's.
    """
    found = agreed_table(folder, names)
    masks = [mask for part in parts for _, mask in part]
    if found is None:
        return from_masks(masks, names)
    return with_greys(found, grey_values(masks))


def agreed_table(folder, names=None):
    """`table_of(folder)`; ValueError where names are given and the table has others."""
    table = table_of(folder)
    if table and names is not None and tuple(names) != table.names:
        raise ValueError(
            f"{folder}: its table names the classes {', '.join(table.names)}: use these"
        )
    return table


def grey_values(paths):
    """The values of each grey mask, one after another, read as they are asked for."""
    for path in paths:
        with Image.open(path) as image:
            grey = is_grey(image)
        if grey:
            yield set(np.unique(values_of(path)).tolist())


def save_ids(path, ids, palette):
    """Class ids, uint8 `(H, W)`, as a palette PNG: viewers show colours, readers get the ids."""
    image = Image.fromarray(ids).convert("P")  # not quantized: from L, values stay indices
    image.putpalette(palette.ravel().tolist())
    with atomically(path) as partial:
        image.save(partial)
