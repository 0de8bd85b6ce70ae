"""The article's own training, as its text has it, to measure against: pipeline, order, settings.

"Image Segmentation: An In-Depth Guide", Ed Izaguirre, 2023. Nothing is shuffled or kept; the whole
photograph is made float before it is resized.
"""

import tensorflow as tf

from unet_tf.pipeline import untuned


def preprocess_image(path):
    image = tf.image.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.convert_image_dtype(image, tf.float32)
    return tf.image.resize(image, [96, 128], method="nearest")


def preprocess_target(path):
    mask = tf.io.read_file(path)
    mask = tf.image.decode_image(mask, expand_animations=False, dtype=tf.float32)
    mask = tf.math.reduce_max(mask, axis=-1, keepdims=True)
    return tf.image.resize(mask, [96, 128], method="nearest")


def dataset(pairs, tuned=True):
    """Batches of 32 pairs.

    As the article has it, TensorFlow makes both maps parallel by itself, and a thread goes on
    tuning; the end of a pass may wait for it. Without `tuned` the maps are parallel by hand, and
    nothing waits.
    """
    parallel = None if tuned else tf.data.AUTOTUNE
    images, masks = ([str(path) for path in paths] for paths in zip(*pairs, strict=True))
    images = tf.data.Dataset.from_tensor_slices(images).map(preprocess_image, parallel)
    masks = tf.data.Dataset.from_tensor_slices(masks).map(preprocess_target, parallel)
    batches = tf.data.Dataset.zip((images, masks)).batch(32).prefetch(tf.data.AUTOTUNE)
    return batches if tuned else untuned(batches)
