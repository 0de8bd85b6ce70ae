"""Records of several seeds, and their table beside the published scores."""

import pytest
from PIL import Image

from unet_tf import data, protocol


def results_by_hand(**changes):
    result = {
        "recipe": "article_unet",
        "variant": "as written",
        "data": "rendered",
        "published_dice": 0.9416,
        "original_size": [320, 480],
        "epochs": 8,
        "scored_on": "validation",
        "changed": ["epochs"],
        "split": {"images": {"train": 6, "validation": 2, "test": 0}},
        **dict.fromkeys(("commit", "date", "hardware", "versions")),
        **changes,
    }
    others = {"mean_over_batches": 0.91234, "iou": 0.8, "boundary_f1": 0.5, "baseline": 0.7}
    return [
        {
            **result,
            "seed": seed,
            "minutes": minutes,
            "scores": {"dice": dice, "worst": [], **others},
        }
        for seed, dice, minutes in ((2, 0.97, None), (0, 0.93, 2.0), (1, 0.95, 3.0))
    ]


def test_summary_by_hand():
    record = protocol.summary(results_by_hand())
    assert record["scores"]["dice"] == pytest.approx({"mean": 0.95, "spread": 0.02})
    assert record["scores"]["iou"] == pytest.approx({"mean": 0.8, "spread": 0})
    assert "worst" not in record["scores"]
    assert [run["seed"] for run in record["runs"]] == [0, 1, 2]
    assert record["runs"][1]["scores"]["dice"] == 0.95
    assert protocol.summary(results_by_hand()[:1])["scores"]["dice"]["spread"] is None


@pytest.mark.parametrize(
    ("name", "size", "file", "expected"),
    [
        ("any", (1918, 1280), "0123456789ab_01", "Carvana"),
        ("any", (47, 31), "0123456789ab_01", "any"),
        ("any", (1918, 1280), "photo", "any"),
        ("Carvana", (47, 31), "photo", "folder Carvana"),
        ("rendered", (47, 31), "photo", "folder rendered"),
    ],
)
def test_what_the_table_calls_the_data(tmp_path, name, size, file, expected):
    (tmp_path / name).mkdir()
    image = tmp_path / name / f"{file}.jpg"
    Image.new("RGB", size).save(image)
    parts = data.Split([data.Pair(image, image)], [], [])
    assert protocol.name_of(tmp_path / name, parts) == expected


def test_table_by_hand():
    assert protocol.table([protocol.summary(results_by_hand())]).splitlines()[2] == (
        "| article_unet, as written, changed: epochs | rendered, 8 images of 480x320 "
        "| 0.9416 | 0.9123 "
        "| no: rendered cars | **0.9500** ± 0.0200 (3 seeds) | 0.8000 | 0.5000 | 0.7000 "
        "| validation | 2.5 |"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"published_dice": None}, "no: no score published"),
        ({}, "no: rendered cars"),
        ({"data": "my_folder", "changed": []}, "no: other images"),
        ({"data": "Carvana"}, "no: changed epochs"),
        ({"data": "Carvana", "changed": []}, "yes"),
        ({"data": "Carvana", "changed": [], "variant": "corrected"}, "no: cars never seen"),
    ],
)
def test_what_may_stand_beside_the_published_score(changes, expected):
    assert protocol.comparable(results_by_hand(**changes)[0]).startswith(expected)
