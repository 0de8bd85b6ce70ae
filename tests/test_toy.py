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
from unet_tf.rendered import car_files

SMALL = (96, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("toy") / "data"
    with pytest.MonkeyPatch.context() as patch:  # rendered by other processes, not by this one
        patch.setattr(car_files.os, "cpu_count", lambda: 2)
        patch.setattr(car_files, "_render_cars", lambda *_: pytest.fail("rendered in this process"))
        assert (
            rendered.write_cars(target, cars=2, test_cars=1, size=SMALL, seed=3, progress=False)
            == target
        )
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
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*rendered.FILES, "rendered.json"]
    )
    names = [f"{rendered.make_car(3, n).id}_{view:02d}" for n in (0, 1) for view in range(1, 17)]
    tests = [f"{rendered.make_car(3, rendered.TEST).id}_{view:02d}" for view in range(1, 17)]
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
    assert marker == settings | {"render_version": rendered.RENDER_VERSION}
    assert rendered.is_rendered(folder)
    assert not rendered.is_rendered(tmp_path)
    (tmp_path / "rendered.json").write_text("[]")
    assert not rendered.is_rendered(tmp_path)


def test_same_seed_same_bytes(folder, tmp_path, monkeypatch):
    """Also when this process renders all by itself."""
    monkeypatch.setattr(car_files.os, "cpu_count", lambda: 1)
    again = rendered.write_cars(tmp_path / "again", 2, 1, SMALL, seed=3, progress=False)
    for name in (*rendered.FILES, "rendered.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    other = rendered.write_cars(tmp_path / "other", 1, 0, SMALL, seed=4, progress=False)
    assert not members(other, "train_hq.zip").keys() & members(folder, "train_hq.zip").keys()
    assert members(other, "test_hq.zip") == {}


def test_found_again(folder, monkeypatch):
    monkeypatch.setattr(car_files, "_render_all", lambda *_: pytest.fail("rendered again"))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert rendered.write_cars(folder, cars=2, test_cars=1, size=SMALL, seed=3) == folder
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    written = rendered.write_cars(cars=1, test_cars=0, size=(48, 32), progress=False)
    name = f"rendered-1-0-48x32-seed0-v{rendered.RENDER_VERSION}"
    assert written == tmp_path / "unet_tf" / name == rendered.cars_folder(1, 0, (48, 32))
    assert [path.name for path in written.parent.iterdir()] == [name]  # nothing else is left


def test_foreign_folder_is_left_alone(folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="Choose another folder") as error:
        rendered.write_cars(tmp_path, cars=1, size=SMALL, progress=False)
    assert str(tmp_path) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="Choose another folder"):  # rendered, but otherwise
        rendered.write_cars(folder, cars=2, test_cars=1, size=SMALL, seed=9, progress=False)


def test_empty_folder_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert rendered.is_rendered(
        rendered.write_cars(tmp_path / "empty", 1, 0, (48, 32), progress=False)
    )


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no more ink")

    monkeypatch.setattr(car_files.run_lengths, "encode", fail)
    with pytest.raises(RuntimeError, match="no more ink"):
        rendered.write_cars(tmp_path / "data", 1, 0, (48, 32), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(car_files, "_zip", full)
    with pytest.raises(OSError, match="No space left"):
        rendered.write_cars(tmp_path / "data", 1, 0, (48, 32), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_missing_parents_are_made(tmp_path):
    target = tmp_path / "some" / "where" / "data"
    assert rendered.is_rendered(rendered.write_cars(target, 1, 0, (48, 32), progress=False))


def test_bar_only_on_a_terminal(tmp_path, capsys, monkeypatch):
    rendered.write_cars(tmp_path / "notebook", 1, 0, (48, 32))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    rendered.write_cars(tmp_path / "terminal", 1, 0, (48, 32))
    assert "16/16" in capsys.readouterr().err
    rendered.write_cars(tmp_path / "silent", 1, 0, (48, 32), progress=False)
    assert capsys.readouterr() == ("", "")


def test_child_takes_this_package_and_nothing_beside_it(tmp_path):
    """Not a module of the same name as the standard library's, nor TensorFlow, nor the caller's."""
    shutil.copytree(Path(car_files.__file__).parents[1], tmp_path / "unet_tf")
    for trap in ("numpy", "PIL", "zipfile", "dataclasses"):
        (tmp_path / f"{trap}.py").write_text("raise SystemExit('the wrong module')")
    for name in rendered.FILES[:3]:
        (tmp_path / name).with_suffix("").mkdir()
    task = json.dumps([str(tmp_path), [0], [48, 32], 0])
    code = f"{rendered.CHILD}\nassert not sys.modules.keys() & {{'keras', 'tensorflow'}}"
    command = [sys.executable, "-P", "-c", code, str(tmp_path), task]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert len(list((tmp_path / "train_hq").iterdir())) == 16


def test_slower_of_two_uses_the_winners(tmp_path, monkeypatch):
    target, render_all = tmp_path / "data", car_files._render_all

    def overtaken(*arguments):
        monkeypatch.setattr(car_files, "_render_all", render_all)
        rendered.write_cars(target, 1, 0, (48, 32), progress=False)
        render_all(*arguments)

    monkeypatch.setattr(car_files, "_render_all", overtaken)
    assert rendered.write_cars(target, 1, 0, (48, 32), progress=False) == target
    assert rendered.is_rendered(target)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("wrong", [{"cars": 0}, {"test_cars": -1}, {"size": (8, 8)}, {"seed": -1}])
def test_settings_out_of_range(tmp_path, wrong):
    with pytest.raises(ValueError, match="expected 1 car"):
        rendered.write_cars(tmp_path / "data", **wrong)
    assert list(tmp_path.iterdir()) == []
