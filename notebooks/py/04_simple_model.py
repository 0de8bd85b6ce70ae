# %% [markdown]
# # 04 · The simple model
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/04_simple_model.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/04_simple_model.ipynb)
#
# **You will**
#
# - build a fully convolutional network that finds cars, from strided and transposed convolutions;
# - train it with a loss that does not collapse, and watch one that does;
# - score its masks at the images' own size, beside a baseline that never looks at an image.
#
# **You need** no data and no account: a car studio is rendered where Carvana is not at hand. About a
# minute on 2 CPU cores; on a GPU: not measured.
#
# The model is the first of "Image Segmentation: An In-Depth Guide" (Ed Izaguirre, 2023), published
# with a dice of 0.8788 on Carvana. That dice is soft, pooled and at 96x128 (notebook 03 shows what
# that means), so it is not the number that you print below.

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
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops

from unet_tf import data, pipeline, plot, scores
from unet_tf.data import resized_back
from unet_tf.files import atomically
from unet_tf.network import bce_dice_loss, hard_dice, pooled_dice_loss
from unet_tf.rendered import is_rendered

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# The article trains on a P100 for 20 minutes. On two CPU cores you train a quarter of its filters on
# a third of its images; with a GPU, a T4 or better, set `FULL` to `True`.

# %%
FULL = False  # True: the article's size, for a GPU
FILTERS, IMAGES, EPOCHS, BATCH = (
    ((64, 128, 256), 1000, 20, 32) if FULL else ((16, 32, 64), 320, 8, 16)
)
LEARNING_RATE = 3e-4 if FULL else 1e-3  # few steps need longer ones
print(f"{FILTERS} filters, {IMAGES} images, {EPOCHS} epochs, batches of {BATCH}")

# %% [markdown]
# ## Precision by itself
#
# A network trains in less time where the hardware multiplies 16-bit numbers by itself. `bfloat16` has
# the range of `float32` and needs nothing else; `float16`, on older GPUs, needs its loss scaled, which
# Keras does. `precision_policy` looks and says why.


# %% tags=["lifted"]
def cpu_flags():
    """The CPU's instruction sets as Linux names them; empty on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def precision_policy():
    """The dtype policy that suits this hardware, and why."""
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


# %% tags=["lifted"]
def set_precision(policy="auto"):
    """Set Keras's dtype policy for the models built from now on; prints it."""
    reason = "as asked"
    if policy == "auto":
        policy, reason = precision_policy()
    keras.config.set_dtype_policy(policy)
    print(f"Precision: {policy} ({reason})")
    return policy


# %% [markdown]
# The next line depends on your hardware. A *mixed* policy computes in 16 bits and keeps the weights,
# the model's last layer and every sum of the loss in 32.

# %% tags=["nbval-ignore-output"]
policy = set_precision()

# %% [markdown]
# ## Down and up again
#
# A segmentation network must see a whole car to know that a pixel belongs to it, so it makes the image
# smaller and smaller; then it must say so for each pixel, so it makes the result large again.
# Work both steps by hand on a 4x4 array first. A convolution with *stride 2* moves two pixels at a
# time: of 4x4 values 2x2 remain. With a kernel of ones each of them is a sum of 3x3 neighbours. Look for
# 45: that is 0 + 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10.

# %%
small = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
down = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones", dtype="float32")
print(small[0, ..., 0])
print(down(small).numpy()[0, ..., 0])

# %% [markdown]
# The other way, a *transposed* convolution lays its kernel down once for every input value, two pixels
# apart, and adds up where kernels overlap. With 3x3 ones they overlap in every second row and column:
# look for 10 = 1 + 2 + 3 + 4 in the middle.

# %%
tiny = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
up = layers.Conv2DTranspose(
    1, 3, strides=2, padding="same", kernel_initializer="ones", dtype="float32"
)
print(up(tiny).numpy()[0, ..., 0])

# %% [markdown]
# The 1, 3, 4 and 10 side by side are what the checkerboard patterns of transposed convolutions come
# from. A trained kernel learns to even them out.
#
# ## Any input size
#
# Three strides of 2 divide the size by 8. 96x128 divides; 31x47 does not, and the way back would end at
# 32x48. So the model pads with zeros below and on the right, and crops its output. Two small layers do
# it, registered with Keras so that a saved model loads again.


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
class PadToMultiple(layers.Layer):
    """Zeros below and on the right, up to the next multiple of `multiple`."""

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, images):
        height, width = ops.shape(images)[1:3]
        return ops.pad(
            images, [[0, 0], [0, -height % self.multiple], [0, -width % self.multiple], [0, 0]]
        )

    def compute_output_shape(self, input_shape):
        padded = [None if n is None else n + -n % self.multiple for n in input_shape[1:3]]
        return (input_shape[0], *padded, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


# %% tags=["lifted"]
@keras.saving.register_keras_serializable("unet_tf")
class CropLike(layers.Layer):
    """The top left corner of the first tensor, as high and wide as the second."""

    def call(self, outputs, images):
        height, width = ops.shape(images)[1:3]
        return outputs[:, :height, :width, :]

    def compute_output_shape(self, outputs_shape, images_shape):
        return (*images_shape[:3], outputs_shape[3])


def with_padding(images, multiple, network):
    """`network(images)`, padded to a multiple and cropped back where the size asks for it."""
    if all(size is not None and size % multiple == 0 for size in images.shape[1:3]):
        return network(images)
    return CropLike(name="crop")(network(PadToMultiple(multiple, name="pad")(images)), images)


# %% [markdown]
# `-height % multiple` is what is missing to the next multiple: look for 4 + 4 = 8, and for 8 left alone.

# %%
print([(size, -size % 8) for size in (4, 8, 31, 47)])
print(PadToMultiple(8)(small).shape, CropLike()(PadToMultiple(8)(small), small).shape)

# %% [markdown]
# ## The network
#
# Each level has two 3x3 convolutions, the first with stride 2. The way up mirrors it. `relu` throws
# half of the values away, and `he_normal` starts the weights large enough to make up for that. The
# head gives one probability a pixel, in `float32` under any precision.


# %% tags=["lifted"]
def simple_fcn(input_shape=(96, 128, 3), filters=(64, 128, 256), num_classes=1):
    """The article's simple model: strided convolutions down, transposed ones up, no skips."""

    def convolution(layer, x, width, strides=1):
        return layer(
            width,
            3,
            strides=strides,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
        )(x)

    def network(x):
        for width in filters:
            x = convolution(layers.Conv2D, x, width, strides=2)
            x = convolution(layers.Conv2D, x, width)
        for width in reversed(filters):
            x = convolution(layers.Conv2DTranspose, x, width)
            x = convolution(layers.Conv2DTranspose, x, width, strides=2)
        # float32 whatever the policy: a rounded probability near 1 has no gradient left.
        return layers.Conv2D(num_classes, 3, padding="same", dtype="float32", name="head")(x)

    inputs = keras.Input(input_shape, name="image")
    logits = with_padding(inputs, 2 ** len(filters), network)
    outputs = layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
    return keras.Model(inputs, outputs, name="simple_fcn")


# %% [markdown]
# With its default filters this is the article's network to the last weight: look for 2,879,489.

# %%
print(f"{simple_fcn().count_params():,} parameters")

# %% [markdown]
# Follow the shapes: height and width halve three times to 12x16 while the channels grow, then they
# come back. All that the network knows of a car passes through 12x16 places.

# %%
model = simple_fcn(filters=FILTERS)
for layer in model.layers:
    print(f"{layer.name:22} {layer.output.shape[1:]}")

# %% [markdown]
# And 31x47, which does not divide by 8, comes back as 31x47.

# %%
odd = simple_fcn((31, 47, 3), filters=(4, 4, 4))
print(odd(np.zeros((1, 31, 47, 3), "float32")).shape)

# %% [markdown]
# ## The data
#
# Notebooks 01 and 02 built this: pairs by name, a split by car, batches that are shuffled and augmented
# for training only. The test cars stay locked away until the model is done.

# %%
pairs = data.pair(folder)[:IMAGES]
parts = data.split(pairs, by="group", validation_size=0.2, test_size=0.2)
training = pipeline.dataset(
    parts.train, batch_size=BATCH, shuffle=True, augment=True, cache="memory"
)
validation = pipeline.dataset(parts.validation, batch_size=BATCH, cache="memory")

# %% [markdown]
# ## Augmentation belongs to pairs
#
# The article puts its augmentation *inside* the model. There it turns and flips the image and never sees
# the mask. Try it on an object that is lopsided, an L, and count how many images still match their masks.

# %%
mask = np.zeros((256, 33, 47, 1), "float32")
mask[:, 8:26, 8:20] = mask[:, 20:26, 20:38] = 1
image = np.repeat(0.1 + 0.8 * mask, 3, axis=-1)


def share_matching(images, masks):
    """Share of the pairs in which bright pixels and mask agree on at least 97% of the frame."""
    bright = np.mean(images, axis=-1, keepdims=True) > 0.5
    return np.mean(np.mean(bright == (np.asarray(masks) > 0), axis=(1, 2, 3)) >= 0.97)


# %% [markdown]
# First the article's three layers, then the pair's way from notebook 02.

# %%
from unet_tf.pipeline import augment

in_model = keras.Sequential(
    [
        layers.RandomFlip("horizontal", seed=42),
        layers.RandomRotation(0.01, seed=42),
        layers.RandomContrast(0.2, value_range=(0, 1), seed=42),
    ]
)
wrong = share_matching(in_model(image, training=True), mask)
right = share_matching(*augment(tf.constant(image), tf.constant(mask), seed=(4, 2)))
print("inside the model, about half of the pairs match:", 0.4 < wrong < 0.6)
print(f"as pairs, {right:.0%} match")

# %% [markdown]
# Every second training pair of the article says "the car is where it is not". A car is nearly symmetric
# and fills the middle, which is why its training learns something all the same.
#
# ## Training
#
# `watchers` are the callbacks of every training here: stop on NaN, stop when the validation dice has not
# risen for `patience` epochs and go back to the best weights, keep the best model on disk. Note
# `mode="max"`: Keras takes a metric it does not know for one that should fall. `AtEpoch` tells the data set
# of notebook 02 which epoch to draw, so that a batch you looked at before changes nothing. The module's
# versions also keep all that a training needs to go on after a stop, which notebook 06 opens, and find the
# epoch of a data set behind `.take(1)` and the like.


# %%
class AtEpoch(keras.callbacks.Callback):
    """Tells a data set of `unet_tf.pipeline` which epoch to draw, whatever was looked at before."""

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        if hasattr(self.dataset, "epoch"):
            self.dataset.epoch.assign(epoch)


class BestCheckpoint(keras.callbacks.Callback):
    """Saves the model whenever `monitor` improves; a kill while writing leaves the last one whole."""

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


# %%
def watchers(monitor="val_hard_dice", patience=5, folder=None):
    """The callbacks of every training."""
    mode = "min" if "loss" in monitor else "max"
    early_stopping = keras.callbacks.EarlyStopping(
        monitor, mode=mode, patience=patience, restore_best_weights=True
    )
    callbacks = [keras.callbacks.TerminateOnNaN(), early_stopping]
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        callbacks.append(BestCheckpoint(Path(folder) / "best.keras", monitor, mode))
    return callbacks


# %% [markdown]
# `fit` compiles and trains. Its default loss is cross-entropy + dice of each image, from notebook 03. The
# module's version also resumes: notebook 06 stops one by force.


# %% tags=["lifted"]
def refuse_nan(history):
    """Raise ValueError when a training was NaN from its first epoch on: it has no best epoch."""
    if not np.isfinite(history.history["loss"]).any():
        raise ValueError(
            "the loss is NaN from the first epoch on: lower the learning rate, or train in float32"
        )


# %%
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
    callbacks=(),
    verbose="auto",
):
    """Compile and train; the model ends with the weights of its best epoch."""
    model.compile(optimizer or keras.optimizers.Adam(1e-4), loss, metrics=list(metrics))
    history = model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        shuffle=False,  # tf.data shuffles; Keras warns otherwise
        callbacks=[AtEpoch(train), *watchers(monitor, patience, folder), *callbacks],
        verbose=verbose,
    )
    refuse_nan(history)
    return history


# %% [markdown]
# Train. Each line is an epoch; watch `val_hard_dice`, the mean dice of the validation images.

# %% tags=["nbval-ignore-output"]
history = fit(
    model,
    training,
    validation,
    epochs=EPOCHS,
    optimizer=keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6),
    folder="runs/simple",
    verbose=2,
)

# %%
kind = "rendered" if is_rendered(folder) else "photographed"
plot.curves(history.history, title=f"simple model, {kind} cars")
plt.show()

# %% [markdown]
# The loss falls and the dice rises, steeply at first. Grey is training, on augmented pairs; green is
# validation, on cars that training never saw.

# %%
best = max(history.history["val_hard_dice"])
print("validation dice at 96x128 above 0.85:", best > 0.85)

# %% [markdown]
# ## Back to the original size
#
# A score at 96x128 is not the competition's: its masks are as large as its images. So resize the
# *probabilities* back, bilinearly, and only then cut at 0.5. Cutting first would leave stairs. The module's versions
# also read ahead, name a file that is broken, and know the size of a saved model.


# %%
def probabilities(model, paths, image_size=(96, 128), resize="area", batch_size=32):
    """What the model says of each image, at the size it works at, one after another."""
    for n in range(0, len(paths), batch_size):
        read = [data.read_resized(path, image_size, resize)[0] for path in paths[n:][:batch_size]]
        found = np.asarray(model(np.float32(read) / 255, training=False), "float32")
        yield from found[..., 0] if found.shape[-1] == 1 else found


# %%
def predict(model, paths, image_size=(96, 128), resize="area", batch_size=32, threshold=0.5):
    """Predicted masks at original size, one after another."""
    found = probabilities(model, paths, image_size, resize, batch_size)
    for path, probability in zip(paths, found, strict=True):
        yield (resized_back(probability, data.size_of(path)) >= threshold).astype("uint8")


# %% [markdown]
# Try it with a "model" that finds red, on a picture whose left half is red: its mask is that half, at the
# picture's own 10x20 pixels.

# %%
from PIL import Image

Path("runs").mkdir(exist_ok=True)
Image.fromarray(np.uint8([[[255, 0, 0]] * 10 + [[0, 0, 0]] * 10] * 10)).save("runs/red.png")
(red,) = predict(lambda images, training: images[..., :1], ["runs/red.png"], (4, 8))
print(red.shape, red[0])

# %% [markdown]
# Now the test cars, which have waited until here. Beside the score stands the constant baseline: the mean
# training mask, the same for every image.

# %% tags=["nbval-ignore-output"]
predictions = list(predict(model, [image for image, _ in parts.test], batch_size=BATCH))
dices = scores.per_image_dice(parts.test, predictions)
baseline = scores.constant_baseline(parts.train, parts.test)
print(f"{kind} cars, per-image hard dice at original size: {dices.mean():.4f}")
print(f"constant baseline: {baseline.mean():.4f}")

# %%
print("above 0.85:", dices.mean() > 0.85)
print("above the baseline by 0.05 at least:", dices.mean() > baseline.mean() + 0.05)

# %% [markdown]
# The worst, the middle and the best of them. Green was found, red missed, blue is too much.

# %%
chosen = np.argsort(dices)[[0, len(dices) // 2, -1]]
plot.triplets(
    [data.read_image(parts.test[i].image) for i in chosen],
    [data.read_mask(parts.test[i].mask) for i in chosen],
    [predictions[i] for i in chosen],
    ["worst", "middle", "best"],
)
plt.show()

# %% [markdown]
# In most, the body is there; what is thin or sharp is not: mirrors and antenna are gone, edges are round. Everything
# had to pass through 12x16 places. Notebook 05 gives the outline a way around them. Worst, as a rule, is a car
# in the colour of the wall.
#
# ## Images without masks
#
# The competition's test images have no masks. The model predicts theirs in the same way, and nobody can score
# them here.

# %%
paths = data.unlabelled(folder)[:3]
figure, axes = plt.subplots(1, 3, figsize=(5.8, 1.6), layout="constrained")
for axis, path, mask in zip(axes, paths, predict(model, paths), strict=False):
    axis.imshow(plot.overlay(data.read_image(path), np.zeros_like(mask), mask))
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Blue is what the model calls car.
#
# ## When training collapses
#
# The article finds its training unstable. Provoke it: take the article's loss, dice over the whole batch, and a
# learning rate of 0.01, a hundred times the article's. Beside it stand cross-entropy + dice at the same rate, and at
# the rate of this notebook. Two seeds each, four epochs.


# %%
def dices_by_epoch(loss, learning_rate, seed, epochs=4):
    """Validation dice after each epoch of a small model, from scratch."""
    keras.utils.set_random_seed(seed)
    network = simple_fcn(filters=(16, 32, 64))
    network.compile(keras.optimizers.Adam(learning_rate), loss, metrics=[hard_dice])
    trained = network.fit(
        training, validation_data=validation, epochs=epochs, shuffle=False, verbose=0
    )
    return trained.history["val_hard_dice"]


alone = [dices_by_epoch(pooled_dice_loss, 0.01, seed) for seed in (0, 1)]
both = [dices_by_epoch(bce_dice_loss, 0.01, seed) for seed in (0, 1)]
gentle = [dices_by_epoch(bce_dice_loss, 0.001, seed) for seed in (0, 1)]

# %% [markdown]
# Look for the runs that stay where they are.

# %%
figure, axis = plt.subplots(figsize=(5.8, 2.6), layout="constrained")
for runs, colour, label in (
    (alone, plot.MISSED, "dice alone, 0.01"),
    (both, plot.EXTRA, "BCE + dice, 0.01"),
    (gentle, plot.TRUTH, "BCE + dice, 0.001"),
):
    lines = axis.plot(range(1, 5), np.transpose(runs), "o-", ms=3, color=colour)
    lines[0].set_label(label)
axis.set(xlabel="epoch", ylabel="validation dice", ylim=(0, 1), xticks=range(1, 5))
axis.set_title(f"{kind} cars")
figure.legend(loc="outside lower center", ncols=3, fontsize=8)
plt.show()

print("dice alone ends below 0.5 in both runs:", max(run[-1] for run in alone) < 0.5)
print("BCE + dice at 0.001 ends above 0.6 in both:", min(run[-1] for run in gentle) > 0.6)

# %% [markdown]
# The red runs do not rise above the dice of a mask that is car everywhere: 2 x 0.2 / 1.2 = 0.33 for a car share of a
# fifth. What happened? A first step too long pushes the logits far out, where the sigmoid is flat, at 1 here; with
# other data it is 0, and the masks are empty. Dice reaches the weights only through the sigmoid's slope, p (1 - p),
# and out there that is nothing. Cross-entropy cancels this slope: its gradient by the logit is p - truth, as large as
# the mistake. Look at both for a pixel that is no car and is called car with more and more conviction.

# %%
logits = tf.constant([0.0, 4.0, 8.0, 16.0])
with tf.GradientTape() as tape:
    tape.watch(logits)
    probability = tf.sigmoid(logits)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros(4), logits)
slope = probability * (1 - probability)
print("logit          ", [f"{value:.0f}" for value in logits.numpy()])
print("p (1 - p)      ", [f"{value:.4f}" for value in slope.numpy()])
print("cross-entropy's", [f"{value:.4f}" for value in tape.gradient(cross_entropy, logits).numpy()])

# %% [markdown]
# So cross-entropy + dice finds its way back from a sigmoid that is flat. It is no licence for any rate: at 0.01 a blue
# run may end in empty masks as well (these two seeds need not show it), when the first steps have switched off most
# `relu`s and only the head's bias is left to learn. The default here is therefore both, the sum and a modest rate.
# `experiments/collapse.py` measures it more widely, five learning rates and five seeds a loss; its records lie in
# `results/`.

# %% [markdown]
# ## What we saw
#
# - Strided convolutions took the image down and transposed ones up again, with 2,879,489 parameters in all and
#   any input size.
# - Cross-entropy + dice at a modest rate trained without trouble; dice alone, at a rate too high, got stuck where
#   the sigmoid is flat.
# - The masks were scored at the images' own size on unseen cars, above a baseline that never looks at an image.
#
# ## Exercises
#
# Answers: [solutions](solutions.ipynb).
#
# 1. How many parameters has `simple_fcn` with half the filters, (32, 64, 128)? *720,897, a quarter and a little:
#    weights go with the square of the width, biases with the width.*
# 2. An image of 100x150 goes into `simple_fcn((100, 150, 3))`. To which size does the model pad it? *104x152.*
# 3. A model that calls every pixel car scores which dice on an image of which a fifth is car? And which accuracy?
#    *0.3333 and 0.2000.*
#
# Next: [05 · The U-Net](05_unet.ipynb).
