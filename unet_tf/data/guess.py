"""The classes of masks: by a table, by names, or by what the masks hold."""

import numpy as np
from PIL import Image

from unet_tf.data.labels import Labels
from unet_tf.data.tables import agreed_table
from unet_tf.data.values import VOID, is_grey, packed, values_of
from unet_tf.files import UserError

MOST = 64  # classes that are taken from masks without a table: more are no classes


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
            raise UserError(f"{path}: some masks are coloured, others not: give them one kind")
        coloured = values.ndim == 3
        found |= set(np.unique(packed(values) if coloured else values).tolist())
        if len(found) > MOST + 1:
            raise UserError(
                f"{path}: more than {MOST} {'colours' if coloured else 'values'} so far: masks "
                "with soft edges, or saved as JPEG, hold no classes. Save them as PNG, without "
                "smoothing, or give a class table"
            )
    values = sorted(found)
    largest = max([value for value in values if value != VOID], default=0)
    if not coloured and largest >= MOST:
        raise UserError(
            f"masks hold the value {largest}: ids go from 0 to {MOST - 1} where no table names the "
            "classes. Renumber them, or write a class table"
        )
    if values == [0, VOID] and names is not None and len(names) != 2:
        raise UserError(
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
        raise UserError(f"{len(names)} names for {len(own)} colours: {', '.join(own)}")
    return Labels(tuple(names or own), colours, greys=bool(colours) and not coloured)


def find_labels(folder, parts, names=None):
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


def grey_values(paths):
    """The values of each grey mask, one after another, read as they are asked for."""
    for path in paths:
        with Image.open(path) as image:
            grey = is_grey(image)
        if grey:
            yield set(np.unique(values_of(path)).tolist())
