"""The streets and districts of the rendered town."""

import numpy as np
from PIL import Image, ImageDraw

from unet_tf.rendered import town_blocks
from unet_tf.rendered.town_board import MARGIN, rectangle, turned

# The town, in metres.
ROAD, STREET = 13.0, 8.0  # carriageways, without the pavements beside them
DISTRICT, BLOCK, DEPTH = (320, 480), (95, 190), (52, 66)  # sides; two rows of lots share a depth
MIX = (2.2, 1.2, 0.6)  # Dirichlet's, for the kinds of districts in a picture
KINDS = (  # in each kind the shares of the blocks, in the order of town_blocks.BUILDERS
    (0.88, 0.03, 0.02, 0.03, 0.03, 0.01),
    (0.36, 0.28, 0.32, 0.02, 0.01, 0.01),
    (0.44, 0.02, 0.04, 0.12, 0.30, 0.08),
)


class _District:
    """A rectangle of the plan between main roads: blocks in rows, in a direction of their own."""

    def __init__(self, board, low, high, mix):
        rng, self.board, self.low, self.high = board.rng, board, low, high
        self.middle, self.reach = (low + high) / 2, np.hypot(*(high - low)) / 2
        self.angle = board.pick((0, 0, 0, rng.uniform(-0.7, 0.7)))
        self.length, self.depth = rng.uniform(*BLOCK), rng.uniform(*DEPTH)
        gap = STREET + 2 * town_blocks.PAVEMENT
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
                self.blocks.append(
                    (town_blocks.BUILDERS[rng.choice(len(town_blocks.BUILDERS), p=shares)], x, y)
                )

    def at(self, points):
        """From the district's own coordinates, in metres, to pixels."""
        return self.board.plan(turned(points, self.angle, self.middle))

    def holds(self, points, inset=ROAD / 2 + town_blocks.PAVEMENT):
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


def lay_out(board):
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
            if build in town_blocks.GROUNDS:
                district.paint(x, y, board.pick(town_blocks.GROUNDS[build]))
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
    pavement, asphalt = board.tone(town_blocks.CONCRETE), board.tone(town_blocks.ASPHALT, 0.12)
    for line, width in roads:
        board.line(line, pavement, width + 2 * town_blocks.PAVEMENT)
        flat = (line + MARGIN).ravel().tolist()
        ImageDraw.Draw(taken).line(flat, 255, round(width + 2 * town_blocks.PAVEMENT))
    for line, width in roads:
        board.line(line, asphalt, width)
    board.taken |= np.asarray(taken) > 0
    for line in main:
        _traffic(board, line)


def _traffic(board, line):
    """Faint markings, and cars in four lanes."""
    board.line(line, town_blocks.YELLOW, 0.5)
    for start, step in enumerate(np.diff(line, axis=0)):
        place = np.arctan2(*step[::-1]), line[start]
        for y in (-3.2, 3.2) if start % 2 else ():
            board.line(turned([(0, y), (5, y)], *place), town_blocks.LINE, 0.3)
        if board.chance(0.25):
            board.car(place, 0, board.pick((-5.4, -2.6, 0.8, 3.6)), along=True)
