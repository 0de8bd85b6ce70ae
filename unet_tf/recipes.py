"""Every published protocol as data, and `run`, which carries one out.

*As written* is the protocol as published, transcription errors repaired, its faults included;
*corrected* mends the faults that change what is learned. Both get the same score, the hard dice of
each image at original size: as written on the validation part, which has also chosen the epoch and
shares its cars with training, corrected on a test part of cars that nothing else has seen. In both
precision follows the hardware.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from unet_tf import __version__, data, losses, models, pipeline, plot, predict, scores, toy, train
from unet_tf.files import atomically


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A protocol: model, data, loss, optimizer, epochs, and the number it was published with."""

    name: str
    variant: str  # "as written" or "corrected"
    source: str
    published: float  # the dice of the source, scored its way (`mean_over_batches`)
    build: Callable  # (input_shape, filters) -> keras.Model
    filters: tuple
    images: int | None = 1000  # the first of the files sorted by name; None: all
    image_size: tuple | None = (96, 128)  # height, width; None: the images' own
    resize: str = "area"
    split_by: str = "car"
    validation_size: float = 0.2
    test_size: float = 0.2
    split_seed: int = 42
    shuffle: bool = True
    augment: bool = True
    batch_size: int = 32
    loss: Callable = losses.bce_dice_loss
    learning_rate: float = 3e-4
    epsilon: float = 1e-6
    epochs: int = 20  # at most; the article allows 20, its published runs took 10 and 16
    monitor: str = "val_hard_dice"
    patience: int = 5

    @property
    def slug(self):
        """Name and variant as the name of a file or folder, such as `article_unet-as-written`."""
        return f"{self.name}-{self.variant.replace(' ', '-')}"


ARTICLE = "Image Segmentation: An In-Depth Guide, Ed Izaguirre, 2023"
AS_WRITTEN = {
    "variant": "as written",
    "resize": "nearest",
    "split_by": "image",
    "test_size": 0.0,
    "shuffle": False,
    "augment": False,
    "loss": losses.pooled_dice_loss,
    "learning_rate": 1e-4,
    "monitor": "val_loss",
    "patience": 2,
}


def simple_as_written(input_shape, filters):
    """The article's simple model, with its augmentation inside the model: the images are turned
    and flipped, the masks are not. The seeds are the article's."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.RandomFlip("horizontal", seed=42)(inputs)
    x = layers.RandomRotation(0.01, seed=42)(x)
    x = layers.RandomContrast(0.2, seed=42)(x)
    outputs = models.simple_fcn(input_shape, filters)(x)
    return keras.Model(inputs, outputs, name="simple_fcn_as_written")


def article_unet(input_shape, filters):
    """The article's U-Net. Its augmentation is lost in its own code, so there is none to build."""
    return models.unet(input_shape, filters)


# The article does not print the simple model's optimizer: its U-Net's is used.
SIMPLE = Recipe(
    "article_simple",
    "corrected",
    ARTICLE,
    0.8788,
    models.simple_fcn,
    filters=(64, 128, 256),
    epochs=10,
)
UNET = Recipe(
    "article_unet",
    "corrected",
    ARTICLE,
    0.9416,
    article_unet,
    filters=(64, 128, 256, 512, 1024),
    epochs=16,
)
RECIPES = (
    dataclasses.replace(SIMPLE, **AS_WRITTEN, build=simple_as_written),
    SIMPLE,
    dataclasses.replace(UNET, **AS_WRITTEN),
    UNET,
)


def get(name, variant="corrected"):
    """The recipe of that name and variant.

    Raises
    ------
    ValueError
        For an unknown name; lists the known ones.
    """
    for recipe in RECIPES:
        if (recipe.name, recipe.variant) == (name, variant):
            return recipe
    known = ", ".join(sorted({recipe.name for recipe in RECIPES}))
    raise ValueError(f'no recipe {name!r} ("{variant}"): there are {known}')


def quick(recipe):
    """A small size of a recipe, for two CPU cores: a quarter of the filters, 320 images, 8 epochs,
    batches of 16, and the learning rate that so few steps need."""
    filters = tuple(width // 4 for width in recipe.filters)
    return dataclasses.replace(
        recipe, filters=filters, images=320, epochs=8, batch_size=16, learning_rate=1e-3
    )


def run(recipe, folder, seed=0, to=None, precision="auto", verbose="auto", resume=False):
    """Carry out a recipe once: split, train, predict, score.

    Parameters
    ----------
    recipe : Recipe
    folder : path
        As `unet_tf.data.find` gives it.
    seed : int
        For weights, dropout, order and augmentation. The split has its own seed, in the recipe.
    to : path, optional
        Gets `best.keras`, `log.csv`, `state.npz`, `result.json` and `picture.png`.
    precision : as in `unet_tf.train.set_precision`
    verbose : as in `keras.Model.fit`
    resume : bool
        Go on with the run that was stopped in `to`; where it is done, return its result and train
        nothing. A run of other settings, or by another commit, is done anew if it was done, and
        refused if it was stopped.

    Returns
    -------
    dict
        The result, ready for JSON.
    """
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    policy = train.set_precision(precision)
    pairs = data.pair(folder)[: recipe.images]
    parts = data.split(
        pairs, recipe.split_by, recipe.validation_size, recipe.test_size, recipe.split_seed
    )
    batches = {"batch_size": recipe.batch_size, "resize": recipe.resize, "cache": "memory"}
    identity = identity_of(recipe, folder, parts, seed, policy)
    there = result_in(to)
    if resume and same_run(identity, there):
        print(f"This run is in {to} already: remove that to repeat it")
        return there
    resume = resume and not there and to is not None and (Path(to) / "state.npz").exists()
    if there:  # what stands there from now on is not finished
        (Path(to) / "result.json").unlink()
    training = pipeline.dataset(
        parts.train,
        recipe.image_size,
        shuffle=recipe.shuffle,
        augment=recipe.augment,
        seed=seed,
        **batches,
    )
    validation = pipeline.dataset(parts.validation, recipe.image_size, **batches)
    size = recipe.image_size or common_size(pairs)
    model = recipe.build((*size, 3), recipe.filters)
    history = train.fit(
        model,
        training,
        validation,
        epochs=recipe.epochs,
        loss=recipe.loss,
        optimizer=keras.optimizers.Adam(recipe.learning_rate, epsilon=recipe.epsilon),
        monitor=recipe.monitor,
        patience=recipe.patience,
        folder=to,
        resume=resume,
        settings=settings_to_resume(identity),
        verbose=verbose,
    )
    minutes = None if resume else (time.perf_counter() - start) / 60
    forward = predict.compiled(model)  # as the command line predicts, to the bit
    result = {
        **identity,
        "epochs": len(history.history["loss"]),
        "parameters": model.count_params(),
        "minutes": minutes,
        "scores": scored(forward, recipe, parts),
    }
    if to is not None:
        title = f"{recipe.name}, {recipe.variant}, on {result['data']} data"
        picture(forward, recipe, parts, title, Path(to) / "picture.png")
        # The result last: where it is, all of the run is.
        write_atomically(Path(to) / "result.json", json.dumps(result, indent=1) + "\n")
    return result


def identity_of(recipe, folder, parts, seed, policy):
    """All that decides about a run, and where and with what it was made."""
    own = get(recipe.name, recipe.variant)
    fields = [f.name for f in dataclasses.fields(recipe)]
    return {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "source": recipe.source,
        "published_dice": recipe.published,
        "data": name_of(folder, parts),
        "original_size": data.size_of(parts.train[0].image),  # height, width of the first
        "seed": seed,
        "split": {
            "images": {part: len(pairs) for part, pairs in parts._asdict().items()},
            "hash": split_hash(parts),
        },
        "scored_on": "test" if parts.test else "validation",
        "changed": [name for name in fields if getattr(recipe, name) != getattr(own, name)],
        "settings": {
            name: getattr(value, "__name__", value)
            for name in fields
            if name not in ("name", "variant", "source", "published")
            for value in [getattr(recipe, name)]
        },
        "precision": policy,
        **provenance(),
    }


CARVANA_SIZE = (1280, 1918)


def name_of(folder, parts):
    """What the table calls the data: rendered, Carvana (by its names and size), or the folder."""
    if toy.is_rendered(folder):
        return "rendered"
    images = [image for part in parts for image, _ in part]
    named_so = all(data.car_of(image) != image.stem for image in images)
    if named_so and data.size_of(images[0]) == CARVANA_SIZE:
        return "Carvana"
    name = Path(folder).resolve().name
    return f"folder {name}" if name in ("rendered", "Carvana") else name


def result_in(folder):
    """The `result.json` in a folder, or an empty dict."""
    path = folder and Path(folder) / "result.json"
    return json.loads(path.read_text()) if path and path.exists() else {}


def same_run(identity, result):
    """Is this the result of that very run: recipe, settings, split, seed, precision, committed
    code and versions?"""
    if not result or "dirty" in (identity["commit"] or ""):
        return False
    keys = set(identity) - {"date", "hardware"}
    return all(result.get(key) == json.loads(json.dumps(identity[key])) for key in keys)


def settings_to_resume(identity):
    """What has to be the same in a run that goes on: all but what may grow or vary."""
    settings = {name: value for name, value in identity["settings"].items() if name != "epochs"}
    names = ("recipe", "variant", "data", "seed", "split", "precision", "commit")
    return {**{name: identity[name] for name in names}, "settings": settings}


def scored(model, recipe, parts):
    """Every score of a trained model (`unet_tf.scores.report`), on the test part if there is one.

    Beside them `baseline`, the dice of the constant baseline, and, where there is a test part,
    `chosen_threshold`, the threshold that is best on the validation part, and
    `dice_at_chosen_threshold`, the test part's dice with it; all else is at 0.5, as published.
    """

    def probabilities(pairs):
        return predict.probabilities(
            model,
            [image for image, _ in pairs],
            recipe.image_size,
            recipe.resize,
            recipe.batch_size,
        )

    pairs = parts.test or parts.validation
    found = scores.report(pairs, probabilities(pairs), batch_size=recipe.batch_size)
    baseline = scores.constant_baseline(parts.train, pairs, recipe.image_size)
    found["baseline"] = float(baseline.mean())
    if parts.test:
        threshold, _ = scores.best_threshold(parts.validation, probabilities(parts.validation))
        _, (dice,) = scores.best_threshold(pairs, probabilities(pairs), [threshold])
        found |= {"chosen_threshold": threshold, "dice_at_chosen_threshold": float(dice)}
    return found


def picture(model, recipe, parts, title, path):
    """Four of the scored images with masks, predictions and dices, as a PNG."""
    pairs = parts.test or parts.validation
    pairs = [pairs[int(i)] for i in np.linspace(0, len(pairs) - 1, 4)]
    masks = [pipeline.read_mask(mask) for _, mask in pairs]
    found = list(
        predict.predict(model, [image for image, _ in pairs], recipe.image_size, recipe.resize, 4)
    )
    figure = plot.triplets(
        [pipeline.read_image(image) for image, _ in pairs],
        masks,
        found,
        [f"dice {scores.dice(*both):.3f}" for both in zip(masks, found, strict=True)],
    )
    figure.suptitle(title, fontsize=9)
    with atomically(path) as partial:
        figure.savefig(partial)
    plot.plt.close(figure)


def common_size(pairs):
    """The (height, width) of all images; ValueError when they differ."""
    sizes = {}
    for image, _ in pairs:
        sizes.setdefault(data.size_of(image), image.name)
    if len(sizes) > 1:
        shown = ", ".join(f"{name} {h}x{w}" for (h, w), name in list(sizes.items())[:3])
        raise ValueError(
            f"the images differ in size ({shown}; height x width): they cannot be trained at "
            "their native size in one batch, so give an --image-size, such as 96x128"
        )
    return next(iter(sizes))


def split_hash(parts):
    """A short hash of which image stands in which part: equal splits have equal hashes."""
    names = {
        part: sorted(image.name for image, _ in pairs) for part, pairs in parts._asdict().items()
    }
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


def provenance():
    """Hardware, versions, commit and day of a result; a commit with changed or uncommitted code is
    marked `-dirty`."""
    root = Path(__file__).parent.parent

    def git(*arguments):
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    commit = None
    if (root / ".git").exists():  # else it would be the commit of some repository around us
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            changed = git("status", "--porcelain", "--", "unet_tf", "experiments", "benchmarks")
            commit = git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    return {
        "hardware": train.hardware(),
        "versions": {
            "unet_tf": __version__,
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "commit": commit,
        "date": datetime.date.today().isoformat(),
    }


def write_atomically(path, text):
    """Write a text whole or not at all; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomically(path) as partial:
        partial.write_text(text)


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
    own = ("seed", "epochs", "minutes", "commit", "date", "hardware", "versions", "scores")
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
        "runs": [{key: result[key] for key in own} for result in results],
    }


def save_summary(results, path):
    """`summary(results)`, written to `path` as JSON."""
    record = summary(results)
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    return record


def comparable(record):
    """May a record's score, taken as published, stand beside the published one? Yes, or why not."""
    if record["data"] != "Carvana":
        return "no: rendered cars" if record["data"] == "rendered" else "no: other images"
    if record["changed"]:
        return f"no: changed {', '.join(record['changed'])}"
    if record["variant"] == "corrected":
        return "no: cars never seen in training, paired augmentation"
    return "yes"


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
        spread = found["dice"]["spread"]
        seeds = " (1 seed)" if spread is None else f" ± {spread:.4f} ({len(record['runs'])} seeds)"
        minutes = [run["minutes"] for run in record["runs"] if run["minutes"] is not None]
        images = sum(record["split"]["images"].values())
        height, width = record["original_size"]
        cells = (
            f"{record['recipe']}, {record['variant']}"
            + (", settings changed" if record["changed"] else ""),
            f"{record['data']}, {images} images of {width}x{height}",
            f"{record['published_dice']:.4f}",
            f"{found['mean_over_batches']['mean']:.4f}",
            comparable(record),
            f"**{found['dice']['mean']:.4f}**{seeds}",
            *(f"{found[key]['mean']:.4f}" for key in ("iou", "boundary_f1", "baseline")),
            record["scored_on"],
            f"{np.mean(minutes):.1f}" if minutes else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
