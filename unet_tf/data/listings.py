"""What lies in the folders of a part: pairs, and what is left over."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from unet_tf.data.names import by_name, by_patterns, is_image, matched, normal, side_by_side
from unet_tf.data.pairs import Pair, unzipped
from unet_tf.data.tables import TABLES
from unet_tf.files import walked

NO_DATA = re.compile(r"\.|readme|licen[cs]e|rendered\.json$", re.IGNORECASE)  # begins a file's name


class Source(NamedTuple):
    """Where the pairs of a part lie, within a folder: two folders, which may be one, or zips; or
    two patterns with stars. `names` is a file that lists the stems which belong to the part."""

    images: str
    masks: str
    names: str | None = None


class Listing(NamedTuple):
    """What lies in two folders: pairs, and what is left over."""

    pairs: list  # of Pair
    images: list  # all image files
    masks: list  # all mask files
    unmasked: list  # images without a mask
    alone: list  # masks without an image
    twice: list  # names that occur twice, in words
    absent: list  # names that are listed, but no image is called so


def listing(place, source):
    """The `Listing` of a `Source` in the folder `place`."""
    twice, absent = [], []
    if "*" in source.images:
        images, masks = by_patterns(place, source[:2], twice)
        names, seconds = {name: name for name in images if name in masks}, ({}, {})
    else:
        if source.images == source.masks:
            images, masks = side_by_side(place / source.images, twice)
        else:
            images, masks = (by_name(unzipped(place, name), twice) for name in source[:2])
        names, *seconds = matched(images, masks)
    twins = [
        (files[second], files[first])
        for files, found in zip((images, masks), seconds, strict=True)
        for second, first in found.items()
    ]
    if source.names:
        images, absent = listed(place / source.names, images)
        own = {names[name] for name in images if name in names}
        masks = {name: path for name, path in masks.items() if name in own}
        used = {*images.values(), *masks.values()}
        twins = [two for two in twins if used & set(two)]
    twice += [f"{first.name} and {second.name}" for second, first in twins]
    said, taken = {second for second, _ in twins}, set(names.values())
    return Listing(
        [Pair(path, masks[names[name]]) for name, path in images.items() if name in names],
        [*images.values()],
        [*masks.values()],
        [path for name, path in images.items() if name not in names and path not in said],
        [path for name, path in masks.items() if name not in taken and path not in said],
        twice,
        absent,
    )


def listed(path, images):
    """The images that a file lists, a name a line, and the names that no image has."""
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    lines = [normal(line.strip()) for line in text.splitlines() if line.strip()]
    # ImageSets/Main has a number behind the name; others write the ending, too.
    ways = [(line, line.split()[0], Path(line.split()[0]).stem) for line in lines]
    found = [next((name for name in names if name in images), None) for names in ways]
    wanted, absent = set(found), [line for line, name in zip(lines, found, strict=True) if not name]
    return {name: path for name, path in images.items() if name in wanted}, absent


def unused(folder, listings, sources, regions=()):
    """What lies in a folder, and is no part of the data: folders with the images there that are not
    used, or with their files of other kinds, such as `["mask (20 images)", "boxes.json"]`."""
    used = {path for found in listings for path in [*found.images, *found.masks]} | {*regions}
    known = {*TABLES, *(f"{Path(name).name}.zip" for source in sources for name in source[:2])}
    known |= {Path(source.names).name for source in sources if source.names}
    return [
        text
        for place, images, others in contents(folder)
        for text in in_words(
            place.relative_to(folder),
            [path for path in images if path not in used],
            # Those beside used images are findings of their own.
            [path for path in others if path.name not in known]
            * all(path.parent != place for path in used),
        )
    ]


def contents(folder, deepest=None):
    """(folder, its images, its other files) of a folder and of all in it, hidden ones aside."""
    for place, folders, files in walked(folder):
        if deepest and len(place.relative_to(folder).parts) >= deepest:
            folders.clear()
        paths = [place / name for name in files if not NO_DATA.match(name)]
        images = [path for path in paths if is_image(path)]
        yield place, images, [path for path in paths if not is_image(path)]


def in_words(inner, images, others):
    """What a folder within another holds: how many images; other files by name, or by kind."""
    kinds = Counter(path.suffix.lower() or "other" for path in others)
    texts = [f"{len(images)} images"] * bool(images)
    if len(others) > 3:
        texts += [f"{count} {kind} files" for kind, count in kinds.items()]
    else:
        yield from ((inner / path.name).as_posix() for path in others)
    for text in texts:
        yield f"{text} of its own" if inner == Path() else f"{inner.as_posix()} ({text})"
