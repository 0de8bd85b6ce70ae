"""The ledger: tables of both tasks by hand, and records of one recipe from several versions."""

from unet_tf import protocol


def result(seed, scores, **changes):
    return {
        "recipe": "buildings_unet",
        "variant": "corrected",
        "data": "rendered",
        "published_dice": None,
        "original_size": [300, 200],
        "scored_on": "test",
        "changed": [],
        "split": {"images": {"train": 6, "validation": 2, "test": 2}},
        **dict.fromkeys(("commit", "code", "date", "hardware", "versions")),
        **{"seed": seed, "epochs": 1, "minutes": None, "scores": scores},
        **changes,
    }


def test_a_table_of_many_classes_by_hand():
    scores = {"mean_iou": 0.5, "iou_roof": 0.25, "pooled_iou": 0.75}
    scores |= {"pixel_accuracy": 0.875, "baseline": 0.125}
    other = scores | {"mean_iou": 0.7, "iou_roof": 0.45}
    classes = {"classes": ["roof", "boat"]}
    record = protocol.summary([result(0, scores, **classes), result(1, other, **classes)])
    head, rule, line = protocol.table([record]).splitlines()
    assert head.startswith("| recipe | data | **mean IoU, original size** | IoU of each class | ")
    assert rule.count("---") == head.count("|") - 1 == line.count("|") - 1 == 9
    assert line == (
        "| buildings_unet, corrected | rendered, 10 images of 200x300 "
        "| **0.6000** ± 0.1414 (2 seeds) | roof 0.3500 ± 0.1414; boat absent "
        "| 0.7500 | 0.8750 | 0.1250 | test |  |"
    )


def test_without_a_record_a_table_is_its_head():
    assert len(protocol.table([]).splitlines()) == 2


def test_seeds_of_several_versions_share_what_all_have():
    """Earlier reports counted `cars`, these count `groups`: neither stands in all of the runs."""
    record = protocol.summary([result(0, {"dice": 0.5, "cars": 4}), result(1, {"dice": 0.7})])
    assert record["scores"].keys() == {"dice"}
    assert record["runs"][0]["scores"]["cars"] == 4
