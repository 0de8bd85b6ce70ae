"""How long a step takes, and how many images it may have."""

import dataclasses
from types import SimpleNamespace

import keras
import pytest
from keras import layers

from unet_tf import protocol
from unet_tf.data import Labels
from unet_tf.plan import timed


def tiny(input_shape, filters):
    """Two layers."""
    image = keras.Input(input_shape)
    hidden = layers.Conv2D(filters[0], 3, padding="same")(image)
    head = layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(hidden)
    return keras.Model(image, head)


@pytest.fixture
def recipe():
    small = protocol.get("guide_unet", filters=(2,) * 5, image_size=(4, 6), batch_size=2)
    return dataclasses.replace(small, build=tiny)


@pytest.mark.parametrize(("precision", "count"), [("float32", 10), ("mixed_bfloat16", 20)])
def test_as_many_images_as_half_of_the_memory_holds(recipe, monkeypatch, precision, count):
    """Of 24 pixels the image has 3 numbers each, the layers 2 and 1: 144 numbers of 4 bytes, or of
    2, in 11520 / 2 bytes."""
    monkeypatch.setattr(timed, "memory", lambda: 11520)
    assert timed.images_that_fit(recipe, Labels.foreground(), precision) == count
    cropped = dataclasses.replace(recipe, image_size=None, crop=(4, 6))
    assert timed.images_that_fit(cropped, Labels.foreground(), precision) == count
    assert keras.config.dtype_policy().name == "float32"


def test_a_step_is_told_as_one_of_eight_images(recipe, monkeypatch):
    monkeypatch.setattr(timed, "seconds_of", lambda function: 1.0)
    assert timed.timed(recipe, Labels.foreground(), (4, 6)) == (8.0, 1.0)  # 2 at a time, twice


def test_a_gpu_has_memory_of_its_own(monkeypatch):
    """Of two the smaller one counts."""
    assert timed.memory() > 2**20
    kinds = [("CPU", 256), ("GPU", 9000), ("GPU", 8000)]
    devices = [SimpleNamespace(device_type=kind, memory_limit=limit) for kind, limit in kinds]
    monkeypatch.setattr(timed.network, "gpus", lambda: ["two", "of them"])
    monkeypatch.setattr(timed.device_lib, "list_local_devices", lambda: devices)
    assert timed.memory() == 8000
