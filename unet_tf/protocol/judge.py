"""All scores of a trained model, its masks and its pictures."""

import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from unet_tf import data, plot, predict, scores
from unet_tf.files import atomically
from unet_tf.protocol import class_judge


def loss_of(recipe, parts, labels):
    """The recipe's loss, with its class weights bound to it, if it has any."""
    return recipe.loss if labels.binary else class_judge.loss_of(recipe, parts, labels)


def judged(recipe, model, parts, identity, labels, to):
    """All scores of a trained model; in the folder `to` its masks and pictures."""
    known = None if labels.binary else labels
    forward = predict.compiled(model)  # as the command line predicts, to the bit
    pairs = parts.test or parts.validation
    title = f"{recipe.name}, {recipe.variant}, on {identity['data']} data"
    if known:
        found = class_judge.ids_of(forward, recipe, pairs)
        report = class_judge.scored(found, recipe, parts, known)
        if to is not None:
            data.write_table(Path(to) / "classes.csv", known)  # what `predict` colours by
            class_judge.pictures(found, pairs, title, Path(to), known, report["confusion"])
        return report
    found = predicted(forward, recipe, pairs)
    report = scored(found, recipe, parts, lambda: predicted(forward, recipe, parts.validation))
    if to is not None:
        pictures(found, pairs, title, Path(to))
    return report


def predicted(model, recipe, pairs):
    """What the model says of each image, at the size it works at: a list, as it is used twice."""
    paths = [image for image, _ in pairs]
    sizes = recipe.image_size, recipe.resize, 1 if recipe.crop else recipe.batch_size
    return list(predict.probabilities(model, paths, *sizes))


def scored(found, recipe, parts, of_validation):
    """Every score of a trained model (`unet_tf.scores.report`), on the test part if there is one.

    Beside them `baseline`, the dice of the constant baseline, and, where there is a test part,
    `chosen_threshold`, the threshold that is best on the validation part, and
    `dice_at_chosen_threshold`, the test part's dice with it; all else is at 0.5, as published.

    Parameters
    ----------
    found : list of arrays
        What `predicted` gives for the scored part.
    recipe : unet_tf.protocol.Recipe
    parts : unet_tf.data.Split
    of_validation : function
        Gives those of the validation part; called where there is a test part.
    """
    pairs = parts.test or parts.validation
    report = scores.report(pairs, found, batch_size=recipe.batch_size)
    baseline = scores.constant_baseline(parts.train, pairs, recipe.image_size)
    report["baseline"] = float(baseline.mean())
    if parts.test:
        threshold, _ = scores.best_threshold(parts.validation, of_validation())
        _, (dice,) = scores.best_threshold(pairs, found, [threshold])
        report |= {"chosen_threshold": threshold, "dice_at_chosen_threshold": float(dice)}
    return report


def pictures(found, pairs, title, to):
    """The masks of all scored images as PNG files, at their own size, in `predictions/`, earlier
    ones removed; and `picture.png`, four of them with image, mask and dice."""
    shutil.rmtree(to / "predictions", ignore_errors=True)
    (to / "predictions").mkdir(parents=True)
    shown = [int(number) for number in np.linspace(0, len(pairs) - 1, 4)]
    masks = {}
    for number, ((path, _), probability) in enumerate(zip(pairs, found, strict=True)):
        mask = data.resized_back(probability, data.size_of(path)) >= 0.5
        Image.fromarray(mask.astype("uint8") * 255).save(to / f"predictions/{path.stem}.png")
        if number in shown:
            masks[number] = mask.astype("uint8")
    masks = [masks[number] for number in shown]
    truths = [data.read_mask(pairs[number].mask) for number in shown]
    figure = plot.triplets(
        [data.read_image(pairs[number].image) for number in shown],
        truths,
        masks,
        [f"dice {scores.dice(*both):.3f}" for both in zip(truths, masks, strict=True)],
    )
    figure.suptitle(title, fontsize=9)
    with atomically(to / "picture.png") as partial:
        figure.savefig(partial)
    plt.close(figure)
