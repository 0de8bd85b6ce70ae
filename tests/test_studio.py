"""The pictures of the rendered cars: exact masks, and what is to be seen."""

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from unet_tf import cars, studio

SMALL = (96, 64)


# --- the mask is the geometry -------------------------------------------------------------------


@pytest.mark.parametrize("number, view", [(0, 1), (1, 3), (2, 5), (3, 8), (4, 9), (5, 12), (6, 16)])
def test_mask_is_the_outline_at_pixel_centres(number, view):
    car = cars.make_car(0, number)
    _, mask = studio.render(car, view, SMALL)
    x, y = np.meshgrid(np.arange(SMALL[0]) + 0.5, np.arange(SMALL[1]) + 0.5)
    centres = np.stack([x.ravel(), y.ravel()], -1)
    inside = np.zeros(len(centres), bool)
    for polygon in studio.outline(car, view, SMALL):
        inside |= Polygon(polygon).contains_points(centres)
    assert np.array_equal(mask, inside.reshape(mask.shape))
    for axis in (0, 1):  # the comparison would notice one pixel
        assert not np.array_equal(np.roll(mask, 1, axis), inside.reshape(mask.shape))


def test_fill_by_hand():
    square = np.array([(1.0, 1.0), (3.0, 1.0), (3.0, 3.0), (1.0, 3.0)])
    expected = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert studio.fill([square], (4, 4)).astype(int).tolist() == expected
    assert studio.fill([square, square[::-1] + 1], (4, 4)).sum() == 7  # a union: 4 + 4 - 1
    triangle = np.array([(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)])  # centres with x + y < 4
    assert studio.fill([triangle - 0.01], (4, 4)).sum(axis=1).tolist() == [3, 2, 1, 0]
    assert studio.fill([square - 9], (4, 4)).sum() == 0  # outside the frame
    assert studio.fill([square * 100 - 150], (4, 4)).all()  # all around it


def test_picture_ends_where_the_mask_ends():
    """A red car against its empty studio: recoloured inside the outline, outside only shaded."""
    size = (240, 160)
    car = next(c for c in (cars.make_car(0, i) for i in range(40)) if c.colour == "red")
    empty = np.asarray(studio._small_studio(size)[0]) * car.light
    for view in (1, 4, 5, 9):
        image, mask = studio.render(car, view, size)
        fine = [polygon * 9 for polygon in studio.outline(car, view, size)]
        coverage = studio.fill(fine, (2160, 1440)).reshape(160, 9, 240, 9).mean((1, 3))
        change = image - empty
        assert np.ptp(change, axis=-1)[coverage == 0].max() < 25  # grey, as a shadow is
        assert np.abs(change[:60])[coverage[:60] == 0].max() < 12  # so high, nothing but grain
        assert (np.abs(change).max(-1)[coverage == 1] > 20).mean() > 0.9
        assert (mask[coverage > 0.75] == 1).mean() > 0.99


def test_soft_edge_thresholded_is_the_hard_mask():
    size, car = (120, 80), cars.make_car(0, 3)
    for view in (2, 5, 11):
        fine = [polygon * 8 for polygon in studio.outline(car, view, size)]
        coverage = studio.fill(fine, (960, 640)).reshape(80, 8, 120, 8).mean((1, 3))
        _, mask = studio.render(car, view, size)
        assert ((coverage > 0.5) == mask).mean() > 0.995
        assert mask[coverage == 1].all()
        assert not mask[coverage == 0].any()


def test_same_scene_at_any_size():
    car = cars.make_car(0, 2)
    small, large = (studio.outline(car, 6, size) for size in ((240, 160), (480, 320)))
    assert len(small) == len(large)
    assert all(np.allclose(2 * a, b) for a, b in zip(small, large, strict=True))
    assert studio.render(car, 6, (101, 77))[0].shape == (77, 101, 3)  # odd, and another aspect


def test_antenna_is_1_to_3_pixels_wide_at_full_size():
    made = [cars.make_car(0, number) for number in range(12)]
    for car in [car for car in made if car.shape["antenna"][1]][:3]:  # on the roof: the mask's top
        for view in (1, 5, 9, 14):
            mask = studio.fill(studio.outline(car, view, (1918, 1280)), (1918, 1280))
            rows = mask[mask.any(axis=1)][:60]
            assert set(rows.sum(axis=1).tolist()) <= {1, 2, 3}
            assert np.abs(np.diff(rows.argmax(axis=1))).max() <= 2  # one line, unbroken


# --- what is in the pictures --------------------------------------------------------------------


def test_forty_cars_vary_as_the_real_ones():
    forty = [cars.make_car(0, number) for number in range(40)]
    assert {car.kind for car in forty} >= {"sedan", "pickup", "van"}
    assert len({car.colour for car in forty}) >= 6
    assert sum(car.colour == "white" for car in forty) >= 3
    assert len({car.id for car in forty}) == 40
    assert cars.make_car(0, 1).id == forty[1].id != cars.make_car(1, 1).id


def test_cars_fill_the_frame_as_the_real_ones():
    """Of Carvana's frames a car takes 0.20 in the mean, 0.13 to 0.37."""
    size = (240, 160)

    def shares(numbers, views):
        for number in numbers:
            for view in views:
                yield studio.fill(studio.outline(cars.make_car(0, number), view, size), size).mean()

    assert 0.19 < np.mean(list(shares(range(0, 40, 3), (1, 4, 8, 16)))) < 0.22
    extremes = list(shares(range(40), (5, 9)))  # from the side and from behind
    assert 0.13 <= min(extremes) < 0.14
    assert 0.33 < max(extremes) <= 0.37


def test_cars_stay_in_the_frame():
    for number in (18, 26, 1, 9):  # high vans and pickups
        for view in (1, 5, 9, 12):
            points = np.concatenate(studio.outline(cars.make_car(0, number), view, (480, 320)))
            assert (points > 2).all()
            assert (points < (478, 318)).all()


@pytest.mark.parametrize("number, view", [(0, 1), (1, 5), (2, 12)])
def test_shadow_is_darkest_under_the_tyres(number, view):
    scene = studio._Scene(cars.make_car(0, number), view, (480, 320))
    shadow = np.asarray(studio._shadow(scene)).astype(int)
    hubs = np.array(cars.hubs(scene.shape))
    tyres = np.concatenate([hubs, hubs * [1, -1, 1]]) * [1, 0.9, 0]
    ground = [*tyres, hubs.mean(0) * [1, 0, 0]]  # and the car's middle
    x, y = studio._project(np.array(ground) @ scene.axes, (480, 320)).astype(int).T
    assert (shadow[y, x][:4] > shadow[y, x][4] + 10).all()
    assert (shadow[y, x][:4] > 225).all()
    assert shadow[y, x][4] > 150


def test_wall_shows_through_windows(monkeypatch):
    """Seen through clear glass, the wall makes windows brighter than opaque ones are."""
    car = next(c for c in (cars.make_car(0, i) for i in range(40)) if c.colour == "black")
    image, mask = studio.render(car, 5, (240, 160))
    panes = cars.panes
    monkeypatch.setattr(cars, "panes", lambda shape: [(pane, 0.0) for pane, _ in panes(shape)])
    opaque, _ = studio.render(car, 5, (240, 160))
    brighter = image.astype(int).min(-1) - opaque.astype(int).min(-1)
    assert ((brighter > 30) & (mask == 1)).sum() > 50
    assert (np.abs(brighter)[mask == 0] > 1).mean() < 0.01  # the softened edge


def test_view_out_of_range():
    with pytest.raises(ValueError, match="expected 1 to 16"):
        studio.render(cars.make_car(0, 0), 17, SMALL)
