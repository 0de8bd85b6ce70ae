"""Take the results of runs into the ledger, `results/`, and its tables into the documents.

    python -m unet_tf reproduce --full --seeds 3 --data data/carvana --to runs/carvana
    python experiments/publish.py runs/carvana          # without a folder: the tables alone

`DOCUMENTS` says which document holds which table, between its markers.

A record of the ledger is one recipe on one data set, all its seeds: `results/<recipe>-<data>.json`,
with `-small` behind where it has other filters, `-changed` where only other settings were changed.
Seeds that a record has and the runs do not are kept, if split and settings are the same, so that
seeds may come from several batches.
"""

import ast
import importlib.util
import json
import shutil
import sys
from collections import defaultdict
from pathlib import Path

from unet_tf import files, protocol

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
CARVANA_IMAGES = 5088  # of the whole training set
# Settings that came after the first records, with what held before.
LATER = {
    "schedule": "constant",
    "region": None,
    "value_range": None,
    "crop": None,
    "crops": 1,
    "class_weights": None,
    "class_names": None,
}
TO_FILL = (
    "| {recipe.name}, {recipe.variant} | Carvana, {images} images of 1918x1280 "
    "| {published} | | {may} | *yours to fill* | | | | {on} | |"
)
PETS = (
    "| multiclass_unet, corrected | pets, 7349 images, {border} "
    "| *yours to fill* | | | | | test | |"
)
BORDERS = {2: "their border void", 3: "their border a class"}

# The rows in short: of each the ledger's first record counts, unchanged before changed and
# photographs before rendered.
IN_SHORT = (
    ("article_simple", "corrected"),
    ("article_unet", "corrected"),
    ("guide_unet", "corrected"),
    ("buildings_unet", "corrected"),
)


def module(path):
    """A Python file of this project that lies in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


effects = module(ROOT / "experiments" / "effects.py")
speed = module(ROOT / "benchmarks" / "tables.py")


def slug(record):
    """The name of a record's file, and of its picture."""
    name = f"{record['recipe']}-{record['variant']}-{record['data'].lower()}".replace(" ", "-")
    if record["data"] == "pets" and len(record.get("classes", ())) == 3:
        name += "-border"
    if "filters" in record["changed"]:
        return f"{name}-small"  # `protocol.quick`
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
    own = "split", "precision", "original_size"
    return settings, result.get("classes"), *(result[key] for key in own)


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


def of_kind(many):
    """The ledger's records of many classes, or those of one."""
    return [record for record in records() if ("classes" in record) == many]


def table():
    """The table of the ledger, with a line to fill for each protocol that Carvana lacks."""
    found = of_kind(many=False)
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
    """The ledger's table of recipes of many classes, with rows for the pets that are yours to fill.

    A filled one is found by its classes: with the border they are three.
    """
    found = of_kind(many=True)
    real = {
        len(record["classes"])
        for record in found
        if (record["data"], record["variant"]) == ("pets", "corrected")
    }
    to_fill = [PETS.format(border=border) for n, border in BORDERS.items() if n not in real]
    return "\n".join([protocol.table(found), *to_fill])


def scores_in_short():
    """A row each for `IN_SHORT`: the score that counts, beside that of a constant prediction."""
    rows, found = [], records()
    for name in IN_SHORT:
        record = next(one for one in found if (one["recipe"], one["variant"]) == name)
        key = "mean_iou" if "classes" in record else "dice"
        height, width = record["original_size"]
        images = sum(record["split"]["images"].values())
        size = ", small size" if "filters" in record["changed"] else ""
        rows.append(
            (
                f"{', '.join(name)}{size}",
                f"{record['data']}, {images} images of {width}x{height}",
                f"{key.replace('_iou', ' IoU')} {speed.mean(record['scores'][key])}",
                speed.mean(record["scores"]["baseline"]),
            )
        )
    heads = ("recipe", "data", "score", "constant prediction")
    return speed.markdown(heads, rows)


def effects_table():
    """The table of `effects.py`, and its leak meter."""
    found = effects.records()
    return f"{effects.table(found)}\n\n{effects.leak(found)}"


def started():
    """What the first command took, and the scores that it leads to."""
    record = speed.benchmarks()["start"]
    taken = record.get("clone", {}).get("seconds", {})
    steps = [f"`{name}` took {taken[name]:.0f} s" for name in taken if name != "git clone"]
    names = [f"article_{model}-corrected-rendered-small" for model in ("simple", "unet")]
    small = [one for one in of_kind(many=False) if slug(one) in names]
    dices = [f"{one['recipe']} {speed.mean(one['scores']['dice'])}" for one in small]
    return (
        f"Measured once on {record['hardware']}: {', '.join(steps)}. Dice per image over "
        f"{len(small[0]['runs'])} seeds, on **rendered** cars that the models have not seen: "
        f"{', '.join(dices)}; a constant mask has {speed.mean(small[0]['scores']['baseline'])}."
    )


def rooms():
    """The rooms of the module, from the ground up: what each is for, by its own docstring."""
    package, lines = ROOT / "unet_tf", []
    for number, floor in enumerate(module(ROOT / "tests" / "test_rooms.py").FLOORS):
        for name in sorted(floor):
            door = package / name / "__init__.py"
            path = door if door.exists() else package / f"{name}.py"
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            what = " ".join(docstring.split("\n\n")[0].split())
            inside = [f"`{file.stem}`" for file in sorted(door.parent.glob("[!_]*.py"))]
            lines.append(f"- {number} · **{name}**: {what} {' '.join(inside)}".rstrip())
    return "\n".join(lines)


TABLES = {
    **{"start": started, "scores": scores_in_short, "speed in short": speed.in_short},
    **{"ledger": table, "classes": class_table, "effects": effects_table},
    **{"rates": speed.rates, "speed": speed.table, "exports": speed.exports},
    **{"on a GPU": speed.on_a_gpu},
    **{"rooms": rooms},
}
DOCUMENTS = {  # which tables each of them holds
    "README.md": ("start", "scores", "speed in short"),
    "results/README.md": ("ledger", "classes", "effects"),
    "benchmarks/README.md": ("rates", "speed", "exports", "on a GPU"),
    "CONTRIBUTING.md": ("rooms",),
}


def with_tables(text, names):
    """A document's text with each of these tables between its markers."""
    for name in names:
        start, end = f"<!-- {name}: experiments/publish.py -->", f"<!-- end of {name} -->"
        before, rest = text.split(start)
        _, after = rest.split(end)
        text = f"{before}{start}\n{TABLES[name]()}\n{end}{after}"
    return text


def publish(run):
    """Take all `result.json` below a folder into the ledger."""
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
    speed.picture(speed.SPEED / "speed.png")
    speed.gpu_picture(speed.SPEED / "gpu.png")
    for name, tables in DOCUMENTS.items():
        path = ROOT / name
        files.write_text(path, with_tables(path.read_text(encoding="utf-8"), tables))


if __name__ == "__main__":
    main()
