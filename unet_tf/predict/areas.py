"""The table beside masks: how much of each image is of which class."""

import csv
import io

import numpy as np

from unet_tf.files import write_text

TABLE = "areas.csv"


def areas_of(mask, labels):
    """The pixels of a mask, uint8 `(H, W)`, and of each class in it, a list of int; of a foreground
    it is the one class."""
    if labels.binary:
        return [mask.size, int(np.count_nonzero(mask))]
    return [mask.size, *np.bincount(mask.ravel(), minlength=len(labels.names)).tolist()]


def write_areas(path, areas, labels):
    """Write `{name of an image: its areas_of}` as a CSV file: pixels in all, and of each class
    pixels and share."""
    names = labels.names[1:] if labels.binary else labels.names
    heads = [f"{name} {what}" for name in names for what in ("pixels", "share")]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "pixels", *heads])
    for name, (whole, *counts) in areas.items():
        cells = [cell for count in counts for cell in (count, f"{count / whole:.6f}")]
        table.writerow([name, whole, *cells])
    write_text(path, text.getvalue())
