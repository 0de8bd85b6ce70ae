"""What a plan is made of: choices with their reasons, on a machine."""

from typing import NamedTuple


class Machine(NamedTuple):
    """What a training runs on: how large a step may be there."""

    whole: int  # pixels of a whole image, at most
    crop: int  # side of a crop, at most
    filters: int  # of the first level
    batch: int  # images of a step, at most


CPU, GPU = Machine(192 * 256, 128, 16, 16), Machine(512 * 768, 256, 32, 32)


class Choice(NamedTuple):
    """A setting of a recipe, what was found, and why the one follows from the other."""

    setting: str
    value: object
    found: str
    why: str


def by(size):
    return "x".join(map(str, size))
