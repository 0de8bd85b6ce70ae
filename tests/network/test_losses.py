"""Losses and metric against fractions worked by hand, NumPy loops, and a whole epoch."""

import keras
import numpy as np
import pytest
from keras import ops

from unet_tf import network


def masks(*rows):
    """Masks of one row of pixels each: `(B, 1, W, 1)`."""
    return np.array(rows, "float32")[:, None, :, None]


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


TRUTH = masks([1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0])


def test_hard_dice_by_hand():
    prediction = masks([0.9, 0.2, 0.6, 0.1], [0.1, 0.1, 0.1, 0.5], [0.4, 0.4, 0.4, 0.4])
    # first image: 1 of 2 found, 1 extra: 2*1 / (2+2); second: exactly found; third: empty, empty
    np.testing.assert_allclose(numbers(network.hard_dice(TRUTH, prediction)), [0.5, 1, 1])
    strict = numbers(network.hard_dice(TRUTH, prediction, threshold=0.55))
    np.testing.assert_allclose(strict, [0.5, 0, 1])


def test_hard_dice_of_nan_is_nan():
    prediction = masks([np.nan, 0, 0, 0], [0, 0, 0, 1], [np.nan, 0, 0, 0])
    found = numbers(network.hard_dice(TRUTH, prediction))
    np.testing.assert_array_equal(np.isnan(found), [True, False, True])


def test_soft_dice_by_hand():
    prediction = masks([0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0.25], [0, 0, 0, 0])
    # 2*(0.5+0.5) / (2+2) = 1/2; 2*0.25 / (1+0.25) = 2/5; empty, empty = 1
    expected = np.array([1 / 2, 2 / 5, 1])
    np.testing.assert_allclose(numbers(network.soft_dice(TRUTH, prediction)), expected, atol=1e-5)
    np.testing.assert_allclose(
        numbers(network.dice_loss(TRUTH, prediction)), 1 - expected, atol=1e-5
    )
    # pooled: 2*(1+0.25) / (3+2.25) = 2.5 / 5.25
    pooled = numbers(network.pooled_dice_loss(TRUTH, prediction))
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
        1 - numbers(network.pooled_dice_loss(truth, prediction)), 1680 / 1690, atol=1e-6
    )
    assert numbers(network.hard_dice(truth, prediction)).mean() == 0.5


def test_bce_dice_by_hand():
    truth, prediction = masks([1, 0]), masks([0.8, 0.4])
    cross_entropy = -(np.log(0.8) + np.log(0.6)) / 2
    dice = 2 * 0.8 / (1 + 1.2)
    np.testing.assert_allclose(
        numbers(network.bce_dice_loss(truth, prediction)), [cross_entropy + 1 - dice], rtol=1e-5
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
    np.testing.assert_allclose(numbers(network.soft_dice(truth, prediction)), soft, rtol=1e-5)
    np.testing.assert_allclose(numbers(network.hard_dice(truth, prediction)), hard, rtol=1e-6)


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
            for loss in (network.dice_loss, network.pooled_dice_loss, network.bce_dice_loss):
                assert np.isfinite(numbers(loss(truth, prediction))).all()
                assert np.isfinite(numbers(gradient(loss, truth, prediction))).all()


@pytest.mark.parametrize(
    "loss", [network.dice_loss, network.pooled_dice_loss, network.bce_dice_loss]
)
def test_an_epoch_is_exact_and_reloads_without_custom_objects(tmp_path, loss):
    """Five images in batches of four: the fifth counts as one in five, not as one in two."""
    truth = np.zeros((5, 2, 2, 1), "float32")
    truth[:, 0, 0] = 1
    images = np.zeros((5, 2, 2, 3), "float32")
    images[:4, 0, 0] = 1  # the model below finds the car in four images, misses it in the last
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, ops.mean(inputs, axis=-1, keepdims=True))
    model.compile(loss=loss, metrics=[network.hard_dice])
    result = model.evaluate(images, truth, batch_size=4, verbose=0, return_dict=True)
    assert result["hard_dice"] == pytest.approx(4 / 5)
    if loss is network.dice_loss:
        assert result["loss"] == pytest.approx(1 / 5, abs=1e-4)

    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    again = reloaded.evaluate(images, truth, batch_size=4, verbose=0, return_dict=True)
    assert again == result


# --- many classes ---------------------------------------------------------------------------------

VOID = 255


def class_case(seed, void=0.2):
    """Random ids with void, `(B, H, W, 1)`, and probabilities, `(B, H, W, C)`."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 4, (3, 5, 7, 1))
    ids[rng.random(ids.shape) < void] = VOID
    logits = rng.normal(size=(3, 5, 7, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return ids.astype("float32"), probabilities.astype("float32")


def loop_cross_entropy(ids, probabilities, weights):
    found = []
    for mask, probability in zip(ids[..., 0], probabilities, strict=True):
        total = count = 0.0
        for place in np.ndindex(mask.shape):
            label = int(mask[place])
            if label != VOID:
                total -= weights[label] * np.log(float(probability[place][label]))
                count += weights[label]
        found.append(total / count if count else 0.0)
    return found


def loop_class_dice(ids, probabilities):
    found = []
    for mask, probability in zip(ids[..., 0], probabilities, strict=True):
        losses_of_image = []
        for label in range(4):
            both = truth = said = 0.0
            for place in np.ndindex(mask.shape):
                if mask[place] != VOID:
                    said += float(probability[place][label])
                    truth += mask[place] == label
                    both += float(probability[place][label]) * (mask[place] == label)
            if truth:
                losses_of_image.append(1 - 2 * both / (truth + said))
        found.append(np.mean(losses_of_image) if losses_of_image else 0.0)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_class_losses_by_loops(seed):
    ids, probabilities = class_case(seed)
    ids[1][ids[1] == 2] = 0  # a class that is not in this image
    plain = ops.convert_to_numpy(network.cross_entropy(ids, probabilities))
    assert plain.shape == (3,)
    assert plain == pytest.approx(loop_cross_entropy(ids, probabilities, [1] * 4), abs=1e-6)
    weights = [0.5, 2.0, 0.0, 1.0]
    weighted = ops.convert_to_numpy(network.cross_entropy(ids, probabilities, weights))
    assert weighted == pytest.approx(loop_cross_entropy(ids, probabilities, weights), abs=2e-6)
    dice = ops.convert_to_numpy(network.class_dice_loss(ids, probabilities))
    assert dice == pytest.approx(loop_class_dice(ids, probabilities), abs=2e-6)
    both = ops.convert_to_numpy(network.cross_entropy_dice_loss(ids, probabilities))
    assert both == pytest.approx(plain + dice, abs=1e-6)


def test_an_image_that_is_all_void_costs_nothing_and_spoils_nothing():
    ids, probabilities = class_case(5)
    ids[0] = VOID
    for loss in (network.cross_entropy, network.class_dice_loss):
        found = ops.convert_to_numpy(loss(ids, probabilities))
        assert found[0] == 0 and np.isfinite(found).all() and (found[1:] > 0).all()


def test_what_stands_in_void_changes_no_class_loss():
    ids, probabilities = class_case(6)
    other = np.where(ids == VOID, probabilities[..., ::-1], probabilities)
    assert (other != probabilities).any()
    for loss in (network.cross_entropy, network.class_dice_loss, network.pooled_class_dice_loss):
        first, second = (ops.convert_to_numpy(loss(ids, one)) for one in (probabilities, other))
        assert first == pytest.approx(second, abs=1e-7)


def test_pooled_class_dice_by_hand():
    ids = np.array([[[[0], [1]]]], "float32")  # one image of two pixels
    probabilities = np.array([[[[0.75, 0.25], [0.5, 0.5]]]], "float32")
    # both 0.75 + 0.5, truth 2, prediction 2
    found = float(network.pooled_class_dice_loss(ids, probabilities))
    assert found == pytest.approx(1 - 2 * 1.25 / 4, abs=1e-5)


def test_a_model_with_a_weighted_loss_reloads_by_itself(tmp_path):
    inputs = keras.Input((5, 7, 4))
    outputs = keras.layers.Activation("softmax")(keras.layers.Conv2D(4, 1)(inputs))
    model = keras.Model(inputs, outputs)
    loss = network.Weighted(network.cross_entropy_dice_loss, (1, 2, 3, 0.5))
    model.compile(loss=loss)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    ids, probabilities = class_case(8)
    first, second = (one.evaluate(probabilities, ids, verbose=0) for one in (model, again))
    assert first == second
    assert again.loss.class_weights == [1.0, 2.0, 3.0, 0.5]
