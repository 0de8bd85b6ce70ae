"""The rendered part maps on disk: palette PNGs beside their images, the same bytes every time."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from unet_tf import rendered
from unet_tf.rendered.car_pictures import part_map, render
from unet_tf.rendered.car_scene import Scene
from unet_tf.rendered.car_shapes import make_car

SMALL = (96, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("car_parts") / "data"
    assert rendered.write("parts", target, cars=2, size=SMALL, seed=3, progress=False) == target
    return target


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_names_pair_up(folder):
    names = [f"{make_car(3, n).id}_{view:02d}" for n in (0, 1) for view in range(1, 17)]
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
        car = make_car(3, number)
        name = f"{car.id}_{view:02d}"
        image, _ = render(car, view, SMALL)
        stored = Image.open(folder / "images" / f"{name}.jpg")
        assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", SMALL)
        assert np.abs(np.asarray(stored).astype(int) - image).mean() < 4  # JPEG is not exact
        ids = np.asarray(Image.open(folder / "masks" / f"{name}.png"))
        assert np.array_equal(ids, part_map(Scene(car, view, SMALL)))


def test_marker_says_rendered(folder):
    marker = json.loads((folder / "rendered.json").read_text())
    assert "not photographed" in marker.pop("rendered")
    settings = {"cars": 2, "size": [96, 64], "seed": 3, "render_version": 2}
    assert marker == settings
    assert rendered.is_rendered(folder)


def test_same_seed_same_bytes(folder, tmp_path):
    again = rendered.write("parts", tmp_path / "again", SMALL, seed=3, cars=2)
    assert content(again) == content(folder)
    other = rendered.write("parts", tmp_path / "other", SMALL, seed=4, cars=1)
    assert not {path.name for path in other.glob("masks/*")} & {
        path.name for path in folder.glob("masks/*")
    }


def test_renders_without_tensorflow():
    code = "import sys, unet_tf.rendered; assert not {'keras', 'tensorflow'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
