"""Random crops of large images: for training at full resolution on what fits into memory."""

import math

import tensorflow as tf

from unet_tf.data import MOST_AT_ONCE, read_mask, size_at, size_of
from unet_tf.files import UserError
from unet_tf.pipeline.batches import augmented, each_epoch, elements_of, fold_in, shuffled, to_float
from unet_tf.pipeline.cache import fingerprint


def random_crop(image, mask, crop, seed):
    """The same part of image and mask, `crop` (height, width) large, at a place drawn by `seed`."""
    spare = tf.shape(image)[:2] - crop
    share = tf.random.stateless_uniform((2,), seed)
    top, left = tf.unstack(tf.cast(share * tf.cast(spare + 1, tf.float32), tf.int32))
    parts = [pixels[top : top + crop[0], left : left + crop[1]] for pixels in (image, mask)]
    return tuple(
        tf.ensure_shape(part, (*crop, channels))
        for part, channels in zip(parts, (3, 1), strict=True)
    )


def parts_of(shape):
    """Into how many (rows, columns) an image of this (height, width) is cut, so that each part goes
    through a network at once (`unet_tf.data.MOST_AT_ONCE`)."""
    if shape[0] * shape[1] <= MOST_AT_ONCE:
        return 1, 1
    side = math.isqrt(MOST_AT_ONCE)
    return tuple(math.ceil(length / side) for length in shape)


def in_parts(batches, shapes):
    """Batches of one image, each cut into its parts (`parts_of`), a batch a part.

    Parameters
    ----------
    batches : tf.data.Dataset, of `(1, H, W, 3)` and `(1, H, W, 1)`
    shapes : list of (height, width), of these images in order
    """
    grids = [parts_of(shape) for shape in shapes]
    count = sum(rows * columns for rows, columns in grids)
    if count == len(grids):
        return batches

    def cut(image, mask, grid):
        def part(number):
            size = tf.shape(image, tf.int64)[1:3]
            at = tf.stack([number // grid[1], number % grid[1]])
            start, end = at * size // grid, (at + 1) * size // grid
            return tuple(a[:, start[0] : end[0], start[1] : end[1]] for a in (image, mask))

        return tf.data.Dataset.range(grid[0] * grid[1]).map(part)

    grids = tf.data.Dataset.from_tensor_slices(tf.constant(grids, tf.int64))
    parts = tf.data.Dataset.zip(batches, grids).flat_map(lambda pair, grid: cut(*pair, grid))
    return parts.apply(tf.data.experimental.assert_cardinality(count))


def crop_dataset(
    pairs,
    crop,
    crops=1,
    batch_size=32,
    augment=False,
    cache="auto",
    seed=0,
    read=read_mask,
    image_size=None,
    value_range=None,
):
    """Batches of random crops, for training.

    An epoch passes over all images `crops` times, each time in another order, so that the crops of
    a batch are of different images.

    Parameters
    ----------
    pairs : list of (image path, mask path)
        Of any sizes, none smaller than `crop`.
    crop : (height, width)
    crops : int
        Of each image in an epoch, drawn afresh: with the pixels of an image over those of a crop,
        each pixel is seen once on average.
    batch_size, augment, cache, seed, read, value_range :
        As in `unet_tf.pipeline.dataset`; whole images are kept. Order and places, too, follow from
        seed and epoch.
    image_size : None or float
        The share of their own height and width at which images are cut; None: all of it.

    Returns
    -------
    tf.data.Dataset
        As `unet_tf.pipeline.dataset`, of `(B, *crop, 3)` and `(B, *crop, 1)`.

    Raises
    ------
    UserError
        For no pairs, and for an image smaller than a crop, by its name.
    """
    for image, _ in pairs:
        height, width = size_at(image_size, size_of(image))
        if height < crop[0] or width < crop[1]:
            raise UserError(
                f"{image}: {height}x{width} pixels (height x width), smaller than a crop of "
                f"{crop[0]}x{crop[1]}: take smaller crops, or leave the image out"
            )
    elements, stage = elements_of(pairs, image_size, "area", read, cache, value_range)

    def one_pass(number):
        draw = tf.stack([seed, number])
        places = fold_in(draw, -1)  # other numbers than the augmentation's

        def cut(index, element):
            image, mask = stage(element) if stage else element
            return random_crop(image, mask, crop, fold_in(places, index))

        return shuffled(elements, len(pairs), draw).enumerate().map(cut, tf.data.AUTOTUNE)

    def one_epoch(number):
        passes = tf.data.Dataset.range(crops).flat_map(lambda k: one_pass(crops * number + k))
        batches = passes.batch(batch_size).map(to_float, tf.data.AUTOTUNE)
        return augmented(batches, augment, tf.stack([seed, number]))

    batches = each_epoch(one_epoch, steps=math.ceil(len(pairs) * crops / batch_size))
    how = {"crop": crop, "crops": crops, "batch_size": batch_size, "augment": augment, "seed": seed}
    how |= {"image_size": image_size} if image_size else {}
    how |= {"value_range": value_range} if value_range else {}
    batches.made_of = lambda: {"files": fingerprint(pairs), **how}
    return batches
