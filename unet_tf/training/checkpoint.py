"""True resume: after each epoch, all that makes a training is in two files that belong together.

`state.npz` holds weights, batch-norm statistics, dropout's random state, the optimizer with its
loss scale, the number of the epoch (from which order and augmentation follow), early stopping's
patience and best value, and the history; `best.keras` is the best model. A kill at any moment loses
the epoch under way; resumed, the training ends with the bits of one that was never stopped.
"""

import contextlib
import csv
import functools
import json
import os
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from unet_tf import __version__
from unet_tf.files import UserError, add_to_zip, atomically, differences, in_zip
from unet_tf.training.makings import architecture, settings_of

VERSIONS = {"unet_tf": __version__, "tensorflow": tf.__version__, "keras": keras.__version__}
STAMP = "unet_tf_epoch.json"  # in the zip that `best.keras` is: which epoch's model it holds

DAMAGES = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError)
UNREADABLE = (*DAMAGES, zipfile.BadZipFile, zlib.error)  # what reading a damaged file raises

COUNTERS = ("wait", "best", "best_epoch", "stopped_epoch")  # those of keras's EarlyStopping
OWN = ("versions", "settings", "history", "best", "resumed_with")  # of a Checkpoint, in its state


def state_in(folder, names=()):
    """What the `state.npz` of a folder says of its training, a dict, and its arrays of these names;
    UserError where it is not whole."""
    path = Path(folder) / "state.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(str(file["state"]))
            arrays = {name: file[name] for name in names}
        return {part: state[part] for part in (*OWN, "epoch", "finished", "early_stopping")}, arrays
    except UNREADABLE as error:
        raise UserError(
            f"{path}: the checkpoint is damaged, or of an earlier unet_tf ({error}). Bring back a "
            "whole one, or remove it to start anew"
        ) from None


class Checkpoint(keras.callbacks.Callback):
    """Keeps `best.keras`, `state.npz` and `log.csv` after each epoch, and goes on from them.

    A better model is first written whole beside `best.keras`, a note of epoch, value and checksum
    in it; then `state.npz`, with the same note; then it is renamed to `best.keras`. So a kill
    leaves the very model of the state. Stands behind early stopping, whose state it keeps; that of
    other callbacks, such as `ReduceLROnPlateau`, is not in the file. Arguments as in `fit`.
    """

    def __init__(
        self, folder, early_stopping, resume=False, settings=None, card=None, other_code=False
    ):
        super().__init__()
        self.folder, self.early_stopping = Path(folder), early_stopping
        names = ("state.npz", "log.csv", "best.keras", "best.improved.keras")
        self.path, self.log, self.best_path, self.improved = (self.folder / name for name in names)
        self.monitor, self.sign = early_stopping.monitor, 1 if early_stopping.mode == "max" else -1
        self.resume, self.card, self.other_code = resume, card, other_code
        self.settings = dict(settings or {})
        self.versions = {**VERSIONS, "code": self.settings.pop("code", None)}
        self.best, self.history, self.resumed_with = None, {}, []

    def on_train_begin(self, logs=None):
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        self.settings |= {  # with these all that has to be equal for the same bits
            "loss": settings_of(self.model.loss),
            "optimizer": {**optimizer.get_config(), "name": type(optimizer).__name__},
            "monitor": self.monitor,
            "patience": self.early_stopping.patience,
            "model": architecture(self.model),
        }
        if self.resume and self.path.exists():
            self.go_on()
        else:  # a kill in the first epoch must not bring an earlier training back
            for path in (self.path, self.log, self.best_path, self.improved):
                path.unlink(missing_ok=True)
        for partial in self.folder.glob(".partial-*"):  # of writers that were killed
            partial.unlink()

    def go_on(self):
        """Bring everything to where it was, and let `fit` begin with the next epoch."""
        self.refuse_others(state_in(self.folder)[0])
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        state, arrays = state_in(self.folder, self.variables())
        self.best, self.history = state["best"], state["history"]
        if self.best:
            self.load_best()
            self.early_stopping.best_weights = self.model.get_weights()
        for name, variable in self.variables().items():
            variable.assign(arrays[name])
        for name in COUNTERS:
            setattr(self.early_stopping, name, state["early_stopping"][name])
        epoch = self.params["epochs"] if state["finished"] else state["epoch"]
        self.model._initial_epoch = epoch  # as keras.callbacks.BackupAndRestore does
        print(f"Resumed from {self.path}: {state['epoch']} epochs are done")

    def refuse_others(self, state):
        """UserError for a state of another training, version or code, or a longer one."""
        if found := differences(state["settings"], self.settings):
            raise UserError(
                f"{self.path}: the checkpoint is of another training ({found}). Set it as it was, "
                "or take another folder, or remove the file to start anew"
            )
        found = differences(state["versions"], self.versions, most=4)
        if found and not self.other_code:
            raise UserError(
                f"{self.path}: the checkpoint is of other code or another version ({found}). Go on "
                "all the same by --resume --other-code (other_code=True), which the record then "
                "says; or install that version, or remove the file to start anew"
            )
        if state["epoch"] > self.params["epochs"]:
            raise UserError(
                f"{self.path}: {state['epoch']} epochs are done, and {self.params['epochs']} asked "
                "for. Ask for as many or more, or take another folder"
            )
        changed = [{"epoch": state["epoch"], "differs": found}] if found else []
        self.resumed_with = state["resumed_with"] + changed

    def load_best(self):
        """Load the model that the state names, and let it be `best.keras`."""
        for path in (self.best_path, self.improved):
            with contextlib.suppress(*UNREADABLE):
                if in_zip(path, STAMP) == self.best:
                    self.model.load_weights(path)
                    os.replace(path, self.best_path)
                    self.improved.unlink(missing_ok=True)  # of an epoch that is repeated
                    return
        raise UserError(
            f"{self.best_path}: missing, damaged, or not the best model of {self.path}, which is "
            f"that of epoch {self.best['epoch']}, {self.monitor} {self.best['value']:.4f}. Bring "
            f"it back, or remove {self.path} to start anew"
        )

    def variables(self):
        """All variables of the training, by a name for the file."""
        return {
            f"{part}_{number:04}": variable
            for part, owner in (("model", self.model), ("optimizer", self.model.optimizer))
            for number, variable in enumerate(owner.variables)
        }

    def on_epoch_begin(self, epoch, logs=None):
        self.model._initial_epoch = None  # else the next `fit` of this model would begin there

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in logs:
            raise UserError(f"no {self.monitor!r} to go by: there are {', '.join(logs)}")
        for name in sorted(logs):
            self.history.setdefault(name, []).append(float(logs[name]))
        rows = list(zip(range(epoch + 1), *self.history.values(), strict=True))
        value = self.history[self.monitor][-1]
        better = self.sign * value > (self.sign * self.best["value"] if self.best else -np.inf)
        if better:
            self.save_model({"epoch": epoch + 1, "value": value})
        self.save_state(epoch)
        if better:
            os.replace(self.improved, self.best_path)
        with atomically(self.log) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([["epoch", *self.history], *rows])

    def save_model(self, best):
        """Write the model, which is better than all before, beside `best.keras`."""
        bits = (weight.tobytes() for weight in self.model.get_weights())
        checksum = functools.reduce(lambda number, some: zlib.crc32(some, number), bits, 0)
        self.best = {**best, "weights": checksum}
        with atomically(self.improved, durable=True) as partial:
            self.model.save(partial)
            add_to_zip(partial, STAMP, self.best)
            if self.card:
                self.card.write(partial)

    def save_state(self, epoch):
        """Write `state.npz`, whole or not at all."""
        state = {
            **{name: getattr(self, name) for name in OWN},
            "epoch": epoch + 1,
            "finished": self.model.stop_training,
            "early_stopping": {name: getattr(self.early_stopping, name) for name in COUNTERS},
        }
        variables = self.variables().items()
        arrays = {name: keras.ops.convert_to_numpy(variable) for name, variable in variables}
        with atomically(self.path, durable=True) as partial:
            np.savez(partial, state=np.array(json.dumps(state, default=float)), **arrays)

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None
        history = self.model.history  # what `fit` returns: with the epochs from before
        history.history, history.epoch = self.history, list(range(len(self.history["loss"])))
        history.resumed_with = self.resumed_with
