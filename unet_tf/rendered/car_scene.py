"""The faces of a car in the studio, painted from back to front."""

import numpy as np

from unet_tf.files import UserError
from unet_tf.rendered import car_shapes

VIEWS = range(1, 17)
FINE = 3  # samples a pixel and direction; odd, so that the middle one is the pixel's centre
# The studio, in metres: X to the right, Y away from the camera, Z up, from the turntable's middle.
CAMERA, WALL, CEILING = np.array([0.0, -6.5, 1.95]), 4.2, 3.0
FOCAL, HORIZON = 0.945, 0.19  # of the frame's width, of its height: so cars fill 0.13 to 0.35 of it
LIGHT = np.array([-0.35, -0.45, 0.82])


def project(points, size):
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


class Scene:
    """Layers of faces, back to front. Through a layer's windows one sees what lies behind it."""

    def __init__(self, car, view, size):
        if view not in VIEWS:
            raise UserError(f"view is {view}: expected 1 to 16")
        self.shape, self.paint, self.size, turn = car.shape, car.paint, size, (view - 1) * np.pi / 8
        ahead, left = (-np.sin(turn), -np.cos(turn), 0), (np.cos(turn), -np.sin(turn), 0)
        self.axes = np.array([ahead, left, (0, 0, 1)])  # the car's, in the studio
        self.layers = []  # [faces: (polygon, colour)], [windows: (polygon, colour, clearness)]
        # Polygons whose union is the car, (x, y) in pixels, whose centres are at halves. Windows
        # belong to it, as in Carvana's masks; its shadow does not.
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
        faces = np.concatenate([faces, car_shapes.mirrored(faces)]) if both else faces
        faces = faces @ self.axes
        middle, quarter = faces.mean(1), faces.shape[1] // 4
        diagonals = faces[:, 2 * quarter] - faces[:, 0], faces[:, 3 * quarter] - faces[:, quarter]
        normal = np.cross(*diagonals) * (-1 if inside else 1)
        length = np.linalg.norm(normal, axis=1)
        seen = (normal * (CAMERA - middle)).sum(1) > 1e-6 * length
        order = np.argsort(-np.linalg.norm(middle - CAMERA, axis=1), kind="stable")
        order = order[(seen & (length > 1e-9))[order]]
        polygons = project(faces[order], self.size)
        colours = _lit(normal[order] / length[order, None], middle[order], colour, gloss)
        for polygon, rgb in zip(polygons, colours.astype(int).tolist(), strict=True):
            if clear is None:
                self.layers[-1][0].append((polygon, tuple(rgb)))
            else:
                frame = polygon + (0.05 if clear < 1 else 0) * (polygon - polygon.mean(0))
                self.layers[-1][0].append((frame, car_shapes.TRIM))
                self.layers[-1][1].append((polygon, tuple(rgb), clear))
        if solid:
            self.outline.extend(polygons)
        self.parts.append((part, polygons))

    def band(self, angle, low, high, colour, both=True, part="body"):
        """Paint a strip of the lower body, along `angle` (N,), from `low` to `high` (0 to 1)."""
        lower, upper = (car_shapes.body(self.shape, angle, height) for height in (low, high))
        faces = np.stack([lower[:-1], lower[1:], upper[1:], upper[:-1]], 1)
        self.add(faces, colour, gloss=0.3, solid=False, both=both, part=part)

    def in_front(self, x, side):
        """Does what sticks out of this side of the car at x lie before the car?"""
        camera = self.axes @ CAMERA
        return side * camera[1] > self.shape["width"] / 2 or camera[0] > x


def _lower_body(scene):
    shape, hubs = scene.shape, car_shapes.hubs(scene.shape)
    turn = np.arange(36) * np.pi / 18
    circle = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], -1) * shape["wheel"]
    levels = ((0, 0.23), (1, 0.23), (1, 0.03), (0.93, 0), (0, 0))
    for hub in hubs:
        tyre = np.stack([hub + circle * share - [0, inward, 0] for share, inward in levels])
        scene.add(car_shapes.loft(tyre), car_shapes.RUBBER, both=True, part="wheel")
    scene.add(car_shapes.loft(car_shapes.body_rings(shape)), scene.paint, gloss=1)
    _details(scene, hubs)
    _doors(scene, hubs)
    gap = 0.6 * np.pi / shape["spokes"]
    turn = np.array([-0.5, -1, -0.5, 0, 0.5, 1, 0.5, 0]) * gap
    turn = turn + 2 * np.pi * np.arange(shape["spokes"])[:, None] / shape["spokes"]
    reach = np.array([0.24, 0.6, 0.6, 0.6, 0.6, 0.6, 0.24, 0.24]) * shape["wheel"]
    gaps = np.stack([-np.cos(turn) * reach, 0 * turn, np.sin(turn) * reach], -1)
    for hub in hubs:
        rings = (1, car_shapes.RUBBER), (0.71, car_shapes.TRIM), (0.67, shape["rim"])
        for share, colour in rings:
            scene.add(hub + share * circle[None], colour, solid=False, both=True, part="wheel")
        scene.add(hub + gaps, (34, 34, 36), solid=False, both=True, part="wheel")
    if shape["bed"]:
        scene.add(car_shapes.bed_rim(shape)[None], car_shapes.TRIM, solid=False, clear=1)


def _side(shape, *x):
    """Angles along a side of the car, from metres."""
    return car_shapes.angle_at(np.linspace(*x, 9) / (shape["length"] / 2), shape["square"])


def _details(scene, hubs):
    """Lights, grille and plates, painted on the lower body."""
    shape, paint, half = scene.shape, scene.paint, scene.shape["length"] / 2

    def front(*y):  # angles from shares of the half width
        return np.arcsin(car_shapes.signed_power(np.linspace(*y, 9), shape["square"] / 2))

    def rear(*y):
        return np.pi - front(*y)

    seam = 0.35 * paint
    headlight = np.linspace(front(0.6, 1)[0], _side(shape, half - 0.42, 0)[0], 9)
    taillight = np.linspace(_side(shape, 0.3 - half, 0)[0], rear(0.62, 1)[0], 9)
    for angle, low, high, colour in (
        (car_shapes.ring(shape["square"], 88), 0, 0.07, car_shapes.TRIM),
        (front(-0.52, 0.52), 0.50, 0.80, car_shapes.TRIM),
        *((front(-0.5, 0.5), low, low + 0.03, shape["grille"]) for low in (0.55, 0.63, 0.71)),
        (front(-0.62, 0.62), 0.10, 0.30, car_shapes.TRIM),
        (front(-0.9, 0.9), 0.90, 0.915, seam),
        (rear(0.62, -0.62), 0.07, 0.16, car_shapes.TRIM),
        (rear(0.86, -0.86), 0.36, 0.375, seam),
        *((at(-y, y), 0.33 + z, 0.47 - z, rgb)
          for y, z, rgb in ((0.16, 0, car_shapes.TRIM), (0.148, 0.012, (226, 226, 220)))
          for at in (front, lambda a, b: rear(b, a))),
    ):  # fmt: skip
        scene.band(angle, low, high, colour, both=False)
    for angle, low, high, colour, part in (
        (headlight, 0.58, 0.86, car_shapes.TRIM, "light"),
        (headlight[:-1], 0.61, 0.83, (222, 228, 232), "light"),
        (headlight[1:4], 0.66, 0.78, (120, 126, 132), "light"),
        (front(0.7, 0.84), 0.13, 0.26, (214, 216, 214), "light"),
        (taillight, 0.56, 0.90, (156, 12, 16), "light"),
        (taillight[4:8], 0.62, 0.70, (228, 196, 186), "light"),
        (_side(shape, half - 0.7, 0.5 - half), 0.66, 0.675, 0.75 * paint, "body"),
        (_side(shape, hubs[0][0] - 0.45, hubs[1][0] + 0.45), 0.07, 0.12, 0.5 * paint, "body"),
    ):
        scene.band(angle, low, high, colour, part=part)


def _doors(scene, hubs):
    """Their seams and handles, and the wheel arches."""
    shape, paint, half = scene.shape, scene.paint, scene.shape["length"] / 2
    foot, _, back, _ = shape["cabin"]
    for at in (0, *shape["panes"][1:3]):
        x = foot - 0.1 + (back + 0.05 - foot) * at
        scene.band(_side(shape, x + 0.008, x - 0.008), 0.09, 0.92, 0.35 * paint)
        if at:
            handle = _side(shape, x + 0.25, x + 0.07)
            scene.band(handle, 0.735, 0.775, 0.35 * paint)
            scene.band(handle, 0.75, 0.78, 0.8 * paint + 45)
    turn = np.arange(48) * np.pi / 24
    for hub in hubs:
        for radius, colour in ((1.22, 0.7 * paint), (1.16, (12, 12, 13))):
            x = hub[0] - radius * shape["wheel"] * np.cos(turn)
            sill, edge = car_shapes.heights(shape, x)
            v = (hub[2] + radius * shape["wheel"] * np.sin(turn) - sill) / (edge - sill)
            angle = car_shapes.angle_at(x / half, shape["square"])
            arch = car_shapes.body(shape, angle, v.clip(0, 1))
            scene.add(arch[None], colour, solid=False, both=True)


def _bed(scene):
    if scene.shape["bed"]:
        rim = car_shapes.bed_rim(scene.shape)
        scene.add(rim[None] - [0, 0, 0.5], (40, 40, 42), solid=False)
        walls = car_shapes.loft(np.stack([rim - [0, 0, 0.5], rim]))
        scene.add(walls, 0.5 * scene.paint, solid=False, inside=True)


def _far_shell(scene):
    rings = car_shapes.cabin_rings(scene.shape)
    scene.add(rings[:1], (56, 55, 54), solid=False)
    scene.add(car_shapes.loft(rings), 0.25 * scene.paint + 60, solid=False, inside=True)
    for pane, clear in car_shapes.panes(scene.shape):
        glass = dict(solid=False, inside=True, clear=min(1, clear + 0.2), part="window")
        scene.add(pane[None], car_shapes.GLASS, **glass)


def _seats(scene):
    (_, front, rear, _), belt = scene.shape["cabin"], scene.shape["belt"]
    for x in (front - 1.4, front - 0.45):
        for y in (-0.38, 0.38):
            if x > rear - 0.1:
                back = car_shapes.block((x, y, belt + 0.11), (0.07, 0.22, 0.09))
                head = car_shapes.block((x - 0.04, y, belt + 0.28), (0.05, 0.12, 0.08))
                scene.add(np.concatenate([back, head]), (54, 53, 52), solid=False)


def _near_shell(scene):
    scene.add(car_shapes.loft(car_shapes.cabin_rings(scene.shape)), scene.paint, gloss=1)
    for pane, clear in car_shapes.panes(scene.shape):
        scene.add(pane[None], car_shapes.GLASS, gloss=1.3, solid=False, clear=clear, part="window")


def _behind(scene, front=False):
    """Mirrors and antenna: those that the body may hide come first, the others (`front`) last."""
    shape = scene.shape
    foot, _, rear, _ = shape["cabin"]
    for side in (1, -1):
        if scene.in_front(foot - 0.35, side) == front:
            y = side * (shape["width"] / 2 + 0.05)
            middle = np.array([foot - 0.35, y, shape["belt"] + 0.07])
            scene.add(car_shapes.block(middle, (0.07, 0.14, 0.09)), scene.paint, gloss=1)
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
        scene.add(car_shapes.loft(np.stack([rod + at, rod + tip, 0 * rod + tip])), car_shapes.TRIM)


def _before(scene):
    _behind(scene, front=True)
