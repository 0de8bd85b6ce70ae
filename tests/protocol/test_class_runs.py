"""Recipes of many classes from folder to score: on the parts of cars, and on a folder with given
parts and crops."""

import itertools
import json

import keras
import numpy as np
import pytest
from PIL import Image

from unet_tf import data, network, protocol, rendered, scores
from unet_tf.cli import commands
from unet_tf.protocol.trained import loss_of
from unet_tf.rendered.car_pictures import PARTS

SMALL = {"filters": (4, 8), "image_size": (32, 48), "epochs": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def parts_folder(tmp_path_factory):
    """Six rendered cars, as a folder of one's own: no marker, so no rendered data."""
    folder = tmp_path_factory.mktemp("own") / "parts"
    rendered.write("parts", folder, cars=6, size=(60, 40), progress=False)
    (folder / "rendered.json").unlink()
    return folder


@pytest.fixture
def town(tmp_path):
    """Two bright squares on dark ground an image, in the layout of Massachusetts Buildings."""
    rng = np.random.default_rng(0)
    for part, count in {"train": 4, "val": 2, "test": 2}.items():
        for name in (part, f"{part}_labels"):
            (tmp_path / "tiff" / name).mkdir(parents=True)
        for number in range(count):
            mask = np.zeros((50, 44), bool)
            for top, left in rng.integers(0, 30, (2, 2)):
                mask[top : top + 12, left : left + 12] = True
            image = np.where(mask[..., None], 200, 60) + rng.integers(0, 30, (50, 44, 3))
            name = f"2267891{number}_15"
            Image.fromarray(image.astype("uint8")).save(tmp_path / f"tiff/{part}/{name}.tiff")
            labels = Image.fromarray(mask.astype("uint8") * 255).convert("RGB")
            labels.save(tmp_path / f"tiff/{part}_labels/{name}.tif")
    table = "name,r,g,b\nbackground,0,0,0\nbuilding,255,255,255\n"
    (tmp_path / "label_class_dict.csv").write_text(table)
    return tmp_path


def test_the_published_parameter_counts():
    def trained(model):
        return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)

    bilinear = protocol.multiclass_unet((128, 128, 3), (64, 128, 256, 512, 512), 2)
    assert trained(bilinear) == 17_263_042
    own = {"dropout": 0.0, "batch_norm": True, "final_conv": False, "num_classes": 2}
    transposed = network.unet((128, 128, 3), upsampling="transposed_2x2", head=None, **own)
    assert trained(transposed) == 31_037_698


def test_as_written_the_buildings_network_has_one_convolution_a_block():
    model = protocol.buildings_as_written((None, None, 3), (64, 128, 256, 512, 1024), 2)
    kernels = [layer.filters for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert kernels == [64, 128, 256, 512, 1024, 512, 256, 128, 64, 2]
    ups = [layer.filters for layer in model.layers if type(layer).__name__ == "Conv2DTranspose"]
    assert ups == [1024, 512, 256, 128]  # as many as come in


def test_imagenet_normalization_is_in_the_model():
    model = protocol.multiclass_unet((16, 16, 3), (4, 4), 3)
    layer = model.get_layer("imagenet")
    image = np.full((1, 16, 16, 3), 0.5, "float32")
    wanted = [
        (0.5 - mean) / deviation
        for mean, deviation in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
    ]
    found = keras.ops.convert_to_numpy(layer(image))[0, 0, 0]
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)


def test_given_parts_are_kept(town, capsys):
    parts = data.parts(town)
    assert [len(part) for part in parts] == [4, 2, 2]
    assert all("val" in str(image.parent) for image, _ in parts.validation)
    assert "Split as given" in capsys.readouterr().out
    assert len(data.parts(town, images=3).train) == 3


def test_a_run_on_crops(town, tmp_path):
    recipe = protocol.get(
        "buildings_unet", filters=(4, 8), crop=(16, 16), crops=3, batch_size=4, epochs=2
    )
    result = protocol.run(recipe, town, to=tmp_path / "run", precision="float32", verbose=0)
    found = result["scores"]
    assert found["images"] == 2 and found["classes"] == ["background", "building"]
    confusion = np.array(found["confusion"])
    assert confusion.sum() == 2 * 50 * 44  # every pixel of the image, and no padding
    assert found["iou_building"] == scores.scores_of(confusion)["iou"][1]
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"best.keras", "result.json", "picture.png", "confusion.png", "classes.csv"} <= files
    assert json.loads((tmp_path / "run/result.json").read_text())["scores"] == found
    saved = data.table_of(tmp_path / "run").read(next((tmp_path / "run/predictions").iterdir()))
    assert saved.shape == (50, 44) and set(np.unique(saved)) <= {0, 1}


@pytest.mark.slow
def test_a_run_on_crops_resumes_to_the_bit(town, tmp_path):
    recipe = protocol.get(
        "buildings_unet", filters=(4, 8), crop=(16, 16), crops=3, batch_size=4, epochs=3
    )
    whole = protocol.run(recipe, town, to=tmp_path / "whole", precision="float32", verbose=0)
    first = protocol.changed(recipe, epochs=1)
    protocol.run(first, town, to=tmp_path / "cut", precision="float32", verbose=0)
    cut = protocol.run(
        recipe, town, to=tmp_path / "cut", precision="float32", verbose=0, resume=True
    )
    assert cut["scores"] == whole["scores"] and cut["epochs"] == whole["epochs"] == 3


@pytest.mark.parametrize("weights", ["median", "inverse", (1, 1, 2, 2, 3)])
def test_class_weights_reach_the_loss(parts_folder, weights):
    recipe = protocol.get("multiclass_unet", class_weights=weights)
    parts = data.parts(parts_folder)
    known = data.find_labels(parts_folder, parts)

    loss = loss_of(recipe, parts, known)
    assert len(loss.class_weights) == 5 and loss.class_weights[4] > loss.class_weights[0]


def test_class_weights_are_checked(parts_folder):
    with pytest.raises(ValueError, match="class_weights is 'rare'"):
        protocol.get("multiclass_unet", class_weights="rare")
    with pytest.raises(ValueError, match="class_weights are for the loss cross_entropy or"):
        protocol.get("buildings_unet", "as written", class_weights="median")
    recipe = protocol.get("multiclass_unet", class_weights=(1, 2), **SMALL)
    with pytest.raises(ValueError, match="2 class weights for 5 classes"):
        protocol.run(recipe, parts_folder, verbose=0)


@pytest.mark.slow
def test_a_folder_of_ones_own_from_check_to_masks(parts_folder, tmp_path, capsys):
    """Odd sizes, missing masks, palette PNGs, no table: without a line of code."""
    folder = tmp_path / "own"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
        for number, path in enumerate(sorted((parts_folder / name).iterdir())):
            if name == "masks" and number in (3, 20):
                continue  # a missing mask
            cut = (number % 5, number % 3, 60 - number % 4, 40)
            Image.open(path).crop(cut).save(folder / name / path.name)
    assert commands.main(["check", str(folder)]) == 1
    text = capsys.readouterr().out
    assert "images without a mask (2)" in text and "palette" in text
    train = ["train", "--data", str(folder), "--to", str(tmp_path / "run"), "--image-size", "32x48"]
    train += ["--epochs", "1", "--set", "filters=4,8,8", "--precision", "float32"]
    assert commands.main(train) == 1  # names what is missing, and the remedy
    assert "--leave-out" in capsys.readouterr().err
    names = ["--classes", *PARTS]
    assert commands.main([*train, "--leave-out", *names]) == 0
    out = capsys.readouterr().out
    assert "multiclass_unet" in out and "| IoU of wheel |" in out
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert sum(result["split"]["images"].values()) == 6 * 16 - 2
    again = [*train, "--leave-out", *names, "--no-check", "--recipe", "multiclass_unet"]
    assert commands.main(again) == 1
    assert "without a check nothing is left out" in capsys.readouterr().err
    assert commands.main([*train, "--leave-out", *names]) == 1
    assert "holds a run already (result.json)" in capsys.readouterr().err
    other = [*train, "--leave-out", *names, "--resume", "--learning-rate", "0.5"]
    assert commands.main(other) == 1
    assert "settings.learning_rate: 0.001 there, 0.5 here" in capsys.readouterr().err
    assert json.loads((tmp_path / "run/result.json").read_text()) == result
    assert commands.main([*train, "--leave-out", "--recipe", "guide_unet"]) == 1
    assert "these masks hold 5 classes" in capsys.readouterr().err
    assert result["scores"]["baseline"] > 0
    photos = sorted((folder / "images").iterdir())[:2]
    model = str(tmp_path / "run/best.keras")
    args = ["predict", model, *map(str, photos), "--to", str(tmp_path / "masks"), "--overlays"]
    assert commands.main(args) == 0
    for photo in photos:
        mask = Image.open(tmp_path / f"masks/{photo.stem}.png")
        assert mask.mode == "P" and mask.size == Image.open(photo).size
        assert set(np.unique(np.asarray(mask))) <= set(range(5))
    assert commands.main(["predict", model, str(photos[0]), "--rle", "a.csv"]) == 1
    assert "knows 5 classes" in capsys.readouterr().err


def test_ids_are_chosen_after_resizing_each_class():
    probability = np.zeros((1, 2, 3), "float32")
    probability[0, 0] = (0.6, 0.4, 0.0)
    probability[0, 1] = (0.0, 0.4, 0.6)
    # In the middle the second class leads, though it is the first nowhere.
    ids = data.ids_at(probability, (1, 8))
    assert ids.dtype == np.uint8 and ids[0, 0] == 0 and ids[0, -1] == 2
    assert set(ids[0, 3:5]) == {1}


def test_every_recipe_of_classes_is_silent_on_nothing():
    both = [recipe for recipe in protocol.RECIPES if recipe.classes]
    names = [(recipe.name, recipe.variant) for recipe in both]
    wanted = itertools.product(["buildings_unet", "multiclass_unet"], ["as written", "corrected"])
    assert sorted(names) == sorted(wanted)
    assert all(recipe.published is None and recipe.source for recipe in both)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("multiclass_unet", {"loss": protocol.LOSSES["dice_loss"]}, "is for many classes: one of"),
        ("guide_unet", {"loss": protocol.LOSSES["cross_entropy"]}, "is for black and white masks"),
        ("multiclass_unet", {"crop": (64, 64)}, "image_size has to be None"),
        ("multiclass_unet", {"crops": 3}, "3 crops of an image, but no crop"),
        ("buildings_unet", {"crop": (64, 32)}, "quarter turns want square crops"),
        ("guide_unet", {"class_names": ("a", "b")}, "guide_unet does not know"),
        ("multiclass_unet", {"class_names": ("a", "a")}, "class_names is"),
        ("multiclass_unet", {"class_names": ("a", "void")}, "none called void"),
    ],
)
def test_settings_that_do_not_go_together(name, changes, words):
    with pytest.raises(ValueError, match=words):
        protocol.get(name, **changes)


def test_an_epoch_with_nan_is_never_the_best():
    metric = network.mean_iou(2)
    labels = np.array([[[[0], [1]]]], "float32")
    metric.update_state(labels, np.array([[[[0.9, 0.1], [0.2, 0.8]]]], "float32"))
    assert float(metric.result()) == pytest.approx(1, abs=1e-6)
    metric.update_state(labels, np.full((1, 1, 2, 2), np.nan, "float32"))
    assert np.isnan(float(metric.result()))
    metric.reset_state()
    metric.update_state(labels, np.array([[[[0.9, 0.1], [0.8, 0.2]]]], "float32"))
    assert float(metric.result()) == pytest.approx((1 / 2 + 0) / 2, abs=1e-6)


def test_given_parts_without_test_or_without_training(town, capsys):
    for path in (town / "tiff/test_labels").iterdir():
        path.unlink()
    assert [len(part) for part in data.parts(town)] == [4, 2, 0]
    parts = data.parts(town, test_size=0.25)  # off the training part, and it is said
    assert [len(part) for part in parts] == [3, 2, 1]
    assert all("val" in str(image.parent) for image, _ in parts.validation)
    assert not set(parts.train) & set(parts.test)
    assert "No test part is given" in capsys.readouterr().out
    nothing = {"train": [], "val": [], "test": []}
    with pytest.raises(ValueError, match="no whole pairs in train"):
        data.parts(town, pairs=nothing)


def test_groups_of_very_unequal_size_are_not_split_by(parts_folder, tmp_path, capsys):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        for number in range(30):
            group = "d1" if number < 26 else f"d{number}"
            path = tmp_path / name / f"{group}_{number}.png"
            Image.new("L", (8, 8), number % 2).save(path)
    parts = data.parts(tmp_path, validation_size=0.2, test_size=0.2)
    assert [len(part) for part in parts] == [18, 6, 6]
    assert "too few groups, or too unequal ones" in capsys.readouterr().out
