"""Renders the embedded data: a car studio, in Carvana's own layout on disk.

A stand-in for photographs that need an account, never a replacement: every folder written here
holds a `rendered.json` that says so, and the lettering on the studio's wall says it too. A car is
a small 3D model, a pure function of (seed, index), turned in 16 steps before a fixed camera. Its
mask is exact: the pixels whose centres lie inside the projected polygons that `outline` returns.
"""

import dataclasses
import functools
import hashlib
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

RENDER_VERSION = 1  # part of the default folder's name: a change of looks is a new data set
NOTE = "Rendered by unet_tf.toy, not photographed: a stand-in for Kaggle's Carvana images."
FILES = ("train_hq.zip", "train_masks.zip", "test_hq.zip", "train_masks.csv")
VIEWS = range(1, 17)
TEST = 10**6  # the number of the first test car
FINE = 3  # image samples a pixel and direction; odd, so that the middle one is the pixel's centre

# Metres, in the studio: X to the right, Y away from the camera, Z up; the turntable is the origin.
CAMERA = np.array([0.0, -7.0, 1.95])
FOCAL, HORIZON = 1.02, 0.2  # of the frame's width, of its height: the car fills what it does there
WALL, CEILING = 4.2, 3.3
LIGHT = np.array([-0.35, -0.45, 0.82])

# Metres, in the car: x forward from its middle, y to its left, z up. `cabin`: the windscreen's
# foot and top, the rear window's top and foot. `panes`: where the side windows part, 0 front to 1.
BODIES = {
    "sedan": dict(length=4.75, width=1.82, height=1.45, belt=0.94, nose=0.70, tail=0.95, wheel=0.33,
                  base=2.75, cabin=(1.05, 0.25, -0.85, -1.68), panes=(0, 0.45, 1), square=4.6),
    "suv": dict(length=4.65, width=1.87, height=1.70, belt=1.08, nose=0.86, tail=1.06, wheel=0.37,
                base=2.72, cabin=(1.02, 0.40, -1.75, -2.15), panes=(0, 0.36, 0.72, 1), square=5.2),
    "hatchback": dict(length=4.05, width=1.75, height=1.50, belt=0.96, nose=0.74, tail=0.96,
                      wheel=0.31, base=2.52, cabin=(1.05, 0.35, -1.40, -1.88), panes=(0, 0.52, 1),
                      square=4.4),
    "pickup": dict(length=5.40, width=1.92, height=1.80, belt=1.13, nose=0.96, tail=1.12,
                   wheel=0.39, base=3.35, cabin=(1.12, 0.58, -0.62, -0.82), panes=(0, 0.52, 1),
                   square=6.5),
    "van": dict(length=4.95, width=1.92, height=1.83, belt=1.06, nose=0.82, tail=1.08, wheel=0.34,
                base=3.02, cabin=(1.72, 0.80, -2.05, -2.36), panes=(0, 0.30, 0.64, 1), square=5.4),
}  # fmt: skip
ORDER = ("sedan", "pickup", "van", "suv", "hatchback", "sedan", "suv", "sedan")  # of the cars
PAINTS = {  # name: (red, green, blue, share of the cars)
    "white": (236, 237, 236, 0.23), "silver": (176, 180, 184, 0.16), "grey": (100, 104, 108, 0.15),
    "black": (24, 25, 28, 0.18), "red": (158, 22, 28, 0.09), "blue": (34, 66, 138, 0.08),
    "green": (36, 84, 62, 0.03), "brown": (92, 68, 52, 0.03), "beige": (186, 172, 146, 0.03),
    "yellow": (222, 176, 30, 0.02),
}  # fmt: skip
# The lower body's length and width, as shares of the largest, by height: smooth through 6 points.
_share = np.linspace(0, 1, 41)
BULGE = (
    _share,
    np.polyval(np.polyfit([0, 0.15, 0.45, 0.8, 1], [0.962, 0.99, 1, 0.985, 0.95], 4), _share),
    np.polyval(
        np.polyfit([0, 0.12, 0.35, 0.62, 0.88, 1], [0.93, 0.975, 0.992, 1, 0.965, 0.905], 4), _share
    ),
)
RUBBER, TRIM, GLASS, CHROME = (24, 24, 26), (26, 27, 29), (34, 42, 46), (196, 199, 202)


@dataclasses.dataclass(frozen=True, eq=False)
class Car:
    """One car: `id` (12 hex digits), `kind` (of `BODIES`), `colour` (of `PAINTS`), and its looks.

    `paint` is RGB in 0 to 255; `shape` the numbers of `BODIES`, varied, in metres; `light` the
    camera's gain for red, green and blue in this car's session.
    """

    id: str
    kind: str
    colour: str
    paint: tuple
    shape: dict
    light: tuple
    noise: int


@functools.cache
def car(seed, index):
    """The `Car` number `index` (0 or more) of the studio `seed` (0 or more)."""
    rng = np.random.default_rng([seed, index])
    kind = ORDER[index % len(ORDER)]
    shape = dict(BODIES[kind])
    for name in ("length", "width", "height", "belt", "nose", "wheel"):
        shape[name] *= rng.uniform(0.96, 1.04)
    stretch = shape["length"] / BODIES[kind]["length"]
    shape["base"] *= stretch
    shape["cabin"] = np.array(shape["cabin"]) * stretch + rng.uniform(-0.05, 0.05, 4)
    shape["square"] *= rng.uniform(0.9, 1.15)
    half, (foot, _, _, rear) = shape["length"] / 2, shape["cabin"]
    # The upper edge of the lower body: bonnet, belt line, boot; rounded by a moving average.
    hood = shape["nose"] + 0.75 * (shape["belt"] - shape["nose"])
    points = [(-half, shape["tail"] - (0 if kind == "pickup" else 0.05)), (-half + 0.2, shape["tail"]),
              (rear, shape["belt"] + 0.04), (foot, shape["belt"]), (half - 0.45, hood),
              (half, shape["nose"])]  # fmt: skip
    x = np.linspace(-half - 0.2, half + 0.2, 240)
    z = np.interp(x, *np.array(points).T)
    shape["edge"] = x, np.convolve(np.pad(z, 6, "edge"), np.full(13, 1 / 13), "valid")
    shape["spokes"], shape["rim"] = int(rng.integers(5, 11)), CHROME if rng.random() < 0.8 else TRIM
    shape["chrome"], shape["bed"] = rng.random() < 0.5, kind == "pickup"
    shape["cargo"] = kind == "van" and rng.random() < 0.35
    shape["privacy"] = rng.random() < 0.35
    shape["mast"] = rng.uniform(0.45, 0.75), rng.random() < 0.5, rng.choice([-1, 1])
    colour = str(rng.choice(list(PAINTS), p=[paint[3] for paint in PAINTS.values()]))
    paint = np.array(PAINTS[colour][:3]) * rng.uniform(0.88, 1.06) + rng.uniform(-6, 6, 3)
    return Car(
        id=hashlib.sha256(f"{seed} {index}".encode()).hexdigest()[:12],
        kind=kind,
        colour=colour,
        paint=tuple(np.clip(paint, 8, 244)),
        shape=shape,
        light=tuple(rng.uniform(0.93, 1.05) * rng.uniform(0.98, 1.02, 3)),
        noise=int(rng.integers(2**31)),
    )


# --- the model: points in the car's frame -------------------------------------------------------


def _power(value, exponent):
    return np.sign(value) * np.abs(value) ** exponent


def _angle(fraction, square):
    """Where on a superellipse its x is `fraction` of the half length (radians from the front)."""
    return np.arccos(np.clip(_power(np.asarray(fraction, float), square / 2), -1, 1))


def _body(shape, angle, v):
    """The lower body's skin: around at `angle` (0 front, pi/2 left), up at `v` (0 sill to 1)."""
    angle, v = np.broadcast_arrays(np.asarray(angle, float), v)
    long, wide = np.interp(v, *BULGE[:2]), np.interp(v, *BULGE[::2])
    x = long * shape["length"] / 2 * _power(np.cos(angle), 2 / shape["square"])
    y = wide * shape["width"] / 2 * _power(np.sin(angle), 2 / shape["square"])
    sill, top = _heights(shape, x)
    return np.stack([x, y, sill + (top - sill) * v], -1)


def _heights(shape, x):
    sill = 0.62 * shape["wheel"] + 0.09 * (2 * np.abs(x) / shape["length"]) ** 4
    return sill, np.interp(x, *shape["edge"])


def _cabin(shape, angle, v):
    """The skin of roof and windows: `v` is 0 at the belt line, 1 at the roof's edge."""
    angle, v = np.broadcast_arrays(np.asarray(angle, float), v)
    front, rear, wide = _cabin_lines(shape, v)
    x = (front + rear) / 2 + (front - rear) / 2 * _power(np.cos(angle), 2 / 7)
    y = wide * _power(np.sin(angle), 2 / 7)
    foot = _heights(shape, np.clip(x, shape["cabin"][3], shape["cabin"][0]))[1] - 0.02
    return np.stack([x, y, foot + (shape["height"] - 0.05 - foot) * v], -1)


def _cabin_lines(shape, v):
    foot, front, rear, end = shape["cabin"]
    bulge = v - 0.12 * np.sin(np.pi * v)
    wide = shape["width"] / 2 * (0.91 - (0.16 if shape["height"] < 1.6 else 0.11) * bulge)
    return foot + (front - foot) * v, end + (rear - end) * v, wide


def _loft(rings):
    """Four-cornered faces between closed rings: (V, N, 3) -> ((V - 1) N, 4, 3), facing outward."""
    after = np.roll(rings, -1, axis=1)
    return np.stack([rings[:-1], after[:-1], after[1:], rings[1:]], 2).reshape(-1, 4, 3)


def _ring(square, count):
    """Angles around a superellipse, evenly spaced along its edge."""
    angle = np.linspace(0, 2 * np.pi, 4001)
    edge = np.stack([2.5 * _power(np.cos(angle), 2 / square), _power(np.sin(angle), 2 / square)])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(edge)))])
    return np.interp(np.arange(count) / count * along[-1], along, angle)


def _rounded(corners, radius=0.12):
    """A polygon with its corners cut round: (N, 2) -> (7 N, 2)."""
    corners = np.asarray(corners, float)
    points = []
    for before, corner, after in zip(np.roll(corners, 1, 0), corners, np.roll(corners, -1, 0)):
        start, end = corner + radius * (before - corner), corner + radius * (after - corner)
        points += [start, (start + 2 * corner + end) / 4, end]
        points += [
            end + (after + radius * (corner - after) - end) * t for t in (0.2, 0.4, 0.6, 0.8)
        ]
    return np.array(points)


def _mirrored(faces):
    return faces[..., ::-1, :] * [1, -1, 1]


# --- the picture: faces in painter's order ------------------------------------------------------


def _turn(points, view):
    """The car's frame -> the studio's: view 1 faces the camera, each further one is 22.5 degrees."""
    return points @ _axes(view)


def _axes(view):
    """The car's directions ahead, left and up, in the studio."""
    angle = (view - 1) * np.pi / 8
    return np.array(
        [(-np.sin(angle), -np.cos(angle), 0), (np.cos(angle), -np.sin(angle), 0), (0, 0, 1)]
    )


def _project(points, size):
    """The studio -> pixels, (..., 3) -> (..., 2); a shift lens, so that uprights stay upright."""
    width, height = size
    unit = min(width, 1.5 * height)
    depth = points[..., 1] - CAMERA[1]
    x = width / 2 + FOCAL * unit * points[..., 0] / depth
    y = (
        height / 2
        + (HORIZON - 0.5) * unit / 1.5
        - FOCAL * unit * (points[..., 2] - CAMERA[2]) / depth
    )
    return np.stack([x, y], -1)


def _lit(normal, middle, colour, gloss):
    """RGB of faces: lamps above, a bright wall and a grey floor mirrored in the paint."""
    sight = CAMERA - middle
    sight /= np.linalg.norm(sight, axis=-1, keepdims=True)
    cosine = (normal * sight).sum(-1)
    up = 2 * cosine * normal[:, 2] - sight[:, 2]
    mirrored = np.interp(up, [-1, -0.25, -0.02, 0.12, 0.5, 1], [70, 100, 125, 205, 225, 255])
    share = gloss * (0.10 + 0.5 * (1 - np.clip(cosine, 0, 1)) ** 3)
    light = 0.46 + 0.40 * np.clip(normal @ LIGHT, 0, 1) + 0.28 * (0.5 + 0.5 * normal[:, 2])
    return np.outer(light * (1 - share), colour) + (mirrored * share)[:, None]


class _Scene:
    """Layers of faces, back to front. Of a layer's windows, what lay behind the layer shows."""

    def __init__(self, shape, view, size):
        self.shape, self.view, self.size = shape, view, size
        self.layers = [([], [])]  # [(polygon, colour), ...], [(polygon, colour, clearness), ...]
        self.outline = []
        self.camera = _axes(view) @ CAMERA  # in the car's frame

    def add(self, faces, colour, gloss=0.0, solid=False, inside=False, window=None):
        """Add faces (Q, N, 3) that look at the camera (`inside`: away from it), farthest first."""
        faces = _turn(np.asarray(faces, float), self.view)
        middle = faces.mean(1)
        quarter = faces.shape[1] // 4
        normal = np.cross(
            faces[:, 2 * quarter] - faces[:, 0], faces[:, 3 * quarter] - faces[:, quarter]
        )
        length = np.linalg.norm(normal, axis=1)
        facing = (normal * (CAMERA - middle)).sum(1) * (-1 if inside else 1) > 1e-9
        order = np.argsort(-np.linalg.norm(middle - CAMERA, axis=1))
        order = order[(facing & (length > 1e-9))[order]]
        normal = normal[order] / length[order, None]
        polygons = _project(faces[order], self.size)
        colours = _lit(-normal if inside else normal, middle[order], colour, gloss)
        for polygon, rgb in zip(polygons, np.clip(colours, 0, 255).astype(int).tolist()):
            if window is None:
                self.layers[-1][0].append((polygon, tuple(rgb)))
            else:
                self.layers[-1][0].append(
                    (polygon.mean(0) + 1.05 * (polygon - polygon.mean(0)), TRIM)
                )
                self.layers[-1][1].append((polygon, tuple(rgb), window))
        if solid:
            self.outline.extend(polygons)

    def band(self, angle, low, high, colour, gloss=0.3, both=True):
        """Paint a strip of the lower body: along `angle` (N,), from `low` to `high` (0 to 1)."""
        rows = _body(self.shape, angle, low), _body(self.shape, angle, high)
        faces = np.stack([rows[0][:-1], rows[0][1:], rows[1][1:], rows[1][:-1]], 1)
        self.add(faces, colour, gloss)
        if both:
            self.add(_mirrored(faces), colour, gloss)

    def mast(self, foot, tall):
        """A round rod, 6 mm wide, leaning backward."""
        tip = foot + tall * np.array([-0.35, 0, 0.94])
        ends = _turn(np.stack([foot, tip]), self.view)
        a, b = _project(ends, self.size)
        across = np.array([a[1] - b[1], b[0] - a[0]]) / np.linalg.norm(b - a)
        unit = min(self.size[0], 1.5 * self.size[1])
        half = 0.003 * FOCAL * unit / (ends[:, 1] - CAMERA[1])
        rod = np.stack(
            [a - across * half[0], a + across * half[0], b + across * half[1], b - across * half[1]]
        )
        self.layers[-1][0].append((rod, (30, 30, 32)))
        self.outline.append(rod)

    def sees(self, x, side):
        """Is what sticks out at `x` of this side in front of the car, seen from the camera?"""
        return side * self.camera[1] > self.shape["width"] / 2 or self.camera[0] > x


def _scene(car, view, size):
    shape, paint = car.shape, np.array(car.paint)
    half, wide, square = shape["length"] / 2, shape["width"] / 2, shape["square"]
    scene = _Scene(shape, view, size)
    foot, front, rear, end = shape["cabin"]
    _extras(scene, paint, behind=True)

    # Wheels: treads first, the body covers their tops; discs after the arches.
    turn = np.linspace(0, 2 * np.pi, 37)[:-1]
    circle = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], -1)
    hubs = []
    for x in (shape["base"] / 2 + 0.06, -shape["base"] / 2 + 0.06):
        y = _body(shape, _angle(x / half, square), 0.3)[1] - 0.015
        hub = np.array([x, y, shape["wheel"]])
        hubs.append(hub)
        radius, inward = np.array([0, 1, 1, 0.93, 0]), np.array([0.23, 0.23, 0.03, 0, 0])
        tread = hub + shape["wheel"] * radius[:, None, None] * circle
        tread -= inward[:, None, None] * [0, 1, 0]
        scene.add(_loft(tread), RUBBER, solid=True)
        scene.add(_mirrored(_loft(tread)), RUBBER, solid=True)

    # The lower body: rings up to its edge, then inward over bonnet and boot.
    angle = _ring(square, 88)
    rings = [_body(shape, angle, v) for v in np.linspace(0, 1, 15)]
    for share in (0.85, 0.5, 0):
        crown = 0.045 * (1 - share**2) * np.clip((half - abs(rings[14][:, :1])) / 0.4, 0, 1)
        rings.append(rings[14] * [1, share, 1] + crown * [0, 0, 1])
    scene.add(_loft(np.stack(rings)), paint, gloss=1, solid=True)
    _details(scene, paint, hubs)
    for hub in hubs:
        _wheel(scene, hub, circle)

    # The cabin: what is inside, the far shell with its windows, the near shell with its windows.
    angle = _ring(7, 64)
    rings = [_cabin(shape, angle, v) for v in (0, 0.2, 0.4, 0.6, 0.8, 0.94, 1)]
    centre = np.array([(front + rear) / 2, 0, shape["height"]])
    for share, rise in ((0.97, 0.35), (0.88, 0.65), (0.6, 0.9), (0, 1)):
        ring = centre + (rings[6] - centre) * [share, share, 1 - rise]
        rings.append(ring)
    shell = _loft(np.stack(rings))
    scene.add(rings[0][None], (52, 51, 50), gloss=0)
    scene.layers.append(([], []))
    scene.add(shell, 0.25 * paint + 60, inside=True, solid=True)
    panes = _panes(shape)
    for pane, clear in panes:
        scene.add(pane[None], GLASS, inside=True, window=min(1.0, clear + 0.25))
    scene.layers.append(([], []))
    for x in (front - 0.45, front - 1.4):
        if x > rear - 0.1:
            for y in (-0.38, 0.38):
                _block(scene, (x, y, shape["belt"] + 0.02), (0.07, 0.22, 0.16), (46, 45, 45))
                _block(scene, (x - 0.04, y, shape["belt"] + 0.27), (0.05, 0.12, 0.08), (50, 49, 49))
    scene.layers.append(([], []))
    scene.add(shell, paint, gloss=1, solid=True)
    for pane, clear in panes:
        scene.add(pane[None], GLASS, gloss=1.3, window=clear)
    scene.layers.append(([], []))
    _extras(scene, paint, behind=False)
    return scene


def _block(scene, middle, half, colour, solid=False, gloss=0.0):
    ring = np.array([[1, -1], [1, 1], [-1, 1], [-1, -1]])
    ring = _rounded(ring, 0.3)
    levels = [(0.75, -1), (1, -0.6), (1, 0.6), (0.75, 1), (0, 1)]
    rings = [np.c_[ring * share, np.full(len(ring), level)] for share, level in levels]
    scene.add(_loft(np.array(middle) + np.stack(rings) * half), colour, gloss, solid)


def _panes(shape):
    """The windows: [(points (N, 3) facing outward, clearness 0 to 1), ...]."""
    panes = []
    clear = 0.25 if shape["privacy"] else 0.68
    for sign, low, glass in ((1, 0.06, 0.7), (-1, 0.2, clear)):  # windscreen, rear window
        corners = _rounded([(-0.86, low), (0.86, low), (0.86, 0.95), (-0.86, 0.95)], 0.08)
        angle = np.arcsin(_power(corners[:, 0], 7 / 2))
        pane = _cabin(shape, angle if sign > 0 else np.pi - angle, corners[:, 1])
        panes.append((pane if sign > 0 else pane[::-1], glass))
    v0, v1 = 0.1, 0.9
    for i, (start, stop) in enumerate(zip(shape["panes"], shape["panes"][1:])):
        if shape["cargo"] and i > 0:
            break
        corners = []
        for v, at in ((v0, start), (v0, stop), (v1, stop), (v1, start)):
            front, rear, _ = _cabin_lines(shape, v if at in (0, 1) else 0.5)
            inner = 0.1 if at == 0 else -0.12 if at == 1 else (0.035 if at == stop else -0.035)
            corners.append((front - inner - (front - rear) * at, v))
        corners = _rounded(corners, 0.1)
        front, rear, _ = _cabin_lines(shape, corners[:, 1])
        share = np.clip((2 * corners[:, 0] - front - rear) / (front - rear), -1, 1)
        pane = _cabin(shape, _angle(share, 7), corners[:, 1])
        panes += [(pane, 0.7 if i == 0 else clear), (_mirrored(pane), 0.7 if i == 0 else clear)]
    return panes


def _details(scene, paint, hubs):
    """Lights, grille, plates, doors, handles, wheel arches: painted on the lower body."""
    shape = scene.shape
    half, square = shape["length"] / 2, shape["square"]
    foot, _, rear, end = shape["cabin"]

    def ahead(y):  # the angle at a share of the half width, on the nose
        return np.arcsin(_power(np.asarray(y, float), square / 2))

    def beside(x):  # the angle at x metres, on the left
        return _angle(np.asarray(x, float) / half, square)

    seam = 0.35 * paint
    scene.band(_ring(square, 89), 0, 0.07, TRIM, both=False)
    middle = np.linspace(-0.52, 0.52, 9)
    scene.band(ahead(middle), 0.5, 0.8, TRIM, both=False)
    for v in (0.55, 0.63, 0.71):
        scene.band(
            ahead(middle * 0.97),
            v,
            v + 0.03,
            CHROME if shape["chrome"] else (70, 72, 74),
            both=False,
        )
    scene.band(ahead(1.2 * middle), 0.1, 0.3, TRIM, both=False)
    scene.band(np.pi - ahead(1.2 * middle[::-1]), 0.07, 0.16, TRIM, both=False)
    for front in (True, False):
        for share, rgb in ((0.16, TRIM), (0.148, (226, 226, 220))):
            y = ahead(np.linspace(-share, share, 4))
            low, high = (0.33, 0.47) if front else (0.42, 0.58)
            edge = 0 if rgb == TRIM else 0.012
            scene.band(y if front else np.pi - y[::-1], low + edge, high - edge, rgb, both=False)
    lamp = np.linspace(ahead(0.6), beside(half - 0.42), 9)
    scene.band(lamp, 0.58, 0.86, TRIM)
    scene.band(lamp[:-1], 0.61, 0.83, (222, 228, 232), 0.8)
    scene.band(lamp[1:4], 0.66, 0.78, (120, 126, 132), 0.8)
    scene.band(ahead(np.linspace(0.7, 0.84, 4)), 0.13, 0.26, (214, 216, 214))
    lamp = np.linspace(beside(-half + 0.3), np.pi - ahead(0.62), 9)
    scene.band(lamp, 0.56, 0.9, (120, 10, 14), 0.6)
    scene.band(lamp[4:8], 0.62, 0.7, (224, 190, 180), 0.6)
    scene.band(np.pi - ahead(np.linspace(0.86, -0.86, 9)), 0.36, 0.375, seam, both=False)
    scene.band(ahead(np.linspace(-0.9, 0.9, 9)), 0.9, 0.915, seam, both=False)

    doors = [foot - 0.02 if shape["height"] < 1.6 else foot - 0.1]
    doors += [foot - 0.1 + (rear - 0.05 - foot) * at for at in shape["panes"][1:]]
    doors = doors[:3]
    for x in doors:
        scene.band(beside([x + 0.008, x - 0.008]), 0.09, 0.92, seam)
    for x in doors[1:]:
        scene.band(beside([x + 0.25, x + 0.07]), 0.735, 0.775, 0.55 * paint)
        scene.band(beside([x + 0.25, x + 0.07]), 0.75, 0.78, 0.8 * paint + 45)
    line = beside(np.linspace(half - 0.7, -half + 0.5, 12))
    scene.band(line, 0.66, 0.675, 0.75 * paint)
    scene.band(
        beside(np.linspace(hubs[0][0] - 0.45, hubs[1][0] + 0.45, 6)), 0.07, 0.12, 0.5 * paint
    )
    turn = np.linspace(0, 2 * np.pi, 49)[:-1]
    for hub in hubs:
        for grow, rgb in ((1.22, 0.7 * paint), (1.16, (12, 12, 13))):
            x = hub[0] - grow * shape["wheel"] * np.cos(turn)
            low, top = _heights(shape, x)
            v = (hub[2] + grow * shape["wheel"] * np.sin(turn) - low) / (top - low)
            arch = _body(shape, beside(x), np.clip(v, 0, 1))[None]
            scene.add(arch, rgb)
            scene.add(_mirrored(arch), rgb)
    if scene.shape["bed"]:
        ring = _rounded(
            [(-half + 0.14, -0.8), (end - 0.12, -0.8), (end - 0.12, 0.8), (-half + 0.14, 0.8)], 0.05
        )
        top = _heights(shape, ring[:, 0])[1] + 0.01
        bed = np.c_[ring * [1, 0.92 * shape["width"] / 2], top]
        scene.add(bed[None], (38, 38, 40))
        scene.add(_loft(np.stack([bed - [0, 0, 0.13], bed])), 0.6 * paint, inside=True)


def _wheel(scene, hub, circle):
    shape, radius = scene.shape, scene.shape["wheel"]
    disc = circle[None]

    def add(faces, colour, gloss=0.0):
        scene.add(hub + radius * faces, colour, gloss)
        scene.add(_mirrored(hub + radius * faces), colour, gloss)

    add(disc, RUBBER)
    add(0.71 * disc, 0.55 * np.array(shape["rim"]))
    add(0.67 * disc, shape["rim"])
    turn = np.arange(shape["spokes"]) * 2 * np.pi / shape["spokes"]
    gap = 0.62 * np.pi / shape["spokes"]
    gaps = []
    for at in turn:
        around = np.r_[at - gap * 0.55, np.linspace(at - gap, at + gap, 4), at + gap * 0.55]
        r = np.r_[0.24, np.full(4, 0.6), 0.24]
        points = np.stack([-np.cos(around) * r, 0 * r, np.sin(around) * r], -1)
        gaps.append(np.concatenate([points, points[-1:], points[:1]]))
    add(np.array(gaps), (34, 34, 36))
    add(0.1 * disc, (60, 60, 62))


def _extras(scene, paint, behind):
    """Mirrors and the antenna: those behind the car's body first, the others at the end."""
    shape = scene.shape
    foot, front, rear, _ = shape["cabin"]
    for side in (1, -1):
        if scene.sees(foot - 0.3, side) != behind:
            middle = (foot - 0.35, side * (shape["width"] / 2 + 0.1), shape["belt"] + 0.11)
            _block(scene, middle, (0.07, 0.13, 0.085), paint, solid=True, gloss=1)
            glass = np.array([(0, -0.1, -0.06), (0, 0.1, -0.06), (0, 0.1, 0.06), (0, -0.1, 0.06)])
            scene.add((np.array(middle) - [0.072, 0, 0] + glass[::-1])[None], (150, 160, 168), 0.5)
    tall, on_roof, side = shape["mast"]
    at = (
        (rear + 0.25, 0.0, shape["height"] - 0.01)
        if on_roof
        else (foot + 0.12, side * 0.8, shape["belt"] - 0.05)
    )
    if (on_roof or scene.sees(at[0], side)) != behind:
        scene.mast(np.array(at), tall)


# --- pixels -------------------------------------------------------------------------------------


def fill(polygons, size):
    """The pixels whose centres lie inside any of the polygons (even-odd rule), exactly.

    `polygons` are float (N, 2) arrays of (x, y) in pixels, the image's upper left corner at (0, 0),
    pixel centres at halves; `size` is (width, height). Returns bool (height, width).
    """
    width, height = size
    start = np.concatenate(polygons)
    end = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    down = start[:, 1] <= end[:, 1]  # one direction, so that shared edges cross at the same x
    (x0, y0), (x1, y1) = np.where(down, start.T, end.T), np.where(down, end.T, start.T)
    first, last = np.clip(np.ceil([y0 - 0.5, y1 - 0.5]), 0, height).astype(int)
    count = last - first
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(edge)) + np.repeat(first - np.cumsum(count) + count, count)
    crossing = x0[edge] + (row + 0.5 - y0[edge]) * ((x1 - x0)[edge] / (y1 - y0)[edge])
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
    # Sorted by polygon, row and column, crossings come in pairs: into the polygon, and out of it.
    key = np.sort((owner[edge] * height + row) * (width + 1) + column)
    key %= height * (width + 1)
    steps = np.bincount(key[0::2], minlength=height * (width + 1))
    steps -= np.bincount(key[1::2], minlength=height * (width + 1))
    return np.cumsum(steps.reshape(height, -1), axis=1)[:, :-1] > 0


def outline(car, view, size):
    """The polygons whose union is the car: list of float (N, 2), (x, y) in pixels.

    Pixel centres are at halves; `view` is 1 to 16, `size` (width, height). Windows belong to the
    car, as in Carvana's masks, its shadow does not.
    """
    return _scene(car, view, size).outline


@functools.lru_cache(4)
def _studio(size):
    """The empty studio, a Pillow image of `size` (width, height); the wall says "RENDERED"."""
    width, height = size
    unit = min(width, 1.5 * height)

    def at(*points):
        return [tuple(point) for point in _project(np.array(points, float), size).tolist()]

    top, foot = (at((0, WALL, z))[0][1] for z in (CEILING, 0))
    rows = np.arange(height)
    soft = 0.012 * height
    knots = [
        top - soft,
        top,
        (top + foot) / 2,
        foot - soft,
        foot + soft,
        foot + 0.12 * height,
        height,
    ]
    greys = [(198, 236, 229, 217, 176, 170, 190), (199, 236, 229, 218, 178, 172, 190),
             (202, 237, 231, 220, 183, 177, 192)]  # fmt: skip
    column = np.stack([np.interp(rows, knots, grey) for grey in greys], -1)
    image = Image.fromarray(column.round().astype(np.uint8)[:, None]).resize(size)
    draw = ImageDraw.Draw(image)
    thin = max(1, round(unit / 900))
    for x in np.arange(-7.5, 8, 2.5):  # panels of the wall
        draw.line(at((x, WALL, 0.1), (x, WALL, CEILING)), (212, 213, 215), thin)
    for x in np.arange(-12, 13, 1.5):  # joints of the floor
        draw.line(at((x, WALL, 0), (x, -4.5, 0)), (166, 168, 172), thin)
    for x in np.arange(-6.4, 7, 1.6):  # lamps
        draw.polygon(
            at(
                (x, 2.2, CEILING),
                (x + 0.9, 2.2, CEILING),
                (x + 0.9, 3.6, CEILING),
                (x, 3.6, CEILING),
            ),
            (255, 255, 252),
        )
    turn = np.linspace(0, 2 * np.pi, 90)
    for radius, grey in ((3.32, (150, 151, 154)), (3.28, (184, 185, 188))):
        draw.polygon(
            at(*np.stack([radius * np.cos(turn), radius * np.sin(turn), 0 * turn], -1)), grey
        )
    for x, colours in (
        (-4.75, ((62, 92, 128), (222, 176, 84))),
        (4.75, ((152, 62, 54), (70, 120, 104))),
    ):

        def box(x0, z0, x1, z1, rgb):
            draw.polygon(at((x0, WALL, z0), (x1, WALL, z0), (x1, WALL, z1), (x0, WALL, z1)), rgb)

        box(x - 0.48, 1.0, x + 0.48, 2.4, (60, 61, 64))
        box(x - 0.44, 1.04, x + 0.44, 2.36, (240, 239, 234))
        box(x - 0.36, 1.5, x + 0.36, 2.28, colours[0])
        box(x - 0.36, 1.5, x + 0.1, 1.85, colours[1])
        box(x - 0.36, 1.2, x + 0.2, 1.28, (90, 90, 92))
    (left, line), (right, _) = at((-3.7, WALL, 2.25), (3.7, WALL, 2.25))
    text = " ".join("RENDERED")
    font = ImageFont.load_default(100)
    font = ImageFont.load_default(max(4, 100 * (right - left) / font.getlength(text)))
    draw.text(
        ((left + right) / 2, line),
        text,
        (112, 114, 118),
        font,
        anchor="mm",
        stroke_width=unit / 500,
    )
    image = image.filter(ImageFilter.GaussianBlur(unit / 1400))
    across, down = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 40))
    falloff = Image.fromarray((255 * (1 - 0.08 * (across**2 + 0.6 * down**2))).astype(np.uint8))
    falloff = falloff.resize(size, Image.Resampling.BICUBIC)
    return ImageChops.multiply(image, Image.merge("RGB", [falloff] * 3))


@functools.lru_cache(4)
def _shaded(size):
    return _studio(size).point(lambda value: 0.22 * value)


@functools.lru_cache(4)
def _grain(size):
    noise = np.random.default_rng(0).normal(0, 1.6, (size[1], size[0], 3))
    return np.round(noise).astype(np.int16)


def _shadow(car, view, size):
    """How much of the floor's light the car takes, a Pillow image in mode L."""
    unit = min(size[0], 1.5 * size[1])
    shape, angle = car.shape, _ring(car.shape["square"], 60)
    ring = _body(shape, angle, 0.2) * [1, 1, 0]
    whole = Image.new("L", size)
    for scale, dark, blur in ((1.04, 120, 0.012), (0.94, 215, 0.006)):
        layer = Image.new("L", size)
        points = _project(_turn(ring * scale, view), size)
        ImageDraw.Draw(layer).polygon(points.ravel().tolist(), dark)
        whole = ImageChops.lighter(whole, layer.filter(ImageFilter.GaussianBlur(blur * unit)))
    return whole


def render(car, view, size=(480, 320)):
    """One photograph and its mask: uint8 (H, W, 3) RGB and uint8 (H, W) in {0, 1}.

    `view` is 1 to 16, 22.5 degrees apart, 1 from the front and 9 from the rear; `size` (W, H).
    The photograph is anti-aliased, the mask hard: the `outline` at pixel centres, exactly.
    """
    if view not in VIEWS:
        raise ValueError(f"view is {view}: a car has the views 1 to 16")
    scene = _scene(car, view, size)
    corners = np.concatenate(scene.outline)
    margin = 2
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - margin, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + margin, size)
    shadow = _shadow(car, view, size)
    fine = size[0] * FINE, size[1] * FINE
    box = tuple(int(side) * FINE for side in (x0, y0, x1, y1))
    part = box[2] - box[0], box[3] - box[1]
    floor = Image.composite(
        _shaded(fine).crop(box),
        _studio(fine).crop(box),
        shadow.resize(part, Image.Resampling.BILINEAR, (x0, y0, x1, y1)),
    )
    picture = floor.copy()
    for faces, windows in scene.layers:
        before = picture.copy() if windows else None
        draw = ImageDraw.Draw(picture)
        for polygon, colour in faces:
            draw.polygon(((polygon - (x0, y0)) * FINE - 0.5).ravel().tolist(), colour)
        if windows:
            clear = Image.new("L", part)
            for polygon, colour, share in windows:
                points = ((polygon - (x0, y0)) * FINE - 0.5).ravel().tolist()
                draw.polygon(points, colour)
                ImageDraw.Draw(clear).polygon(points, round(255 * share))
            picture.paste(before, mask=clear)
    inside = fill([(polygon - (x0, y0)) * FINE for polygon in scene.outline], part)
    floor.paste(picture, mask=Image.fromarray(inside))
    whole = Image.composite(_shaded(size), _studio(size), shadow)
    whole.paste(floor.reduce(FINE), (int(x0), int(y0)))
    mask = np.zeros(size[::-1], np.uint8)
    mask[y0:y1, x0:x1] = inside[FINE // 2 :: FINE, FINE // 2 :: FINE]
    shift = car.noise // np.array([1, 613]) % size[::-1] + 37 * view
    image = np.asarray(whole) * np.array(car.light, np.float32)
    image += np.roll(_grain(size), shift, (0, 1))
    return np.clip(image + 0.5, 0, 255).astype(np.uint8), mask


# --- the files ----------------------------------------------------------------------------------


def run_lengths(mask):
    """Carvana's encoding of a mask (H, W), anything but 0 is car: "start length start length ...".

    Pixels are numbered from 1, row by row. An empty mask gives an empty string.
    """
    flat = np.concatenate([[False], np.asarray(mask).ravel() != 0, [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges[1::2] -= edges[::2]
    return " ".join(map(str, edges.tolist()))


def default_folder(cars=40, test_cars=4, size=(480, 320), seed=0):
    """Where `write` puts these settings unless told: in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = f"rendered-{cars}-{test_cars}-{size[0]}x{size[1]}-seed{seed}-v{RENDER_VERSION}"
    return cache / "unet_tf" / name


def is_rendered(folder):
    """Was this folder written by `write`, so that every output made from it must say so?"""
    return "rendered" in _marker(Path(folder))


def _marker(folder):
    try:
        marker = json.loads((folder / "rendered.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}


def write(folder=None, cars=40, test_cars=4, size=(480, 320), seed=0, progress=True):
    """Render a data set as Kaggle's Carvana files, once; found again the next time.

    Parameters
    ----------
    folder : path, optional
        Where to; must be missing, empty or hold this very data set. Default: `default_folder`.
    cars, test_cars : int
        Cars with masks (at least 1) and without (0 or more); each has 16 views.
    size : (int, int)
        Width and height in pixels, at least 16; (1918, 1280) is Carvana's.
    seed : int
        The studio: the same seed gives the same bytes, with the same versions of the libraries.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    pathlib.Path
        The folder, with train_hq.zip, train_masks.zip, test_hq.zip, train_masks.csv and
        rendered.json, which holds the settings and says that these are no photographs.

    Raises
    ------
    ValueError
        A setting is out of range, or the folder holds something else; nothing is overwritten.
    """
    cars, test_cars, seed, size = int(cars), int(test_cars), int(seed), tuple(map(int, size))
    if cars < 1 or test_cars < 0 or seed < 0 or len(size) != 2 or min(size) < 16:
        raise ValueError(
            f"cars={cars}, test_cars={test_cars}, size={size}, seed={seed}: expected at least 1 car, "
            "0 or more test cars, (width, height) of at least 16 pixels, and a seed of 0 or more"
        )
    settings = {"rendered": NOTE, "cars": cars, "test_cars": test_cars, "size": list(size),
                "seed": seed, "version": RENDER_VERSION}  # fmt: skip
    folder = Path(folder or default_folder(cars, test_cars, size, seed)).expanduser().absolute()

    def found():
        return _marker(folder) == settings and all((folder / name).is_file() for name in FILES)

    if found():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder}: found something other than the rendered data set {settings}; expected a "
            "missing or empty folder. Choose another folder, or remove this one first."
        )
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    part.mkdir(parents=True)
    try:
        # Test cars are numbered from a million on: more training cars leave them as they are.
        _render_all(part, [*range(cars), *range(TEST, TEST + test_cars)], size, seed, progress)
        for name in FILES[:3]:
            _zip(part / name)
        rows = sorted(path.read_text(encoding="utf-8") for path in part.glob("*.rows"))
        (part / FILES[3]).write_text(
            "img,rle_mask\n" + "".join(rows), encoding="utf-8", newline="\n"
        )
        for path in part.glob("*.rows"):
            path.unlink()
        (part / "rendered.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()  # the empty folder we were given; fails if another process filled it
        part.rename(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if not (isinstance(error, OSError) and found()):  # another process was faster
            raise
    return folder


def _render_all(part, numbers, size, seed, progress):
    """Render in several processes; fresh ones, that import neither TensorFlow nor the caller."""
    for name in FILES[:3]:
        (part / name).with_suffix("").mkdir()
    groups = [numbers[start : start + 2] for start in range(0, len(numbers), 2)]
    workers = min(os.cpu_count() or 1, 8, len(groups) // 2)

    def work(group):
        task = json.dumps([str(part), group, size, seed])
        try:
            if workers < 2:
                raise OSError("too little to do for a second process")
            subprocess.run([sys.executable, "-P", __file__, task], check=True, capture_output=True)
        except (OSError, TypeError, subprocess.CalledProcessError):
            _render_cars(part, group, size, seed)
        return len(group)

    total = len(VIEWS) * len(numbers)
    with (
        ThreadPoolExecutor(max(1, workers)) as pool,
        tqdm(total=total, desc="rendering cars", unit="image", disable=not progress) as bar,
    ):
        for count in pool.map(work, groups):
            bar.update(len(VIEWS) * count)


def _render_cars(part, numbers, size, seed):
    part, size = Path(part), tuple(size)
    for number in numbers:
        model, rows = car(seed, number), []
        for view in VIEWS:
            name = f"{model.id}_{view:02d}"
            image, mask = render(model, view, size)
            folder = part / ("train_hq" if number < TEST else "test_hq")
            Image.fromarray(image).save(folder / f"{name}.jpg", quality=88)
            if number < TEST:
                palette = Image.fromarray(mask, "P")
                palette.putpalette([0, 0, 0, 255, 255, 255])
                palette.save(part / "train_masks" / f"{name}_mask.gif")
                rows.append(f"{name}.jpg,{run_lengths(mask)}\n")
        if rows:
            (part / f"{model.id}.rows").write_text("".join(rows), encoding="utf-8", newline="\n")


def _zip(target):
    """Pack the folder beside `target` into it, and remove it; the same bytes every time."""
    folder = target.with_suffix("")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            info = zipfile.ZipInfo(f"{folder.name}/{path.name}")  # dated 1980
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, path.read_bytes())
    shutil.rmtree(folder)


if __name__ == "__main__":  # a process of `_render_all`
    _render_cars(*json.loads(sys.argv[1]))
