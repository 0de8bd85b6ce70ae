"""Where images and masks lie in a folder, in the layouts that people have."""

from pathlib import Path
from typing import NamedTuple

from unet_tf.data.images import SUFFIXES
from unet_tf.data.pairs import GIVEN, LAYOUTS, given, layout
from unet_tf.files import UserError

# A folder of images and one of masks have one of these names, in any order of preference but this:
# what was drawn by hand comes before `mask`, which then is the part of the image that counts.
IMAGES = ("images", "image", "imgs", "img", "JPEGImages", "photos")
MASKS = ("1st_manual", "masks", "mask", "labels", "label", "annotations", "annotation", "gt")
MASKS += ("groundtruth", "ground_truth", "segmentations", "SegmentationClass")
PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
BEHIND = ("_labels", "_masks", "annot", "_annot", "_annotations", "_mask", "_label", "_gt")
NNUNET = {"train": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")}
VOC = ("JPEGImages", "SegmentationClass")
CHOOSE = "choose by --image-files PATTERN --mask-files PATTERN"


class Source(NamedTuple):
    """Where the pairs of a part lie, within a folder: two folders, which may be one, or zips; or
    two patterns with stars. `names` is a file that lists the stems which belong to the part."""

    images: str
    masks: str
    names: str | None = None


def pictures(folder):
    """How many images lie in a folder, not in those within it."""
    if not folder.is_dir():
        return 0
    files = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sum(path.suffix.lower() in SUFFIXES for path in files)


def part_folders(folder, patterns=None):
    """Where the pairs of a folder lie: `(place, {part: Source})`, names within `place`.

    The parts are "train" and those of "val" and "test" that have masks, where they are given; else
    there is one, "all".

    Parameters
    ----------
    folder : path
    patterns : (str, str), optional
        Of image files and of mask files, within the folder, such as `scans/*.tif` and
        `drawn/*_vessels.png`: what the stars of both stand for pairs the files.

    Raises
    ------
    UserError
        There is no such folder, it is in none of the layouts, or in two.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder. Give one that is there.")
    if patterns:
        return folder, {"all": Source(*patterns)}
    place = given(folder)
    if place is not None:
        parts = [part for part in GIVEN[1:] if any((place / f"{part}_labels").glob("*"))]
        return place, {part: Source(part, f"{part}_labels") for part in ("train", *parts)}
    fits = list(own_parts(folder))
    plain = layout(folder)
    if not fits and plain:
        return folder, {"all": Source(*plain)}
    fits = fits or list(one_part(folder))
    if len(fits) > 1:
        shown = " and ".join(in_words(parts) for parts in fits)
        raise UserError(f"{folder}: two layouts fit, {shown}: {CHOOSE}")
    if not fits:
        raise without_pairs(folder)
    return folder, fits[0]


def holding(folder):
    """{name in small letters: name} of the folders of images within one, two levels deep."""
    within = [path for path in folder.iterdir() if path.is_dir()]
    within += [path for one in within for path in one.iterdir() if path.is_dir()]
    names = [path.relative_to(folder).as_posix() for path in sorted(within) if pictures(path)]
    return {name.lower(): name for name in names}


def own_parts(folder):
    """Each `{part: Source}` of parts that somebody has made: of one way to lay them out."""

    def beside(alias):  # train + train_masks
        return [(alias, alias + behind) for behind in BEHIND]

    def within(alias):  # train/images + train/masks
        return [(f"{alias}/{image}", f"{alias}/{mask}") for mask in MASKS for image in IMAGES]

    def below(alias):  # images/train + masks/train
        return [(f"{image}/{alias}", f"{mask}/{alias}") for mask in MASKS for image in IMAGES]

    there = holding(folder)

    def fitting(candidates):
        two = ([there.get(name.lower()) for name in names] for names in candidates)
        return next((Source(*names) for names in two if all(names)), None)

    ways = [
        {part: [two for alias in aliases for two in way(alias)] for part, aliases in PARTS.items()}
        for way in (beside, within, below)
    ]
    ways.append({part: [two] for part, two in NNUNET.items()})
    for way in ways:
        parts = {part: fitting(candidates) for part, candidates in way.items()}
        parts = {part: source for part, source in parts.items() if source}
        if any(source.masks.endswith("1st_manual") for source in parts.values()):
            # Beside masks drawn by hand `mask` is the part that counts, in every part of the data.
            parts = {part: one for part, one in parts.items() if one.masks.endswith("1st_manual")}
        # `train` and `train_masks` alone are Carvana's: all of it, to be split.
        if "train" in parts and parts != {"train": Source("train", "train_masks")}:
            yield parts
    lists = {part: f"ImageSets/Segmentation/{part}.txt" for part in PARTS}
    lists = {part: Source(*VOC, name) for part, name in lists.items() if (folder / name).is_file()}
    if "train" in lists:
        yield lists


def one_part(folder):
    """Each `{"all": Source}`: a folder of images beside one of masks, or both in one folder."""
    there = holding(folder)
    images, masks = (
        [there[name.lower()] for name in names if name.lower() in there]
        for names in (IMAGES, MASKS)
    )
    if masks and masks[0].lower() == "1st_manual":
        masks = masks[:1]
    both = [{"all": Source(image, mask)} for image in images for mask in masks]
    if both:
        yield from both
    elif pictures(folder):
        yield {"all": Source(".", ".")}


def in_words(parts):
    """The folders of a layout in words."""
    return ", ".join(f"{source.images} + {source.masks}" for source in parts.values())


def without_pairs(folder):
    """The UserError for a folder that is in none of the layouts, with what was seen there."""
    seen = [f"{path.name} ({pictures(path)} images)" for path in sorted(folder.iterdir())]
    seen = [
        text for text, path in zip(seen, sorted(folder.iterdir()), strict=True) if path.is_dir()
    ]
    there = f"It holds {', '.join(seen[:8])}. " if seen else "It holds no folders. "
    wanted = ", ".join(f"{images} + {masks}" for images, masks in LAYOUTS)
    return UserError(
        f"{folder}: no images and masks in this folder. {there}Expected {wanted}, or such like, as "
        "folders or zips; parts as train + train_labels, val + val_labels, or train/images + "
        f"train/masks; or image and mask side by side. For all else {CHOOSE}."
    )


def unused(place, parts):
    """Folders of images within a place that no part uses: `["mask (20 images)", ...]`."""
    used = {Path(name) for source in parts.values() for name in source[:2]}
    if any("*" in name for source in parts.values() for name in source[:2]):
        return []
    folders = [path for path in sorted(place.rglob("*")) if path.is_dir()]
    found = []
    for path in [place, *folders]:
        inner = path.relative_to(place)
        hidden = any(piece.startswith(".") for piece in inner.parts)
        if inner not in used and not hidden and (count := pictures(path)):
            found.append(f"{inner} ({count} images)")
    return found
