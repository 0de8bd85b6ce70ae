"""The picture of a car: a fixed camera in a studio, the car on a turntable of 16 steps.

Faces are painted from back to front. The mask is exact: the pixels whose centres lie inside the
polygons that `outline` returns. So is the map of its parts, apart from a thin border without class.
The wall is lettered RENDERED, since these are no photographs.
"""

import functools
import itertools

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from unet_tf import cars

VIEWS = range(1, 17)
PARTS = ("background", "body", "window", "wheel", "light")  # a part map's ids, from 0
VOID = 255  # the ignored label, as in PASCAL VOC
FINE = 3  # samples a pixel and direction; odd, so that the middle one is the pixel's centre
# The studio, in metres: X to the right, Y away from the camera, Z up, from the turntable's middle.
CAMERA, WALL, CEILING = np.array([0.0, -6.5, 1.95]), 4.2, 3.0
FOCAL, HORIZON = 0.945, 0.19  # of the frame's width, of its height: so cars fill 0.13 to 0.35 of it
LIGHT = np.array([-0.35, -0.45, 0.82])


# --- faces in painter's order ---------------------------------------------------------------------


def _project(points, size):
    """The studio -> pixels, (..., 3) -> (..., 2); a shift lens: what is upright stays upright."""
    unit = min(size[0], 1.5 * size[1])
    scale = FOCAL * unit / (points[..., 1] - CAMERA[1])
    x = size[0] / 2 + scale * points[..., 0]
    y = size[1] / 2 + (HORIZON - 0.5) * unit / 1.5 - scale * (points[..., 2] - CAMERA[2])
    return np.stack([x, y], -1)


def _lit(normal, middle, colour, gloss):
    """RGB (Q, 3) of faces: lamps above; in the paint the bright wall and the grey floor."""
    sight = CAMERA - middle
    sight /= np.linalg.norm(sight, axis=1, keepdims=True)
    cosine = (normal * sight).sum(1)
    up = 2 * cosine * normal[:, 2] - sight[:, 2]
    mirrored = np.interp(up, [-1, -0.25, -0.02, 0.12, 0.5, 1], [70, 100, 125, 205, 225, 255])
    share = gloss * (0.10 + 0.5 * (1 - cosine.clip(0, 1)) ** 3)
    light = 0.64 + 0.40 * (normal @ LIGHT).clip(0, 1) + 0.12 * normal[:, 2]
    return (np.outer(light * (1 - share), colour) + (mirrored * share)[:, None]).clip(0, 255)


class _Scene:
    """Layers of faces, back to front. Through a layer's windows one sees what lies behind it."""

    def __init__(self, car, view, size):
        if view not in VIEWS:
            raise ValueError(f"view is {view}: expected 1 to 16")
        self.shape, self.paint, self.size, turn = car.shape, car.paint, size, (view - 1) * np.pi / 8
        ahead, left = (-np.sin(turn), -np.cos(turn), 0), (np.cos(turn), -np.sin(turn), 0)
        self.axes = np.array([ahead, left, (0, 0, 1)])  # the car's, in the studio
        self.layers = []  # [faces: (polygon, colour)], [windows: (polygon, colour, clearness)]
        self.outline = []
        self.parts = []  # (of PARTS, polygons), back to front
        for build in (_behind, _bed, _lower_body, _far_shell, _seats, _near_shell, _before):
            self.layers.append(([], []))
            build(self)

    def add(
        self, faces, colour, gloss=0, solid=True, inside=False, clear=None, both=False, part="body"
    ):
        """Add faces (Q, N, 3) that look at the camera (`inside`: away from it), farthest first.

        `solid` ones count for the outline; those with a `clear`ness let see through; `both` sides.
        """
        faces = np.concatenate([faces, cars.mirrored(faces)]) if both else faces
        faces = faces @ self.axes
        middle, quarter = faces.mean(1), faces.shape[1] // 4
        diagonals = faces[:, 2 * quarter] - faces[:, 0], faces[:, 3 * quarter] - faces[:, quarter]
        normal = np.cross(*diagonals) * (-1 if inside else 1)
        length = np.linalg.norm(normal, axis=1)
        seen = (normal * (CAMERA - middle)).sum(1) > 1e-6 * length
        order = np.argsort(-np.linalg.norm(middle - CAMERA, axis=1), kind="stable")
        order = order[(seen & (length > 1e-9))[order]]
        polygons = _project(faces[order], self.size)
        colours = _lit(normal[order] / length[order, None], middle[order], colour, gloss)
        for polygon, rgb in zip(polygons, colours.astype(int).tolist(), strict=True):
            if clear is None:
                self.layers[-1][0].append((polygon, tuple(rgb)))
            else:
                frame = polygon + (0.05 if clear < 1 else 0) * (polygon - polygon.mean(0))
                self.layers[-1][0].append((frame, cars.TRIM))
                self.layers[-1][1].append((polygon, tuple(rgb), clear))
        if solid:
            self.outline.extend(polygons)
        self.parts.append((part, polygons))

    def band(self, angle, low, high, colour, gloss=0.3, both=True, part="body"):
        """Paint a strip of the lower body, along `angle` (N,), from `low` to `high` (0 to 1)."""
        lower, upper = cars.body(self.shape, angle, low), cars.body(self.shape, angle, high)
        faces = np.stack([lower[:-1], lower[1:], upper[1:], upper[:-1]], 1)
        self.add(faces, colour, gloss, solid=False, both=both, part=part)

    def in_front(self, x, side):
        """Does what sticks out of this side of the car at x lie before the car?"""
        camera = self.axes @ CAMERA
        return side * camera[1] > self.shape["width"] / 2 or camera[0] > x


def _lower_body(scene):
    shape, hubs = scene.shape, cars.hubs(scene.shape)
    turn = np.arange(36) * np.pi / 18
    circle = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], -1) * shape["wheel"]
    levels = ((0, 0.23), (1, 0.23), (1, 0.03), (0.93, 0), (0, 0))
    for hub in hubs:
        tyre = np.stack([hub + circle * share - [0, inward, 0] for share, inward in levels])
        scene.add(cars.loft(tyre), cars.RUBBER, both=True, part="wheel")
    scene.add(cars.loft(cars.body_rings(shape)), scene.paint, gloss=1)
    _details(scene, hubs)
    gap = 0.6 * np.pi / shape["spokes"]
    turn = np.array([-0.5, -1, -0.5, 0, 0.5, 1, 0.5, 0]) * gap
    turn = turn + 2 * np.pi * np.arange(shape["spokes"])[:, None] / shape["spokes"]
    reach = np.array([0.24, 0.6, 0.6, 0.6, 0.6, 0.6, 0.24, 0.24]) * shape["wheel"]
    gaps = np.stack([-np.cos(turn) * reach, 0 * turn, np.sin(turn) * reach], -1)
    for hub in hubs:
        for share, colour in ((1, cars.RUBBER), (0.71, cars.TRIM), (0.67, shape["rim"])):
            scene.add(hub + share * circle[None], colour, solid=False, both=True, part="wheel")
        scene.add(hub + gaps, (34, 34, 36), solid=False, both=True, part="wheel")
    if shape["bed"]:
        scene.add(cars.bed_rim(shape)[None], cars.TRIM, solid=False, clear=1)


def _details(scene, hubs):
    """Lights, grille, plates, doors, handles, wheel arches: painted on the lower body."""
    shape, paint = scene.shape, scene.paint
    half, square = shape["length"] / 2, shape["square"]

    def front(*y):  # angles from shares of the half width
        return np.arcsin(cars.signed_power(np.linspace(*y, 9), square / 2))

    def rear(*y):
        return np.pi - front(*y)

    def side(*x):  # angles from metres
        return cars.angle_at(np.linspace(*x, 9) / half, square)

    seam = 0.35 * paint
    headlight = np.linspace(front(0.6, 1)[0], side(half - 0.42, 0)[0], 9)
    taillight = np.linspace(side(0.3 - half, 0)[0], rear(0.62, 1)[0], 9)
    for angle, low, high, colour in (
        (cars.ring(square, 88), 0, 0.07, cars.TRIM),
        (front(-0.52, 0.52), 0.50, 0.80, cars.TRIM),
        *((front(-0.5, 0.5), low, low + 0.03, shape["grille"]) for low in (0.55, 0.63, 0.71)),
        (front(-0.62, 0.62), 0.10, 0.30, cars.TRIM),
        (front(-0.9, 0.9), 0.90, 0.915, seam),
        (rear(0.62, -0.62), 0.07, 0.16, cars.TRIM),
        (rear(0.86, -0.86), 0.36, 0.375, seam),
        *((at(-y, y), 0.33 + z, 0.47 - z, rgb)
          for y, z, rgb in ((0.16, 0, cars.TRIM), (0.148, 0.012, (226, 226, 220)))
          for at in (front, lambda a, b: rear(b, a))),
    ):  # fmt: skip
        scene.band(angle, low, high, colour, both=False)
    for angle, low, high, colour, part in (
        (headlight, 0.58, 0.86, cars.TRIM, "light"),
        (headlight[:-1], 0.61, 0.83, (222, 228, 232), "light"),
        (headlight[1:4], 0.66, 0.78, (120, 126, 132), "light"),
        (front(0.7, 0.84), 0.13, 0.26, (214, 216, 214), "light"),
        (taillight, 0.56, 0.90, (156, 12, 16), "light"),
        (taillight[4:8], 0.62, 0.70, (228, 196, 186), "light"),
        (side(half - 0.7, 0.5 - half), 0.66, 0.675, 0.75 * paint, "body"),
        (side(hubs[0][0] - 0.45, hubs[1][0] + 0.45), 0.07, 0.12, 0.5 * paint, "body"),
    ):
        scene.band(angle, low, high, colour, part=part)
    foot, _, back, _ = shape["cabin"]
    for at in (0, *shape["panes"][1:3]):
        x = foot - 0.1 + (back + 0.05 - foot) * at
        scene.band(side(x + 0.008, x - 0.008), 0.09, 0.92, seam)
        if at:
            scene.band(side(x + 0.25, x + 0.07), 0.735, 0.775, seam)
            scene.band(side(x + 0.25, x + 0.07), 0.75, 0.78, 0.8 * paint + 45)
    turn = np.arange(48) * np.pi / 24
    for hub in hubs:
        for radius, colour in ((1.22, 0.7 * paint), (1.16, (12, 12, 13))):
            x = hub[0] - radius * shape["wheel"] * np.cos(turn)
            sill, edge = cars.heights(shape, x)
            v = (hub[2] + radius * shape["wheel"] * np.sin(turn) - sill) / (edge - sill)
            arch = cars.body(shape, cars.angle_at(x / half, square), v.clip(0, 1))
            scene.add(arch[None], colour, solid=False, both=True)


def _bed(scene):
    if scene.shape["bed"]:
        rim = cars.bed_rim(scene.shape)
        scene.add(rim[None] - [0, 0, 0.5], (40, 40, 42), solid=False)
        walls = cars.loft(np.stack([rim - [0, 0, 0.5], rim]))
        scene.add(walls, 0.5 * scene.paint, solid=False, inside=True)


def _far_shell(scene):
    rings = cars.cabin_rings(scene.shape)
    scene.add(rings[:1], (56, 55, 54), solid=False)
    scene.add(cars.loft(rings), 0.25 * scene.paint + 60, solid=False, inside=True)
    for pane, clear in cars.panes(scene.shape):
        clear = min(1, clear + 0.2)
        scene.add(pane[None], cars.GLASS, solid=False, inside=True, clear=clear, part="window")


def _seats(scene):
    _, front, rear, _ = scene.shape["cabin"]
    for x in (front - 1.4, front - 0.45):
        for y in (-0.38, 0.38):
            if x > rear - 0.1:
                back = cars.block((x, y, scene.shape["belt"] + 0.11), (0.07, 0.22, 0.09))
                head = cars.block((x - 0.04, y, scene.shape["belt"] + 0.28), (0.05, 0.12, 0.08))
                scene.add(np.concatenate([back, head]), (54, 53, 52), solid=False)


def _near_shell(scene):
    scene.add(cars.loft(cars.cabin_rings(scene.shape)), scene.paint, gloss=1)
    for pane, clear in cars.panes(scene.shape):
        scene.add(pane[None], cars.GLASS, gloss=1.3, solid=False, clear=clear, part="window")


def _behind(scene, front=False):
    """Mirrors and antenna: those that the body may hide come first, the others (`front`) last."""
    shape = scene.shape
    foot, _, rear, _ = shape["cabin"]
    for side in (1, -1):
        if scene.in_front(foot - 0.35, side) == front:
            y = side * (shape["width"] / 2 + 0.05)
            middle = np.array([foot - 0.35, y, shape["belt"] + 0.07])
            scene.add(cars.block(middle, (0.07, 0.14, 0.09)), scene.paint, gloss=1)
            y, z = np.array([(0.11, -0.06), (-0.11, -0.06), (-0.11, 0.06), (0.11, 0.06)]).T
            glass = middle + np.stack([np.full(4, -0.072), y, z], -1)
            scene.add(glass[None], (150, 160, 168), solid=False)
    tall, on_roof, side = shape["antenna"]
    at = (foot + 0.1, 0.8 * side, shape["belt"] - 0.06)
    if on_roof:
        at = (rear + 0.25, 0, shape["height"] - 0.02)
    if (on_roof or scene.in_front(at[0], side)) == front:
        turn = np.arange(6) * np.pi / 3
        rod = 0.003 * np.stack([np.cos(turn), np.sin(turn), 0 * turn], -1)  # 6 mm thick
        tip = np.array(at) + tall * np.array([-0.35, 0, 0.94])
        scene.add(cars.loft(np.stack([rod + at, rod + tip, 0 * rod + tip])), cars.TRIM)


def _before(scene):
    _behind(scene, front=True)


# --- pixels -------------------------------------------------------------------------------------


def outline(car, view, size=(480, 320)):
    """The polygons whose union is the car: [float (N, 2), ...], (x, y) in pixels.

    The frame's upper left corner is (0, 0), pixel centres are at halves. `view` is 1 to 16, `size`
    (width, height). Windows belong to the car, as in Carvana's masks; its shadow does not.
    """
    return _Scene(car, view, size).outline


def fill(polygons, size):
    """The pixels whose centres lie inside any of the polygons (even-odd rule), exactly.

    `polygons` as from `outline`, `size` (width, height); returns bool (height, width). Pillow's
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
        return [tuple(point) for point in _project(np.array(points, float), size).tolist()]

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
    footprint = cars.body(scene.shape, cars.ring(scene.shape["square"], 60), 0.2)
    shadow = Image.new("L", scene.size)
    layers = [(footprint * [0.99, 1.03, 0], 110, 0.014), (footprint * [0.8, 0.9, 0], 215, 0.010)]
    turn = np.linspace(0, 2 * np.pi, 24)
    foot = np.stack([0.26 * np.cos(turn), 0.15 * np.sin(turn), 0 * turn], -1)  # under a tyre
    for x, y, _ in cars.hubs(scene.shape):
        layers += [(foot + np.array([x, side * (y - 0.11), 0]), 250, 0.003) for side in (1, -1)]
    for points, dark, blur in layers:
        layer = Image.new("L", scene.size)
        points = _project(points @ scene.axes, scene.size)
        ImageDraw.Draw(layer).polygon(points.ravel().tolist(), dark)
        shadow = ImageChops.lighter(shadow, layer.filter(ImageFilter.GaussianBlur(blur * unit)))
    return shadow


def render(car, view, size=(480, 320)):
    """One picture and its mask: uint8 (H, W, 3) RGB and uint8 (H, W) in {0, 1}.

    `view` is 1 to 16, 22.5 degrees apart, 1 from the front and 9 from the rear; `size` is (W, H).
    The picture is anti-aliased, the mask hard: `outline` at pixel centres, exactly.
    """
    return _picture(_Scene(car, view, size), car, view)


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


def parts(car, view, size=(480, 320)):
    """Which part of the car each pixel shows: uint8 (H, W), places in `PARTS`, and `VOID`.

    `car`, `view` and `size` as for `render`. What is nearer hides what is farther; what one sees
    through a window is window. Tyres and rims are wheel, head- and tail-lights light, and all else
    of the car is body. Hard and exact at pixel centres, except where `void_border` puts VOID: 1
    pixel on either side of a boundary at up to 720x480, more in larger frames. Without VOID,
    `parts > 0` is the mask of `render`.
    """
    return _part_map(_Scene(car, view, size))


def render_with_parts(car, view, size=(480, 320)):
    """The picture of `render` and the map of `parts`, in less time than both: two arrays."""
    scene = _Scene(car, view, size)
    return _picture(scene, car, view)[0], _part_map(scene)


def _part_map(scene):
    size = scene.size
    inside = fill(scene.outline, size)
    ids = inside.astype(np.uint8)  # body, where nothing else is painted
    for part, painted in itertools.groupby(scene.parts, lambda pair: pair[0]):
        polygons = [polygon for _, some in painted for polygon in some]
        if polygons:
            ids[fill(polygons, size) & inside] = PARTS.index(part)
    return void_border(ids, max(1, round(min(size[0], 1.5 * size[1]) / 480)))


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
