"""Regions that count: files beside images and masks, black where nothing is judged."""

import glob
import os
from pathlib import Path

import numpy as np

from unet_tf.data.images import SUFFIXES
from unet_tf.data.masks import VOID, read_mask
from unet_tf.files import UserError


def reader(labels, pairs, folder, pattern=None):
    """A function that reads the masks of these pairs as `Labels.read` does, with `VOID` where the
    image's region is black.

    Parameters
    ----------
    labels : Labels
    pairs : list of Pair
    folder : path
    pattern : str, optional
        The regions' files, in `folder`: a folder there, or a pattern such as `test/mask/*.gif`.
        Each is named as its image, or so with something behind: `01_test_mask.gif` for
        `01_test.tif`. Without a pattern all of each image counts.

    Raises
    ------
    UserError
        For no files; an image with no region, or two. The function: for a region of another size
        than its mask, or all black; as `read_mask`.
    """
    if pattern is None:
        return labels.read
    regions = regions_of(pairs, folder, pattern)

    def read(path):
        mask = labels.read(path)
        return np.where(region_at(regions[Path(path)], mask.shape), mask, np.uint8(VOID))

    return read


def region_at(file, shape):
    """A region, bool (height, width); raises as `reader`."""
    region = read_mask(file) > 0
    if region.shape != shape:
        sizes = " and ".join("x".join(map(str, one)) for one in (region.shape, shape))
        raise UserError(
            f"{file}: this region and its mask differ in size ({sizes}, height x width): give one "
            "of the mask's size"
        )
    if not region.any():
        raise UserError(
            f"{file}: this region is all black, so nothing of its image counts: mend it, or remove "
            "the image and its mask"
        )
    return region


def regions_of(pairs, folder, pattern):
    """The file of the region of each mask, `{mask: region}`; raises as `reader`."""
    place = os.path.join(glob.escape(str(folder)), pattern)
    place = os.path.join(place, "*") if os.path.isdir(os.path.join(folder, pattern)) else place
    files = [Path(name) for name in sorted(glob.glob(place, recursive=True))]
    files = [file for file in files if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not files:
        raise UserError(f"{place}: there are no images of regions (--region)")
    stems, regions = {}, {}
    for pair in pairs:
        stems.setdefault(pair[0].stem, []).append(pair)
    for file in files:
        ends = [
            end for end in range(1, len(file.stem) + 1) if not file.stem[end : end + 1].isalnum()
        ]
        fitting = [file.stem[:end] for end in ends if file.stem[:end] in stems]
        if fitting:  # the longest: `a_1_region` is of `a_1`, not of `a`
            there = regions.setdefault(nearest_to(file, stems[fitting[-1]])[1], file)
            if there != file:
                raise UserError(
                    f"{there} and {file} would both be the region of {fitting[-1]}: give a "
                    "narrower pattern (--region)"
                )
    missing = [image.name for image, mask in pairs if mask not in regions]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise UserError(
            f"{', '.join(missing[:5])}{more}: no region among {place}: one is named as its image, "
            "or so with something behind, such as 01_mask.gif for 01.tif"
        )
    return regions


def nearest_to(file, pairs):
    """Of pairs whose images have one name that whose folder is nearest to a file's, as parts have
    `train/mask/7.png` for `train/images/7.png`; a UserError where two are."""
    places = [[os.path.abspath(path) for path in (file, image)] for image, _ in pairs]
    depths = [len(Path(os.path.commonpath(two)).parts) for two in places]
    if depths.count(max(depths)) > 1:
        names = " and ".join(str(image) for image, _ in pairs[:2])
        raise UserError(f"{file}: could be the region of {names}: give them names of their own")
    return pairs[depths.index(max(depths))]
