"""The rendered data set on disk: Kaggle's files, the same bytes every time."""

import csv
import errno
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unet_tf import rendered
from unet_tf.files import UserError
from unet_tf.rendered import data_sets, writer
from unet_tf.rendered.car_shapes import make_car

SMALL = (96, 64)
FILES = ("train_hq.zip", "train_masks.zip", "test_hq.zip", "train_masks.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("toy") / "data"
    with pytest.MonkeyPatch.context() as patch:  # rendered by other processes, not by this one
        patch.setattr(writer.os, "cpu_count", lambda: 2)
        patch.setattr(writer, "draw_all", lambda *_: pytest.fail("rendered in this process"))
        assert rendered.write("cars", target, SMALL, 3, cars=2, test_cars=1) == target
    return target


def decode(text, size):
    """Run lengths -> mask, by plain loops."""
    width, height = size
    flat = [0] * (width * height)
    numbers = [int(number) for number in text.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        for pixel in range(start, start + length):
            flat[pixel - 1] = 1
    return np.array(flat).reshape(height, width)


def members(folder, name):
    with zipfile.ZipFile(folder / name) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_files_are_named_and_encoded_as_kaggles(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "rendered.json"])
    names = [f"{make_car(3, n).id}_{view:02d}" for n in (0, 1) for view in range(1, 17)]
    tests = [f"{make_car(3, data_sets.APART).id}_{view:02d}" for view in range(1, 17)]
    images, masks = members(folder, "train_hq.zip"), members(folder, "train_masks.zip")
    assert list(images) == sorted(f"train_hq/{name}.jpg" for name in names)
    assert list(masks) == sorted(f"train_masks/{name}_mask.gif" for name in names)
    assert list(members(folder, "test_hq.zip")) == sorted(f"test_hq/{name}.jpg" for name in tests)
    rows = list(csv.DictReader((folder / "train_masks.csv").read_text().splitlines()))
    assert [row["img"] for row in rows] == sorted(f"{name}.jpg" for name in names)
    for row in rows:
        name = row["img"][:-4]
        image = Image.open(io.BytesIO(images[f"train_hq/{name}.jpg"]))
        mask = Image.open(io.BytesIO(masks[f"train_masks/{name}_mask.gif"]))
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", SMALL)
        assert (mask.format, mask.mode, mask.size) == ("GIF", "P", SMALL)
        assert mask.getpalette()[:6] == [0, 0, 0, 255, 255, 255]
        assert set(np.unique(mask)) == {0, 1}
        assert np.array_equal(decode(row["rle_mask"], SMALL), np.asarray(mask))


def test_marker_says_rendered(folder, tmp_path):
    marker = json.loads((folder / "rendered.json").read_text())
    assert "not photographed" in marker.pop("rendered")
    settings = {"cars": 2, "test_cars": 1, "size": [96, 64], "seed": 3}
    assert marker == settings | {"render_version": 2}
    assert rendered.is_rendered(folder)
    assert not rendered.is_rendered(tmp_path)
    (tmp_path / "rendered.json").write_text("[]")
    assert not rendered.is_rendered(tmp_path)


def test_same_seed_same_bytes(folder, tmp_path, monkeypatch):
    """Also when this process renders all by itself."""
    monkeypatch.setattr(writer.os, "cpu_count", lambda: 1)
    again = rendered.write("cars", tmp_path / "again", SMALL, 3, cars=2, test_cars=1)
    for name in (*FILES, "rendered.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    other = rendered.write("cars", tmp_path / "other", SMALL, 4, cars=1, test_cars=0)
    assert not members(other, "train_hq.zip").keys() & members(folder, "train_hq.zip").keys()
    assert members(other, "test_hq.zip") == {}


# --- the one front of all kinds -------------------------------------------------------------------

TINY = {
    "cars": {"cars": 1, "test_cars": 0, "size": (48, 32)},
    "parts": {"cars": 1, "size": (48, 32)},
    "town": {"train": 1, "validation": 0, "test": 0, "size": (64, 64)},
}
KINDS = pytest.mark.parametrize("kind", TINY)


def test_found_again(folder, monkeypatch):
    monkeypatch.setattr(writer, "draw_all", lambda *_: pytest.fail("rendered again"))
    monkeypatch.setattr(writer.subprocess, "run", lambda *_: pytest.fail("rendered again"))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert rendered.write("cars", folder, SMALL, 3, cars=2, test_cars=1) == folder
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_found_again_where_an_earlier_version_wrote_another_sentence(folder):
    marker = folder / "rendered.json"
    text = marker.read_text()
    try:
        marker.write_text(text.replace("not photographed", "no photographs"))
        assert rendered.write("cars", folder, SMALL, 3, cars=2, test_cars=1) == folder
    finally:
        marker.write_text(text)


@KINDS
def test_default_folder(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    written = rendered.write(kind, **TINY[kind])
    names = {
        "cars": "rendered-1-0-48x32-seed0-v2",
        "parts": "car-parts-1-48x32-seed0-v2",
        "town": "town-1-0-0-64x64-seed0-v1",
    }
    assert written == tmp_path / "unet_tf" / names[kind]
    assert written.parent == rendered.cache()
    assert [path.name for path in written.parent.iterdir()] == [names[kind]]  # nothing else is left


def test_what_is_rendered_unless_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(writer, "_draw_in_processes", lambda *_: None)
    names = [rendered.write(kind).name for kind in TINY]
    assert names == [
        "rendered-40-4-480x320-seed0-v2",
        "car-parts-12-240x160-seed0-v2",
        "town-24-4-6-384x384-seed0-v1",
    ]


@KINDS
def test_foreign_folder_is_left_alone(tmp_path, kind):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="Choose another folder") as error:
        rendered.write(kind, tmp_path, **TINY[kind])
    assert str(tmp_path) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_rendered_otherwise_is_left_alone(folder):
    with pytest.raises(ValueError, match="Choose another folder"):
        rendered.write("cars", folder, SMALL, seed=9, cars=2, test_cars=1)


def test_empty_folder_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert rendered.is_rendered(rendered.write("cars", tmp_path / "empty", **TINY["cars"]))


@KINDS
def test_failure_leaves_nothing(tmp_path, monkeypatch, kind):
    def fail(*_):
        raise RuntimeError("no more ink")

    for name in ("render", "render_with_parts", "render_town"):
        monkeypatch.setattr(data_sets, name, fail)
    with pytest.raises(RuntimeError, match="no more ink"):
        rendered.write(kind, tmp_path / "data", **TINY[kind])
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data_sets.zipfile, "ZipInfo", full)
    with pytest.raises(OSError, match="No space left"):
        rendered.write("cars", tmp_path / "data", **TINY["cars"])
    assert list(tmp_path.iterdir()) == []


def test_missing_parents_are_made(tmp_path):
    target = tmp_path / "some" / "where" / "data"
    assert rendered.is_rendered(rendered.write("cars", target, **TINY["cars"]))


@KINDS
def test_bar_only_on_a_terminal(tmp_path, capsys, monkeypatch, kind):
    rendered.write(kind, tmp_path / "notebook", **TINY[kind])
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    rendered.write(kind, tmp_path / "terminal", **TINY[kind])
    bar = capsys.readouterr().err
    assert f"rendering {kind}" in bar and "1/1" in bar
    rendered.write(kind, tmp_path / "silent", progress=False, **TINY[kind])
    assert capsys.readouterr() == ("", "")


@KINDS
def test_process_takes_this_package_and_nothing_beside_it(tmp_path, kind):
    """Not a module of the same name as the standard library's, nor TensorFlow."""
    shutil.copytree(Path(writer.__file__).parents[1], tmp_path / "unet_tf")
    for trap in ("numpy", "PIL", "zipfile", "dataclasses"):
        (tmp_path / f"{trap}.py").write_text("raise SystemExit('the wrong module')")
    for name in data_sets.DATA_SETS[kind].folders:
        (tmp_path / name).mkdir(parents=True)
    program = tmp_path / "unet_tf" / "rendered" / "render_process.py"
    task = json.dumps([kind, str(tmp_path), [0], TINY[kind]["size"], 0])
    command = [sys.executable, "-P", "-X", "importtime", str(program), task]
    done = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "unet_tf.rendered.data_sets" in imported
    assert not imported & {"keras", "tensorflow"}
    images = [path for path in tmp_path.rglob("*.*") if path.suffix in (".jpg", ".tiff")]
    assert len(images) == (1 if kind == "town" else 16)


def test_a_script_without_a_main_guard(tmp_path):
    """The processes that render do not run the caller's script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "os.cpu_count = lambda: 2\n"
        f"sys.path.insert(0, {str(Path(writer.__file__).parents[2])!r})\n"
        "print('once')\n"
        "from unet_tf import rendered\n"
        "from unet_tf.rendered import writer\n"
        "writer.draw_all = None  # nothing is drawn in this process\n"
        "rendered.write('town', 'data', (64, 64), train=3, validation=0, test=0)\n"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "once\n"
    assert len(list((tmp_path / "data/tiff/train").iterdir())) == 3


def test_slower_of_two_uses_the_winners(tmp_path, monkeypatch):
    target, draw = tmp_path / "data", writer._draw_in_processes

    def overtaken(*arguments):
        monkeypatch.setattr(writer, "_draw_in_processes", draw)
        rendered.write("cars", target, **TINY["cars"])
        draw(*arguments)

    monkeypatch.setattr(writer, "_draw_in_processes", overtaken)
    assert rendered.write("cars", target, **TINY["cars"]) == target
    assert rendered.is_rendered(target)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("kind", "wrong", "says"),
    [
        ("cars", {"cars": 0}, "expected 1 or more for cars"),
        ("cars", {"test_cars": -1}, "0 or more for other counts"),
        ("cars", {"size": (8, 8)}, "16 or more"),
        ("cars", {"seed": -1}, "seed=-1: expected"),
        ("parts", {"cars": 0}, "expected 1 or more for cars"),
        ("parts", {"size": (96,)}, "expected 1 or more for cars"),
        ("parts", {"test_cars": 1}, "parts: got test_cars; expected cars"),
        ("town", {"train": 0}, "expected 1 or more for train"),
        ("town", {"validation": -1}, "validation=-1"),
        ("town", {"test": -1}, "test=-1"),
        ("town", {"size": (63, 80)}, "64 or more"),
        ("boats", {}, "'boats' cannot be rendered: expected one of cars, parts, town"),
    ],
)
def test_settings_out_of_range(tmp_path, kind, wrong, says):
    with pytest.raises(UserError, match=says):
        rendered.write(kind, tmp_path / "data", **wrong)
    assert list(tmp_path.iterdir()) == []
