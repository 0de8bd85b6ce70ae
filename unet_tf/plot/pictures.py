"""Images with masks, curves and counts: each function returns its matplotlib figure."""

import colorsys
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
    shown = unit(image)
    for where, colour in found_missed_extra(truth, prediction, shown.shape[:2]):
        shown[where] = 0.5 * shown[where] + 0.5 * np.array(colour)
    return shown


def unit(image):
    """A copy of an image as float64 in [0, 1]."""
    image = np.asarray(image)
    return image / 255 if image.dtype == np.uint8 else image.astype("float64")


def found_missed_extra(truth, prediction, size):
    """Where truth is found, missed, and none, bool `size`, each with its colour."""
    truth, prediction = (np.asarray(mask).reshape(size) > 0 for mask in (truth, prediction))
    both = truth & prediction
    return (both, TRUTH), (truth & ~both, MISSED), (prediction & ~both, EXTRA)


def compared(image, truth, prediction):
    """As `overlay`, over the image in grey, and opaque at the outlines: what is thin is seen, too,
    and no colour is the image's own. Parameters and what it returns are those of `overlay`."""
    shown = np.repeat(unit(image).mean(axis=-1, keepdims=True), 3, axis=-1)
    for where, colour in found_missed_extra(truth, prediction, shown.shape[:2]):
        shown[where] = 0.5 * shown[where] + 0.5 * np.array(colour)
        shown[outline(where)] = colour
    return shown


def outline(mask):
    """The pixels of a mask, uint8 or bool `(H, W)`, near others: bool `(H, W)`, as wide as is seen
    on a screen, 1/500 of the longer side. Of class ids where one class meets another."""
    mask = np.asarray(mask, "uint8")
    edge = np.zeros(mask.shape, bool)
    for step in range(1, max(1, round(max(mask.shape) / 500)) + 1):
        rows, columns = mask[step:] != mask[:-step], mask[:, step:] != mask[:, :-step]
        edge[step:] |= rows
        edge[:-step] |= rows
        edge[:, step:] |= columns
        edge[:, :-step] |= columns
    return edge & (mask > 0)


def outlined(image, mask):
    """The image with the outline of a mask in the hue that is farthest from the image's own.

    Parameters
    ----------
    image : `(H, W, 3)`, float in [0, 1] or uint8
    mask : uint8 or bool `(H, W)`

    Returns
    -------
    float array `(H, W, 3)` in [0, 1]
    """
    shown = unit(image)
    red, green, blue = shown.reshape(-1, 3).mean(axis=0)
    hue = math.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue)
    colour = colorsys.hsv_to_rgb((hue / (2 * math.pi) + 0.5) % 1, 1, 1)
    shown[outline(mask)] = colour
    return shown


def rows(images, truths, predictions=None, labels=None, titles=None):
    """A row an image: the image, its mask, and, where given, prediction and errors.

    Parameters
    ----------
    images : sequence of `(H, W, 3)`, float in [0, 1] or uint8
    truths, predictions : sequences of `(H, W)` or `(H, W, 1)`
        In {0, 1}; or class ids, of which 255 is void.
    labels : unet_tf.data.Labels, optional
        Of many classes: masks are in their colours, with a legend; else black and white.
    titles : sequence of str, optional
        One a row, written below it.
    """
    classes = labels if labels and not labels.binary else None
    names, palette = {}, None
    if classes:
        names, palette = dict(enumerate(classes.names)), palette_of(classes)
        if any((np.asarray(truth) == VOID).any() for truth in truths):
            names[VOID] = "void"
    heads, columns = ["image", "mask"], [truths]
    if predictions is not None:
        heads += ["prediction", "errors" if classes else "found, missed, extra"]
        columns.append(predictions)
    height, width = np.asarray(images[0]).shape[:2]
    legend, below = 0.3 * math.ceil(len(names) / 6), 0.2 if titles else 0
    tall = (5.8 / len(heads) * height / width + below) * len(images)
    size = (5.8, tall + 0.4 + legend)
    figure = plt.figure(figsize=size, dpi=100, layout="constrained")
    # Room for the last title, also where a notebook cuts the figure to what is drawn in it.
    figure.get_layout_engine().set(rect=(0, below / size[1], 1, 1 - below / size[1]))
    figure.add_artist(plt.Rectangle((0, 0), 1, 1, fill=False, linewidth=0))
    axes = figure.subplots(len(images), len(heads), squeeze=False)
    for number, (row, image, *masks) in enumerate(zip(axes, images, *columns, strict=True)):
        masks = [np.squeeze(mask) for mask in masks]
        shown = [image, *(palette[mask.astype("uint8")] if classes else mask for mask in masks)]
        if predictions is not None:
            shown.append((errors if classes else compared)(image, *masks))
        show(row, shown, heads if number == 0 else None)
        if titles is not None:  # what is long goes on below the next picture
            for axis in row:
                axis.set_anchor("N")
            place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
            title = titles[number].encode("utf-8", "backslashreplace").decode()  # no UTF-8
            text = row[0].annotate(title, (0, 0), (0, -3), fontsize=8, **place)
            text.set_in_layout(False)
    if names:
        handles = [Patch(fc=palette[i] / 255, ec="0.5", label=name) for i, name in names.items()]
        below = {"loc": "outside lower center", "ncols": 6, "fontsize": 8, "frameon": False}
        figure.legend(handles=handles, **below)
    return figure


def show(axes, pictures, heads=None):
    """Pictures, an axis each; those without colours are grey, from 0 to 1."""
    for axis, pixels in zip(axes, pictures, strict=True):
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    for axis, head in zip(axes, heads or (), strict=False):
        axis.set_title(head, fontsize=9)


def errors(image, truth, prediction):
    """A faint grey image, float `(H, W, 3)`, its wrong pixels red; void is never wrong."""
    wrong = (truth != prediction) & (truth != VOID)
    grey = np.repeat(np.asarray(image, "float32").mean(-1, keepdims=True), 3, axis=-1)
    faint = grey / (255 if np.asarray(image).dtype == np.uint8 else 1) * 0.5 + 0.5
    return np.where(wrong[..., None], MISSED, faint)


def triplets(images, masks, predictions=None, titles=None):
    """`rows` of masks in {0, 1}."""
    return rows(images, masks, predictions, titles=titles)


def class_masks(images, truths, predictions, classes):
    """`rows` of class ids; predictions may be None."""
    return rows(images, truths, predictions, classes)


def curves(history, names=("loss", "hard_dice"), title=None, constant=None):
    """Training and validation curves by epoch.

    Parameters
    ----------
    history : dict of lists, as in `keras.callbacks.History.history`
    names : what to show, a panel each
    constant : float, optional
        The score of a prediction that looks at no image: a line in the last panel.
    """
    figure, axes = plt.subplots(
        1, len(names), figsize=(5.8, 2.6), dpi=100, squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        epochs = range(1, len(history[name]) + 1)
        axis.plot(epochs, history[name], "o:", ms=3, color="0.5", label="training")
        axis.plot(epochs, history[f"val_{name}"], "o-", ms=3, color=TRUTH, label="validation")
        axis.set(xlabel="epoch", title=name.replace("_", " "))
        if constant is not None and name == names[-1]:
            axis.axhline(constant, color="0.3", ls="--", label="constant prediction")
        axis.legend(fontsize=8)
    if title:
        figure.suptitle(title, fontsize=10)
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
