"""Carvana's encoding of masks: run lengths, written and read.

A mask is "start length start length ...": pixels count from 1, row by row from the top left, and
an empty mask is an empty string
(https://www.kaggle.com/c/carvana-image-masking-challenge/overview/evaluation).
"""

import contextlib
import gzip
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from unet_tf.files import UserError

HEADER = "img,rle_mask\n"


def encode(mask):
    """The run lengths of a mask `(H, W)`; any number but 0 is car."""
    # A zero at either end: a run that touches the image's edge starts and ends there too.
    flat = np.concatenate([[False], np.asarray(mask).ravel() != 0, [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges[1::2] -= edges[::2]
    return " ".join(map(str, edges.tolist()))


def decode(text, size):
    """The mask, uint8 `(height, width)` in {0, 1}, of run lengths.

    Parameters
    ----------
    text : str
    size : (height, width)

    Raises
    ------
    ValueError
        For what is no list of pairs of numbers, an empty or overlapping run, and one that leaves
        the image.
    """
    try:
        numbers = np.array(text.split(), dtype="int64")
    except (ValueError, OverflowError):
        raise UserError(f"run lengths are numbers with spaces between, not {text[:40]!r}") from None
    height, width = size
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    if len(starts) != len(lengths):
        raise UserError(f"{len(numbers)} numbers: run lengths are pairs of start and length")
    ends = starts + lengths
    if (lengths < 1).any() or (ends < starts).any() or (starts[1:] < ends[:-1]).any():
        raise UserError("run lengths must be in order, of 1 or more, and must not overlap")
    if len(starts) and (starts[0] < 0 or max(starts[-1], ends[-1]) > height * width):
        raise UserError(
            f"run lengths from pixel {starts[0] + 1} to {ends[-1]} leave an image of "
            f"{height}x{width}, whose pixels are 1 to {height * width}: is it of another size?"
        )
    steps = np.zeros(height * width + 1, "int8")  # +1 where a run starts, -1 behind its end
    steps[starts] += 1
    steps[ends] -= 1
    return np.cumsum(steps[:-1], dtype="int8").astype("uint8").reshape(height, width)


def read(path):
    """The rows of a file of masks, such as `train_masks.csv` or a submission: (name, run lengths),
    one after another. A `.gz` or `.zip` is read as it is.

    Raises
    ------
    ValueError
        Names the file that is damaged, or does not start with `img,rle_mask`.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            if path.suffix == ".zip":
                archive = stack.enter_context(zipfile.ZipFile(path))
                if not archive.namelist():
                    raise UserError("an empty zip: download it again")
                binary = stack.enter_context(archive.open(archive.namelist()[0]))
            else:
                opener = gzip.open if path.suffix == ".gz" else open
                binary = stack.enter_context(opener(path, "rb"))
            lines = io.TextIOWrapper(binary, encoding="utf-8")
            if next(lines, "") != HEADER:
                raise UserError(f"a file of run lengths starts with {HEADER.strip()}")
            for line in lines:
                name, _, text = line.rstrip("\n").partition(",")
                yield name, text
        except (ValueError, EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise UserError(f"{path}: cannot be read ({error})") from None
