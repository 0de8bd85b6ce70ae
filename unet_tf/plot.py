"""Pictures: each function returns its matplotlib figure."""

import matplotlib.pyplot as plt
import numpy as np

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
