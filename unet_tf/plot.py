"""Pictures: each function returns its matplotlib figure."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch

from unet_tf.data import VOID, palette_of

# One palette everywhere, legible to colour-blind readers by its lightness too.
TRUTH, MISSED, EXTRA = (0.20, 0.63, 0.17), (0.84, 0.15, 0.16), (0.12, 0.47, 0.71)


def overlay(image, truth, prediction):
    """The image with truth found in green, truth missed in red, and what is no truth in blue.

    Parameters
    ----------
    image : `(H, W, 3)`, float in [0, 1] or uint8
    truth, prediction : `(H, W)` or `(H, W, 1)` in {0, 1}

    Returns
    -------
    float array `(H, W, 3)` in [0, 1]
    """
    image = np.asarray(image) / 255 if np.asarray(image).dtype == np.uint8 else np.asarray(image)
    truth = np.asarray(truth).reshape(image.shape[:2]) > 0
    prediction = np.asarray(prediction).reshape(image.shape[:2]) > 0
    shown = image.astype("float64")
    for where, colour in (
        (truth & prediction, TRUTH),
        (truth & ~prediction, MISSED),
        (~truth & prediction, EXTRA),
    ):
        shown[where] = 0.5 * shown[where] + 0.5 * np.array(colour)
    return shown


def triplets(images, masks, predictions=None, titles=None):
    """A row an image: the image, its mask, and, where given, prediction and overlay.

    Parameters
    ----------
    images : sequence of `(H, W, 3)`, float in [0, 1] or uint8
    masks, predictions : sequences of `(H, W)` or `(H, W, 1)` in {0, 1}
    titles : sequence of str, optional
        One a row, written beside it.
    """
    heads = ["image", "mask"] + (
        ["prediction", "found, missed, extra"] if predictions is not None else []
    )
    height, width = np.asarray(images[0]).shape[:2]
    size = (5.8, 5.8 / len(heads) * height / width * len(images) + 0.4)
    figure, axes = plt.subplots(
        len(images), len(heads), figsize=size, dpi=100, squeeze=False, layout="constrained"
    )
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        shown = [image, mask]
        if predictions is not None:
            shown += [predictions[row], overlay(image, mask, predictions[row])]
        for axis, pixels in zip(axes[row], shown, strict=True):
            axis.imshow(np.squeeze(pixels), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        if titles is not None:
            axes[row][0].set_ylabel(titles[row], fontsize=8)
    for axis, head in zip(axes[0], heads, strict=True):
        axis.set_title(head, fontsize=9)
    return figure


def curves(history, names=("loss", "hard_dice"), title=None):
    """Training and validation curves by epoch.

    Parameters
    ----------
    history : dict of lists, as in `keras.callbacks.History.history`
    names : what to show, a panel each
    """
    figure, axes = plt.subplots(
        1, len(names), figsize=(5.8, 2.6), dpi=100, squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        epochs = range(1, len(history[name]) + 1)
        axis.plot(epochs, history[name], "o-", ms=3, color="0.6", label="training")
        axis.plot(epochs, history[f"val_{name}"], "o-", ms=3, color=TRUTH, label="validation")
        axis.set(xlabel="epoch", title=name.replace("_", " "))
        axis.legend(fontsize=8)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def class_masks(images, truths, predictions, classes):
    """A row an image: image, mask, and, where given, prediction and errors; a legend of classes.

    Parameters
    ----------
    images : sequence of `(H, W, 3)`, float in [0, 1] or uint8
    truths : sequence of `(H, W)` class ids; 255 is void
    predictions : the same, or None
    classes : unet_tf.data.Labels
    """
    palette = palette_of(classes)
    heads = ["image", "mask"] + (["prediction", "errors"] if predictions is not None else [])
    height, width = np.asarray(images[0]).shape[:2]
    labels = dict(enumerate(classes.names))
    if any((np.asarray(truth) == VOID).any() for truth in truths):
        labels[VOID] = "void"
    legend = 0.3 * math.ceil(len(labels) / 6)
    size = (5.8, 5.8 / len(heads) * height / width * len(images) + 0.4 + legend)
    figure, axes = plt.subplots(
        len(images), len(heads), figsize=size, dpi=100, squeeze=False, layout="constrained"
    )
    for row, (image, truth) in enumerate(zip(images, truths, strict=True)):
        truth = np.squeeze(truth).astype("uint8")
        shown = [image, palette[truth]]
        if predictions is not None:
            prediction = np.squeeze(predictions[row]).astype("uint8")
            wrong = (truth != prediction) & (truth < len(classes.names))
            grey = np.repeat(np.asarray(image, "float32").mean(-1, keepdims=True), 3, axis=-1)
            faint = grey / (255 if np.asarray(image).dtype == np.uint8 else 1) * 0.5 + 0.5
            shown += [palette[prediction], np.where(wrong[..., None], MISSED, faint)]
        for axis, pixels in zip(axes[row], shown, strict=True):
            axis.imshow(pixels)
            axis.set(xticks=[], yticks=[])
    for axis, head in zip(axes[0], heads, strict=True):
        axis.set_title(head, fontsize=9)
    handles = [
        Patch(facecolor=palette[number] / 255, edgecolor="0.5", label=name)
        for number, name in labels.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    return figure


def confusion(counts, classes):
    """A confusion matrix `(C, C)` as shares of each true class: rows truth, columns prediction.

    The row of a class that no truth holds is empty.
    """
    counts = np.asarray(counts, "float64")
    whole = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(whole > 0, whole, np.nan)
    side = min(5.2, 1.4 + 0.45 * len(counts))
    figure, axis = plt.subplots(figsize=(side + 0.6, side), dpi=100, layout="constrained")
    axis.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    ticks = range(len(counts))
    axis.set_xticks(ticks, classes.names, rotation=40, ha="right", fontsize=8)
    axis.set_yticks(ticks, classes.names, fontsize=8)
    axis.set_xlabel("predicted", fontsize=9)
    axis.set_ylabel("truth", fontsize=9)
    if len(counts) <= 12:
        for (row, column), share in np.ndenumerate(shares):
            text = "" if np.isnan(share) else f"{share:.0%}"
            colour = "white" if share > 0.6 else "black" if share >= 0.005 else "0.6"
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    return figure
