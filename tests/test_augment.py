"""Paired augmentation: one geometry, the same bits at any parallelism."""

import numpy as np
import pytest
import tensorflow as tf

from unet_tf.augment import augment


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
