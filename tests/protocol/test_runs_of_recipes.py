"""Whole runs of recipes on a few blocks: what reaches which part, what repeats."""

import itertools
import json

import keras
import matplotlib
import numpy as np
import pytest
from PIL import Image

from unet_tf import data, pipeline, predict, protocol
from unet_tf import scores as scores_room
from unet_tf.protocol import identity, trained
from unet_tf.protocol import published as protocol_published

matplotlib.use("Agg")


def small(name="article_simple", variant="corrected", **settings):
    filters = (8, 16) if name == "article_simple" else (4, 8, 16)
    return protocol_published.dataclasses.replace(
        protocol.get(name, variant),
        **{"filters": filters, "image_size": (24, 36), "epochs": 2, "batch_size": 4, **settings},
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, variant",
    [
        ("article_simple", "corrected"),
        ("article_unet", "as written"),
        ("guide_unet", "as written"),
        ("guide_unet", "corrected"),
    ],
)
def test_run(folder, tmp_path, name, variant):
    to = tmp_path / "run"
    result = protocol.run(small(name, variant), folder, seed=3, to=to, verbose=0)
    assert json.loads((to / "result.json").read_text()) == json.loads(json.dumps(result))
    assert result["data"] == "blocks"
    article = name != "guide_unet" and variant == "as written"
    assert result["scored_on"] == ("validation" if article else "test")
    assert 0 <= result["scores"]["dice"] <= 1
    assert 0.3 < result["scores"]["baseline"] < 1
    assert ("dice_at_chosen_threshold" in result["scores"]) == (result["scored_on"] == "test")
    assert result["seed"] == 3
    assert sum(result["split"]["images"].values()) == 24
    assert result["settings"]["loss"] in protocol.LOSSES
    scored = result["split"]["images"][result["scored_on"]]
    assert len(list((to / "predictions").glob("*.png"))) == scored
    with Image.open(next((to / "predictions").glob("*.png"))) as mask:
        assert mask.size == (36, 24)
    model = keras.saving.load_model(to / "best.keras")
    assert model.count_params() == result["parameters"]
    with Image.open(to / "picture.png") as picture:
        assert picture.width <= 600


def test_which_part_reaches_what(folder, monkeypatch):
    """The test part reaches prediction and scores only; augmentation and order training only."""
    seen = {}

    def spy(module, name, result=None):
        real = getattr(module, name)

        def recorded(*args, **kwargs):
            seen.setdefault(name, []).append((args, kwargs))
            return real(*args, **kwargs) if result is None else result

        monkeypatch.setattr(module, name, recorded)

    spy(pipeline, "dataset")
    spy(predict, "probabilities")
    spy(scores_room, "report")
    spy(scores_room, "best_threshold")
    spy(scores_room, "baseline_of")
    spy(trained, "fit")
    recipe = small(epochs=1, resize="nearest", learning_rate=0.002, epsilon=0.5)
    result = protocol.run(recipe, folder, verbose=0)
    parts = data.split(data.pair(folder), "group", 0.2, 0.2, 42)
    (training, training_settings), (validation, validation_settings) = seen["dataset"]
    assert training[0] == parts.train
    assert training_settings["augment"]
    assert training_settings["shuffle"]
    assert validation[0] == parts.validation
    assert not validation_settings.get("augment")
    assert not validation_settings.get("shuffle")
    assert training_settings["resize"] == validation_settings["resize"] == "nearest"
    predicted = [args[1] for args, _ in seen["probabilities"]]
    images = {part: [image for image, _ in getattr(parts, part)] for part in parts._fields}
    assert predicted == [images["validation"], images["test"]]
    assert {args[3] for args, _ in seen["probabilities"]} == {"nearest"}
    ((scored, settings),) = seen["report"]
    assert scored[0] == parts.test
    assert not settings
    assert scored[2:4] == (0.5, recipe.batch_size)
    ((chosen, _),) = seen["best_threshold"]
    assert chosen[0] == parts.validation
    assert len(chosen) == 2  # of all thresholds
    assert scored[5] == result["scores"]["chosen_threshold"]
    ((baseline, _),) = seen["baseline_of"]
    assert baseline[:2] == (parts.train, parts.test)
    optimizer = seen["fit"][0][1]["optimizer"]
    assert float(optimizer.learning_rate) == pytest.approx(0.002)
    assert optimizer.epsilon == 0.5
    assert result["scored_on"] == "test"
    assert {"learning_rate", "epsilon", "epochs", "filters"} <= set(result["changed"])


def test_images_of_several_sizes_at_their_native_size_are_refused(folder):
    path = sorted(folder.glob("images/*"))[0]
    for part in ("images", "masks"):
        for path in sorted(folder.glob(f"{part}/*"))[:1]:
            with Image.open(path) as image:
                image.crop((0, 0, 30, 20)).save(path)
    with pytest.raises(ValueError, match=r"differ in size.*20x30.*--image-size"):
        protocol.run(small("article_unet", image_size=None), folder, verbose=0)


@pytest.mark.slow
def test_run_at_odd_native_size(tmp_path, folder):
    for path in folder.glob("*/*.png"):
        with Image.open(path) as image:
            image.crop((0, 0, 35, 23)).save(path)
    result = protocol.run(small("article_unet", image_size=None, epochs=1), folder, verbose=0)
    assert 0 <= result["scores"]["dice"] <= 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(folder):
    first, again, other = (
        protocol.run(small("article_unet", epochs=1), folder, seed=seed, verbose=0)
        for seed in (1, 1, 2)
    )
    assert first["scores"] == again["scores"]
    assert first["scores"]["soft_dice"] != other["scores"]["soft_dice"]
    assert first["split"] == other["split"]


def turned(mask):
    """A mask's file, its pixels now the other way round; of the same size in bytes or not."""
    with Image.open(mask) as image:
        pixels = np.asarray(image)
    Image.fromarray(pixels[::-1]).save(mask)


def test_what_is_refused_leaves_the_result(folder, tmp_path):
    to = tmp_path / "run"
    protocol.run(small(epochs=1), folder, to=to, verbose=0)
    (to / "state.npz").write_bytes(b"PK nonsense")
    with pytest.raises(ValueError, match="the checkpoint is damaged"):
        protocol.run(small(epochs=2), folder, to=to, verbose=0, resume=True)
    assert json.loads((to / "result.json").read_text())["epochs"] == 1
    (to / "result.json").write_text("")
    with pytest.raises(ValueError, match=r"result\.json: damaged .*or remove it"):
        protocol.run(small(epochs=2), folder, to=to, verbose=0, resume=True)


def test_a_run_that_is_there_is_not_repeated(folder, tmp_path, monkeypatch):
    recipe = small(epochs=1)
    made = {**identity.provenance(), "commit": "abc", "code": "1"}
    dates = map(str, itertools.count())  # another for each run: by it a record is known
    monkeypatch.setattr(identity, "provenance", lambda: {**made, "date": next(dates)})

    def run(recipe=recipe, **settings):
        return protocol.run(recipe, folder, to=tmp_path / "run", verbose=0, **settings)

    def date():
        return json.loads((tmp_path / "run/result.json").read_text())["date"]

    first, there = run(), run()
    assert first["date"] != there["date"] == date()  # unless it is asked for
    made["commit"] = "abd-dirty"  # of other files than the module's
    assert run(resume=True) == json.loads(json.dumps(there))
    for change in (
        lambda: run(resume=True, seed=1),
        lambda: run(protocol_published.dataclasses.replace(recipe, learning_rate=0.1), resume=True),
        lambda: made.update(code="2") or run(resume=True),
        lambda: turned(next((folder / "masks").iterdir())) or run(resume=True),
    ):
        before = date()
        change()
        assert date() != before
