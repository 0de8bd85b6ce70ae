"""Where the pairs of a folder lie: by the one layout that fits, or by patterns."""

import itertools
import re
from pathlib import Path, PurePosixPath

from unet_tf.data.layouts import (
    by_endings,
    given_parts,
    holding,
    in_one_folder,
    listed_parts,
    objects_apart,
    own_parts,
    sources,
)
from unet_tf.data.listings import Source, contents, in_words
from unet_tf.data.names import is_image
from unet_tf.data.pairs import GIVEN, LAYOUTS, given, layout
from unet_tf.files import UserError

CHOOSE = "choose by --image-files PATTERN --mask-files PATTERN"
EXAMPLE = f"{CHOOSE}, such as 'scans/**/*.jpg' 'drawn/**/*_mask.png'"


def part_folders(folder, patterns=None, trains=True):
    """Where the pairs of a folder lie: `(place, {part: Source})`, names within `place`.

    The parts are "train" and those of "val" and "test" that have masks, where they are given; else
    there is one, "all".

    Parameters
    ----------
    folder : path
    patterns : (str, str), optional
        Of image files and of mask files, within the folder, such as `scans/*.tif` and
        `drawn/*_vessels.png`: what the stars of both stand for pairs the files.
    trains : bool
        A training part is needed; without it parts that are only to be scored will do.

    Raises
    ------
    UserError
        There is no such folder, it is in none of the layouts, or in two; patterns that do not go
        together.
    """
    folder = Path(folder).expanduser()
    if folder.is_file():
        raise UserError(f"{folder}: is a file. Give the folder of images and masks, unpacked.")
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder. Give one that is there.")
    if patterns:
        return folder, {"all": by_stars(patterns)}
    place = given(folder)
    if place is not None and place != folder:  # Massachusetts Buildings
        return place, given_parts(place)
    fits = fitting(folder)
    if len(fits) > 1:
        shown = " and ".join(parts_in_words(parts) for parts in fits[:2])
        raise UserError(f"{folder}: two layouts fit, {shown}: move one away, or {CHOOSE}")
    if not fits and not trains:
        there = holding(folder)
        fits = [parts for part in ("test", "val") for parts in own_parts(there, part)]
    if not fits:
        raise without_pairs(folder)
    return folder, fits[0]


def fitting(folder):
    """Each `{part: Source}` that a folder could be read by: none, one, or more."""
    there, plain = holding(folder), layout(folder)
    candidates = [given_parts(folder)] if given(folder) else []
    candidates += [*own_parts(there), *listed_parts(folder)]
    if plain and (not candidates or all(holds(folder, name) for name in plain)):
        candidates.append({"all": Source(*plain)})
    candidates += [{"all": source} for source in sources(there, {}, "{image}", "{mask}")]
    candidates = candidates or [*own_parts(by_endings(there))]
    fits = []
    for parts in candidates:  # one within another is none of its own
        if not any(folders_of(parts) <= folders_of(fit) for fit in fits):
            fits = [fit for fit in fits if not folders_of(fit) < folders_of(parts)] + [parts]
    if plain and fits == [{"all": Source(*plain)}] and not any(holds(folder, x) for x in plain):
        # Folders of folders: images/day1/7.png
        deeper = any(images for place, images, _ in contents(folder) if place != folder)
        return [] if deeper else fits
    return fits or list(in_one_folder(folder, there))


def folders_of(parts):
    """The pairs of folders that a layout looks at."""
    return {source[:2] for source in parts.values()}


def holds(folder, name):
    """Are there images in the folder of that name, or its zip?"""
    return (folder / f"{name}.zip").is_file() or any(map(is_image, (folder / name).glob("*")))


def by_stars(patterns):
    """The `Source` of two patterns; a UserError where they do not go together."""
    stars = [len(re.findall(r"\*+", pattern)) for pattern in patterns]
    if not stars[0] or stars[0] != stars[1]:
        raise UserError(
            f"the patterns {patterns[0]} and {patterns[1]} have {stars[0]} and {stars[1]} stars: "
            "give both as many, one or more: what these stand for pairs the files"
        )
    inner = [PurePosixPath(pattern) for pattern in patterns]
    if any(path.is_absolute() or ".." in path.parts for path in inner):
        raise UserError(f"the patterns {patterns[0]} and {patterns[1]} must lie within the folder")
    return Source(*map(str, inner))


def parts_in_words(parts):
    """The folders of a layout in words."""
    return ", ".join(f"{source.images} + {source.masks}" for source in parts.values())


def without_pairs(folder):
    """The UserError for a folder that is in none of the layouts, with what was seen there."""
    folder = Path(folder)
    seen = [
        text
        for place, *files in contents(folder, 5)
        for text in in_words(place.relative_to(folder), *files)
    ]
    more = f" and {len(seen) - 8} more" if len(seen) > 8 else ""
    there = f"It holds {', '.join(seen[:8])}{more}. " if seen else "It holds no files. "
    places = itertools.islice(contents(folder, 3), 1, 100)
    inner = [str(place) for place, *_ in places if fitting(place)]
    parts = next((parts for part in GIVEN for parts in own_parts(holding(folder), part)), None)
    wanted = ", ".join(f"{images} + {masks}" for images, masks in LAYOUTS)
    remedy = (
        f"Expected {wanted}, or such like, as folders or zips; parts as train + train_labels, "
        "val + val_labels, or train/images + train/masks; or image and mask side by side. For all "
        f"else {EXAMPLE}."
    )
    if parts:
        remedy = f"There is {parts_in_words(parts)}, and no training part: call one train."
    elif apart := objects_apart(folder):
        remedy = (
            f"Each of its {len(apart)} images has a folder of its own, with a mask for each "
            "object: check DIR --write-masks OUT joins them, and writes images and masks to OUT."
        )
    elif inner:
        give = "give one of them, or" if inner[1:] else "give that folder, or"
        remedy = f"Such are in {' and in '.join(inner[:3])}: {give} {EXAMPLE}."
    elif any(folder.glob("*.zip")):
        remedy = f"Unpack the zips. {remedy}"
    return UserError(f"{folder}: no images and masks in this folder. {there}{remedy}")
