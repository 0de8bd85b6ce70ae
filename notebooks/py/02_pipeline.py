# %% [markdown]
# # 02 · A tf.data pipeline
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/02_pipeline.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/02_pipeline.ipynb)
#
# **You will**
#
# - turn a list of files into batches of images and masks, stage by stage, and see where each stage goes wrong;
# - resize photographs without losing thin things, and augment image and mask with one geometry;
# - follow, event by event, what each stage does for speed, and count the files that it reads.
#
# **You need**
#
# - data: nothing, the embedded rendered data is made by itself (or the photographs of [notebook 01](01_data.ipynb));
# - time: half a minute on 2 cores with rendered data, some minutes with Carvana's large files; on a GPU: not measured, and of no use here.

# %% [markdown]
# ## Setup
#
# As in every notebook: the module first, then imports, seed and data. `read_image` and `read_mask` are those of notebook 01.

# %%
import sys
from pathlib import Path

sys.path.append("..")
for depth in range(1, 5):  # on Kaggle with Internet off: the project attached as a data set
    attached = Path("/kaggle/input").glob("*/" * depth + "unet_tf/__init__.py")
    sys.path += [str(path.parent.parent) for path in attached]
try:
    import unet_tf
except ModuleNotFoundError:  # Colab, and Kaggle with Internet on
    # %pip install -q --no-deps git+https://github.com/OWNER/unet_tf
    import unet_tf

# %%
import functools
import hashlib
import json
import math
import os
import tempfile
import threading
import time
from collections import defaultdict

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from PIL import Image

from unet_tf import data, pipeline
from unet_tf.data import keep_freed_memory, open_image, read_image, read_mask, to_rgb
from unet_tf.pipeline import untuned
from unet_tf.plot import TRUTH

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# ## From paths to batches
#
# Training wants batches of numbers; you have files. TensorFlow's answer is a `tf.data.Dataset`: a recipe for a stream of elements, to which you add one stage after another. Nothing is read until you iterate, and files are read as they are needed, so the data set may be larger than your memory.
#
# You build the article's stages first, one at a time. The stream begins as paths; look at what one element is. Then do for one file what the stream will do for all: read it, decode it, turn the numbers into floats, make it small. Look at how type and range change.

# %%
parts = data.split(data.pair(folder))
images = [str(image) for image, _ in parts.train]
masks = [str(mask) for _, mask in parts.train]
paths = tf.data.Dataset.from_tensor_slices(images)
print(f"{len(paths)} elements, each {paths.element_spec.shape} {paths.element_spec.dtype.name}")
whole = tf.image.decode_jpeg(tf.io.read_file(images[0]), channels=3)
floats = tf.image.convert_image_dtype(whole, tf.float32)
small = tf.image.resize(floats, (96, 128), method="nearest")
for step in (whole, floats, small):
    print(f"{step.dtype.name:7} {tuple(step.shape)}")
print(f"the same pixel, before and after: {whole[0, 0, 0]}, {255 * floats[0, 0, 0]:.0f} / 255")

# %% [markdown]
# The shape of an element is empty: it is a single string, a path. `read_file` gives bytes as they lie on the disk, `decode_jpeg` gives whole numbers from 0 to 255, and `convert_image_dtype` divides them by 255. The resize picks a pixel for each of 96x128 places (*nearest neighbour*). You return to that choice below.
#
# A mask is a GIF, and a GIF may be a film. Compare the two shapes: without `expand_animations=False` you get a film of one frame.

# %%
content = tf.io.read_file(masks[0])
film = tf.image.decode_image(content, dtype=tf.float32)
frame = tf.image.decode_image(content, dtype=tf.float32, expand_animations=False)
one_channel = tf.reduce_max(frame, axis=-1, keepdims=True)
print(f"{len(film.shape)} axes, {len(frame.shape)} axes, channels: {frame.shape[-1]}")
print(f"then: {one_channel.shape[-1]} channel, values {np.unique(one_channel)}")

# %% [markdown]
# TensorFlow applies the palette and repeats black and white over three channels. The maximum over the channels keeps one, with 0 for background and 1 for car. Put both ways into functions, so that they can become stages.


# %%
def article_image(path):
    """A JPEG as float32 (96, 128, 3) in [0, 1], the article's way."""
    pixels = tf.image.decode_jpeg(tf.io.read_file(path), channels=3)
    pixels = tf.image.convert_image_dtype(pixels, tf.float32)
    return tf.image.resize(pixels, (96, 128), method="nearest")


def article_mask(path):
    """A GIF as float32 (96, 128, 1) in {0, 1}, the article's way."""
    content = tf.io.read_file(path)
    pixels = tf.image.decode_image(content, dtype=tf.float32, expand_animations=False)
    pixels = tf.reduce_max(pixels, axis=-1, keepdims=True)
    return tf.image.resize(pixels, (96, 128), method="nearest")


# %% [markdown]
# Now the stages, on the first ten pairs. `map` applies a function to every element, `zip` walks through two streams at once, `batch` stacks elements, and `prefetch` prepares the next batch while you use this one. Follow the shapes, then look at the first batch, the edge of each mask in green.

# %%
photographs = tf.data.Dataset.from_tensor_slices(images[:10]).map(article_image)
truths = tf.data.Dataset.from_tensor_slices(masks[:10]).map(article_mask)
zipped = tf.data.Dataset.zip(photographs, truths)
batched = zipped.batch(4).prefetch(tf.data.AUTOTUNE)
for name, stage in {"map": photographs, "zip": zipped, "batch": batched}.items():
    print(f"{name:5} {[tuple(spec.shape) for spec in tf.nest.flatten(stage.element_spec)]}")


def show(images, masks, titles):
    """Images in a row, the edge of each mask drawn on it."""
    _, axes = plt.subplots(1, len(images), figsize=(5.8, 1.5), dpi=100, layout="constrained")
    for axis, image, mask, title in zip(axes, images, masks, titles, strict=True):
        axis.imshow(image)
        axis.contour(np.squeeze(mask), [0.5], colors=[TRUTH], linewidths=1)
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    plt.show()


some_images, some_masks = next(iter(batched))
show(some_images, some_masks, [f"pair {number}" for number in range(4)])

# %% [markdown]
# After `zip` an element is an (image, mask) tuple, the form that `model.fit` wants. `batch` adds an axis in front. Its length is `None`, unknown, and the next section tells you why. `prefetch` changes no shape; `AUTOTUNE` lets tf.data choose how many batches to keep ready.
#
# Four views of one car, each with its own mask: the pairs are right. They are also all of the same car, because the files are sorted by name and nothing has shuffled them yet.
#
# ## Where the stages go wrong
#
# ### The short last batch
#
# Ten pairs do not divide by four. Look at the sizes of the batches, with and without `drop_remainder`.

# %%
for drop in (False, True):
    sizes = [len(batch) for batch, _ in zipped.batch(4, drop_remainder=drop)]
    print(f"drop_remainder={drop}: {sizes}, {sum(sizes)} of {len(zipped)} images")

# %% [markdown]
# With `drop_remainder=True` every batch has one length, and each epoch leaves some images out. Without it you see all of them, and the last batch is short. Keep the short batch, always in validation; notebook 03 shows how to average over batches of different length.
#
# ### Shuffling
#
# For what follows, whole numbers are easier to watch than images. `shuffle` before `zip`, on each stream by itself, looks harmless. Count the pairs that still belong together.

# %%
numbers = tf.data.Dataset.range(8)
apart = tf.data.Dataset.zip(numbers.shuffle(8, seed=1), numbers.shuffle(8, seed=2))
together = tf.data.Dataset.zip(numbers, numbers).shuffle(8, seed=1)
for name, stream in {"shuffle, then zip": apart, "zip, then shuffle": together}.items():
    print(f"{name}: {sum(int(image) == int(mask) for image, mask in stream)} of 8 pairs match")

# %% [markdown]
# Two streams shuffled apart pair images with other images' masks, and nothing complains. Zip first: then there is one stream, and nothing to keep in step.
#
# A seed makes the order repeatable. Look at two passes (epochs) over one shuffled stream, and at a second stream with the same seed.


# %%
def passes(stream):  # the numbers of a stream, in the order in which they come, twice
    return [[int(number) for number in stream] for _ in range(2)]


for again in (True, True, False):
    print(again, *passes(numbers.shuffle(8, seed=1, reshuffle_each_iteration=again)))

# %% [markdown]
# Each line is a stream, passed over twice. Each pass has its own order, and the same seed repeats the same two orders in the second line. That is what you want for training. The third line keeps one order for all passes.
#
# `shuffle` does not see the whole stream. It holds a *buffer*, hands out a random element of it, and fills the gap with the next one. Your files are sorted by car. Compare a small buffer with one that holds everything: how many cars does the first batch of 32 have?

# %%
for size in (16, len(images)):
    (first, *_) = paths.shuffle(size, seed=1).batch(32).as_numpy_iterator()
    cars = {data.group_of(path.decode()) for path in first}
    print(f"a buffer of {size}: {len(cars)} cars in the first batch")

# %% [markdown]
# With a small buffer a batch holds few cars, all from the beginning of the list, and each training step learns about those few. So shuffle with a buffer as long as the list. Paths, or small `uint8` images, take little memory.
#
# ### The cache
#
# `cache` keeps the elements of the first pass. All that comes after it is done anew in each pass; all that comes before it is frozen. Look at the two passes of each line.

# %%
print("shuffle, cache: ", *passes(numbers.shuffle(8, seed=1).cache()))
print("cache, shuffle: ", *passes(numbers.cache().shuffle(8, seed=1)))

# %% [markdown]
# In the first line the order is random once, and then the same forever. The same happens to a random flip before a cache: each image is flipped in every epoch or in none. What is expensive and always equal (reading, decoding, resizing) belongs before the cache, what is random behind it.
#
# ### Prefetch
#
# Your GPU should not wait for the disk. `prefetch` runs what is before it in the background: while a training step is under way, the next elements are read. How many at most, is its *buffer*; `prefetch(0)` means none.
#
# A stop-watch would tell you more about the moment than about the stream. So write down what happens, in its order: `trace` notes each reading and each step at its end. Let a step be as slow as a reading: it ends no sooner than the next element has been read. Follow who waits for whom in the first two lines.


# %%
def trace(buffer=None, calls=None, count=4, after=None):
    """Readings and steps of one pass, in the order in which they end; `after`: {one: another}."""
    names = [f"{what} {number}" for what in ("read", "step") for number in range(count)]
    events, ended = [], {name: threading.Event() for name in names}

    def end(name):  # not before the other has ended, or, if that never comes, ten minutes later
        if name in (after or {}):
            ended[after[name]].wait(600)
        events.append(name)
        ended[name].set()

    def read(number):
        end(f"read {number}")
        return number

    options = tf.data.Options()
    options.threading.private_threadpool_size = 2  # two readers, on any machine
    stream = tf.data.Dataset.range(count).with_options(options)
    stream = stream.map(lambda n: tf.numpy_function(read, [n], tf.int64), num_parallel_calls=calls)
    for number in stream if buffer is None else stream.prefetch(buffer):
        end(f"step {number}")
    return events


slow = {f"step {number}": f"read {number + 1}" for number in range(3)}
print("prefetch(0):", ", ".join(trace(buffer=0)))
print("prefetch(1):", ", ".join(trace(buffer=1, after=slow)))
print("says nothing:", ", ".join(trace(count=2, after={"step 0": "read 1"})))

# %% [markdown]
# Without prefetch reading and training take turns: nobody reads while a step is under way, and a step that waited for the next reading would wait for ever. With `prefetch(1)` each step ends after the reading of the next element: both went on at the same time. Only the first reading and the last step have no company. If a reading takes 100 ms and a step as well, the first line takes 8 times 100 ms, the second 5 times.
#
# The last line may surprise you: today's tf.data adds a `prefetch` at the end by itself. You still write it, so that a reader sees it.
#
# Note what makes it possible: one side works while the other leaves the CPU alone, as a step on a GPU does (not measured here). If the step needs all your cores itself, prefetch can hide less: it moves work, and removes none.
#
# ## Nearest or area
#
# The article resizes photographs by *nearest neighbour*: each new pixel is one old pixel, and all others are thrown away. The other way is *area*: each new pixel is the mean of all old pixels that it covers. `resized` knows both; `read_resized`, which reads a file, is explained below.


# %%
def resized(pixels, image_size, resize="area", box=None):
    """uint8 (H, W) or (H, W, 3), resized to (height, width)."""
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


def read_resized(path, image_size, resize="area"):
    """A photograph at `image_size`, and the size that it has in the file."""
    by_area = image_size is not None and resize == "area"
    image = open_image(path, at_least=[3 * side for side in image_size] if by_area else None)
    width, height = image.info["size"]
    drafts = {n: (-(-width // n), -(-height // n)) for n in (8, 4, 2, 1)}
    scale = {size: n for n, size in drafts.items()}.get(image.size, 1)
    # The last pixel may be a part of one.
    box = None if scale == 1 else (0, 0, width / scale, height / scale)
    return resized(to_rgb(image), image_size, resize, box), (height, width)


# %% [markdown]
# By hand: a bright antenna (200) one pixel wide on a dark 4x4 image, once in column 0 and once in column 1. Going to 2x2, nearest reads columns 1 and 3. Area takes the mean of each 2x2 block, so half of 200 in both cases. Check that you get that.

# %%
for column in (0, 1):
    antenna = np.zeros((4, 4), "uint8")
    antenna[:, column] = 200
    nearest, area = (resized(antenna, (2, 2), way).tolist() for way in ("nearest", "area"))
    print(f"column {column}: nearest {nearest}, area {area}")

# %% [markdown]
# Nearest makes the antenna vanish, or makes it twice as thick, depending on a shift by one pixel. That is *aliasing*. Area has it at half brightness in both cases, and a network can learn from that.
#
# Now a real file. The next cell looks for the window where the two ways differ most, and enlarges it. Compare thin lines and letters with those of the file at the left.

# %%
pixels = read_image(images[0])
ways = {way: resized(pixels, (96, 128), way) for way in ("nearest", "area")}
difference = np.abs(ways["nearest"].astype(int) - ways["area"]).sum(axis=-1)
blocks = difference.reshape(4, 24, 4, 32).sum(axis=(1, 3))  # 16 windows of 24x32
row, column = np.unravel_index(blocks.argmax(), blocks.shape)
figure, axes = plt.subplots(1, 3, figsize=(5.8, 1.6), dpi=100, layout="constrained")
for axis, (way, whole) in zip(axes, {"the file": pixels, **ways}.items(), strict=True):
    height, width = whole.shape[0] // 4, whole.shape[1] // 4
    axis.imshow(whole[row * height :, column * width :][:height, :width], aspect="auto")
    axis.set_title(way, fontsize=9)
    axis.axis("off")
plt.show()

# %% [markdown]
# In the middle, lines break up and edges are jagged: what you see there depends on where the grid happened to fall. At the right the same window is a little soft, and nothing is missing. So photographs are resized by area here, and by nearest only where the article is repeated as written.
#
# And masks? Run area on a 4x4 mask and on the first file's mask. Look for values that are neither 0 nor 1.

# %%
hand = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], "float32")
print(tf.image.resize(hand[..., None], (2, 2), method="area")[..., 0].numpy().tolist())
mask = read_mask(masks[0])
soft = tf.image.resize(mask[..., None], (96, 128), method="area").numpy()
print(f"by area, values between: {((soft > 0.01) & (soft < 0.99)).sum()}")
print(f"by nearest, all values: {np.unique(resized(mask, (96, 128), 'nearest')).tolist()}")

# %% [markdown]
# A quarter of a car is no class. A threshold, an exact comparison or a count of pixels would do something different with such a value, each in its own way. Masks hold labels, so masks stay nearest.
#
# ### Small from the start
#
# A JPEG keeps each block of 8x8 pixels as waves, from coarse to fine. If you need a small image, the decoder can skip the fine ones: libjpeg then gives a half, a quarter or an eighth of the size, each pixel the mean of those it stands for. The second function above, `read_resized`, takes the smallest that is still three times as large as asked for, and resizes that by area. (The module's also takes shares of an image's own size, and turned files.)
#
# Carvana's photographs are 1918x1280. Enlarge the one from above to that, save it, and read it in three ways. Look at the mean difference of each from exact areas, which `tf.image.resize` computes from all the pixels.


# %%
file = Path(tempfile.mkdtemp()) / "large.jpg"
Image.fromarray(pixels).resize((1918, 1280), Image.Resampling.BICUBIC).save(file, quality=95)
exact = tf.image.resize(read_image(file), (96, 128), method="area")
ways = [resized(read_image(file), (96, 128), way) for way in ("nearest", "area")]
off = [np.abs(way - exact).mean() / 255 for way in (*ways, read_resized(file, (96, 128))[0])]
print("nearest {:.3f}, area {:.3f}, small from the start {:.3f} (of 0 to 1)".format(*off))

# %% [markdown]
# Small from the start is near to area, and nearest is not. It is also several times as fast: `benchmarks/input.py` measures that. The embedded images are 480x320, less than six times 96x128, so those are decoded whole.
#
# ## Reading in parallel
#
# While one file comes from the disk, another can be decoded. `num_parallel_calls` lets `map` work on several elements at once. Two elements will do: let the first be a large file, whose reading ends after the second one's. Look at the order of the readings, and at that of the steps.

# %%
print(", ".join(trace(buffer=0, calls=2, count=2, after={"read 0": "read 1"})))

# %% [markdown]
# The second was read while the first was being read, so two were under way at once: one after the other, the first could never have ended. The steps still get them in the order of the list. As many as you allow are read ahead of the step, too, so a parallel `map` does part of what `prefetch` does. With `AUTOTUNE` tf.data chooses the number, by your cores.
#
# Now our own stages. `decoded` reads with the two functions of notebook 01: they take every encoding, and an error names its file. They are Python, and `tf.numpy_function` calls Python from a stage; since TensorFlow cannot know the shape that comes back, `ensure_shape` says it. `read` is there for other masks than black and white ones (notebooks 08 and 09). `keep_freed_memory` tells the C library not to give the memory of each image back to the system only to ask for it again. (The module's `decoded` goes by the number of a pair instead of its paths, so that a cache in a file can be asked for any one of them.)

# %%
AUTOTUNE = tf.data.AUTOTUNE
fold_in = tf.random.experimental.stateless_fold_in  # a seed and a number: another seed


def decoded(pairs, image_size=(96, 128), resize="area", read=read_mask):
    """Pairs of files, read and resized in parallel, in order: uint8 (H, W, 3) and (H, W, 1)."""
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
    """Image to float32 in [0, 1], mask to float32 in {0, 1}."""
    return tf.cast(image, tf.float32) / 255.0, tf.cast(mask, tf.float32)


# %% [markdown]
# The elements stay `uint8`, a quarter of the size of floats, until they are batches. That counts for the cache. Read three pairs.

# %%
for image, mask in decoded(parts.train[:3]).batch(3):
    for step in (image, mask, *to_float(image, mask)):
        print(f"{step.dtype.name:7} {step.shape}, bytes a value: {step.dtype.size}")

# %% [markdown]
# ## One geometry for image and mask
#
# *Augmentation* changes training images at random, so that the network does not see the same image twice: here a horizontal flip, a turn by up to 3.6 degrees, and contrast. If the image turns, its mask must turn with it. So draw the numbers once, make one matrix of them, and send both through it. The same matrix can also magnify and shift; you will need that later.
#
# The matrix says, for each output pixel, where in the input to look: `x_in = a x + b y + c` and `y_in = d x + e y + f`. Flips and turns are about the centre. `_transform` then reads there, between pixels by a weighted mean (`BILINEAR`) or at the closest pixel (`NEAREST`); what lies outside is the image mirrored at its edge, or one value. `_quarters` is for images that have no upright, such as aerial ones (notebook 08): with some probability a quarter turn, a half or three quarters.


# %% tags=["lifted"]
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


def _quarters(number, probability):
    """Shares of a full turn: 0, or, with that probability, 1/4, 1/2 or 3/4; numbers in [-1, 1)."""
    share = (number + 1) / 2 / max(probability, 1e-9)  # in [0, 1) where it is turned
    return tf.where(number < 2 * probability - 1, tf.floor(3 * share) + 1, 0.0) / 4


# %% [markdown]
# By hand: the staircase from above, 4x4, wide at the left. A flip without a turn must read column `3 - x`, so the matrix begins with -1, 0, 3. Look for a staircase that is wide at the right.

# %%
one, zero = tf.constant([1.0]), tf.constant([0.0])
matrix = _about_centre(-one, one, angle=zero, scale=one, shift=(zero, zero), size=(4, 4))
print(f"a, b, c, d, e, f: {matrix[0, :6].numpy().astype(int).tolist()}")
print(_transform(hand[None, ..., None], matrix, "NEAREST")[0, ..., 0].numpy().astype(int))

# %% [markdown]
# It is mirrored. Colour changes apply only to the image. `_recolour` gets three numbers per image: the distance of each pixel from the mean is its contrast, light is added, and the distance from grey is the colour.


# %% tags=["lifted"]
def _recolour(images, contrast, light, saturation):
    """Scale the distance from the mean, add light, scale the distance from grey."""
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    images = mean + contrast * (images - mean) + light
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    return tf.clip_by_value(grey + saturation * (images - grey), 0.0, 1.0)


# %% [markdown]
# Now the whole: `augment` draws ten numbers an image. They follow from `seed` alone, because `stateless_uniform` keeps no state of its own. One matrix serves image and mask; the mask is read by nearest, so it stays 0 and 1. By default an image is flipped or not, turned a little, and changed in contrast.


# %% tags=["lifted"]
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
    """A batch, each image and its mask moved by one geometry, its colours changed."""
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


# %% [markdown]
# Two promises first: the same seed must give the same bits, and another seed others; the mask must stay hard. Then four copies of one pair, four draws. Look at the green edges: they must follow each car.

# %%
(image, mask), *_ = decoded(parts.train[4:5]).batch(1).map(to_float)
copies = tf.repeat(image, 4, axis=0), tf.repeat(mask, 4, axis=0)
first, again, other = (augment(*copies, seed=seed)[0] for seed in ((0, 7), (0, 7), (0, 8)))
print("same bits:", np.array_equal(first, again), "and another seed:", np.array_equal(first, other))
print("values of the masks:", np.unique(augment(*copies, seed=(0, 7))[1]))
show(*augment(*copies, seed=(0, 7)), [f"draw {number}" for number in range(4)])

# %% [markdown]
# Flipped or not, tilted a little, paler or stronger: the edge stays on the car.
#
# Do image and mask agree, in numbers? Use masks as images: then the image shows where the car is, and you can compare pixel by pixel. And what if the mask stays behind? That is what the article's first model does: it augments inside the model, where no mask passes.

# %%
(_, truths), *_ = decoded(parts.train[:64]).batch(64).map(to_float)
turned, turned_truths = augment(tf.repeat(truths, 3, axis=-1), truths, (1, 2), contrast=0.0)
for name, masks_used in {"with its mask": turned_truths, "mask left behind": truths}.items():
    agree = ((turned[..., :1].numpy() > 0.5) == (masks_used.numpy() > 0.5)).mean(axis=(1, 2, 3))
    bad = int((agree < 0.97).sum())
    print(f"{name}: {bad} of {len(agree)} images differ from their mask in over 3% of the pixels")

# %% [markdown]
# Together they agree. Left behind, a large part of the masks no longer fits; only small turns, and flips of a car seen from the front or from behind, go unpunished. Such pairs ask the network for an outline that is not in the image.
#
# ## The whole pipeline
#
# Two parts are missing. The first: a cache in memory is gone when the program ends; a cache in a file stays, and then it can be *stale*: you change the size, and get the old images back without a word. So `cache_file` puts a hash of all files and settings into the cache's name. Another setting means another name.
#
# The second: each epoch gets a new order and new augmentations, both fixed by two numbers: the seed and the number of the epoch. Then a training that was stopped after epoch 7 can go on with epoch 8 as if nothing had happened. So the order will come from a seed that you hand in, and `each_epoch` counts how often it was iterated. `untuned` switches off the thread that goes on tuning what AUTOTUNE chose: it sleeps longer each time, and now and then the end of an epoch waits for it to wake, up to as long as the epoch took.


# %% tags=["lifted"]
READER = 3  # part of a cache's name: raised when what is made of a file changes


def cache_file(folder, pairs, image_size, resize, read=read_mask):
    """The path of a cache for exactly these files and settings; its folder is made."""
    stats = [(str(path), os.stat(path)) for pair in pairs for path in pair]
    files = [(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats]
    name, classes = getattr(read, "__qualname__", "<none>"), str(getattr(read, "__self__", None))
    if "<" in name:  # two of them would share a cache
        raise ValueError(f"{read}: give a function of a module, or no folder for the cache")
    key = [files, image_size, resize, read.__module__, name, classes, READER, Image.__version__]
    path = Path(folder) / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def each_epoch(one_epoch, steps):
    """A dataset that is `one_epoch(number)`, `steps` long, with another number each iteration."""
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
    batches = tf.data.Dataset.range(1).flat_map(lambda _: one_epoch(epoch.assign_add(1) - 1))
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    batches = untuned(batches.prefetch(AUTOTUNE))
    batches.epoch = epoch
    return batches


# %% [markdown]
# Ask for three names. The first two ask for the same thing, the third for another size. Then count three epochs of a data set that holds its own number, and set it back to the first.

# %%
names = [cache_file("runs/cache", parts.train[:3], (h, 128), "area") for h in (96, 96, 64)]
print(f"same name: {names[0] == names[1]}; for another size: {names[0] == names[2]}")
counted = each_epoch(lambda number: tf.data.Dataset.from_tensors(number), steps=1)
print([int(number) for _ in range(3) for number in counted])
counted.epoch.assign(0)
print([int(number) for number in counted], "and the next is", counted.epoch.numpy())

# %% [markdown]
# Now `dataset`, from files to batches. Read the order of its stages against what you have seen: decoded `uint8`, cache, shuffle with a full buffer, batch, floats, augmentation, prefetch. Augmentation comes behind the cache: that is `augmented`, in which `fold_in` gives each batch its own seed.
#
# The module's `dataset` gives the same batches and adds care: `FileCache`, a file with a checksum behind each pair, so that what a killed run left half written is read anew; the choice between memory and file by what the images take (`cache="auto"`); an error for an empty list; and, in `made_of`, what the data follow from, by which a stopped training knows them again.


# %% tags=["lifted"]
def augmented(batches, augment, seed):
    """Batches of (image, mask), augmented as `augment` says, each by its own draw."""
    if augment is False:
        return batches
    draw = functools.partial(augment_batch, **({} if augment is True else augment))
    return batches.enumerate().map(lambda batch, pair: draw(*pair, fold_in(seed, batch)), AUTOTUNE)


# %%
def shuffled(elements, count, seed):
    """`elements`, as many as `count`, in an order that follows from `seed` alone, int64 `(2,)`."""
    tf.compat.v1.get_default_graph().seed = None  # else that of `set_random_seed` is mixed in
    return elements.shuffle(count, tf.random.stateless_uniform((), seed, 0, 2**31, tf.int64))


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
    """Batches of images and masks from pairs of files."""
    elements = decoded(pairs, image_size, resize, read)
    if cache is not None:
        name = "" if cache == "memory" else cache_file(cache, pairs, image_size, resize, read)
        elements = elements.cache(name)

    def one_epoch(number):
        draw = tf.stack([seed, number])
        ordered = shuffled(elements, len(pairs), draw) if shuffle else elements
        batches = ordered.batch(batch_size).map(to_float, num_parallel_calls=AUTOTUNE)
        return augmented(batches, augment, draw)

    return each_epoch(one_epoch, steps=math.ceil(len(pairs) / batch_size))


# %% [markdown]
# Run it on ten pairs, with everything on. Look for ten images, the short last batch, and whether the same seed repeats two whole epochs to the bit, though several threads read. The last line compares them with those of the module.


# %%
augment_batch = augment  # its name inside `dataset`, where `augment` switches


def epochs(seed, dataset=dataset):
    """Two epochs of ten pairs, each one array."""
    batches = dataset(parts.train[:10], (96, 128), 4, "area", True, True, "memory", seed)
    return [np.concatenate([image for image, _ in batches]) for _ in range(2)]


batches = dataset(parts.train[:10], batch_size=4)
print([(tuple(image.shape), tuple(mask.shape)) for image, mask in batches])
first, second = epochs(seed=1)
print("the second epoch is like the first:", np.array_equal(first, second))
print("the same seed repeats both:", np.array_equal([first, second], epochs(seed=1)))
modules = epochs(seed=1, dataset=pipeline.dataset)
print("so does the module:", np.array_equal([first, second], modules))

# %% [markdown]
# Nothing is dropped, each epoch is new, and the whole can be repeated.
#
# ## What each stage does for speed
#
# Reading is the expensive part, and reading can be counted. `noted` is `read_mask` with a list on which it writes what it has read; a mask is read as often as its photograph. Count three epochs over 64 pairs, shuffled and augmented, under each kind of cache. The last line makes the data set anew, as the next run of a program would.

# %%
reads, kept = [], tempfile.mkdtemp()


def noted(path):
    """A mask; its reading is noted."""
    reads.append(path)
    return read_mask(path)


caches = {"none": None, "memory": "memory", "file": kept, "the file again": kept}
for name, cache in caches.items():
    batches = dataset(parts.train[:64], shuffle=True, augment=True, cache=cache, read=noted)
    counts = []
    for _ in range(3):
        reads.clear()
        images_seen = sum(len(image) for image, _ in batches)
        counts.append(len(reads))
    print(f"cache: {name}; masks read in three epochs of {images_seen} images: {counts}")

# %% [markdown]
# The cache is the one large gain, because it removes work: a file is read and decoded once, or, with a cache in a file, once for all your runs. Order and augmentation are new in each epoch all the same, since they come behind it.
#
# How much time is that? Now measure, in images a second, one pass over 128 pairs: the article's stages as written; the same with a parallel `map`; our `dataset`; its cache in the first pass and in a later one; a later pass with shuffling and augmentation on top. Longer bars are better; the scale is logarithmic. Each bar is the best of three rounds, the one that other programs disturbed least.


# %% tags=["nbval-ignore-output"]
def article(calls=None):
    """The article's stages on 128 pairs; `calls`: files read at once."""
    photographs = tf.data.Dataset.from_tensor_slices(images[:128]).map(article_image, calls)
    truths = tf.data.Dataset.from_tensor_slices(masks[:128]).map(article_mask, calls)
    return tf.data.Dataset.zip(photographs, truths).batch(32).prefetch(AUTOTUNE)


def measured(pairs):
    """One round: images a second, by line."""
    cached = dataset(pairs, cache="memory")
    changing = dataset(pairs, cache="memory", shuffle=True, augment=True)
    lines = {"article, as written": article(), "article, parallel map": article(AUTOTUNE)}
    lines |= {"ours": dataset(pairs), "ours, cache: first pass": cached}
    lines |= {"ours, cache: later pass": cached, "ours, later, augmented": changing}
    rates = {}
    for line, batches in {"fills the cache": changing, **lines}.items():
        start = time.perf_counter()
        count = sum(len(image) for image, _ in batches)
        rates[line] = count / (time.perf_counter() - start)
    return {line: rates[line] for line in lines}


rounds = [measured(parts.train[:128]) for _ in range(3)]
_, axis = plt.subplots(figsize=(5.8, 2.2), dpi=100, layout="constrained")
best = [max(each[line] for each in rounds) for line in rounds[0]]
bars = axis.barh([*rounds[0]], best, color="0.6", log=True)
axis.bar_label(bars, fmt="%.0f", fontsize=8, padding=2)
axis.set(xlabel="images a second, logarithmic", xlim=(10, 3 * max(best)), ylim=(5.6, -0.6))
plt.show()

# %% [markdown]
# Your bars differ from these, and from day to day: read them as an example. What holds everywhere stands in the counts and in the traces.
#
# - A pass from the cache has nothing left to do but to stack images. Augmentation takes its own time, and takes it in every pass.
# - A parallel `map` gains at most the number of cores.
# - Our reading does more than the article's (area, checked masks, errors with a name). Carvana's files have 16 times the pixels of the default rendered ones, so there is as much more to save by not reading twice.
# - `prefetch` hides reading behind a step that leaves the CPU alone. Behind a parallel `map`, which runs ahead by itself, it can add little. Without a step there is nothing to hide behind.
#
# ## Images without masks
#
# At the end you predict on images that nobody has labelled; Carvana's are in `test_hq`. `unlabelled` lists them, with the two functions of notebook 01. Batches of them are made as in `decoded`: the same reading and resizing, without mask, shuffling or augmentation.

# %% tags=["lifted"]
from unet_tf.data import files_by_stem, unzipped

UNLABELLED = ("test_hq", "test")


def unlabelled(folder):
    """The images of `folder` that have no masks (`test_hq` or `test`), sorted by name."""
    folder = Path(folder)
    for name in UNLABELLED:
        if (folder / name).is_dir() or (folder / f"{name}.zip").is_file():
            return list(files_by_stem(unzipped(folder, name), defaultdict(list)).values())
    return []


# %%
unseen = unlabelled(folder)[:40]
for paths in (unseen[:32], unseen[32:]):
    batch = np.float32([read_resized(path, (96, 128))[0] for path in paths]) / 255
    print(f"{batch.dtype.name} {batch.shape}")

# %% [markdown]
# Each element is a batch of images, no tuple: that is what `model.predict` wants. The order is that of the list, so the first prediction belongs to the first name.
#
# ## What we saw
#
# - You turned paths into batches with `map`, `zip`, `batch` and `prefetch`, and saw what goes wrong: dropped images, pairs torn apart by shuffling before `zip`, batches of few cars, and randomness frozen by a cache.
# - Nearest made thin things vanish, area kept them; masks stayed nearest. Image and mask went through one matrix, and the same seed gave the same bits.
# - You followed a trace: with `prefetch` the next element is read while a step is under way, and a parallel `map` reads two at once and keeps their order. You counted: with a cache the second epoch reads no file.
#
# ## Exercises
#
# 1. Make `antennas = 255 * np.eye(480, dtype="uint8")`: row `i` is an antenna in column `i`. Resize it to 480x128 by nearest. In how many rows is any antenna left? And by area? *128 of 480, and all 480.*
# 2. Shuffle after `batch` instead of before: `tf.data.Dataset.range(64).batch(32).shuffle(2)`. In 20 epochs, how many different sets of numbers does the first batch hold? How many if you shuffle first, with a buffer of 64? *2, and 20.*
# 3. Put a `.cache()` behind `dataset(parts.train[:16], augment=True)` and compare two epochs. How many of the 16 images differ? How many without your cache? *0, and 16.*
#
# The answers are in [solutions.ipynb](solutions.ipynb). Next: [03 · Dice](03_dice.ipynb), which measures how well two masks agree.
