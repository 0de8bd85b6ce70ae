"""Paired augmentation: one geometry, the same bits at any parallelism."""

import numpy as np
import pytest
import tensorflow as tf

from unet_tf.pipeline import augment


def asymmetric(count=64, height=33, width=47):
    """Images of one bright, lopsided object, and its mask."""
    mask = np.zeros((count, height, width, 1), "float32")
    mask[:, 8:26, 8:20] = 1
    mask[:, 20:26, 20:38] = 1  # an L
    return tf.constant(np.repeat(mask * 0.8 + 0.1, 3, axis=-1)), tf.constant(mask)


def overlap(images, masks):
    """Share of pixels, image by image, on which the bright object and the mask agree."""
    bright = images.numpy().mean(axis=-1, keepdims=True)
    middle = (bright.max(axis=(1, 2), keepdims=True) + bright.min(axis=(1, 2), keepdims=True)) / 2
    return ((bright > middle) == (masks.numpy() > 0)).mean(axis=(1, 2, 3))


def test_a_flip_is_a_flip_to_the_bit():
    images, masks = asymmetric()
    random = np.random.default_rng(0).random(images.shape, "float32")
    flipped, flipped_masks = augment(tf.constant(random), masks, (1, 2), rotation=0, contrast=0)
    same = mirrored = 0
    for before, after, mask in zip(random, flipped.numpy(), flipped_masks.numpy(), strict=True):
        if np.array_equal(mask, masks[0].numpy()):
            np.testing.assert_allclose(after, before, atol=1e-6)
            same += 1
        else:
            np.testing.assert_array_equal(mask, masks[0].numpy()[:, ::-1])
            np.testing.assert_allclose(after, before[:, ::-1], atol=1e-6)
            mirrored += 1
    assert min(same, mirrored) > 16  # both happen, of 64


def test_a_quarter_turn_by_hand():
    """rotation=0.25 draws angles up to 90 degrees: a disc at the centre stays where it is."""
    y, x = np.mgrid[:41, :41]
    disc = (((y - 20) ** 2 + (x - 20) ** 2) < 144).astype("float32")[None, :, :, None]
    masks = tf.constant(np.repeat(disc, 32, axis=0))
    _, turned = augment(tf.repeat(masks, 3, axis=-1), masks, (3, 4), rotation=0.25)
    assert (turned.numpy() != masks.numpy()).mean() < 0.02


def test_image_and_mask_stay_aligned_and_the_mask_stays_hard():
    images, masks = asymmetric()
    for seed in range(20):
        turned, turned_masks = augment(images, masks, (seed, 0))
        assert set(np.unique(turned_masks)) == {0.0, 1.0}
        assert overlap(turned, turned_masks).min() > 0.97
        # the check can fail: masks left where they were do not match
        assert overlap(turned, masks).min() < 0.9


def test_angles_stay_in_range_and_contrast_changes():
    images, masks = asymmetric()
    turned, turned_masks = augment(images, masks, (5, 6), rotation=0.01, contrast=0.2)
    moved = np.minimum(
        (turned_masks.numpy() != masks.numpy()).mean(axis=(1, 2, 3)),
        (turned_masks.numpy()[:, :, ::-1] != masks.numpy()).mean(axis=(1, 2, 3)),
    )
    assert 0 < moved.max() < 0.05  # 3.6 degrees at 20 pixels from the centre: about a pixel
    ranges = np.ptp(turned.numpy(), axis=(1, 2, 3))
    assert 0.8 * 0.8 - 1e-3 <= ranges.min() < 0.72 < 0.88 < ranges.max() <= 0.8 * 1.2 + 1e-3
    assert turned.numpy().min() >= 0
    assert turned.numpy().max() <= 1


def test_the_seed_is_the_draw():
    images, masks = asymmetric(8)
    first, again, other = (augment(images, masks, seed)[0] for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("count", [1, 3])
def test_any_batch(count):
    images, masks = asymmetric(count)
    turned, turned_masks = augment(images, masks, (0, 0))
    assert turned.shape == images.shape
    assert turned_masks.shape == masks.shape


NOTHING = {"horizontal_flip": 0.0, "rotation": 0.0, "contrast": 0.0}
ALL = {
    "vertical_flip": 0.5,
    "rotation": 0.1,
    "scale": 0.2,
    "shift": 0.1,
    "brightness": 0.1,
    "contrast": 0.2,
    "saturation": 0.5,
}


def test_nothing_asked_nothing_done():
    images, masks = asymmetric(8)
    random = np.random.default_rng(0).random(images.shape, "float32")
    same, same_masks = augment(tf.constant(random), masks, (1, 2), **NOTHING)
    np.testing.assert_allclose(same, random, atol=1e-6)
    np.testing.assert_array_equal(same_masks, masks)


@pytest.mark.parametrize("axis", [1, 2])
def test_flips_have_their_probability(axis):
    images, masks = asymmetric(400)
    flip = {1: "vertical_flip", 2: "horizontal_flip"}[axis]
    for probability, low, high in ((0.0, 0, 0), (0.1, 20, 60), (0.5, 160, 240), (1.0, 400, 400)):
        _, moved = augment(images, masks, (7, 8), **{**NOTHING, flip: probability})
        mirrored = np.flip(masks, axis)
        count = sum(np.array_equal(*both) for both in zip(moved.numpy(), mirrored, strict=True))
        assert low <= count <= high


def test_a_shift_by_hand_and_what_comes_in_from_outside():
    """Moved by at most 3 of 30 pixels, black and void come in, or the image's own mirror image."""
    mask = np.ones((64, 30, 30, 1), "float32")
    image = tf.constant(np.repeat(mask, 3, axis=-1))
    void_image, void_mask = augment(
        image, mask, (1, 1), **{**NOTHING, "shift": 0.1, "outside": 255}
    )
    assert set(np.unique(void_mask)) == {1.0, 255.0}
    missing = (void_mask.numpy() == 255).any(axis=(2, 3)).sum(axis=1)  # rows with void
    whole = (void_mask.numpy() == 255).all(axis=(2, 3)).sum(axis=1)  # rows of void only
    assert whole.max() == 3
    assert ((missing == whole) | (missing == 30)).all()
    inside = void_mask.numpy()[..., 0] == 1
    assert void_image.numpy()[inside].min() > 0  # up to half a pixel at the edge is mixed
    assert void_image.numpy()[~inside].max() <= 0.5
    mirrored, _ = augment(image, mask, (1, 1), **{**NOTHING, "shift": 0.1})
    np.testing.assert_allclose(mirrored, 1, atol=1e-6)


def test_a_scale_by_hand():
    """A square of 16x16 at the centre grows and shrinks by up to a quarter: 12 to 20 a side."""
    mask = np.zeros((256, 40, 40, 1), "float32")
    mask[:, 12:28, 12:28] = 1
    _, scaled = augment(np.repeat(mask, 3, -1), mask, (2, 3), **{**NOTHING, "scale": 0.25})
    sides = np.sqrt(scaled.numpy().sum(axis=(1, 2, 3)))
    assert 12 <= sides.min() < 13
    assert 19 < sides.max() <= 20
    assert (sides == np.round(sides)).all()  # square still, both sides alike


def test_colours_by_hand():
    """A red image of value 0.5 and 0.2: light is added, grey stays grey, the mask is left alone."""
    image = np.full((256, 4, 4, 3), 0.2, "float32")
    image[..., 0] = 0.5
    mask = np.ones((256, 4, 4, 1), "float32")
    light, same = augment(image, mask, (5, 5), **{**NOTHING, "brightness": 0.1})
    np.testing.assert_array_equal(same, mask)
    added = light.numpy() - image
    assert np.ptp(added, axis=(1, 2, 3)).max() < 1e-6
    assert -0.1 <= added.min() < -0.09
    assert 0.09 < added.max() <= 0.1
    paler, _ = augment(image, mask, (5, 5), **{**NOTHING, "saturation": 0.5})
    np.testing.assert_allclose(paler.numpy().mean(axis=-1), 0.3, atol=1e-6)
    spread = np.ptp(paler.numpy(), axis=-1)
    assert 0.15 <= spread.min() < 0.17
    assert 0.43 < spread.max() <= 0.45 + 1e-6


@pytest.mark.slow
def test_ten_thousand_draws_with_everything_on_and_autotune_stay_aligned(tmp_path):
    """Through the pipeline, drawn afresh each epoch: each draw shows mask and object as one."""
    from PIL import Image

    from unet_tf import pipeline

    images, masks = asymmetric(1, 66, 94)
    Image.fromarray(np.uint8(images[0].numpy() * 255)).save(tmp_path / "a.png")
    Image.fromarray(np.uint8(masks[0, ..., 0].numpy() * 255)).save(tmp_path / "a_mask.png")
    pairs = [(tmp_path / "a.png", tmp_path / "a_mask.png")] * 500
    amounts = {**ALL, "outside": 0}
    batches = pipeline.dataset(pairs, None, 50, augment=amounts, cache="memory", shuffle=True)
    seen, worst = set(), 1.0
    for _ in range(20):
        for moved, moved_masks in batches:
            worst = min(worst, overlap(moved, moved_masks).min())
            seen |= {image.tobytes() for image in moved.numpy()}
    assert len(seen) == 10_000
    assert worst > 0.97


def test_quarter_turns_are_exact_and_each_as_likely():
    pixels = np.arange(16, dtype="float32").reshape(4, 4)
    images = np.repeat(np.repeat(pixels[None, ..., None] / 16, 3, axis=-1), 4000, axis=0)
    masks = np.repeat(pixels[None, ..., None], 4000, axis=0)
    moved, labels = augment(
        images, masks, (3, 4), horizontal_flip=0, rotation=0, contrast=0, quarter_turn=0.75
    )
    turned, labels = [np.rot90(pixels, k) for k in range(4)], labels.numpy()
    kinds = [int(np.argmax([(label[..., 0] == one).all() for one in turned])) for label in labels]
    for image, label, kind in zip(moved.numpy(), labels, kinds, strict=True):
        assert (label[..., 0] == turned[kind]).all()
        assert np.abs(image[..., 0] - turned[kind] / 16).max() < 1e-5
    shares = np.bincount(kinds, minlength=4) / 4000
    assert np.abs(shares - 0.25).max() < 0.03  # four standard deviations
