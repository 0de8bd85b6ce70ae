"""The rendered part maps on disk: palette PNGs beside their images, the same bytes every time."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from unet_tf import rendered
from unet_tf.rendered import car_part_files

SMALL = (96, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("car_parts") / "data"
    assert rendered.write_car_parts(target, cars=2, size=SMALL, seed=3, progress=False) == target
    return target


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_names_pair_up(folder):
    names = [f"{rendered.make_car(3, n).id}_{view:02d}" for n in (0, 1) for view in range(1, 17)]
    expected = [f"{kind}/{name}.{end}" for name in names
                for kind, end in (("images", "jpg"), ("masks", "png"))]  # fmt: skip
    assert sorted(content(folder)) == sorted([*expected, "classes.csv", "rendered.json"])


def test_masks_hold_ids_and_a_palette(folder):
    rows = list(csv.DictReader((folder / "classes.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["background", "body", "window", "wheel", "light",
                                             "void"]  # fmt: skip
    colours = [[int(row[channel]) for channel in "rgb"] for row in rows]
    assert len({tuple(colour) for colour in colours}) == 6
    found = set()
    for path in sorted((folder / "masks").iterdir()):
        mask = Image.open(path)
        assert (mask.format, mask.mode, mask.size) == ("PNG", "P", SMALL)
        palette = mask.getpalette()
        assert palette[:15] == [value for colour in colours[:5] for value in colour]
        assert palette[3 * 255 :] == colours[5]
        ids = np.asarray(mask)
        found |= set(np.unique(ids).tolist())
        for value, colour in zip((0, 1, 2, 3, 4, 255), colours, strict=True):
            assert (np.asarray(mask.convert("RGB"))[ids == value] == colour).all()
    assert found == {0, 1, 2, 3, 4, 255}


def test_images_are_the_studios(folder):
    """Each mask is of the view and the car that its name says, and so is its image."""
    for number, view in ((0, 1), (1, 12)):
        car = rendered.make_car(3, number)
        name = f"{car.id}_{view:02d}"
        image, _ = rendered.render(car, view, SMALL)
        stored = Image.open(folder / "images" / f"{name}.jpg")
        assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", SMALL)
        assert np.abs(np.asarray(stored).astype(int) - image).mean() < 4  # JPEG is not exact
        ids = np.asarray(Image.open(folder / "masks" / f"{name}.png"))
        assert np.array_equal(ids, rendered.parts(car, view, SMALL))


def test_marker_says_rendered(folder):
    marker = json.loads((folder / "rendered.json").read_text())
    assert "not photographed" in marker.pop("rendered")
    settings = {"cars": 2, "size": [96, 64], "seed": 3, "render_version": rendered.RENDER_VERSION}
    assert marker == settings
    assert rendered.is_rendered(folder)


def test_same_seed_same_bytes(folder, tmp_path):
    again = rendered.write_car_parts(tmp_path / "again", 2, SMALL, seed=3, progress=False)
    assert content(again) == content(folder)
    other = rendered.write_car_parts(tmp_path / "other", 1, SMALL, seed=4, progress=False)
    assert not {path.name for path in other.glob("masks/*")} & {
        path.name for path in folder.glob("masks/*")
    }


def test_found_again(folder, monkeypatch):
    monkeypatch.setattr(
        car_part_files, "render_with_parts", lambda *_: pytest.fail("rendered again")
    )
    assert rendered.write_car_parts(folder, cars=2, size=SMALL, seed=3) == folder


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    written = rendered.write_car_parts(cars=1, size=(48, 32), progress=False)
    name = f"car-parts-1-48x32-seed0-v{rendered.RENDER_VERSION}"
    assert written == tmp_path / "unet_tf" / name == rendered.car_parts_folder(1, (48, 32))
    assert [path.name for path in written.parent.iterdir()] == [name]  # nothing else is left


def test_foreign_folder_is_left_alone(folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="Choose another folder") as error:
        rendered.write_car_parts(tmp_path, cars=1, size=SMALL, progress=False)
    assert str(tmp_path) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="Choose another folder"):  # rendered, but otherwise
        rendered.write_car_parts(folder, cars=2, size=SMALL, seed=9, progress=False)


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no more ink")

    monkeypatch.setattr(car_part_files, "render_with_parts", fail)
    with pytest.raises(RuntimeError, match="no more ink"):
        rendered.write_car_parts(tmp_path / "data", 1, (48, 32), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_bar_only_on_a_terminal(tmp_path, capsys, monkeypatch):
    rendered.write_car_parts(tmp_path / "notebook", 1, (48, 32))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    rendered.write_car_parts(tmp_path / "terminal", 1, (48, 32))
    assert "16/16" in capsys.readouterr().err
    rendered.write_car_parts(tmp_path / "silent", 1, (48, 32), progress=False)
    assert capsys.readouterr() == ("", "")


def test_renders_without_tensorflow():
    code = "import sys, unet_tf.rendered; assert not {'keras', 'tensorflow'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("wrong", [{"cars": 0}, {"size": (8, 8)}, {"size": (96,)}, {"seed": -1}])
def test_settings_out_of_range(tmp_path, wrong):
    with pytest.raises(ValueError, match="expected 1 car"):
        rendered.write_car_parts(tmp_path / "data", **wrong)
    assert list(tmp_path.iterdir()) == []
