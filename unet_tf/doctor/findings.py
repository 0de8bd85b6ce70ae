"""What `unet_tf.doctor` finds, each with its remedy: from the facts of each pair to findings.

An error: training cannot or should not start. A warning is to be understood first. A note says how
something is read. A finding without cases is none.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np

from unet_tf import data
from unet_tf.data import VOID

LEVELS = ("error", "warning", "note")


FEW = 20  # pairs: with fewer the score is a matter of luck


DARK = 10  # mean brightness, 0 to 255


RARE = 0.005  # share of the pixels: such a class hardly moves an unweighted cross-entropy


NAMES = "both need one name but for the ending, such as car7.jpg with car7.png or car7_mask.png"


SHARP = "classes need hard edges: save PNG, without anti-aliasing, resized by nearest alone"


class Finding(NamedTuple):
    """A fault or an oddity: its level, what it is, its cases (mostly files), what to do."""

    level: str
    what: str
    cases: list
    remedy: str
    cured: bool = False  # by leaving these files out


def of_names(images, masks, twice, there, places):
    """Findings on the names in two folders; a finding without cases is none."""
    strays = [
        short(path)
        for place in there
        for path in sorted(place.iterdir())
        if path.suffix.lower() not in data.SUFFIXES and not path.name.startswith(".")
    ]
    unmasked = [short(path) for stem, path in images.items() if stem not in masks]
    alone = [short(path) for stem, path in masks.items() if stem not in images]
    remedy = f"{NAMES}; else remove the image, or train with --leave-out"
    yield Finding("error", "images without a mask", unmasked, remedy, cured=True)
    remedy = f"{NAMES}; else remove the mask, or train with --leave-out"
    yield Finding("error", "masks without an image", alone, remedy, cured=True)
    yield Finding("error", "the same name twice", twice, "remove one of the two files")
    remedy = f"only {', '.join(sorted(data.SUFFIXES))} are, and no folders within: convert or move"
    yield Finding("note", "files that are not read", strays, remedy)
    if not set(images) & set(masks):
        yield Finding("error", "no pairs", [place.name for place in places], "fill the folders")


def of_images(facts):
    """Findings on broken files, on sizes, and on what else `Photo` tells."""
    broken = [fault for fact in facts for fault in fact.faults]
    remedy = "copy or download them again, or remove them with their partners, or --leave-out"
    yield Finding("error", "files that cannot be read", broken, remedy, cured=True)
    seen = [fact for fact in facts if fact.photo]
    wrong = [
        f"{short(fact.pair.mask)} {by(fact.mask.size)}, its image {by(fact.photo.size)}"
        for fact in seen
        if fact.mask and fact.mask.size != fact.photo.size
    ]
    remedy = "export these masks at their image's size, or resize them by nearest, never smoothly"
    what = "masks of another size than their image (height x width)"
    yield Finding("error", what, wrong, remedy, cured=True)
    if 0 < len(facts) < FEW:
        remedy = f"with fewer than {FEW} a score is a matter of luck: add images, and augment"
        yield Finding("warning", "few pairs", [f"{len(facts)} pairs"], remedy)

    def those(test):
        return [short(fact.pair.image) for fact in seen if test(fact.photo)]

    remedy = (
        "pixels are read as stored, so the image may lie across its mask: turn the pixels "
        "(PIL.ImageOps.exif_transpose) and save without the tag"
    )
    turned = those(lambda photo: photo.turned)
    yield Finding("warning", "images stored turned, by their EXIF orientation", turned, remedy)
    dark = those(lambda photo: photo.constant or photo.mean < DARK)
    remedy = "look at them; 16-bit images that use few of their levels must be stretched first"
    yield Finding("note", "images very dark or of one colour", dark, remedy)
    deep = those(lambda photo: photo.mode[0] in "IF")
    yield Finding("note", "images of more than 8 bits", deep, "they are read as 8: 65535 is white")
    yield Finding("note", "images with alpha", those(lambda photo: photo.alpha), "it is dropped")
    sizes = Counter(fact.photo.size for fact in seen)
    usual = max(sizes, key=sizes.get, default=None)
    odd = [f"{short(f.pair.image)} {by(f.photo.size)}" for f in seen if f.photo.size != usual]
    remedy = (
        "training resizes all to one size, and that distorts where shapes differ much: give "
        "--image-size in the shape of most, or cut the images alike"
    )
    yield Finding(
        "note", f"images of another size than most, {len(sizes)} sizes in all", odd, remedy
    )


def of_groups(facts):
    """Findings on images that belong together: copies, and groups by name (`data.group_of`)."""
    by_name, by_bytes = defaultdict(list), defaultdict(list)
    for fact in facts:
        by_name[data.group_of(fact.pair.image)].append(fact)
        if fact.photo:
            by_bytes[fact.photo.digest].append(fact)

    def torn(same):
        return len({fact.part for fact in same}) > 1

    def listed(same):
        return " = ".join(short(fact.pair.image) for fact in same)

    copies = sorted((same for same in by_bytes.values() if len(same) > 1), key=torn, reverse=True)
    cases = [listed(same) + " (in two parts)" * torn(same) for same in copies]
    remedy = "remove the copies: in training and in test at once they make the score too good"
    yield Finding("warning", "images that are there more than once, by their bytes", cases, remedy)
    cases = [name for name, same in by_name.items() if torn(same)]
    remedy = "if each shows one thing the score will be too good: move each group into one part"
    yield Finding("warning", "likely groups, by name, that stand in two parts", cases, remedy)
    if len(by_name) == len(facts) or any(fact.part != "all" for fact in facts):
        return
    cases = [f"{name} ({len(same)} images)" for name, same in by_name.items()]
    if not data.groups_fit([fact.pair.image for fact in facts]):  # as `data.parts` decides
        remedy = (
            "these are too few or too unequal to split by, so training splits by image; if each "
            "shows one thing the score will be too good: collect more of them"
        )
        yield Finding("warning", "likely groups, by name", cases, remedy)
    else:
        remedy = (
            "views of one thing on both sides of a random split leak; training splits by group by "
            "itself. If these are no groups: --set split_by=image"
        )
        yield Finding("note", "likely groups, by name", cases, remedy)


def of_masks(clean, blurred, classes):
    """Findings on masks one by one: blurred, of several kinds, with palettes, all black."""
    cases = [f"{short(fact.pair.mask)} ({fact.mask.distinct} values)" for fact in blurred]
    yield Finding("error", "masks that are JPEGs, or hold too many values", cases, SHARP)
    table = bool(classes and classes.colours)
    grey = [fact for fact in clean if fact.mask.values.ndim == 1]
    coloured = [fact for fact in clean if fact.mask.values.ndim == 2]
    fewer = [f"{short(fact.pair.mask)} ({fact.mask.mode})" for fact in min(grey, coloured, key=len)]
    remedy = "save all masks in one way; grey PNGs of class ids are the safest"
    level = "warning" if table else "error"
    yield Finding(level, "masks of another kind: some are RGB, others not", fewer, remedy)

    values = [set(fact.mask.values.tolist()) for fact in grey]
    ids = [short(f.pair.mask) for f, own in zip(grey, values, strict=True) if own - {0, VOID}]
    white = [short(f.pair.mask) for f, own in zip(grey, values, strict=True) if own - {0} == {VOID}]
    meant = any(own - {0, VOID} and VOID in own for own in values)  # 255 as void
    greys = bool(classes and classes.greys)
    if not meant and not greys:
        what = f"mixed masks: {len(white)} hold 0 and 255, {len(ids)} hold ids"
        remedy = "255 is void among ids, so its pixels would not count: give all the same values"
        yield Finding("error", what, min(white, ids, key=len), remedy)
    if ids and meant and not greys:
        remedy = "255 is void among ids, so these show nothing but void: check that it is meant"
        yield Finding("warning", "masks of 0 and 255 alone, beside masks of ids", white, remedy)
    many = classes and len(classes.names) > 2 and not greys
    if many and not ids:
        what = f"masks of 0 and 255 alone, for {len(classes.names)} classes"
        remedy = "255 is void among ids: save the ids 0, 1, 2 and so on, or name two classes"
        yield Finding("error", what, white, remedy)

    palettes = [fact for fact in clean if fact.mask.palette is not None]
    cases = [short(fact.pair.mask) for fact in palettes]
    remedy = "their indices are taken as class ids; the colours do not count"
    yield Finding("note", "masks with a palette", cases, remedy)
    usual, cases = dict(enumerate(classes.colours)) if table else {}, []
    for fact in palettes:
        colours = map(tuple, fact.mask.palette.tolist())
        for label, colour in zip(fact.mask.values.tolist(), colours, strict=True):
            if usual.setdefault(label, colour) != colour:
                cases.append(f"{short(fact.pair.mask)} ({label} is {colour}, not {usual[label]})")
                break
    remedy = (
        "a program that gives each file a palette of its own gives an index several meanings: "
        "where the colours are right, save the masks as RGB and write a class table"
    )
    level = "error" if table else "warning"  # against the table, two classes change their names
    yield Finding(level, "palette masks that show an index in another colour", cases, remedy)
    black = [f for f in clean if f.mask.distinct == 1 and not f.mask.values.any()]
    level = "warning" if 2 * len(black) > len(clean) else "note"
    remedy = "right where an image shows nothing to find; else draw them again"
    yield Finding(level, "masks that are all black", [short(f.pair.mask) for f in black], remedy)


def classes_of(clean, classes):
    """(classes, findings): the table, else what `classes.from_masks` makes of the masks; None where
    there is no telling."""
    if not clean or (classes and classes.colours):
        return classes if clean else None, []
    if len({fact.mask.values.ndim for fact in clean}) > 1:
        return None, []  # `of_masks` says so
    first = {}  # of each value the first mask that holds it: others need not be read again
    for fact in clean:
        for value in keys(fact.mask.values):
            first.setdefault(value, fact.pair.mask)
    cases = {value: f"{value} in {short(path)}" for value, path in sorted(first.items())}
    if len(first) > data.MOST + 1:
        cases = list(cases.values())
        return None, [Finding("error", "values in all masks, too many for classes", cases, SHARP)]
    odd = [value for value in cases if isinstance(value, int) and data.MOST <= value != VOID]
    if odd and not classes:
        remedy = (
            f"{SHARP}. If these greys are classes, write {data.TABLES[0]}: name,r,g,b, and a "
            f"line such as class1,{odd[0]},{odd[0]},{odd[0]} for each"
        )
        cases = [cases[value] for value in odd]
        return None, [Finding("error", "grey values that are no class ids", cases, remedy)]
    try:
        return data.from_masks(dict.fromkeys(first.values()), classes and classes.names), []
    except ValueError as error:
        remedy = "give one name a class, in the order of their ids"
        return None, [Finding("error", "names that do not fit the masks", [str(error)], remedy)]


def pixels_of(clean, classes, parts):
    """({part: int64 `(256,)`, pixels by id}, {value of no class: [pixels, masks]})."""
    pixels, strangers = {part: np.zeros(256, "int64") for part in parts}, {}
    for part, (_, path), _, mask, _ in clean if classes else ():
        values = mask.values
        if classes.greys and values.ndim == 1 and mask.palette is None:
            values = np.repeat(values[:, None], 3, axis=1)
        ids, unknown = (array[0] for array in data.ids_of(values[None], classes))
        np.add.at(pixels[part], ids[~unknown], mask.counts[~unknown])
        for value, count in zip(keys(mask.values[unknown]), mask.counts[unknown], strict=True):
            case = strangers.setdefault(value, [0, []])
            case[0] += int(count)
            case[1].append(short(path))
    return pixels, strangers


def of_classes(clean, classes, pixels, strangers, table):
    """Findings on the classes: values of none, void, rare and absent ones, colours to name."""
    if not classes:
        return
    names, cases = classes.names, []
    for value, (count, files) in sorted(strangers.items(), key=lambda item: -item[1][0]):
        at = np.array(value)[None, None]
        nearest = data.unknown_of(at, np.ones((1, 1), bool), classes)[0][2]
        near = f", nearest class {nearest}" if nearest else ""
        cases.append(f"{value} in {files[0]} ({count} pixels in {len(files)} masks{near})")
    remedy = f"ids go from 0 to {len(names) - 1}, void is {VOID}: name all classes, or renumber"
    if classes.colours:
        remedy = "change these pixels, or add a line to the table; many with few pixels: soft edges"
    yield Finding("error", f"values of none of the {len(names)} classes", cases, remedy)

    total = sum(pixels.values())
    held = total[: len(names)]
    shares = held / max(1, held.sum())
    if np.count_nonzero(held) < 2:
        cases = [name for name, n in zip(names, held, strict=True) if n] or ["none"]
        remedy = "nothing can be learned: draw what is to be found"
        yield Finding("error", "fewer than two classes occur", cases, remedy)
        return
    void = total[VOID] / total.sum()
    cases = [f"{void:.2%} of the pixels"] if void else []
    remedy = "void neither trains nor scores; where it is much, check that it is meant"
    yield Finding("warning" if void > 0.5 else "note", "void", cases, remedy)
    by_name = dict(zip(names, shares.tolist(), strict=True))
    cases = [f"{name} {share:.2%}" for name, share in by_name.items() if 0 < share < RARE]
    remedy = (
        "a model may never predict them: use class weights, or dice, or both, and judge by the "
        "scores of each class"
    )
    yield Finding(
        "warning", f"classes of less than {RARE:.1%} of the pixels that are not void", cases, remedy
    )
    cases = [name for name, share in by_name.items() if not share]
    remedy = "check the masks, or the table; a class that is absent is left out of the means"
    yield Finding("warning", "classes that never occur", cases, remedy)
    for part, counts in pixels.items():
        gone = [
            n for n, count in zip(names, counts.tolist(), strict=False) if by_name[n] and not count
        ]
        level = "warning" if part == "train" else "note"
        remedy = "what is absent from train is not learned; from val or test, it has no score there"
        yield Finding(level, f"classes that do not occur in {part}", gone, remedy)
    if classes.colours and not (table and table.colours) and clean[0].mask.values.ndim == 2:
        rows = [",".join(map(str, colour)) for colour in classes.colours]
        cases = [f"{row} ({share:.2%})" for row, share in zip(rows, shares, strict=True)]
        remedy = (
            f"without a table each is a class of its own. To name them write {data.TABLES[0]} "
            f"into the folder: the line name,r,g,b, then a line a class, such as road,{rows[-1]}; "
            "a class void does not count"
        )
        yield Finding("note", "colours in masks without a class table", cases, remedy)


def short(path):
    """The file with its folder: train/7.png."""
    return f"{path.parent.name}/{path.name}"


def by(size):
    return "x".join(map(str, size))


def keys(values):
    """Values of a mask as ints, or as tuples (r, g, b)."""
    return [tuple(value) if isinstance(value, list) else value for value in values.tolist()]


def first(cases, most=5):
    """The first few cases, and how many more there are."""
    more = f" and {len(cases) - most} more" if len(cases) > most else ""
    return ", ".join(map(str, cases[:most])) + more
