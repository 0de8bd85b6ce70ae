# %% [markdown]
# # 10 · Results: what a number is worth
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/10_results.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/10_results.ipynb)
#
# **You will**
#
# - open the project's records of real trainings, put ours beside the published numbers, and say which
#   two may be compared;
# - put an interval around a difference, and see which changes moved the score by more than the noise;
# - see how far a score lies from what its resolution allows, and report one so that others can use it.
#
# **You need** no data and no account. Nothing is trained here: the trainings are done, and each left a
# record. Half a minute on 2 CPU cores; a GPU makes no difference.
#
# The published numbers are those of "Image Segmentation: An In-Depth Guide" (Ed Izaguirre, 2023), *the
# article*, whose models notebooks 04 and 05 build.
#
# **The question.** The article's simple model has a dice of 0.8788. This project rebuilt it, corrected it, and got 0.9745.
# Is ours better? Guess now, and keep your guess until the end.

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
import dataclasses
import hashlib
import json
import subprocess
import textwrap
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from scipy import stats

from unet_tf import data, plot, scores
from unet_tf.protocol import UNET, table
from unet_tf.rendered import is_rendered

folder = data.find()
kind = "rendered" if is_rendered(folder) else "photographed"

# %% [markdown]
# The records lie in the repository, not in the installed package. Where you have a checkout, they are
# there; on Colab and Kaggle the next cell gets them.
#
# There are two kinds. The *ledger* has a file for each protocol, variant, size and data set, with all its seeds
# inside: a *seed* is one training, named by the number that its random draws start from. The *effects* are
# single trainings of one small protocol, most with one change to it. Both grow: the outputs below are computed
# from whatever records are there, and the sentences speak of those of today. You read those of the article's
# two models here.

# %%
root = Path(unet_tf.__file__).resolve().parents[1]
if not (root / "results").is_dir():  # installed by pip
    root = Path("runs/repository")
    if not root.is_dir():
        address = f"https://github.com/{unet_tf.REPOSITORY}"
        subprocess.run(["git", "clone", "-q", "--depth", "1", address, str(root)], check=True)


def read(pattern):
    """The records in `results/` whose names fit."""
    return [json.loads(path.read_text()) for path in sorted((root / "results").glob(pattern))]


ledger, effects = read("article_*.json"), read("effects/*.json")
ledger.sort(key=lambda r: (r["recipe"], bool(r["changed"]), r["data"], r["variant"]))  # small last
print(f"ledger: {len(ledger)} records of {sum(len(r['runs']) for r in ledger)} trainings")
print(f"effects: {len(effects)} trainings")

# %% [markdown]
# ## Which cars stand on both sides?
#
# The article splits its files at random. Each car has 16 views, so nearly every car ends up in training *and* in
# validation: the model is examined on cars that it has seen. Here are the first 320 pairs, split in both ways. The
# test cars are the same, and stay out of both.

# %%
pairs = data.pair(folder)[:320]
by_car = data.split(pairs, by="group", validation_size=0.2, test_size=0.2)
rest = [pair for pair in pairs if pair not in by_car.test]
by_image = data.Split(*data.divide(rest, "image", len(by_car.validation), 42), by_car.test)
splits = {"split by image": by_image, "split by car": by_car}
print("Split by image:", data.described(by_image))

# %% [markdown]
# Does it flatter the score? Each of the two splits has a training per seed in the records. Take the validation dice
# minus the dice of unseen test cars, the *gap*: how much too good the validation looks. The *leak* is the gap by image
# minus the gap by car.


# %%
def gaps(variant):
    """`{seed: validation dice - test dice}` of a variant."""
    runs = [run for run in effects if run["variant"] == variant]
    return {run["seed"]: run["validation_dice"] - run["dice"] for run in runs}


meter = {"split by image": gaps("split_by_image"), "split by car": gaps("base")}
seeds = sorted(set.intersection(*(set(found) for found in meter.values())))
leak = [meter["split by image"][seed] - meter["split by car"][seed] for seed in seeds]
low, high = stats.ttest_1samp(leak, 0).confidence_interval()
print(f"{len(seeds)} seeds, rendered cars: leak {np.mean(leak):+.4f} ({low:+.4f} to {high:+.4f})")

# %%
cars = sorted({data.group_of(pair.image) for pair in pairs})
figure, axes = plt.subplots(
    1, 3, figsize=(7.4, 3), dpi=80, layout="constrained", width_ratios=(3, 3, 1.3)
)
marks = {"train": ("s", "0.75"), "validation": ("o", plot.MISSED), "test": ("x", "0.3")}
for axis, (name, parts) in zip(axes[:2], splits.items(), strict=True):
    for part, (mark, colour) in marks.items():
        images = [pair.image for pair in getattr(parts, part)]
        x = [cars.index(data.group_of(image)) + 1 for image in images]
        views = [int(image.stem[-2:]) for image in images]
        axis.plot(x, views, mark, ms=4, color=colour, label=part)
    axis.set(xlabel="car", xticks=range(5, len(cars) + 1, 5), yticks=[1, 8, 16], title=name)
axes[0].set_ylabel("view")
axes[2].plot([0, 0], [low, high], color="0.2", lw=2)
axes[2].plot(0, np.mean(leak), "s", color="0.2")
axes[2].axhline(0, color="0.5", ls=":")
axes[2].set(xticks=[], ylabel="dice", ylim=(-0.02, 0.02), title="the leak")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
plt.show()

# %% [markdown]
# A column is a car, a mark an image. On the left every column outside the test mixes squares and circles. In
# the middle each column holds one kind of mark. On the right stands what the split by image added to the gap:
# the mean leak and its 95% interval, in dice. The interval holds zero: these small trainings on rendered cars
# show no price. The split is wrong all the same. How an interval is made, and why a leak may hide, comes below.
#
# ## What has to be known about a score?
#
# Open the first record of the corrected U-Net. Before you look at a score, ask four questions: which data,
# which images in which part, scored on which part, and what differs from this project's recipe of that variant
# (`changed`; empty for the full size). How far the recipe is from the published protocol, `variant` says: *as
# written* follows it as far as the article prints it, *corrected* mends its faults and trains with settings of
# its own. Below the line stand the settings of its recipe. If you want to get the score again, start there.
# (What this record calls `split_by car` is `split_by group` today.)

# %%
unets = [r for r in ledger if (r["recipe"], r["variant"]) == ("article_unet", "corrected")]
record = unets[0]
for key in ("recipe", "variant", "data", "split", "scored_on", "changed", "parameters"):
    print(f"{key:10} {record[key]}")
settings = ", ".join(f"{key} {value}" for key, value in record["settings"].items())
print("-" * 80, textwrap.fill(settings, 80), sep="\n")

# %% [markdown]
# Each training has its own seed. It decides the first weights, the order of the images, dropout and augmentation:
# everything that is left to chance. With the same code on the same kind of machine, the dices below would differ for no
# other reason. So look at the end of the lines, too: where commits differ, the code may have had its part. (`dirty`
# behind a commit means that the code had changes which nobody committed, so nobody can get it again.)
#
# Several seeds become two numbers. The *spread* is the sample standard deviation: a typical distance of a
# seed from the mean. By hand: 0.95, 0.96 and 0.97 lie 0.01, 0 and 0.01 from their mean; squared, added,
# divided by 3 - 1, and the root: 0.01. A single seed has no spread, which is not a spread of zero.

# %%
for run in record["runs"]:
    dice, place = run["scores"]["dice"], f"{run['hardware']}, commit {run['commit']}"
    print(f"{record['data']}, seed {run['seed']}: dice {dice:.4f}, {run['epochs']} epochs, {place}")
print(f"by hand: {np.mean([0.95, 0.96, 0.97]):.2f} ± {np.std([0.95, 0.96, 0.97], ddof=1):.2f}")
mean, spread = record["scores"]["dice"].values()
print(f"{record['data']}: {mean:.4f}" + (f" ± {spread:.4f}" if spread else ", no spread"))

# %% [markdown]
# ### The hash of a split
#
# Two scores on different test cars are two different questions. A list of names is too long for a
# table, so the record keeps a fingerprint: the names of each part, sorted, through SHA-256, cut to 12
# digits.


# %% tags=["lifted"]
def split_hash(parts):
    """A short hash of which image stands in which part: equal splits have equal hashes."""
    names = {
        part: sorted(image.name for image, _ in pairs) for part, pairs in parts._asdict().items()
    }
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


# %% [markdown]
# Four invented images: put the first part in another order, then move an image to the other part. Only
# one of the two changes the hash.

# %%
a, b, c, d = (data.Pair(Path(f"{name}.jpg"), None) for name in "abcd")
for train, validation in (([a, b], [c, d]), ([b, a], [c, d]), ([a], [b, c, d])):
    print(split_hash(data.Split(train, validation, [])), len(train), "for training")


# %% [markdown]
# Now the split by car from above. Do the records have its hash? On the rendered cars some do: they were tested
# on images of the very names that you have here. An unequal hash does not say which part differs: the other
# effects share the test cars, and train or validate on other images.

# %%
digest = split_hash(by_car)
same = [sum(r["split"]["hash"] == digest for r in some) for some in (ledger, effects)]
print(f"{digest}, {kind}: {same[0]} records of the ledger and {same[1]} effects have this split")

# %% [markdown]
# ## May ours stand beside the published?
#
# The article publishes 0.8788 for its simple model and 0.9416 for its U-Net, and calls both dice. When may
# a number of yours stand beside them? When the data, the protocol and the score are the same. This
# function says yes, or names the first thing that differs.


# %% tags=["lifted"]
def comparable(record):
    """May a record's score, taken as published, stand beside the published one? Yes, or why not."""
    if record["published_dice"] is None:
        return "no: no score published"
    if record["data"] != "Carvana":
        return "no: rendered cars" if record["data"] == "rendered" else "no: other images"
    if record["changed"]:
        return f"no: changed {', '.join(record['changed'])}"
    if record["variant"] == "corrected":
        return "no: cars never seen in training, paired augmentation"
    return "yes"


# %% [markdown]
# Four invented records, each of which passes one check more than the one before. Only the last is a yes.

# %%
invented = {"data": "rendered", "changed": [], "variant": "as written", "published_dice": 0.5}
print(comparable(invented))
print(comparable(invented | {"data": "Carvana", "changed": ["filters", "images"]}))
print(comparable(invented | {"data": "Carvana", "variant": "corrected"}))
print(comparable(invented | {"data": "Carvana"}))

# %% [markdown]
# The third is the better experiment, and still not comparable: it asks how the model does on cars that it has never
# seen, and that is another question.
#
# Here is the ledger. Read a line from left to right: the published number, ours scored in the same way
# (soft, pooled over a batch, at 96x128), whether the two may be compared, then ours as the competition
# scores it, in bold. IoU and boundary F1 are two more scores of the same masks. Behind them stand the constant
# baseline, the part that was scored, and the minutes that a training took.

# %%
yes = [comparable(r) for r in ledger].count("yes")
print(f"{yes} of {len(ledger)} lines may stand beside the published number")
Markdown(table(ledger))

# %% [markdown]
# A line of rendered cars shows that the protocol runs; it says nothing about photographs. A line that can say
# yes needs Carvana's own files. You can add one, with a GPU and one command in a checkout of the repository; a
# second command takes the result into the ledger:
#
# ```
# python -m unet_tf reproduce --data data/carvana --full --seeds 3
# python experiments/publish.py runs/reproduce
# ```
#
# The same as a figure. Each row is a record, each filled dot a seed. Read what stands beside a red stroke
# before you compare with it.


# %%
def remark(record):
    """What to write beside the published number."""
    reason = comparable(record).replace("yes", "comparable").replace("no:", "not comparable:")
    published, reason = record["published_dice"], textwrap.fill(reason, 34)
    return f"published {published:.4f},\n{reason}" if published else reason


def draw(axis, row, record):
    """A record as a row: the published number, ours in two ways, and the baseline."""
    found, published = [run["scores"] for run in record["runs"]], record["published_dice"]
    rows, ends = np.full(len(found), row), (row - 0.2, row + 0.2)
    soft, hard = ([run[key] for run in found] for key in ("mean_over_batches", "dice"))
    axis.vlines(found[0]["baseline"], *ends, "0.5", ":", label="constant baseline")
    axis.plot(soft, rows, "o", mfc="none", color=plot.EXTRA, label="ours, as published")
    axis.plot(hard, rows, "o", ms=4, color=plot.TRUTH, label="ours, hard, original size")
    axis.vlines(np.mean(hard), *ends, plot.TRUTH)
    if published:
        axis.vlines(published, *ends, plot.MISSED, lw=2, label="published")
        style = {"fontsize": 8, "ha": "right", "va": "center", "color": plot.MISSED}
        axis.text(published - 0.003, row, remark(record), **style)


# %%
figure, axis = plt.subplots(figsize=(7.4, 0.5 * len(ledger) + 1.1), dpi=90, layout="constrained")
names = []
for row, line in enumerate(ledger):
    draw(axis, row, line)
    if row == 0:
        figure.legend(loc="outside upper center", ncols=2, fontsize=8)
    model = {"article_simple": "simple model", "article_unet": "U-Net"}[line["recipe"]]
    size = ", settings changed" if line["changed"] else ""
    names.append(f"{model}, {line['variant']}\n{line['data']}{size} ({len(line['runs'])})")
axis.set(xlabel="dice", ylim=(len(ledger) - 0.6, -0.8), xlim=(None, 1))
axis.set_yticks(range(len(ledger)), names, fontsize=8)
plt.show()

# %% [markdown]
# Each row shows a record: every seed as a dot (their number in brackets), filled for the competition's score, hollow
# for the article's; the mean of the filled ones as a thin stroke; the constant baseline dotted; and the published
# number as a thick red stroke. The red text says whether it may be compared.
#
# Dots right of the red stroke look like a victory. Only hollow ones can be one, for they alone are scored as
# the article scores, and only where the red text says *comparable*. What you can compare on this figure are
# dots of one kind, filled with filled or hollow with hollow, of two rows on the same data with the same split:
# the simple model and the U-Net, both as written, both corrected, or both with settings changed. Even there the
# network is not all that differs: at full size the epochs do, too, and as written the augmentation (notebook
# 05).
#
# ## How much does the choice of a score change?
#
# Notebook 03 scored a mean mask in several ways. A trained model's predictions have several scores, too, and a
# record holds them all, for the same predictions. Guess before you run it: which is highest, which is lowest,
# and how far apart are the four that are all called dice?

# %%
NAMES = {
    "pixel_accuracy": "pixel accuracy",
    "pooled_dice": "dice: all images pooled, hard, original size",
    "dice": "dice: per image, hard, original size",
    "mean_over_batches": "dice: batches pooled, soft, model size",
    "soft_dice": "dice: per image, soft, model size",
    "mean_iou": "IoU: mean of car and background",
    "iou": "IoU: car",
}
means = {key: record["scores"][key]["mean"] for key in NAMES}
figure, axis = plt.subplots(figsize=(7.4, 2.9), dpi=80, layout="constrained")
for row, key in enumerate(NAMES):
    values = [run["scores"][key] for run in record["runs"]]
    colour = {"dice": plot.TRUTH, "mean_over_batches": plot.EXTRA}.get(key, "0.6")
    axis.plot(values, [row] * len(values), "o", ms=5, mfc="none", color=colour)
    axis.vlines(means[key], row - 0.3, row + 0.3, colour, lw=3)
axis.set_yticks(range(len(NAMES)), NAMES.values(), fontsize=8)
axis.set(ylim=(6.5, -0.5), title=f"{record['data']} cars: the same predictions, seven scores")
axis.locator_params(axis="x", nbins=6)
plt.show()

# %% [markdown]
# Strokes are means over seeds, dots are the seeds. The third row, green, is the competition's score; the
# fourth, blue, the article's. Both IoUs and the pixel accuracy are of counts summed over all images; notebook
# 03 took its IoU per image.
#
# How much is the choice of a score worth? Compare the distance between the four dices with the spread of
# the seeds.

# %%
for key in sorted(means, key=means.get):
    print(f"{NAMES[key]:44} {means[key]:.4f} ({record['data']})")
four = [means[key] for key in NAMES if "dice" in NAMES[key]]
spread = record["scores"]["dice"]["spread"] or np.nan  # a single seed has none
print(f"the four dices: {max(four) - min(four):.4f} apart; spread of the seeds {spread:.4f}")

# %% [markdown]
# The four dices lie several spreads of the seeds apart: here the choice of a score moves the number more than
# another seed does. And the predictions behind every row are the same. So compare two networks from two papers
# only if both papers define their score in the same way, to the last word.
#
# ## Was it the change, or chance?
#
# You change one thing, train again, and the score moves. Was it the change, or was it chance? Train both
# with several seeds, and take the *difference of each seed*. By hand, with three seeds:

# %%
base, changed = np.array([0.950, 0.960, 0.970]), np.array([0.954, 0.965, 0.976])
differences = changed - base
mean, spread = differences.mean(), differences.std(ddof=1)
print("differences", ", ".join(f"{value:+.3f}" for value in differences))
print(f"mean {mean:+.4f}, spread {spread:.4f}, of the mean {spread / 3**0.5:.5f}")

# %% [markdown]
# The three scores spread by 0.01, their differences by 0.001: the third seed was lucky for both, and the
# difference does not see it. That is *pairing*.
#
# The mean of n differences spreads less than one difference does: divide by the root of n. A 95% interval reaches some
# of these spreads to each side. How many? A spread estimated from few seeds is itself uncertain, and Student's t
# accounts for that: 4.303 for three seeds, 1.96 for very many.


# %%
def interval(differences):
    """Mean of the differences, and the ends of its 95% t-interval."""
    count = len(differences)
    mean, spread = np.mean(differences), np.std(differences, ddof=1)
    half = stats.t.ppf(0.975, count - 1) * spread / np.sqrt(count)
    return mean, mean - half, mean + half


def verdict(low, high):
    """What an interval says about 0."""
    return "better" if low > 0 else "worse" if high < 0 else "within the noise"


# %% [markdown]
# 4.303 times 0.00058 is 0.0025, to both sides of 0.005. SciPy's paired t-test gives you the same two
# ends. Without the pairs, its interval is far wider.

# %%
print("by hand {:+.4f} ({:+.4f} to {:+.4f})".format(*interval(differences)))
paired = stats.ttest_rel(changed, base).confidence_interval()
apart = stats.ttest_ind(changed, base).confidence_interval()
for name, found in {"paired": paired, "loose": apart}.items():
    print(f"SciPy, {name} ({found.low:+.4f} to {found.high:+.4f}): {verdict(*found)}")

# %% [markdown]
# Paired, zero lies outside the interval: the verdict is *better*. As two loose groups, zero lies well inside,
# with the same six numbers. Then the verdict is *within the noise*. That is not "no effect"; it is "not seen
# with so few seeds".
#
# How many seeds? Half of the interval, in spreads of the differences:

# %%
for count in (2, 3, 4, 5, 10, 20):
    print(f"{count:2} seeds: {stats.t.ppf(0.975, count - 1) / count**0.5:.2f} spreads to each side")

# %% [markdown]
# Two seeds give an interval that hardly says anything, and one gives none. From two to five it shrinks
# sevenfold; the next five take less than half of the rest. So the experiments below aim at five.
#
# ## Does a split by image flatter the score?
#
# Back to the two splits of the beginning.
#
# What does training hold that looks like a validation image? Split by image: the same car, one step of the
# turntable away. Split by car: at best another car in the same pose; the cell picks the image whose 24x32
# thumbnail is closest.

# %%
thumbs = {p: data.resized(data.read_image(p.image), (24, 32)) / 255 for p in pairs}


def nearest(pair, training):
    """The training pair with the smallest mean squared difference of thumbnails."""
    return min(training, key=lambda other: np.mean((thumbs[pair] - thumbs[other]) ** 2))


shown = next(pair for pair in by_car.validation if pair in by_image.validation)
sisters = [p for p in by_image.train if data.group_of(p.image) == data.group_of(shown.image)]
view = int(shown.image.stem[-2:])
sisters.sort(key=lambda p: abs((int(p.image.stem[-2:]) - view + 8) % 16 - 8))  # a circle of 16
found = {"validation": shown, "by image": sisters[0]}
found["by car"] = nearest(shown, by_car.train)
# %%
figure, axes = plt.subplots(1, 3, figsize=(7.4, 1.9), dpi=80, layout="constrained")
for axis, (title, pair) in zip(axes, found.items(), strict=True):
    pixels = data.resized(data.read_image(pair.image), (160, 240))
    axis.imshow(pixels // 10 * 10, interpolation="nearest")  # few shades: a small file
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{title}: view {pair.image.stem[-2:]}", fontsize=10)
plt.show()

# %% [markdown]
# On the left the validation image, then what each split offers to remember.
#
# What is remembering worth? Take a "model" that does nothing else: for each image it returns the mask of the most
# similar training image. Score it like any other, on validation and on the test cars. The *gap* is the first minus the
# second. The two gaps are of different validation images, so the cell also copies once more by image, with the image's
# own car shut out.

# %%
for name, parts in {"by image": by_image, "by car": by_car}.items():
    found = []
    for part in (parts.validation, parts.test):
        copies = (data.read_mask(nearest(pair, parts.train).mask) for pair in part)
        found.append(scores.per_image_dice(part, copies).mean())
    print(f"{name:8} {found[0]:.3f} - {found[1]:.3f} = {found[0] - found[1]:+.3f} ({kind}, copied)")
copied = []
for pair in by_image.validation:
    car = data.group_of(pair.image)
    copied.append(nearest(pair, [p for p in by_image.train if data.group_of(p.image) != car]))
copies = (data.read_mask(pair.mask) for pair in copied)
without = scores.per_image_dice(by_image.validation, copies).mean()
print(f"by image {without:.3f} on validation, the image's own car shut out ({kind}, copied)")

# %% [markdown]
# Copying goes far, even where the copied image shows another car. Compare the last line with the first number:
# what it loses is what the car's own views are worth to this copying, which may take another car whenever that
# one looks more alike. On the rendered cars that is less than one hundredth: the closest image of another car
# serves nearly as well. Where cars differ more, expect more.
#
# Now the network from the beginning: the same small U-Net, trained on both splits, scored on the same test cars.
# By car there is a gap as well: four validation cars can be kinder than four test cars, and they have chosen the epoch.
# In a difference of gaps the kindness of the test cars drops out, for both splits share them. That of the validation
# images does not: by image they are of 16 cars, by car of four. If those four are kind, the leak looks smaller than it
# is. And all seeds share these two splits: the interval speaks of other seeds, not of other cars.

# %%
mean, low, high = interval(leak)
for name, found in meter.items():
    gap = ", ".join(f"{found[seed]:+.4f}" for seed in seeds)
    print(f"gap, {name:14} {gap}")
print(f"leak {mean:+.4f} ({low:+.4f} to {high:+.4f}):", "it shows" if low > 0 else "none shown")

# %% [markdown]
# Each column is a seed, and the leak is the mean of the differences between its two numbers. It is the square with the
# line in the first figure.
#
# Here the leak does not show. There may be little to see, for this training is small and short and its cars are
# rendered. Or kind validation cars in the split by car hide it. The copying hints at that: on rendered cars,
# without a view of the image's own car, it has 0.948 on the four validation cars of the split by car, and 0.941
# on the validation images by image, which are of sixteen cars. Had the leak shown, its size would be about what
# the random split adds to a number that should speak of new cars. Split by car all the same: you could look for
# a leak only because cars were kept apart for the test.
#
# (By image, training holds views of more cars. That may help on the test cars too, which is why you compare gaps and
# not dices.)
#
# ## What moved the score?
#
# The article names what it would try next: blocks, filters, resolution, more images, another loss, Adam's
# epsilon, strided convolutions. This project tried each on the small U-Net, one change at a time. Below is what
# *small* means, and which variants ran where. The ledger's small U-Net is the same protocol, trained by another
# script. On one machine the same seed and code give the same bits; other code or hardware may round or draw
# differently, and small trainings then drift apart. The last line says how far it was for other code; both ran
# on one kind of machine.


# %% tags=["lifted"]
def quick(recipe):
    """A small size of a recipe: a quarter of the filters, 320 images, 8 epochs, batches of 16."""
    filters, crops = tuple(width // 4 for width in recipe.filters), min(recipe.crops, 4)
    small = {"images": 320, "epochs": 8, "batch_size": 16, "learning_rate": 1e-3}
    return dataclasses.replace(recipe, filters=filters, crops=crops, **small)


# %%
small, plain = quick(UNET), [run for run in effects if run["variant"] == "base"]
size = "x".join(map(str, small.image_size))
protocol = (
    f"{small.filters[0]} filters, {small.images} rendered pairs, {size}, {small.epochs} epochs"
)
print(f"base: {protocol}, {len(plain)} seeds")
made = defaultdict(set)
for run in effects:
    made[f"{run['hardware']}, {run['precision']}, commit {run['commit']}"].add(run["variant"])
for where, variants in made.items():
    print(textwrap.fill(f"{where}: {', '.join(sorted(variants))}", 88, subsequent_indent="    "))
alike = [
    line for line in unets if all(line[key] == plain[0][key] for key in ("parameters", "split"))
]
twins = {run["seed"]: run["scores"]["dice"] for line in alike for run in line["runs"]}
apart = [abs(twins[run["seed"]] - run["dice"]) for run in plain if run["seed"] in twins]
print(f"{len(apart)} seeds trained twice, at most {max(apart, default=np.nan):.4f} apart")

# %% [markdown]
# Find `base` above, then the variants that ran elsewhere or later. Their rows hold the difference of machine or
# code, too. The last line above says how far a seed moves when other code trains it again. Where a row moves
# far more, other code is hardly the reason. For the rows of the commit of `again`, its own row shows what the
# later code moves. What another processor adds was not measured.
#
# Now the differences from base, paired by seed. A variant with one seed has no interval and is left out. Guess
# first: which change costs most, and is a larger network, or a larger input, better here?
#
# | name | what changed |
# | --- | --- |
# | `again` | nothing: the base once more, same seeds, by later code: how far a row moves without a change |
# | `images_only` | images augmented without their masks, as in the article's simple model |
# | `no_augmentation` | no augmentation, as in the article's U-Net |
# | `guide_augmentation` | up to 35 degrees, one in ten upside down, and no change of contrast, as the guide of notebook 06 augments |
# | `rotation_35`, `upside_down` | each of the two alone, the larger turn and the upside-down flip, all else as in the base |
# | `split_by_image` | the validation part split off by image |
# | `nearest` | photographs resized by nearest, not by area |
# | `blocks_4`, `blocks_6` | one encoder level fewer, one more |
# | `filters_8`, `filters_32` | filters in the first level, in place of 16 |
# | `size_48x64`, `size_192x256` | size of the model's input |
# | `train_96`, `train_384` | 96 images of 6 cars, 384 of 24, in place of 192 of 12; the epochs stay, so the updates halve or double |
# | `dice_alone`, `pooled_dice` | the loss: dice of each image without cross-entropy, the article's pooled dice |
# | `epsilon_1e-7`, `epsilon_1e-3` | Adam's epsilon, in place of 1e-6 |
# | `strided_conv` | strided convolution in place of max pooling |
# | `no_skips` | the skips taken away, as in notebook 05 |
# | `float32` | float32 throughout, in place of bfloat16 |

# %%
dices = defaultdict(dict)
for run in effects:
    dices[run["variant"]][run["seed"]] = run["dice"]
base, differences = dices.pop("base"), {}
for name, found in dices.items():
    differences[name] = [found[seed] - base[seed] for seed in sorted(found.keys() & base.keys())]
moved = {name: interval(found) for name, found in differences.items() if len(found) > 1}
ranked = sorted(moved, key=lambda name: moved[name][0])
print("difference in dice from base, unseen rendered cars")
for name in ranked:
    mean, low, high = moved[name]
    print(f"{name:18} {mean:+.4f} ({low:+.4f} to {high:+.4f}) {verdict(low, high)}")
print("left out:", ", ".join(sorted(dices.keys() - moved.keys())) or "none")

# %%
every = [value for name in moved for value in differences[name]]
left, right = 1.2 * min(every), 1.2 * max(*every, 0.01)
colours = {"better": plot.TRUTH, "worse": plot.MISSED, "within the noise": "0.6"}
figure, axis = plt.subplots(figsize=(7.4, 0.25 * len(moved) + 1.1), dpi=80, layout="constrained")
for row, name in enumerate(ranked):
    mean, low, high = moved[name]
    colour = colours[verdict(low, high)]
    axis.plot(np.clip([low, high], left, right), [row, row], color=colour, lw=2)
    axis.plot(differences[name], [row] * len(differences[name]), "|", ms=7, color="0.3", mew=0.8)
    axis.plot(mean, row, "s", ms=6, color=colour)
    if low < left:
        axis.plot(left, row, "<", color=colour, clip_on=False)
    if high > right:
        axis.plot(right, row, ">", color=colour, clip_on=False)
axis.axvline(0, color="0.4", lw=0.8)
axis.set_yticks(range(len(ranked)), [name.replace("_", " ") for name in ranked], fontsize=8)
axis.set(xlim=(left, right), xlabel="difference in dice from base, unseen rendered cars")
axis.set_title(f"{protocol}, up to {len(base)} seeds", fontsize=8)
plt.show()

# %% [markdown]
# One row per change, the best on top: the square is the mean difference, the line its 95% interval, each fine
# stroke a seed. Light grey is within the noise; of the others, red, left of zero, is worse, and green, right of it,
# better. An arrow at the rim would say that the interval goes on.
#
# Before you believe a colour, ask how many rows would have one by chance: of twenty intervals around no effect,
# one misses zero on average. So doubt first the coloured rows whose interval ends nearest to zero: with one
# seed more, their colour may change. All rows also share one base: if its seeds were lucky, every row lies too
# far to the left. And ask how small an effect could show in a typical row: about half the length of its
# interval, and then only every other time. Rows whose seeds agree show smaller ones.
#
# Then find the rows that contradict your guess: is a larger network better here, and a larger input?

# %%
half, alone = np.median([h - m for m, _, h in moved.values()]), np.std(list(base.values()), ddof=1)
seen = sum(verdict(low, high) != "within the noise" for _, low, high in moved.values())
print(f"{seen} of {len(moved)} show, {len(moved) / 20:.1f} by chance; half an interval {half:.4f}")
spreads = {name: np.std(list(found.values()), ddof=1) for name, found in dices.items()}
kept = [np.std(differences[name], ddof=1) / np.hypot(spreads[name], alone) for name in moved]
print(f"spread of the differences, as a share of what it is unpaired: {np.median(kept):.2f}")

# %% [markdown]
# Nothing here says that larger is better: 32 filters are worse, if barely, and one level more and 192x256
# pixels are within the noise. More training cars are better.
#
# The last line says what pairing was worth in the median row, when the rows are sorted by this share. At 0 it
# would take all the luck of a seed out of the difference, at 1 none. The nearer it is to 1, the less the same
# seed means once something else changes. The paired interval stays honest at any share, for these are pairs; it
# is not always the narrower one. What pairing leaves, more seeds narrow.
#
# Remember the title of the figure, too. A change that helps in 8 epochs may only learn faster, and one that hurts may
# need longer.
#
# ## Is the resolution to blame?
#
# Is 0.9416 so low because of 96x128? The article also scores at 96x128, and there a perfect model has a dice of
# 1: its masks are as small as its answers. A perfect model loses something only when its mask is enlarged to
# the photograph, as the competition scores it. (A real one also sees a smaller photograph; what that costs does
# not stand in this table.) How much? Notebook 03 took true masks down to a size and back. What they keep is
# about what a perfect model of that size would score. (Probabilities fitted to the way back can do a little
# better: it is a guide, not a bound.) Where no photographs are at hand, full size is 480x320 (images are given
# as width x height, a model's sizes as height x width). For cars drawn at Carvana's 1918x1280, render some by
# `python -m unet_tf data --render 1918x1280 --cars 4`. It prints their folder; `scores.ceiling(data.pair("that
# folder"), (96, 128))` gives the number to compare. Four sizes, on every second test image:

# %%
heights, kept_by = (24, 48, 96, 192), {"area": [], "nearest": []}
for height in heights:
    for way, kept in kept_by.items():
        kept.append(scores.ceiling(by_car.test[::2], (height, height * 4 // 3), way))
    found = ", ".join(f"{way} {kept[-1]:.4f}" for way, kept in kept_by.items())
    print(f"{height:3}x{height * 4 // 3:<3} {kind}: {found}")

# %% [markdown]
# Others have published what the competition gave them, on its test photographs at full size: a Keras U-Net at
# four sizes, 128x128 to 1024x1024 (https://github.com/petrosgk/Kaggle-Carvana-Image-Masking-Challenge), and a
# PyTorch U-Net (https://github.com/milesial/Pytorch-UNet). Beside them stand the article's number, which is
# another score, and our small U-Net at three sizes. The axis is logarithmic in the distance to 1: from one
# number at the axis to the next one up, the error halves, or more.

# %%
LEADERBOARD = {128: 0.990, 256: 0.992, 512: 0.995, 1024: 0.996}
ours = {64: dices["size_48x64"], 128: base, 256: dices["size_192x256"]}
ours = {width: np.mean(list(found.values())) for width, found in ours.items() if found}
curves = [("petrosgk, test photographs", LEADERBOARD, "s-", "k")]
curves += [("our small U-Net, rendered cars", ours, "o-", plot.EXTRA)]
curves += [("the article, photographs, soft pooled", {128: 0.9416}, "X", plot.MISSED)]
for way, line in (("area", "-"), ("nearest", "--")):
    found = {height * 4 // 3: kept for height, kept in zip(heights, kept_by[way], strict=True)}
    curves += [(f"{kind} true masks, by {way}", found, line, plot.TRUTH)]
figure, axis = plt.subplots(figsize=(7.4, 4.8), dpi=80, layout="constrained")
for text, found, style, colour in curves:
    axis.loglog([*found], 1 - np.array([*found.values()]), style, color=colour, label=text)
axis.axhline(1 - 0.988, color="k", ls=":", lw=1, label="milesial, test photographs")
axis.set(xlabel="width of the model's input, pixels", ylabel="dice", ylim=(0.1, 0.001))
axis.set_title("At a width of 128 there is room far above the article's number", fontsize=10)
axis.minorticks_off()
axis.set_xticks([32, 64, 128, 256, 512, 1024], [32, 64, 128, 256, 512, 1024])
axis.set_yticks([0.1, 0.05, 0.02, 0.01, 0.005, 0.002], [0.9, 0.95, 0.98, 0.99, 0.995, 0.998])
figure.legend(loc="outside lower center", ncols=2, fontsize=8)
plt.show()

# %% [markdown]
# True masks are lines without marks, green; scores of the competition black, squares by size, and a dotted line for the
# one that is published without a size; ours are round and blue, the article is a red cross. What is black or red was
# measured on photographs.
#
# Go down at a width of 128: true masks by area, then, nearly on one spot, true masks by nearest and a U-Net of
# 128x128 in the competition; far below, our small U-Net on rendered cars, and last the article.

# %%
at_96 = {way: kept[heights.index(96)] for way, kept in kept_by.items()}
lost = 1 - min(at_96.values())
print(f"true masks lose {lost:.4f} at most at 96x128, the article {1 - 0.9416:.4f}")
print(f"our small U-Net, rendered cars: {ours[128]:.4f}; true masks, {kind}: {at_96['area']:.4f}")

# %% [markdown]
# So the resolution does not explain it. Even enlarged to their full size (480x320 for the rendered ones), true
# masks of 96x128 lose less than one hundredth, and 0.9416 is almost six short of 1. And on the photographs
# themselves a U-Net of 128x128 reached 0.990 in the competition. What is left is the network, its training, the
# data and the way of scoring. Nothing here tells these apart.
#
# ## What belongs beside a score?
#
# Others can use your score when these questions have an answer. A record answers them all. Print its list.


# %%
def answers(record):
    """What has to stand beside a score, from a record of the ledger."""
    found, settings, images = record["scores"], record["settings"], record["split"]["images"]
    dice, runs, first = found["dice"], record["runs"], record["runs"][0]
    groups = found.get("groups") or found["cars"]  # as earlier records call them
    commits = ", ".join(dict.fromkeys(run["commit"] for run in runs))
    ends = first["scores"]["dice_interval"] or (np.nan, np.nan)
    size = "x".join(map(str, settings["image_size"] or ["native"]))
    return {
        "data": f"{record['data']}, {sum(images.values())} images",
        "split": f"by {settings['split_by']}, {record['split']['hash']}",
        "scored on": f"{record['scored_on']}, {groups['mean']:.0f} cars",
        "score": f"dice per image, hard at {found['threshold']['mean']:g}, original size",
        "result": f"{dice['mean']:.4f} ± {dice['spread'] or np.nan:.4f}, {len(runs)} seeds",
        "other cars": f"{ends[0]:.4f} to {ends[1]:.4f}, seed {first['seed']}",
        "baseline": f"{found['baseline']['mean']:.4f}",
        "model": f"{record['parameters']:,} parameters at {size}, {first['epochs']} epochs",
        "made by": f"commits {commits}; keras {first['versions']['keras']}, {first['hardware']}",
    }


# %%
print(*(f"{question:10} {answer}" for question, answer in answers(record).items()), sep="\n")

# %% [markdown]
# *Other cars* is the bootstrap interval over the test cars (notebook 07). It answers another question than the
# spread: the spread says how the number moves with another seed, the interval how it moves with other cars. Do
# not compare their widths as they stand: the interval is made for 95% (over so few cars it holds less, as you
# saw in notebook 07), the spread is one standard deviation.
#
# Now the same list for the article's U-Net. Which lines are missing, and which are there only in part?

# %%
article = {"data": "Carvana, the first 1000 images", "split": "by image, seed 42"}
article |= {"scored on": "validation, which also stopped the training", "result": "0.9416"}
article |= {"score": "dice pooled over a batch, soft, 96x128"}
article |= {"model": "96x128, 16 epochs", "made by": "a P100"}
missing = [question for question in answers(record) if question not in article]
print(f"answered: {len(article)} of {len(answers(record))}; missing: {', '.join(missing)}")

# %% [markdown]
# Two lines are missing, and others say only a part: a split without its hash, a result of one training, a model
# without its number of parameters, a machine without a commit or versions. From the article's list nobody can
# tell how the model does on a new car, or what another seed would give. From yours, anybody can estimate both,
# for rendered cars.
#
# And the question of the beginning, 0.8788 or 0.9745? Nobody can say from these two numbers: they come from
# different pictures, different splits and different scores.
#
# ## What we saw
#
# - You opened records of trainings, with recipe, split, seeds, versions and commit, and put ours beside the
#   published numbers, with a reason wherever the two may not be compared.
# - You put a paired interval around a difference, saw that it showed no leak here, read from it the effects of
#   single changes, and counted how many would show by chance alone.
# - You saw that 96x128 allows far more than the published dice, and you printed what has to stand beside
#   a score.
#
# ## Exercises
#
# Three experiments with numbers, none of which trains. Guess first, then run, then explain. [exercises/10](exercises/10.ipynb)
# has the code with gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. Five seeds of a base give 0.950, 0.958, 0.946, 0.961 and 0.955, the same seeds with a change 0.953, 0.960, 0.951, 0.962
#    and 0.959. Is the change better? Take the 95% interval of the differences. Then break the pairs: match each seed
# with the change of the one before it, the first with the last one's. Last, take two loose groups. The mean
# difference stays the same; what becomes of the interval?
# 2. How many test cars do you need to tell two models apart? Let one be better by 0.01, with differences that spread by
#    0.03 from car to car and by 0.02 from view to view, 16 views per car. Simulate tests of 5, 10, 20, 40 and 80 cars: how
#    often does the interval exclude zero? Then make the two models equal, and treat the views as if each were a test of its
#    own. How often do you now find a difference that is not there?
# 3. Split 1000 images by image into 800 and 200. How likely is it that the views of one car fall on both sides,
#    if it has 16 views, 4 or 2? Compute it, then count it in a random order of the images, whose first 200 are
#    the 200. Which data sets can afford a split by image?
#
# With Carvana's own files, start again at [01 · The Carvana files](01_data.ipynb), or add Carvana's lines to
# the table with the two commands above. What each part of the code is for, [CONTRIBUTING](../CONTRIBUTING.md)
# says.
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [11 · Your own images](11_your_own.ipynb).
