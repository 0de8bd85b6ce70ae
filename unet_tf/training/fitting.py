"""Training: the precision that suits the hardware, and one `fit` for all recipes."""

from pathlib import Path

import keras
import numpy as np

from unet_tf.files import UserError, atomically
from unet_tf.network import bce_dice_loss, hard_dice
from unet_tf.training.checkpoint import Checkpoint, made_of


class AtEpoch(keras.callbacks.Callback):
    """Tells a data set of `unet_tf.pipeline` which epoch to draw, whatever was looked at before."""

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        if hasattr(self.dataset, "epoch"):
            self.dataset.epoch.assign(epoch)


class BestCheckpoint(keras.callbacks.Callback):
    """Saves the model whenever `monitor` improves; a kill while writing leaves the last one whole.

    `keras.callbacks.ModelCheckpoint` writes in place; this writes beside, then renames.
    """

    def __init__(self, path, monitor, mode):
        super().__init__()
        self.path, self.monitor, self.sign = Path(path), monitor, 1 if mode == "max" else -1
        self.best = -float("inf")

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in logs:
            raise UserError(f"no {self.monitor!r} to go by: there are {', '.join(logs)}")
        value = self.sign * logs[self.monitor]
        if value > self.best:
            self.best = value
            with atomically(self.path, durable=True) as partial:
                self.model.save(partial)


def watchers(monitor="val_hard_dice", patience=5, folder=None, resume=False, settings=None):
    """The callbacks of every training: stop on NaN, stop early and end with the best weights, and,
    given a folder, keep there the best model and all that a resumed training needs."""
    mode = "min" if "loss" in monitor else "max"
    early_stopping = keras.callbacks.EarlyStopping(
        monitor, mode=mode, patience=patience, restore_best_weights=True
    )
    if folder is None:
        return [keras.callbacks.TerminateOnNaN(), early_stopping]
    best = BestCheckpoint(Path(folder) / "best.keras", monitor, mode)
    state = Checkpoint(folder, early_stopping, best, resume, settings)
    return [keras.callbacks.TerminateOnNaN(), early_stopping, best, state]


def refuse_nan(history):
    """Raise ValueError when no epoch's loss was finite: there is no best epoch."""
    if not np.isfinite(history.history["loss"]).any():
        raise UserError(
            "the loss is NaN from the first epoch on: lower the learning rate, or train in float32"
        )


def fit(
    model,
    train,
    validation,
    epochs=20,
    loss=bce_dice_loss,
    optimizer=None,
    metrics=(hard_dice,),
    monitor="val_hard_dice",
    patience=5,
    folder=None,
    resume=False,
    settings=None,
    callbacks=(),
    verbose="auto",
):
    """Compile and train; the model ends with the weights of its best epoch.

    Parameters
    ----------
    model : keras.Model
        Built under the precision policy it is to be trained in (`set_precision`).
    train, validation : tf.data.Dataset
        Of (image, mask), as `unet_tf.pipeline.dataset` gives them.
    epochs : int
        At most so many.
    loss : callable
        The default is cross-entropy + dice of each image. With the default optimizer, and up to
        rates of 3e-3, no run of `experiments/collapse.py` collapsed under it.
    optimizer : keras.optimizers.Optimizer, optional
        Adam with learning rate 1e-4.
    metrics : sequence of Keras metrics
        For many classes `[unet_tf.network.mean_iou(num_classes)]`.
    monitor : str
        What the best epoch and early stopping go by: less is better for a loss, more for all else.
    patience : int
        Epochs without improvement after which training stops.
    folder : path, optional
        Gets `best.keras` (the best epoch), `log.csv` (a row an epoch), and `state.npz`, all that
        a resumed training needs.
    resume : bool
        Go on from the `state.npz` that is in `folder`, if there is one: the end has the same bits
        as without the stop, given the same data and, for order and augmentation, a data set of
        `unet_tf.pipeline.dataset`. More `epochs` than before are welcome.
    settings : dict, optional
        What else makes this training: compared when it is resumed. Else what the data sets of
        `unet_tf.pipeline` say of themselves: files, sizes, order, augmentation.
    callbacks : sequence of keras.callbacks.Callback
        More of them.
    verbose : as in `keras.Model.fit`

    Returns
    -------
    keras.callbacks.History
        `.history` holds loss and hard_dice, val_loss and val_hard_dice by epoch.

    Raises
    ------
    ValueError
        When no epoch's loss was finite, `monitor` is not measured, or what is to be resumed is
        damaged, of another training, or further than `epochs` (`unet_tf.training`).
    """
    model.compile(optimizer or keras.optimizers.Adam(1e-4), loss, metrics=list(metrics))
    settings = settings or made_of(train=train, validation=validation)
    watching = watchers(monitor, patience, folder, resume, settings)
    history = model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        shuffle=False,  # tf.data shuffles; Keras warns otherwise
        callbacks=[AtEpoch(train), *watching, *callbacks],
        verbose=verbose,
    )
    refuse_nan(history)
    return history
