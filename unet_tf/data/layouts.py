"""The layouts that people have, as a table, and those in which a folder could be read."""

import itertools
import re
from pathlib import Path

from unet_tf.data.listings import Source, contents, listing
from unet_tf.data.names import is_image
from unet_tf.data.pairs import GIVEN

# The names of folders, in small letters and without `_`, `-` and spaces.
IMAGES = ("images", "image", "imgs", "img", "jpegimages", "photos", "photo", "original")
IMAGES += ("originals", "input", "inputs")
MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt")
MASKS += ("gts", "groundtruth", "segmentations", "segmentation", "segmentationclass", "segs", "seg")
MASKS += ("targets", "target", "1stmanual", "manual1", "manual")
PARTS = {
    "train": ("train", "training", "tr"),  # the short ones are nnU-Net's: imagesTr
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing", "ts"),
}
# The images and the masks of a part that somebody has made.
WAYS = (
    ("{part}", "{part}{mask}"),  # train + train_masks, train + trainannot
    ("{part}/{image}", "{part}/{mask}"),  # train/images + train/masks
    ("{image}/{part}", "{mask}/{part}"),  # images/train + masks/train
    ("{part}{image}", "{part}{mask}"),  # train_images + train_masks
    ("{image}{part}", "{mask}{part}"),  # images_train + masks_train, imagesTr + labelsTr
)
DRAWN = re.compile("manual")  # of vessels: beside it, or in another part, `mask` is what counts
VOC = ("JPEGImages", "SegmentationClass")


def holding(folder):
    """{name as in `IMAGES`: name} of the folders of images within one, two levels deep."""
    inner = [place.relative_to(folder) for place, images, _ in contents(folder, 2) if images]
    names = [path.as_posix() for path in inner if path != Path()]
    return {key(name): name for name in names}


def key(name):
    """The name of a folder, as the names above are written."""
    return re.sub("[-_ ]", "", name).lower()


def sources(there, fixed, image, mask):
    """The `Source`s among folders (`holding`) of one of the `WAYS` to call images and masks."""
    ways = ({"image": one, "mask": two, **fixed} for one in IMAGES for two in MASKS)
    two = dict.fromkeys((image.format(**way), mask.format(**way)) for way in ways)
    found = [(there[one], there[two]) for one, two in two if one in there and two in there]
    drawn = [names for names in found if DRAWN.search(key(names[1]))]
    return [Source(*names) for names in drawn or found]


def own_parts(there, needed="train"):
    """Each `{part: Source}` of parts that somebody has made: of one way to lay them out."""
    for way in WAYS:
        parts = {
            part: [found for alias in aliases for found in sources(there, {"part": alias}, *way)]
            for part, aliases in PARTS.items()
        }
        every = itertools.chain(*parts.values())
        if any(DRAWN.search(key(source.masks)) for source in every):
            parts = {
                part: [source for source in found if DRAWN.search(key(source.masks))]
                for part, found in parts.items()
            }
        parts = {part: found for part, found in parts.items() if found}
        for number in range(max(map(len, parts.values()), default=0)):
            one = {part: found[min(number, len(found) - 1)] for part, found in parts.items()}
            # `train` and `train_masks` alone are Carvana's: all of it, to be split.
            if needed in one and one != {"train": Source("train", "train_masks")}:
                yield one


def by_endings(there):
    """Folders (`holding`) by the end of their names, where it is of one alone: a part and a word
    for images or masks. So ISIC's `ISIC2018_Task1-2_Training_Input` is called `traininginput`."""
    ends = [
        alias + word for aliases in PARTS.values() for alias in aliases for word in IMAGES + MASKS
    ]
    found = {end: [name for name in there if name.endswith(end)] for end in ends}
    return {end: there[names[0]] for end, names in found.items() if len(names) == 1}


def objects_apart(folder):
    """[(image, [the mask of each of its objects])] where each image has a folder of its own, with
    `images` and `masks`, as in the Data Science Bowl 2018; else nothing."""
    found = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        image, masks = (
            sorted(filter(is_image, (place / name).glob("*"))) for name in ("images", "masks")
        )
        if len(image) != 1 or not masks:
            return []
        found.append((image[0], masks))
    return found if any(len(masks) > 1 for _, masks in found) else []


def given_parts(place):
    """`{part: Source}` of `train` beside `train_labels`, and so for the others where any is."""
    parts = {"train": Source("train", "train_labels")}
    for part in GIVEN[1:]:
        there = [alias for alias in PARTS[part] if any((place / f"{alias}_labels").glob("*"))]
        if there:
            parts[part] = Source(there[0], f"{there[0]}_labels")
    return parts


def listed_parts(folder):
    """`{part: Source}` of PASCAL VOC's lists; those of images without masks are no parts."""
    lists = {part: f"ImageSets/Segmentation/{part}.txt" for part in PARTS}
    parts = {part: Source(*VOC, name) for part, name in lists.items() if (folder / name).is_file()}
    if "train" in parts:
        yield {
            part: source
            for part, source in parts.items()
            if part == "train" or listing(folder, source).pairs
        }


def in_one_folder(folder, there):
    """Each `{part: Source}` of images and masks that lie side by side, in parts or not."""
    parts = {
        part: Source(there[alias], there[alias])
        for part, aliases in PARTS.items()
        for alias in aliases
        if alias in there and listing(folder, Source(there[alias], there[alias])).pairs
    }
    if "train" in parts:
        yield parts
    if listing(folder, Source(".", ".")).pairs:
        yield {"all": Source(".", ".")}
