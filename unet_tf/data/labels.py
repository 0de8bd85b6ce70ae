"""What the values of a mask mean: one path for one foreground and for many classes."""

from typing import NamedTuple

import numpy as np

from unet_tf.data.images import ids_at, resized_back
from unet_tf.data.masks import as_keys, ids_of, nearest, read_mask, values_of
from unet_tf.files import UserError


class Labels(NamedTuple):
    """Names of the classes by id; and, where masks are coloured, their colours `(r, g, b)`.

    Black and white masks are the case of one foreground (`foreground`): a model then has one
    channel, a sigmoid's probability of it, and a mask holds 0 and 1. Else a model has a channel a
    class, a softmax, and a mask holds class ids.
    """

    names: tuple
    colours: tuple | None = None
    void: tuple | None = None  # the colour of void
    greys: bool = False  # grey masks hold greys of the table, not ids (`with_greys`)
    binary: bool = False

    @classmethod
    def foreground(cls, name="foreground"):
        """The labels of black and white masks."""
        return cls(("background", name), ((0, 0, 0), (255, 255, 255)), binary=True)

    @classmethod
    def of_record(cls, record):
        """The labels of what JSON made of `_asdict()`."""
        names, colours, void = (record[name] for name in ("names", "colours", "void"))
        colours, void = colours and tuple(map(tuple, colours)), void and tuple(void)
        return cls(**dict(record, names=tuple(names), colours=colours, void=void))

    @property
    def channels(self):
        """How many a model's head has."""
        return 1 if self.binary else len(self.names)

    def read(self, path):
        """A mask file as uint8 `(H, W)`: {0, 1}, or class ids (`read_mask`, `read_ids`)."""
        return read_mask(path) if self.binary else read_ids(path, self)

    def decide(self, probability, size, threshold=0.5):
        """The mask that a model's answer means, at `size`.

        Parameters
        ----------
        probability : float32 `(h, w)` or `(h, w, 1)` of a foreground; `(h, w, C)` of C classes
        size : (height, width)
            The probabilities are resized to it, bilinearly, before anything is decided.
        threshold : float
            A pixel is foreground from this probability on.

        Returns
        -------
        uint8 array `size`: {0, 1}, or class ids
        """
        if not self.binary:
            return ids_at(probability, size)
        return (resized_back(np.squeeze(probability), size) >= threshold).astype("uint8")


def read_ids(path, labels):
    """A mask file as class ids, uint8 `(H, W)`, `VOID` where nothing counts.

    A UserError names the file when it cannot be decoded or holds values or colours of no class;
    these with their number of pixels and the class whose colour is nearest.
    """
    values = values_of(path, labels.greys)
    ids, unknown = ids_of(values, labels)
    if unknown.any():
        strange, counts = np.unique(values[unknown], axis=0, return_counts=True)
        cases = []
        for index in np.argsort(-counts, kind="stable")[:3]:
            (value,) = as_keys(strange[index : index + 1])
            near = f", nearest: {nearest(value, labels)}" if labels.colours else ""
            cases.append(f"{value} ({counts[index]} pixels{near})")
        more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
        raise UserError(
            f"{path}: {unknown.sum()} pixels are of none of the {len(labels.names)} classes: "
            f"{'; '.join(cases)}{more}. Mend the mask, or the class table; `python -m unet_tf "
            "check` looks at all masks"
        )
    return ids
