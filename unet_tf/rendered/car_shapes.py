"""What a car is: a small 3D model, a pure function of (seed, number).

Points are (..., 3), in metres: x forward from the car's middle, y to its left, z up from the floor.
"""

import dataclasses
import functools
import hashlib
import itertools

import numpy as np

# `belt`, `nose` and `tail` are heights; `cabin` the x of the windscreen's foot and top, of the rear
# window's top and foot; `panes` where side windows part, from 0 (front) to 1; `square` how boxy
# it is seen from above.
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
    "hatchback": dict(length=4.30, width=1.82, height=1.56, belt=1.00, nose=0.76, tail=0.98,
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
        "cargo": kind == "van" and rng.random() < 0.35,  # high, no rear windows at its sides
        "rear_glass": 0.25 if rng.random() < 0.35 else 0.68,  # how clear it is
        "grille": CHROME if rng.random() < 0.5 else (70, 72, 74),
        "rim": CHROME if rng.random() < 0.8 else (62, 63, 66),
        "spokes": int(rng.integers(5, 11)),
        "antenna": (rng.uniform(0.4, 0.7), rng.random() < 0.5, rng.choice([-1, 1])),
    }
    if shape["cargo"]:  # with a high roof and no antenna on it, so that it fits the frame
        tall, _, side = shape["antenna"]
        shape |= {"height": 1.13 * shape["height"], "antenna": (tall, False, side)}
    colour = str(rng.choice(list(PAINTS), p=[paint[3] for paint in PAINTS.values()]))
    paint = np.array(PAINTS[colour][:3]) * rng.uniform(0.88, 1.05) + rng.uniform(-6, 6, 3)
    name = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:12]
    light = rng.uniform(0.96, 1.08) * rng.uniform(0.985, 1.015, 3)
    return Car(name, kind, colour, paint.clip(8, 244), shape, light, int(rng.integers(2**31)))


def signed_power(value, exponent):
    return np.sign(value) * np.abs(value) ** exponent


def angle_at(share, square):
    """Where on a superellipse x is this share of the half length: 0 front, pi/2 left, pi rear."""
    return np.arccos(np.clip(signed_power(np.asarray(share, float), square / 2), -1, 1))


def heights(shape, x):
    """Of the lower body at x: its sill and its upper edge."""
    sill = 0.62 * shape["wheel"] + 0.09 * (2 * np.abs(x) / shape["length"]) ** 4
    return sill, np.interp(x, *shape["edge"])


def body(shape, angle, v):
    """The lower body's skin at `angle` around it and `v` up it, 0 the sill to 1 the edge."""
    angle, v = np.broadcast_arrays(np.asarray(angle, float), v)
    exponent = 2 / shape["square"]
    x = np.polyval(LONG, v) * shape["length"] / 2 * signed_power(np.cos(angle), exponent)
    y = np.polyval(WIDE, v) * shape["width"] / 2 * signed_power(np.sin(angle), exponent)
    sill, edge = heights(shape, x)
    return np.stack([x, y, sill + (edge - sill) * v], -1)


def _cabin_ends(shape, v):
    foot, front, rear, end = shape["cabin"]
    return foot + (front - foot) * v, end + (rear - end) * v


def _cabin(shape, angle, v):
    """The cabin's skin at `angle` around it and `v` up it, 0 the belt line to 1 the roof's edge."""
    angle, v = np.broadcast_arrays(np.asarray(angle, float), v)
    front, rear = _cabin_ends(shape, v)
    lean = (0.16 if shape["height"] < 1.6 else 0.11) * (v - 0.12 * np.sin(np.pi * v))
    x = (front + rear) / 2 + (front - rear) / 2 * signed_power(np.cos(angle), 2 / 7)
    y = shape["width"] / 2 * (0.91 - lean) * signed_power(np.sin(angle), 2 / 7)
    foot = np.interp(x.clip(*shape["cabin"][[3, 0]]), *shape["edge"]) - 0.02
    return np.stack([x, y, foot + (shape["height"] - 0.05 - foot) * v], -1)


def ring(square, count):
    """Angles around a superellipse, evenly spaced along its edge: (count + 1,), closed."""
    angle = np.linspace(0, 2 * np.pi, 4001)
    x, y = 2.5 * signed_power(np.cos(angle), 2 / square), signed_power(np.sin(angle), 2 / square)
    along = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    return np.interp(np.linspace(0, along[-1], count + 1), along, angle)


def loft(rings):
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


def block(middle, half):
    """A box with bevelled edges: 4 rings and its top."""
    bevelled = _rounded([(1, -1), (1, 1), (-1, 1), (-1, -1)], 0.15)
    levels = ((0.75, -1), (1, -0.6), (1, 0.6), (0.75, 1), (0, 1))
    rings = [np.c_[bevelled * share, np.full(len(bevelled), z)] for share, z in levels]
    return loft(np.array(middle) + np.stack(rings) * half)


def mirrored(faces):
    return faces[..., ::-1, :] * [1, -1, 1]


def panes(shape):
    """The windows: [(outline (N, 3), its corners anticlockwise from outside, clearness), ...]."""
    found = []
    for rear, low, clear in ((False, 0.06, 0.7), (True, 0.2, shape["rear_glass"])):
        y, v = _rounded([(-0.86, low), (0.86, low), (0.86, 0.95), (-0.86, 0.95)], 0.06).T
        angle = np.arcsin(signed_power(y, 7 / 2))
        pane = _cabin(shape, np.pi - angle if rear else angle, v)
        found.append((pane[::-1] if rear else pane, clear))
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
        pane = _cabin(shape, angle_at((2 * x - front - rear) / (front - rear), 7), v)
        clear = 0.7 if start == 0 else shape["rear_glass"]
        found += [(pane, clear), (mirrored(pane), clear)]
    return found


def hubs(shape):
    """The left wheels' middles on their outer side, the front one first: [(3,), (3,)]."""
    found = []
    for x in (shape["base"] / 2 + 0.06, 0.06 - shape["base"] / 2):
        y = body(shape, angle_at(2 * x / shape["length"], shape["square"]), 0.3)[1]
        found.append(np.array([x, y - 0.015, shape["wheel"]]))
    return found


def body_rings(shape):
    """The lower body from its sill up, closed over bonnet and boot: (17, 80, 3)."""
    angle = ring(shape["square"], 80)[:-1]
    rings = [body(shape, angle, v) for v in np.linspace(0, 1, 14)]
    edge = rings[-1]
    for share in (0.85, 0.5, 0):  # inward over bonnet and boot, which are crowned
        rise = (1 - abs(edge[:, :1]) / abs(edge[:, 0]).max()).clip(0, 0.2)  # none at the ends
        rings.append(edge * [1, share, 1] + 0.22 * (1 - share**2) * rise * [0, 0, 1])
    return np.stack(rings)


def bed_rim(shape):
    """Around the opening of a pickup's bed, (N, 3)."""
    front, tail = shape["cabin"][3] - 0.12, 0.14 - shape["length"] / 2
    x, y = _rounded([(tail, -1), (front, -1), (front, 1), (tail, 1)], 0.04).T
    return np.stack([x, 0.4 * shape["width"] * y, np.interp(x, *shape["edge"]) + 0.01], -1)


def cabin_rings(shape):
    """The cabin from the belt line up, closed over the roof: (11, 52, 3)."""
    angle = ring(7, 52)[:-1]
    rings = [_cabin(shape, angle, v) for v in (0, 0.2, 0.4, 0.6, 0.8, 0.94, 1)]
    middle = np.array([shape["cabin"][1:3].mean(), 0, shape["height"]])
    for share, sunk in ((0.97, 0.65), (0.88, 0.35), (0.6, 0.1), (0, 0)):  # inward over the roof
        rings.append(middle + (rings[6] - middle) * [share, share, sunk])
    return np.stack(rings)
