"""Class tables: name and colour of each class, as a CSV file in the folder."""

import csv
import io
from pathlib import Path

import numpy as np

from unet_tf.data.labels import Labels
from unet_tf.data.masks import VOID
from unet_tf.files import UserError, write_text

VOID_NAMES = ("void", "ignore", "unlabelled", "unlabeled")
TABLES = ("label_class_dict.csv", "class_dict.csv", "classes.csv")


def read_table(path):
    """The `Labels` of a CSV file with the columns name, r, g, b; a UserError names the file, and
    the row that is wrong."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8: save it so, or write plain letters") from None
    rows = [
        {str(key).strip().lower(): value for key, value in row.items()}
        for row in csv.DictReader(lines)
    ]
    known = {}  # name -> colour
    for number, row in enumerate(rows, start=2):
        try:
            name, colour = row["name"].strip(), tuple(int(row[channel]) for channel in "rgb")
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError(
                f"{path}, line {number}: expected the columns name,r,g,b, such as road,128,64,128"
            ) from None
        if min(colour) < 0 or max(colour) > 255:
            raise UserError(f"{path}, line {number}: {colour} is no colour: 0 to 255 each")
        name = "void" if name.lower() in VOID_NAMES else name
        if colour in known.values() or name in known:
            raise UserError(f"{path}, line {number}: {name} {colour} is there twice: remove one")
        known[name] = colour
    void = known.pop("void", None)
    if not 2 <= len(known) < VOID:
        raise UserError(f"{path}: {len(known)} classes; expected 2 to {VOID - 1}, a row each")
    return Labels(tuple(known), tuple(known.values()), void)


def write_table(path, labels):
    """Write a class table that `read_table` reads; classes without colours get the palette's."""
    palette = palette_of(labels).tolist()
    rows = [[name, *colour] for name, colour in zip(labels.names, palette, strict=False)]
    if palette[VOID] not in [colour for _, *colour in rows]:
        rows.append(["void", *palette[VOID]])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["name", "r", "g", "b"], *rows])
    write_text(Path(path), text.getvalue())


def table_of(folder, names=None):
    """The class table that lies in `folder`, or in or beside `tiff` or `png` there; or None.
    Raises as `read_table`; and where `names` are given and the table has others."""
    folder = Path(folder)
    beside = [folder.parent] if folder.name in ("tiff", "png") else []
    places = [folder, folder / "tiff", folder / "png", *beside]
    paths = [place / name for place in places for name in TABLES]
    table = next((read_table(path) for path in paths if path.is_file()), None)
    if table and names is not None and tuple(names) != table.names:
        own = ", ".join(table.names)
        raise UserError(f"{folder}: its table names the classes {own}: use these")
    return table


def palette_of(labels):
    """RGB of each possible value of a mask of ids, uint8 `(256, 3)`: the classes' own colours, or
    PASCAL VOC's, in which void is a light beige."""
    # PASCAL VOC: the bits of an id, spread over the three channels.
    ids, bits = np.arange(256)[:, None, None], np.arange(8)
    spread = ids >> (3 * bits + np.arange(3)[:, None]) & 1
    palette = (spread << (7 - bits)).sum(axis=-1).astype("uint8")
    if labels.colours:
        palette[: len(labels.colours)] = labels.colours
    if labels.void:
        palette[VOID] = labels.void
    return palette
