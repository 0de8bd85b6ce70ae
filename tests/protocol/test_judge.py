"""The scores of a trained model: one path, one image in memory at a time, masks of any size."""

import weakref

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, network, plot, predict, protocol, scores
from unet_tf.protocol import judge, report_page, trained
from unet_tf.scores import baselines

MANY = data.Labels(("sky", "road", "car"))


class Array(np.ndarray):
    """An array that can be weakly referenced and hashed."""

    __hash__ = object.__hash__


def written(folder, sizes, classes=2, seed=0):
    """Pairs of random images and masks of these sizes (height, width); the masks have 0 and 255, or
    ids of more classes."""
    rng, pairs = np.random.default_rng(seed), []
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number, (height, width) in enumerate(sizes):
        mask = np.zeros((height, width), "uint8")
        top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
        mask[top : top + height // 2, left : left + width // 2] = 1 + number % (classes - 1)
        pixels = 100 * (mask[..., None] > 0) + rng.integers(0, 99, (height, width, 3))
        pair = (folder / f"{part}/p{number:02}.png" for part in ("images", "masks"))
        pairs.append(data.Pair(*pair))
        Image.fromarray(pixels.astype("uint8")).save(pairs[-1].image)
        Image.fromarray(mask * 255 if classes == 2 else mask).save(pairs[-1].mask)
    return pairs


def test_black_and_white_masks_of_several_sizes_on_crops(tmp_path):
    """Nothing is lost behind the training: the mean mask has a size of its own."""
    sizes = [(20, 31), (33, 24), (26, 26)]
    pairs = written(tmp_path / "own", [sizes[number % 3] for number in range(10)])
    recipe = protocol.get(
        "guide_unet", image_size=None, crop=[16, 16], filters=[4, 8], epochs=1, batch_size=4
    )
    to = tmp_path / "run"
    result = protocol.run(recipe, tmp_path / "own", to=to, precision="float32", verbose=0)
    found = result["scores"]
    assert (to / "result.json").exists() and 0 < found["baseline"] < 1
    assert "dice_at_chosen_threshold" in found
    scored = {path.name for path in (to / "predictions").iterdir()}
    assert len(scored) == found["images"] == result["split"]["images"]["test"]
    for image, _ in pairs:
        if image.name in scored:
            assert data.size_of(to / "predictions" / image.name) == data.size_of(image)


def test_the_size_of_the_constant_baseline(tmp_path):
    one, foreground = written(tmp_path / "one", [(20, 31)] * 3), data.Labels.foreground()
    several = written(tmp_path / "several", [(20, 31), (20, 30)])
    assert baselines.baseline_size(one, foreground) == (20, 31)
    assert baselines.baseline_size(several, foreground) == (128, 128)
    assert baselines.baseline_size(one, MANY) == (128, 128)


@pytest.mark.parametrize("name", ["guide_unet", "multiclass_unet"])
def test_one_map_in_memory_at_a_time(tmp_path, monkeypatch, name):
    recipe = protocol.get(name, image_size=(16, 24))
    labels = MANY if recipe.classes else data.Labels.foreground()
    pairs = written(tmp_path, [(16, 24)] * 24, len(labels.names))
    parts = data.Split(pairs[:8], pairs[8:16], pairs[16:])
    alive, most, asked = weakref.WeakSet(), [], []

    def probabilities(model, paths, *sizes):
        asked.append([path.name for path in paths])
        for _ in paths:
            values = np.random.default_rng(len(most)).random((16, 24, labels.channels), "float32")
            answer = np.squeeze(values).view(Array)
            alive.add(answer)
            most.append(len(alive))
            yield answer

    monkeypatch.setattr(predict, "probabilities", probabilities)
    monkeypatch.setattr(predict, "compiled", lambda model: model)
    report = judge.judged(
        recipe, None, parts, {"data": "own"}, labels, labels.read, tmp_path / "to"
    )
    assert max(most) <= 3  # what gives it, what writes its mask, and what scores it
    names = [[pair.image.name for pair in part] for part in parts]
    # The threshold is chosen on the validation part; the test part is asked for once.
    assert asked == ([names[2]] if recipe.classes else [names[1], names[2]])
    assert report["images"] == len(list((tmp_path / "to/predictions").iterdir())) == 8
    assert (tmp_path / "to/confusion.png").exists() == recipe.classes
    one = labels.read(tmp_path / "to/predictions" / names[2][0])
    assert one.shape == (16, 24) and set(np.unique(one)) <= set(range(len(labels.names)))


@pytest.mark.parametrize("labels", [MANY, data.Labels.foreground()])
def test_a_diverged_model_is_named(tmp_path, labels):
    pairs = written(tmp_path, [(8, 8)], len(labels.names))
    answer = np.full((8, 8, labels.channels), np.nan, "float32")
    with pytest.raises(ValueError, match=r"p00.png: the model answers NaN"):
        list(judge.decided([answer], pairs, labels, None, {}))


def test_only_many_classes_have_weights(tmp_path):
    parts = data.Split(written(tmp_path, [(8, 8)] * 4, 3), [], [])
    guide = protocol.get("guide_unet")
    assert trained.loss_of(guide, parts, data.Labels.foreground()) is guide.loss
    many = protocol.get("multiclass_unet", class_weights="inverse")
    weighted = trained.loss_of(many, parts, MANY)
    assert isinstance(weighted, network.Weighted) and weighted.loss is many.loss


def test_rows_of_masks_and_of_classes():
    """Binary labels are drawn as none; classes get their colours and a legend."""
    image, mask = np.full((4, 6, 3), 0.5), np.zeros((4, 6), "uint8")
    mask[0], wrong = 1, np.zeros((4, 6), "uint8")
    plain = plot.rows([image], [mask], [wrong], data.Labels.foreground())
    heads = [axis.get_title() for axis in plain.axes]
    assert heads == ["image", "mask", "prediction", "found, missed, extra"]
    assert not plain.legends
    mask[1] = data.VOID
    many = plot.rows([image], [mask[..., None]], [wrong], MANY, ["first"])
    assert [text.get_text() for text in many.legends[0].get_texts()] == [*MANY.names, "void"]
    errors = many.axes[3].images[0].get_array()
    assert np.allclose(errors[0], plot.MISSED) and np.allclose(errors[1:], 0.75)
    assert [text.get_text() for text in many.axes[0].texts] == ["first"]


def test_images_of_one_name_keep_their_own_masks_and_scores(tmp_path):
    """`case0/image.png`, `case1/image.png` and so on, as archives of patients have them."""
    labels, pairs = data.Labels.foreground(), []
    for number in range(4):
        place = tmp_path / f"own/case{number}"
        place.mkdir(parents=True)
        pixels = np.zeros((8, 8), "uint8")
        pixels[: 2 * number] = 255
        pairs.append(data.Pair(place / "image.png", place / "mask.png"))
        for path in pairs[-1]:
            Image.fromarray(pixels).save(path)
    answers = [labels.read(mask).astype("float32") for _, mask in pairs]
    found = judge.decided(answers, pairs, labels, tmp_path / "run", {})
    report = scores.report(pairs, (answer for answer, _ in found), labels=labels)
    assert report["dice"] == 1 and {case["image"] for case in report["worst"]} == {
        f"case{number}/image.png" for number in range(4)
    }
    for number, (_, mask) in enumerate(pairs):
        said = labels.read(tmp_path / f"run/predictions/case{number}/image.png")
        np.testing.assert_array_equal(said, labels.read(mask))
    page = report_page.gallery("Worst", report["worst"], pairs, tmp_path / "run", labels)
    assert "case2/image.png: 1.000" in page
