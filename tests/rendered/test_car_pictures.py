"""The pictures of the rendered cars: exact masks, their parts, and what is to be seen."""

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from unet_tf.rendered import car_pictures, car_scene, car_shapes
from unet_tf.rendered.car_pictures import (
    PARTS,
    VOID,
    fill,
    part_map,
    render,
    render_with_parts,
    void_border,
)
from unet_tf.rendered.car_scene import Scene
from unet_tf.rendered.car_shapes import hubs, make_car

SMALL = (96, 64)


# --- the mask is the geometry -------------------------------------------------------------------


@pytest.mark.parametrize("number, view", [(0, 1), (1, 3), (2, 5), (3, 8), (4, 9), (5, 12), (6, 16)])
def test_mask_is_the_outline_at_pixel_centres(number, view):
    car = make_car(0, number)
    _, mask = render(car, view, SMALL)
    x, y = np.meshgrid(np.arange(SMALL[0]) + 0.5, np.arange(SMALL[1]) + 0.5)
    centres = np.stack([x.ravel(), y.ravel()], -1)
    inside = np.zeros(len(centres), bool)
    for polygon in Scene(car, view, SMALL).outline:
        inside |= Polygon(polygon).contains_points(centres)
    assert np.array_equal(mask, inside.reshape(mask.shape))
    for axis in (0, 1):  # the comparison would notice one pixel
        assert not np.array_equal(np.roll(mask, 1, axis), inside.reshape(mask.shape))


def test_fill_by_hand():
    square = np.array([(1.0, 1.0), (3.0, 1.0), (3.0, 3.0), (1.0, 3.0)])
    expected = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert fill([square], (4, 4)).astype(int).tolist() == expected
    assert fill([square, square[::-1] + 1], (4, 4)).sum() == 7  # a union: 4 + 4 - 1
    triangle = np.array([(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)])  # centres with x + y < 4
    assert fill([triangle - 0.01], (4, 4)).sum(axis=1).tolist() == [3, 2, 1, 0]
    assert fill([square - 9], (4, 4)).sum() == 0  # outside the frame
    assert fill([square * 100 - 150], (4, 4)).all()  # all around it


def test_picture_ends_where_the_mask_ends():
    """A red car against its empty studio: recoloured inside the outline, outside only shaded."""
    size = (240, 160)
    car = next(c for c in (make_car(0, i) for i in range(40)) if c.colour == "red")
    empty = np.asarray(car_pictures._small_studio(size)[0]) * car.light
    for view in (1, 4, 5, 9):
        image, mask = render(car, view, size)
        fine = [polygon * 9 for polygon in Scene(car, view, size).outline]
        coverage = fill(fine, (2160, 1440)).reshape(160, 9, 240, 9).mean((1, 3))
        change = image - empty
        assert np.ptp(change, axis=-1)[coverage == 0].max() < 25  # grey, as a shadow is
        assert np.abs(change[:60])[coverage[:60] == 0].max() < 12  # so high, nothing but grain
        assert (np.abs(change).max(-1)[coverage == 1] > 20).mean() > 0.9
        assert (mask[coverage > 0.75] == 1).mean() > 0.99


def test_soft_edge_thresholded_is_the_hard_mask():
    size, car = (120, 80), make_car(0, 3)
    for view in (2, 5, 11):
        fine = [polygon * 8 for polygon in Scene(car, view, size).outline]
        coverage = fill(fine, (960, 640)).reshape(80, 8, 120, 8).mean((1, 3))
        _, mask = render(car, view, size)
        assert ((coverage > 0.5) == mask).mean() > 0.995
        assert mask[coverage == 1].all()
        assert not mask[coverage == 0].any()


def test_same_scene_at_any_size():
    car = make_car(0, 2)
    small, large = (Scene(car, 6, size).outline for size in ((240, 160), (480, 320)))
    assert len(small) == len(large)
    assert all(np.allclose(2 * a, b) for a, b in zip(small, large, strict=True))
    assert render(car, 6, (101, 77))[0].shape == (77, 101, 3)  # odd, and another aspect


def test_antenna_is_1_to_3_pixels_wide_at_full_size():
    made = [make_car(0, number) for number in range(12)]
    for car in [car for car in made if car.shape["antenna"][1]][:3]:  # on the roof: the mask's top
        for view in (1, 5, 9, 14):
            mask = fill(Scene(car, view, (1918, 1280)).outline, (1918, 1280))
            rows = mask[mask.any(axis=1)][:60]
            assert set(rows.sum(axis=1).tolist()) <= {1, 2, 3}
            assert np.abs(np.diff(rows.argmax(axis=1))).max() <= 2  # one line, unbroken


# --- what is in the pictures --------------------------------------------------------------------


def test_forty_cars_vary_as_the_real_ones():
    forty = [make_car(0, number) for number in range(40)]
    assert {car.kind for car in forty} >= {"sedan", "pickup", "van"}
    assert len({car.colour for car in forty}) >= 6
    assert sum(car.colour == "white" for car in forty) >= 3
    assert len({car.id for car in forty}) == 40
    assert make_car(0, 1).id == forty[1].id != make_car(1, 1).id


def test_cars_fill_the_frame_as_the_real_ones():
    """Of Carvana's frames a car takes 0.20 in the mean, 0.13 to 0.37."""
    size = (240, 160)

    def shares(numbers, views):
        for number in numbers:
            for view in views:
                yield fill(Scene(make_car(0, number), view, size).outline, size).mean()

    assert 0.19 < np.mean(list(shares(range(0, 40, 3), (1, 4, 8, 16)))) < 0.22
    extremes = list(shares(range(40), (5, 9)))  # from the side and from behind
    assert 0.13 <= min(extremes) < 0.14
    assert 0.33 < max(extremes) <= 0.37


def test_cars_stay_in_the_frame():
    for number in (18, 26, 1, 9):  # high vans and pickups
        for view in (1, 5, 9, 12):
            points = np.concatenate(Scene(make_car(0, number), view, (480, 320)).outline)
            assert (points > 2).all()
            assert (points < (478, 318)).all()


@pytest.mark.parametrize("number, view", [(0, 1), (1, 5), (2, 12)])
def test_shadow_is_darkest_under_the_tyres(number, view):
    scene = Scene(make_car(0, number), view, (480, 320))
    shadow = np.asarray(car_pictures._shadow(scene)).astype(int)
    middles = np.array(hubs(scene.shape))
    tyres = np.concatenate([middles, middles * [1, -1, 1]]) * [1, 0.9, 0]
    ground = [*tyres, middles.mean(0) * [1, 0, 0]]  # and the car's middle
    x, y = car_scene.project(np.array(ground) @ scene.axes, (480, 320)).astype(int).T
    assert (shadow[y, x][:4] > shadow[y, x][4] + 10).all()
    assert (shadow[y, x][:4] > 225).all()
    assert shadow[y, x][4] > 150


def test_wall_shows_through_windows(monkeypatch):
    """Seen through clear glass, the wall makes windows brighter than opaque ones are."""
    car = next(c for c in (make_car(0, i) for i in range(40)) if c.colour == "black")
    image, mask = render(car, 5, (240, 160))
    panes = car_shapes.panes
    monkeypatch.setattr(
        car_shapes, "panes", lambda shape: [(pane, 0.0) for pane, _ in panes(shape)]
    )
    opaque, _ = render(car, 5, (240, 160))
    brighter = image.astype(int).min(-1) - opaque.astype(int).min(-1)
    assert ((brighter > 30) & (mask == 1)).sum() > 50
    assert (np.abs(brighter)[mask == 0] > 1).mean() < 0.01  # the softened edge


def test_view_out_of_range():
    with pytest.raises(ValueError, match="expected 1 to 16"):
        render(make_car(0, 0), 17, SMALL)


# --- the part map ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number, view", [(0, 1), (1, 4), (2, 13), (3, 8), (4, 9), (5, 12), (9, 6)])
@pytest.mark.parametrize("size", [SMALL, (240, 160)])
def test_parts_make_up_the_mask(number, view, size):
    car = make_car(0, number)
    ids, (_, mask) = part_map(Scene(car, view, size)), render(car, view, size)
    certain = ids != VOID
    assert (ids.dtype, ids.shape) == (np.uint8, mask.shape)
    assert np.array_equal(ids[certain] > 0, mask[certain] == 1)
    # VOID is where the mask ends, and takes less than what it parts.
    assert not certain[1:][mask[1:] != mask[:-1]].any()
    assert not certain[:, :-1][mask[:, 1:] != mask[:, :-1]].any()
    assert 0.01 < (~certain).mean() < 0.15


def test_parts_are_all_there():
    for number in range(4):
        assert set(np.unique(part_map(Scene(make_car(0, number), 4, (480, 320))))) == {
            0,
            1,
            2,
            3,
            4,
            255,
        }


@pytest.mark.parametrize("number", [0, 1, 3])
def test_parts_lie_where_the_car_has_them(number):
    """Its points, in metres, come to lie on pixels of their class, unless the car hides them."""
    car, size = make_car(0, number), (480, 320)
    maps = {view: part_map(Scene(car, view, size)) for view in (1, 2, 5, 9, 13)}

    def seen(view, point):
        x, y = car_scene.project(point @ Scene(car, view, size).axes, size).astype(int)
        value = maps[view][y, x]
        return "void" if value == VOID else PARTS[value]

    shape, panes = car.shape, [pane.mean(0) for pane, _ in car_shapes.panes(car.shape)]
    door = np.array([0.1, shape["width"] / 2, 0.6 * shape["belt"]])
    tread = np.array([0.85 * shape["wheel"], 0, 0])
    for side, view, opposite in ((1, 5, 13), (-1, 13, 5)):  # 5 is from the left, 13 from the right
        mirror = [1, side, 1]
        for hub in hubs(shape):
            assert seen(view, hub * mirror) == seen(view, (hub + tread) * mirror) == "wheel"
            assert seen(view, (hub + 1.6 * tread) * mirror) == "body"
            assert seen(opposite, hub * mirror) != "wheel"
        for pane in panes[2::2]:
            assert seen(view, pane * mirror) == "window"
        assert seen(view, door * mirror) == "body"
        corner = np.arcsin(0.8 ** (shape["square"] / 2))  # at 0.8 of the half width
        headlight = car_shapes.body(shape, corner, 0.75) * mirror
        taillight = car_shapes.body(shape, np.pi - corner, 0.75) * mirror
        assert seen(1, headlight) == seen(9, taillight) == "light"
        assert "light" not in (seen(9, headlight), seen(1, taillight))
    for hub in hubs(shape):  # 15 cm inward on the tread, almost on the floor
        assert seen(2, hub - (0, 0.15, 0.97 * shape["wheel"])) == "wheel"
    assert seen(1, panes[0]) == seen(9, panes[1]) == "window"  # the windscreen, the rear window


def test_nearer_parts_hide_farther_ones(monkeypatch):
    """In this view a mirror covers the corner of a window."""
    car, size = make_car(0, 1), (480, 320)
    with_mirror = part_map(Scene(car, 3, size))
    monkeypatch.setattr(car_scene, "_before", lambda scene: None)
    without = part_map(Scene(car, 3, size))
    covered = (with_mirror == PARTS.index("body")) & (without == 2)
    assert covered.sum() > 20
    assert not ((with_mirror == 2) & (without == 1)).any()


def test_red_lamps_are_lights():
    """Red on a white car, seen in the picture: a check that knows nothing of the geometry."""
    car = next(c for c in (make_car(0, i) for i in range(40)) if c.colour == "white")
    for view in (8, 9, 11):
        image, mask = render(car, view)
        red, green, blue = np.moveaxis(image.astype(int), -1, 0)
        lamp = (red > green + 60) & (red > blue + 60) & (mask == 1)
        ids = part_map(Scene(car, view, (480, 320)))
        assert lamp.sum() > 200
        assert np.isin(ids[lamp], [4, VOID]).all()
        assert lamp[ids == 4].mean() > 0.8  # the rest is the white lamp within
        assert not lamp[np.isin(ids, [0, 1, 2, 3])].any()


def test_void_border_by_hand():
    ids = np.array([[0, 0, 0, 0, 0, 0],
                    [0, 0, 0, 0, 0, 0],
                    [0, 0, 0, 2, 2, 2],
                    [0, 0, 0, 2, 2, 2],
                    [0, 0, 0, 2, 2, 2]], np.uint8)  # fmt: skip
    assert void_border(ids).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 255, 255, 255, 255],
        [0, 0, 255, 255, 255, 255],
        [0, 0, 255, 255, 2, 2],
        [0, 0, 255, 255, 2, 2],
    ]
    wide = void_border(np.array([[1, 1, 1, 3, 3, 3, 3]] * 2, np.uint8), 2)
    assert wide.tolist() == [[1, 255, 255, 255, 255, 3, 3]] * 2
    assert void_border(np.full((3, 4), 4, np.uint8)).tolist() == [[4] * 4] * 3
    assert ids.max() == 2  # the argument is left as it was


@pytest.mark.parametrize("width", [1, 2, 4])
def test_void_border_against_loops(width):
    ids = np.random.default_rng(width).integers(0, 5, (5, 4)).repeat(9, 0).repeat(9, 1)
    expected = ids.copy()
    for y, x in np.ndindex(ids.shape):
        near = ids[max(0, y - width) : y + width + 1, max(0, x - width) : x + width + 1]
        if len(np.unique(near)) > 1:
            expected[y, x] = 255
    assert np.array_equal(void_border(ids.astype(np.uint8), width), expected)


def test_void_border_grows_with_the_frame():
    """1 pixel on either side of the silhouette at 240 and at 480 pixels, 2 at 960."""
    car = make_car(0, 0)
    for size, width in (((240, 160), 1), ((480, 320), 1), ((960, 640), 2)):
        ids, (_, mask) = part_map(Scene(car, 5, size)), render(car, 5, size)
        column = size[0] // 2
        top = mask[:, column].argmax()
        void = np.flatnonzero(ids[: top + 6, column] == VOID)
        assert void.tolist()[: 2 * width] == list(range(top - width, top + width))


def test_picture_and_parts_together():
    car = make_car(0, 4)
    image, ids = render_with_parts(car, 6, SMALL)
    assert np.array_equal(image, render(car, 6, SMALL)[0])
    assert np.array_equal(ids, part_map(Scene(car, 6, SMALL)))
