"""Masks and probabilities at each image's own size."""

import numpy as np
from PIL import Image

from unet_tf import data, predict

# --- predict


def test_predictions_come_back_at_each_image_s_own_size(tmp_path):
    """A model that finds red: its mask of a half red image is that half, at any size."""
    paths = []
    for width, height in ((40, 30), (123, 77)):
        pixels = np.zeros((height, width, 3), "uint8")
        pixels[:, : width // 2, 0] = 255
        paths.append(tmp_path / f"{width}.png")
        Image.fromarray(pixels).save(paths[-1])
    found = list(predict.predict(lambda images, training: images[..., :1], paths, (32, 64)))
    assert [mask.shape for mask in found] == [(30, 40), (77, 123)]
    assert found[0].dtype == np.uint8
    np.testing.assert_array_equal(found[0][:, :20], 1)
    np.testing.assert_array_equal(found[0][:, 20:], 0)


def test_probabilities_come_back_bilinearly():
    """Pixel centres: from (0, 1) to four pixels the values are 0, 1/4, 3/4, 1."""
    probability = np.array([[0, 1]], "float32")
    np.testing.assert_allclose(data.resized_back(probability, (1, 4)), [[0, 0.25, 0.75, 1]])
