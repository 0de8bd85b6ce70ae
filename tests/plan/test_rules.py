"""The rules, on facts made by hand."""

import numpy as np
import pytest

from unet_tf import network, protocol
from unet_tf.data import Labels
from unet_tf.files import UserError
from unet_tf.plan import pace, rules
from unet_tf.plan.choices import CPU, GPU
from unet_tf.plan.found import Found

TWO = Labels.foreground()
FLAT = np.zeros((64, 64), "uint8")


def facts(sizes=((512, 512),), images=None, kept=lambda size: 1.0, **more):
    from collections import Counter

    shares = {"background": 0.8, "foreground": 0.2}
    made = Found(TWO, images or {"all": 30}, Counter(sizes), shares, [FLAT])
    for name, value in more.items():
        setattr(made, name, value)
    made.kept = kept
    return made


def chosen(choices):
    return {choice.setting: choice.value for choice in choices}


def test_whole_images_where_masks_survive_it():
    """512x512 at 192x256 pixels, 49152, is a square of 221.7: 224, the next multiple of 16."""
    assert chosen(rules.view(facts(), CPU)) == {"image_size": (224, 224), "crop": None}
    assert chosen(rules.view(facts(), GPU)) == {"image_size": (512, 512), "crop": None}


def test_thin_structures_are_cropped_at_the_coarsest_share_that_keeps_them():
    def kept(size):
        return {1.0: 1, 0.75: 0.99, 0.5: 0.98, 0.375: 0.9}.get(size, 0.5)

    assert chosen(rules.view(facts(kept=kept), CPU)) == {"image_size": 0.5, "crop": (128, 128)}
    own = chosen(rules.view(facts(kept=lambda size: float(size == 1)), CPU))
    assert own == {"image_size": None, "crop": (128, 128)}


def test_unlike_shapes_get_the_median_one_where_masks_survive_it():
    """400x600 three times, 600x400 twice: 49152 pixels in the shape of 400x600 are 181x271."""
    found = facts(sizes=((400, 600),) * 3 + ((600, 400),) * 2)
    assert chosen(rules.view(found, CPU)) == {"image_size": (176, 272), "crop": None}
    made = chosen(rules.view(facts(found.sizes.elements(), kept=lambda size: size == 1), CPU))
    assert made == {"image_size": None, "crop": (128, 128)}


def test_a_crop_has_room_in_the_smallest_image():
    found = facts(sizes=((400, 600), (100, 130)), kept=lambda size: float(size in (1, 0.75)))
    assert chosen(rules.view(found, CPU)) == {"image_size": 0.75, "crop": (64, 64)}


def test_tiny_images_keep_their_size():
    made = chosen(rules.view(facts(sizes=((31, 47),) * 9, kept=lambda size: 0.9), CPU))
    assert made == {"image_size": (31, 47), "crop": None}


@pytest.mark.parametrize(("side", "levels"), [(128, 5), (64, 4), (32, 3), (16, 3), (512, 5)])
def test_levels_leave_eight_pixels_at_the_bottom(side, levels):
    made = chosen(rules.network(CPU, {"crop": (side, side)}))
    assert made["filters"] == tuple(16 * 2**level for level in range(levels))


def test_images_are_turned_only_as_they_could_have_been_taken():
    free = chosen(rules.augmentation(facts(), {"crop": (128, 128)} | {"image_size": None}))
    assert free["augment"]["quarter_turn"] == 0.75 and free["augment"]["vertical_flip"] == 0.5
    street = facts(upright=0.4, crossed=0.4)
    standing = chosen(rules.augmentation(street, {"crop": (128, 128), "image_size": None}))
    assert standing["augment"]["vertical_flip"] == standing["augment"]["quarter_turn"] == 0
    assert standing["augment"]["horizontal_flip"] == 0.5
    text = chosen(rules.augmentation(facts(lines=2.0), {"crop": (128, 128), "image_size": None}))
    assert text["augment"]["quarter_turn"] == 0
    wide = chosen(rules.augmentation(facts(), {"crop": None, "image_size": (64, 128)}))
    assert wide["augment"]["quarter_turn"] == 0


def test_colours_change_only_where_they_vary():
    where = {"crop": (128, 128), "image_size": None}
    even = chosen(rules.augmentation(facts(), where))["augment"]
    assert even["saturation"] == even["brightness"] == 0
    varied = chosen(rules.augmentation(facts(light=0.1, tint=0.1), where))["augment"]
    assert varied["saturation"] == 0.2 and varied["brightness"] == 0.1


def test_rare_classes_are_weighted():
    found = facts()
    found.labels = Labels(("sky", "road", "pole"))
    found.shares = {"sky": 0.6, "road": 0.39, "pole": 0.01}
    ours = {"loss": "cross_entropy_dice_loss"}
    assert chosen(rules.loss(found, ours))["class_weights"] == "median"
    assert "class_weights" not in chosen(rules.loss(found, {"loss": network.class_dice_loss}))
    found.shares = {"sky": 0.5, "road": 0.3, "pole": 0.2}
    assert "class_weights" not in chosen(rules.loss(found, ours))


def paced(found, crop, minutes=10, step=0.2, look=0.1):
    where = {"crop": crop}
    return chosen(pace.pace(found, where, CPU, (step, look), minutes))


def test_steps_fill_the_budget_whatever_the_number_of_images():
    """10 minutes, 85% of them at 0.2 s a step of 8: 2550 steps."""
    few, many = facts(images={"all": 30}), facts(images={"all": 3000})
    for found, train in ((few, 18), (many, 1800)):
        made = paced(found, (128, 128), look=0.01)
        steps = made["epochs"] * -(-train * made["crops"] // made["batch_size"])
        assert made["batch_size"] == 8 and steps == pytest.approx(2550, rel=0.1)


def test_batches_shrink_before_steps_are_too_few():
    assert paced(facts(), (128, 128), minutes=4)["batch_size"] == 4
    assert paced(facts(), (128, 128), minutes=40)["batch_size"] == 16


def test_whole_images_train_as_many_epochs_as_fit():
    """18 images: 3 steps of 8, 0.6 s, and 6 validation images, 0.6 s: 1.2 s an epoch."""
    made = paced(facts(), None)
    assert made["epochs"] == 500 and made["patience"] == 500


def test_few_minutes_make_images_smaller_as_long_as_masks_keep_their_shape():
    """A minute holds 51 / 0.25 = 204 steps of 4 at 0.5 s for 8: at 3/4 of each side 363, at half
    816."""
    whole = {"crop": None, "image_size": (192, 256)}
    made = [choice.value for choice in pace.smaller(facts(), whole, 0.5, 1)]
    assert made == [(144, 192), (96, 128)]
    fine = facts(kept=lambda size: 0.99 if size == (144, 192) else 0.9)
    assert [choice.value for choice in pace.smaller(fine, whole, 0.5, 1)] == [(144, 192)]
    odd = facts(kept=lambda size: 0.99 if size == (96, 128) else 0.9)
    assert [choice.value for choice in pace.smaller(odd, whole, 0.5, 1)] == [(96, 128)]
    assert not list(pace.smaller(facts(), whole, 0.5, 10))  # time enough


def test_few_minutes_make_crops_smaller():
    def made(side, minutes):
        where = {"crop": (side, side), "image_size": None}
        return [choice.value for choice in pace.smaller(facts(), where, 0.5, minutes)]

    assert made(128, 1) == [(64, 64)] and made(256, 1) == [(128, 128)]
    assert made(128, 10) == [] and made(64, 1) == []  # time enough, small enough


def test_where_even_three_passes_take_too_long_images_are_left_out():
    """3000 images: 1800 train, 600 validate; 3 passes are 3 * (1800 / 8 * 0.2 + 600 * 0.1) = 315 s,
    and a minute holds 571 images of such a pace."""
    made = paced(facts(images={"all": 3000}), None, minutes=1)
    assert made["images"] == 571
    steps = made["epochs"] * -(-made["images"] * 0.6 // made["batch_size"])
    assert made["epochs"] >= 2 and steps > 100
    assert paced(facts(images={"all": 300}), None, minutes=10)["images"] is None


@pytest.mark.parametrize(
    ("fits", "batch"), [(1000, 16), (16, 16), (15, 8), (7, 4), (3, 3), (1, 1), (0, 1)]
)
def test_a_batch_fits_into_memory(fits, batch):
    """40 minutes have time for steps of 16."""
    where = {"crop": (128, 128), "image_size": None}
    for choice in pace.pace(facts(), where, CPU, (0.2, 0.1), 40, fits):
        if choice.setting == "batch_size":
            assert choice.value == batch
            assert ("fit into memory" in choice.found) == (fits < 16)


def test_what_is_given_decides_about_what_is_chosen_behind_it():
    """10 images: 6 train; an epoch of one step of 6, 0.15 s, and 2 validation images, 0.2 s."""
    where = {"crop": None, "images": 10, "epochs": 7}
    made = {choice.setting: choice for choice in pace.pace(facts(), where, CPU, (0.2, 0.1), 10)}
    assert made["batch_size"].value == 6 and made["patience"].value == 7
    assert made["epochs"].value == 1714 and "6 images to train on" in made["epochs"].found


@pytest.mark.parametrize(
    ("given", "size", "crop"),
    [
        ({"image_size": None}, None, (128, 128)),
        ({"image_size": 0.5}, 0.5, (48, 48)),
        ({"image_size": (64, 96)}, (64, 96), None),
        ({"crop": (32, 32)}, 0.25, (32, 32)),
        ({"crop": (128, 128)}, None, (128, 128)),
        ({"crop": (100, 40), "image_size": 0.75}, 0.75, (100, 40)),
        ({"crop": (64, 120)}, None, (64, 120)),
        ({"crop": (120, 64)}, None, (120, 64)),
        ({"crop": None}, (208, 240), None),  # the median of both, 220x265
        ({"image_size": 0.1}, 0.1, (16, 16)),
    ],
)
def test_native_size_or_a_share_of_it_is_cut_into_crops(given, size, crop):
    """Of 300x400, and 130x110: at a half 65x55, whose largest square of sixteens is 48."""
    found = facts(sizes=((300, 400), (130, 110) if 0.5 in given.values() else (140, 130)))
    assert chosen(rules.view_given(found, CPU, given)) == {"image_size": size, "crop": crop}


def test_views_that_cannot_be_are_refused():
    two = facts(sizes=((300, 400), (140, 130)))
    with pytest.raises(UserError, match=r"a crop of 256x256 has no room .* 140x130"):
        list(rules.view_given(two, CPU, {"crop": (256, 256)}))
    with pytest.raises(UserError, match="that is for crops"):
        rules.view_given(two, CPU, {"crop": None, "image_size": 0.5})
    with pytest.raises(UserError, match="whole images want one size"):
        rules.own_size(two)
    assert rules.own_size(facts()) == (512, 512)


def test_epochs_follow_from_given_crops_and_crops_from_given_epochs():
    """30 images, 18 train and 6 validate: 85% of ten minutes hold 5,100 steps of 4, 0.1 s each. 8
    crops of 18 images are 36 steps an epoch: 142. Over 3 epochs, 378 crops an image. Where a
    validation image takes 10 s, it is what fills the minutes: 600 / 63.6 is 9 epochs."""
    where = {"crop": (64, 64), "batch_size": 4}
    for look, epochs in ((0.1, 142), (10, 9)):
        made = chosen(pace.pace(facts(), where, CPU, (0.2, look), 10, given={"crops": 8}))
        assert made["epochs"] == epochs
    made = chosen(pace.pace(facts(), where, CPU, (0.2, 0.1), 10, given={"epochs": 3}))
    assert made["crops"] == 378


def test_given_parts_are_not_split_again():
    found = facts(images={"train": 20, "val": 5, "test": 5})
    made = paced(found, (128, 128))
    steps = made["epochs"] * -(-20 * made["crops"] // made["batch_size"])
    assert steps == pytest.approx(2550, rel=0.1)


def test_what_the_rules_choose_is_a_recipe():
    settings = chosen(rules.view(facts(), CPU))
    for some in (rules.network(CPU, settings), rules.augmentation(facts(), settings)):
        settings |= chosen(some)
    settings |= chosen(rules.loss(facts(), {})) | chosen(rules.fixed()) | paced(facts(), None)
    assert protocol.get("guide_unet", **settings).schedule == "cosine"


def test_of_two_images_one_trains():
    """Both would go into validation and test: the split then says that they are too few."""
    two = facts(images={"all": 2})
    assert pace.parts_of(two, 2) == (1, 1)
    chosen(pace.pace(two, {"crop": (64, 64), "image_size": None}, CPU, (1.0, 0.1), 0.2))
