"""Paired augmentation: one random geometry for image and mask, drawn by stateless ops.

The article's kind: horizontal flip, a small rotation, contrast. Image and mask go through one
matrix, so they cannot drift apart; the mask is read by nearest neighbour, so it stays {0, 1}.
"""

import math

import tensorflow as tf


def augment(images, masks, seed, rotation=0.01, contrast=0.2):
    """A batch, each image flipped or not, turned a little, its contrast changed.

    Parameters
    ----------
    images : float32 tensor `(B, H, W, 3)` in [0, 1]
    masks : float32 tensor `(B, H, W, 1)` in {0, 1}
    seed : int tensor `(2,)`
        The same seed gives the same bits.
    rotation : float
        Largest angle either way, as a share of a full turn: 0.01 is 3.6 degrees.
    contrast : float
        The distance from the image's mean is scaled by a factor in [1 - contrast, 1 + contrast].

    Returns
    -------
    (images, masks)
        As they came in; what a turn brings in from outside is the image mirrored at its edge.
    """
    count = tf.shape(images)[0]
    flip, turn, factor = tf.unstack(tf.random.stateless_uniform((3, count), seed, -1.0, 1.0))
    transforms = _about_centre(flip, 2 * math.pi * rotation * turn, tf.shape(images)[1:3])
    images = _transform(images, transforms, "BILINEAR")
    masks = _transform(masks, transforms, "NEAREST")
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    factor = (1 + contrast * factor)[:, None, None, None]
    return tf.clip_by_value(mean + factor * (images - mean), 0.0, 1.0), masks


def _about_centre(flip, angle, size):
    """`(B, 8)` matrices, output pixel -> input pixel: mirrored where flip < 0, then turned."""
    mirror = tf.where(flip < 0, -1.0, 1.0)
    cos, sin = tf.cos(angle), tf.sin(angle)
    y, x = tf.unstack((tf.cast(size, tf.float32) - 1) / 2)  # the centre, in pixel indices
    zero = tf.zeros_like(angle)
    return tf.stack(
        [
            *(mirror * cos, -mirror * sin, x - mirror * cos * x + mirror * sin * y),
            *(sin, cos, y - sin * x - cos * y),
            *(zero, zero),
        ],
        axis=1,
    )


def _transform(pixels, transforms, interpolation):
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=tf.shape(pixels)[1:3],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode="REFLECT",
    )
    return tf.ensure_shape(result, pixels.shape)
