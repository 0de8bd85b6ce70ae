"""Masks that are there already, whoever made them, against a labelled folder."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, scores
from unet_tf.cli import commands
from unet_tf.data import VOID, Labels
from unet_tf.files import UserError


def save(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels, "uint8"))
    (image.convert(mode) if mode else image).save(path)


TRUTH = {"a1": [[1, 1, 0, 0]], "a2": [[0, 0, 1, 1]], "b1": [[0, 0, 0, 1]]}
MADE = {"a1": [[1, 0, 0, 0]], "a2": [[0, 0, 1, 1]], "b1": [[0, 0, 1, 1]]}  # dice 2/3, 1, 2/3


@pytest.fixture
def folder(tmp_path):
    for name, mask in TRUTH.items():
        save(tmp_path / f"own/images/{name}.jpg", np.zeros((1, 4, 3)))
        save(tmp_path / f"own/masks/{name}_mask.png", 255 * np.array(mask))
    return tmp_path / "own"


def made(folder, masks=MADE, white=255, ending=".png"):
    for name, mask in masks.items():
        save(folder / f"{name}{ending}", white * np.array(mask))
    return folder


@pytest.mark.parametrize(("white", "ending"), [(255, ".png"), (1, "_mask.tif"), (255, ".gif")])
def test_scores_by_hand(folder, tmp_path, white, ending, capsys):
    found = scores.of_masks(made(tmp_path / "made", white=white, ending=ending), folder)
    assert found["dice"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert found["iou"] == pytest.approx(4 / 6)
    assert (found["sensitivity"], found["specificity"]) == (4 / 5, 6 / 7)
    assert "baseline" not in found and found["foreground"] == "foreground"
    assert "do not say which images trained their model" in capsys.readouterr().out
    named = scores.of_masks(tmp_path / "made", folder, names=["background", "vessel"])
    assert named["foreground"] == "vessel"


def test_images_without_a_mask_are_counted_or_named(folder, tmp_path, capsys):
    made(tmp_path / "made", {name: MADE[name] for name in ("a1", "a2")})
    (tmp_path / "made/predict.json").write_text("{}")
    found = scores.of_masks(tmp_path / "made", folder)
    assert found["images"] == 2 and found["dice"] == pytest.approx(5 / 6)
    assert "1 of 3 images have no mask in" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"made: 1 of 3 images have no mask here, b1\.jpg the"):
        scores.of_masks(tmp_path / "made", folder, "all")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: 3 of 3 images have no mask here"):
        scores.of_masks(tmp_path / "empty", folder)
    with pytest.raises(UserError, match="no such folder of masks"):
        scores.of_masks(tmp_path / "nowhere", folder)


def test_of_two_masks_that_in_the_image_s_folders_is_taken(folder, tmp_path):
    wrong = {name: [[0, 0, 0, 0]] for name in MADE}
    made(tmp_path / "made/images"), made(tmp_path / "made/others", wrong)
    right = scores.of_masks(tmp_path / "made", folder)
    assert right["dice"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    made(tmp_path / "made", wrong), made(tmp_path / "made/.hidden/images", wrong)
    assert scores.of_masks(tmp_path / "made", folder)["dice"] == right["dice"]
    made(tmp_path / "made/images", ending=".tif")
    with pytest.raises(UserError, match=r"a1\.png and .*a1\.tif could both be the mask of a1\.jpg"):
        scores.of_masks(tmp_path / "made", folder)


def test_folders_of_no_usual_layout_are_scored_by_the_patterns_they_train_by(tmp_path, capsys):
    """A folder each image, which is always called `photo`."""
    for name, mask in TRUTH.items():
        save(tmp_path / f"own/{name}/photo.jpg", np.zeros((1, 4, 3)))
        save(tmp_path / f"own/{name}/drawn.png", 255 * np.array(mask))
        save(tmp_path / f"made/{name}/photo.png", 255 * np.array(MADE[name]))
    patterns = ["*/photo.jpg", "*/drawn.png"]
    found = scores.of_masks(tmp_path / "made", tmp_path / "own", patterns=patterns)
    assert found["dice"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert found["worst"][-1]["image"] == "a2/photo.jpg"
    command = ["score", str(tmp_path / "made"), str(tmp_path / "own")]
    assert commands.main(command) == 1
    two = ["--image-files", patterns[0], "--mask-files", patterns[1]]
    assert commands.main([*command, *two]) == 0
    assert "0.7778" in capsys.readouterr().out


def test_masks_that_cannot_be_scored(folder, tmp_path):
    made(tmp_path / "made", {**MADE, "b1": [[0, 1], [1, 1]]})
    with pytest.raises(UserError, match=r"b1\.png: this mask and .*differ.*2x2 and 1x4"):
        scores.of_masks(tmp_path / "made", folder)
    made(tmp_path / "made", {"b1": [[0, 0.5, 1, 1]]})
    with pytest.raises(UserError, match=r"b1\.png: a black and white mask holds 0 and one of"):
        scores.of_masks(tmp_path / "made", folder)


def test_a_region_by_hand(folder, tmp_path):
    """Of a1 the last three pixels count, of the others the first three."""
    made(tmp_path / "made")
    for name in TRUTH:
        region = [[0, 1, 1, 1]] if name == "a1" else [[1, 1, 1, 0]]
        save(folder / f"fov/{name}.png", 255 * np.array(region))
    found = scores.of_masks(tmp_path / "made", folder, region="fov")
    # a1: 1 0 0, called 0 0 0; a2: 0 0 1, called so; b1: 0 0 0, called 0 0 1.
    assert found["dice"] == pytest.approx((0 + 1 + 0) / 3)
    assert (found["sensitivity"], found["iou"]) == (1 / 2, 1 / 3)
    assert (found["specificity"], found["pixel_accuracy"]) == (6 / 7, 7 / 9)


def test_a_constant_prediction_stands_beside_where_a_part_trains(tmp_path):
    for part, names in (("train", ("a1", "a2")), ("test", ("b1",))):
        for name in names:
            save(tmp_path / f"own/{part}/{name}.png", np.zeros((1, 4, 3)))
            save(tmp_path / f"own/{part}_labels/{name}.png", 255 * np.array(TRUTH[name]))
    save(tmp_path / "own/fov/b1.png", [[255, 0, 255, 255]])
    made(tmp_path / "made")
    found = scores.of_masks(tmp_path / "made", tmp_path / "own")
    assert found["images"] == 1 and found["dice"] == pytest.approx(2 / 3)
    # The mean of a1 and a2 is a half everywhere: all is foreground, 4 pixels for 1.
    assert found["baseline"] == pytest.approx(2 / 5)
    part = scores.of_masks(tmp_path / "made", tmp_path / "own", region="fov")
    assert part["baseline"] == pytest.approx(2 / 4)


def test_many_classes(tmp_path):
    """Truth in the colours of a table with void; what was made, in palette ids and in colours."""
    labels = Labels(("sky", "road"), ((0, 0, 255), (90, 90, 90)), (1, 2, 3))
    data.write_table(tmp_path / "own/classes.csv", labels)
    colours = data.palette_of(labels)
    for name, truth in {"a": [[0, 0, 1, 1]], "b": [[0, VOID, 1, 1]]}.items():
        save(tmp_path / f"own/images/{name}.jpg", np.zeros((1, 4, 3)))
        save(tmp_path / f"own/masks/{name}.png", colours[np.array(truth)])
        save(tmp_path / f"own/fov/{name}.png", [[255, 255, 255, 0]])
    (tmp_path / "made").mkdir()
    data.save_ids(tmp_path / "made/a.png", np.array([[0, 1, 1, 1]], "uint8"), colours)
    save(tmp_path / "made/b.png", colours[np.array([[0, 0, 0, 1]])])
    found = scores.of_masks(tmp_path / "made", tmp_path / "own")
    # sky: 2 right, 1 called road; road: 3 right, 1 called sky; the void pixel counts nowhere.
    assert found["confusion"] == [[2, 1], [1, 3]] and found["classes"] == ["sky", "road"]
    within = scores.of_masks(tmp_path / "made", tmp_path / "own", region="fov")
    assert within["confusion"] == [[2, 1], [1, 1]]
    save(tmp_path / "made/b.png", colours[np.array([[0, VOID, 0, 1]])])
    with pytest.raises(UserError, match=r"b\.png: holds void"):
        scores.of_masks(tmp_path / "made", tmp_path / "own")


def test_ids_without_a_table_are_classes(tmp_path):
    for kind in ("own/images", "own/masks", "made"):
        save(tmp_path / f"{kind}/a.png", [[0, 1, 2, 2]])
    found = scores.of_masks(tmp_path / "made", tmp_path / "own", names=["sky", "road", "car"])
    assert found["mean_iou"] == 1 and found["classes"] == ["sky", "road", "car"]
