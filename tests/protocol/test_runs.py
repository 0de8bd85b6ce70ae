"""Runs of recipes: what goes on, what is cleared, who may write, what is put back."""

import fcntl
import json
import random

import keras
import numpy as np
import pytest
from PIL import Image
from tensorflow.python.framework import config

from unet_tf import data, doctor, protocol
from unet_tf.cli import commands
from unet_tf.files import UserError
from unet_tf.protocol import identity, runs, trained
from unet_tf.training import state_in

OWN = ("best.keras", "state.npz", "log.csv")


@pytest.fixture
def folder(tmp_path):
    """Ten cars of one view, 16x24: a bright block on noise; the block is the mask."""
    numbers = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / "blocks" / kind).mkdir(parents=True)
    for car in range(10):
        mask = np.zeros((16, 24), "uint8")
        top, left = numbers.integers(1, 6, 2)
        mask[top : top + 8, left : left + 12] = 1
        image = numbers.integers(60, 120, (16, 24, 3)) + 120 * mask[..., None]
        Image.fromarray(image.astype("uint8")).save(tmp_path / f"blocks/images/{car:012x}_01.png")
        Image.fromarray(mask * 255).save(tmp_path / f"blocks/masks/{car:012x}_01_mask.png")
    return tmp_path / "blocks"


SMALL = {"filters": (4, 8), "image_size": (16, 24), "batch_size": 4}


def run(folder, to, epochs=1, **settings):
    recipe = protocol.get("article_simple", **SMALL, epochs=epochs)
    return protocol.run(recipe, folder, to=to, precision="float32", verbose=0, **settings)


def command(folder, to, *more):
    """`train` of that recipe by the command line: its exit status."""
    words = ["train", "--data", str(folder), "--to", str(to), "--precision", "float32", *more]
    words += ["--image-size", "16x24", "--batch-size", "4", "--set", "filters=4,8"]
    return commands.main(words)


def files_in(folder):
    return sorted(path.name for path in folder.glob("[!.]*"))


class Killed(BaseException):
    pass


def killed(*_, **settings):
    raise Killed


@pytest.mark.slow
def test_a_new_run_clears_what_an_old_one_left(folder, tmp_path, monkeypatch):
    to = tmp_path / "run"
    (to / "predictions").mkdir(parents=True)
    old = ("predictions/a.png", "result.json", "picture.png", "confusion.png", "classes.csv")
    old += (*OWN, "best.improved.keras", "mlflow.json", ".partial-abc-result.json")
    for name in old:
        (to / name).write_text("{}")
    monkeypatch.setattr(trained, "fit", killed)  # refused, or killed, before training
    with pytest.raises(Killed):
        run(folder, to)
    assert {name for name in old if (to / name).exists()} == set(old)
    monkeypatch.undo()
    monkeypatch.setattr(runs, "judged", killed)  # killed behind it
    with pytest.raises(Killed):
        run(folder, to)
    assert files_in(to) == sorted(OWN)
    assert not list(to.glob(".partial-*"))
    monkeypatch.undo()
    result = run(folder, to, resume=True)  # scores what was trained
    assert result["epochs"] == 1 and (to / "predictions").is_dir()


@pytest.mark.slow
def test_a_renamed_data_folder_goes_on(folder, tmp_path):
    to = tmp_path / "run"
    run(folder, to)
    first = (to / "log.csv").read_text()
    folder = folder.rename(tmp_path / "photos")
    done = run(folder, to, resume=True)
    assert done["data"] == "blocks"  # it is done, and not repeated
    result = run(folder, to, epochs=2, resume=True)
    assert (result["data"], result["epochs"]) == ("photos", 2)
    assert (to / "log.csv").read_text().startswith(first)
    image = next((folder / "images").iterdir())  # but of other contents it is another run
    with Image.open(image) as photo:
        pixels = np.asarray(photo)
    Image.fromarray(pixels[::-1]).save(image)
    with pytest.raises(ValueError, match=r"holds another run, which is done \(files\."):
        run(folder, to, epochs=2, resume=True, again=False)


@pytest.mark.slow
def test_after_an_update_it_goes_on_when_asked_to(folder, tmp_path, monkeypatch, capsys):
    to = tmp_path / "run"
    own = ["--recipe", "article_simple", "--epochs"]
    assert command(folder, to, *own, "1") == 0
    (to / "result.json").unlink()  # as if it had been stopped
    real = identity.code_hash
    monkeypatch.setattr(identity, "code_hash", lambda *of: real(*of) if of else "another")
    assert command(folder, to, *own, "2", "--resume") == 1
    error = capsys.readouterr().err
    assert "of other code" in error and "another here" in error and "--other-code" in error
    assert command(folder, to, *own, "2", "--resume", "--other-code") == 0
    result = json.loads((to / "result.json").read_text())
    (said,) = result["resumed_with"]
    assert said["epoch"] == 1 and said["differs"].endswith("another here")
    assert (result["code"], result["epochs"]) == ("another", 2)
    monkeypatch.undo()  # done by other code: taken as it is, or refused
    assert command(folder, to, *own, "2", "--resume") == 1
    assert "--other-code" in capsys.readouterr().err
    assert command(folder, to, *own, "2", "--resume", "--other-code") == 0
    assert json.loads((to / "result.json").read_text()) == result


def test_code_is_what_trains_and_scoring_what_scores(tmp_path, monkeypatch):
    names = ("data/images.py", "data/places.py", "pipeline/a.py", "network/a.py", "training/a.py")
    names += (
        "scores/a.py",
        "scores/classes.py",
        "predict/a.py",
        "doctor/a.py",
        "plot.py",
        "cli/a.py",
        "kaggle/a.py",
    )
    own = ("recipe", "networks", "runs", "trained", "batches", "judge", "ledger", "identity")
    names += tuple(f"protocol/{name}.py" for name in own)
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(identity, "__file__", str(tmp_path / "protocol/identity.py"))
    made = {key: identity.provenance()[key] for key in ("code", "scoring")}
    changed = {key: set() for key in made}
    for name in names:
        (tmp_path / name).write_text("2")
        now = identity.provenance()
        for key, before in made.items():
            changed[key] |= {name} if now[key] != before else set()
        (tmp_path / name).write_text("1")
    training = {"data/images.py", "pipeline/a.py", "network/a.py", "training/a.py"}
    training |= {f"protocol/{name}.py" for name in own[:5]}
    assert changed["code"] == {*training, "scores/classes.py"}  # which makes class weights
    scoring = {"scores/a.py", "scores/classes.py", "predict/a.py", "protocol/judge.py"}
    assert changed["scoring"] == scoring


@pytest.mark.slow
def test_other_code_that_scores_scores_anew_and_trains_nothing(folder, tmp_path, monkeypatch):
    to = tmp_path / "run"
    first = run(folder, to)
    weights = (to / "state.npz").read_bytes()
    real = identity.provenance
    monkeypatch.setattr(identity, "provenance", lambda: {**real(), "scoring": "other"})
    judged = runs.judged
    monkeypatch.setattr(runs, "judged", lambda *given: judged(*given) | {"dice": 0.5})
    result = run(folder, to, resume=True, again=False)
    assert result["scores"] == first["scores"] | {"dice": 0.5}
    assert result["minutes"] == first["minutes"]
    assert (to / "state.npz").read_bytes() == weights


def test_a_run_folder_is_held(folder, tmp_path):
    (tmp_path / "run").mkdir()
    with open(tmp_path / "run/.lock", "w") as lock:
        lock.write("process 7 on elsewhere")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="process 7 on elsewhere writes there"):
            run(folder, tmp_path / "run")


@pytest.mark.slow
def test_a_run_puts_back_what_it_sets_and_gives_the_model_its_card(folder, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    config.disable_op_determinism()
    random.seed(7)
    np.random.seed(7)
    result = run(folder, tmp_path / "run")
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert not config.is_op_determinism_enabled()
    assert random.random() == random.Random(7).random()
    assert np.random.random() == np.random.RandomState(7).random()
    keras.config.set_dtype_policy("float32")
    card = data.Card.read(tmp_path / "run/best.keras")
    assert card.labels == data.Labels.foreground("car")
    assert (card.image_size, card.resize, card.threshold) == ((16, 24), "area", 0.5)
    assert card.trained_on["images"] == result["split"]["images"]["train"]
    facts = ("recipe", "variant", "data", "seed", "code", "date")
    assert all(card.trained_on[name] == result[name] for name in facts)


def test_a_foreground_is_called_as_the_class_table_calls_it(tmp_path):
    guide, mask = protocol.get("guide_unet"), tmp_path / "eye_1.png"
    Image.fromarray(np.eye(4, dtype="uint8") * 255).save(mask)
    parts = data.Split([data.Pair(tmp_path / "eye_1.jpg", mask)], [], [])
    assert runs.labels_for(guide, tmp_path, parts) == data.Labels.foreground()
    data.write_table(tmp_path / "classes.csv", data.Labels(("background", "vessel")))
    assert runs.labels_for(guide, tmp_path, parts) == data.Labels.foreground("vessel")
    Image.fromarray(np.array([[1, 2], [3, 2]], "uint8")).save(mask)  # ids, as of the pets
    with pytest.raises(
        UserError, match=r"eye_1.png: .*names background, vessel, .*multiclass_unet"
    ):
        runs.labels_for(guide, tmp_path, parts)


@pytest.mark.slow
def test_resumed_it_looks_at_no_image_again_and_knows_its_recipe(
    folder, tmp_path, monkeypatch, capsys
):
    to = tmp_path / "run"
    assert command(folder, to, "--epochs", "1", "--recipe", "article_unet", "--as-written") == 0
    checks = []
    real = doctor.check
    monkeypatch.setattr(doctor, "check", lambda *_: checks.append(1) or real(*_))
    assert command(folder, to, "--epochs", "2", "--resume") == 0
    assert checks == []
    assert state_in(to)[0]["settings"]["recipe"] == "article_unet"
    assert json.loads((to / "result.json").read_text())["variant"] == "as written"
    assert "There is no test part" in capsys.readouterr().out  # nor a score of unseen images
    assert command(folder, to, "--epochs", "2", "--resume", "--leave-out") == 0
    assert checks == [1]


@pytest.mark.parametrize("recipe", [[], ["--recipe", "guide_unet"]])
def test_a_misspelt_setting_is_named_before_data_are_read(recipe, monkeypatch, capsys):
    monkeypatch.setattr(data, "find", killed)
    assert commands.main(["train", *recipe, "--set", "epsilonn=1"]) == 1
    assert "no setting 'epsilonn': did you mean epsilon?" in capsys.readouterr().err


def test_settings_of_one_kind_of_masks_wait_for_the_masks(monkeypatch):
    monkeypatch.setattr(data, "find", killed)
    with pytest.raises(Killed):
        commands.main(["train", "--set", "class_weights=median", "loss=cross_entropy"])


@pytest.mark.slow
def test_a_falling_rate_goes_on_where_it_was(folder, tmp_path, monkeypatch):
    """Stopped behind the first of three epochs; and more epochs would be another rate."""

    def fall(name, epochs=3, **options):
        small = {**SMALL, "epochs": epochs, "patience": 3, "schedule": "cosine"}
        recipe = protocol.get("article_simple", **small)
        how = {"to": tmp_path / name, "precision": "float32", "verbose": 0}
        return protocol.run(recipe, folder, **how, **options)

    whole = fall("whole")
    real = trained.fit

    def stopped(*given, **options):
        stop = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch and killed())
        return real(*given, **{**options, "callbacks": [*options["callbacks"], stop]})

    monkeypatch.setattr(trained, "fit", stopped)
    with pytest.raises(Killed):
        fall("cut")
    monkeypatch.undo()
    assert state_in(tmp_path / "cut")[0]["epoch"] == 1
    again = fall("cut", resume=True)
    assert again["scores"] == whole["scores"]
    rows = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "cut")]
    assert rows[0] == rows[1]
    with pytest.raises(ValueError, match="epochs"):
        fall("cut", epochs=4, resume=True, again=False)
