"""The networks: published parameter counts, any input size, precision, reloading."""

import keras
import numpy as np
import pytest

from unet_tf import network


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_parameters_of_the_article():
    assert network.simple_fcn().count_params() == 2_879_489
    assert network.unet().count_params() == 34_550_273
    assert network.unet(upsampling="transposed_2x2").count_params() == 31_068_673


@pytest.mark.parametrize(
    ("upsampling", "bottleneck", "num_classes", "published"),
    [
        ("transposed_2x2", 1024, 1, 31_037_633),
        ("transposed_2x2", 1024, 2, 31_037_698),
        ("bilinear", 512, 2, 17_263_042),
    ],
)
def test_parameters_of_the_batch_norm_unets(upsampling, bottleneck, num_classes, published):
    model = network.unet(
        filters=(64, 128, 256, 512, bottleneck),
        dropout=0,
        batch_norm=True,
        upsampling=upsampling,
        final_conv=False,
        num_classes=num_classes,
        head=None,
    )
    assert trainable(model) == published


def small_models(input_shape):
    return [
        network.simple_fcn(input_shape, filters=(4, 6, 8)),
        network.unet(input_shape, filters=(4, 6, 8)),
        network.unet(
            input_shape, filters=(4, 8, 8), upsampling="bilinear", downsampling="strided_conv"
        ),
    ]


@pytest.mark.parametrize("size", [(32, 48), (31, 47), (1, 1), (9, 50)])
def test_any_size_comes_back_as_it_went_in(size):
    images = np.random.default_rng(0).random((2, *size, 3), "float32")
    for model in small_models((*size, 3)) + small_models((None, None, 3)):
        probabilities = keras.ops.convert_to_numpy(model(images))
        assert probabilities.shape == (2, *size, 1)
        assert np.all((probabilities >= 0) & (probabilities <= 1))


def test_padding_is_zeros_below_and_on_the_right():
    images = np.random.default_rng(0).random((1, 31, 47, 3), "float32")
    padded = np.pad(images, [(0, 0), (0, 1), (0, 1), (0, 0)])
    model = network.unet((None, None, 3), filters=(4, 6, 8))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(images)),
        keras.ops.convert_to_numpy(model(padded))[:, :31, :47],
        rtol=1e-5,
    )


def test_a_size_that_divides_gets_no_padding_layers():
    names = {layer.name for layer in network.unet((32, 48, 3), filters=(4, 6, 8)).layers}
    assert not names & {"pad", "crop"}
    names = {layer.name for layer in network.unet((31, 47, 3), filters=(4, 6, 8)).layers}
    assert {"pad", "crop"} <= names


def test_the_article_s_layers():
    """Dropout after the fourth block and the bottleneck only; pooling after each encoder block."""
    layers = network.unet().layers
    dropouts = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert [(d.rate, d.output.shape[-1]) for d in dropouts] == [(0.3, 512), (0.3, 1024)]
    pools = [layer for layer in layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert [pool.output.shape[1:] for pool in pools] == [
        (48, 64, 64),
        (24, 32, 128),
        (12, 16, 256),
        (6, 8, 512),
    ]
    joins = [layer for layer in layers if isinstance(layer, keras.layers.Concatenate)]
    assert [join.output.shape[-1] for join in joins] == [1024, 512, 256, 128]


def test_the_head_is_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    for model in small_models((32, 48, 3)):
        assert model.get_layer("head").compute_dtype == "float32"
        assert model.layers[1].compute_dtype == "bfloat16"
        output = model(np.zeros((1, 32, 48, 3), "float32"))
        assert keras.backend.standardize_dtype(output.dtype) == "float32"


@pytest.mark.parametrize("input_shape", [(31, 47, 3), (None, None, 3)])
def test_reload_without_custom_objects(tmp_path, input_shape):
    images = np.random.default_rng(0).random((2, 31, 47, 3), "float32")
    for model in small_models(input_shape):
        model.save(tmp_path / "model.keras")
        reloaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(reloaded(images)), keras.ops.convert_to_numpy(model(images))
        )


def test_heads():
    logits = network.unet((16, 16, 3), filters=(4, 8), head=None, num_classes=5)
    assert logits.output.shape == (None, 16, 16, 5)
    softmax = network.unet((16, 16, 3), filters=(4, 8), head="softmax", num_classes=5)
    total = keras.ops.convert_to_numpy(softmax(np.ones((1, 16, 16, 3), "float32"))).sum(-1)
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_unknown_switches_are_refused():
    with pytest.raises(ValueError, match="transposed_2x2"):
        network.unet(filters=(4, 8), upsampling="transposed")
    with pytest.raises(ValueError, match="two or more"):
        network.unet((64, 96, 3), (4,))
    with pytest.raises(ValueError, match="strided_conv"):
        network.unet(filters=(4, 8), downsampling="average")
