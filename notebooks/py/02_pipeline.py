# %% [markdown]
# # 02 · A tf.data pipeline
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/02_pipeline.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/02_pipeline.ipynb)
#
# **You will**
#
# - turn a list of files into batches of images and masks, stage by stage, and see where each stage goes wrong;
# - resize photographs so that thin things do not vanish by chance, and augment image and mask with one
#   geometry;
# - see on a timeline what prefetch does for speed, and count the readings that a cache saves.
#
# **You need**
#
# - data: none to prepare. The notebook renders cars, or takes the photographs of [notebook 01](01_data.ipynb);
# - time: about a minute on 2 cores with rendered data, some minutes with Carvana's large files; on a GPU: not measured, and of no use here.
#
# *The article* is "Image Segmentation: An In-Depth Guide" (Ed Izaguirre, 2023).

# %% [markdown]
# ## Setup
#
# As in every notebook: the module first, then imports, seed and data. `read_image` and `read_mask` are those of notebook 01.

# %% tags=["hide-input"]
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
import hashlib
import json
import math
import os
import tempfile
import threading
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from PIL import Image

from unet_tf import data, pipeline
from unet_tf.data import keep_freed_memory, read_image, read_mask
from unet_tf.pipeline import untuned
from unet_tf.plot import TRUTH

# %%
keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# ## From paths to batches
#
# Training needs batches of numbers; you have files. Reading all of them first would take 37 GB of memory for Carvana's training photographs alone (5,088 x 1918 x 1280 x 3 bytes). TensorFlow's answer is a `tf.data.Dataset`: a recipe for a stream of elements, to which you add one stage after another. Nothing is read until you iterate, and then only what is needed next.
#
# You build the article's stages first, one at a time. The stream begins with paths. The cell then does for one file what the stream will do for all: read it, decode it, turn the numbers into floats, make it small. Type and range change on the way.

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
# A mask is a GIF, and a GIF may be a film. Without `expand_animations=False` you get a film of one frame, with one axis more.

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
# Now the stages, on the first ten pairs. `map` applies a function to every element, `zip` walks through two
# streams at once, `batch` stacks elements, and `prefetch` prepares the next batch while you use this one. The
# first cell prints the shapes, the second draws the first batch, the edge of each mask in green and black.

# %%
photographs = tf.data.Dataset.from_tensor_slices(images[:10]).map(article_image)
truths = tf.data.Dataset.from_tensor_slices(masks[:10]).map(article_mask)
zipped = tf.data.Dataset.zip(photographs, truths)
batched = zipped.batch(4).prefetch(tf.data.AUTOTUNE)
for name, stage in {"map": photographs, "zip": zipped, "batch": batched}.items():
    print(f"{name:5} {[tuple(spec.shape) for spec in tf.nest.flatten(stage.element_spec)]}")


# %%
def show(images, masks, titles):
    """Images in a row, the edge of each mask drawn on it."""
    _, axes = plt.subplots(1, len(images), figsize=(7.2, 1.7), dpi=90, layout="constrained")
    for axis, image, mask, title in zip(axes, images, masks, titles, strict=True):
        axis.imshow(image)
        axis.contour(np.squeeze(mask), [0.5], colors="k", linewidths=3)
        axis.contour(np.squeeze(mask), [0.5], colors=[TRUTH], linewidths=1.5)
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
# Ten pairs do not divide by four. Here are the sizes of the batches, with and without `drop_remainder`.

# %%
for drop in (False, True):
    sizes = [len(batch) for batch, _ in zipped.batch(4, drop_remainder=drop)]
    print(f"drop_remainder={drop}: {sizes}, {sum(sizes)} of {len(zipped)} images")

# %% [markdown]
# With `drop_remainder=True` all batches are equally long (without it the last may be shorter: that is why their
# length was `None` above), and each *epoch*, one pass over the data, leaves some images out. Without it you see
# all of them, and the last batch is short. Keep the short batch, above all in validation. Notebook 03 shows how
# to average over batches of different length.
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
# Two streams shuffled apart pair images with other images' masks, and no error is raised. So zip first: then there is one stream to shuffle.
#
# A seed makes the order repeatable. The next cell passes twice (two epochs) over a shuffled stream, then over a second stream with the same seed.


# %%
def passes(stream):  # the numbers of a stream, in the order in which they come, twice
    return [[int(number) for number in stream] for _ in range(2)]


for again in (True, True, False):
    print(again, *passes(numbers.shuffle(8, seed=1, reshuffle_each_iteration=again)))

# %% [markdown]
# Each line is a stream, passed over twice. In the first line each pass has its own order, and the same seed
# repeats the same two orders in the second. That is what you want for training. The third line, with
# `reshuffle_each_iteration=False`, keeps one order for all passes.
#
# `shuffle` does not see the whole stream. It holds a *buffer*, hands out a random element of it, and fills the gap with the next one. Your files are sorted by car. Compare a small buffer with one that holds everything: how many cars does the first batch of 32 have?

# %%
for size in (16, len(images)):
    (first, *_) = paths.shuffle(size, seed=1).batch(32).as_numpy_iterator()
    cars = {data.group_of(path.decode()) for path in first}
    print(f"a buffer of {size}: {len(cars)} cars in the first batch")

# %% [markdown]
# With a small buffer the first batch holds few cars, all from the beginning of the list, and later ones hold
# neighbours from further down. Each training step learns about those few. So shuffle with a buffer as long as
# the list. Paths, or small `uint8` images, take little memory.
#
# ### The cache
#
# `cache` keeps the elements of the first pass. Stages after it run anew in each pass; what stages before it made is frozen. Compare the two passes of each line.

# %%
print("shuffle, cache: ", *passes(numbers.shuffle(8, seed=1).cache()))
print("cache, shuffle: ", *passes(numbers.cache().shuffle(8, seed=1)))

# %% [markdown]
# In the first line the order is random once, and then the same forever. The same happens to a random flip before a cache: each image is flipped in every epoch or in none. Put the expensive stages that always give the same result (reading, decoding, resizing) before the cache, and the random ones after it.
#
# ### Prefetch
#
# Your GPU should not wait for the disk. `prefetch` runs the stages before it in the background: while a training step is under way, the next elements are read. Its *buffer* says how many at most; `prefetch(0)` means none.
#
# Each of six readings and six steps takes 50 ms here, in which the CPU is free, as it is while a file comes
# from a disk or a GPU computes. `timeline` notes when each began and ended; its `tf.numpy_function` lets a
# stage call Python, which *Reading in parallel* explains.


# %%
def timeline(buffer):
    """(what, start, stop) of six readings and six steps, in seconds from the first reading."""
    spans = []

    def work(what, number):
        start = time.perf_counter()
        time.sleep(0.05)
        spans.append((what, start, time.perf_counter()))
        return number

    def read(number):
        return tf.numpy_function(lambda number: work("read", number), [number], tf.int64)

    for number in tf.data.Dataset.range(6).map(read).prefetch(buffer):
        work("step", number)
    return [(what, start - spans[0][1], stop - spans[0][1]) for what, start, stop in spans]


lines = {buffer: timeline(buffer) for buffer in (0, 1)}
look = {"read": {"color": "0.8", "hatch": "//"}, "step": {"color": TRUTH}}

# %% tags=["nbval-ignore-output"]
_, axes = plt.subplots(2, 1, figsize=(7.2, 3.4), dpi=90, sharex=True, layout="constrained")
for axis, (buffer, spans) in zip(axes, lines.items(), strict=True):
    for what, start, stop in spans:
        axis.barh(what, stop - start, left=start, edgecolor="k", **look[what])
    axis.set(title=f"prefetch({buffer}): {spans[-1][2]:.2f} seconds", xlabel="seconds", xlim=0)
plt.show()

# %%
for buffer, spans in lines.items():
    steps = [span for span in spans if span[0] == "step"]
    reads = [span for span in spans if span[0] == "read"]
    beside = sum(any(a < end and start < b for _, a, b in steps) for _, start, end in reads)
    count = beside if beside < 3 else "3 or more"
    print(f"prefetch({buffer}): {count} of 6 readings ran beside a step")

# %% [markdown]
# In the upper picture reading and step take turns: twelve times 50 ms. In the lower one each reading but the first runs beside a step: seven times 50 ms.
#
# Prefetch moves work and removes none. It gains where one side leaves the CPU free while the other works. If the step itself needs all your cores, as a training on the CPU does, prefetch hides little.
#
# ## Nearest or area
#
# The article resizes photographs by *nearest neighbour*: each new pixel is one old pixel, and the others are thrown away. The other way is *area*: each new pixel is the mean of all old pixels whose centres it covers. `resized` does both; `read_resized`, which reads a file, is explained below.


# %%
def resized(pixels, image_size, resize="area"):
    """uint8 (H, W) or (H, W, 3), resized to (height, width) by "area" or "nearest"."""
    height, width = image_size
    if resize == "area":
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))
    rows, columns = (  # float32, as in tf.image.resize: the article's pixels to the bit
        ((np.arange(new, dtype="float32") + 0.5) * np.float32(old / new)).astype(int)
        for new, old in zip(image_size, pixels.shape, strict=False)
    )
    return pixels[rows[:, None], columns]


def read_resized(path, image_size):
    """A photograph at `image_size`, and the size that it has in the file."""
    image = Image.open(path)
    size = image.height, image.width
    image.draft("RGB", [3 * side for side in image_size[::-1]])  # Pillow: (width, height)
    return resized(np.asarray(image.convert("RGB")), image_size), size


# %% [markdown]
# By hand: a bright antenna (200) one pixel wide on a dark 4x4 image, once in column 0 and once in column 1. Going to 2x2, nearest reads columns 1 and 3. Area takes the mean of each 2x2 block, half of 200 in both cases.

# %%
for column in (0, 1):
    antenna = np.zeros((4, 4), "uint8")
    antenna[:, column] = 200
    nearest, area = (resized(antenna, (2, 2), way).tolist() for way in ("nearest", "area"))
    print(f"column {column}: nearest {nearest}, area {area}")

# %% [markdown]
# Nearest makes the antenna vanish, or makes it twice as thick, depending on a shift by one pixel. That is *aliasing*. Area has it at half brightness in both cases: a small shift no longer decides whether it is there.
#
# Now a real file. The next cell finds the window where the two ways differ most, and enlarges it. Compare the thin lines with those of the file on the left.

# %%
pixels = read_image(images[0])
ways = {way: resized(pixels, (96, 128), way) for way in ("nearest", "area")}
difference = np.abs(ways["nearest"].astype(int) - ways["area"]).sum(axis=-1)
blocks = difference.reshape(4, 24, 4, 32).sum(axis=(1, 3))  # 16 windows of 24x32
row, column = np.unravel_index(blocks.argmax(), blocks.shape)
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.0), dpi=90, layout="constrained")
for axis, (way, whole) in zip(axes, {"the file": pixels, **ways}.items(), strict=True):
    height, width = whole.shape[0] // 4, whole.shape[1] // 4
    axis.imshow(whole[row * height :, column * width :][:height, :width], aspect="auto")
    axis.set_title(way, fontsize=9)
    axis.axis("off")
plt.show()

# %% [markdown]
# In the middle, lines break up and edges are jagged: what you see there depends on where the grid happened to
# fall. On the right the same window is soft. Lines closer together than the new pixels run into one grey, as
# the lower bars of the grille do. The slanted line above the lamp stays in pieces, but they are paler, and no
# line is drawn thicker and blacker than it is. Does that raise the score? On rendered cars notebook 10 finds no
# difference beyond the noise: nearest minus area is +0.0004 of dice (95% interval over five trainings: -0.0048
# to +0.0056). Because of what you see in the picture, and not for a better score, this project resizes
# photographs by area, and by nearest only where it repeats the article as written.
#
# And masks? Run area on a 4x4 mask and on the first file's mask, and look for values that are neither 0 nor 1.

# %%
hand = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], "float32")
print(tf.image.resize(hand[..., None], (2, 2), method="area")[..., 0].numpy().tolist())
mask = read_mask(masks[0])
soft = tf.image.resize(mask[..., None], (96, 128), method="area").numpy()
print(f"by area, values between: {((soft > 0.01) & (soft < 0.99)).sum()}")
print(f"by nearest, all values: {np.unique(resized(mask, (96, 128), 'nearest')).tolist()}")

# %% [markdown]
# A mask holds labels, and the code that follows expects 0 and 1: a threshold, an exact comparison and a count of pixels would each treat 0.25 differently. So resize masks by nearest. (0.25 does mean something, the share of the pixel that is car: notebook 03 shows what nearest loses with it.)
#
# ### Small from the start
#
# A JPEG keeps each block of 8x8 pixels as waves, from coarse to fine. If you need a small image, the decoder
# can skip the fine ones: libjpeg then gives a half, a quarter or an eighth of the size, each pixel about the
# mean of those it stands for. The second function above, `read_resized`, asks for that with Pillow's `draft`:
# for the smallest that is still three times as large as needed. Then it resizes by area. (The module's version
# also turns photographs upright, names a file that it cannot decode, and, where a side does not divide by 2, 4
# or 8, weighs the last small pixel by the part of it that the photograph fills.)
#
# Carvana's photographs are 1918x1280. Enlarge the one from above to that, save it, and read it in three ways. The cell prints the mean difference of each from exact areas, which `tf.image.resize` computes from all the pixels.


# %%
file = Path(tempfile.mkdtemp()) / "large.jpg"
Image.fromarray(pixels).resize((1918, 1280), Image.Resampling.BICUBIC).save(file, quality=95)
exact = tf.image.resize(read_image(file), (96, 128), method="area")
ways = [resized(read_image(file), (96, 128), way) for way in ("nearest", "area")]
off = [np.abs(way - exact).mean() / 255 for way in (*ways, read_resized(file, (96, 128))[0])]
print("nearest {:.3f}, area {:.3f}, small from the start {:.3f} (of 0 to 1)".format(*off))

# %% [markdown]
# On this file small from the start is less than half as far from the exact area as nearest. (The file was enlarged,
# so it holds no fine detail; a photograph does, and gives other numbers. Area itself is a little off: Pillow counts
# whole pixels, and rounds to whole numbers.) Small from the start also has fewer pixels to compute; the section *What
# each stage does for speed* times whole readings. The rendered images are 480x320, too small for it at 96x128, so
# they are decoded whole.
#
# ## Reading in parallel
#
# While one file comes from the disk, another can be decoded. `num_parallel_calls` lets `map` work on several elements at once. Take two numbers in place of files. 0 stands for a large file: its reading waits until that of 1 has ended. Compare the order of the readings with that of the steps.

# %%
ended, second = [], threading.Event()


def read(number):
    if number == 0:
        second.wait(60)
    ended.append(int(number))
    second.set()
    return number


options = tf.data.Options()
options.threading.private_threadpool_size = 2  # two readers, on any machine
stream = tf.data.Dataset.range(2).with_options(options)
stream = stream.map(lambda number: tf.numpy_function(read, [number], tf.int64), 2)
print(f"steps get {[int(number) for number in stream]}, readings ended {ended}")

# %% [markdown]
# The second reading (1) ended while the first (0) was still under way, so both ran at once. The steps still get them in the order of the list. With `AUTOTUNE` tf.data chooses how many run at once.
#
# Now our own stages. `decoded` reads photographs with `read_resized`, and masks with notebook 01's `read_mask`,
# which takes black and white in its many encodings, and names a file that is wrong. Both are Python. But `map`
# calls its function only once, without a file, to note the TensorFlow operations in it: the *graph*. For each
# element it then runs the graph, and not your Python.
#
# Pillow is no TensorFlow operation, so `tf.numpy_function` puts one into the graph that calls Python each time.
# TensorFlow cannot know the shape that comes back, so `ensure_shape` states it. `stateful=False` promises that
# the same paths give the same images. Other masks than black and white need another `read` (notebooks 08 and
# 09). On Linux `keep_freed_memory` makes the C library keep the memory of each image for the next one;
# elsewhere it does nothing. (The module's version also finds a pair by its number, for a cache in a file.)
#
# The elements stay `uint8`, a quarter of the size of floats, until they are batches. That saves memory in the cache.

# %%
AUTOTUNE = tf.data.AUTOTUNE


def decoded(pairs, image_size=(96, 128), read=read_mask):
    """Pairs of files, read and resized in parallel, in order: uint8 (H, W, 3) and (H, W, 1)."""
    keep_freed_memory()

    def load(image_path, mask_path):
        image, _ = read_resized(image_path.decode(), image_size)
        mask = resized(read(mask_path.decode()), image_size, "nearest")
        return image, mask[..., None]

    def load_in_graph(*paths):
        image, mask = tf.numpy_function(load, paths, [tf.uint8, tf.uint8], stateful=False)
        return tf.ensure_shape(image, (*image_size, 3)), tf.ensure_shape(mask, (*image_size, 1))

    images, masks = zip(*[(str(image), str(mask)) for image, mask in pairs], strict=True)
    files = tf.data.Dataset.from_tensor_slices((list(images), list(masks)))
    return files.map(load_in_graph, num_parallel_calls=AUTOTUNE)


# %%
def to_float(image, mask):
    """Image to float32 in [0, 1], mask to float32 in {0, 1}."""
    return tf.cast(image, tf.float32) / 255.0, tf.cast(mask, tf.float32)


# %% [markdown]
# ## One geometry for image and mask
#
# *Augmentation* changes training images at random, so that the network does not see the same image twice: here a horizontal flip, a turn by up to 3.6 degrees, and contrast. If the image turns, its mask must turn with it.
#
# Keras has layers for this. Give one a dictionary with `images` and `segmentation_masks`, and it moves both alike. Take each mask as its own image, so that you can count: after a turn, how many pixels of image and mask differ? Then flip twice, as in two epochs, and once more with a layer made anew, as after a restart.

# %%
(_, truths), *_ = decoded(parts.train[:64]).batch(64).map(to_float)
flip = layers.RandomFlip("horizontal", seed=1)
turn = layers.RandomRotation(0.01, fill_mode="reflect", seed=2)
moved = turn({"images": truths, "segmentation_masks": truths}, training=True)
image_moved, mask_moved = (np.array(moved[name]) for name in ("images", "segmentation_masks"))
print(f"pixels that differ: {((image_moved > 0.5) != mask_moved).mean():.2%}")
print("values of the masks:", np.unique(mask_moved))

first, second = (np.array(flip(truths, training=True)) for _ in range(2))
restarted = np.array(layers.RandomFlip("horizontal", seed=1)(truths, training=True))
print("a second epoch repeats the first:", np.array_equal(first, second))
print("after a restart it does:", np.array_equal(first, restarted))

# %% [markdown]
# Image and mask agree but for a few pixels on the edge. The mask is read by nearest, so it stays 0 and 1. That
# holds from Keras 3.14 on: 3.13, which Colab and Kaggle may still have, mixes 0 and 1 into values between, and
# you must round them. With Keras 3.14, or rounded, the two layers serve a training that you never stop.
#
# The last line shows what they lack. A layer draws its numbers one after another and remembers where it is.
# Made anew, as in a restarted program, it begins at the first draw: a training that was stopped would get the
# flips and turns of the first epochs again. And where several threads augment at once, chance decides which
# image gets which draw. So draw by hand: an image's numbers should follow from the seed, the epoch and its
# place, and from nothing else.
#
# With those numbers you make one matrix for image and mask. It says, for each output pixel, where in the input
# to look: `x_in = a x + b y + c` and `y_in = d x + e y + f`. (TensorFlow takes eight numbers: the last two,
# zero here, would tilt the picture in depth.) Flips and turns are about the centre. `transformed` then reads
# there: a weighted mean of the pixels around (`BILINEAR`), or the closest pixel (`NEAREST`). Beyond the edge it
# sees the image mirrored.
#
# Below the two functions stands a case by hand: the 4x4 mask from above, a staircase that is wide on the left.
# A flip without a turn must read column `3 - x`, so the matrix begins with -1, 0, 3, and the staircase becomes
# wide on the right.


# %%
def about_centre(mirror, angle, size):
    """`(B, 8)` matrices, output pixel -> input: mirrored where -1, turned about the centre."""
    height, width = tf.unstack(tf.cast(size, tf.float32))
    x, y = (width - 1) / 2, (height - 1) / 2  # the centre, in pixel indices
    a, b, d, e = mirror * tf.cos(angle), -mirror * tf.sin(angle), tf.sin(angle), tf.cos(angle)
    zero = tf.zeros_like(angle)
    rows = [a, b, x - a * x - b * y, d, e, y - d * x - e * y, zero, zero]
    return tf.stack(rows, axis=1)


def transformed(pixels, matrices, interpolation):
    """`(B, H, W, C)`, each image read where its matrix says."""
    size, edge = tf.shape(pixels)[1:3], {"fill_value": 0.0, "fill_mode": "REFLECT"}
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels, transforms=matrices, output_shape=size, interpolation=interpolation, **edge
    )
    return tf.ensure_shape(result, pixels.shape)


# %%
matrix = about_centre(tf.constant([-1.0]), tf.constant([0.0]), size=(4, 4))
print(f"a, b, c, d, e, f: {matrix[0, :6].numpy().astype(int).tolist()}")
print(transformed(hand[None, ..., None], matrix, "NEAREST")[0, ..., 0].numpy().astype(int))

# %% [markdown]
# The staircase is mirrored. Colour changes apply only to the image. `recoloured` scales the distance of each
# value from the mean of its channel, by one number per image: that is contrast.


# %%
def recoloured(images, contrast):
    """Float32 images, paler or stronger, still in [0, 1]."""
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    return tf.clip_by_value(mean + contrast * (images - mean), 0.0, 1.0)


# %% [markdown]
# Now put them together: `augment` draws ten numbers per image and uses three. They follow from `seed` alone, because `stateless_uniform` keeps no state. About half of the images are flipped; all are turned a little, and changed in contrast. (The module's version uses all ten: it can also flip upside down, magnify, shift, turn by quarters, and change light and saturation. Later notebooks need that.)


# %%
def augment(images, masks, seed):  # a batch, image and mask moved by one geometry
    numbers = tf.random.stateless_uniform((10, tf.shape(images)[0]), seed, -1.0, 1.0)
    mirror, angle = tf.where(numbers[0] < 0, -1.0, 1.0), 2 * math.pi * (0.01 * numbers[2])
    matrices, contrast = about_centre(mirror, angle, tf.shape(images)[1:3]), 1 + 0.2 * numbers[7]
    images = recoloured(transformed(images, matrices, "BILINEAR"), contrast[:, None, None, None])
    return images, transformed(masks, matrices, "NEAREST")


# %% [markdown]
# Check three things: the same seed gives the same bits, and another seed gives others; the mask stays 0 and 1; in four draws of one pair, the green edges follow the car.

# %%
(image, mask), *_ = decoded(parts.train[4:5]).batch(1).map(to_float)
copies = tf.repeat(image, 4, axis=0), tf.repeat(mask, 4, axis=0)
first, again, other = (augment(*copies, seed=seed)[0] for seed in ((0, 7), (0, 7), (0, 8)))
print("same bits:", np.array_equal(first, again), "and another seed:", np.array_equal(first, other))
print("values of the masks:", np.unique(augment(*copies, seed=(0, 7))[1]))
show(*augment(*copies, seed=(0, 7)), [f"draw {number}" for number in range(4)])

# %% [markdown]
# Flipped or not, tilted a little, paler or stronger: the edge stays on the car. (The small green ring above the
# roof is what nearest has left of an antenna in the mask.)
#
# How well do image and mask agree, in numbers? Use masks as images: then you can compare pixel by pixel. What if the mask stays behind? The article's first model does that: it augments inside the model, and the mask does not go through the model.

# %%
turned, turned_truths = augment(tf.repeat(truths, 3, axis=-1), truths, (1, 2))
for name, masks_used in {"with its mask": turned_truths, "mask left behind": truths}.items():
    agree = ((turned[..., :1].numpy() > 0.5) == (masks_used.numpy() > 0.5)).mean(axis=(1, 2, 3))
    bad = int((agree < 0.97).sum())
    print(f"{name}: {bad} of {len(agree)} images differ from their mask in over 3% of the pixels")

# %% [markdown]
# Moved together they agree. Where the mask stays behind, a large part of the pairs no longer fits. It is the
# flips that do it. A turn by up to 3.6 degrees moves few pixels, and so does the flip of a car seen from the
# front or from behind. All other flipped pairs ask the network for an outline that is not in the image.
#
# ## The whole pipeline
#
# Two parts are missing. The first is a cache that outlives the program. A cache in a file does, but it can be
# *stale*: you change the way of resizing, or a photograph, and still get the old images, without an error.
# (Another size does raise one.) So `cache_file` makes a *hash* of each file's path and time of change, and of
# the settings: a short string that is the same for the same input and, in practice, another for any other. It
# is the name of the cache. (The module's version also hashes the size of each file, the function that reads the
# masks, and Pillow's version.)
#
# The second is a repeatable order. Each epoch gets a new order and new augmentation, both fixed by the seed and
# the epoch number. So a training that was stopped after epoch 7 gets the same batches in epoch 8 as one that
# was not. (Its weights have to be kept, too: notebook 06.)
#
# You may take the next two functions as given; the check below shows what they do. `each_epoch` counts the
# epochs: a stream of one element, `range(1)`, is replaced by a whole epoch (`flat_map`). That happens anew in
# each pass, and each time the number goes up by one. `assert_cardinality` states the number of steps, which
# TensorFlow cannot see through `flat_map`. `untuned` switches off the thread that tunes. In a `map` AUTOTUNE
# then stands for the number of cores, 16 at most. The end of an epoch would sometimes wait for that thread.


# %%
fold_in = tf.random.experimental.stateless_fold_in  # a seed and a number: another seed


def cache_file(folder, pairs, *settings):
    """The path of a cache for exactly these files and settings."""
    files = [(str(path), os.stat(path).st_mtime_ns) for pair in pairs for path in pair]
    key = json.dumps([files, settings])
    return str(Path(folder) / hashlib.sha256(key.encode()).hexdigest()[:16])


def each_epoch(one_epoch, steps):
    """A dataset that is `one_epoch(number)`, `steps` long, with another number each iteration."""
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
    batches = tf.data.Dataset.range(1).flat_map(lambda _: one_epoch(epoch.assign_add(1) - 1))
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    batches = untuned(batches.prefetch(AUTOTUNE))
    batches.epoch = epoch
    return batches


# %% [markdown]
# Ask for three names: the same twice, then another size. Then run three epochs of a data set that holds its own
# number, and set it back to the first epoch, number 0.

# %%
names = [cache_file("runs/cache", parts.train[:3], (h, 128), "area") for h in (96, 96, 64)]
print(f"same name: {names[0] == names[1]}; for another size: {names[0] == names[2]}")
counted = each_epoch(lambda number: tf.data.Dataset.from_tensors(number), steps=1)
print([int(number) for _ in range(3) for number in counted])
counted.epoch.assign(0)
print([int(number) for number in counted], "and the next is", counted.epoch.numpy())

# %% [markdown]
# Now `dataset`, from files to batches. Its stages stand in the order that you found: decoded `uint8`, cache,
# shuffle with a full buffer, batch, floats, augmentation, prefetch. A full buffer has a price: it hands out
# nothing before it is full, so the first step waits until every file is read. (Without a cache in memory the
# module's version shuffles numbers, and reads each file when its turn comes.) `shuffled` draws the seed of an
# epoch's order from seed and epoch alone; its first line keeps TensorFlow's global seed out. `fold_in` gives
# each batch its own seed. The size is in the cache's name; the way of resizing and `read` are not, so take
# another folder when you change one of them.
#
# The module's version gives the same batches, up to rounding: it has more steps for colours, which change nothing here. It also takes an image size, checks what a killed run left half written in a cache, and chooses between memory and file by the size of the images (`cache="auto"`).


# %%
augment_batch = augment  # its name inside `dataset`, where `augment` is a switch


def shuffled(elements, count, seed):
    """`elements`, as many as `count`, in an order that follows from `seed` alone, int64 `(2,)`."""
    tf.compat.v1.get_default_graph().seed = None  # else that of `set_random_seed` is mixed in
    return elements.shuffle(count, tf.random.stateless_uniform((), seed, 0, 2**31, tf.int64))


# %%
def dataset(pairs, batch_size=32, shuffle=False, augment=False, cache=None, seed=0, read=read_mask):
    """Batches of images and masks from pairs of files."""
    size = (96, 128)
    elements = decoded(pairs, size, read)
    if cache is not None:
        file = "" if cache == "memory" else cache_file(cache, pairs, size)
        elements = elements.cache(file)

    def one_epoch(epoch):
        draw = tf.stack([seed, epoch])
        batches = shuffled(elements, len(pairs), draw) if shuffle else elements
        batches = batches.batch(batch_size).map(to_float, AUTOTUNE).enumerate()
        return batches.map(
            lambda n, pair: augment_batch(*pair, fold_in(draw, n)) if augment else pair, AUTOTUNE
        )

    return each_epoch(one_epoch, steps=math.ceil(len(pairs) / batch_size))


# %% [markdown]
# Run it on ten pairs. The cell takes them plain first, and prints the shapes, from which you can count ten
# images and a short last batch. Then it switches everything on, and checks that the same seed repeats two whole
# epochs to the bit, though several threads read. The last line compares these epochs with the module's.


# %%
def epochs(seed, dataset=dataset):
    """Two epochs of ten pairs, each one array."""
    settings = {"shuffle": True, "augment": True, "cache": "memory", "seed": seed}
    batches = dataset(parts.train[:10], batch_size=4, **settings)
    return [np.concatenate([image for image, _ in batches]) for _ in range(2)]


batches = dataset(parts.train[:10], batch_size=4)
print([(tuple(image.shape), tuple(mask.shape)) for image, mask in batches])
first, second = epochs(seed=1)
same = (first == second).all(axis=(1, 2, 3)).sum()
print(f"images that the second epoch repeats in their place: {same} of {len(first)}")
print("the same seed repeats both:", np.array_equal([first, second], epochs(seed=1)))
off = np.abs(np.subtract([first, second], epochs(seed=1, dataset=pipeline.dataset))).max()
print(f"largest difference from the module's images: {off:.5f}")

# %% [markdown]
# Nothing is dropped, each epoch is new, and the whole can be repeated.
#
# ## What each stage does for speed
#
# Reading is the expensive part, and readings can be counted. First enlarge 32 pairs to Carvana's 1918x1280
# pixels. `noted` is `read_mask` with a list on which it writes what it has read; a mask is read as often as its
# photograph. Count three epochs, shuffled and augmented, under each kind of cache. (A warning "did not fully
# read the dataset being cached" means that a pass stopped before its end: the cache starts again at the next
# pass, and nothing is lost.) The last line makes the data set anew, as the next run of a program would.

# %%
large, reads, kept = [], [], tempfile.mkdtemp()
for pair in parts.train[:32]:
    large.append(tuple(Path(kept) / path.name for path in pair))
    for path, target in zip(pair, large[-1], strict=True):
        Image.open(path).resize((1918, 1280), Image.Resampling.NEAREST).save(target)


def noted(path):
    """A mask; its reading is noted."""
    reads.append(path)
    return read_mask(path)


# %%
caches = {"none": None, "memory": "memory", "file": kept, "the file again": kept}
for name, cache in caches.items():
    batches = dataset(large, shuffle=True, augment=True, cache=cache, read=noted)
    counts = []
    for _ in range(3):
        reads.clear()
        images_seen = sum(len(image) for image, _ in batches)
        counts.append(len(reads))
    print(f"cache: {name}; masks read in three epochs of {images_seen} images: {counts}")

# %% [markdown]
# The cache removes work: a file is read and decoded once, or, with a cache in a file, once for all your runs. Order
# and augmentation are new in each epoch all the same, since they come behind it.
#
# How much time is that? Measure images per second, over the 32 large pairs: the article's stages as written; our `dataset`; then a later pass from its cache, plain and augmented. Each number is the better of two rounds; from the cache it is the second, since the first fills it.


# %%
def article():
    """The article's stages."""
    images, masks = ([str(pair[side]) for pair in large] for side in (0, 1))
    photographs = tf.data.Dataset.from_tensor_slices(images).map(article_image)
    truths = tf.data.Dataset.from_tensor_slices(masks).map(article_mask)
    return tf.data.Dataset.zip(photographs, truths).batch(32).prefetch(AUTOTUNE)


def rate(batches):
    """Images per second in one pass, to its last batch."""
    start, count = time.perf_counter(), 0
    for image, _ in batches:
        count, last = count + len(image), time.perf_counter()
    return count / (last - start)


# %% tags=["nbval-ignore-output"]
ways = {"article, as written": article(), "ours": dataset(large)}
ways["ours, from the cache"] = dataset(large, cache="memory")
ways["ours, from the cache, augmented"] = dataset(large, 32, augment=True, cache="memory")
rates = {way: max(rate(batches), rate(batches)) for way, batches in ways.items()}
_, axis = plt.subplots(figsize=(7.2, 2.1), dpi=80, layout="constrained")
axis.bar_label(axis.barh([*rates], [*rates.values()], color="0.6", log=True), fmt="%.0f", padding=3)
axis.set(xlim=(1, 4 * max(rates.values())), ylim=(3.6, -0.6))
axis.set_xlabel("images per second; from each power of ten to the next, ten times as many")
axis.set_title("One pass over 32 pairs of 1918x1280: longer bars are faster", fontsize=10)
plt.show()

# %% tags=["hide-cell"]
again = rates["ours, from the cache"] / rates["article, as written"]
print(f"a pass from the cache is over 5 times as fast as the article's reading: {again > 5}")

# %% [markdown]
# The numbers beside the bars are those of one machine, at one moment; yours will differ.
#
# - The article's stages and ours both read several files at once: TensorFlow makes a `map` parallel by itself
#   where its function keeps no state. Ours decodes each photograph small from the start, and leaves the masks
#   to Pillow. The article's decodes all pixels and turns them into floats before it resizes. The bars do not
#   tell which of these gains how much.
# - A pass from the cache reads no file: it stacks images and turns them into floats. Here it is a single batch, so
#   what a pass costs to begin may weigh much. Augmentation costs time in every pass.
# - Work that keeps the cores busy, such as decoding, cannot gain much more than a factor of their number by a
#   parallel `map`.
# - `prefetch` has nothing to hide behind here, since no step follows. The timeline above shows what it does beside one.
#
# ## Images without masks
#
# At the end you predict on images that nobody has labelled; Carvana's are in `test_hq`. The module's `unlabelled` lists them, sorted by name. Make batches of them as in `decoded`: the same reading and resizing, without mask, shuffling or augmentation.

# %%
unseen = data.pairs.unlabelled(folder)[:40]
for paths in (unseen[:32], unseen[32:]):
    batch = np.float32([read_resized(path, (96, 128))[0] for path in paths]) / 255
    print(f"{batch.dtype.name} {batch.shape}")

# %% [markdown]
# Each is a batch of images, without masks, as `model.predict` expects. The order is that of the list, so the first prediction belongs to the first name.
#
# ## What we saw
#
# - You turned paths into batches with `map`, `zip`, `batch` and `prefetch`, and saw what goes wrong: dropped images, pairs torn apart by shuffling before `zip`, batches of few cars, and random choices frozen by a cache.
# - Nearest made thin things vanish, area kept them; masks stayed nearest. Image and mask went through one matrix, and the same seed gave the same bits.
# - On a timeline you saw that with `prefetch` the next element is read while a step is under way. A parallel `map` read two at once and kept their order. You counted: with a cache the second epoch reads no file.
#
# ## Exercises
#
# Three experiments: guess, change one thing, run, and explain what you see. [exercises/02](exercises/02.ipynb) has the code with gaps, [solutions.ipynb](solutions.ipynb) has the answers.
#
# 1. Draw an antenna in each of 480 rows, each in another column: `255 * np.eye(480, dtype="uint8")`. Resize to
#    128 columns, by nearest and by area, and count the rows in which any antenna is left. Then make the
#    antennas 2, 3 and 4 pixels wide; what leaves a row at the right comes in at its left (`np.roll(...,
#    axis=1)`). From which width on does nearest lose none, and how could you have known?
# 2. The files are sorted by car, 16 views each. Shuffle 640 of them with a buffer of 1, of 16, of 160 and of all, in batches of 16: how many cars does a batch hold, on average? Then leave the files sorted, make batches of 16 of them, and shuffle these whole *batches* with a full buffer. What would each training step see?
# 3. Put the cache in the wrong place: behind the augmentation instead of before it. Look at the same image in two epochs, and count how many of 16 images differ between them. What has training lost, and does an error message tell you?
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [03 · Dice](03_dice.ipynb), which measures how well two masks agree.
