# %% [markdown]
# # 00 · Start: the whole journey in one sitting
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/00_start.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/00_start.ipynb)
#
# **You will**
#
# - see what segmentation is, beside classification and detection;
# - build a U-Net in plain Keras, feed it with `tf.data`, and watch its masks appear epoch by epoch;
# - score it on cars that it has never seen, beside a prediction that looks at no image.
#
# **You need** no data and no account. Where Carvana's photographs are not at hand, a car studio is rendered,
# once: that takes up to a minute, in which nothing is printed. Then one to four minutes on 2 CPU cores; on a
# GPU: not measured. Red lines about CUDA are harmless. Some mean that TensorFlow found no GPU; others come
# where it has one, too: `tf.config.list_physical_devices("GPU")` tells you.
#
# You should know Python with functions and loops, and NumPy arrays with their shapes. Take the layers of the
# network as given here: 04 and 05 open them. Each step links the chapter that explains it. Words that you do
# not know stand in the [glossary](glossary.md).

# %% [markdown]
# ## Setup

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
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops

from unet_tf import data, pets, plot
from unet_tf.rendered import is_rendered

keras.utils.set_random_seed(42)

# %% [markdown]
# ## The data
#
# A folder of photographs, and one of masks. A mask is a picture of the same size: white where the car is, black
# elsewhere. Names tell which mask belongs to which image ([chapter 01](01_data.ipynb)).

# %%
DATA = "cars"  # "pets": photographs of cats and dogs, a download of 0.8 GB, no account
folder = data.find() if DATA == "cars" else pets.like_carvana()
pairs = data.pair(folder)[:320]
kind = "rendered" if is_rendered(folder) else "photographed"
print(f"{len(pairs)} pairs of {kind} {DATA}, such as")
print(pairs[0].image.name, "and", pairs[0].mask.name)

# %% [markdown]
# What a mask holds, every 32nd row and 24th column of it: 0 where there is no car, 1 where there is.

# %%
image, mask = data.read_image(pairs[0].image), data.read_mask(pairs[0].mask)
print("image", image.shape, "mask", mask.shape, "values", np.unique(mask))
print(mask[::32, ::24])

# %% [markdown]
# ## What segmentation is
#
# Put two cars side by side. You can ask four questions about the same picture.

# %%
small = (160, 240)
images = [data.read_resized(pairs[n].image, small)[0] for n in (0, 36)]
masks = [data.resized(data.read_mask(pairs[n].mask), small, "nearest") for n in (0, 36)]
scene = np.concatenate(images, axis=1).mean(axis=-1)  # in grey
first = np.concatenate([masks[0], 0 * masks[1]], axis=1)
second = np.concatenate([0 * masks[0], masks[1]], axis=1)


# %%
def corners(mask):
    """The left, top, width and height of a mask's box."""
    (top, left), (bottom, right) = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0)
    return (left, top), right - left, bottom - top


# %%
figure, axes = plt.subplots(2, 2, figsize=(7.4, 3.1), dpi=100, layout="constrained")
titles = [f"Classification: {DATA}?  Yes", "Detection: a box for each"]
titles += ["Semantic segmentation: their pixels", "Instance segmentation: each one's pixels"]
for axis, title in zip(axes.flat, titles, strict=True):
    axis.imshow(scene // 16 * 16, cmap="gray", interpolation="nearest")
    axis.set_title(title, fontsize=11)
    axis.axis("off")
white = {"levels": [0.5, 1], "colors": ["white"], "alpha": 0.7}
for mask, hatch in ((first, "//"), (second, "..")):
    axes[0, 1].add_patch(plt.Rectangle(*corners(mask), fill=False, lw=2))
    for axis, lines in ((axes[1, 0], "//"), (axes[1, 1], hatch)):
        axis.contourf(mask, hatches=[lines], **white)
        axis.contour(mask, [0.5], colors="k", linewidths=1.5)
plt.show()

# %% [markdown]
# *Semantic* segmentation hatches both cars alike, *instance* segmentation tells one from the other. This course is about
# the third question. A network answers it with one number per pixel: the probability that the pixel belongs to a car.
#
# ## Cars for training, cars for the score
#
# Each car is shown from 16 sides. If some sides of a car train the network and others test it, the test may be
# too kind: the network has seen that very car. So you split by car (the code says *group*: what must stay on
# one side): a fifth of them is put away for the score, a fifth watches the training. [Chapter
# 01](01_data.ipynb) shows how, [10](10_results.ipynb) measures what it changes.

# %%
cars = sorted({data.group_of(pair.image) for pair in pairs})  # a photograph of a pet is a group
part_of = {
    car: ("test", "validation", "train", "train", "train")[n % 5] for n, car in enumerate(cars)
}
parts = {"train": [], "validation": [], "test": []}
for pair in pairs:
    parts[part_of[data.group_of(pair.image)]].append(pair)

# %%
print({part: len(own) for part, own in parts.items()}, "images in", len(cars), "groups")

# %% [markdown]
# ## From files to batches: `tf.data`
#
# A file becomes an array in [0, 1], 96 pixels high and 128 wide. `decode_gif` gives a row of pictures in three
# colours, of 0 and 255: `[0, ..., :1]` takes the first picture and its first colour. The image is resized by
# `area`, which takes the mean of the pixels that fall into one. The mask is resized by `nearest`, which copies
# pixels and mixes none, and `> 127` makes them 0 and 1.


# %%
def read(image_path, mask_path):
    """An image and its mask as float32, 96x128."""
    image = tf.io.decode_jpeg(tf.io.read_file(image_path))
    mask = tf.io.decode_gif(tf.io.read_file(mask_path))[0, ..., :1]
    image = tf.image.resize(image, (96, 128), "area") / 255
    mask = tf.image.resize(mask, (96, 128), "nearest")
    return image, tf.cast(mask > 127, tf.float32)


# %% [markdown]
# `from_tensor_slices` lists the pairs of paths, `map` reads each, `cache` keeps what was read, so that each
# file is decoded once, `shuffle` gives each epoch another order, `batch` packs 16 pairs together, and
# `prefetch` prepares the next batch while the network works on this one ([chapter 02](02_pipeline.ipynb)).


# %%
def dataset(pairs, training=False):
    """Batches of 16 images and masks."""
    images, masks = zip(*[(str(pair.image), str(pair.mask)) for pair in pairs], strict=True)
    batches = tf.data.Dataset.from_tensor_slices((list(images), list(masks)))
    batches = batches.map(read, num_parallel_calls=tf.data.AUTOTUNE).cache()
    if training:
        batches = batches.shuffle(len(pairs), seed=42)
    return batches.batch(16).prefetch(tf.data.AUTOTUNE)


train, validation = dataset(parts["train"], training=True), dataset(parts["validation"])

# %%
for images, masks in train.take(1):
    print("images", images.shape, "masks", masks.shape)
shares = [tf.reduce_mean(masks) for _, masks in train]
print(f"share of training pixels that are to be found: {np.mean(shares):.1%}")

# %% [markdown]
# ## A U-Net
#
# On the way down the image shrinks, and each place learns about more of its surroundings. On the way up it
# grows back, so that every pixel gets its answer. At each size the *skip connection* hands the fine detail
# across ([chapter 05](05_unet.ipynb)).
#
# In Keras `layers.Conv2D(...)` makes a layer; called on `x`, it gives what the layer makes of it. `keras.Input`
# holds the place of an image, without numbers, and `keras.Model(inputs, outputs)` keeps all that lies between
# the two.


# %%
def block(x, filters):
    """Two 3x3 convolutions."""
    for _ in range(2):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal"
        )(x)
    return x


# %%
def unet(widths=(16, 32, 64, 128)):
    """A probability for each pixel of an image of 96x128."""
    inputs = x = keras.Input((96, 128, 3))
    skips = []
    for width in widths[:-1]:
        x = block(x, width)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = block(x, widths[-1])
    for width, skip in zip(widths[-2::-1], skips[::-1], strict=True):
        x = layers.Conv2DTranspose(width, 2, strides=2)(x)
        x = block(layers.Concatenate()([skip, x]), width)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


# %%
model = unet()
plot.network(model, f"Your U-Net: {model.count_params():,} numbers to learn")
plt.show()

# %% [markdown]
# Read it from left to right. The first bar is the image. Each other one is what a convolution puts out (a layer
# of the network; the [glossary](glossary.md) has the words, chapter 04 explains them): the larger its image,
# the higher the bar; above it stands its number of channels. In a bar of two colours `Concatenate` has put two
# things side by side: the hatched part came over a skip, the plain part from below. Pooling is an arrow and has
# no bar.
#
# ## How well two areas agree: dice
#
# Dice is twice the overlap of two areas, divided by both areas together. Two areas of 4 pixels that share 2 have a dice
# of 2 x 2 / (4 + 4) = 0.5 ([chapter 03](03_dice.ipynb)).


# %%
def dice(truth, prediction):
    """1 for areas that cover each other, 0 for areas that do not meet; one number per image."""
    overlap = ops.sum(truth * prediction, axis=(1, 2, 3))
    return 2 * overlap / (ops.sum(truth + prediction, axis=(1, 2, 3)) + 1e-7)


# %%
left, middle = np.zeros((2, 1, 2, 4, 1), "float32")
left[:, :, :2], middle[:, :, 1:3] = 1, 1
print(left[0, ..., 0], middle[0, ..., 0], f"dice {float(dice(left, middle)[0]):.2f}", sep="\n")

# %% [markdown]
# Training makes one number small, the *loss*. With probabilities in place of 0 and 1, 1 - dice can be it.
# *Cross-entropy* is added, which is small where probabilities are near the truth ([chapter 03](03_dice.ipynb)),
# because dice alone can get stuck ([chapter 04](04_simple_model.ipynb) lets you watch that). `compile` sets the
# optimizer, which takes the training's steps, the loss and what is measured; it trains nothing yet.


# %%
def loss(truth, probability):
    """Cross-entropy, and what is missing to a dice of 1."""
    wrong = keras.losses.binary_crossentropy(truth, probability)
    return ops.mean(wrong, axis=(1, 2)) + 1 - dice(truth, probability)


model.compile(keras.optimizers.Adam(1e-3), loss, metrics=[dice])

# %% [markdown]
# ## Train, and watch
#
# An *epoch* is one pass over all training images, a batch of them at each step. A *callback* is called between
# epochs: this one keeps the network's answer for one validation image.

# %%
watched, truth = next(iter(dataset(parts["validation"][20:21])))
answers = [model.predict(watched, verbose=0)[0]]


# %%
class Watch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        answers.append(self.model.predict(watched, verbose=0)[0])


# %% tags=["nbval-ignore-output"]
options = {"epochs": 8, "callbacks": [Watch()], "shuffle": False, "verbose": 2}  # tf.data shuffles
history = model.fit(train, validation_data=validation, **options)

# %%
figure, axes = plt.subplots(2, 5, figsize=(7.4, 2.6), dpi=100, layout="constrained")
epochs = (1, 2, 3, 4, 5, 6, 8)
titles = ["the image", "untrained", *[f"epoch {n}" for n in epochs], "the true mask"]
shown = [np.clip(watched[0], 0, 1), answers[0], *[answers[n] for n in epochs], truth[0]]
for axis, picture, title in zip(axes.flat, shown, titles, strict=True):
    shades = np.round(16 * picture) / 16  # fewer keep this file small
    axis.imshow(shades, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
plt.show()

# %% [markdown]
# White is "surely car", black "surely not", grey is doubt. The first epoch finds where the car is, with much
# doubt left; those after it work on the outline. (Dots above a roof in the true mask are what `nearest` has
# left of an antenna: chapter 02.)

# %%
plot.curves(history.history, ["loss", "dice"], f"{kind} {DATA}: training and validation")
plt.show()

# %% [markdown]
# Training's numbers are means over an epoch in which the network still improves; validation's are taken at its end. So
# validation can be ahead, above all in the first epochs.
#
# ## From probabilities to a mask
#
# Resize the probabilities to the photograph's own size, then cut at 0.5 ([chapter 07](07_prediction.ipynb)).


# %%
def masks_of(pairs):
    """Predicted masks, each as large as its photograph."""
    for probability, pair in zip(model.predict(dataset(pairs), verbose=0), pairs, strict=True):
        yield tf.image.resize(probability, data.size_of(pair.image)).numpy()[..., 0] >= 0.5


# %%
found = list(masks_of(parts["test"]))
true = [data.read_mask(pair.mask) == 1 for pair in parts["test"]]
print(len(found), "masks of", found[0].shape)

# %% [markdown]
# ## An honest score
#
# The dice of each test image at its own size, averaged. Beside it stands a prediction that looks at no image:
# the mean training mask, cut at 0.5, the same for every car. A network has to score above that, else nothing
# shows that it uses its images. (The folded cell checks these numbers, with room for another machine's
# decimals. Most chapters have such cells: the notebooks' test runs them.)


# %%
def score(truth, mask):
    """The dice of two masks, True and False."""
    return 2 * np.sum(truth & mask) / (np.sum(truth) + np.sum(mask))


# %%
average = np.mean([mask for _, mask in dataset(parts["train"]).unbatch()], axis=0)
averages = [tf.image.resize(average, one.shape).numpy()[..., 0] >= 0.5 for one in true]
scores = [score(*two) for two in zip(true, found, strict=True)]
constant = [score(*two) for two in zip(true, averages, strict=True)]

# %% tags=["nbval-ignore-output"]
print(f"{kind} {DATA}, dice of {len(scores)} test images: {np.mean(scores):.3f}")
print(f"the same of a prediction that looks at no image: {np.mean(constant):.3f}")
soft = model.evaluate(dataset(parts["test"]), verbose=0, return_dict=True)["dice"]
print(f"as during training, of the same images' probabilities: {soft:.3f}")

# %% tags=["hide-cell"]
print("dice above 0.85:", np.mean(scores) > 0.85)
gain = np.mean(scores) - np.mean(constant)
print("more than 0.05 above the prediction that looks at no image:", gain > 0.05)
print("above the same images' dice of probabilities:", np.mean(scores) > soft)

# %% [markdown]
# The score is higher than the dice that you saw while training. Those were of other images, but the third line
# takes that dice of the test images, and it is lower, too. There each doubtful pixel along the outline cost a
# part of itself; after the cut at 0.5 a pixel on the right side counts whole. One on the wrong side costs a
# whole pixel. Where most are on the right side, the dice rises. (The size differs, too: 96x128 there, the
# photograph's own here. These two numbers cannot tell how much each of the two does.)

# %%
order = np.argsort(scores)
chosen = [order[0], order[-1]]
photographs = [data.read_resized(parts["test"][i].image, (160, 240))[0] for i in chosen]
masks = [[data.resized(m[i], (160, 240), "nearest") for i in chosen] for m in (true, found)]
plot.triplets(photographs, *masks, [f"dice {scores[i]:.2f}" for i in chosen])
plt.show()

# %% [markdown]
# Above the worst image, below the best. Green was found, dark red was missed, pale blue is too much. Even in
# the best a thin line along the outline is wrong. One reason may be that a pixel of the network stands for
# several of the photograph; chapter 03 measures what that alone costs. In the worst a part of the object itself
# is missing.
#
# ## What we saw
#
# - Segmentation gives every pixel an answer, where classification gives the image one and detection a box.
# - A U-Net in twenty lines of Keras, fed by fifteen lines of `tf.data`, learned masks by cross-entropy and dice, and
#   its answers sharpened, with a step back in between.
# - On cars that it had never seen, at the images' own size, it scored well above a prediction that looks at no
#   image.
#
# ## Exercises
#
# Three experiments: guess, run, then explain what you see. [exercises/00](exercises/00.ipynb) has the code with gaps,
# for a smaller network that trains in seconds; [solutions](solutions.ipynb) has the answers.
#
# 1. Leave out the skips, and train with and without. Which scores higher, and what happens to the outline?
# 2. Train on one car alone, the first 16 training images, for 40 epochs, and judge by other cars. The 16 are
#    one batch, so an epoch is a single step. How far apart are the dice of training and validation at the end?
# 3. Split by image instead of by car: shuffle `pairs` and cut. How many validation cars are in training, too?
#    What does a score by image tell you of a new car? (Chapter 10 asks, with five seeds, whether such a score
#    is higher.)
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Where to go from here: [01 · The data](01_data.ipynb) and on, chapter by chapter, or straight to
# [11 · Your own images](11_your_own.ipynb).
