"""Files: find the data, pair images with masks by name, check them, split them.

A folder of data holds `train_hq` and `train_masks` (Carvana), `train` and `train_masks`, or
`images` and `masks`, each a folder or a zip of that name. In Carvana's names, such as
`0cdf5b5d0ce1_04.jpg` and `0cdf5b5d0ce1_04_mask.gif`, the 12 hex digits are the car and 01 to 16
the view.
"""

import hashlib
import math
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from unet_tf import carvana, toy

LAYOUTS = (("train_hq", "train_masks"), ("train", "train_masks"), ("images", "masks"))
UNLABELLED = ("test_hq", "test")
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif"}
# The last bytes of a whole file: a truncated one has others.
ENDINGS = {"JPEG": b"\xff\xd9", "GIF": b"\x3b", "PNG": b"IEND\xaeB`\x82"}


class Pair(NamedTuple):
    """An image file and the file of its mask."""

    image: Path
    mask: Path


class Split(NamedTuple):
    """Lists of `Pair`; `test` is empty unless it was asked for."""

    train: list
    validation: list
    test: list


def layout(folder):
    """The layout of `folder`, such as `("train_hq", "train_masks")`, or None."""
    for names in LAYOUTS:
        if all((folder / name).is_dir() or (folder / f"{name}.zip").is_file() for name in names):
            return names
    return None


def find(data=None):
    """The folder to work on; prints one line that says which data it is.

    Looks in the argument, `$UNET_DATA`, Kaggle's `/kaggle/input`, Colab's `/content`, `./data`,
    and last renders the embedded data (`unet_tf.toy`).

    Parameters
    ----------
    data : path, optional

    Returns
    -------
    Path
        A folder in one of the `LAYOUTS`.

    Raises
    ------
    ValueError
        When the argument or `$UNET_DATA` names a folder without images and masks.
    """
    asked = data or os.environ.get("UNET_DATA")
    if asked:
        folder = Path(asked).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{folder}: there is no such folder. Give one that is there.")
        if layout(folder) is None:
            wanted = ", ".join(f"{images} + {masks}" for images, masks in LAYOUTS)
            raise ValueError(
                f"{folder}: no images and masks in this folder. Expected one of: {wanted}, "
                "as folders or zips. Give the folder that holds them, or leave it out to work on "
                "rendered data."
            )
    else:
        content, local = Path("/content"), Path("data")
        places = (
            carvana.mounted(),
            content,
            content / "data",
            content / "data/carvana",
            local,
            local / "carvana",
            *(Path("..") / local / place for place in (".", "carvana")),  # seen from notebooks/
        )
        folder = next((place for place in places if place and layout(place)), None)
        if folder is None:
            folder = toy.write()
    what = "the rendered car studio, no photographs" if toy.is_rendered(folder) else folder
    print(f"Data: {what}")
    return folder


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
        carvana.extract(archive, target)
        whole.write_text(identity)
    return target / name


def files_by_stem(folder, problems):
    """`{stem: path}` of the image files in `folder`; a stem met twice goes into `problems`."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        stem = path.stem.removesuffix("_mask")
        if stem in files:
            problems["the same name twice"].append(f"{files[stem].name} and {path.name}")
        files[stem] = path
    return files


def size_of(path):
    """(height, width) of an image file, in pixels, from its header.

    Raises
    ------
    ValueError
        For a file that is empty, truncated, or no image.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            width, height = image.size
            ending = ENDINGS.get(image.format, b"")
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 64))
            tail = file.read()
    except UnidentifiedImageError:
        raise ValueError(f"{path.name}: not an image (JPEG, PNG or GIF)") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path.name}: cannot be read ({error})") from None
    # A GIF ends in a single byte, which may stand anywhere: it has to be the last.
    if not (tail.rstrip(b"\0").endswith(ending) if len(ending) == 1 else ending in tail):
        raise ValueError(f"{path.name}: the file is truncated")
    return height, width


def refuse(folder, problems):
    """Raise one ValueError that lists all `problems`, `{what: [file names]}`, if there are any."""
    found = {problem: cases for problem, cases in problems.items() if cases}
    if found:
        lines = [f"{folder}: mend or remove these files, then try again."]
        for problem, cases in found.items():
            more = f" and {len(cases) - 10} more" if len(cases) > 10 else ""
            lines.append(f"  {problem} ({len(cases)}): {'; '.join(cases[:10])}{more}")
        raise ValueError("\n".join(lines))


def pair(folder):
    """The pairs of `folder`, by name, sorted by name, each checked.

    Parameters
    ----------
    folder : path
        In one of the `LAYOUTS`; zips are extracted first.

    Returns
    -------
    list of Pair

    Raises
    ------
    ValueError
        One error for all that is wrong: images without a mask and masks without an image, names
        that occur twice, unreadable and truncated files, masks of another size than their image.
    """
    folder = Path(folder)
    names = layout(folder)
    if names is None:
        find(folder)  # raises, and says what was expected
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
        raise ValueError(f"{folder}: {names[0]} and {names[1]} hold no images. Fill them first.")
    return pairs


def unlabelled(folder):
    """The images of `folder` that have no masks (`test_hq` or `test`), sorted by name."""
    folder = Path(folder)
    for name in UNLABELLED:
        if (folder / name).is_dir() or (folder / f"{name}.zip").is_file():
            return list(files_by_stem(unzipped(folder, name), defaultdict(list)).values())
    return []


def car_of(path):
    """The car of a Carvana file name, its 12 hex digits; any other name is a group of its own."""
    stem = Path(path).stem.removesuffix("_mask")
    match = re.fullmatch(r"([0-9a-f]{12})_\d\d", stem)
    return match[1] if match else stem


def divide(pairs, by, count, seed):
    """(rest, part): the part holds `count` cars (by "car") or images (by "image")."""
    if not count:
        return pairs, []
    if by == "image":
        return train_test_split(pairs, test_size=count, random_state=seed)
    cars = [car_of(image) for image, _ in pairs]
    splitter = GroupShuffleSplit(n_splits=1, test_size=count, random_state=seed)
    rest, part = next(splitter.split(pairs, groups=cars))
    return [pairs[i] for i in rest], [pairs[i] for i in part]


def split(pairs, by="car", validation_size=0.2, test_size=0.0, seed=42):
    """Training, validation and test parts; prints the counts and the cars on both sides.

    Parameters
    ----------
    pairs : list of Pair
    by : "car" or "image"
        By car (scikit-learn's `GroupShuffleSplit`) no car stands on both sides. By image
        (`train_test_split`) is the article's way: the views of one car fall on both sides.
    validation_size, test_size : float
        Shares of the whole, in [0, 1): of the cars, or of the images.
    seed : int
        scikit-learn's `random_state`.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        For an unknown `by`, or too few cars or images for the shares.
    """
    if by not in ("car", "image"):
        raise ValueError(f'a split is by "car" or by "image", not by {by!r}')

    cars = {car_of(image) for image, _ in pairs}
    # Counts, rounded up as scikit-learn does: a share of a rest would be off by rounding.
    whole = len(cars) if by == "car" else len(pairs)
    counts = [math.ceil(round(share * whole, 6)) for share in (test_size, validation_size)]
    try:
        rest, test = divide(list(pairs), by, counts[0], seed)
        train, validation = divide(rest, by, counts[1], seed)
    except ValueError as error:
        raise ValueError(
            f"{len(pairs)} images of {len(cars)} cars cannot be split by {by} into shares of "
            f"{validation_size} for validation and {test_size} for test: {error}"
        ) from None
    parts = Split(train, validation, test)
    print(f"Split by {by}: {described(parts)}")
    return parts


def described(parts):
    """The counts of a `Split`, and the number of cars that stand in more than one part."""
    cars = [{car_of(image) for image, _ in part} for part in parts]
    shared = (cars[0] & cars[1]) | (cars[0] & cars[2]) | (cars[1] & cars[2])
    counts = [
        f"{len(part)} {name} ({len(own)} cars)"
        for name, part, own in zip(Split._fields, parts, cars, strict=True)
        if part
    ]
    return f"{', '.join(counts)}; cars on both sides: {len(shared)}"
