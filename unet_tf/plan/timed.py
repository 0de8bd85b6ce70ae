"""How long a step takes here, on zeros, of the very network; and how many images it may have."""

import contextlib
import math
import time

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.client import device_lib

from unet_tf import network, pipeline, training
from unet_tf.data import size_at

# Of the memory, for what a step keeps: the rest is for data, and for what was not counted.
SHARE = 0.5
SECONDS = 2.0  # that are measured, once a step is traced


def timed(recipe, labels, own, precision="auto"):
    """Seconds of a step of 8, and of a validation image, of a recipe's training on this machine,
    where as many images a step are tried as the recipe has.

    `own` is the (height, width) of an image in its file, `precision` as in
    `unet_tf.training.set_precision`.
    """
    with trying(precision):
        model = recipe.model((None, None) if recipe.crop else recipe.image_size, labels)
        metric = network.metric_for(labels.channels)
        model.compile(
            keras.optimizers.Adam(1e-9), recipe.loss, metrics=[metric], jit_compile=network.JAX
        )
        batch = zeros(recipe.batch_size, recipe.crop or recipe.image_size)
        step = seconds_of(lambda: model.train_on_batch(*batch))
        if recipe.augment:
            # On a CPU it takes its time from the step; for a GPU it is done beside it.
            beside = seconds_of(augmenting(recipe, batch))
            step = max(step, beside) if network.gpus() else step + beside
        shape = size_at(recipe.image_size, own)
        grid = pipeline.parts_of(shape) if recipe.crop else (1, 1)
        part = zeros(1, [length // count for length, count in zip(shape, grid, strict=True)])
        look = math.prod(grid) * seconds_of(lambda: model.test_on_batch(*part))
    return step * 8 / recipe.batch_size, look


def images_that_fit(recipe, labels, precision="auto"):
    """How many images a step may have: what each layer gives of them, kept for the way back, takes
    `SHARE` of the memory that is free, at most. Parameters as in `timed`.

    On a CPU the peak of 24 images is that sum, within 5%.
    """
    with trying(precision):
        model = recipe.model(recipe.crop or recipe.image_size, labels)
        given = [tensor for layer in model.layers for tensor in keras.tree.flatten(layer.output)]
        numbers = sum(math.prod(tensor.shape[1:]) for tensor in given)
        wide = 2 if keras.config.dtype_policy().compute_dtype.endswith("16") else 4
    return int(SHARE * memory() / (wide * numbers))


def memory():
    """Bytes that a step may take: of the smallest GPU what TensorFlow may use, else what is free
    in this machine."""
    if network.JAX:
        return network.memory() or pipeline.free_memory()
    if not network.gpus():
        return pipeline.free_memory()
    devices = device_lib.list_local_devices()
    return min(one.memory_limit for one in devices if one.device_type == "GPU")


@contextlib.contextmanager
def trying(precision):
    """In this precision; afterwards all is as if nothing had been tried."""
    policy = keras.config.dtype_policy()
    try:
        precise = training.precision_policy()[0] if precision == "auto" else precision
        keras.config.set_dtype_policy(precise)
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.utils.clear_session()  # layers of the training get the names that they had without


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
