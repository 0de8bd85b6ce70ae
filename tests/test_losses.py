"""Losses and metric against fractions worked by hand, NumPy loops, and a whole epoch."""

import keras
import numpy as np
import pytest
from keras import ops

from unet_tf import losses, metrics


def masks(*rows):
    """Masks of one row of pixels each: `(B, 1, W, 1)`."""
    return np.array(rows, "float32")[:, None, :, None]


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


TRUTH = masks([1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0])


def test_hard_dice_by_hand():
    prediction = masks([0.9, 0.2, 0.6, 0.1], [0.1, 0.1, 0.1, 0.5], [0.4, 0.4, 0.4, 0.4])
    # first image: 1 of 2 found, 1 extra: 2*1 / (2+2); second: exactly found; third: empty, empty
    np.testing.assert_allclose(numbers(metrics.hard_dice(TRUTH, prediction)), [0.5, 1, 1])
    strict = numbers(metrics.hard_dice(TRUTH, prediction, threshold=0.55))
    np.testing.assert_allclose(strict, [0.5, 0, 1])


def test_hard_dice_of_nan_is_nan():
    prediction = masks([np.nan, 0, 0, 0], [0, 0, 0, 1], [np.nan, 0, 0, 0])
    found = numbers(metrics.hard_dice(TRUTH, prediction))
    np.testing.assert_array_equal(np.isnan(found), [True, False, True])


def test_soft_dice_by_hand():
    prediction = masks([0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0.25], [0, 0, 0, 0])
    # 2*(0.5+0.5) / (2+2) = 1/2; 2*0.25 / (1+0.25) = 2/5; empty, empty = 1
    expected = np.array([1 / 2, 2 / 5, 1])
    np.testing.assert_allclose(numbers(losses.soft_dice(TRUTH, prediction)), expected, atol=1e-5)
    np.testing.assert_allclose(
        numbers(losses.dice_loss(TRUTH, prediction)), 1 - expected, atol=1e-5
    )
    # pooled: 2*(1+0.25) / (3+2.25) = 2.5 / 5.25
    pooled = numbers(losses.pooled_dice_loss(TRUTH, prediction))
    assert pooled.shape == ()
    np.testing.assert_allclose(pooled, 1 - 2.5 / 5.25, atol=1e-5)


def test_a_large_car_hides_a_small_one_in_the_pooled_dice():
    truth = np.zeros((2, 40, 40, 1), "float32")
    truth[0, :, :21] = 1  # 840 pixels, found
    truth[1, :2, :5] = 1  # 10 pixels, missed
    prediction = truth.copy()
    prediction[1] = 0
    # pooled 2*840 / (850+840) = 0.994; per image (1 + 0) / 2
    np.testing.assert_allclose(
        1 - numbers(losses.pooled_dice_loss(truth, prediction)), 1680 / 1690, atol=1e-6
    )
    assert numbers(metrics.hard_dice(truth, prediction)).mean() == 0.5


def test_bce_dice_by_hand():
    truth, prediction = masks([1, 0]), masks([0.8, 0.4])
    cross_entropy = -(np.log(0.8) + np.log(0.6)) / 2
    dice = 2 * 0.8 / (1 + 1.2)
    np.testing.assert_allclose(
        numbers(losses.bce_dice_loss(truth, prediction)), [cross_entropy + 1 - dice], rtol=1e-5
    )


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_against_loops_in_any_dtype(dtype):
    """300x300 pixels: a float16 or bfloat16 sum would be far off."""
    random = np.random.default_rng(0)
    truth = (random.random((3, 300, 300, 1)) > 0.3).astype("float32")
    # eighths: exact in every dtype
    prediction = random.integers(0, 9, (3, 300, 300, 1)) / 8
    soft, hard = [], []
    for t, p in zip(truth[..., 0].astype("float64"), prediction[..., 0], strict=True):
        overlap = total = found = count = 0.0
        for row_t, row_p in zip(t, p, strict=True):
            overlap += (row_t * row_p).sum()
            total += row_t.sum() + row_p.sum()
            found += (row_t * (row_p >= 0.5)).sum()
            count += row_t.sum() + (row_p >= 0.5).sum()
        soft.append(2 * overlap / total)
        hard.append(2 * found / count)
    prediction = ops.cast(prediction, dtype)
    np.testing.assert_allclose(numbers(losses.soft_dice(truth, prediction)), soft, rtol=1e-5)
    np.testing.assert_allclose(numbers(metrics.hard_dice(truth, prediction)), hard, rtol=1e-6)


def gradient(loss, truth, prediction):
    """Of the summed loss by the prediction, on the backend at hand."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(lambda p: ops.sum(loss(truth, p)))(prediction)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(prediction)
        total = ops.sum(loss(truth, prediction))
    return tape.gradient(total, prediction)


def test_gradients_are_finite_at_the_ends():
    """All wrong and all right, empty and full: no NaN, no infinity."""
    for truth in (np.zeros((1, 4, 4, 1), "float32"), np.ones((1, 4, 4, 1), "float32")):
        for value in (0.0, 1.0, 0.5):
            prediction = ops.full((1, 4, 4, 1), value)
            for loss in (losses.dice_loss, losses.pooled_dice_loss, losses.bce_dice_loss):
                assert np.isfinite(numbers(loss(truth, prediction))).all()
                assert np.isfinite(numbers(gradient(loss, truth, prediction))).all()


@pytest.mark.parametrize("loss", [losses.dice_loss, losses.pooled_dice_loss, losses.bce_dice_loss])
def test_an_epoch_is_exact_and_reloads_without_custom_objects(tmp_path, loss):
    """Five images in batches of four: the fifth counts as one in five, not as one in two."""
    truth = np.zeros((5, 2, 2, 1), "float32")
    truth[:, 0, 0] = 1
    images = np.zeros((5, 2, 2, 3), "float32")
    images[:4, 0, 0] = 1  # the model below finds the car in four images, misses it in the last
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, ops.mean(inputs, axis=-1, keepdims=True))
    model.compile(loss=loss, metrics=[metrics.hard_dice])
    result = model.evaluate(images, truth, batch_size=4, verbose=0, return_dict=True)
    assert result["hard_dice"] == pytest.approx(4 / 5)
    if loss is losses.dice_loss:
        assert result["loss"] == pytest.approx(1 / 5, abs=1e-4)

    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    again = reloaded.evaluate(images, truth, batch_size=4, verbose=0, return_dict=True)
    assert again == result
