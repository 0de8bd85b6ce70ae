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
# 1. A layer that forgets fast arrives soon and never rests. With 0.5, half of what it remembers comes from one batch of
#    8 numbers: it jumps four times as far as with 0.99, and what it is short of after 30 steps is such a jump. Larger
#    batches would calm it: a mean of four times as many numbers jumps half as far.

# %%
from keras import layers

batches = np.random.default_rng(0).normal(5, 2, (300, 8, 1)).astype("float32")
for momentum in (0.99, 0.9, 0.5):
    norm = layers.BatchNormalization(momentum=momentum, dtype="float32")  # yours
    means = []
    for batch in batches:
        norm(batch, training=True)  # yours
        means.append(float(norm.moving_mean[0]))
    print(f"{momentum:.2f}: {5 - means[29]:5.2f} short after 30 steps,", end=" ")
    print(f"jumps by {np.std(means[-100:]):.2f} at the end")

# %% [markdown]
# 2. A patience of 1 takes the first tremble for the end. The larger the patience, the fewer trainings end early, and
#    each of them pays for it in epochs.

# %%
rng = np.random.default_rng(0)
rising = 0.95 - 0.5 * np.exp(-np.arange(60) / 8)


def stopped_at(curve, patience):
    """The epoch, from 0, after which early stopping ends."""
    best, waited = -1.0, 0
    for epoch, value in enumerate(curve):
        best, waited = (value, 0) if value > best else (best, waited + 1)  # yours
        if waited == patience:
            return epoch
    return len(curve) - 1


noisy = rising + rng.normal(0, 0.01, (200, 60))
for patience in (1, 3, 5, 10):
    ends = np.array([stopped_at(curve, patience) for curve in noisy])  # yours
    early = (rising[ends] < 0.94).sum()
    print(f"patience {patience:2}: {early:3} of 200 end early, {ends.mean() + 1:.0f} epochs each")

# %% [markdown]
# 3. Near 1 the next smaller `bfloat16` is 1 - 1/256, the next smaller `float16` is 1 - 1/2048. A step of less than
#    half of that is rounded away, and the weight stays where it is for ever. With 0.01 both move, and arrive somewhere
#    else: each step is rounded.

# %%
for size in (0.001, 0.01):
    for dtype in ("float32", "float16", "bfloat16"):
        weight = tf.constant(1.0, dtype)
        for _ in range(100):
            weight = weight - tf.constant(size, dtype)  # yours
        print(f"100 steps of {size:g} in {dtype:8}: {float(weight):.4f}")

# %% [markdown]
# ## Notebook 07
#
# 1. The best dice stays, nearly: whatever keeps the order of the pixels keeps the masks, and only moves the threshold
#    that gives them, here from t to its square or its root. What changes is the dice at 0.5. So the network is as good
#    as before, if you search the threshold. ("Nearly", since only 19 thresholds are tried.)

# %%
from scipy import ndimage

from unet_tf import scores

truth = np.zeros((96, 128))
truth[30:70, 30:100] = 1
noise = np.random.default_rng(0).normal(0, 0.3, truth.shape)
sure = np.clip(ndimage.gaussian_filter(truth + noise, 4), 0, 1)
squared = sure**2  # yours
root = sure**0.5  # yours
for name, probability in {"as it is": sure, "squared": squared, "square root": root}.items():
    dices = [scores.dice(truth, probability >= threshold) for threshold in scores.THRESHOLDS]
    best = int(np.argmax(dices))  # yours
    print(f"{name}: {dices[best]:.2f} at {scores.THRESHOLDS[best]:.2f}, {dices[9]:.2f} at 0.50")

# %% [markdown]
# 2. Without overlap a pixel at the seam sees only the edges of tiles. With more, another tile has it nearer to its
#    middle, and the pyramid gives that one the greater say. Half a tile is enough here: 0.75 takes more than three times
#    as many tiles, and gains nothing.

# %%
from unet_tf.predict import tiled

count = []


def near_sighted(images, training=False):
    """1 in the middle of a tile of 32x32, less within 8 pixels of its edges."""
    count.append(len(images))
    inside = np.minimum(np.arange(32), np.arange(32)[::-1]).clip(0, 8) / 8
    return np.repeat(np.minimum.outer(inside, inside)[None, ..., None], len(images), axis=0)


whole = np.ones((1, 128, 128, 3), "float32")
for overlap in (0, 0.25, 0.5, 0.75):
    count.clear()
    found = tiled(near_sighted, (32, 32), overlap)(whole)  # yours
    print(f"overlap {overlap:.2f}: {sum(count):3} tiles, lowest {found[0, 8:-8, 8:-8].min():.2f}")

# %% [markdown]
# 3. Four times as many cars make the interval about half as wide, while more views of the same cars change little: what
#    the cars differ by stays. Photograph more cars.

# %%
from unet_tf.scores import bootstrap_interval


def width(cars, views):
    """Of the 95% interval, the mean over 20 inventions."""
    rng, widths = np.random.default_rng(0), []
    for _ in range(20):
        means = rng.normal(0.95, 0.03, cars)
        values = rng.normal(means[:, None], 0.01, (cars, views))  # yours
        low, high = bootstrap_interval(values.ravel(), np.repeat(np.arange(cars), views))
        widths.append(high - low)
    return np.mean(widths)


for cars, views in ((4, 16), (16, 16), (64, 16), (16, 1), (16, 4), (16, 64)):
    print(f"{cars:2} cars of {views:2} views: {width(cars, views):.3f} wide")

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
