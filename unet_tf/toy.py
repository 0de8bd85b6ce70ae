"""Renders the embedded data: a car studio, in Carvana's own layout on disk.

A stand-in for photographs that need an account, and it says so: `rendered.json` lies in every
folder written here, and the studio's wall is lettered RENDERED. A car is a small 3D model, a pure
function of (seed, number), turned in 16 steps before a fixed camera. Its mask is exact: the pixels
whose centres lie inside the polygons that `outline` returns.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from tqdm import tqdm

RENDER_VERSION = 1  # part of the default folder's name: raise it when a picture changes
NOTE = "Rendered by unet_tf.toy, not photographed: a stand-in for Kaggle's Carvana images."
FILES = ("train_hq.zip", "train_masks.zip", "test_hq.zip", "train_masks.csv")
VIEWS = range(1, 17)
TEST = 10**6  # the number of the first test car: more training cars leave the test cars as they are
FINE = 3  # samples a pixel and direction; odd, so that the middle one is the pixel's centre

# The studio, in metres: X to the right, Y away from the camera, Z up, from the turntable's middle.
CAMERA, WALL, CEILING = np.array([0.0, -6.5, 1.95]), 4.2, 3.0
FOCAL, HORIZON = 0.945, 0.19  # of the frame's width, of its height: so cars fill 0.13 to 0.37 of it
LIGHT = np.array([-0.35, -0.45, 0.82])

# A car, in metres: x forward from its middle, y to its left, z up. `belt`, `nose` and `tail` are
# heights; `cabin` the x of the windscreen's foot and top, of the rear window's top and foot;
# `panes` where side windows part, from 0 (front) to 1; `square` how boxy it is seen from above.
BODIES = {
    "sedan": dict(length=4.80, width=1.83, height=1.46, belt=0.94, nose=0.70, tail=0.95, wheel=0.34,
                  base=2.78, cabin=(1.05, 0.25, -0.85, -1.70), panes=(0, 0.45, 1), square=4.6),
    "pickup": dict(length=5.70, width=2.00, height=1.90, belt=1.17, nose=1.02, tail=1.16,
                   wheel=0.41, base=3.50, cabin=(1.20, 0.65, -0.75, -0.95), panes=(0, 0.52, 1),
                   square=6.5),
    "van": dict(length=5.10, width=1.96, height=1.88, belt=1.08, nose=0.84, tail=1.10, wheel=0.35,
                base=3.10, cabin=(1.76, 0.82, -2.10, -2.40), panes=(0, 0.30, 0.64, 1), square=5.4),
    "suv": dict(length=4.70, width=1.88, height=1.70, belt=1.08, nose=0.86, tail=1.06, wheel=0.37,
                base=2.75, cabin=(1.02, 0.40, -1.75, -2.15), panes=(0, 0.36, 0.72, 1), square=5.2),
    "hatchback": dict(length=4.25, width=1.79, height=1.53, belt=0.98, nose=0.76, tail=0.98,
                      wheel=0.32, base=2.62, cabin=(1.10, 0.38, -1.45, -1.95), panes=(0, 0.52, 1),
                      square=4.4),
}  # fmt: skip
ORDER = ("sedan", "pickup", "van", "suv", "hatchback", "sedan", "suv", "sedan")  # car 0, 1, 2, ...
PAINTS = {  # red, green, blue, share of the cars
    "white": (238, 239, 238, 0.23), "silver": (176, 180, 184, 0.16), "grey": (100, 104, 108, 0.15),
    "black": (24, 25, 28, 0.18), "red": (158, 22, 28, 0.09), "blue": (34, 66, 138, 0.08),
    "green": (36, 84, 62, 0.03), "brown": (92, 68, 52, 0.03), "beige": (186, 172, 146, 0.03),
    "yellow": (222, 176, 30, 0.02),
}  # fmt: skip
RUBBER, TRIM, GLASS, CHROME = (24, 24, 26), (27, 28, 30), (36, 44, 48), (198, 201, 204)
# The lower body's length and width at a height from 0 to 1, as shares of the whole: polynomials.
LONG = np.polyfit([0, 0.15, 0.45, 0.8, 1], [0.962, 0.99, 1, 0.985, 0.95], 4)
WIDE = np.polyfit([0, 0.12, 0.35, 0.62, 0.88, 1], [0.93, 0.975, 0.992, 1, 0.965, 0.905], 4)


@dataclasses.dataclass(frozen=True, eq=False)
class Car:
    """One car: `id` (12 hex digits), `kind` (of `BODIES`), `colour` (of `PAINTS`), and its looks.

    `paint` is RGB in 0 to 255; `shape` the numbers of `BODIES`, varied, and the equipment; `light`
    the camera's gain for red, green and blue; `noise` seeds its grain.
    """

    id: str
    kind: str
    colour: str
    paint: np.ndarray
    shape: dict
    light: np.ndarray
    noise: int


@functools.cache
def make_car(seed, number):
    """The `Car` with this number (0 or more) in the studio with this seed (0 or more)."""
    rng = np.random.default_rng([seed, number])
    kind = ORDER[number % len(ORDER)]
    shape = {name: np.array(value, float) for name, value in BODIES[kind].items()}
    for name in ("length", "width", "height", "belt", "nose", "wheel", "square"):
        shape[name] = shape[name] * rng.uniform(0.96, 1.04)
    stretch = shape["length"] / BODIES[kind]["length"]
    shape["base"] = shape["base"] * stretch
    shape["cabin"] = shape["cabin"] * stretch + rng.uniform(-0.05, 0.05, 4)
    # The upper edge of the lower body: tail, boot, belt line, bonnet, nose; then rounded.
    half, belt, nose, tail = shape["length"] / 2, shape["belt"], shape["nose"], shape["tail"]
    x = [-half, 0.2 - half, shape["cabin"][3], shape["cabin"][0], half - 0.45, half]
    drop = 0 if kind == "pickup" else 0.05
    z = [tail - drop, tail, belt + 0.04, belt, 0.25 * nose + 0.75 * belt, nose]
    along = np.linspace(-half - 0.2, half + 0.2, 240)
    edge = np.convolve(np.pad(np.interp(along, x, z), 6, "edge"), np.full(13, 1 / 13), "valid")
    shape |= {
        "edge": (along, edge),
        "bed": kind == "pickup",
        "cargo": kind == "van" and rng.random() < 0.35,  # a van without rear side windows
        "rear_glass": 0.25 if rng.random() < 0.35 else 0.68,  # how clear it is
        "grille": CHROME if rng.random() < 0.5 else (70, 72, 74),
        "rim": CHROME if rng.random() < 0.8 else (62, 63, 66),
        "spokes": int(rng.integers(5, 11)),
        "antenna": (rng.uniform(0.4, 0.7), rng.random() < 0.5, rng.choice([-1, 1])),
    }
    colour = str(rng.choice(list(PAINTS), p=[paint[3] for paint in PAINTS.values()]))
    paint = np.array(PAINTS[colour][:3]) * rng.uniform(0.88, 1.05) + rng.uniform(-6, 6, 3)
    name = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:12]
    light = rng.uniform(0.96, 1.08) * rng.uniform(0.985, 1.015, 3)
    return Car(name, kind, colour, paint.clip(8, 244), shape, light, int(rng.integers(2**31)))


# --- the model: points (..., 3) in the car's frame ----------------------------------------------


def _power(value, exponent):
    return np.sign(value) * np.abs(value) ** exponent


def _angle(share, square):
    """Where on a superellipse x is this share of the half length: 0 front, pi/2 left, pi rear."""
    return np.arccos(np.clip(_power(np.asarray(share, float), square / 2), -1, 1))


def _heights(shape, x):
    """Of the lower body at x: its sill and its upper edge."""
    sill = 0.62 * shape["wheel"] + 0.09 * (2 * np.abs(x) / shape["length"]) ** 4
    return sill, np.interp(x, *shape["edge"])


def _body(shape, angle, v):
    """The lower body's skin at `angle` around it and `v` up it, 0 the sill to 1 the edge."""
    angle, v = np.broadcast_arrays(np.asarray(angle, float), v)
    power = 2 / shape["square"]
    x = np.polyval(LONG, v) * shape["length"] / 2 * _power(np.cos(angle), power)
    y = np.polyval(WIDE, v) * shape["width"] / 2 * _power(np.sin(angle), power)
    sill, edge = _heights(shape, x)
    return np.stack([x, y, sill + (edge - sill) * v], -1)


def _cabin_ends(shape, v):
    foot, front, rear, end = shape["cabin"]
    return foot + (front - foot) * v, end + (rear - end) * v


def _cabin(shape, angle, v):
    """The cabin's skin at `angle` around it and `v` up it, 0 the belt line to 1 the roof's edge."""
    angle, v = np.broadcast_arrays(np.asarray(angle, float), v)
    front, rear = _cabin_ends(shape, v)
    lean = (0.16 if shape["height"] < 1.6 else 0.11) * (v - 0.12 * np.sin(np.pi * v))
    x = (front + rear) / 2 + (front - rear) / 2 * _power(np.cos(angle), 2 / 7)
    y = shape["width"] / 2 * (0.91 - lean) * _power(np.sin(angle), 2 / 7)
    foot = np.interp(x.clip(*shape["cabin"][[3, 0]]), *shape["edge"]) - 0.02
    return np.stack([x, y, foot + (shape["height"] - 0.05 - foot) * v], -1)


def _ring(square, count):
    """Angles around a superellipse, evenly spaced along its edge: (count + 1,), closed."""
    angle = np.linspace(0, 2 * np.pi, 4001)
    x, y = 2.5 * _power(np.cos(angle), 2 / square), _power(np.sin(angle), 2 / square)
    along = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    return np.interp(np.linspace(0, along[-1], count + 1), along, angle)


def _loft(rings):
    """The faces between closed rings: (V, N, 3) -> ((V - 1) N, 4, 3), looking outward."""
    after = np.roll(rings, -1, axis=1)
    return np.stack([rings[:-1], after[:-1], after[1:], rings[1:]], 2).reshape(-1, 4, 3)


def _rounded(corners, radius):
    """A polygon with round corners and with points along its sides: (N, 2) -> (6 N, 2)."""
    corners = np.asarray(corners, float)
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    start, end = corners + radius * (before - corners), corners + radius * (after - corners)
    side = [end + (1 - 2 * radius) * (after - corners) * share for share in (0.25, 0.5, 0.75)]
    return np.stack([start, (start + 2 * corners + end) / 4, end, *side], 1).reshape(-1, 2)


def _block(middle, half):
    """A box with bevelled edges: 4 rings and its top."""
    ring = _rounded([(1, -1), (1, 1), (-1, 1), (-1, -1)], 0.15)
    levels = ((0.75, -1), (1, -0.6), (1, 0.6), (0.75, 1), (0, 1))
    rings = [np.c_[ring * share, np.full(len(ring), z)] for share, z in levels]
    return _loft(np.array(middle) + np.stack(rings) * half)


def _mirrored(faces):
    return faces[..., ::-1, :] * [1, -1, 1]


def _panes(shape):
    """The windows: [(outline (N, 3), its corners anticlockwise from outside, clearness), ...]."""
    panes = []
    for rear, low, clear in ((False, 0.06, 0.7), (True, 0.2, shape["rear_glass"])):
        y, v = _rounded([(-0.86, low), (0.86, low), (0.86, 0.95), (-0.86, 0.95)], 0.06).T
        angle = np.arcsin(_power(y, 7 / 2))
        pane = _cabin(shape, np.pi - angle if rear else angle, v)
        panes.append((pane[::-1] if rear else pane, clear))
    limits = shape["panes"][:2] if shape["cargo"] else shape["panes"]
    for start, stop in itertools.pairwise(limits):
        corners = []
        for at, v in ((start, 0.1), (stop, 0.1), (stop, 0.9), (start, 0.9)):
            # Outer edges follow the windscreen and the rear window, pillars between are upright.
            front, rear = _cabin_ends(shape, v if at in (0, 1) else 0.5)
            pillar = {0: -0.10, 1: 0.12}.get(float(at), 0.035 if at == stop else -0.035)
            corners.append((front + (rear - front) * at + pillar, v))
        x, v = _rounded(corners, 0.08).T
        front, rear = _cabin_ends(shape, v)
        pane = _cabin(shape, _angle((2 * x - front - rear) / (front - rear), 7), v)
        clear = 0.7 if start == 0 else shape["rear_glass"]
        panes += [(pane, clear), (_mirrored(pane), clear)]
    return panes


# --- the picture: faces in painter's order ------------------------------------------------------


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
        for build in (_behind, _bed, _lower_body, _far_shell, _seats, _near_shell, _before):
            self.layers.append(([], []))
            build(self)

    def add(self, faces, colour, gloss=0.0, solid=True, inside=False, clear=None, both=False):
        """Add faces (Q, N, 3) that look at the camera (`inside`: away from it), farthest first.

        `solid` ones count for the outline; those with a `clear`ness are windows; `both` sides.
        """
        faces = np.concatenate([faces, _mirrored(faces)]) if both else faces
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
                self.layers[-1][0].append((frame, TRIM))
                self.layers[-1][1].append((polygon, tuple(rgb), clear))
        if solid:
            self.outline.extend(polygons)

    def band(self, angle, low, high, colour, gloss=0.3, both=True):
        """Paint a strip of the lower body, along `angle` (N,), from `low` to `high` (0 to 1)."""
        lower, upper = _body(self.shape, angle, low), _body(self.shape, angle, high)
        faces = np.stack([lower[:-1], lower[1:], upper[1:], upper[:-1]], 1)
        self.add(faces, colour, gloss, solid=False, both=both)

    def in_front(self, x, side):
        """Does what sticks out of this side of the car at x lie before the car?"""
        camera = self.axes @ CAMERA
        return side * camera[1] > self.shape["width"] / 2 or camera[0] > x


def _lower_body(scene):
    shape, half = scene.shape, scene.shape["length"] / 2
    turn = np.arange(36) * np.pi / 18
    circle = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], -1) * shape["wheel"]
    hubs = []
    for x in (shape["base"] / 2 + 0.06, 0.06 - shape["base"] / 2):
        y = _body(shape, _angle(x / half, shape["square"]), 0.3)[1]
        hubs.append(np.array([x, y - 0.015, shape["wheel"]]))
        levels = ((0, 0.23), (1, 0.23), (1, 0.03), (0.93, 0), (0, 0))
        tyre = np.stack([hubs[-1] + circle * share - [0, inward, 0] for share, inward in levels])
        scene.add(_loft(tyre), RUBBER, both=True)
    angle = _ring(shape["square"], 80)[:-1]
    rings = [_body(shape, angle, v) for v in np.linspace(0, 1, 14)]
    edge = rings[-1]
    for share in (0.85, 0.5, 0):  # inward over bonnet and boot, which are crowned
        rise = (1 - abs(edge[:, :1]) / abs(edge[:, 0]).max()).clip(0, 0.2)  # none at the ends
        rings.append(edge * [1, share, 1] + 0.22 * (1 - share**2) * rise * [0, 0, 1])
    scene.add(_loft(np.stack(rings)), scene.paint, gloss=1)
    _details(scene, hubs)
    gap = 0.6 * np.pi / shape["spokes"]
    turn = np.array([-0.5, -1, -0.5, 0, 0.5, 1, 0.5, 0]) * gap
    turn = turn + 2 * np.pi * np.arange(shape["spokes"])[:, None] / shape["spokes"]
    reach = np.array([0.24, 0.6, 0.6, 0.6, 0.6, 0.6, 0.24, 0.24]) * shape["wheel"]
    gaps = np.stack([-np.cos(turn) * reach, 0 * turn, np.sin(turn) * reach], -1)
    for hub in hubs:
        for share, colour in ((1, RUBBER), (0.71, TRIM), (0.67, shape["rim"])):
            scene.add(hub + share * circle[None], colour, solid=False, both=True)
        scene.add(hub + gaps, (34, 34, 36), solid=False, both=True)
    if shape["bed"]:
        scene.add(_bed_rim(shape)[None], TRIM, solid=False, clear=1)


def _details(scene, hubs):
    """Lights, grille, plates, doors, handles, wheel arches: painted on the lower body."""
    shape, paint = scene.shape, scene.paint
    half, square = shape["length"] / 2, shape["square"]

    def front(*y):  # angles from shares of the half width
        return np.arcsin(_power(np.linspace(*y, 9), square / 2))

    def rear(*y):
        return np.pi - front(*y)

    def side(*x):  # angles from metres
        return _angle(np.linspace(*x, 9) / half, square)

    seam = 0.35 * paint
    headlight = np.linspace(front(0.6, 1)[0], side(half - 0.42, 0)[0], 9)
    taillight = np.linspace(side(0.3 - half, 0)[0], rear(0.62, 1)[0], 9)
    for angle, low, high, colour in (
        (_ring(square, 88), 0, 0.07, TRIM),
        (front(-0.52, 0.52), 0.50, 0.80, TRIM),
        *((front(-0.5, 0.5), low, low + 0.03, shape["grille"]) for low in (0.55, 0.63, 0.71)),
        (front(-0.62, 0.62), 0.10, 0.30, TRIM),
        (front(-0.9, 0.9), 0.90, 0.915, seam),
        (rear(0.62, -0.62), 0.07, 0.16, TRIM),
        (rear(0.86, -0.86), 0.36, 0.375, seam),
        *((at(-y, y), 0.33 + z, 0.47 - z, rgb)
          for y, z, rgb in ((0.16, 0, TRIM), (0.148, 0.012, (226, 226, 220)))
          for at in (front, lambda a, b: rear(b, a))),
    ):  # fmt: skip
        scene.band(angle, low, high, colour, both=False)
    for angle, low, high, colour in (
        (headlight, 0.58, 0.86, TRIM),
        (headlight[:-1], 0.61, 0.83, (222, 228, 232)),
        (headlight[1:4], 0.66, 0.78, (120, 126, 132)),
        (front(0.7, 0.84), 0.13, 0.26, (214, 216, 214)),
        (taillight, 0.56, 0.90, (156, 12, 16)),
        (taillight[4:8], 0.62, 0.70, (228, 196, 186)),
        (side(half - 0.7, 0.5 - half), 0.66, 0.675, 0.75 * paint),
        (side(hubs[0][0] - 0.45, hubs[1][0] + 0.45), 0.07, 0.12, 0.5 * paint),
    ):
        scene.band(angle, low, high, colour)
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
            sill, edge = _heights(shape, x)
            v = (hub[2] + radius * shape["wheel"] * np.sin(turn) - sill) / (edge - sill)
            arch = _body(shape, _angle(x / half, square), v.clip(0, 1))
            scene.add(arch[None], colour, solid=False, both=True)


def _bed_rim(shape):
    """Around the opening of a pickup's bed, (N, 3)."""
    front, tail = shape["cabin"][3] - 0.12, 0.14 - shape["length"] / 2
    x, y = _rounded([(tail, -1), (front, -1), (front, 1), (tail, 1)], 0.04).T
    return np.stack([x, 0.4 * shape["width"] * y, np.interp(x, *shape["edge"]) + 0.01], -1)


def _bed(scene):
    if scene.shape["bed"]:
        rim = _bed_rim(scene.shape)
        scene.add(rim[None] - [0, 0, 0.5], (40, 40, 42), solid=False)
        walls = _loft(np.stack([rim - [0, 0, 0.5], rim]))
        scene.add(walls, 0.5 * scene.paint, solid=False, inside=True)


def _cabin_rings(shape):
    angle = _ring(7, 52)[:-1]
    rings = [_cabin(shape, angle, v) for v in (0, 0.2, 0.4, 0.6, 0.8, 0.94, 1)]
    middle = np.array([shape["cabin"][1:3].mean(), 0, shape["height"]])
    for share, sunk in ((0.97, 0.65), (0.88, 0.35), (0.6, 0.1), (0, 0)):  # inward over the roof
        rings.append(middle + (rings[6] - middle) * [share, share, sunk])
    return np.stack(rings)


def _far_shell(scene):
    rings = _cabin_rings(scene.shape)
    scene.add(rings[:1], (56, 55, 54), solid=False)
    scene.add(_loft(rings), 0.25 * scene.paint + 60, solid=False, inside=True)
    for pane, clear in _panes(scene.shape):
        scene.add(pane[None], GLASS, solid=False, inside=True, clear=min(1, clear + 0.2))


def _seats(scene):
    _, front, rear, _ = scene.shape["cabin"]
    for x in (front - 1.4, front - 0.45):
        for y in (-0.38, 0.38):
            if x > rear - 0.1:
                back = _block((x, y, scene.shape["belt"] + 0.11), (0.07, 0.22, 0.09))
                head = _block((x - 0.04, y, scene.shape["belt"] + 0.28), (0.05, 0.12, 0.08))
                scene.add(np.concatenate([back, head]), (54, 53, 52), solid=False)


def _near_shell(scene):
    scene.add(_loft(_cabin_rings(scene.shape)), scene.paint, gloss=1)
    for pane, clear in _panes(scene.shape):
        scene.add(pane[None], GLASS, gloss=1.3, solid=False, clear=clear)


def _behind(scene, front=False):
    """Mirrors and antenna: those that the body may hide come first, the others (`front`) last."""
    shape = scene.shape
    foot, _, rear, _ = shape["cabin"]
    for side in (1, -1):
        if scene.in_front(foot - 0.35, side) == front:
            y = side * (shape["width"] / 2 + 0.05)
            middle = np.array([foot - 0.35, y, shape["belt"] + 0.07])
            scene.add(_block(middle, (0.07, 0.14, 0.09)), scene.paint, gloss=1)
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
        scene.add(_loft(np.stack([rod + at, rod + tip, 0 * rod + tip])), TRIM)


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
    footprint = _body(scene.shape, _ring(scene.shape["square"], 60), 0.2) * [1, 1, 0]
    shadow = Image.new("L", scene.size)
    for scale, dark, blur in ((1.03, 120, 0.014), (0.9, 225, 0.008)):
        layer = Image.new("L", scene.size)
        points = _project(footprint * scale @ scene.axes, scene.size)
        ImageDraw.Draw(layer).polygon(points.ravel().tolist(), dark)
        shadow = ImageChops.lighter(shadow, layer.filter(ImageFilter.GaussianBlur(blur * unit)))
    return shadow


def render(car, view, size=(480, 320)):
    """One picture and its mask: uint8 (H, W, 3) RGB and uint8 (H, W) in {0, 1}.

    `view` is 1 to 16, 22.5 degrees apart, 1 from the front and 9 from the rear; `size` is (W, H).
    The picture is anti-aliased, the mask hard: `outline` at pixel centres, exactly.
    """
    scene = _Scene(car, view, size)
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


# --- the files ----------------------------------------------------------------------------------


def run_lengths(mask):
    """Carvana's encoding of a mask (H, W), any number but 0 is car: "start length start length".

    Pixels count from 1, row by row. An empty mask gives an empty string.
    """
    flat = np.concatenate([[False], np.asarray(mask).ravel() != 0, [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges[1::2] -= edges[::2]
    return " ".join(map(str, edges.tolist()))


def default_folder(cars=40, test_cars=4, size=(480, 320), seed=0):
    """Where `write` puts a data set unless told: a folder of the user's cache, by its settings."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = f"rendered-{cars}-{test_cars}-{size[0]}x{size[1]}-seed{seed}-v{RENDER_VERSION}"
    return cache / "unet_tf" / name


def is_rendered(folder):
    """Was this folder written by `write`? Then every output made from it must say *rendered*."""
    return "rendered" in _marker(Path(folder))


def _marker(folder):
    try:
        marker = json.loads((folder / "rendered.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}


def write(folder=None, cars=40, test_cars=4, size=(480, 320), seed=0, progress=True):
    """Render a data set as Kaggle's Carvana files, once; it is found again the next time.

    Parameters
    ----------
    folder : path, optional
        Missing, empty, or holding this very data set. Default: `default_folder`.
    cars, test_cars : int
        Cars with masks (1 or more) and without (0 or more), 16 views each.
    size : (int, int)
        Width and height in pixels, 16 or more; Carvana's is (1918, 1280).
    seed : int
        The studio, 0 or more. The same settings and library versions give the same bytes.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    pathlib.Path
        The folder: train_hq.zip, train_masks.zip, test_hq.zip, train_masks.csv, and rendered.json
        with the settings and a sentence that these are no photographs.

    Raises
    ------
    ValueError
        A setting is out of range, or the folder holds something else, which is left as it is.
    """
    cars, test_cars, seed, size = int(cars), int(test_cars), int(seed), tuple(map(int, size))
    if cars < 1 or test_cars < 0 or seed < 0 or len(size) != 2 or min(size) < 16:
        raise ValueError(
            f"cars={cars}, test_cars={test_cars}, size={size}, seed={seed}: expected 1 car or "
            "more, 0 test cars or more, width and height of 16 or more, a seed of 0 or more"
        )
    settings = {"rendered": NOTE, "cars": cars, "test_cars": test_cars, "size": list(size)}
    settings |= {"seed": seed, "render_version": RENDER_VERSION}
    folder = Path(folder or default_folder(cars, test_cars, size, seed)).expanduser().absolute()

    def complete():
        return _marker(folder) == settings and all((folder / name).is_file() for name in FILES)

    if complete():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder}: found files other than the rendered data set with {settings}; expected no "
            "folder or an empty one. Choose another folder, or remove this one."
        )
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    part.mkdir(parents=True)
    try:
        _render_all(part, [*range(cars), *range(TEST, TEST + test_cars)], size, seed, progress)
        for name in FILES[:3]:
            _zip(part / name)
        texts = sorted(part.glob("*.rows"))
        rows = "".join(text.read_text(encoding="utf-8") for text in texts)
        (part / FILES[3]).write_text(f"img,rle_mask\n{rows}", encoding="utf-8", newline="\n")
        for text in texts:
            text.unlink()
        (part / "rendered.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()  # empty when we came; fails if another process has filled it
        part.rename(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if not (isinstance(error, OSError) and complete()):  # else another process was faster
            raise
    return folder


def _render_all(part, numbers, size, seed, progress):
    """Render in several new processes, which import neither TensorFlow nor the caller's script."""
    for name in FILES[:3]:
        (part / name).with_suffix("").mkdir()
    groups = [numbers[start : start + 2] for start in range(0, len(numbers), 2)]
    workers = min(os.cpu_count() or 1, 8, len(groups))

    def work(group):
        command = [sys.executable, "-P", __file__, json.dumps([str(part), group, size, seed])]
        try:
            if workers < 2:
                raise OSError("too little work for a second process")
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, TypeError, subprocess.CalledProcessError):  # then in this process
            _render_cars(part, group, size, seed)
        return len(VIEWS) * len(group)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        total = len(VIEWS) * len(numbers)
        with tqdm(total=total, desc="rendering", unit=" images", disable=not progress) as bar:
            for count in pool.map(work, groups):
                bar.update(count)


def _render_cars(part, numbers, size, seed):
    part, size = Path(part), tuple(size)
    for number in numbers:
        car, rows, test = make_car(seed, number), [], number >= TEST
        for view in VIEWS:
            image, mask = render(car, view, size)
            name = f"{car.id}_{view:02d}"
            photographs = part / ("test_hq" if test else "train_hq")
            Image.fromarray(image).save(photographs / f"{name}.jpg", quality=88)
            if not test:
                palette = Image.fromarray(mask).convert("P")
                palette.putpalette([0, 0, 0, 255, 255, 255])
                palette.save(part / "train_masks" / f"{name}_mask.gif")
                rows.append(f"{name}.jpg,{run_lengths(mask)}\n")
        if rows:
            (part / f"{car.id}.rows").write_text("".join(rows), encoding="utf-8", newline="\n")


def _zip(target):
    """Pack the folder beside `target` into it, and remove the folder; always the same bytes."""
    folder = target.with_suffix("")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            member = zipfile.ZipInfo(f"{folder.name}/{path.name}")  # dated 1980
            member.create_system, member.external_attr = 3, 0o644 << 16
            archive.writestr(member, path.read_bytes())
    shutil.rmtree(folder)


if __name__ == "__main__":  # one of the processes of `_render_all`
    _render_cars(*json.loads(sys.argv[1]))
