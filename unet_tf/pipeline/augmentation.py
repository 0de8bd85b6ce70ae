"""Paired augmentation: one random geometry for image and mask, drawn by stateless ops.

Image and mask go through one matrix, so they cannot drift apart; the mask is read by nearest
neighbour, so it keeps its labels. The defaults are the article's kind: horizontal flip, a small
rotation, contrast.
"""

import math

import tensorflow as tf


def augment(
    images,
    masks,
    seed,
    horizontal_flip=0.5,
    vertical_flip=0.0,
    rotation=0.01,
    scale=0.0,
    shift=0.0,
    brightness=0.0,
    contrast=0.2,
    saturation=0.0,
    quarter_turn=0.0,
    outside=None,
):
    """A batch, each image and its mask moved by one geometry, its colours changed.

    Parameters
    ----------
    images : float32 tensor `(B, H, W, 3)` in [0, 1]
    masks : float32 tensor `(B, H, W, 1)` of labels, {0, 1} for cars
    seed : int tensor `(2,)`
        The same seed gives the same bits.
    horizontal_flip, vertical_flip : float
        Probabilities, in [0, 1].
    rotation : float
        Largest angle either way, as a share of a full turn: 0.01 is 3.6 degrees.
    scale, shift : float
        Magnified by a factor in [1 ± scale]; moved by up to this share of height and of width.
    brightness, contrast, saturation : float
        A number in [-brightness, brightness] is added; the distance from the image's mean is scaled
        by a factor in [1 ± contrast], that from the pixel's grey by one in [1 ± saturation].
    quarter_turn : float
        Probability that a square image is turned by 90, 180 or 270 degrees, each as likely.
    outside : None or float
        What moves in over the edge: the image mirrored there, and its mask (None); or black, with
        this label in the mask: 0 for background, the void label for "do not score".

    Returns
    -------
    (images, masks)
        As they came in; images stay in [0, 1].
    """
    numbers = tf.random.stateless_uniform((10, tf.shape(images)[0]), seed, -1.0, 1.0)
    left_right, up_down, turn, zoom, right, down, *colours, quarter = tf.unstack(numbers)
    light, gain, tint = (number[:, None, None, None] for number in colours)
    transforms = _about_centre(
        tf.where(left_right < 2 * horizontal_flip - 1, -1.0, 1.0),
        tf.where(up_down < 2 * vertical_flip - 1, -1.0, 1.0),
        2 * math.pi * (rotation * turn + _quarters(quarter, quarter_turn)),
        1 + scale * zoom,
        (shift * right, shift * down),
        tf.shape(images)[1:3],
    )
    images = _transform(images, transforms, "BILINEAR", None if outside is None else 0.0)
    masks = _transform(masks, transforms, "NEAREST", outside)
    return _recolour(images, 1 + contrast * gain, brightness * light, 1 + saturation * tint), masks


def _about_centre(mirror_x, mirror_y, angle, scale, shift, size):
    """`(B, 8)` matrices, output pixel -> input: mirrored where -1, turned, magnified, moved."""
    height, width = tf.unstack(tf.cast(size, tf.float32))
    y, x = (height - 1) / 2, (width - 1) / 2  # the centre, in pixel indices
    to_x, to_y = x + shift[0] * width, y + shift[1] * height  # where the centre moves
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    a, b, d, e = mirror_x * cos, -mirror_x * sin, mirror_y * sin, mirror_y * cos
    zero = tf.zeros_like(angle)
    rows = [a, b, x - a * to_x - b * to_y, d, e, y - d * to_x - e * to_y, zero, zero]
    return tf.stack(rows, axis=1)


def _quarters(number, probability):
    """Shares of a full turn: 0, or, with that probability, 1/4, 1/2 or 3/4; numbers in [-1, 1)."""
    share = (number + 1) / 2 / max(probability, 1e-9)  # in [0, 1) where it is turned
    return tf.where(number < 2 * probability - 1, tf.floor(3 * share) + 1, 0.0) / 4


def _transform(pixels, transforms, interpolation, outside=None):
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=tf.shape(pixels)[1:3],
        fill_value=0.0 if outside is None else outside,
        interpolation=interpolation,
        fill_mode="REFLECT" if outside is None else "CONSTANT",
    )
    return tf.ensure_shape(result, pixels.shape)


def _recolour(images, contrast, light, saturation):
    """Scale the distance from the mean, add light, scale the distance from grey."""
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    images = mean + contrast * (images - mean) + light
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    return tf.clip_by_value(grey + saturation * (images - grey), 0.0, 1.0)
