"""From files to batches: read, resize, cache, shuffle, batch, augment, prefetch (tf.data).

Pillow reads, inside tf.data's parallel map: it knows every PNG and GIF encoding, is twice as fast
as TensorFlow on a GIF, and an error can name its file.
"""

import contextlib
import ctypes
import functools
import hashlib
import json
import lzma
import math
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from unet_tf.augment import augment as augment_batch

AUTOTUNE = tf.data.AUTOTUNE
READER = 2  # part of a cache's name: raised when what is made of a file changes
fold_in = tf.random.experimental.stateless_fold_in  # a seed and a number: another seed
# What Pillow, and a zip that it reads from, say of a broken file.
UNDECODABLE = (
    *(OSError, SyntaxError, ValueError, Image.DecompressionBombError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError),
)


def read_image(path):
    """A photograph (JPEG, PNG, GIF) as uint8 `(H, W, 3)`: grey and palette become RGB, alpha is
    dropped, 16 bit becomes 8.

    Raises
    ------
    ValueError
        Names the file when it cannot be decoded.
    """
    return to_rgb(open_image(path))


def to_rgb(image):
    """The pixels of a Pillow image as uint8 `(H, W, 3)`."""
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image, "int64") // 257).astype("uint8"))
    return np.asarray(image.convert("RGB"))


def read_mask(path):
    """A black and white mask (PNG, GIF) as uint8 `(H, W)` in {0, 1}.

    The maximum over the colour channels counts, a palette is applied, alpha is dropped; white is
    1, 255 or 65535.

    Raises
    ------
    ValueError
        Names the file when it cannot be decoded, or holds other values than black and one white.
    """
    image = open_image(path)
    if image.mode in ("1", "LA", "La"):
        image = image.convert("L")
    elif image.mode in ("PA", "RGB", "RGBA"):  # planes: 20 times as fast as over the last axis
        channels = np.asarray(image.convert("RGB"))
        image = Image.fromarray(np.max([channels[..., i] for i in range(3)], axis=0))
    pixels = np.asarray(image)
    if image.mode in ("L", "P"):
        levels = np.arange(256)
        if image.mode == "P":
            palette = np.reshape(image.getpalette("RGB"), (-1, 3)).max(axis=1)
            levels = np.pad(palette, (0, 256 - len(palette)))
        used = np.unique([pixels.min(), pixels.max()])
        if used[-1] - used[0] > 1:  # there may be others between
            used = np.flatnonzero(image.histogram())  # far faster than to sort the pixels
        found = np.unique(levels[used])
    else:
        found = np.unique(pixels)
    if found[-1] not in (0, 1, 255, 65535) or len(found) > 2 or (len(found) == 2 and found[0]):
        shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        raise ValueError(
            f"{path}: a black and white mask holds 0 and one of 1, 255 or 65535; this one holds "
            f"{len(found)} values ({shown}). Make the car 255, without anti-aliasing; no JPEG"
        )
    if image.mode in ("L", "P") and (used != (levels[used] > 0)).any():  # else it is 0 and 1
        pixels = np.asarray(image.point((levels > 0).astype(int).tolist()))
    return (pixels > 0).astype("uint8")


def open_image(path, at_least=None):
    """The decoded Pillow image of a file, or of a `zipfile.Path`; ValueError names a broken one.

    `.info["size"]` is its (width, height) in the file. Given `at_least`, (height, width), a JPEG
    comes at a half, a quarter or an eighth of that where it is still so large: libjpeg then leaves
    out the fine detail while it decodes, which is four times as fast or more.
    """
    try:
        # A zipfile.Path, a file within a zip, opens itself.
        image = Image.open(path if isinstance(path, str | os.PathLike) else path.open("rb"))
        image.info["size"] = image.size
        if at_least is not None:
            image.draft(None, at_least[::-1])
        image.load()
    except FileNotFoundError:
        raise
    except UNDECODABLE as error:
        raise ValueError(
            f"{path}: cannot be decoded ({error}). Replace the file, or remove it and its pair"
        ) from None
    return image


def read_resized(path, image_size, resize="area"):
    """A photograph at `image_size`, and the size that it has in the file.

    By "area" a JPEG is decoded only at three times `image_size` or a little more. Against the exact
    area of all its pixels, Carvana's size at 96x128 differs by 0.004 on average (of [0, 1]), from
    whole decoding by 0.002, nearest by 0.013.

    Parameters
    ----------
    path : path of a JPEG, PNG or GIF, or `zipfile.Path`
    image_size, resize : as in `resized`

    Returns
    -------
    uint8 array `(*image_size, 3)`, and (height, width) of the file

    Raises
    ------
    ValueError
        Names the file when it cannot be decoded.
    """
    by_area = image_size is not None and resize == "area"
    image = open_image(path, at_least=[3 * side for side in image_size] if by_area else None)
    width, height = image.info["size"]
    drafts = {n: (-(-width // n), -(-height // n)) for n in (8, 4, 2, 1)}
    scale = {size: n for n, size in drafts.items()}.get(image.size, 1)
    # The last pixel may be a part of one.
    box = None if scale == 1 else (0, 0, width / scale, height / scale)
    return resized(to_rgb(image), image_size, resize, box), (height, width)


def resized(pixels, image_size, resize="area", box=None):
    """uint8 `(H, W)` or `(H, W, 3)`, resized.

    Parameters
    ----------
    pixels : uint8 array
    image_size : (height, width), or None to leave it as it is
    resize : "area" (each pixel the mean of what it covers) or "nearest"
    box : (left, top, right, bottom), the part to take by area, in pixels; None takes all
    """
    if image_size is None or tuple(pixels.shape[:2]) == tuple(image_size):
        return pixels
    height, width = image_size
    if resize == "area":
        area = Image.Resampling.BOX
        return np.asarray(Image.fromarray(pixels).resize((width, height), area, box))
    if resize == "nearest":  # float32, as in tf.image.resize: the article's pixels to the bit
        rows, columns = (
            ((np.arange(new, dtype="float32") + 0.5) * np.float32(old / new)).astype(int)
            for new, old in zip(image_size, pixels.shape, strict=False)
        )
        return pixels[rows[:, None], columns]
    raise ValueError(f'resize is "area" or "nearest", not {resize!r}')


@functools.cache
def keep_freed_memory():
    """Let glibc (Linux) keep blocks of up to 32 MB that were freed, for the next image.

    Else each decoded image is new pages from the system, zeroed and mapped one by one, which takes
    a third of the time of reading. It holds for the whole process, from then on: free memory at the
    heap's end goes back above 128 MB, free blocks below others in use stay. Gives whether it holds.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no glibc
        mallopt, trim_threshold, mmap_threshold = ctypes.CDLL(None).mallopt, -1, -3
        return bool(mallopt(trim_threshold, 2**27) and mallopt(mmap_threshold, 2**25))
    return False


def decoded(pairs, image_size=(96, 128), resize="area", read=read_mask):
    """Pairs of files, read and resized in parallel, in order: uint8 `(H, W, 3)` and `(H, W, 1)`.

    `read` reads a mask: `read_mask`, or for masks of many classes `unet_tf.classes.Classes.read`.
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
        Paired augmentation (`unet_tf.augment.augment`), drawn afresh each epoch; a dict holds
        arguments for it. For training data only.
    cache : None, "memory", or a folder
        Keeps decoded, resized uint8 images, from before shuffling and augmentation. In a folder
        the file's name holds a hash of files and settings; one process at a time may fill it, and
        `read` must have a name: no lambda.
    seed : int
        Order and augmentation of an epoch follow from `seed` and the epoch's number alone.
    read : callable
        Reads a mask; for many classes `unet_tf.classes.Classes.read`, and `mask` then holds ids.

    Returns
    -------
    tf.data.Dataset
        Of `image` float32 `(B, H, W, 3)` in [0, 1] and `mask` float32 `(B, H, W, 1)` in {0, 1}.
        Its attribute `epoch`, a tf.Variable, is the number of the epoch to come: each iteration
        counts it up, and a resumed training sets it (`unet_tf.checkpoint`). `made_of` is a dict of
        what it follows from, by which such a training knows its data again.

    Raises
    ------
    ValueError
        For no pairs; while iterating, tf.errors.InvalidArgumentError or UnknownError whose message
        names the file that could not be read.
    """
    if not pairs:
        raise ValueError("no pairs to make a dataset of: is this part of the split empty?")
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


def fingerprint(pairs):
    """A short hash of pairs of files: names, sizes of the photographs, contents of the masks."""
    found = [
        (
            Path(image).name,
            os.stat(image).st_size,
            Path(mask).name,
            zlib.crc32(Path(mask).read_bytes()),
        )
        for image, mask in pairs
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]


def cache_file(folder, pairs, image_size, resize, read=read_mask):
    """The path of a tf.data cache for exactly these files and settings, leftovers removed.

    The name holds a hash of every file's path, size and times, of the settings, and of what reads
    them, so a changed file or setting never meets a stale cache. ValueError for a `read` that has
    no name of its own.
    """
    stats = [(str(path), os.stat(path)) for pair in pairs for path in pair]
    files = [(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats]
    name, classes = getattr(read, "__qualname__", "<none>"), str(getattr(read, "__self__", None))
    if "<" in name:  # two of them would share a cache
        raise ValueError(f"{read}: give a function of a module, or no folder for the cache")
    key = [files, image_size, resize, read.__module__, name, classes, READER, Image.__version__]
    path = Path(folder) / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not Path(f"{path}.index").exists():  # a killed run leaves parts that would stop the next
        for leftover in path.parent.glob(f"{path.name}*"):
            leftover.unlink()
    return str(path)
