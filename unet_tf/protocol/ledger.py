"""Records of runs, and the table that sets them beside the published numbers."""

import numpy as np

from unet_tf import scores


def summary(results):
    """One record of a recipe's runs with several seeds.

    Parameters
    ----------
    results : list of dict, as `run` returns them
        Of one recipe, data, settings and split.

    Returns
    -------
    dict
        What the runs share; `scores`, each as `mean` and `spread` (sample standard deviation; None
        for a single run); and `runs`, what each seed has of its own, its whole report included.
    """
    results = sorted(results, key=lambda result: result["seed"])
    own = ["seed", "epochs", "minutes", "commit", "code", "date", "hardware", "versions", "scores"]
    every = [result["scores"] for result in results]
    scored = {}
    for key, value in every[0].items():
        if isinstance(value, float | int) and all(key in one for one in every):
            column = [one[key] for one in every]
            spread = float(np.std(column, ddof=1)) if len(column) > 1 else None
            scored[key] = {"mean": float(np.mean(column)), "spread": spread}
    shared = {key: value for key, value in results[0].items() if key not in own}
    runs = [{key: result.get(key) for key in own} for result in results]
    return {**shared, "scores": scored, "runs": runs}


def comparable(record):
    """May a record's score, taken as published, stand beside the published one? Yes, or why not."""
    if record["published_dice"] is None:
        return "no: no score published"
    if record["data"] != "Carvana":
        return "no: rendered cars" if record["data"] == "rendered" else "no: other images"
    if record["changed"]:
        return f"no: changed {', '.join(record['changed'])}"
    if record["variant"] == "corrected":
        return "no: cars never seen in training, paired augmentation"
    return "yes"


def table(records):
    """A Markdown table, a line a record of `summary`; all are of one task.

    Of one foreground *as published* is soft, pooled over batches, at the model's size. Of many
    classes counts are summed over the images of the scored part, and *all pooled* counts the hits
    of all classes over hits and misses, background included.
    """
    columns = CLASS_COLUMNS if records and "classes" in records[0] else COLUMNS
    heads, cells = zip(*columns, strict=True)
    return scores.markdown(heads, [[cell(record) for cell in cells] for record in records])


def recipe_of(record):
    """Name, variant and what was changed."""
    changed = f", changed: {', '.join(record['changed'])}" if record["changed"] else ""
    return f"{record['recipe']}, {record['variant']}{changed}"


def data_of(record):
    """Name, number of images and their size."""
    images, (height, width) = sum(record["split"]["images"].values()), record["original_size"]
    return f"{record['data']}, {images} images of {width}x{height}"


def published(record):
    """The source's dice."""
    score = record["published_dice"]
    return "none" if score is None else f"{score:.4f}"


def mean(key):
    """A function from a record to the mean of one of its scores, as a cell."""
    return lambda record: f"{record['scores'][key]['mean']:.4f}"


def main(key):
    """The same of the score that counts: in bold, with its spread and the number of seeds."""

    def cell(record):
        score, seeds = record["scores"][key], len(record["runs"])
        return f"**{score['mean']:.4f}**{spread(score)} ({seeds} seed{'s' * (seeds > 1)})"

    return cell


def spread(score):
    """The sample standard deviation, as it stands behind the mean; empty for a single run."""
    return "" if score["spread"] is None else f" ± {score['spread']:.4f}"


def by_class(record):
    """The IoU of each class."""
    ious = [(name, record["scores"].get(f"iou_{name}")) for name in record["classes"]]
    words = [f"{iou['mean']:.4f}{spread(iou)}" if iou else "absent" for _, iou in ious]
    return "; ".join(f"{name} {word}" for (name, _), word in zip(ious, words, strict=True))


def minutes(record):
    """Mean minutes of the runs; empty where all were stopped and resumed."""
    taken = [run["minutes"] for run in record["runs"] if run["minutes"] is not None]
    return f"{np.mean(taken):.1f}" if taken else ""


FIRST = [("recipe", recipe_of), ("data", data_of)]
LAST = [
    ("constant baseline", mean("baseline")),
    ("scored on", lambda record: record["scored_on"]),
    ("minutes a run", minutes),
]
COLUMNS = [  # head, and what makes a record's cell
    *FIRST,
    ("published dice", published),
    ("ours, as published", mean("mean_over_batches")),
    ("comparable?", comparable),
    ("**ours: per image, hard, original size**", main("dice")),
    ("IoU", mean("iou")),
    ("boundary F1", mean("boundary_f1")),
    *LAST,
]
CLASS_COLUMNS = [
    *FIRST,
    ("**mean IoU, original size**", main("mean_iou")),
    ("IoU of each class", by_class),
    ("all pooled", mean("pooled_iou")),
    ("pixel accuracy", mean("pixel_accuracy")),
    *LAST,
]
