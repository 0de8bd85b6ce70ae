# %% [markdown]
# # 09 · Many classes
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/09_multiclass.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/09_multiclass.ipynb)
#
# **You will**
#
# - train a small U-Net to tell five classes apart, and score each of them by IoU from summed counts;
# - work out softmax, cross-entropy, class weights and dice by hand, and use weights to find a rare class sooner;
# - catch masks that are wrong, and find out why a prediction makes no sense.
#
# **You need** no data and no account: the notebook draws cars and their parts. It takes one to three minutes on 2 CPU
# cores. The time on a GPU was not measured.
#
# The training follows "Building a semantic segmentation model with U-Net" (ApX Machine Learning, 2025). We call it
# *the ApX course*. It has a folder of images, a folder of masks, a U-Net and cross-entropy, and it publishes no score.
# Its training runs, and some of its lines spoil the result without an error. You meet them on the way.

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
import textwrap

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops
from PIL import Image
from sklearn import metrics as sklearn_metrics

from unet_tf import data, network, pipeline, plot, scores
from unet_tf.data import resized_back
from unet_tf.doctor import explain
from unet_tf.network import soft_dice
from unet_tf.predict import probabilities
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find(None, "parts")

# %% [markdown]
# The cells below are written for the five classes of this data set; for images and masks of your own use the
# commands of [notebook 11](11_your_own.ipynb): they take masks of many classes, too. Do you have a GPU, a T4 or
# better? Set `FULL` to `True` for the 64 filters and the 128x128 pixels of the ApX course.

# %%
FULL = False  # True: the course's size, for a GPU
SIZE, BASE, EPOCHS, BATCH = ((128, 128), 64, 25, 8) if FULL else ((64, 96), 16, 6, 8)
LEARNING_RATE = 1e-4 if FULL else 3e-3  # few steps need longer ones
print(f"{BASE} filters in the first level, {SIZE[0]}x{SIZE[1]}, {EPOCHS} epochs")

# %% [markdown]
# ## A mask of class ids
#
# So far a pixel was one thing or background: a car, or a building. Now you want to know which *part* of the car
# it is. Each pixel of a mask holds a whole number, the *id* of its class. The names are in a table beside the
# folders, `classes.csv`: one row per class, and the row's place, counted from 0, is the id. One more row has
# the colour of void, which you meet below; it is no class. The split is by car, as in notebook 01.

# %%
parts = data.parts(folder, validation_size=1 / 6, test_size=1 / 4)
classes = data.find_labels(folder, parts)
number = len(classes.names)
print(f"{number} classes:", ", ".join(f"{i} {name}" for i, name in enumerate(classes.names)))

# %%
pair = parts.train[0]
opened = Image.open(pair.mask)
ids, colours = np.asarray(opened), np.asarray(opened.convert("RGB"))
print(f"mode {opened.mode}, {ids.dtype} {ids.shape}, values {np.unique(ids).tolist()}")
for value in np.unique(ids):
    print(f"  {value:3} is shown as {colours[ids == value][0].tolist()}")

# %% [markdown]
# Mode P means *palette*: one byte per pixel, and a list of colours for viewers. The bytes are the ids; the colours
# are for your eyes. 255 is *void*: pixels that nobody wants judged. Here they mark the borders between two classes,
# where the right answer is a matter of taste.
#
# Many data sets save the same ids without a palette. What do you see then?

# %%
pictures = {
    "Ids with a palette": colours,
    "The same ids, saved as grey": ids,
    "Grey, times 50": np.where(ids == 255, 255, 50 * ids),
}
figure, axes = plt.subplots(1, 3, figsize=(7.4, 1.95), dpi=100, layout="constrained")
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=10)
plt.show()

# %% [markdown]
# In the middle the ids 0 to 4 look black, since they are the darkest five of 256 greys. Only void is bright. Nothing
# is wrong with that file, as the third picture shows.
#
# Ids are names, not amounts. Never divide them, never average them. What happens if you do?

# %%
print("divided by 255, then whole numbers again:", np.unique((ids / 255).astype("int64")))
row = np.array([[0, 4]], "uint8")
mixed = data.resized(row, (1, 1), "area")[0, 0]
print(f"{classes.names[0]} and {classes.names[4]}, averaged: {classes.names[mixed]}")
print("nearest:", classes.names[data.resized(row, (1, 1), "nearest")[0, 0]])

# %% [markdown]
# The division is what PyTorch's `ToTensor` does, and the ApX course applies it to masks. Of ids saved as grey
# every class becomes background, and void becomes class 1. Nothing is left to learn but that, and no error says
# so. The average of background and light is the id of the window, which is nowhere near. So resize masks with
# `nearest` only.
#
# ## Train first
#
# The model is the U-Net of notebook 05, changed as in the ApX course. In front a layer subtracts the mean of
# the colours in ImageNet, a large collection of photographs, and divides by their deviation. The network has
# batch norm (notebook 06), and bilinear upsampling instead of transposed convolutions. Bilinear upsampling
# keeps the number of channels, so the deepest level has no more filters than the one above it. The network has
# no dropout and no last 3x3 convolution. Its last layer has one channel per class, and a softmax makes
# probabilities of them. (The course subtracts and divides while it reads the images, and leaves the softmax to
# its loss. Here both are layers, so they travel with the model.)


# %% tags=["lifted"]
def multiclass_unet(input_shape, filters, num_classes):
    """The ApX course's U-Net; at 64 filters and 2 classes 17,263,042 trainable parameters."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.Normalization(
        mean=(0.485, 0.456, 0.406), variance=(0.229**2, 0.224**2, 0.225**2), name="imagenet"
    )(inputs)
    outputs = network.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="bilinear",
        final_conv=False,
        num_classes=num_classes,
        head="softmax",
    )(x)
    return keras.Model(inputs, outputs, name="multiclass_unet")


# %% [markdown]
# The pipeline is that of notebook 02, with its augmentation, which the ApX course does not have. Only the
# reading of masks differs: `classes.read` returns ids. Augmentation moves them by `nearest` as before, void
# among them.

# %%
options = {"image_size": SIZE, "batch_size": BATCH, "cache": "memory", "read": classes.read}
training = pipeline.dataset(parts.train, shuffle=True, augment=True, **options)
validation = pipeline.dataset(parts.validation, **options)
images, masks = next(iter(training))
print(images.shape, masks.shape, "ids", np.unique(masks).astype(int).tolist())


# %%
def trained(loss):
    """A new model, trained with a loss; it ends with the weights of its best epoch."""
    keras.utils.set_random_seed(42)
    model = multiclass_unet((*SIZE, 3), [BASE * width for width in (1, 2, 4, 8, 8)], number)
    watch = {"metrics": [network.mean_iou(number)], "monitor": "val_mean_iou", "verbose": 2}
    adam = keras.optimizers.Adam(LEARNING_RATE)
    fit(model, training, validation, EPOCHS, loss, adam, patience=EPOCHS, **watch)
    return model


# %% [markdown]
# Train with cross-entropy, as the ApX course does. `val_mean_iou` is the mean of the five classes' IoU, void left out.

# %% tags=["nbval-ignore-output"]
policy = set_precision()
plain = trained(network.cross_entropy)

# %% [markdown]
# To see a prediction at the image's own size, enlarge the probabilities of each class, then let the largest
# win. Ids cannot be enlarged smoothly: halfway between background and light there is no window.


# %% tags=["lifted"]
def ids_at(probability, size):
    """The most probable class of each pixel at `size`, (height, width): uint8 `size`."""
    classes = np.moveaxis(probability, -1, 0)
    best, ids = resized_back(np.ascontiguousarray(classes[0]), size), np.zeros(size, "uint8")
    for number, one in enumerate(classes[1:], start=1):
        enlarged = resized_back(np.ascontiguousarray(one), size)
        ids[enlarged > best] = number
        best = np.maximum(best, enlarged)
    return ids


# %%
def predicted(model):
    """Class ids of each test image at its own size."""
    found = probabilities(model, [image for image, _ in parts.test], SIZE)
    sizes = [data.size_of(image) for image, _ in parts.test]
    return [ids_at(*both) for both in zip(found, sizes, strict=True)]


ids_of = {"plain": predicted(plain)}
truths = [classes.read(mask) for _, mask in parts.test]
steps = plt.colormaps["viridis"](np.linspace(0, 1, number))[:, :3]  # from dark to light
drawn = classes._replace(colours=tuple(map(tuple, (255 * steps).astype(int))), void=(255,) * 3)

# %%
image = data.read_image(parts.test[19].image)
figure = plot.class_masks([image], [truths[19]], [ids_of["plain"][19]], drawn)
figure.set_size_inches(7.4, 2.1)
figure.suptitle("One test image, plain cross-entropy: where is the light?", fontsize=10)
plt.show()

# %% [markdown]
# The palette runs from dark to light, so that you can tell the classes apart in grey, too. White is void, and
# red marks wrong pixels. Most of the body and of the windows looks right, the wheels in part. Where is the
# light? You need a number for each class.
#
# ## IoU from counts
#
# Count which class got which: one row per true class, one column per predicted class. That is the *confusion
# matrix* of notebook 08, now for any number of classes, and without the void pixels. Fill it in by hand before
# you run the cell: `truth` and `guess` below have 4x4 pixels, three classes, and two void pixels in the truth.


# %%
def confusion_matrix(truth, guess, num_classes):
    """How many pixels of each class got which class: truth by row, guess by column; no void."""
    counted = truth < num_classes
    both = num_classes * truth[counted].astype(int) + guess[counted]  # one number per pair
    return np.bincount(both, minlength=num_classes**2).reshape(num_classes, num_classes)


truth = np.array([[0, 0, 0, 0], [0, 1, 1, 255], [0, 1, 1, 2], [0, 0, 255, 2]])
guess = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 2, 2]])
confusion = confusion_matrix(truth, guess, 3)
theirs = sklearn_metrics.confusion_matrix(truth[truth != 255], guess[truth != 255])
print("ours, and scikit-learn's:", np.hstack([confusion, theirs]), sep="\n")
print(f"{confusion.sum()} of {truth.size} pixels counted")

# %% [markdown]
# Everything else follows from this table. The IoU of a class is its hits, on the diagonal, divided by all
# pixels of its row and its column, the diagonal counted once. If no mask holds a class, it is *absent*: it has
# no IoU, and the mean leaves it out.


# %%
def ious(counts):
    """IoU of each class from a confusion matrix, NaN where the truth has none of it."""
    hits, truth, guess = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return np.where(truth > 0, hits / np.maximum(truth + guess - hits, 1), np.nan)


print("by hand:", np.array([8 / 9, 3 / 5, 1 / 2]).round(4), "ious:", ious(confusion).round(4))
scored = scores.scores_of(confusion)
for name in ("mean_iou", "frequency_weighted_iou", "pixel_accuracy", "pooled_iou"):
    print(f"{name:22} {scored[name]:.4f}")

# %% [markdown]
# Four of the numbers that the module's `scores_of` gives, for one prediction: from 0.66 to 0.86. PASCAL VOC and
# Cityscapes, well-known data sets of photographs, the second of streets, have public rankings by the mean IoU:
# every class counts the same. The frequency-weighted one weights the IoU of each class by its share of the true
# pixels. It, the pixel accuracy and the pooled IoU of notebook 08 are decided by the large classes.
#
# ### Sum the counts, then divide once
#
# You score a test set in batches (below, each image is a batch of its own). Add up the tables of all batches,
# then divide. The ApX course recommends that, too, but its code divides in each batch. It drops the classes
# that a batch neither holds nor predicts, and adds what is left to a list, *beginning at its start*. At the end
# it divides by the number of batches. Try it on three images with one class each beside the background: of its
# 4 pixels 2, 3 and 4 are found, and in the last image 2 are extra. (In these three images no class is predicted
# that is not there, so `ious` drops the same ones.)


# %%
def image_with(label, found, extra):
    """Truth and prediction of 16 pixels, four of them `label`."""
    truth, prediction = np.zeros((2, 16), int)
    truth[:4] = prediction[:found] = prediction[4 : 4 + extra] = label
    return truth, prediction


tables_of = [confusion_matrix(*image_with(*case), 4) for case in ((1, 2, 0), (2, 3, 0), (3, 4, 2))]
shifted = np.zeros(4)
for table in tables_of:
    kept = ious(table)[~np.isnan(ious(table))]
    print("this image's list:", np.round(kept, 3))
    shifted[: len(kept)] += kept
summed = ious(sum(tables_of))
print("summed counts:", np.round(summed, 3), f"mean {summed.mean():.2f}")
print("shifted lists:", np.round(shifted / 3, 3), f"mean {(shifted / 3).mean():.2f}")

# %% [markdown]
# The shifted lists say 0.38 where the counts say 0.70. Classes 2 and 3 were added to the place of class 1, and their
# own places stayed empty.
#
# Put each class in its place, and a second error remains, which can be as large. Say one batch has 100 pixels
# of a class, 90 of them found and none extra, and the next batch has one pixel, which is missed. The average of
# the two IoUs is 0.45. The counts say 90/101, or 0.89.
#
# Now your model. Beside it stands the *constant* baseline: for each place, the class that is most frequent there in
# the training masks. It never looks at an image.

# %% tags=["nbval-ignore-output"]
reports = {"constant": scores.class_baseline(parts.train, parts.test, classes, SIZE)}
reports["plain"] = scores.class_report(parts.test, ids_of["plain"], classes)
print(f"IoU, rendered cars, {len(parts.test)} test images, original size")
for place, name in enumerate([*classes.names, "mean"]):
    both = [[*report["iou"], report["mean_iou"]][place] for report in reports.values()]
    print(f"{name:12} constant {both[0]:.3f}, plain {both[1]:.3f}")

# %% tags=["hide-cell"]
gains = np.subtract(reports["plain"]["iou"], reports["constant"]["iou"])
print("background, body, window and wheel each gain over 0.03:", (gains[:4] > 0.03).all())
print("and the light is the worst of all:", np.argmin(reports["plain"]["iou"]) == 4)

# %% [markdown]
# Body, window and wheel stand well above the constant. The background stands above it, too, but there the
# constant is high already. The light is far behind the others. A low IoU has two causes: little is found, or
# much else is called so. In the picture above it is the first, after so few epochs. Part of the reason may be
# what the loss counts: every pixel alike.
#
# ## Softmax and cross-entropy by hand
#
# The last layer gives one number per class and pixel, the *logits*. *Softmax* takes e to the power of each and divides
# by the sum of these powers. Here is an image of 2x2 pixels with three classes.

# %%
logits = np.array([[[2.0, 1, 0], [0, 3, 0]], [[1, 1, 1], [0, 0, 4]]])
powers = np.exp(logits)
softmax = powers / powers.sum(axis=-1, keepdims=True)
print("by hand, first pixel:", softmax[0, 0].round(4))
print("Keras:               ", ops.convert_to_numpy(ops.softmax(logits[0, 0])).round(4))
print("sums:", softmax.sum(axis=-1).ravel())

# %% [markdown]
# The probabilities of a pixel add up to 1: what one class gains, the others lose. The truth, in the cell after
# next, has void in its last pixel. A loss needs two things from it: ids that can serve as an index, and which
# pixels count.


# %% tags=["lifted"]
def labels_of(y_true, num_classes):
    """Class ids, int32 `(B, H, W)`, 0 where void; and float32 `(B, H, W)`, 0 where void, else 1."""
    ids = ops.cast(y_true, "int32")[..., 0]
    valid = ops.logical_and(ids >= 0, ids < num_classes)
    return ops.where(valid, ids, 0), ops.cast(valid, "float32")


# %%
truth = np.array([[0, 1], [2, 255]])
batch_truth, batch_softmax = truth[None, ..., None], softmax[None].astype("float32")
found, valid = labels_of(batch_truth, 3)
print(np.array(found[0]), np.array(valid[0]), sep="\n")

# %% [markdown]
# Void became id 0 with weight 0: it does not count. The *cross-entropy* of a pixel is minus the logarithm of the
# probability that its true class got. Class weights say how much the pixels of each class count.


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
def cross_entropy(y_true, y_pred, class_weights=None):
    """Mean cross-entropy of each image's pixels, float32 `(B,)`; void ones left out."""
    y_pred = ops.cast(y_pred, "float32")
    ids, weights = labels_of(y_true, y_pred.shape[-1])
    pixels = keras.losses.sparse_categorical_crossentropy(ids, y_pred)  # (B, H, W)
    if class_weights is not None:
        weights = weights * ops.take(ops.convert_to_tensor(class_weights, "float32"), ids)
    total = ops.sum(weights, axis=(1, 2))
    return ops.sum(weights * pixels, axis=(1, 2)) / ops.where(total > 0, total, 1.0)


# %%
minus_log = -np.log([softmax[0, 0, 0], softmax[0, 1, 1], softmax[1, 0, 2]])
print("pixels:  ", minus_log.round(4))
for weights in ([1, 1, 1], [1, 2, 5]):
    by_hand = (weights * minus_log).sum() / sum(weights)
    loss = float(cross_entropy(batch_truth, batch_softmax, weights)[0])
    print(f"weights {weights}: by hand {by_hand:.4f}, loss {loss:.4f}")

# %% [markdown]
# The third pixel costs most: there all three classes are level. With equal weights it makes up two thirds of the
# loss, with weight 5 nine tenths. An image that is all void costs nothing.
#
# In cross-entropy without weights every *pixel* counts the same. In a dice of classes every *class* does,
# however small: take the dice of each class as if it were the only one, then the mean.


# %%
def class_dice_loss(truth, prediction):
    """1 - soft dice, the mean over the classes; one-hot truth and prediction `(B, H, W, C)`."""
    return ops.mean(1 - soft_dice(truth, prediction, axis=(1, 2)), axis=-1)


counted = np.array(valid)[..., None]  # void is 0 in the truth and in the prediction
hot, shown = np.array(ops.one_hot(found, 3)) * counted, batch_softmax * counted
print("class 2, one-hot:", hot[0, ..., 2].tolist())
dices = 2 * (hot * shown).sum(axis=(1, 2)) / (hot + shown).sum(axis=(1, 2))
print("dice of each class, by hand:", dices[0].round(4))
module = network.class_dice_loss(batch_truth, batch_softmax)
ours = class_dice_loss(hot, shown)
print(f"by hand {1 - dices.mean():.4f}, ours {ours[0]:.4f}, the module's {module[0]:.4f}")

# %% [markdown]
# The module's version also leaves out classes that an image does not hold.
#
# ## Class weights
#
# So how rare is a pixel of light? Count the training masks. *Inverse* weights are one over the share, divided
# by their mean. *Median* weights (Eigen and Fergus, 2015) take each class's share in the images that hold it,
# and divide the median of these shares by each of them. So they do not follow from the column `share` alone.

# %%
counts = sum(
    np.bincount(classes.read(mask).ravel(), minlength=256)[:number] for _, mask in parts.train
)
shares = counts / counts.sum()
by_hand = 1 / shares / np.mean(1 / shares)
kinds = ("inverse", "median")
inverse, median = (scores.frequency_weights(parts.train, classes, kind) for kind in kinds)
print("class        share  by hand  inverse  median")
for row in zip(classes.names, shares, by_hand, inverse, median, strict=True):
    print("{:10} {:7.2%} {:8.3f} {:8.3f} {:7.3f}".format(*row))

# %% [markdown]
# One pixel in 250 is light. So of the pixels that plain cross-entropy averages over, 0.4% are light, and a
# model that never says "light" can have 99.6% of the pixels right. That may be why it finds the light late. By
# the weights, one pixel of light counts as much as two hundred of background. Train again with the median
# weights, and change nothing else. Do not compare the two losses, which are measured differently now; compare
# the IoU.

# %% tags=["nbval-ignore-output"]
weighted = trained(network.Weighted(network.cross_entropy, median))

# %% tags=["nbval-ignore-output"]
ids_of["weighted"] = predicted(weighted)
reports["weighted"] = scores.class_report(parts.test, ids_of["weighted"], classes)
for place, name in enumerate([*classes.names, "mean"]):
    both = [[*reports[key]["iou"], reports[key]["mean_iou"]][place] for key in ids_of]
    print(f"{name:12} plain {both[0]:.3f}, weighted {both[1]:.3f}")

# %% [markdown]
# With weights, the IoU of the light is higher. Is more of it found, and what does that cost? Draw both
# confusion matrices. Each row is a true class and adds up to 100%, up to rounding; the diagonal is what was
# found of it.

# %%
confusions = {name: np.array(reports[name]["confusion"]) for name in ids_of}
found = {name: table[4, 4] / table[4].sum() for name, table in confusions.items()}
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9), dpi=100, layout="constrained")
for axis, (name, table) in zip(axes, confusions.items(), strict=True):
    shares = table / table.sum(axis=1, keepdims=True)
    axis.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axis.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=9)
    axis.set_xticks(range(number), classes.names, rotation=40)
    axis.set_yticks(range(number), classes.names)
    axis.set_title(f"{name}: {found[name]:.0%} of the light is found", fontsize=10)
    axis.set(xlabel="predicted", ylabel="true")
plt.show()

# %% tags=["hide-cell"]
print("weights find more of the light, by over 0.1:", found["weighted"] > found["plain"] + 0.1)
means = [report["mean_iou"] for report in reports.values()]
print("both means are above the constant's, by over 0.1:", min(means[1:]) > means[0] + 0.1)

# %% [markdown]
# In our run: follow the bottom row. Without weights most light is called body; with them most of it is found.
# Now the column on the right: with weights, a little of the body is called light. The body is about thirty
# times as large, so that little is about as much as all the true light. Only about two in five of the pixels
# called light are light: that is why nine tenths found still make an IoU of no more than two fifths. Two
# classes pay a little, by IoU: the background and the wheel. More of the wheel is found than before, and its
# IoU is lower all the same, since more pixels of other classes are called wheel.
#
# Weights say which errors are expensive, and nothing else. And one training of each proves little: notebook 10
# shows how to compare over several seeds. Nor is plain cross-entropy blind to the light: this project keeps its
# trainings in [results](../results/README.md), and in the three trainings of `multiclass_unet` as written,
# which differ in their seed alone and have no weights, the light has a mean IoU of 0.93. They had, among other
# things, 25 epochs, another learning rate, more images, of 128x128, and no augmentation; and the scored cars
# had been seen in training. So they do not say which of these did it.
#
# There is another way to make small classes count: this project's recipe `multiclass_unet`, corrected, has no
# weights, but adds the dice of classes to cross-entropy.

# %%
titles = ("Truth: lights in yellow", "Plain", "Weighted: found, and too much")
figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.0), dpi=100, layout="constrained")
for axis, title, shown in zip(
    axes, titles, (truths[19], *(ids_of[n][19] for n in ids_of)), strict=True
):
    axis.imshow(data.palette_of(drawn)[shown], interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=10)
plt.show()

# %% [markdown]
# In grey, the lights are the lightest patches; the white lines in the truth are void.
#
# ## Wrong masks, before training
#
# When a first training on your own data fails, look at the masks first. Take one mask and spoil it in four
# ways: an id beyond the table, black and white, soft edges, JPEG. Which of the four does `classes.read` let
# through?

# %%
wrong = Path("runs/wrong_masks")
wrong.mkdir(parents=True, exist_ok=True)
half = Image.fromarray(colours).resize((120, 80), Image.Resampling.BILINEAR)
Image.fromarray(np.where(ids == 4, 7, ids).astype("uint8")).save(wrong / "beyond.png")
Image.fromarray(np.where(ids > 0, 255, 0).astype("uint8")).save(wrong / "black_white.png")
half.save(wrong / "soft.png")
Image.fromarray(colours).save(wrong / "lossy.jpg")
for name in ("beyond.png", "black_white.png", "soft.png", "lossy.jpg"):
    try:
        read = classes.read(wrong / name)
        print(f"{name}: read; {np.mean(read == 255):.1%} are void, ids {np.unique(read).tolist()}")
    except ValueError as error:
        print(textwrap.fill(str(error), 100))

# %% [markdown]
# Three of them raise an error, which names the most frequent wrong values or colours, counts their pixels, and
# gives the nearest class. That class is the nearest by colour: a hint, and often a wrong one. `beyond.png` has
# 7 where the light's 4 was, and the hint says background. A pixel of a soft edge lies between two colours, and
# the class nearest to it may be neither of the two.
#
# The black and white mask passes: 0 is an id, and 255 is void. A model trained on such masks sees background
# and nothing else, and no file raises an error. So look at all of them first: `python -m unet_tf check DIR`
# prints the share of each class and of void, and names masks that hold 0 and 255 alone.
#
# The project pairs images and masks by name, as in notebook 01. The ApX course pairs them by their order, and checks
# that there are equally many. If the mask of one image is missing, and the image of another mask, then all pairs between
# the two are wrong, without an error.
#
# ## My prediction makes no sense
#
# It comes out black, or all of one class, or in coloured patches. The usual causes leave traces in the numbers.
# `explain` feeds one image to a model in several ways and prints a line for each cause that it tests. Once it finds
# that the input is wrong, it tests none that lies in the training, such as too few steps. Here somebody forgot to
# divide the image by 255.

# %% tags=["nbval-ignore-output"]
pair = parts.train[0]
fed = data.resized(data.read_image(pair.image), SIZE).astype("float32")
explained = explain(weighted, fed, pair.mask, classes=drawn)
print(explained)

# %%
explained.figure().set_size_inches(7.4, 4.4)
plt.show()

# %% [markdown]
# On top: the image, drawn in its usual colours whatever its scale, its mask, and what the model makes of
# numbers that it has never seen. The colours are those from above: nearly all that it calls light, in yellow,
# lies where no light is: on the wall, along two edges of the picture, across the bumper. Below: the share of
# each class, on the left in the prediction, on the right in the mask. The first verdict says what to do: the
# same image, divided by 255, has a far better mean IoU.
#
# Two more cases: a model that has not been trained, and the one you trained with weights beside ids saved as
# grey, the "black" mask from the beginning of this notebook.

# %%
Image.fromarray(ids).save(wrong / "grey.png")
untrained = multiclass_unet((*SIZE, 3), [BASE * width for width in (1, 2, 4, 8, 8)], number)
as_grey = wrong / "grey.png"
cases = {
    "0 to 255 where 0 to 1 are wanted, or the reverse": explained,
    "too few steps": explain(untrained, pair.image, pair.mask, SIZE, classes=classes),
    "the mask's file looks black": explain(weighted, pair.image, as_grey, SIZE, classes=classes),
}
for what, one in cases.items():
    (cause,) = [cause for cause in one.causes if cause.what == what]
    print(f"{cause.verdict}: {what}")

# %% [markdown]
# For a model of one class, such as the cars of notebook 07, `explain` also tries other thresholds: after too
# short a training all probabilities may lie below 0.5 and still be higher on the car than beside it.
#
# ## What we saw
#
# - A U-Net gained on the constant in all five classes: much in three of them, little in the background, where
#   the constant is high already, and in the light, which stays the worst; IoU came from summed counts. The
#   shifted lists said 0.38 where the counts said 0.70.
# - Softmax, cross-entropy, inverse class weights and dice came out as worked out by hand, and void counted in
#   no loss and no weight. After the same few epochs, class weights had found more of the light than plain
#   cross-entropy, and had called more pixels of other classes light.
# - A division or an average spoiled ids. Wrong masks raised an error before training, all but the black and white
#   one, and `explain` named the cause in three cases: a wrong input, no training, and a mask that only looks black.
#
# ## Exercises
#
# Each is an experiment: guess first, run it, then explain what you see. [exercises/09](exercises/09.ipynb) has the code
# with gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. What does a loss make of a network that sees nothing? A mask of 16x16 holds 4 pixels of class 1. Give every
#    pixel the probabilities `1 - p` and `p` of the two classes, an array `(1, 16, 16, 2)`, and move `p` from
#    near 0 to near 1. Where is each loss lowest: cross-entropy, cross-entropy with weights 1 and 63, the dice
#    of classes? What would such a network draw, each time?
# 2. Does void flatter? Take nested squares of three classes as the truth, and the same squares shifted by three
#    pixels, as the prediction. Make a band around each border of the truth void, 1, then 2, then 3 pixels to
#    each side. How does the mean IoU move, though the prediction stays the same? What must a table of scores
#    state, then?
# 3. Does the batch size change a score? Make 64 small masks in which class 1 is often tiny, and a prediction
#    with errors. Score class 1 in batches of 1, 4, 16 and 64, by the average of its IoU over the batches and by
#    its IoU from summed counts. Which of the two moves, and which way? Which would you compare with somebody
#    else's?
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [10 · Results](10_results.ipynb).
