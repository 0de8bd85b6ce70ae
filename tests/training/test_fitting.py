"""One fit: it learns, repeats, stops early, refuses NaN, ends with its best epoch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from unet_tf import data, network, pipeline
from unet_tf.training import fit, fitting, set_precision, watchers

of_tensorflow = pytest.mark.skipif(network.JAX, reason="JAX traces, and forgets logits, by itself")


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
    assert max(history["val_hard_dice"]) > (0.5 if network.JAX else 0.7)  # other draws
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


@of_tensorflow
def test_a_step_is_traced_once_and_has_the_same_bits(folder, monkeypatch):
    traces = []

    def loss(truth, answer):
        traces.append(tf.executing_eagerly())
        return network.bce_dice_loss(truth, answer)

    one, history, _ = trained(folder, epochs=2, loss=loss)
    assert traces.count(False) == 2  # of training and of validation
    traces.clear()
    monkeypatch.setattr(fitting, "make_ready", lambda *_: None)
    other, plain, _ = trained(folder, epochs=2, loss=loss)
    assert traces.count(False) == 3
    assert plain.history == history.history
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_early_stopping(folder):
    """With no step at all nothing improves: it stops once patience is over."""
    _, history, _ = trained(
        folder, epochs=10, patience=2, optimizer=keras.optimizers.SGD(0.0), monitor="val_loss"
    )
    assert len(history.history["loss"]) == 3


def test_nan_stops_and_says_what_to_do(folder):
    with pytest.raises(ValueError, match="NaN from the first epoch"):
        trained(folder, loss=lambda y_true, y_pred: network.dice_loss(y_true, y_pred) * np.nan)


@of_tensorflow
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
    checkpoint.set_params({"epochs": 9})

    def best_behind(epoch, value):
        checkpoint.on_train_begin()  # its writer is closed below
        checkpoint.on_epoch_end(epoch, {"val_hard_dice": value})
        checkpoint.close()
        return (tmp_path / "best.keras").read_bytes()

    whole = best_behind(0, 0.5)
    checkpoint.resume, checkpoint.go_on = True, lambda: None
    assert best_behind(1, 0.4) == whole  # worse: not written

    def killed(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("unet_tf.training.checkpoint.twin_of", lambda model: model)
    monkeypatch.setattr(model, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        best_behind(2, 0.6)
    assert (tmp_path / "best.keras").read_bytes() == whole
