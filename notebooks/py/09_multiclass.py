# %% [markdown]
# # 09 · Many classes
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/09_multiclass.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/09_multiclass.ipynb)
#
# **You will**
#
# - read masks of class ids and their void label, and catch wrong masks before any training;
# - work out softmax, cross-entropy, class weights and the dice of classes by hand, void left out of all of them;
# - score a small U-Net by IoU from summed counts, with and without class weights, and find out why a prediction
#   makes no sense.
#
# **You need** no data and no account: the parts of rendered cars. About a minute on 2 CPU cores; on a GPU: not
# measured.
#
# The protocol is that of "Building a semantic segmentation model with U-Net" (ApX Machine Learning, 2025), which
# publishes no score: a folder of images, a folder of masks whose pixels are class ids, a U-Net, cross-entropy, IoU.
# Its listing has mistakes that cost nothing but the result; you meet them on the way, each in a few lines.

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
from unet_tf.network import mean_iou, soft_dice
from unet_tf.predict import probabilities
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find(None, "parts")

# %% [markdown]
# For images and masks of your own give their folder: `data.find("my/folder", "parts")`. With a GPU, a T4 or better,
# set `FULL` to `True` for the source's 64 filters at 128x128.

# %%
FULL = False  # True: the source's size, for a GPU
SIZE, BASE, EPOCHS, BATCH = ((128, 128), 64, 25, 8) if FULL else ((64, 96), 16, 8, 8)
LEARNING_RATE = 1e-4 if FULL else 3e-3  # few steps need longer ones
print(f"{BASE} filters in the first level, {SIZE[0]}x{SIZE[1]}, {EPOCHS} epochs")

# %% [markdown]
# ## A mask of class ids
#
# In a mask of many classes each pixel holds a whole number, the *id* of its class. The names stand in a table beside
# the folders, `classes.csv`: name, red, green, blue, a row a class, and the row's place is the id. One row may be
# called void. Split as always: by car, with a test part that nothing has touched.

# %%
parts = data.parts(folder, validation_size=1 / 6, test_size=1 / 4)
classes = data.find_labels(folder, parts)
number = len(classes.names)
print(f"{number} classes:", ", ".join(f"{i} {name}" for i, name in enumerate(classes.names)))

# %% [markdown]
# What is in a mask file? Look at its mode, its values, and what a viewer makes of them.

# %%
pair = parts.train[0]
opened = Image.open(pair.mask)
ids, colours = np.asarray(opened), np.asarray(opened.convert("RGB"))
print(f"mode {opened.mode}, {ids.dtype} {ids.shape}, values {np.unique(ids).tolist()}")
for value in np.unique(ids):
    print(f"  {value:3} is shown as {colours[ids == value][0].tolist()}")

# %% [markdown]
# Mode P is a *palette* PNG: one byte a pixel, and a list of colours for viewers. The values are the ids; the colours
# are for your eyes only. 255 is *void*, the label for pixels that nobody wants judged. Here it marks the borders
# between two parts, where the right answer is a matter of taste.
#
# Many data sets save the same ids without a palette. Look at what is left of them.

# %%
masks = {
    "ids with a palette": colours,
    "the same ids, as grey": np.repeat(ids[..., None], 3, axis=2),
    "grey, times 50": np.repeat(np.where(ids == 255, 255, 50 * ids)[..., None], 3, axis=2),
}
figure, axes = plt.subplots(1, 3, figsize=(5.8, 1.7), dpi=100, layout="constrained")
for axis, (title, picture) in zip(axes, masks.items(), strict=True):
    axis.imshow(picture)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
plt.show()

# %% [markdown]
# In the middle the classes 0 to 4 look black: they are the five darkest of 256 levels of grey; only void is bright.
# Nothing is wrong with that file, as the third picture shows.
#
# Two things must never happen to ids. They are names, not amounts: no division, and no averaging. PyTorch's
# `ToTensor`, which the source applies to masks, divides by 255; then come whole numbers again. And where a mask is
# resized like a photograph, two neighbours are mixed.

# %%
print("divided by 255, then whole numbers again:", np.unique((ids / 255).astype("int64")))
row = np.array([[0, 4]], "uint8")
mixed = data.resized(row, (1, 1), "area")[0, 0]
print(f"{classes.names[0]} and {classes.names[4]}, averaged: {classes.names[mixed]}")
print("nearest:", classes.names[data.resized(row, (1, 1), "nearest")[0, 0]])

# %% [markdown]
# The first line is what the source trains on: every pixel is background, but for void, which becomes class 1. The
# loss falls at once, and the prediction is black. The second makes windows of nothing. So masks are resized by
# nearest only.
#
# ## Wrong masks, before training
#
# Four ways to spoil a mask: an id beyond the table, black and white, soft edges, JPEG. `classes.read` turns a file
# into ids, by value, or by exact colour if the file is coloured. Which of the four does it let through?

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
# Three are refused, with their values or colours, how many pixels have them, and the class that comes nearest. The
# black and white one passes: 0 and 255 are an id and void, as they should be. A model trained on such masks sees
# background and nothing else. No single file tells, so look at all of them first: `python -m unet_tf check DIR` does,
# and names the share of each class and of void. (Images and masks are paired by name, as in notebook 01; the source
# pairs them by their order, and one missing file shifts all that follow.)

# %% [markdown]
# ## Probabilities that share
#
# With one class, each pixel ends in one logit and a sigmoid. With several it ends in a logit a class, and a
# *softmax* makes probabilities of them: e to the power of each logit, divided by the sum. Take a frame of 2x2 and
# three classes. Look at the sums.

# %%
logits = np.array([[[2.0, 1, 0], [0, 3, 0]], [[1, 1, 1], [0, 0, 4]]])
powers = np.exp(logits)
softmax = powers / powers.sum(axis=-1, keepdims=True)
print("by hand, first pixel:", softmax[0, 0].round(4))
print("Keras:               ", ops.convert_to_numpy(ops.softmax(logits[0, 0])).round(4))
print("sums:", softmax.sum(axis=-1).ravel())

# %% [markdown]
# They sum to 1: what one class gains, the others lose. The truth beside it is ids, with void in the last pixel. A
# loss needs two things of it: ids that can be used as an index, and which pixels count.


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
# Void became a 0 that does not count. Now cross-entropy, which you know from notebook 03 for one class: minus the
# logarithm of the probability that the true class got. The others do not appear in it; softmax has made them share
# already.


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


# %% [markdown]
# By hand first: three pixels count, and a class weight says how much each.

# %%
minus_log = -np.log([softmax[0, 0, 0], softmax[0, 1, 1], softmax[1, 0, 2]])
print("pixels:  ", minus_log.round(4))
for weights in ([1, 1, 1], [1, 2, 5]):
    by_hand = (weights * minus_log).sum() / sum(weights)
    loss = float(cross_entropy(batch_truth, batch_softmax, weights)[0])
    print(f"weights {weights}: by hand {by_hand:.4f}, loss {loss:.4f}")

# %% [markdown]
# The third pixel, where the three classes are level, costs the most; with a weight of 5 it makes up most of the loss.
# An image that is all void costs nothing: its weights add up to 0, and then 1 is divided by.
#
# Dice has a version for classes, too: the dice of each class that the mask holds, as if it were the only one, then
# their mean. *One-hot* makes a map of 0 and 1 for each class; void is 0 in all of them, and in the prediction.


# %% tags=["lifted"]
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


# %%
hot, prediction = (np.array(one)[0] for one in one_hot(batch_truth, batch_softmax))
print("class 2, one-hot:", hot[..., 2].tolist())
dices = [2 * (hot[..., c] * prediction[..., c]).sum() for c in range(3)]
dices = [dices[c] / (hot[..., c].sum() + prediction[..., c].sum()) for c in range(3)]
print("dice of each class, by hand:", np.round(dices, 4))
print(f"{1 - np.mean(dices):.4f}, loss {float(class_dice_loss(batch_truth, batch_softmax)[0]):.4f}")

# %% [markdown]
# In the mean of dices a light counts as much as the background, however small it is. In cross-entropy each *pixel*
# counts as much as the next. How rare are lights?
#
# ## Class weights
#
# Count the training masks. *Inverse* weights are one over the share; *median* weights (Eigen and Fergus, 2015) take
# each share in the images that hold the class, and divide their median by it. Work out the inverse ones, and look for
# the class that almost does not exist.

# %%
counts = sum(
    np.bincount(classes.read(mask).ravel(), minlength=256)[:number] for _, mask in parts.train
)
shares = counts / counts.sum()
by_hand = 1 / shares / np.mean(1 / shares)
inverse, median = (
    scores.frequency_weights(parts.train, classes, kind) for kind in ("inverse", "median")
)
print("class        share  by hand  inverse  median")
for row in zip(classes.names, shares, by_hand, inverse, median, strict=True):
    print("{:10} {:7.2%} {:8.3f} {:8.3f} {:7.3f}".format(*row))

# %% [markdown]
# A pixel of light weighs about as much as two hundred of background. Without weights, a model that never calls
# anything a light gives away less than a hundredth of its pixels. You will see what it does about that.
#
# ## IoU from counts
#
# How good is a prediction of several classes? Count which class was called which: a table with a row for each true
# class and a column for each predicted one, the *confusion matrix*. Void is not counted.


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


# %% [markdown]
# The trick is in the last two lines: row and column make one number, and `bincount` counts numbers. Fill in the table
# by hand before you run the cell, 4x4 pixels with three classes and two void ones.

# %%
truth = np.array([[0, 0, 0, 0], [0, 1, 1, 255], [0, 1, 1, 2], [0, 0, 255, 2]])
prediction = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 2, 2]])
confusion = confusion_matrix(truth, prediction, 3)
print(confusion, f"\n{confusion.sum()} of {truth.size} pixels counted")
theirs = sklearn_metrics.confusion_matrix(truth[truth != 255], prediction[truth != 255])
print("as scikit-learn:", np.array_equal(confusion, theirs))

# %% [markdown]
# Everything else follows from the table. IoU of a class: its hits on the diagonal, divided by its row and its column
# together, the hits counted once. A class that no truth holds is *absent*: it has no IoU, and no mean counts it.


# %% tags=["lifted"]
def scores_of(confusion):
    """Every score of a confusion matrix, int64 `(C, C)`; counts may go beyond 2^31."""
    confusion = np.asarray(confusion, "int64")
    hits, truth, prediction = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    pixels, right = int(truth.sum()), int(hits.sum())
    if not pixels:
        raise ValueError("no pixels to score: all of the masks is void")
    present = truth > 0
    iou = hits[present] / (truth + prediction - hits)[present]
    dice = 2 * hits[present] / (truth + prediction)[present]

    def by_class(values):
        found = iter(values.tolist())
        return [next(found) if there else None for there in present]

    return {
        "iou": by_class(iou),
        "dice": by_class(dice),
        "mean_iou": float(iou.mean()),
        "mean_dice": float(dice.mean()),
        "frequency_weighted_iou": float((truth[present] / pixels * iou).sum()),
        "pixel_accuracy": right / pixels,
        "pooled_iou": right / (2 * pixels - right),
    }


# %%
scored = scores_of(confusion)
print("IoU by hand 8/9 3/5 1/2 =", [f"{value:.4f}" for value in (8 / 9, 3 / 5, 1 / 2)])
print("scores_of               =", [f"{value:.4f}" for value in scored["iou"]])
for name in ("mean_iou", "frequency_weighted_iou", "pixel_accuracy", "pooled_iou"):
    print(f"{name:22} {scored[name]:.4f}")

# %% [markdown]
# Four numbers for one prediction, from 0.66 to 0.86. Mean IoU is what PASCAL VOC and Cityscapes rank by: every class
# counts the same. The last one pools all classes, so the large ones decide.
#
# ### Counts are summed, scores are not averaged
#
# A set is scored in batches. Add up the tables, then divide once. The source divides in each batch, drops classes
# that the batch does not hold, adds what is left to a list *from its start*, and divides by the number of batches.
# Three images of 4x4, each with background and one other class; found are 2, 3 and 4 of its 4 pixels, and in the last
# image 2 are extra.


# %%
def image_with(label, found, extra):
    """Truth and prediction of 16 pixels, four of them `label`."""
    truth, prediction = np.zeros((2, 16), int)
    truth[:4] = prediction[:found] = prediction[4 : 4 + extra] = label
    return truth, prediction


tables_of = [confusion_matrix(*image_with(*case), 4) for case in ((1, 2, 0), (2, 3, 0), (3, 4, 2))]
shifted = np.zeros(4)
for table in tables_of:
    kept = [iou for iou in scores_of(table)["iou"] if iou is not None]
    print("this image's list:", np.round(kept, 3))
    shifted[: len(kept)] += kept
summed = scores_of(sum(tables_of))
print("summed counts:", np.round(summed["iou"], 3), f"mean {summed['mean_iou']:.2f}")
print("shifted lists:", np.round(shifted / 3, 3), f"mean {(shifted / 3).mean():.2f}")

# %% [markdown]
# 0.38 for a prediction of 0.70. The classes 2 and 3 have moved into the place of class 1, and in their own places
# stands nothing, divided by three. Put them in their places and average, and a smaller error stays: find 90 of 100
# pixels of a class in one batch and none of its single pixel in the next, and the average is 0.45, the counts say
# 90/101 = 0.89.
#
# ## The model
#
# The U-Net of notebook 05 as the source has it: ImageNet's mean and deviation in front, batch norm, no dropout,
# bilinear upsampling, and a softmax over the classes at the end. While it trains, `mean_iou` watches: Keras's
# `MeanIoU`, made NaN by a NaN. It sums counts over an epoch, leaves void out, and is fit to choose an epoch by.


# %% tags=["lifted"]
def multiclass_unet(input_shape, filters, num_classes):
    """The multi-class source's U-Net: 17,263,042 trainable parameters at 2 classes."""
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
# ## Training, twice
#
# The pipeline is that of notebook 02; only the reading of masks differs, and augmentation moves ids by nearest, void
# among them. Look at the last value of a batch's masks.

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
    watch = {"metrics": [mean_iou(number)], "monitor": "val_mean_iou", "verbose": 2}
    adam = keras.optimizers.Adam(LEARNING_RATE)
    fit(model, training, validation, EPOCHS, loss, adam, patience=EPOCHS, **watch)
    return model


# %% [markdown]
# First plain cross-entropy, as in the source; then the same with the median weights. Watch `val_mean_iou`, an epoch a
# line.

# %% tags=["nbval-ignore-output"]
policy = set_precision()
plain = trained(cross_entropy)
weighted = trained(network.Weighted(network.cross_entropy, median))


# %% [markdown]
# ## Scores, class by class
#
# A prediction at original size: the probabilities of each class are enlarged by themselves, then the largest wins.
# Ids themselves cannot be enlarged smoothly.


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


ids_of = {"plain": predicted(plain), "weighted": predicted(weighted)}
reports = {name: scores.class_report(parts.test, ids, classes) for name, ids in ids_of.items()}
reports["constant"] = scores.class_baseline(parts.train, parts.test, classes, SIZE)

# %% [markdown]
# `report` adds up the confusion matrices of the test images. Beside both models stands the constant baseline: at each
# place the class that is most frequent there in the training masks. Look at the last class.

# %% tags=["nbval-ignore-output"]
print(f"IoU, rendered cars, {len(parts.test)} test images, original size")
print("             " + " ".join(f"{name:>9}" for name in reports))
for place, name in enumerate(classes.names):
    print(f"{name:12}", *(f"{report['iou'][place]:9.3f}" for report in reports.values()))
for title, key in {"mean IoU": "mean_iou", "pixels right": "pixel_accuracy"}.items():
    print(f"{title:12}", *(f"{report[key]:9.3f}" for report in reports.values()))

# %%
means = {name: report["mean_iou"] for name, report in reports.items()}
lower = min(means["plain"], means["weighted"])
print("both above the constant by more than 0.1:", lower > means["constant"] + 0.1)
confusions = {name: np.array(report["confusion"]) for name, report in reports.items()}
found = {name: table[4, 4] / table[4].sum() for name, table in confusions.items()}
print("weights find more of the light:", found["weighted"] > found["plain"] + 0.1)

# %% [markdown]
# All but the light stand well above the constant in both columns. The light comes last: when these few epochs end,
# plain cross-entropy has found little of it or nothing, since hardly any pixels ask for it. What do the weights cost?
# Look at the last row and at the last column.

# %%
for name in ("plain", "weighted"):
    figure = plot.confusion(confusions[name], classes)
    figure.suptitle(f"{name} cross-entropy, rendered cars", fontsize=9)
    plt.show()

# %% [markdown]
# Each row is a true class and adds up to 100%: the diagonal is what was found of it. Without weights most lights are
# called body; with them most are found, and a little of the body is called light. The body is many times as large, so
# that little costs the IoU of the light dearly.
#
# Weights say which errors are dear, and nothing else. One training of each is no comparison to publish, either:
# notebook 10 does that with several seeds. The recipe `multiclass_unet` of this project adds the dice of classes to
# cross-entropy, for the same lights.

# %%
shown = [0, 19, 38]
plot.class_masks(
    [data.read_image(parts.test[i].image) for i in shown],
    [classes.read(parts.test[i].mask) for i in shown],
    [ids_of["weighted"][i] for i in shown],
    classes,
)
plt.show()

# %% [markdown]
# Three test images with the weighted model. Red is wrong; void is not counted, so the borders between parts are grey.
#
# ## My prediction makes no sense
#
# It comes out black, all of one class, or as coloured patches. About a dozen causes are usual, and each leaves traces
# in the numbers. `explain` asks a model about one image in several ways and goes through them, one by one. Here the
# division by 255 was forgotten in front of a trained model, so that the image comes in values of 0 to 255. Read the
# verdicts.

# %% tags=["nbval-ignore-output"]
pair = parts.train[0]
fed = data.resized(data.read_image(pair.image), SIZE).astype("float32")
explained = explain(weighted, fed, pair.mask, classes=classes)
print(explained)

# %%
explained.figure()
plt.show()

# %% [markdown]
# Above the image as it was fed, its mask, and what the model makes of numbers that it has never seen; below, the
# shares of the classes. The first verdict says what to do: the same image, divided by 255, gives a far better mean
# IoU. Wrong inputs make the training impossible to judge, so nothing is said about it.
#
# Two more cases, both common: a model that has not been trained, or hardly; and ids saved as grey, the "black" mask
# from the beginning of this notebook.

# %%
Image.fromarray(ids).save(wrong / "grey.png")
untrained = multiclass_unet((*SIZE, 3), [BASE * width for width in (1, 2, 4, 8, 8)], number)
cases = {
    "0 to 255 where 0 to 1 are wanted, or the reverse": explained,
    "too few steps": explain(untrained, pair.image, pair.mask, SIZE, classes=classes),
    "the mask's file looks black": explain(
        weighted, pair.image, wrong / "grey.png", SIZE, classes=classes
    ),
}
for what, one in cases.items():
    (cause,) = [cause for cause in one.causes if cause.what == what]
    print(f"{cause.verdict}: {what}")

# %% [markdown]
# For black and white models `explain` also goes through the thresholds: of a model that was trained too briefly, all
# probabilities may lie below 0.5 and still be in the right order.
#
# ## What we saw
#
# - Masks of class ids were read by value or by colour; a division or an average would have spoiled them, and
#   wrong masks were refused before training, but for one that looked right.
# - Softmax, cross-entropy, class weights and dice came out as worked out by hand, and void counted in none of
#   them.
# - IoU came from summed counts, where averages and shifted lists gave 0.38 for 0.70; class weights found more of
#   the lights than plain cross-entropy; and three useless predictions were told apart by their numbers.
#
# ## Exercises
#
# Answers: [solutions](solutions.ipynb).
#
# 1. How many trainable parameters has the source's U-Net for 2 classes: bilinear, with filters 64, 128, 256, 512,
#    512, and with 2x2 transposed convolutions and 1024 at the bottom? *17,263,042 and 31,037,698; batch norm's moving
#    means and variances are counted along by Keras, but not trained.*
# 2. A table of three classes: 4 of 8 pixels of class 0 are right, the other 4 are called class 2; all 8 of class 1
#    are right; class 2 is in no truth. What is the mean IoU, and what would it be if an absent class counted as 0?
#    *0.7500 and 0.5000.*
# 3. A mask of 16x16 holds 4 pixels of class 1. A model gives class 0 the probability 0.99 everywhere. What does it
#    lose by cross-entropy, by cross-entropy with weights 1 and 63, and by the dice of classes? *0.0818, 2.3076 and
#    0.5003: giving up the rare class is nearly free only in the first.*
#
# Next: [10 · Results](10_results.ipynb).
