"""Pictures of a folder's first pairs and of an explained prediction.

Matplotlib takes 0.7 s to import, for which a check and a printed explanation need not wait: so
this is done in the functions that draw.
"""

import textwrap

import numpy as np

from unet_tf import data
from unet_tf.data import VOID, palette_of


def first_pairs(pairs, classes, value_range):
    """A figure with a row a pair: the image, its mask in the colours of the classes, both."""
    from matplotlib.figure import Figure

    from unet_tf import plot

    two = bool(classes) and len(classes.names) == 2
    palette = palette_of(classes) if classes else None
    if two and not classes.colours:
        palette[1] = 255  # white on black, as masks of two classes are known
    rows = []
    for image_path, mask_path in pairs:
        image = data.read_image(image_path, value_range)
        values = data.values_of(mask_path, bool(classes and classes.greys))
        if classes:
            mask = palette[data.ids_of(values, classes)[0]]
        else:  # as it is, stretched
            mask = np.atleast_3d(values * (255 / max(1, values.max()))).astype("uint8")
            mask = np.broadcast_to(mask, (*mask.shape[:2], 3))
        laid = data.resized(mask, image.shape[:2], "nearest")
        marked = laid.any(axis=-1)
        both = np.where(marked[..., None], image // 2 + laid // 2, image)
        rows.append((image, mask, plot.outlined(image, marked) if two else both))
    height = sum(7.2 / 3 * image.shape[0] / image.shape[1] for image, _, _ in rows)
    figure = Figure(figsize=(7.2, (height or 1) + 0.5), dpi=100, layout="constrained")
    axes = figure.subplots(len(rows) or 1, 3, squeeze=False)
    for row, shown, pair in zip(axes, rows, pairs, strict=False):
        plot.show(row, shown)
        row[0].set_ylabel(textwrap.shorten(pair.image.name, 24), fontsize=6)
    for axis, head in zip(axes[0], ("image", "mask", "both"), strict=True):
        axis.set_title(head, fontsize=9)
    if classes and not two:
        for name, colour in list(zip(classes.names, palette / 255, strict=False))[:8]:
            axes[0][0].scatter([], [], color=[colour], marker="s", edgecolors="0.5", label=name)
        figure.legend(loc="outside lower center", ncols=4, fontsize=7)
    return figure


def explained(explanation):
    """The figure of an `Explanation`."""
    import matplotlib.pyplot as plt

    from unet_tf import plot

    image, prediction, truth = explanation.image, explanation.prediction, explanation.truth
    many = not explanation.classes.binary
    shown, palette = {"image": image}, palette_of(explanation.classes)
    if many:
        shown |= {} if truth is None else {"mask": palette[truth]}
        shown["prediction"] = palette[prediction]
    else:
        shown["probability"] = explanation.probability[..., 0]
        head = "prediction" if truth is None else "found, missed, extra"
        truth = np.zeros_like(prediction) if truth is None else truth
        shown[head] = plot.compared(image, truth, prediction)
    top = 5.6 / 3 * image.shape[0] / image.shape[1] + 0.3
    figure = plt.figure(figsize=(5.8, top + 2.2), dpi=100, layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(top, 2.2))
    plot.show(above.subplots(1, len(shown)), shown.values(), shown)
    (draw_shares if many else draw_sweep)(below.subplots(), explanation, plot.TRUTH, plot.EXTRA)
    return figure


def shares_of(ids, classes):
    """The share of each class in the pixels that are not void, float64 `(C,)`."""
    counts = np.bincount(ids[ids != VOID], minlength=len(classes.names))
    return counts / max(1, counts.sum())


def draw_sweep(axis, explanation, green, blue):
    """The share of the pixels above each threshold, and the dice, onto an axis."""
    thresholds, shares, scores = zip(*explanation.sweep, strict=True)
    axis.plot(thresholds, shares, color=blue, label="share of the pixels")
    if explanation.truth is not None:
        axis.plot(thresholds, scores, color=green, label="dice")
    own = explanation.threshold
    axis.axvline(own, color="0.6", linestyle=":", label=f"{own:g}")
    axis.set(xlim=(0, 1), ylim=(-0.03, 1.03))
    axis.set_xlabel("threshold", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.legend(fontsize=8)


def draw_shares(axis, explanation, green, blue):
    """A bar a class: its share of the prediction, beside that of the mask, onto an axis."""
    names, shown = explanation.classes.names, {"prediction": (explanation.prediction, blue)}
    if explanation.truth is not None:
        shown["mask"] = (explanation.truth, green)
    for number, (label, (ids, colour)) in enumerate(shown.items()):
        shares = shares_of(ids, explanation.classes)
        places = np.arange(len(names)) + 0.4 * number
        style = {"hatch": "////", "fc": "white"} if number else {"fc": colour}  # in grey, too
        bars = axis.bar(places, shares, 0.4, ec=colour, label=label, **style)
        axis.bar_label(bars, [f"{share:.1%}" for share in shares], fontsize=7)
    axis.set_xticks(np.arange(len(names)) + 0.2 * (len(shown) - 1), names)
    axis.tick_params(labelsize=8)
    axis.set(ylim=(0, 1.1))
    axis.set_ylabel("share of the pixels", fontsize=8)
    axis.legend(fontsize=8)
