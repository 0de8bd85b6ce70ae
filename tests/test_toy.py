"""The rendered car studio: exact masks, Kaggle's files, the same bytes every time."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from PIL import Image

from unet_tf import toy

SMALL = (96, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("toy") / "data"
    with pytest.MonkeyPatch.context() as patch:  # rendered by other processes, not by this one
        patch.setattr(toy.os, "cpu_count", lambda: 2)
        patch.setattr(toy, "_render_cars", lambda *_: pytest.fail("rendered in this process"))
        assert toy.write(target, cars=2, test_cars=1, size=SMALL, seed=3, progress=False) == target
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


# --- the mask is the geometry -------------------------------------------------------------------


@pytest.mark.parametrize("number, view", [(0, 1), (1, 3), (2, 5), (3, 8), (4, 9), (5, 12), (6, 16)])
def test_mask_is_the_outline_at_pixel_centres(number, view):
    car = toy.make_car(0, number)
    _, mask = toy.render(car, view, SMALL)
    x, y = np.meshgrid(np.arange(SMALL[0]) + 0.5, np.arange(SMALL[1]) + 0.5)
    centres = np.stack([x.ravel(), y.ravel()], -1)
    inside = np.zeros(len(centres), bool)
    for polygon in toy.outline(car, view, SMALL):
        inside |= Polygon(polygon).contains_points(centres)
    assert np.array_equal(mask, inside.reshape(mask.shape))
    for axis in (0, 1):  # the comparison would notice one pixel
        assert not np.array_equal(np.roll(mask, 1, axis), inside.reshape(mask.shape))


def test_fill_by_hand():
    square = np.array([(1.0, 1.0), (3.0, 1.0), (3.0, 3.0), (1.0, 3.0)])
    expected = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert toy.fill([square], (4, 4)).astype(int).tolist() == expected
    assert toy.fill([square, square[::-1] + 1], (4, 4)).sum() == 7  # a union: 4 + 4 - 1
    triangle = np.array([(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)])  # centres with x + y < 4
    assert toy.fill([triangle - 0.01], (4, 4)).sum(axis=1).tolist() == [3, 2, 1, 0]
    assert toy.fill([square - 9], (4, 4)).sum() == 0  # outside the frame
    assert toy.fill([square * 100 - 150], (4, 4)).all()  # all around it


def test_picture_ends_where_the_mask_ends():
    """A red car against its empty studio: recoloured inside the outline, outside only shaded."""
    car, size = (
        next(c for c in map(toy.make_car, [0] * 40, range(40)) if c.colour == "red"),
        (240, 160),
    )
    studio = np.asarray(toy._small_studio(size)[0]) * car.light
    for view in (1, 4, 5, 9):
        image, mask = toy.render(car, view, size)
        fine = [polygon * 9 for polygon in toy.outline(car, view, size)]
        coverage = toy.fill(fine, (2160, 1440)).reshape(160, 9, 240, 9).mean((1, 3))
        change = image - studio
        assert np.ptp(change, axis=-1)[coverage == 0].max() < 25  # grey, as a shadow is
        assert np.abs(change[:60])[coverage[:60] == 0].max() < 12  # so high, nothing but grain
        assert (np.abs(change).max(-1)[coverage == 1] > 20).mean() > 0.9
        assert (mask[coverage > 0.75] == 1).mean() > 0.99


def test_soft_edge_thresholded_is_the_hard_mask():
    size, car = (120, 80), toy.make_car(0, 3)
    for view in (2, 5, 11):
        fine = [polygon * 8 for polygon in toy.outline(car, view, size)]
        coverage = toy.fill(fine, (960, 640)).reshape(80, 8, 120, 8).mean((1, 3))
        _, mask = toy.render(car, view, size)
        assert ((coverage > 0.5) == mask).mean() > 0.995
        assert mask[coverage == 1].all()
        assert not mask[coverage == 0].any()


def test_same_scene_at_any_size():
    car = toy.make_car(0, 2)
    small, large = (toy.outline(car, 6, size) for size in ((240, 160), (480, 320)))
    assert len(small) == len(large)
    assert all(np.allclose(2 * a, b) for a, b in zip(small, large, strict=True))
    assert toy.render(car, 6, (101, 77))[0].shape == (77, 101, 3)  # odd, and another aspect


def test_antenna_is_1_to_3_pixels_wide_at_full_size():
    cars = [toy.make_car(0, number) for number in range(12)]
    for car in [car for car in cars if car.shape["antenna"][1]][:3]:  # on the roof: the mask's top
        for view in (1, 5, 9, 14):
            mask = toy.fill(toy.outline(car, view, (1918, 1280)), (1918, 1280))
            rows = mask[mask.any(axis=1)][:60]
            assert set(rows.sum(axis=1).tolist()) <= {1, 2, 3}
            assert np.abs(np.diff(rows.argmax(axis=1))).max() <= 2  # one line, unbroken


# --- what is in the pictures --------------------------------------------------------------------


def test_forty_cars_vary_as_the_real_ones():
    cars = [toy.make_car(0, number) for number in range(40)]
    assert {car.kind for car in cars} >= {"sedan", "pickup", "van"}
    assert len({car.colour for car in cars}) >= 6
    assert sum(car.colour == "white" for car in cars) >= 3
    assert len({car.id for car in cars}) == 40
    assert toy.make_car(0, 1).id == cars[1].id != toy.make_car(1, 1).id
    outlines = [toy.outline(car, view, SMALL) for car in cars[::3] for view in (1, 4, 8, 16)]
    shares = [toy.fill(polygons, SMALL).mean() for polygons in outlines]
    assert 0.18 < np.mean(shares) < 0.23
    assert min(shares) > 0.115
    assert max(shares) < 0.37


def test_wall_shows_through_windows():
    """Somewhere inside the mask a window is nearer to the wall's grey than to the glass's."""
    car = next(c for c in (toy.make_car(0, i) for i in range(40)) if c.colour == "black")
    image, mask = toy.render(car, 5, (240, 160))
    assert (image.min(-1)[mask == 1] > 100).sum() > 50  # a black car with bright pixels


def test_view_out_of_range():
    with pytest.raises(ValueError, match="expected 1 to 16"):
        toy.render(toy.make_car(0, 0), 17, SMALL)


# --- Kaggle's files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mask, expected",
    [
        ([[0, 0], [0, 0]], ""),
        ([[1, 1], [1, 1]], "1 4"),
        ([[1, 0], [0, 1]], "1 1 4 1"),
        ([[0, 1, 1], [1, 0, 0], [0, 1, 0]], "2 3 8 1"),  # a run over a row's end
        ([[255, 0, 255]], "1 1 3 1"),
    ],
)
def test_run_lengths_by_hand(mask, expected):
    assert toy.run_lengths(np.array(mask, np.uint8)) == expected
    assert toy.run_lengths(np.array(mask, bool)) == expected


def test_files_are_named_and_encoded_as_kaggles(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([*toy.FILES, "rendered.json"])
    names = [f"{toy.make_car(3, n).id}_{view:02d}" for n in (0, 1) for view in range(1, 17)]
    tests = [f"{toy.make_car(3, toy.TEST).id}_{view:02d}" for view in range(1, 17)]
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
    assert marker == settings | {"render_version": toy.RENDER_VERSION}
    assert toy.is_rendered(folder)
    assert not toy.is_rendered(tmp_path)
    (tmp_path / "rendered.json").write_text("[]")
    assert not toy.is_rendered(tmp_path)


def test_same_seed_same_bytes(folder, tmp_path, monkeypatch):
    """Also when this process renders all by itself."""
    monkeypatch.setattr(toy.os, "cpu_count", lambda: 1)
    again = toy.write(tmp_path / "again", 2, 1, SMALL, seed=3, progress=False)
    for name in (*toy.FILES, "rendered.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    other = toy.write(tmp_path / "other", 1, 0, SMALL, seed=4, progress=False)
    assert not members(other, "train_hq.zip").keys() & members(folder, "train_hq.zip").keys()
    assert members(other, "test_hq.zip") == {}


def test_found_again(folder, monkeypatch):
    monkeypatch.setattr(toy, "_render_all", lambda *_: pytest.fail("rendered again"))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert toy.write(folder, cars=2, test_cars=1, size=SMALL, seed=3) == folder
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    written = toy.write(cars=1, test_cars=0, size=(48, 32), progress=False)
    name = f"rendered-1-0-48x32-seed0-v{toy.RENDER_VERSION}"
    assert written == tmp_path / "unet_tf" / name == toy.default_folder(1, 0, (48, 32))
    assert [path.name for path in written.parent.iterdir()] == [name]  # nothing else is left


def test_foreign_folder_is_left_alone(folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="Choose another folder") as error:
        toy.write(tmp_path, cars=1, size=SMALL, progress=False)
    assert str(tmp_path) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="Choose another folder"):  # rendered, but otherwise
        toy.write(folder, cars=2, test_cars=1, size=SMALL, seed=9, progress=False)


def test_empty_folder_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert toy.is_rendered(toy.write(tmp_path / "empty", 1, 0, (48, 32), progress=False))


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no more ink")

    monkeypatch.setattr(toy, "run_lengths", fail)
    with pytest.raises(RuntimeError, match="no more ink"):
        toy.write(tmp_path / "data", 1, 0, (48, 32), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_slower_of_two_uses_the_winners(tmp_path, monkeypatch):
    target, render_all = tmp_path / "data", toy._render_all

    def overtaken(*arguments):
        monkeypatch.setattr(toy, "_render_all", render_all)
        toy.write(target, 1, 0, (48, 32), progress=False)
        render_all(*arguments)

    monkeypatch.setattr(toy, "_render_all", overtaken)
    assert toy.write(target, 1, 0, (48, 32), progress=False) == target
    assert toy.is_rendered(target)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("wrong", [{"cars": 0}, {"test_cars": -1}, {"size": (8, 8)}, {"seed": -1}])
def test_settings_out_of_range(tmp_path, wrong):
    with pytest.raises(ValueError, match="expected 1 car"):
        toy.write(tmp_path / "data", **wrong)
    assert list(tmp_path.iterdir()) == []
