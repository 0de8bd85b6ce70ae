"""Which mask is of which image, by the names of the files alone."""

import re
import unicodedata
from collections import Counter, defaultdict

from unet_tf.data.images import SUFFIXES

# What is added to a name to tell an image from its mask, behind it or before it.
OF_MASKS = "masks?|labels?|segs?\\d?|segmentations?|gt|ground_?truth|manual\\d?|annot\\w*|labelids"
OF_MASKS += "|labeltrainids|instanceids|color|l|gtfine|gtcoarse|output|target"
OF_MASKS += "|jpe?g|png|tiff?|bmp"  # 7.jpg.png is of 7.jpg
OF_IMAGES = "images?|imgs?|photos?|orig(?:inal)?|input|sat|leftimg8bit|training|train|test|val"
OF_IMAGES += "|000\\d"
BEHIND = re.compile(rf"[-_ .](?:{OF_MASKS}|{OF_IMAGES})$", re.IGNORECASE)
BEFORE = re.compile(r"^(?:masks?|labels?|seg|gt|images?|imgs?)[-_ .]?(?=.)", re.IGNORECASE)
MASK = re.compile(rf"(?:[-_ .]?(?:{OF_MASKS})[-_ .]?)+", re.IGNORECASE)


def normal(name):
    """A name in one form, whichever way its accents are written: Macs take letters apart."""
    return unicodedata.normalize("NFC", name)


def is_image(path):
    """Is it called as an image is, and not hidden?"""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def by_name(folder, twice):
    """{name without its ending: file} of the images in a folder, by name."""
    files = {}
    for path in filter(is_image, sorted(folder.glob("*"))):
        keep(files, normal(path.stem), path, twice)
    return files


def keep(files, name, path, twice):
    """A file by its name; a name met twice goes into `twice`."""
    if name in files:
        twice.append(f"{files[name].name} and {path.name}")
    files[name] = path


def by_patterns(place, patterns, twice):
    """{what the stars stand for: file} of the images, and of the masks, that fit two patterns.

    What fits both is of the longer one: beside `*_mask.tif`, `*.tif` stands for all others.
    """
    fitting = [fits_of(place, pattern) for pattern in patterns]
    wider = patterns.index(min(patterns, key=len))
    both = {path for _, path in fitting[0]} & {path for _, path in fitting[1]}
    fitting[wider] = [(name, path) for name, path in fitting[wider] if path not in both]
    sides = {}, {}
    for files, found in zip(sides, fitting, strict=True):
        for name, path in found:
            keep(files, name, path, twice)
    return sides


def fits_of(place, pattern):
    """[(what the stars of a pattern stand for, file)], by file. A last star ends before the
    ending of the file: `scans/*` and `drawn/*` pair 7.tif with 7.png."""
    stand = {"?": "[^/]", "**/": "((?:.*/)?)", "*": "([^/]*)", "**": "(.*)"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    shape = "".join(
        stand.get(piece) or (piece.replace("[!", "[^") if index % 2 else re.escape(piece))
        for index, piece in enumerate(pieces)
    )
    shape = re.compile(shape + r"\.[^./]+" * pattern.endswith("*"))
    within = ((path, path.relative_to(place).as_posix()) for path in sorted(place.glob(pattern)))
    found = ((shape.fullmatch(name), path) for path, name in within if is_image(path))
    return [(normal(" ".join(match.groups())), path) for match, path in found if match]


def side_by_side(folder, twice):
    """Images and masks of one folder, by name: a mask is what is called one, and fits another
    file; or, where none is, what is no JPEG and has the name of one."""
    files = defaultdict(list)
    for path in filter(is_image, sorted(folder.glob("*"))):
        files[normal(path.stem)].append(path)
    every = [(name, added, rest.casefold()) for name in files for added, rest in forms(name)]
    rests = {rest for _, added, rest in every if not MASK.fullmatch(added)}
    called = {name for name, added, rest in every if MASK.fullmatch(added) and rest in rests}
    images, masks = {}, {}
    for name, paths in files.items():
        jpegs = [path for path in paths if path.suffix.lower() in (".jpg", ".jpeg")]
        if len(paths) == 1:
            (masks if name in called else images)[name] = paths[0]
        elif len(paths) == 2 and len(jpegs) == 1 and not called:
            images[name] = jpegs[0]
            (masks[name],) = set(paths) - set(jpegs)
        else:
            twice.append(" and ".join(path.name for path in paths))
    return images, masks


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


def go_together(of_image, of_mask):
    """Can an image with the one addition have a mask with the other? What the mask's has beyond
    the image's must be words for masks: `_train` and `_test` are two things."""
    beyond = of_mask.removeprefix(of_image)
    return not beyond or bool(MASK.fullmatch(beyond))


def in_small_letters(names):
    """{name in small letters: name}, without those that differ in that alone."""
    counts = Counter(name.casefold() for name in names)
    return {name.casefold(): name for name in names if counts[name.casefold()] == 1}


def matched(images, masks):
    """{name of an image: name of its mask}, and the names left over that would fit, too:
    {second image: the one paired} and {second mask: the one paired}.

    What is left over is paired whatever its letters' case, X0.JPG with x0.PNG, as systems do that
    take these for one name.
    """
    names, second_images, second_masks = matched_as_written(images, masks)
    known_images, known_masks = {*names, *second_images}, {*names.values(), *second_masks}
    small_images = in_small_letters([name for name in images if name not in known_images])
    small_masks = in_small_letters([name for name in masks if name not in known_masks])
    more, more_images, more_masks = matched_as_written(small_images, small_masks)
    names |= {small_images[image]: small_masks[mask] for image, mask in more.items()}
    second_images |= {small_images[two]: small_images[one] for two, one in more_images.items()}
    second_masks |= {small_masks[two]: small_masks[one] for two, one in more_masks.items()}
    return names, second_images, second_masks


def matched_as_written(images, masks):
    """`matched` by names as they are.

    An addition, such as `_mask`, counts as one where that pairs the most files: so `a_mask.jpg` is
    the image of `a_mask_mask.png` where all masks end so. Others are paired by what is left.
    """
    if images.keys() == masks.keys():
        return dict(zip(images, images, strict=True)), {}, {}
    by_rest = defaultdict(list)
    for mask in masks:
        for added, rest in forms(mask):
            by_rest[rest].append((added, mask))
    fitting = defaultdict(list)
    for image in images:
        for added, rest in forms(image):
            for behind, mask in by_rest[rest]:
                if go_together(added, behind):
                    fitting[added, behind].append((image, mask))
    names, taken = {}, {}
    for way in sorted(fitting, key=lambda way: (-len(fitting[way]), len(way[0] + way[1]), way)):
        for image, mask in fitting[way]:
            if image not in names and mask not in taken:
                names[image], taken[mask] = mask, image
    every = [pair for pairs in fitting.values() for pair in pairs]
    second_images = {image: taken[mask] for image, mask in every if image not in names}
    second_masks = {mask: names[image] for image, mask in every if mask not in taken}
    return names, second_images, second_masks
