"""What stands in the blocks of `town`: houses, flats, shops, fields, woods.

A builder gets a district and the corner of a block in it, in the district's coordinates (metres).
"""

import functools

import numpy as np

from unet_tf.rendered.town_board import CAR, turned

# In metres.
PAVEMENT = 2.0
LOT, SETBACK, DRIVE = (16.5, 23), (4, 8), (3.4, 4.4)
HOUSE, WING = (9.5, 13), (2.5, 6)  # a house's depth; how far an L or a T stands out of it
STALL, LANE = (2.7, 5.2), 6.5  # of a parking lot
# Colours: red, green, blue, and roughness, which is how much of the texture a material takes.
LAWN, DRY, SOIL = (108, 122, 84, 70), (144, 138, 100, 80), (168, 148, 120, 70)
FLOOR, TURF = (84, 80, 62, 90), (96, 126, 78, 30)  # of a wood, of a playing field
ASPHALT, CONCRETE, PAVERS = (112, 112, 113, 22), (172, 169, 162, 24), (146, 110, 96, 24)
LINE, YELLOW, CHALK = (158, 158, 155, 22), (150, 138, 96, 22), (205, 205, 198, 0)
WATER, POOL, PANEL = (52, 66, 70, 10), (96, 176, 190, 8), (44, 50, 66, 0)
COURTS = ((86, 118, 92, 10), (132, 86, 74, 10), (84, 104, 128, 10))
UNITS = ((190, 190, 188), (150, 152, 154), (110, 112, 114), (96, 86, 80))  # on roofs
SHINGLES = ((130, 128, 126), (114, 114, 115), (98, 98, 100), (118, 102, 90), (138, 118, 100),
            (136, 100, 88), (144, 92, 78), (74, 72, 74), (212, 210, 204), (164, 150, 130),
            (106, 110, 103), (102, 109, 120))  # fmt: skip
FLATS = ((206, 205, 200), (178, 176, 170), (146, 144, 140), (112, 112, 114), (84, 84, 86),
         (160, 148, 130))  # fmt: skip


def _houses(district, x, y):
    board, rng, depth = district.board, district.board.rng, district.depth / 2
    hedges, wooded = board.chance(0.5), rng.uniform(0.5, 4.5)
    for place, half, corners in district.lots(x, y, LOT, depth):
        board.paint(corners, board.tone(board.pick((LAWN, LAWN, LAWN, DRY)), 0.08))
        if board.chance(0.12):
            board.patch(place, (-4, depth - 10, 4, depth - 2), board.tone(SOIL, 0.1))
        if hedges:
            board.line(turned([(-half, 6), (-half, depth), (half, depth)], *place), FLOOR, 0.7)
        if not board.chance(0.04):
            _house(board, place, half, depth)
        spots = rng.uniform((-half, 2), (half, depth), (rng.poisson(wooded), 2))
        board.tree(turned(spots, *place))
        if board.chance(0.3):
            board.tree(turned((rng.uniform(-half, half), 1.5), *place))
        if board.chance(0.3):  # at the kerb
            board.car(place, rng.uniform(-half, half - 5), -PAVEMENT - CAR[0] - 0.3, along=True)


def _box(side, x0, y0, x1, y1):
    """A rectangle of a lot, mirrored where `side` is -1."""
    return min(side * x0, side * x1), y0, max(side * x0, side * x1), y1


def _house(board, place, half, depth):
    """A house, its drive on one side, and what else stands on the lot."""
    rng, pick, chance = board.rng, board.pick, board.chance
    side = pick((-1, 1))
    box = functools.partial(_box, side)
    flat, hip, wall = chance(0.07), int(chance(0.4)), rng.uniform(3, 6)
    colour, pitch = board.tone(pick(FLATS if flat else SHINGLES), 0.06), rng.uniform(0.4, 0.8)
    pitch = 0 if flat else pitch
    front = rng.uniform(*SETBACK)
    back, right = front + rng.uniform(*HOUSE), half - rng.uniform(*DRIVE)
    left = max(1.2 - half, right - rng.uniform(12, 19))
    long = right - left > back - front
    garage = pick(("yard", "house", "none"))
    end = {"yard": depth - 7, "house": front + 2, "none": back}[garage]
    drive = box(right + 0.4, -PAVEMENT, half - 0.4, end)
    board.patch(place, drive, board.tone(pick((ASPHALT, ASPHALT, CONCRETE, PAVERS)), 0.1))
    board.patch(place, box(left + 5, 0, left + 6.3, front), board.tone(CONCRETE))
    if chance(0.45):  # a terrace
        terrace = box(left + 2, back, left + 8, back + 3.5)
        board.patch(place, terrace, board.tone(pick((CONCRETE, PAVERS, SOIL))))
    if chance(0.6):
        board.car(place, drive[0] + 0.5, rng.uniform(-PAVEMENT, max(0, end - 5)))
    board.take(place, drive)
    board.take(place, box(left, front, right, back))
    board.wing(place, box(left, front, right, back), colour, wall, pitch, (hip, hip), not long)
    yard = box(half - 6.4, depth - 7.4, half - 0.6, depth - 1)
    if garage == "yard" and board.take(place, yard):
        roof = colour if chance(0.5) else board.tone(pick(SHINGLES))
        board.wing(place, yard, roof, 2.6, pick((0, 0.5, 0.5)), across=chance(0.5))
    elif garage == "house":
        shed = box(right - 3, front + 1.5, half - 0.8, front + 7.5)
        board.wing(place, shed, colour, 2.6, pitch, (hip, hip), across=True)
    if long and not flat and chance(0.65):  # the plan of an L or a T
        wide, out = rng.uniform(5.5, min(back - front, 0.6 * (right - left))), rng.uniform(*WING)
        start = left + pick((0, 0.5, 1)) * (right - left - wide)
        ahead = chance(0.4)
        low, high = (max(1, front - out), front) if ahead else (back, back + out)
        wing = box(start, low, start + wide, high)
        board.take(place, wing)
        ends = (hip, -1) if ahead else (-1, hip)
        board.wing(place, wing, colour, wall, pitch, ends, across=True)
    _about_house(board, place, side, (left, front, right, back), depth)


def _about_house(board, place, side, house, depth):
    """A chimney, a solar panel, a tall tree, a pool: each on some lots."""
    rng, chance, (left, front, right, back) = board.rng, board.chance, house
    box = functools.partial(_box, side)
    if chance(0.6):
        x, y = rng.uniform((left + 2, front + 2), (right - 3, back - 3))
        board.on_roof(place, box(x, y, x + 1, y + 1.2), board.pick(UNITS), 1.2)
    if chance(0.1):
        board.on_roof(place, box(left + 2, front + 1, right - 4, (front + back) / 2 - 1), PANEL)
    if chance(0.5):  # the tree stands at the wall, and hangs over the roof
        spot = side * rng.uniform(left, right), back + rng.uniform(0.8, 2)
        board.tree(turned(spot, *place), size=rng.integers(8, len(board.sprites)))
    pool = box(left + 2, back + 5, left + 6, depth - 2)
    if pool[3] - pool[1] > 6 and chance(0.12) and board.take(place, pool):
        board.patch(place, np.add(pool, (-1.2, -1.2, 1.2, 1.2)), board.tone(CONCRETE))
        board.patch(place, pool, board.tone(POOL))


def _flat_roof(board, place, box):
    """A large flat roof: parapet, a part in another colour, rooftop units."""
    rng, (x0, y0, x1, y1) = board.rng, box
    colour, inset = board.tone(board.pick(FLATS), 0.08), np.array((0.7, 0.7, -0.7, -0.7))
    board.take(place, box)
    board.wing(place, box, board.tone(colour, 0.1), rng.uniform(5, 11), 0)
    board.on_roof(place, np.add(box, inset), board.lit(colour))
    if board.chance(0.35):
        part = np.add((x0, y0, rng.uniform(x0 + 4, x1 - 4), y1), inset)
        board.on_roof(place, part, board.lit(board.tone(board.pick(FLATS))))
    for _ in range(rng.poisson((x1 - x0) * (y1 - y0) / 130)):
        size = rng.uniform(1.2, 3.6, 2)
        low = rng.uniform((x0 + 1.5, y0 + 1.5), (x1, y1) - size - 1.5)
        board.on_roof(place, (*low, *(low + size)), board.tone(board.pick(UNITS)), 1.6)


def _parking(board, place, box, share):
    """Rows of stalls, two and a lane in turn; a share of the stalls is taken."""
    (x0, y0, x1, y1), (wide, deep) = box, STALL
    board.patch(place, box, board.tone(board.pick((ASPHALT, ASPHALT, CONCRETE)), 0.1))
    board.take(place, box)
    row, lane = y0 + 1, False
    while row + deep < y1:
        for x in np.arange(x0 + 1, x1 - wide, wide):
            board.line(turned([(x, row), (x, row + deep)], *place), LINE, 0.3)
            if board.chance(share):
                board.car(place, x + 0.4, row + 0.3)
        row, lane = row + deep + LANE * lane, not lane


def _flats(district, x, y):
    board, deep = district.board, district.board.rng.uniform(12, 15)
    pitch, colour = board.pick((0, 0, 0.45)), board.tone(board.pick(SHINGLES))
    for place, half, corners in district.lots(x, y, (28, 40), district.depth / 2):
        board.paint(corners, board.tone(LAWN))
        box = (2 - half, 4, half - 2, 4 + deep)
        if pitch:
            board.take(place, box)
            board.wing(place, box, colour, 9, pitch, (1, 1))
            board.wing(place, (-4.5, 4 + deep, 4.5, 7 + deep), colour, 9, pitch, (-1, 1), True)
        else:
            _flat_roof(board, place, box)
        _parking(board, place, (1 - half, 8 + deep, half - 1, 14.5 + deep), 0.6)
    district.grove(x, y, 11)


def _commerce(district, x, y):
    """Shops and warehouses behind parking lots."""
    board, rng, depth = district.board, district.board.rng, district.depth
    for place, half, corners in district.lots(x, y, (40, 70), depth):
        if board.taken[board.cells(place, (2 - half, 3, half - 2, depth - 3))].any():
            continue  # built from the block's other side
        board.paint(corners, board.tone(board.pick((ASPHALT, CONCRETE, LAWN)), 0.1))
        deep, wide = rng.uniform(0.35, 0.62) * depth, rng.uniform(0.6, 0.94) * half
        _parking(board, place, (2 - half, 2, half - 2, depth - 5 - deep), rng.uniform(0.2, 0.8))
        _flat_roof(board, place, (-wide, depth - 3 - deep, wide, depth - 3))
        if board.chance(0.4):  # the plan of an L
            _flat_roof(board, place, (-wide, depth - 12 - deep, 0.2 * wide, depth - 3 - deep))
    district.grove(x, y, 12)


def _field(district, x, y):
    """A playing field, courts, or a pond, with trees around."""
    board, deep, half = district.board, district.depth, min(district.length / 2 - 5, 45)
    place, kind = district.place(x + district.length / 2, y), board.pick(("turf", "court", "pond"))
    whole = district.holds(district.block(x, y)).all()  # no main road runs through the block
    if whole:
        board.take(place, (-half, 4, half, deep - 4))
    if whole and kind == "turf":
        board.patch(place, (-half, 5, half, deep - 5), board.tone(TURF))
        for left, right in ((2 - half, 0), (0, half - 2)):
            board.frame(place, (left, 7, right, deep - 7), CHALK)
    elif whole and kind == "court":
        outer, inner = board.pick(COURTS), board.pick(COURTS)
        for left in np.arange(-half, half - 18, 19):
            board.patch(place, (left, 8, left + 18, 44), outer)
            board.patch(place, (left + 3.5, 14, left + 14.5, 38), inner)
            board.frame(place, (left + 3.5, 14, left + 14.5, 26), CHALK)
            board.frame(place, (left + 3.5, 26, left + 14.5, 38), CHALK)
    elif whole:
        turn = np.linspace(0, 2 * np.pi, 40)
        radius = 1 + 0.16 * np.sin(2 * turn + board.rng.uniform(0, 6)) + 0.1 * np.sin(3 * turn)
        shore = np.stack([0.8 * half * np.cos(turn), 0.36 * deep * np.sin(turn)]) * radius
        for share, colour in ((1.08, SOIL), (1, WATER)):
            board.paint(turned(share * shore.T + (0, deep / 2), *place), colour)
    district.grove(x, y, 8)


def _wood(district, x, y):
    district.grove(x, y, 5)


def _empty(district, x, y):
    district.grove(x, y, 20)


BUILDERS = (_houses, _flats, _commerce, _field, _wood, _empty)
GROUNDS = {_field: (LAWN,), _wood: (FLOOR,), _empty: (SOIL, DRY, LAWN)}
