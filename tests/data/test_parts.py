"""Every layout that `check` takes is paired; what is not given is split off the training part."""

import itertools

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, doctor
from unet_tf.files import UserError

GIVEN = {part: (part, f"{part}_labels") for part in ("train", "val", "test")}
LAYOUTS = {
    "train_hq + train_masks": [("train_hq", "train_masks")],
    "train + train_masks": [("train", "train_masks")],
    "images + masks": [("images", "masks")],
    **{
        f"{' + '.join(parts)}, in {inner or 'the folder'}": [
            tuple(f"{inner}/{name}" if inner else name for name in GIVEN[part]) for part in parts
        ]
        for inner in ("", "tiff", "png")
        for parts in (
            *(("train", "val", "test"), ("train", "val")),
            *(("train", "test"), ("train",)),
        )
    },
}


def write(folder, names, count=6, start=0, name="{}"):
    """Pairs of noise, numbered from `start`, each its own, with masks of 0 and 255."""
    rng = np.random.default_rng(start)
    for place in names:
        (folder / place).mkdir(parents=True)
    for number in range(start, start + count):
        stem = name.format(number)
        image = rng.integers(60, 200, (8, 12, 3), dtype="uint8")
        Image.fromarray(image).save(folder / names[0] / f"{stem}.jpg")
        mask = np.tile(np.arange(12) // 6 * 255, (8, 1)).astype("uint8")
        Image.fromarray(mask).save(folder / names[1] / f"{stem}.png")
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pair_takes_what_check_takes(tmp_path, layout):
    for number, names in enumerate(LAYOUTS[layout]):
        write(tmp_path, names, start=100 * (number + 1))
    pairs = data.pair(tmp_path)
    assert [image.parent for image, _ in pairs] == [
        tmp_path / images for images, _ in LAYOUTS[layout] for _ in range(6)
    ]  # part after part: training, validation, test
    assert all(image.stem == mask.stem for image, mask in pairs)
    report = doctor.check(tmp_path)
    assert report.status == 0
    assert list(itertools.chain(*report.whole_pairs().values())) == pairs
    parts = data.parts(tmp_path, by="image", validation_size=0.25, test_size=0.25)
    assert sorted(itertools.chain(*parts)) == sorted(pairs) and all(parts)
    assert data.find(tmp_path) == tmp_path


def names(part):
    return [image.stem for image, _ in part]


@pytest.mark.parametrize("there, missing", [("val", "test"), ("test", "validation")])
def test_what_is_not_given_is_split_off_the_training_part(tmp_path, capsys, there, missing):
    write(tmp_path, GIVEN["train"], 20)
    write(tmp_path, GIVEN[there], 3, start=50)
    parts = data.parts(tmp_path, by="image", validation_size=0.25, test_size=0.25)
    given = parts.validation if there == "val" else parts.test
    split_off = parts.test if there == "val" else parts.validation
    assert names(given) == ["50", "51", "52"]
    assert len(parts.train) == 15 and len(split_off) == 5
    assert not set(names(parts.train)) & set(names(split_off))
    said = capsys.readouterr().out
    assert f"No {missing} part is given" in said and "training part" in said
    again = data.parts(tmp_path, by="image", validation_size=0.25, test_size=0.25)
    assert again == parts
    wholes = {"train": data.pair(tmp_path)[:20], there: data.pair(tmp_path)[20:]}
    assert data.parts(tmp_path, None, "image", 0.25, 0.25, pairs=wholes) == parts


def test_it_is_split_off_by_group_where_groups_fit(tmp_path, capsys):
    for place in GIVEN["train"]:
        (tmp_path / place).mkdir()
    for patient in range(10):
        part = write(tmp_path / f"p{patient}", ("a", "b"), 3, 10 * patient)
        for kind, place in zip("ab", GIVEN["train"], strict=True):
            for path in (part / kind).iterdir():
                path.rename(tmp_path / place / f"patient{patient}_{path.name}")
    write(tmp_path, GIVEN["val"], 4, start=500, name="other{}")
    parts = data.parts(tmp_path, test_size=0.3)
    groups = [{data.group_of(image) for image, _ in part} for part in parts]
    assert [len(part) for part in parts] == [21, 4, 9]
    assert len(groups[0]) == 7 and len(groups[2]) == 3 and not groups[0] & groups[2]
    assert "Split by group" in capsys.readouterr().out


def test_a_test_size_of_0_takes_nothing_from_training(tmp_path, capsys):
    write(tmp_path, GIVEN["train"], 6)
    write(tmp_path, GIVEN["val"], 3, start=50)
    assert [len(part) for part in data.parts(tmp_path, test_size=0)] == [6, 3, 0]
    assert capsys.readouterr().out == "Split as given: 6 train, 3 validation\n"


def test_parts_that_are_all_given_stay_as_they_are(tmp_path, capsys):
    for start, part in enumerate(GIVEN):
        write(tmp_path, GIVEN[part], 4, start=10 * start)
    parts = data.parts(tmp_path, images=2, validation_size=0.4, test_size=0.4)
    assert [names(part) for part in parts] == [
        ["0", "1"],
        ["10", "11", "12", "13"],
        ["20", "21", "22", "23"],
    ]
    assert capsys.readouterr().out == "Split as given: 2 train, 4 validation, 4 test\n"


def test_a_broken_pair_in_any_given_part_is_named(tmp_path):
    write(tmp_path, GIVEN["train"], 4)
    write(tmp_path, GIVEN["test"], 4, start=50)
    (tmp_path / "test_labels/51.png").unlink()
    with pytest.raises(ValueError, match=r"images without a mask \(1\): 51.jpg"):
        data.pair(tmp_path)
    assert doctor.check(tmp_path).left_out() == ["test/51.jpg"]


def test_no_images_and_masks_says_what_is_expected(tmp_path):
    for look in (data.pair, data.parts, data.find, doctor.check):
        with pytest.raises(UserError, match=r"train \+ train_labels"):
            look(tmp_path)
        with pytest.raises(UserError, match="there is no such folder"):
            look(tmp_path / "nowhere")
