"""Pairs of an image and its mask, by name: the layouts of a folder, and what is wrong in it."""

import hashlib
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from unet_tf import kaggle
from unet_tf.data.images import SUFFIXES, size_of
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


def part_folders(folder):
    """Where the pairs of a folder lie: `(place, {part: (images, masks)})`, names within `place`.

    The parts are those of `GIVEN` that have masks, where they are `given`; else there is one,
    "all", and its names may be those of zips (`unzipped`).

    Raises
    ------
    UserError
        There is no such folder, or it is in none of the layouts.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder. Give one that is there.")
    place, names = given(folder), layout(folder)
    if place is not None:
        parts = [part for part in GIVEN[1:] if any((place / f"{part}_labels").glob("*"))]
        return place, {part: (part, f"{part}_labels") for part in ("train", *parts)}
    if names is None:
        raise without_pairs(folder)
    return folder, {"all": names}


def without_pairs(folder):
    """The UserError for a folder that is in none of the layouts."""
    wanted = ", ".join(f"{images} + {masks}" for images, masks in LAYOUTS)
    return UserError(
        f"{folder}: no images and masks in this folder. Expected one of: {wanted}, as folders or "
        "zips; or train + train_labels, with or without val + val_labels and test + test_labels. "
        "Give the folder that holds them."
    )


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


def files_by_stem(folder, problems):
    """`{stem: path}` of the image files in `folder`; a stem met twice goes into `problems`."""
    files = {}
    for path in sorted(folder.glob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        stem = path.stem.removesuffix("_mask")
        if stem in files:
            problems["the same name twice"].append(f"{files[stem].name} and {path.name}")
        files[stem] = path
    return files


def refuse(folder, problems):
    """Raise one ValueError that lists all `problems`, `{what: [file names]}`, if there are any."""
    found = {problem: cases for problem, cases in problems.items() if cases}
    if found:
        lines = [f"{folder}: mend or remove these files, then try again."]
        for problem, cases in found.items():
            more = f" and {len(cases) - 10} more" if len(cases) > 10 else ""
            lines.append(f"  {problem} ({len(cases)}): {'; '.join(cases[:10])}{more}")
        raise UserError("\n".join(lines))


def pair(folder):
    """The pairs of `folder`, by name, sorted by name, each checked.

    Parameters
    ----------
    folder : path
        In one of the `LAYOUTS`; zips are extracted first. Or with given parts (`given`): then the
        pairs of all parts, training first, then validation, then test; `parts` keeps them apart.

    Returns
    -------
    list of Pair

    Raises
    ------
    UserError
        One error for all that is wrong: images without a mask and masks without an image, names
        that occur twice, unreadable and truncated files, masks of another size than their image.
    """
    place, parts = part_folders(folder)
    return [found for names in parts.values() for found in paired(place, names)]


def paired(folder, names):
    """The checked pairs of two folders, or zips, in `folder`: (images, masks). See `pair`."""
    problems = defaultdict(list)
    images, masks = (files_by_stem(unzipped(folder, name), problems) for name in names)
    problems["images without a mask"] += [images[s].name for s in images if s not in masks]
    problems["masks without an image"] += [masks[s].name for s in masks if s not in images]
    pairs = [Pair(images[stem], masks[stem]) for stem in images if stem in masks]
    for image, mask in pairs:
        try:
            image_size, mask_size = size_of(image), size_of(mask)
        except ValueError as error:
            problems["unreadable"].append(str(error))
            continue
        if image_size != mask_size:
            problems["image and mask differ in size (height x width)"].append(
                f"{image.name} {'x'.join(map(str, image_size))}, "
                f"{mask.name} {'x'.join(map(str, mask_size))}"
            )
    refuse(folder, problems)
    if not pairs:
        raise UserError(f"{folder}: {names[0]} and {names[1]} hold no images. Fill them first.")
    return pairs


def unlabelled(folder):
    """The images of `folder` that have no masks (`test_hq` or `test`), sorted by name."""
    folder = Path(folder)
    for name in UNLABELLED:
        if (folder / name).is_dir() or (folder / f"{name}.zip").is_file():
            return list(files_by_stem(unzipped(folder, name), defaultdict(list)).values())
    return []
