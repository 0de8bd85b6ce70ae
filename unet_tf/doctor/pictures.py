"""A picture of the first pairs of a folder."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from unet_tf import data, plot


def first_pairs(pairs, classes):
    """A figure with a row a pair: the image, its mask in the colours of the classes, both."""
    two = bool(classes) and len(classes.names) == 2
    palette = data.palette_of(classes) if classes else None
    if two and not classes.colours:
        palette[1] = 255  # white on black, as masks of two classes are known
    rows = []
    for image_path, mask_path in pairs:
        image = data.read_image(image_path)
        values = data.values_of(mask_path, bool(classes and classes.greys))
        if classes:
            mask = palette[data.ids_of(values, classes)[0]]
        else:  # as it is, stretched
            mask = np.atleast_3d(values * (255 / max(1, values.max()))).astype("uint8")
            mask = np.broadcast_to(mask, (*mask.shape[:2], 3))
        laid = data.resized(np.ascontiguousarray(mask), image.shape[:2], "nearest")
        marked = laid.any(axis=-1)
        if two:
            both = plot.overlay(image, marked, marked)
        else:
            both = np.where(marked[..., None], image // 2 + laid // 2, image)
        rows.append((image, mask, both))
    height = sum(5.8 / 3 * image.shape[0] / image.shape[1] for image, _, _ in rows)
    figure, axes = plt.subplots(
        len(rows) or 1,
        3,
        figsize=(5.8, (height or 1) + 0.5),
        dpi=100,
        squeeze=False,
        layout="constrained",
    )
    for row, shown, pair in zip(axes, rows, pairs, strict=False):
        for axis, pixels in zip(row, shown, strict=True):
            axis.imshow(pixels)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(textwrap.shorten(pair.image.name, 24), fontsize=6)
    for axis, head in zip(axes[0], ("image", "mask", "both"), strict=True):
        axis.set_title(head, fontsize=9)
    if classes and not two:
        for name, colour in list(zip(classes.names, palette / 255, strict=False))[:8]:
            axes[0][0].scatter([], [], color=[colour], marker="s", edgecolors="0.5", label=name)
        figure.legend(loc="outside lower center", ncols=4, fontsize=7)
    return figure
