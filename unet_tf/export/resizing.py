"""The project's own resize, as operations that travel inside an exported graph.

Equal to `unet_tf.data.resized` to the last bit, by area and to the nearest. Pillow's mean over the
covered pixels is computed as Pillow does it: its doubles, its 22 bits, the width first. Pillow from
13 on takes the height first where an image is tall; there a value may differ by 1 of 255. A large
JPEG, which `unet_tf.data.read_resized` decodes small from the start, arrives here whole: that
differs by some 0.002 of [0, 1] on average.
"""

import keras
import tensorflow as tf

BITS = 22  # of a weight in Pillow's fixed point


def size_at(image_size, shape):
    """`unet_tf.data.size_at` in a graph: int32 `(2,)`."""
    own = shape[1:3]
    if image_size is None:
        return own
    if isinstance(image_size, float):
        return tf.maximum(1, tf.cast(tf.round(image_size * tf.cast(own, "float64")), "int32"))
    return tf.constant(image_size, "int32")


def covered(old, new):
    """Of each new pixel the old ones that Pillow's box takes, bool `(new, old)`."""
    scale = tf.cast(old, "float64") / tf.cast(new, "float64")
    wide = tf.maximum(scale, 1.0)
    centre = (tf.range(tf.cast(new, "float64"), dtype="float64")[:, None] + 0.5) * scale
    old_pixels = tf.range(tf.cast(old, "float64"), dtype="float64")[None]
    first, last = tf.floor(centre - wide / 2 + 0.5), tf.floor(centre + wide / 2 + 0.5)
    place = (old_pixels - centre + 0.5) * (1.0 / wide)
    inside = (place > -0.5) & (place <= 0.5)
    return inside & (old_pixels >= first) & (old_pixels < last)


def mean(sums, counts):
    """Sums of whole numbers divided by their counts as Pillow does it, in 22 bits."""
    weights = (2 ** (BITS + 1) + counts) // (2 * counts)
    rounded = (tf.cast(sums, "int32") * weights + 2 ** (BITS - 1)) // 2**BITS
    return tf.cast(tf.minimum(rounded, 255), "float32")


def by_area(images, size):
    """`(B, H, W, 3)` -> float32 `(B, *size, 3)`, whole numbers: sums by a matrix product, exact
    in float32 below 65,000 pixels."""
    height, width = tf.unstack(tf.shape(images)[1:3])
    pixels = tf.cast(tf.transpose(images, (0, 3, 1, 2)), "float32")
    across = tf.cast(covered(width, size[1]), "float32")
    counts = tf.cast(tf.reduce_sum(across, 1), "int32")
    pixels = mean(tf.matmul(pixels, across, transpose_b=True), counts)
    down = tf.cast(covered(height, size[0]), "float32")
    counts = tf.cast(tf.reduce_sum(down, 1), "int32")
    return tf.transpose(mean(tf.matmul(down, pixels), counts[:, None]), (0, 2, 3, 1))


def by_nearest(images, size):
    """`(B, H, W, 3)` -> float32 `(B, *size, 3)`: the pixel at each new one's middle."""
    for axis in (0, 1):
        old, new = tf.shape(images)[axis + 1], size[axis]
        ratio = tf.cast(tf.cast(old, "float64") / tf.cast(new, "float64"), "float32")
        places = (tf.range(tf.cast(new, "float32"), dtype="float32") + 0.5) * ratio
        images = tf.gather(images, tf.cast(places, "int32"), axis=axis + 1)
    return tf.cast(images, "float32")


class Preprocessing(keras.layers.Layer):
    """uint8 images `(B, H, W, 3)` of any size, resized as a card says, divided by 255."""

    def __init__(self, image_size, resize, **kwargs):
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.image_size, self.resize = image_size, resize

    def call(self, images):
        if self.image_size is None:
            return tf.cast(images, "float32") / 255
        size = size_at(self.image_size, tf.shape(images))
        resized = (by_area if self.resize == "area" else by_nearest)(images, size) / 255
        return tf.ensure_shape(resized, self.compute_output_shape(images.shape))

    def compute_output_shape(self, input_shape):
        whole = isinstance(self.image_size, tuple)
        return (input_shape[0], *(self.image_size if whole else (None, None)), 3)
