"""One run of a recipe: split, train, predict, score, with all that its record needs."""

import contextlib
import dataclasses
import datetime
import hashlib
import itertools
import json
import platform
import shutil
import subprocess
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from unet_tf import (
    __version__,
    class_runs,
    classes,
    crops,
    data,
    metrics,
    pipeline,
    plot,
    predict,
    recipes,
    scores,
    toy,
    tracking,
    train,
)
from unet_tf.checkpoint import flat
from unet_tf.files import atomically, write_text


def run(
    recipe,
    folder,
    seed=0,
    to=None,
    precision="auto",
    verbose="auto",
    resume=False,
    strategy=None,
    mlflow=None,
    pairs=None,
    again=True,
):
    """Carry out a recipe once: split, train, predict, score.

    Parameters
    ----------
    recipe : Recipe
    folder : path
        As `unet_tf.data.find` gives it.
    seed : int
        For weights, dropout, order and augmentation. The split has its own seed, in the recipe.
    to : path, optional
        Gets `best.keras`, `log.csv`, `state.npz`, `result.json`, `picture.png`, and the scored
        images' masks in `predictions/`.
    precision : as in `unet_tf.train.set_precision`
    verbose : as in `keras.Model.fit`
    resume : bool
        Go on with the run that was stopped in `to`, or with one that is done if it is now to have
        more epochs; where it is done, return its result and train nothing. A stopped run of other
        settings, files, or code of `unet_tf` is refused; for one that is done see `again`.
    strategy : tf.distribute.Strategy, optional
        Several GPUs of one host: `tf.distribute.MirroredStrategy()`. Each batch is divided among
        them; with the losses of single images the training is that of one device, to rounding.
    mlflow : str, optional
        Track the run in this store, such as `sqlite:///mlflow.db` (`unet_tf.tracking`).
    pairs : dict, optional
        Of the folder only these pairs (`unet_tf.data.parts`).
    again : bool
        With `resume`: do a run anew that is done, by other settings, files or code. False refuses
        that, and says what differs.

    Returns
    -------
    dict
        The result, ready for JSON.
    """
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()  # the same bits on a GPU too, if slower
    policy = train.set_precision(precision)
    parts = data.parts(
        folder,
        recipe.images,
        recipe.split_by,
        recipe.validation_size,
        recipe.test_size,
        recipe.split_seed,
        pairs,
    )
    known = classes.of(folder, parts, recipe.class_names) if recipe.classes else None
    identity = identity_of(recipe, folder, parts, seed, policy)
    if known:
        identity |= {"classes": known.names, "class_colours": [known.colours, known.void]}
    if mlflow and to is None:
        raise ValueError("MLflow tracks what is in the folder of a run: give it one, by `to`")
    there = result_in(to)
    if resume and same_run(identity, there):
        untracked = "; it is not tracked anew" if mlflow else ""
        print(f"This run is in {to} already: remove that to repeat it{untracked}")
        return there
    started = to is not None and (Path(to) / "state.npz").exists()
    if there and resume:
        longer = started and more_epochs(identity, there)
        if not (longer or again):
            raise ValueError(
                f"{to} holds another run, which is done ({differing(identity, there)}). Choose "
                "another folder, or replace it by --again"
            )
        resume = longer
    resume = resume and started
    tracker = None
    if mlflow:
        tracker = tracking.Tracker(mlflow, to, f"{recipe.slug}, seed {seed}", identity, resume)
    try:
        model, history = trained(
            recipe, parts, identity, known, to, resume, strategy, tracker, verbose
        )
        minutes = None if resume else (time.perf_counter() - start) / 60
        result = {
            **identity,
            "epochs": len(history.history["loss"]),
            "parameters": model.count_params(),
            "minutes": minutes,
            "scores": judged(recipe, model, parts, identity, known, to),
        }
        if to is not None:
            # The result last: where it is, all of the run is.
            write_text(Path(to) / "result.json", json.dumps(result, indent=1) + "\n")
    except BaseException as error:
        if tracker:
            tracker.stopped(error)
        raise
    if tracker:
        tracker.finish(result, model, history.history)
    return result


def trained(recipe, parts, identity, known, to, resume, strategy, tracker, verbose):
    """The trained model and its history; `known` are the classes, or None."""
    training, validation, size = batches_of(recipe, parts, identity["seed"], known)
    # From here on what stands there is not finished; but what is refused before leaves it.
    begun = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: to and (Path(to) / "result.json").unlink(missing_ok=True)
    )
    with strategy.scope() if strategy else contextlib.nullcontext():
        shape = (*size, 3), recipe.filters
        model = recipe.build(*shape, len(known.names)) if known else recipe.build(*shape)
        for layer in model.layers if strategy else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True  # over all devices: the statistics of one
        history = fitted(
            recipe,
            model,
            training,
            validation,
            loss=class_runs.loss_of(recipe, parts, known) if known else None,
            metrics=[metrics.mean_iou(len(known.names)) if known else metrics.hard_dice],
            folder=to,
            resume=resume,
            settings=settings_to_resume(identity),
            callbacks=[begun, *([tracker] if tracker else [])],
            verbose=verbose,
        )
    return model, history


def judged(recipe, model, parts, identity, known, to):
    """All scores of a trained model; in the folder `to` its masks and pictures."""
    forward = predict.compiled(model)  # as the command line predicts, to the bit
    pairs = parts.test or parts.validation
    title = f"{recipe.name}, {recipe.variant}, on {identity['data']} data"
    if known:
        found = class_runs.ids_of(forward, recipe, pairs)
        report = class_runs.scored(found, recipe, parts, known)
        if to is not None:
            classes.write_table(Path(to) / "classes.csv", known)  # what `predict` colours by
            class_runs.pictures(found, pairs, title, Path(to), known, report["confusion"])
        return report
    found = predicted(forward, recipe, pairs)
    report = scored(found, recipe, parts, lambda: predicted(forward, recipe, parts.validation))
    if to is not None:
        pictures(found, pairs, title, Path(to))
    return report


def batches_of(recipe, parts, seed, known):
    """Training and validation batches, and the (height, width) that the model is built for."""
    read = known.read if known else pipeline.read_mask
    own = {"augment": recipe.augment, "seed": seed, "read": read}
    size = recipe.image_size
    if recipe.crop:
        batch_size = recipe.batch_size
        training = crops.crop_dataset(parts.train, recipe.crop, recipe.crops, batch_size, **own)
        validation = pipeline.dataset(
            parts.validation, size, 1, recipe.resize, cache="memory", read=read
        )
        return training, validation, (None, None)
    options = {"batch_size": recipe.batch_size, "resize": recipe.resize, "cache": "memory"}
    training = pipeline.dataset(parts.train, size, shuffle=recipe.shuffle, **own, **options)
    validation = pipeline.dataset(parts.validation, size, read=read, **options)
    return training, validation, size or common_size(list(itertools.chain(*parts)))


def fitted(recipe, model, training, validation, loss=None, **options):
    """`unet_tf.train.fit` with the settings of a recipe; `options` are more of its arguments."""
    return train.fit(
        model,
        training,
        validation,
        epochs=recipe.epochs,
        loss=loss or recipe.loss,
        optimizer=keras.optimizers.Adam(recipe.learning_rate, epsilon=recipe.epsilon),
        monitor=recipe.monitor,
        patience=recipe.patience,
        **options,
    )


def identity_of(recipe, folder, parts, seed, policy):
    """All that decides about a run, and where and with what it was made."""
    own = recipes.get(recipe.name, recipe.variant)
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
        "files": {part: pipeline.fingerprint(pairs) for part, pairs in parts._asdict().items()},
        "scored_on": "test" if parts.test else "validation",
        "changed": [name for name in fields if getattr(recipe, name) != getattr(own, name)],
        "settings": {
            name: getattr(value, "__name__", value)
            for name in fields
            if name not in recipes.FIXED
            for value in [getattr(recipe, name)]
        },
        "precision": policy,
        **provenance(),
    }


FACTS = {"commit", "date", "hardware"}  # on a run, not what makes it: `code` does
CARVANA_SIZE = (1280, 1918)


def name_of(folder, parts):
    """What the table calls the data: rendered, Carvana (by its names and size), or the folder."""
    if toy.is_rendered(folder):
        return "rendered"
    images = [image for part in parts for image, _ in part]
    named_so = all(data.CARVANA.fullmatch(image.stem) for image in images)
    if named_so and data.size_of(images[0]) == CARVANA_SIZE:
        return "Carvana"
    name = Path(folder).resolve().name
    return f"folder {name}" if name in ("rendered", "Carvana") else name


def result_in(folder):
    """The `result.json` in a folder, or an empty dict; ValueError names a damaged one."""
    path = folder and Path(folder) / "result.json"
    try:
        return json.loads(path.read_text()) if path and path.exists() else {}
    except ValueError as error:
        raise ValueError(
            f"{path}: damaged ({error}). Bring back a whole one, or remove it"
        ) from None


def same_run(identity, result):
    """Is this the result of that very run: recipe, settings, split, files, seed, precision, code
    and versions?"""
    keys = identity.keys() - FACTS
    return all(result.get(key) == json.loads(json.dumps(identity[key])) for key in keys)


def differing(identity, result):
    """What differs between a run and a result, in words."""
    new = flat(json.loads(json.dumps({key: identity[key] for key in identity.keys() - FACTS})))
    old = flat({key: result.get(key) for key in identity.keys() - FACTS})
    keys = [key for key in sorted({*new, *old}) if new.get(key) != old.get(key)]
    shown = [f"{key}: {old.get(key)} there, {new.get(key)} asked for" for key in keys[:4]]
    return "; ".join(shown) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")


def more_epochs(identity, result):
    """Is it the run of that result, to go on for more epochs?"""
    own, there = (
        json.loads(json.dumps(settings_to_resume(one))) if "settings" in one else None
        for one in (identity, result)
    )
    return own == there and identity["settings"]["epochs"] > result["settings"]["epochs"]


def settings_to_resume(identity):
    """What has to be the same in a run that goes on: all but what may grow or vary."""
    settings = {name: value for name, value in identity["settings"].items() if name != "epochs"}
    names = ("recipe", "variant", "data", "seed", "split", "files", "precision", "code")
    names += tuple(name for name in ("classes", "class_colours") if name in identity)
    return {**{name: identity.get(name) for name in names}, "settings": settings}


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
    recipe : unet_tf.recipes.Recipe
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
        mask = predict.resized_back(probability, data.size_of(path)) >= 0.5
        Image.fromarray(mask.astype("uint8") * 255).save(to / f"predictions/{path.stem}.png")
        if number in shown:
            masks[number] = mask.astype("uint8")
    masks = [masks[number] for number in shown]
    truths = [pipeline.read_mask(pairs[number].mask) for number in shown]
    figure = plot.triplets(
        [pipeline.read_image(pairs[number].image) for number in shown],
        truths,
        masks,
        [f"dice {scores.dice(*both):.3f}" for both in zip(truths, masks, strict=True)],
    )
    figure.suptitle(title, fontsize=9)
    with atomically(to / "picture.png") as partial:
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
    """Hardware, versions, commit, code and day of a result; a commit with changed or uncommitted
    code is marked `-dirty`. `code` is a hash of the module's files."""
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
        "code": code_hash(),
        "date": datetime.date.today().isoformat(),
    }


def code_hash():
    """A short hash of all files of this module: a change to any of them is other code."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
