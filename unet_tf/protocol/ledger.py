"""Records of runs, and the table that sets them beside the published numbers."""

import json

import numpy as np

from unet_tf.files import write_text


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
    own = ("seed", "epochs", "minutes", "commit", "code")
    own += ("date", "hardware", "versions", "scores")
    shared = {key: value for key, value in results[0].items() if key not in own}
    numbers = [key for key, value in results[0]["scores"].items() if isinstance(value, float | int)]
    columns = {key: [result["scores"][key] for result in results] for key in numbers}
    return {
        **shared,
        "scores": {
            key: {
                "mean": float(np.mean(column)),
                "spread": float(np.std(column, ddof=1)) if len(column) > 1 else None,
            }
            for key, column in columns.items()
        },
        "runs": [{key: result.get(key) for key in own} for result in results],
    }


def save_summary(results, path):
    """`summary(results)`, written to `path` as JSON."""
    record = summary(results)
    write_text(path, json.dumps(record, indent=1) + "\n")
    return record


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


def what(record):
    """Recipe and data of a record, two cells of a table."""
    images = sum(record["split"]["images"].values())
    height, width = record["original_size"]
    changed = f", changed: {', '.join(record['changed'])}" if record["changed"] else ""
    return (
        f"{record['recipe']}, {record['variant']}{changed}",
        f"{record['data']}, {images} images of {width}x{height}",
    )


def minutes_of(record):
    """Mean minutes of a record's runs, as a cell; empty where all were stopped and resumed."""
    minutes = [run["minutes"] for run in record["runs"] if run["minutes"] is not None]
    return f"{np.mean(minutes):.1f}" if minutes else ""


def spread_of(score):
    """The sample standard deviation, as it stands behind the mean; empty for a single run."""
    return "" if score["spread"] is None else f" ± {score['spread']:.4f}"


def main_cell(record, key):
    """The score that counts, as a cell: the mean in bold, its spread, the number of seeds."""
    score, seeds = record["scores"][key], len(record["runs"])
    return f"**{score['mean']:.4f}**{spread_of(score)} ({seeds} seed{'s' * (seeds > 1)})"


def class_table(summaries):
    """The same for recipes of many classes. Counts are summed over the images of the scored part;
    *all pooled* counts the hits of all classes over hits and misses, background included."""
    heads = (
        "recipe",
        "data",
        "**mean IoU, original size**",
        "IoU of each class",
        "all pooled",
        "pixel accuracy",
        "constant baseline",
        "scored on",
        "minutes a run",
    )
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for record in summaries:
        found, by_class = record["scores"], []
        for name in record["classes"]:
            iou = found.get(f"iou_{name}")
            by_class.append(
                f"{name} {iou['mean']:.4f}{spread_of(iou)}" if iou else f"{name} absent"
            )
        cells = (
            *what(record),
            main_cell(record, "mean_iou"),
            "; ".join(by_class),
            *(f"{found[key]['mean']:.4f}" for key in ("pooled_iou", "pixel_accuracy", "baseline")),
            record["scored_on"],
            minutes_of(record),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def table(summaries):
    """A Markdown table, a line a summary. *As published*: soft, pooled over batches, model size."""
    heads = (
        "recipe",
        "data",
        "published dice",
        "ours, as published",
        "comparable?",
        "**ours: per image, hard, original size**",
        "IoU",
        "boundary F1",
        "constant baseline",
        "scored on",
        "minutes a run",
    )
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for record in summaries:
        found = record["scores"]
        cells = (
            *what(record),
            "none" if record["published_dice"] is None else f"{record['published_dice']:.4f}",
            f"{found['mean_over_batches']['mean']:.4f}",
            comparable(record),
            main_cell(record, "dice"),
            *(f"{found[key]['mean']:.4f}" for key in ("iou", "boundary_f1", "baseline")),
            record["scored_on"],
            minutes_of(record),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
