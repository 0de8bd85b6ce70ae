"""The labels of a folder's masks: by its class table, by names, or by what the masks hold."""

import numpy as np
from PIL import Image

from unet_tf.data.images import open_image
from unet_tf.data.labels import Labels
from unet_tf.data.masks import VOID, as_keys, counted, drawn, is_grey, values_of
from unet_tf.data.tables import table_of
from unet_tf.files import UserError

MOST_CLASSES = 64  # that are taken from masks without a table: more values are no classes


def find_labels(folder, parts, names=None):
    """The `Labels` of a folder: of its class table; else by the names given; else by its masks.

    Parameters
    ----------
    folder : path
        The table lies in it.
    parts : unet_tf.data.Split
    names : sequence of str, optional
        By id; must be the table's where there is one.

    Raises
    ------
    UserError
        As `table_of` and `labels_of_masks`.
    """
    labels = table_of(folder, names)
    masks = [mask for part in parts for _, mask in part]
    return with_greys(labels, grey_values(masks)) if labels else labels_of_masks(masks, names)


def with_greys(labels, masks):
    """The labels, told whether the grey masks of a folder hold greys of the table, or ids.

    Greys, as long as all values are the table's and one of them is no id: 0 and 255 under a table
    with black and white. One answer for a whole folder: an all-black mask alone could be either.
    `masks` gives the values in each grey mask, and is asked for no more of them than it takes.
    """
    table = [*(labels.colours or ()), *([labels.void] if labels.void else [])]
    greys = {colour[0] for colour in table if len(set(colour)) == 1}
    if all(grey < len(labels.names) for grey in greys):
        return labels  # none that could not be an id
    seen = False
    for values in masks:
        seen = True
        if not set(values) <= greys:
            return labels
        if max(values) >= len(labels.names):
            break
    return labels._replace(greys=seen)


def grey_values(paths):
    """The values of each grey mask, one after another, read as they are asked for."""
    for path in paths:
        with Image.open(path) as image:
            grey = is_grey(image)
        if grey:
            yield np.unique(values_of(path)).tolist()


def labels_of_masks(paths, names=None):
    """`labels_of_values` of what these mask files hold; a UserError names the file at which they
    are of several kinds, or of too many values for classes."""
    found, kinds = set(), set()
    for path in paths:
        values, _ = counted(drawn(open_image(path), path))
        kind = "colours" if values.ndim == 2 else "values"
        kinds.add(kind)
        if len(kinds) > 1:
            raise UserError(f"{path}: some masks are coloured, others not: give them one kind")
        found |= set(as_keys(values))
        if len(found) > MOST_CLASSES + 1:
            raise UserError(
                f"{path}: more than {MOST_CLASSES} {kind} so far: "
                "masks with soft edges, or saved as JPEG, hold no classes. Save them as PNG, "
                "without smoothing, or give a class table"
            )
    return labels_of_values(sorted(found), names)


def labels_of_values(values, names=None):
    """`Labels` for masks without a table: by the given names, or by the values in the masks.

    Black and white masks (0 and 255) are background and foreground. Ids up to the largest one are
    classes "0", "1" and so on. Of coloured masks each colour is a class, named like "#ff0000", by
    rising value, so black comes first.

    Parameters
    ----------
    values : list of int, or of (r, g, b), all that occur, sorted
    names : sequence of str, optional, one a class, by id

    Raises
    ------
    UserError
        For ids that no class table could number, and for names that do not fit.
    """
    if values and isinstance(values[0], tuple):
        own, colours = tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in values), values
    elif values == [0, VOID]:
        if names is not None and len(names) != 2:
            what = f"masks hold 0 and 255 alone, for {len(names)} classes"
            raise UserError(f"{what}: save the ids 0, 1, 2 and so on")
        own, colours = ("background", "foreground"), ((0, 0, 0), (255, 255, 255))
    else:
        largest = max([value for value in values if value != VOID], default=0)
        if largest >= MOST_CLASSES:
            raise UserError(
                f"masks hold the value {largest}: ids go from 0 to {MOST_CLASSES - 1} where no "
                "table names the classes. Renumber them, or write a class table"
            )
        return Labels(tuple(names or map(str, range(largest + 1))))
    if names is not None and len(names) != len(own):
        raise UserError(f"{len(names)} names for {len(own)} colours: {', '.join(own)}")
    return Labels(tuple(names or own), tuple(colours), greys=values == [0, VOID])
