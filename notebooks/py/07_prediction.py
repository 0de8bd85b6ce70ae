# %% [markdown]
# # 07 · Prediction and scores
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/07_prediction.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/07_prediction.ipynb)
#
# **You will**
#
# - choose a threshold on the validation cars, average over mirror images, and see when tiles help and when they harm;
# - write run lengths by hand, then a whole submission that goes on after it was stopped;
# - read every score off one set of predictions, with an interval, and look at the worst images.
#
# **You need** no data and no account: a car studio is rendered where Carvana is not at hand. About a
# minute on 2 CPU cores; on a GPU: not measured.
#
# The way from a trained model to a score that you can trust has a few steps, and each can flatter you. This notebook
# walks it once, with the U-Net of [notebook 05](05_unet.ipynb).

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
import itertools
from collections import Counter

import keras
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from PIL import Image

from unet_tf import data, network, pipeline, plot, predict, run_lengths, scores
from unet_tf.data import resized_back
from unet_tf.predict import probabilities
from unet_tf.rendered import is_rendered
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# On two CPU cores you train a U-Net with 16 filters in its first level; with a GPU, a T4 or better, set `FULL` to
# `True` for the article's 64.

# %%
FULL = False  # True: the article's size, for a GPU
BASE, IMAGES, EPOCHS, BATCH = (64, 1000, 16, 32) if FULL else (16, 320, 8, 16)
LEARNING_RATE = 3e-4 if FULL else 1e-3  # few steps need longer ones
kind = "rendered" if is_rendered(folder) else "photographed"
print(f"{kind} cars: {IMAGES} images, {BASE} filters, {EPOCHS} epochs, batches of {BATCH}")

# %% [markdown]
# ## A model to score
#
# Data, split and training are those of notebook 05. Three parts, no car in two of them: one to learn from, one to
# choose by, one to score.

# %%
parts = data.split(data.pair(folder)[:IMAGES], by="group", validation_size=0.2, test_size=0.2)
training = pipeline.dataset(
    parts.train, batch_size=BATCH, shuffle=True, augment=True, cache="memory"
)
validation = pipeline.dataset(parts.validation, batch_size=BATCH, cache="memory")

# %% tags=["nbval-ignore-output"]
policy = set_precision()
model = network.unet(filters=[BASE * width for width in (1, 2, 4, 8, 16)])
adam = keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6)
history = fit(model, training, validation, epochs=EPOCHS, optimizer=adam, verbose=2)

# %% [markdown]
# From here on nothing is trained. You compute each image's probabilities once; what you do with them is arithmetic,
# and a score of them needs no model.


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
print("validation dice above 0.85:", dices_of(parts.validation, on_validation).mean() > 0.85)

# %% [markdown]
# ## A threshold, and where to choose it
#
# A mask is all pixels whose probability is at least a threshold. Four pixels, the first two of them car: look for the
# threshold that parts them.

# %%
truth = np.array([[1, 1, 0, 0]])
probability = np.array([[0.9, 0.4, 0.3, 0.1]])
for threshold in (0.20, 0.35, 0.50):
    mask = probability >= threshold
    print(f"{threshold:.2f}: mask {mask[0].astype(int)}, dice {scores.dice(truth, mask):.4f}")

# %% [markdown]
# Dice is highest at 0.35, not at 0.5. `scores.best_threshold` does the same over files, for 19 thresholds: the mean
# dice of the images at each, and the best. Ask it on the validation cars. The test cars' curve stands beside it in
# grey, for this lesson alone: as a rule you never see it.

# %%
threshold, validation_curve = scores.best_threshold(parts.validation, on_validation)
_, test_curve = scores.best_threshold(parts.test, on_test)
figure, axis = plt.subplots(figsize=(5.8, 2.8), dpi=100, layout="constrained")
for curve, colour, label in (
    (validation_curve, plot.TRUTH, "validation"),
    (test_curve, "0.6", "test"),
):
    axis.plot(scores.THRESHOLDS, curve, "o-", ms=3, color=colour, label=f"{label} cars")
axis.axvline(threshold, color=plot.TRUTH, linestyle=":", label="chosen")
axis.set(xlabel="threshold", ylabel="per-image dice", title=f"{kind} cars")
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# Both curves are flat in the middle and fall at the ends, and their tops need not stand at the same place. What if
# you chose on the test cars, then? Or on each of them, one at a time?

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

# %%
print("chosen on the test cars, never lower:", test_curve.max() >= honest)
print("on each of them, never lower still:", each >= test_curve.max() - 1e-9)

# %% [markdown]
# The model is the same in all three lines, and so are its probabilities. Each choice picks, out of 19, the one that
# these very images like best, luck included, and the fewer they are, the more luck there is. On cars to come the luck
# is gone. The first line is a score; the other two are flattery. It is small here, because one number was chosen;
# choose epoch, filters and learning rate like that, and it adds up.
#
# So from here on: **what is chosen is chosen on the validation cars.** The test cars come back once, in the report.
#
# ## The original size
#
# Notebook 04 had it: first enlarge the probability, then cut. Look at what the other order does to an outline, at one
# end of a car.

# %%
pair, found = parts.validation[3], on_validation[3]
image, mask = data.read_image(pair.image), data.read_mask(pair.mask)
height, width = mask.shape
stairs = Image.fromarray(found >= 0.5).resize((width, height), Image.Resampling.NEAREST)
smooth = resized_back(found, mask.shape) >= 0.5

rows, columns = np.nonzero(mask)
top, left = rows[columns.argmin()] - height // 6, columns.min() - width // 30
part = np.s_[max(0, top) : top + height // 4, max(0, left) : left + width // 4]
shown = {"cut, then enlarged": np.asarray(stairs), "enlarged, then cut": smooth}
figure, axes = plt.subplots(1, 2, figsize=(4.2, 1.7), dpi=100, layout="constrained")
for axis, (title, prediction) in zip(axes, shown.items(), strict=True):
    axis.imshow(plot.overlay(image[part], mask[part], prediction[part]))
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
plt.show()

# %% [markdown]
# Green was found, red missed, blue is too much. On the left the outline goes in stairs, a step a pixel of the model;
# on the right the enlarged probability knows how far between two pixels the edge lies.
#
# ## Mirror images
#
# A car in the mirror is a car. A network that has learned this imperfectly gives two opinions, of an image and of its
# mirror image, and their mean may be better than either. `flipped` makes such a model of a model.

# %% tags=["lifted"]
AXES = {"vertical": 1, "horizontal": 2}


def flipped(model, flips=("horizontal",)):
    """A model that averages its probabilities over an image and its mirror images."""
    flips = (flips,) if isinstance(flips, str) else tuple(flips)
    if unknown := set(flips) - set(AXES):
        raise ValueError(f'flips are "horizontal" and "vertical", not {", ".join(unknown)}')
    choices = itertools.product(*[((), (AXES[flip],)) for flip in flips])
    mirrorings = [sum(choice, ()) for choice in choices]

    def average(images, training=False):
        images = np.asarray(images)
        turned = [
            np.flip(np.asarray(model(np.flip(images, axes), training=False), "float32"), axes)
            for axes in mirrorings
        ]
        return np.mean(turned, axis=0)

    return average


# %% [markdown]
# Try it on a "model" that knows its left from its right: it answers every pixel with the number of its column. In the
# mirror, and back, column 0 is answered 3. Look for the mean.


# %%
def column(images, training=False):
    return np.broadcast_to(np.arange(4)[:, None], (*images.shape[:3], 1))


row = np.zeros((1, 1, 4, 3))
print("alone", column(row).ravel(), "flipped", flipped(column)(row).ravel())

# %% [markdown]
# 1.5 everywhere: the mean of both knows no side. Now the U-Net. Is it worth twice the time? That is a choice,
# so ask the validation cars.

# %% tags=["nbval-ignore-output"]
on_flipped = said_of(parts.validation, flipped(model))
alone = dices_of(parts.validation, on_validation).mean()
with_flips = dices_of(parts.validation, on_flipped).mean()
print(f"{kind} validation cars: {alone:.4f} alone, {with_flips:.4f} flipped")

# %%
image = np.float32([data.read_resized(parts.validation[0].image, (96, 128))[0]]) / 255
for name, asked in {"alone": model, "flipped": flipped(model)}.items():
    back = np.flip(asked(np.flip(image, axis=2)), axis=2)
    same = np.allclose(back, asked(image), atol=1e-3)
    print(f"{name}: the mirror image gets the mirrored mask: {same}")
print("flips move the dice by less than 0.02:", abs(with_flips - alone) < 0.02)

# %% [markdown]
# The network alone has sides, the flipped one has none. The gain, if there is one, is small: training has shown it
# mirrored cars already. Vertical flips are there for aerial images; cars do not stand on their roofs.
#
# ## Tiles
#
# Large images can also go through a model in pieces of the size it was trained at. At the edge of a piece the network
# sees least of what is around, so pieces overlap, and where they do, the mean counts, with a weight that falls from
# the middle of a tile to its edges: a pyramid. Look for the least weight, in the corners: it is above 0. Then two
# tiles of width 4 over a width of 6; the first answers 0, the second 1.

# %%
slope = 1 - np.abs((np.arange(4) + 0.5) * 2 / 4 - 1)
print(f"in sixteenths:\n{(16 * np.outer(slope, slope)).astype(int)}")
first, second = np.pad(slope, (0, 2)), np.pad(slope, (2, 0))
print("blended:", (0 * first + 1 * second) / (first + second))

# %% [markdown]
# In the two columns that both tiles see, the answer goes over from 0 to 1 by way of 1/4 and 3/4: no seam. `tiled`
# does this in two dimensions, and fills up images smaller than a tile. A model that looks at each pixel alone, as a
# 1x1 convolution does, must then give the same in tiles as on the whole image.

# %%
from unet_tf.predict import tiled

whole = data.read_image(parts.validation[0].image)[None].astype("float32") / 255
pixelwise = keras.layers.Conv2D(1, 1, dtype="float32")
error = np.abs(tiled(pixelwise, (96, 128))(whole) - np.asarray(pixelwise(whole))).max()
print("the same in tiles, to five digits:", error < 1e-5)

# %% [markdown]
# Now the U-Net in tiles of 96x128. It was trained on whole cars, reduced to that size. Give it the images at 96x128,
# so that one tile holds everything, then larger, and last at their own size. What will happen?

# %% tags=["nbval-ignore-output"]
some, sizes = parts.validation[::12], ((96, 128), (144, 192), (192, 256), None)
in_tiles = [said_of(some, tiled(model), size, batch_size=1) for size in sizes]
by_size = [dices_of(some, found).mean() for found in in_tiles]
for size, dice in zip(sizes, by_size, strict=True):
    print(f"{kind} cars in tiles of 96x128, image at {size or 'its own size'}: {dice:.4f}")

# %%
plain = dices_of(some, on_validation[::12]).mean()
print("one tile is as good as none:", abs(by_size[0] - plain) < 0.005)
print("at their own size worse by more than 0.1:", by_size[-1] < plain - 0.1)

# %%
image, mask = data.read_image(some[0].image), data.read_mask(some[0].mask)
figure, axes = plt.subplots(1, 3, figsize=(4.6, 1.4), dpi=100, layout="constrained")
for axis, i in zip(axes, (0, 2, 3), strict=True):
    prediction = resized_back(in_tiles[i][0], mask.shape) >= 0.5
    axis.imshow(plot.overlay(image, mask, prediction))
    axis.set(xticks=[], yticks=[])
    size = "{}x{}".format(*sizes[i]) if sizes[i] else "its own size"
    axis.set_title(f"at {size}", fontsize=9)
plt.show()

# %% [markdown]
# The same car, the same tiles; only the size of the image differs. At 96x128 all is well, so the tiles are innocent.
# At its own size a tile holds a piece of door or of floor, several times as large as in training, and the model has
# never seen such a thing: parts of the car turn red, and parts of the studio blue. Tiles are for a model that was
# trained on pieces of images at the images' own scale, as is common with aerial images; for a model that was trained
# on resized images, resize.
#
# ## Run lengths
#
# The competition takes its masks as text: for each run of car pixels its first pixel and its length, counted from 1,
# row by row. Read them off by hand first. Then look at the places where the flattened mask changes, which is the way
# that comes to mind for code.

# %%
mask = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 1, 1]])
print(mask)
print("by hand: 1 2, 6 2, 15 2")
print("changes:", np.flatnonzero(np.diff(mask.ravel())) + 2)

# %% [markdown]
# Four changes for three runs: 3 and 8 *end* runs, 6 and 15 start them. A run that touches the first or the last pixel
# has no change there, and from then on starts and ends are confused. The remedy is a zero at either end:


# %% tags=["lifted"]
def encode(mask):
    """The run lengths of a mask `(H, W)`; any number but 0 is car."""
    flat = np.concatenate([[False], np.asarray(mask).ravel() != 0, [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges[1::2] -= edges[::2]
    return " ".join(map(str, edges.tolist()))


# %% [markdown]
# And back. Most of `decode` is refusing what is no mask of that size.


# %% tags=["lifted"]
def decode(text, size):
    """The mask, uint8 `(height, width)` in {0, 1}, of run lengths."""
    try:
        numbers = np.array(text.split(), dtype="int64")
    except (ValueError, OverflowError):
        raise ValueError(
            f"run lengths are numbers with spaces between, not {text[:40]!r}"
        ) from None
    height, width = size
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    if len(starts) != len(lengths):
        raise ValueError(f"{len(numbers)} numbers: run lengths are pairs of start and length")
    ends = starts + lengths
    if (lengths < 1).any() or (ends < starts).any() or (starts[1:] < ends[:-1]).any():
        raise ValueError("run lengths must be in order, of 1 or more, and must not overlap")
    if len(starts) and (starts[0] < 0 or max(starts[-1], ends[-1]) > height * width):
        raise ValueError(
            f"run lengths from pixel {starts[0] + 1} to {ends[-1]} leave an image of "
            f"{height}x{width}, whose pixels are 1 to {height * width}: is it of another size?"
        )
    steps = np.zeros(height * width + 1, "int8")  # +1 where a run starts, -1 behind its end
    steps[starts] += 1
    steps[ends] -= 1
    return np.cumsum(steps[:-1], dtype="int8").astype("uint8").reshape(height, width)


# %%
for text in (encode(mask), encode(mask | 1), encode(mask * 0), "1 2 6", "6 2 1 2", "15 3"):
    try:
        print(f"{text!r}: {decode(text, mask.shape).tolist()}")
    except ValueError as error:
        print(f"{text!r}: {error}")

# %% [markdown]
# A full mask is one run, an empty one an empty string, and text that fits no 4x4 mask is rejected, with the reason.
# Is this the competition's own encoding? Its training masks come twice, as pictures and as `train_masks.csv`. Encode
# the pictures and compare.

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
# Carvana has 100,064 images without masks, and a long run may be cut short. `predict.to_submission` writes each row
# to a partial file as soon as it has it, under a line of settings, and makes the submission of that at the end. It is
# a generator, an image a step. Take half of the images here, then close it, as an interruption would.

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
# Go on, first with other settings by mistake, then with the same ones; last, once more without a stop, to compare.

# %%
target, other = "runs/submission.csv", options | {"resize": "nearest"}
try:
    list(predict.to_submission(model, paths, target, settings, **other))
except ValueError as error:
    print(error)
unstopped = "runs/submission_unstopped.csv"
for place in (target, unstopped):
    list(predict.to_submission(model, paths, place, settings, **options))
same = Path(target).read_bytes() == Path(unstopped).read_bytes()
rows = dict(run_lengths.read(target))
print(f"{len(rows)} rows, the same bytes as without a stop: {same}")

# %% [markdown]
# A submission half by one setting and half by another would be a file that no one can explain: it is refused. The
# command line does the same, straight from the zip, and goes on when you repeat the command:
#
# ```
# python -m unet_tf predict MODEL data/carvana/test_hq.zip --rle submission.csv.gz
# ```
#
# ## The outline
#
# Two more ideas, then the report. Dice counts area, and a car is mostly inside. The *boundary F1* counts outlines:
# the share of the predicted edge that lies near the true one (precision), the share of the true edge that lies near
# the predicted one (recall), and F1, their harmonic mean. *Near* is a tolerance in pixels. SciPy's `binary_erosion`
# leaves of a mask what has all four neighbours in it (beyond the image, and beyond what `counts`, all is inside); the
# rest is the edge.


# %% tags=["lifted"]
def edge(mask, counts=True):
    """The pixels of a bool mask `(H, W)` with a neighbour outside the mask."""
    from scipy import ndimage

    return mask & ~ndimage.binary_erosion(mask | np.logical_not(counts), border_value=1)


def boundary_f1(truth, prediction, tolerance=None, counts=True):
    """F1 of the boundary pixels of two masks, each found within `tolerance` of the other's."""
    truth, prediction = np.asarray(truth, bool) & counts, np.asarray(prediction, bool) & counts
    if tolerance is None:
        tolerance = default_tolerance(truth.shape)
    true, predicted = edge(truth, counts), edge(prediction, counts)
    if not (true.any() and predicted.any()):
        return float(np.array_equal(truth, prediction))
    precision = np.count_nonzero(predicted & thickened(true, tolerance)) / predicted.sum()
    recall = np.count_nonzero(true & thickened(predicted, tolerance)) / true.sum()
    return float(2 * precision * recall / (precision + recall)) if precision else 0.0


# %% [markdown]
# `thickened` makes an edge wider by the tolerance on every side, and `default_tolerance` is 0.2% of the image's
# diagonal, at least a pixel. Take a square of 4x4, predicted one pixel too far to the right. By hand: dice 2 x 12 /
# (16 + 16) = 0.75; of 12 edge pixels 6 lie in both edges. Then larger squares, as much beside the mark.

# %%
from unet_tf.scores import default_tolerance, thickened

for side in (4, 40, 400):
    square = np.pad(np.ones((side, side), bool), 2)
    shifted = np.roll(square, 1, axis=1)
    exact, near = (boundary_f1(square, shifted, tolerance) for tolerance in (0, 1))
    dice = scores.dice(square, shifted)
    print(f"{side:3}: dice {dice:.4f}, boundary F1 within 0 px {exact:.4f}, 1 px {near:.4f}")

# %% [markdown]
# The mistake is the same three times. Dice forgives it more the larger the square, the boundary F1 does not; with a
# pixel's tolerance it forgives all three.
#
# ## How sure is a mean?
#
# Other test cars would give another score. The *bootstrap* imitates that: it draws as many cars as there are, with
# replacement, takes the mean of all their images, and repeats; the interval holds the middle 95% of the means. Why
# cars, not images? See for two cars of 16 views each, the one at 0.98 in every view, the other at 0.94.


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
# By hand: two cars can be drawn as aa, ab, ba or bb, with the means 0.98, 0.96, 0.96 and 0.94, a quarter each; so the
# interval goes from 0.94 to 0.98. Drawing images pretends that you had seen 32 cars, and claims to know the mean more
# than twice as well.
#
# ## The report
#
# One set of predictions, the test cars', at the threshold that the validation cars chose, and every score of it. Read
# the table from the top: the first line is the competition's score with its interval over cars, the second what you
# get without looking at an image.

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
print("the score of the threshold section:", np.isclose(report["dice"], honest))
print("above the baseline by 0.05 at least:", report["dice"] > baseline.mean() + 0.05)
print("boundary F1 below dice by 0.1 at least:", report["boundary_f1"] < report["dice"] - 0.1)
differ = len({f"{mean:.6f}" for mean in means.values()}) > 1
print("another batch size, another mean over batches:", differ)

# %% [markdown]
# No line of the table is wrong, but each may only stand beside the same line of another model. Several mistakes of
# tutorials need no other training to be seen, they are other ways to score: soft dice at the model's size in the
# place of hard dice at the images' own; dice pooled over batches, which changes with the batch size; a short last
# batch that counts as a whole one (of 64 images in batches of 60, the last 4 make up half of the mean). Here they
# stand side by side, read off the same predictions.
#
# And the boundary F1 says what dice hides: much of the outline is off by more than the tolerance, as it must be where
# a pixel of the model is several of the image.
#
# ## Which images?
#
# A high mean may be all images alike, or a few disasters among better ones. First by view: the car stands on a
# turntable, and the report has the mean dice of each of the 16 angles. Grey are the cars, green is their mean.

# %%
dices = dices_of(parts.test, on_test, threshold)
figure, axis = plt.subplots(figsize=(5.8, 2.8), dpi=100, layout="constrained")
for number, (view, mean) in enumerate(report["dice_by_view"].items()):
    cars = [d for d, name in zip(dices, names, strict=True) if name.endswith(f"_{view}.jpg")]
    axis.plot([number] * len(cars), cars, "o", ms=3, color="0.7")
    axis.plot(number, mean, "_", ms=14, mew=3, color=plot.TRUTH)
axis.set(xlabel="view", ylabel="per-image dice", title=f"{kind} test cars")
axis.set_xticks(range(len(report["dice_by_view"])), report["dice_by_view"])
plt.show()

# %% [markdown]
# Compare the spread of the grey cars within a view with the way that green goes from view to view: while the first is
# the larger, so few cars cannot tell which view is hard.
#
# Then the pictures, each with the first digits of its car, its view and its dice: above the three worst images of the
# report, below the worst one of each of three other cars.

# %%
worst = [names.index(row["image"]) for row in report["worst"][:3]]
of_car = {names[i][:12]: i for i in np.argsort(-dices)}  # the worst comes last, and stays
others = sorted(of_car.values(), key=lambda i: dices[i])[1:4]
figure, axes = plt.subplots(2, 3, figsize=(4.5, 2.7), dpi=100, layout="constrained")
figure.suptitle(f"{kind} test cars", fontsize=9)
for axis, i in zip(axes.flat, [*worst, *others], strict=True):
    image, mask = data.read_image(parts.test[i].image), data.read_mask(parts.test[i].mask)
    axis.imshow(plot.overlay(image, mask, resized_back(on_test[i], mask.shape) >= threshold))
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{names[i][:6]} {names[i][13:15]}: {dices[i]:.3f}", fontsize=8)
plt.show()

# %% [markdown]
# Look for red where a car has the colour of the wall behind it, and at the tyres, dark in their own shadow. Then at
# the digits above, and at the count below the report: ten worst images may be ten views of one car. That is one
# finding, not ten: this car makes the interval wide, and it is the next thing to look into.
#
# ## What we saw
#
# - The threshold was chosen on the validation cars, mirror images were averaged, and tiles harmed a model that was
#   trained on whole, reduced images.
# - Run lengths came out equal to the competition's, and a stopped submission went on to the same bytes.
# - One set of predictions gave every score, with an interval over cars; the outline and the worst images said what
#   the mean does not.
#
# ## Exercises
#
# Answers: [solutions](solutions.ipynb).
#
# 1. Write down the run lengths of the 3x4 mask 0111 / 1001 / 1100, then let `encode` check you. *2 4 8 3: a run goes
#    on over the end of a row.*
# 2. A plus, five pixels high and wide with lines of one pixel, is predicted one pixel too far to the right. Which
#    dice, and which boundary F1 within 0 and within 1 pixel? Mind its middle: none of the four neighbours is outside.
#    *0.4444; 0.2500 and 1.0000.*
# 3. Three test cars, 16 views each, score 0.99, 0.98 and 0.90. Which share of the bootstrap's 27 possible draws holds
#    the worst car, and what is the lower end of the 95% interval? *0.7037; 0.9000, since one draw in 27, more than
#    2.5%, is that car three times.*
#
# Next: [08 · Buildings from the air](08_buildings.ipynb).
