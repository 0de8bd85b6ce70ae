# %% [markdown]
# # 04 · The simple model
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/04_simple_model.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/04_simple_model.ipynb)
#
# **You will**
#
# - build a network of nothing but convolutions, strided and transposed ones, and train it to find cars;
# - score its masks at the images' own size, and ask why their edges are poor;
# - train with a loss that does not collapse, and watch one that does.
#
# **You need** no data and no account: where Carvana is not at hand, a car studio is rendered. About a
# minute on 2 CPU cores; on a GPU: not measured.
#
# The model is the first of "Image Segmentation: An In-Depth Guide" (Ed Izaguirre, 2023; from here on *the
# article*). Its layers are those of the segmentation example in François Chollet's *Deep Learning with Python*
# (second edition, 2021, chapter 9). The article reports a dice of 0.8788 on Carvana. That dice is soft, pooled
# and taken at 96x128 (notebook 03), so do not compare it with the number that you print below.

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
from PIL import Image

from unet_tf import data, network, pipeline, plot, scores
from unet_tf.network import bce_dice_loss, gpus, hard_dice, pooled_dice_loss
from unet_tf.rendered import is_rendered
from unet_tf.training import cpu_flags, fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find()
kind = "rendered" if is_rendered(folder) else "photographed"

# %% [markdown]
# The article trains for 10 epochs, about 20 minutes on a GPU, a P100. On two CPU cores you train a quarter of
# its filters on a third of its images. With a GPU, a T4 or better, set `FULL` to `True`. (It asks for 1000
# images; the rendered studio has 640, and then it takes all of them.) The *learning rate* says how far each
# training step goes; the *filters* are explained below.

# %%
FULL = False  # True: the article's size, for a GPU
FILTERS, IMAGES, EPOCHS, BATCH = (
    ((64, 128, 256), 1000, 10, 32) if FULL else ((16, 32, 64), 320, 6, 16)
)
LEARNING_RATE = 3e-4 if FULL else 1e-3  # few steps need longer ones
print(f"{FILTERS} filters, {IMAGES} images, {EPOCHS} epochs, batches of {BATCH}")

# %% [markdown]
# Some hardware multiplies 16-bit numbers faster than 32-bit ones. `set_precision` looks at yours and chooses; a
# section below shows how.

# %% tags=["nbval-ignore-output"]
policy = set_precision()

# %% [markdown]
# ## Down and up again
#
# A pixel of a door looks like a pixel of a wall. To tell them apart, a network has to see what lies around
# them. Making the image smaller brings distant things close together, so that a small window can compare them.
# Then the network enlarges the result again, to answer for every pixel.
#
# A *convolution* lays a small grid of weights, its *kernel*, on each place of the image, multiplies each weight
# by the number below it, and adds up. At last it adds a number of its own, the *bias*, which is zero at the
# start. It uses the same weights and the same bias everywhere; training learns both. A kernel reaches through
# all *channels* that come in, such as red, green and blue. A layer has many kernels, its *filters*, and each
# makes one channel that goes out.
#
# Work both steps by hand on a 4x4 array first. A convolution with *stride 2* moves two pixels at a time, so 4x4
# values become 2x2. With a kernel of ones, each result is a sum of 3x3 neighbours. The first is 45 = 0 + 1 + 2
# + 4 + 5 + 6 + 8 + 9 + 10.

# %%
small = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
down = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones", dtype="float32")
print(small[0, ..., 0])
print(down(small).numpy()[0, ..., 0])

# %% [markdown]
# A *transposed* convolution goes the other way. It lays its kernel down once for each input value, times that value, two
# pixels apart, and adds up where kernels overlap. With 3x3 ones they overlap in every second row and column: the 10 in the
# middle is 1 + 2 + 3 + 4.

# %%
tiny = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
up = layers.Conv2DTranspose(
    1, 3, strides=2, padding="same", kernel_initializer="ones", dtype="float32"
)
print(up(tiny).numpy()[0, ..., 0])

# %% [markdown]
# The same on the grid, beside a plain 3x3 convolution. The upper row goes in, the lower row comes out. Solid squares
# belong to one step of the kernel, dashed ones to the next. Where a square sticks out of a grid, zeros go in, or what comes
# out is cut off.

# %%
plain = layers.Conv2D(1, 3, padding="same", kernel_initializer="ones", dtype="float32")
grids = [small, plain(small), small, down(small), tiny, up(tiny)]
squares = [[(0, 0, 3), (1, 0, 3)], [(1, 1, 1), (2, 1, 1)], [(0, 0, 3), (2, 0, 3)]]
squares += [[(0, 0, 1), (1, 0, 1)], [(0, 0, 1), (1, 0, 1)], [(0, 0, 3), (2, 0, 3)]]
figure, axes = plt.subplots(2, 3, figsize=(7.4, 4.8), dpi=72, layout="constrained")
for axis, grid, steps in zip(axes.T.flat, grids, squares, strict=True):
    numbers = np.asarray(grid)[0, ..., 0]
    axis.pcolormesh(0 * numbers, cmap="gray_r", edgecolors="0.8", linewidth=0.5)
    for (row, column), number in np.ndenumerate(numbers):
        axis.text(column + 0.5, row + 0.5, f"{number:.0f}", ha="center", va="center")
    for (left, top, side), style, colour in zip(steps, ("-", "--"), ("k", plot.EXTRA), strict=True):
        place = (left, top), side, side
        axis.add_patch(plt.Rectangle(*place, fill=False, ls=style, lw=3, color=colour))
    axis.set(xlim=(-0.1, 5.1), ylim=(5.1, -0.1), aspect="equal")
    axis.axis("off")
for axis, title in zip(axes[0], ("3x3", "3x3, stride 2", "transposed, stride 2"), strict=True):
    axis.set_title(title)
plt.show()

# %% [markdown]
# Stride 1 keeps the size; stride 2 skips every other place; transposed, each number going in is spread over 3x3
# places. Where these overlap, two or four of them add up, beside places that get one alone. That causes the
# checkerboard patterns of transposed convolutions (Odena, Dumoulin, Olah, 2016,
# https://distill.pub/2016/deconv-checkerboard). A kernel can learn to even them out, and often does so in part
# only: look for dots in the pictures of the training below.
#
# ## The network
#
# Each level has two 3x3 convolutions, the first with stride 2. The way up mirrors it with transposed
# convolutions. Without a stride such a layer keeps the size: it is a plain convolution with its kernel turned
# round. `relu` sets negative values to zero, at the start about half of all values, and `he_normal` starts the
# weights large enough to make up for that. Where its input is negative, `relu` passes no gradient back. The
# last convolution, the *head*, gives one logit per pixel, and the sigmoid makes it a probability; both stay in
# `float32` under any precision.


# %%
def simple_fcn(input_shape=(96, 128, 3), filters=(64, 128, 256)):
    """The article's simple model: strided convolutions down, transposed ones up, no skips."""
    same = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    inputs = x = keras.Input(input_shape, name="image")
    for width in filters:
        x = layers.Conv2D(width, 3, strides=2, **same)(x)
        x = layers.Conv2D(width, 3, **same)(x)
    for width in reversed(filters):
        x = layers.Conv2DTranspose(width, 3, **same)(x)
        x = layers.Conv2DTranspose(width, 3, strides=2, **same)(x)
    logits = layers.Conv2D(1, 3, padding="same", dtype="float32", name="head")(x)
    outputs = layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
    return keras.Model(inputs, outputs, name="simple_fcn")


# %% [markdown]
# With its default filters this is the article's network: 2,879,489 parameters. In your size, follow the shapes
# in the picture, whose first bar is the image. Height and width halve three times, to 12x16, while the channels
# grow; then they come back.

# %%
model = simple_fcn(filters=FILTERS)
print(f"{simple_fcn().count_params():,} parameters in the article's size")
print(f"{model.count_params():,} in yours")
plot.network(model, "The simple model: an hourglass")
plt.show()

# %% [markdown]
# ## The data
#
# Notebooks 01 and 02 built this: pairs by name, a split by car, batches that are shuffled and augmented for training
# only. The test cars stay locked away until the model is done.

# %%
pairs = data.pair(folder)[:IMAGES]
parts = data.split(pairs, by="group", validation_size=0.2, test_size=0.2)
training = pipeline.dataset(
    parts.train, batch_size=BATCH, shuffle=True, augment=True, cache="memory"
)
validation = pipeline.dataset(parts.validation, batch_size=BATCH, cache="memory")

# %% [markdown]
# ## Training
#
# You will want to see the network learn, so keep its answer for one validation image: once before training, and once
# after each epoch. A Keras *callback* is called at those moments.


# %%
class KeepAnswer(keras.callbacks.Callback):
    """Keeps the model's probabilities of one image, before training and after each epoch."""

    def __init__(self, image):
        super().__init__()
        self.image, self.kept = image[None], []

    def keep(self, *arguments):
        self.kept.append(np.asarray(self.model(self.image, training=False))[0, ..., 0])

    on_train_begin = on_epoch_end = keep


# %% [markdown]
# `fit` compiles the model (that sets the optimizer, the loss and the metrics, and trains nothing yet), trains
# it, and ends with the weights of the best epoch; a section below opens it. Its default loss is notebook 03's
# cross-entropy + dice of each image. Each pair of lines is an epoch, and `val_hard_dice` is the mean dice of
# the validation images.

# %% tags=["nbval-ignore-output"]
images, masks = next(iter(validation))
watched = KeepAnswer(images[3])
adam = keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6)
watching = {"folder": "runs/simple", "callbacks": [watched], "verbose": 2}
history = fit(model, training, validation, EPOCHS, optimizer=adam, **watching)

# %%
figure, axes = plt.subplots(2, 4, figsize=(7.4, 3.1), dpi=78, layout="constrained")
names = ["image", "before training", *[f"epoch {n}" for n in range(1, EPOCHS + 1)]]
shown = [images[3], *np.floor(10 * np.array(watched.kept)) / 10]
for axis, name, picture in zip(axes.flat, names, shown, strict=False):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.contour(masks[3, ..., 0], [0.5], colors=[plot.TRUTH], linewidths=1.5)
    axis.set_title(name, fontsize=9)
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# The brighter, the more probable the car; mid-grey is one half, up to 0.6: it counts as car, and so does all that is
# brighter. The green line is the true outline. In our run the car of epoch 1 is still darker than that, so hardly a
# pixel counts, and the first validation dice is close to 0, though the place is found (more of this in notebook 07).
# First it finds the place, then the body, then the shape. Not all of it stays: in our run the last epochs lose much
# of the windscreen that epoch 4 had.

# %%
plot.curves(history.history, title=f"Simple model, {kind} cars")
plt.show()

# %% [markdown]
# Dotted is training, solid is validation, on cars that training never saw. In the first epochs the training
# dice can lie far *below* the validation dice, as in epochs 2 and 3 of our run. Why? Keras averages the
# training dice over the steps of an epoch, while the weights change, so the early, poor steps count. It
# measures the validation dice afterwards, with the weights at the epoch's end. Augmented images may be harder,
# too. In the last epochs the scores change less within an epoch, and the gap is smaller.

# %% tags=["hide-cell"]
best = max(history.history["val_hard_dice"])
print("validation dice at 96x128 above 0.8:", best > 0.8)

# %% [markdown]
# One number above needs a reason: `epsilon=1e-6`, ten times Keras's default. The article takes it for its
# U-Net, and our settings for the article's two models, their *recipes*, keep it. It lifts the grey band of
# notebook 03 tenfold. The picture there has 16 pixels; one pixel of 96x128 pulls far less. But Adam moves
# weights, and each of them adds up the pulls of many pixels. So that picture cannot tell which epsilon is too
# large here; a training can. Notebook 10 measures what 1e-7 in its place does to the small U-Net's dice on
# rendered cars: -0.0052, with a 95% interval over five seeds from -0.0152 to +0.0048. That is within the noise.
#
# ## Back to the original size
#
# A score at 96x128 is not the competition's: its masks are as large as its images. So resize the *probabilities*
# back, bilinearly, and only then cut at 0.5. Cutting first would leave stairs. The module's version also reads ahead
# and names a file that is broken.


# %%
def predict(model, paths, image_size=(96, 128), batch_size=32):
    """Predicted masks at original size, one after another."""
    for n in range(0, len(paths), batch_size):
        batch = paths[n : n + batch_size]
        read = [data.read_resized(path, image_size, "area")[0] for path in batch]
        found = np.asarray(model(np.float32(read) / 255, training=False), "float32")
        for path, probability in zip(batch, found[..., 0], strict=True):
            yield (data.resized_back(probability, data.size_of(path)) >= 0.5).astype("uint8")


# %% [markdown]
# Try it with a "model" that finds red, on a picture whose left half is red. Its mask is that half, at the picture's
# own 10x20 pixels.

# %%
Path("runs").mkdir(exist_ok=True)
Image.fromarray(np.uint8([[[255, 0, 0]] * 10 + [[0, 0, 0]] * 10] * 10)).save("runs/red.png")
(red,) = predict(lambda images, training: images[..., :1], ["runs/red.png"], (4, 8))
print(red.shape, red[0])

# %% [markdown]
# Now the test cars, which have waited until here. Beside the score stands the constant baseline: the mean training
# mask, the same for every image.

# %% tags=["nbval-ignore-output"]
predictions = list(predict(model, [image for image, _ in parts.test]))
dices = scores.per_image_dice(parts.test, predictions)
baseline = scores.constant_baseline(parts.train, parts.test)
print(f"{kind} cars, per-image hard dice at original size: {dices.mean():.4f}")
print(f"constant baseline: {baseline.mean():.4f}")

# %% tags=["hide-cell"]
print("above 0.8:", dices.mean() > 0.8)
print("above the baseline by 0.05 at least:", dices.mean() > baseline.mean() + 0.05)

# %% [markdown]
# The worst of them, and the one in the middle. Green was found, red was missed, blue is too much: red lies inside the
# mask, blue outside.

# %%
chosen = np.argsort(dices)[[0, len(dices) // 2]]
tested = [parts.test[i] for i in chosen]
seen, truths = [data.read_image(i) for i, _ in tested], [data.read_mask(m) for _, m in tested]
plot.triplets(seen, truths, [predictions[i] for i in chosen], ["the worst", "the middle"])
plt.show()

# %% [markdown]
# In the middle one the body is there, and the outline is not: in our run the edge of the roof, both ends and
# the feet of the wheels are red. (Which car it is, and whether red or blue prevails, differs from machine to
# machine.) In our run the worst is a white car before a white wall: its bonnet is lost.
#
# ## Why the edges are poor
#
# A part of it is the size and the length of your training: with all its filters, on more images and for longer,
# the same network comes out well above this ([the results](../results/README.md)). Two more suspects lie in the
# network itself. The first is the smallest level, 12x16. Notebook 03's `ceiling` tells how much of a true mask
# survives such a size: reduce it, enlarge it bilinearly, score it.

# %%
for size in ((6, 8), (12, 16), (96, 128)):
    print(f"{size[0]:2}x{size[1]:<3} keeps a dice of {scores.ceiling(parts.test, size):.3f}")
places = 12 * 16
print(f"{places * FILTERS[-1]:,} numbers at 12x16, for {96 * 128:,} pixels of a mask")
print(f"{places * 256:,} in the article's size")

# %% [markdown]
# So in our run even one number per place of the 12x16 grid would do better than the model did. And the model
# has more: each place holds as many numbers as the level has filters, enough for the whole mask. The grid
# allows sharp edges. The network would have to *encode* the outline in those numbers and draw it again, and
# that may be hard to learn: notebook 05 tests it.
#
# The second suspect: does a pixel's answer depend on enough of the image? The part it depends on is its
# *receptive field*. Measure it by gradients. Give all kernels positive values, so that nothing cancels, set the
# biases to zero, and ask for the gradient of one output pixel with respect to each input pixel. The number of
# filters does not matter; one per layer is enough.


# %%
def receptive_field(network, row, column):
    """How much each input pixel moves one output, all weights positive: float32 (height, width)."""
    logit = keras.Model(network.inputs, network.get_layer("head").output)
    for weight in logit.weights:
        weight.assign(ops.ones_like(weight) / 9 if len(weight.shape) > 1 else 0 * weight)
    image = tf.ones((1, *network.input_shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(image)
        output = logit(image)[0, row, column, 0]
    return tape.gradient(output, image).numpy()[0].sum(axis=-1)


keras.config.set_dtype_policy("float32")  # in 16 bits small gradients become 0
one_each = simple_fcn(filters=(1, 1, 1))
keras.config.set_dtype_policy(policy)
field = receptive_field(one_each, 48, 64)
size = "x".join(str(int((field > 0).any(axis=axis).sum())) for axis in (1, 0))
wide = int(np.ptp(np.flatnonzero(np.any(masks[3, ..., 0], axis=0)))) + 1
print(f"the central pixel sees {size} of 96x128 pixels; the car is {wide} wide")

# %%
car = masks[3, ..., 0]
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.1), dpi=90, layout="constrained")
for axis, column, name in zip(axes, (64, 26), ("the door", "the front wing"), strict=True):
    field = receptive_field(one_each, 52, column)
    shown = np.where(field > 0, np.sqrt(field / field.max()), np.nan)
    axis.imshow(np.round(shown, 1), cmap="YlOrBr", vmin=-0.2, interpolation="nearest")
    axis.contour(car, [0.5], colors="black", linewidths=1.2)
    axis.plot(column, 52, "w+", ms=15, mew=5)
    axis.plot(column, 52, "k+", ms=13, mew=2)
    axis.set_title(f"A pixel of {name}: what it sees", fontsize=10)
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# The line is the outline of a car, the cross the pixel that is asked. The darker a place, the more it counts
# (drawn by the square root, so that small influences show, too), in a grid that the strides make; outside the
# coloured patch nothing counts. (These two pixels see some rows more than the central one: it depends on their
# place in that grid.) So of a car seen from the side the simple model decides on a pixel without having seen
# the whole. In our run the worst image above shows a car from the front. It is smaller than the field, and the
# missing bonnet lies near its middle: there the field is hardly the reason. Is the small field why the simple
# model scores as it does, or is it the outline, which has to pass through the smallest level? Notebook 05 tests
# both.
#
# ## Augmentation belongs to pairs
#
# The article puts its augmentation *inside* the model. There it turns and flips the image and never sees the mask.
# Try it on a lopsided object, an L, and count how many images still match their masks.

# %%
mask = np.zeros((256, 33, 47, 1), "float32")
mask[:, 8:26, 8:20] = mask[:, 20:26, 20:38] = 1
image = np.repeat(0.1 + 0.8 * mask, 3, axis=-1)


def share_matching(images, masks):
    """Share of the pairs in which bright pixels and mask agree on at least 97% of the frame."""
    bright = np.mean(images, axis=-1, keepdims=True) > 0.5
    return np.mean(np.mean(bright == (np.asarray(masks) > 0), axis=(1, 2, 3)) >= 0.97)


# %% [markdown]
# First the article's three layers, then the pair's way from notebook 02.

# %%
settings = {"seed": 42, "dtype": "float32"}
moving = [layers.RandomFlip("horizontal", **settings), layers.RandomRotation(0.01, **settings)]
in_model = keras.Sequential([*moving, layers.RandomContrast(0.2, value_range=(0, 1), **settings)])
wrong = share_matching(in_model(image, training=True), mask)
right = share_matching(*pipeline.augment(tf.constant(image), tf.constant(mask), seed=(4, 2)))
print(f"augmented inside the model, {wrong:.0%} match; as pairs, {right:.0%}")

# %% [markdown]
# Of the L's pairs about half no longer fit: the flip alone turns about every second image away from its mask.
# It does so to the article's cars, too. How much that matters depends on the view: from the front a car is
# nearly symmetric, from the side it is not. And a car fills the middle of the frame, so training still learns
# something.
#
# ## When training collapses
#
# The article finds its training unstable. Provoke it: take the article's loss, dice over the whole batch, and a
# learning rate of 0.01, a hundred times the one that the article gives for its U-Net. Beside it stands cross-entropy
# + dice at the same rate. (Its dice is that of each image, a second difference: exercise 1 takes that dice alone.)
# Two seeds each, four epochs; 48x64 pixels are enough, and faster. Of the model that each run ends with, print the
# validation dice, the share of pixels that it calls car, and the mean of p (1 - p). That is the slope of the sigmoid:
# 0.25 at most, where p is one half, and almost zero where p is near 0 or 1.

# %% tags=["nbval-ignore-output"]
coarse = {"image_size": (48, 64), "batch_size": 16, "cache": "memory"}
to_learn = pipeline.dataset(parts.train, shuffle=True, augment=True, **coarse)
to_judge = pipeline.dataset(parts.validation, **coarse)
ends = {}
for loss in (pooled_dice_loss, bce_dice_loss):
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        again = simple_fcn((48, 64, 3), filters=(16, 32, 64))
        again.compile(keras.optimizers.Adam(0.01), loss, metrics=[hard_dice])
        to_learn.epoch.assign(0)  # each run gets the same batches
        run = again.fit(to_learn, validation_data=to_judge, epochs=4, shuffle=False, verbose=0)
        p = again.predict(to_judge, verbose=0)
        slope = np.mean(p * (1 - p))
        ends[loss.__name__, seed] = [*run.history["val_hard_dice"], slope]
        said = f"dice {run.history['val_hard_dice'][-1]:.3f}, car {np.mean(p >= 0.5):4.0%}"
        print(f"{loss.__name__:16} seed {seed}: {said}, mean p (1 - p) {slope:.1e}")

# %%
truths = np.concatenate([masks for _, masks in to_judge])
everything = float(np.mean(hard_dice(truths, np.ones_like(truths))))
figure, axis = plt.subplots(figsize=(7.4, 3), dpi=80, layout="constrained")
looks = {"pooled_dice_loss": ("o-", plot.MISSED), "bce_dice_loss": ("s--", plot.TRUTH)}
for (loss, seed), (*dices_of, _) in ends.items():
    style, colour = looks[loss]
    label = f"{loss}, seeds 0 and 1" if seed == 0 else None
    axis.plot(range(1, 5), dices_of, style, ms=5, color=colour, label=label)
axis.axhline(everything, color="0.4", ls=":", label="car everywhere")
axis.set(xlabel="epoch", ylabel="validation dice, 48x64", ylim=(0, 1), xticks=range(1, 5))
axis.set_title(f"At a rate of 0.01 dice alone gets stuck ({kind} cars)", fontsize=10)
axis.legend(fontsize=8)
plt.show()
print(f"a mask that is car everywhere scores {everything:.4f}")

# %% tags=["hide-cell"]
alone, summed = np.array(list(ends.values())).reshape(2, 2, 5)
print("dice alone ends below 0.5 in both runs:", max(alone[:, 3]) < 0.5)
print("and where the sigmoid is flat:", max(alone[:, 4]) < 0.001)
print("the sum ends above 0.6 in both runs:", min(summed[:, 3]) > 0.6)

# %% [markdown]
# The solid red lines lie on the dotted one, the dice of a mask that is car everywhere. What happened? Steps
# that are too long push the logits far out, where the sigmoid is flat: at the end the mean of p (1 - p) says
# so. Dice reaches the weights only through that slope, so the network stays where it was thrown: in our run at
# car nearly everywhere. Cross-entropy cancels the slope: its gradient with respect to the logit is p - truth,
# as large as the mistake. Print both for a background pixel that is called car, with growing conviction.

# %%
logits = tf.constant([0.0, 4.0, 8.0, 16.0])
with tf.GradientTape() as tape:
    tape.watch(logits)
    probability = tf.sigmoid(logits)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros(4), logits)
pulls = tape.gradient(cross_entropy, logits)
for row in zip(logits, probability * (1 - probability), pulls, strict=True):
    print(
        "logit {:2.0f}: p (1 - p) {:.1e}, cross-entropy's gradient {:.4f}".format(*map(float, row))
    )

# %% [markdown]
# So cross-entropy + dice keeps a gradient where dice alone has none, and is the default here. In our run its
# dice stays near 0 for up to three epochs, then rises. A dice near 0 does not mean a flat sigmoid: in the first
# training above, too, hardly a pixel counted as car at first. Two seeds prove little. `experiments/collapse.py`
# measures it more widely, on rendered cars at 96x128, with five learning rates, five seeds and two precisions,
# over 8 epochs. It calls a run collapsed that ends with less than 1% of the pixels car, or with more than half.
# Of 50 runs with the sum none ended collapsed. Of 50 with dice alone 13 did, 9 of them at 0.01, where the tenth
# learned nothing either. (One seed ended at masks that are empty or nearly so, in both precisions; not all end
# at car.) Of the other four, three were at their best dice in the last epoch: eight epochs may have been too
# few for them. The best rate for the sum was 0.003: its dice ended higher than at 0.01 for every seed.
#
# ## What `fit` does
#
# Three things beside Keras's own `fit`. It stops on NaN. It stops when the validation dice has not risen for
# `patience` epochs, and goes back to the best weights. And it tells the data set of notebook 02 which epoch to draw.
# The module's version also saves the best model, names a training that was NaN throughout, and resumes: notebook 06
# stops one by force.


# %%
def short_fit(model, train, validation, epochs, optimizer, mode="max", patience=5):
    """Compile and train; the model ends with the weights of its best epoch."""
    model.compile(optimizer, bce_dice_loss, metrics=[hard_dice])
    callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda n, logs: train.epoch.assign(n)),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.EarlyStopping(
            "val_hard_dice", mode=mode, patience=patience, restore_best_weights=True
        ),
    ]
    return model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )


# %% [markdown]
# Note `mode="max"`. A loss should fall and a dice should rise, and Keras cannot know which of the two your own
# metric is. Leave `mode` at Keras's default, "auto", and it raises an error at the end of the first epoch.

# %%
try:
    short_fit(simple_fcn(filters=(4, 4, 4)), training, validation, 1, "adam", mode="auto")
except ValueError as error:
    print(error)

# %% [markdown]
# ## Any input size
#
# Three strides of 2 divide the size by 8. 96x128 divides; 31x47 does not, and the way back would end at 32x48. So the
# module's `network.simple_fcn` pads with zeros below and on the right, and crops its output. Two small layers do it,
# registered with Keras so that a saved model loads again.


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
class PadToMultiple(layers.Layer):
    """Zeros below and on the right, up to the next multiple of `multiple`."""

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, images):
        height, width = ops.shape(images)[1:3]
        # Not `-height % multiple`: outside Python a negative number's remainder is negative.
        lack = [(self.multiple - size % self.multiple) % self.multiple for size in (height, width)]
        return ops.pad(images, [[0, 0], [0, lack[0]], [0, lack[1]], [0, 0]])

    def compute_output_shape(self, input_shape):
        padded = [None if n is None else n + -n % self.multiple for n in input_shape[1:3]]
        return (input_shape[0], *padded, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
class CropLike(layers.Layer):
    """The top left corner of the first tensor, as high and wide as the second."""

    def call(self, outputs, images):
        height, width = ops.shape(images)[1:3]
        return outputs[:, :height, :width, :]

    def compute_output_shape(self, outputs_shape, images_shape):
        return (*images_shape[:3], outputs_shape[3])


def with_padding(images, multiple, network):
    """`network(images)`, padded to a multiple and cropped back where the size asks for it."""
    if all(size is not None and size % multiple == 0 for size in images.shape[1:3]):
        return network(images)
    return CropLike(name="crop")(network(PadToMultiple(multiple, name="pad")(images)), images)


# %% [markdown]
# `(8 - size % 8) % 8` is what is missing to the next multiple: 4 + 4 = 8, and 8 is left alone. In Python `-size
# % 8` is the same. Some programs that run the exported network give it another sign, so the layer does without.
# And 31x47 comes back as 31x47.

# %%
print([(size, (8 - size % 8) % 8) for size in (4, 8, 31, 47)])
print(PadToMultiple(8)(small).shape, CropLike()(PadToMultiple(8)(small), small).shape)
odd = network.simple_fcn((31, 47, 3), filters=(4, 4, 4))
print(odd(np.zeros((1, 31, 47, 3), "float32")).shape)

# %% [markdown]
# ## How `set_precision` chooses
#
# `bfloat16` has the range of `float32` in half of the bits, so the loss can stay as it is. `float16`, on older
# GPUs, has a narrow range, so the loss is scaled, which Keras does. A *mixed* policy computes in 16 bits and
# keeps the weights in 32; the model's last layer and the sums of the loss are in 32, too. `gpus` asks Keras's
# backend for the GPUs' names and compute capabilities (NVIDIA's number for what a generation of GPUs can do),
# `cpu_flags` reads the CPU's instruction sets from Linux.


# %% tags=["lifted"]
def precision_policy():
    """The dtype policy that suits this hardware, and why."""
    found = gpus()
    if found:
        name, capability = found[0]
        if capability >= (8, 0):
            return "mixed_bfloat16", f"{name} computes bfloat16"
        if capability >= (7, 0):
            return "mixed_float16", f"{name} has float16 tensor cores"
        return "float32", f"{name} has no tensor cores"
    if cpu_flags() & {"avx512_bf16", "amx_bf16"}:
        return "mixed_bfloat16", "this CPU computes bfloat16"
    return "float32", "this CPU has no bfloat16 instructions"


# %% [markdown]
# ## What we saw
#
# - Strided convolutions took the image down and transposed ones up again, with 2,879,489 parameters in the article's
#   size, and any input size.
# - The masks were scored at the images' own size on unseen cars, above a baseline that never looks at an image. Their
#   edges were poor, though a 12x16 grid would keep 0.97; the central pixel saw 75x75 of 96x128.
# - At a rate too high, dice alone got stuck where the sigmoid is flat; cross-entropy + dice learned at the same rate.
#
# ## Exercises
#
# Three experiments with a model so small that a training takes seconds. Guess first, then run, then explain.
# [exercises/04](exercises/04.ipynb) has the code with gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. Dice alone collapsed at a learning rate of 0.01. Was it the loss or the rate? Train five epochs by Adam,
#    watching `hard_dice`, with `dice_loss` at 0.01 and at 0.001, and with `bce_dice_loss` at 0.001. Which of
#    the three learn, and which is the first above 0.5? Why does that one start faster?
# 2. The exercise takes 160 images to train on. Train on 32 of them, a fifth, for 25 epochs. Compare with all
#    160 after as many epochs, and after as many steps. How much of what is lost do the steps bring back? What
#    would you write into a paper that compares two sizes of data?
# 3. Change the learning rate alone: 0.00001, 0.001 and 0.1, with `bce_dice_loss`. Draw the three curves you
#    expect, then train the first and the last, in this order: exercise 1 has trained the one in the middle. Two
#    of the three do not learn, for opposite reasons. In a cell of your own print `rates`: which of the two
#    still rises? Would more epochs help the other?
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [05 · The U-Net](05_unet.ipynb).
