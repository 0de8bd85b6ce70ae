"""True resume: after each epoch, all that makes a training is in two files that belong together.

`state.npz` holds weights, batch-norm statistics, dropout's random state, the optimizer with its
loss scale, the number of the epoch (from which order and augmentation follow), early stopping's
patience and best value, and the history; `best.keras` is the best model, without its optimizer.
Both are written beside the training, in a thread of its own. A kill at any moment loses the epoch
under way, and those that were being written or waited for it; resumed, the training ends with the
bits of one that was never stopped.
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

from unet_tf import __version__, network
from unet_tf.files import UserError, add_to_zip, atomically, differences, in_zip
from unet_tf.training.devices import backend
from unet_tf.training.makings import architecture, settings_of, twin_of
from unet_tf.training.writer import Writer

VERSIONS = {"unet_tf": __version__, "tensorflow": tf.__version__, **network.versions()}
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

    At an epoch's end all variables are copied, on their device; the next epoch trains while a
    `Writer` takes them from there to the disk. A better model is first written whole beside
    `best.keras`, a note of epoch, value and checksum in it; then `state.npz`, with the same note;
    then it is renamed to `best.keras`. So a kill leaves the very model of the state. Stands behind
    early stopping, whose state it keeps; that of other callbacks, such as `ReduceLROnPlateau`, is
    not in the file. Arguments as in `fit`.
    """

    def __init__(
        self,
        folder,
        early_stopping,
        resume=False,
        settings=None,
        card=None,
        other_code=False,
        save_every=1,
    ):
        super().__init__()
        self.folder, self.early_stopping = Path(folder), early_stopping
        names = ("state.npz", "log.csv", "best.keras", "best.improved.keras")
        self.path, self.log, self.best_path, self.improved = (self.folder / name for name in names)
        self.monitor, self.sign = early_stopping.monitor, 1 if early_stopping.mode == "max" else -1
        self.resume, self.card, self.other_code = resume, card, other_code
        self.settings = dict(settings or {})
        self.versions = {**VERSIONS, "code": self.settings.pop("code", None)}
        self.best, self.written, self.history, self.resumed_with = None, None, {}, []
        self.save_every, self.unsaved, self.twin, self.writer = save_every, {}, None, None

    def on_train_begin(self, logs=None):
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        self.settings |= {  # with these all that has to be equal for the same bits
            "loss": settings_of(self.model.loss),
            "optimizer": {**optimizer.get_config(), "name": type(optimizer).__name__},
            "monitor": self.monitor,
            "patience": self.early_stopping.patience,
            "model": architecture(self.model),
            **backend(),
        }
        if self.resume and self.path.exists():
            self.go_on()
        else:  # a kill in the first epoch must not bring an earlier training back
            for path in (self.path, self.log, self.best_path, self.improved):
                path.unlink(missing_ok=True)
        for partial in self.folder.glob(".partial-*"):  # of writers that were killed
            partial.unlink()
        self.twin, self.writer = twin_of(self.model), Writer(self.write)

    def go_on(self):
        """Bring everything to where it was, and let `fit` begin with the next epoch."""
        self.refuse_others(state_in(self.folder)[0])
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        state, arrays = state_in(self.folder, self.variables())
        self.best, self.history = state["best"], state["history"]
        self.written = self.best
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
        value = self.history[self.monitor][-1]
        if self.sign * value > (self.sign * self.best["value"] if self.best else -np.inf):
            self.best = {"epoch": epoch + 1, "value": value}
            weights = [keras.ops.copy(weight) for weight in self.model.weights]
            self.unsaved["better"] = self.best, weights
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if last or (epoch + 1) % self.save_every == 0:
            self.hand_over(epoch)

    def hand_over(self, epoch):
        """Give the writer all that makes the training now."""
        state = {
            "epoch": epoch + 1,
            "finished": self.model.stop_training,
            "early_stopping": {name: getattr(self.early_stopping, name) for name in COUNTERS},
            **{name: getattr(self, name) for name in OWN if name not in ("best", "history")},
            "history": {name: list(values) for name, values in self.history.items()},
        }
        copies = {name: keras.ops.copy(variable) for name, variable in self.variables().items()}
        self.writer.hand(state=state, variables=copies, **self.unsaved)
        self.unsaved = {}

    def write(self, state, variables, better=None):
        """In the writer's thread: the better model, if there is one, the state, and the log."""
        if better:
            self.save_model(*better)
        self.save_state(state, variables)
        if better:
            os.replace(self.improved, self.best_path)
        history = state["history"]
        rows = zip(range(state["epoch"]), *history.values(), strict=True)
        with atomically(self.log) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([["epoch", *history], *rows])

    def save_model(self, best, weights):
        """Write the model, which is better than all before, beside `best.keras`."""
        weights = [keras.ops.convert_to_numpy(weight) for weight in weights]
        bits = (weight.tobytes() for weight in weights)
        checksum = functools.reduce(lambda number, some: zlib.crc32(some, number), bits, 0)
        self.written = {**best, "weights": checksum}
        with atomically(self.improved, durable=True) as partial:
            with keras.device("cpu"):  # on JAX the twin would else go to the GPU
                self.twin.set_weights(weights)
                self.twin.save(partial)
            add_to_zip(partial, STAMP, self.written)
            if self.card:
                self.card.write(partial)

    def save_state(self, state, variables):
        """Write `state.npz`, whole or not at all."""
        text = json.dumps({**state, "best": self.written}, default=float)
        arrays = {name: keras.ops.convert_to_numpy(value) for name, value in variables.items()}
        with atomically(self.path, durable=True) as partial:
            np.savez(partial, state=np.array(text), **arrays)

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None
        self.close()
        history = self.model.history  # what `fit` returns: with the epochs from before
        history.history, history.epoch = self.history, list(range(len(self.history["loss"])))
        history.resumed_with = self.resumed_with

    def close(self):
        """Wait until all that was handed over is on the disk; raises what kept it from there."""
        if self.writer:
            self.writer.close()
