"""What the values of a mask mean."""

from typing import NamedTuple

from unet_tf.data.values import ids_of, unknown_of, values_of


class Labels(NamedTuple):
    """Names of the classes by id; and, where masks are coloured, their colours `(r, g, b)`."""

    names: tuple
    colours: tuple | None = None
    void: tuple | None = None  # the colour of void
    greys: bool = False  # grey masks hold greys of the table, not ids (`with_greys`)

    def read(self, path):
        """`read_ids(path, self)`: what `unet_tf.pipeline.dataset` takes as `read`."""
        return read_ids(path, self)


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
