"""The picture of a car: a fixed camera in a studio, the car on a turntable of 16 steps.

Faces are painted from back to front. The mask is exact: the pixels whose centres lie inside the
polygons of `Scene.outline`. So is the map of its parts, apart from a thin border without class.
The wall is lettered RENDERED, since these are no photographs.
"""

import functools
import itertools

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from unet_tf.rendered import car_shapes
from unet_tf.rendered.car_scene import CEILING, FINE, WALL, Scene, project

PARTS = ("background", "body", "window", "wheel", "light")  # a part map's ids, from 0
VOID = 255  # the ignored label, as in PASCAL VOC


# --- pixels -------------------------------------------------------------------------------------


def fill(polygons, size):
    """The pixels whose centres lie inside any of the polygons (even-odd rule), exactly.

    `polygons` as in `Scene.outline`, `size` (width, height); returns bool (height, width). Pillow's
    own polygons are wider: they take every pixel that the edge touches.
    """
    width, height = size
    count = np.array([len(polygon) for polygon in polygons])
    last = np.cumsum(count) - 1
    start = np.concatenate(polygons)
    end = np.roll(start, -1, axis=0)
    end[last] = start[last - count + 1]
    down = start[:, 1] <= end[:, 1]  # one direction, so that neighbours share their crossings
    (x0, y0), (x1, y1) = np.where(down, start.T, end.T), np.where(down, end.T, start.T)
    first, stop = np.ceil(np.stack([y0, y1]) - 0.5).clip(0, height).astype(int)
    rows = stop - first
    edge = np.repeat(np.arange(len(rows)), rows)
    row = np.arange(len(edge)) + np.repeat(first - np.cumsum(rows) + rows, rows)
    crossing = x0[edge] + (row + 0.5 - y0[edge]) * ((x1 - x0)[edge] / (y1 - y0)[edge])
    column = np.ceil(crossing - 0.5).clip(0, width).astype(int)
    # Sorted by polygon, row and column, every other crossing leads into a polygon.
    cells = height * (width + 1)
    owner = np.repeat(np.arange(len(count)), count)
    key = np.sort(owner[edge] * cells + row * (width + 1) + column) % cells
    steps = np.bincount(key[::2], minlength=cells) - np.bincount(key[1::2], minlength=cells)
    return np.cumsum(steps.reshape(height, -1), axis=1)[:, :-1] > 0


@functools.lru_cache(4)
def _studio(size):
    """The empty studio at FINE samples a pixel: lit, and wholly in shadow (two Pillow images)."""
    width, height = size = size[0] * FINE, size[1] * FINE
    unit = min(width, 1.5 * height)

    def at(*points):
        return [tuple(point) for point in project(np.array(points, float), size).tolist()]

    top, foot = at((0, WALL, CEILING))[0][1], at((0, WALL, 0))[0][1]
    rows = [0, top, (top + foot) / 2, foot - height / 80, foot + height / 80, 1.25 * foot, height]
    greys = np.array([236, 238, 231, 220, 180, 172, 190])[:, None] + [
        (0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 1, 3), (0, 2, 6), (0, 2, 6), (0, 0, 2)]  # fmt: skip
    column = np.stack([np.interp(np.arange(height), rows, grey) for grey in greys.T], -1)
    image = Image.fromarray(column.round().astype(np.uint8)[:, None]).resize(size)
    draw = ImageDraw.Draw(image)
    for x in np.arange(-12, 13, 1.5):  # the wall's panels, the floor's joints, the lamps
        draw.line(at((x, WALL, 0.1), (x, WALL, CEILING)), (216, 217, 219), 4)
        draw.line(at((x, WALL, 0), (x, -4.5, 0)), (168, 170, 174), 4)
        lamp = ((x, 2, CEILING), (x + 0.9, 2, CEILING), (x + 0.9, 3.6, CEILING), (x, 3.6, CEILING))
        draw.polygon(at(*lamp), (255, 255, 253))
    turn = np.linspace(0, 2 * np.pi, 90)
    for radius, grey in ((3.32, (152, 153, 156)), (3.28, (185, 186, 189))):
        draw.polygon(at(*np.stack([np.cos(turn), np.sin(turn), 0 * turn], -1) * radius), grey)
    for middle, colours in ((-4.6, ("#3e5c80", "#deb054")), (4.6, ("#983e36", "#467868"))):
        for x0, x1, z0, z1, colour in (
            (-0.48, 0.48, 1.00, 2.40, "#3c3d40"), (-0.44, 0.44, 1.04, 2.36, "#f0efea"),
            (-0.36, 0.36, 1.50, 2.28, colours[0]), (-0.36, 0.10, 1.50, 1.85, colours[1]),
            (-0.36, 0.20, 1.20, 1.28, "#5a5a5c"),
        ):  # fmt: skip
            corners = at((middle + x0, WALL, z1), (middle + x1, WALL, z0))
            draw.rectangle([*corners[0], *corners[1]], colour)
    (left, line), (right, _) = at((-3.6, WALL, 2.2), (3.6, WALL, 2.2))
    text = " ".join("RENDERED")
    points = 100 * (right - left) / ImageFont.load_default(100).getlength(text)
    font = ImageFont.load_default(max(4, points))
    draw.text(((left + right) / 2, line), text, "#727478", font, "mm", stroke_width=unit / 500)
    across, below = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 40))
    falloff = Image.fromarray((255 * (1 - 0.08 * (across**2 + 0.6 * below**2))).astype(np.uint8))
    falloff = Image.merge("RGB", [falloff.resize(size, Image.Resampling.BICUBIC)] * 3)
    image = ImageChops.multiply(image.filter(ImageFilter.GaussianBlur(unit / 1400)), falloff)
    return image, image.point(lambda value: 0.2 * value)


@functools.lru_cache(4)
def _small_studio(size):
    return tuple(image.reduce(FINE) for image in _studio(size))


@functools.lru_cache(4)
def _grain(size):
    grain = np.random.default_rng(0).normal(0, 1.6, (size[1], size[0], 3))
    return grain.astype(np.float32)


def _shadow(scene):
    """What the car takes of the floor's light, a Pillow image in mode L."""
    unit = min(scene.size[0], 1.5 * scene.size[1])
    footprint = car_shapes.body(scene.shape, car_shapes.ring(scene.shape["square"], 60), 0.2)
    shadow = Image.new("L", scene.size)
    layers = [(footprint * [0.99, 1.03, 0], 110, 0.014), (footprint * [0.8, 0.9, 0], 215, 0.010)]
    turn = np.linspace(0, 2 * np.pi, 24)
    foot = np.stack([0.26 * np.cos(turn), 0.15 * np.sin(turn), 0 * turn], -1)  # under a tyre
    for x, y, _ in car_shapes.hubs(scene.shape):
        layers += [(foot + np.array([x, side * (y - 0.11), 0]), 250, 0.003) for side in (1, -1)]
    for points, dark, blur in layers:
        layer = Image.new("L", scene.size)
        points = project(points @ scene.axes, scene.size)
        ImageDraw.Draw(layer).polygon(points.ravel().tolist(), dark)
        shadow = ImageChops.lighter(shadow, layer.filter(ImageFilter.GaussianBlur(blur * unit)))
    return shadow


def render(car, view, size=(480, 320)):
    """One picture and its mask: uint8 (H, W, 3) RGB and uint8 (H, W) in {0, 1}.

    `view` is 1 to 16, 22.5 degrees apart, 1 from the front and 9 from the rear; `size` is (W, H).
    The picture is anti-aliased, the mask hard: `Scene.outline` at pixel centres, exactly.
    """
    return _picture(Scene(car, view, size), car, view)


def _picture(scene, car, view):
    size = scene.size
    everything = np.concatenate(scene.outline)
    x0, y0 = np.floor(everything.min(0)).astype(int).clip(0).tolist()
    x1, y1 = np.ceil(everything.max(0)).astype(int).clip(None, size).tolist()
    part, shadow = ((x1 - x0) * FINE, (y1 - y0) * FINE), _shadow(scene)
    lit, dark = (image.crop([FINE * side for side in (x0, y0, x1, y1)]) for image in _studio(size))
    floor = Image.composite(dark, lit, shadow.resize(part, box=(x0, y0, x1, y1)))
    picture, through = floor.copy(), Image.new("L", part)
    draw, draw_through = ImageDraw.Draw(picture), ImageDraw.Draw(through)

    def corners(polygons):  # in the crop, as flat lists; Pillow counts from the pixels' centres
        flat = ((np.concatenate(polygons) - (x0, y0)) * FINE - 0.5).ravel().tolist()
        stops = np.cumsum([2 * len(polygon) for polygon in polygons]).tolist()
        return [flat[start:stop] for start, stop in itertools.pairwise([0, *stops])]

    for faces, windows in scene.layers:
        before = picture.copy() if windows else None
        if faces:
            polygons, colours = zip(*faces, strict=True)
            for points, colour in zip(corners(polygons), colours, strict=True):
                draw.polygon(points, colour)
        if windows:
            polygons, colours, clearness = zip(*windows, strict=True)
            through.paste(0, (0, 0, *part))
            for points, colour, clear in zip(corners(polygons), colours, clearness, strict=True):
                draw.polygon(points, colour)
                draw_through.polygon(points, round(255 * clear))
            picture.paste(before, mask=through)
    inside = fill([(polygon - (x0, y0)) * FINE for polygon in scene.outline], part)
    floor.paste(picture, mask=Image.fromarray(inside))
    whole = Image.composite(*_small_studio(size)[::-1], shadow)
    whole.paste(floor.reduce(FINE), (x0, y0))
    mask = np.zeros(size[::-1], np.uint8)
    mask[y0:y1, x0:x1] = inside[FINE // 2 :: FINE, FINE // 2 :: FINE]
    grain = np.roll(_grain(size), (car.noise % 997 + 37 * view, car.noise % 1009), (0, 1))
    image = np.asarray(whole) * car.light.astype(np.float32) + grain
    return (image + 0.5).clip(0, 255).astype(np.uint8), mask


# --- the part map ---------------------------------------------------------------------------------


def part_map(scene):
    """Which part of the car each pixel shows: uint8 (H, W), places in `PARTS`, and `VOID`.

    What is nearer hides what is farther; what one sees through a window is window. Tyres and rims
    are wheel, head- and tail-lights light, and all else of the car is body. Hard and exact at pixel
    centres, except where `void_border` puts VOID: 1 pixel on either side of a boundary at up to
    720x480, more in larger frames. Without VOID, `part_map > 0` is the mask of `render`.
    """
    size = scene.size
    inside = fill(scene.outline, size)
    ids = inside.astype(np.uint8)  # body, where nothing else is painted
    for part, painted in itertools.groupby(scene.parts, lambda pair: pair[0]):
        polygons = [polygon for _, some in painted for polygon in some]
        if polygons:
            ids[fill(polygons, size) & inside] = PARTS.index(part)
    return void_border(ids, max(1, round(min(size[0], 1.5 * size[1]) / 480)))


def render_with_parts(car, view, size=(480, 320)):
    """The picture of `render` and the `part_map` of its scene: two arrays."""
    scene = Scene(car, view, size)
    return _picture(scene, car, view)[0], part_map(scene)


def void_border(ids, width=1):
    """A copy of uint8 `ids` (H, W) that is VOID where two classes meet.

    A pixel is VOID if another class is in the square of `width` pixels around it: so `width` (1 or
    more) on either side of a boundary. The frame's edge is no boundary.
    """
    image, side = Image.fromarray(ids), 2 * width + 1
    highest, lowest = (
        np.asarray(image.filter(extreme(side)))
        for extreme in (ImageFilter.MaxFilter, ImageFilter.MinFilter)
    )
    return np.where(highest == lowest, ids, np.uint8(VOID))
