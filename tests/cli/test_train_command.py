"""The commands `train` and `reproduce`."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, doctor, network, plan, predict, protocol, rendered
from unet_tf.cli import commands
from unet_tf.plan import planning, rules


def test_a_seed_and_a_folder_that_cannot_be(tmp_path, capsys):
    with pytest.raises(SystemExit):
        commands.main(["train", "--seed", "-1"])
    assert "argument --seed: '-1' is no whole number from 0" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    cars = rendered.write("cars", tmp_path / "cars", cars=3, test_cars=0, size=(48, 32))
    command = f"train --recipe guide_unet --no-check --data {cars} --to {tmp_path}/file"
    assert commands.main(command.split()) == 1
    assert "file: no folder can be made there" in capsys.readouterr().err


# --- the command line


@pytest.fixture
def untrained(folder, monkeypatch):
    """`train` up to the training: a function from words of the command line to the recipe."""
    trained = []
    monkeypatch.setattr(planning, "timed", lambda *_: (5.0, 0.1))
    monkeypatch.setattr(protocol, "run", lambda recipe, *_, **__: trained.append(recipe))
    monkeypatch.setattr("unet_tf.cli.train.print_scores", lambda *_: None)

    def recipe(words, to="one"):
        command = f"train --data {folder} --to {to} {words}"
        return trained.pop() if commands.main(command.split()) == 0 else None

    return recipe


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("--set crop=16,16 crops=8", {"crop": (16, 16), "crops": 8}),
        ("--image-size 0.75", {"image_size": 0.75, "crop": (16, 16)}),
        ("--image-size native --set crop=None", {"image_size": None, "crop": None}),
        ("--set image_size=[16,24]", {"image_size": (16, 24), "crop": None}),
        ("--set loss=dice_loss", {"loss": network.dice_loss}),
        ("--set augment.vertical_flip=0.1", {"augment": {"vertical_flip": 0.1, "rotation": 0.01}}),
        ("--set augment=false", {"augment": False}),
        ("--set crop=none", {"crop": None, "image_size": (24, 36)}),
        ("--set monitor=val_loss --epochs 3", {"monitor": "val_loss", "epochs": 3, "patience": 3}),
    ],
)
def test_one_setting_is_given_and_the_others_follow(untrained, words, settings):
    """And plan.json repeats all of them."""
    recipe = untrained(f"--minutes 1 {words}")
    for name, value in settings.items():
        found = getattr(recipe, name)
        assert found == value or (name == "augment" and found.items() >= value.items())
    assert untrained("--plan one/plan.json", "two") == recipe
    again = untrained("--plan two/plan.json --set epsilon=1e-3", "three")
    assert again == protocol.changed(recipe, epsilon=1e-3)
    assert untrained("--plan three/plan.json", "four") == again


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--set crops=many", "crops is 'many'"),
        ("--set crps=3", "did you mean crops?"),
        ("--set validation_size=0.6 test_size=0.5", "nothing is left for training"),
        ("--image-size 96x128 --set crop=64,64", "image_size has to be None"),
        ("--image-size 0.5 --set crop=None", "a share of the images' own size: that is for crops"),
        ("--set crop=64,32 augment.quarter_turn=0.5", "quarter turns want square"),
        ("--set augment=false augment.scale=0.1", "augment is given twice"),
        ("--set class_names=1,2", "class_names is (1, 2)"),
        ("--set loss=dice_loss loss=bce_dice_loss", "loss is given twice: dice_loss and bce"),
        ("--plan nowhere.json", "nowhere.json: there is no such file"),
        ("--plan nowhere.json --recipe guide_unet", "--plan has a recipe of its own"),
        ("--as-written --set crops=2", "2 crops of an image, but no crop"),
    ],
)
def test_what_no_recipe_takes_is_found_before_the_data(tmp_path, capsys, words, reason):
    command = f"train --data {tmp_path}/nowhere {words}"
    assert commands.main(command.split()) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.slow
def test_of_several_processes_the_first_writes_for_all(folder, tmp_path, capsys, monkeypatch):
    settings = "--recipe guide_unet --image-size 24x36 --epochs 1 --seeds 1 --set filters=4,8"
    for own in (1, 0):
        monkeypatch.setattr("unet_tf.network.processes", lambda own=own: (2, own))
        command = f"reproduce --data {folder} {settings} --batch-size 4 --to both"
        assert commands.main(command.split()) == 0
        assert (tmp_path / "both").exists() == (own == 0)
    written = [path.name for path in tmp_path.glob("both/*") if path.is_file()]
    assert sorted(written) == ["guide_unet-corrected.json", "table.md"]
    assert (tmp_path / "both/guide_unet-corrected/seed0/best.keras").exists()


@pytest.mark.slow
def test_train_and_reproduce(folder, tmp_path, capsys):
    settings = f"--data {folder} --image-size 24x36 --epochs 1 --batch-size 8 --precision float32"
    settings += " --set filters=4,8"
    assert commands.main(f"train --recipe article_simple --quick {settings} --to one".split()) == 0
    assert "best.keras" in os.listdir("one")
    assert commands.main(f"reproduce {settings} --seeds 2 --to two".split()) == 0
    table = (tmp_path / "two/table.md").read_text()
    assert table.count("blocks, 24 images of 36x24") == 2
    assert "(2 seeds)" in table
    assert table in capsys.readouterr().out
    record = json.loads((tmp_path / "two/article_unet-corrected.json").read_text())
    assert [run["seed"] for run in record["runs"]] == [0, 1]
    assert record["scores"]["dice"]["spread"] >= 0


def test_errors_are_one_sentence_and_exit_status_1(tmp_path, capsys):
    assert commands.main(["data", "--data", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {tmp_path}: no images and masks")
    assert "Traceback" not in captured.err


@pytest.mark.slow
def test_a_broken_image_is_named_without_a_traceback(folder, capsys):
    """Whole at both ends, so that only decoding finds it."""
    path = sorted(folder.glob("images/*.png"))[5]
    whole = bytearray(path.read_bytes())
    whole[200:400] = bytes(200)
    path.write_bytes(whole)
    command = f"train --recipe article_simple --quick --data {folder} --image-size 24x36 --no-check"
    assert commands.main(command.split()) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert path.name in error
    assert "Replace the file" in error


@pytest.mark.parametrize("text", ["0-4095", "1,2,3", "9,9", "7"])
def test_a_range_that_is_none(folder, capsys, text):
    assert commands.main(f"train --data {folder} --set value_range={text}".split()) == 1
    assert "value_range is" in capsys.readouterr().err


def test_a_plan_s_range_is_that_of_the_images_or_named(folder, capsys, monkeypatch):
    """A plan of 8 bits takes the range that is found; one of another range is refused."""
    monkeypatch.setattr(planning, "timed", lambda *_: (1.0, 0.1))
    made = plan.plan(doctor.check(folder), 1)
    for path in folder.glob("images/*"):
        pixels = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(pixels.astype("uint16") * 16).save(path)
    Path("eight.json").write_text(json.dumps(made.record()))
    choice = rules.Choice("value_range", (0, 65535), "", "")
    record = made._replace(choices=[*made.choices, choice]).record()
    Path("sixteen.json").write_text(json.dumps(record))
    ranges = []
    monkeypatch.setattr(
        protocol, "run", lambda recipe, *_, **how: ranges.append(recipe.value_range)
    )
    monkeypatch.setattr("unet_tf.cli.train.print_scores", lambda *_: None)
    command = f"train --data {folder} --to run --plan"
    assert commands.main([*command.split(), "eight.json"]) == 0
    assert commands.main([*command.split(), "sixteen.json"]) == 1
    said = "the plan reads numbers from 0 to 65535, these images want 0 to 4095"
    assert said in capsys.readouterr().err
    named = ["sixteen.json", "--set", "value_range=0,9000"]
    assert commands.main([*command.split(), *named]) == 0
    assert ranges == [(0, 4095), (0, 9000)]


@pytest.mark.slow
def test_images_of_12_bits_are_trained_scored_predicted_and_explained_by_one_range(folder, capsys):
    """As the same in 8 bits would be: also by a recipe, and when the run goes on."""
    eight = {path: np.asarray(Image.open(path).convert("L")) for path in folder.glob("images/*")}
    for path, pixels in eight.items():
        Image.fromarray(pixels.astype("uint16") * 16).save(path)
    settings = f"--data {folder} --image-size 24x36 --batch-size 8 --precision float32"
    settings += " --recipe article_simple --quick --set filters=4,8 --to run"
    assert commands.main(f"train {settings} --epochs 1".split()) == 0
    assert commands.main(f"train {settings} --epochs 2 --resume".split()) == 0
    model = predict.load("run/best.keras")
    assert model.card.value_range == (0, 4095)
    assert json.loads(Path("run/result.json").read_text())["settings"]["value_range"] == [0, 4095]
    assert (
        commands.main(f"predict run/best.keras {folder}/images --to masks --overlays".split()) == 0
    )
    for scored in Path("run/predictions").glob("*.png"):
        assert scored.read_bytes() != b"" and np.array_equal(
            np.asarray(Image.open(scored)), np.asarray(Image.open(f"masks/{scored.name}"))
        )
    path = min(eight)
    read = data.read_image(path, model.card.value_range)[..., 0].astype(int)
    assert np.abs(read - eight[path] / 255 * 4080 / 4095 * 255).max() <= 0.5 + 1e-3
    shown = doctor.explain(model, path).image
    np.testing.assert_allclose(shown[..., 0], read / 255, atol=1e-6)
    Image.fromarray((read * 257).astype("uint16")).save(path)  # of all 16 bits
    assert commands.main(f"predict run/best.keras {path} --to others".split()) == 1
    assert f"{path.name}: its numbers go from" in capsys.readouterr().err
