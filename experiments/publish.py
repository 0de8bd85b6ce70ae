"""Take the results of runs into the ledger, `results/`, and its tables into the README.

    python -m unet_tf reproduce --full --seeds 3 --data data/carvana --to runs/carvana
    python experiments/publish.py runs/carvana          # without a folder: the tables alone

A record of the ledger is one recipe on one data set, all its seeds: `results/<recipe>-<data>.json`,
with `-small` behind where it has other filters, `-changed` where only other settings were changed.
Seeds that a record has and the runs do not are kept, if split and settings are the same, so that
seeds may come from several batches.
"""

import importlib.util
import json
import shutil
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt

from unet_tf import files, kaggle, protocol

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
SPEED = RESULTS / "speed"
CARVANA_IMAGES = 5088  # of the whole training set
# Settings that came after the first records, with what held before.
LATER = {"crop": None, "crops": 1, "class_weights": None, "class_names": None}
TO_FILL = (
    "| {recipe.name}, {recipe.variant} | Carvana, {images} images of 1918x1280 "
    "| {published} | | {may} | *yours to fill* | | | | {on} | |"
)

spec = importlib.util.spec_from_file_location("effects", Path(__file__).parent / "effects.py")
effects = importlib.util.module_from_spec(spec)
spec.loader.exec_module(effects)


def slug(record):
    """The name of a record's file, and of its picture."""
    name = f"{record['recipe']}-{record['variant']}-{record['data'].lower()}".replace(" ", "-")
    if "filters" in record["changed"]:
        return f"{name}-small"  # `recipes.quick`
    return name + ("-changed" if record["changed"] else "")


def results_of(record):
    """The results of `runs.run` that a record was made of."""
    shared = {key: value for key, value in record.items() if key not in ("scores", "runs")}
    return [{**shared, **run} for run in record["runs"]]


def kind(result):
    """What all seeds of a record share."""
    settings = {**LATER, **result["settings"]}
    if settings.get("split_by") == "car":  # what records before the rooms call a group
        settings["split_by"] = "group"
    return settings, *(result[key] for key in ("split", "precision", "original_size"))


def merged(found, there):
    """One record of new results and of those in the record that is there, if they are of one kind.

    Raises
    ------
    ValueError
        When the new ones differ in more than their seed, or two have the same.
    """
    seeds = [result["seed"] for result in found]
    if any(kind(result) != kind(found[0]) for result in found) or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"{slug(found[0])}: results of several kinds, or of one seed twice (seeds {seeds}). "
            "Give a folder with the runs of one kind"
        )
    same = there and kind(there) == kind(found[0])
    kept = [result for result in results_of(there) if result["seed"] not in seeds] if same else []
    return protocol.summary(found + kept)


def records():
    """The ledger's records: the full protocols in the recipes' order, then the small ones."""
    paths = [path for name in protocol.NAMES for path in sorted(RESULTS.glob(f"{name}-*.json"))]
    found = [json.loads(path.read_text()) for path in paths]
    order = [(recipe.name, recipe.variant) for recipe in protocol.RECIPES]
    return sorted(
        found,
        key=lambda record: (
            bool(record["changed"]),
            record["data"] == "rendered",
            order.index((record["recipe"], record["variant"])),
        ),
    )


def table():
    """The table of the ledger, with a line to fill for each protocol that Carvana lacks."""
    found = [record for record in records() if "classes" not in record]
    real = {
        (record["recipe"], record["variant"])
        for record in found
        if record["data"] == "Carvana" and not record["changed"]
    }
    to_fill = [
        TO_FILL.format(
            recipe=recipe,
            images=recipe.images or CARVANA_IMAGES,
            published="none" if recipe.published is None else f"{recipe.published:.4f}",
            may=protocol.comparable(
                {
                    "data": "Carvana",
                    "changed": [],
                    "variant": recipe.variant,
                    "published_dice": recipe.published,
                }
            ),
            on="test" if recipe.test_size else "validation",
        )
        for recipe in protocol.RECIPES
        if (recipe.name, recipe.variant) not in real and not recipe.classes
    ]
    return "\n".join([protocol.table(found), *to_fill])


def class_table():
    """The ledger's table of recipes of many classes."""
    return protocol.class_table([record for record in records() if "classes" in record])


def effects_table():
    """The table of `effects.py`, and its leak meter."""
    found = effects.records()
    return f"{effects.table(found)}\n\n{effects.leak(found)}"


def rates():
    """The table of `benchmarks/prediction.py`: images a second by stage."""
    heads = (
        "model",
        "read, resize",
        "predict",
        "resize back, encode",
        "all, overlapped",
        "Carvana",
    )
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    found = benchmarks()
    for record in (found[f"prediction_{name}"] for name in ("simple_fcn", "unet")):
        stages = record["images_a_second"]
        cells = [
            "{median:.0f} ({range[0]:.0f} to {range[1]:.0f})".format(**stages[stage])
            for stage in ("read", "predict", "encode", "whole")
        ]
        hours = kaggle.TEST_IMAGES / stages["whole"]["median"] / 3600
        name = f"{record['model']}, {record['parameters']:,} parameters, {record['policy']}"
        lines.append(f"| {name} | {' | '.join(cells)} | {hours:.1f} hours |")
    return "\n".join(lines)


def benchmarks():
    """The records of `benchmarks/`, by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(SPEED.glob("*.json"))}


def comparisons():
    """What `benchmarks/` has compared: (what, against what, its rate, rounds, times as fast) each,
    the last as a record of median and range."""
    found, rows = benchmarks(), []
    for way, one in found["input"]["ways"].items():
        what, rounds = f"input: {way}", found["input"]["rounds"]
        rate = "{median:,.0f} pairs/s".format(**one["pairs_a_second"])
        rows.append((what, "the article's", rate, rounds, one["times_the_article"]))
    for model in ("simple", "unet"):
        record = found[f"training_{model}"]
        for way, one in record["ways"].items():
            rate = "{median:.0f} s".format(**one["seconds"])
            what = (
                f"{'U-Net' if model == 'unet' else 'simple model'}, {record['pairs']} pairs: {way}"
            )
            rounds = record["rounds"]
            rows.append((what, "the article's", rate, rounds, one["times_the_article"]))
    peers = found["peers"]
    rounds = f"{peers['rounds']} of {peers['steps']}"
    for one in peers["comparisons"]:
        for task in ("training step", "prediction"):
            seconds = peers["ways"][one["ours"]][task]["median"]
            rate = f"{peers['batch_size'] / seconds:.1f} images/s"
            what, against = f"U-Net, {task}", one["comparison"]
            rows.append((what, against, rate, rounds, one[task]["times_the_peer"]))
    return rows


def ranged(record, digits, scale=1, unit=""):
    """`median (least to most)` of a record, or the median alone where they are the same."""
    median, (least, most) = record["median"] * scale, (end * scale for end in record["range"])
    spread = "" if least == most else f" ({least:.{digits}f} to {most:.{digits}f})"
    return f"{median:.{digits}f}{unit}{spread}"


def digits_of(ratio):
    """Decimals that a ratio is shown with."""
    return 1 if ratio["median"] < 20 else 0


def speed():
    """The table of `benchmarks/`: each way's rate and how many times as fast it is."""
    heads = ("what", "rate", "against", "rounds", "times as fast: median (least to most)")
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for what, against, rate, rounds, ratio in comparisons():
        times = ranged(ratio, digits_of(ratio))
        lines.append(f"| {what} | {rate} | {against} | {rounds} | {times} |")
    return "\n".join([*lines, "", footprint()])


def footprint():
    """What else `benchmarks/` has measured, a line each: share of the hardware's rate, memory,
    start, and what was tried."""
    found, lines = benchmarks(), []
    for policy, one in found["share"]["policies"].items():
        lines.append(
            f"- `share.py`: a training step of the U-Net in {policy} reaches "
            f"{ranged(one['share'], 0, 100, '%')} of the rate of its convolutions run bare and "
            f"forward, which is {ranged(one['gflops_bare'], 0)} GFLOP/s."
        )
    memory, mebi = found["memory_unet"], 1 / 2**20
    for kind in ("training", "prediction"):
        base, grown = memory[kind]["peaks"][0], memory[kind]["growth"]
        height, width = base["setting"]["image_size"]
        lines.append(
            f"- `memory.py`: {kind} with the U-Net, {base['setting']['images']} images, batches of "
            f"{base['setting']['batch_size']}, {height}x{width}: "
            f"{ranged(base['above_import'], 0, mebi)} MiB at the peak above the imports "
            f"({ranged(memory['imported'], 0, mebi)} MiB); "
            f"{grown['images'] / 1024:.0f} KiB more an image, "
            f"{grown['batch_size'] * mebi:.0f} MiB more an image of the batch."
        )
    precision = found["precision_16"]
    height, width = precision["image_size"]
    for policy, one in precision["policies"].items():
        lines.append(
            f"- `precision.py`: a training step of the guide's U-Net with {precision['filters']} "
            f"filters, {height}x{width}, batches of {precision['batch_size']}, in {policy}: "
            f"{ranged(one['images_a_second'], 1)} images/s, "
            f"{ranged(one['memory_above_import'], 0, mebi)} MiB above the imports."
        )
    seconds = found["start"]["seconds"]
    steps = found["start"].get("clone", {}).get("seconds", {}).items()
    from_clone = "".join(f", `{name}` {taken:.0f} s" for name, taken in steps)
    lines.append(
        f"- `start.py`: `import unet_tf.train` {ranged(seconds['import unet_tf.train'], 1)} s, "
        f"`import tensorflow` {ranged(seconds['import tensorflow'], 1)} s{from_clone}."
    )
    tried = found["tried_simple"]["ways"]
    ways = [f"{way} {ranged(one['times_as_it_is'], 2)}" for way, one in tried.items()][1:]
    lines.append(
        "- `tried.py`: a training step of the simple model, as many times as fast as it is: "
        f"{'; '.join(ways)}."
    )
    return "\n".join(lines)


def speed_picture(path):
    """The ratios as bars, on a logarithmic axis."""
    rows = [row for row in comparisons() if row[-1]["range"] != [1, 1]]
    figure, axis = plt.subplots(figsize=(9, 0.3 * len(rows) + 0.8), dpi=100, layout="constrained")
    medians = [ratio["median"] for *_, ratio in rows]
    errors = [[abs(ratio["median"] - ratio["range"][end]) for *_, ratio in rows] for end in (0, 1)]
    bars = {"color": "#3477b5", "ecolor": "#222222", "height": 0.7}
    axis.barh(range(len(rows)), [median - 1 for median in medians], left=1, xerr=errors, **bars)
    for number, (*_, ratio) in enumerate(rows):
        text = f"{ratio['median']:.{digits_of(ratio)}f}"
        axis.text(max(1, ratio["range"][1]) * 1.08, number + 0.25, text, fontsize=8)
    axis.set_yticks(range(len(rows)), [f"{what} | {against}" for what, against, *_ in rows])
    axis.tick_params(labelsize=8)
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.axvline(1, color="#222222", linewidth=1)
    axis.set_xlabel("times as fast as what stands behind the bar", fontsize=8)
    axis.margins(y=0.01)
    axis.spines[["top", "right"]].set_visible(False)
    with files.atomically(path) as partial:
        figure.savefig(partial)
    plt.close(figure)


TABLES = {
    **{"ledger": table, "classes": class_table, "effects": effects_table},
    **{"rates": rates, "speed": speed},
}


def with_tables(readme):
    """The README's text with each table between its markers."""
    for name, text in TABLES.items():
        start, end = f"<!-- {name}: experiments/publish.py -->", f"<!-- end of {name} -->"
        before, rest = readme.split(start)
        _, after = rest.split(end)
        readme = f"{before}{start}\n{text()}\n{end}{after}"
    return readme


def publish(run):
    """Take all `seed*/result.json` below a folder into the ledger."""
    found, pictures = defaultdict(list), {}
    for path in sorted(Path(run).glob("**/result.json")):
        result = json.loads(path.read_text())
        found[slug(result)].append(result)
        pictures.setdefault(slug(result), path.with_name("picture.png"))
    if not found:
        raise SystemExit(f"{run}: no result.json below this folder")
    for name, results in found.items():
        path = RESULTS / f"{name}.json"
        there = json.loads(path.read_text()) if path.exists() else None
        record = merged(results, there)
        files.write_text(path, json.dumps(record, indent=1) + "\n")
        if record["data"] == "rendered":  # photographs are not ours to publish
            shutil.copy(pictures[name], path.with_suffix(".png"))
        print(f"{path.name}: seeds {[run['seed'] for run in record['runs']]}")


def main():
    if len(sys.argv) > 1:
        publish(sys.argv[1])
    speed_picture(SPEED / "speed.png")
    files.write_text(ROOT / "README.md", with_tables((ROOT / "README.md").read_text()))


if __name__ == "__main__":
    main()
