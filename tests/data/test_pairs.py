"""Pairs by name, from folders and zips, and all that is wrong in one error."""

import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from unet_tf import data
from unet_tf.data import pairs as data_pairs

LAYOUTS = [("train_hq", "train_masks"), ("train", "train_masks"), ("images", "masks")]


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


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("zipped", [False, True])
def test_layouts(tmp_path, layout, zipped, capsys):
    folder = carvana_like(tmp_path / "mine", layout=layout)
    if zipped:
        for name in layout:
            with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
                for path in sorted((folder / name).iterdir()):
                    archive.write(path, f"{name}/{path.name}")
            shutil.rmtree(folder / name)
    assert data.find(folder) == folder
    pairs = data.pair(folder)
    assert len(pairs) == 20
    assert [image.name for image, _ in pairs] == sorted(image.name for image, _ in pairs)
    for image, mask in pairs:
        assert mask.name == image.stem + "_mask.gif"
        assert image.exists()
        assert mask.exists()


def test_masks_named_as_their_images(tmp_path):
    for name in ("b", "a"):
        save(tmp_path / "images" / f"{name}.png")
        save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "masks" / "notes.txt").write_text("not an image")
    (tmp_path / "masks" / ".hidden.png").write_text("not an image")
    assert [(i.name, m.name) for i, m in data.pair(tmp_path)] == [
        ("a.png", "a.png"),
        ("b.png", "b.png"),
    ]


def test_all_problems_in_one_error(tmp_path):
    folder = carvana_like(tmp_path / "mine")
    images, masks = folder / "train_hq", folder / "train_masks"
    (masks / "000000000000_01_mask.gif").unlink()
    (images / "000000000000_02.jpg").unlink()
    save(images / "000000000000_03.png")
    save(masks / "000000000001_01_mask.gif", size=(13, 8))
    truncated = images / "000000000001_02.jpg"
    truncated.write_bytes(truncated.read_bytes()[:-20])
    (images / "000000000001_03.jpg").write_bytes(b"")
    gif = masks / "000000000001_04_mask.gif"
    gif.write_bytes(gif.read_bytes()[:-4])
    with pytest.raises(ValueError) as caught:
        data.pair(folder)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{folder}: mend or remove these files, then try again."
    assert sorted(lines[1:]) == [
        "  image and mask differ in size (height x width) (1): "
        "000000000001_01.jpg 8x12, 000000000001_01_mask.gif 8x13",
        "  images without a mask (1): 000000000000_01.jpg",
        "  masks without an image (1): 000000000000_02_mask.gif",
        "  the same name twice (1): 000000000000_03.jpg and 000000000000_03.png",
        "  unreadable (3): 000000000001_02.jpg: cannot be read (Truncated File Read); "
        "000000000001_03.jpg: not an image (JPEG, PNG, GIF, TIFF, BMP or WebP); "
        "000000000001_04_mask.gif: the file is truncated",
    ]


def test_many_problems_stay_legible(tmp_path):
    for i in range(500):
        save(tmp_path / "images" / f"{i}.png")
    (tmp_path / "masks").mkdir()
    with pytest.raises(ValueError, match=r"images without a mask \(500\)") as caught:
        data.pair(tmp_path)
    assert "and 490 more" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif"])
def test_truncated_files_are_found_by_their_ends(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 60), "uint8")).save(path)
    assert data.size_of(path) == (50, 60)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 9)  # some cameras pad
    assert data.size_of(path) == (50, 60)
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ValueError, match=rf"image\.{suffix}: the file is truncated"):
        data.size_of(path)


def test_truncated_gifs_are_found_at_any_cut(tmp_path):
    path = tmp_path / "mask.gif"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 60), "uint8")).save(path)
    whole = path.read_bytes()
    missed = []
    for cut in range(900, len(whole) - 1):
        path.write_bytes(whole[:cut])
        try:
            missed.append(data.size_of(path))
        except ValueError:
            continue
    assert len(missed) < 0.02 * len(whole)  # a cut may end in the closing byte by chance


def zipped(folder):
    """The folder's two parts as zips, the folders gone."""
    for name in ("train_hq", "train_masks"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for path in sorted((folder / name).iterdir()):
                archive.write(path, f"{name}/{path.name}")
        shutil.rmtree(folder / name)
    return folder


def test_a_file_that_was_mended_stays_mended(tmp_path):
    folder = carvana_like(tmp_path / "mine")
    broken = folder / "train_hq" / "000000000001_02.jpg"
    broken.write_bytes(broken.read_bytes()[:-20])
    zipped(folder)
    with pytest.raises(ValueError, match="000000000001_02"):
        data.pair(folder)
    save(broken, colour=90)
    assert len(data.pair(folder)) == 20
    broken.unlink()
    (folder / "train_masks" / "000000000001_02_mask.gif").unlink()
    assert len(data.pair(folder)) == 19


def test_read_only_folders_do_not_mix(tmp_path, monkeypatch):
    folders = [
        zipped(carvana_like(tmp_path / name / "same", cars=cars))
        for name, cars in (("a", 2), ("b", 3))
    ]
    monkeypatch.setattr(data_pairs.os, "access", lambda *_: False)
    assert [len(data.pair(folder)) for folder in folders] == [8, 12]
    assert sorted(path.name for path in folders[0].iterdir()) == ["train_hq.zip", "train_masks.zip"]


def test_unlabelled(tmp_path):
    assert data.unlabelled(tmp_path) == []
    carvana_like(tmp_path, layout=("test_hq", "ignored"))
    assert len(data.unlabelled(tmp_path)) == 20


def test_an_error_of_a_file_knows_its_reason_apart_from_its_name(tmp_path):
    path = tmp_path / "a. Replace: b.png"
    save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(data.Unreadable, match="the file is truncated") as short:
        data.size_of(path)
    assert str(short.value) == f"{path.name}: {short.value.reason}"
    assert short.value.reason == "the file is truncated"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(data.Unreadable, match=r"cannot be decoded .*\. Replace the file") as torn:
        data.open_image(path)
    assert torn.value.reason.startswith("cannot be decoded (") and torn.value.reason[-1] == ")"


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["a/1.png", "b/2.jpg"], ["1.png", "2.jpg"]),
        (["d/a/1.png", "d/b/1.png", "d/b/2.png"], ["a/1.png", "b/1.png", "b/2.png"]),
        (["d/1/image.tif", "d/2/image.tif"], ["1/image.tif", "2/image.tif"]),
        ([], []),
    ],
)
def test_two_images_never_have_one_name(images, names):
    assert data.names_of(images) == names
