"""Splits by group and by image."""

import itertools

import pytest
from PIL import Image
from sklearn.model_selection import train_test_split

from unet_tf import data


def save(path, size=(12, 8), colour=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, colour).save(path)


def carvana_like(folder, cars=5, views=4, layout=("train_hq", "train_masks")):
    for car in range(cars):
        for view in range(1, views + 1):
            name = f"{car:012x}_{view:02}"
            save(folder / layout[0] / f"{name}.jpg", colour=90)
            save(folder / layout[1] / f"{name}_mask.gif", colour=0)
    return folder


def test_car_of():
    assert data.group_of("train_hq/0cdf5b5d0ce1_04.jpg") == "0cdf5b5d0ce1"
    assert data.group_of("0cdf5b5d0ce1_16_mask.gif") == "0cdf5b5d0ce1"
    assert data.group_of("holiday_04.jpg") == "holiday_04"


def test_split_by_image_is_the_article_s(tmp_path, capsys):
    """scikit-learn's train_test_split(images, masks, test_size=0.2, random_state=42)."""
    pairs = data.pair(carvana_like(tmp_path))
    parts = data.split(pairs, by="image", validation_size=0.2)
    images, masks = [image for image, _ in pairs], [mask for _, mask in pairs]
    x_train, x_val, y_train, y_val = train_test_split(images, masks, test_size=0.2, random_state=42)
    assert parts.train == list(zip(x_train, y_train, strict=True))
    assert parts.validation == list(zip(x_val, y_val, strict=True))
    assert parts.test == []
    cars = [{data.group_of(image) for image, _ in part} for part in parts]
    assert len(cars[0] & cars[1]) > 0
    assert capsys.readouterr().out == (
        f"Split by image: 16 train (5 cars), 4 validation ({len(cars[1])} cars); "
        f"cars on both sides: {len(cars[0] & cars[1])}\n"
    )


@pytest.mark.parametrize("by", ["group", "image"])
def test_parts_are_disjoint_whole_and_repeat(tmp_path, by, capsys):
    pairs = data.pair(carvana_like(tmp_path, cars=10))
    parts = data.split(pairs, by=by, validation_size=0.2, test_size=0.3, seed=7)
    assert [len(part) for part in parts] == [20, 8, 12]
    assert sorted(itertools.chain(*parts)) == sorted(pairs)
    assert data.split(pairs, by=by, validation_size=0.2, test_size=0.3, seed=7) == parts
    assert data.split(pairs, by=by, validation_size=0.2, test_size=0.3, seed=8) != parts
    if by == "group":
        cars = [{data.group_of(image) for image, _ in part} for part in parts]
        assert not (cars[0] & cars[1] or cars[0] & cars[2] or cars[1] & cars[2])
        assert "cars on both sides: 0" in capsys.readouterr().out


def test_splits_that_cannot_be(tmp_path):
    pairs = data.pair(carvana_like(tmp_path, cars=1))
    with pytest.raises(ValueError, match=r"4 images of 1 cars cannot be split by car .*nothing is"):
        data.split(pairs)
    with pytest.raises(ValueError, match="view"):
        data.split(pairs, by="view")


def cases(folder, count=8, slices=3, below="images"):
    """A folder a patient, in which the files are called alike."""
    for case in range(count):
        for number in range(slices):
            for kind in ("photo", "mask"):
                save(folder / f"case{case}" / below / f"{kind}{number:02}.png", colour=case)
    patterns = (f"*/{below}/photo*.png", f"*/{below}/mask*.png")
    return data.pair(folder, patterns)


@pytest.mark.parametrize("below", ["images", "."])
def test_files_of_one_name_in_several_folders_are_grouped_by_folder(tmp_path, below, capsys):
    pairs = cases(tmp_path, below=below)
    images = [image for image, _ in pairs]
    assert set(data.groups_of(images)) == {f"case{number}" for number in range(8)}
    assert data.groups_fit(images)
    for parts in (data.split(pairs, "group", 0.25, 0.25), *data.folds(pairs, 4)):
        found = [{image.relative_to(tmp_path).parts[0] for image, _ in part} for part in parts]
        assert not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])
        assert sum(map(len, found)) == 8 and all(found)
    said = (
        "12 train (4 groups), 6 validation (2 groups), 6 test (2 groups); groups on both sides: 0"
    )
    assert said in capsys.readouterr().out
    with pytest.raises(ValueError, match="24 images of 8 groups"):
        data.split(pairs, "group", 0.5, 0.5)


def test_images_of_unlike_names_keep_the_groups_of_their_names():
    paths = ["a/p1_01.png", "a/p1_02.png", "b/p2_01.png"]
    assert data.groups_of(paths) == ["p1", "p1", "p2"]
    assert data.groups_of(["7.png"]) == ["7"] and data.groups_of([]) == []
    assert data.groups_of(["x/a/7.png", "x/b/7.png", "x/b/8.png"]) == ["a", "b", "b"]
    # A patient stays together, though two sites have one file name; a file is no group.
    sites = ["a/p1_01.png", "a/p10_01.png", "b/p10_01.png", "b/p10_02.png"]
    assert data.groups_of(sites) == ["p1", "p10", "p10", "p10"]
    assert data.groups_of(["7.png", "8.png", "copy/7.png"]) == ["7", "8", "7"]
