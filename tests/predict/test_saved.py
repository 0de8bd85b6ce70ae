"""A saved model predicts right with no argument, or asks in a sentence."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from unet_tf import data, predict, protocol
from unet_tf.cli import commands
from unet_tf.data import Card, Labels, read_image
from unet_tf.files import UserError
from unet_tf.network import unet


def red(images, training=False):
    """A model that looks at each pixel alone: its red."""
    return np.asarray(images)[..., :1]


# --- the command


def run(*arguments):
    return commands.main(["predict", *map(str, arguments)])


# --- a model that knows how it is used


@pytest.fixture(scope="module")
def guide_unet(tmp_path_factory):
    """The guide's U-Net, small, of 160x240 as the recipe has it, saved with its card."""
    keras.utils.set_random_seed(0)
    file = tmp_path_factory.mktemp("guide") / "best.keras"
    network = protocol.get("guide_unet").build((160, 240, 3), (2, 4))
    network.save(file)
    noise = np.random.default_rng(0).random((1, 160, 240, 3), "float32")
    middle = round(float(np.median(network(noise, training=False))), 3)  # so that masks hold both
    Card(Labels.foreground("car"), (160, 240), "nearest", middle).write(file)
    return file


def test_a_model_predicts_right_with_no_argument(photographs, guide_unet):
    noise = np.random.default_rng(0).integers(0, 256, (300, 500, 3)).astype("uint8")
    Image.fromarray(noise).save(photographs / "large.png")  # made smaller, both ways differ
    model = predict.load(guide_unet)
    paths = list(predict.named([photographs]))
    forward, threshold = model.forward, model.card.threshold
    expected = list(predict.predict(forward, paths, (160, 240), "nearest", threshold=threshold))
    others = list(predict.predict(forward, paths, (160, 240), "area", threshold=threshold))
    masks = list(model.masks(paths))
    for path, mask, wanted in zip(paths, masks, expected, strict=True):
        assert mask.dtype == np.uint8 and mask.shape == data.size_of(path)
        np.testing.assert_array_equal(mask, wanted)
    assert any((mask != other).any() for mask, other in zip(masks, others, strict=True))
    (one,) = model.masks(str(paths[3]))
    np.testing.assert_array_equal(one, masks[3])
    for ours, theirs in zip(
        predict.probabilities(model, paths),
        predict.probabilities(model.forward, paths, (160, 240), "nearest"),
        strict=True,
    ):
        assert ours.shape == (160, 240)
        np.testing.assert_array_equal(ours, theirs)
    batch = np.zeros((2, 160, 240, 3), "float32")
    assert model(batch, training=False).dtype == np.float32
    assert model(batch).shape == (2, 160, 240, 1)
    with pytest.raises(UserError, match="takes 160x240 alone"):
        model(batch[:, :96, :128])


def test_the_command_predicts_by_the_card(photographs, guide_unet, tmp_path):
    assert run(guide_unet, photographs, "--to", tmp_path / "masks") == 0
    paths = list(predict.named([photographs]))
    for path, mask in zip(paths, predict.load(guide_unet).masks(paths), strict=True):
        with Image.open(tmp_path / f"masks/{path.stem}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), mask * 255)
    record = json.loads((tmp_path / "masks/predict.json").read_text())
    assert record["resize"] == "nearest" and record["image_size"] == [160, 240]
    assert record["threshold"] == predict.load(guide_unet).card.threshold
    assert record["labels"]["names"] == ["background", "car"]


def test_a_model_trained_by_crops_predicts_at_native_size(photographs, tmp_path):
    keras.utils.set_random_seed(0)
    unet((None, None, 3), (2, 4)).save(tmp_path / "crops.keras")
    Card(Labels.foreground(), None).write(tmp_path / "crops.keras")
    model, paths = predict.load(tmp_path / "crops.keras"), list(predict.named([photographs]))
    for path, answer in zip(paths, predict.probabilities(model, paths, batch_size=4), strict=True):
        image = read_image(path)[None].astype("float32") / 255
        np.testing.assert_array_equal(answer, model(image)[0, ..., 0])
    assert [mask.shape for mask in model.masks(paths)] == [data.size_of(path) for path in paths]
    with pytest.raises(UserError, match=r"how large the tiles are.*--image-size"):
        model.tiled()


def test_a_model_without_a_card_asks_in_a_sentence(photographs, tmp_path, capsys):
    """As earlier versions saved them: what they say themselves is taken, the rest asked for."""
    for name, size in (("fixed", (16, 24)), ("any", (None, None))):
        inputs = keras.Input((*size, 3))
        outputs = layers.Conv2D(1, 1, activation="sigmoid")(inputs)
        keras.Model(inputs, outputs).save(tmp_path / f"{name}.keras")
    with pytest.raises(UserError, match=r"without a card: give resize=.*\(--resize\), as in"):
        predict.load(tmp_path / "fixed.keras")
    with pytest.raises(UserError, match=r"give image_size=.*--image-size.* and resize=.*--resize"):
        predict.load(tmp_path / "any.keras")
    assert predict.load(tmp_path / "fixed.keras", resize="nearest").card == Card(
        Labels.foreground(), (16, 24), "nearest"
    )
    assert predict.load(tmp_path / "any.keras", "native").card.image_size is None
    given = predict.load(tmp_path / "any.keras", (8, 12), "area", Labels.foreground("whale"), 0.2)
    assert given.card == Card(Labels.foreground("whale"), (8, 12), "area", 0.2)
    model = tmp_path / "any.keras"
    assert run(model, photographs, "--to", tmp_path / "masks") == 1
    assert "--image-size HxW or native" in capsys.readouterr().err
    options = ("--image-size", "8x12", "--resize", "nearest")
    assert run(model, photographs, "--to", tmp_path / "masks", *options) == 0
    assert run(model, photographs, "--to", tmp_path / "native", "--image-size", "native") == 0
    assert run(tmp_path / "fixed.keras", photographs, "--to", tmp_path / "tiles", "--tiles") == 0


@pytest.mark.parametrize("size", [(96, 128), "native", None, "small"])
def test_a_model_of_one_size_refuses_another(photographs, model_file, size):
    said = "image_size is" if size == "small" else "takes 16x24 alone"
    with pytest.raises(UserError, match=said):
        predict.load(model_file, size)
    for model in (predict.load(model_file), predict.load(model_file).model):
        with pytest.raises(UserError, match=said):
            list(predict.predict(model, photographs / "photo0.png", size))


def test_a_bare_callable_is_told_the_size(photographs):
    paths = list(predict.named([photographs]))
    for function in (predict.predict, predict.probabilities):
        with pytest.raises(UserError, match=r"how large its images are: give image_size"):
            list(function(red, paths))
        with pytest.raises(UserError, match="image_size is"):
            list(function(red, paths, "native size"))
    # Images of several sizes, many at a time: each by itself.
    found = list(predict.probabilities(red, paths, "native", batch_size=4))
    assert [answer.shape for answer in found] == [data.size_of(path) for path in paths]
    with pytest.raises(UserError, match="answers 3 channels, its labels want 1"):
        list(predict.predict(lambda images, training: images, paths, (16, 24)))


def test_networks_load_without_their_code_being_imported_first(tmp_path):
    """A U-Net that pads has layers of the project: `predict` alone knows them."""
    unet((21, 29, 3), (2, 4)).save(tmp_path / "padded.keras")
    Card(Labels.foreground(), (21, 29)).write(tmp_path / "padded.keras")
    script = f"from unet_tf import predict; print(predict.load({str(tmp_path / 'padded.keras')!r}))"
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ, capture_output=True)


def test_a_model_in_memory_is_known_by_its_weights(photographs, model_file, tmp_path):
    first = predict.load(model_file)
    model = keras.models.clone_model(first.model)
    paths = list(predict.named([photographs]))
    list(predict.to_folder(predict.Predictor(first.model, first.card), paths, tmp_path / "masks"))
    same = predict.Predictor(first.model, first.card)
    outcomes = predict.to_folder(same, paths, tmp_path / "masks")
    assert {outcome for _, outcome in outcomes} == {predict.KEPT}
    with pytest.raises(ValueError, match=r"other settings was here .model: "):
        list(predict.to_folder(predict.Predictor(model, first.card), paths, tmp_path / "masks"))


def test_labels_of_another_number_than_the_channels(model_file):
    with pytest.raises(ValueError, match="answers 1 channels, these labels want 3"):
        predict.load(model_file, labels=Labels(("a", "b", "c")))
