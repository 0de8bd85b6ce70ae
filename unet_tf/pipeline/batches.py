"""From files to batches: read, resize, cache, shuffle, batch, augment, prefetch (tf.data).

Pillow reads, inside tf.data's parallel map: it knows every PNG and GIF encoding, is twice as fast
as TensorFlow on a GIF, and an error can name its file.
"""

import functools
import math

import tensorflow as tf

from unet_tf.data import keep_freed_memory, read_mask, read_resized, resized
from unet_tf.files import UserError
from unet_tf.pipeline.augmentation import augment as augment_batch
from unet_tf.pipeline.cache import cache_file, fingerprint

AUTOTUNE = tf.data.AUTOTUNE


fold_in = tf.random.experimental.stateless_fold_in  # a seed and a number: another seed


def decoded(pairs, image_size=(96, 128), resize="area", read=read_mask):
    """Pairs of files, read and resized in parallel, in order: uint8 `(H, W, 3)` and `(H, W, 1)`.

    `read` reads a mask: `read_mask`, or for masks of many classes `unet_tf.data.Labels.read`.
    """
    height, width = image_size or (None, None)
    keep_freed_memory()

    def load(image_path, mask_path):
        image, _ = read_resized(image_path.decode(), image_size, resize)
        mask = resized(read(mask_path.decode()), image_size, "nearest")
        return image, mask[..., None]

    def load_in_graph(*paths):
        image, mask = tf.numpy_function(load, paths, [tf.uint8, tf.uint8], stateful=False)
        return tf.ensure_shape(image, (height, width, 3)), tf.ensure_shape(mask, (height, width, 1))

    images, masks = zip(*[(str(image), str(mask)) for image, mask in pairs], strict=True)
    files = tf.data.Dataset.from_tensor_slices((list(images), list(masks)))
    return files.map(load_in_graph, num_parallel_calls=AUTOTUNE)


def to_float(image, mask):
    """Image to float32 in [0, 1], mask to float32: {0, 1}, or class ids."""
    return tf.cast(image, tf.float32) / 255.0, tf.cast(mask, tf.float32)


def shuffled(elements, count, seed):
    """`elements`, as many as `count`, in an order that follows from `seed` alone, int64 `(2,)`."""
    tf.compat.v1.get_default_graph().seed = None  # else that of `set_random_seed` is mixed in
    return elements.shuffle(count, tf.random.stateless_uniform((), seed, 0, 2**31, tf.int64))


def untuned(batches):
    """A dataset whose AUTOTUNE is the number of cores, 16 at most, without the thread that tunes.

    In TensorFlow 2.21 that thread sleeps longer each time, and the end of a pass now and then waits
    until it wakes: a pass of 21 s then takes 41.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def each_epoch(one_epoch, steps):
    """A dataset that is `one_epoch(number)`, `steps` long, with another number each iteration.

    `number`, an int64 tensor, is 0, 1, 2 and so on. The attribute `epoch` of the dataset, a
    tf.Variable, holds the one to come: set it to go on elsewhere.
    """
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
):
    """Batches of images and masks from pairs of files.

    Parameters
    ----------
    pairs : list of (image path, mask path)
    image_size : (height, width) or None
        None leaves every image at its own size; a batch then wants images of one size.
    batch_size : int
        The last batch is as short as it must be: no image is left out.
    resize : "area" or "nearest"
        For the photographs. "nearest" is the article's; masks are always resized by nearest.
    shuffle : bool
        Another order each epoch.
    augment : bool or dict
        Paired augmentation (`unet_tf.pipeline.augment`), drawn afresh each epoch; a dict holds
        arguments for it. For training data only.
    cache : None, "memory", or a folder
        Keeps decoded, resized uint8 images, from before shuffling and augmentation. In a folder
        the file's name holds a hash of files and settings; one process at a time may fill it, and
        `read` must have a name: no lambda.
    seed : int
        Order and augmentation of an epoch follow from `seed` and the epoch's number alone.
    read : callable
        Reads a mask; for many classes `unet_tf.data.Labels.read`, and `mask` then holds ids.

    Returns
    -------
    tf.data.Dataset
        Of `image` float32 `(B, H, W, 3)` in [0, 1] and `mask` float32 `(B, H, W, 1)` in {0, 1}.
        Its attribute `epoch`, a tf.Variable, is the number of the epoch to come: each iteration
        counts it up, and a resumed training sets it (`unet_tf.training`). `made_of` is a dict of
        what it follows from, by which such a training knows its data again.

    Raises
    ------
    ValueError
        For no pairs; while iterating, tf.errors.InvalidArgumentError or UnknownError whose message
        names the file that could not be read.
    """
    if not pairs:
        raise UserError("no pairs to make a dataset of: is this part of the split empty?")
    elements = decoded(pairs, image_size, resize, read)
    if cache is not None:
        name = "" if cache == "memory" else cache_file(cache, pairs, image_size, resize, read)
        elements = elements.cache(name)

    def one_epoch(number):
        draw = tf.stack([seed, number])
        ordered = shuffled(elements, len(pairs), draw) if shuffle else elements
        batches = ordered.batch(batch_size).map(to_float, num_parallel_calls=AUTOTUNE)
        return augmented(batches, augment, draw)

    batches = each_epoch(one_epoch, steps=math.ceil(len(pairs) / batch_size))
    how = {"image_size": image_size, "batch_size": batch_size, "resize": resize, "seed": seed}
    batches.made_of = {"files": fingerprint(pairs), **how, "shuffle": shuffle, "augment": augment}
    return batches


def image_dataset(paths, image_size=(96, 128), batch_size=32, resize="area"):
    """Batches of images alone, float32 `(B, H, W, 3)` in [0, 1], in the order of `paths`."""
    keep_freed_memory()

    def load(path):
        return read_resized(path.decode(), image_size, resize)[0]

    def load_in_graph(path):
        image = tf.numpy_function(load, [path], tf.uint8, stateful=False)
        return tf.cast(tf.ensure_shape(image, (*(image_size or (None, None)), 3)), tf.float32) / 255

    images = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    images = images.map(load_in_graph, num_parallel_calls=AUTOTUNE)
    return untuned(images.batch(batch_size).prefetch(AUTOTUNE))
