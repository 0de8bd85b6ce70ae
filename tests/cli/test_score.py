"""The command `score`: a model, or masks, on a labelled folder."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from unet_tf import data, predict, protocol, scores
from unet_tf.cli import commands
from unet_tf.data import Card, Labels


def run(*arguments):
    return commands.main(["score", *map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of ten patients of two slices, 24x36, the run of a small model on it, and its
    result."""
    place, random = tmp_path_factory.mktemp("trained"), np.random.default_rng(0)
    for kind in ("images", "masks"):
        (place / "own" / kind).mkdir(parents=True)
    for number in range(20):
        mask = np.zeros((24, 36), "uint8")
        top, left = random.integers(2, 8, 2)
        mask[top : top + 12, left : left + 20] = 1
        pixels = random.integers(60, 120, (24, 36, 3)) + 120 * mask[..., None]
        name = f"patient{number // 2}_slice{number % 2}.png"
        Image.fromarray(pixels.astype("uint8")).save(place / "own/images" / name)
        Image.fromarray(mask * 255).save(place / "own/masks" / name)
    settings = {"filters": (4, 8), "image_size": (16, 24), "epochs": 2, "batch_size": 3}
    recipe = protocol.get("article_simple", **settings, learning_rate=0.01)
    options = {"to": place / "run", "precision": "float32", "verbose": 0}
    return place, protocol.run(recipe, place / "own", **options)


def test_a_run_s_folder_gives_its_own_test_part_and_its_own_scores(trained, tmp_path, capsys):
    place, result = trained
    capsys.readouterr()
    assert run(place / "run/best.keras", place / "own", "--json", tmp_path / "report.json") == 0
    out = capsys.readouterr().out
    parts = result["split"]["images"]
    seen = parts["train"] + parts["validation"]
    assert f"{seen} of 20 images have trained this model or chosen its epoch: left out" in out
    assert f"best.keras, {parts['test']} images of" in out
    assert "| dice of the foreground, mean of the images |" in out and "Carvana" not in out
    found = json.loads((tmp_path / "report.json").read_text())["scores"]
    own = {name: value for name, value in result["scores"].items() if "chosen" not in name}
    assert found.keys() == own.keys()
    for name in own.keys() - {"worst", "median", "foreground"}:
        assert found[name] == pytest.approx(own[name], abs=1e-6), name
    assert [row["image"] for row in found["worst"]] == [row["image"] for row in own["worst"]]
    # The masks that the run has written say the same.
    masks = scores.of_masks(place / "run/predictions", place / "own")
    for name in ("dice", "dice_interval", "iou", "sensitivity", "specificity", "boundary_f1"):
        assert masks[name] == pytest.approx(own[name], abs=1e-6), name
    model = predict.load(place / "run/best.keras")  # in Python
    assert predict.scored(model, place / "own")["dice"] == found["dice"]


def test_what_was_seen_is_scored_only_when_asked_for(trained, capsys):
    place, result = trained
    model, folder = place / "run/best.keras", place / "own"
    assert run(model, folder, "--part", "train") == 1
    assert "have trained this model or chosen its epoch, and their scores" in (
        capsys.readouterr().err
    )
    assert run(model, folder, "--part", "train", "--seen") == 0
    count = result["split"]["images"]["train"]
    assert f"best.keras, {count} images of" in capsys.readouterr().out
    assert run(model, folder, "--part", "all", "--seen", "--all") == 0
    out = capsys.readouterr().out
    assert "best.keras, 20 images of" in out and "the Carvana competition" in out


def test_a_model_of_earlier_days_does_not_say_what_it_has_seen(trained, tmp_path, capsys):
    place, _ = trained
    keras.saving.load_model(place / "run/best.keras", compile=False).save(tmp_path / "old.keras")
    Card(Labels.foreground("whale"), (16, 24), trained_on={"images": 12}).write(
        tmp_path / "old.keras"
    )
    assert run(tmp_path / "old.keras", place / "own") == 0
    out = capsys.readouterr().out
    assert "does not say which images it was trained on" in out
    assert "old.keras, 20 images of" in out and "dice of the whale" in out
    assert "constant prediction" not in out


@pytest.fixture
def red(tmp_path):
    """A model that calls red what is red, of any size, and two images whose red right half is the
    mask; one of them with a red pixel too many in a corner that does not count."""
    inputs = keras.Input((None, None, 3))
    outputs = layers.Conv2D(1, 1, activation="sigmoid", name="red")(inputs)
    model = keras.Model(inputs, outputs)
    model.set_weights([np.array([20.0, 0, 0]).reshape(1, 1, 3, 1), np.array([-12.0])])
    model.save(tmp_path / "red.keras")
    Card(Labels.foreground("vessel"), None).write(tmp_path / "red.keras")
    for kind in ("images", "masks", "fov"):
        (tmp_path / "own" / kind).mkdir(parents=True)
    for name in ("a", "b"):
        pixels, counts = np.zeros((8, 12, 3), "uint8"), np.full((8, 12), 255, "uint8")
        pixels[:, 6:, 0] = 255
        Image.fromarray(pixels[..., 0]).save(tmp_path / f"own/masks/{name}.png")
        pixels[0, 0, 0], counts[:2, :2] = 255 * (name == "b"), 0
        Image.fromarray(pixels).save(tmp_path / f"own/images/{name}.png")
        Image.fromarray(counts).save(tmp_path / f"own/fov/{name}_fov.png")
    return tmp_path


@pytest.mark.parametrize("options", [(), ("--flips", "both"), ("--tiles", "--image-size", "4x6")])
def test_a_model_by_hand_with_flips_tiles_and_a_region(red, options, capsys):
    """48 pixels of each are red; of b one more, where nothing counts."""
    assert run(red / "red.keras", red / "own", *options) == 0
    dice = (1 + 2 * 48 / 97) / 2
    out = capsys.readouterr().out
    assert f"| dice of the vessel, mean of the images | {dice:.4f} | {2 * 48 / 97:.4f} to 1" in out
    assert f"| specificity: the share of all else that is not called so | {95 / 96:.4f} |" in out
    assert run(red / "red.keras", red / "own", *options, "--region", "fov/*.png") == 0
    out = capsys.readouterr().out
    assert "| dice of the vessel, mean of the images | 1.0000 |" in out
    assert "| specificity: the share of all else that is not called so | 1.0000 |" in out


def test_a_folder_of_a_test_part_alone_is_enough_to_score(red, capsys):
    for kind in ("images", "masks"):
        (red / "own" / kind).rename(red / f"test_{kind}")
        (red / "own/test").mkdir(exist_ok=True)
        (red / f"test_{kind}").rename(red / "own/test" / kind)
    assert run(red / "red.keras", red / "own") == 0
    assert "red.keras, 2 images of" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no training part: call one train"):
        data.pair(red / "own")


def test_a_threshold(red, capsys):
    """From a probability of 0 on all is foreground."""
    assert run(red / "red.keras", red / "own", "--threshold", "0") == 0
    out = capsys.readouterr().out
    assert "| sensitivity: the share of the vessel that is found | 1.0000 |" in out
    assert "| specificity: the share of all else that is not called so | 0.0000 |" in out


def test_masks_without_tensorflow(red):
    model = predict.load(red / "red.keras")
    list(predict.to_folder(model, list(predict.named([red / "own/images"])), red / "made"))
    script = "import sys; from unet_tf.cli import main; assert main(sys.argv[1:]) == 0; "
    script += "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    words = ["score", red / "made", red / "own", "--classes", "background", "vessel"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (
        f"| dice of the vessel, mean of the images | {(1 + 2 * 48 / 97) / 2:.4f} |" in done.stdout
    )


def test_options_that_do_not_go_together(red, capsys):
    (red / "made").mkdir()
    assert run(red / "made", red / "own", "--flips", "both") == 1
    assert "--flips is for a model" in capsys.readouterr().err
    assert run(red / "red.keras", red / "own", "--classes", "a", "b") == 1
    assert "--classes names the classes of masks" in capsys.readouterr().err
    assert run(red / "nowhere.keras", red / "own") == 1
    assert "nowhere.keras: there is no such file" in capsys.readouterr().err


def test_many_classes(tmp_path, capsys):
    """Red is road, green is grass, by a softmax; the table of the folder has them in colours."""
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(inputs))
    model.set_weights([np.eye(3, 2).reshape(1, 1, 3, 2) * 9, np.zeros(2)])
    model.save(tmp_path / "two.keras")
    labels = Labels(("road", "grass"), ((9, 9, 9), (0, 99, 0)))
    Card(labels, None).write(tmp_path / "two.keras")
    data.write_table(tmp_path / "own/classes.csv", labels)
    for part in ("train", "test"):
        for name in (part, f"{part}_labels"):
            (tmp_path / "own" / name).mkdir()
        pixels = np.zeros((2, 4, 3), "uint8")
        pixels[:, :3, 0], pixels[:, 3:, 1] = 255, 255
        Image.fromarray(pixels).save(tmp_path / f"own/{part}/{part}.png")
        mask = np.zeros((2, 4), "uint8")
        mask[:, 2:] = 1  # six pixels are called road, of which two are grass
        Image.fromarray(np.array(labels.colours, "uint8")[mask]).save(
            tmp_path / f"own/{part}_labels/{part}.png"
        )
    assert run(tmp_path / "two.keras", tmp_path / "own") == 0
    out = capsys.readouterr().out
    assert "two.keras, 1 images of" in out  # the test part alone
    assert f"| IoU of road | {4 / 6:.4f} | {1:.4f} |  | 50.00% of the pixels |" in out
    assert f"| IoU of grass | {2 / 4:.4f} | {1:.4f} |" in out
    assert f"summed over all images | {(4 / 6 + 2 / 4) / 2:.4f} | {1:.4f} |" in out
