"""Renders a town seen from the air, in the layout of the Massachusetts Buildings data set.

A stand-in for the aerial photographs of Mnih (Machine Learning for Aerial Image Labeling, 2013),
and it says so: each picture is lettered RENDERED, and `rendered.json` lies beside the folders.
A pixel is a metre at every size, as there. The mask is the buildings' footprint, also where a tree
hangs over the roof: Mnih's labels were drawn from OpenStreetMap's footprints, not from the pixels.
The camera looks straight down and sees no walls. `aerial` draws things, `blocks` places them.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from tqdm import tqdm

from unet_tf import toy
from unet_tf.aerial import MARGIN, Board, rectangle, turned
from unet_tf.blocks import ASPHALT, BUILDERS, CONCRETE, GROUNDS, LAWN, LINE, PAVEMENT, YELLOW

RENDER_VERSION = 1  # part of the default folder's name: raised when the pictures change
NOTE = "Rendered by unet_tf.town, not photographed: a stand-in for the Massachusetts Buildings."
TABLE = "name,r,g,b\nbackground,0,0,0\nbuilding,255,255,255\n"
SPLITS = ("train", "val", "test")
SPLIT = 10**6  # numbers a split: more training images leave the validation and test images alone
SMALLEST = 64  # pixels: room for the lettering

# The town, in metres.
ROAD, STREET = 13.0, 8.0  # carriageways, without the pavements beside them
DISTRICT, BLOCK, DEPTH = (320, 480), (95, 190), (52, 66)  # sides; two rows of lots share a depth
MIX = (2.2, 1.2, 0.6)  # Dirichlet's, for the kinds of districts in a picture
KINDS = (  # in each kind the shares of the blocks, in the order of BUILDERS
    (0.88, 0.03, 0.02, 0.03, 0.03, 0.01),
    (0.36, 0.28, 0.32, 0.02, 0.01, 0.01),
    (0.44, 0.02, 0.04, 0.12, 0.30, 0.08),
)


# --- streets --------------------------------------------------------------------------------------


class _District:
    """A rectangle of the plan between main roads: blocks in rows, in a direction of their own."""

    def __init__(self, board, low, high, mix):
        rng, self.board, self.low, self.high = board.rng, board, low, high
        self.middle, self.reach = (low + high) / 2, np.hypot(*(high - low)) / 2
        self.angle = board.pick((0, 0, 0, rng.uniform(-0.7, 0.7)))
        self.length, self.depth = rng.uniform(*BLOCK), rng.uniform(*DEPTH)
        gap = STREET + 2 * PAVEMENT
        steps = np.array([self.length, self.depth]) + gap
        corner = -self.reach - rng.uniform(0, steps)
        columns, rows = (np.arange(corner[axis], self.reach, steps[axis]) for axis in (0, 1))
        along = np.arange(-self.reach, self.reach, 6)
        lines = [np.stack([0 * along + x, along], -1) for x in columns - gap / 2]
        lines += [np.stack([along, 0 * along + y], -1) for y in rows - gap / 2]
        self.streets = [self.at(line[self.holds(line, 0)]) for line in lines]
        shares = KINDS[rng.choice(len(KINDS), p=mix)]
        self.blocks = []
        for x, y in ((x, y) for x in columns for y in rows):
            if self.holds(self.block(x, y), -self.depth / 2).any():
                self.blocks.append((BUILDERS[rng.choice(len(BUILDERS), p=shares)], x, y))

    def at(self, points):
        """From the district's own coordinates, in metres, to pixels."""
        return self.board.plan(turned(points, self.angle, self.middle))

    def holds(self, points, inset=ROAD / 2 + PAVEMENT):
        plan = turned(points, self.angle, self.middle)
        return ((plan > self.low + inset) & (plan < self.high - inset)).all(-1)

    def place(self, x, y, back=False):
        here, there = self.at([(x, y), (x + 1, y)])
        return np.arctan2(*(there - here)[::-1]) + np.pi * back, here

    def block(self, x, y):
        return rectangle(x, y, x + self.length, y + self.depth)

    def paint(self, x, y, colour):
        self.board.paint(self.at(self.block(x, y)), self.board.tone(colour))

    def grove(self, x, y, gap):
        """A tree about every `gap` metres both ways, where the block is free."""
        across, along = np.arange(x, x + self.length, gap), np.arange(y, y + self.depth, gap)
        points = np.stack(np.meshgrid(across, along), -1)
        points = points + self.board.rng.uniform(0, gap, points.shape)
        self.board.tree(self.at(points[self.holds(points)]))

    def lots(self, x, y, widths, depth):
        """Lots along both long sides of a block: place, half width, corners."""
        for back in (False, True):
            edge, start = y + self.depth * back, x
            inner = edge + (-depth if back else depth)
            while start < x + self.length - widths[0]:
                width = min(self.board.rng.uniform(*widths), x + self.length - start)
                lot = rectangle(start, min(edge, inner), start + width, max(edge, inner))
                corners, middle = self.at(lot), start + width / 2
                if self.holds(lot).all() and self.board.near(corners.mean(0), 45):
                    yield self.place(middle, edge, back), width / 2, corners
                start += width


def _lay_out(board):
    """Main roads, districts between them, their streets and blocks."""
    rng, reach = board.rng, np.hypot(*board.size) / 2 + MARGIN
    count = int((2 * reach + DISTRICT[1]) / DISTRICT[0]) + 2
    u, v = np.cumsum(rng.uniform(*DISTRICT, (2, count)), 1) - reach - DISTRICT[1]
    corners = np.stack(np.meshgrid(u, v, indexing="ij"), -1)
    districts, mix = [], rng.dirichlet(MIX)
    pairs = zip(corners[:-1, :-1].reshape(-1, 2), corners[1:, 1:].reshape(-1, 2), strict=True)
    for low, high in pairs:
        if board.near(board.plan([(low + high) / 2]), np.hypot(*(high - low)) / 2 + MARGIN).any():
            districts.append(_District(board, low, high, mix))
    for district in districts:
        for build, x, y in district.blocks:
            if build in GROUNDS:
                district.paint(x, y, board.pick(GROUNDS[build]))
    along = np.arange(-reach, reach, 8)
    main = [board.plan(np.stack([0 * along + at, along], -1)) for at in u]
    main += [board.plan(np.stack([along, 0 * along + at], -1)) for at in v]
    main = [line[board.near(line, MARGIN)] for line in main]
    streets = [line[board.near(line, MARGIN)] for each in districts for line in each.streets]
    _pave(board, *([line for line in lines if len(line) > 1] for lines in (main, streets)))
    for district in districts:
        for build, x, y in district.blocks:
            middle = district.at([(x + district.length / 2, y + district.depth / 2)])
            if board.near(middle, district.length).any():
                build(district, x, y)
    for _ in range(rng.poisson(board.taken.size / 6000)):  # clumps of wild trees
        spread = rng.uniform(2, 11)
        middle = rng.uniform(-10, board.size + 10)
        board.tree(middle + spread * rng.standard_normal((rng.poisson(spread), 2)))


def _pave(board, main, streets):
    roads = [(line, ROAD) for line in main] + [(line, STREET) for line in streets]
    taken = Image.new("L", board.taken.shape[::-1])
    pavement, asphalt = board.tone(CONCRETE), board.tone(ASPHALT, 0.12)
    for line, width in roads:
        board.line(line, pavement, width + 2 * PAVEMENT)
        flat = (line + MARGIN).ravel().tolist()
        ImageDraw.Draw(taken).line(flat, 255, round(width + 2 * PAVEMENT))
    for line, width in roads:
        board.line(line, asphalt, width)
    board.taken |= np.asarray(taken) > 0
    for line in main:
        _traffic(board, line)


def _traffic(board, line):
    """Faint markings, and cars in four lanes."""
    board.line(line, YELLOW, 0.5)
    for start, step in enumerate(np.diff(line, axis=0)):
        place = np.arctan2(*step[::-1]), line[start]
        for y in (-3.2, 3.2) if start % 2 else ():
            board.line(turned([(0, y), (5, y)], *place), LINE, 0.3)
        if board.chance(0.25):
            board.car(place, 0, board.pick((-5.4, -2.6, 0.8, 3.6)), along=True)


# --- pixels and files -----------------------------------------------------------------------------


def render(seed, number, size=(512, 512)):
    """One picture and its mask, the same for the same arguments.

    Parameters
    ----------
    seed, number : int
        The town and the picture, 0 or more.
    size : (int, int)
        Width and height in pixels, 64 or more, which are metres: a larger picture shows more town.

    Returns
    -------
    image : uint8 (H, W, 3)
        RGB; anti-aliased, slightly blurred, with a sensor's noise, lettered RENDERED.
    mask : uint8 (H, W) in {0, 1}
        Hard: 1 where the pixel's centre lies in a building's footprint, under trees as well.
    """
    rng, (width, height) = np.random.default_rng([seed, number]), size
    board = Board(rng, size, LAWN)
    _lay_out(board)
    pixels = np.asarray(board.picture(), np.float32)

    def noise(scale):
        coarse = rng.standard_normal((height // scale + 4, width // scale + 4), np.float32)
        fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(fine)[..., None]

    texture = 0.13 * noise(1) + 0.10 * noise(3) + 0.13 * noise(14)
    texture = texture + 0.1 * noise(30) * np.array([1, 0, -0.3], np.float32)  # where grass is dry
    haze, gain = rng.uniform(4, 24), rng.normal(1.06, 0.06) * rng.normal(1, 0.015, 3)
    rgb = haze + (1 - haze / 255) * gain * (pixels[..., :3] + pixels[..., 3:] * texture)
    image = Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.7)))
    ImageDraw.Draw(image).text((5, height - 5), "RENDERED", "#f2f2ee", ImageFont.load_default(10),
                               "ls", stroke_width=1, stroke_fill="#3a3c3c")  # fmt: skip
    grain = 2.2 * rng.standard_normal((height, width, 3), np.float32)
    image = (np.asarray(image) + grain + 0.5).clip(0, 255).astype(np.uint8)
    return image, board.mask().astype(np.uint8)


def default_folder(train=24, validation=4, test=6, size=(384, 384), seed=0):
    """Where `write` puts a data set unless told: a folder of the user's cache, by its settings."""
    name = f"town-{train}-{validation}-{test}-{size[0]}x{size[1]}-seed{seed}-v{RENDER_VERSION}"
    return toy.cache() / name


def file_name(seed, number):
    """A picture's name without its ending: eight digits and _15, as in the real data set."""
    # The factor and the modulus have no common divisor: no two numbers share a name.
    return f"{10_000_000 + (6_180_343 * number + 2_718_281 * seed) % 89_999_999}_15"


def write(folder=None, train=24, validation=4, test=6, size=(384, 384), seed=0, progress=True):
    """Render a data set as Kaggle's files, once; it is found again the next time.

    Parameters
    ----------
    folder : path, optional
        Missing, empty, or holding this very data set. Default: `default_folder`.
    train, validation, test : int
        Images a split; 1 or more for training, 0 or more for the others.
    size : (int, int)
        Width and height in pixels, 64 or more; the real images are (1500, 1500).
    seed : int
        The town, 0 or more. The same settings and library versions give the same bytes.
    progress : bool
        Show a progress bar on stderr, where that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder: label_class_dict.csv; below tiff/ for each split (train, val, test) the images,
        <name>.tiff, and in <split>_labels the masks, <name>.tif, in the table's colours; and
        rendered.json with the settings and a sentence that these are no photographs.

    Raises
    ------
    ValueError
        A setting is out of range, or the folder holds something else, which is left as it is.
    """
    counts, seed, size = [int(train), int(validation), int(test)], int(seed), tuple(map(int, size))
    if not (
        counts[0] > 0 <= min(counts) and len(size) == 2 and min(size) >= SMALLEST and seed >= 0
    ):
        raise ValueError(
            f"train={train}, validation={validation}, test={test}, size={size}, seed={seed}: "
            "expected 1 training image or more, 0 or more of the others, width and height of "
            f"{SMALLEST} or more, a seed of 0 or more"
        )
    settings = {"rendered": NOTE, "train": counts[0], "validation": counts[1], "test": counts[2]}
    settings |= {"size": list(size), "seed": seed, "render_version": RENDER_VERSION}
    images = {}  # number: (image, mask), as paths below the folder
    for index, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
        for number in range(index * SPLIT, index * SPLIT + count):
            name = file_name(seed, number)
            images[number] = f"tiff/{split}/{name}.tiff", f"tiff/{split}_labels/{name}.tif"

    def fill(part):
        (part / "label_class_dict.csv").write_text(TABLE, encoding="utf-8", newline="\n")
        for split in SPLITS:
            (part / "tiff" / split).mkdir(parents=True)
            (part / "tiff" / f"{split}_labels").mkdir()
        silent = None if progress else True  # None: unless stderr is a terminal
        for number in tqdm(images, desc="rendering", unit=" images", disable=silent):
            image, mask = render(seed, number, size)
            label = np.repeat(255 * mask[..., None], 3, axis=2)
            for path, pixels in zip(images[number], (image, label), strict=True):
                Image.fromarray(pixels).save(part / path, compression="tiff_deflate")

    files = ["label_class_dict.csv", *(path for pair in images.values() for path in pair)]
    return toy.written_once(folder or default_folder(*counts, size, seed), settings, files, fill)
