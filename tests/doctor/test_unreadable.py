"""Files that cannot be read as they are: each kind by its own remedy, one for a whole folder."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import doctor


def folder_of(place, images):
    """Pairs of these images, and a mask of a square each."""
    mask = np.zeros((16, 20), "uint8")
    mask[4:9, 4:12] = 255
    for kind in ("images", "masks"):
        (place / kind).mkdir(parents=True)
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(place / f"images/{number}.tif")
        Image.fromarray(mask).save(place / f"masks/{number}.png")
    return place


def ramp(highest):
    return np.linspace(0, highest, 320).reshape(16, 20).astype("uint16")


def unreadable(place):
    return [one for one in doctor.check(place).findings if "cannot be read" in one.what]


@pytest.mark.parametrize(
    ("highest", "white"),
    [
        ((900, 4000, 3000), 4095),  # 12 bits: alone the first would be made 4 times light
        ((900, 1000), 1023),
        ((900, 60000), 65535),  # 16 bits, one of them dark
        ((60000, 50000), None),
    ],
)
def test_numbers_are_brought_to_one_range_by_those_of_all(tmp_path, highest, white):
    report = doctor.check(folder_of(tmp_path / "mine", map(ramp, highest)))
    assert report.status == 0
    assert report.value_range == (white and (0, white))
    (found,) = [one for one in report.findings if "more than 8 bits" in one.what]
    assert len(found.cases) == len(highest)
    assert (f"0 is black and {white} white" if white else "65535, or 1, is white") in found.remedy


def test_a_float_that_is_no_number_is_named(tmp_path):
    floats = [np.linspace(0, 1, 320, dtype="float32").reshape(16, 20) for _ in range(3)]
    floats[1][3, 4] = np.nan
    (found,) = unreadable(folder_of(tmp_path / "mine", floats))
    assert found.cases == ["images/1.tif: it holds numbers that are none (NaN, or infinite)"]
    assert found.remedy.startswith("put a number in their place")


def test_one_speck_that_widens_the_range_of_all_is_warned_of(tmp_path):
    images = [ramp(3000) for _ in range(4)]
    images[2][0, 0] = 65535
    report = doctor.check(folder_of(tmp_path / "mine", images))
    (found,) = [one for one in report.findings if "fewer than 16 of 256 levels" in one.what]
    assert report.value_range == (0, 65535) and found.level == "warning"
    assert found.cases == ["images/0.tif", "images/1.tif", "images/3.tif"]
    Image.fromarray(np.zeros((9, 9), "uint8")).save(tmp_path / "mine/masks/2.png")
    report = doctor.check(tmp_path / "mine")  # what is left out has no say
    assert report.value_range == (0, 4095)
    assert not [one for one in report.findings if "levels" in one.what and "0.tif" in one.cases]


def test_each_kind_has_its_own_remedy(tmp_path):
    place = folder_of(tmp_path / "mine", [ramp(60000)] * 4)
    page = Image.fromarray(ramp(60000))
    page.save(place / "images/1.tif", save_all=True, append_images=[page, page])
    (place / "images/2.tif").write_bytes(b"")
    paged, torn = unreadable(place)
    assert paged.cases == [
        "images/1.tif: it holds 3 pages or frames, and none is taken for the others"
    ]
    assert paged.remedy.startswith("make each a file of its own") and "magick" in paged.remedy
    assert torn.cases[0].startswith("images/2.tif: not an image") and "copy" in torn.remedy
    assert paged.cured and torn.cured


@pytest.mark.parametrize("ending", ["npy", "heic"])
def test_full_folders_of_what_is_not_read_are_not_to_be_filled(tmp_path, ending):
    place = folder_of(tmp_path / "mine", [ramp(60000)] * 3)
    for file in (place / "masks").iterdir():
        file.rename(file.with_suffix(f".{ending}"))
    (found,) = [one for one in doctor.check(place).findings if one.what == "no pairs"]
    assert "are read: convert what is in masks" in found.remedy and "fill" not in found.remedy
