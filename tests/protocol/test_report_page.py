"""The page of a run: whole in one file, with scores, curves, pictures, plan and settings."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from unet_tf import scores
from unet_tf.data import Labels, Pair, read_mask, save_ids
from unet_tf.protocol.report_page import write_page

VOID_TAGS = {"meta", "img", "br"}


class Whole(HTMLParser):
    """Every tag is closed by its own."""

    def __init__(self):
        super().__init__()
        self.open, self.images = [], []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def run(tmp_path):
    """Twelve images of which a run predicted half of the foreground; one name is HTML."""
    to = tmp_path / "my <run>"
    (to / "predictions").mkdir(parents=True)
    pairs = []
    for number in range(12):
        mask = np.zeros((20, 30), "uint8")
        mask[:10] = 255
        pairs.append(Pair(tmp_path / f"{number}&.png", tmp_path / f"{number}&_mask.png"))
        Image.fromarray(np.full((20, 30, 3), 20 * number, "uint8")).save(pairs[-1].image)
        Image.fromarray(mask).save(pairs[-1].mask)
        mask[: 9 - number % 9] = 0
        Image.fromarray(mask).save(to / "predictions" / f"{number}&.png")
    return to, pairs


def result_of(found, **more):
    facts = {"recipe": "guide_unet", "variant": "corrected", "seed": 0, "data": "cells & co"}
    facts |= {"split": {"images": {"train": 3, "validation": 1, "test": 12}}, "epochs": 2}
    facts |= {"precision": "float32", "hardware": "a CPU", "date": "2026-11-26", "minutes": 1.0}
    facts |= {"versions": {"keras": "3"}, "settings": {"filters": (4, 8)}, "changed": ["filters"]}
    return {**facts, "scored_on": "test", "scores": found, "verdict": [], **more}


def page_of(to, pairs, labels, result):
    score = "hard_dice" if labels.binary else "mean_iou"
    history = {
        "loss": [1, 0.5],
        score: [0.1, 0.5],
        "val_loss": [1, 0.5],
        f"val_{score}": [0.1, 0.5],
    }
    write_page(to, result, history, pairs, labels)
    text = (to / "report.html").read_text()
    seen = Whole()
    seen.feed(text)
    assert not seen.open
    assert not re.findall(r'(?:src|href)="(?!data:)', text)  # nothing is loaded from elsewhere
    assert all(image["alt"] for image in seen.images)
    return text, seen.images


def test_a_page_of_one_foreground(run):
    to, pairs = run
    answers = [read_mask(to / "predictions" / image.name) for image, _ in pairs]
    found = scores.report(pairs, answers) | {"baseline": 0.1}
    (to / "plan.json").write_text(
        json.dumps(
            {
                "minutes": 10,
                "choices": [
                    {"setting": "crop", "value": [128, 128], "found": "thin things", "why": "so"}
                ],
            }
        )
    )
    text, images = page_of(to, pairs, Labels.foreground(), result_of(found))
    assert "my &lt;run&gt;" in text and "cells &amp; co" in text
    assert len(images) == 1 + 10 + 10  # curves, the worst, the middle
    assert "128x128" in text and "thin things" in text and "4x8" in text
    assert "Better than a prediction" in text
    worst = found["worst"][0]
    assert f"{worst['image'].replace('&', '&amp;')}: {worst['dice']:.3f}" in text


def test_without_an_interval_nobody_says_better(run):
    """All images of one group: it has none."""
    to, pairs = run
    answers = [read_mask(to / "predictions" / image.name) for image, _ in pairs]
    found = scores.report(pairs, answers) | {"baseline": 0.1, "dice_interval": None}
    text, _ = page_of(to, pairs, Labels.foreground(), result_of(found))
    assert "Better than a prediction" not in text and "may be chance" in text


def test_a_bad_run_is_said_on_its_page(run):
    to, pairs = run
    found = scores.report(pairs, [np.zeros((20, 30))] * 12) | {"baseline": 0.7}
    causes = [("collapsed", True, "0% <foreground>", "a smaller rate")]
    result = result_of(found, verdict=causes, scored_on="validation")
    text, _ = page_of(to, pairs, Labels.foreground(), result)
    assert "NOT BETTER THAN A CONSTANT PREDICTION" in text and "0% &lt;foreground&gt;" in text
    assert "chose the best epoch" in text


def test_a_page_of_many_classes(run):
    to, pairs = run
    labels = Labels(("sky", "road", "pole"))
    for number, (image, mask) in enumerate(pairs):
        ids = np.full((20, 30), number % 3, "uint8")
        ids[:5] = 1
        Image.fromarray(ids).save(mask)
        save_ids(to / "predictions" / f"{image.stem}.png", ids, np.zeros((256, 3), "uint8"))
    found = scores.class_report(pairs, (labels.read(mask) for _, mask in pairs), labels)
    found |= {"baseline": 0.2, "baseline_report": found}
    text, images = page_of(to, pairs, labels, result_of(found))
    assert len(images) == 1 + 10 + 10 + 1  # and the confusion matrix
    assert "IoU of road" in text
