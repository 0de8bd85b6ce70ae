"""One `fit` for all recipes."""

import contextlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from unet_tf.files import UserError, held
from unet_tf.network import JAX, bce_dice_loss, hard_dice
from unet_tf.training.checkpoint import Checkpoint, state_in
from unet_tf.training.devices import divisible, refuse_uneven, share_of
from unet_tf.training.makings import attribute, made_of, settings_of
from unet_tf.training.xla import by_xla, chosen_xla


class AtEpoch(keras.callbacks.Callback):
    """Tells a data set of `unet_tf.pipeline` which epoch to draw, whatever was looked at before."""

    def __init__(self, dataset):
        super().__init__()
        self.number = attribute(dataset, "epoch")

    def on_epoch_begin(self, epoch, logs=None):
        if self.number is not None:
            self.number.assign(epoch)


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's, which ends with the best weights; they stay on the device, where a copy takes
    milliseconds, instead of coming to the computer's memory in each better epoch."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.best_weights is None or self.best_epoch == epoch:
            self.best_weights = [keras.ops.copy(weight) for weight in self.model.weights]

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


def watchers(monitor="val_hard_dice", patience=5, folder=None, **kept):
    """The callbacks of every training: stop on NaN, stop early and end with the best weights, and,
    given a folder, a `Checkpoint` there (`kept`: resume, settings, card, other_code, save_every).
    """
    mode = "min" if "loss" in monitor else "max"
    early_stopping = EarlyStopping(monitor, mode=mode, patience=patience)
    callbacks = [keras.callbacks.TerminateOnNaN(), early_stopping]
    return callbacks if folder is None else [*callbacks, Checkpoint(folder, early_stopping, **kept)]


def make_ready(model, train):
    """Make the variables of optimizer, loss and metrics before the first step, on zeros.

    Made while TensorFlow traces that step, they would have it trace the step twice, which is much
    of the time until a training starts. On JAX Keras makes them itself.
    """
    if JAX:
        return
    spec = getattr(train, "element_spec", ())
    if len(spec) != 2 or not isinstance(spec[1], tf.TensorSpec) or spec[1].shape.rank is None:
        return
    if tf.distribute.has_strategy() or model.distribute_strategy != tf.distribute.get_strategy():
        return  # for several devices Keras makes them itself
    model.optimizer.build(model.trainable_variables)
    *places, channels = (size or 8 for size in spec[1].shape)
    truth = keras.ops.zeros([*places, channels], spec[1].dtype)
    answer = keras.ops.zeros([*places, model.output_shape[-1]], model.outputs[0].dtype)
    model.compute_loss(None, truth, answer)
    model.compute_metrics(None, truth, answer)


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
    card=None,
    other_code=False,
    save_every=1,
    xla="auto",
):
    """Compile and train; the model ends with the weights of its best epoch.

    Parameters
    ----------
    model : keras.Model
        Built under the precision policy it is to be trained in (`set_precision`).
    train, validation : tf.data.Dataset
        Of (image, mask), as `unet_tf.pipeline.dataset` gives them. On several devices of JAX the
        batches of `train` have to divide among them; validation's images are repeated until its
        batches do, too.
    epochs : int
        At most so many.
    loss : callable
        Cross-entropy + dice of each image: with Adam and up to rates of 3e-3, no run of
        `experiments/collapse.py` collapsed under it.
    optimizer : keras.optimizers.Optimizer, optional
        Adam with learning rate 1e-4.
    metrics : sequence of Keras metrics
        For many classes `[unet_tf.network.mean_iou(num_classes)]`.
    monitor : str
        What the best epoch and early stopping go by: less is better for a loss, more for all else.
    patience : int
        Epochs without improvement after which training stops.
    folder : path, optional
        Gets `best.keras` (the best epoch), `log.csv` (a row an epoch), and `state.npz`, all else
        that a resumed training needs; a new training removes those of an earlier one. Held
        meanwhile.
    resume : bool
        Go on from the `state.npz` in `folder`, if there is one, with as many `epochs` as before or
        more: the end has the bits of a training without a stop, given data of `unet_tf.pipeline`.
    settings : dict, optional
        What else makes this training, ready for JSON: compared when it is resumed; `code`, a hash,
        as a version. Else what the data sets of `unet_tf.pipeline` say of themselves.
    callbacks, verbose : as in `keras.Model.fit`
    card : unet_tf.data.Card, optional
        Written into `best.keras`.
    other_code : bool
        Resume also by other code or versions than before.
    save_every : int
        Write into `folder` after each so many epochs, and at the end: more where the disk is slow,
        for a kill then loses as many.
    xla : "auto" or bool
        Compile the step by XLA (`unet_tf.training.chosen_xla`). What is resumed goes on as it was.

    Returns
    -------
    keras.callbacks.History
        `.history` holds loss and hard_dice, val_loss and val_hard_dice by epoch; given a folder,
        `.resumed_with` the `epoch` behind which other code or versions went on, and what `differs`.
        `.xla` says whether XLA compiled the step.

    Raises
    ------
    UserError
        When no epoch's loss was finite, `monitor` is not measured, another process writes into the
        folder, a batch does not divide among the devices of JAX, or what is to be resumed is
        damaged, of another training, or further than `epochs`.
    """
    refuse_uneven(train)
    judged = divisible(validation)
    optimizer = optimizer or keras.optimizers.Adam(1e-4)
    # On TensorFlow see `by_xla`, which leaves the last, shorter batch to the plain graph.
    model.compile(optimizer, loss, metrics=list(metrics), jit_compile=JAX)
    if not settings:
        settings = {"train": made_of(train), "validation": made_of(validation)}
        unknown = [f"the {name} data" for name, made in settings.items() if made is None]
        if folder and unknown:
            print(f"Not of unet_tf.pipeline, so not compared when resumed: {', '.join(unknown)}")
    settings = {**settings, "metrics": [settings_of(metric) for metric in metrics]}
    if xla == "auto" and not JAX and resume and folder and (Path(folder) / "state.npz").exists():
        xla = state_in(folder)[0]["settings"].get("xla", False)
    several = not JAX and model.distribute_strategy.num_replicas_in_sync > 1
    if (xla := chosen_xla(model, epochs * int(train.cardinality()), xla, several)) and not JAX:
        model.train_function = by_xla(model.train_step)
        model.test_function = by_xla(model.test_step)
        settings["xla"] = True
    kept = {"resume": resume, "settings": settings, "card": card, "other_code": other_code}
    kept["save_every"] = save_every
    watching = watchers(monitor, patience, folder, **kept)
    make_ready(model, train)
    with contextlib.ExitStack() as stack:
        if folder:
            stack.enter_context(held(folder, again=True))
            stack.callback(watching[-1].close)
        history = model.fit(
            share_of(train),
            validation_data=share_of(judged),
            epochs=epochs,
            shuffle=False,  # tf.data shuffles; Keras warns otherwise
            callbacks=[AtEpoch(train), *watching, *callbacks],
            verbose=verbose,
        )
    if not np.isfinite(history.history["loss"]).any():  # there is no best epoch
        raise UserError(
            "the loss is NaN from the first epoch on: lower the learning rate, or train in float32"
        )
    history.xla = xla
    return history
