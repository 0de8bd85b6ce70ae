"""Pictures: colours by hand, and a width that fits the column."""

import numpy as np
import pytest

from unet_tf import plot

# --- plots


def test_overlay_by_hand():
    image = np.zeros((1, 4, 3), "uint8")
    shown = plot.overlay(image, np.array([[1, 1, 0, 0]]), np.array([[1, 0, 1, 0]]))
    expected = [np.array(plot.TRUTH), np.array(plot.MISSED), np.array(plot.EXTRA), np.zeros(3)]
    np.testing.assert_allclose(shown[0], np.array(expected) / 2)
    np.testing.assert_array_equal(shown[0, 3], 0)


def test_thin_things_are_opaque_over_grey():
    """Found, missed and extra, one pixel each; what is large keeps its inside half seen."""
    image = np.zeros((1, 8, 3), "uint8")
    image[..., 0] = 90  # red: its mean is 30
    truth, prediction = [[1, 0, 1, 0, 0, 0, 0, 0]], [[1, 0, 0, 0, 1, 0, 0, 0]]
    shown = plot.compared(image, np.array(truth), np.array(prediction))[0]
    grey = np.full(3, 30 / 255)
    np.testing.assert_allclose(shown[[0, 2, 4]], [plot.TRUTH, plot.MISSED, plot.EXTRA])
    np.testing.assert_allclose(shown[[1, 3, 5, 6, 7]], [grey] * 5)
    large = np.ones((5, 5))
    large[:, 4] = 0
    inside = plot.compared(np.zeros((5, 5, 3)), large, large)
    np.testing.assert_allclose(inside[:, :3], np.broadcast_to(np.array(plot.TRUTH) / 2, (5, 3, 3)))
    np.testing.assert_allclose(inside[:, 3], [plot.TRUTH] * 5)


def test_outline_by_hand():
    """Where a mask ends, and where one class meets another; the image's border is no end."""
    assert plot.outline([[1, 1, 1, 0, 0]]).tolist() == [[False, False, True, False, False]]
    ids = np.array([[1, 1, 1, 2, 2], [1, 1, 1, 2, 2], [1, 1, 1, 1, 1]])
    assert np.argwhere(plot.outline(ids)).tolist() == [
        *([0, 2], [0, 3], [1, 2], [1, 3], [1, 4], [2, 3], [2, 4])
    ]
    wide = np.zeros((1, 1000), "uint8")
    wide[0, 100:200] = 1  # two pixels of a thousand: seen at half the size, too
    assert np.flatnonzero(plot.outline(wide)[0]).tolist() == [100, 101, 198, 199]


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ((200, 0, 0), (0, 1, 1)),  # of a red image cyan
        ((0, 0, 9), (1, 1, 0)),
        ((10, 200, 10), (1, 0, 1)),
        ((200, 200, 0), (0, 0, 1)),
    ],
)
def test_an_outline_has_the_hue_opposite_to_the_image_s(image, wanted):
    pixels = np.full((1, 4, 3), image, "uint8")
    shown = plot.outlined(pixels, np.array([[1, 1, 0, 0]]))
    np.testing.assert_allclose(shown[0, 1], wanted, atol=1e-6)
    np.testing.assert_allclose(shown[0, [0, 2, 3]], pixels[0, 1:] / 255)


def test_figures_are_at_most_600_pixels_wide():
    image, mask = np.zeros((9, 12, 3)), np.zeros((9, 12, 1))
    history = {name: [0.1, 0.2] for name in ("loss", "val_loss", "hard_dice", "val_hard_dice")}
    for figure in (
        plot.triplets([image] * 2, [mask] * 2),
        plot.triplets([image], [mask], [mask], ["a car"]),
        plot.curves(history, title="rendered"),
    ):
        assert figure.get_size_inches()[0] * figure.dpi <= 600
