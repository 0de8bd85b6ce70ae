# %% [markdown]
# # 03 · The dice score
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/03_dice.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/03_dice.ipynb)
#
# **You will**
#
# - work out dice and IoU by hand, soft and hard, per image and pooled;
# - write the losses that the later notebooks train with, and see where their gradients vanish;
# - score one prediction in six ways, and know which of them is the competition's.
#
# **You need** no data and no account: without Carvana's photographs you work on rendered cars. A
# quarter of a minute on 2 CPU cores; on a GPU: not measured.
#
# You train no model here. You make every prediction by hand or from the masks, so that each number
# has one cause. *The article* is "Image Segmentation: An In-Depth Guide" (Ed Izaguirre, 2023).
# Notebooks 04 and 05 build its models; here you see its way of scoring beside the competition's.

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
from keras import ops
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score

from unet_tf import data, plot

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# ## Dice and IoU by hand
#
# Take a frame of 4x4 pixels. The car covers six of them, and the prediction is the same six, moved
# one pixel to the right. Count what was found, what was missed, and what is extra.

# %%
truth = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
prediction = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]])
found = int((truth & prediction).sum())
missed = int((truth > prediction).sum())
extra = int((prediction > truth).sum())
print(f"found {found}, missed {missed}, extra {extra}, of {truth.size} pixels")

# %%
panels = {
    "truth": plot.overlay(np.ones((4, 4, 3)), truth, truth),
    "prediction": np.where(prediction[..., None], 0.35, [1, 1, 1]),
    "found, missed, extra": plot.overlay(np.ones((4, 4, 3)), truth, prediction),
}
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.7), dpi=100, layout="constrained")
for axis, (title, pixels) in zip(axes, panels.items(), strict=True):
    axis.imshow(pixels, extent=(0, 4, 4, 0))
    axis.set(xticks=range(5), yticks=range(5), xticklabels=[], yticklabels=[])
    axis.set_title(title, fontsize=9)
    axis.grid(color="0.7", linewidth=0.6)
    axis.tick_params(length=0)
for place, word in ((0.5, "missed"), (2, "found"), (3.5, "extra")):
    axes[2].text(place, 2, word, ha="center", va="center", fontsize=8)
plt.show()

# %% [markdown]
# Green is truth that was found, red is truth that was missed, blue is what the prediction adds; the
# prediction by itself is dark grey. These three colours mean the same in every notebook.
#
# Two scores are made of the three counts. *Dice* is twice the overlap, divided by the size of both
# masks together: a found pixel stands in both, so it counts twice. *IoU*, intersection over union,
# is also called the Jaccard index: the overlap, divided by what either mask covers.
#
# $$\text{dice} = \frac{2 \cdot \text{found}}{2 \cdot \text{found} + \text{missed} + \text{extra}}
# \qquad \text{IoU} = \frac{\text{found}}{\text{found} + \text{missed} + \text{extra}}$$

# %%
areas, union = 2 * found + missed + extra, found + missed + extra
print(f"dice = {2 * found}/{areas} = {2 * found / areas:.4f}")
iou = found / union
print(f"IoU  = {found}/{union} = {iou:.4f}")
print(f"2 IoU / (1 + IoU) = {2 * iou / (1 + iou):.4f}")

# %% [markdown]
# Dice is 2/3 and IoU 1/2, for the same two masks. The formula in the last line holds for every pair of
# masks: from one score you can work out the other. For means over images it does not hold, as you
# will see at the end. So compare a score with a published one only when both are dice, or both IoU.
#
# Larger areas make it easier to see. `shifted` draws two squares of 8x8 pixels, the prediction
# `offset` pixels to the right of the truth. Try offsets of your own.


# %%
def shifted(axis, offset, side=8):
    """Truth and prediction, two squares, the prediction `offset` pixels to the right."""
    found = max(side - offset, 0) * side
    union = 2 * side**2 - found
    for left, width, look in (
        (offset, side - offset, {"hatch": "////", "facecolor": "0.85", "edgecolor": "0.45"}),
        (0, side, {"fill": False, "edgecolor": plot.TRUTH, "linewidth": 3}),
        (offset, side, {"fill": False, "edgecolor": plot.EXTRA, "linewidth": 3, "linestyle": "--"}),
    ):
        axis.add_patch(plt.Rectangle((left, 0), max(width, 0), side, **look))
    axis.set(xlim=(-1, 2 * side), ylim=(-1, side + 1), aspect="equal", xlabel=f"moved by {offset}")
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"dice {found / side**2:.3f}, IoU {found / union:.3f}", fontsize=10)


_, axes = plt.subplots(1, 3, figsize=(7.2, 2.1), dpi=100, layout="constrained")
for axis, offset in zip(axes, (1, 4, 7), strict=True):
    shifted(axis, offset)
plt.show()

# %% [markdown]
# The solid outline is the truth, the dashed one the prediction, and the hatched part is what both
# share. Dice divides twice the hatched part by the two squares added up; IoU divides it once by the
# area that they cover together. In the middle picture, half of each square is hatched: dice is 1/2, IoU 1/3.
# Both scores fall as the squares part, and IoU is the lower one as long as the match is partial.
#
# Now dice as a function. It counts in whole numbers, so a large mask brings no rounding error, and
# it requires two masks of one shape.


# %% tags=["lifted"]
def dice(truth, prediction):
    """Hard dice of one image: 2 |truth and prediction| / (|truth| + |prediction|)."""
    truth, prediction = np.asarray(truth, bool), np.asarray(prediction, bool)
    if truth.shape != prediction.shape:
        raise ValueError(f"a mask of {truth.shape} cannot be scored with one of {prediction.shape}")
    total = int(truth.sum()) + int(prediction.sum())
    return 2 * int((truth & prediction).sum()) / total if total else 1.0


# %% [markdown]
# Dice is also known as F1, the harmonic mean of precision, the share of the predicted car that is right, and
# recall, the share of the true car that is found. So scikit-learn can check both of your scores.

# %%
print(f"dice {dice(truth, prediction):.4f}")
print(f"F1   {f1_score(truth.ravel(), prediction.ravel()):.4f} (scikit-learn)")
print(f"IoU  {jaccard_score(truth.ravel(), prediction.ravel()):.4f} (scikit-learn)")

# %% [markdown]
# You get 2/3 and 1/2 again, from another library. Why check the shapes? It is easy to compare a mask
# `(4, 4)` with a prediction `(4, 4, 1)`. NumPy then compares each pixel of the prediction with a whole
# row of the truth, and raises no error.

# %%
print(f"NumPy broadcasts them to {(truth & prediction[..., None]).shape}")
try:
    dice(truth, prediction[..., None])
except ValueError as error:
    print(error)

# %% [markdown]
# ### Accuracy deceives
#
# Why not count the share of pixels that are right? Take a frame with 20% car, about what Carvana
# has, and predict that there is no car at all.

# %%
frame = np.zeros((10, 10), int)
frame[3:7, 2:7] = 1  # 20 of 100 pixels
nothing = np.zeros_like(frame)
print(f"accuracy {(frame == nothing).mean():.2f}, dice {dice(frame, nothing):.2f}")

# %% [markdown]
# Accuracy gives 0.80 for finding nothing, because 80 of 100 pixels are background. Dice and IoU
# leave out the pixels that are background in both masks, and give zero.

# %% [markdown]
# ## When both masks are empty
#
# A frame without a car, and a prediction without one: the prediction is right, and the formula says
# 0/0.

# %%
empty = np.zeros((4, 4), int)
try:
    2 * int((empty & empty).sum()) / (int(empty.sum()) + int(empty.sum()))
except ZeroDivisionError as error:
    print(f"0/0: {error}")
print(f"both empty {dice(empty, empty):.1f}, a pixel more {dice(empty, np.pad([[1]], (0, 3))):.1f}")

# %% [markdown]
# So a convention has to decide. The [Carvana
# competition](https://www.kaggle.com/c/carvana-image-masking-challenge/overview/evaluation) says
# that two empty masks score 1, and `dice` follows it (its `if total else 1.0`). This makes a cliff:
# one wrong pixel in an empty frame takes the score from 1 to 0. Carvana has a car in every frame. If
# your data has many empty frames, ask for the convention before you compare scores.

# %% [markdown]
# ## Soft and hard
#
# A network returns probabilities, not masks. *Hard* dice applies a threshold first, usually 0.5, and
# then counts pixels. *Soft* dice adds the probabilities up: a pixel of 0.6 counts as six tenths of
# a pixel.
#
# A loss needs the soft one, so `soft_dice` works on a batch `(B, H, W, 1)`. By default it sums over
# the axes of each image and returns one value per image.

# %% tags=["lifted"]
SMOOTH = 1e-5  # the article's 10e-6: no 0/0 for an empty mask, too small to move a score


def soft_dice(y_true, y_pred, axis=(1, 2, 3)):
    """2 |truth * probability| / (|truth| + |probability|), summed over `axis`."""
    # float32: a float16 sum over a 256x256 mask overflows, a bfloat16 one keeps 8 binary digits.
    y_true = ops.cast(y_true, "float32")
    y_pred = ops.cast(y_pred, "float32")
    overlap = ops.sum(y_true * y_pred, axis=axis)
    total = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return (2 * overlap + SMOOTH) / (total + SMOOTH)


# %% [markdown]
# Give it your 4x4 prediction twice: once from a confident network, 0.95 for car and 0.05 for
# background, once from a hesitant one, 0.6 and 0.4. By hand, for the confident one: the overlap is
# 4 · 0.95 + 2 · 0.05 = 3.9, the total 6 + 6 · 0.95 + 10 · 0.05 = 12.2.

# %%
batch_truth = np.stack([truth, truth])[..., None]  # (2, 4, 4, 1)
mask = prediction[..., None]
probabilities = np.stack([np.where(mask, 0.95, 0.05), np.where(mask, 0.6, 0.4)])
confident, hesitant = soft_dice(batch_truth, probabilities)
print(f"confident {confident:.4f}, by hand {2 * 3.9 / 12.2:.4f}")
print(f"hesitant  {hesitant:.4f}, by hand {2 * 3.2 / 13.6:.4f}")

# %% [markdown]
# 0.6393 against 0.4706, though a threshold of 0.5 makes the same mask of both. Hard dice shows that.
# Here it is in the form that Keras can use as a metric during training:


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
def hard_dice(y_true, y_pred, threshold=0.5):
    """Per-image hard dice at the model's size, float32 `(B,)`."""
    truth = ops.cast(ops.cast(y_true, "float32") >= 0.5, "float32")
    prediction = ops.cast(ops.cast(y_pred, "float32") >= threshold, "float32")
    overlap = ops.sum(truth * prediction, axis=(1, 2, 3))
    total = ops.sum(truth, axis=(1, 2, 3)) + ops.sum(prediction, axis=(1, 2, 3))
    dice = ops.where(total > 0, 2 * overlap / ops.maximum(total, 1.0), 1.0)
    return dice + 0 * ops.sum(ops.cast(y_pred, "float32"), axis=(1, 2, 3))


# %%
confident, hesitant = hard_dice(batch_truth, probabilities)
print(f"confident {confident:.4f}, hesitant {hesitant:.4f}")
print("broken:", hard_dice(batch_truth, np.nan * probabilities).numpy())

# %% [markdown]
# Both are 2/3, as counted by hand. So a soft score that rises may mean better masks, or the same
# masks with more confidence. The competition scores the hard one, and the soft one cannot replace
# it.
#
# What does the last line of `hard_dice` add, zero times the probabilities? It matters when a
# training breaks and its probabilities are NaN, as in the second line of output. A comparison with
# NaN is false, so without that line of code the broken network would count as one that finds no
# car, with a valid score. Zero times NaN is NaN, and the score says so.
#
# Why do you need soft dice at all? Training asks of each number in which direction, and how strongly,
# it changes the score: its *gradient*. `tf.GradientTape` writes down what is computed with a
# `tf.Variable` inside its `with`, and `tape.gradient` works back through it. Ask for the gradients of
# both scores.

# %%
probability = tf.Variable(probabilities)
for score in (hard_dice, soft_dice):
    with tf.GradientTape() as tape:
        value = score(batch_truth, probability)
    largest = np.abs(tape.gradient(value, probability)).max()
    print(f"{score.__name__}: the largest absolute gradient of 32 pixels is {largest:.4f}")

# %% [markdown]
# The gradient of hard dice is zero: move a probability a little, and it stays on the same side of the
# threshold. (TensorFlow does not work that out. It passes no gradient through `>=`, and would answer
# `None`; the zero that you see comes from the last line of `hard_dice`, zero times the probabilities.)
# Only exactly at the threshold does the score jump, and a jump has no gradient. A training on hard
# dice would never take a step. So train on soft dice, and score with hard dice.
#
# (`register_keras_serializable` registers the function with Keras under a name. A saved model that
# uses it then loads without `custom_objects`.)
#
# ### What the smoothing does
#
# `SMOOTH` stands above and below the fraction bar, so that 0/0 becomes 1. It should be small. Take
# an image with ten pixels of car and an empty prediction, and raise `SMOOTH`:

# %%
print(f"two empty masks: {float(soft_dice(empty[None, ..., None], empty[None, ..., None])[0]):.1f}")
for smooth in (SMOOTH, 1, 100):
    print(f"smooth {smooth:g}: ten pixels, all missed, score {(0 + smooth) / (10 + smooth):.6f}")
both_empty = float(keras.losses.Dice()(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1))))
print(f"keras.losses.Dice, two empty masks: loss {both_empty:.1f}, so dice {1 - both_empty:.1f}")

# %% [markdown]
# With 1e-5 a miss scores nothing; with 100 it scores 0.91. Such a large value rewards missing small
# things. Keras's own `Dice` smooths below the bar only: it gives two empty masks a dice of 0, and
# the competition gives them 1.

# %% [markdown]
# ## Per image and pooled
#
# A batch holds several images, and there are two ways to one number. *Per image*: a dice for each,
# then the mean. *Pooled*: the whole batch as one long mask, one dice. The article pools, and so does
# any code that flattens `y_true` and `y_pred` first.
#
# Make two images: a large car of 840 pixels, all found, and a small car of 10 pixels, missed. One
# prediction is perfect, the other a failure. By hand, the pooled dice is 2 · 840 / (850 + 840).
# Guess it before you run the cell.


# %%
def pooled_dice(truth, prediction):
    """Soft dice of the whole batch as one long mask."""
    return float(soft_dice(truth, prediction, axis=None))


cars = np.zeros((2, 40, 40, 1), "float32")
cars[0, 8:36, 5:35] = 1  # large: 28 x 30 = 840 pixels
cars[1, 10:12, 5:10] = 1  # small: 2 x 5 = 10 pixels
guess = cars.copy()
guess[1] = 0  # the small one is missed

figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), dpi=80, layout="constrained")
for axis, word, mask, predicted in zip(axes, ("found", "missed"), cars, guess, strict=True):
    axis.imshow(plot.overlay(np.full((40, 40, 3), 0.9), mask, predicted))
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{word}: per-image dice {dice(mask, predicted):.3f}", fontsize=11)
plt.show()
print(f"per image {float(ops.mean(soft_dice(cars, guess))):.3f}")
print(f"pooled    {pooled_dice(cars, guess):.3f}")

# %% [markdown]
# The large car is found (left) and the small one missed (right). Pooled, that is 0.994: the large car hides the
# small one. In the competition each image matters as much as the next, so the score is the mean over images:
# 0.500. (Where images are pieces of one large picture, it is right to add up their pixels: notebook 08 does so,
# and calls it *summed*.)
#
# Keras's loss pools too, unless you name the axes of an image:

# %%
for axis in (None, (1, 2, 3)):
    loss = keras.losses.Dice(axis=axis)(cars, guess)
    print(f"keras.losses.Dice(axis={axis}): loss {float(loss):.3f}")

# %% [markdown]
# ### The batch decides
#
# A pooled score of a data set is usually the mean over its batches. `over_batches` does that. Score
# two large cars, found, and two small ones, missed, in two orders. (`batch_mean` returns one number for
# a batch, too; the next section needs it.)


# %%
def over_batches(score, truth, prediction, batch_size):
    """The mean of a score over batches, each batch counting the same."""
    starts = range(0, len(truth), batch_size)
    batches = [slice(start, start + batch_size) for start in starts]
    return np.mean([score(truth[batch], prediction[batch]) for batch in batches])


def batch_mean(y_true, y_pred):
    """Mean hard dice of a batch, a scalar."""
    return ops.mean(hard_dice(y_true, y_pred))


for order in ([0, 0, 1, 1], [0, 1, 0, 1]):
    values = [over_batches(pooled_dice, cars[order], guess[order], size) for size in (1, 2, 4)]
    names = ", ".join(["large", "small"][i] for i in order)
    print(f"{names}: " + ", ".join(f"{value:.3f}" for value in values) + " in batches of 1, 2, 4")

# %% [markdown]
# The same four predictions score 0.500 or 0.994, depending on batch size and order.
# With one image per batch nothing is pooled, and the score is right.
#
# ### The short last batch
#
# Averaging over batches has a flaw of its own, pooled or not. Five images in batches of four leave
# a last batch of one. Let the first four be perfect and the fifth be missed: the truth is 4/5. What
# does the mean over batches say?
# %%
five = np.repeat(truth[None, ..., None], 5, axis=0).astype("float32")
found_four = five.copy()
found_four[4] = 0
print(f"mean over images  {float(batch_mean(five, found_four)):.2f}")
print(f"mean over batches {over_batches(batch_mean, five, found_four, 4):.2f}")

# %% [markdown]
# 0.50: one image in the short batch weighs as much as four in the full one. What does Keras do? Ask
# it, with a model that returns its input, and with both kinds of metric: `batch_mean` returns one
# number per batch, `hard_dice` one per image.

# %%
inputs = keras.Input((4, 4, 1))
handing_through = keras.Model(inputs, keras.layers.Identity()(inputs))
handing_through.compile(loss="mse", metrics=[hard_dice, batch_mean])
result = handing_through.evaluate(found_four, five, batch_size=4, verbose=0, return_dict=True)
print(f"hard_dice  {result['hard_dice']:.2f}")
print(f"batch_mean {result['batch_mean']:.2f}")

# %% [markdown]
# Keras averages the values that a metric function returns. With one value per image it averages over
# images, which is exact: 0.80. With one value per batch it averages over batches: 0.50. That is why
# `hard_dice` returns `(B,)`.

# %% [markdown]
# ## The losses
#
# A loss should be small where the score is good, so it is one minus dice. Two of the three losses
# below are that: one per image, one pooled as in the article. Use the pooled one to reproduce the
# article, not to train your own model.
#
# The third loss adds binary cross-entropy: the mean over pixels of -log p where there is car, and of
# -log(1 - p) where there is none. It is the default of this project; the next section says why.


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
def dice_loss(y_true, y_pred):
    """1 - soft dice of each image, `(B,)`."""
    return 1 - soft_dice(y_true, y_pred)


@keras.saving.register_keras_serializable("unet_tf")
def pooled_dice_loss(y_true, y_pred):
    """1 - soft dice of the whole batch as one long mask, a scalar."""
    return 1 - soft_dice(y_true, y_pred, axis=None)


@keras.saving.register_keras_serializable("unet_tf")
def bce_dice_loss(y_true, y_pred):
    """Mean binary cross-entropy + (1 - soft dice) of each image, `(B,)`."""
    y_true = ops.cast(y_true, "float32")
    y_pred = ops.cast(y_pred, "float32")
    # binary_crossentropy averages over the last axis, the channel: (B, H, W).
    cross_entropy = keras.losses.binary_crossentropy(y_true, y_pred)
    return ops.mean(cross_entropy, axis=(1, 2)) + dice_loss(y_true, y_pred)


# %% [markdown]
# Try them on the confident and the hesitant prediction. For the hesitant one by hand: 12 pixels are
# on the right side with 0.6, 4 on the wrong side with 0.4.

# %%
for loss in (dice_loss, pooled_dice_loss, bce_dice_loss):
    values = np.ravel(loss(batch_truth, probabilities))
    print(f"{loss.__name__:17}", ", ".join(f"{value:.4f}" for value in values))
cross_entropy = -(12 * np.log(0.6) + 4 * np.log(0.4)) / 16
print(f"hesitant, by hand  {cross_entropy + 1 - 6.4 / 13.6:.4f}")

# %% [markdown]
# The per-image losses give two values, the pooled one a single value for both images. In the last
# loss the confident prediction comes out worse, although its dice is better: cross-entropy punishes
# a network that is sure and wrong.
#
# ### Where the gradient vanishes
#
# A network ends in a *logit* for each pixel, and the sigmoid makes a probability of it: a logit of 0 is 0.5,
# one of -8 is 0.0003, one of 8 is 0.9997. Training moves the logits along the gradient. `pull` sets all 16
# logits to one value and returns the largest gradient among the pixels, without its sign (`tape.watch` has it
# taken with respect to a tensor that is no variable). The grey band is explained below the picture.


# %%
def pull(loss, logit):
    """The largest absolute gradient among the pixels of the 4x4 truth, all at one logit."""
    logits = tf.fill((1, 4, 4, 1), float(logit))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(truth[None, ..., None], ops.sigmoid(logits))
    return float(tf.reduce_max(tf.abs(tape.gradient(value, logits))))


logits = np.linspace(-24, 16, 81)
late, first = 1e-7, 1e-7 / np.sqrt(1 - 0.999)  # of Keras's Adam
_, axis = plt.subplots(figsize=(7.2, 3.2), dpi=80, layout="constrained")
for loss, style in ((bce_dice_loss, "-"), (dice_loss, "--")):
    pulls = [pull(loss, logit) for logit in logits]
    axis.semilogy(logits, pulls, style, color="k", linewidth=2, label=loss.__name__)
axis.axhspan(late, first, color="0.8", label=f"Adam's step is halved: {late:.0e} to {first:.1e}")
axis.set(xlabel="logit of every pixel", ylabel="largest absolute gradient", ylim=(1e-11, 3))
axis.set_title("Far from 0 dice has almost no gradient left, cross-entropy has", fontsize=10)
axis.legend(fontsize=9, loc="lower center")
plt.show()

# %% [markdown]
# The lines show the largest gradient of each loss, by logit, on a logarithmic scale. On the left
# everything is predicted empty, on the right everything car. At both ends the gradient of dice falls
# with every step out, as fast as the sigmoid flattens. The gradient of cross-entropy stays: a wrong
# pixel pulls with 1/16 here, one over the number of pixels, however sure the network is. (Keras
# finds the logits behind a sigmoid, so its logarithm never meets a rounded zero.)
#
# Does a small gradient stop a training? A small one alone does not. Adam, the *optimizer* that turns gradients
# into steps, divides each gradient by its usual size. But Adam adds *epsilon* to that size, 1e-7 in Keras.
# Where the gradient is as small as epsilon, steps are halved; far below it, they shrink to nothing. The grey
# band is the range of gradients whose steps are halved: in step 1 its top, later its bottom. (For the curious:
# the size is the root of a running mean that starts from zero and keeps 0.999 of itself per step, and Keras
# adds epsilon before it makes up for that start. So in step 1 a gradient of 3.2e-6 has its step halved, 32
# times epsilon.) A larger epsilon moves the band up. The main trainings of notebooks 04 to 07 and 12 take the
# article's 1e-6 all the same: they have cross-entropy in the loss, and its gradient does not vanish.
#
# Try it: give Adam the 16 logits, 150 steps, and three places to start from.


# %%
def rescued(loss, starts, steps=150):
    """Hard dice of logits that Adam has moved, an image for each start."""
    target = np.repeat(truth[None, ..., None], len(starts), axis=0)
    begin = np.ones_like(target) * np.reshape(starts, (-1, 1, 1, 1))
    logits = keras.Variable(begin, dtype="float32")
    adam = keras.optimizers.Adam(0.2)  # how far it goes in a step
    for _ in range(steps):
        with tf.GradientTape() as tape:
            value = ops.sum(loss(target, ops.sigmoid(logits)))
        adam.apply([tape.gradient(value, logits.value)], [logits])
    return ops.convert_to_numpy(hard_dice(target, ops.sigmoid(logits)))


print("from             -8,  -20,   20")
for loss in (dice_loss, bce_dice_loss):
    ends = rescued(loss, [-8.0, -20.0, 20.0])
    print(f"{loss.__name__:13}", ", ".join(f"{end:.2f}" for end in ends))

# %% [markdown]
# From -8 both losses find the car. From -20 and from 20 dice alone gets nowhere in these 150 steps: an
# empty mask, dice 0, or a full one, 12/22 = 0.55. From 20 not even a smaller epsilon would help: in
# float32 the sigmoid of 20 is exactly 1, so the gradient of dice is exactly 0. With cross-entropy all
# three arrive. This is how a training with dice alone can collapse, to empty masks or to full ones:
# large steps throw the logits far out, and what is left of the gradient is too small to bring them
# back in time. Notebook 04 shows it in a training.
#
# ### Why the sums are float32
#
# On a GPU a network often computes in 16 bits. `soft_dice` casts to float32 before it sums. See what
# the sums would be without the cast, of a mask of 256x256 pixels and of a small one with 1001.

# %%
for kind in ("float16", "bfloat16"):
    large, small = (float(ops.sum(ops.ones(count, kind))) for count in (256 * 256, 1001))
    print(f"{kind:8}: {256 * 256} ones sum to {large:.0f}, 1001 ones to {small:.0f}")
count = ops.cast(256, "bfloat16")
print(f"bfloat16, one by one: 256 + 1 = {float(count + ops.cast(1, 'bfloat16')):.0f}")

# %% [markdown]
# float16 ends at 65504, so the large sum is infinite, and infinity over infinity is NaN. bfloat16 has the
# range, but keeps eight binary digits: 1001 becomes 1000. TensorFlow adds up in more digits and
# rounds the result once. Where a program adds one by one, it stops at 256, since 256 + 1 is 256.

# %% [markdown]
# ## One prediction, six scores
#
# Now use real files. You need a prediction without a model: the *constant baseline*. Average the
# training masks, threshold at 0.5, and predict that for every image, without looking at any. Cars
# stand in the middle of the frame, so this does quite well. A model has to beat it.
#
# A model predicts at its own size, here 96x128, and the competition scores at the original size. So
# enlarge the probabilities first, bilinearly. Threshold after that: a mask enlarged after the
# threshold has stairs for edges.


# %% tags=["lifted"]
def resized_back(probability, size):
    """Float32 `(h, w)`, resized bilinearly to `size`, (height, width)."""
    height, width = size
    image = Image.fromarray(probability)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


# %% [markdown]
# Two pixels, background and car, enlarged to eight. The edge should fall in the middle:

# %%
wide = resized_back(np.array([[0, 1]], "float32"), (1, 8))
print("probability", ", ".join(f"{value:.3f}" for value in wide[0]))
print("mask       ", ", ".join(f"{value:5d}" for value in (wide[0] >= 0.5).astype(int)))

# %% [markdown]
# The result is a ramp, and the threshold cuts it in the middle. Next come the score over files, one
# image after another, and the mean mask:


# %% tags=["lifted"]
def per_image_dice(pairs, predictions):
    """The hard dice of every image at original size, float64 `(len(pairs),)`."""
    return np.array(
        [
            dice(data.read_mask(mask), prediction)
            for (_, mask), prediction in zip(pairs, predictions, strict=True)
        ]
    )


def mean_of(train, image_size):
    """The mean of the training masks at `image_size`, float32 `(h, w)` in [0, 1]."""
    mean = 0
    for _, path in train:
        mask = data.resized(data.read_mask(path), image_size, "nearest")
        mean = mean + mask.astype("float32") / len(train)
    return mean


# %% [markdown]
# With these two the baseline is short. Split by car, so that no car is on both sides. Every fifth training mask is enough for a mean.
# Since 5 and 16 share no factor, all 16 views take part.


# %%
def constant_baseline(train, scored, image_size=(96, 128)):
    """The per-image dice of a prediction that never looks at an image."""
    mean = mean_of(train, image_size)

    def predictions():
        for _, path in scored:
            mask = data.read_mask(path)
            yield resized_back(mean, mask.shape) >= 0.5

    return per_image_dice(scored, predictions())


parts = data.split(data.pair(folder))
train = parts.train[::5]
origin = "rendered" if (folder / "rendered.json").exists() else "real"
original = constant_baseline(train, parts.validation)
print(f"{origin} data, {len(train)} masks averaged, {len(original)} images scored")
print(f"per-image hard dice at original size: {original.mean():.3f}")

# %% [markdown]
# That is the competition's way to score. (The module's `constant_baseline` also tries an empty and a full mask,
# and takes the best of the three: where objects are small and stand anywhere, the mean mask, cut at 0.5, is
# empty.) For other scores you need truth and prediction at the model's size. The mean mask is the probability,
# the same for every image:


# %%
def small_masks(pairs):
    """The masks of `pairs` at 96x128, float32 `(N, 96, 128, 1)`."""
    masks = [data.resized(data.read_mask(path), (96, 128), "nearest") for _, path in pairs]
    return np.stack(masks)[..., None].astype("float32")


small = small_masks(parts.validation)
mean_mask = small_masks(train).mean(axis=0)
probability = np.repeat(mean_mask[None], len(small), axis=0)

# %%
image = data.resized(data.read_image(parts.validation[0].image), (96, 128))
pale = 0.6 + 0.4 * image / 255
figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.0), dpi=80, layout="constrained")
axes[0].imshow(mean_mask, cmap="gray")
axes[1].imshow(plot.overlay(pale, small[0], mean_mask >= 0.5))
for mask, style in ((small[0], "solid"), (mean_mask, "dashed")):
    axes[1].contour(mask[..., 0], [0.5], colors="black", linestyles=style, linewidths=1.5)
for axis, title in zip(axes, ("probability", f"over one {origin} image"), strict=True):
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
plt.show()

# %% [markdown]
# On the left is the mean mask: white where every car is, grey where only some are. On the right are its pixels
# of at least 0.5, dashed, over one validation image, whose car has the solid outline. Green is car that they
# cover, red is car that they miss, blue lies beyond the car.
#
# Now compute six scores for this one prediction. Guess first which is the highest and which is the
# lowest.

# %%
per_image = ops.convert_to_numpy(hard_dice(small, probability))
scores = {
    "pixel accuracy": np.mean((probability >= 0.5) == small),
    "hard dice, per image, original size": original.mean(),
    "hard dice, per image, 96x128": per_image.mean(),
    "hard dice, pooled, 96x128": pooled_dice(small, probability >= 0.5),
    "soft dice, pooled, 96x128, batches of 32": over_batches(pooled_dice, small, probability, 32),
    "IoU of the car, per image, 96x128": np.mean(per_image / (2 - per_image)),
}
for name, value in scores.items():
    print(f"{name:41} {value:.3f} ({origin})")
print(f"IoU made of the mean dice                 {per_image.mean() / (2 - per_image.mean()):.3f}")
figure, axis = plt.subplots(figsize=(7.2, 2.8), dpi=80, layout="constrained")
colours = [plot.TRUTH if "original" in name else "0.7" for name in scores]
axis.bar_label(axis.barh(list(scores), list(scores.values()), color=colours), fmt=" %.3f", size=8)
axis.set(xlim=(0, 1.1), title=f"One prediction, six scores ({origin} data)")
axis.tick_params(axis="y", labelsize=8)
axis.invert_yaxis()
plt.show()

# %% [markdown]
# The competition's score is the green bar, the darkest. Nothing was trained, and no image was looked
# at; still one prediction gets scores from 0.888, pixel accuracy, down to 0.598, IoU. Only the size
# makes no difference here, to three digits. The last section shows what it costs a better mask. The
# article's way is the one with batches of 32: soft, pooled, at the model's size. Here it is below the
# competition's score, mostly because a mean mask hesitates wherever cars differ. A network that is sure of
# itself loses less.
#
# The last line of numbers is the formula of the beginning, dice = 2 IoU / (1 + IoU), solved for IoU and
# applied to the mean dice: 0.591. The mean of the images' IoUs is 0.598. The formula holds for one pair
# of masks, not for means.
#
# So a score without its definition says little. When you report a dice, say all of it: per image or
# pooled, soft or hard, at the model's size or at the original one.

# %% [markdown]
# ## The ceiling of a resolution
#
# One question is left: how much does a model lose by working at 96x128? Take the true masks, reduce
# them, enlarge them as in prediction, and score. Reduce them by nearest, as in training, and by
# area. Area gives a pixel on the edge the share of it that is car, as a probability should.


# %% tags=["lifted"]
def ceiling(pairs, image_size, resize="area"):
    """Mean per-image dice at original size of true masks that went through `image_size`."""

    def predictions():
        for _, path in pairs:
            mask = data.read_mask(path)
            reduced = data.resized(255 * mask, image_size, resize) / np.float32(255)
            yield resized_back(reduced, mask.shape) >= 0.5

    return per_image_dice(pairs, predictions()).mean()


# %%
print(f"{origin} data  nearest  area")
for size in ((24, 32), (48, 64), (96, 128)):
    kept = [ceiling(parts.validation, size, resize) for resize in ("nearest", "area")]
    print(f"{size[0]:7}x{size[1]:<3}  {kept[0]:9.3f}  {kept[1]:.3f}")

# %% [markdown]
# A model that answers each image with its own mask, reduced as in training, reaches the column *nearest*: it
# loses a little, mostly, one would guess, at edges, antennas and mirrors, and more at smaller sizes. A model
# whose probabilities say where within a pixel the edge runs reaches the column *area*. (That is a mark to
# measure by, not quite a bound: probabilities that are fitted to the way back can come back a little better.
# Sharper ones alone do not.) Either way masks of 96x128 keep nearly all of the score: a model that stays far
# below has another problem than the size of its mask. (Its photographs are smaller, too; what that costs does
# not stand in this table.)

# %% [markdown]
# ## What we saw
#
# - You worked out dice and IoU by hand. Dice is F1. You train on soft dice and score with hard dice,
#   whose gradient is zero. Pooling let a large car hide a small one, and the mean over
#   batches depended on their size and order.
# - You wrote `dice_loss` and `bce_dice_loss`, one value per image, and `pooled_dice_loss`, one per
#   batch. Far from a logit of 0 the gradient of dice vanished, and that of cross-entropy stayed.
# - You scored one prediction in six ways, from pixel accuracy down to IoU. The competition's score is
#   the mean over images of hard dice at original size.
#
# ## Exercises
#
# Three experiments: guess, change one thing, run, and explain what you see. [exercises/03](exercises/03.ipynb) has the
# code with gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. Break a mask. Move a true mask to the right by 2, 5 and 10 pixels (`np.roll(..., axis=1)`; this car stays
#    clear of the edge) and score it against itself. Then do the same with the mask reduced to a quarter of its
#    height and width, moved by as many pixels. Which of the two loses more, and why? Last, invert the mask.
#    Which dice do you expect, and which pixel accuracy? What would you suspect if your own training scored
#    that?
# 2. Write `soft_iou(y_true, y_pred)` in one line from `soft_dice`, one value per image: solve dice = 2 IoU / (1
#    + IoU) for IoU. Then make the 4x4 prediction of the chapter more and more confident, from 0.6 for car and
#    0.4 for background to 0.999 and 0.001, while its mask stays the same. Soft dice goes to 2/3 and soft IoU to
#    1/2: which scores of this mask are these two numbers? Which of the two loses more to hesitation?
# 3. Is 0.5 the best threshold for dice? Score the mean mask at 96x128 with `hard_dice` at thresholds from 0.2 to 0.7 in
#    steps of 0.05. Then change the prediction: take the mean mask of the image's own view, so that the masks behind it
#    agree better. Which way does the best threshold move, and how does it go with the dice that you reach?
#
# Test yourself: [five questions](questions.md), with their answers.
#
# The next notebook trains the first model: [04 · The simple model](04_simple_model.ipynb).
