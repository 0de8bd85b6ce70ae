"""Scores of one foreground, against hand-worked cases and scikit-learn."""

import json
import subprocess
import sys
import weakref

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, recall_score

from unet_tf import data, network, pipeline, scores
from unet_tf.files import flat
from unet_tf.scores import binary


def written(folder, masks):
    """Pairs whose masks, arrays in {0, 1}, lie in `folder` as PNG; `masks` is {name: mask}."""
    for name, mask in masks.items():
        Image.fromarray(np.asarray(mask, "uint8") * 255).save(folder / f"{name}_mask.png")
    return [data.Pair(folder / f"{name}.jpg", folder / f"{name}_mask.png") for name in masks]


def random_masks(count, size, seed=0):
    return np.random.default_rng(seed).random((count, *size)) < 0.3


# --- dice, baseline, ceiling


def test_dice_by_hand():
    truth = np.array([[1, 1, 0], [0, 0, 0]])
    assert scores.dice(truth, [[1, 0, 0], [0, 0, 0]]) == 2 * 1 / (2 + 1)
    assert scores.dice(truth, truth) == 1
    assert scores.dice(truth, 1 - truth) == 0
    assert scores.dice(truth * 0, truth * 0) == 1
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        scores.dice(truth, truth[:, :2])


# --- report


CAR_A, CAR_B = "0123456789ab", "ba9876543210"


@pytest.fixture
def by_hand(tmp_path):
    """Two 4x4 masks and their probabilities: 3/4 where car is predicted, 1/4 elsewhere.

    - A: rows 0 and 1 are car, rows 1 and 2 are predicted: 8 and 8 pixels, 4 in both
    - B: one corner pixel is car, it and its neighbour are predicted: 1 and 2 pixels, 1 in both
    """
    a, b, predicted_a, predicted_b = np.zeros((4, 4, 4))
    a[:2] = predicted_a[1:3] = b[0, 0] = predicted_b[0, :2] = 1
    pairs = written(tmp_path, {f"{CAR_A}_01": a, f"{CAR_B}_16": b})
    return pairs, [0.25 + predicted / 2 for predicted in (predicted_a, predicted_b)]


def test_report_by_hand(by_hand):
    result = scores.report(*by_hand)
    assert (result["images"], result["groups"], result["threshold"]) == (2, 2, 0.5)
    assert result["foreground"] == "car"  # by the names
    dice_a, dice_b = 2 * 4 / 16, 2 * 1 / 3
    assert result["dice"] == pytest.approx((dice_a + dice_b) / 2)
    assert result["pooled_dice"] == pytest.approx(2 * 5 / 19)
    # A is wrong in rows 0 and 2, B in one pixel.
    assert result["pixel_accuracy"] == pytest.approx((32 - 9) / 32)
    assert result["iou"] == pytest.approx(5 / (19 - 5))
    # A finds 4 of 8, B its one; of 8 and 15 others 4 and 1 are called car.
    assert result["sensitivity"] == pytest.approx(5 / 9)
    assert result["specificity"] == pytest.approx(18 / 23)
    # Background: 32 - 14 pixels in both, 32 - 5 in either.
    assert result["mean_iou"] == pytest.approx((5 / 14 + 18 / 27) / 2)
    # A: overlap 4 * 1/4 + 4 * 3/4 = 4, probabilities sum to 8. B: 3/4, and 2 * 3/4 + 14 * 1/4 = 5.
    assert result["soft_dice"] == pytest.approx((2 * 4 / 16 + 2 * 0.75 / 6) / 2, abs=1e-5)
    assert result["mean_over_batches"] == pytest.approx(2 * 4.75 / 22, abs=1e-5)
    # Shifted by one pixel, the tolerance at this size.
    assert (result["boundary_f1"], result["boundary_tolerance"]) == (1, 1)
    assert result["worst"] == [
        {"image": f"{CAR_A}_01.jpg", "dice": pytest.approx(dice_a)},
        {"image": f"{CAR_B}_16.jpg", "dice": pytest.approx(dice_b)},
    ]
    assert result["dice_by_view"] == {"01": pytest.approx(dice_a), "16": pytest.approx(dice_b)}
    assert result["dice_interval"] == [pytest.approx(dice_a), pytest.approx(dice_b)]
    # Drawn are AA, AB, BA or BB, a quarter each: the counts of a draw are summed.
    assert result["iou_interval"] == pytest.approx([4 / 12, 1 / 2])
    assert result["sensitivity_interval"] == pytest.approx([4 / 8, 1])
    assert result["specificity_interval"] == pytest.approx([4 / 8, 14 / 15])
    assert result["boundary_f1_interval"] == [1, 1]


def test_report_is_plain_json(by_hand):
    result = scores.report(*by_hand)
    assert json.loads(json.dumps(result)) == result
    assert {type(value) for value in result.values()} == {int, float, list, dict, str}


def test_report_at_other_thresholds(by_hand):
    """At 1/4 all is car: dice 16/24 and 2/17; at 1/2 they are 8/16 and 2/3."""
    everything = scores.report(*by_hand, threshold=0.25)
    assert everything["dice"] == pytest.approx((16 / 24 + 2 / 17) / 2)
    assert "chosen_threshold" not in everything
    both = scores.report(*by_hand, chosen_threshold=0.25)
    assert both["dice"] == pytest.approx((8 / 16 + 2 / 3) / 2)
    assert both["chosen_threshold"] == 0.25
    assert both["dice_at_chosen_threshold"] == everything["dice"]


@pytest.mark.parametrize(
    ("names", "labels", "foreground"),
    [
        (("patient7_03", "patient8_01"), None, "foreground"),
        (("patient7_03", "patient8_01"), data.Labels.foreground("whale"), "whale"),
        ((f"{CAR_A}_03", f"{CAR_B}_01"), data.Labels.foreground(), "car"),
        ((f"{CAR_A}_03", "patient8_01"), None, "foreground"),
    ],
)
def test_only_carvana_s_names_have_cars_and_views(tmp_path, names, labels, foreground):
    """Groups that are no cars have no views, even where a number stands at the end."""
    pairs = written(tmp_path, dict(zip(names, random_masks(2, (4, 4)), strict=True)))
    result = scores.report(pairs, random_masks(2, (4, 4), 1), labels=labels)
    assert (result["foreground"], result["groups"]) == (foreground, 2)
    assert result.get("dice_by_view", {}).keys() == ({"01", "03"} if foreground == "car" else set())
    text = scores.table(result) + scores.table(result, every=True)
    assert f"| IoU of the {foreground}, of all pixels" in text
    assert f"| IoU of the {foreground}, pooled" in text
    assert f"IoUs of {foreground} and background" in text
    assert ("car" in text.replace("Carvana", "")) == (foreground == "car")


def test_a_short_last_batch_counts_as_a_whole_one(by_hand, tmp_path):
    """A and B pooled, 2 * 4.75 / 22, then a perfect third image on its own, 1."""
    pairs, probabilities = by_hand
    pairs = pairs + written(tmp_path, {f"{CAR_A}_02": np.ones((4, 4))})
    result = scores.report(pairs, [*probabilities, np.ones((4, 4))], batch_size=2)
    assert result["mean_over_batches"] == pytest.approx((2 * 4.75 / 22 + 1) / 2, abs=1e-5)


def test_report_of_probabilities_at_model_size(tmp_path):
    """2x2, 0 left and 1 right, against 4x4 with columns 1 to 3 car. Enlarged, the columns are 0,
    1/4, 3/4, 1: two are car, 8 of 12 pixels. Reduced by nearest, the truth keeps columns 1 and 3:
    all car, 4 pixels, of which 2 are found."""
    truth = np.ones((4, 4))
    truth[:, 0] = 0
    result = scores.report(written(tmp_path, {"own": truth}), [np.array([[0, 1], [0, 1]])])
    assert result["dice"] == pytest.approx(2 * 8 / (12 + 8))
    assert result["soft_dice"] == pytest.approx(2 * 2 / (4 + 2), abs=1e-5)
    assert result["dice_interval"] is None  # one group
    assert "dice_by_view" not in result


def test_report_without_any_car(tmp_path):
    """The car is absent from both: the mean IoU is the background's alone."""
    pairs = written(tmp_path, {"a": np.zeros((4, 4)), "b": np.zeros((4, 4))})
    result = scores.report(pairs, np.zeros((2, 4, 4)))
    for key in scores.USED_BY:
        assert result[key] == 1, key
    one_wrong = np.zeros((2, 4, 4))
    one_wrong[0, 0, 0] = 1
    result = scores.report(pairs, one_wrong)
    assert (result["dice"], result["pooled_dice"], result["iou"]) == (0.5, 0, 0)
    assert result["mean_iou"] == pytest.approx((0 + 31 / 32) / 2)


def test_report_against_scikit_learn(tmp_path):
    truths, predictions = random_masks(3, (17, 25), 1), random_masks(3, (17, 25), 2)
    pairs = written(tmp_path, {str(i): truth for i, truth in enumerate(truths)})
    result = scores.report(pairs, predictions)
    flat = truths.ravel(), predictions.ravel()
    assert result["iou"] == pytest.approx(jaccard_score(*flat))
    assert result["mean_iou"] == pytest.approx(jaccard_score(*flat, average="macro"))
    assert result["pooled_dice"] == pytest.approx(f1_score(*flat))
    assert result["pixel_accuracy"] == pytest.approx(accuracy_score(*flat))
    assert result["sensitivity"] == pytest.approx(recall_score(*flat))
    assert result["specificity"] == pytest.approx(recall_score(*flat, pos_label=0))
    both = zip(truths, predictions, strict=True)
    each = [f1_score(truth.ravel(), prediction.ravel()) for truth, prediction in both]
    assert result["dice"] == pytest.approx(np.mean(each))


def test_report_scores_as_published(tmp_path):
    """The article's way, once from predictions, once by the article's loss, batch by batch."""
    masks = random_masks(5, (17, 25))
    pairs = written(tmp_path, {str(i): mask for i, mask in enumerate(masks)})
    for path, _ in pairs:
        pixels = np.random.default_rng(len(path.name)).integers(0, 256, (17, 25, 3), "uint8")
        Image.fromarray(pixels).save(path)

    def model(images, training):
        return images[..., :1]

    images = (image for images, _ in pipeline.dataset(pairs, (8, 12)) for image in images)
    probabilities = (image.numpy()[..., 0] for image in images)
    found = scores.report(pairs, probabilities, batch_size=2)["mean_over_batches"]
    batches = pipeline.dataset(pairs, (8, 12), batch_size=2)
    expected = [
        1 - network.pooled_dice_loss(masks, model(images, False)) for images, masks in batches
    ]
    assert found == pytest.approx(np.mean(expected), abs=1e-6)


def test_report_holds_one_image_at_a_time(tmp_path):
    alive = weakref.WeakSet()
    most = 0
    pairs = written(tmp_path, {str(i): mask for i, mask in enumerate(random_masks(6, (8, 8)))})

    class Array(np.ndarray):
        """An array that can be weakly referenced and hashed."""

        __hash__ = object.__hash__

    def probabilities():
        nonlocal most
        for _ in pairs:
            probability = np.zeros((8, 8), "float32").view(Array)
            alive.add(probability)
            most = max(most, len(alive))
            yield probability

    scores.report(pairs, probabilities())
    assert most <= 2


@pytest.mark.parametrize("score", [scores.report, scores.best_threshold])
def test_predictions_that_cannot_be_scored(by_hand, score):
    pairs, (first, second) = by_hand
    for wrong in ([first], [first, second, second]):
        with pytest.raises(ValueError, match=r"argument 2 is (shorter|longer)"):
            score(pairs, wrong)
    name = f"{CAR_B}_16.jpg"
    for wrong in (second * np.nan, second * 255, second - 1, second[..., None]):
        with pytest.raises(ValueError, match=name):
            score(pairs, [first, wrong])
    second[0, 0] = np.nan
    with pytest.raises(ValueError, match=rf"{name}.*nan"):
        score(pairs, [first, second])
    with pytest.raises(ValueError, match="no images"):
        score([], [])


def test_soft_dice_is_smoothed_as_the_loss_is():
    assert binary.SMOOTHING == network.SMOOTH


def test_no_tensorflow():
    """Who scores predictions that are there, or draws them, does not wait for TensorFlow."""
    code = (
        "import sys; from unet_tf import data, plot, scores; "
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- interval


def test_bootstrap_by_hand():
    """Two cars, one with a single image of dice 0, one with three of dice 1: a sample holds the
    first twice (mean 0), each once (3/4), or the second twice (1), 1 : 2 : 1."""
    dices, cars = [1, 0, 1, 1], ["b", "a", "b", "b"]
    means = {
        value
        for seed in range(40)
        for value in scores.bootstrap_interval(dices, cars, draws=1, seed=seed)
    }
    assert means == {0, 0.75, 1}
    assert scores.bootstrap_interval(dices, cars) == [0, 1]


def test_bootstrap_repeats_and_follows_the_draws():
    dices = np.random.default_rng(0).random(60)
    cars = [f"{i // 3:02}" for i in range(60)]
    interval = scores.bootstrap_interval(dices, cars, seed=5)
    assert scores.bootstrap_interval(dices, cars, seed=5) == interval
    assert scores.bootstrap_interval(dices, cars, seed=6) != interval
    # A plain loop over the same draws.
    drawn = np.random.default_rng(5).integers(20, size=(1000, 20))
    means = [np.mean([dices[3 * car + i] for car in sample for i in range(3)]) for sample in drawn]
    np.testing.assert_allclose(interval, np.percentile(means, (2.5, 97.5)))


def test_bootstrap_of_one_car_is_none():
    assert scores.bootstrap_interval([0.5, 0.6], ["a", "a"]) is None


# --- threshold


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(12, 16), (5, 7)])
def test_best_threshold_against_a_plain_loop(tmp_path, dtype, size):
    """Probabilities are multiples of 0.05: at the masks' own size many equal a threshold."""
    truths = random_masks(3, (12, 16))
    pairs = written(tmp_path, {str(i): truth for i, truth in enumerate(truths)})
    random = np.random.default_rng(1)
    probabilities = [(random.integers(0, 21, size) / 20).astype(dtype) for _ in truths]
    best, dices = scores.best_threshold(pairs, iter(probabilities))
    loop = []
    for threshold in scores.THRESHOLDS:
        enlarged = (data.resized_back(p.astype("float32"), (12, 16)) for p in probabilities)
        loop.append(scores.per_image_dice(pairs, (p >= threshold for p in enlarged)).mean())
    np.testing.assert_array_equal(dices, loop)
    assert best == scores.THRESHOLDS[np.argmax(loop)]
    # The threshold as it came back gives that dice in `report`, too.
    assert scores.report(pairs, probabilities, best)["dice"] == pytest.approx(max(loop), abs=1e-15)


def test_a_probability_equal_to_the_threshold_is_car(tmp_path):
    """0.7 and 0.3 lie below and above themselves in float32: both still count as reached."""
    pairs = written(tmp_path, {"a": np.ones((2, 2))})
    for value in (0.7, 0.3):
        for dtype in ("float32", "float64"):
            probability = np.full((2, 2), value, dtype)
            for threshold in (value, np.float64(value)):
                _, dices = scores.best_threshold(pairs, [probability], [threshold])
                assert dices == [1]
                assert scores.report(pairs, [probability], threshold)["dice"] == 1


def test_best_threshold_by_hand(tmp_path):
    """One row, car in the first two of four, probabilities 0.9, 0.3, 0.2, 0.1: between 0.2 and 0.3
    dice is 1, up to 0.9 it is 2/3; below 0.2 there are 3 and 4 car pixels: 4/5 and 4/6."""
    pairs = written(tmp_path, {"a": [[1, 1, 0, 0]]})
    probability = np.array([[0.9, 0.3, 0.2, 0.1]])
    best, dices = scores.best_threshold(pairs, [probability])
    assert (best, type(best)) == (0.3, float)  # of 0.25 and 0.3 the one nearer to 0.5
    np.testing.assert_allclose(dices, [4 / 6] * 2 + [4 / 5] * 2 + [1] * 2 + [2 / 3] * 12 + [0])


@pytest.mark.parametrize(
    ("thresholds", "best"), [(scores.THRESHOLDS, 0.5), ((0.2, 0.4, 0.9), 0.4), ((0.9, 0.6), 0.6)]
)
def test_of_equal_thresholds_the_nearest_to_a_half(tmp_path, thresholds, best):
    mask = random_masks(1, (6, 6))[0]
    assert scores.best_threshold(written(tmp_path, {"a": mask}), [mask], thresholds)[0] == best


# --- table


def test_table_by_hand(by_hand):
    """First what is looked at first; all of it, with who scores so, for who asks."""
    result = scores.report(*by_hand, labels=data.Labels.foreground("vessel"))
    lines = scores.table(result, baseline=[0.2, 0.4]).splitlines()
    assert lines[2:] == [
        "| dice of the vessel, mean of the images | 0.5833 | 0.5000 to 0.6667 |",
        "| the same of a constant prediction | 0.3000 |  |",
        "| IoU of the vessel, of all pixels together | 0.3571 | 0.3333 to 0.5000 |",
        "| sensitivity: the share of the vessel that is found | 0.5556 | 0.5000 to 1.0000 |",
        "| specificity: the share of all else that is not called so | 0.7826 | 0.5000 to 0.9333 |",
        "| boundary F1 within 1 px, mean of the images | 1.0000 | 1.0000 to 1.0000 |",
    ]
    lines = scores.table(result, [0.2, 0.4], every=True).splitlines()
    assert lines[2].startswith(
        "| dice: per image, hard, original size | 0.5833 (95%: 0.5000 to 0.6667) "
    )
    assert lines[3] == "| the same of the constant baseline | 0.3000 |  |"
    assert any("within 1 px" in line and "| 1.0000 |" in line for line in lines)
    assert len(lines) == 2 + len(scores.USED_BY) + 1
    assert {line.count("|") for line in lines} == {4}
    without = scores.table({**result, "dice_interval": None}, every=True)
    assert "| 0.5833 | the Carvana competition |" in without
    assert "constant baseline" not in without


def test_only_what_counts_is_scored(tmp_path):
    """The left half counts: every score is that of images that end there."""
    truths, probabilities = random_masks(4, (12, 30)), np.random.default_rng(1).random((4, 12, 30))
    counts = np.arange(30) < 15
    whole = written(tmp_path, {f"{i}": truth for i, truth in enumerate(truths)})
    (tmp_path / "halves").mkdir()
    halves = written(tmp_path / "halves", {f"{i}": mask[:, :15] for i, mask in enumerate(truths)})

    def read(path):
        return np.where(counts, data.read_mask(path), data.VOID)

    found = scores.report(whole, probabilities, read=read, chosen_threshold=0.3)
    cut = scores.report(halves, probabilities[:, :, :15], chosen_threshold=0.3)
    assert flat(found) == pytest.approx(flat(cut)) and 0 < found["boundary_f1"] < 1
    assert found["dice"] != scores.report(whole, probabilities)["dice"]


def test_of_images_without_foreground_specificity_alone_has_an_interval(tmp_path):
    pairs = written(tmp_path, {"a": np.zeros((2, 2)), "b": np.zeros((2, 2))})
    result = scores.report(pairs, [np.zeros((2, 2)), [[1, 0], [0, 0]]])
    assert (result["sensitivity"], result["sensitivity_interval"]) == (1, None)
    assert (result["specificity"], result["specificity_interval"]) == (7 / 8, [3 / 4, 1])


def test_slices_of_one_case_are_one_group_beside_the_others(tmp_path):
    """`case0/slice1`: in the test part alone the names would tell no group, and the interval would
    be that of four independent images."""
    pairs = []
    for case in range(3):
        for number in range(4):
            place = tmp_path / f"case{case}"
            place.mkdir(exist_ok=True)
            mask = random_masks(1, (4, 4), 4 * case + number)[0]
            pairs += written(place, {f"slice{number}": mask})
    scored, others = pairs[:4], [image for image, _ in pairs[4:]]
    answers = [np.full((4, 4), 0.7)] * 4
    found = scores.report(scored, answers, others=others)
    assert found["groups"] == 1 and found["dice_interval"] is None
    assert scores.report(scored, answers)["groups"] == 4
    ids = [np.ones((4, 4), "uint8")] * 4
    found = scores.class_report(scored, ids, data.Labels(("a", "b")), data.read_mask, others)
    assert found["groups"] == 1 and found["mean_iou_interval"] is None
