"""How long a step takes here: a few steps on zeros, of the very network, loss, augmentation."""

import time

import keras
import numpy as np
import tensorflow as tf

from unet_tf import network, pipeline, training
from unet_tf.data import size_at

SECONDS = 2.0  # that are measured, once a step is traced


def timed(recipe, labels, own, precision="auto"):
    """Seconds of a step, and of a validation image, of a recipe's training on this machine.

    Parameters
    ----------
    recipe : unet_tf.protocol.Recipe
    labels : unet_tf.data.Labels
    own : (height, width) of an image in its file
    precision : as in `unet_tf.training.set_precision`

    Returns
    -------
    (float, float)
    """
    policy = keras.config.dtype_policy()
    try:
        precise = training.precision_policy()[0] if precision == "auto" else precision
        keras.config.set_dtype_policy(precise)
        size = (None, None) if recipe.crop else recipe.image_size
        channels = [labels.channels] if recipe.classes else []
        model = recipe.build((*size, 3), recipe.filters, *channels)
        metric = network.metric_for(labels.channels)
        model.compile(keras.optimizers.Adam(1e-9), recipe.loss, metrics=[metric], jit_compile=False)
        batch = zeros(recipe.batch_size, recipe.crop or recipe.image_size)
        step = seconds_of(lambda: model.train_on_batch(*batch))
        if recipe.augment:
            # On a CPU it takes its time from the step; for a GPU it is done beside it.
            beside = seconds_of(augmenting(recipe, batch))
            gpu = tf.config.list_physical_devices("GPU")
            step = max(step, beside) if gpu else step + beside
        whole = zeros(1, size_at(recipe.image_size, own))
        look = seconds_of(lambda: model.test_on_batch(*whole))
    finally:
        keras.config.set_dtype_policy(policy)
        keras.utils.clear_session()  # layers of the training get the names that they had without
    return step, look


def augmenting(recipe, batch):
    """A function that augments a batch as the recipe does."""
    amounts = recipe.augment if isinstance(recipe.augment, dict) else {}
    images, masks = map(tf.constant, batch)
    return tf.function(lambda: pipeline.augment(images, masks, (0, 0), **amounts))


def zeros(count, size):
    """A batch of black images, and of masks of background."""
    return np.zeros((count, *size, 3), "float32"), np.zeros((count, *size, 1), "float32")


def seconds_of(function):
    """The median time of a call, after a first one that traces."""
    function()
    times, end = [], time.perf_counter() + SECONDS
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
