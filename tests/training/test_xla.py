"""XLA compiles whole batches alone, and only where it is asked for or pays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from unet_tf import network
from unet_tf.training import chosen_xla, fit, state_in, xla

BATCHES = 10, 4  # images, images a batch: the last one is shorter


def batches():
    """Noise, and where it is bright."""
    count, size = BATCHES
    images = np.random.default_rng(0).random((count, 8, 8, 3), "float32")
    masks = (images[..., :1] > 0.5).astype("float32")
    return tf.data.Dataset.from_tensor_slices((images, masks)).batch(size)


def trained(how, folder=None, epochs=2, **options):
    keras.utils.set_random_seed(3)
    blocks = [keras.layers.Conv2D(4, 3, padding="same"), keras.layers.BatchNormalization()]
    head = [keras.layers.ReLU(), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *blocks, *head])  # compiled in seconds
    optimizer = keras.optimizers.SGD(0.1)
    options |= {"epochs": epochs, "folder": folder, "verbose": 0, "xla": how, "patience": 9}
    return model, fit(model, batches(), batches(), optimizer=optimizer, **options)


def test_the_same_training_to_rounding(capsys):
    (plain, without), (compiled, by_xla) = trained(False), trained(True)
    assert (without.xla, by_xla.xla) == (False, True)
    assert "XLA: on; it compiles now, once" in capsys.readouterr().out
    for name, values in without.history.items():
        np.testing.assert_allclose(values, by_xla.history[name], rtol=1e-4, err_msg=name)
    for one, other in zip(plain.get_weights(), compiled.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_shorter_batch_is_not_compiled(monkeypatch):
    real, traced = tf.function, []

    def function(step, jit_compile=False, **options):
        def noted(batch):
            traced.append((jit_compile, batch[0].shape[0]))
            return step(batch)

        return real(noted, jit_compile=jit_compile, **options)

    monkeypatch.setattr(tf, "function", function)
    run = xla.by_xla(lambda batch: {"loss": tf.reduce_sum(batch[0])})
    for _ in range(2):
        iterator = iter(batches())
        losses = [float(run(iterator)["loss"]) for _ in range(3)]
        with pytest.raises(StopIteration):
            run(iterator)
    np.testing.assert_allclose(losses, [images.numpy().sum() for images, _ in batches()], rtol=1e-5)
    assert traced == [(True, 4), (False, 2)]  # each once


def test_when_it_pays(monkeypatch, capsys):
    model = network.simple_fcn((8, 8, 3), filters=(4,))
    assert not chosen_xla(model, 10**6)  # no GPU
    monkeypatch.setattr(xla, "gpus", lambda: [("Some GPU", (8, 0))])
    assert [chosen_xla(model, steps) for steps in (xla.PAYS - 1, xla.PAYS)] == [False, True]
    assert not chosen_xla(model, 10**6, several=True)
    assert "XLA: off, for 1000000 steps at most" in capsys.readouterr().out


def test_what_it_does_not_know_is_refused():
    inputs = keras.Input((8, 8, 3))
    turned = keras.layers.RandomRotation(0.1, name="turned")(inputs)
    model = keras.Model(inputs, network.simple_fcn((8, 8, 3), filters=(4,))(turned))
    with pytest.raises(ValueError, match="cannot compile this training: it does not know turned"):
        chosen_xla(model, 1, True)
    assert not chosen_xla(model, 10**6)


def test_a_resumed_training_goes_on_as_it_was(tmp_path):
    trained(True, tmp_path, epochs=1)
    assert state_in(tmp_path)[0]["settings"]["xla"] is True
    assert trained("auto", tmp_path, resume=True)[1].xla
    with pytest.raises(ValueError, match="another training"):
        trained(False, tmp_path, epochs=3, resume=True)
