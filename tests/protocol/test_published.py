"""Recipes are the published protocols; settings that make no sense are refused."""

import keras
import numpy as np
import pytest

from unet_tf import network, protocol
from unet_tf.cli import train_options
from unet_tf.protocol import published as protocol_published

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
    assert train_options.RECIPES == protocol.NAMES


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


def test_void_moves_in_where_classes_know_it():
    parts = protocol.get("multiclass_unet", augment={"outside": 255, "rotation": 0.1})
    assert parts.augment["outside"] == 255
    assert protocol.get("guide_unet", augment={"outside": 0}).augment == {"outside": 0}


def test_as_written_the_simple_model_turns_images_but_no_masks():
    model = protocol.get("article_simple", "as written").build((24, 36, 3), (4,))
    images = np.random.default_rng(0).random((1, 24, 36, 3), "float32")
    outputs = [model(images, training=True).numpy() for _ in range(8)]
    assert any(not np.array_equal(outputs[0], other) for other in outputs[1:])
    still = [model(images, training=False).numpy() for _ in range(2)]
    np.testing.assert_array_equal(*still)
