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
    published: float  # the dice of the source, scored its way (see `published_score`)
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


def run(recipe, folder, seed=0, to=None, precision="auto", verbose="auto"):
    """Carry out a recipe once: split, train, predict, score.

    Parameters
    ----------
    recipe : Recipe
    folder : path
        As `unet_tf.data.find` gives it.
    seed : int
        For weights, dropout, order and augmentation. The split has its own seed, in the recipe.
    to : path, optional
        Gets `best.keras`, `log.csv`, `result.json` and `picture.png`.
    precision : as in `unet_tf.train.set_precision`
    verbose : as in `keras.Model.fit`

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
    settings = {"batch_size": recipe.batch_size, "resize": recipe.resize, "cache": "memory"}
    training = pipeline.dataset(
        parts.train,
        recipe.image_size,
        shuffle=recipe.shuffle,
        augment=recipe.augment,
        seed=seed,
        **settings,
    )
    validation = pipeline.dataset(parts.validation, recipe.image_size, **settings)
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
        verbose=verbose,
    )
    scored_on, scored = ("test", parts.test) if parts.test else ("validation", parts.validation)
    images = [image for image, _ in scored]
    shown = {int(i): None for i in np.linspace(0, len(scored) - 1, 4)}

    def predictions():
        """One mask at a time: large ones must not pile up. A few are kept for the picture."""
        masks = predict.predict(model, images, recipe.image_size, recipe.resize, recipe.batch_size)
        for i, mask in enumerate(masks):
            if i in shown:
                shown[i] = mask
            yield mask

    dices = scores.per_image_dice(scored, predictions())
    baseline = scores.constant_baseline(parts.train, scored, recipe.image_size)
    result = {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "source": recipe.source,
        "data": "rendered" if toy.is_rendered(folder) else Path(folder).resolve().name,
        "published_dice": recipe.published,
        "dice": float(dices.mean()),
        "dice_of_images": {"min": float(dices.min()), "median": float(np.median(dices))},
        "dice_as_published": published_score(model, scored, recipe),
        "baseline": float(baseline.mean()),
        "scored_on": scored_on,
        "seed": seed,
        "epochs": len(history.history["loss"]),
        "parameters": model.count_params(),
        "minutes": (time.perf_counter() - start) / 60,
        "split": {
            "images": {part: len(pairs) for part, pairs in parts._asdict().items()},
            "hash": split_hash(parts),
        },
        "changed": [
            field.name
            for field in dataclasses.fields(recipe)
            if getattr(recipe, field.name) != getattr(get(recipe.name, recipe.variant), field.name)
        ],
        "settings": {
            field.name: getattr(value, "__name__", value)
            for field in dataclasses.fields(recipe)
            if field.name not in ("name", "variant", "source", "published")
            for value in [getattr(recipe, field.name)]
        },
        "precision": policy,
        **provenance(),
    }
    if to is not None:
        write_atomically(Path(to) / "result.json", json.dumps(result, indent=1) + "\n")
        figure = plot.triplets(
            [pipeline.read_image(scored[i].image) for i in shown],
            [pipeline.read_mask(scored[i].mask) for i in shown],
            list(shown.values()),
            [f"dice {dices[i]:.3f}" for i in shown],
        )
        figure.suptitle(f"{recipe.name}, {recipe.variant}, on {result['data']} data", fontsize=9)
        figure.savefig(Path(to) / "picture.png")
        plot.plt.close(figure)
    return result


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


def published_score(model, scored, recipe):
    """The dice as the article scores it: soft, at model size, over each whole batch at once, then
    the mean over batches (the short last batch counting as a whole one)."""
    batches = pipeline.dataset(scored, recipe.image_size, recipe.batch_size, recipe.resize)
    return float(
        np.mean(
            [
                1 - float(losses.pooled_dice_loss(masks, model(images, training=False)))
                for images, masks in batches
            ]
        )
    )


def split_hash(parts):
    """A short hash of which image stands in which part: equal splits have equal hashes."""
    names = {
        part: sorted(image.name for image, _ in pairs) for part, pairs in parts._asdict().items()
    }
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


def provenance():
    """Hardware, versions, commit and day of a result."""
    root = Path(__file__).parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    commit = None
    if (root / ".git").exists():  # else it would be the commit of some repository around us
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {
        "hardware": train.hardware(),
        "versions": {
            "unet_tf": __version__,
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "commit": commit and commit.strip(),
        "date": datetime.date.today().isoformat(),
    }


def write_atomically(path, text):
    """Write a text whole or not at all; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomically(path) as partial:
        partial.write_text(text)


def summary(results):
    """One record of the same recipe's runs with several seeds: means, and the spread (sample
    standard deviation) of the dice."""
    dices = [result["dice"] for result in results]
    first = {key: value for key, value in results[0].items() if key != "dice_of_images"}
    return {
        **first,
        "seed": [result["seed"] for result in results],
        "dice_by_seed": dices,
        "dice": float(np.mean(dices)),
        "dice_spread": float(np.std(dices, ddof=1)) if len(dices) > 1 else None,
        "dice_as_published": float(np.mean([result["dice_as_published"] for result in results])),
        "epochs": [result["epochs"] for result in results],
        "minutes": float(np.mean([result["minutes"] for result in results])),
    }


def save_summary(results, path):
    """`summary(results)`, written to `path` as JSON."""
    record = summary(results)
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    return record


def table(summaries):
    """A Markdown table, a line a summary."""
    heads = (
        "recipe",
        "data",
        "published dice",
        "ours, scored as published",
        "**ours, per image, hard, original size**",
        "constant baseline",
        "scored on",
        "parameters",
        "minutes a run",
    )
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for record in summaries:
        spread = record["dice_spread"]
        seeds = len(record["seed"])
        dice = f"**{record['dice']:.4f}**" + (
            "" if spread is None else f" ± {spread:.4f} ({seeds} seeds)"
        )
        images = sum(record["split"]["images"].values())
        changed = ", settings changed" if record["changed"] else ""
        cells = (
            f"{record['recipe']}, {record['variant']}{changed}",
            f"{record['data']}, {images} images",
            f"{record['published_dice']:.4f}",
            f"{record['dice_as_published']:.4f}",
            dice,
            f"{record['baseline']:.4f}",
            record["scored_on"],
            f"{record['parameters']:,}",
            f"{record['minutes']:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
