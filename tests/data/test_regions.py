"""Regions: which file is whose, and what counts."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import data
from unet_tf.data import VOID, Labels, Pair
from unet_tf.files import UserError


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, "uint8")).save(path)


@pytest.fixture
def pairs(tmp_path):
    """Two pairs of 1x4, whose masks are 0 1 1 0."""
    found = [
        Pair(tmp_path / f"images/{n}.tif", tmp_path / f"masks/{n}_m.png") for n in ("a", "a_1")
    ]
    for image, mask in found:
        save(image, [[0, 0, 0, 0]])
        save(mask, [[0, 255, 255, 0]])
    return found


def test_what_is_black_does_not_count(pairs, tmp_path):
    save(tmp_path / "fov/a_mask.gif", [[255, 255, 0, 0]])
    save(tmp_path / "fov/a_1_mask.gif", [[0, 255, 255, 255]])  # the longer name is meant
    for pattern in ("fov", "fov/*.gif", "**/*_mask.gif", str(tmp_path / "fov")):
        read = data.reader(Labels.foreground(), pairs, tmp_path, pattern)
        masks = [read(mask) for _, mask in pairs]
        assert [mask.tolist() for mask in masks] == [[[0, 1, VOID, VOID]], [[VOID, 1, 1, 0]]]
        assert masks[0].dtype == np.uint8
    whole = data.reader(Labels.foreground(), pairs, tmp_path)
    assert whole(pairs[0].mask).tolist() == [[0, 1, 1, 0]]


def test_regions_that_do_not_fit(pairs, tmp_path):
    def read(pattern="fov"):
        return data.reader(Labels.foreground(), pairs, tmp_path, pattern)

    with pytest.raises(UserError, match=r"fov: there are no images of regions \(--region\)"):
        read()
    save(tmp_path / "fov/a_1.png", [[0, 0, 0, 0]])
    save(tmp_path / "fov/ab.png", [[0, 0, 0, 255]])  # of another image
    with pytest.raises(UserError, match=r"^a.tif: no region among .*fov"):
        read()
    save(tmp_path / "fov/a.png", [[255, 255]])
    with pytest.raises(UserError, match=r"a\.png: this region and its mask differ.*1x2 and 1x4"):
        read()(pairs[0].mask)
    with pytest.raises(UserError, match=r"a_1\.png: this region is all black"):
        read()(pairs[1].mask)
    save(tmp_path / "fov/a_roi.png", [[255, 255, 0, 0]])
    with pytest.raises(UserError, match=r"a\.png and .*a_roi\.png would both be the region of a"):
        read()
    twice = [*pairs, Pair(tmp_path / "other/a.tif", tmp_path / "other/a_m.png")]
    with pytest.raises(UserError, match=r"a\.png: could be the region of .*a\.tif and .*a\.tif"):
        data.reader(Labels.foreground(), twice, tmp_path, "fov")


def test_parts_with_one_name_have_the_regions_beside_them(tmp_path):
    pairs = []
    for part, shown in (("train", [255, 0]), ("test", [0, 255])):
        place = tmp_path / part
        save(place / "masks/7.png", [[255, 255]])
        save(place / "fov/7_fov.png", [shown])
        pairs.append(Pair(place / "images/7.tif", place / "masks/7.png"))
    read = data.reader(Labels.foreground(), pairs, tmp_path, "*/fov/*.png")
    assert [read(mask).tolist() for _, mask in pairs] == [[[1, 255]], [[255, 1]]]
