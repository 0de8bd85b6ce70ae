# %% [markdown]
# # 08 · Buildings from the air
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/08_buildings.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/08_buildings.ipynb)
#
# **You will**
#
# - train a U-Net on random crops of large aerial photographs, and validate it on whole ones;
# - measure IoU in five ways from the same prediction, and see why a building IoU of 0.66 reads as 0.88 where
#   15% of the ground is built on;
# - turn coloured masks into class ids, see what JPEG does to a mask, and have a wrong colour named.
#
# **You need** no data and no account. Without the photographs the notebook draws a town of its own; that takes
# up to a minute, once. The rest takes one to three minutes on 2 CPU cores. With the photographs it takes
# longer; that time, and the time on a GPU, were not measured.
#
# The photographs are the Massachusetts Buildings of Volodymyr Mnih's thesis "Machine Learning for Aerial Image
# Labeling" (2013). The training follows "U-Net for Image Segmentation: Architecture, Implementation and Code Example"
# (Piotr Rudzki, Asper Brothers, 2023), which uses PyTorch. We call it *Rudzki's article*. It shows its score in a
# picture only.

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
from sklearn.metrics import jaccard_score

from unet_tf import data, kaggle, network, pipeline, rendered
from unet_tf.network import cross_entropy_dice_loss, soft_dice
from unet_tf.pipeline import augment, fold_in, shuffled
from unet_tf.predict import probabilities
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find(None, "town")

# %% [markdown]
# On a CPU you train a small U-Net, 8 filters in its first level, on crops of 128x128. Do you have a GPU, a T4 or
# better? Set `FULL` to `True` for the 64 filters and the 256x256 crops of Rudzki's article.

# %%
FULL = False  # True: the article's size, for a GPU
BASE, IMAGES, EPOCHS, BATCH = (64, None, 15, 32) if FULL else (8, 24, 4, 8)
CROP, CROPS = ((256, 256), 25) if FULL else ((128, 128), 9)
LEARNING_RATE = 5e-5 if FULL else 3e-3  # few steps need longer ones

# %% [markdown]
# ## The photographs
#
# The data set has 151 photographs of Boston, each 1500x1500 pixels, one metre per pixel. Kaggle lists it as a *data
# set*, so there are no rules to accept. You still need a token, as in [notebook 01](01_data.ipynb); on Kaggle itself,
# press *Add Input* instead. Set the switch to `True` to download it. The address is the one that other projects give;
# we have not checked it. If it has moved, the error says where to look.

# %%
DOWNLOAD = False
if DOWNLOAD:
    kaggle.download_buildings("data/massachusetts-buildings")
    folder = data.find("data/massachusetts-buildings", "town")

# %% [markdown]
# The drawn town, `rendered` in the outputs, has the same folders and the same scale; its images are smaller, 384x384.
# The split into three parts comes with the data, so that everybody's scores compare. Images end in `.tiff`, masks in
# `.tif`.

# %%
for part in sorted(data.given(folder).iterdir()):
    names = sorted(file.name for file in part.iterdir())
    print(f"{part.parent.name}/{part.name:12} {len(names):3} files, the first {names[0]}")
parts = data.parts(folder, images=IMAGES)
kind = "rendered" if rendered.is_rendered(folder) else "photographed"

# %% [markdown]
# Each mask is a colour picture, and a table says which colour means which class. The order of the rows gives the
# class ids: background is 0, building is 1.

# %%
print((folder / "label_class_dict.csv").read_text().strip())
table = data.table_of(folder)

# %% [markdown]
# `table.read` turns a mask into class ids. How it does that, and what can go wrong, comes near the end. First, what
# do you have to find?


# %%
def outlined(axis, pixels, mask, title, darkest=0):
    """An image with the outlines of a mask, drawn twice, to show on dark and on light ground."""
    few = np.round(8 * pixels) / 8  # few shades: a small file
    axis.imshow(few, cmap="gray", vmin=darkest, vmax=1, interpolation="nearest")
    for colour, width in (("white", 3), ("magenta", 1.3)) if np.any(mask) else ():
        axis.contour(mask, [0.5], colors=colour, linewidths=width)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=10)


view = np.s_[-128:, :128]  # 128 metres each way, at the lower left
pixels, ids = data.read_image(parts.train[1].image) / 255, table.read(parts.train[1].mask)
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9), dpi=80, layout="constrained")
outlined(axes[0], pixels[view], 0 * ids[view], "The image: red, green and blue of each pixel")
outlined(
    axes[1], pixels[view].mean(axis=2), ids[view], "What it should find: the outlined buildings"
)
plt.show()

# %% [markdown]
# (The pictures have few shades, to keep this file small: rounding turns the faint grain of the image into
# speckles.) Roofs are grey, red or white. Streets are grey, and cars have all these colours: colour alone is
# not enough. The masks are footprints from a map, not what a camera sees: where a tree hangs over a roof, the
# mask follows the roof. How much of the ground is built on?

# %%
for name, pairs in zip(parts._fields, parts, strict=True):
    shares = [(table.read(mask) == 1).mean() for _, mask in pairs]
    print(f"{name}: {len(pairs)} images, {np.mean(shares):.1%} building ({kind})")

# %% [markdown]
# Background is everywhere, buildings are rare. Remember that share: it decides what an IoU says, further down.
#
# ## Random crops
#
# You resized the cars before training. You cannot do that with a house ten pixels wide: at 256 instead of 1500 pixels
# it would be two pixels wide. So keep the full resolution and train on *crops*, pieces small enough for the memory.
# The network does not mind: its convolutions take any size later on.


# %% tags=["lifted"]
def random_crop(image, mask, crop, seed):
    """The same part of image and mask, `crop` (height, width) large, at a place drawn by `seed`."""
    spare = tf.shape(image)[:2] - crop
    share = tf.random.stateless_uniform((2,), seed)
    top, left = tf.unstack(tf.cast(share * tf.cast(spare + 1, tf.float32), tf.int32))
    parts = [pixels[top : top + crop[0], left : left + crop[1]] for pixels in (image, mask)]
    return tuple(
        tf.ensure_shape(part, (*crop, channels))
        for part, channels in zip(parts, (3, 1), strict=True)
    )


# %% [markdown]
# Try it on a 4x4 image whose pixels are numbered, with a mask that has the same numbers.

# %%
numbered = np.arange(16).reshape(4, 4, 1)
for seed in ((0, 0), (0, 1), (0, 0)):
    image, mask = random_crop(np.repeat(numbered, 3, axis=2), numbered, (2, 2), seed)
    print(seed, image[..., 0].numpy().tolist(), mask[..., 0].numpy().tolist())

# %% [markdown]
# Image and mask are cut at the same place, and the same seed finds the same place again. The module's `crop_dataset`
# cuts several crops per image and epoch, and augments them.

# %%
amounts = {"vertical_flip": 0.5, "quarter_turn": 0.75, "rotation": 0.0, "brightness": 0.1}
settings = {
    "crops": CROPS,
    "batch_size": BATCH,
    "cache": "auto" if FULL else None,
    "read": table.read,
}
training = pipeline.crop_dataset(parts.train, CROP, augment=amounts, **settings)
updates = int(training.cardinality())  # how many batches an epoch has
print(f"{updates} batches of {BATCH} crops per epoch, {EPOCHS * updates} in {EPOCHS} epochs")

# %%
images, masks = next(iter(training))
epoch = training.epoch.assign(0)  # start with epoch 0 again
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9), dpi=80, layout="constrained")
for number, (axis, image, mask) in enumerate(zip(axes, images, masks, strict=False), 1):
    outlined(axis, np.mean(image, axis=2), mask[..., 0], f"Crop {number} of a batch ({kind})")
plt.show()

# %% [markdown]
# The crops of this batch come from different images; here are two. They may be mirrored or turned, and the
# outlines still fit. Their brightness and contrast vary a little, too.
#
# ## Train
#
# The network is a U-Net like that of notebook 05, with two output channels, one per class. A *softmax* turns
# the two numbers of a pixel into probabilities that add up to one. As in notebook 06 every block has batch
# norm, the transposed convolutions are 2x2, and there is no last 3x3 convolution.

# %% tags=["nbval-ignore-output"]
policy = set_precision()

# %%
model = network.unet(
    (None, None, 3),  # any height and width
    [BASE * width for width in (1, 2, 4, 8, 16)],
    dropout=0.0,
    batch_norm=True,
    upsampling="transposed_2x2",
    final_conv=False,
    num_classes=2,
    head="softmax",
)

# %% [markdown]
# You train on crops and validate on whole images: there every pixel counts once, and no lucky place helps.
# `val_mean_iou` is the mean of the two classes' IoU, and `fit` keeps the epoch in which it was highest. The learning
# rate falls to 0 along a cosine, so the last updates are the smallest. Compare how far each epoch moves the score, and
# find the epoch that `fit` keeps: it need not be the last.

# %% tags=["nbval-ignore-output"]
falling = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * updates)
history = fit(
    model,
    training,
    pipeline.dataset(parts.validation, None, 1, cache="memory", read=table.read),
    epochs=EPOCHS,
    loss=cross_entropy_dice_loss,  # taken apart below and in notebook 09
    optimizer=keras.optimizers.Adam(falling),
    metrics=[network.mean_iou(2)],
    monitor="val_mean_iou",
    verbose=2,
)

# %% [markdown]
# Now let it look at the test images, each at its own size.

# %%
said = list(probabilities(model, [image for image, _ in parts.test], None, batch_size=1))
truths = [table.read(mask) for _, mask in parts.test]
pixels = data.read_image(parts.test[0].image).mean(axis=2) / 255
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9), dpi=80, layout="constrained")
outlined(axes[0], pixels[view], truths[0][view], f"Test image ({kind}) and its buildings")
outlined(
    axes[1], said[0][view][..., 1], truths[0][view], "Lighter than middle grey: called building"
)
plt.show()

# %% [markdown]
# The network has filled most of the outlines, and the edges are soft: grey means that it is not sure. A patch
# outside of all outlines that is lighter than middle grey is a mistake, since it counts as building: compare it
# with the image on the left. Which roof-like thing lies there? (The picture has nine shades. A patch in exactly
# middle grey is near one half, and may be on either side.) How good is that, as a number? Before you measure
# it, look at three choices that you have made on the way: the crops, the padding and the loss.
#
# ## How much does an epoch see?
#
# Rudzki's article cuts *one* crop per image and epoch. It has 137 training images in batches of 32, so an epoch has
# 5 updates, and all 15 epochs have 75. How much of an image do they show to the network? Draw the places and count.


# %%
def seen(crops, size=1500, crop=256):
    """How often each pixel of an image lies in a crop, int `(size, size)`."""
    counts, rng = np.zeros((size, size), int), np.random.default_rng(0)
    for top, left in rng.integers(0, size - crop + 1, (crops, 2)):
        counts[top : top + crop, left : left + crop] += 1
    return counts


figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9), dpi=80, layout="constrained")
for axis, crops in zip(axes, (1, 25), strict=True):
    counts, once = seen(15 * crops), np.mean(seen(crops) > 0)
    axis.imshow(counts[::10, ::10].clip(max=4), cmap="Greys", vmin=0, vmax=4)
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{crops} per epoch: {np.mean(counts == 0):.0%} never seen (white)", fontsize=10)
    print(f"{crops} per epoch: {once:.1%} of the pixels in one, {np.mean(counts > 0):.1%} in 15")
plt.show()

# %% [markdown]
# Each picture shows one image of the article's size after 15 epochs. The darker a place, the more often it was
# seen; black is four times or more. With one crop, an "epoch" covers one pixel in 34, and most of the image
# never reaches the network. 25 crops have three quarters of an image's area, but they overlap: one epoch shows
# about half of it, and all 15 nearly the whole. What stays light is the rim, because few crops reach it.
#
# ### New places each epoch
#
# Decoding a large TIFF takes longer than cutting it, so the next cell keeps the whole images in memory. (With
# `FULL` the training above keeps them too, in memory where they fit, else in a file where there is room.
# Without `FULL`, `cache` is None, and it reads them anew for each crop: the drawn ones are small.) One pass
# over them cuts one crop from each. Order and places follow from the seed and the number of the pass, as in
# notebook 02.

# %%
elements = pipeline.decoded(parts.train, None, read=table.read).cache()


def one_pass(number, seed=0):
    """A crop of each training image, the order and the places drawn by `seed` and `number`."""
    draw = tf.stack([seed, number])
    places = fold_in(draw, -1)  # other numbers than the augmentation's

    def cut(index, pair):
        return random_crop(*pair, CROP, fold_in(places, index))

    return shuffled(elements, len(parts.train), draw).enumerate().map(cut)


# %%
module = pipeline.crop_dataset(parts.train, CROP, **settings | {"cache": None})
others = {"pass 1": one_pass(1), "pass 0 again": one_pass(0), "the module": module.unbatch()}
first = next(iter(one_pass(0).batch(BATCH)))[1].numpy()
for name, crops in others.items():
    masks = next(iter(crops.batch(BATCH)))[1].numpy()
    print(f"{name}: {np.mean(masks != first):.1%} of the mask pixels differ from pass 0")

# %% [markdown]
# In pass 1 order and places are drawn anew, so the masks of its first batch are others. Pass 0 gives the same
# ones again, to the pixel. The module's `crop_dataset` also chains the passes of an epoch, augments, names any
# image that is smaller than a crop, and can keep the images in a file.
#
# ### Flips and quarter turns
#
# A car stands on its wheels, so notebook 02 mirrors it left and right only. An aerial photograph has no top. Mirror it
# both ways and turn it by quarters: a town seen from above stays one, and no pixel is made up. (One thing does change:
# the shadows then fall to another side. The network must find houses without relying on it.) Here is a 2x2 mask, always
# turned and never mirrored, beside NumPy's own turns.

# %%
corners = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
turn = {"quarter_turn": 1.0, "horizontal_flip": 0.0, "rotation": 0.0, "contrast": 0.0}
drawn = [augment(np.repeat(corners, 3, axis=3), corners, (0, n), **turn)[1] for n in range(50)]
print("drawn:", sorted({str(mask.numpy().astype(int).ravel()) for mask in drawn}))
print("NumPy:", sorted({str(np.rot90(corners[0], k).astype(int).ravel()) for k in (1, 2, 3)}))

# %% [markdown]
# These are the turns by 90, 180 and 270 degrees. Leave one draw in four unturned, and all four directions are equally
# likely: hence the 0.75 above.
#
# ## Padding that no score counts
#
# The network halves an image four times, so 16 must divide both sides. It does not divide 1500. Our models pad
# inside and crop their own output, as in notebook 04.

# %%
print("1500 becomes", network.PadToMultiple(16).compute_output_shape((1, 1500, 1500, 3))[1])
odd = model(np.zeros((1, 100, 150, 3), "float32")).numpy()
print(f"100x150 gives {odd.shape}, the two classes sum to {odd.sum(axis=-1).mean():.3f}")

# %% [markdown]
# The output has the size of the mask: the padding reaches no loss and no score. Rudzki's article pads image and mask
# alike, to 1536x1536, and scores all of it. Its padding is black, and black means background. Keep that in mind for
# the score.
#
# ## A dice needs probabilities
#
# The network in Rudzki's article has no softmax at its end. Its dice gets the *logits*, the raw numbers. Does
# that matter? Take two pixels, first background, then building, and four networks. The truth is *one-hot*: each
# pixel has a 1 in the column of its class and a 0 in the other. The first three networks have both pixels
# right.

# %%
truth = np.array([[1, 0], [0, 1]], "float32")  # one-hot, a row per pixel
answers = {
    "sure": [[3, -3], [-3, 3]],
    "ten times": [[30, -30], [-30, 30]],
    "lopsided": [[3, -4], [-4, 3]],
    "all wrong": [[-3, 3], [3, -3]],
}
for name, logits in answers.items():
    logits = np.array(logits, "float32")
    raw, proper = (soft_dice(truth, p, axis=None) for p in (logits, ops.softmax(logits)))
    print(f"{name:9}  of logits {float(raw):12.2f}   of probabilities {float(proper):.3f}")

# %% [markdown]
# A dice lies between 0 and 1. Of logits it is 6, 60, more than a million, or below zero. Why? In the first line
# the overlap 3 + 3, doubled, is 12, and it is divided by the truth's 2 plus the sum of the logits, which is 0.
# Where that sum is -2, only the smoothing is left to divide by: 1e-5 here, 1 in the library of Rudzki's
# article. Larger logits alone raise such a "dice", and the mask gets no better. Apply the softmax first.
#
# The article's IoU also takes logits and cuts each channel at 0.5. A pixel with logits (0.3, 0.1) then has no class,
# one with (2, 1) has both. A softmax says background, twice.
#
# ## A loss that notices a missed house
#
# The dice in Rudzki's article also adds up both classes before it divides. Ours takes a dice for each class, then the
# mean.


# %%
def class_dice_loss(truth, prediction):
    """1 - soft dice of each class, averaged; one-hot truth and prediction `(B, H, W, C)`."""
    return ops.mean(1 - soft_dice(truth, prediction, axis=(1, 2)), axis=-1)


town = np.array([1, 1, 1] + 17 * [0]).reshape(1, 4, 5)  # 3 of 20 pixels are building
truth = ops.one_hot(town, 2)
nothing = np.broadcast_to([1.0, 0.0], (1, 4, 5, 2)).astype("float32")  # all background
pooled, by_class = 1 - soft_dice(truth, nothing, axis=None), class_dice_loss(truth, nothing)[0]
print(f"pooled   {float(pooled):.4f}, by hand {3 / 20:.4f}")
print(f"by class {float(by_class):.4f}, by hand {(3 / 37 + 1) / 2:.4f}")

# %% [markdown]
# This network finds no house at all. The pooled loss is 0.15, nearly content: 17 of 20 pixels are right. By class,
# the background's dice is 34/37 and the building's is 0, and the loss is above a half. The module's version also
# leaves out classes that an image does not hold. You trained with this dice plus cross-entropy, which helps with the
# gradients (notebook 03). Notebook 09 takes both apart.
#
# ## One IoU, from counts
#
# Now the score. Each pixel belongs in one of four boxes: background or building in truth, background or building in
# the prediction. That table is the *confusion matrix*. Try it on a 4x4 mask with four building pixels. The guess
# finds two of them, and adds one too many.


# %%
def confusion_matrix(truth, guess):
    """How many pixels of each class got which class: truth by row, guess by column."""
    return np.bincount(2 * truth.ravel().astype(int) + guess.ravel(), minlength=4).reshape(2, 2)


truth = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
guess = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
print(confusion_matrix(truth, guess))

# %% [markdown]
# The diagonal counts what is right: 11 background, 2 building. IoU divides a class's hits by all pixels that
# either the truth or the guess gives to it. *Pooled* IoU adds up both classes first. (In notebook 03 the pixels
# of several images were pooled; here the classes are.)


# %%
def ious(counts):
    """IoU of each class, and of all classes pooled, from a confusion matrix."""
    hits = np.diag(counts)
    either = counts.sum(axis=0) + counts.sum(axis=1) - hits
    return hits / either, hits.sum() / either.sum()


by_class, pooled = ious(confusion_matrix(truth, guess))
flat = truth.ravel(), guess.ravel()
library = *jaccard_score(*flat, average=None), jaccard_score(*flat, average="micro")
print(f"background 11/14 = {by_class[0]:.4f}, scikit-learn {library[0]:.4f}")
print(f"building   2/5   = {by_class[1]:.4f}, scikit-learn {library[1]:.4f}")
print(f"pooled     13/19 = {pooled:.4f}, scikit-learn {library[2]:.4f}")

# %% [markdown]
# scikit-learn calls IoU the Jaccard score, and the pooled one its micro average.
#
# Two more choices move an IoU. *Soft or hard*: take the probabilities as they are, or first pick the likelier
# class. *Averaged or summed*: take the mean of the images' IoUs, or one IoU from all their counts. By hand,
# first four pixels of which two are building; then two images, one with 900 of 1000 building pixels found, one
# with 1 of 10, and nothing else called building.


# %%
def soft_iou(truth, probability):
    """IoU of one class with probabilities as they are."""
    overlap = (truth * probability).sum()
    return overlap / (truth.sum() + probability.sum() - overlap)


four, chances = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.4, 0.1])
print(f"soft {soft_iou(four, chances):.4f} = 1.5/2.5, hard {soft_iou(four, chances >= 0.5):.4f}")
print(f"averaged {(900 / 1000 + 1 / 10) / 2:.4f}, summed {(900 + 1) / (1000 + 10):.4f}")

# %% [markdown]
# All four pixels are right, and the soft score is 0.6: it rewards confidence. Report the hard one. Averaged,
# both images count the same; summed, the one with few buildings hardly counts. For buildings we sum. Where the
# photographs end is chance, and no house should count more for it. And an image without buildings has an IoU of
# 0/0, or of 0 as soon as one pixel is called building.
#
# Here is your network, measured in all these ways.

# %% tags=["nbval-ignore-output"]
found = [probability.argmax(axis=-1) for probability in said]
each = [confusion_matrix(*both) for both in zip(truths, found, strict=True)]
counts, per_image = sum(each), np.array([ious(one)[0][1] for one in each])
by_class, pooled = ious(counts)
is_building = np.concatenate([truth.ravel() for truth in truths]) == 1
chances = np.concatenate([probability[..., 1].ravel() for probability in said])
print(f"{kind} test images, {counts.sum():,} pixels")
print(f"building IoU, hard and summed: {by_class[1]:.4f}")
print(f"  averaged {per_image.mean():.4f}, soft {soft_iou(is_building, chances):.4f}")
print(f"background IoU {by_class[0]:.4f}, pooled {pooled:.4f}")

# %% tags=["hide-cell"]
print("building IoU above 0.2:", by_class[1] > 0.2)
print("pooled is higher by more than 0.1:", pooled > by_class[1] + 0.1)

# %% [markdown]
# One prediction, five numbers. The network hesitates, as the grey in its picture shows: on the roofs, and as a
# dark grey on nearly all of the ground. A grey pixel on the ground adds a little to the union, and a grey pixel
# on a roof adds less than 1 to the overlap. So the soft IoU is below the hard one. The pooled one lies far
# above all three of the building's, since it is mostly background. And Rudzki's article pools the classes, too:
# image by image, on logits, padding included.
#
# ### Why 0.66 reads as 0.88
#
# 0.66 is a building IoU that was published for a U-Net on the real photographs (source below). What it becomes
# when pooled depends on how much of the ground is built on. You can work this out. Of all pixels, let a share
# *p* be building, a share *m* be building that is missed, and as many be background that is called building.
# The building's IoU is (p - m) / (p + m); set it to 0.66, and *m* follows. Of all pixels 1 - 2m are right, so
# the pooled IoU is (1 - 2m) / (1 + 2m). Padding adds background; say that all of it is right.

# %%
padding = 1536**2 / 1500**2 - 1  # pixels of padding per pixel of an image
for share in (0.05, 0.10, 0.15, 0.20):
    wrong = 2 * share * (1 - 0.66) / (1 + 0.66)
    plain, padded = ((1 + more - wrong) / (1 + more + wrong) for more in (0, padding))
    print(f"{share:.0%} building: pooled {plain:.3f}, with padding {padded:.3f}")

# %% [markdown]
# Find the row nearest to your own test images, of which you printed the share above. (For the drawn town that
# is 15%. Of the real photographs we printed no share.) With 15% building, 0.66 becomes 0.88, and 0.89 with
# padding. With 5% it becomes 0.96, for a network that is no better. Such a score mostly measures how empty the
# land is. What would a network get that never finds a house, and what with as much padding as the article adds?

# %%
more = np.diag([round(padding * counts.sum()), 0])  # background, found
empty = np.column_stack([counts.sum(axis=1), [0, 0]])
print(f"{kind}, nothing but background: building IoU {ious(empty)[0][1]:.4f}")
print(f"  pooled {ious(empty)[1]:.4f}, padded as 1500 to 1536 {ious(empty + more)[1]:.4f}")

# %% [markdown]
# It has a building IoU of 0, and a pooled IoU that looks fit to publish. A pooled IoU is worth reading only from there
# upwards. So state this baseline beside your score, or better: report the IoU of the class that you want.
#
# For comparison, the building IoUs that others published for the real photographs: a U-Net reaches 0.66 (Sariturk and
# others, "Performance evaluation of shallow and deep CNN architectures on building segmentation from high-resolution
# images", Earth Science Informatics, 2022), BuildFormer 0.757 (https://arxiv.org/abs/2111.15637). They compare only
# roughly. In another paper of 2022, by two of the first one's authors (https://doi.org/10.3390/s22197624), the best of
# ten networks has 0.62, and a U-Net is among them. Scores on the drawn town compare with none of these.
#
# ## Where it fails
#
# Here are the test images with the lowest and the highest building IoU, a corner of each. The IoU above each is
# that of the whole image. Solid magenta lines are the buildings, dashed black lines are the prediction.

# %%
words = ("Worst", "Best")
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9), dpi=80, layout="constrained")
for axis, i, word in zip(axes, (per_image.argmin(), per_image.argmax()), words, strict=True):
    pixels = data.read_image(parts.test[i].image)[view].mean(axis=2) / 255
    title = f"{word}, {kind}: IoU {per_image[i]:.2f}"
    outlined(axis, pixels, truths[i][view], title, darkest=-1)
    axis.contour(found[i][view], [0.5], colors="black", linewidths=1.2, linestyles="--")
plt.show()

# %% [markdown]
# Follow the walls: the prediction rounds the corners and misses by a pixel or more. A pixel costs a lot: a
# house of 10x10 pixels drawn one pixel too small on each side has an IoU of 64/100. Then find where the two
# lines part by more than that. In the pictures stored here two buildings at the edge of the left one are
# missed, some dashed patches hold no building, and neighbouring houses run together. (The picture is pale so
# that you see the lines. The ground is darker than it looks here.)
#
# ## From colours to class ids
#
# One thing is still open: how `table.read` turns colours into ids. Paint a 4x4 mask by hand, black with a white
# house, and spoil one pixel, (0, 3), with grey, as a smoothing brush would.

# %%
painted = np.zeros((4, 4, 3), "uint8")
painted[1:3, 1:3], painted[0, 3] = 255, 130
one_hot = (painted[..., None, :] == np.array(table.colours)).all(axis=-1)  # (4, 4, 2)
print(one_hot.argmax(axis=-1))
print(one_hot.sum(axis=-1))

# %% [markdown]
# Compare each pixel with each colour of the table, and you get a one-hot mask, one channel per class. The first
# print shows its class ids. The second adds up the channels: the grey pixel matches no colour, and `argmax`
# calls it background without a word. In Rudzki's article it stays 0 in both channels, so no prediction can
# score a hit there, and each class that a prediction names there counts as wrong.
#
# One pixel does no harm. Now save a mask as JPEG once, and count such pixels.

# %%
Path("runs").mkdir(exist_ok=True)  # for files that this notebook writes
label = Image.open(parts.train[0].mask).convert("RGB")
label.save("runs/label.jpg", quality=90)
for name, image in (("as it is", label), ("after JPEG", Image.open("runs/label.jpg"))):
    known = (np.asarray(image)[..., None, :] == np.array(table.colours)).all(axis=-1)
    print(f"{name}: {1 - known.any(axis=-1).mean():.0%} of the pixels have neither colour")

# %% [markdown]
# They lie near the walls: JPEG works in blocks of 8x8 pixels, and a wall spoils the blocks that it crosses. So
# save masks as PNG or TIFF, never as JPEG. The module's reader does not guess: it raises an error that names
# the file, the colour, the number of pixels, and the nearest class.

# %%
Image.fromarray(painted).save("runs/painted.png")
try:
    table.read("runs/painted.png")
except ValueError as error:
    print(error)

# %% [markdown]
# ## What we saw
#
# - You trained on crops, several per image, at new places each epoch, flipped and turned. You validated on whole
#   images, and no padding reached a score.
# - One prediction had five IoUs. The building's, hard and summed, lay far below the pooled one, and the pooled one gave
#   a high score to a network that finds no house. Soft IoU rewarded confidence, and a dice of logits left [0, 1].
# - A table turned colours into class ids. A grey pixel had no class, and the reader named it.
#
# ## Exercises
#
# Each is an experiment: guess first, run it, then explain what you see. [exercises/08](exercises/08.ipynb) has the code
# with gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. The rim of an image is seen least. Draw a hundred thousand crops of 256 pixels in an image of 1500, and count how
#    often the middle and the corner are seen. Then let a crop begin up to 255 pixels outside of the image. What happens
#    to the corner, what to the middle? What would the network see beyond the rim, and is that worth it?
# 2. What does one pixel cost? Build a town of 10x10 houses, one in each 26x26 block, and take the same town,
#    shifted by one pixel, as the prediction. Score building IoU and pooled IoU: the module's `confusion_matrix`
#    takes the number of classes as its third argument, and `scores_of` makes all scores of such a table. Shift
#    further. Then double every house and block in size, as if the camera had twice the resolution. Which of the
#    two scores tells you that something is wrong?
# 3. Is a surer network a better one? Multiply the logits of one prediction by 0.5, 1, 2, 4 and 8, and compare
#    hard IoU, soft IoU and cross-entropy. Which does not move, which only rises, and which has a best place in
#    between? Why?
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [09 · Many classes](09_multiclass.ipynb).
