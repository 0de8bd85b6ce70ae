"""A model's card: how to use it, inside the `.keras` file that people copy."""

import dataclasses
from pathlib import Path

from unet_tf.data.labels import Labels
from unet_tf.data.ranges import RANGE, known_range
from unet_tf.files import UserError, add_to_zip, in_zip

NAME = "unet_tf_card.json"  # of the file in the zip that a `.keras` file is
SCALING = "divided by 255"  # what happens to 8-bit pixels before they reach the model


@dataclasses.dataclass(frozen=True)
class Card:
    """How images reach a model, and what its answers mean.

    Attributes
    ----------
    labels : Labels
        What the answers mean: names, colours, and whether they are one foreground's probability.
    image_size : (height, width), None, or float
        To which images are resized; None, or "native": they keep their own size; a float: this
        share of their own height and width.
    resize : "area" or "nearest"
    threshold : float in [0, 1]
        Of the foreground's probability, where there is one foreground.
    trained_on : dict
        What it was trained on, ready for JSON: recipe, data, images, seed, versions; and `seen`,
        the images of each part (`unet_tf.data.digests`).
    value_range : (low, high), optional
        What becomes black and white in images of more than 8 bits (`unet_tf.data.to_rgb`).

    Raises
    ------
    UserError
        For a size, a way to resize, a threshold or a range that is none.
    """

    labels: Labels
    image_size: tuple | float | None
    resize: str = "area"
    threshold: float = 0.5
    trained_on: dict = dataclasses.field(default_factory=dict)
    value_range: tuple | None = None

    def __post_init__(self):
        object.__setattr__(self, "image_size", size_given(self.image_size))
        if self.resize not in ("area", "nearest"):
            raise UserError(f'resize is "area" or "nearest", not {self.resize!r}')
        if self.value_range is not None:
            if not known_range(self.value_range):
                raise UserError(f"value_range is {self.value_range!r}, but has to be {RANGE}")
            object.__setattr__(self, "value_range", tuple(self.value_range))
        if not 0 <= self.threshold <= 1:
            raise UserError(f"threshold is a number from 0 to 1, not {self.threshold!r}")

    def write(self, path):
        """Put the card into a `.keras` file."""
        add_to_zip(path, NAME, self.record())

    def record(self):
        """The card as a dict, ready for JSON."""
        task = "binary" if self.labels.binary else "classes"
        record = {"task": task, "scaling": SCALING, **dataclasses.asdict(self)}
        if self.value_range is None:
            del record["value_range"]  # which earlier versions do not know
        return record | {"labels": self.labels._asdict()}

    @classmethod
    def read(cls, path):
        """The card in a `.keras` file, or None in one that was saved without.

        Raises
        ------
        UserError
            For a damaged file, and for a card of a later version that asks for what this one does
            not know.
        """
        record = in_zip(path, NAME)
        if record is None:
            return None
        try:
            record.pop("task")
            if record.pop("scaling") != SCALING:
                raise ValueError("images are scaled in a way that this version does not know")
            return cls(**record | {"labels": Labels.of_record(record["labels"])})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = Path(path).name
            raise UserError(f"{name}: its card cannot be read ({error}): update unet_tf") from None


def size_given(size):
    """(height, width) as two whole numbers, a share as it is, None for "native" and None; else a
    UserError."""
    if size is None or (isinstance(size, str) and size == "native"):
        return None
    if isinstance(size, float) and 0 < size <= 1:
        return size
    try:
        height, width = map(int, size)
        if min(height, width) < 1 or [height, width] != list(size):
            raise ValueError
    except (TypeError, ValueError):
        raise UserError(
            f'image_size is (height, width), "native", or a share of that, not {size!r}'
        ) from None
    return height, width
