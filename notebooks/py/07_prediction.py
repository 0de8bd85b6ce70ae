# %% [markdown]
# # 07 · Prediction and scores
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/07_prediction.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/07_prediction.ipynb)
#
# **You will**
#
# - choose a threshold on the validation cars, average over mirror images, and see where tiles cannot help;
# - read every score off one set of predictions, the dice with an interval, and look at the worst images;
# - write run lengths by hand, then a whole submission that goes on after it was stopped.
#
# **You need** no data and no account: a car studio is rendered where Carvana is not at hand. About a minute on 2
# CPU cores that compute bfloat16, several times that on others; on a GPU: not measured.
#
# Between a trained model and a score that you can trust lie a few steps, and each of them can flatter you. You take
# them one by one here, with the U-Net of [notebook 05](05_unet.ipynb).

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
import itertools
from collections import Counter

import keras
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from keras import ops
from PIL import Image
from scipy import ndimage

from unet_tf import data, network, pipeline, plot, predict, run_lengths, scores
from unet_tf.data import resized_back
from unet_tf.network import hard_dice
from unet_tf.predict import probabilities
from unet_tf.rendered import is_rendered
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# On two CPU cores you train a U-Net with 16 filters in its first level. With a GPU, a T4 or better, set `FULL`
# to `True` for the 64 filters of the article in notebook 05.

# %%
FULL = False  # True: the article's size, for a GPU
BASE, IMAGES, EPOCHS, BATCH = (64, 1000, 16, 32) if FULL else (16, 320, 8, 16)
LEARNING_RATE = 3e-4 if FULL else 1e-3  # few steps, so larger ones
kind = "rendered" if is_rendered(folder) else "photographed"
print(f"{kind} cars: {IMAGES} images, {BASE} filters, {EPOCHS} epochs, batches of {BATCH}")

# %% [markdown]
# ## A model to score
#
# Data, split and training are those of notebook 05, in the small size with 8 epochs for its 5. No car is in two
# parts: you learn from the first part, choose by the second, and score the third. After each epoch a callback
# keeps what the model says of one validation batch.

# %%
parts = data.split(data.pair(folder)[:IMAGES], by="group", validation_size=0.2, test_size=0.2)
options = {"batch_size": BATCH, "cache": "memory"}
training = pipeline.dataset(parts.train, shuffle=True, augment=True, **options)
validation = pipeline.dataset(parts.validation, **options)
watched, truths = next(iter(validation))

# %% tags=["nbval-ignore-output"]
policy = set_precision()
model, said = network.unet(filters=[BASE * width for width in (1, 2, 4, 8, 16)]), []
adam = keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6)
keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: said.append(model(watched).numpy()))
settings = {"epochs": EPOCHS, "optimizer": adam, "callbacks": [keep], "verbose": 2}
history = fit(model, training, validation, **settings)

# %% [markdown]
# Does the first epoch have a `val_hard_dice` close to 0 on your machine, as if the network had found nothing?
# Hard dice counts the pixels whose probability is at least 0.5. Read the first two epochs and the last at lower
# thresholds, too, beside the constant baseline of notebook 03: the mean training mask cut at 0.5. (Cut lower it
# may score a little more, too.)

# %% tags=["nbval-ignore-output"]
cuts = (0.1, 0.2, 0.3, 0.5)
for epoch in (1, 2, EPOCHS):
    found = said[epoch - 1]
    car, wall = (found[truths.numpy() == label].mean() for label in (1, 0))
    shown = [
        f"{ops.mean(hard_dice(truths, found, threshold)):.2f} at {threshold}" for threshold in cuts
    ]
    print(f"epoch {epoch}: {car:.2f} on cars, {wall:.2f} elsewhere; dice", ", ".join(shown))
baseline = scores.constant_baseline(parts.train, parts.validation)
print(f"one mask for all images: dice {baseline.mean():.2f}")

# %% [markdown]
# In our run the first epoch does not show it: it is best at 0.5, and lower thresholds let the wall in. So make
# the extreme case yourself. Divide the trained network's probabilities by 3: none reaches 0.5 now, and each
# pixel of a car is still above each pixel of the wall that it was above before.

# %%
hesitant = said[-1] / 3
at_half, at_a_sixth = (float(ops.mean(hard_dice(truths, hesitant, cut))) for cut in (0.5, 1 / 6))
trained = float(ops.mean(hard_dice(truths, said[-1])))
print(f"divided by 3: dice {at_half:.2f} at 0.5")
print(f"at 1/6: {abs(at_a_sixth - trained):.2f} away from the dice before the division")

# %% [markdown]
# The same knowledge, and a score of 0. So a score near 0 in the first epochs may be a matter of the threshold: look at
# the probabilities before you look for a mistake. Do not read too much into a first epoch, though: compare the dice
# at its best threshold with the line of one mask for all images. Only roughly: that line is of all validation cars at
# their own size, the epochs of one batch at the model's.

# %% [markdown]
# From here on nothing is trained. You compute the probabilities of validation and test images once, and again
# only where the model is asked in another way: mirrored, in tiles, or at another size. Most of what you do with
# them is arithmetic.


# %%
def said_of(pairs, model=model, image_size=(96, 128), batch_size=BATCH):
    """What a model says of the images of `pairs`: float32 arrays `(h, w)`."""
    return list(probabilities(model, [image for image, _ in pairs], image_size, "area", batch_size))


def dices_of(pairs, found, threshold=0.5):
    """Per-image hard dice at original size, as in notebook 04: resized back, then cut."""
    sizes = [data.size_of(image) for image, _ in pairs]
    enlarged = (resized_back(*both) for both in zip(found, sizes, strict=True))
    return scores.per_image_dice(pairs, (probability >= threshold for probability in enlarged))


on_validation, on_test = said_of(parts.validation), said_of(parts.test)
print(f"{len(on_validation)} and {len(on_test)} probabilities of {on_test[0].shape}")

# %% tags=["hide-cell"]
print("validation dice above 0.85:", dices_of(parts.validation, on_validation).mean() > 0.85)

# %% [markdown]
# ## A threshold, and where to choose it
#
# A mask is all pixels whose probability is at least a threshold. Here are four pixels, the first two of them car.

# %%
truth = np.array([[1, 1, 0, 0]])
probability = np.array([[0.9, 0.4, 0.3, 0.1]])
for threshold in (0.20, 0.35, 0.50):
    mask = probability >= threshold
    print(f"{threshold:.2f}: mask {mask[0].astype(int)}, dice {scores.dice(truth, mask):.4f}")

# %% [markdown]
# Only 0.35 parts them. `scores.best_threshold` tries 19 thresholds, and returns the best one and the mean dice at each.
# Ask it on the validation cars. The test cars' curve is drawn beside it for this lesson alone: as a rule you never see
# it.

# %%
threshold, validation_curve = scores.best_threshold(parts.validation, on_validation)
_, test_curve = scores.best_threshold(parts.test, on_test)
figure, axis = plt.subplots(figsize=(7.2, 3), dpi=90, layout="constrained")
axis.plot(scores.THRESHOLDS, validation_curve, "o-", color=plot.TRUTH, label="validation cars")
axis.plot(scores.THRESHOLDS, test_curve, "s--", ms=4, color="0.6", label="test cars")
axis.axvline(threshold, color="black", linestyle=":", label="chosen on the validation cars")
axis.set(xlabel="threshold", ylabel="dice", title=f"Flat in the middle: dice by threshold, {kind}")
axis.legend()
plt.show()

# %% [markdown]
# Both curves are flat in the middle and fall at the ends. Their tops need not be at the same place. What if you choose
# on the test cars, then? Or on each of them, one at a time?

# %% tags=["nbval-ignore-output"]
honest = test_curve[scores.THRESHOLDS.index(threshold)]
by_car = {}
for pair, found in zip(parts.test, on_test, strict=True):
    by_car.setdefault(data.group_of(pair.image), []).append((pair, found))
tops = [scores.best_threshold(*zip(*car, strict=True))[1].max() for car in by_car.values()]
each = np.average(tops, weights=[len(car) for car in by_car.values()])
print(f"{kind} test cars, threshold chosen")
print(f"  on the validation cars: {honest:.4f} (threshold {threshold:.2f})")
print(f"  on all test cars:       {test_curve.max():.4f}")
print(f"  on each test car:       {each:.4f}")

# %% [markdown]
# The model is the same in all three lines, and so are its probabilities. Only the choice changes. The second
# line takes, out of 19, what these very images like best; the third takes it anew for each car. So the numbers
# can only go up, and what they gain comes from looking at the answers, which new cars do not bring along. The
# first line is a score, the other two are flattery. It is small here: you chose one number, and the curves are
# flat near their tops. Choose epoch, filters and learning rate like that, too, and it can add up.
#
# So from here on: **what is chosen is chosen on the validation cars.** Their own dice is flattered then: it
# serves for choosing, and is not reported. From here on the test cars are only reported: nothing more is chosen
# by them.
#
# ## The original size
#
# Notebook 04 said: first enlarge the probability, then cut. Here is what the other order does to one end of a
# car. (`np.s_[...]` keeps a slice, to be used more than once.)

# %%
pair, found = parts.validation[3], on_validation[3]
mask = data.read_mask(pair.mask)
height, width = mask.shape
stairs = np.asarray(Image.fromarray(found >= 0.5).resize((width, height), Image.Resampling.NEAREST))
smooth = resized_back(found, mask.shape) >= 0.5
rows, columns = np.nonzero(mask)
top, left = rows[columns.argmin()] - height // 6, columns.min() - width // 30
part = np.s_[max(0, top) : top + height // 4, max(0, left) : left + width // 4]


# %%
def outlined(axis, title, prediction, truth):
    axis.imshow(prediction, cmap="gray_r", vmax=2)
    axis.contour(truth, [0.5], colors="black", linewidths=1)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=10)


_, (left_axis, right_axis) = plt.subplots(1, 2, figsize=(7.4, 2.7), dpi=80, layout="constrained")
outlined(left_axis, "First cut, then enlarged: stairs", stairs[part], mask[part])
outlined(right_axis, "First enlarged, then cut: smooth", smooth[part], mask[part])
plt.show()

# %% [markdown]
# Grey is the prediction, the line is the true outline. On the left each pixel of the model is a block with
# corners. On the right the enlarged probability passes 0.5 between two pixels of the model: what steps are left
# are as small as the image's own pixels. Where the network is wrong about the edge, it stays wrong.
#
# ## Mirror images
#
# A car in the mirror is a car. A network that has not quite learned this gives two opinions, one of an image
# and one of its mirror image, and their mean may be better than either. The short version of `flipped` makes
# such a model of a model. (The module's can also flip vertically, for aerial images.) Try it on a "model" that
# knows its left from its right: it answers every pixel with the number of its column.


# %%
def flipped(model):
    """A model that averages its probabilities over an image and its mirror image."""

    def average(images, training=False):
        images = np.asarray(images)
        mirrored = np.flip(np.asarray(model(np.flip(images, axis=2)), "float32"), axis=2)
        return (np.asarray(model(images), "float32") + mirrored) / 2

    return average


def column(images, training=False):
    return np.broadcast_to(np.arange(4)[:, None], (*images.shape[:3], 1))


row = np.zeros((1, 1, 4, 3))
print("alone", column(row).ravel(), "flipped", flipped(column)(row).ravel())

# %% [markdown]
# In the mirror image, the pixel of column 0 stands in column 3. So it gets 0 alone and 3 in the mirror, and the
# mean is 1.5 for it and for all others: the mean knows no side. Now the U-Net. Two predictions per image take
# twice the time. Are they worth it? That is a choice, so ask the validation cars. (This section and the next
# cut at 0.5, all candidates alike. So the first number below is the curve above at 0.5, not at its top.)

# %% tags=["nbval-ignore-output"]
on_flipped = said_of(parts.validation, flipped(model))
alone = dices_of(parts.validation, on_validation).mean()
with_flips = dices_of(parts.validation, on_flipped).mean()
print(f"{kind} validation cars: {alone:.4f} alone, {with_flips:.4f} flipped")
image = np.float32([data.read_resized(parts.validation[0].image, (96, 128))[0]]) / 255
asked = {"alone": model, "flipped": flipped(model)}
apart = [np.abs(np.flip(ask(np.flip(image, 2)), 2) - ask(image)).max() for ask in asked.values()]
print(f"an image and its mirror image: up to {apart[0]:.2f} apart alone, {apart[1]:.4f} flipped")

# %% tags=["hide-cell"]
print(f"opinions of the flipped model: {apart[1]:.4f} apart; alone above 0.1: {apart[0] > 0.1}")
print("flips move the dice by less than 0.02:", abs(with_flips - alone) < 0.02)

# %% [markdown]
# Alone, the network gives some pixels of the mirror image another answer. Flipped, there is one opinion. But it moves the
# dice by little, at twice the time: the report below goes without.
#
# ## Tiles
#
# A large image can also go through a model in pieces of the size it was trained at. At the edge of a piece the
# network sees least of what is around. So pieces overlap, and where they do, their weighted mean counts. The
# weight is a pyramid: it falls from the middle of a tile to its edges, and stays above 0 even in the corners.
# Under the weights, the cell prints the blend of two tiles of width 4 over a width of 6. The first answers 0
# everywhere, the second 1.

# %%
slope = 1 - np.abs((np.arange(4) + 0.5) * 2 / 4 - 1)
print(f"in sixteenths:\n{(16 * np.outer(slope, slope)).astype(int)}")
first, second = np.pad(slope, (0, 2)), np.pad(slope, (2, 0))
print("blended:", (0 * first + 1 * second) / (first + second))

# %% [markdown]
# In the two columns that both tiles see, the answer goes from 0 to 1 by way of 1/4 and 3/4: no seam. `tiled`
# does this in two dimensions, and fills up images smaller than a tile. Its third argument, `overlap`, is the
# share of a tile that its neighbour covers too: one half, unless you give another. Test it on a model that
# looks at each pixel alone, a 1x1 convolution: it has to give the same in tiles as on the whole image.

# %%
from unet_tf.predict import tiled

whole = data.read_image(parts.validation[0].image)[None].astype("float32") / 255
pixelwise = keras.layers.Conv2D(1, 1, dtype="float32")
error = np.abs(tiled(pixelwise, (96, 128))(whole) - np.asarray(pixelwise(whole))).max()
print(f"in tiles and whole, the answers are {error:.4f} apart at most")

# %% [markdown]
# Now the U-Net in tiles of 96x128. It was trained on whole cars, reduced to that size. Give it the images at 96x128, so
# that one tile holds everything, then larger, and last at their own size. Beside it, the same network takes each of
# these images in one piece, which convolutions can do at any size. Guess first: which size is best, and which way?

# %% tags=["nbval-ignore-output"]
some, sizes = parts.validation[::12], ((96, 128), (144, 192), (192, 256), None)
anywhere = network.unet((None, None, 3), [BASE * width for width in (1, 2, 4, 8, 16)])
anywhere.set_weights(model.get_weights())  # the same network, for images of any size
in_tiles = [said_of(some, tiled(model), size, batch_size=1) for size in sizes]
in_one = [said_of(some, anywhere, size, batch_size=1) for size in sizes]
by_size, undivided = ([dices_of(some, f).mean() for f in found] for found in (in_tiles, in_one))
for size, tiles, one in zip(sizes, by_size, undivided, strict=True):
    print(f"{kind} cars at {size or 'their own size'}: {tiles:.4f} in tiles, {one:.4f} in one")

# %%
plain = dices_of(some, on_validation[::12]).mean()
print(f"one tile or none: the dice moves by {abs(by_size[0] - plain):.2f}")

# %% tags=["hide-cell"]
print("at their own size worse by more than 0.1:", by_size[-1] < plain - 0.1)

# %%
mask = data.read_mask(some[0].mask)
_, axes = plt.subplots(1, 3, figsize=(7.5, 1.95), dpi=80, layout="constrained")
for axis, i in zip(axes, (0, 2, 3), strict=True):
    title = "image at {}x{}".format(*(sizes[i] or mask.shape))
    outlined(axis, title, resized_back(in_tiles[i][0], mask.shape) >= 0.5, mask)
plt.show()

# %% [markdown]
# The car is the same and the tiles are the same. The size of the image differs (at its own size also the shape,
# a little: 2:3, not 3:4). Six images are few, but the fall is large. At its own size the car is several times
# as large as in training, and the model has never seen such a thing: it misses parts of the car and calls parts
# of the studio car. In one piece it scores nearly the same, or worse at the two larger sizes: the harm comes
# from the size and not from the tiles. Use tiles for a model that was trained on pieces of images at the
# images' own scale. For a model that was trained on resized images, resize.
#
# ## The outline
#
# Dice counts area, and most of a car is inside. The *boundary F1* counts outlines. Its precision is the share of the
# predicted edge that lies near the true one, its recall the share of the true edge that lies near the predicted one,
# and F1 is their harmonic mean. *Near* is a tolerance in pixels. SciPy's `binary_erosion` leaves of a mask the pixels
# whose four neighbours are all in it. The rest is the edge.


# %%
def edge(mask):
    """The pixels of a bool mask `(H, W)` with a neighbour outside the mask."""
    return mask & ~ndimage.binary_erosion(mask, border_value=1)


def boundary_f1(truth, prediction, tolerance):
    """F1 of the boundary pixels of two masks, each found within `tolerance` of the other's."""
    true, predicted = edge(truth), edge(prediction)
    precision = (predicted & scores.thickened(true, tolerance)).sum() / predicted.sum()
    recall = (true & scores.thickened(predicted, tolerance)).sum() / true.sum()
    return 2 * precision * recall / (precision + recall)


# %% [markdown]
# `thickened` makes an edge wider by the tolerance on every side. (The module's `boundary_f1` also checks for
# empty masks. `scores.report`, below, sets the tolerance: 0.2% of the image's diagonal, at least a pixel.) Take
# a square of 4x4, predicted one pixel too far to the right. By hand: dice 2 x 12 / (16 + 16) = 0.75; of 12 edge
# pixels 6 lie in both edges. Then larger squares with the same mistake.

# %%
for side in (4, 40, 400):
    square = np.pad(np.ones((side, side), bool), 2)
    shifted = np.roll(square, 1, axis=1)
    exact, near = (boundary_f1(square, shifted, tolerance) for tolerance in (0, 1))
    dice = scores.dice(square, shifted)
    print(f"{side:3}: dice {dice:.4f}, boundary F1 within 0 px {exact:.4f}, 1 px {near:.4f}")

# %% [markdown]
# The mistake is the same three times. The larger the square, the more dice forgives it. The boundary F1 does not; with
# a tolerance of one pixel it forgives all three.
#
# ## How sure is a mean?
#
# Other test cars would give another score. By how much? The *bootstrap* imitates another choice of cars: it
# draws as many cars as there are, with repeats, takes the mean of all their images, and does so 1,000 times.
# The interval holds the middle 95% of the means. Why draw cars, not images? Take two cars of 16 views each, one
# at 0.98 in every view, the other at 0.94. (With `weights` the function divides by their sum instead, for
# scores made of counts. You leave it out here.)


# %% tags=["lifted"]
def bootstrap_interval(values, groups, draws=1000, seed=0, weights=None):
    """The 95% interval of the mean of `values` under another draw of groups: `[low, high]`."""
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None
    sums, sizes = np.bincount(index, values), np.bincount(index, weights)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return np.percentile(means, (2.5, 97.5)).tolist()


# %%
values = np.repeat([0.98, 0.94], 16)
for name, groups in {"cars": np.repeat(["a", "b"], 16), "images": np.arange(32)}.items():
    low, high = bootstrap_interval(values, groups)
    print(f"drawing {name}: {low:.4f} to {high:.4f}")

# %% [markdown]
# By hand: two cars can be drawn as aa, ab, ba or bb, with the means 0.98, 0.96, 0.96 and 0.94, a quarter each. So the
# interval goes from 0.94 to 0.98. Drawing images pretends that you had seen 32 cars, and makes the interval less than
# half as wide.
#
# Does such an interval hold what it promises? Invent 500 tests of a model whose true mean is 0.95, with a few cars and
# with many, and count the intervals that hold it.

# %%
random = np.random.default_rng(0)
for cars in (4, 8, 16, 40):
    tests = random.normal(0.95, 0.03, (500, cars))
    intervals = [bootstrap_interval(test, np.arange(cars)) for test in tests]
    held = np.mean([low <= 0.95 <= high for low, high in intervals])
    print(f"{cars:2} cars: {held:.0%} of the intervals hold the true mean")

# %% [markdown]
# With 40 cars it is near the 95% of its name. With four it is too narrow: four cars show too little of how cars
# differ. So over few cars you know less than the interval says.
#
# ## The report
#
# Now the test cars come back, at the threshold that the validation cars chose. One set of predictions gives
# every score. The first line is the competition's, with its interval over cars; the second is what you get
# without looking at an image. Compare them first, then the first line with the last, the outline. (The interval
# is over four cars: you saw above what its 95% are worth then. Sensitivity is the share of the true car that is
# found, specificity the share of the true background that is left alone. On the right stands who scores so: a
# competition, data sets, papers, articles, a field such as medicine.)

# %% tags=["nbval-ignore-output"]
report = scores.report(parts.test, on_test, threshold)
baseline = scores.constant_baseline(parts.train, parts.test)
print(f"{kind} cars, {report['images']} images of {report['groups']} test cars")
display(Markdown(scores.table(report, baseline, every=True)))
means = {
    size: scores.report(parts.test, on_test, threshold, size)["mean_over_batches"]
    for size in (1, 16, 32, 60)
}
print("the ten worst, by car:", Counter(row["image"][:6] for row in report["worst"]))
print("mean over batches:", ", ".join(f"{mean:.4f} of {size}" for size, mean in means.items()))

# %%
print(f"apart from the first score of the threshold section: {abs(report['dice'] - honest):.4f}")
for how in ("area", "nearest"):
    small = [data.resized(255 * data.read_mask(m), (96, 128), how) / 255 for _, m in parts.test]
    print(f"boundary F1, truth by {how}: {scores.report(parts.test, small)['boundary_f1']:.4f}")

# %% tags=["hide-cell"]
print("above the baseline by 0.05 at least:", report["dice"] > baseline.mean() + 0.05)
print("boundary F1 below dice by 0.1 at least:", report["boundary_f1"] < report["dice"] - 0.1)

# %% [markdown]
# No line of the table is wrong, but each may only stand beside the same line of another model. Soft dice at the
# model's size is not hard dice at the images' own. Dice pooled over batches changes with the batch size, as the
# line `mean over batches` shows. A larger batch pools more images, which moves it a little here. A short last
# batch, which counts as a whole one, moves it more: of 64 images in batches of 60 the last 4 make up half of
# the mean.
#
# And the boundary F1 says what dice hides: much of the outline is off by more than the tolerance. Can masks of
# 96x128 not hold the outline? They can: the last two lines above are the boundary F1 of true masks, made that
# small and enlarged again. By area they keep nearly all of their outline: the grey levels at the edge tell
# where between two pixels it lies. The network was trained on masks reduced by nearest, which have no grey
# levels. Even these keep 0.92. What is missing below that, the network has not learned, or could not see in
# images that small.
#
# ## Which images?
#
# A high mean may stand for images that are all alike, or for a few disasters among better ones. First by view: the car
# stands on a turntable, and the report has the mean dice of each of the 16 angles.

# %%
dices, lowest = dices_of(parts.test, on_test, threshold), []
names = [image.name for image, _ in parts.test]
figure, axis = plt.subplots(figsize=(7.2, 3), dpi=90, layout="constrained")
for number, (view, mean) in enumerate(report["dice_by_view"].items()):
    cars = [i for i, name in enumerate(names) if name.endswith(f"_{view}.jpg")]
    lowest.append(names[min(cars, key=lambda i: dices[i])][:12])
    axis.plot([number] * len(cars), dices[cars], "o", ms=5, color="0.6")
    (ringed,) = (i for i in cars if names[i][:12] == report["worst"][0]["image"][:12])
    axis.plot(number, dices[ringed], "o", ms=10, mfc="none", color=plot.MISSED)
    axis.plot(number, mean, "_", ms=16, mew=3, color="black")
axis.set(xlabel="view", ylabel="dice", title="A dot per car, a bar for the mean of its view")
axis.set_xticks(range(len(report["dice_by_view"])), report["dice_by_view"])
plt.show()

# %% tags=["hide-cell"]
print("one car is the lowest dot of ten views or more:", max(Counter(lowest).values()) >= 10)

# %% [markdown]
# The ring is the car of the report's worst image: in our run it is the lowest dot of every view. It pulls all
# bars down, most of all where it is worst itself: the deepest dip, at view 10, speaks mostly of that car and
# little of the view. At view 01 the other three dots, too, are a little lower than at most views, so the bar
# may speak of the view as well; three cars are few to tell. (Below, two of these three have their worst image
# at view 01.) So look at the dots before you believe a bar.
#
# Then the pictures. Above stand the three worst images of the report, below the worst one of each of the three
# other cars, with the first six characters of the car's name, the view and the dice. The line is the
# prediction's outline.

# %%
worst = [names.index(row["image"]) for row in report["worst"][:3]]
of_car = {names[i][:12]: i for i in np.argsort(-dices)}  # the worst comes last, and stays
others = sorted(of_car.values(), key=lambda i: dices[i])[1:4]
figure, axes = plt.subplots(2, 3, figsize=(7.5, 3.8), dpi=80, layout="constrained")
for axis, i in zip(axes.flat, [*worst, *others], strict=True):
    image = data.read_image(parts.test[i].image)
    axis.imshow(image.mean(axis=-1), cmap="gray")
    for colour, width in (("white", 2.6), ("black", 1)):
        found = resized_back(on_test[i], image.shape[:2])
        axis.contour(found, [threshold], colors=colour, linewidths=width)
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{names[i][:6]} view {names[i][13:15]}: {dices[i]:.3f}", fontsize=9)
plt.show()

# %% [markdown]
# The worst car is pale, the one of notebook 06, and parts of its body are taken for the pale studio behind it.
# Mind the count below the report: ten worst images may be ten views of one car. That is one finding, not ten.
# One car so far below the others is what makes an interval over cars wide, and it is the next thing to look
# into.
#
# ## Run lengths
#
# The score is known. What is left is the form in which the competition takes masks: as text. For each run of car pixels
# it has the number of the first pixel, counted from 1 and row by row, and the length. Read them off by hand first. In
# code, the places
# where the flattened mask changes come to mind.

# %%
mask = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 1, 1]])
print(mask)
print("by hand: 1 2, 6 2, 15 2")
print("changes:", np.flatnonzero(np.diff(mask.ravel())) + 2)

# %% [markdown]
# Four changes for three runs: 3 and 8 *end* runs, 6 and 15 start them. (`diff` counts from 0 and names the
# pixel before a change. So 2 is added, to get the number of the pixel behind it, counted from 1.) A run that
# touches the first or the last pixel has no change there, and from then on starts and ends are confused. The
# remedy is a zero at either end:


# %% tags=["lifted"]
def encode(mask):
    """The run lengths of a mask `(H, W)`; any number but 0 is car."""
    flat = np.concatenate([[False], np.asarray(mask).ravel() != 0, [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges[1::2] -= edges[::2]
    return " ".join(map(str, edges.tolist()))


# %% [markdown]
# And back, in a short version. The module's also checks the text: numbers in pairs, runs in order and apart,
# all within the image. Its errors stand below.


# %%
def decode(text, size):
    flat, numbers = np.zeros(size[0] * size[1], "uint8"), [int(word) for word in text.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        flat[start - 1 : start - 1 + length] = 1
    return flat.reshape(size)


for each in (mask, mask | 1, mask * 0):
    print(f"{encode(each)!r}: {(decode(encode(each), mask.shape) != each).sum()} pixels differ")
for text in ("1 2 6", "6 2 1 2", "15 3"):
    try:
        run_lengths.decode(text, mask.shape)
    except ValueError as error:
        print(f"{text!r}: {error}")

# %% [markdown]
# Is this the competition's own encoding? Its training masks come twice, as pictures and as `train_masks.csv`. Encode
# the pictures and compare. (Only with Carvana's own files does this answer the question. The rendered studio's table was
# written by the module, so that it merely shows that the cell above agrees with the module.)

# %%
table = next(iter(sorted(folder.glob("train_masks.csv*"))), None)
theirs = dict(run_lengths.read(table)) if table else {}
names = [image.name for image, _ in parts.test]
ours = [encode(data.read_mask(mask)) for _, mask in parts.test]
equal = sum(theirs.get(name) == text for name, text in zip(names, ours, strict=True))
print(f"{equal} of {len(ours)} equal" if table else "no train_masks.csv lies beside these masks")

# %% [markdown]
# ### A submission that survives a stop
#
# Carvana has 100,064 images without masks, and a long run may be cut short. `predict.to_submission` writes each
# row to a partial file at once, below a line of settings, and turns that file into the submission at the end.
# (The cell first deletes what earlier runs of it left, every file in `runs` whose name begins with
# `submission`.) A Keras model has no name of its own there: `settings` gives it one, so that rows of another
# model can be told apart. It is a generator: each step is an image. Take half of the images, then close it, as
# an interruption would.

# %%
paths = (data.unlabelled(folder) or [image for image, _ in parts.test])[:64]
settings = {"model": "notebook 07"}
options = {"threshold": threshold, "image_size": (96, 128), "batch_size": 16}
for old in Path("runs").glob("submission*"):
    old.unlink()
running = predict.to_submission(model, paths, "runs/submission.csv", settings, **options)
done = list(itertools.islice(running, len(paths) // 2))
running.close()
kept = [path.name for path in Path("runs").glob("submission*")]
print(f"{len(done)} of {len(paths)} done, kept in {kept}")

# %% [markdown]
# Go on, by mistake with another setting first, then with the same ones. Last, predict all of them without a stop, and
# compare the files.

# %%
target, other = "runs/submission.csv", options | {"resize": "nearest"}
try:
    list(predict.to_submission(model, paths, target, settings, **other))
except ValueError as error:
    print(error)
unstopped = "runs/submission_unstopped.csv"
for place in (target, unstopped):
    list(predict.to_submission(model, paths, place, settings, **options))
files = [Path(place).read_text().splitlines() for place in (target, unstopped)]
differ = sum(one != other for one, other in zip(*files, strict=True))
print(f"{len(files[0])} lines, of which {differ} differ")

# %% [markdown]
# Nobody could explain a submission made half by one setting and half by another, so `to_submission` raises an error.
# The command line does the same, straight from the zip, and goes on when you repeat the command:
#
# ```
# python -m unet_tf predict MODEL data/carvana/test_hq.zip --rle submission.csv.gz
# ```
#
# ## What we saw
#
# - A dice of 0, made by dividing the probabilities by 3, was a matter of the threshold; the threshold was
#   chosen on the validation cars, mirror images were averaged, and a model that was trained on whole, reduced
#   images failed at their own size, in tiles or in one piece.
# - One set of predictions gave every score, and the dice an interval over cars. The outline and the worst
#   images said what the mean does not.
# - Run lengths came out equal to those in the table beside the masks (of rendered cars, our own module's), and
#   a stopped submission went on to the same lines.
#
# ## Exercises
#
# Each is an experiment: change one thing, run, compare, explain. [exercises/07](exercises/07.ipynb) has the code with
# gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. Is a network worse that is never sure? Blur a mask to get probabilities, then square them all, or take the square
#    root of all. Search the best threshold each time. Which of the best dice, the best threshold and the dice at 0.5
#    change, and why?
# 2. What does overlap buy, and what does it cost? Make a "model" that answers 1 in the middle of a tile and less
#    towards its edges, and let it predict an image in tiles with an overlap of 0, 0.25, 0.5 and 0.75. Compare the
#    lowest answer and the number of tiles.
# 3. You can photograph more cars, or more views of each. Invent cars whose dice differ by 0.03, and views that
#    differ by 0.01 within a car: draw both from normal distributions by `rng`, each view of each car anew, and
#    leave a dice above 1 as it is. How wide is the bootstrap's interval with 4, 16 and 64 cars of 16 views, and
#    with 16 cars of 1, 4 and 64 views?
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [08 · Buildings from the air](08_buildings.ipynb).
