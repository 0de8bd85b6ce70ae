"""Regions that count, in training and score: what lies outside teaches nothing."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from PIL import Image

from unet_tf import network, scores
from unet_tf.cli import commands
from unet_tf.data import Labels

TRUTH = np.array([[1, 0], [255, 255]], "float32").reshape(1, 2, 2, 1)


def test_void_adds_nothing_to_loss_and_metric():
    """One pixel found at 0.8, one rightly not at 0.1, two void ones, whatever is said of them."""
    loss = network.WithVoid(network.bce_dice_loss)
    for void in (0.0, 0.3, 1.0):
        said = np.array([[0.8, 0.1], [void, void]], "float32").reshape(1, 2, 2, 1)
        cross_entropy = -(np.log(0.8) + np.log(0.9)) / 4
        dice = (2 * 0.8 + network.SMOOTH) / (1 + 0.9 + network.SMOOTH)
        assert float(loss(TRUTH, said)) == pytest.approx(cross_entropy + 1 - dice, abs=1e-5)
        assert float(network.metric_for(1, void=True)(TRUTH, said)) == 1


def test_void_has_no_gradient_and_a_flat_sigmoid_has_one():
    """Logits of 40, wrong or void: cross-entropy's slope by them is 1 of 4 pixels, or nothing."""
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Activation("sigmoid")])
    logits = keras.Variable(np.full((1, 2, 2, 1), 40.0, "float32"))
    with tf.GradientTape() as tape:
        said = model(logits.value)
        value = network.WithVoid(network.bce_dice_loss)(TRUTH, said)
    slope = ops.convert_to_numpy(tape.gradient(value, logits.value))[0, ..., 0]
    assert slope[0, 1] == pytest.approx(0.25, abs=1e-3)
    assert (slope[1] == 0).all()


def test_a_model_with_it_loads_again(tmp_path):
    inputs = keras.Input((2, 2, 1))
    model = keras.Model(inputs, layers.Activation("sigmoid")(layers.Conv2D(1, 1)(inputs)))
    metrics = [network.metric_for(1, void=True)]
    model.compile("adam", network.WithVoid(network.dice_loss), metrics=metrics)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.loss is network.dice_loss


@pytest.fixture
def folder(tmp_path):
    """Twelve images, bright on the left, where the masks are white; the lower half does not count,
    and there masks say the reverse."""
    random = np.random.default_rng(0)
    for kind in ("images", "masks", "fov"):
        (tmp_path / "own" / kind).mkdir(parents=True)
    for number in range(12):
        mask, region = np.zeros((32, 32), "uint8"), np.zeros((32, 32), "uint8")
        pixels = random.integers(0, 60, (32, 32, 3)).astype("uint8")
        pixels[:, :16] += 150
        mask[:16, :16] = mask[16:, 16:] = region[:16] = 255
        Image.fromarray(pixels).save(tmp_path / f"own/images/{number}.png")
        Image.fromarray(mask).save(tmp_path / f"own/masks/{number}.png")
        Image.fromarray(region).save(tmp_path / f"own/fov/{number}_fov.png")
    return tmp_path / "own"


SETTINGS = ("filters=8,16", "crops=1", "augment=false", "image_size=32,32", "epochs=12")


@pytest.mark.slow
def test_training_and_score_leave_out_what_does_not_count(folder, tmp_path, capsys):
    """With the region all can be learnt; without it every second pixel says the reverse."""
    command = ["train", "--data", str(folder), "--recipe", "article_simple", "--precision"]
    command += ["float32", "--set", *SETTINGS, "batch_size=4", "learning_rate=0.01", "patience=12"]
    to = tmp_path / "with"
    assert commands.main([*command, "--to", str(to), "--region", "fov"]) == 0
    capsys.readouterr()
    result = json.loads((to / "result.json").read_text())
    assert result["settings"]["region"] == "fov" and result["regions"]
    assert result["scores"]["dice"] > 0.95
    assert result["scores"]["baseline"] == 1  # the mask is the same in all of them
    assert commands.main(["score", str(to / "best.keras"), str(folder), "--region", "fov"]) == 0
    assert f"{result['scores']['dice']:.4f}" in capsys.readouterr().out
    assert commands.main(["score", str(to / "best.keras"), str(folder)]) == 0
    assert "trained within fov alone" in capsys.readouterr().out
    # Another region is another training.
    Image.fromarray(np.full((32, 32), 255, "uint8")).save(folder / "fov/0_fov.png")
    assert commands.main([*command, "--to", str(to), "--region", "fov", "--resume"]) == 1
    assert "regions" in capsys.readouterr().err


def test_the_threshold_is_chosen_where_pixels_count(tmp_path):
    mask = np.array([[255, 0], [0, 0]], "uint8")
    Image.fromarray(mask).save(tmp_path / "a.png")
    probability = np.array([[0.4, 0.2], [0.9, 0.9]], "float32")

    def read(path):
        return np.array([[1, 0], [255, 255]], "uint8")

    pairs = [(tmp_path / "a.png", tmp_path / "a.png")]
    best, dices = scores.best_threshold(pairs, [probability], [0.3, 0.5], read)
    assert best == 0.3 and dices.tolist() == [1, 0]
    assert Labels.foreground().binary
