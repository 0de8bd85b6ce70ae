"""Pictures: colours by hand, and a width that fits the column."""

import numpy as np

from unet_tf import plot

# --- plots


def test_overlay_by_hand():
    image = np.zeros((1, 4, 3), "uint8")
    shown = plot.overlay(image, np.array([[1, 1, 0, 0]]), np.array([[1, 0, 1, 0]]))
    expected = [np.array(plot.TRUTH), np.array(plot.MISSED), np.array(plot.EXTRA), np.zeros(3)]
    np.testing.assert_allclose(shown[0], np.array(expected) / 2)
    np.testing.assert_array_equal(shown[0, 3], 0)


def test_figures_are_at_most_600_pixels_wide():
    image, mask = np.zeros((9, 12, 3)), np.zeros((9, 12, 1))
    history = {name: [0.1, 0.2] for name in ("loss", "val_loss", "hard_dice", "val_hard_dice")}
    for figure in (
        plot.triplets([image] * 2, [mask] * 2),
        plot.triplets([image], [mask], [mask], ["a car"]),
        plot.curves(history, title="rendered"),
    ):
        assert figure.get_size_inches()[0] * figure.dpi <= 600
