"""Exported files, each run by its own program, against the Keras model they are of."""

import importlib.util
import json

import keras
import numpy as np
import pytest
from PIL import Image
from small_models import PARTS, saved

from unet_tf import data, export, predict
from unet_tf.data import Card
from unet_tf.export import formats
from unet_tf.export.runtimes import runtime
from unet_tf.files import UserError

NEEDS = {".onnx": ("onnx", "tf2onnx", "onnxruntime"), ".tflite": ("ai_edge_litert",)}
ENDINGS = (".onnx", "", ".tflite", ".keras")


def exported(model, path, *options):
    for name in NEEDS.get(path.suffix, ()):
        pytest.importorskip(name)
    return export.export(model, path, *options)


def answer(model, image):
    """The Keras model's own, worked out step by step."""
    size = data.size_at(model.card.image_size, image.shape[:2])
    small = data.resized(image, size, model.card.resize)
    return np.asarray(formats.in_float32(model.model)(small[None].astype("float32") / 255))[0]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_every_format_says_what_the_model_says_in_float32(tmp_path, image, policy):
    model = saved(tmp_path / "small.keras", policy)
    expected = answer(model, image)
    assert expected.std() > 1e-3
    for ending in ENDINGS if policy == "mixed_bfloat16" else ENDINGS[1::2]:
        path = exported(model, tmp_path / f"out{ending}")
        _, run = runtime(path, model.card)
        np.testing.assert_allclose(run(image), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS[:2])
@pytest.mark.parametrize(
    "how", [{"image_size": None}, {"image_size": 0.5}, {"resize": "nearest"}], ids=str
)
def test_any_size_is_used_as_the_card_says(tmp_path, image, ending, how):
    model = saved(tmp_path / "any.keras", labels=PARTS, shape=(None, None, 3), **how)
    path = exported(model, tmp_path / f"out{ending}")
    _, run = runtime(path, model.card)
    for one in (image, image[:31, :44]):
        np.testing.assert_allclose(run(one), answer(model, one), atol=1e-5)


@pytest.mark.slow
def test_the_preprocessing_inside_a_model_is_exported_too(tmp_path, image):
    inputs = keras.Input((16, 24, 3))
    shifted = keras.layers.Normalization(mean=(0.5, 0.4, 0.3), variance=(0.1, 0.2, 0.3))(inputs)
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(shifted)
    model = predict.Predictor(
        keras.Model(inputs, outputs), Card(data.Labels.foreground(), (16, 24))
    )
    _, run = runtime(exported(model, tmp_path / "out.onnx"), model.card)
    np.testing.assert_allclose(run(image), answer(model, image), atol=1e-5)


@pytest.mark.slow
def test_a_stranger_s_layers_do_in_a_file_what_they_do_in_keras(tmp_path, image):
    """Those that augment rest; one that was adapted keeps what it has been adapted to."""
    inputs = keras.Input((16, 24, 3))
    adapted = keras.layers.Normalization()
    adapted.adapt(np.linspace(0.2, 0.9, 16 * 24 * 3, dtype="float32").reshape(1, 16, 24, 3))
    x = keras.layers.RandomBrightness(0.5, value_range=(0, 1))(inputs)
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(adapted(x))
    card = Card(data.Labels.foreground(), (16, 24))
    model = predict.Predictor(keras.Model(inputs, outputs), card)
    expected = model(data.resized(image, (16, 24))[None].astype("float32") / 255)[0]
    for ending in ENDINGS:
        _, run = runtime(exported(model, tmp_path / f"out{ending}"), card)
        np.testing.assert_allclose(run(image), expected, atol=1e-5)


@pytest.mark.slow
def test_the_card_travels_as_metadata_without_what_was_seen(tmp_path, model):
    paths = [exported(model, tmp_path / f"out{ending}") for ending in ENDINGS]
    onnx, folder, tflite, own = paths
    (entry,) = importlib.import_module("onnx").load(onnx).metadata_props
    texts = [entry.value, (folder / "assets.extra" / entry.key).read_text()]
    for record in (*map(json.loads, texts), formats.described(Card.read(tflite))):
        assert record["image_size"] == [16, 24] or record["image_size"] == (16, 24)
        assert record["labels"]["names"][1] == "car" and record["threshold"] == 0.5
        assert record["trained_on"] == {"recipe": "a"}
    assert Card.read(own) == model.card  # with what it has seen


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".tflite", ".onnx"])
def test_quantized_files_are_smaller_and_near(tmp_path, image, ending):
    model = saved(tmp_path / "small.keras")
    Image.fromarray(image).save(tmp_path / "image.png")
    whole = exported(model, tmp_path / f"whole{ending}").stat().st_size
    for how, near in (("float16", 0.01), ("dynamic", 0.1), ("int8", 0.2)):
        path = exported(model, tmp_path / f"{how}{ending}", how, [tmp_path / "image.png"] * 3)
        assert path.stat().st_size < whole or how != "float16"
        _, run = runtime(path, model.card)
        apart = np.abs(run(image) - answer(model, image)).max()
        assert 1e-7 < apart < near


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("out.pb", {}, "end it in .onnx, .tflite or .keras"),
        (".", {}, "has no name"),
        ("out.KERAS", {}, "end it in .onnx, .tflite or .keras"),
        ("out.keras", {"quantize": "int8"}, "--quantize is for .onnx and .tflite"),
        ("out.tflite", {"quantize": "int8"}, "int8 is calibrated on images"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(
    monkeypatch, tmp_path, model, name, options, words
):
    monkeypatch.chdir(tmp_path)
    there = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=words):
        export.export(model, name, **options)
    assert sorted(tmp_path.iterdir()) == there


def test_tflite_wants_one_size(tmp_path):
    model = saved(tmp_path / "any.keras", shape=(None, None, 3), image_size=None)
    with pytest.raises(UserError, match="--image-size HxW"):
        export.export(model, tmp_path / "out.tflite")


def test_tiles_and_flips_are_more_than_one_graph(tmp_path, model):
    for one in (model.tiled(), model.flipped()):
        with pytest.raises(UserError, match="export it without"):
            export.export(one, tmp_path / "out.keras")


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, tmp_path, model):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnx, tf2onnx\. .*python.* -m pip install onnx"):
        export.export(model, tmp_path / "out.onnx")


def test_a_folder_of_something_else_stays(tmp_path, model):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/photo.txt").write_text("mine")
    with pytest.raises(UserError, match="something else"):
        export.export(model, tmp_path / "mine")
    assert (tmp_path / "mine/photo.txt").read_text() == "mine"


def test_a_link_to_a_folder_stays_one(tmp_path, model):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    export.export(model, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real/saved_model.pb").exists()


def test_a_full_disk_is_a_sentence_and_leaves_nothing(monkeypatch, tmp_path, model):
    def fails(*arguments, **options):
        raise formats.tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(formats.tf.saved_model, "save", fails)
    with pytest.raises(OSError, match="saved: cannot be written"):
        export.export(model, tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["small.keras"]


def test_an_earlier_export_is_replaced_whole_or_not_at_all(monkeypatch, tmp_path, model):
    path = export.export(model, tmp_path / "saved")
    (path / "stale").touch()

    def fails(*arguments, **options):
        raise OSError("disk")

    with monkeypatch.context() as patched:
        patched.setattr(formats, "described", fails)
        with pytest.raises(OSError, match="disk"):
            export.export(model, path)
    assert (path / "stale").exists()
    export.export(model, path)
    assert not (path / "stale").exists() and (path / "saved_model.pb").exists()
    assert not list(tmp_path.glob(".partial-*"))
