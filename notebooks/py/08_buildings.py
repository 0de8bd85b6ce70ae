# %% [markdown]
# # 08 · Buildings from the air
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/08_buildings.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/08_buildings.ipynb)
#
# **You will**
#
# - turn coloured masks into class ids by a table, and catch a colour that the table does not know;
# - train on random crops, drawn afresh each epoch, flipped and turned, and validate on whole images, padded
#   where nothing counts it;
# - measure IoU soft and hard, for one class and pooled, and see why a building IoU of 0.66 reads as 0.88.
#
# **You need** no data and no account: a town is rendered where the photographs are not at hand, within a
# minute, the first time. Then about a minute on 2 CPU cores; with the photographs several minutes; on a GPU: not
# measured.
#
# *The source* is "U-Net for Image Segmentation: Architecture, Implementation and Code Example" (Piotr Rudzki,
# Asper Brothers, 2023): PyTorch, on the Massachusetts Buildings of Volodymyr Mnih's thesis ("Machine Learning for
# Aerial Image Labeling", 2013). Its score stands in a picture only.

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
import math

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import ops
from PIL import Image
from sklearn.metrics import jaccard_score

from unet_tf import data, kaggle, network, pipeline, plot, rendered
from unet_tf.data import read_mask, size_of
from unet_tf.network import soft_dice
from unet_tf.pipeline import (
    AUTOTUNE,
    augment,
    augmented,
    decoded,
    each_epoch,
    fold_in,
    shuffled,
    to_float,
)
from unet_tf.predict import probabilities
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find(None, "town")

# %% [markdown]
# On two CPU cores you train a U-Net with 8 filters in its first level on crops of 128x128; with a GPU, a T4 or
# better, set `FULL` to `True` for the source's 64 filters and its crops of 256x256.

# %%
FULL = False  # True: the source's size, for a GPU
BASE, IMAGES, EPOCHS, BATCH = (64, None, 15, 32) if FULL else (8, 24, 6, 8)
CROP, CROPS = ((256, 256), 25) if FULL else ((128, 128), 9)
LEARNING_RATE = 5e-5 if FULL else 3e-3  # few steps need longer ones

# %% [markdown]
# ## The files
#
# The real data set is 151 photographs of Boston, 1500x1500 pixels, a metre each. Kaggle has it as a *data set*, so
# there are no rules to accept; a token as in [notebook 01](01_data.ipynb) is needed all the same, except on Kaggle
# itself, where you press *Add Input*. Set the switch to `True` to download it. Its address there is as other projects
# name it and was not checked: should it have moved, the error says where to look.

# %%
DOWNLOAD = False
if DOWNLOAD:
    kaggle.download_buildings("data/massachusetts-buildings")
    folder = data.find("data/massachusetts-buildings", "town")

# %% [markdown]
# The rendered town has the same layout, and a metre a pixel too. Look for the three parts: here somebody else has
# made the split, once for all, so that scores compare. And mind the endings, `.tiff` for an image and `.tif` for its
# mask.

# %%
for part in sorted(data.given(folder).iterdir()):
    names = sorted(file.name for file in part.iterdir())
    print(f"{part.parent.name}/{part.name:12} {len(names):3} files, the first {names[0]}")
parts = data.parts(folder, images=IMAGES)
kind = "rendered" if rendered.is_rendered(folder) else "photographed"

# %% [markdown]
# The source makes the mask's name by cutting the last letter off the image's. That works for one spelling; pairing by
# the name before the ending, as in notebook 01, works for any.
#
# ## From colours to class ids
#
# A mask here is no black and white picture but a *coloured* one, RGB, and a table says which colour is which class.
# Two colours in this set, twenty in others. The classes' order in the table makes their ids: 0, 1 and so on.

# %%
print((folder / "label_class_dict.csv").read_text().strip())
table = data.table_of(folder)
print(table)
Path("runs").mkdir(exist_ok=True)  # for files that this notebook writes

# %% [markdown]
# To look a colour up, make one number of its three bytes. Two numbers are compared faster than three pairs, and
# nothing is rounded: a colour is the table's or it is not.


# %% tags=["lifted"]
def packed(colours):
    """Colours `(..., 3)` as one whole number each."""
    red, green, blue = np.moveaxis(np.asarray(colours).astype("int32"), -1, 0)
    return (red << 16) | (green << 8) | blue


# %% [markdown]
# Paint a mask of 4x4 by hand: black, with a white house of four pixels. Then spoil one pixel, (0, 3), with grey, as a
# smoothing brush would. Look for its 255.

# %%
painted = np.zeros((4, 4, 3), "uint8")
painted[1:3, 1:3], painted[0, 3] = 255, 130
ids = np.full((4, 4), data.VOID, "uint8")  # 255: no class
for number, code in enumerate(packed(table.colours)):
    ids[packed(painted) == code] = number
print(ids)

# %% [markdown]
# The house is 1, the ground 0, and the grey pixel is neither. What does the source make of it? It compares the mask
# with each class's colour, and the answers are the channels of its *one-hot* mask: 1 for the pixel's own class, 0 for
# the others. Add up the channels:

# %%
one_hot_mask = (painted[..., None, :] == np.array(table.colours)).all(axis=-1)
print("channels:", one_hot_mask.shape)
print(one_hot_mask.sum(axis=-1))

# %% [markdown]
# A 0 at the grey pixel: it has no class, so no prediction can be right there, and nothing says so. A single pixel
# does no harm. A mask that was once saved as JPEG, or enlarged with smoothing, has them all along the walls. So the
# module's reader stops, and names the file, the colour, how many pixels have it, and the nearest class.

# %%
Image.fromarray(painted).save("runs/painted.png")
try:
    table.read("runs/painted.png")
except ValueError as error:
    print(error)

# %% [markdown]
# Now a whole mask of the data, once as it is and once saved as JPEG in between. How many pixels of neither colour?

# %%
label = Image.open(parts.train[0].mask).convert("RGB")
label.save("runs/label.jpg", quality=90)
for name, image in (("as it is", label), ("after JPEG", Image.open("runs/label.jpg"))):
    neither = ~np.isin(packed(image), packed(table.colours))
    print(f"{name}: any pixel of neither colour: {neither.any()}")
    print(f"{name}: more than one in a hundred:  {neither.mean() > 0.01}")

# %% [markdown]
# Masks want PNG or TIFF. Now look at a part of a pair.

# %%
image, mask = parts.train[1]
part = np.s_[-192:, :192]  # the lower left
plot.class_masks([data.read_image(image)[part]], [table.read(mask)[part]], None, table)
plt.gcf().set_size_inches(3.3, 2.2)
plt.show()

# %% [markdown]
# Left the image, right the mask in the table's colours: black is background, white is building. Roofs are grey, red
# or white; so are streets and cars. A tree may hang over a roof: the mask follows the building's outline all the
# same. How much of the ground is built on, in each part?

# %%
for name, pairs in zip(parts._fields, parts, strict=True):
    shares = [(table.read(mask) == 1).mean() for _, mask in pairs]
    print(f"{name}: {len(pairs)} images, {np.mean(shares):.1%} building ({kind})")

# %% [markdown]
# Buildings are the smaller part by far. Keep their share in mind: half of this notebook comes from it.
#
# ## Random crops
#
# Cars were resized before training. A house of ten pixels must not be: resized from 1500 to 256 pixels it would be
# two pixels wide. Training at full resolution therefore takes *crops*, parts of a size that fits into memory. A
# network of convolutions does not care: it takes any size later on.


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
# Number the pixels of a 4x4 image and give the mask the same numbers. Crops of 2x2 have nine places. Look whether
# image and mask agree, and whether a seed repeats its place.

# %%
numbered = np.arange(16).reshape(4, 4, 1)
for seed in ((0, 0), (0, 1), (0, 0)):
    image, mask = random_crop(np.repeat(numbered, 3, axis=2), numbered, (2, 2), seed)
    print(seed, image[..., 0].numpy().tolist(), mask[..., 0].numpy().tolist())

# %% [markdown]
# How many crops? The source takes *one* of each image an epoch. Its 137 training images in batches of 32 are 5
# updates an epoch, 75 in its 15 epochs: look what share of the pixels such an epoch sees. Then draw the places and
# count how often each pixel of one image is seen in all 15.


# %%
def seen(crops, size=1500, crop=256):
    """How often each pixel of an image lies in a crop, int `(size, size)`."""
    counts, rng = np.zeros((size, size), int), np.random.default_rng(0)
    for top, left in rng.integers(0, size - crop + 1, (crops, 2)):
        counts[top : top + crop, left : left + crop] += 1
    return counts


figure, axes = plt.subplots(1, 2, figsize=(4, 2.2), dpi=100, layout="constrained")
for axis, crops in zip(axes, (1, 25), strict=True):
    counts = seen(15 * crops)
    axis.imshow(counts[::10, ::10].clip(max=4), cmap="Greens", vmin=0)
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{crops} an epoch", fontsize=9)
    share, all_seen = crops * 256**2 / 1500**2, np.mean(counts > 0)
    print(f"{crops} an epoch: {share:.1%} of the pixels an epoch, {all_seen:.1%} seen after 15")
plt.show()

# %% [markdown]
# One image of 1500x1500 after 15 epochs, one crop an epoch on the left, 25 on the right: white was never seen, the
# darkest green four times or more. What is called an epoch on the left, a pass over the data, passes over one pixel
# in 34, and most of the image was never used. On the right nearly all of it was; the rim comes last, since few places
# of a crop reach it.
#
# ### Drawn afresh each epoch
#
# `crop_dataset` keeps the whole images in memory, since decoding a large TIFF takes longer than cutting it, and draws
# places, order and augmentation anew for each epoch. All of them follow from the seed and the epoch's number, as in
# notebook 02. (The module's `crop_dataset` gives the same crops. It also names an image that is smaller than a crop,
# and keeps the images in a file where memory is short.)


# %%
def crop_dataset(pairs, crop, crops=1, batch_size=32, augment=False, seed=0, read=read_mask):
    """Batches of random crops, for training; `crops` of each image an epoch, drawn afresh."""
    elements = decoded(pairs, None, read=read).cache()

    def one_pass(number):
        draw = tf.stack([seed, number])
        places = fold_in(draw, -1)  # other numbers than the augmentation's
        return (
            shuffled(elements, len(pairs), draw)
            .enumerate()
            .map(lambda index, pair: random_crop(*pair, crop, fold_in(places, index)), AUTOTUNE)
        )

    def one_epoch(number):
        passes = tf.data.Dataset.range(crops).flat_map(lambda k: one_pass(crops * number + k))
        batches = passes.batch(batch_size).map(to_float, num_parallel_calls=AUTOTUNE)
        return augmented(batches, augment, tf.stack([seed, number]))

    return each_epoch(one_epoch, steps=math.ceil(len(pairs) * crops / batch_size))


# %% [markdown]
# ### Flips and quarter turns
#
# A car stands on its wheels, so notebook 02 mirrors it left and right and no more. A photograph from above has no
# upright. Mirrored both ways and turned by quarters, it is as good a photograph, and no pixel has to be made up. Look
# at a 2x2 mask, turned always and mirrored never, beside NumPy's own turns.

# %%
corners = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
turn = {"quarter_turn": 1.0, "horizontal_flip": 0.0, "rotation": 0.0, "contrast": 0.0}
drawn = [augment(np.repeat(corners, 3, axis=3), corners, (0, n), **turn)[1] for n in range(50)]
print("drawn:", sorted({str(mask.numpy().astype(int).ravel()) for mask in drawn}))
print("NumPy:", sorted({str(np.rot90(corners[0], k).astype(int).ravel()) for k in (1, 2, 3)}))

# %% [markdown]
# The three turns by 90, 180 and 270 degrees, and no fourth thing. At a probability of 0.75 all four directions are
# equally likely. Make the training data, and look whether an epoch repeats, and in the cell after whether the module
# gives the same crops.

# %%
amounts = {"vertical_flip": 0.5, "quarter_turn": 0.75, "rotation": 0.0, "brightness": 0.1}
training = crop_dataset(parts.train, CROP, CROPS, BATCH, amounts, read=table.read)
first, second = (next(iter(training)) for _ in range(2))
training.epoch.assign(0)  # the number of the epoch to come
print("epoch 1 is epoch 0:", np.array_equal(first[1], second[1]))
print("epoch 0 once more: ", np.array_equal(first[1], next(iter(training))[1]))

# %%
settings = {"augment": amounts, "cache": None, "read": table.read}
module = next(iter(pipeline.crop_dataset(parts.train, CROP, CROPS, BATCH, **settings)))
print("the module's batch is ours:", all(map(np.array_equal, first, module)))
figure, axes = plt.subplots(1, 3, figsize=(3.2, 1.1), dpi=100, layout="constrained")
for axis, image, mask in zip(axes, *first, strict=False):
    axis.imshow(plot.overlay(image, mask, mask))
    axis.set(xticks=[], yticks=[])
plt.show()
seen_by = CROPS * math.prod(CROP) / math.prod(size_of(parts.train[0].image))
updates = int(training.cardinality())
print(f"a pixel is seen {seen_by:.2f} times an epoch, on average")
print(f"{updates} updates an epoch, {EPOCHS * updates} in {EPOCHS} epochs")

# %% [markdown]
# Three crops of the first batch, buildings in green: each of another image, some mirrored, some turned, and image and
# mask still fit.
#
# ## Whole images, padded where nothing counts
#
# Validation takes whole images: no luck with places, and every pixel once. But four halvings ask for a size that
# divides by 16, and 1500 does not. Our models pad inside themselves and crop their own output (notebook 04). Look for
# the size in between, and for the one that comes out.

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
print("1500 becomes", network.PadToMultiple(16).compute_output_shape((1, 1500, 1500, 3))[1])
odd = model(np.zeros((1, 100, 150, 3), "float32")).numpy()
print(f"of 100x150: {odd.shape}, the classes sum to one: {np.allclose(odd.sum(axis=-1), 1)}")

# %% [markdown]
# Padding goes in and never comes out: what is scored has the size of the mask. The source pads both image and mask to
# 1536x1536 and scores all of that. Its padding is black, which in the table means background.
#
# Note the head too: two channels and a *softmax*, which turns the two logits of a pixel into probabilities that sum
# to one.
#
# ## A dice of logits is no dice
#
# The source's network ends without a softmax, and its dice takes what comes, logits. Try it by hand: two pixels, the
# first one background, the second building, and four networks. The first three have both pixels right. Look for
# scores outside of [0, 1].

# %%
truth = np.array([[1, 0], [0, 1]], "float32")  # one-hot: a row a pixel
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
# 6, 60, a million, and less than nothing. The overlap 3 + 3 is doubled to 12, and the total is the truth's 2 plus the
# logits' sum, 0; where that sum is -2 nothing is left to divide by but the smoothing, 1e-5 here and 1 in the source's
# library. Training can raise such a "dice" for ever by larger logits alone, without a better mask. Of probabilities
# it stays in [0, 1].
#
# The source's IoU cuts the same logits at 0.5, each channel by itself. Logits of (0.3, 0.1) then are no class, (2, 1)
# both; their softmax says background, twice.
#
# ## Two losses
#
# On probabilities, then. Labels come as ids, so they are made one-hot first; an id beyond the classes is *void* and
# counts nowhere, which the next notebook needs. The source's dice sums over both classes at once, ours takes a dice
# for each class of each image. Cross-entropy is added for its gradients (notebook 03).


# %% tags=["lifted"]
def labels_of(y_true, num_classes):
    """Class ids, int32 `(B, H, W)`, 0 where void; and float32 `(B, H, W)`, 0 where void, else 1."""
    ids = ops.cast(y_true, "int32")[..., 0]
    valid = ops.logical_and(ids >= 0, ids < num_classes)
    return ops.where(valid, ids, 0), ops.cast(valid, "float32")


def one_hot(y_true, y_pred):
    """Truth and prediction, float32 `(B, H, W, C)`, both 0 where the label is void."""
    ids, valid = labels_of(y_true, y_pred.shape[-1])
    valid = valid[..., None]
    truth = ops.one_hot(ids, y_pred.shape[-1], dtype="float32")
    return truth * valid, ops.cast(y_pred, "float32") * valid


@keras.saving.register_keras_serializable("unet_tf")
def class_dice_loss(y_true, y_pred):
    """1 - soft dice of each image, the mean over the classes in its mask, float32 `(B,)`."""
    truth, prediction = one_hot(y_true, y_pred)
    dice = soft_dice(truth, prediction, axis=(1, 2))  # (B, C)
    present = ops.cast(ops.sum(truth, axis=(1, 2)) > 0, "float32")
    count = ops.sum(present, axis=-1)
    return ops.sum(present * (1 - dice), axis=-1) / ops.maximum(count, 1.0)


# %% [markdown]
# A town of 20 pixels, 3 of them building, and a network that says background everywhere. By hand: pooled, 17 of 20
# are found, so the loss is 3/20. By class, the background's dice is 34/37, the building's 0.

# %%
town = np.array([1, 1, 1] + 17 * [0]).reshape(1, 4, 5, 1)
nothing = np.broadcast_to([1.0, 0.0], (1, 4, 5, 2)).astype("float32")
pooled = 1 - soft_dice(*one_hot(town, nothing), axis=None)
print(f"pooled   {float(pooled):.4f}, by hand {3 / 20:.4f}")
print(
    f"by class {float(class_dice_loss(town, nothing)[0]):.4f}, by hand {(1 - 34 / 37 + 1) / 2:.4f}"
)

# %% [markdown]
# No house found, and the pooled loss is nearly content. By class, the missed houses alone cost a half. The loss you
# train with adds the mean cross-entropy; class weights wait for the next notebook.


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
def cross_entropy(y_true, y_pred, class_weights=None):
    """Mean cross-entropy of each image's pixels, float32 `(B,)`; void ones left out."""
    ids, weights = labels_of(y_true, y_pred.shape[-1])
    pixels = keras.losses.sparse_categorical_crossentropy(ids, y_pred)  # (B, H, W)
    if class_weights is not None:
        weights = weights * ops.take(ops.convert_to_tensor(class_weights, "float32"), ids)
    total = ops.sum(weights, axis=(1, 2))
    return ops.sum(weights * pixels, axis=(1, 2)) / ops.where(total > 0, total, 1.0)


@keras.saving.register_keras_serializable("unet_tf")
def cross_entropy_dice_loss(y_true, y_pred, class_weights=None):
    """`cross_entropy` + `class_dice_loss`, `(B,)`: the default for many classes."""
    return cross_entropy(y_true, y_pred, class_weights) + class_dice_loss(y_true, y_pred)


# %% [markdown]
# ## Training
#
# Watch `val_mean_iou`, the mean of the two classes' IoU on whole validation images. It also chooses the epoch. The
# learning rate falls to 0 along a cosine, so that the last updates are small and the result varies less.

# %% tags=["nbval-ignore-output"]
falling = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * updates)
history = fit(
    model,
    training,
    pipeline.dataset(parts.validation, None, 1, cache="memory", read=table.read),
    epochs=EPOCHS,
    loss=cross_entropy_dice_loss,
    optimizer=keras.optimizers.Adam(falling),
    metrics=[network.mean_iou(2)],
    monitor="val_mean_iou",
    verbose=2,
)

# %% [markdown]
# ## One IoU, from counts
#
# Score whole images, at their own size. Each pixel of the test images falls into one of four cells: background or
# building in truth, by row, and in the prediction, by column. That is the *confusion matrix*. Try it on a 4x4 mask of
# four building pixels, of which two are found, with one pixel too much.


# %% tags=["lifted"]
def confusion_matrix(truth, prediction, num_classes):
    """How many pixels of each class were called which: int64 `(C, C)`, a row a class of the truth."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ValueError(f"a mask of {truth.shape} cannot be scored with one of {prediction.shape}")
    valid = truth < num_classes
    rows, columns = truth[valid].astype("int64"), prediction[valid].astype("int64")
    if columns.size and not 0 <= columns.min() <= columns.max() < num_classes:
        raise ValueError(f"a prediction holds {columns.max()}: ids are 0 to {num_classes - 1}")
    counts = np.bincount(num_classes * rows + columns, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


# %%
def ious(counts):
    """IoU of each class, and of all classes pooled, from a confusion matrix."""
    hits = np.diag(counts)
    either = counts.sum(axis=0) + counts.sum(axis=1) - hits
    return hits / either, hits.sum() / either.sum()


truth = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
guess = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
counts = confusion_matrix(truth, guess, 2)
by_class, pooled = ious(counts)
print(counts)
print(f"background {by_class[0]:.4f} = 11/14, building {by_class[1]:.4f} = 2/5")
print(f"pooled {pooled:.4f} = (11 + 2)/(14 + 5)")
flat = truth.ravel(), guess.ravel()
print("scikit-learn:", jaccard_score(*flat, average=None).round(4), end=" ")
print(f"{jaccard_score(*flat, average='micro'):.4f}")

# %% [markdown]
# Pooled, the hits of both classes stand over what either class covers. scikit-learn agrees; IoU is its Jaccard score,
# and the pooled one its micro average.
#
# Two more things move an IoU. *Soft* or hard: probabilities as they are, or the likelier class, which for two is a
# cut at 0.5. And
# *averaged* or summed: a mean of the images' IoUs, or one IoU of all counts. By hand: four pixels, the first two
#  building; then two
# images, of 1000 building pixels with 900 found, and of 10 with 1 found, nothing extra.


# %%
def soft_iou(truth, probability):
    """IoU of one class with probabilities as they are."""
    overlap = (truth * probability).sum()
    return overlap / (truth.sum() + probability.sum() - overlap)


four, chances = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.4, 0.1])
print(f"soft {soft_iou(four, chances):.4f} = 1.5/2.5, hard {soft_iou(four, chances >= 0.5):.4f}")
print(f"averaged {(900 / 1000 + 1 / 10) / 2:.4f}, summed {(900 + 1) / (1000 + 10):.4f}")

# %% [markdown]
# The mask is perfect and the soft score 0.6: it rises with confidence, so report the hard one. Averaged, both images
# count the same; summed, the second hardly counts. For buildings summed counts are the custom: the map is one, its
# cut into images an accident, and an image without buildings has no IoU to average, 0/0.
#
# Now the test images, in all these ways.

# %% tags=["nbval-ignore-output"]
said = list(probabilities(model, [image for image, _ in parts.test], None, batch_size=1))
truths = [table.read(mask) for _, mask in parts.test]
found = [probability.argmax(axis=-1) for probability in said]
each = [confusion_matrix(*both, 2) for both in zip(truths, found, strict=True)]
counts = sum(each)
by_class, pooled = ious(counts)
per_image = np.array([ious(one)[0][1] for one in each])
chances = np.concatenate([probability[..., 1].ravel() for probability in said])
soft = soft_iou(np.concatenate([truth.ravel() for truth in truths]) == 1, chances)
print(f"{kind} test images, {counts.sum():,} pixels")
print(counts)
print(f"building IoU, hard and summed: {by_class[1]:.4f}")
print(f"  soft {soft:.4f}, averaged {per_image.mean():.4f}")
print(f"background IoU {by_class[0]:.4f}, pooled {pooled:.4f}")

# %%
print("building IoU above 0.2:", by_class[1] > 0.2)
print("pooled is higher by more than 0.1:", pooled > by_class[1] + 0.1)

# %% [markdown]
# One set of probabilities, five numbers. A network that was trained so briefly hesitates, so its soft IoU lies below
# its hard one. The pooled one is far above all, and pooled is how the source's IoU counts: image by image, on logits,
# padding included.
#
# ### Why 0.66 reads as 0.88
#
# Let a share *p* of the pixels be building, and as many missed as extra: *m* each. Then the building's IoU is (p - m)
# / (p + m), which fixes *m*; pooled, 1 - 2m of all pixels are hits, and IoU is (1 - 2m) / (1 + 2m). Padding that is
# called background, and is, adds hits for nothing. Work it out for a building IoU of 0.66.

# %%
padding = 1536**2 / 1500**2 - 1  # pixels of it, for each pixel of an image
for share in (0.05, 0.10, 0.15, 0.20):
    wrong = 2 * share * (1 - 0.66) / (1 + 0.66)
    plain, padded = ((1 + more - wrong) / (1 + more + wrong) for more in (0, padding))
    print(f"{share:.0%} building: pooled {plain:.3f}, with padding {padded:.3f}")

# %% [markdown]
# Find the share nearest to that of your test images above. At 15% building 0.66 becomes 0.88, and 0.89 with the
# padding. The rarer the buildings, the better it looks: at 5% it is 0.96, for the very same quality. Such a score
# measures mostly how empty the land is. Now your own prediction, padded as the source pads, beside one that says
# background everywhere.

# %%
more = np.diag([round(padding * counts.sum()), 0])  # background, found
empty = np.column_stack([counts.sum(axis=1), [0, 0]])
print(f"{kind}, nothing but background: building IoU {ious(empty)[0][1]:.4f}")
print(f"  pooled {ious(empty)[1]:.4f}, with padding {ious(empty + more)[1]:.4f}")
print("padding raises yours, too:", ious(counts + more)[1] > pooled)

# %% [markdown]
# A prediction that finds no building at all has an IoU of 0 for buildings, and pooled a score that others would
# publish. That is where a pooled scale begins: state the constant baseline beside it, or better, the IoU of the class
# that you want.
#
# For comparison, published elsewhere, on the real photographs and as the IoU of buildings: a U-Net reaches 0.66
# (Sariturk, 2022), BuildFormer
# 0.757 (https://arxiv.org/abs/2111.15637). A score on the rendered town says nothing about either.

# %% [markdown]
# ## Where it fails
#
# The test images with the lowest and the highest building IoU, the lower left of each. Green was found, red was
# missed, blue is too much.

# %%
figure, axes = plt.subplots(1, 2, figsize=(3.6, 2.05), dpi=100, layout="constrained")
for axis, i in zip(axes, (per_image.argmin(), per_image.argmax()), strict=True):
    grey = data.read_image(parts.test[i].image).mean(axis=2, keepdims=True) / 255
    faint = np.repeat(0.5 + grey / 2, 3, axis=2)
    axis.imshow(plot.overlay(faint, truths[i], found[i])[part])
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{kind}, IoU {per_image[i]:.2f}", fontsize=9)
plt.show()

# %% [markdown]
# Look along the walls first: small networks draw houses as blobs, and a house of 10x10 pixels that is drawn one pixel
# too small on every side has an IoU of 64/100 already. Then look for whole roofs in red, and for blue far from any
# house: what did the network take for a roof there?
#
# ## What we saw
#
# - A table turned colours into ids exactly; a grey pixel was all-zero in a one-hot mask, and was named by the reader.
# - Crops were drawn afresh each epoch, several an image, flipped and turned; whole images were validated, and the
#   padding inside the model reached no score.
# - Soft IoU and a dice of logits were no scores to report. From summed counts, the building's IoU lay far below the
#   pooled one, which gave a high number to a prediction without any building.
#
# ## Exercises
#
# Answers: [solutions](solutions.ipynb).
#
# 1. How many places has a crop of 256x256 in an image of 1500x1500? In how many of them lies the pixel in the middle,
#    and in how many the one in the corner? *1,550,025; 65,536; 1.*
# 2. Elsewhere 5% is building, and a model has a building IoU of 0.66, with as many pixels missed as extra. Which
#    pooled IoU has it, and which has a prediction of nothing but background? No padding. *0.9599; 0.9048.*
# 3. Flips both ways with probability 0.5 each, and quarter turns with 0.75: how many different pictures can become of
#    one, and how likely is the one that was not changed at all? Draw 4,000 times and count. *8, each with a
#    probability of 0.125.*
#
# Next: [09 · Many classes](09_multiclass.ipynb).
