# %% [markdown]
# # 06 · Training that can be stopped, watched and compared
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/06_training.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/06_training.ipynb)
#
# **You will**
#
# - train the guide's batch-norm U-Net on pairs augmented by one geometry;
# - stop a training by force, resume it, and see that the two curves are one, to the bit;
# - compare precision policies, and track two runs with MLflow and compare them in a table and a plot.
#
# **You need** no data and no account: a car studio is rendered where Carvana is not at hand. About a minute and a
# half on 2 CPU cores; on a GPU: not measured. MLflow is installed below where it is missing.
#
# Network, augmentation, checkpoints and tracking are those of *End-to-End Guide for Image Segmentation* (Deepak
# Kolaparthi, AiEnsured), which is written in PyTorch and publishes no score.

# %% [markdown]
# ## Setup

# %%
import sys
from pathlib import Path

sys.path.append("..")
for depth in range(1, 5):  # on Kaggle with Internet off: the project attached as a data set
    attached = Path("/kaggle/input").glob("*/" * depth + "unet_tf/__init__.py")
    sys.path += [str(path.parent.parent) for path in attached]
try:
    import unet_tf
except ModuleNotFoundError:  # Colab, and Kaggle with Internet on
    # %pip install -q --no-deps git+https://github.com/OWNER/unet_tf
    import unet_tf

# %%
import inspect
import json
import math
import os
import shutil
import subprocess
import time
from collections import Counter
from glob import glob

os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # leaves room on a GPU for a second process

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops

from unet_tf import data, network, pipeline, plot, protocol
from unet_tf.network import hard_dice
from unet_tf.pipeline import augment
from unet_tf.rendered import is_rendered
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# On two CPU cores you train a U-Net of three levels at a quarter of the guide's pixels; with a GPU, a T4 or better,
# set `FULL` to `True` for the guide's own filters and size. Every training here takes a part of the images and a few
# epochs.

# %%
FULL = False  # True: the guide's filters and size, for a GPU
SMALL = {"filters": (8, 16, 32), "image_size": (80, 120), "batch_size": 8, "learning_rate": 2e-3}
SETTINGS = {"images": 1000, "epochs": 5} if FULL else {"images": 160, "epochs": 5, **SMALL}
kind = "rendered" if is_rendered(folder) else "photographed"
print(f"{kind} cars, settings: {SETTINGS}")

# %% [markdown]
# Precision follows the hardware (notebook 04), so the next line depends on yours.

# %% tags=["nbval-ignore-output"]
policy = set_precision()

# %% [markdown]
# ## The guide's U-Net
#
# It is the network of notebook 05 with four differences, and each is a switch of `models.unet`. Look for them: no
# dropout, batch norm in every block, transposed convolutions of 2x2, no last 3x3 convolution.


# %% tags=["lifted"]
def guide_unet(input_shape, filters):
    """The guide's U-Net: batch norm, 2x2 transposed convolutions, no dropout."""
    return network.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="transposed_2x2",
        final_conv=False,
    )


# %% [markdown]
# Count. In PyTorch the guide's model has 31,037,633 parameters. Keras counts more: of what batch norm keeps, PyTorch
# calls a part *buffers*, and leaves it out.

# %%
full = guide_unet((160, 240, 3), (64, 128, 256, 512, 1024))
trained = sum(math.prod(weight.shape) for weight in full.trainable_weights)
print(f"{trained:,} parameters are trained")
print(f"{full.count_params() - trained:,} are not: moving means and variances")

# %% [markdown]
# ### Batch norm by hand
#
# While training, batch norm takes each channel of a batch, subtracts its mean and divides by its deviation. Take one
# channel with the values 1 and 5: mean 3, deviation 2. Look for -1 and 1. On the way it remembers mean and variance:
# here nine tenths of the old ones, which were 0 and 1, and a tenth of the new ones. Look for 0.3 and 1.3.

# %%
norm = layers.BatchNormalization(momentum=0.9, epsilon=0.0, dtype="float32")
batch = np.array([[1.0], [5.0]], "float32")
print("training:  ", [f"{value:.4f}" for value in norm(batch, training=True).numpy()[:, 0]])
print(f"remembered: mean {norm.moving_mean[0]:.4f}, variance {norm.moving_variance[0]:.4f}")
print("predicting:", [f"{value:.4f}" for value in norm(batch, training=False).numpy()[:, 0]])

# %% [markdown]
# When predicting, the remembered statistics take the batch's place, so that an image gets the same mask in whatever
# company it comes: (1 - 0.3) / √1.3 = 0.6139. They belong to the model as much as its weights do.
#
# A bias in front of it is useless: it is subtracted again with the mean. Add 100 to both values.

# %%
without, with_bias = norm(batch, training=True), norm(batch + 100, training=True)
print("the same with a bias of 100:", np.array_equal(without, with_bias))
threes = [layer for layer in full.layers if getattr(layer, "kernel_size", None) == (3, 3)]
print(f"3x3 convolutions with a bias: {sum(layer.use_bias for layer in threes)} of {len(threes)}")

# %% [markdown]
# ### How fast it remembers
#
# PyTorch's layer, the guide's, keeps 0.9 of the old statistics at each step unless told otherwise; Keras's keeps
# 0.99. How much of the start, mean 0 and variance 1, is then left after 12, 60 and 600 steps?

# %%
for momentum in (layers.BatchNormalization().momentum, 0.9):
    left = [f"{momentum**steps:6.1%} after {steps}" for steps in (12, 60, 600)]
    print(f"momentum {momentum:.2f}:", ", ".join(left))

# %% [markdown]
# Your small training below has 60 steps: 5 epochs of 12. With 0.99 it would end with more than half of the start
# still in the statistics that it predicts by, and the validation dice would lag behind the training dice for no fault
# of the network. So the module's `conv_block` takes 0.9, and PyTorch's epsilon, 1e-05, with it.

# %%
norms = [layer for layer in full.layers if isinstance(layer, layers.BatchNormalization)]
print(f"{len(norms)} layers:", {(layer.momentum, layer.epsilon) for layer in norms})
del full

# %% [markdown]
# ### Logits and a sigmoid
#
# The guide's network ends with *logits*, numbers of any size, and its loss takes those. Ours ends with a sigmoid, so
# that what is saved gives probabilities. Is something lost? Take a pixel that is no car, and is called car with a
# logit of 20: its cross-entropy is 20. Give Keras the sigmoid's output as it is, then as a bare number.

# %%
probability = layers.Activation("sigmoid", dtype="float32")(tf.constant([[20.0]]))
no_car = np.zeros((1, 1), "float32")
for value in (probability, probability.numpy()):
    loss = keras.losses.binary_crossentropy(no_car, value)
    print(f"{type(value).__name__:11}: {float(loss[0]):.4f}")

# %% [markdown]
# Keras finds the logits behind a sigmoid's output and computes with them. The bare number is rounded to 1, and the
# cross-entropy of 1 would be infinite; it is cut off at 15.9.
#
# ## One geometry for image and mask
#
# The guide augments its pairs rightly: image and mask by one geometry, as `augment` of notebook 02 does. By how much
# is another matter. It turns every image by up to 35 degrees and stands every tenth car on its roof, while Carvana's
# cars stand upright on a turntable, in front of a camera that does not move. Compare the first two rows; then look
# for the amber corners of the third.

# %%
first = pipeline.decoded(data.pair(folder)[3:4], (160, 240)).batch(1).map(pipeline.to_float)
four = [tf.repeat(part, 4, axis=0) for part in next(iter(first))]
ROWS = {
    "as written": protocol.GUIDE_AUGMENTATION,
    "corrected": {},
    "outside=255": {"rotation": 0.05, "shift": 0.1, "outside": 255},
}
figure, axes = plt.subplots(3, 4, figsize=(5.2, 2.8), layout="constrained")
for row, (name, amounts) in zip(axes, ROWS.items(), strict=True):
    images, masks = (part.numpy() for part in augment(*four, seed=(0, 4), **amounts))
    for axis, pixels, labels in zip(row, images, masks, strict=True):
        shown = plot.overlay(pixels, labels == 1, labels == 1)
        shown[labels[..., 0] == 255] = (0.95, 0.7, 0.2)
        axis.imshow(shown)
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, fontsize=8)
plt.show()
print(f"as written: {protocol.GUIDE_AUGMENTATION}")
print(f"labels in the last row: {np.unique(masks)}")

# %% [markdown]
# One car, four draws a row. In the first row the green mask follows the car wherever it is thrown, but no image that
# you will predict looks so. In the second, the corrected recipe's, it stays on its wheels. What moves in over the
# edge is the image mirrored there; with `outside=255` it is black, and its label is 255, *void*, shown in amber: a
# loss or a score that knows void leaves these pixels out.
#
# Each epoch draws afresh, and still its draws follow from two numbers, the seed and the epoch's. Draw epoch 3 twice,
# then epoch 4.

# %%
stream, drawn = pipeline.dataset(data.pair(folder)[:4], (80, 120), augment=True, shuffle=True), []
for epoch in (3, 3, 4):
    stream.epoch.assign(epoch)
    drawn.append(next(iter(stream))[0].numpy())
print("epoch 3 again, the same bits:", np.array_equal(drawn[0], drawn[1]))
print("epoch 4, the same bits:", np.array_equal(drawn[0], drawn[2]))

# %% [markdown]
# ## Settings by name
#
# A *recipe* holds all that makes a published training. `recipes.get` hands one out, with other settings where you
# name them; `recipes.quick` makes one small, `recipes.changed` changes any. The last one here is yours.

# %%
guide = protocol.get("guide_unet")
small = protocol.changed(protocol.quick(guide), images=96)
recipe = protocol.get("guide_unet", **SETTINGS)
for one in (guide, small, recipe):
    print(f"{one.filters}, {one.images} images, learning rate {one.learning_rate:.4f}")

# %% [markdown]
# A name that does not exist, and a value that makes no sense, are refused before anything is trained.

# %%
for wrong in ({"learning_rat": 1e-3}, {"patience": 0}, {"augment": {"tilt": 0.1}}):
    try:
        protocol.get("guide_unet", **wrong)
    except ValueError as error:
        print(error)

# %% [markdown]
# ## What a training is made of
#
# Weights alone are not a training. Adam, for one, remembers the gradients of earlier steps: two *moments* for each
# weight, and a step counter. Take one weight and three gradients of 1; each moves it by 0.1, from 1 to 0.7. Then
# comes a gradient of -1, once for the optimizer that has seen the three, once for one rebuilt beside the saved
# weight.


# %%
def moved(weight, optimizer, gradients):
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], [weight])
    return f"{float(weight.value):.4f}"


weight, kept = keras.Variable(1.0), keras.optimizers.Adam(0.1)
print("after three steps:   ", moved(weight, kept, [1.0, 1.0, 1.0]))
saved = keras.Variable(weight.numpy())
print("optimizer kept:      ", moved(weight, kept, [-1.0]))
print("only the weight kept:", moved(saved, keras.optimizers.Adam(0.1), [-1.0]))

# %% [markdown]
# One still goes down, the other up: with a fresh optimizer it is another training. What it takes to go on:
#
# - the weights, and batch norm's moving statistics;
# - the optimizer: moments, step counter, with float16 the loss scale;
# - the state of dropout's random numbers, where there is dropout;
# - the epoch's number, from which order and augmentation follow;
# - early stopping's patience and best value, the best weights, and the history so far.
#
# `fit(..., folder=...)` writes it after each epoch, in a thread beside the training: the best model, without its
# optimizer, as `best.keras`, a row of `log.csv` to read, all the rest as `state.npz`. With `resume=True` it goes on
# from there; where nothing lies yet it starts, so that one command does both. (The guide's loads a checkpoint that
# its first run does not have.) This is a whole training:


# %%
def training(recipe, folder, to, resume=False, callbacks=()):
    """A recipe's training, in the folder `to`: the model and its history."""
    tf.config.experimental.enable_op_determinism()  # a GPU's sums, too, in one order
    keras.utils.set_random_seed(0)
    pairs = data.pair(folder)[: recipe.images]
    parts = data.split(pairs, recipe.split_by, recipe.validation_size, recipe.test_size)
    how = {"image_size": recipe.image_size, "batch_size": recipe.batch_size, "cache": "memory"}
    batches = pipeline.dataset(parts.train, shuffle=True, augment=recipe.augment, **how)
    model = recipe.build((*recipe.image_size, 3), recipe.filters)
    history = fit(
        model,
        batches,
        pipeline.dataset(parts.validation, **how),
        epochs=recipe.epochs,
        loss=recipe.loss,
        optimizer=keras.optimizers.Adam(recipe.learning_rate, epsilon=recipe.epsilon),
        patience=recipe.patience,
        folder=to,
        resume=resume,
        callbacks=callbacks,
        verbose=0,
    )
    return model, history.history


# %% [markdown]
# ## Stopped by force
#
# Now the accident. A second process trains the same recipe and is killed in the middle of its third epoch, by signal
# 9: no program can catch it, so nothing is tidied up. The process sends it to itself after so many steps, so that the
# moment is the same on every machine.


# %%
def killed_after(steps):
    """A callback that ends its own process after so many steps, as kill -9 does."""
    done = []

    def count(batch, logs):
        done.append(batch)
        if len(done) == steps:
            os.kill(os.getpid(), 9)

    return keras.callbacks.LambdaCallback(on_train_batch_end=count)


# %% [markdown]
# The process gets the two functions as text. Look for its end, and for what it has left behind.

# %%
pairs = data.pair(folder)[: recipe.images]
in_training = len(data.split(pairs, "group", recipe.validation_size, recipe.test_size).train)
steps = math.ceil(in_training / recipe.batch_size)  # an epoch
script = f"""
import os, keras, tensorflow as tf
from unet_tf import data, pipeline, protocol
from unet_tf.training import fit, set_precision
{inspect.getsource(training)}
{inspect.getsource(killed_after)}
set_precision({policy!r})
recipe = protocol.get("guide_unet", **{SETTINGS!r})
death = killed_after({2 * steps + steps // 2})
training(recipe, {str(folder)!r}, "runs/stopped", resume=True, callbacks=[death])
"""
shutil.rmtree("runs/stopped", ignore_errors=True)
environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
command = [sys.executable, "-c", script]
child = subprocess.run(command, env=environment, capture_output=True, text=True)
killed = abs(child.returncode) == 9
print(f"{steps} steps an epoch; killed by signal 9:", killed)
print(sorted(glob("*", root_dir="runs/stopped")) if killed else child.stderr[-2000:])

# %% [markdown]
# Open `state.npz`. Look for the epochs that are done, and, in the small model, for 74 = 2 x 36 + 2: two moments for
# each array that is trained, the step counter and the learning rate.


# %%
def contents(to):
    """What a checkpoint holds: the state, and all arrays by name."""
    with np.load(Path(to) / "state.npz") as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("state"))), arrays


state, arrays = contents("runs/stopped")
print(f"{state['epoch']} epochs are done; kept: {', '.join(state)}")
print("early stopping:", ", ".join(state["early_stopping"]))
trained = len(recipe.build((*recipe.image_size, 3), recipe.filters).trainable_weights)
print("arrays:", Counter(name.partition("_")[0] for name in arrays), f"trained: {trained}")
seeds = [v for v in network.unet(filters=(2, 4)).variables if "seed" in v.path]
print(f"the U-Net of notebook 05 has {len(seeds)} more, the state of its two dropouts")

# %% [markdown]
# The half epoch is lost, the two before it are not. Resume, in this process; then train once more without any stop,
# to compare.

# %%
resumed, history = training(recipe, folder, "runs/stopped", resume=True)
shutil.rmtree("runs/whole", ignore_errors=True)
whole, whole_history = training(recipe, folder, "runs/whole")

# %% [markdown]
# *The same* is meant strictly here, to the last bit: the history, the weights of the best epoch with which both models
# end, and every array after the last epoch, the optimizer's among them.

# %%
last, whole_last = contents("runs/stopped")[1], contents("runs/whole")[1]
weights = zip(resumed.get_weights(), whole.get_weights(), strict=True)
print("the same history:", history == whole_history)
print("the same weights:", all(np.array_equal(*both) for both in weights))
print("the same state:  ", all(np.array_equal(last[name], whole_last[name]) for name in whole_last))

# %% [markdown]
# See it: the stopped part in red, the resumed one in green, on top of the uninterrupted one in grey.

# %%
figure, axes = plt.subplots(1, 2, figsize=(5.8, 2.6), layout="constrained")
epochs, done = np.arange(1, len(history["loss"]) + 1), state["epoch"]
for axis, name in zip(axes, ("loss", "val_hard_dice"), strict=True):
    axis.plot(epochs, whole_history[name], color="0.8", lw=7, label="never stopped")
    axis.plot(epochs[:done], state["history"][name], "o-", color=plot.MISSED, label="stopped")
    axis.plot(epochs[done:], history[name][done:], "o-", color=plot.TRUTH, label="resumed")
    axis.set(xlabel="epoch", title=name.replace("_", " "), xticks=epochs)
axes[0].legend(fontsize=8)
figure.suptitle(f"guide_unet, {kind} cars", fontsize=10)
plt.show()

# %% [markdown]
# The dots lie on the grey line. One kill proves little: `experiments/kill_and_resume.py` kills a training with
# dropout 20 times at random moments, and compares every bit.
#
# To go on under another setting would be neither the old training nor a new one. It is refused, and you are told what
# differs.

# %%
try:
    training(protocol.changed(recipe, patience=2), folder, "runs/stopped", resume=True)
except ValueError as error:
    print(error)

# %% [markdown]
# On Colab a session ends when you least want it, and takes its disk with it. Put the folder on Drive, with
# `resume=True`, and after a loss run the same notebook again:
#
# ```python
# from google.colab import drive
#
# drive.mount("/content/drive")
# model, history = training(recipe, folder, "/content/drive/MyDrive/guide", resume=True)
# ```
#
# The command line does the same on your own machine:
#
# ```
# python -m unet_tf train --recipe guide_unet --to runs/guide --resume
# ```
#
# ## Precision
#
# The guide trains in *mixed precision*: it computes in 16 bits and keeps the weights in 32. Which 16? `float16`
# spends them on digits, `bfloat16` on range. Look at 256 + 1, at 70,000, and at a gradient of 1e-08. The last line
# then multiplies that gradient by a *loss scale* before it becomes a `float16`, and divides it again afterwards.

# %%
for dtype in ("float32", "bfloat16", "float16"):
    total, large, tiny = (ops.cast(256, dtype) + 1, *ops.cast([70000.0, 1e-8], dtype))
    print(f"{dtype:8}: {float(total):.0f}, {float(large):.0f}, {float(tiny):.0e}")
scale = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()).initial_scale
scaled = ops.cast(1e-8 * scale, "float16")
print(f"scaled by {scale:.0f}: {float(scaled):.1e}, and back: {float(scaled) / scale:.1e}")

# %% [markdown]
# `bfloat16` cannot count to 257: sums and weights stay in `float32`. `float16` has no 70,000, and the small gradient
# is gone, unless the loss is multiplied before its gradients are computed. Keras does so by itself under
# `mixed_float16`.
#
# Now time it: the same steps on one batch, in `float32` and in your machine's policy, with four times the filters, so
# that there is something to compute.


# %%
def timed(policy, images, masks, steps=4):
    """Milliseconds a training step under a policy, and the dice of the batch after so many."""
    set_precision(policy)
    keras.utils.set_random_seed(0)
    model = guide_unet(images.shape[1:], [4 * width for width in SMALL["filters"]])
    model.compile(keras.optimizers.Adam(1e-3), recipe.loss)
    model.train_on_batch(images, masks)  # builds the graph, which is not timed
    start = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(images, masks)
    milliseconds = 1000 * (time.perf_counter() - start) / steps
    return milliseconds, float(ops.mean(hard_dice(masks, model(images, training=True))))


# %% tags=["nbval-ignore-output"]
batch = next(iter(pipeline.dataset(pairs, (80, 120), 8)))
measured = {name: timed(name, *batch) for name in dict.fromkeys(["float32", policy])}
for name, (milliseconds, dice) in measured.items():
    print(f"{name}: {milliseconds:.0f} ms a step, dice {dice:.4f} on this batch ({kind})")
policy = set_precision(policy)

# %%
dices = [dice for _, dice in measured.values()]
print("finite:", bool(np.isfinite(dices).all()))
print("within 0.2 of each other:", max(dices) - min(dices) < 0.2)

# %% [markdown]
# The times are your machine's, and the dices stay close.
#
# ## Tracking two runs
#
# A curve in a notebook is gone with the notebook. [MLflow](https://mlflow.org) keeps each training as a *run*:
# settings, curves, scores, files and the model. Its store here is one file of a database; you say where the runs'
# files go, and set the runs of an earlier time aside. (With Internet off, Kaggle has no MLflow, and this chapter ends
# here.)

# %%
os.environ |= {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # else MLflow's makers are told of its use
keras.config.disable_interactive_logging()  # no progress bars where MLflow predicts
try:
    import mlflow
except ModuleNotFoundError:  # Colab and Kaggle
    # %pip install -q mlflow
    import mlflow

STORE = "sqlite:///runs/mlflow.db"
mlflow.set_tracking_uri(STORE)
client = mlflow.MlflowClient()


def fresh(name):
    """The id of an experiment without runs."""
    if (found := client.get_experiment_by_name(name)) is None:
        return client.create_experiment(name, artifact_location="runs/mlflow_files")
    for run in client.search_runs([found.experiment_id]):
        client.delete_run(run.info.run_id)
    return found.experiment_id


experiment = fresh("unet_tf")

# %% [markdown]
# `runs.run` carries a recipe out: `training` from above, then the scores of notebook 03 on test cars, pictures and a
# record. With `mlflow=` it is tracked: after each epoch the new row of `log.csv` is copied to the store, at the end
# all the rest. Track the guide's augmentation as written and as corrected.

# %% tags=["nbval-ignore-output"]
from unet_tf import protocol

for variant in ("as written", "corrected"):
    tracked = protocol.get("guide_unet", variant, **SETTINGS)
    to = f"runs/{tracked.slug}"
    shutil.rmtree(to, ignore_errors=True)
    protocol.run(tracked, folder, seed=0, to=to, precision=policy, verbose=0, mlflow=STORE)

# %% [markdown]
# Compare them from code. `search_runs` gives a table with a row for each run and a column for each setting and score.
# Here are some; `test_dice` is hard, per image, at original size, and the baseline is the constant one of notebook
# 03.

# %% tags=["nbval-ignore-output"]
found = mlflow.search_runs([experiment], order_by=["params.variant"])
names = ["params.variant", "params.data", "metrics.test_dice", "metrics.test_baseline"]
found[names].round(4)

# %% [markdown]
# What makes them different? Ask for all settings that are not equal. Look for the augmentation, and for nothing else
# besides the variant's name.

# %%
print([*found["tags.mlflow.runName"]], [*found["status"]])
params = found.filter(like="params.").fillna("none")
for name in sorted(params.columns[params.nunique() > 1]):
    print(name.removeprefix("params."), [*params[name]])

# %% [markdown]
# Then the curves, each metric's history as it was logged.

# %%
figure, axes = plt.subplots(1, 2, figsize=(5.8, 2.6), layout="constrained")
colours = {"as written": plot.MISSED, "corrected": plot.TRUTH}
for axis, name in zip(axes, ("hard_dice", "val_hard_dice"), strict=True):
    for run_id, variant in zip(found["run_id"], found["params.variant"], strict=True):
        points = sorted(client.get_metric_history(run_id, name), key=lambda point: point.step)
        values = [point.value for point in points]
        axis.plot(epochs, values, "o-", ms=3, color=colours[variant], label=variant)
    axis.set(xlabel="epoch", title=name.replace("_", " "), ylim=(0, 1.02), xticks=epochs)
axes[0].legend(fontsize=8)
figure.suptitle(f"guide_unet, augmentation, one seed, {kind} cars", fontsize=10)
plt.show()

# %% [markdown]
# Red is the guide's augmentation, green the corrected one. The curves are scored at the network's size, on 2
# validation cars; the table's dice at the images' own size, on 2 other cars. Two cars are few: one that is hard to
# see moves their mean a lot. So the table may lie far below the curves, and rank the two variants the other way
# round. One run of each decides nothing: notebook 10 compares over seeds, with intervals.
#
# ### The model comes back
#
# Each run has its model, under `runs:/ID/model`. Load it as a Keras model and as *pyfunc*, MLflow's form for every
# framework, and predict with both.

# %%
address = f"runs:/{found['run_id'].iloc[-1]}/model"
best = keras.saving.load_model("runs/guide_unet-corrected/best.keras")
images = next(iter(pipeline.dataset(pairs[:2], best.input_shape[1:3])))[0].numpy()
expected = best.predict(images)
for flavor in (mlflow.keras, mlflow.pyfunc):
    again = flavor.load_model(address).predict(images)
    print(f"{flavor.__name__}: the same bits as best.keras:", np.array_equal(again, expected))

# %% [markdown]
# ### A line that tracks any `fit`
#
# `mlflow.keras.autolog()` tracks a `fit` that knows nothing of MLflow. It hooks into `fit` itself: a training by
# steps of your own, as the guide's is in PyTorch, leaves no run. Look for 0 runs, then 1.
# (`mlflow.tensorflow.autolog()` wants tensorboard, which TensorFlow 2.21 no longer brings.)

# %%
mlflow.set_experiment(experiment_id=fresh("autolog"))
mlflow.keras.autolog(log_models=False)
tiny = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
tiny.compile("sgd", "mse")
numbers = np.ones((16, 4)), np.ones((16, 1))
for trained_by in (tiny.train_on_batch, tiny.fit):
    trained_by(*numbers)
    logged = mlflow.search_runs(experiment_names=["autolog"])
    print(f"{trained_by.__name__}: {len(logged)} runs, epochs {[*logged.get('params.epochs', [])]}")
mlflow.keras.autolog(disable=True)

# %% [markdown]
# ### The pages
#
# Tables, curves and pictures side by side, in the browser, on `http://127.0.0.1:5000`:
#
# ```
# python -m unet_tf ui --store sqlite:///runs/mlflow.db
# ```
#
# On Colab and Kaggle you cannot open that address: the server runs on their machine. `--tunnel` opens the pages on a
# public one through
# [ngrok](https://ngrok.com) (`pip install pyngrok`): whoever knows it sees all your runs. Its token comes from
# `NGROK_AUTHTOKEN` in the environment, or from the platform's secrets under that name. The guide pastes its token
# into a cell, and shares it with every reader of the notebook.

# %% [markdown]
# ## What we saw
#
# - The guide's U-Net, with 31,037,633 trained parameters at full size, was trained in small on pairs that one geometry
#   had moved; batch norm's moving statistics came on top.
# - A training was killed in the middle of an epoch, was resumed, and ended with the bits of one that was never stopped.
# - The dice under two precision policies stayed close; two runs were tracked, compared in a table and a plot, and one
#   gave its model back to the bit.
#
# ## Exercises
#
# Answers: [solutions](solutions.ipynb).
#
# 1. How many parameters more would the guide's full U-Net train if the convolutions before batch norm had a bias?
#    *5,888, all of them useless.*
# 2. After how many steps is less than a hundredth of the moving statistics' start left, with a momentum of 0.99 and
#    of 0.9? *459 and 44.*
# 3. Which is the first whole number that `bfloat16` cannot hold, and `float16`? *257 and 2,049: one more
#    than 2 to the power of their digits, 8 and 11.*
#
# Next: [07 · Prediction and scores](07_prediction.ipynb).
