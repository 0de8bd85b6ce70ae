"""What the tests of this room share."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from unet_tf.data import Card, Labels


@pytest.fixture
def photographs(tmp_path):
    """Seven images, 40x60 and smaller: a red block on dark noise."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(7):
        height, width = 40 - number, 60 + number
        pixels = random.integers(0, 90, (height, width, 3)).astype("uint8")
        pixels[5 : 20 + number, 8:40, 0] = 255
        Image.fromarray(pixels).save(folder / f"photo{number}.png")
    return folder


@pytest.fixture
def model_file(tmp_path):
    """A model of 16x24 that calls red what is red."""
    inputs = keras.Input((16, 24, 3))
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(inputs)
    model = keras.Model(inputs, outputs)
    model.set_weights([np.array([20.0, 0, 0]).reshape(1, 1, 3, 1), np.array([-12.0])])
    model.save(tmp_path / "red.keras")
    Card(Labels.foreground("car"), (16, 24)).write(tmp_path / "red.keras")
    return tmp_path / "red.keras"
