"""Counts and scores of many classes, against plain loops, fractions by hand, and scikit-learn."""

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as reference

from unet_tf.data import Labels
from unet_tf.scores import (
    class_baseline,
    class_report,
    confusion_matrix,
    frequency_weights,
    scores_of,
    table,
)
from unet_tf.scores.intervals import class_intervals

VOID = 255
THREE = Labels(("sky", "road", "car"))


def random_masks(seed, count=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (count, 13, 17))
    truth[rng.random(truth.shape) < 0.2] = VOID
    return truth.astype("uint8"), rng.integers(0, 3, truth.shape).astype("uint8")


@pytest.mark.parametrize("seed", range(3))
def test_the_confusion_matrix_by_a_loop_and_by_scikit_learn(seed):
    truth, prediction = random_masks(seed)
    loop = [[0] * 3 for _ in range(3)]
    for true, called in zip(truth.ravel(), prediction.ravel(), strict=True):
        if true != VOID:
            loop[true][called] += 1
    found = confusion_matrix(truth, prediction, 3)
    assert found.dtype == np.int64 and found.tolist() == loop
    valid = truth != VOID
    assert (found == reference.confusion_matrix(truth[valid], prediction[valid])).all()
    scores = scores_of(found)
    by_class = reference.jaccard_score(truth[valid], prediction[valid], average=None)
    assert scores["iou"] == pytest.approx(by_class.tolist(), abs=1e-12)
    f1 = reference.f1_score(truth[valid], prediction[valid], average=None)
    assert scores["dice"] == pytest.approx(f1.tolist(), abs=1e-12)
    accuracy = reference.accuracy_score(truth[valid], prediction[valid])
    assert scores["pixel_accuracy"] == pytest.approx(accuracy, abs=1e-12)
    weighted = reference.jaccard_score(truth[valid], prediction[valid], average="weighted")
    assert scores["frequency_weighted_iou"] == pytest.approx(weighted, abs=1e-12)
    micro = reference.jaccard_score(truth[valid], prediction[valid], average="micro")
    assert scores["pooled_iou"] == pytest.approx(micro, abs=1e-12)


def test_by_hand():
    # sky 6 pixels: 5 right, 1 called road; road 2: both right; car in no truth, predicted nowhere.
    scores = scores_of([[5, 1, 0], [0, 2, 0], [0, 0, 0]])
    assert scores["iou"] == [5 / 6, 2 / 3, None]
    assert scores["dice"] == [10 / 11, 4 / 5, None]
    assert scores["mean_iou"] == pytest.approx((5 / 6 + 2 / 3) / 2)
    assert scores["frequency_weighted_iou"] == pytest.approx(6 / 8 * 5 / 6 + 2 / 8 * 2 / 3)
    assert scores["pixel_accuracy"] == 7 / 8
    assert scores["pooled_iou"] == 7 / 9


def test_an_absent_class_is_left_out_even_where_it_is_predicted():
    scores = scores_of([[4, 0, 4], [0, 8, 0], [0, 0, 0]])
    assert scores["iou"] == [0.5, 1.0, None]  # the false cars are errors of the sky
    assert scores["mean_iou"] == 0.75


def test_a_building_iou_of_two_thirds_reads_as_nine_tenths_when_pooled():
    # 100 pixels, 12 of them building: 10 found, 2 missed, 3 too many.
    confusion = np.array([[85, 3], [2, 10]])
    scores = scores_of(confusion)
    assert scores["iou"][1] == 10 / 15
    assert scores["pooled_iou"] == 95 / 105


def test_counts_past_two_to_the_31_are_exact():
    half = 2**31 + 1
    scores = scores_of(np.array([[half, 1], [0, half]]))
    assert scores["iou"] == [half / (half + 1)] * 2
    assert scores["pixel_accuracy"] == 2 * half / (2 * half + 1)
    total = sum(np.full((2, 2), 2**30, "int64") for _ in range(5))
    assert total.dtype == np.int64 and total[0, 0] == 5 * 2**30


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="cannot be scored"):
        confusion_matrix(np.zeros((2, 2)), np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match="a prediction holds 2: ids are 0 to 1"):
        confusion_matrix(np.zeros((1, 2), int), np.array([[0, 2]]), 2)
    nothing = confusion_matrix(np.full((2, 2), VOID), np.zeros((2, 2), int), 2)
    with pytest.raises(ValueError, match="all of the masks is void"):
        scores_of(nothing)


@pytest.fixture
def pairs(tmp_path):
    truth, prediction = random_masks(7)
    found = []
    for number, mask in enumerate(truth):
        path = tmp_path / f"{number}.png"
        Image.fromarray(mask).save(path)
        found.append((path, path))
    return found, truth, prediction


def test_the_report_sums_counts_over_images(pairs):
    files, truth, prediction = pairs
    report = class_report(files, prediction, THREE)
    whole = confusion_matrix(truth, prediction, 3)
    assert report["confusion"] == whole.tolist()
    assert report["void_share"] == (truth == VOID).mean()
    assert report["absent"] == []
    assert sum(report["shares"]) == pytest.approx(1)
    own = [
        scores_of(confusion_matrix(*both, 3))["mean_iou"]
        for both in zip(truth, prediction, strict=True)
    ]
    low, high = report["mean_iou_interval"]
    assert low < report["mean_iou"] < high and report["groups"] == len(files)
    for (low, high), value in zip(report["iou_intervals"], report["iou"], strict=True):
        assert low < value < high
    assert report["worst"][0] == {"image": f"{np.argmin(own)}.png", "mean_iou": min(own)}
    with pytest.raises(ValueError, match="no images"):
        class_report([], [], THREE)


def test_intervals_of_iou_are_those_of_drawn_groups():
    """Two groups: a draw holds the one, the other, or both; worked by hand."""
    hits = np.array([[4, 0], [0, 3], [0, 0]])
    truth = np.array([[4, 0], [4, 6], [0, 0]])
    said = np.array([[4, 0], [4, 6], [0, 0]])
    mean, by_class = class_intervals(hits, truth, said, ["a", "b", "b"], draws=2000)
    # a: 4 of 4, the second class absent; b: 0 of 8 and 3 of 9; both: 4 of 12 and 3 of 9.
    assert by_class == [[0.0, 1.0], [3 / 9, 3 / 9]]
    assert mean == [pytest.approx((0 + 3 / 9) / 2), 1.0]
    assert class_intervals(hits, truth, said, ["a"] * 3) == (None, None)
    nowhere = np.zeros((3, 1), int)
    _, by_class = class_intervals(
        *(np.hstack([counts, nowhere]) for counts in (hits, truth, said)), ["a", "b", "b"]
    )
    assert by_class[2] is None


def test_the_baseline_is_the_most_frequent_class_of_each_place(tmp_path):
    masks = [[[0, 1], [2, 2]], [[0, 1], [1, 2]], [[1, 0], [2, VOID]]]
    files = []
    for number, mask in enumerate(masks):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.array(mask, "uint8")).save(path)
        files.append((path, path))
    report = class_baseline(files, files[2:], THREE, (2, 2))
    assert report["confusion"] == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]  # it says [[0, 1], [2, 2]]


def test_class_weights_by_hand(tmp_path):
    # sky 6 of 8 pixels and road 2 of 8 in the first; sky 2, car 2 in the second, rest void.
    masks = [[[0] * 6 + [1] * 2], [[0, 0, 2, 2] + [VOID] * 4]]
    files = []
    for number, mask in enumerate(masks):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.array(mask, "uint8")).save(path)
        files.append((path, path))
    four = Labels(("sky", "road", "car", "boat"))
    inverse = frequency_weights(files, four, "inverse")
    raw = [12 / 8, 12 / 2, 12 / 2]
    assert inverse == pytest.approx([weight / (sum(raw) / 3) for weight in raw] + [0])
    median = frequency_weights(files, four, "median")
    shares = [8 / 12, 2 / 8, 2 / 4]  # of the pixels of the images that hold the class
    assert median == pytest.approx([0.5 / share for share in shares] + [0])
    with pytest.raises(ValueError, match='"inverse", "median" or numbers'):
        frequency_weights(files, four, "rare")


def test_the_table_names_absent_classes(pairs):
    files, _, prediction = pairs
    report = class_report(files, prediction, Labels(("sky", "road", "car", "boat")))
    text = table(report, report)
    assert report["absent"] == ["boat"]
    assert "| IoU of boat | absent | absent |  | 0.00% of the pixels |" in text
    assert f"| {report['mean_iou']:.4f} |" in text
    assert "pixel accuracy" not in text
    assert "| pixel accuracy |" in table(report, report, every=True)
