"""One run of a recipe: split, train, predict, score, with all that its record needs."""

import contextlib
import itertools
import random
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import config

from unet_tf import data, network
from unet_tf.files import UserError, held, write_json
from unet_tf.protocol import tracking
from unet_tf.protocol.identity import differing, identity_of, result_in, same_training
from unet_tf.protocol.judge import judged
from unet_tf.protocol.report_page import write_page
from unet_tf.protocol.trained import labels_for, trained
from unet_tf.protocol.verdict import verdict
from unet_tf.training import set_precision


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
    other_code=False,
    xla="auto",
    deterministic=True,
    save_every=1,
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
        images' masks in `predictions/`. What an earlier run left of these is removed as soon as
        training begins. Held meanwhile: a second process is told who writes into it.
    precision : as in `unet_tf.training.set_precision`
    verbose : as in `keras.Model.fit`
    resume : bool
        Go on with the run that was stopped in `to`, or with one that is done if it is now to have
        more epochs or its scores are of other code; where it is done, return its result and train
        nothing. A stopped run of other settings or files is refused, and one of other code or
        versions (see `other_code`); for one that is done see `again`.
    strategy : tf.distribute.Strategy, optional
        Several GPUs of one host: `tf.distribute.MirroredStrategy()`. Each batch is divided among
        them; with the losses of single images the training is that of one device, to rounding.
    mlflow : str, optional
        Track the run in this store, such as `sqlite:///mlflow.db`.
    pairs : dict, optional
        Of the folder only these pairs (`unet_tf.data.parts`).
    again : bool
        With `resume`: do a run anew that is done, by other settings, files or code. False refuses
        that, and says what differs.
    other_code : bool
        With `resume`: go on also where the code that trains, or versions of libraries, have changed
        since; `resumed_with` in the result says behind which epoch, and what differs.
    xla, save_every : as in `unet_tf.training.fit`
    deterministic : bool
        The same command gives the same bits, also on a GPU, whose fastest kernels do not.

    Returns
    -------
    dict
        The result, ready for JSON.
    """
    if mlflow and to is None:
        raise UserError("MLflow tracks what is in the folder of a run: give it one, by `to`")
    together, own = network.processes()
    if together > 1 and resume:
        raise UserError("a training of several processes is not gone on with: leave out --resume")
    if own > 0:  # the first process writes for all
        to = mlflow = None
    start = time.perf_counter()
    with (
        held(to) if to else contextlib.nullcontext(),
        repeatable(seed, precision, deterministic) as policy,
    ):
        shares = recipe.validation_size, recipe.test_size, recipe.split_seed
        parts = data.parts(folder, recipe.images, recipe.split_by, *shares, pairs)
        labels = labels_for(recipe, folder, parts)
        read = data.reader(labels, [*itertools.chain(*parts)], folder, recipe.region)
        identity = identity_of(recipe, folder, parts, labels, seed, policy)
        if not deterministic:
            identity["deterministic"] = False
        if strategy:  # dropout draws on each device by itself
            identity["devices"] = strategy.num_replicas_in_sync
        there, done, goes_on = standing_in(to, identity, resume, again, other_code)
        if done:
            untracked = "; it is not tracked anew" if mlflow else ""
            print(f"This run is in {to} already: remove that to repeat it{untracked}")
            return there
        tracker = None
        if mlflow:
            names = dict.fromkeys([Path(to).name, recipe.slug, f"seed {seed}"])
            tracker = tracking.Tracker(mlflow, to, ", ".join(names), identity, goes_on)
        keep = {"folder": to, "resume": goes_on, "other_code": other_code, "verbose": verbose}
        keep |= {"xla": xla, "save_every": save_every}
        try:
            model, history = trained(
                recipe, parts, identity, labels, read, strategy, tracker, **keep
            )
            epochs = len(history.history["loss"])
            minutes = (time.perf_counter() - start) / 60
            if goes_on:  # nobody knows how long it was under way before, unless it was done
                minutes = there.get("minutes") if there.get("epochs") == epochs else None
            facts = {"deterministic": deterministic, "epochs": epochs, "minutes": minutes}
            result = scored(recipe, model, history, parts, identity | facts, labels, read, to)
        except BaseException as error:
            if tracker:
                tracker.stopped(error)
            raise
        if tracker:
            tracker.finish(result, model, history.history)
        return result


def scored(recipe, model, history, parts, facts, labels, read, to):
    """The result of a trained model; in the folder `to`, unless it is None, all that shows it."""
    result = {
        **facts,
        **({"resumed_with": history.resumed_with} if to and history.resumed_with else {}),
        "xla": history.xla,
        "parameters": model.count_params(),
        "scores": judged(recipe, model, parts, facts, labels, read, to),
    }
    if to is not None:
        result["verdict"] = verdict(recipe, result["scores"], labels, parts, history.history, to)
        write_page(to, result, history.history, parts.test or parts.validation, labels)
        write_json(Path(to) / "result.json", result)  # last: where it is, all of the run is
    return result


def standing_in(to, identity, resume, again, other_code):
    """What a folder holds for a run: its result, a dict that may be empty; whether that is this
    very run, done; and whether a training goes on. UserError for another one that is done, and
    may not be done anew."""
    there = result_in(to)
    if not resume or to is None:
        return there, False, False
    best, state = ((Path(to) / name).exists() for name in ("best.keras", "state.npz"))
    differs = differing(identity, there, other_code)
    if there and best and not differs:
        return there, True, False
    goes_on = state and (not there or same_training(identity, there, other_code))
    if there and not (goes_on or again):
        raise UserError(
            f"{to} holds another run, which is done ({differs}). Choose another folder, or replace "
            "it by --again; fewer epochs than are done cannot be had from it; where only code or "
            "versions differ, go on with it by --other-code"
        )
    return there, False, goes_on


@contextlib.contextmanager
def repeatable(seed, precision, deterministic=True):
    """Seeds, determinism and precision of a run: gives the policy. At the end Keras's policy,
    determinism, and Python's and NumPy's random states are what they were before."""
    policy, python, numpy = keras.config.dtype_policy(), random.getstate(), np.random.get_state()
    # TensorFlow's public interface has no way to ask for determinism, nor back from it.
    determined = config.is_op_determinism_enabled()
    try:
        keras.utils.set_random_seed(seed)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        elif determined:
            config.disable_op_determinism()
        yield set_precision(precision)
    finally:
        if determined:
            tf.config.experimental.enable_op_determinism()
        else:
            config.disable_op_determinism()
        keras.config.set_dtype_policy(policy)
        random.setstate(python)
        np.random.set_state(numpy)
