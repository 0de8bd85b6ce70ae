"""Cross-validation: a recipe, once a fold, and the score of all images together."""

from pathlib import Path

import numpy as np

from unet_tf import data, scores
from unet_tf.files import write_json
from unet_tf.protocol.runs import run


def cross_validated(recipe, folder, pairs, count, seed=0, to="runs/folds", **options):
    """Train a recipe once a fold; every image is scored once, by a model that has not seen it.

    Parameters
    ----------
    recipe : unet_tf.protocol.Recipe
    folder : path
    pairs : list of unet_tf.data.Pair
    count : int, of folds
    seed : int, of weights, order and dropout, in each fold the same
    to : path
        Each fold has a folder in it, `fold0` and so on, and `folds.json` is written last.
    options : of `unet_tf.protocol.run`; with `resume` folds that are done are not done again

    Returns
    -------
    dict, ready for JSON: `scores` of all images; `folds`, the score of each; `spread`, their
    standard deviation
    """
    shares = recipe.split_by, recipe.validation_size, recipe.split_seed
    results = []
    for number, parts in enumerate(data.folds(pairs, count, *shares)):
        print(f"\nFold {number + 1} of {count}: {data.described(parts)}", flush=True)
        named = {"train": parts.train, "val": parts.validation, "test": parts.test}
        own = Path(to) / f"fold{number}"
        results.append(run(recipe, folder, seed, own, **options, pairs=named))
    record = {"recipe": recipe.name, "seed": seed, **together([r["scores"] for r in results])}
    write_json(Path(to) / "folds.json", record)
    return record


def together(reports):
    """The scores of all images, from those of the folds: the mean of their dices, or the mean IoU
    of their summed counts; and each fold's."""
    name = "mean_iou" if "confusion" in reports[0] else "dice"
    each = [report[name] for report in reports]
    images = [report["images"] for report in reports]
    if name == "dice":
        found = {"dice": float(np.average(each, weights=images))}
    else:
        counts = np.sum([report["confusion"] for report in reports], axis=0)
        found = {"classes": reports[0]["classes"], **scores.scores_of(counts)}
    found["baseline"] = float(np.average([r["baseline"] for r in reports], weights=images))
    return {
        "scores": {"images": sum(images), **found},
        "folds": each,
        "spread": float(np.std(each, ddof=1)),
    }
