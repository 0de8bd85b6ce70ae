"""The boundary F1, by hand and against plain loops."""

import numpy as np
import pytest

from unet_tf import scores
from unet_tf.scores import boundary


def random_masks(count, size, seed=0):
    return np.random.default_rng(seed).random((count, *size)) < 0.3


# --- boundary


def square(left):
    """A 10x10 square in 20x24, from column `left` on. Its edge has 36 pixels."""
    mask = np.zeros((20, 24), bool)
    mask[5:15, left : left + 10] = True
    return mask


def test_edge_by_hand():
    assert boundary.edge(square(2)).sum() == 36
    half = np.zeros((8, 8), bool)
    half[:, :4] = True  # up to the image's border on three sides: its edge is column 3
    np.testing.assert_array_equal(np.argwhere(boundary.edge(half)), [(row, 3) for row in range(8)])
    assert not boundary.edge(np.ones((8, 8), bool)).any()


def by_shifts(mask, tolerance):
    """Edge and thickened edge, as whole arrays shifted by a pixel at a time."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    edge = mask & ~inner
    (height, width), padded = mask.shape, np.pad(edge, tolerance)
    near = np.zeros_like(mask)
    for down in range(2 * tolerance + 1):
        for right in range(2 * tolerance + 1):
            near |= padded[down : down + height, right : right + width]
    return edge, near


@pytest.mark.parametrize("seed", range(60))
def test_edges_are_those_of_shifted_masks(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 30, 2)) < rng.random()
    tolerance = int(rng.integers(0, 8))
    edge, near = by_shifts(mask, tolerance)
    np.testing.assert_array_equal(boundary.edge(mask), edge)
    np.testing.assert_array_equal(scores.thickened(edge, tolerance), near)


def test_boundary_f1_of_shifted_squares():
    assert scores.boundary_f1(square(2), square(2), 0) == 1
    assert scores.boundary_f1(square(2), square(3), 1) == 1
    assert scores.boundary_f1(square(2), square(5), 3) == 1
    assert scores.boundary_f1(square(2) * 255, square(3).astype("uint8"), 1) == 1
    # Columns 2 to 11 against 5 to 14, tolerance 1. Of the predicted edge its top row, columns 5 to
    # 14, is near the true one's up to column 12: 8 pixels; its bottom row too. Its left side, rows
    # 6 to 13, is near in rows 6 and 13; its right side nowhere. 18 of 36; the same from the truth.
    assert scores.boundary_f1(square(2), square(5), 1) == 18 / 36
    # Columns 2 to 11 against 13 to 22: the sides are 2 apart.
    assert scores.boundary_f1(square(2), square(13), 1) == 0


def test_boundary_f1_without_a_boundary():
    empty, full = np.zeros((8, 8), bool), np.ones((8, 8), bool)
    half = np.arange(64).reshape(8, 8) < 32
    for mask in (empty, full, half):
        for other in (empty, full, half):
            assert scores.boundary_f1(mask, other, 1) == (mask is other)


@pytest.mark.parametrize("tolerance", [0, 1, 2, 9])
def test_boundary_f1_against_plain_loops(tolerance):
    truth, prediction = random_masks(2, (7, 11))

    def edge(mask):
        padded = np.pad(mask, 1, mode="edge")
        return [
            (y, x)
            for y, x in np.argwhere(mask)
            if not all(padded[y + 1 + i, x + 1 + j] for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0)))
        ]

    def share_near(some, others):
        near = [any(max(abs(y - v), abs(x - u)) <= tolerance for v, u in others) for y, x in some]
        return sum(near) / len(near)

    true, predicted = edge(truth), edge(prediction)
    precision, recall = share_near(predicted, true), share_near(true, predicted)
    expected = 2 * precision * recall / (precision + recall)
    assert scores.boundary_f1(truth, prediction, tolerance) == pytest.approx(expected)


def test_default_tolerance():
    """0.2% of the diagonal: sqrt(1280^2 + 1918^2) = 2305.9, so 4.6; of 31x47 0.1."""
    assert scores.default_tolerance((1280, 1918)) == 5
    assert scores.default_tolerance((31, 47)) == 1
