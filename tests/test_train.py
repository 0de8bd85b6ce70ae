"""Precision, fit, prediction, plots, recipes and the command line."""

import itertools
import json
import os

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from unet_tf import data, network, pipeline, plot, predict, protocol, rendered
from unet_tf import scores as scores_room
from unet_tf.cli import commands, options, train
from unet_tf.protocol import identity, runs
from unet_tf.protocol import published as protocol_published
from unet_tf.training import fit, precision, precision_policy, set_precision, watchers

matplotlib.use("Agg")


@pytest.fixture
def folder(tmp_path):
    """Twelve cars of two views, 24x36: a bright block on grey noise, the block is the mask."""
    random = np.random.default_rng(0)
    for car in range(12):
        for view in (1, 2):
            mask = np.zeros((24, 36), "uint8")
            top, left = random.integers(2, 8, 2)
            mask[top : top + 12, left : left + 20] = 1
            image = random.integers(60, 120, (24, 36, 3)) + 120 * mask[..., None]
            name = f"{car:012x}_{view:02}"
            (tmp_path / "blocks/images").mkdir(parents=True, exist_ok=True)
            (tmp_path / "blocks/masks").mkdir(exist_ok=True)
            Image.fromarray(image.astype("uint8")).save(tmp_path / f"blocks/images/{name}.png")
            Image.fromarray(mask * 255).save(tmp_path / f"blocks/masks/{name}_mask.png")
    return tmp_path / "blocks"


def small(name="article_simple", variant="corrected", **settings):
    filters = (8, 16) if name == "article_simple" else (4, 8, 16)
    return protocol_published.dataclasses.replace(
        protocol.get(name, variant),
        **{"filters": filters, "image_size": (24, 36), "epochs": 2, "batch_size": 4, **settings},
    )


# --- precision


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((9, 0), "mixed_bfloat16"),
        ((8, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((7, 0), "mixed_float16"),
        ((6, 0), "float32"),
    ],
)
def test_precision_of_gpus(monkeypatch, capability, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"device_name": "Some GPU", "compute_capability": capability},
    )
    policy, reason = precision_policy()
    assert policy == expected
    assert "Some GPU" in reason


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2", "avx512_bf16"}, "mixed_bfloat16"),
        ({"amx_bf16"}, "mixed_bfloat16"),
        ({"avx2", "avx512f"}, "float32"),
        (set(), "float32"),
    ],
)
def test_precision_of_cpus(monkeypatch, flags, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision_policy()[0] == expected


def test_precision_is_set_printed_and_overridable(capsys):
    assert set_precision("mixed_float16") == "mixed_float16"
    assert keras.config.dtype_policy().name == "mixed_float16"
    assert capsys.readouterr().out == "Precision: mixed_float16 (as asked)\n"
    assert set_precision() == precision_policy()[0]


def test_float16_scales_the_loss(folder):
    set_precision("mixed_float16")
    pairs = data.pair(folder)[:4]
    model = network.simple_fcn((24, 36, 3), filters=(4,))
    batches = pipeline.dataset(pairs, (24, 36), 4)
    fit(model, batches, batches, epochs=1, verbose=0)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


# --- fit


def trained(folder, to=None, **settings):
    keras.utils.set_random_seed(1)
    parts = data.split(data.pair(folder), validation_size=0.25)
    training = pipeline.dataset(parts.train, (24, 36), 4, shuffle=True, augment=True)
    validation = pipeline.dataset(parts.validation, (24, 36), 4)
    model = network.unet((24, 36, 3), filters=(4, 8, 16))
    settings = {"epochs": 4, "optimizer": keras.optimizers.Adam(3e-3), "verbose": 0, **settings}
    return model, fit(model, training, validation, folder=to, **settings), validation


@pytest.mark.slow
def test_fit_learns_repeats_and_ends_with_the_best_epoch(folder, tmp_path):
    model, history, validation = trained(folder, tmp_path / "run")
    history = history.history
    assert max(history["val_hard_dice"]) > 0.7
    assert trained(folder)[1].history == history  # the same bits, dropout and all

    best = max(history["val_hard_dice"])
    result = model.evaluate(validation, verbose=0, return_dict=True)
    assert result["hard_dice"] == pytest.approx(best, abs=1e-6)
    saved = keras.saving.load_model(tmp_path / "run/best.keras")
    assert saved.evaluate(validation, verbose=0, return_dict=True) == result
    files = sorted(path.name for path in (tmp_path / "run").glob("[!.]*"))
    assert files == ["best.keras", "log.csv", "state.npz"]
    rows = (tmp_path / "run/log.csv").read_text().splitlines()
    assert rows[0] == "epoch,hard_dice,loss,val_hard_dice,val_loss"
    assert len(rows) == 1 + 4


def test_early_stopping(folder):
    """With no step at all nothing improves: it stops once patience is over."""
    _, history, _ = trained(
        folder, epochs=10, patience=2, optimizer=keras.optimizers.SGD(0.0), monitor="val_loss"
    )
    assert len(history.history["loss"]) == 3


def test_nan_stops_and_says_what_to_do(folder):
    with pytest.raises(ValueError, match="NaN from the first epoch"):
        trained(folder, loss=lambda y_true, y_pred: network.dice_loss(y_true, y_pred) * np.nan)


@pytest.mark.parametrize("size", [(32, 48), (31, 47)])
@pytest.mark.parametrize("build", [network.simple_fcn, network.unet])
def test_cross_entropy_sees_the_logits_also_behind_a_crop(size, build):
    """A head that says "car" everywhere with conviction finds its way back to an empty truth."""
    model = build((*size, 3), filters=(4, 8))
    head = model.get_layer("head")
    head.bias.assign([20.0])
    head.kernel.assign(np.zeros(head.kernel.shape))
    model.compile(keras.optimizers.Adam(0.1), network.bce_dice_loss)
    images, truth = np.ones((2, *size, 3), "float32"), np.zeros((2, *size, 1), "float32")
    model.fit(images, truth, epochs=3, verbose=0)
    assert float(head.bias[0]) < 19.9


def test_infinite_loss_is_no_result_either(folder):
    with pytest.raises(ValueError, match="NaN from the first epoch"):
        trained(folder, loss=lambda y_true, y_pred: network.dice_loss(y_true, y_pred) * np.inf)


def test_a_monitor_that_is_not_measured_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"no 'val_iou'.*val_hard_dice"):
        trained(folder, tmp_path / "run", monitor="val_iou")


def test_a_kill_while_writing_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    model = network.simple_fcn((8, 8, 3), filters=(4,))
    model.compile("adam", network.bce_dice_loss)
    *_, checkpoint = watchers("val_hard_dice", folder=tmp_path)
    checkpoint.early_stopping.on_train_begin()
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {"val_hard_dice": 0.5})
    whole = (tmp_path / "best.keras").read_bytes()
    checkpoint.on_epoch_end(1, {"val_hard_dice": 0.4})  # worse: not written
    assert (tmp_path / "best.keras").read_bytes() == whole

    def killed(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.on_epoch_end(2, {"val_hard_dice": 0.6})
    assert (tmp_path / "best.keras").read_bytes() == whole


# --- predict


def test_predictions_come_back_at_each_image_s_own_size(tmp_path):
    """A model that finds red: its mask of a half red image is that half, at any size."""
    paths = []
    for width, height in ((40, 30), (123, 77)):
        pixels = np.zeros((height, width, 3), "uint8")
        pixels[:, : width // 2, 0] = 255
        paths.append(tmp_path / f"{width}.png")
        Image.fromarray(pixels).save(paths[-1])
    found = list(predict.predict(lambda images, training: images[..., :1], paths, (32, 64)))
    assert [mask.shape for mask in found] == [(30, 40), (77, 123)]
    assert found[0].dtype == np.uint8
    np.testing.assert_array_equal(found[0][:, :20], 1)
    np.testing.assert_array_equal(found[0][:, 20:], 0)


def test_probabilities_come_back_bilinearly():
    """Pixel centres: from (0, 1) to four pixels the values are 0, 1/4, 3/4, 1."""
    probability = np.array([[0, 1]], "float32")
    np.testing.assert_allclose(data.resized_back(probability, (1, 4)), [[0, 0.25, 0.75, 1]])


# --- plots


def test_overlay_by_hand():
    image = np.zeros((1, 4, 3), "uint8")
    shown = plot.overlay(image, np.array([[1, 1, 0, 0]]), np.array([[1, 0, 1, 0]]))
    expected = [np.array(plot.TRUTH), np.array(plot.MISSED), np.array(plot.EXTRA), np.zeros(3)]
    np.testing.assert_allclose(shown[0], np.array(expected) / 2)
    np.testing.assert_array_equal(shown[0, 3], 0)


def test_figures_are_at_most_600_pixels_wide():
    image, mask = np.zeros((9, 12, 3)), np.zeros((9, 12, 1))
    history = {name: [0.1, 0.2] for name in ("loss", "val_loss", "hard_dice", "val_hard_dice")}
    for figure in (
        plot.triplets([image] * 2, [mask] * 2),
        plot.triplets([image], [mask], [mask], ["a car"]),
        plot.curves(history, title="rendered"),
    ):
        assert figure.get_size_inches()[0] * figure.dpi <= 600


# --- recipes


def test_recipes_are_the_published_protocols():
    simple = protocol.get("article_simple", "as written")
    unet = protocol.get("article_unet", "as written")
    for recipe, parameters, published, epochs in (
        (simple, 2_879_489, 0.8788, 10),
        (unet, 34_550_273, 0.9416, 16),
    ):
        model = recipe.build((96, 128, 3), recipe.filters)
        assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == parameters
        assert recipe.published == published
        assert (recipe.images, recipe.image_size, recipe.batch_size) == (1000, (96, 128), 32)
        assert (recipe.split_by, recipe.validation_size, recipe.split_seed) == ("image", 0.2, 42)
        assert (recipe.resize, recipe.shuffle, recipe.augment) == ("nearest", False, False)
        assert (recipe.monitor, recipe.patience, recipe.epochs) == ("val_loss", 2, epochs)
        assert recipe.loss is network.pooled_dice_loss
        assert (recipe.learning_rate, recipe.epsilon) == (1e-4, 1e-6)
    for name in ("article_simple", "article_unet"):
        corrected = protocol.get(name)
        assert (corrected.split_by, corrected.resize) == ("group", "area")
        assert corrected.augment
        assert corrected.test_size > 0
    with pytest.raises(ValueError, match="article_simple, article_unet, guide_unet"):
        protocol.get("unet")
    assert options.RECIPES == protocol.NAMES


def test_the_guide_is_its_network_and_its_settings():
    written, corrected = (protocol.get("guide_unet", kind) for kind in ("as written", "corrected"))
    model = corrected.build((160, 240, 3), corrected.filters)
    # as the source counts them, what is trained: batch norm's moving statistics are not
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 31_037_633
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert (corrected.image_size, corrected.batch_size) == ((160, 240), 16)
    assert (corrected.learning_rate, corrected.published) == (1e-4, None)
    assert written.augment == {"rotation": 35 / 360, "vertical_flip": 0.1, "contrast": 0.0}
    changed = protocol_published.dataclasses.replace(written, variant="corrected", augment=True)
    assert changed == corrected  # augmentation is the one difference


@pytest.mark.parametrize("size", [(32, 48), (31, 47)])
def test_the_guide_s_loss_is_cross_entropy_with_logits(size):
    """The head's logits and the loss behind the sigmoid, by the definition; far beyond where a
    probability in float32 is 1."""
    model = protocol.guide_unet((*size, 3), (4, 8))
    images = np.random.default_rng(0).random((2, *size, 3), "float32")
    truth = (images[..., :1] > 0.5).astype("float32")
    head = model.get_layer("head")
    head.bias.assign([30.0])
    logits = keras.Model(model.input, head.output)(images).numpy()[:, : size[0], : size[1]]
    x = logits.astype("float64")
    by_hand = np.mean(np.maximum(x, 0) - x * truth + np.log1p(np.exp(-np.abs(x))))
    model.compile(loss=keras.losses.binary_crossentropy)
    assert model.evaluate(images, truth, verbose=0) == pytest.approx(by_hand, rel=1e-5)
    assert by_hand > 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rat": 1}, "no setting 'learning_rat': did you mean learning_rate?"),
        ({"xyz": 1}, "no setting 'xyz': there are build, filters, images"),
        ({"learning_rate": -1}, "learning_rate is -1, but has to be a number above 0"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast', but has to be a number above 0"),
        ({"epochs": 0}, "epochs is 0, but has to be a whole number of at least 1"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"filters": (16, 0)}, "filters is (16, 0), but has to be a tuple, each a whole"),
        ({"filters": 16}, "filters is 16"),
        ({"image_size": (96,)}, "image_size is (96,)"),
        ({"resize": "cubic"}, 'resize is \'cubic\', but has to be "area" or "nearest"'),
        ({"split_by": "view"}, "split_by is 'view'"),
        ({"validation_size": 0}, "validation_size is 0"),
        ({"validation_size": 0.5, "test_size": 0.5}, "nothing is left for training"),
        ({"augment": {"rotaton": 0.1}}, "augment is {'rotaton': 0.1}, but has to be a bool, or"),
        ({"augment": {"rotation": "much"}}, "augment is {'rotation': 'much'}"),
        ({"loss": "hinge"}, "loss is 'hinge', but has to be a function, or one of bce_dice_loss"),
        ({"monitor": "val_iou"}, "monitor is 'val_iou', but has to be one of val_hard_dice"),
        ({"patience": 0}, "patience is 0"),
        ({"build": "unet"}, "build is 'unet'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(changes, message):
    with pytest.raises(ValueError) as error:
        protocol.get("guide_unet", **changes)
    assert message in str(error.value)


def test_settings_of_the_command_line():
    command = "train --recipe guide_unet --quick --epochs 3 --set epsilon=1e-3 filters=4,8 "
    command += "loss=dice_loss augment.rotation=0.05 augment.shift=0.1 images=20 resize=nearest"
    arguments = options.parser().parse_args(command.split())
    recipe = train.adjusted(protocol.quick(protocol.GUIDE), arguments)
    assert recipe == protocol_published.dataclasses.replace(
        protocol.quick(protocol.GUIDE),
        epochs=3,
        epsilon=1e-3,
        filters=(4, 8),
        loss=network.dice_loss,
        augment={"rotation": 0.05, "shift": 0.1},
        images=20,
        resize="nearest",
    )


def test_settings_are_given_once_each():
    def adjusted(words):
        arguments = options.parser().parse_args(["train", *words.split()])
        return train.adjusted(protocol.GUIDE, arguments)

    both = adjusted("--set epsilon=1e-3 --set patience=3 augment.scale=0.1 augment.shift=0.1")
    assert (both.epsilon, both.patience) == (1e-3, 3)
    assert both.augment == {"scale": 0.1, "shift": 0.1}
    names = options.parser().parse_args(["train", "--classes", "sky", "--classes", "road"])
    assert names.class_names == ["sky", "road"]
    for twice in ("--epochs 3 --set epochs=5", "--set epochs=3 epochs=5"):
        with pytest.raises(ValueError, match="epochs is given twice: 3 and 5"):
            adjusted(twice)


@pytest.mark.parametrize(
    "setting, reason",
    [
        ("shuffle=False", "shuffle is 'False', but has to be a bool: true or false"),
        ("shuffle=nonsense", "shuffle is 'nonsense'"),
        ("split_seed=abc", "split_seed is 'abc', but has to be a whole number from 0"),
        ("loss=[1,2]", "loss is (1, 2), but has to be a function"),
        ('loss={"a":1}', "loss is {'a': 1}"),
        ("filters=[8]", "filters is (8,), but the network of guide_unet has at least 2"),
        ("augment.scale=5", "scale below 1"),
        ("augment.rotation=NaN", "augment is {'rotation': nan}"),
        ("augment.horizontal_flip=-3", "augment is {'horizontal_flip': -3}"),
        ("augment.vertical_flip=1.5", "probabilities"),
        ("augment.outside=255", "black and white masks know no void"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, reason):
    arguments = options.parser().parse_args(["train", "--set", setting])
    with pytest.raises(ValueError) as error:
        train.adjusted(protocol.GUIDE, arguments)
    assert reason in str(error.value)


def test_void_moves_in_where_classes_know_it():
    parts = protocol.get("multiclass_unet", augment={"outside": 255, "rotation": 0.1})
    assert parts.augment["outside"] == 255
    assert protocol.get("guide_unet", augment={"outside": 0}).augment == {"outside": 0}


def test_a_seed_and_a_folder_that_cannot_be(tmp_path, capsys):
    with pytest.raises(SystemExit):
        commands.main(["train", "--seed", "-1"])
    assert "argument --seed: '-1' is no whole number from 0" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    cars = rendered.write("cars", tmp_path / "cars", cars=3, test_cars=0, size=(48, 32))
    command = f"train --recipe guide_unet --no-check --data {cars} --to {tmp_path}/file"
    assert commands.main(command.split()) == 1
    assert "file: no folder can be made there" in capsys.readouterr().err


def test_as_written_the_simple_model_turns_images_but_no_masks():
    model = protocol.get("article_simple", "as written").build((24, 36, 3), (4,))
    images = np.random.default_rng(0).random((1, 24, 36, 3), "float32")
    outputs = [model(images, training=True).numpy() for _ in range(8)]
    assert any(not np.array_equal(outputs[0], other) for other in outputs[1:])
    still = [model(images, training=False).numpy() for _ in range(2)]
    np.testing.assert_array_equal(*still)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["corrected", "as written"])
@pytest.mark.parametrize("name", ["article_simple", "article_unet", "guide_unet"])
def test_run(folder, tmp_path, name, variant):
    to = tmp_path / "run"
    result = protocol.run(small(name, variant), folder, seed=3, to=to, verbose=0)
    assert json.loads((to / "result.json").read_text()) == json.loads(json.dumps(result))
    assert result["data"] == "blocks"
    article = name != "guide_unet" and variant == "as written"
    assert result["scored_on"] == ("validation" if article else "test")
    assert 0 <= result["scores"]["dice"] <= 1
    assert 0.3 < result["scores"]["baseline"] < 1
    assert ("dice_at_chosen_threshold" in result["scores"]) == (result["scored_on"] == "test")
    assert result["seed"] == 3
    assert sum(result["split"]["images"].values()) == 24
    assert result["settings"]["loss"] in protocol.LOSSES
    scored = result["split"]["images"][result["scored_on"]]
    assert len(list((to / "predictions").glob("*.png"))) == scored
    with Image.open(next((to / "predictions").glob("*.png"))) as mask:
        assert mask.size == (36, 24)
    model = keras.saving.load_model(to / "best.keras")
    assert model.count_params() == result["parameters"]
    with Image.open(to / "picture.png") as picture:
        assert picture.width <= 600


def test_which_part_reaches_what(folder, monkeypatch):
    """The test part reaches prediction and scores only; augmentation and order training only."""
    seen = {}

    def spy(module, name, result=None):
        real = getattr(module, name)

        def recorded(*args, **kwargs):
            seen.setdefault(name, []).append((args, kwargs))
            return real(*args, **kwargs) if result is None else result

        monkeypatch.setattr(module, name, recorded)

    spy(pipeline, "dataset")
    spy(predict, "probabilities")
    spy(scores_room, "report")
    spy(scores_room, "best_threshold")
    spy(scores_room, "constant_baseline")
    spy(runs, "fit")
    recipe = small(epochs=1, resize="nearest", learning_rate=0.002, epsilon=0.5)
    result = protocol.run(recipe, folder, verbose=0)
    parts = data.split(data.pair(folder), "group", 0.2, 0.2, 42)
    (training, training_settings), (validation, validation_settings) = seen["dataset"]
    assert training[0] == parts.train
    assert training_settings["augment"]
    assert training_settings["shuffle"]
    assert validation[0] == parts.validation
    assert not validation_settings.get("augment")
    assert not validation_settings.get("shuffle")
    assert training_settings["resize"] == validation_settings["resize"] == "nearest"
    predicted = [args[1] for args, _ in seen["probabilities"]]
    images = {part: [image for image, _ in getattr(parts, part)] for part in parts._fields}
    assert predicted == [images["validation"], images["test"]]
    assert {args[3] for args, _ in seen["probabilities"]} == {"nearest"}
    ((scored, settings),) = seen["report"]
    assert scored[0] == parts.test
    assert not settings
    assert scored[2:4] == (0.5, recipe.batch_size)
    ((chosen, _),) = seen["best_threshold"]
    assert chosen[0] == parts.validation
    assert len(chosen) == 2  # of all thresholds
    assert scored[5] == result["scores"]["chosen_threshold"]
    ((baseline, _),) = seen["constant_baseline"]
    assert baseline[:2] == (parts.train, parts.test)
    optimizer = seen["fit"][0][1]["optimizer"]
    assert float(optimizer.learning_rate) == pytest.approx(0.002)
    assert optimizer.epsilon == 0.5
    assert result["scored_on"] == "test"
    assert {"learning_rate", "epsilon", "epochs", "filters"} <= set(result["changed"])


def test_images_of_several_sizes_at_their_native_size_are_refused(folder):
    path = sorted(folder.glob("images/*"))[0]
    for part in ("images", "masks"):
        for path in sorted(folder.glob(f"{part}/*"))[:1]:
            with Image.open(path) as image:
                image.crop((0, 0, 30, 20)).save(path)
    with pytest.raises(ValueError, match=r"differ in size.*20x30.*--image-size"):
        protocol.run(small("article_unet", image_size=None), folder, verbose=0)


@pytest.mark.slow
def test_run_at_odd_native_size(tmp_path, folder):
    for path in folder.glob("*/*.png"):
        with Image.open(path) as image:
            image.crop((0, 0, 35, 23)).save(path)
    result = protocol.run(small("article_unet", image_size=None), folder, verbose=0)
    assert 0 <= result["scores"]["dice"] <= 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(folder):
    first, again, other = (
        protocol.run(small("article_unet"), folder, seed=seed, verbose=0) for seed in (1, 1, 2)
    )
    assert first["scores"] == again["scores"]
    assert first["scores"]["soft_dice"] != other["scores"]["soft_dice"]
    assert first["split"] == other["split"]


def turned(mask):
    """A mask's file, its pixels now the other way round; of the same size in bytes or not."""
    with Image.open(mask) as image:
        pixels = np.asarray(image)
    Image.fromarray(pixels[::-1]).save(mask)


def test_what_is_refused_leaves_the_result(folder, tmp_path):
    to = tmp_path / "run"
    protocol.run(small(epochs=1), folder, to=to, verbose=0)
    (to / "state.npz").write_bytes(b"PK nonsense")
    with pytest.raises(ValueError, match="the checkpoint is damaged"):
        protocol.run(small(epochs=2), folder, to=to, verbose=0, resume=True)
    assert json.loads((to / "result.json").read_text())["epochs"] == 1
    (to / "result.json").write_text("")
    with pytest.raises(ValueError, match=r"result\.json: damaged .*or remove it"):
        protocol.run(small(epochs=2), folder, to=to, verbose=0, resume=True)


def test_a_run_that_is_there_is_not_repeated(folder, tmp_path, monkeypatch):
    recipe = small(epochs=1)
    made = {"commit": "abc", "code": "1"}
    dates = map(str, itertools.count())  # another for each run: by it a record is known
    monkeypatch.setattr(identity, "provenance", lambda: {**made, "date": next(dates)})

    def run(recipe=recipe, **settings):
        return protocol.run(recipe, folder, to=tmp_path / "run", verbose=0, **settings)

    def date():
        return json.loads((tmp_path / "run/result.json").read_text())["date"]

    first, there = run(), run()
    assert first["date"] != there["date"] == date()  # unless it is asked for
    made["commit"] = "abd-dirty"  # of other files than the module's
    assert run(resume=True) == json.loads(json.dumps(there))
    for change in (
        lambda: run(resume=True, seed=1),
        lambda: run(protocol_published.dataclasses.replace(recipe, learning_rate=0.1), resume=True),
        lambda: made.update(code="2") or run(resume=True),
        lambda: turned(next((folder / "masks").iterdir())) or run(resume=True),
    ):
        before = date()
        change()
        assert date() != before


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


# --- the command line


@pytest.mark.slow
def test_train_and_reproduce(folder, tmp_path, capsys):
    settings = f"--data {folder} --image-size 24x36 --epochs 1 --batch-size 8 --precision float32"
    assert commands.main(f"train --recipe article_simple --quick {settings} --to one".split()) == 0
    assert "best.keras" in os.listdir("one")
    assert commands.main(f"reproduce {settings} --seeds 2 --to two".split()) == 0
    table = (tmp_path / "two/table.md").read_text()
    assert table.count("blocks, 24 images of 36x24") == 2
    assert "(2 seeds)" in table
    assert table in capsys.readouterr().out
    record = json.loads((tmp_path / "two/article_unet-corrected.json").read_text())
    assert [run["seed"] for run in record["runs"]] == [0, 1]
    assert record["scores"]["dice"]["spread"] >= 0


def test_data_command(folder, capsys):
    assert commands.main(["data", "--data", str(folder)]) == 0
    assert "24 pairs of 12 cars; the first is 36x24 pixels" in capsys.readouterr().out


def test_errors_are_one_sentence_and_exit_status_1(tmp_path, capsys):
    assert commands.main(["data", "--data", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {tmp_path}: no images and masks")
    assert "Traceback" not in captured.err


@pytest.mark.slow
def test_a_broken_image_is_named_without_a_traceback(folder, capsys):
    """Whole at both ends, so that only decoding finds it."""
    path = sorted(folder.glob("images/*.png"))[5]
    whole = bytearray(path.read_bytes())
    whole[200:400] = bytes(200)
    path.write_bytes(whole)
    command = f"train --recipe article_simple --quick --data {folder} --image-size 24x36 --no-check"
    assert commands.main(command.split()) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert path.name in error
    assert "Replace the file" in error


def test_render_command(tmp_path, capsys):
    assert commands.main(["data", "--render", "48x32", "--cars", "1", "--to", "small"]) == 0
    output = capsys.readouterr().out
    assert "the rendered car studio, no photographs" in output
    assert "16 pairs of 1 cars; the first is 48x32 pixels" in output


def test_download_without_credentials_says_where_to_get_them(tmp_path, monkeypatch, capsys):
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert commands.main(["data", "--download", "train_masks.zip"]) == 1
    error = capsys.readouterr().err
    assert "https://www.kaggle.com/settings" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "option",
    ["--image-size 96", "--image-size 0x9", "--epochs 0", "--test-size 1", "--learning-rate -1"],
)
def test_options_that_make_no_sense_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        commands.main(f"train --recipe article_unet {option}".split())
    assert option.split()[0] in capsys.readouterr().err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        commands.main(["--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in ("data", "train", "reproduce", "--full --seeds 3"))
