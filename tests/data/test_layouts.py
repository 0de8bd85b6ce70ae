"""The layouts and names that people have: each is paired, or refused with what to do."""

import argparse
import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, doctor
from unet_tf.cli import commands, train
from unet_tf.data.names import matched
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
    "ISIC": {
        "train": (
            "ISIC2018_Task1-2_Training_Input/ISIC_{}.jpg",
            "ISIC2018_Task1_Training_GroundTruth/ISIC_{}_segmentation.png",
        ),
        "val": (
            "ISIC2018_Task1-2_Validation_Input/ISIC_{}.jpg",
            "ISIC2018_Task1_Validation_GroundTruth/ISIC_{}_segmentation.png",
        ),
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
    "train_images": {
        "train": ("train_images/{}.jpg", "train_masks/{}.png"),
        "val": ("val_images/{}.jpg", "val_masks/{}.png"),
    },
    "images_train": {
        "train": ("images_train/{}.jpg", "masks_train/{}.png"),
        "test": ("images_test/{}.jpg", "masks_test/{}.png"),
    },
    "valid_labels": {
        "train": ("train/{}.png", "train_labels/{}.png"),
        "val": ("valid/{}.png", "valid_labels/{}.png"),
    },
    "side by side in parts": {
        "train": ("train/{}_sat.jpg", "train/{}_mask.png"),
        "val": ("valid/{}_sat.jpg", "valid/{}_mask.png"),
    },
    "DRIVE without a test part": {
        "train": ("training/images/{}_training.tif", "training/1st_manual/{}_manual1.gif"),
    },
    "HRF": {"all": ("images/{}_dr.jpg", "manual1/{}_dr.tif")},
    "Original and Ground Truth": {"all": ("Original/{}.tif", "Ground Truth/{}.tif")},
    "img_ beside mask_": {"all": ("img_{}.png", "mask_{}.png")},
    "photos that end in _mask, side by side": {"all": ("a{}_mask.png", "a{}_mask_mask.png")},
    "photos that end in _image": {"all": ("images/a{}_image.png", "masks/a{}_image_mask.png")},
    "endings kept": {"all": ("images/u_{}.jpg", "masks/u_{}.jpg.png")},
    "endings kept, and more": {"all": ("images/u_{}.jpg", "masks/u_{}.jpg_mask.png")},
    "originals": {"all": ("images/u_{}_Original.png", "masks/u_{}_Mask.png")},
    "numbered": {"all": ("images/u_{}.png", "masks/u_{}_seg0.png")},
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
    (finding,) = [f for f in doctor.check(tmp_path).findings if f.what == "not used"]
    assert finding.cases == ["training/mask (1 images)"]


def test_a_field_of_view_is_never_taken_for_a_mask(tmp_path):
    """DRIVE as it is given out: its test part has images and fields of view alone."""
    pairs = written(tmp_path, "DRIVE")["train"]
    for path in (tmp_path / "test/1st_manual").iterdir():
        path.unlink()
    put(tmp_path / "test/mask/20_test_mask.gif", mask=True)
    assert doctor.check(tmp_path).whole_pairs() == {"train": pairs}


def test_a_list_says_what_is_not_there_and_what_it_leaves_out(tmp_path):
    pairs = written(tmp_path, "VOC without lists", 6)["all"]
    put(tmp_path / "JPEGImages/90.jpg")
    lists = tmp_path / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("10\n11\n99\n")
    (lists / "val.txt").write_text("12\n13\n")
    (lists / "test.txt").write_text("90\n")  # VOC's own has no masks
    report = doctor.check(tmp_path)
    assert report.whole_pairs() == {"train": pairs[:2], "val": pairs[2:4]}
    found = {finding.what: finding.cases for finding in report.findings}
    assert found["names in ImageSets/Segmentation/train.txt that no image has"] == ["99"]
    left = ["ImageSets/Segmentation/test.txt", "JPEGImages (3 images)"]
    assert found["not used"] == [*left, "SegmentationClass (2 images)"]
    with pytest.raises(UserError, match=r"no image is called so \(1\): 99"):
        data.pair(tmp_path)


def test_files_of_other_kinds_and_parts_without_masks_are_said(tmp_path):
    written(tmp_path, "DRIVE without a test part")
    for kind in ("images", "mask"):  # the masks say what counts, not where vessels are
        put(tmp_path / f"test/{kind}/31_test.tif")
    (tmp_path / "boxes").mkdir()
    for number in range(4):
        (tmp_path / f"boxes/{number}.xml").touch()
    for name in ("coco.json", "more.zip", "README.md", ".hidden"):
        (tmp_path / name).touch()
    report = doctor.check(tmp_path)
    (finding,) = [f for f in report.findings if f.what == "not used"]
    first = ["coco.json", "more.zip", "boxes (4 .xml files)"]
    assert finding.cases == [*first, "test/images (1 images)", "test/mask (1 images)"]
    assert set(report.counts) == {"train"}


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ("labels/{}.png", "images . masks and images . labels"),
        ("valid/{}.png", None),
        ("train/masks/{}.png", None),
    ],
)
def test_another_folder_of_masks_is_a_second_layout(tmp_path, more, shown):
    for number in range(3):
        put(tmp_path / f"images/{number}.png")
        put(tmp_path / f"masks/{number}.png", mask=True)
        put(tmp_path / more.format(number), mask=True)
    if shown is None:  # nothing that it could be the mask of, or the image
        assert len(data.pair(tmp_path)) == 3
        return
    with pytest.raises(UserError, match=shown):
        data.pair(tmp_path)


def test_train_is_not_test(tmp_path):
    written(tmp_path, "imgs and masks")
    put(tmp_path / "imgs/7_train.png")
    put(tmp_path / "masks/7_test.png", mask=True)
    with pytest.raises(UserError) as caught:
        data.pair(tmp_path)
    assert "images without a mask (1): 7_train.png" in str(caught.value)
    assert "masks without an image (1): 7_test.png" in str(caught.value)


@pytest.mark.parametrize(
    ("image", "mask", "second"),
    [
        ("imagesTr/c_0000.png", "labelsTr/c.png", "imagesTr/c_0001.png"),  # channels
        ("images/c.png", "masks/c_mask.png", "masks/c_label.png"),
        ("a.jpg", "a_mask.png", "a.jpeg"),
        ("a.jpg", "a.png", "a.tif"),
    ],
)
def test_a_second_file_of_one_thing_is_not_dropped(tmp_path, image, mask, second):
    put(tmp_path / image)
    put(tmp_path / mask, mask=True)
    put(tmp_path / second)
    for letter in "xyz":  # whole pairs of the same kind, in the same folders
        for path, is_mask in ((image, False), (mask, True)):
            folder, _, name = path.rpartition("/")
            put(tmp_path / folder / f"{letter}{name[1:]}", mask=is_mask)
    with pytest.raises(UserError, match=f"the same name twice.*{second.rpartition('/')[2]}"):
        data.pair(tmp_path)
    (finding,) = [f for f in doctor.check(tmp_path).findings if f.what == "the same name twice"]
    assert finding.level == "error" and not finding.cured  # --leave-out would choose one


def test_a_field_of_view_is_no_label(tmp_path):
    pairs = written(tmp_path, "HRF")["all"]
    for image, _ in pairs:
        put(tmp_path / f"mask/{image.stem}_mask.tif", mask=True)
    assert data.pair(tmp_path) == pairs


def test_training_says_what_is_not_used(tmp_path, capsys):
    written(tmp_path, "imgs and masks")
    put(tmp_path / "test/1.png")
    arguments = argparse.Namespace(leave_out=False, image_files=None, mask_files=None)
    train.checked(arguments, tmp_path)
    assert "not used: test (1 images)" in capsys.readouterr().out


def test_zips_of_other_names_are_to_be_unpacked(tmp_path):
    for name in ("photos", "labels"):
        (tmp_path / f"{name}.zip").touch()
    with pytest.raises(UserError, match=r"It holds labels.zip, photos.zip. Unpack the zips"):
        doctor.check(tmp_path)


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


def test_patterns_within_folders_leave_masks_to_their_own(tmp_path):
    pairs = [
        data.Pair(tmp_path / f"mri/p{n}/s{n}_1.tif", tmp_path / f"mri/p{n}/s{n}_1_mask.tif")
        for n in range(3)
    ]
    for image, mask in pairs:
        put(image)
        put(mask, mask=True)
    put(tmp_path / "mri/p0/._s0_1.tif")  # of a Mac
    put(tmp_path / "more/1.png")
    for inner in ("*/*", "**/*"):
        patterns = f"mri/{inner}.tif", f"mri/{inner}_mask.tif"
        assert data.pair(tmp_path, patterns) == pairs
    (finding,) = [f for f in doctor.check(tmp_path, None, patterns).findings if f.level == "note"]
    assert finding.cases == ["more (1 images)"]


@pytest.mark.parametrize(
    "patterns",
    [("a/*", "b/*"), ("./a/*.jpg", "b/*.png"), ("a/?*.jpg", "b/?*.png"), ("a/*.[jJ]pg", "b/*.png")],
)
def test_patterns_are_those_of_a_shell(tmp_path, patterns):
    for number in (10, 11):
        put(tmp_path / f"a/{number}.jpg")
        put(tmp_path / f"b/{number}.png", mask=True)
    assert [image.name for image, _ in data.pair(tmp_path, patterns)] == ["10.jpg", "11.jpg"]


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (("a/*/*.png", "b/*.png"), "2 and 1 stars"),
        (("a/1.png", "b/1.png"), "0 and 0 stars"),
        (("/a/*.png", "b/*.png"), "within the folder"),
        (("../a/*.png", "b/*.png"), "within the folder"),
    ],
)
def test_patterns_that_do_not_go_together(tmp_path, patterns, said):
    for look in (data.pair, lambda *given: doctor.check(given[0], patterns=given[1])):
        with pytest.raises(UserError, match=said):
            look(tmp_path, patterns)


def test_a_pattern_that_nothing_fits_is_named(tmp_path):
    put(tmp_path / "b/1.png", mask=True)
    report = doctor.check(tmp_path, patterns=("a/*.png", "b/*.png"))
    (finding,) = [f for f in report.findings if f.what == "no pairs"]
    assert finding.cases == ["0 images in a/*.png, 1 masks in b/*.png"]
    assert finding.remedy == "no image file fits a/*.png: mend the pattern"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["data/images/1.png", "data/masks/1.png"], "Such are in .*data: give that folder"),
        (["val/1.png", "val_masks/1.png"], "val . val_masks, and no training part"),
        (["images/p1/1.png", "masks/p1/1.png"], r"images/p1 \(1 images\), masks/p1 \(1 images\)"),
        (["1.png", "2.png"], "It holds 2 images of its own"),
        (["1.jpg", "1.jpeg"], "It holds 2 images of its own"),
        ([], "It holds no files"),
        (["a/b/c/images/1.png", "a/b/c/masks/1.png"], "Such are in .*c: give that folder"),
        (
            ["a/1.jpg", "a/1.png", "b/1.jpg", "b/1.png"],
            "in .*a and in .*b: give one of them, or ch",
        ),
    ],
)
def test_what_was_seen_and_the_one_thing_to_change(tmp_path, files, said):
    for name in files:
        put(tmp_path / name)
    with pytest.raises(UserError, match=said):
        doctor.check(tmp_path)


def test_files_that_are_not_read_are_counted_where_they_are_all(tmp_path):
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
        for number in range(4):
            (tmp_path / f"{name}/{number}.nii.gz").touch()
    with pytest.raises(UserError, match=r"imagesTr \(4 .gz files\), labelsTr \(4 .gz files\)"):
        doctor.check(tmp_path)


def test_a_file_or_no_folder_in_place_of_a_folder(tmp_path):
    put(tmp_path / "1.png")
    for name, said in (("1.png", "is a file"), ("2", "no such folder")):
        with pytest.raises(UserError, match=said):
            doctor.check(tmp_path / name)


def test_accents_pair_however_they_are_written(tmp_path):
    for name in ("Müller", "Łódź", "é"):
        put(tmp_path / f"images/{unicodedata.normalize('NFC', name)}.png")
        put(tmp_path / f"masks/{unicodedata.normalize('NFD', name)}.png", mask=True)
    assert len(data.pair(tmp_path)) == 3 and doctor.check(tmp_path).status == 0


def test_names_pair_whatever_the_case_of_their_letters(tmp_path):
    for number in range(3):
        put(tmp_path / f"images/X{number}.JPG")
        put(tmp_path / f"masks/x{number}_Mask.PNG", mask=True)
    assert [pair.mask.name[:2] for pair in data.pair(tmp_path)] == ["x0", "x1", "x2"]
    assert doctor.check(tmp_path).status == 0
    for number in range(3):  # side by side
        put(tmp_path / f"one/IMG_{number}.JPG")
        put(tmp_path / f"one/img_{number}_mask.PNG", mask=True)
    assert [mask.name for _, mask in data.pair(tmp_path / "one")] == [
        f"img_{number}_mask.PNG" for number in range(3)
    ]


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        (["A", "a"], ["a"], {"a": "a"}),  # as it is written comes first
        (["A", "a"], ["A_mask"], {"A": "A_mask"}),
        (["a"], ["A_mask", "A_label"], {"a": "A_mask"}),  # the other one is left over, and named
        (["Ab", "aB"], ["AB"], {}),  # two images could be meant
        (["ab"], ["AB", "aB"], {}),
        (["X1", "X2"], ["x1", "X2"], {"X1": "x1", "X2": "X2"}),
    ],
)
def test_case_pairs_nothing_that_could_be_another(images, masks, expected):
    found, *_ = matched(*({name: name for name in each} for each in (images, masks)))
    assert found == expected


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
