"""Reports as Markdown tables, with who scores in which way."""

import numpy as np

# What a report calls the scores that are looked at first, and their names in words.
FIRST = {
    "dice": "dice of the {foreground}, mean of the images",
    "iou": "IoU of the {foreground}, of all pixels together",
    "sensitivity": "sensitivity: the share of the {foreground} that is found",
    "specificity": "specificity: the share of all else that is not called so",
    "boundary_f1": "boundary F1 within {boundary_tolerance} px, mean of the images",
}
# All of them, with who scores so.
USED_BY = {
    "dice": ("dice: per image, hard, original size", "the Carvana competition"),
    "mean_over_batches": (
        "dice: soft, pooled in each batch, mean over batches, model size",
        "the article *Image Segmentation: An In-Depth Guide*; "
        "the *End-to-End Guide for Image Segmentation*, with hard masks",
    ),
    "soft_dice": ("dice: per image, soft, model size", "this project's losses, as 1 - dice"),
    "pooled_dice": ("dice: pooled over all images, hard, original size", "BuildFormer, as F1"),
    "iou": (
        "IoU of the {foreground}, pooled over all images, original size",
        "PASCAL VOC for each class; BuildFormer on Massachusetts Buildings",
    ),
    "mean_iou": (
        "mean of the IoUs of {foreground} and background, pooled over all images, original size",
        "PASCAL VOC and Cityscapes, over their classes",
    ),
    "sensitivity": ("sensitivity, or recall: pooled over all images, original size", "medicine"),
    "specificity": ("specificity: pooled over all images, original size", "medicine"),
    "pixel_accuracy": (
        "pixel accuracy, original size",
        "the *End-to-End Guide for Image Segmentation*, at model size",
    ),
    "boundary_f1": (
        "boundary F1: per image, within {boundary_tolerance} px, original size",
        "Csurka et al., BMVC 2013; DAVIS as F, with a wider tolerance",
    ),
}
CLASS_USED_BY = {
    "mean_iou": (
        "mean IoU of the classes, counts summed over all images",
        "PASCAL VOC, Cityscapes",
    ),
    "mean_dice": ("mean dice of the classes, counts summed over all images", ""),
    "frequency_weighted_iou": ("IoU of the classes, weighted by their pixels", "Long et al., 2015"),
    "pixel_accuracy": ("pixel accuracy", "Long et al., 2015"),
    "pooled_iou": (
        "IoU of all classes as one: hits over hits and misses",
        "*U-Net for Image Segmentation* (Rudzki), padding included",
    ),
}


def table(report, baseline=None, every=False):
    """A Markdown table of one report: of one foreground the scores that are looked at first, with
    their 95% intervals; of many classes the IoU of each, its share of the pixels, and the mean.

    Parameters
    ----------
    report : dict
        What `report` or `class_report` returned.
    baseline : optional
        The constant baseline's dice, or its dices (`constant_baseline`): gets a line. Of many
        classes its report (`class_baseline`): gets a column.
    every : bool
        All scores, and who scores so.
    """
    kind = of_classes if "classes" in report else of_foreground if every else first_of_foreground
    return markdown(*kind(report, baseline, every))


def first_of_foreground(report, baseline, every):
    """Heads and rows of `table` for one foreground, in short."""
    rows = []
    for key, name in FIRST.items():
        low_high = report[f"{key}_interval"]
        interval = "{:.4f} to {:.4f}".format(*low_high) if low_high else ""
        rows.append((name.format(**report), f"{report[key]:.4f}", interval))
        if key == "dice" and baseline is not None:
            rows.append(("the same of a constant prediction", f"{np.mean(baseline):.4f}", ""))
    return ("score", "value", "95% interval"), rows


def of_foreground(report, baseline, every):
    """Heads and rows of `table` for one foreground, with who scores so."""
    rows = []
    for key, (name, who) in USED_BY.items():
        value = f"{report[key]:.4f}"
        if key == "dice" and report["dice_interval"]:
            value += " (95%: {:.4f} to {:.4f})".format(*report["dice_interval"])
        rows.append((name.format(**report), value, who))
        if key == "dice" and baseline is not None:
            rows.append(("the same of the constant baseline", f"{np.mean(baseline):.4f}", ""))
    return ("score", "value", "who scores so"), rows


def of_classes(report, baseline, every):
    """Heads and rows of `table` for many classes."""
    columns = {"value": report} | ({"constant prediction": baseline} if baseline else {})

    def cells(value_of):
        values = map(value_of, columns.values())
        return ["absent" if value is None else f"{value:.4f}" for value in values]

    def interval(low_high):
        return "{:.4f} to {:.4f}".format(*low_high) if low_high else ""

    intervals = report.get("iou_intervals") or [None] * len(report["classes"])
    rows = []
    for n, (name, share) in enumerate(zip(report["classes"], report["shares"], strict=True)):
        values = cells(lambda one, n=n: one["iou"][n])
        rows.append(
            (f"IoU of {name}", *values, interval(intervals[n]), f"{share:.2%} of the pixels")
        )
    for key, (name, who) in CLASS_USED_BY.items():
        if every or key == "mean_iou":
            values = cells(lambda one, key=key: one[key])
            own = interval(report.get(f"{key}_interval"))
            rows.append((name, *values, own, who if every else ""))
    last = "share of pixels, or who scores so" if every else "share of pixels"
    return ("score", *columns, "95% interval", last), rows


def markdown(heads, rows):
    """A Markdown table, as a text: `rows` are sequences of cells, as many in each as `heads`."""
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(heads), *lines[1:]])
