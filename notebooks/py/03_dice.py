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
# **You need** no data and no account: a car studio is rendered where Carvana is not at hand. A
# quarter of a minute on 2 CPU cores; on a GPU: not measured.
#
# No model is trained here. Every prediction is made by hand or from the masks themselves, so that
# each number has one cause. *The article* is "Image Segmentation: An In-Depth Guide" (Ed Izaguirre,
# 2023), whose models notebooks 04 and 05 build, and whose way of scoring you see beside the
# competition's.

# %% [markdown]
# ## Setup

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
figure, axes = plt.subplots(1, 3, figsize=(5.8, 2.2), dpi=100, layout="constrained")
for axis, (title, pixels) in zip(axes, panels.items(), strict=True):
    axis.imshow(pixels, extent=(0, 4, 4, 0))
    axis.set(xticks=range(5), yticks=range(5), xticklabels=[], yticklabels=[])
    axis.set_title(title, fontsize=9)
    axis.grid(color="0.7", linewidth=0.6)
    axis.tick_params(length=0)
plt.show()

# %% [markdown]
# Green is truth that was found, red is truth that was missed, blue is what the prediction adds; the
# prediction by itself is grey. These three colours mean the same in every notebook.
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
# Dice is 2/3 and IoU 1/2, for the same two masks. The last line holds always: each of the two
# scores gives you the other, dice is never the smaller one, and on a single image they put any two
# predictions in the same order. Compare a score with a published one only when both are dice, or
# both IoU.
#
# Now dice as a function. It counts in whole numbers, so that no rounding creeps in however large
# the mask is, and it insists on two masks of one shape.


# %% tags=["lifted"]
def dice(truth, prediction):
    """Hard dice of one image: 2 |truth and prediction| / (|truth| + |prediction|)."""
    truth, prediction = np.asarray(truth, bool), np.asarray(prediction, bool)
    if truth.shape != prediction.shape:
        raise ValueError(f"a mask of {truth.shape} cannot be scored with one of {prediction.shape}")
    total = int(truth.sum()) + int(prediction.sum())
    return 2 * int((truth & prediction).sum()) / total if total else 1.0


# %% [markdown]
# Look for 2/3 again. Elsewhere dice is known as F1, the harmonic mean of precision and recall, so
# scikit-learn computes both scores for you to compare with.

# %%
print(f"dice {dice(truth, prediction):.4f}")
print(f"F1   {f1_score(truth.ravel(), prediction.ravel()):.4f} (scikit-learn)")
print(f"IoU  {jaccard_score(truth.ravel(), prediction.ravel()):.4f} (scikit-learn)")

# %% [markdown]
# The same numbers, from another library. What is the check of shapes for? A mask `(4, 4)` against a
# prediction `(4, 4, 1)` is a common slip: NumPy would pair every row with every other without a
# word.

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
# Accuracy gives 0.80 for finding nothing: the background, which nobody asked for, scores for you.
# Dice and IoU leave out the pixels that are background in both masks, and give zero.

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
# that two empty masks score 1, and `dice` follows it (its `if total else 1.0`). Mind how steep that
# is: one wrong pixel in an empty frame takes the score from 1 to 0. Carvana has a car in every
# frame; on data with many empty frames, ask for the convention before you compare scores.

# %% [markdown]
# ## Soft and hard
#
# A network does not put out masks but probabilities. *Hard* dice applies a threshold first, usually
# 0.5, then counts pixels. *Soft* dice leaves the probabilities as they are and adds them up: a
# pixel of 0.6 counts as six tenths of a pixel.
#
# The soft one is what a loss needs, so it works on a batch `(B, H, W, 1)`. By default it sums over
# the axes of each image and returns one value an image.

# %% tags=["lifted"]
SMOOTH = 1e-5  # the article's 10e-6: no 0/0 for an empty mask, too small to move a score


def soft_dice(y_true, y_pred, axis=(1, 2, 3)):
    """2 |truth * probability| / (|truth| + |probability|), summed over `axis`."""
    # float32: a float16 sum over a 256x256 mask overflows, a bfloat16 one stops counting at 256.
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
# 0.6393 against 0.4706, though the two become the same mask at 0.5. See it with hard dice, in the form
# that Keras can use as a metric while it trains:


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

# %% [markdown]
# Both are 2/3, as counted by hand. So a soft score that rises may mean better masks, or the same
# masks with more confidence: it is no stand-in for the hard one, which is what the competition
# scores.
#
# Why soft dice at all, then? Ask TensorFlow for the gradient of the hard one.

# %%
probability = tf.constant(probabilities)
with tf.GradientTape() as tape:
    tape.watch(probability)
    value = hard_dice(batch_truth, probability)
print("gradient of hard dice:", tape.gradient(value, probability))

# %% [markdown]
# `None`: a threshold lets no gradient through, so hard dice cannot be trained on. Train on soft,
# score with hard.
#
# (`register_keras_serializable` writes the function down in Keras's register under a name, so that
# a saved model that uses it loads again without further help.)
#
# ### What the smoothing does
#
# `SMOOTH` stands above and below the fraction bar, so that 0/0 becomes 1. It has to be small. Look
# at an image with ten pixels of car, none of them found, and make it larger:

# %%
print(f"two empty masks: {float(soft_dice(empty[None, ..., None], empty[None, ..., None])[0]):.1f}")
for smooth in (SMOOTH, 1, 100):
    print(f"smooth {smooth:g}: ten pixels, all missed, score {(0 + smooth) / (10 + smooth):.6f}")
both_empty = keras.losses.Dice()(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1)))
print(f"keras.losses.Dice, two empty masks: loss {float(both_empty):.1f}, so dice 0.0")

# %% [markdown]
# With 1e-5 a miss is worth nothing; with 100 it scores 0.91. Smoothing that large rewards missing
# small things. Keras's own `Dice` smooths below the bar only: two empty masks give it a dice of 0,
# where the competition gives 1.

# %% [markdown]
# ## Per image and pooled
#
# A batch holds several images, and there are two ways to one number. *Per image*: a dice for each,
# then the mean. *Pooled*: the whole batch as one long mask, one dice. The article pools, as does
# much code that flattens `y_true` and `y_pred` first.
#
# Make two images: a large car, 840 pixels, found to the last one, and a small car, 10 pixels,
# missed. One image is perfect, the other a failure. What will the pooled score make of them? By
# hand it is 2 · 840 / (850 + 840).


# %%
def pooled_dice(truth, prediction):
    """Soft dice of the whole batch as one long mask."""
    return float(soft_dice(truth, prediction, axis=None))


cars = np.zeros((2, 40, 40, 1), "float32")
cars[0, 8:36, 5:35] = 1  # large: 28 x 30 = 840 pixels
cars[1, 10:12, 5:10] = 1  # small: 2 x 5 = 10 pixels
guess = cars.copy()
guess[1] = 0  # the small one is missed

figure, axes = plt.subplots(1, 2, figsize=(4, 2.1), dpi=100, layout="constrained")
for axis, mask, predicted in zip(axes, cars, guess, strict=True):
    axis.imshow(plot.overlay(np.full((40, 40, 3), 0.9), mask, predicted))
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"per-image dice {dice(mask, predicted):.3f}", fontsize=9)
plt.show()
print(f"per image {float(ops.mean(soft_dice(cars, guess))):.3f}")
print(f"pooled    {pooled_dice(cars, guess):.3f}")

# %% [markdown]
# Two frames, the large car found and the small one missed. Pooled, that is 0.994: the large car
# hides the small one. In the competition, and wherever each image matters as much as the next, the
# score is the mean over images: 0.500.
#
# Keras's loss pools too, unless you name the axes of an image:

# %%
for axis in (None, (1, 2, 3)):
    loss = keras.losses.Dice(axis=axis)(cars, guess)
    print(f"keras.losses.Dice(axis={axis}): loss {float(loss):.3f}")

# %% [markdown]
# ### The batch decides
#
# A pooled score of a data set is usually the mean over its batches. The function below does that.
# Take two large cars, found, and two small ones, missed, in two orders, and watch the score.


# %%
def over_batches(score, truth, prediction, batch_size):
    """The mean of a score over batches, each batch counting the same."""
    starts = range(0, len(truth), batch_size)
    batches = [slice(start, start + batch_size) for start in starts]
    return np.mean([score(truth[batch], prediction[batch]) for batch in batches])


for order in ([0, 0, 1, 1], [0, 1, 0, 1]):
    values = [over_batches(pooled_dice, cars[order], guess[order], size) for size in (1, 2, 4)]
    names = ", ".join(["large", "small"][i] for i in order)
    print(f"{names}: " + ", ".join(f"{value:.3f}" for value in values) + " in batches of 1, 2, 4")

# %% [markdown]
# The same four predictions, and anything from 0.500 to 0.994, by batch size and by order alone.
# With one image a batch nothing is pooled, and the score is right.
#
# ### The short last batch
#
# Averaging over batches has a flaw of its own, pooled or not. Five images in batches of four leave
# a last batch of one. Let the first four be perfect and the fifth be missed: the truth is 4/5.

# %%
five = np.repeat(truth[None, ..., None], 5, axis=0).astype("float32")
found_four = five.copy()
found_four[4] = 0


def batch_mean(y_true, y_pred):
    """Mean hard dice of a batch, a scalar."""
    return ops.mean(hard_dice(y_true, y_pred))


print(f"mean over images  {float(batch_mean(five, found_four)):.2f}")
print(f"mean over batches {over_batches(batch_mean, five, found_four, 4):.2f}")

# %% [markdown]
# 0.50: one image in the short batch weighs as much as four in the full one. Does Keras know better?
# Ask it, with a model that hands its input through, and with both kinds of metric: `batch_mean`
# returns a scalar for a batch, `hard_dice` one value an image.

# %%
inputs = keras.Input((4, 4, 1))
handing_through = keras.Model(inputs, keras.layers.Identity()(inputs))
handing_through.compile(loss="mse", metrics=[hard_dice, batch_mean])
result = handing_through.evaluate(found_four, five, batch_size=4, verbose=0, return_dict=True)
print(f"hard_dice  {result['hard_dice']:.2f}")
print(f"batch_mean {result['batch_mean']:.2f}")

# %% [markdown]
# Keras averages whatever values a metric function returns. One value an image makes it average over
# images, which is exact: 0.80. A scalar makes it average over batches: 0.50. That is why
# `hard_dice` returns `(B,)`.

# %% [markdown]
# ## The losses
#
# A loss is to be small where the score is good, so it is one minus dice. Two of the three below are
# that: per image, and pooled as in the article, the latter to reproduce it later and not to train
# your own model with.
#
# The third adds binary cross-entropy: the mean over pixels of -log p where there is car, and of
# -log(1 - p) where there is none. It is the default of this project; the reason comes next.


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
# The losses of an image give two values, the pooled one a single value for both images. Mind the
# last: though the confident prediction has the better dice, its sum is the larger, since
# cross-entropy charges dearly for being sure and wrong.
#
# ### Where the gradient vanishes
#
# A network ends in a *logit* for each pixel, and the sigmoid makes a probability of it: a logit of
# 0 is 0.5, one of -8 is 0.0003, one of 8 is 0.9997. Training moves the logits along the gradient.
# Set all 16 to one value and look for the pixel that is pulled hardest.


# %%
def pull(loss, logit):
    """The largest gradient among the pixels of the 4x4 truth, all at one logit."""
    logits = tf.fill((1, 4, 4, 1), float(logit))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(truth[None, ..., None], ops.sigmoid(logits))
    return float(tf.reduce_max(tf.abs(tape.gradient(value, logits))))


print("logit  dice_loss  bce_dice_loss")
for logit in (0, -4, -8, -12, -20):
    print(f"{logit:5d}  {pull(dice_loss, logit):9.0e}  {pull(bce_dice_loss, logit):13.0e}")

logits = np.linspace(-24, 16, 81)
figure, axis = plt.subplots(figsize=(5.8, 2.8), dpi=100, layout="constrained")
for loss, colour in ((bce_dice_loss, plot.TRUTH), (dice_loss, plot.MISSED)):
    pulls = [pull(loss, logit) for logit in logits]
    axis.semilogy(logits, pulls, color=colour, label=loss.__name__)
axis.axhline(1e-7, color="0.5", linestyle=":", label="Adam's epsilon in Keras")
axis.set(xlabel="logit of every pixel", ylabel="largest gradient", ylim=(1e-11, 3))
axis.legend(fontsize=8, loc="lower center")
plt.show()

# %% [markdown]
# The gradient that each loss leaves, by how far the logits are from zero, on a logarithmic scale.
#
# Where everything is predicted empty, on the left, or everything car, on the right, the gradient of
# dice falls with every step out, as fast as the sigmoid flattens. Cross-entropy's does not fall: a
# wrong pixel pulls with 1/16 here, one over the number of pixels, however sure the network is of
# it. (Keras looks up the logits behind a sigmoid, so its logarithm never meets a rounded zero.)
#
# Does a small gradient stop a training? Adam divides each gradient by its usual size, so a small
# one alone does not. But Adam adds *epsilon* to that size, 1e-7 in Keras, and below it steps shrink
# to nothing. Try it: give Adam the 16 logits, 150 steps, and three places to start from.


# %%
def rescued(loss, starts, steps=150):
    """Hard dice of logits that Adam has moved, an image for each start."""
    target = np.repeat(truth[None, ..., None], len(starts), axis=0)
    begin = np.ones_like(target) * np.reshape(starts, (-1, 1, 1, 1))
    logits = keras.Variable(begin, dtype="float32")
    adam = keras.optimizers.Adam(0.2)
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
# From -8 both losses find the car. From -20 and from 20 dice alone stays where it is: an empty
# mask, dice 0, or a full one, 12/22 = 0.55. With cross-entropy all three arrive. This is how a
# training with dice alone can collapse, to empty masks or to full ones: large steps throw the
# logits far out, and nothing brings them back. The next notebook comes back to it.
#
# ### Why the sums are float32
#
# On a GPU a network often computes in 16 bits. `soft_dice` casts before it sums, and this is why: a
# mask of 256x256 pixels, all car, and two ways of counting.

# %%
total = ops.sum(ops.ones((256, 256), "float16"))
print(f"float16:  {256 * 256} ones sum to {float(total)}")
count = ops.cast(256, "bfloat16")
print(f"bfloat16: 256 + 1 = {float(count + ops.cast(1, 'bfloat16')):.0f}")

# %% [markdown]
# float16 ends at 65504, so the sum is infinite and the loss is not a number. bfloat16 reaches far,
# but keeps eight binary digits: past 256 it cannot tell a number from the next.

# %% [markdown]
# ## One prediction, six scores
#
# Now real files. You need a prediction without a model, and there is a good one: the *constant
# baseline*. Average the training masks, threshold at 0.5, and predict that for every image, without
# looking at any. Cars stand in the middle of the frame, so it is not bad, and it is the score a
# model has to beat.
#
# Predictions are made at the model's size, 96x128, and the competition scores at the original one.
# So a probability has to be enlarged first. Bilinear, and before the threshold: a thresholded mask
# that is enlarged has stairs for edges.


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
# A ramp, and the threshold cuts it in the middle. Now the score over files, one image after
# another, and the baseline:


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
# The baseline, in short: the module's takes the best of this mask, of nothing, and of all of the
# image, for where objects are small and stand anywhere the mean mask is empty.
#
# Split by car, so that no car is on both sides. Every fifth training mask is enough for a mean, and
# since 5 and 16 share no factor, all 16 views of a car take part.


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
# That is the competition's score. For the others you need truth and prediction at the model's size.
# The mean mask is the probability, the same for every image. See how much of it is in doubt:


# %%
def small_masks(pairs):
    """The masks of `pairs` at 96x128, float32 `(N, 96, 128, 1)`."""
    masks = [data.resized(data.read_mask(path), (96, 128), "nearest") for _, path in pairs]
    return np.stack(masks)[..., None].astype("float32")


small = small_masks(parts.validation)
mean_mask = small_masks(train).mean(axis=0)
probability = np.repeat(mean_mask[None], len(small), axis=0)

image = data.resized(data.read_image(parts.validation[0].image), (96, 128))
panels = {
    "probability": np.repeat(mean_mask, 3, axis=2),
    f"over one {origin} image": plot.overlay(image, small[0], mean_mask >= 0.5),
}
figure, axes = plt.subplots(1, 2, figsize=(5.8, 2.5), dpi=100, layout="constrained")
for axis, (title, pixels) in zip(axes, panels.items(), strict=True):
    axis.imshow(pixels)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
plt.show()

# %% [markdown]
# Left the mean mask: white where every car is, grey where some are. Right its pixels of at least
# 0.5 over one validation image: where it meets the car, where it misses it, where it goes beyond.
#
# Six scores for this one prediction. Guess before you run it which is the highest and which the
# lowest.

# %%
hard = (probability >= 0.5).astype("float32")
per_image = ops.convert_to_numpy(hard_dice(small, probability))
scores = {
    "pixel accuracy": np.mean(hard == small),
    "hard dice, per image, original size": original.mean(),
    "hard dice, per image, 96x128": per_image.mean(),
    "hard dice, pooled, 96x128": pooled_dice(small, hard),
    "soft dice, pooled, 96x128, batches of 32": over_batches(pooled_dice, small, probability, 32),
    "IoU of the car, per image, 96x128": np.mean(per_image / (2 - per_image)),
}
for name, value in scores.items():
    print(f"{name:41} {value:.3f} ({origin})")

figure, axis = plt.subplots(figsize=(5.8, 2.4), dpi=100, layout="constrained")
colours = [plot.TRUTH if "original" in name else "0.7" for name in scores]
bars = axis.barh(list(scores), list(scores.values()), color=colours)
axis.bar_label(bars, fmt=" %.3f", fontsize=8)
axis.set(xlim=(0, 1.1), title=f"One prediction, six scores ({origin} data)")
axis.title.set_fontsize(9)
axis.tick_params(axis="y", labelsize=8)
axis.invert_yaxis()
plt.show()

# %% [markdown]
# The six scores as bars, the competition's in green. Nothing was trained, no image was looked at,
# and yet the number can be had in many sizes. The article's way is the one with batches of 32:
# soft, pooled, at the model's size. Here it is below the competition's, since a mean mask hesitates
# wherever cars differ; a network that is sure of itself loses less.

# %%
values = list(scores.values())
print("accuracy is the highest:", max(values) == scores["pixel accuracy"])
print("IoU is the lowest:", min(values) == scores["IoU of the car, per image, 96x128"])
print("they differ by more than 0.15:", max(values) - min(values) > 0.15)
article = scores["soft dice, pooled, 96x128, batches of 32"]
print("soft pooled is not the competition's:", abs(article - original.mean()) > 0.01)

# %% [markdown]
# So a score without its definition says little. In this project *dice* always comes with its words:
# per image or pooled, soft or hard, at the model's size or at the original one.

# %% [markdown]
# ## The ceiling of a resolution
#
# One question is left: what does a model lose by working at 96x128? Take the true masks, reduce
# them, enlarge them as in prediction, and score. Reduce by nearest, as in training; and by area,
# which gives a pixel on the edge the share of it that is car, as a probability should.


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
print("96x128 keeps more than 0.98:", min(kept) > 0.98)

# %% [markdown]
# A model that repeats its training masks exactly gets the column *nearest*: edges, antennas and
# mirrors cost it something, and the more the smaller it works. One whose probabilities say where
# within a pixel the edge runs gets the column *area*. Either way 96x128 keeps nearly all: a score
# far below has other reasons than the resolution.

# %% [markdown]
# ## What we saw
#
# - You worked out dice and IoU by hand. Dice is F1; soft dice can be trained on and hard dice is
#   scored; pooling lets a large car hide a small one, and batches must not be averaged.
# - You wrote `dice_loss`, `pooled_dice_loss` and `bce_dice_loss`, one value an image but for the
#   pooled one. Far from a logit of 0 the gradient of dice vanished, and cross-entropy's did not.
# - You scored one prediction in six ways, from pixel accuracy down to IoU. The competition's is the
#   mean over images of hard dice at original size.
#
# ## Exercises
#
# 1. Three images: 900 car pixels, all found; 90, of which 45 are found; 10, none found. Nothing is
#    extra. Compute the per-image and the pooled dice, on paper or with `dice`. A right answer gives
#    0.556 and 0.972.
# 2. Write `soft_iou(y_true, y_pred)` in one line from `soft_dice`, one value an image, by solving
#    dice = 2 IoU / (1 + IoU) for IoU. For the confident and the hesitant prediction a right answer
#    gives 0.4699 and 0.3077.
# 3. Is 0.5 the best threshold for dice? Score the mean mask at 96x128 with `hard_dice` at
#    thresholds from 0.2 to 0.7 in steps of 0.05. A right answer finds the best one between 0.25 and
#    0.45; on rendered data it gives 0.77, against 0.74 at 0.5.
#
# The next notebook trains the first model: [04 · The simple model](04_simple_model.ipynb).
