"""The resize inside an exported graph against the project's own."""

import numpy as np
import pytest
import tensorflow as tf

from unet_tf import data
from unet_tf.export.resizing import Preprocessing, by_area, by_nearest, size_at

# Wider than high: Pillow, whatever its version, then takes the width first.
SIZES = (
    ((320, 480), (96, 128)),
    ((100, 333), (37, 41)),
    ((64, 96), (16, 24)),
    ((90, 120), (9, 60)),
)
SIZES += (((1280, 1918), (96, 128)), ((30, 45), (96, 128)), ((50, 200), (50, 77)))


def pixels(height, width):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype("uint8")


@pytest.mark.parametrize(("own", "size"), SIZES)
@pytest.mark.parametrize(("how", "resize"), [("area", by_area), ("nearest", by_nearest)])
def test_it_is_the_project_s_own_to_the_last_bit(own, size, how, resize):
    image = pixels(*own)
    found = resize(tf.constant(image[None]), tf.constant(size)).numpy()
    np.testing.assert_array_equal(found[0], data.resized(image, size, how))


@pytest.mark.parametrize("own", [(480, 320), (333, 100), (900, 40)])
def test_a_tall_image_differs_by_the_rounding_between_two_passes_at_most(own):
    image, size = pixels(*own), (30, 20)
    found = by_area(tf.constant(image[None]), tf.constant(size)).numpy()
    assert np.abs(found[0] - data.resized(image, size)).max() <= 1


@pytest.mark.parametrize("image_size", [None, 0.5, 0.33, (10, 20)])
@pytest.mark.parametrize("own", [(11, 25), (96, 128), (5, 5)])
def test_sizes_are_those_of_the_card(image_size, own):
    found = size_at(image_size, tf.constant([1, *own, 3]))
    assert tuple(found.numpy()) == tuple(data.size_at(image_size, own))


def test_several_images_at_once_are_as_one_by_one():
    images = np.stack([pixels(20, 30), pixels(20, 30)[::-1]])
    layer = Preprocessing((8, 9), "area")
    both = layer(images).numpy()
    assert both.max() <= 1
    for one, image in zip(both, images, strict=True):
        np.testing.assert_allclose(one, data.resized(image, (8, 9)) / 255, atol=1e-7)
