"""Pairs of files: which mask is of which image, by their names."""

import re
import unicodedata
from collections import Counter, defaultdict
from typing import NamedTuple

from unet_tf.data.images import SUFFIXES, size_of
from unet_tf.data.layouts import in_words, part_folders
from unet_tf.data.pairs import Pair, refuse, unzipped
from unet_tf.files import UserError

# What is added to a name to tell an image from its mask, behind it or before it.
OF_MASKS = "masks?|labels?|segs?|segmentations?|gt|ground_?truth|manual\\d?|annot\\w*|labelids"
OF_MASKS += "|labeltrainids|instanceids|color|l|gtfine|gtcoarse"
OF_IMAGES = "images?|imgs?|photos?|sat|leftimg8bit|training|train|test|val|0000"
BEHIND = re.compile(rf"[-_ .](?:{OF_MASKS}|{OF_IMAGES})$", re.IGNORECASE)
BEFORE = re.compile(r"^(?:masks?|labels?|seg|gt|images?|imgs?)[-_ .]?(?=.)", re.IGNORECASE)
MASK = re.compile(rf"[-_ .](?:{OF_MASKS})$", re.IGNORECASE)


class Listing(NamedTuple):
    """What lies in two folders: pairs, and what is left over."""

    pairs: list  # of Pair
    images: list  # all image files
    masks: list  # all mask files
    unmasked: list  # images without a mask
    alone: list  # masks without an image
    twice: list  # names that occur twice, in words


def pair(folder, patterns=None):
    """The pairs of `folder`, by name, sorted by name, each checked.

    Parameters
    ----------
    folder : path
        In one of many layouts; zips are extracted first. Where parts are given, the pairs of all
        of them, training first, then validation, then test; `parts` keeps them apart.
    patterns : (str, str), optional
        As in `unet_tf.data.layouts.part_folders`.

    Returns
    -------
    list of Pair

    Raises
    ------
    UserError
        One error for all that is wrong: images without a mask and masks without an image, names
        that occur twice, unreadable and truncated files, masks of another size than their image.
    """
    place, parts = part_folders(folder, patterns)
    return [found for source in parts.values() for found in paired(place, source)]


def paired(folder, source):
    """The checked pairs of a `unet_tf.data.layouts.Source` in `folder`. See `pair`."""
    found, problems = listing(folder, source), defaultdict(list)
    problems["the same name twice"] += found.twice
    problems["images without a mask"] += [path.name for path in found.unmasked]
    problems["masks without an image"] += [path.name for path in found.alone]
    for image, mask in found.pairs:
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
    if not found.pairs:
        where = in_words({"all": source})
        raise UserError(f"{folder}: {where} hold no images. Fill them first.")
    return found.pairs


def listing(place, source):
    """The `Listing` of a `unet_tf.data.layouts.Source` in the folder `place`."""
    twice = []
    if "*" in source.images:
        images, masks = (by_pattern(place, pattern, twice) for pattern in source[:2])
        return made(images, masks, {name: name for name in images if name in masks}, twice)
    if source.images == source.masks:
        images, masks = side_by_side(by_name(place / source.images, []))
    else:
        images, masks = (by_name(unzipped(place, name), twice) for name in source[:2])
    if source.names:
        text = (place / source.names).read_text(encoding="utf-8")
        wanted = {normal(line.split()[0]) for line in text.splitlines() if line.strip()}
        images, masks = (
            {name: path for name, path in files.items() if name in wanted}
            for files in (images, masks)
        )
    names, doubles = matched(images, masks)
    twice += [
        f"{masks[names[image]].name} and {masks[mask].name}" for mask, image in doubles.items()
    ]
    return made(images, masks, names, twice, doubles)


def made(images, masks, names, twice, doubles=()):
    """The `Listing` of files by name, paired as `names` says: {image: mask}; `doubles` are masks
    that stand in `twice`."""
    pairs = [Pair(path, masks[names[name]]) for name, path in images.items() if name in names]
    unmasked = [path for name, path in images.items() if name not in names]
    taken = set(names.values())
    alone = [path for name, path in masks.items() if name not in taken and name not in doubles]
    return Listing(pairs, [*images.values()], [*masks.values()], unmasked, alone, twice)


def normal(name):
    """A name in one form, whichever way its accents are written: Macs take letters apart."""
    return unicodedata.normalize("NFC", name)


def by_name(folder, twice):
    """{name without its ending: file} of the images in a folder, by name."""
    files = {}
    for path in sorted(folder.glob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            name = normal(path.stem)
            if name in files:
                twice.append(f"{files[name].name} and {path.name}")
            files[name] = path
    return files


def by_pattern(place, pattern, twice):
    """{what the stars stand for: file} of the files that fit a pattern."""
    pieces = [re.escape(piece) for piece in re.split(r"\*+/?", pattern)]
    stars = [
        r"((?:.*/)?)" if star == "**/" else r"([^/]*)" for star in re.findall(r"\*+/?", pattern)
    ]
    shape = "".join(piece + star for piece, star in zip(pieces, [*stars, ""], strict=True))
    files = {}
    for path in sorted(place.glob(pattern)):
        found = re.fullmatch(shape, path.relative_to(place).as_posix())
        if path.suffix.lower() in SUFFIXES and found:
            name = normal(" ".join(found.groups()))
            if name in files:
                twice.append(f"{files[name].name} and {path.name}")
            files[name] = path
    return files


def side_by_side(files):
    """Images and masks of one folder, by name: what is called a mask, and fits another file; else
    what is no JPEG, where there are both of one name."""
    # by_name keeps one file a name: two of one name, an image and its mask, are looked up again
    masks = {}
    for name, path in files.items():
        base = MASK.sub("", name)
        if MASK.search(name) and base in files:
            masks[name] = path
    if masks:
        return {name: path for name, path in files.items() if name not in masks}, masks
    images = {}
    for name, path in files.items():
        same = sorted(path.parent.glob(f"{glob_safe(path.stem)}.*"))
        same = [file for file in same if file.suffix.lower() in SUFFIXES]
        for file in same:
            jpeg = file.suffix.lower() in (".jpg", ".jpeg")
            (images if jpeg or len(same) == 1 else masks)[name] = file
    return images, masks


def glob_safe(text):
    return re.sub(r"([*?[])", r"[\1]", text)


def forms(name):
    """(what is added, the name without it): nothing, and up to two additions behind, one before."""
    yield "", name
    added, rest = "", name
    for _ in range(2):
        found = BEHIND.search(rest)
        if not found:
            break
        added, rest = found[0].lower() + added, rest[: found.start()]
        yield added, rest
    if found := BEFORE.match(name):
        yield found[0].lower(), name[found.end() :]


def matched(images, masks):
    """{name of an image: name of its mask}; and {name of a second mask: name of its image}.

    An addition, such as `_mask`, counts as one where that pairs the most files: so `a_mask.jpg` is
    the image of `a_mask_mask.png` where all masks end so. Others are paired by what is left.
    """
    if images.keys() == masks.keys():
        return dict(zip(images, images, strict=True)), {}
    by_rest = defaultdict(list)
    for mask in masks:
        for added, rest in forms(mask):
            by_rest[rest].append((added, mask))
    votes, fitting = Counter(), defaultdict(list)
    for image in images:
        for added, rest in forms(image):
            for behind, mask in by_rest[rest]:
                votes[added, behind] += 1
                fitting[added, behind].append((image, mask))
    names, taken = {}, {}
    for way in sorted(votes, key=lambda way: (-votes[way], len(way[0]) + len(way[1]), way)):
        for image, mask in fitting[way]:
            if image not in names and mask not in taken:
                names[image], taken[mask] = mask, image
    # x.png and x_mask.png, for x.jpg
    both = [*fitting["", ""], *fitting["", "_mask"]]
    return names, {mask: image for image, mask in both if mask not in taken}
