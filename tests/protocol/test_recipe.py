"""Settings of recipes: losses by name, lists for tuples, and what does not go together."""

import dataclasses
import functools

import keras
import pytest
from PIL import Image

from unet_tf import data, network, protocol
from unet_tf.protocol.identity import identity_of


@pytest.mark.parametrize("name", protocol.LOSSES)
def test_a_loss_may_be_given_by_its_name(name):
    many = name in ("cross_entropy", "class_dice_loss", "cross_entropy_dice_loss")
    many = many or name == "pooled_class_dice_loss"
    recipe = protocol.get("multiclass_unet" if many else "guide_unet", loss=name)
    assert recipe.loss is protocol.LOSSES[name]
    assert protocol.changed(recipe, loss=name) == recipe


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.BinaryCrossentropy(),
        keras.losses.Dice,
        functools.partial(network.bce_dice_loss),
        "dice loss",
        ["dice_loss"],
        None,
    ],
)
def test_what_is_no_loss_of_a_record_is_refused_at_once(loss):
    """A record keeps a loss by its name: an instance, with settings of its own, has none."""
    with pytest.raises(ValueError, match=r"loss is .*, but has to be a function, or one of bce_di"):
        protocol.get("guide_unet", loss=loss)


def test_a_function_of_ones_own_is_a_loss():
    def loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred))

    assert protocol.get("guide_unet", loss=loss).loss is loss


def test_lists_are_tuples():
    recipe = protocol.get("guide_unet")
    listed = protocol.changed(recipe, filters=list(recipe.filters), image_size=[160, 240])
    assert listed == recipe and hash(listed.filters) == hash(recipe.filters)
    many = protocol.get("multiclass_unet", class_weights=[1, 2.5], class_names=["a", "b"])
    assert (many.class_weights, many.class_names) == ((1, 2.5), ("a", "b"))
    crops = protocol.get("buildings_unet", crop=[64, 64])
    assert crops.crop == (64, 64)
    with pytest.raises(ValueError, match=r"filters is \(16, 0\)"):
        protocol.get("guide_unet", filters=[16, 0])


def test_a_list_does_not_count_as_changed(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (4, 4)).save(path)
    parts = data.Split([data.Pair(path, path)], [], [])
    recipe = protocol.get("guide_unet", filters=[64, 128, 256, 512, 1024], loss="dice_loss")
    found = identity_of(recipe, tmp_path, parts, data.Labels.foreground(), 0, "float32")
    assert found["changed"] == ["loss"]
    assert found["settings"]["loss"] == "dice_loss"


def test_levels_are_a_recipe_s_own():
    """The simple model has one level or more, a U-Net two: no rule knows a recipe by its name."""
    assert protocol.get("article_simple", filters=(8,)).filters == (8,)
    with pytest.raises(ValueError, match=r"filters is .* but the network of article_unet has at l"):
        protocol.get("article_unet", filters=(8,))
    renamed = {"name": "article_simple", "levels": 2}
    with pytest.raises(ValueError, match="at least 2 levels"):
        dataclasses.replace(protocol.get("article_unet"), **renamed, filters=(8,))
