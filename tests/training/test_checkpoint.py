"""A stopped training goes on, to the bit; what is not its own is refused with a reason."""

import fcntl
import functools
import json
import os
import shutil
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from unet_tf import data, network, pipeline
from unet_tf.files import differences, in_zip
from unet_tf.training import fit, state_in
from unet_tf.training.checkpoint import STAMP, VERSIONS, Checkpoint
from unet_tf.training.makings import architecture, attribute, made_of, settings_of


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Six cars of two views, 16x24: a bright block on noise; the block is the mask."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("parts") / "blocks"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(12):
        mask = np.zeros((16, 24), "uint8")
        top, left = random.integers(1, 6, 2)
        mask[top : top + 8, left : left + 12] = 1
        image = random.integers(60, 120, (16, 24, 3)) + 120 * mask[..., None]
        name = f"{number // 2:012x}_{number % 2 + 1:02}"
        Image.fromarray(image.astype("uint8")).save(folder / f"images/{name}.png")
        Image.fromarray(mask * 255).save(folder / f"masks/{name}_mask.png")
    return data.split(data.pair(folder), validation_size=0.34)


class Stopped(Exception):
    """What stands for a kill."""


class Stop(keras.callbacks.Callback):
    """Stops a training behind one batch of one epoch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.where, self.epoch = (epoch, batch), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.where:
            raise Stopped


def training(parts, to, stop=None, policy="float32", seed=1, build=None, **settings):
    """A block with dropout and batch norm, shuffled and augmented, from nothing."""
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(policy)
    batches = pipeline.dataset(parts.train, (16, 24), 3, shuffle=True, augment=True, seed=seed)
    validation = pipeline.dataset(parts.validation, (16, 24), 3)
    model = (build or block)((16, 24, 3))
    settings = {
        "epochs": 3,
        "patience": 2,
        "optimizer": keras.optimizers.Adam(0.01),
        "callbacks": [stop] if stop else [],
        **settings,
    }
    history = fit(model, batches, validation, folder=to, verbose=0, **settings)
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables], history


def block(shape, dropout=0.3):
    """Dropout and batch norm, and no more: TensorFlow traces a network as long as it is deep. Whole
    U-Nets are resumed in tests/protocol."""
    image = keras.Input(shape)
    x = network.conv_block(image, 4, dropout, batch_norm=True)
    answer = keras.layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(x)
    return keras.Model(image, answer)


@pytest.fixture(scope="module")
def whole(parts, tmp_path_factory):
    """A training that was never stopped, and its folder."""
    to = tmp_path_factory.mktemp("whole")
    return (*training(parts, to), to)


def assert_same(one, other):
    """Variables, history and files of two trainings, to the bit."""
    (variables, history), (others, other_history) = one[:2], other[:2]
    for left, right in zip(variables, others, strict=True):
        np.testing.assert_array_equal(left, right)
    assert history.history == other_history.history
    assert history.epoch == other_history.epoch


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_stopped_twice_it_ends_with_the_same_bits(parts, whole, tmp_path, policy):
    there, to = tmp_path / "whole", tmp_path / "stopped"
    if policy == "float32":
        *whole, there = whole
    else:
        whole = training(parts, there, policy=policy)
    for where in ((0, 1), (1, 0), (2, 1)) if policy == "float32" else ((1, 1),):
        with pytest.raises(Stopped):
            training(parts, to, Stop(*where), policy, resume=True)
    resumed = training(parts, to, policy=policy, resume=True)
    assert_same(whole, resumed)
    with np.load(there / "state.npz") as one, np.load(to / "state.npz") as other:
        assert one.files == other.files
        assert any("optimizer" in name for name in one.files)
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])
    assert (there / "log.csv").read_bytes() == (to / "log.csv").read_bytes()
    files = sorted(path.name for path in to.glob("[!.]*"))
    assert files == ["best.keras", "log.csv", "state.npz"]
    best = [keras.saving.load_model(folder / "best.keras") for folder in (there, to)]
    for left, right in zip(best[0].get_weights(), best[1].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.slow
def test_a_slow_disk_gets_each_epoch_as_it_was(parts, whole, tmp_path, monkeypatch):
    """While the first epoch is written, the others train: what is written is not touched by it."""
    real, behind, written = Checkpoint.write, threading.Event(), []

    class Behind(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                behind.set()

    def slow(self, state, variables, better=None):
        assert behind.wait(300)
        real(self, state, variables, better)
        written.append((state["epoch"], state_in(tmp_path, ["model_0000"])[1]["model_0000"]))

    monkeypatch.setattr(Checkpoint, "write", slow)
    late = training(parts, tmp_path, callbacks=[Behind()])
    assert_same(whole, late)
    assert (whole[2] / "log.csv").read_bytes() == (tmp_path / "log.csv").read_bytes()
    assert [epoch for epoch, _ in written] == [1, 3]
    monkeypatch.undo()
    training(parts, tmp_path / "one", epochs=1)
    assert_equal([written[0][1]], [state_in(tmp_path / "one", ["model_0000"])[1]["model_0000"]])


@pytest.mark.slow
def test_it_is_written_as_often_as_asked_for_and_at_the_end(parts, whole, tmp_path, monkeypatch):
    real, epochs = Checkpoint.write, []

    def noted(self, state, *rest, **more):
        epochs.append(state["epoch"])
        real(self, state, *rest, **more)

    monkeypatch.setattr(Checkpoint, "write", noted)
    assert_same(whole, training(parts, tmp_path, save_every=2))
    assert epochs == [2, 3]  # the end, too
    still = {"optimizer": keras.optimizers.SGD(0.0), "monitor": "val_loss", "epochs": 9}
    training(parts, tmp_path / "still", build=simple, save_every=2, **still)
    assert epochs == [2, 3, 2, 3]  # it stops early
    best = [keras.saving.load_model(folder / "best.keras") for folder in (whole[2], tmp_path)]
    assert_equal(*(model.get_weights() for model in best))


@pytest.mark.slow
def test_dropout_s_random_state_is_part_of_it(parts, whole, tmp_path, monkeypatch):
    """The test above can fail: without the seed generators the bits differ."""
    with pytest.raises(Stopped):
        training(parts, tmp_path / "stopped", Stop(2, 0))
    real = Checkpoint.variables

    def without_seeds(self):
        return {k: v for k, v in real(self).items() if "seed" not in getattr(v, "path", "")}

    monkeypatch.setattr(Checkpoint, "variables", without_seeds)
    (variables, _) = training(parts, tmp_path / "stopped", resume=True)
    assert any(not np.array_equal(*both) for both in zip(whole[0], variables, strict=True))


@pytest.mark.slow
def test_early_stopping_s_patience_goes_on(parts, tmp_path):
    """Nothing improves from the second epoch on: stopped in the third, it ends after the third."""
    still = {"optimizer": keras.optimizers.SGD(0.0), "monitor": "val_loss", "epochs": 9}
    build = simple
    _, whole = training(parts, tmp_path / "whole", build=build, **still)
    assert len(whole.history["loss"]) == 3
    still["optimizer"] = keras.optimizers.SGD(0.0)
    with pytest.raises(Stopped):
        training(parts, tmp_path / "stopped", Stop(2, 0), build=build, **still)
    still["optimizer"] = keras.optimizers.SGD(0.0)
    resumed = training(parts, tmp_path / "stopped", build=build, resume=True, **still)[1]
    assert resumed.history["val_loss"] == whole.history["val_loss"]
    # done, it trains no more
    still["optimizer"] = keras.optimizers.SGD(0.0)
    again = training(parts, tmp_path / "stopped", Stop(0, 0), build=build, resume=True, **still)[1]
    assert again.history == resumed.history


def simple(shape):
    """Without batch norm, whose statistics move also where no step is made."""
    return network.simple_fcn(shape, (4,))


@pytest.mark.slow
def test_a_finished_training_ends_with_its_best_weights_and_takes_more_epochs(parts, tmp_path):
    whole = training(parts, tmp_path / "whole", epochs=4, patience=9)
    short = training(parts, tmp_path / "short", epochs=2, patience=9)
    again = training(parts, tmp_path / "short", Stop(0, 0), epochs=2, patience=9, resume=True)
    assert again[1].history == short[1].history
    best = keras.saving.load_model(tmp_path / "short/best.keras").get_weights()
    assert len(best) == 12
    assert all(any(np.array_equal(one, other) for other in short[0]) for one in best)
    assert_same(whole, training(parts, tmp_path / "short", epochs=4, patience=9, resume=True))


@pytest.mark.slow
def test_without_resume_what_an_old_training_left_is_gone_at_once(parts, tmp_path):
    training(parts, tmp_path / "run", epochs=1, build=simple)
    (tmp_path / "run/.partial-abc-state.npz").write_bytes(b"half")
    with pytest.raises(Stopped):
        training(parts, tmp_path / "run", Stop(0, 0), epochs=1, build=simple)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


@pytest.mark.slow
def test_a_kill_while_the_checkpoint_is_written_leaves_the_last_one(
    parts, whole, tmp_path, monkeypatch
):
    real, calls = np.savez, []

    def killed(path, **arrays):
        calls.append(path)
        if len(calls) == 3:
            path.write_bytes(b"half")
            raise Stopped
        real(path, **arrays)

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(Stopped):
        training(parts, tmp_path / "stopped")
    monkeypatch.undo()
    assert_same(whole, training(parts, tmp_path / "stopped", resume=True))


class Killed(BaseException):
    """What stands for a kill while files are written."""


def small(to, train, validation, **settings):
    """Two epochs of a tiny network on arrays: fast, and as repeatable as its data."""
    keras.utils.set_random_seed(0)
    model = network.simple_fcn((16, 24, 3), (4,))
    options = {"epochs": 2, "settings": {"data": "the same"}, "verbose": 0, **settings}
    return model, fit(model, train, validation, folder=to, **options)


@pytest.fixture
def bright():
    """Batches of images whose bright half is the mask."""
    images = np.random.default_rng(0).random((4, 16, 24, 3), "float32") / 4
    images[:, :, :12] += 0.7
    masks = np.zeros((4, 16, 24, 1), "float32")
    masks[:, :, :12] = 1
    return tf.data.Dataset.from_tensors((images, masks))


def dark(batches):
    """The same, the masks turned round: after an epoch on these, a model is worse."""
    return batches.map(lambda image, mask: (image, 1 - mask))


def best_of(folder):
    return keras.saving.load_model(folder / "best.keras").get_weights()


def assert_equal(weights, others):
    for left, right in zip(weights, others, strict=True):
        np.testing.assert_array_equal(left, right)


def fast():
    return keras.optimizers.SGD(0.5)


def test_a_kill_between_model_and_state_keeps_the_model_of_the_state(bright, tmp_path, monkeypatch):
    """The epoch under way, repeated, ends otherwise, as on a GPU: the first one stays the best."""
    monitor = {"monitor": "val_loss"}
    small(tmp_path / "one", bright, bright, epochs=1, optimizer=fast(), **monitor)
    first = best_of(tmp_path / "one")
    real = Checkpoint.save_state

    def killed(self, state, variables):
        if state["epoch"] == 2:
            raise Killed
        real(self, state, variables)

    monkeypatch.setattr(Checkpoint, "save_state", killed)
    to = tmp_path / "run"
    with pytest.raises(Killed):
        small(to, bright, bright, optimizer=fast(), **monitor)
    assert (to / "best.improved.keras").exists()  # of the second epoch, which no state names
    monkeypatch.undo()
    model, history = small(to, dark(bright), bright, resume=True, optimizer=fast(), **monitor)
    losses = history.history["val_loss"]
    assert losses[1] > losses[0]
    assert_equal(best_of(to), first)
    assert_equal(model.get_weights(), first)
    assert not (to / "best.improved.keras").exists()


def test_a_kill_behind_the_state_brings_its_model_to_its_place(bright, tmp_path, monkeypatch):
    whole, _ = small(tmp_path / "whole", bright, bright, monitor="val_loss", optimizer=fast())
    real = os.replace

    def killed(source, target):
        if os.path.basename(target) == "best.keras" and (tmp_path / "run/log.csv").exists():
            raise Killed
        real(source, target)

    monkeypatch.setattr(os, "replace", killed)
    to = tmp_path / "run"
    with pytest.raises(Killed):
        small(to, bright, bright, monitor="val_loss", optimizer=fast())
    monkeypatch.undo()
    assert state_in(to)[0]["best"]["epoch"] == 2
    assert in_zip(to / "best.keras", STAMP)["epoch"] == 1
    model, history = small(to, bright, bright, resume=True, monitor="val_loss", optimizer=fast())
    assert len(history.history["loss"]) == 2
    assert in_zip(to / "best.keras", STAMP) == state_in(to)[0]["best"]
    assert_equal(model.get_weights(), whole.get_weights())


def test_the_best_model_of_another_training_is_refused(bright, tmp_path):
    small(tmp_path / "run", bright, bright, monitor="val_loss")
    other = {"monitor": "val_loss", "optimizer": fast()}
    small(tmp_path / "other", bright, bright, **other)
    shutil.copy(tmp_path / "other/best.keras", tmp_path / "run/best.keras")
    reason = (
        r"best\.keras: missing, damaged, or not the best .* epoch 2, val_loss \d.*Bring it back"
    )
    with pytest.raises(ValueError, match=reason):
        small(tmp_path / "run", bright, bright, monitor="val_loss", resume=True, epochs=3)


def test_other_metrics_are_refused_before_anything_is_written(bright, tmp_path):
    to = tmp_path / "run"
    small(to, bright, bright)
    before = {path.name: path.read_bytes() for path in to.glob("[!.]*")}
    metrics = [network.hard_dice, keras.metrics.BinaryAccuracy()]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"metrics\.1.*binary_accuracy here"):
            small(to, bright, bright, epochs=3, resume=True, metrics=metrics)
        assert {path.name: path.read_bytes() for path in to.glob("[!.]*")} == before


def test_by_other_code_it_goes_on_when_asked_to_and_says_so(bright, tmp_path):
    to = tmp_path / "run"
    small(to, bright, bright, epochs=1, settings={"data": 1, "code": "a"})
    later = {"settings": {"data": 1, "code": "b"}, "resume": True, "epochs": 2}
    with pytest.raises(ValueError, match=r"\(code: a there, b here\)\. Go on .*--other-code"):
        small(to, bright, bright, **later)
    _, history = small(to, bright, bright, other_code=True, **later)
    said = [{"epoch": 1, "differs": "code: a there, b here"}]
    assert history.resumed_with == state_in(to)[0]["resumed_with"] == said
    _, history = small(to, bright, bright, **later)  # of this code now
    assert history.resumed_with == said
    with pytest.raises(ValueError, match="another training"):  # the option is for nothing else
        small(to, bright, bright, **{**later, "settings": {"data": 2}}, other_code=True)


def test_the_card_is_in_the_best_model(bright, tmp_path):
    card = data.Card(data.Labels.foreground("car"), (16, 24), "nearest", 0.5, {"seed": 1})
    model, _ = small(tmp_path, bright, bright, card=card)
    assert data.Card.read(tmp_path / "best.keras") == card
    assert in_zip(tmp_path / "best.keras", STAMP)["epoch"] in (1, 2)
    assert_equal(best_of(tmp_path), model.get_weights())


def test_a_folder_into_which_another_process_writes_is_refused(bright, tmp_path):
    (tmp_path / ".lock").write_text("process 7 on elsewhere")
    with open(tmp_path / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="process 7 on elsewhere writes there"):
            small(tmp_path, bright, bright)
    small(tmp_path, bright, bright)


def test_a_data_set_is_known_behind_a_transformation(parts, capsys):
    batches = pipeline.dataset(parts.train, (16, 24), 2, shuffle=True)
    known = made_of(batches)
    assert known["batch_size"] == 2
    batches.made_of = lambda: known  # a function, too
    assert made_of(batches) == known
    one, two = (made_of(batches.take(n)) for n in (1, 2))
    assert (one["files"], one["steps"], two["steps"]) == (known["files"], 1, 2)
    assert attribute(batches.map(lambda *pair: pair).take(1), "epoch") is batches.epoch


def test_what_was_looked_at_before_changes_nothing_behind_take_either(parts, tmp_path, capsys):
    def losses(look):
        batches = pipeline.dataset(parts.train, (16, 24), 2, shuffle=True)
        for _ in range(look):
            next(iter(batches))
        history = small(tmp_path / str(look), batches.take(2), batches, settings=None)[1]
        return history.history["loss"]

    assert losses(0) == losses(1)
    assert "not compared" not in capsys.readouterr().out


def test_data_that_say_nothing_of_themselves_are_said(bright, tmp_path, capsys):
    small(tmp_path, bright, bright, settings=None)
    said = "Not of unet_tf.pipeline, so not compared when resumed: the train data, the validation"
    assert said in capsys.readouterr().out


@pytest.mark.slow
def test_refusals(parts, tmp_path, monkeypatch):
    """Each says the file, what differs, and what to do."""
    to = tmp_path / "run"
    with pytest.raises(Stopped):
        training(parts, to, Stop(1, 0), settings={"data": {"hash": "abc"}})
    kept = tmp_path / "kept"
    shutil.copytree(to, kept)

    def refused(match, **settings):
        settings = {"settings": {"data": {"hash": "abc"}}, **settings}
        with pytest.raises(ValueError, match=match):
            training(parts, to, resume=True, **settings)
        assert (to / "state.npz").exists()
        shutil.rmtree(to)
        shutil.copytree(kept, to)

    refused(
        r"another training \(data\.hash: abc there, xyz here\)", settings={"data": {"hash": "xyz"}}
    )
    refused(r"patience: 2 there, 3 here", patience=3)
    refused(
        r"optimizer\.learning_rate: 0\.01 there, 0\.5 here", optimizer=keras.optimizers.Adam(0.5)
    )
    refused(r"loss: bce_dice_loss there, dice_loss here", loss=network.dice_loss)
    refused(r"model\.\d+\..*mixed_bfloat16 here", policy="mixed_bfloat16")
    refused(r"model\.\d+\.rate: 0\.3 there, 0\.5 here", build=other_dropout)

    whole = (to / "state.npz").read_bytes()
    (to / "state.npz").write_bytes(whole[: len(whole) // 2])
    refused(r"state\.npz: the checkpoint is damaged.*remove it to start anew")
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 255
    (to / "state.npz").write_bytes(broken)
    refused(r"state\.npz: the checkpoint is damaged.*CRC")
    (to / "best.keras").write_bytes(b"PK nonsense")
    refused(r"best\.keras: missing, damaged, or not the best model of .*state\.npz")
    (to / "best.keras").unlink()
    refused(r"best\.keras: missing, damaged, or not the best model of .*state\.npz")

    arrays = dict(np.load(kept / "state.npz"))
    state = json.loads(str(arrays.pop("state")))
    del state["early_stopping"]
    np.savez(to / "state.npz", state=np.array(json.dumps(state)), **arrays)
    refused(r"state\.npz: the checkpoint is damaged.* \('early_stopping'\)")
    arrays = dict(np.load(kept / "state.npz"))
    arrays.pop("model_0000")
    np.savez(to / "state.npz", **arrays)
    refused(r"state\.npz: the checkpoint is damaged.*model_0000 is not")
    broken = bytearray(whole)
    broken[whole.rindex(b"PK\x01\x02") + 8] ^= 1  # an entry is now called encrypted
    (to / "state.npz").write_bytes(broken)
    refused(r"state\.npz: the checkpoint is damaged")

    monkeypatch.setitem(VERSIONS, "keras", "9.9")
    refused(
        r"other code or another version \(keras: 3\.\S+ there, 9\.9 here\)\. Go on .*--other-code"
    )


@pytest.mark.slow
def test_fewer_epochs_than_are_done_are_refused(parts, tmp_path):
    with pytest.raises(Stopped):
        training(parts, tmp_path / "run", Stop(2, 0), build=simple)
    with pytest.raises(ValueError, match="2 epochs are done, and 1 asked for"):
        training(parts, tmp_path / "run", epochs=1, build=simple, resume=True)
    training(parts, tmp_path / "run", epochs=2, build=simple, resume=True)


def by_fit_alone(parts, to, pairs=slice(None), **change):
    """`fit` without settings: the data set says what it is made of."""
    options = {"batch_size": 3, "shuffle": True, "augment": True, **change}
    batches = pipeline.dataset(parts.train[pairs], (16, 24), **options)
    held = pipeline.dataset(parts.validation, (16, 24), 3)
    model = network.simple_fcn((16, 24, 3), (4,))
    return fit(model, batches, held, resume=True, epochs=2, folder=to, verbose=0)


@pytest.fixture(scope="module")
def in_a_notebook(parts, tmp_path_factory):
    """The folder of such a training, which is done: it trains no more."""
    to = tmp_path_factory.mktemp("notebook")
    history = by_fit_alone(parts, to)
    assert by_fit_alone(parts, to).history == history.history
    return to


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, reason",
    [
        ({"batch_size": 4}, r"train\.batch_size: 3 there, 4 here"),
        ({"augment": {"rotation": 0.2}}, r"train\.augment"),
        ({"shuffle": False}, r"train\.shuffle: True there, False here"),
        ({"pairs": slice(1, None)}, r"train\.files: \w+ there, \w+ here"),
    ],
)
def test_in_a_notebook_too_other_data_are_refused(parts, in_a_notebook, tmp_path, change, reason):
    shutil.copytree(in_a_notebook, tmp_path / "run")
    with pytest.raises(ValueError, match=reason):
        by_fit_alone(parts, tmp_path / "run", **change)


def test_masks_of_the_same_size_in_bytes_are_other_files(tmp_path):
    mask = np.zeros((16, 24), "uint8")
    mask[4:8] = 255
    image, path = tmp_path / "a.png", tmp_path / "a_mask.png"
    Image.new("RGB", (24, 16)).save(image)
    Image.fromarray(mask).save(path, compress_level=0)
    before, size = pipeline.fingerprint([(image, path)]), path.stat().st_size
    assert pipeline.fingerprint([(image, path)]) == before
    Image.fromarray(255 - mask).save(path, compress_level=0)
    assert path.stat().st_size == size
    assert pipeline.fingerprint([(image, path)]) != before


def test_losses_are_known_by_their_settings():
    two, three = (network.Weighted(network.cross_entropy, (1.0, n)) for n in (2.0, 3.0))
    assert settings_of(two) != settings_of(three)
    partial = [functools.partial(network.cross_entropy, class_weights=(1, n)) for n in (2, 2, 3)]
    one, same, other = (json.dumps(settings_of(loss)) for loss in partial)
    assert one == same != other
    assert settings_of(network.dice_loss) == "dice_loss"


def other_dropout(shape):
    return block(shape, dropout=0.5)


def test_differences_by_hand():
    there = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    assert differences(there, json.loads(json.dumps(there))) == ""
    here = {"a": {"b": 1, "c": [1, 3]}, "e": 0}
    assert differences(there, here) == (
        "a.c.1: 2 there, 3 here; d: None there, nothing here; e: nothing there, 0 here"
    )
    assert differences({}, dict.fromkeys("abcd", 1)).endswith("; and 1 more")


def test_a_name_that_keras_counted_up_is_no_difference():
    first, second = (network.unet((16, 24, 3), (4, 8)) for _ in range(2))
    assert first.layers[1].name != second.layers[1].name
    assert architecture(first) == architecture(second)
    nested = [keras.Sequential([keras.Input((16, 24, 3)), model]) for model in (first, second)]
    assert architecture(nested[0]) == architecture(nested[1])


def test_what_was_looked_at_before_changes_nothing(parts):
    """`fit` sets the epoch: a batch shown in a notebook does not move the training."""

    def losses(look):
        keras.utils.set_random_seed(1)
        batches = pipeline.dataset(parts.train, (16, 24), 3, shuffle=True, augment=True)
        for _ in range(look):
            next(iter(batches))
        model = network.simple_fcn((16, 24, 3), filters=(4,))
        return fit(model, batches, batches, epochs=2, verbose=0).history["loss"]

    assert losses(0) == losses(2)
