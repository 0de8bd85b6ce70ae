# %% [markdown]
# # 06 · Training that can be stopped, watched and compared
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/06_training.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/06_training.ipynb)
#
# **You will**
#
# - train a U-Net whose validation score lies far below its training score, find out why, and mend it with one number;
# - augment image and mask together, first with Keras's own layers, then with the module's; choose a learning rate, a
#   patience and a precision;
# - kill a training, resume it to the bit, and keep two runs in MLflow.
#
# **You need** no data and no account: a car studio is rendered where Carvana is not at hand. About two and a half
# minutes on 2 CPU cores, more without bfloat16; on a GPU: not measured. MLflow is installed below where it is missing.
#
# The network is that of *End-to-End Guide for Image Segmentation* (Deepak Kolaparthi, AiEnsured), called *the
# guide* from here on. Augmentation, checkpoints and tracking are its subjects, too; here they are done in this
# project's way. It is written in PyTorch and publishes no score.

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
import inspect
import json
import math
import os
import shutil
import subprocess
import time
from glob import glob

os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # leaves room on a GPU for a second process

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops
from PIL import Image

# %%
from unet_tf import data, network, pipeline, plot, predict, protocol, scores
from unet_tf.training import fit, set_precision

Path("runs").mkdir(exist_ok=True)

# %% [markdown]
# A *recipe* holds all settings of a published training; you change the ones you name. On two CPU cores
# you train two levels and a bottleneck at a quarter of the guide's pixels, with a larger learning rate,
# since there are few steps. With a GPU, a T4 or better, set `FULL` to `True` for the guide's own
# filters, size and rate: the text below speaks of the small one.

# %%
FULL = False  # True: the guide's filters and size, for a GPU
SMALL = {"filters": (8, 16, 32), "image_size": (80, 120), "batch_size": 8, "learning_rate": 2e-3}
SETTINGS = {"images": 1000, "epochs": 5} if FULL else {"images": 160, "epochs": 5, **SMALL}
recipe = protocol.get("guide_unet", **SETTINGS)
print(f"filters {recipe.filters}, {recipe.images} images, {recipe.epochs} epochs")

# %% [markdown]
# Precision follows the hardware (notebook 04), so the next line depends on yours.

# %% tags=["nbval-ignore-output"]
policy = set_precision()

# %% [markdown]
# ## A first training
#
# The guide's network is the U-Net of notebook 05 with four changes. It has no dropout and no last 3x3 convolution. Its
# transposed convolutions are 2x2. And every block has *batch norm*, which is new.


# %% tags=["lifted"]
def guide_unet(input_shape, filters):
    """The guide's U-Net: batch norm, 2x2 transposed convolutions, no dropout."""
    return network.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="transposed_2x2",
        final_conv=False,
    )


# %% [markdown]
# The cars are split as always: no car is in two parts.


# %%
def parts_of(recipe, folder):
    """The training, validation and test pairs of a recipe."""
    pairs = data.pair(folder)[: recipe.images]
    return data.split(pairs, recipe.split_by, recipe.validation_size, recipe.test_size)


folder = data.find()
parts = parts_of(recipe, folder)

# %% [markdown]
# One function holds a whole training, so that you can repeat it with one thing changed. `recipe.build` is the
# function above, and `recipe.loss` is cross-entropy alone, as in the guide. The first such thing is a number of
# batch norm, its *momentum*, which is explained below.


# %%
def training(recipe, parts, momentum=0.9, **options):
    """Train as a recipe says; the model and its history."""
    tf.config.experimental.enable_op_determinism()  # a GPU's sums, too, in one order
    keras.utils.set_random_seed(0)
    how = {"image_size": recipe.image_size, "batch_size": recipe.batch_size, "cache": "memory"}
    train = pipeline.dataset(parts.train, shuffle=True, augment=recipe.augment, **how)
    validation = pipeline.dataset(parts.validation, **how)
    model = recipe.build((*recipe.image_size, 3), recipe.filters)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum
    adam = keras.optimizers.Adam(recipe.learning_rate, epsilon=recipe.epsilon)
    options = {"epochs": recipe.epochs, "patience": recipe.patience, "verbose": 0} | options
    history = fit(model, train, validation, loss=recipe.loss, optimizer=adam, **options)
    return model, history.history


# %% [markdown]
# Train with 0.99, the value that Keras takes when you say nothing. Compare `hard_dice` with `val_hard_dice`. Then predict
# some of the training images, as you would predict new ones, and score them.

# %% tags=["nbval-ignore-output"]
slow, by_default = training(recipe, parts, momentum=0.99, verbose=2)
some = parts.train[::4]
predicted = scores.per_image_dice(some, predict.predict(slow, [image for image, _ in some])).mean()
print(f"dice of training images, predicted: {predicted:.4f}")

# %% [markdown]
# High on the training cars, low on the validation cars: the usual suspect is overfitting, too few cars for too many
# weights. But an overfitted network is good on the images it was trained with. This one is poor on them, too, as soon as
# it predicts. So do not collect more cars: find out what differs between training and predicting. What is new here is
# batch norm.
#
# ## Batch norm by hand
#
# While training, batch norm takes each channel of a batch, subtracts its mean and divides by its deviation. (A
# small number, `epsilon`, is added to the variance so that nothing is divided by 0; here it is 0, for round
# numbers.) Then it multiplies by one learned number and adds another, which start at 1 and 0. Take one channel
# with the values 1 and 5. Their mean is 3, their deviation 2, so they become -1 and 1. On the way the layer
# updates its *moving* mean and variance: nine tenths of the old ones, which start at 0 and 1, and a tenth of
# the batch's, 3 and 4.

# %%
norm = layers.BatchNormalization(momentum=0.9, epsilon=0.0, dtype="float32")
batch = np.array([[1.0], [5.0]], "float32")
print("training:  ", [f"{value:.4f}" for value in norm(batch, training=True).numpy()[:, 0]])
print(f"moving:     mean {norm.moving_mean[0]:.4f}, variance {norm.moving_variance[0]:.4f}")
print("predicting:", [f"{value:.4f}" for value in norm(batch, training=False).numpy()[:, 0]])

# %% [markdown]
# When it predicts, the layer uses the moving statistics instead of the batch's: (1 - 0.3) / √1.3 = 0.6139. So a
# prediction depends on one image only, not on the images that share its batch. But after a single step the moving
# statistics are nearly all start and hardly any data, and the same two values come out as 0.6 and 4.1 instead of -1 and
# 1.
#
# How many steps does it take until the start is forgotten? Keras keeps 0.99 of the old statistics at each step, PyTorch
# keeps 0.9 (and writes it as `momentum=0.1`, the share of the new).

# %%
for momentum in (layers.BatchNormalization().momentum, 0.9):
    left = [f"{momentum**steps:6.1%} after {steps}" for steps in (12, 60, 600)]
    print(f"momentum {momentum:.2f}:", ", ".join(left))

# %% [markdown]
# Your training has 60 steps: 5 epochs of 12. With 0.99 more than half of the start is still there at the end, and the
# network predicts with statistics that it was not trained with. With 0.9 hardly anything is left of it. Repeat the
# training with 0.9.

# %% tags=["nbval-ignore-output"]
model, history = training(recipe, parts, momentum=0.9)
for momentum, run in ((0.99, by_default), (0.9, history)):
    last = f"{run['hard_dice'][-1]:.4f}, validation {run['val_hard_dice'][-1]:.4f}"
    print(f"momentum {momentum:.2f}: training dice {last}")

# %%
difference = np.abs(np.subtract(history["hard_dice"], by_default["hard_dice"])).max()
gain = history["val_hard_dice"][-1] - by_default["val_hard_dice"][-1]
print(f"largest difference of the training dice: {difference:.4f}")

# %% tags=["hide-cell"]
print("the validation dice gains more than 0.2:", gain > 0.2)
print("with 0.99 the predicted training images stay below 0.75:", predicted < 0.75)

# %%
figure, axis = plt.subplots(figsize=(7.2, 3), dpi=90, layout="constrained")
epochs = np.arange(1, len(history["loss"]) + 1)
axis.plot(epochs, history["hard_dice"], color="0.7", lw=6, label="training, both")
axis.plot(epochs, history["val_hard_dice"], "o-", color=plot.TRUTH, label="validation, 0.9")
axis.plot(epochs, by_default["val_hard_dice"], "s--", color=plot.MISSED, label="validation, 0.99")
axis.set(xlabel="epoch", ylabel="dice", xticks=epochs, title="One training, two memories")
axis.legend(title="batch norm's momentum", fontsize=9)
plt.show()

# %% [markdown]
# Both trainings learned the same: momentum plays no part in them. Only the dashed one predicts with statistics from its
# start. It was never overfitting. A longer training would have hidden the mistake, since after 600 steps 0.99 has
# forgotten its start, too. The module's `conv_block` takes 0.9.
#
# Batch norm changes one more thing: a bias in front of it is useless, because it is subtracted again with the mean. Add
# 100 to both values and see. The number that batch norm itself learns to add takes the bias's place. So the convolutions
# in front of batch norm have none, and the guide's full network trains this many parameters.

# %%
shift = np.abs(norm(batch + 100, training=True) - norm(batch, training=True)).max()
print(f"100 more going in: {shift:.4f} more coming out")
full = guide_unet((160, 240, 3), (64, 128, 256, 512, 1024))
trained = sum(math.prod(weight.shape) for weight in full.trainable_weights)
print(f"{trained:,} parameters are trained")

# %% [markdown]
# ## Where validation and test part
#
# The validation dice is now high. Before you trust it, score all three parts with one function, at the images' own
# size, and take the mean of each car.

# %% tags=["nbval-ignore-output"]
by_car = {}
for part in ("train", "validation", "test"):
    pairs = getattr(parts, part)
    masks = predict.predict(model, [image for image, _ in pairs])
    dices = scores.per_image_dice(pairs, masks)
    cars = np.array([data.group_of(image) for image, _ in pairs])
    by_car[part] = {car: dices[cars == car].mean() for car in np.unique(cars)}
    each = ", ".join(f"{mean:.3f}" for mean in by_car[part].values())
    print(f"{part:10} {dices.mean():.3f}: {each}")

# %% [markdown]
# The function is the same, so the gap lies in the cars, and in one of them alone. Measure how bright each car is: 0 is
# black, 1 is white.

# %%
for part in ("train", "validation", "test"):
    bright = {}
    for image, mask in getattr(parts, part):
        if (car := data.group_of(image)) not in bright:  # its first view
            bright[car] = data.read_image(image)[data.read_mask(mask) > 0].mean() / 255
    print(f"{part:10}", ", ".join(f"{value:.2f}" for value in bright.values()))

# %% [markdown]
# The network has learned from six dark cars. Both validation cars are dark, too, and one test car is far brighter than
# any of them. Is that what it fails at? Change this one thing: darken the pale car in all of its views, and nothing
# else in them, and predict it again.

# %%
pale, dark = sorted(by_car["test"], key=by_car["test"].get)
views = [pair for pair in parts.test if data.group_of(pair.image) == pale]
darkened = [(Path(f"runs/darkened_{n}.png"), pair.mask) for n, pair in enumerate(views)]
for (image, mask), (path, _) in zip(views, darkened, strict=True):
    light = np.where(data.read_mask(mask), 0.5, 1)[..., None]
    Image.fromarray((light * data.read_image(image)).astype("uint8")).save(path)

# %%
pairs = [*views, *darkened, next(p for p in parts.test if data.group_of(p.image) == dark)]
masks = list(predict.predict(model, [image for image, _ in pairs]))
dices = scores.per_image_dice(pairs, masks)
before, after = dices[: len(views)].mean(), dices[len(views) : -1].mean()
figure, axes = plt.subplots(2, 3, figsize=(7.5, 3.9), dpi=66, layout="constrained")
figure.suptitle(f"Mean of the pale car's {len(views)} views: {before:.2f}, darkened {after:.2f}")
names = {0: f"pale, {pale[:6]}", len(views): "the same, darkened", -1: f"dark, {dark[:6]}"}
for axis, (n, name) in zip(axes.T, names.items(), strict=True):
    grey = np.round(data.read_image(pairs[n][0]).mean(axis=-1) / 8)  # 32 greys
    axis[0].imshow(grey, cmap="gray", vmin=0, vmax=31)
    axis[0].set_title(name, fontsize=10)
    axis[1].imshow(masks[n], cmap="gray_r", vmax=2)
    axis[1].contour(data.read_mask(pairs[n][1]), [0.5], colors="black", linewidths=0.8)
    axis[1].set_title(f"predicted: {dices[n]:.2f}", fontsize=10)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
plt.show()

# %% tags=["hide-cell"]
print("every validation car above 0.9:", min(by_car["validation"].values()) > 0.9)
print("the pale test car at least 0.1 below the dark one:", before < by_car["test"][dark] - 0.1)
print("darkened, its views gain more than 0.1 on average:", after - before > 0.1)

# %% [markdown]
# Grey is the prediction, the black line the true outline. Of the pale car much is taken for wall;
# darkened, the same car in the same place is found. The means above say so of all its views. So it is
# the brightness. The validation score was right, about dark cars: two cars are too few to speak for
# all. Notebook 07 puts an interval around such a score.
#
# ## Image and mask, moved together
#
# More cars would help, and where there are none, *augmentation* makes new images of the ones you have: brighter
# or darker, which leaves the mask as it is, or turned, mirrored and moved, which must move the mask, too. As in
# notebook 02, Keras's own layers take a pair: give them a dictionary with `images` and `segmentation_masks`,
# and both are moved by one draw. Below, the same layer moves four copies of a pair, once together and once
# image and mask in two calls.


# %%
def draw(title, rows):
    """A row of pairs under each name: outlines of the masks, void hatched."""
    figure = plt.figure(figsize=(7.5, 1.3 * len(rows) + 0.3), dpi=66, layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(len(rows), 4)
    for row, (name, pairs) in zip(axes, rows.items(), strict=True):
        row[0].set_ylabel(name)
        for axis, image, mask in zip(row, *map(np.asarray, pairs), strict=True):
            grey = np.round(31 * image.mean(axis=-1))  # in 32 greys, the notebook stays small
            axis.imshow(grey, cmap="gray", vmin=0, vmax=31, interpolation="nearest")
            for colour, width in (("white", 2.4), ("black", 0.9)):
                axis.contour(mask[..., 0] == 1, [0.5], colors=colour, linewidths=width)
            if (void := mask[..., 0] == 255).any():
                axis.contourf(void, [0.5, 1.5], colors="white", hatches=["////"])
            axis.set(xticks=[], yticks=[])
    plt.show()


# %%
one = pipeline.decoded(parts.train[3:4], (160, 240)).batch(1).map(pipeline.to_float)
images, masks = (tf.repeat(part, 4, axis=0) for part in next(iter(one)))
turn = layers.RandomRotation(35 / 360, seed=0, dtype="float32")
pair = {"images": images, "segmentation_masks": masks}
together, apart = turn(pair).values(), (turn(images), turn(masks))
draw("Moved by one draw, and by two", {"together": together, "apart": apart})

# %% [markdown]
# Together, the outline follows the car. Apart, it goes its own way, and every such pair teaches the network something
# wrong. No error is raised in either case, so measure it: put the mask in the image's place, too, and count the pixels
# on which both agree.

# %%
as_image = tf.repeat(masks, 3, axis=3)
together = turn({"images": as_image, "segmentation_masks": masks}).values()
apart = turn(as_image), turn(masks)
for name, (image, mask) in {"together": together, "apart": apart}.items():
    agree = np.mean((image.numpy()[..., :1] >= 0.5) == (mask.numpy() >= 0.5))
    print(f"{name}: {agree:.0%} of the pixels agree")

# %% [markdown]
# With Keras's layers you are well served in many projects (older versions of Keras want the masks rounded:
# notebook 02). This course has its own `augment` for two reasons. Keras's layer counts its calls, so what it
# draws depends on how often it was called before. `augment` draws from two numbers that you give it and from
# nothing else. The data set makes them of seed, epoch and batch: a resumed training can draw epoch 3 again. And
# where Keras's layer fills what moves in over the edge with a constant, image and mask get the same one.
# `augment` can fill the image with black and the mask with 255: that label is *void*, and a score that knows it
# skips those pixels.

# %%
twice = [turn(images).numpy() for _ in range(2)]
print(f"Keras: in two calls {np.mean(twice[0] == twice[1]):.0%} of the values are the same")
twice = [pipeline.augment(images, masks, seed=(0, 3))[0].numpy() for _ in range(2)]
print(f"augment: in two calls {np.mean(twice[0] == twice[1]):.0%} of the values are the same")
filled = layers.RandomRotation(0.1, "constant", fill_value=0.5, dtype="float32")(pair)
print(f"the labels of masks that Keras fills with 0.5: {np.unique(filled['segmentation_masks'])}")

# %% [markdown]
# By how much should you move an image? By what you expect to meet. The guide turns every image by up to 35
# degrees and stands every tenth car on its roof, while Carvana's cars stand upright on a turntable, before a
# camera that does not move. The corrected recipe names no amounts and so takes those of `augment`: half of the
# images are mirrored, all are turned by up to 3.6 degrees, and contrast changes by up to a fifth. Neither the
# guide's amounts nor these add brightness. `augment` has `brightness` for that, but it moves car and wall
# together, while the pale car was mended by darkening it alone. Whether it helps such a car is a question for
# scores.

# %%
void = {"rotation": 0.05, "shift": 0.1, "outside": 255}
amounts = {"the guide": protocol.GUIDE_AUGMENTATION, "corrected": {}, "with void": void}
drawn = {name: pipeline.augment(images, masks, (0, 4), **how) for name, how in amounts.items()}
draw("Three amounts of augmentation, four draws each", drawn)
print(f"the guide: {protocol.GUIDE_AUGMENTATION}")

# %% [markdown]
# In all rows the outline follows the car. But no image that you will predict looks like the first row; in the second,
# the car stays on its wheels. In both, what moves in over the edge is the image mirrored there. The third row hatches
# it: it is void. Whether the guide's large turns do harm is a question for scores: two runs at the end of this chapter
# try both.
#
# ## Learning rate and patience
#
# The learning rate is how far a step goes. Try a tenth of the rate above, and a hundred times the rate above, for
# three epochs.

# %% tags=["nbval-ignore-output"]
curves = {1: history["val_hard_dice"][:3]}
for factor in (0.1, 100):
    other = protocol.changed(recipe, learning_rate=factor * recipe.learning_rate)
    curves[factor] = training(other, parts, epochs=3)[1]["val_hard_dice"]
for factor in sorted(curves):
    print(f"x {factor:g}:", ", ".join(f"{value:.2f}" for value in curves[factor]))

# %%
figure, axis = plt.subplots(figsize=(7.2, 2.8), dpi=90, layout="constrained")
for factor, style in ((0.1, "s--"), (1, "o-"), (100, "^:")):
    axis.plot(epochs[:3], curves[factor], style, label=f"{factor * recipe.learning_rate:g}")
axis.set(xlabel="epoch", ylabel="validation dice", xticks=epochs[:3], title="Three learning rates")
axis.legend(title="learning rate")
plt.show()

# %% tags=["hide-cell"]
print("a tenth of the rate ends at least 0.05 lower:", curves[0.1][-1] < curves[1][-1] - 0.05)

# %% [markdown]
# A tenth of the rate is on its way and has not arrived. A hundred times the rate makes a bad start, and here it
# recovers. Three epochs show both, so try a few rates, far apart, before a long training.
#
# When should a training end? *Early stopping* waits for so many epochs without a new best, the *patience*, then returns
# to the best epoch. Here is a curve that trembles, as most do.

# %%
dices = [0.80, 0.90, 0.89, 0.93, 0.92, 0.91, 0.94, 0.93, 0.93, 0.93]
for patience in (1, 2, 3):
    best, waited = 0, 0
    for epoch, dice in enumerate(dices, start=1):
        best, waited = (dice, 0) if dice > best else (best, waited + 1)
        if waited == patience:
            print(f"patience {patience}: ends after epoch {epoch}, best {best:.2f}")
            break

# %% [markdown]
# A small patience takes the first tremble for the end; a large one costs epochs. The module's `fit` takes 5.
#
# ## Precision
#
# The guide trains in *mixed precision*: it computes in 16 bits and keeps the weights in 32. There are two kinds of 16
# bits. `float16` spends them on digits, `bfloat16` on range. Ask each for 256 + 1, for 70,000 and for a gradient of
# 1e-08.

# %%
for dtype in ("float32", "bfloat16", "float16"):
    total, large, tiny = (ops.cast(256, dtype) + 1, *ops.cast([70000.0, 1e-8], dtype))
    print(f"{dtype:8}: {float(total):.0f}, {float(large):.0f}, {float(tiny):.0e}")
scale = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()).initial_scale
scaled = ops.cast(1e-8 * scale, "float16")
print(f"scaled by {scale:.0f}: {float(scaled):.1e}, and back: {float(scaled) / scale:.1e}")

# %% [markdown]
# `bfloat16` cannot count to 257, so sums and weights stay in `float32`. `float16` has no 70,000, and the small
# gradient becomes 0. The remedy for the gradient is in the last line: multiply the loss by a large number, so
# that its gradients fit, and divide them again afterwards. Keras does it by itself under `mixed_float16`.
#
# What do you gain? Time the same steps in `float32` and in your machine's policy, with four times the filters, so that
# there is something to compute.


# %% tags=["nbval-ignore-output"]
def timed(policy, images, masks, steps=4):
    """Milliseconds per training step under a policy."""
    set_precision(policy)
    model = guide_unet(images.shape[1:], [4 * width for width in SMALL["filters"]])
    model.compile(keras.optimizers.Adam(1e-3), recipe.loss)
    model.train_on_batch(images, masks)  # builds the graph, which is not timed
    start = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(images, masks)
    return 1000 * (time.perf_counter() - start) / steps


batch = next(iter(pipeline.dataset(parts.train, (80, 120), 8)))
for name in dict.fromkeys(["float32", policy]):
    print(f"{name}: {timed(name, *batch):.0f} ms per step")
policy = set_precision(policy)

# %% [markdown]
# Two times in ms show what 16 bits save on your hardware. One time alone means that `set_precision` found no
# hardware for them and took `float32`.
#
# ## What a training is made of
#
# Now for accidents. To continue a training you need more than its weights. Adam, for one, remembers the gradients of
# earlier steps: two *moments* for each weight, and a step counter. Take one weight and three gradients of 1; each moves
# it by 0.1, from 1 to 0.7. Then comes a gradient of -1. One optimizer has seen the three before; the other is new,
# beside the saved weight.


# %%
def moved(weight, optimizer, gradients):
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], [weight])
    return f"{float(weight.value):.4f}"


weight, kept = keras.Variable(1.0), keras.optimizers.Adam(0.1)
print("after three steps:   ", moved(weight, kept, [1.0, 1.0, 1.0]))
saved = keras.Variable(weight.numpy())
print("optimizer kept:      ", moved(weight, kept, [-1.0]))
print("only the weight kept:", moved(saved, keras.optimizers.Adam(0.1), [-1.0]))

# %% [markdown]
# One goes down, the other goes up: with a new optimizer it is another training. What you need to go on:
#
# - the weights, and batch norm's moving statistics;
# - the optimizer: moments, step counter, with `float16` the loss scale;
# - the state of dropout's random numbers, where there is dropout;
# - the number of the epoch, which decides order and augmentation;
# - the patience used up, the best value, the best weights, and the history so far.
#
# `fit(..., folder=...)` writes all of it after each epoch: into `best.keras` the best model, into `state.npz`
# all else that a resumed training needs, and into `log.csv` a row for you to read. Keep the first two together:
# a resumed training reads both. With `resume=True` it goes on from there, or starts where nothing lies yet.
#
# ## Killed
#
# A second process trains the same recipe. In the middle of the third epoch it kills itself by signal 9, which no
# program can catch, so it cannot tidy up. It gets your two functions as text.

# %%
steps = math.ceil(len(parts.train) / recipe.batch_size)  # per epoch
script = f"""
import os, keras, tensorflow as tf
from keras import layers
from unet_tf import data, pipeline, protocol
from unet_tf.training import fit, set_precision
{inspect.getsource(parts_of)}
{inspect.getsource(training)}
def count(batch, logs, done=[]):
    done.append(batch)
    if len(done) == {2 * steps + steps // 2}: os.kill(os.getpid(), 9)
set_precision({policy!r})
recipe = protocol.get("guide_unet", **{SETTINGS!r})
parts = parts_of(recipe, {str(folder)!r})
killer = keras.callbacks.LambdaCallback(on_train_batch_end=count)
training(recipe, parts, folder="runs/stopped", callbacks=[killer])
"""

# %%
shutil.rmtree("runs/stopped", ignore_errors=True)
environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
child = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True)
print(f"{steps} steps per epoch; ended by signal {abs(child.returncode)}")
state = json.loads(str(np.load("runs/stopped/state.npz")["state"]))
print(f"{state['epoch']} epochs are done, in {sorted(glob('*', root_dir='runs/stopped'))}")

# %% [markdown]
# The half epoch is lost, the two before it are not. Resume here, in your own process. The training to compare with is
# the one above with a momentum of 0.9, which nothing ever stopped. Last, try to resume with another patience. (XLA is a
# compiler for the steps of long trainings on a GPU. A resumed training keeps what the stopped one had: here, none.)

# %%
resumed, resumed_history = training(recipe, parts, folder="runs/stopped", resume=True)
differ = sum(
    (a != b).sum() for a, b in zip(resumed.get_weights(), model.get_weights(), strict=True)
)
print(f"of {resumed.count_params():,} weights and moving statistics {differ} differ")
differ = sum(resumed_history[name] != values for name, values in history.items())
print(f"of {len(history)} curves over {len(history['loss'])} epochs {differ} differ")
try:
    training(protocol.changed(recipe, patience=2), parts, folder="runs/stopped", resume=True)
except ValueError as error:
    print(error)

# %% [markdown]
# Nothing differs, to the last bit. The last line is the try with another patience: that would be neither the old
# training nor a new one, so `fit` raises an error and names what differs.
#
# On Colab a session ends when you least want it, and takes its disk with it. Put the folder on Drive, and after a loss
# run the same notebook again:
#
# ```python
# from google.colab import drive
#
# drive.mount("/content/drive")
# training(recipe, parts, folder="/content/drive/MyDrive/guide", resume=True)
# ```
#
# The command line does the same on your own machine:
#
# ```
# python -m unet_tf train --recipe guide_unet --to runs/guide --resume
# ```
#
# ## Two runs in MLflow
#
# A curve in a notebook is gone with the notebook. [MLflow](https://mlflow.org) keeps each training as a *run*, with
# settings, curves, scores, files and the model. Its store here is a file of its own, made anew each time. (With
# Internet off, Kaggle has no MLflow, and this chapter ends here.)

# %%
os.environ |= {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # else MLflow's makers are told of its use
keras.config.disable_interactive_logging()  # no progress bars where MLflow predicts
try:
    import mlflow
except ModuleNotFoundError:  # Colab and Kaggle
    # %pip install -q mlflow
    import mlflow

Path("runs/notebook06.db").unlink(missing_ok=True)
STORE = "sqlite:///runs/notebook06.db"
mlflow.set_tracking_uri(STORE)
experiment = mlflow.create_experiment("unet_tf", artifact_location="runs/mlflow_files")

# %% [markdown]
# `protocol.run` carries a recipe out: it trains, scores the test cars and writes pictures and a record. With `mlflow=`
# it also tracks. Run the guide's augmentation as written, then the corrected one. `search_runs` gives a table with a
# row per run and a column per setting and score. `test_dice` is hard, per image, at the images' own size; the baseline
# is the constant one of notebook 03.

# %% tags=["nbval-ignore-output"]
for variant in ("as written", "corrected"):
    tracked = protocol.get("guide_unet", variant, **SETTINGS)
    to = f"runs/{tracked.slug}"
    shutil.rmtree(to, ignore_errors=True)
    protocol.run(tracked, folder, seed=0, to=to, precision=policy, verbose=0, mlflow=STORE)
found = mlflow.search_runs([experiment], order_by=["params.variant"])
names = ["params.variant", "metrics.val_hard_dice", "metrics.test_dice", "metrics.test_baseline"]
found[names].round(4)

# %% [markdown]
# Do not read a winner off this table. It has one run of each, on two test cars, and you have seen what one pale car can
# do. Notebook 10 compares over seeds, with intervals.
#
# The run holds its model, too. Load it, predict, and compare with `best.keras`, which lies in the run's folder.

# %%
address = f"runs:/{found['run_id'].iloc[-1]}/model"
best = keras.saving.load_model("runs/guide_unet-corrected/best.keras")
again = mlflow.keras.load_model(address)
images = next(iter(pipeline.dataset(parts.test[:2], recipe.image_size)))[0].numpy()
differ = (again.predict(images) != best.predict(images)).sum()
print(f"of {math.prod(best.output_shape[1:]) * 2:,} probabilities {differ} differ")

# %% [markdown]
# Tables, curves and pictures stand side by side in the browser, on `http://127.0.0.1:5000`, if you start this in the
# folder of the notebook:
#
# ```
# python -m unet_tf ui --store sqlite:///runs/notebook06.db
# ```
#
# On Colab and Kaggle you cannot open that address: the server runs on their machine. `--tunnel` opens the pages on a
# public address through [ngrok](https://ngrok.com) (`pip install pyngrok`), and whoever knows it sees all your runs.
# The token for it comes from `NGROK_AUTHTOKEN` in the environment, or from the platform's secrets under that name. The
# guide pastes its token into a cell, and so shares it with every reader of the notebook.

# %% [markdown]
# ## What we saw
#
# - A U-Net with batch norm scored low on the validation cars and high on the training cars, in one training. It was not
#   overfitting, since predicted training images scored low, too: the moving statistics had not forgotten their start.
#   Momentum 0.9 mended it. What gap was left to the test cars was one pale car, found once it was darkened.
# - Image and mask must be moved by one draw: by Keras's layers with a dictionary, or by `augment`. A learning rate can
#   be too small by far, patience outlasts a tremble, and 16 bits cost digits or range.
# - A training was killed in the middle of an epoch, was resumed, and ended with the bits of one that was never
#   stopped. Two runs were kept in MLflow with their models, and one was loaded again.
#
# ## Exercises
#
# Each is an experiment: change one thing, run, compare, explain. [exercises/06](exercises/06.ipynb) has the code with
# gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. A momentum of 0.5 forgets faster still. Why not take it? Show a batch norm layer 1000 batches of 8 numbers with mean
#    5, once with 0.99, once with 0.9, once with 0.5. Compare how far its moving mean is from 5 after 30 steps, and how
#    much it still jumps during the last 500. What would larger batches change?
# 2. Early stopping on a noisy curve: take a dice that rises without a tremble, add noise, and stop it with
#    patiences of 1, 3, 5 and 10. How many of 200 trainings stop before they are within 0.01 of the top? What
#    does going from a patience of 5 to one of 10 cost, in epochs?
# 3. Why are weights kept in 32 bits? Take a weight of 1 and 100 steps of 0.001 downwards, in `float32`, `float16` and
#    `bfloat16`. Where does each end, and why does one of them not move at all? Then try steps of 0.01.
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [07 · Prediction and scores](07_prediction.ipynb).
