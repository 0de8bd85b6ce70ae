"""The embedded town: its pictures, its masks, and the layout on disk."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.tree import DecisionTreeClassifier

from unet_tf import rendered
from unet_tf.rendered import data_sets, town_picture
from unet_tf.rendered.data_sets import APART, town_paths
from unet_tf.rendered.town_board import Board, turned
from unet_tf.rendered.town_picture import render_town

SIZE = (96, 64)
SETTINGS = {"train": 2, "validation": 1, "test": 1, "size": SIZE, "seed": 3, "progress": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("town") / "data"
    assert rendered.write("town", target, **SETTINGS) == target
    return target


@pytest.fixture(scope="module")
def pictures():
    return [render_town(0, number, (256, 256)) for number in range(6)]


def board(size=(40, 30), seed=0):
    return Board(np.random.default_rng(seed), size, (100, 120, 80, 0))


def inside(corners, x, y):
    """Is (x, y) on the same side of all edges of a convex polygon?"""
    sides = []
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        sides.append((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0))
    return all(side > 0 for side in sides) or all(side < 0 for side in sides)


def count_buildings(mask):
    """Connected groups of pixels (by edges), and their mean area, by plain flooding."""
    left, areas = {tuple(cell) for cell in np.argwhere(mask).tolist()}, []
    while left:
        group = [left.pop()]
        for y, x in group:
            for cell in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if cell in left:
                    left.remove(cell)
                    group.append(cell)
        areas.append(len(group))
    return len(areas), np.mean(areas)


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(96, 64), (65, 130)])
def test_shape_and_values(size):
    image, mask = render_town(0, 1, size)
    assert (image.dtype, image.shape) == (np.uint8, (size[1], size[0], 3))
    assert (mask.dtype, mask.shape) == (np.uint8, (size[1], size[0]))
    assert set(np.unique(mask)) <= {0, 1}


def test_same_arguments_same_picture_others_another():
    (image, mask), (again, mask_again) = (
        render_town(3, 5, SIZE),
        render_town(3, 5, SIZE),
    )
    assert image.tobytes() == again.tobytes() and mask.tobytes() == mask_again.tobytes()
    for other in (render_town(3, 6, SIZE), render_town(4, 5, SIZE)):
        assert np.abs(image.astype(int) - other[0]).mean() > 10


def test_mask_is_the_footprints_at_pixel_centres():
    """A house of 8 x 6 m turned by 30 degrees, with a wing of 4 x 3 m; a tree hangs over them."""
    scene, place = board(), (np.pi / 6, np.array([14.3, 9.1]))
    scene.wing(place, (0, 0, 8, 6), (130, 90, 80), 4, 0.6, (0, 1))
    scene.wing(place, (2, 6, 6, 9), (130, 90, 80), 4, 0.6, (-1, 0), across=True)
    bare = scene.mask()
    scene.tree([(14.0, 8.0)])
    assert len(scene.trees) == 1 and np.array_equal(scene.mask(), bare)
    cos, sin = np.sqrt(3) / 2, 0.5
    parts = [[(0, 0), (8, 0), (8, 6), (0, 6)], [(2, 6), (6, 6), (6, 9), (2, 9)]]
    parts = [[(14.3 + cos * x - sin * y, 9.1 + sin * x + cos * y) for x, y in p] for p in parts]
    expected = [
        [any(inside(part, x + 0.5, y + 0.5) for part in parts) for x in range(40)]
        for y in range(30)
    ]
    assert bare.dtype == bool and np.array_equal(bare, expected)
    assert abs(bare.sum() - (8 * 6 + 4 * 3)) <= 3


def test_axis_parallel_house_by_hand():
    """From (5, 4) to (15, 10): the columns 5 to 14 and the rows 4 to 9."""
    scene = board()
    scene.wing((0.0, np.array([5.0, 4.0])), (0, 0, 10, 6), (150, 150, 150), 3, 0)
    expected = np.zeros((30, 40), bool)
    expected[4:10, 5:15] = True
    assert np.array_equal(scene.mask(), expected)


def test_roof_faces_the_sun_and_casts_a_shadow_away_from_it():
    scene = board((60, 60))
    scene.wing((0.0, np.array([22.0, 24.0])), (0, 0, 16, 12), (120, 120, 120), 5, 0.8)
    pixels = np.asarray(scene.picture(), int)[..., :3].sum(-1)
    north, south = pixels[26:29, 26:34].mean(), pixels[31:34, 26:34].mean()
    assert scene.light[1] > 0 and south > 1.2 * north  # the sun stands in the south: image rows
    ground = pixels[2, 2]
    x, y = np.array([30, 24]) + 4 * scene.cast  # behind the wall that is turned away
    assert pixels[int(y), int(x)] < 0.7 * ground
    assert (pixels[40:58, 26:34] == ground).all()


def test_nothing_to_see_is_no_building():
    assert not board().mask().any()


def test_trees_grow_only_where_nothing_is_built():
    scene = board()
    place = (0.4, np.array([18.0, 6.0]))
    assert scene.take(place, (0, 0, 12, 9)) and not scene.take(place, (11, 8, 14, 12))
    spots = np.random.default_rng(1).uniform(0.5, 8.5, (300, 2))
    scene.tree(turned(spots, *place))
    assert scene.trees == []
    scene.tree([(2.0, 28.0)])
    assert len(scene.trees) == 1


def test_buildings_share(pictures):
    shares = [mask.mean() for _, mask in pictures]
    assert 0.08 < np.mean(shares) < 0.25 and np.ptp(shares) > 0.03


def test_larger_picture_shows_more_at_the_same_scale(pictures):
    small = np.array([count_buildings(np.pad(mask, 1)) for _, mask in pictures])
    count, area = count_buildings(render_town(0, 7, (700, 700))[1])
    per_hectare = small[:, 0].mean() / 256**2, count / 700**2
    assert 0.5 < per_hectare[1] / per_hectare[0] < 2
    assert 0.6 < area / np.average(small[:, 1], weights=small[:, 0]) < 2
    assert 100 < area < 400  # square metres


def test_colour_alone_does_not_find_buildings(pictures):
    def samples(pairs):
        images, masks = zip(*pairs, strict=True)
        return np.concatenate([i.reshape(-1, 3) for i in images]), np.concatenate(masks).ravel()

    tree = DecisionTreeClassifier(max_depth=10, min_samples_leaf=50, random_state=0)
    (colours, labels), (held_out, truth) = samples(pictures[:4]), samples(pictures[4:])
    probability = tree.fit(colours[::5], labels[::5]).predict_proba(held_out)[:, 1]
    found = [probability >= threshold for threshold in np.arange(0.05, 0.8, 0.05)]
    best = max((truth[p].sum() / (truth.sum() + (p & (truth == 0)).sum())) for p in found)
    assert 0.1 < best < 0.5  # above 0.1: image and mask do belong together


def test_lettering_is_there_and_in_the_corner(monkeypatch):
    image, mask = render_town(0, 2, SIZE)
    monkeypatch.setattr(town_picture.ImageDraw.ImageDraw, "text", lambda *_, **__: None)
    bare, bare_mask = render_town(0, 2, SIZE)
    rows, columns = np.nonzero((image != bare).any(-1))
    assert len(rows) > 150 and rows.min() > SIZE[1] - 20 and columns.max() < 70
    assert np.array_equal(mask, bare_mask)


# --- files ---------------------------------------------------------------------------------------


def test_layout_and_names(folder):
    assert {path.name for path in folder.iterdir()} == {
        "label_class_dict.csv", "tiff", "rendered.json"}  # fmt: skip
    rows = list(csv.reader((folder / "label_class_dict.csv").read_text().splitlines()))
    assert rows == [["name", "r", "g", "b"], ["background", "0", "0", "0"],
                    ["building", "255", "255", "255"]]  # fmt: skip
    parts = {path.name for path in (folder / "tiff").iterdir()}
    assert parts == {name + end for name in ("train", "val", "test") for end in ("", "_labels")}
    stems = []
    for split, count in (("train", 2), ("val", 1), ("test", 1)):
        images = sorted((folder / "tiff" / split).iterdir())
        labels = sorted((folder / "tiff" / f"{split}_labels").iterdir())
        assert [path.stem for path in images] == [path.stem for path in labels]
        assert {path.suffix for path in images} == {".tiff"} and len(images) == count
        assert {path.suffix for path in labels} == {".tif"}
        stems += [path.stem for path in images]
    assert len(set(stems)) == 4
    for stem in stems:
        assert len(stem) == 11 and stem[:8].isdigit() and stem[0] != "0" and stem[8:] == "_15"


def test_images_and_labels_on_disk(folder):
    for split, number in (("train", 1), ("val", APART), ("test", 2 * APART)):
        name = Path(town_paths(number, 3)[0]).stem
        image, mask = render_town(3, number, SIZE)
        with (
            Image.open(folder / "tiff" / split / f"{name}.tiff") as photograph,
            Image.open(folder / "tiff" / f"{split}_labels" / f"{name}.tif") as label,
        ):
            for file in (photograph, label):
                assert (file.format, file.mode, file.size) == ("TIFF", "RGB", SIZE)
            assert np.array_equal(photograph, image)
            assert {tuple(c) for _, c in label.getcolors()} == {(0, 0, 0), (255, 255, 255)}
            assert np.array_equal(np.asarray(label)[..., 0] == 255, mask == 1)


def test_names_are_unique():
    numbers = [start + n for start in (0, APART, 2 * APART) for n in range(5000)]
    assert len({Path(town_paths(number, 7)[0]).stem for number in numbers}) == len(numbers)


def test_marker_says_rendered(folder):
    marker = json.loads((folder / "rendered.json").read_text())
    assert "not photographed" in marker.pop("rendered")
    expected = {"train": 2, "validation": 1, "test": 1, "size": [96, 64], "seed": 3}
    assert marker == expected | {"render_version": 1}
    assert rendered.is_rendered(folder)


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_same_bytes_again_and_more_training_images_leave_the_rest(folder, tmp_path):
    assert files(rendered.write("town", tmp_path / "again", **SETTINGS)) == files(folder)
    more = files(rendered.write("town", tmp_path / "more", **SETTINGS | {"train": 3}))
    for path, content in files(folder).items():
        assert path.name == "rendered.json" or more[path] == content


def test_found_again_unless_a_file_is_gone(tmp_path, monkeypatch):
    settings = SETTINGS | {"train": 1, "validation": 0, "test": 0}
    target = rendered.write("town", tmp_path / "data", **settings)
    monkeypatch.setattr(data_sets, "render_town", lambda *_: pytest.fail("rendered again"))
    assert rendered.write("town", target, **settings) == target
    next((target / "tiff" / "train").iterdir()).unlink()
    with pytest.raises(ValueError, match="Choose another folder"):
        rendered.write("town", target, **settings)
