"""The card in a `.keras` file: there and back, and what is refused."""

import json
import zipfile

import keras
import pytest
from keras import layers

from unet_tf.data import Card, Labels
from unet_tf.data.card import NAME
from unet_tf.files import UserError

LABELS = Labels(("sky", "road"), ((0, 0, 255), (90, 90, 90)), void=(1, 2, 3))


@pytest.fixture
def file(tmp_path):
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(inputs)).save(
        tmp_path / "a.keras"
    )
    return tmp_path / "a.keras"


@pytest.mark.parametrize(
    "card",
    [
        Card(LABELS, (160, 240), "nearest", trained_on={"recipe": "mine", "images": 3}),
        Card(Labels.foreground("whale"), None, threshold=0.3),
        Card(Labels.foreground("cell"), None, value_range=(0, 4095)),
    ],
)
def test_there_and_back(file, card):
    assert Card.read(file) is None
    card.write(file)
    assert Card.read(file) == card
    keras.saving.load_model(file)  # it still loads
    assert card.record()["task"] == ("binary" if card.labels.binary else "classes")


@pytest.mark.parametrize("size", ["native", None, (8, 12), [8, 12]])
def test_sizes(size):
    assert Card(LABELS, size).image_size == (None if size in ("native", None) else (8, 12))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"image_size": "8x12"}, "image_size is"),
        ({"image_size": 8}, "image_size is"),
        ({"image_size": (8, 0)}, "image_size is"),
        ({"image_size": (8.5, 8)}, "image_size is"),
        ({"image_size": (8, 8, 3)}, "image_size is"),
        ({"resize": "bicubic"}, 'resize is "area" or "nearest"'),
        ({"threshold": 50}, "threshold is a number from 0 to 1"),
        ({"value_range": 5}, "value_range is 5"),
        ({"value_range": (1, 2, 3)}, "value_range is"),
        ({"value_range": "0-4095"}, "value_range is"),
        ({"value_range": (9, 9)}, r"value_range is \(9, 9\), but has to be \(low, high\)"),
    ],
)
def test_what_is_no_card(setting, said):
    with pytest.raises(UserError, match=said):
        Card(**{"labels": LABELS, "image_size": (8, 8), **setting})


@pytest.mark.parametrize(
    "change",
    [
        {"scaling": "mean 0, deviation 1"},
        {"resize": "lanczos"},
        {"rotation": 90},
        {"labels": {"names": ["a", "b"], "depth": 3}},
    ],
)
def test_a_card_of_a_later_version_is_refused(file, change):
    Card(LABELS, (8, 8)).write(file)
    with zipfile.ZipFile(file, "a") as archive:
        record = json.loads(archive.read(NAME))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(NAME, json.dumps(record | change))
    with pytest.raises(UserError, match=r"a\.keras: its card cannot be read"):
        Card.read(file)


def test_a_card_without_a_range_is_read_by_earlier_versions():
    assert "value_range" not in Card(LABELS, (8, 8)).record()


def test_a_damaged_file(file):
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(UserError, match="damaged"):
        Card.read(file)
