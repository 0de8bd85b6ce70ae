"""What moved the score: one change at a time to one U-Net protocol, five seeds each.

    python experiments/effects.py                 # all missing runs, then the table
    python experiments/effects.py --table         # the table of what is there
    python experiments/effects.py --variants base nearest --seeds 2

The *base* is `protocol.quick(protocol.UNET)`: 16 filters, 320 rendered pairs, 96x128, 8 epochs. The
test cars are held out first and are the same 64 images for every variant; the score is their hard
dice at original size. The model of the best epoch counts, by validation dice. A variant with fewer
or more images takes fewer or more steps: epochs are what stays equal.

Each run is a process of its own and writes `results/effects/<variant>-seed<k>.json`; a run that has
its file is not done again. The order is seed 0 of all variants, then seed 1 of all: a stopped batch
is a table already. The faulty variants are built here, they are no switches of the module.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

from unet_tf import data, network, pipeline, predict, protocol, rendered, scores
from unet_tf.files import write_text
from unet_tf.pipeline import augment
from unet_tf.training import set_precision

RESULTS = Path(__file__).parent.parent / "results" / "effects"
BASE = protocol.quick(protocol.UNET)
SEEDS = range(5)


class Variant(NamedTuple):
    """One change to the base: what the table says of it, and what a run does otherwise."""

    text: str
    recipe: dict  # fields of the recipe, with their new values
    cars: int | None = None  # to train on; None: the 12 of the base
    masks_move: bool = True  # with their images, when these are augmented
    precision: str = "auto"


def strided_unet(input_shape, filters):
    """The article's U-Net with strided convolutions for max pooling: its announced next step."""
    return network.unet(input_shape, filters, downsampling="strided_conv")


class Below(keras.layers.Layer):
    """What comes up from the level below, without the skip that stands beside it."""

    def call(self, inputs):
        return inputs[0]


def unet_without_skips(input_shape, filters):
    """The article's U-Net, in which every concatenation keeps its first tensor alone."""

    def without(layer):
        if isinstance(layer, keras.layers.Concatenate):
            return Below(name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(network.unet(input_shape, filters), clone_function=without)


def widths(first, levels=5):
    """Filters of each level, doubling."""
    return tuple(first * 2**level for level in range(levels))


VARIANTS = {
    "base": Variant("nothing", {}),
    # The same settings and seeds: at the base's own commit, on its machine, the same bits.
    "again": Variant("nothing: trained again, by later code", {}),
    "images_only": Variant("images augmented without their masks", {}, masks_move=False),
    "no_augmentation": Variant("no augmentation", {"augment": False}),
    "guide_augmentation": Variant(
        "augmented as the guide does: up to 35 degrees, one in ten upside down",
        {"augment": protocol.GUIDE_AUGMENTATION},
    ),
    "rotation_35": Variant("turned by up to 35 degrees", {"augment": {"rotation": 35 / 360}}),
    "upside_down": Variant("one in ten upside down", {"augment": {"vertical_flip": 0.1}}),
    "split_by_image": Variant(
        "validation split off by image: its cars are also in training, which has 16 cars for 12",
        {"split_by": "image"},
    ),
    "nearest": Variant("photographs resized by nearest, not area", {"resize": "nearest"}),
    "blocks_4": Variant("one encoder level fewer", {"filters": widths(16, 4)}),
    "blocks_6": Variant("one encoder level more", {"filters": widths(16, 6)}),
    "filters_8": Variant("8 filters in the first level", {"filters": widths(8)}),
    "filters_32": Variant("32 filters in the first level", {"filters": widths(32)}),
    "size_48x64": Variant("48x64 pixels", {"image_size": (48, 64)}),
    "size_192x256": Variant("192x256 pixels", {"image_size": (192, 256)}),
    "train_96": Variant("96 training images, of 6 cars (half the steps)", {}, cars=6),
    "train_384": Variant("384 training images, of 24 cars (twice the steps)", {}, cars=24),
    "dice_alone": Variant("dice of each image alone, no BCE", {"loss": network.dice_loss}),
    "pooled_dice": Variant("the article's loss: pooled dice", {"loss": network.pooled_dice_loss}),
    "epsilon_1e-7": Variant("Adam's epsilon 1e-7, Keras's default", {"epsilon": 1e-7}),
    "epsilon_1e-3": Variant("Adam's epsilon 1e-3", {"epsilon": 1e-3}),
    "strided_conv": Variant("strided convolution for max pooling", {"build": strided_unet}),
    "no_skips": Variant("no skips", {"build": unet_without_skips}),
    "float32": Variant("float32 throughout", {}, precision="float32"),
}


def parts_of(variant, pairs):
    """Training, validation and test parts of a variant; the test part is that of the base.

    Parameters
    ----------
    variant : Variant
    pairs : list of data.Pair
        All of the rendered pairs, sorted by name: the base takes the first 320, of 20 cars.
    """
    recipe = dataclasses.replace(BASE, **variant.recipe)
    base = pairs[: BASE.images]
    parts = data.split(base, "group", BASE.validation_size, BASE.test_size, BASE.split_seed)
    if recipe.split_by == "image":
        seen = [pair for pair in base if pair not in parts.test]
        count = len(parts.validation)
        training, validation = data.divide(seen, "image", count, recipe.split_seed)
        parts = parts._replace(train=training, validation=validation)
    if variant.cars:  # fewer: the first of the training cars; more: also the next beyond the base
        ordered = sorted(parts.train) + pairs[BASE.images :]
        cars = list(dict.fromkeys(data.group_of(image) for image, _ in ordered))[: variant.cars]
        training = [pair for pair in ordered if data.group_of(pair.image) in cars]
        parts = parts._replace(train=training)
    return parts


def augment_images_only(batches, seed):
    """The article's first mistake: the images are flipped and turned, their masks stay."""
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return tf.data.Dataset.zip(batches, seeds).map(
        lambda pair, seed: (augment(*pair, seed)[0], pair[1])
    )


def one_run(name, seed):
    """Train once and score on the test cars; the record, ready for JSON."""
    variant = VARIANTS[name]
    recipe = dataclasses.replace(BASE, **variant.recipe)
    folder = rendered.write("cars")
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    policy = set_precision(variant.precision)
    parts = parts_of(variant, data.pair(folder))
    print(data.described(parts))
    settings = {
        "image_size": recipe.image_size,
        "batch_size": recipe.batch_size,
        "resize": recipe.resize,
        "cache": rendered.cache() / "effects-cache",
    }
    paired = recipe.augment if variant.masks_move else False
    training = pipeline.dataset(parts.train, shuffle=True, augment=paired, seed=seed, **settings)
    if not variant.masks_move:
        training = augment_images_only(training, seed)
    validation = pipeline.dataset(parts.validation, **settings)
    model = recipe.build((*recipe.image_size, 3), recipe.filters)
    history = protocol.fitted(recipe, model, training, validation, verbose=2)

    def dice(pairs):
        images = [image for image, _ in pairs]
        masks = predict.predict(model, images, recipe.image_size, recipe.resize, recipe.batch_size)
        return float(scores.per_image_dice(pairs, masks).mean())

    record = {
        "variant": name,
        "seed": seed,
        "data": "rendered",
        "dice": dice(parts.test),
        "validation_dice": dice(parts.validation),
        "epochs": len(history.history["loss"]),
        "parameters": model.count_params(),
        "minutes": (time.perf_counter() - start) / 60,
        "split": {
            "images": {part: len(pairs) for part, pairs in parts._asdict().items()},
            "hash": protocol.split_hash(parts),
        },
        "changed": {key: getattr(new, "__name__", new) for key, new in variant.recipe.items()}
        | ({"cars": variant.cars} if variant.cars else {})
        | ({} if variant.masks_move else {"masks_move": False}),
        "precision": policy,
        **protocol.provenance(),
    }
    if name == "base":
        baseline = scores.constant_baseline(parts.train, parts.test, recipe.image_size)
        record["baseline"] = float(baseline.mean())
    return record


def path_of(name, seed):
    """Where the record of a run lies."""
    return RESULTS / f"{name}-seed{seed}.json"


def missing(names=tuple(VARIANTS), seeds=SEEDS):
    """The runs (variant, seed) without a record, in the order in which they are to be done."""
    return [(name, seed) for seed in seeds for name in names if not path_of(name, seed).exists()]


def records():
    """All records there are, in the order of `VARIANTS`, then of seeds."""
    paths = [path_of(name, seed) for name in VARIANTS for seed in SEEDS]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def by_seed(records, name, value):
    """`{seed: value(record)}` of one variant."""
    return {record["seed"]: value(record) for record in records if record["variant"] == name}


def with_spread(values, form=".4f"):
    """Mean ± sample standard deviation, the latter from two values on."""
    values = list(values)
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):{form}}{spread}"


def difference(values, base):
    """Mean and 95% t-interval of the differences of two `{seed: value}` over their common seeds.

    Returns
    -------
    (mean, low, high), or None for fewer than two common seeds
    """
    differences = [values[seed] - base[seed] for seed in sorted(values.keys() & base.keys())]
    count = len(differences)
    if count < 2:
        return None
    mean = np.mean(differences)
    half = stats.t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / np.sqrt(count)
    return float(mean), float(mean - half), float(mean + half)


def verdict(interval):
    """What a (mean, low, high) says: "worse", "better", or "within the noise" around 0."""
    _, low, high = interval
    if low > 0:
        return "better"
    return "worse" if high < 0 else "within the noise"


def table(records):
    """The Markdown table, a line a variant, under one line that says what was measured."""
    dices = {name: by_seed(records, name, lambda record: record["dice"]) for name in VARIANTS}
    moved = {name: difference(dices[name], dices["base"]) for name in VARIANTS if name != "base"}
    intervals = sum(interval is not None for interval in moved.values())
    baselines = by_seed(records, "base", lambda record: record["baseline"])  # no seed changes it
    seeds = len({record["seed"] for record in records})
    height, width = BASE.image_size
    measured = (
        f"{BASE.filters[0]} filters, {BASE.images} rendered pairs, {height}x{width}, "
        f"{BASE.epochs} epochs, {seeds} seeds, rendered cars"
    )
    if baselines:
        measured += f"; a constant mask scores {next(iter(baselines.values())):.4f}"
    if intervals:
        measured += f"; of {intervals} such intervals {intervals / 20:.1f} miss 0 by chance alone"
    heads = (
        "variant",
        "what changed",
        "dice on unseen cars",
        "difference from base (95% interval)",
        "verdict",
    )
    lines = [measured, "", f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for name, variant in VARIANTS.items():
        if not dices[name]:
            continue
        interval = moved.get(name)
        fewer = f" ({len(dices[name])} of {seeds} seeds)" if len(dices[name]) < seeds else ""
        cells = (
            name,
            variant.text,
            with_spread(dices[name].values()) + fewer,
            "{:+.4f} ({:+.4f} to {:+.4f})".format(*interval) if interval else "",
            verdict(interval) if interval else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def leak(records):
    """The leak meter, in lines: validation minus test dice, split by image against by car."""

    def gap(record):
        return record["validation_dice"] - record["dice"]

    gaps = {name: by_seed(records, name, gap) for name in ("split_by_image", "base")}
    lines = [
        f"Validation minus test dice, split by {split}: {with_spread(gaps[name].values(), '+.4f')}"
        for name, split in (("split_by_image", "image"), ("base", "car"))
        if gaps[name]
    ]
    leaked = difference(gaps["split_by_image"], gaps["base"])
    if leaked:
        mean, low, high = leaked
        what = "within the noise" if low <= 0 <= high else "a leak" if low > 0 else "the reverse"
        lines.append(
            f"The leak, the first minus the second: {mean:+.4f} ({low:+.4f} to {high:+.4f}), {what}"
        )
        lines.append(
            "One split of each kind: how hard its validation cars are stands in both gaps, and the "
            "interval is over seeds of the training alone."
        )
    return "  \n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", nargs=2, metavar=("VARIANT", "SEED"), help="this run, here")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many, from 0")
    parser.add_argument("--table", action="store_true", help="print the table, run nothing")
    arguments = parser.parse_args()
    if arguments.run:
        name, seed = arguments.run[0], int(arguments.run[1])
        if missing([name], [seed]):
            record = one_run(name, seed)
            write_text(path_of(name, seed), json.dumps(record, indent=1) + "\n")
            print(f"{name}, seed {seed}: dice {record['dice']:.4f}")
        return
    if not arguments.table:
        for name, seed in missing(arguments.variants, range(arguments.seeds)):
            print(f"--- {name}, seed {seed}", flush=True)
            # A failed run says why on its own, and is missing the next time.
            subprocess.run([sys.executable, __file__, "--run", name, str(seed)], check=False)
    found = records()
    print(table(found), leak(found), sep="\n\n")
    if not arguments.table and (left := missing(arguments.variants, range(arguments.seeds))):
        sys.exit(f"{len(left)} runs failed, and said why above: {left}")


if __name__ == "__main__":
    main()
