"""The verdict on a score that a constant prediction reaches; what is said while it trains."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import protocol
from unet_tf.data import Labels, Pair, Split
from unet_tf.protocol import verdict
from unet_tf.protocol.folds import together
from unet_tf.protocol.progress import Progress

BAD = {"dice": 0.2, "dice_interval": [0.15, 0.25], "baseline": 0.22}


@pytest.fixture
def parts(tmp_path):
    """Twelve masks, a quarter white; the run predicted nothing."""
    pairs = []
    (tmp_path / "predictions").mkdir()
    for number in range(12):
        mask = np.zeros((64, 64), "uint8")
        mask[:16] = 255
        pairs.append(Pair(tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"))
        Image.fromarray(mask).save(pairs[-1].image)
        Image.fromarray(mask).save(pairs[-1].mask)
        Image.fromarray(0 * mask).save(tmp_path / f"predictions/{number}.png")
    return Split(pairs, pairs, pairs)


def found(parts, to, history, **settings):
    recipe = protocol.get("guide_unet", **settings)
    causes = verdict.verdict(recipe, BAD, Labels.foreground(), parts, history, to)
    return {cause: (so, words) for cause, so, words, _ in causes}


def history(epochs, best):
    values = [0.1] * epochs
    values[best - 1] = 0.2
    return {"loss": [1.0] * epochs, "val_hard_dice": values}


def test_a_score_above_the_constant_by_its_interval_is_good():
    assert verdict.better({"dice": 0.5, "dice_interval": [0.4, 0.6], "baseline": 0.39})
    assert not verdict.better({"dice": 0.5, "dice_interval": [0.4, 0.6], "baseline": 0.41})
    many = {"confusion": [], "mean_iou": 0.43, "mean_iou_interval": [0.38, 0.5]}
    assert verdict.better({**many, "baseline": 0.37})
    assert not verdict.better({**many, "baseline": 0.4})
    assert verdict.better({**many, "mean_iou_interval": None, "baseline": 0.4})  # one group


def test_each_cause_is_tested_by_itself(parts, tmp_path):
    """12 images in batches of 16: a step an epoch."""
    made = found(parts, tmp_path, history(8, best=3))
    assert made["too few steps"] == (True, "8 steps in all; the best epoch is 3 of 8")
    assert made["collapsed"] == (True, "0.00% of the pixels are called foreground")
    assert not made["masks inverted"][0] and not made["too few images to tell"][0]
    long = history(600, best=300)
    assert not found(parts, tmp_path, long)["too few steps"][0]
    assert found(parts, tmp_path, history(600, best=600))["too few steps"][0]  # it still rises


def test_a_size_at_which_masks_die_is_found(parts, tmp_path):
    lines = np.zeros((64, 64), "uint8")
    lines[::8] = 255
    for _, mask in parts.test:
        Image.fromarray(lines).save(mask)
    small = found(parts, tmp_path, history(2, 1), image_size=(16, 16))
    assert small["images too small for the masks"][0]
    whole = found(parts, tmp_path, history(2, 1), image_size=(64, 64))
    assert not whole["images too small for the masks"][0]


def test_classes_that_are_never_found_are_named(parts, tmp_path):
    report = {"classes": ["sky", "road", "pole", "sign"], "iou": [0.9, 0.0, 0.0, None]}
    report |= {"confusion": [], "mean_iou": 0.3, "mean_iou_interval": [0.2, 0.4], "baseline": 0.3}
    labels, recipe = Labels(tuple(report["classes"])), protocol.get("multiclass_unet")
    causes = verdict.verdict(recipe, report, labels, parts, history(8, best=3), tmp_path)
    (lost,) = [cause for cause in causes if cause[0] == "classes never found"]
    assert lost[1:3] == (True, "2 of 3 classes have an IoU of 0: road, pole")
    assert "class_weights" in lost[3] and "mean IoU 0.3000" in verdict.text(report, causes)
    report["iou"] = [0.9, 0.1, 0.1, None]
    assert not verdict.never_found(report)[1]


def test_masks_of_mostly_white_are_said(parts, tmp_path):
    for _, mask in parts.train:
        Image.fromarray(255 - np.asarray(Image.open(mask))).save(mask)
    assert found(parts, tmp_path, history(2, 1))["masks inverted"][0]


def test_the_verdict_is_told_with_what_to_try():
    causes = [("too few steps", True, "8 steps", "--minutes 30"), ("collapsed", False, "5%", "x")]
    told = verdict.text(BAD, causes)
    assert told.startswith("NOT BETTER THAN A CONSTANT PREDICTION: dice 0.2000, against 0.2200.")
    assert "too few steps: yes: 8 steps. Try --minutes 30" in told and "collapsed: no: 5%" in told
    assert verdict.text(BAD, []) == ""


def test_an_epoch_is_told_beside_the_constant_prediction(capsys):
    progress = Progress(0.25, "val_hard_dice")
    progress.set_params({"epochs": 4, "steps": 10})
    progress.on_train_begin()
    progress.on_epoch_begin(2)  # resumed behind the second
    progress.begun -= 60
    progress.on_epoch_end(2, {"loss": 0.5, "val_hard_dice": 0.75})
    said = capsys.readouterr().out
    assert said == (
        "epoch 3 of 4: loss 0.5000; validation: hard_dice 0.7500 (a constant prediction 0.2500); "
        "1.0 min, 1.0 left\n"
    )


def test_a_long_epoch_is_told_within(capsys):
    progress = Progress(0.25, "val_hard_dice")
    progress.set_params({"epochs": 2, "steps": 10})
    progress.on_train_begin()
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(3, {"loss": 0.5})
    assert not capsys.readouterr().out
    progress.begun, progress.said = progress.begun - 60, progress.said - 60
    progress.on_train_batch_end(4, {"loss": 0.5})  # half of the first of two epochs
    assert capsys.readouterr().out == "epoch 1 of 2: step 5 of 10, loss 0.5000; 1.0 min, 3.0 left\n"


def test_folds_count_each_image_once():
    """Dice 0.5 of 1 image and 0.8 of 3 images: 0.725 of all four."""
    one = {"dice": 0.5, "images": 1, "baseline": 0.2}
    record = together([one, {"dice": 0.8, "images": 3, "baseline": 0.4}])
    assert record["scores"]["dice"] == pytest.approx(0.725)
    assert record["scores"]["baseline"] == pytest.approx(0.35)
    assert record["spread"] == pytest.approx(0.3 / 2**0.5)


def test_folds_of_many_classes_sum_their_counts():
    """IoU 8/10 and 2/4 of the sums [[8, 1], [1, 2]]."""
    reports = [
        {"mean_iou": 0.1, "images": 2, "baseline": 0.1, "classes": ["a", "b"], "confusion": counts}
        for counts in ([[5, 1], [0, 1]], [[3, 0], [1, 1]])
    ]
    assert together(reports)["scores"]["mean_iou"] == pytest.approx((0.8 + 0.5) / 2)
