"""Pictures: colours by hand, and a width that fits the column."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from unet_tf import plot
from unet_tf.network import simple_fcn, unet
from unet_tf.plot.architecture import stages_of

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
    grey = np.full(3, 0.25 + 0.4 * 30 / 255)
    dark, light = 0.6 * np.array(plot.MISSED), 0.6 + 0.4 * np.array(plot.EXTRA)
    np.testing.assert_allclose(shown[[0, 2, 4]], [plot.TRUTH, dark, light])
    lightness = shown[[2, 0, 4]] @ (0.299, 0.587, 0.114)
    assert (np.diff(lightness) > 0.2).all()  # in grey, too
    np.testing.assert_allclose(shown[[1, 3, 5, 6, 7]], [grey] * 5)
    large = np.ones((5, 5))
    large[:, 4] = 0
    inside = plot.compared(np.zeros((5, 5, 3)), large, large)
    half = 0.5 * 0.25 + 0.5 * np.array(plot.TRUTH)
    np.testing.assert_allclose(inside[:, :3], np.broadcast_to(half, (5, 3, 3)))
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


# --- a network, drawn


def test_the_stages_of_a_u_net_by_hand():
    """Two levels and a bottleneck: each level's two convolutions, a skip joined on the way up."""
    model = unet((32, 48, 3), (4, 8, 16))
    stages = stages_of(model)
    sizes = [(32, 48), (16, 24), (8, 12), (16, 24), (32, 48)]
    assert [stage.size for stage in stages] == sizes
    assert [stage.way for stage in stages] == ["input", "down", "down", "up", "up"]
    assert [stage.skip for stage in stages] == [None, None, None, 1, 0]
    channels = [[one.channels for one in stage.maps] for stage in stages]
    assert channels[:3] == [[3, 4, 4], [8, 8], [16, 16]]
    assert channels[3] == [16, 8, 8] and channels[4][:3] == [8, 4, 4]
    assert [stage.maps[0].skipped for stage in stages] == [0, 0, 0, 8, 4]
    assert {stage.by for stage in stages[1:3]} == {"2x2 max pooling"}
    assert {stage.by for stage in stages[3:]} == {"3x3 transposed convolution"}


def test_the_stages_of_an_hourglass_by_hand():
    stages = stages_of(simple_fcn((32, 48, 3), (4, 8)))
    assert [stage.size for stage in stages] == [(32, 48), (16, 24), (8, 12), (16, 24), (32, 48)]
    assert all(stage.skip is None for stage in stages)
    assert {stage.by for stage in stages[1:3]} == {"3x3 convolution, stride 2"}


def bars_of(axis):
    return [patch for patch in axis.patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize("model", [unet, simple_fcn])
def test_the_drawing_has_every_size_and_number_of_channels(model):
    made = model((32, 48, 3), (4, 8, 16))
    figure = plot.network(made, "by hand")
    (axis,) = figure.axes
    texts = [text.get_text() for text in axis.texts]
    assert figure.get_figwidth() == pytest.approx(7.4) and axis.get_title() == "by hand"
    assert {"32x48", "16x24", "8x12", "3", "4", "8", "16", "1"} <= set(texts)
    middles = {round(bar.get_y() + bar.get_height() / 2, 3) for bar in bars_of(axis)}
    assert len(middles) == (3 if model is unet else 1)  # the U goes down, the hourglass does not
    plt.close(figure)


def test_a_padded_model_is_drawn_too():
    figure = plot.network(simple_fcn((31, 47, 3), (4, 4, 4)))
    assert "32x48" in [text.get_text() for text in figure.axes[0].texts]
    plt.close(figure)


def test_a_model_of_any_size_has_none_to_draw():
    with pytest.raises(ValueError, match="build it for one to draw it"):
        plot.network(simple_fcn((None, None, 3), (4, 4, 4)))
