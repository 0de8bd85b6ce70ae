"""What a run does otherwise when its masks hold many classes (`unet_tf.protocol`)."""

import shutil

import matplotlib.pyplot as plt
import numpy as np

from unet_tf import data, network, plot, predict, scores
from unet_tf.files import UserError, atomically


def loss_of(recipe, parts, known):
    """The recipe's loss, with its class weights bound to it, if it has any."""
    weights = recipe.class_weights
    if weights is None:
        return recipe.loss
    if isinstance(weights, str):
        weights = scores.frequency_weights(parts.train, known, weights)
    if len(weights) != len(known.names):
        raise UserError(f"{len(weights)} class weights for {len(known.names)} classes")
    return network.Weighted(recipe.loss, weights)


def ids_of(model, recipe, pairs):
    """Predicted class ids of each image at its own size, uint8, one image in memory at a time."""
    paths, found = [image for image, _ in pairs], []
    sizes = recipe.image_size, recipe.resize, 1 if recipe.crop else recipe.batch_size
    for path, one in zip(paths, predict.probabilities(model, paths, *sizes), strict=True):
        if not np.isfinite(one).all():
            raise UserError(f"{path}: the model answers NaN: its training has diverged")
        found.append(data.ids_at(one, data.size_of(path)))
    return found


def scored(found, recipe, parts, known):
    """Every score of predicted class ids (`unet_tf.scores.class_report`), on the test part if there
    is one, with `baseline`, the report of the constant baseline.

    One number a class stands beside the list: `iou_building`, and so on; absent ones have none.
    """
    pairs = parts.test or parts.validation
    report = scores.class_report(pairs, found, known)
    size = recipe.image_size or (128, 128)
    baseline = scores.class_baseline(parts.train, pairs, known, size)
    by_class = zip(known.names, report["iou"], strict=True)
    report |= {f"iou_{name}": iou for name, iou in by_class if iou is not None}
    return report | {"baseline": baseline["mean_iou"], "baseline_report": baseline}


def pictures(found, pairs, title, to, known, confusion):
    """The class ids of all scored images as palette PNG files, at their own size, in
    `predictions/`; `picture.png`, four of them beside image and mask; `confusion.png`."""
    shutil.rmtree(to / "predictions", ignore_errors=True)
    (to / "predictions").mkdir(parents=True)
    palette = data.palette_of(known)
    for ids, (path, _) in zip(found, pairs, strict=True):
        data.save_ids(to / f"predictions/{path.stem}.png", ids, palette)
    shown = np.linspace(0, len(pairs) - 1, 4).astype(int)
    figure = plot.class_masks(
        [data.read_image(pairs[number].image) for number in shown],
        [known.read(pairs[number].mask) for number in shown],
        [found[number] for number in shown],
        known,
    )
    figure.suptitle(title, fontsize=9)
    for name, one in {"picture": figure, "confusion": plot.confusion(confusion, known)}.items():
        with atomically(to / f"{name}.png") as partial:
            one.savefig(partial)
        plt.close(one)
