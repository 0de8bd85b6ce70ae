"""The drawing board of `town`: roofs, cars and trees, seen from straight above, under one sun.

Lengths are metres, and a metre is a pixel. Nothing here knows streets or lots: a thing is drawn at
a place (angle, at), whose local x runs along the street and local y away from it.
"""

import math

import numpy as np
from PIL import Image, ImageDraw

from unet_tf.rendered.car_pictures import fill

FINE = 3  # samples a pixel and direction
MARGIN = 60  # of town around the picture, since shadows and roofs reach into it
BEND, WAVE = (8, 22), (380, 700)  # how far roads stray from straight lines, and in what length
CAR = (1.9, 4.6)
STOREYS = 4.5  # how high a roof lies, for the shadows that trees cast on it
# Colours: red, green, blue, and roughness, which is how much of the texture a material takes.
GLOOM = (0.49, 0.52, 0.60, 1)  # what a shadow leaves of them
TREES = ((58, 76, 44), (70, 88, 52), (48, 64, 42), (88, 92, 58), (104, 94, 76))
CARS = ((225, 225, 224), (172, 174, 176), (50, 51, 54), (96, 98, 101), (138, 48, 44), (58, 76, 112),
        (176, 164, 140))  # fmt: skip


def rectangle(x0, y0, x1, y1):
    """The corners of a rectangle."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)


def turned(points, angle, at):
    """Points (..., 2) turned by an angle and moved."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.asarray(points) @ np.array(((cos, sin), (-sin, cos))) + at


def _rgb(colour):
    return tuple(min(255, max(0, int(value))) for value in colour)


class Board:
    """A picture in the making: the ground, shadows on it, then roofs, then trees."""

    def __init__(self, rng, size, lawn):
        self.rng, self.size, fine = rng, np.array(size), (size[0] * FINE, size[1] * FINE)
        self.ground = Image.new("RGBX", fine, lawn)  # the fourth band holds the roughness
        self.shade, self.above = Image.new("L", fine), Image.new("L", fine)  # shadows: below, above
        self.draw, self.draw_shade = ImageDraw.Draw(self.ground), ImageDraw.Draw(self.shade)
        self.footprints, self.faces, self.trees = [], [], []  # polygons; with colours; x, y, sprite
        self.taken = np.zeros((size[1] + 2 * MARGIN, size[0] + 2 * MARGIN), bool)  # square metres
        south, height = rng.uniform(-1.1, 1.1), np.radians(rng.uniform(36, 52))
        sun = np.array([np.sin(south), np.cos(south)])
        self.cast = -sun / np.tan(height)  # the shadow of a metre of height, on the ground
        self.light = np.array([*(sun * np.cos(height)), np.sin(height)])
        self.angle, self.phases = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi, 2)
        self.bend, self.wave = rng.uniform(*BEND, 2), 2 * np.pi / rng.uniform(*WAVE, 2)
        season = rng.normal(1, 0.06, 3)
        self.sprites = [self._sprite(radius, season) for radius in np.linspace(1.4, 5.4, 18)]

    def pick(self, choices):
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share):
        return self.rng.random() < share

    def tone(self, colour, spread=0.05):
        """A colour a little off; its roughness stays."""
        rgb = np.array(colour[:3]) * self.rng.normal(1, spread) + self.rng.normal(0, 3, 3)
        return (*_rgb(rgb), *colour[3:])

    def plan(self, points):
        """The town's plan, in which main roads are straight -> pixels."""
        points = np.asarray(points, float)
        waves = self.bend * np.sin(points[:, ::-1] * self.wave + self.phases)
        return turned(points + waves, self.angle, self.size / 2)

    def paint(self, points, colour, draw=None):
        (draw or self.draw).polygon((points * FINE - 0.5).ravel().tolist(), colour)

    def patch(self, place, box, colour):
        self.paint(turned(rectangle(*box), *place), colour)

    def line(self, points, colour, width):
        self.draw.line((points * FINE - 0.5).ravel().tolist(), colour, max(1, round(width * FINE)))

    def frame(self, place, box, colour):
        self.line(turned(rectangle(*box)[[0, 1, 2, 3, 0]], *place), colour, 0.4)

    def near(self, points, margin):
        """Which of the points (..., 2) lie in the picture, or that near to it?"""
        return (abs(points - self.size / 2) < self.size / 2 + margin).all(-1)

    def cells(self, place, box):
        """The square metres under a box, as indices into `taken`."""
        x0, y0, x1, y1 = box  # steps below 0.707, so that no square inside is missed
        x, y = np.meshgrid(np.arange(x0, x1 + 0.6, 0.7), np.arange(y0, y1 + 0.6, 0.7))
        column, row = turned(np.stack([x, y], -1), *place).astype(int).T + MARGIN
        height, width = self.taken.shape
        return row.clip(0, height - 1), column.clip(0, width - 1)

    def take(self, place, box):
        """Is nothing built here? Then something is now."""
        cells = self.cells(place, box)
        free = not self.taken[cells].any()
        self.taken[cells] = True
        return free

    def wing(self, place, box, colour, wall, pitch=0.6, ends=(0, 0), across=False):
        """A part of a building under one roof: flat where `pitch` is 0.

        The ridge runs along x, or y if `across`; at each end stands a gable (0), a hip (1), or it
        runs into a higher roof of the same pitch (-1).
        """
        x0, y0, x1, y1 = box
        middle, (long, half) = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
        angle = 0.0
        if across:
            long, half, angle = half, long, np.pi / 2
        first, last = (min(end * half, long) for end in ends)
        corners = np.array([*((x, y, wall) for x, y in rectangle(-long, -half, long, half)),
                            (first - long, 0, wall + half * pitch),
                            (long - last, 0, wall + half * pitch)])  # fmt: skip
        corners[:, :2] = turned(turned(corners[:, :2], angle, middle), *place)
        angle += place[0]
        self.footprints.append(corners[:4, :2])
        slope = np.hypot(1, pitch)
        sides = ((0, 1, 5, 4), (1, 2, 5), (2, 3, 4, 5), (3, 0, 4)) if pitch else ((0, 1, 2, 3),)
        for turn, side in enumerate(sides):
            face, facing = corners[list(side)], angle + (turn - 1) * np.pi / 2
            normal = np.array([np.cos(facing) * pitch, np.sin(facing) * pitch, 1]) / slope
            self.paint(face[:, :2] + face[:, 2:] * self.cast, 255, self.draw_shade)
            if len(side) == 4 or (first, last)[turn // 2 - 1] > 0:
                self.faces.append((face[:, :2], self.lit(colour, normal)))
        for start, end in ((0, 1), (1, 2), (2, 3), (3, 0)):  # the walls' shadows
            foot, top = corners[[start, end], :2], corners[[end, start]]
            top = top[:, :2] + top[:, 2:] * self.cast
            self.paint(np.concatenate([foot, top]), 255, self.draw_shade)

    def lit(self, colour, normal=(0, 0, 1)):
        light = 0.52 + 0.62 * max(0, float(np.dot(normal, self.light)))
        return (*_rgb(np.array(colour[:3]) * light), 26)

    def on_roof(self, place, box, colour, height=0.0):
        """Something on a roof, with its shadow."""
        corners = turned(rectangle(*box), *place)
        for share in (0.5, 1) if height else ():
            self.faces.append((corners + share * height * self.cast, (58, 58, 62, 0)))
        self.faces.append((corners, (*colour[:3], 8)))

    def car(self, place, x, y, along=False):
        """A car with its shadow: body, glass, roof."""
        wide, deep = CAR[::-1] if along else CAR
        inset = np.array((1, 0.2) if along else (0.2, 1))
        colour = np.array(self.tone(self.pick(CARS)))
        low, high = np.array([(x, y), (x + wide, y + deep)])
        body, glass, roof = turned(
            [rectangle(*(low + share * inset), *(high - share * inset)) for share in (0, 1, 1.5)],
            *place,
        )
        self.paint(body + 0.9 * self.cast, (56, 57, 60, 0))
        for part, shine in ((body, 1), (glass, 0.4), (roof, 1.06)):
            self.paint(part, (*_rgb(shine * colour), 0))

    def tree(self, points, size=None):
        """Trees (..., 2), where nothing is built; a crown may hang over what is."""
        points = np.reshape(points, (-1, 2))
        points = points[self.near(points, 25)]
        column, row = (points.T + MARGIN).astype(int)
        for x, y in points[~self.taken[row, column]].tolist():
            kind = self.rng.integers(len(self.sprites)) if size is None else size
            self.trees.append((x, y, int(kind)))

    def _sprite(self, radius, season):
        """A crown of domes in the sun's light: picture, outline, radius, height above ground."""
        rng, reach = self.rng, int(np.ceil(radius * FINE * 1.2))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1] / FINE
        height, slope = np.full(x.shape, -9.0), np.zeros((2, *x.shape))
        for _ in range(int(6 + 4 * radius)):
            far, turn = radius * 0.72 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            dx, dy = x - far * np.cos(turn), y - far * np.sin(turn)
            dome = rng.uniform(0.26, 0.44) * radius
            inside = dome**2 - dx**2 - dy**2
            top = np.sqrt(inside.clip(0)) + 0.9 * np.sqrt(radius**2 - far**2)
            higher = (inside > 0) & (top > height)
            height[higher] = top[higher]
            slope[:, higher] = np.stack([dx, dy])[:, higher] / dome
        light = 0.62 + 0.45 * (slope * self.light[:2, None, None]).sum(0)
        light += 0.14 * (height / radius).clip(0)
        rgb = np.array(self.tone(self.pick(TREES), 0.1)) * season
        picture = np.full((*x.shape, 4), 40.0)
        picture[..., :3] = light[..., None] * rgb
        picture, outline = picture.clip(0, 255).astype(np.uint8), (height > 0).astype(np.uint8)
        picture = Image.frombytes("RGBX", x.shape, picture.tobytes())
        return picture, Image.fromarray(255 * outline), radius, 3 + 1.3 * radius

    def picture(self):
        """The picture so far, in mode RGBX."""
        draw_above = ImageDraw.Draw(self.above)
        for x, y, kind in self.trees:
            _, outline, radius, height = self.sprites[kind]
            _stamp(self.shade, 255, outline, (x, y) + 0.9 * height * self.cast)
            left, top = FINE * ((x, y) + (height - STOREYS) * self.cast - radius)
            draw_above.ellipse((left, top, left + 2 * FINE * radius, top + 2 * FINE * radius), 255)
        picture = _shaded(self.ground, self.shade)
        roofs = Image.new("L", picture.size)
        draw, draw_roofs = ImageDraw.Draw(picture), ImageDraw.Draw(roofs)
        for points, colour in self.faces:
            self.paint(points, colour, draw)
        for points in self.footprints:
            self.paint(points, 255, draw_roofs)
        picture.paste(_shaded(picture, self.above), mask=roofs)
        for x, y, kind in self.trees:
            _stamp(picture, *self.sprites[kind][:2], (x, y))
        return picture.reduce(FINE)

    def mask(self):
        """The pixels whose centres lie in a footprint: bool (H, W)."""
        width, height = size = tuple(self.size.tolist())
        return fill(self.footprints, size) if self.footprints else np.zeros((height, width), bool)


def _shaded(image, shade):
    dark = image.point((np.arange(256) * np.array(GLOOM)[:, None]).astype(int).ravel().tolist())
    return Image.composite(dark, image, shade)


def _stamp(target, what, outline, at):
    corner = round(at[0] * FINE - outline.width / 2), round(at[1] * FINE - outline.height / 2)
    target.paste(what, corner, outline)
