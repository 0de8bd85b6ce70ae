# %% [markdown]
# # Solutions
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/solutions.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/solutions.ipynb)
#
# Every exercise of the notebooks, run. Try them yourself first, in [exercises/](exercises/01.ipynb), one notebook per
# chapter. `# yours` marks what is left open there.

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
import numpy as np
import tensorflow as tf

from unet_tf import data

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# ## Notebook 01
#
# **1.** Extract view 04 of every car from `train_hq.zip`, and nothing else: as many files as cars.

# %%
import shutil
import zipfile

from unet_tf import kaggle, rendered

zips = folder if (folder / "train_hq.zip").is_file() else rendered.write("cars")
with zipfile.ZipFile(zips / "train_hq.zip") as opened:
    names = [Path(name).name for name in opened.namelist()]
names = [name for name in names if name.endswith("_04.jpg")]  # yours
shutil.rmtree("runs/view_04", ignore_errors=True)
target = kaggle.extract(zips / "train_hq.zip", "runs/view_04", names=names)
print(f"{len(list(target.iterdir()))} files of view 04")

# %% [markdown]
# **2.** The views in which cars fill most and least of the frame, over `pairs[:640]`.

# %%
from collections import defaultdict

from unet_tf.data import read_mask

pairs, shares = data.pair(folder), defaultdict(list)
for image, mask in pairs[:640]:
    shares[image.stem[-2:]].append(read_mask(mask).mean())  # yours
views = sorted(shares, key=lambda view: np.mean(shares[view]))  # yours
most = [f"{view} ({np.mean(shares[view]):.3f})" for view in sorted(views[-2:])]
kind = "rendered" if rendered.is_rendered(folder) else "photographed"
print(f"{kind}: most in views {' and '.join(most)}")
print(f"{kind}: least in view {views[0]} ({np.mean(shares[views[0]]):.3f})")

# %% [markdown]
# **3.** The validation images of a split by image that have a direct neighbour, one view before or
# after, in training.

# %%
by_image = data.split(pairs[:1000], by="image")
trained = {image.stem for image, _ in by_image.train}


def neighbours(path):
    """The stems of the views before and after; 16 and 01 are neighbours."""
    car, view = path.stem.split("_")
    return {f"{car}_{other % 16 + 1:02d}" for other in (int(view) - 2, int(view))}  # yours


beside = sum(bool(neighbours(image) & trained) for image, _ in by_image.validation)  # yours
print(f"{kind}: {beside} of {len(by_image.validation)} have a direct neighbour in training")

# %% [markdown]
# ## Notebook 02
#
# 1. Resize 480 antennas, one in each column, to 128 columns: in how many rows is any antenna left, by nearest and by area?

# %%
from unet_tf.data import resized
from unet_tf.pipeline import dataset

antennas = 255 * np.eye(480, dtype="uint8")
for way in ("nearest", "area"):
    left = resized(antennas, (480, 128), way).any(axis=1).sum()  # yours
    print(f"{way}: {left} of 480 antennas are left")

# %% [markdown]
# Nearest reads 128 of the 480 columns; area reads all.
#
# 2. In 20 epochs, how many different sets of numbers does the first batch of 32 hold, with `shuffle` after `batch` and before it?

# %%
batches_shuffled = tf.data.Dataset.range(64).batch(32).shuffle(2)  # yours
numbers_shuffled = tf.data.Dataset.range(64).shuffle(64).batch(32)  # yours
for name, stream in {"after": batches_shuffled, "before": numbers_shuffled}.items():
    sets = {frozenset(next(iter(stream)).numpy().tolist()) for _ in range(20)}
    print(f"shuffle {name} batch: {len(sets)} different sets")

# %% [markdown]
# After `batch`, whole batches change places: the same 32 numbers stay together for ever.
#
# 3. How many of 16 augmented images differ between two epochs, with a cache behind the augmentation and without?

# %%
pairs = data.pair(data.find())
for name, cached in {"with": True, "without": False}.items():
    batches = dataset(pairs[:16], augment=True)
    batches = batches.cache() if cached else batches
    first, second = (np.concatenate([image for image, _ in batches]) for _ in range(2))
    differ = (first != second).any(axis=(1, 2, 3)).sum()  # yours
    print(f"{name} the cache behind it: {differ} of {len(first)} images differ")

# %% [markdown]
# ## Notebook 03

# %% [markdown]
# 1. A true mask, moved; the same mask at a quarter of its size, moved by as many pixels; and inverted.

# %%
from unet_tf.scores import dice

truth = data.read_mask(data.pair(folder)[0].mask)
small = data.resized(truth, (truth.shape[0] // 4, truth.shape[1] // 4), "nearest")
print("moved by  whole size  a quarter")
for pixels in (2, 5, 10):
    whole = dice(truth, np.roll(truth, pixels, axis=1))  # yours
    quarter = dice(small, np.roll(small, pixels, axis=1))  # yours
    print(f"{pixels:8}  {whole:10.2f}  {quarter:9.2f}")
inverted = 1 - truth  # yours
print(f"inverted: dice {dice(truth, inverted):.1f}, accuracy {np.mean(truth == inverted):.1f}")

# %% [markdown]
# What is lost lies along the outline. A quarter as large, the car has a sixteenth of the area and a quarter of the
# outline, so a pixel there weighs four times as much. Two small cars and one large car, outlined equally well, do not score
# the same. Inverted, not one pixel is right. A network that has learned nothing scores more than that. A dice near 0
# together with a low accuracy says that the masks mean the opposite of what you think.

# %% [markdown]
# 2. The mask stays the same, and the probabilities go away from 0.5.

# %%
from unet_tf.network import soft_dice


def soft_iou(y_true, y_pred):
    """Soft IoU of each image, `(B,)`."""
    return soft_dice(y_true, y_pred) / (2 - soft_dice(y_true, y_pred))  # yours


truth = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
prediction = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]])
for sure in (0.6, 0.8, 0.95, 0.999):
    probability = np.where(prediction, sure, 1 - sure)[None, ..., None]  # yours
    soft = float(soft_dice(truth[None, ..., None], probability)[0])
    iou = float(soft_iou(truth[None, ..., None], probability)[0])
    print(
        f"{sure:.3f}: dice {soft:.3f}, {soft / (2 / 3):.0%} of 2/3; IoU {iou:.3f}, {iou / 0.5:.0%} of 1/2"
    )

# %% [markdown]
# They go to the hard scores of this mask, 2/3 and 1/2. At 0.6 dice has 71% of
# that, IoU 62%: of the two, IoU loses more to hesitation.

# %% [markdown]
# 3. Is 0.5 the best threshold for dice? Once with one mean mask for all images, once with one for each view.

# %%
import matplotlib.pyplot as plt

from unet_tf.network import hard_dice


def small_masks(pairs):
    """The masks of `pairs` at 96x128, float32 `(N, 96, 128, 1)`."""
    masks = [data.resized(data.read_mask(path), (96, 128), "nearest") for _, path in pairs]
    return np.stack(masks)[..., None].astype("float32")


parts = data.split(data.pair(folder))
train, scored = small_masks(parts.train), small_masks(parts.validation)
views, asked = (np.array([p.image.stem[-2:] for p in part]) for part in parts[:2])
means = {
    "one mean mask": np.repeat(train.mean(axis=0)[None], len(scored), axis=0),
    "one for each view": np.stack([train[views == view].mean(axis=0) for view in asked]),  # yours
}

# %%
thresholds = np.linspace(0.2, 0.7, 11)
_, axis = plt.subplots(figsize=(7, 2.6), dpi=80, layout="constrained")
for name, probability in means.items():
    scores = [np.mean(hard_dice(scored, probability, threshold=t)) for t in thresholds]  # yours
    best = int(np.argmax(scores))
    print(f"{name}: {scores[best]:.2f} at {thresholds[best]:.2f}, {scores[6]:.2f} at 0.5")
    axis.plot(thresholds, scores, marker="o", label=name)
axis.set(xlabel="threshold", ylabel="per-image dice")
axis.legend()
plt.show()

# %% [markdown]
# A pixel with a probability below 0.5 is more likely background than not, and still dice gains by
# calling it car: a found pixel counts twice, an extra one once. In theory the best threshold is
# near half of the dice that it reaches, and the score is flat around it. So it rises with the dice, to 0.5 for a
# perfect prediction.

# %% [markdown]
# ## Notebook 04
#
# 1. The loss or the rate? The scores of a training differ from machine to machine, so the picture shows them, and what is
#    printed is what holds on each.

# %%
import matplotlib.pyplot as plt

from unet_tf.network import bce_dice_loss, dice_loss, hard_dice, simple_fcn
from unet_tf.pipeline import dataset

parts = data.split(data.pair(folder), by="group", validation_size=0.2, test_size=0.2)
validation = dataset(parts.validation[::2], (48, 64), cache="memory")


def trained(loss=bce_dice_loss, rate=0.001, images=160, epochs=5):
    """The validation dice of a small model, by epoch."""
    keras.utils.set_random_seed(42)
    batches = dataset(parts.train[:images], (48, 64), 16, shuffle=True, cache="memory")
    model = simple_fcn((48, 64, 3), filters=(16, 32, 64))
    model.compile(keras.optimizers.Adam(rate), loss, metrics=[hard_dice])  # yours
    run = model.fit(batches, validation_data=validation, epochs=epochs, shuffle=False, verbose=0)
    return run.history["val_hard_dice"]


def draw(runs):
    _, axis = plt.subplots(figsize=(7, 2.6), dpi=80, layout="constrained")
    for name, run in runs.items():
        axis.plot(np.linspace(1 / len(run), 1, len(run)), run, marker="o", label=name)
    axis.set(xlabel="share of the training", ylabel="validation dice", ylim=(0, 1))
    axis.legend()
    plt.show()


# %%
masks = np.concatenate([mask for _, mask in validation])
everything = float(np.mean(hard_dice(masks, np.ones_like(masks))))
runs = {
    "dice at 0.01": trained(dice_loss, 0.01),  # yours
    "dice at 0.001": trained(dice_loss, 0.001),
    "BCE + dice at 0.001": trained(bce_dice_loss, 0.001),
}
for name, run in runs.items():
    word = "learns" if run[-1] > everything + 0.1 else "no better than car everywhere"
    print(f"{name}: {word}")
print("first above 0.5:", max(runs, key=lambda name: sum(score > 0.5 for score in runs[name])))
draw(runs)

# %% [markdown]
# It takes both. At 0.001 dice alone learns, at 0.01 it is thrown to where its gradient is gone. At the start most of the
# probabilities are near 0.5, and the gradient of dice is a small one, shared by all pixels of the image. Cross-entropy
# pulls each pixel by itself from the first step on.
#
# 2. A fifth of the images, for as many epochs and for as many steps.

# %%
runs = {
    "all": trained(images=160, epochs=5),
    "a fifth, epochs": trained(images=32, epochs=5),
    "a fifth, steps": trained(images=32, epochs=25),  # yours
}
print(f"steps: {5 * 160 // 16}, {5 * 32 // 16} and {25 * 32 // 16}")
whole, epochs, steps = (run[-1] for run in runs.values())
print("the steps bring back more than half of what is lost:", steps - epochs > (whole - epochs) / 2)
draw(runs)

# %% [markdown]
# With a fifth of the images an epoch has a fifth of the steps. So the second training stopped early, and that is most of
# what it lost. A paper has to say which of the two it kept the same.
#
# 3. Three learning rates.

# %%
runs = {rate: trained(rate=rate) for rate in (0.00001, 0.001, 0.1)}  # yours
for rate, run in runs.items():
    print(f"{rate:.5f}: {'learns' if run[-1] > everything + 0.1 else 'does not learn'}")
draw(runs)

# %% [markdown]
# The smallest rate stays where it began: its weights have hardly moved, and more epochs help. The largest ended in the
# first epoch: all pixels get one answer, and stay there. More epochs do not help, a smaller rate does.

# %% [markdown]
# ## Notebook 05
#
# 1. The U-Net without its skips. The first convolution of a decoder level with width w sees 2w channels with the
#    skip and w without it: 3 x 3 x w x w weights fewer a level.

# %%
from unet_tf.network import unet

full = unet().count_params()
fewer = sum(3 * 3 * width * width for width in (64, 128, 256, 512))  # yours
print(f"{full:,} - {fewer:,} = {full - fewer:,}")

# %% [markdown]
# 2. Strided convolutions in place of max pooling: at each width w a kernel of 3 x 3 x w x w and w biases.

# %%
strided = unet(downsampling="strided_conv").count_params()
by_hand = sum(3 * 3 * width * width + width for width in (64, 128, 256, 512))  # yours
print(f"{strided - full:,} more, by hand {by_hand:,}")

# %% [markdown]
# 3. Half of the filters.

# %%
half = unet(filters=(32, 64, 128, 256, 512)).count_params()  # yours
print(f"{half:,} parameters, {half / full:.4f} of the article's")

# %% [markdown]
# ## Notebook 06
#
# 1. A bias in front of batch norm: one for each channel, and as many channels as moving means.

# %%
from unet_tf import protocol

guide = protocol.guide_unet((160, 240, 3), (64, 128, 256, 512, 1024))
means = [weight for weight in guide.weights if weight.path.endswith("moving_mean")]  # yours
print(f"{sum(weight.shape[0] for weight in means):,} parameters more")

# %% [markdown]
# 2. The share of the start that is left after n steps is the momentum to the power of n.

# %%
for momentum in (0.99, 0.9):
    steps = next(n for n in range(1, 1000) if momentum**n < 0.01)  # yours
    print(f"momentum {momentum:.2f}: {steps} steps")

# %% [markdown]
# 3. Cast every whole number and look for the first that comes back as another.

# %%
whole = np.arange(5000)
for dtype in ("bfloat16", "float16"):
    held = tf.cast(tf.cast(whole, dtype), "int64").numpy() == whole  # yours
    print(f"{dtype}: {whole[~held][0]:,} is the first that it cannot hold")

# %% [markdown]
# ## Notebook 07
#
# 1. The run lengths of 0111 / 1001 / 1100, by hand: flattened, 0111 1001 1100. Pixels 2 to 5 are car, and 8 to 10.

# %%
from unet_tf import run_lengths

mask = np.array([[0, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]])
print(run_lengths.encode(mask))  # yours

# %% [markdown]
# 2. A plus, and the same one pixel to the right. Of 9 pixels each 4 lie in both: dice 8/18. The middle is no edge, so
#    8 edge pixels each, of which 2 lie in both: F1 2/8.

# %%
from unet_tf.scores import bootstrap_interval, boundary_f1, dice

plus = np.zeros((7, 8), bool)
plus[3, 1:6] = plus[1:6, 3] = True
shifted = np.roll(plus, 1, axis=1)  # yours
print(f"dice {dice(plus, shifted):.4f}")
for tolerance in (0, 1):
    print(f"boundary F1 within {tolerance} px {boundary_f1(plus, shifted, tolerance):.4f}")

# %% [markdown]
# 3. Every draw of three cars, and the interval. The worst car is missing in 2 x 2 x 2 of them.

# %%
import itertools

values = (0.99, 0.98, 0.90)
draws = list(itertools.product(values, repeat=3))  # yours
print(f"{len(draws)} draws, {np.mean([0.90 in draw for draw in draws]):.4f} hold the worst car")
low, high = bootstrap_interval(np.repeat(values, 16), np.repeat(["a", "b", "c"], 16))
print(f"{1 / len(draws):.4f} are three times one car: from {low:.4f} to {high:.4f}")

# %% [markdown]
# ## Notebook 08
#
# 1. The places of a 256 crop in 1500 pixels: 1500 - 256 + 1 each way. A pixel in the middle may be any pixel of the
#    crop, the corner pixel only its corner.

# %%
each_way = 1500 - 256 + 1
first = np.arange(each_way)  # where a crop may begin
for name, pixel in (("middle", 750), ("corner", 0)):
    inside = int(((first <= pixel) & (pixel < first + 256)).sum())  # yours
    print(f"{name}: in {inside**2:,} of {each_way**2:,} places")

# %% [markdown]
# 2. 5% building, building IoU 0.66: missed and extra are m each, with (p - m) / (p + m) = 0.66. With nothing but
#    background 95 of 100 pixels are hits, and 105 the union.

# %%
share = 0.05
wrong = 2 * share * (1 - 0.66) / (1 + 0.66)  # yours
print(f"pooled {(1 - wrong) / (1 + wrong):.4f}, nothing but background {0.95 / 1.05:.4f}")

# %% [markdown]
# 3. Flips both ways and quarter turns of one picture, 4,000 times. Four corners in four different colours tell any
#    two of them apart. There are 2 x 2 x 4 = 16 equally likely draws, and each picture comes of two: mirrored both
#    ways is turned by 180 degrees.

# %%
from unet_tf.pipeline import augment

corners = np.repeat(np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1), 4000, axis=0)
amounts = {"vertical_flip": 0.5, "quarter_turn": 0.75, "rotation": 0.0, "contrast": 0.0}
_, drawn = augment(np.repeat(corners, 3, axis=3), corners, (0, 0), **amounts)
found, counts = np.unique(drawn.numpy().reshape(4000, 4).astype(int), axis=0, return_counts=True)
unchanged = counts[(found == [1, 2, 3, 4]).all(axis=1)][0] / 4000  # yours
print(f"{len(found)} pictures in {counts.sum():,} draws")
print(f"the unchanged one within 0.02 of {2 / 16:.3f}:", abs(unchanged - 2 / 16) < 0.02)

# %% [markdown]
# ## Notebook 09
#
# 1. Bilinear upsampling has no weights and keeps the channels; 2x2 transposed convolutions have weights and halve
#    them, and the bottom then has 1024.

# %%
from unet_tf import protocol
from unet_tf.network import unet

bilinear = protocol.multiclass_unet((128, 128, 3), (64, 128, 256, 512, 512), 2)
options = {
    "dropout": 0.0,
    "batch_norm": True,
    "upsampling": "transposed_2x2",
    "final_conv": False,
}  # yours
transposed = unet((128, 128, 3), num_classes=2, head="softmax", **options)
for name, network in {"bilinear": bilinear, "transposed": transposed}.items():
    print(f"{name}: {sum(weight.numpy().size for weight in network.trainable_weights):,} trainable")

# %% [markdown]
# 2. Class 0 has 4 hits, 8 pixels in its row and 4 in its column: 4/8. Class 1 has 8/8. Class 2 is absent.

# %%
from unet_tf.scores import scores_of

scored = scores_of([[4, 0, 4], [0, 8, 0], [0, 0, 0]])
as_zero = [iou or 0.0 for iou in scored["iou"]]  # yours
print(f"mean IoU {scored['mean_iou']:.4f}, with an absent class as 0 {np.mean(as_zero):.4f}")

# %% [markdown]
# 3. 252 pixels lose -log 0.99 each and 4 lose -log 0.01. With weights 1 and 63 the four weigh as much as the rest.

# %%
from unet_tf.network import class_dice_loss, cross_entropy

mask = np.zeros((1, 16, 16, 1))
mask[0, :2, :2] = 1  # yours
said = np.broadcast_to(np.array([0.99, 0.01], "float32"), (1, 16, 16, 2))
for name, loss in {
    "cross-entropy": cross_entropy(mask, said),
    "with weights": cross_entropy(mask, said, [1, 63]),
    "dice of classes": class_dice_loss(mask, said),
}.items():
    print(f"{name}: {float(loss[0]):.4f}")
by_hand = -(252 * np.log(0.99) + 4 * np.log(0.01)) / 256  # yours
print(f"the first by hand: {by_hand:.4f}")

# %% [markdown]
# ## Notebook 10
#
# 1. Five seeds of a base and of a change, invented: the 95% interval of the difference, paired and loose.

# %%
from scipy import stats

base, changed = [0.950, 0.958, 0.946, 0.961, 0.955], [0.953, 0.960, 0.951, 0.962, 0.959]
for before, after in zip(base, changed, strict=True):
    print(f"{before:.3f} -> {after:.3f}: {after - before:+.3f}")
differences = np.subtract(changed, base)
half = stats.t.ppf(0.975, 4) * np.std(differences, ddof=1) / 5**0.5  # yours
low, high = differences.mean() - half, differences.mean() + half
print(f"paired {differences.mean():+.4f} ({low:+.4f} to {high:+.4f})")
loose = stats.ttest_ind(changed, base).confidence_interval()
print(f"loose ({loose.low:+.4f} to {loose.high:+.4f})")

# %% [markdown]
# Paired, the interval lies above 0. Loose, 0 lies inside: what the seeds do to both hides the difference.
#
# 2. The fewest seeds with which half of the interval is below the difference.

# %%
spread, difference = 0.003, 0.002
halves = {n: stats.t.ppf(0.975, n - 1) * spread / n**0.5 for n in range(2, 31)}
fewest = min(n for n, half in halves.items() if half < difference)  # yours
print(f"spread {spread:.3f}, difference {difference:.3f}: {fewest} seeds")
print(
    f"half of the interval {halves[fewest]:.5f}, with {fewest - 1} seeds {halves[fewest - 1]:.5f}"
)

# %% [markdown]
# 3. A car is on one side only if all of its views are among the 800, or all among the 200. Of all ways to
#    choose 200 images of 1000, so many have none of the views, and so many have all of them:

# %%
from math import comb

for views in (16, 2):
    none, every = comb(1000 - views, 200), comb(1000 - views, 200 - views)  # yours
    print(f"{views} views: on both sides with {1 - (none + every) / comb(1000, 200):.3f}")

# %% [markdown]
# ## Notebook 11
#
# 1. A line of one pixel at half of its size: a share of a half a pixel, and a background that is as probable.

# %%
from collections import Counter

from unet_tf.plan import Found

line = np.zeros((96, 96), "uint8")
line[:, 48] = 1  # yours
one = Found(data.Labels.foreground(), {"all": 1}, Counter([(96, 96)]), {}, [line])
for share in (1.0, 0.5):
    print(f"{share:g} of the size: {one.kept(share):.0f}")

# %% [markdown]
# 2. Steps in ten minutes, of which 85% train, whatever the number of images.

# %%
print(f"{0.85 * 10 * 60 / 0.2:.0f} steps")  # yours

# %% [markdown]
# 3. Two empty masks have a dice of 1, so nothing as a prediction is right on nine of ten images.

# %%
print(f"{np.mean([1.0] * 9 + [0.0]):.1f}")  # yours
