"""What is found of files, names and images, each with its remedy: from facts to findings.

An error: training cannot or should not start. A warning is to be understood first. A note says how
something is read. A finding without cases is none.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

from unet_tf import data
from unet_tf.files import UserError

LEVELS = ("error", "warning", "note")
FEW = 20  # pairs: with fewer the score is a matter of luck
LEVELS_LEFT = 16  # of 256: fewer show nearly nothing
READ = f"only {', '.join(sorted(data.SUFFIXES))} are read"
NAMES = "both need one name but for the ending, such as car7.jpg with car7.png or car7_mask.png"


class Finding(NamedTuple):
    """A fault or an oddity: its level, what it is, its cases (mostly files), what to do."""

    level: str
    what: str
    cases: list
    remedy: str
    cured: bool = False  # by leaving these files out


def of_names(found, source, place):
    """Findings on the names in the folders of a part: its `Listing`, `Source` and their place."""
    folders = sorted({path.parent for path in [*found.images, *found.masks]})
    strays = [
        short(path)
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.is_file()
        and path.suffix.lower() not in data.SUFFIXES
        and not path.name.startswith(".")
    ]
    unmasked, alone = ([short(path) for path in paths] for paths in (found.unmasked, found.alone))
    remedy = f"{NAMES}; else remove the image, or train with --leave-out"
    yield Finding("error", "images without a mask", unmasked, remedy, cured=True)
    remedy = f"{NAMES}; else remove the mask, or train with --leave-out"
    yield Finding("error", "masks without an image", alone, remedy, cured=True)
    remedy = "give the two different names, or move one of them away; or choose by --image-files "
    remedy += "PATTERN --mask-files PATTERN"
    yield Finding("error", "the same name twice", found.twice, remedy)
    remedy = f"{READ}: convert or move them"
    yield Finding("note", "files that are not read", strays, remedy)
    remedy = "mend the list, or train with --leave-out"
    what = f"names in {source.names} that no image has"
    yield Finding("error", what, found.absent, remedy, cured=True)
    yield no_pairs(found, source, place)


def no_pairs(found, source, place):
    """The finding that there is nothing to train on, with what lies where."""
    counts = len(found.images), len(found.masks)
    cases = [f"{counts[0]} images in {source.images}, {counts[1]} masks in {source.masks}"]
    empty = [name for name, count in zip(source[:2], counts, strict=True) if not count]
    choose = "choose others by --image-files PATTERN --mask-files PATTERN"
    remedy = f"{NAMES}; or {choose}"
    if empty:
        remedy = f"fill {' and '.join(empty)}, or {choose}"
    if full := [name for name in empty if any((place / name).glob("[!.]*"))]:
        remedy = f"{READ}: convert what is in {' and '.join(full)}; or {choose}"
    if empty and "*" in source.images:
        remedy = f"no image file fits {' and '.join(empty)}: mend the pattern"
    return Finding("error", "no pairs", [] if found.pairs else cases, remedy)


def of_unused(folders):
    """The finding on what lies in the folder and is no part of the data."""
    remedy = "leave them, where they are meant for something else; what says which pixels count: "
    remedy += "--region PATTERN; else choose by --image-files PATTERN --mask-files PATTERN"
    return Finding("note", "not used", folders, remedy)


def of_regions(facts, regions):
    """The finding on regions that do not fit their masks; `regions`: {mask file: region file}."""
    faults = []
    for fact in facts:
        if not (regions and fact.mask):
            continue
        try:
            data.region_at(regions[fact.pair.mask], fact.mask.size)
        except UserError as error:
            faults.append(str(error))
    yield Finding("error", "regions", faults, "mend them, or train without --region")


def of_unreadable(facts):
    """The findings on files that cannot be read: one of torn ones, one of each other remedy."""
    faults = [fault for fact in facts for fault in fact.faults]
    torn = "copy or download them again, or remove them with their partners, or --leave-out"
    cases = defaultdict(list)
    for name, error in faults:
        remedy = error.remedy
        if remedy in ("", data.REPLACE):
            remedy = torn
        cases[remedy[0].lower() + remedy[1:]].append(f"{name}: {error.reason}")
    for remedy, own in cases.items():
        yield Finding("error", "files that cannot be read", own, remedy, cured=True)


def of_images(facts):
    """Findings on sizes, and on what else `Photo` tells."""
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

    remedy = "they are read as viewers show them; masks of another size were drawn otherwise"
    turned = those(lambda photo: photo.turned)
    yield Finding("note", "images stored turned, by their EXIF orientation", turned, remedy)
    dark = those(lambda photo: photo.dark)
    remedy = "look at them"
    yield Finding("note", "images very dark or of one colour", dark, remedy)
    remedy = "they are read as 8: 65535, or 1, is white"
    if found := value_range_of(facts):
        remedy = "they are read as 8: {:.10g} is black and {:.10g} white, which `train` keeps with "
        remedy = remedy.format(*found) + "the model; others by --set value_range=LOW,HIGH"
    deep = those(lambda photo: photo.span)
    yield Finding("note", "images of more than 8 bits", deep, remedy)
    flat = those(lambda photo: photo.span and levels_of(photo, found) < LEVELS_LEFT)
    what = f"images that have fewer than {LEVELS_LEFT} of 256 levels of grey, as they are read"
    remedy = "where one image of other numbers widens the range of all, leave it out, or name the "
    yield Finding("warning", what, flat, remedy + "range by --set value_range=LOW,HIGH")
    yield Finding("note", "images with alpha", those(lambda photo: photo.alpha), "it is dropped")
    sizes = Counter(fact.photo.size for fact in seen)
    usual = max(sizes, key=sizes.get, default=None)
    odd = [f"{short(f.pair.image)} {by(f.photo.size)}" for f in seen if f.photo.size != usual]
    remedy = (
        "`train` resizes all to one size, which changes shapes, unless it cuts crops: ask for them "
        "by --image-size native where shape must stay; with --recipe also by --set crop=64,64"
    )
    what = f"images of another size than most, {len(sizes)} sizes in all"
    yield Finding("note", what, odd, remedy)


def value_range_of(facts):
    """The (low, high) that these images are read by (`unet_tf.data.range_of`): of all together, for
    by its own numbers a dark image would be made as light as the others."""
    return data.range_of(fact.photo.span for fact in facts if fact.whole and fact.photo.span)


def levels_of(photo, value_range):
    """How many of the 256 levels lie between the darkest and the brightest of a deep image."""
    low, high, whole = photo.span
    black, white = value_range or (0, 65535 if whole else 1)
    return 255 * (min(high, white) - max(low, black)) / (white - black)


def of_groups(facts):
    """Findings on images that belong together: copies, and groups by name (`data.groups_of`)."""
    by_name, by_bytes = defaultdict(list), defaultdict(list)
    for part in dict.fromkeys(fact.part for fact in facts):
        own = [fact for fact in facts if fact.part == part]
        groups = data.groups_of([fact.pair.image for fact in own])
        for group, fact in zip(groups, own, strict=True):
            by_name[group].append(fact)
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
    if {"val", "test"} <= {fact.part for fact in facts}:
        return
    images = [fact.pair.image for fact in facts if fact.part in ("all", "train")]  # to be split
    sizes = Counter(data.groups_of(images))
    fit = data.groups_fit(images)  # as `data.parts` decides
    units = len(sizes) if fit else len(images)
    level, remedy = "error", "add images: one trains, one chooses the epoch, one is scored"
    if units == 2:
        level, remedy = "warning", "add images, or train without a test part: --test-size 0"
    cases = [f"{units} {'groups' if len(sizes) < len(images) and fit else 'images'}"]
    what = "too few to split into a training, a validation and a test part"
    yield Finding(level, what, cases if 0 < units < 3 else [], remedy)
    if len(sizes) == len(images):
        return
    cases = [f"{name} ({size} images)" for name, size in sizes.items()]
    remedy = (
        "views of one thing on both sides of a random split leak; training splits by group by "
        "itself. If these are no groups: --set split_by=image"
    )
    if not fit:
        remedy = (
            "these are too few or too unequal to split by, so training splits by image; if each "
            "shows one thing the score will be too good: collect more of them"
        )
    yield Finding("note" if fit else "warning", "likely groups, by name", cases, remedy)


def short(path):
    """The file with its folder: train/7.png."""
    return f"{path.parent.name}/{path.name}"


def by(size):
    return "x".join(map(str, size))


def first(cases, most=5):
    """The first few cases, and how many more there are."""
    more = f" and {len(cases) - most} more" if len(cases) > most else ""
    return ", ".join(map(str, cases[:most])) + more
