"""Training: the precision that suits the hardware, and one `fit` for all recipes."""

import os
import platform
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from unet_tf.checkpoint import Checkpoint, made_of
from unet_tf.files import atomically
from unet_tf.losses import bce_dice_loss
from unet_tf.metrics import hard_dice


def precision_policy():
    """The dtype policy that suits this hardware, and why.

    Returns
    -------
    (policy, reason) : tuple of str
        `mixed_bfloat16` where CPU or GPU computes it in hardware, `mixed_float16` on older
        tensor-core GPUs (Keras then scales the loss by itself), else `float32`.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        name = details.get("device_name", "GPU")
        capability = details.get("compute_capability", (0, 0))
        if capability >= (8, 0):
            return "mixed_bfloat16", f"{name} computes bfloat16"
        if capability >= (7, 0):
            return "mixed_float16", f"{name} has float16 tensor cores"
        return "float32", f"{name} has no tensor cores"
    if cpu_flags() & {"avx512_bf16", "amx_bf16"}:
        return "mixed_bfloat16", "this CPU computes bfloat16"
    return "float32", "this CPU has no bfloat16 instructions"


def cpu_flags():
    """The CPU's instruction sets as Linux names them; empty on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def set_precision(policy="auto"):
    """Set Keras's dtype policy for the models built from now on; prints it.

    Parameters
    ----------
    policy : "auto", "float32", "mixed_bfloat16" or "mixed_float16"

    Returns
    -------
    str
        The policy that was set.
    """
    reason = "as asked"
    if policy == "auto":
        policy, reason = precision_policy()
    keras.config.set_dtype_policy(policy)
    print(f"Precision: {policy} ({reason})")
    return policy


def hardware():
    """One line on the hardware: the GPUs, or the CPU's model and its cores."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [tf.config.experimental.get_device_details(g).get("device_name", "") for g in gpus]
        return ", ".join(names)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"


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
            raise ValueError(f"no {self.monitor!r} to go by: there are {', '.join(logs)}")
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
        raise ValueError(
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
        For many classes `[unet_tf.metrics.mean_iou(num_classes)]`.
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
        damaged, of another training, or further than `epochs` (`unet_tf.checkpoint`).
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
