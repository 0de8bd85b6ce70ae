"""From files to batches: read, resize, cache, shuffle, batch, augment, prefetch (tf.data).

Pillow reads (`unet_tf.data`), inside tf.data's parallel map.
"""

import functools
import math

import tensorflow as tf

from unet_tf.data import keep_freed_memory, read_mask, read_resized, resized, size_at
from unet_tf.files import UserError, remembered
from unet_tf.pipeline.augmentation import augment as augment_batch
from unet_tf.pipeline.cache import FileCache, cache_file, chosen_cache, fingerprint, sizes_of

AUTOTUNE = tf.data.AUTOTUNE
DEFAULT_SEED = 87654321  # what TensorFlow takes for a graph without a seed
fold_in = tf.random.experimental.stateless_fold_in  # a seed and a number: another seed


def reading(pairs, image_size, resize, read, cache=None, value_range=None):
    """A stage of tf.data that calls Python: the number of a pair -> its image and mask, uint8.

    `cache`: None, "file" or a folder, as in `dataset`.
    """

    def load(number):
        image_path, mask_path = map(str, pairs[number])
        image, own = read_resized(image_path, image_size, resize, value_range)
        return image, resized(read(mask_path), size_at(image_size, own), "nearest")[..., None]

    if cache is not None:
        stays = cache != "file"
        path = cache_file(cache, pairs, image_size, resize, read, value_range) if stays else None
        load = FileCache(load, sizes_of(pairs, image_size), path)
    load = remembered()(load)
    height, width = image_size if isinstance(image_size, tuple | list) else (None, None)
    keep_freed_memory()

    def stage(number):
        image, mask = tf.numpy_function(load, [number], [tf.uint8, tf.uint8], stateful=False)
        return tf.ensure_shape(image, (height, width, 3)), tf.ensure_shape(mask, (height, width, 1))

    return stage


def decoded(pairs, image_size=(96, 128), resize="area", read=read_mask, value_range=None):
    """Pairs of files, read and resized in parallel, in order: uint8 `(H, W, 3)` and `(H, W, 1)`."""
    stage = reading(pairs, image_size, resize, read, value_range=value_range)
    return tf.data.Dataset.range(len(pairs)).map(stage, num_parallel_calls=AUTOTUNE)


def elements_of(pairs, image_size, resize, read, cache, value_range):
    """A dataset as long as `pairs`, to be shuffled, and the stage that makes images of it, or None.

    From memory, images and masks themselves are shuffled, and there is no stage. Else their numbers
    are, and each is read when its turn comes: no buffer holds the data, and the order is the same.
    """
    if not pairs:
        raise UserError("no pairs to make a dataset of: is this part of the split empty?")
    if cache == "auto":
        cache = chosen_cache((pairs, image_size))
    if cache == "memory":
        return decoded(pairs, image_size, resize, read, value_range).cache(), None
    stage = reading(pairs, image_size, resize, read, cache, value_range)
    return tf.data.Dataset.range(len(pairs)), stage


def to_float(image, mask):
    """Image to float32 in [0, 1], mask to float32: {0, 1}, or class ids."""
    return tf.cast(image, tf.float32) / 255.0, tf.cast(mask, tf.float32)


def shuffled(elements, count, seed):
    """`elements`, as many as `count`, in an order that follows from `seed` alone, int64 `(2,)`.

    The order of `tf.data.Dataset.shuffle`, by its first operator: the present one is stateful, for
    which TensorFlow's operator determinism would run all crops in one thread.
    """
    spec = elements.element_spec
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(elements),
        buffer_size=count,
        seed=tf.constant(DEFAULT_SEED, tf.int64),
        seed2=tf.random.stateless_uniform((), seed, 0, 2**31, tf.int64),
        output_types=[part.dtype for part in tf.nest.flatten(spec)],
        output_shapes=[part.shape for part in tf.nest.flatten(spec)],
    )
    return tf.data.experimental.from_variant(variant, spec)


def untuned(batches):
    """A dataset whose AUTOTUNE is the number of cores, 16 at most, without the thread that tunes:
    in TensorFlow 2.21 the end of a pass may wait until it wakes, up to as long as the pass took."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def each_epoch(one_epoch, steps):
    """A dataset that is `one_epoch(number)`, `steps` long; `number`, an int64 tensor, counts the
    iterations from 0. Its attribute `epoch`, a tf.Variable, is the number to come."""
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
    batches = tf.data.Dataset.range(1).flat_map(lambda _: one_epoch(epoch.assign_add(1) - 1))
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    batches = untuned(batches.prefetch(AUTOTUNE))
    batches.epoch = epoch
    return batches


def augmented(batches, augment, seed):
    """Batches of (image, mask), augmented as `augment` says (`dataset`), each by its own draw."""
    if augment is False:
        return batches
    draw = functools.partial(augment_batch, **({} if augment is True else augment))
    return batches.enumerate().map(lambda batch, pair: draw(*pair, fold_in(seed, batch)), AUTOTUNE)


def dataset(
    pairs,
    image_size=(96, 128),
    batch_size=32,
    resize="area",
    shuffle=False,
    augment=False,
    cache=None,
    seed=0,
    read=read_mask,
    value_range=None,
):
    """Batches of images and masks from pairs of files.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    image_size : (height, width), None or float
        None leaves every image at its own size, a float is a share of that; a batch then wants
        images of one size.
    batch_size : int
        The last batch is as short as it must be: no image is left out.
    resize : "area" or "nearest"
        For the photographs. "nearest" is the article's; masks are always resized by nearest.
    shuffle : bool
        Another order each epoch.
    augment : bool or dict
        `unet_tf.pipeline.augment`, drawn afresh each epoch, with these arguments.
    cache : None, "memory", "file", "auto", or a folder
        Where decoded, resized uint8 images are kept, from before shuffling; it changes no bit.
        "file" is gone at the end of the process; "auto" is `unet_tf.pipeline.chosen_cache`. In a
        folder the file stays, its name is a hash of files and settings, and `read` has to be a
        function of a module.
    seed : int
        Order and augmentation of an epoch follow from `seed` and the epoch's number alone.
    read : callable
        Reads a mask; for many classes `unet_tf.data.Labels.read`, and `mask` then holds ids.
    value_range : (low, high), optional
        Black and white of images of more than 8 bits, as in `unet_tf.data.to_rgb`.

    Returns
    -------
    tf.data.Dataset
        Of `image` float32 `(B, H, W, 3)` in [0, 1] and `mask` float32 `(B, H, W, 1)` in {0, 1}.
        Its attribute `epoch`, a tf.Variable, is the number of the epoch to come, and `made_of()`
        gives a dict of what it follows from: a resumed training sets one and compares the other.

    Raises
    ------
    UserError
        For no pairs; while iterating, tf.errors.InvalidArgumentError or UnknownError whose message
        names the file that could not be read.
    """
    elements, stage = elements_of(pairs, image_size, resize, read, cache, value_range)

    def one_epoch(number):
        draw = tf.stack([seed, number])
        ordered = shuffled(elements, len(pairs), draw) if shuffle else elements
        if stage:
            ordered = ordered.map(stage, num_parallel_calls=AUTOTUNE)
        batches = ordered.batch(batch_size).map(to_float, num_parallel_calls=AUTOTUNE)
        return augmented(batches, augment, draw)

    batches = each_epoch(one_epoch, steps=math.ceil(len(pairs) / batch_size))
    how = {"image_size": image_size, "batch_size": batch_size, "resize": resize, "seed": seed}
    how |= {"shuffle": shuffle, "augment": augment}
    how |= {"value_range": value_range} if value_range else {}
    batches.made_of = lambda: {"files": fingerprint(pairs), **how}
    return batches
