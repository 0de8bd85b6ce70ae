"""A plan of a folder: from its files to a recipe, told, kept and repeated."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unet_tf import doctor, network, plan, protocol
from unet_tf.cli import commands
from unet_tf.files import UserError
from unet_tf.plan import planning


@pytest.fixture
def at_once(monkeypatch):
    """A step takes a second, wherever this runs."""
    monkeypatch.setattr(planning, "timed", lambda *_: (1.0, 0.1))


def test_a_plan_says_what_it_found_and_why(folder, at_once):
    made = plan.plan(doctor.check(folder), minutes=1)
    assert made.recipe == "guide_unet" and made.settings["image_size"] == (24, 36)
    assert "images to train on, 1 minutes" in " ".join(made.text().split())
    assert max(map(len, made.text().splitlines())) <= 102
    protocol.get(made.recipe, **made.settings)


def test_what_is_given_stays_and_the_rest_follows(folder, at_once):
    given = {"image_size": None, "crop": (16, 16), "filters": (4, 8)}
    made = plan.plan(doctor.check(folder), 1, given)
    assert made.settings["crop"] == (16, 16) and made.settings["filters"] == (4, 8)
    assert made.settings["crops"] > 1
    rows = dict(line.split()[:2] for line in made.text().splitlines()[1:] if line[:1].strip())
    assert rows["image_size"] == "native" and rows["images"] == "all" and rows["crop"] == "16x16"


def test_native_size_alone_is_cut_into_crops(folder, at_once):
    """Of 24x36: the largest square of sixteens is 16."""
    made = plan.plan(doctor.check(folder), 1, {"image_size": None})
    assert made.settings["image_size"] is None and made.settings["crop"] == (16, 16)
    protocol.get(made.recipe, **made.settings)


def test_a_crop_alone_decides_about_the_size(folder, at_once):
    """Of 24x36: its masks keep their shape at no less than all of it, where 24 fits."""
    made = plan.plan(doctor.check(folder), 1, {"crop": (24, 16), "crops": 8})
    settings = made.settings
    assert (settings["image_size"], settings["crop"], settings["crops"]) == (None, (24, 16), 8)
    assert not settings["augment"]["quarter_turn"]  # of no square
    protocol.get(made.recipe, **settings)


def test_an_amount_that_is_given_stands_beside_the_planned_ones(folder, at_once):
    own = plan.plan(doctor.check(folder), 1).settings["augment"]
    given = plan.plan(doctor.check(folder), 1, {"augment": {"scale": 0.2}}).settings["augment"]
    assert given == {**own, "scale": 0.2} != own
    assert plan.plan(doctor.check(folder), 1, {"augment": False}).settings["augment"] is False


@pytest.mark.parametrize(("epochs", "every"), [(30, 5), (3, 1), (1, 1)])
def test_epochs_of_two_seconds_are_written_every_fifth_time(folder, at_once, epochs, every):
    made = plan.plan(doctor.check(folder), 1, {"epochs": epochs})
    assert made.save_every == every


def test_a_plan_is_read_as_it_was_written(folder, at_once, tmp_path):
    made = plan.plan(doctor.check(folder), 1, {"loss": network.dice_loss})
    assert "dice_loss " in made.text()
    (tmp_path / "plan.json").write_text(json.dumps(made.record()))
    again = plan.read(tmp_path / "plan.json")
    both = [protocol.get(one.recipe, **one.settings) for one in (made, again)]
    assert both[0] == both[1]


@pytest.mark.parametrize("text", ["", "{}", '{"recipe": 1, "minutes": 2, "choices": [{"a": 1}]}'])
def test_what_is_no_plan_is_named(tmp_path, text):
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(UserError, match=r"mine.json.*plan.json"):
        plan.read(tmp_path / "mine.json")
    with pytest.raises(UserError, match="no such file"):
        plan.read(tmp_path / "none.json")


@pytest.mark.slow
def test_a_folder_is_planned_trained_and_repeated_to_the_bit(folder, monkeypatch, capsys):
    monkeypatch.setattr(planning, "timed", lambda *_: (5.0, 0.1))
    few = ["--set", "filters=4,8", "epochs=2"]
    train = ["train", "--data", str(folder), "--minutes", "1", *few]
    assert commands.main([*train, "--to", "one"]) == 0
    said = capsys.readouterr().out
    assert "The plan:" in said and "(a constant prediction" in said and "left" in said
    again = ["train", "--data", str(folder), "--plan", "one/plan.json", *few, "--to", "two"]
    assert commands.main(again) == 0
    one, two = (json.loads(Path(to, "result.json").read_text()) for to in ("one", "two"))
    assert one["scores"] == two["scores"] and one["settings"] == two["settings"]
    assert commands.main([*train, "--to", "one", "--resume"]) == 0
    assert "This run is in one already" in capsys.readouterr().out


@pytest.mark.slow
def test_many_classes_on_crops_are_planned_trained_and_shown(tmp_path, monkeypatch, capsys):
    """Images of two sizes, three classes: a network that takes any size."""
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / "own" / kind).mkdir(parents=True)
    for number in range(10):
        size = (64, 80) if number % 2 else (80, 64)
        ids = np.zeros(size, "uint8")
        ids[:, : size[1] // 3], ids[20:40, 40:60] = 1, 2
        image = 60 * ids[..., None] + random.integers(0, 40, (*size, 3))
        Image.fromarray(image.astype("uint8")).save(tmp_path / f"own/images/{number}.png")
        Image.fromarray(ids).save(tmp_path / f"own/masks/{number}.png")
    monkeypatch.setattr(planning, "timed", lambda *_: (5.0, 0.1))
    few = ["--image-size", "native", "--set", "filters=4,8", "epochs=2", "--to", "one"]
    assert commands.main(["train", "--data", str(tmp_path / "own"), "--minutes", "1", *few]) == 0
    assert "crops of 64x64" in capsys.readouterr().out
    page = Path("one/report.html").read_text()
    assert "Confusion" in page and "cross_entropy_dice_loss" in page


def test_images_of_12_bits_are_planned_with_their_range(folder, at_once, tmp_path):
    for path in folder.glob("images/*"):
        deep = np.asarray(Image.open(path).convert("L")).astype("uint16") * 16
        Image.fromarray(deep).save(path)
    made = plan.plan(doctor.check(folder), 1)
    assert made.settings["value_range"] == (0, 4095) and "0 to 4095" in made.text()
    (tmp_path / "plan.json").write_text(json.dumps(made.record()))
    again = plan.read(tmp_path / "plan.json")
    assert protocol.get(again.recipe, **again.settings).value_range == (0, 4095)
    given = plan.plan(doctor.check(folder), 1, {"value_range": (0, 9000)})
    assert given.settings["value_range"] == (0, 9000) and "as given" in given.text()
