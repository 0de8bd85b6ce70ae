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
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from unet_tf import car_parts, carvana, massachusetts, town, toy

LAYOUTS = (("train_hq", "train_masks"), ("train", "train_masks"), ("images", "masks"))
GIVEN = ("train", "val", "test")  # folders of given parts, each beside its `_labels`
UNLABELLED = ("test_hq", "test")
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff"}
CARVANA = re.compile(r"([0-9a-f]{12})_\d\d")  # a name in the competition: car and view
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


def find(data=None, kind="cars"):
    """The folder to work on; prints one line that says which data it is.

    Looks in the argument, `$UNET_DATA`, Kaggle's `/kaggle/input`, Colab's `/content`, `./data`,
    and last renders the embedded data of that kind.

    Parameters
    ----------
    data : path, optional
    kind : "cars", "town" or "parts"
        Black and white masks of cars, as Carvana's (`unet_tf.toy`); aerial images of buildings, as
        Massachusetts Buildings (`unet_tf.town`); the parts of cars, many classes
        (`unet_tf.car_parts`). It decides where to look, and what to render.

    Returns
    -------
    Path
        A folder in one of the `LAYOUTS`, or with given parts (`given`).

    Raises
    ------
    ValueError
        When the argument or, for cars, `$UNET_DATA` names a folder without images and masks.
    """
    asked = data or (kind == "cars" and os.environ.get("UNET_DATA"))
    if asked:
        folder = Path(asked).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{folder}: there is no such folder. Give one that is there.")
        if layout(folder) is None and given(folder) is None:
            raise without_pairs(folder)
    else:
        folder = next(filter(None, found_by_itself(kind)), None)
        folder = folder or {"cars": toy, "town": town, "parts": car_parts}[kind].write()
    what = RENDERED[kind] if toy.is_rendered(folder) else folder
    print(f"Data: {what}")
    return folder


RENDERED = {
    "cars": "the rendered car studio, no photographs",
    "town": "the rendered town, no photographs",
    "parts": "the parts of rendered cars, no photographs",
}


def without_pairs(folder):
    """The ValueError for a folder that is in none of the layouts."""
    wanted = ", ".join(f"{images} + {masks}" for images, masks in LAYOUTS)
    return ValueError(
        f"{folder}: no images and masks in this folder. Expected one of: {wanted}, "
        "as folders or zips; or train + train_labels with val + val_labels. Give the "
        "folder that holds them, or leave it out to work on rendered data."
    )


def found_by_itself(kind):
    """Folders of that kind in the usual places, the likeliest first; None where nothing is."""
    content, local = Path("/content"), Path("data")
    if kind == "cars":
        places = (
            carvana.mounted(),
            content,
            content / "data",
            content / "data/carvana",
            local,
            local / "carvana",
            *(Path("..") / local / place for place in (".", "carvana")),  # seen from notebooks/
        )
        yield from (place for place in places if place and layout(place))
    if kind == "town":
        name = local / "massachusetts-buildings"
        places = (massachusetts.mounted(), content / name, name, Path("..") / name)
        yield from (place for place in places if place and given(place))


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
        raise ValueError(f"{path.name}: not an image (JPEG, PNG, GIF or TIFF)") from None
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
    if layout(folder) is None:
        raise without_pairs(folder)
    return paired(folder, layout(folder))


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
        raise ValueError(f"{folder}: {names[0]} and {names[1]} hold no images. Fill them first.")
    return pairs


def given(folder):
    """The folder whose parts are given: `train` beside `train_labels`, `val` beside `val_labels`.

    That is `folder`, or `tiff` or `png` in it (Massachusetts Buildings), or None.
    """
    for place in (Path(folder), Path(folder) / "tiff", Path(folder) / "png"):
        names = [f"{part}{end}" for part in GIVEN[:2] for end in ("", "_labels")]
        if all((place / name).is_dir() for name in names):
            return place
    return None


def parts(folder, images=None, by="car", validation_size=0.2, test_size=0.0, seed=42, pairs=None):
    """The parts of a folder: those that are given there, or those of `split`.

    Parameters
    ----------
    folder : path
        In one of the `LAYOUTS`, or with given parts (`given`); `test` may be missing there.
    images : int, optional
        The first so many by name, of the whole or of the given training part.
    by, validation_size, test_size, seed : as in `split`
        By image where fewer than five cars or groups stand in the names, or one is more than half
        of the images; that is printed.
    pairs : dict of lists of Pair, optional
        The pairs to take instead of all, each of which would have to be whole: "train", "val" and
        "test" of given parts, else "all" (`unet_tf.check.Report.whole_pairs`).

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        As `pair` and `split`.
    """
    place = given(folder)
    if place is not None:
        there = [part for part in GIVEN if any((place / f"{part}_labels").glob("*"))]
        found = pairs or {part: paired(place, (part, f"{part}_labels")) for part in there}
        train, validation, test = (found.get(part, []) for part in GIVEN)
        if not train or not validation:
            raise ValueError(f"{place}: no whole pairs in train, or none in val: fill them first")
        result = Split(train[:images], validation, test)
        counts = [f"{len(part)} {name}" for name, part in result._asdict().items() if part]
        print(f"Split as given: {', '.join(counts)}")
        return result
    every = pairs["all"] if pairs else pair(folder)
    pairs = every[:images]
    if len(pairs) < len(every):
        print(f"The first {len(pairs)} of {len(every)} pairs, by name")
    images = [image for image, _ in pairs]
    if by == "car" and not groups_fit(images):
        print("By their names these images are too few groups, or too unequal ones, to split by")
        by = "image"
    return split(pairs, by, validation_size, test_size, seed)


def unlabelled(folder):
    """The images of `folder` that have no masks (`test_hq` or `test`), sorted by name."""
    folder = Path(folder)
    for name in UNLABELLED:
        if (folder / name).is_dir() or (folder / f"{name}.zip").is_file():
            return list(files_by_stem(unzipped(folder, name), defaultdict(list)).values())
    return []


def car_of(path):
    """The car of a Carvana file name, its 12 hex digits. Of another name what stands before its
    last number, if there is a digit in it: patient7 of `patient7_slice03`; else the whole name."""
    stem = Path(path).stem.removesuffix("_mask")
    car = re.fullmatch(r"([0-9a-f]{12})_\d\d|(.*\d.*?)[-_. ]+[A-Za-z]*\d+", stem)
    return (car[1] or car[2]) if car else stem


def groups_fit(paths):
    """Can these images be split by the groups in their names? Carvana's cars always; others where
    there are five groups or more, or an image a group, and none holds more than half of the images.
    """
    if all(CARVANA.fullmatch(Path(path).stem) for path in paths):
        return True
    groups = Counter(map(car_of, paths))
    return len(groups) == len(paths) or (
        len(groups) >= 5 and 2 * max(groups.values()) <= len(paths)
    )


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
