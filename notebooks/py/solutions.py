# %% [markdown]
# # Solutions
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/solutions.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/solutions.ipynb)
#
# Every exercise of the notebooks, run. Try them yourself first, in [exercises/](exercises/00.ipynb), one notebook per
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
# ## Notebook 00
#
# **1.** The U-Net of the chapter, smaller, with its skips and without.

# %%
import matplotlib.pyplot as plt

from unet_tf import network, pipeline


def convolved_twice(x, width):
    for _ in range(2):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    return x


def unet(skips=True, widths=(8, 16, 32, 32)):
    inputs = x = keras.Input((48, 64, 3))
    kept = []
    for width in widths[:-1]:
        x = convolved_twice(x, width)
        kept.append(x)
        x = keras.layers.MaxPooling2D()(x)
    x = convolved_twice(x, widths[-1])
    for width, skip in zip(widths[-2::-1], kept[::-1], strict=True):
        x = keras.layers.Conv2DTranspose(width, 2, strides=2)(x)
        x = keras.layers.Concatenate()([skip, x]) if skips else x  # yours
        x = convolved_twice(x, width)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))


for skips in (True, False):
    print(f"skips {skips}: {unet(skips).count_params():,} weights")
meet = [x for x in unet().layers if isinstance(x, keras.layers.Concatenate)]
print("tensors that meet there:", [len({id(tensor) for tensor in x.input}) for x in meet])

# %%
pairs = data.pair(folder)[:320]
parts = data.split(pairs, by="group", validation_size=0.2, test_size=0.2)
measured = {"loss": network.bce_dice_loss, "metrics": [network.hard_dice]}


def trained(pairs, judged, skips=True, epochs=8):
    """The model, and the dice of training and validation by epoch."""
    keras.utils.set_random_seed(42)
    model = unet(skips)
    model.compile(keras.optimizers.Adam(2e-3), **measured)
    batches = pipeline.dataset(pairs, (48, 64), 16, shuffle=True, cache="memory")
    judged = pipeline.dataset(judged, (48, 64), cache="memory")
    run = model.fit(batches, validation_data=judged, epochs=epochs, shuffle=False, verbose=0)
    return model, run.history["hard_dice"], run.history["val_hard_dice"]


judged = parts.validation[::4]
runs = {"with skips": trained(parts.train, judged)}
runs["without"] = trained(parts.train, judged, skips=False)  # yours
image, mask = next(iter(pipeline.dataset(judged[:1], (48, 64))))
_, axes = plt.subplots(1, 2, figsize=(7.5, 2.8), dpi=75, layout="constrained")
for axis, (name, (model, _, dices)) in zip(axes, runs.items(), strict=True):
    axis.imshow(np.round(8 * model.predict(image, verbose=0)[0]) / 8, cmap="gray", vmin=0, vmax=1)
    axis.contour(mask[0, ..., 0], [0.5], colors="tab:green")
    axis.set(xticks=[], yticks=[], title=f"{name}: validation dice {max(dices):.3f}")
plt.show()
for name, (model, _, dices) in runs.items():
    steps = int(model.optimizer.iterations)
    print(f"{name}: {model.count_params():,} weights, {steps} steps in {len(dices)} epochs")
print("the higher dice:", max(runs, key=lambda name: max(runs[name][2])))

# %% [markdown]
# Without skips the outline has to pass through the smallest level, 6x8. In our run that network scores lower,
# and the outline comes back rounder, without the mirrors. One training of each proves little: chapter 05
# compares both kinds of network at 96x128, and has a measurement over five seeds.
#
# **2.** One car alone.

# %%
# `parts.train` is here what `parts["train"]` is in the chapter; the split is another
one = parts.train[:16]  # yours
cars = len({data.group_of(image) for image, _ in one})
print(f"{len(one)} images of {cars} car, the first {one[0].image.name}")
# judged by the other cars in `judged`
model, own, others = trained(one, judged, epochs=40)  # yours
print(f"{model.count_params():,} weights, {int(model.optimizer.iterations)} steps")
gap = np.mean(own[-10:]) - np.mean(others[-10:])
print(f"{len(own)} epochs, in the last ten validation is behind by over 0.03: {gap > 0.03}")
_, axis = plt.subplots(figsize=(7.5, 2.4), dpi=75, layout="constrained")
epochs = range(1, len(own) + 1)
axis.plot(epochs, own, ":", label="training, one car")
axis.plot(epochs, others, label="validation, other cars")
axis.set(xlabel="epoch", ylabel="dice", ylim=(0, 1))
axis.legend()
plt.show()

# %% [markdown]
# For about fifteen epochs both are near 0: this dice is taken after the cut at one half, and hardly a pixel of
# the car reaches it yet. (The training's curve starts a little above.) Then both rise together. At the end
# training lies nearly level, and validation goes up and down below it: read the gap off the figure. If you gave
# `Concatenate` its two inputs in the other order, your gap may be several times as wide. One training on one
# car decides little. On photographs it may be wider still.
#
# **3.** A split by image.

# %%
order = np.random.default_rng(0).permutation(len(pairs))
mixed = [pairs[number] for number in order]
ends = len(parts.train), len(parts.train) + len(parts.validation)
# two lists, each as long as by car: training, then validation (`ends` says where to cut)
by_image = mixed[: ends[0]], mixed[ends[0] : ends[1]]  # yours
print("their sizes:", *map(len, by_image), "and the last image:", by_image[1][-1].image.name)
cars = [{data.group_of(image) for image, _ in part} for part in by_image]
print(f"by image, {len(cars[0] & cars[1])} of {len(cars[1])} validation cars are in training, too")
cars = [{data.group_of(image) for image, _ in part} for part in (parts.train, parts.validation)]
print(f"by car, {len(cars[0] & cars[1])} of {len(cars[1])}")

# %% [markdown]
# By image every validation car is known from training. So the score is of known cars, and does not show how the
# network does on a new one. Chapter 10 asks over five seeds whether it is higher.

# %% [markdown]
# ## Notebook 01
#
# **1.** Pairs by order, with one mask missing; and pairs of the same view of the next car.

# %%
from unet_tf.data import read_mask
from unet_tf.scores import dice

pairs = data.pair(folder)[:160]
images, masks = [list(paths) for paths in zip(*pairs, strict=True)]
true = [read_mask(path) for path in masks]
by_order = list(zip(images[:-1], masks[:20] + masks[21:], strict=True))  # yours
# the places in `by_order` of the pairs that are wrong
wrong = [n for n, (image, mask) in enumerate(by_order) if mask != pairs[n].mask]  # yours
print(f"{len(wrong)} of {len(by_order)} pairs are wrong")
dices = [dice(true[n], true[n + 1]) for n in wrong]
print(f"their dice with the right mask: {np.mean(dices):.3f}")
# a dice for each image that has a next car
next_car = [dice(true[n], true[n + 16]) for n in range(len(true) - 16)]  # yours
print(f"of the same view of the next car: {np.mean(next_car):.3f}")

# %% [markdown]
# All pairs behind the gap are wrong, and nothing raises an error. The next view of a car, or the same view of another car,
# covers much of the same pixels, so a score does not tell either: it looks like that of a mediocre model. Names tell, and a
# look at pairs.
#
# **2.** The most similar training image hands over its mask.

# %%
from unet_tf.data import read_image, resized

pairs = data.pair(folder)[:320]
small = {p.image: resized(read_image(p.image), (24, 32)).astype("float32") for p in pairs}


def copied(parts):
    """The mean dice of copied masks, and the share copied from the same car."""
    seen, found, same = np.stack([small[image] for image, _ in parts.train]), [], []
    for image, mask in parts.validation:
        closest = np.argmin(((seen - small[image]) ** 2).sum(axis=(1, 2, 3)))  # yours
        found.append(dice(read_mask(mask), read_mask(parts.train[closest].mask)))
        same.append(data.group_of(image) == data.group_of(parts.train[closest].image))
    return np.mean(found), np.mean(same)


for by in ("image", "group"):
    score, same = copied(data.split(pairs, by=by))  # yours
    print(f"split by {by}: dice {score:.2f}, {10 * same:.0f} of 10 copied from the same car")

# %%
for seed in range(4):  # other splits
    # the score by image, then the one by car: split in this order, since each split prints a line
    by_image, by_car = [
        copied(data.split(pairs, by=b, seed=seed))[0] for b in ("image", "group")
    ]  # yours
    print(f"seed {seed}: by image {by_image:.3f}, by car {by_car:.3f}")

# %% [markdown]
# Split by image, four masks in ten come from another view of the same car. With the first split that score is
# higher, and with one of the four others; with the other three it is lower. The two scores are of different
# images, and which images are easy is chance. So one split shows nothing; notebook 10 asks again, beside the
# same test cars. For a car that nobody has seen, only the split by car asks the right question. All are far
# above the mean mask of notebook 03: a model has to beat copying, too.
#
# **3.** A mask as a JPEG.

# %%
import io

from PIL import Image

mask = read_mask(pairs[3].mask).astype(bool)
for quality in (95, 75, 25):
    file = io.BytesIO()
    # as 0 and 255, uint8; a file in memory has no ending, so say "JPEG"; `save` takes `quality=` too
    Image.fromarray(255 * mask.astype("uint8")).save(file, "JPEG", quality=quality)  # yours
    back = np.asarray(Image.open(file))
    above, half = dice(mask, back > 0), dice(mask, back >= 128)  # yours
    many = "more than 2" if len(np.unique(back)) > 2 else "2"
    print(f"quality {quality}: {many} values, dice {above:.3f} above 0, {half:.3f} from 128 on")

# %% [markdown]
# Around the outline, JPEG leaves a halo. At quality 95 its values are so near 0 and 255 that no eye
# sees it; at 25 some come to the middle. Cut there, nearly all of the mask comes back. Read as
# "above 0", the dark half of the halo is car. So keep masks as PNG.

# %% [markdown]
# ## Notebook 02
#
# 1. Antennas of growing width, resized from 480 to 128 columns: in how many rows is any left?

# %%
from unet_tf.data import resized

print("width  nearest  area")
for width in (1, 2, 3, 4):
    antennas = 255 * sum(
        np.roll(np.eye(480, dtype="uint8"), k, axis=1) for k in range(width)
    )  # yours
    left = [
        resized(np.uint8(antennas), (480, 128), way).any(axis=1).sum()
        for way in ("nearest", "area")
    ]
    print(f"{width:5}  {left[0]:7}  {left[1]:4}")

# %% [markdown]
# Nearest reads one column in 480 / 128, which is a little less than 4, and throws the others away. So what is 4 pixels wide
# cannot slip through, and what is narrower is kept by luck. Area reads all columns.
#
# 2. How many cars does a batch hold?

# %%
cars = np.repeat(np.arange(40), 16)  # 40 cars with 16 views each, sorted
files = tf.data.Dataset.from_tensor_slices(cars)
streams = {
    f"a buffer of {size}": files.shuffle(size, 1, reshuffle_each_iteration=False).batch(16)
    for size in (1, 16, 160, 640)
}
streams["whole batches"] = files.batch(16).shuffle(40, seed=1)  # yours
for name, stream in streams.items():
    held = [len(set(batch.tolist())) for batch in stream.as_numpy_iterator()]  # yours
    print(f"{name}: {np.mean(held):.0f} cars in a batch of 16")
order = [int(batch[0]) for batch in streams["whole batches"].as_numpy_iterator()]
print("whole batches come in the order of the cars:", order == sorted(order))
early = max(car - place for place, car in enumerate(order))  # a buffer bounds it
print("a batch comes over 19 places before its turn, so the buffer is longer than 20:", early > 19)

# %% [markdown]
# A buffer of 1 shuffles nothing, and raises no error. With whole batches the order of the cars changes, and still each step
# learns about one car only. A small buffer mixes neighbours. With one that holds the list a batch has 13 cars and not 16:
# chance takes some of the 40 twice.
#
# 3. The cache before the augmentation, and behind it.

# %%
import matplotlib.pyplot as plt

from unet_tf.pipeline import dataset


def differing(some, others):
    """How many images differ, in two arrays `(N, h, w, 3)`; one value is enough."""
    return (some != others).any(axis=(1, 2, 3)).sum()  # yours


plain = np.zeros((40, 6, 8, 3))
changed = plain.copy()
changed[::7, 2, 3, :2] = 1 / 255  # two values of every seventh image
print(f"tried on two arrays: {differing(plain, changed)} images differ")

# %%
pairs, first = data.pair(folder), []
figure, axes = plt.subplots(2, 2, figsize=(7, 5), dpi=70, layout="constrained")
for row, place in zip(axes, ("before", "behind"), strict=True):
    batches = dataset(pairs[:16], (48, 64), augment=True, cache="memory")
    if place == "behind":
        batches = batches.cache()  # yours
    epochs = [np.concatenate([image for image, _ in batches]) for _ in range(2)]
    differ = differing(*epochs)
    print(f"the cache {place} the augmentation: {differ} of {len(epochs[0])} images differ")
    first.append(epochs[0])
    for number, (axis, images) in enumerate(zip(row, epochs, strict=True), 1):
        axis.imshow(images[0])
        axis.set(title=f"cache {place}, epoch {number}", xticks=[], yticks=[])
plt.show()
apart = np.abs(first[0] - first[1]).max() > 0.01
print(f"the first epochs of both: {'other' if apart else 'the same'} images")

# %% [markdown]
# In the first epoch the place of the cache changes nothing. Behind the augmentation it keeps that
# epoch's images for good: each is augmented once, and training sees 16 images instead of new ones
# each epoch. No message tells you. Two epochs side by side do.

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
# outline, so a pixel there weighs four times as much. A small car and a large one, outlined equally well, do not
# score the same. Inverted, not one pixel is right. An empty mask has a dice of 0 as well, but is
# right for more than four pixels of five. A dice near 0 together with a low accuracy says that the
# masks mean the opposite of what you think.

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
two = soft_iou(np.stack([truth, truth])[..., None], np.stack([prediction, truth])[..., None])
print(f"of this image, and of one without a mistake: {np.round(two, 2)}")

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
# the view of each training image, and of each validation image; the means are of training masks
views, asked = (np.array([p.image.stem[-2:] for p in part]) for part in parts[:2])
means = {
    "one mean mask": np.repeat(train.mean(axis=0)[None], len(scored), axis=0),
    "one for each view": np.stack([train[views == view].mean(axis=0) for view in asked]),  # yours
}
for name, probability in means.items():
    agreed = np.mean((probability == 0) | (probability == 1))
    print(f"{name}: the masks behind it agree on {agreed:.0%} of the pixels")
    some = np.round(hard_dice(scored[:3], probability[:3]), 2)
    print(f"of shape {probability.shape}; dice of the first three images {some}")

# %%
thresholds = np.linspace(0.2, 0.7, 11)
_, axis = plt.subplots(figsize=(7, 2.4), dpi=70, layout="constrained")
for name, probability in means.items():
    scores = [np.mean(hard_dice(scored, probability, threshold=t)) for t in thresholds]  # yours
    best = int(np.argmax(scores))
    print(f"{name}: {scores[best]:.3f} at {thresholds[best]:.2f}, {scores[6]:.3f} at 0.5")
    axis.plot(thresholds, scores, "o-" if name == "one mean mask" else "s--", label=name)
axis.set(xlabel="threshold", ylabel="per-image dice", title="Dice by threshold")
axis.legend()
plt.show()

# %% [markdown]
# A pixel with a probability below 0.5 is more likely background than not, and still dice gains by calling it car: a found
# pixel counts twice, an extra one once. In theory the best threshold is near half of the dice that
# it reaches ([Lipton et al., 2014](https://arxiv.org/abs/1402.1892)), and the score is flat around
# it. So it rises with the dice, to 0.5 for a perfect prediction. With one mask for each view little
# is left to gain: the masks behind it agree on most pixels.

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
validation = dataset(parts.validation[::4], (48, 64), cache="memory")


def compiled(loss, rate):
    """A small model, ready to be trained with `loss` at `rate`."""
    keras.utils.set_random_seed(42)
    model = simple_fcn((48, 64, 3), filters=(16, 32, 64))
    model.compile(keras.optimizers.Adam(rate), loss, metrics=[hard_dice])  # yours
    return model


def trained(loss=bce_dice_loss, rate=0.001, images=160, epochs=5):
    """The validation dice by epoch; prints what was trained."""
    batches = dataset(parts.train[:images], (48, 64), 16, shuffle=True, cache="memory")
    model = compiled(loss, rate)
    model.optimizer.build(model.trainable_variables)  # or Keras makes its graph twice
    run = model.fit(batches, validation_data=validation, epochs=epochs, shuffle=False, verbose=0)
    print(f"{loss.__name__} at {rate:g}: {images} images, {int(model.optimizer.iterations)} steps")
    return run.history["val_hard_dice"]


optimizer = (model := compiled(dice_loss, 0.01)).optimizer
print(f"{type(optimizer).__name__}: {model.loss.__name__} at {float(optimizer.learning_rate):.2f}")
print("watched:", sorted(model.evaluate(validation, verbose=0, return_dict=True)))


# %%
def draw(title, runs):
    _, axis = plt.subplots(figsize=(7.5, 2.6), dpi=75, layout="constrained")
    for (name, run), style in zip(runs.items(), ("o-", "s--", "^:"), strict=False):
        axis.plot(range(1, len(run) + 1), run, style, label=name)
    axis.set(xlabel="epoch", ylabel="validation dice", ylim=(-0.05, 1), title=title)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.show()


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
draw("The loss or the rate?", runs)

# %% [markdown]
# It takes both: at 0.001 dice alone learns, at 0.01 it gets no better than car everywhere in these five epochs.
# Notebook 04 showed how the pooled dice gets stuck at that rate. Why is it slower at 0.001? At the start the
# probabilities lie around 0.5. Work out the gradient there for an image of which a fifth is car: dice pulls a
# car pixel up six times as hard as it pulls a background pixel down. So everything becomes car first, and its
# curve begins near the score of that. Cross-entropy pulls both alike.
#
# 2. A fifth of the images, for as many epochs and for as many steps.

# %%
fifth = trained(images=32, epochs=25)  # yours
whole, epochs, steps = runs["BCE + dice at 0.001"][-1], fifth[4], fifth[-1]
share = (steps - epochs) / (whole - epochs)
print(f"the steps bring back {'more' if share > 0.5 else 'less'} than half of what was lost")
draw("As many epochs, as many steps", {"all": runs["BCE + dice at 0.001"], "a fifth": fifth})

# %% [markdown]
# With a fifth of the images an epoch has a fifth of the steps. After five epochs this training has only begun, and that is
# most of what it lost. A paper has to say which of the two it kept the same.
#
# 3. Three learning rates.

# %%
rates = {0.00001: trained(rate=0.00001), 0.1: trained(rate=0.1)}  # yours
rates[0.001] = runs["BCE + dice at 0.001"]
for rate, run in sorted(rates.items()):
    print(f"{rate:.5f}: {'learns' if run[-1] > everything + 0.1 else 'does not learn'}")
draw("Three learning rates", {f"{rate:.5f}": run for rate, run in sorted(rates.items())})

# %% [markdown]
# The smallest rate creeps: its weights have hardly moved, and more epochs would move them further. The largest
# has thrown the network away in the first epoch. It need not be the sigmoid: too long a step can leave the
# ReLUs with negative inputs everywhere. They then give zero, and pass no gradient back. All pixels would get
# the same answer; below one half, that makes a curve that lies flat at the bottom. More epochs do not wake
# them; a smaller rate from the start avoids it.

# %% [markdown]
# ## Notebook 05
#
# 1. Remove skips, then train. The encoder gives its skips and the bottom, the decoder takes them: so the exercises below
#    can change what goes from one to the other.

# %%
import matplotlib.pyplot as plt
from keras import layers

from unet_tf.network import bce_dice_loss, conv_block, hard_dice
from unet_tf.pipeline import dataset

WIDTHS = (8, 16, 16, 16)


def halves(skips_on):
    """Encoder: an image to four skips and the bottom. Decoder: those to a probability."""
    image = x = keras.Input((48, 64, 3))
    found = []
    for width in WIDTHS:
        x = conv_block(x, width)
        found.append(x)
        x = layers.MaxPooling2D(2)(x)
    encoder = keras.Model(image, [*found, conv_block(x, 32, 0.3)])
    given = [keras.Input(tensor.shape[1:]) for tensor in encoder.outputs]
    x = given[-1]
    for level in (3, 2, 1, 0):
        layers.Identity()(given[level])  # Keras 3.13 wants every input to go somewhere
        x = layers.Conv2DTranspose(WIDTHS[level], 3, strides=2, padding="same")(x)
        x = layers.Concatenate()([x, given[level]]) if skips_on[level] else x  # yours
        x = conv_block(x, WIDTHS[level])
    return encoder, keras.Model(given, layers.Conv2D(1, 1, activation="sigmoid")(x))


for name, skips_on in (("all", [1, 1, 1, 1]), ("no finest", [0, 1, 1, 1])):
    print(f"{name}: {halves(skips_on)[1].count_params():,} weights in the decoder")

# %%
parts = data.split(data.pair(folder), by="group", validation_size=0.2, test_size=0.2)
# the first 160 pairs of the training part
chosen = parts.train[:160]  # yours
# these at 48x64 in batches of 16, shuffled, cached in memory
training = dataset(chosen, (48, 64), 16, shuffle=True, cache="memory")  # yours
validation = dataset(parts.validation[::2], (48, 64), cache="memory")
images, masks = (np.concatenate(arrays) for arrays in zip(*validation, strict=True))
print([training.made_of()[name] for name in ("image_size", "batch_size", "shuffle", "augment")])
print(f"{len(chosen)} images, {training.cardinality()} steps per epoch, {len(images)} to score")
cars = [{data.group_of(image) for image, _ in some} for some in (chosen, parts.validation)]
print(f"cars on both sides: {len(cars[0] & cars[1])}")


def trained(skips_on):
    """Encoder and decoder, after five epochs."""
    keras.utils.set_random_seed(42)
    training.epoch.assign(0)
    encoder, decoder = halves(skips_on)
    model = keras.Model(encoder.input, decoder(encoder.output))
    model.compile(keras.optimizers.Adam(0.002), bce_dice_loss)
    model.optimizer.build(model.trainable_variables)  # or Keras makes its graph twice
    model.fit(training, epochs=5, shuffle=False, verbose=0)
    return encoder, decoder


def score(decoder, given, truth=masks):
    return float(np.mean(hard_dice(truth, decoder(given))))


# %%
kinds = {"all skips": [1, 1, 1, 1], "no finest": [0, 1, 1, 1], "none": [0, 0, 0, 0]}  # yours
networks, scores = {name: trained(skips_on) for name, skips_on in kinds.items()}, {}
for name, (encoder, decoder) in networks.items():
    scores[name] = score(decoder, encoder(images))
    print(f"{name}: {decoder.count_params():,} weights in the decoder")
for name in ("no finest", "none"):
    far = scores["all skips"] - scores[name] > 0.03
    print(f"{name}: {'far below' if far else 'as good as'} all skips")


def draw(title, scores):
    _, axis = plt.subplots(figsize=(7, 2.2), dpi=75, layout="constrained")
    axis.bar_label(axis.barh(list(scores), list(scores.values()), color="0.6"), fmt=" %.3f")
    axis.set(xlim=(0, 1.1), xlabel="validation dice", title=title)
    axis.invert_yaxis()
    plt.show()


draw("Trained with these skips", scores)

# %% [markdown]
# The bottom has 3x4 places. Without any skip the outline has to be remembered there. At 48x64 the other three
# skips, the finest of them at half of the size, are enough. That is no rule for larger images, which were not
# tried.
#
# 2. Train first, then set one skip to zero.

# %%
encoder, decoder = networks["all skips"]
given = encoder(images)
cut = {}
for level in range(4):
    changed = [0 * tensor if n == level else tensor for n, tensor in enumerate(given)]  # yours
    zero = [n for n, tensor in enumerate(changed) if not np.any(tensor)]
    same = [n for n, tensor in enumerate(changed) if np.array_equal(tensor, given[n])]
    print(f"skip {level + 1}: of the tensors {zero} are zero, {same} as they were")
    cut[f"skip {level + 1} set to zero"] = score(decoder, changed)
worse = min(cut.values()) < scores["none"]
print(f"the worst is {'below' if worse else 'above'} the network trained without skips")
bars = {"untouched": scores["all skips"], **cut, "trained without": scores["none"]}
draw("One skip of the trained network set to zero", bars)

# %% [markdown]
# This network relies on some of its skips, and nothing stands in for those; others it hardly uses, and losing them costs
# next to nothing. One that never had any has learned to do without. So cutting a part out of a trained network says what
# *this* network uses. What the part is worth, only a training without it can say. And this is one
# training: another may lean on other skips.
#
# 3. The bottom of one image, the skips of another.

# %%
other = [tf.roll(tensor, 7, axis=0) for tensor in given]  # of an image of another view
# The bottoms of `given` (the last of its five), the skips of `other` (the first four).
mixed = [*other[:4], given[4]]  # yours
truths = {
    "the bottom's car": masks,
    "the skips' car": np.roll(masks, 7, axis=0),  # yours
}
for name, tensors in (("given", given), ("other", other)):
    equal = [n for n in range(5) if np.array_equal(mixed[n], tensors[n])]
    print(f"as in {name}: {equal} of {len(mixed)} tensors")
for name, truth in truths.items():
    equal = [n for n, mask in enumerate(masks) if np.array_equal(mask, truth[20])]
    print(f"{name}, image 20: the mask of image {equal}")
follows = {name: score(decoder, mixed, truth) for name, truth in truths.items()}
print(f"the mask shows {max(follows, key=follows.get)}")
between = float(np.mean(hard_dice(masks, np.roll(masks, 7, axis=0))))
draw("The mask beside the true masks of both cars", {**follows, "the two true masks": between})

# %%
_, axes = plt.subplots(1, 3, figsize=(7, 2), dpi=75, layout="constrained")
# the probabilities that the decoder makes of `mixed`, for all images, an array
shown = np.asarray(decoder(mixed))  # yours
pictures = {"the bottom's car": images[20], "the skips' car": images[13], "mask": shown[20, ..., 0]}
for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, cmap="gray")
    axis.set(title=name, xticks=[], yticks=[])
plt.show()
print(f"a mask of {shown[20].shape}, of {len(mixed)} tensors")
print(f"what the other image alone gives: {np.allclose(shown, decoder(other), atol=1e-3)}")
found = [float(hard_dice(masks[n : n + 1], shown[20:21])[0]) for n in (20, 13)]
print(f"a prediction, and no true mask: {max(found) < 1}")
print(f"nearer to the mask of image {(20, 13)[np.argmax(found)]}")

# %% [markdown]
# The skips decide. With the bottom's car the mask has hardly more in common than the two true masks have. So in
# this narrow network the skips know enough to tell car from wall, and the bottom adds little. That the bottom
# says *what* and the skips say *where* is a picture to remember them by, not what this network has learned.

# %% [markdown]
# ## Notebook 06
#
# 1. A layer that forgets fast arrives soon and never rests. With 0.5, half of what it remembers comes from one batch of
#    8 numbers: it jumps many times as far as with 0.99, and what it is short of after 30 steps is such a jump. With 0.99
#    it takes hundreds of steps to arrive, so look at the jumps long after. Larger batches would calm it: a mean of four
#    times as many numbers jumps half as far.

# %%
batches = np.random.default_rng(0).normal(5, 2, (1000, 8, 1)).astype("float32")
for momentum in (0.99, 0.9, 0.5):
    norm = keras.layers.BatchNormalization(momentum=momentum, dtype="float32")  # yours
    means = []
    for batch in batches:
        norm(batch, training=True)  # yours
        means.append(float(norm.moving_mean[0]))
    print(f"{momentum:.2f}: {5 - means[29]:5.2f} short after 30 steps,", end=" ")
    print(f"jumps by {np.std(means[-500:]):.2f} at the end")

# %% [markdown]
# 2. A patience of 1 takes the first tremble for the end. The larger the patience, the fewer trainings end
#    early, and each of them pays for it in epochs: from a patience of 5 to one of 10 it takes 50 instead of 37.

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
# 2. Building IoU falls at once: a house of 10 pixels that is shifted by one keeps 90 of its 100 pixels, 90 /
#    110 = 0.82. The pooled one stays high, since most of the background is still right. At twice the resolution
#    a shift of one pixel costs about half as much: errors at the wall weigh less the larger the house.

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
# 3. Hard IoU does not move: the sign of a logit stays. Soft IoU only rises, towards the hard one, as if the
#    network had become better. Cross-entropy is lowest in between: sure and right costs little, sure and wrong
#    costs more and more. So no loss or soft score of a surer network proves a better mask.

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
# 1. Plain cross-entropy is lowest near p = 4/256, and low: such a network says "background" everywhere and is
#    content. With weights the two classes together weigh the same, and p = 0.5 is best: the network cannot
#    choose. The dice of classes is also lowest near 4/256, but not low: it stays near a half, since one of two
#    classes is missing. So there, too, the network draws background everywhere.

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
        f"void {width} each side: {(truth < 255).mean():.1%} scored, mean IoU {scored['mean_iou']:.3f}"
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
# 1. Five seeds of a base and of a change, invented: in pairs, in broken pairs, and as loose groups.

# %%
from scipy import stats

base = np.array([0.950, 0.958, 0.946, 0.961, 0.955])
changed = np.array([0.953, 0.960, 0.951, 0.962, 0.959])


def interval(differences):
    """The mean and its 95% interval, by Student's t."""
    half = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    return differences.mean(), differences.mean() - half, differences.mean() + half


for before, after in zip(base, changed, strict=True):
    print(f"{before:.3f} -> {after:.3f}: {after - before:+.3f}")
print("pairs   {:+.4f} ({:+.4f} to {:+.4f})".format(*interval(changed - base)))
broken = interval(np.roll(changed, 1) - base)  # yours
print("broken  {:+.4f} ({:+.4f} to {:+.4f})".format(*broken))
low, high = stats.ttest_ind(changed, base).confidence_interval()  # yours
print(f"loose   {changed.mean() - base.mean():+.4f} ({low:+.4f} to {high:+.4f})")

# %% [markdown]
# The mean is the same three times. In pairs, what a seed does to both cancels, and the interval lies above zero. In broken
# pairs it does not cancel: each difference holds the luck of two seeds. The loose groups know of no pairs at all. Both
# intervals hold zero.
#
# 2. How many test cars until two models can be told apart?


# %%
def tests(cars, better, random, views=16):
    """Differences of one simulated test, (cars, views)."""
    return better + random.normal(0, 0.03, (cars, 1)) + random.normal(0, 0.02, (cars, views))


def found(cars, better, per, count=400):
    """In which share of the tests the interval excludes zero."""
    random, times = np.random.default_rng(0), 0
    for _ in range(count):
        differences = tests(cars, better, random)
        values = differences.mean(axis=1) if per == "car" else differences.ravel()  # yours
        _, low, high = interval(values)
        times += low > 0 or high < 0
    return times / count


print("cars  better by 0.01, per car  equal, per car  equal, per view")
for cars in (5, 10, 20, 40, 80):
    shares = found(cars, 0.01, "car"), found(cars, 0, "car"), found(cars, 0, "view")  # yours
    print(f"{cars:4}  {shares[0]:22.0%}  {shares[1]:14.0%}  {shares[2]:15.0%}")

# %% [markdown]
# With ten cars a difference of 0.01 is mostly missed, though 160 images are scored; with 80 it is seen in most
# tests. Per car, equal models are called different in about 5% of the tests, as a 95% interval promises. (That
# 40 cars have 8% is chance: 400 tests are few, and such a share wobbles.) Per view it happens in most tests,
# and more cars do not cure it: 16 views of one car are not 16 witnesses.
#
# 3. A car is on one side only if all of its views are among the 800, or all among the 200. Of all ways to choose 200 images
#    of 1000, so many have none of the views, and so many have all of them:

# %%
from math import comb

random = np.random.default_rng(0)
for views in (16, 4, 2):
    none, every = comb(1000 - views, 200), comb(1000 - views, 200 - views)  # yours
    cars = np.arange(1000) // views
    order = random.permutation(1000)
    both = set(cars[order[:200]]) & set(cars[order[200:]])  # yours
    computed = 1 - (none + every) / comb(1000, 200)
    print(f"{views:2} views: {computed:.3f}, counted {len(both) / len(set(cars)):.3f} of the cars")

# %% [markdown]
# Even with two views a third of the pairs is torn apart. Only where each image shows a thing of its own does a split by image
# leak nothing.

# %% [markdown]
# ## Notebook 11
#
# 1. Lines of growing width, at parts of their size.

# %%
from collections import Counter

from unet_tf.plan import Found

print("width   1/2   1/4   1/8")
for width in (1, 2, 4, 8):
    lines = np.zeros((8, 96, 96), "uint8")  # in each mask the line stands a pixel further right
    for column, line in enumerate(lines, 40):
        line[:, column : column + width] = 1  # yours
    found = Found(data.Labels.foreground(), {"all": 8}, Counter({(96, 96): 8}), {}, list(lines))
    kept = [found.kept(share) for share in (1 / 2, 1 / 4, 1 / 8)]  # yours
    print(f"{width:5}", "".join(f"{value:6.2f}" for value in kept))

# %% [markdown]
# A line is safe while it is two pixels wide at the smaller size. With one pixel its place decides: where the
# grid cuts the line into two equal halves, nothing is left. The table pools all eight places: it adds up their
# pixels and takes one dice, as `kept` does with the masks of a folder. Thinner lines are gone. By the rule of
# 0.975: lines of 4 pixels may be halved and lines of 8 quartered. Lines of 1 or 2 pixels bear no reduction
# tried here: where whole images have to be reduced, cut crops from them at their own size.
#
# 2. A folder whose masks are inverted.

# %%
import shutil

from PIL import Image

from unet_tf import doctor, scores

own, inverted = Path("runs/masks_own"), Path("runs/masks_inverted")
for copy in (own, inverted):
    shutil.rmtree(copy, ignore_errors=True)
    for name in ("images", "masks"):
        (copy / name).mkdir(parents=True)
for image, mask in data.pair(folder)[:160:5]:
    white = data.read_mask(mask)
    for copy, pixels in ((own, white), (inverted, 1 - white)):  # yours
        shutil.copy(image, copy / "images" / image.name)
        Image.fromarray(255 * pixels).save(copy / "masks" / f"{image.stem}.png")
for copy in (own, inverted):
    pairs, status = data.pair(copy), doctor.check(copy).status
    best = scores.constant_baseline(pairs, pairs)  # yours
    print(f"{copy.name}: may train: {status == 0}, a constant prediction: {np.mean(best):.2f}")

# %% [markdown]
# Both pass the check, since nothing says which of the two is meant. Where most is white, a prediction that
# looks at no image is nearly right. So 0.85 means a little in the folder, where such a prediction has 0.79. In
# the copy it lies below that prediction's 0.94: the model is not good.
#
# 3. Nine of ten masks are empty.

# %%
from unet_tf.scores import dice

truth = np.zeros((10, 96, 96), int)
truth[0, 40:50, 40:60] = 1
nothing, stray, part = np.zeros_like(truth), truth.copy(), truth.copy()
stray[:, 0, 0] = 1  # yours
part[0, 45:] = 0  # yours
for name, said in (("nothing", nothing), ("a stray pixel", stray), ("half", part)):
    values = [dice(*both) for both in zip(truth, said, strict=True)]
    print(f"{name}: {np.mean(values):.3f}, of the one with an object {values[0]:.3f}")

# %% [markdown]
# Two empty masks have a dice of 1. So nothing as an answer is right on nine of ten images, and one pixel too many takes
# all nine away from a model that finds the object. Score the images with an object by themselves, and beside them the
# share of empty ones that stay empty.

# %% [markdown]
# ## Notebook 12
#
# 1. One outlier takes the steps of all the others.

# %%
usual = np.linspace(-1, 1, 9)


def rounded(values):
    """Values rounded to 8 bits, the sign among them: 127 steps to each side."""
    step = np.abs(values).max() / 127
    return np.round(values / step) * step  # yours


for name, values in {"alone": usual, "beside 50": np.append(usual, 50)}.items():
    kept = len(set(rounded(values)[:9].round(6)))  # yours
    print(f"{name}: {kept} different values of 9")

# %% [markdown]
# A step is a share of the largest magnitude. Beside 50 it is 0.39, so that neighbours fall together: -0.5 with
# -0.25, and 0.25 with 0.5. With a step for each output channel, an outlier spoils its own channel alone.
#
# 2. Enlarge, then cut; or cut, then enlarge.

# %%
from unet_tf.data import resized, resized_back
from unet_tf.scores import dice

rows, columns = np.mgrid[:300, :300]
circle = (np.hypot(rows - 150, columns - 150) < 120).astype("uint8")
share = resized(255 * circle, (20, 20), "area") / np.float32(255)
smooth = resized_back(share, (300, 300)) >= 0.5  # yours
stairs = resized((share >= 0.5).astype("uint8"), (300, 300), "nearest")  # yours
print(
    f"enlarged, then cut: {dice(circle, smooth):.2f}; cut, then enlarged: {dice(circle, stairs):.2f}"
)

# %% [markdown]
# Cut at a size of 20x20, the circle has stairs of 15 pixels. The probabilities know how much of each place is circle, and
# enlarging them first uses that. A program that gets a mask at the model's size cannot make up for it.
#
# 3. The SavedModel resizes.

# %%
from unet_tf import export, network, predict

card = data.Card(data.Labels.foreground("car"), (48, 64))
export.export(predict.Predictor(network.simple_fcn((48, 64, 3), (4,)), card), "runs/exercise/saved")
serve = tf.saved_model.load("runs/exercise/saved").signatures["serving_default"]
for size in ((31, 47), (2000, 3000)):
    image = tf.zeros((1, *size, 3), "uint8")  # yours
    answer = serve(image=image)["probability"]  # yours
    print(tuple(image.shape[1:3]), "->", tuple(answer.shape[1:3]))

# %% [markdown]
# Both come back at 48x64, the model's size: the graph in the folder resizes, as the card says. Enlarging the answer to the
# image's own size is left to whoever calls it.
