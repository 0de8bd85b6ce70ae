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
# 1. Three images: 900 car pixels, all found; 90, of which 45 are found; 10, none found; nothing is
#    extra. Compute the per-image and the pooled dice.

# %%
from unet_tf.scores import dice

masks = np.zeros((3, 1, 1000), int)
for mask, pixels in zip(masks, (900, 90, 10), strict=True):
    mask[:, :pixels] = 1
found = masks.copy()
found[1, :, 45:] = 0  # yours
found[2] = 0  # yours
per_image = [dice(mask, prediction) for mask, prediction in zip(masks, found, strict=True)]  # yours
print(f"per image (1 + 90/135 + 0) / 3 = {np.mean(per_image):.3f}")
print(f"pooled 2 * 945 / (1000 + 945)  = {dice(masks, found):.3f}")

# %% [markdown]
# 2. Write `soft_iou(y_true, y_pred)` in one line from `soft_dice`, one value an image, by solving
#    dice = 2 IoU / (1 + IoU) for IoU.

# %%
from unet_tf.network import soft_dice


def soft_iou(y_true, y_pred):
    """Soft IoU of each image, `(B,)`."""
    return soft_dice(y_true, y_pred) / (2 - soft_dice(y_true, y_pred))  # yours


truth = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
prediction = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]])
batch = np.stack([truth, truth])[..., None]
probability = np.stack([np.where(prediction, 0.95, 0.05), np.where(prediction, 0.6, 0.4)])
confident, hesitant = soft_iou(batch, probability[..., None])
print(f"confident {confident:.4f}, hesitant {hesitant:.4f}")

# %% [markdown]
# 3. Is 0.5 the best threshold for dice? Score the mean mask at 96x128 with `hard_dice` at
#    thresholds from 0.2 to 0.7 in steps of 0.05.

# %%
from unet_tf import data
from unet_tf.network import hard_dice


def small_masks(pairs):
    """The masks of `pairs` at 96x128, float32 `(N, 96, 128, 1)`."""
    masks = [data.resized(data.read_mask(path), (96, 128), "nearest") for _, path in pairs]
    return np.stack(masks)[..., None].astype("float32")


parts = data.split(data.pair(folder))
scored = small_masks(parts.validation)
probability = np.repeat(small_masks(parts.train[::5]).mean(axis=0)[None], len(scored), axis=0)
thresholds = np.linspace(0.2, 0.7, 11)
scores = [  # yours
    float(np.mean(hard_dice(scored, probability, threshold=threshold))) for threshold in thresholds
]
best = int(np.argmax(scores))
print("best threshold between 0.25 and 0.45:", 0.24 < thresholds[best] < 0.46)
print("above the score at 0.5:", scores[best] > scores[6])
origin = "rendered" if (folder / "rendered.json").exists() else "real"
print(f"per-image hard dice {scores[best]:.2f}, {scores[6]:.2f} at 0.5 ({origin})")

# %% [markdown]
# A pixel with a probability below 0.5 is more likely background than not, and still dice gains by
# calling it car: a found pixel counts twice, an extra one once. In theory the best threshold is
# near half of the dice that it reaches, and the score is flat around it.

# %% [markdown]
# ## Notebook 04
#
# 1. Parameters of `simple_fcn` with filters (32, 64, 128).

# %%
from unet_tf.network import simple_fcn

half = simple_fcn(filters=(32, 64, 128)).count_params()  # yours
print(f"{half:,} parameters, {half / simple_fcn().count_params():.4f} of the article's")

# %% [markdown]
# 2. The size to which `simple_fcn((100, 150, 3))` pads.

# %%
padded = simple_fcn((100, 150, 3), filters=(4, 4, 4)).get_layer("pad").output  # yours
print("{}x{}".format(*padded.shape[1:3]))

# %% [markdown]
# 3. Every pixel called car, where a fifth is car: dice 2 x 0.2 / (0.2 + 1), accuracy 0.2.

# %%
from unet_tf.scores import dice

truth = np.zeros((10, 10))
truth[:2] = 1
everything = np.ones((10, 10))  # yours
print(f"dice {dice(truth, everything):.4f}, accuracy {np.mean(truth == everything):.4f}")

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
# 1. Inside, one place of a crop in 1245 x 1245 reaches the corner: nearly never. Let crops begin up to 255 pixels
#    outside, and the corner is seen as often as the middle, which loses half. Beyond the rim there is padding. No
#    photograph looks like that, and training spends pixels on it: a price worth paying only if the rims matter to you.


# %%
def times_seen(crops, outside, size=1500, crop=256):
    """How often the middle and the corner of an image lie in a crop."""
    lowest, highest = -outside, size - crop + outside  # yours
    top, left = np.random.default_rng(0).integers(lowest, highest + 1, (2, crops))
    seen = {}
    for name, pixel in (("middle", size // 2), ("corner", 0)):
        inside = [(first <= pixel) & (pixel < first + crop) for first in (top, left)]
        seen[name] = int((inside[0] & inside[1]).sum())  # yours
    return seen


for outside in (0, 128, 255):
    seen = times_seen(100_000, outside)
    print(f"{outside:3} pixels outside: middle {seen['middle']}, corner {seen['corner']} times")

# %% [markdown]
# 2. Building IoU falls at once: a house of 10 pixels that is shifted by one keeps 90 of its 100 pixels, 90 / 110 = 0.82.
#    The pooled one stays high, since most of the background is still right. At twice the resolution the same shift in
#    pixels costs half as much: errors at the wall weigh less the larger the house.

# %%
from unet_tf.scores import confusion_matrix, scores_of

block = np.zeros((26, 26), int)
block[8:18, 8:18] = 1
town = np.tile(block, (10, 10))
print(f"{town.mean():.1%} building")
for name, truth in {
    "10x10 houses": town,
    "20x20 houses": np.kron(town, np.ones((2, 2), int)),
}.items():
    for shift in (1, 2, 4):
        guess = np.roll(truth, shift, axis=1)  # yours
        scored = scores_of(confusion_matrix(truth, guess, 2))  # yours
        building, pooled = scored["iou"][1], scored["pooled_iou"]
        print(f"{name}, shift {shift}: building IoU {building:.3f}, pooled {pooled:.3f}")

# %% [markdown]
# 3. Hard IoU does not move: the sign of a logit stays. Soft IoU only rises, up to the hard one, as if the network had
#    become better. Cross-entropy is lowest in between: sure and right costs little, sure and wrong costs more and more.
#    So no loss or soft score of a surer network proves a better mask.

# %%
rng = np.random.default_rng(0)
truth = rng.random(100_000) < 0.15
logits = rng.normal(np.where(truth, 1.0, -1.5), 1.0)
for scale in (0.5, 1, 2, 4, 8):
    chance = 1 / (1 + np.exp(-scale * logits))  # yours
    found, right = chance > 0.5, np.where(truth, chance, 1 - chance)
    hard = (truth & found).sum() / (truth | found).sum()
    overlap = (truth * chance).sum()
    soft = overlap / (truth.sum() + chance.sum() - overlap)  # yours
    print(
        f"times {scale}: hard {hard:.3f}, soft {soft:.3f}, cross-entropy {-np.log(right).mean():.3f}"
    )

# %% [markdown]
# ## Notebook 09
#
# 1. Plain cross-entropy is lowest near p = 4/256, and low: such a network says "background" everywhere and is content.
#    With weights the two classes together weigh the same, and p = 0.5 is best: the network cannot choose. The dice of
#    classes is also lowest near 4/256, but not low: it stays near a half, since one of two classes is missing.

# %%
from unet_tf.network import class_dice_loss, cross_entropy

mask = np.zeros((1, 16, 16, 1))
mask[0, :2, :2] = 1  # yours
chances = np.linspace(0.005, 0.995, 199)
losses = {"cross-entropy": [], "with weights": [], "dice of classes": []}
for p in chances:
    said = np.broadcast_to(np.array([1 - p, p], "float32"), (1, 16, 16, 2))  # yours
    losses["cross-entropy"].append(float(cross_entropy(mask, said)[0]))
    losses["with weights"].append(float(cross_entropy(mask, said, [1, 63])[0]))
    losses["dice of classes"].append(float(class_dice_loss(mask, said)[0]))
for name, values in losses.items():
    print(f"{name}: lowest, {min(values):.3f}, at p = {chances[np.argmin(values)]:.3f}")

# %% [markdown]
# 2. The prediction is the same each time, and the mean IoU climbs to 1: the errors lie along the borders, and there
#    void hides them. So a table must state how wide its void is, and how many pixels were scored.

# %%
from unet_tf.scores import confusion_matrix, scores_of


def squares(shift=0):
    """Nested squares of the classes 0, 1 and 2, moved to the right."""
    ids = np.zeros((64, 64), int)
    ids[12:52, 12 + shift : 52 + shift], ids[26:38, 26 + shift : 38 + shift] = 1, 2
    return ids


for width in (0, 1, 2, 3):
    truth, whole = squares(), squares()
    for step in range(-width, width + 1):
        for axis in (0, 1):
            truth[np.roll(whole, step, axis) != whole] = 255  # yours
    scored = scores_of(confusion_matrix(truth, squares(shift=3), 3))  # yours
    print(
        f"{width} void pixels: {(truth < 255).mean():.1%} scored, mean IoU {scored['mean_iou']:.3f}"
    )

# %% [markdown]
# 3. Summed counts do not move. The average does: in a small batch a tiny class 1 counts as much as a large one, and the
#    tiny ones are hit worst. Compare summed counts, or state the batch size too.

# %%
from unet_tf.scores import confusion_matrix, scores_of

rng, tables = np.random.default_rng(0), []
for side in rng.choice([3, 4, 16], 64, p=[0.4, 0.3, 0.3]):
    truth, guess = np.zeros((2, 32, 32), int)
    truth[8 : 8 + side, 8 : 8 + side] = 1
    guess[8 : 8 + side, 9 : 9 + side] = 1  # one pixel to the right
    tables.append(confusion_matrix(truth, guess, 2))
for size in (1, 4, 16, 64):
    batches = [sum(tables[start : start + size]) for start in range(0, 64, size)]
    averaged = np.mean([scores_of(batch)["iou"][1] for batch in batches])  # yours
    summed = scores_of(sum(batches))["iou"][1]  # yours
    print(f"batches of {size}: averaged {averaged:.3f}, summed {summed:.3f}")

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
