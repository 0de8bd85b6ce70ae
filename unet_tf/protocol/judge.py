"""All scores of a trained model, its masks and its pictures, one image in memory at a time."""

import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from unet_tf import data, plot, predict, scores
from unet_tf.files import UserError, atomically
from unet_tf.protocol.progress import Progress

MOST = 100


def judged(recipe, model, parts, identity, labels, read, to):
    """All scores of a trained model; in the folder `to`, unless it is None, its masks and pictures.

    The scored part is the test part if there is one, else the validation part; the threshold is
    0.5, as published. Where there is a test part of one foreground, the report also has
    `chosen_threshold`, the best one of the validation part, and the dice with it. `read` reads
    masks (`unet_tf.data.reader`).

    Returns
    -------
    dict
        `unet_tf.scores.report` or `class_report`, with `baseline`: dice, or mean IoU, of a
        prediction that never looks at an image. Of many classes also `baseline_report`, all of its
        scores, and one number a class, `iou_building` and so on; absent ones have none.
    """
    forward = predict.compiled(model)  # as the command line predicts, to the bit
    batch_size = 1 if recipe.crop else recipe.batch_size
    how = recipe.image_size, recipe.resize, batch_size, recipe.value_range

    def answers(pairs):
        return predict.probabilities(forward, [image for image, _ in pairs], *how)

    pairs = parts.test or parts.validation
    others = [image for part in parts if part is not pairs for image, _ in part]
    chosen = None
    if labels.binary and parts.test:
        chosen, _ = scores.best_threshold(parts.validation, answers(parts.validation), read=read)
    shown = {int(number): None for number in np.linspace(0, len(pairs) - 1, 4)}
    masks = decided(answers(pairs), pairs, labels, to, shown)
    if labels.binary:
        probabilities, batch_size = (probability for probability, _ in masks), recipe.batch_size
        scoring = 0.5, batch_size, labels, chosen, read, others
        report = scores.report(pairs, probabilities, *scoring)
    else:
        report = scores.class_report(pairs, (ids for _, ids in masks), labels, read, others)
        by_class = zip(labels.names, report["iou"], strict=True)
        report |= {f"iou_{name}": iou for name, iou in by_class if iou is not None}
    report |= scores.baseline_of(parts.train, pairs, labels, recipe.image_size, read)
    if to is not None:
        title = f"{recipe.name}, {recipe.variant}, on {identity['data']} data"
        some = [pairs[number] for number in shown]
        images = [data.read_image(image, recipe.value_range) for image, _ in some]
        pictures(Path(to), title, some, images, shown, labels, report)
    return report


def progress(recipe, labels, parts, read):
    """A `Progress` beside the constant prediction's score on the validation part; of `MOST` images
    of each part at most, evenly taken."""
    few = [part[:: 1 + len(part) // MOST] for part in (parts.train, parts.validation)]
    found = scores.baseline_of(*few, labels, recipe.image_size, read)
    return Progress(found["baseline"], "val_hard_dice" if labels.binary else "val_mean_iou")


def prediction_files(to, pairs):
    """Where the predicted masks of these pairs lie in a run's folder `to`: a path each."""
    names = data.names_of(image for image, _ in pairs)
    return [(Path(to) / "predictions" / name).with_suffix(".png") for name in names]


def decided(answers, pairs, labels, to, shown):
    """(answer, mask at the image's own size) of each image.

    On the way each mask is written to `predictions/` in the folder `to`, where there is one:
    earlier ones are removed. `shown`, a dict by number, gets those that it asks for. Raises
    `UserError`, which names the image of which the model says NaN.
    """
    if to is not None:
        shutil.rmtree(Path(to) / "predictions", ignore_errors=True)
        files = prediction_files(to, pairs)
    for number, ((path, _), answer) in enumerate(zip(pairs, answers, strict=True)):
        if not np.isfinite(answer).all():
            raise UserError(f"{path}: the model answers NaN: its training has diverged")
        mask = labels.decide(answer, data.size_of(path))
        if number in shown:
            shown[number] = mask
        if to is not None:
            files[number].parent.mkdir(parents=True, exist_ok=True)
            predict.save_mask(files[number], mask, labels)
        yield answer, mask


def pictures(to, title, pairs, images, masks, labels, report):
    """`picture.png`, some images with their mask, prediction and errors; of many classes
    `confusion.png` and `classes.csv`, by which `predict` colours."""
    truths, masks = [labels.read(mask) for _, mask in pairs], list(masks.values())
    names = [image.name for image, _ in pairs]
    if labels.binary:
        three = zip(names, truths, masks, strict=True)
        names = [f"{name}: dice {scores.dice(truth, mask):.3f}" for name, truth, mask in three]
    figures = {"picture": plot.rows(images, truths, masks, labels, names)}
    whole = f"{len(pairs)} of {report['images']} images, evenly by name"
    figures["picture"].suptitle(f"{title}: {whole}", fontsize=9)
    if not labels.binary:
        data.write_table(to / "classes.csv", labels)
        figures["confusion"] = plot.confusion(report["confusion"], labels)
    dpi = 200 if images[0].shape[1] > 300 else 100  # thin structures want pixels
    for name, figure in figures.items():
        with atomically(to / f"{name}.png") as partial:
            figure.savefig(partial, dpi=dpi)
        plt.close(figure)
