"""The layouts and names that people have: each is paired, or refused with what to do."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, doctor
from unet_tf.cli import commands
from unet_tf.files import UserError

# Layout: {part: (image file, mask file)}, with the number of the pair for {}.
LAYOUTS = {
    "train_masks and val_masks": {
        "train": ("train/{}.jpg", "train_masks/{}.png"),
        "val": ("val/{}.jpg", "val_masks/{}.png"),
    },
    "valid": {
        "train": ("train/images/{}.jpg", "train/masks/{}.png"),
        "val": ("valid/images/{}.jpg", "valid/masks/{}.png"),
        "test": ("test/images/{}.jpg", "test/masks/{}.png"),
    },
    "validation and labels": {
        "train": ("train/images/{}.jpg", "train/labels/{}.png"),
        "val": ("validation/images/{}.jpg", "validation/labels/{}.png"),
    },
    "images/train": {
        "train": ("images/train/{}.jpg", "masks/train/{}.png"),
        "val": ("images/val/{}.jpg", "masks/val/{}.png"),
    },
    "annotations/training": {
        "train": ("images/training/{}.jpg", "annotations/training/{}.png"),
        "val": ("images/validation/{}.jpg", "annotations/validation/{}.png"),
    },
    "CamVid": {
        "train": ("train/s_{}.png", "trainannot/s_{}.png"),
        "val": ("val/s_{}.png", "valannot/s_{}.png"),
        "test": ("test/s_{}.png", "testannot/s_{}.png"),
    },
    "DRIVE": {
        "train": ("training/images/{}_training.tif", "training/1st_manual/{}_manual1.gif"),
        "test": ("test/images/{}_test.tif", "test/1st_manual/{}_manual1.gif"),
    },
    "nnU-Net": {
        "train": ("imagesTr/c_{}_0000.png", "labelsTr/c_{}.png"),
        "test": ("imagesTs/c_{}_0000.png", "labelsTs/c_{}.png"),
    },
    "image and label": {"all": ("image/{}.png", "label/{}.png")},
    "imgs and masks": {"all": ("imgs/{}.png", "masks/{}.png")},
    "images and labels": {"all": ("images/{}.png", "labels/{}.png")},
    "images and annotations": {"all": ("images/{}.png", "annotations/{}.png")},
    "capital letters": {"all": ("Images/{}.PNG", "Masks/{}.png")},
    "VOC without lists": {"all": ("JPEGImages/{}.jpg", "SegmentationClass/{}.png")},
    "side by side": {"all": ("a{}.jpg", "a{}.png")},
    "side by side, by name": {"all": ("a{}.png", "a{}_mask.png")},
    "side by side, as labels": {"all": ("a{}.png", "a{}_label.tif")},
    "img_ and mask_": {"all": ("images/img_{}.png", "masks/mask_{}.png")},
    "image1 and label1": {"all": ("images/image{}.png", "masks/label{}.png")},
    "_sat and _mask": {"all": ("images/{}_sat.jpg", "masks/{}_mask.png")},
    "photos that end in _mask": {"all": ("images/a{}_mask.jpg", "masks/a{}_mask_mask.png")},
    "photos that end in _gt": {"all": ("images/a{}_gt.jpg", "masks/a{}_gt.png")},
    "Cityscapes' names": {"all": ("images/u_{}_leftImg8bit.png", "masks/u_{}_gtFine_labelIds.png")},
}


def put(path, mask=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((16, 16), "uint8")
    pixels[4:9, 4:9] = 255
    image = np.random.default_rng(len(str(path))).integers(0, 255, (16, 16, 3)).astype("uint8")
    Image.fromarray(pixels if mask else image).save(path)


def written(folder, layout, count=5):
    """The expected pairs, by part."""
    made = {}
    for number, (part, names) in enumerate(LAYOUTS[layout].items()):
        numbers = range(10 * number + 10, 10 * number + 10 + count)
        pairs = [data.Pair(*(folder / name.format(n) for name in names)) for n in numbers]
        for image, mask in pairs:
            put(image)
            put(mask, mask=True)
        made[part] = pairs
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_understood_by_all(tmp_path, layout):
    made = written(tmp_path, layout)
    assert data.pair(tmp_path) == [pair for pairs in made.values() for pair in pairs]
    report = doctor.check(tmp_path)
    assert report.counts == {part: (5, 5, 5) for part in made} and report.status == 0
    assert report.whole_pairs() == made
    parts = data.parts(tmp_path, by="image")
    if "test" in made:
        assert parts.test == made["test"]
    if "val" in made:
        assert parts.validation == made["val"]


def test_lists_decide_where_there_are_some(tmp_path):
    pairs = written(tmp_path, "VOC without lists", 6)["all"]
    lists = tmp_path / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("10\n11\n12\n")
    (lists / "val.txt").write_text("13\n14\n")
    parts = data.parts(tmp_path, test_size=0)
    assert (parts.train, parts.validation) == (pairs[:3], pairs[3:5])


def test_what_is_not_used_is_said(tmp_path):
    written(tmp_path, "DRIVE")
    put(tmp_path / "training/mask/10_training_mask.gif", mask=True)
    (finding,) = [f for f in doctor.check(tmp_path).findings if f.what == "folders not used"]
    assert finding.cases == ["training/mask (1 images)"]


def test_a_field_of_view_is_never_taken_for_a_mask(tmp_path):
    """DRIVE as it is given out: its test part has images and fields of view alone."""
    pairs = written(tmp_path, "DRIVE")["train"]
    for path in (tmp_path / "test/1st_manual").iterdir():
        path.unlink()
    put(tmp_path / "test/mask/20_test_mask.gif", mask=True)
    assert doctor.check(tmp_path).whole_pairs() == {"train": pairs}


def test_two_layouts_are_not_guessed_between(tmp_path):
    written(tmp_path, "images/train")
    written(tmp_path, "valid")
    for look in (data.pair, doctor.check):
        with pytest.raises(UserError, match=r"two layouts fit.*train/images.*--image-files"):
            look(tmp_path)


def test_what_lies_there_is_said_where_nothing_fits(tmp_path):
    put(tmp_path / "scans/1.png")
    put(tmp_path / "drawn/1.png", mask=True)
    with pytest.raises(UserError, match=r"It holds drawn \(1 images\), scans \(1 images\)"):
        data.pair(tmp_path)


def test_patterns_pair_what_is_laid_out_in_no_usual_way(tmp_path, capsys):
    for name in ("7", "8", "9"):
        put(tmp_path / f"scans/{name}_v1.tif")
        put(tmp_path / f"drawn/vessels {name}.png", mask=True)
    put(tmp_path / "scans/notes.png")
    patterns = "scans/*_v1.tif", "drawn/vessels *.png"
    pairs = data.pair(tmp_path, patterns)
    assert [(image.name, mask.name) for image, mask in pairs] == [
        (f"{name}_v1.tif", f"vessels {name}.png") for name in ("7", "8", "9")
    ]
    options = ["--image-files", patterns[0], "--mask-files", patterns[1]]
    assert commands.main(["check", str(tmp_path), *options]) == 0
    assert "all   3       3      3" in capsys.readouterr().out
    parts = data.parts(tmp_path, pairs=doctor.check(tmp_path, patterns=patterns).whole_pairs())
    assert sorted(parts.train + parts.validation) == pairs  # as `train` gives them
    assert commands.main(["check", str(tmp_path), *options[:2]]) == 1
    assert "give both" in capsys.readouterr().err


def test_accents_pair_however_they_are_written(tmp_path):
    for name in ("Müller", "Łódź", "é"):
        put(tmp_path / f"images/{unicodedata.normalize('NFC', name)}.png")
        put(tmp_path / f"masks/{unicodedata.normalize('NFD', name)}.png", mask=True)
    assert len(data.pair(tmp_path)) == 3 and doctor.check(tmp_path).status == 0


@pytest.mark.skipif(os.name == "nt", reason="there names are no bytes")
def test_names_that_are_no_utf_8_are_read_and_shown(tmp_path, capsys):
    for kind in ("images", "masks"):
        for number in range(3):
            put(tmp_path / kind / f"{number}.png", mask=kind == "masks")
            place = os.fsencode(tmp_path / kind)
            os.rename(place + b"/%d.png" % number, place + b"/b\xe4r%d.png" % number)
    assert commands.main(["check", str(tmp_path)]) == 0
    assert "3       3      3" in capsys.readouterr().out


def test_a_second_mask_is_named_and_the_photo_stays(tmp_path):
    for name in ("a", "b"):
        put(tmp_path / f"images/{name}.png")
        put(tmp_path / f"masks/{name}.png", mask=True)
    put(tmp_path / "masks/a_mask.png", mask=True)
    with pytest.raises(UserError, match=r"the same name twice \(1\): a.png and a_mask.png"):
        data.pair(tmp_path)


@pytest.mark.parametrize(("count", "level"), [(1, "error"), (2, "warning"), (3, None)])
def test_what_cannot_be_split_is_said(tmp_path, count, level):
    written(tmp_path, "imgs and masks", count)
    found = [f.level for f in doctor.check(tmp_path).findings if "too few to split" in f.what]
    assert found == ([level] if level else [])
