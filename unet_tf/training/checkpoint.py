"""True resume: after each epoch, all that makes a training is in one file, `state.npz`.

Weights, batch-norm statistics, dropout's random state, the optimizer with its loss scale, the
number of the epoch (from which order and augmentation follow), early stopping's patience and best
value, and the history. The best weights lie beside it in `best.keras`. A kill at any moment loses
the epoch under way; resumed, the training ends with the bits of one that was never stopped.
"""

import csv
import functools
import json
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from unet_tf import __version__
from unet_tf.files import UserError, atomically, differences

VERSIONS = {"unet_tf": __version__, "tensorflow": tf.__version__, "keras": keras.__version__}


# What reading a damaged file raises.
UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


PARTS = ("versions", "settings", "epoch", "finished", "history", "early_stopping", "best")


COUNTERS = ("wait", "best", "best_epoch", "stopped_epoch")  # those of keras's EarlyStopping


class Checkpoint(keras.callbacks.Callback):
    """Writes `state.npz` after each epoch, and with `resume` goes on from one.

    Stands behind the two callbacks whose state it keeps; that of others, such as the patience of
    `ReduceLROnPlateau`, is not in the file.

    Parameters
    ----------
    folder : path
        For `state.npz` and `log.csv`, a row an epoch. `best.keras` lies there too.
    early_stopping : keras.callbacks.EarlyStopping, with `restore_best_weights`
    best : unet_tf.training.BestCheckpoint
    resume : bool
        Go on from the `state.npz` of the folder; where there is none, start anew.
    settings : dict, optional
        What makes this training, besides model, loss and optimizer, ready for JSON.

    Raises
    ------
    ValueError
        From `fit`, when what is to be resumed is damaged, or of another training or version; says
        what differs.
    """

    def __init__(self, folder, early_stopping, best, resume=False, settings=None):
        super().__init__()
        self.path, self.log = Path(folder) / "state.npz", Path(folder) / "log.csv"
        self.early_stopping, self.best = early_stopping, best
        self.resume, self.own_settings, self.history = resume, settings or {}, {}

    def on_train_begin(self, logs=None):
        self.settings = json.loads(json.dumps(self.what_makes_it(), default=float))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.resume and self.path.exists():
            self.go_on(*self.read())
        else:  # a kill in the first epoch must not bring an earlier training back
            self.path.unlink(missing_ok=True)

    def what_makes_it(self):
        """Everything that has to be equal for a resumed training to have the same bits."""
        optimizer = inner(self.model.optimizer)
        return {
            **self.own_settings,
            "loss": loss_settings(self.model.loss),
            "optimizer": {**optimizer.get_config(), "name": type(optimizer).__name__},
            "monitor": self.early_stopping.monitor,
            "patience": self.early_stopping.patience,
            "model": architecture(self.model),
        }

    def read(self):
        """State and arrays of `state.npz`, refused where they are not of this training."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            state = json.loads(str(arrays.pop("state")))
            state = {part: state[part] for part in PARTS}
        except UNREADABLE as error:
            raise self.damaged(error) from None
        if found := differences(state["versions"], VERSIONS):
            raise UserError(
                f"{self.path}: the checkpoint is of another version ({found}). Install that "
                "version, or remove the file to start anew"
            )
        if found := differences(state["settings"], self.settings):
            raise UserError(
                f"{self.path}: the checkpoint is of another training ({found}). Set it as it was, "
                "or take another folder, or remove the file to start anew"
            )
        return state, arrays

    def damaged(self, what):
        """The ValueError for a `state.npz` that is not whole."""
        return UserError(
            f"{self.path}: the checkpoint is damaged ({what}). Bring back a whole one, or "
            "remove it to start anew"
        )

    def go_on(self, state, arrays):
        """Bring everything to where it was, and let `fit` begin with the next epoch."""
        if state["epoch"] > self.params["epochs"]:
            raise UserError(
                f"{self.path}: {state['epoch']} epochs are done, and {self.params['epochs']} asked "
                "for. Ask for as many or more, or take another folder"
            )
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        if lacking := self.variables().keys() - arrays.keys():
            raise self.damaged(f"{len(lacking)} variables are not in it")
        if state["best"] > -np.inf:
            try:
                self.model.load_weights(self.best.path)
            except UNREADABLE as error:
                raise UserError(
                    f"{self.best.path}: the best weights of the checkpoint cannot be read "
                    f"({error}). Bring them back, or remove {self.path} to start anew"
                ) from None
            self.early_stopping.best_weights = self.model.get_weights()
        for name, variable in self.variables().items():
            variable.assign(arrays[name])
        for name in COUNTERS:
            setattr(self.early_stopping, name, state["early_stopping"][name])
        self.best.best, self.history = state["best"], state["history"]
        epoch = self.params["epochs"] if state["finished"] else state["epoch"]
        self.model._initial_epoch = epoch  # as keras.callbacks.BackupAndRestore does
        print(f"Resumed from {self.path}: {state['epoch']} epochs are done")

    def variables(self):
        """All variables of the training, by a name for the file."""
        parts = {"model": self.model.variables, "optimizer": self.model.optimizer.variables}
        return {
            f"{part}_{number:04}": variable
            for part, variables in parts.items()
            for number, variable in enumerate(variables)
        }

    def on_epoch_begin(self, epoch, logs=None):
        self.model._initial_epoch = None  # else the next `fit` of this model would begin there

    def on_epoch_end(self, epoch, logs=None):
        for name in sorted(logs):
            self.history.setdefault(name, []).append(float(logs[name]))
        state = {
            "versions": VERSIONS,
            "settings": self.settings,
            "epoch": epoch + 1,
            "finished": self.model.stop_training,
            "history": self.history,
            "early_stopping": {name: getattr(self.early_stopping, name) for name in COUNTERS},
            "best": self.best.best,
        }
        arrays = {
            name: keras.ops.convert_to_numpy(variable)
            for name, variable in self.variables().items()
        }
        with atomically(self.path, durable=True) as partial:
            np.savez(partial, state=np.array(json.dumps(state)), **arrays)
        rows = zip(range(epoch + 1), *self.history.values(), strict=True)
        with atomically(self.log) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([["epoch", *self.history], *rows])

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None
        history = self.model.history  # what `fit` returns: with the epochs from before
        history.history, history.epoch = self.history, list(range(len(self.history["loss"])))


def made_of(**datasets):
    """What makes each data set, by name, as those of `unet_tf.pipeline` and `crops` know it."""
    return {name: getattr(one, "made_of", None) for name, one in datasets.items()}


def loss_settings(loss):
    """A loss by its name and settings, ready for JSON, the same in any process."""
    if isinstance(loss, functools.partial):
        return {"of": loss_settings(loss.func), "with": [loss.args, loss.keywords]}
    if isinstance(loss, keras.losses.Loss):
        return {**loss.get_config(), "name": type(loss).__name__}
    return getattr(loss, "__name__", str(loss))


def inner(optimizer):
    """The optimizer that `keras.optimizers.LossScaleOptimizer` wraps, or itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def architecture(model):
    """Layers and their settings, but for the names that Keras counts up within a process."""
    return [
        architecture(layer)
        if isinstance(layer, keras.Model)
        else {"layer": type(layer).__name__, **layer.get_config(), "name": None}
        for layer in model.layers
    ]
