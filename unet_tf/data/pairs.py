"""Pairs of an image and its mask; Carvana's layouts, as folders and zips."""

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from unet_tf import kaggle
from unet_tf.data.names import by_name
from unet_tf.files import UserError

LAYOUTS = (("train_hq", "train_masks"), ("train", "train_masks"), ("images", "masks"))
GIVEN = ("train", "val", "test")  # folders of given parts, each beside its `_labels`
UNLABELLED = ("test_hq", "test")
CARVANA = re.compile(r"([0-9a-f]{12})_\d\d")  # a name in the competition: car and view


class Pair(NamedTuple):
    """An image file and the file of its mask."""

    image: Path
    mask: Path


def layout(folder):
    """The layout of `folder`, such as `("train_hq", "train_masks")`, or None."""
    for names in LAYOUTS:
        if all((folder / name).is_dir() or (folder / f"{name}.zip").is_file() for name in names):
            return names
    return None


def given(folder):
    """The folder whose parts are given: `train` beside `train_labels`; `val` and `test`, each
    beside its own `_labels`, may be missing. That is `folder`, or `tiff` or `png` in it
    (Massachusetts Buildings), or None."""
    for place in (Path(folder), Path(folder) / "tiff", Path(folder) / "png"):
        if (place / "train").is_dir() and (place / "train_labels").is_dir():
            return place
    return None


def unzipped(folder, name):
    """The folder `name` in `folder`, extracted first from `name.zip` where that lies there.

    A zip in a read-only folder (Kaggle's input) is extracted below `./data`, each such folder to
    its own place. What was extracted whole is not touched again: a file that you mended stays.
    """
    archive = folder / f"{name}.zip"
    if not archive.is_file():
        return folder / name
    target = folder
    if not os.access(folder, os.W_OK):
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
        target = Path("data") / f"{folder.name}-{digest}"
    whole = target / f".{name}-extracted"
    stat = archive.stat()
    identity = f"{stat.st_size} {stat.st_mtime_ns}"
    if not ((target / name).is_dir() and whole.is_file() and whole.read_text() == identity):
        kaggle.extract(archive, target)
        whole.write_text(identity)
    return target / name


def names_of(images):
    """A name for each of these image files: its own; where two have one, but for the ending, all
    with the folders below the one that holds them all, `day1/7.png` and `day2/7.png`."""
    paths = list(map(Path, images))
    if len({path.stem for path in paths}) == len(paths):
        return [path.name for path in paths]
    top = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(top).as_posix() for path in paths]


def refuse(folder, problems):
    """Raise one ValueError that lists all `problems`, `{what: [file names]}`, if there are any."""
    found = {problem: cases for problem, cases in problems.items() if cases}
    if found:
        lines = [f"{folder}: mend or remove these files, then try again."]
        for problem, cases in found.items():
            more = f" and {len(cases) - 10} more" if len(cases) > 10 else ""
            lines.append(f"  {problem} ({len(cases)}): {'; '.join(cases[:10])}{more}")
        raise UserError("\n".join(lines))


def unlabelled(folder):
    """The images of `folder` that have no masks (`test_hq` or `test`), sorted by name."""
    folder = Path(folder)
    for name in UNLABELLED:
        if (folder / name).is_dir() or (folder / f"{name}.zip").is_file():
            return list(by_name(unzipped(folder, name), []).values())
    return []
