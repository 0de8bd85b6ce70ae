"""One run of a recipe: split, train, predict, score, with all that its record needs."""

import contextlib
import itertools
import json
import time
from pathlib import Path

import keras
import tensorflow as tf

from unet_tf import data, network, pipeline
from unet_tf.files import UserError, write_text
from unet_tf.protocol import tracking
from unet_tf.protocol.identity import (
    differing,
    identity_of,
    more_epochs,
    result_in,
    same_run,
    settings_to_resume,
)
from unet_tf.protocol.judge import judged, loss_of
from unet_tf.training import fit, set_precision


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
    precision : as in `unet_tf.training.set_precision`
    verbose : as in `keras.Model.fit`
    resume : bool
        Go on with the run that was stopped in `to`, or with one that is done if it is now to have
        more epochs; where it is done, return its result and train nothing. A stopped run of other
        settings, files, or code of `unet_tf` is refused; for one that is done see `again`.
    strategy : tf.distribute.Strategy, optional
        Several GPUs of one host: `tf.distribute.MirroredStrategy()`. Each batch is divided among
        them; with the losses of single images the training is that of one device, to rounding.
    mlflow : str, optional
        Track the run in this store, such as `sqlite:///mlflow.db` (`unet_tf.protocol`).
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
    policy = set_precision(precision)
    parts = data.parts(
        folder,
        recipe.images,
        recipe.split_by,
        recipe.validation_size,
        recipe.test_size,
        recipe.split_seed,
        pairs,
    )
    known = data.find_labels(folder, parts, recipe.class_names) if recipe.classes else None
    identity = identity_of(recipe, folder, parts, seed, policy)
    if known:
        identity |= {"classes": known.names, "class_colours": [known.colours, known.void]}
    if mlflow and to is None:
        raise UserError("MLflow tracks what is in the folder of a run: give it one, by `to`")
    there = result_in(to)
    if resume and same_run(identity, there):
        untracked = "; it is not tracked anew" if mlflow else ""
        print(f"This run is in {to} already: remove that to repeat it{untracked}")
        return there
    started = to is not None and (Path(to) / "state.npz").exists()
    if there and resume:
        longer = started and more_epochs(identity, there)
        if not (longer or again):
            raise UserError(
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
            "scores": judged(recipe, model, parts, identity, known or data.Labels.foreground(), to),
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
            loss=loss_of(recipe, parts, known),
            metrics=[network.mean_iou(len(known.names)) if known else network.hard_dice],
            folder=to,
            resume=resume,
            settings=settings_to_resume(identity),
            callbacks=[begun, *([tracker] if tracker else [])],
            verbose=verbose,
        )
    return model, history


def batches_of(recipe, parts, seed, known):
    """Training and validation batches, and the (height, width) that the model is built for."""
    read = known.read if known else data.read_mask
    own = {"augment": recipe.augment, "seed": seed, "read": read}
    size = recipe.image_size
    if recipe.crop:
        batch_size = recipe.batch_size
        training = pipeline.crop_dataset(parts.train, recipe.crop, recipe.crops, batch_size, **own)
        validation = pipeline.dataset(
            parts.validation, size, 1, recipe.resize, cache="memory", read=read
        )
        return training, validation, (None, None)
    options = {"batch_size": recipe.batch_size, "resize": recipe.resize, "cache": "memory"}
    training = pipeline.dataset(parts.train, size, shuffle=recipe.shuffle, **own, **options)
    validation = pipeline.dataset(parts.validation, size, read=read, **options)
    return training, validation, size or common_size(list(itertools.chain(*parts)))


def fitted(recipe, model, training, validation, loss=None, **options):
    """`unet_tf.training.fit` with the settings of a recipe; `options` are more of its arguments."""
    return fit(
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


def common_size(pairs):
    """The (height, width) of all images; ValueError when they differ."""
    sizes = {}
    for image, _ in pairs:
        sizes.setdefault(data.size_of(image), image.name)
    if len(sizes) > 1:
        shown = ", ".join(f"{name} {h}x{w}" for (h, w), name in list(sizes.items())[:3])
        raise UserError(
            f"the images differ in size ({shown}; height x width): they cannot be trained at "
            "their native size in one batch, so give an --image-size, such as 96x128"
        )
    return next(iter(sizes))
