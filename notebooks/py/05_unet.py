# %% [markdown]
# # 05 · The U-Net
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/05_unet.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/05_unet.ipynb)
#
# **You will**
#
# - build the article's U-Net block by block, to its 34,550,273 parameters;
# - see what skip connections and dropout do, and how the article lost its augmentation;
# - train a small U-Net and score it on cars it has never seen, at the images' own size.
#
# **You need** no data and no account: a car studio is rendered where Carvana is not at hand. About a
# minute on 2 CPU cores; on a GPU: not measured.
#
# The network is that of "U-Net: Convolutional Networks for Biomedical Image Segmentation" (Ronneberger,
# Fischer, Brox, 2015, https://arxiv.org/abs/1505.04597) as "Image Segmentation: An In-Depth Guide" (Ed
# Izaguirre, 2023) builds it, published with a dice of 0.9416 on Carvana: soft, pooled, at 96x128.

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
from keras import layers

from unet_tf import data, pipeline, plot, scores
from unet_tf.network import bce_dice_loss, unet
from unet_tf.predict import predict
from unet_tf.rendered import is_rendered
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# On two CPU cores you train a U-Net with 16 filters in its first level; with a GPU, a T4 or better, set
# `FULL` to `True` for the article's 64.

# %%
FULL = False  # True: the article's size, for a GPU
BASE, IMAGES, EPOCHS, BATCH = (64, 1000, 20, 32) if FULL else (16, 320, 8, 16)
LEARNING_RATE = 3e-4 if FULL else 1e-3  # few steps need longer ones
print(f"{BASE} filters in the first level, {IMAGES} images, {EPOCHS} epochs, batches of {BATCH}")

# %% [markdown]
# ## Why skips
#
# The simple model squeezes everything through its smallest level and has to draw the outline from
# memory. How much of an outline survives there? Take a mask down to 6x8 pixels, the U-Net's bottleneck, and
# back, and look at what is left of wheels, mirrors and antenna.

# %%
pairs = data.pair(folder)[:IMAGES]
mask = data.read_mask(pairs[0].mask)
coarse = data.resized(data.resized(mask * 255, (6, 8)), mask.shape)
image = data.read_image(pairs[0].image)
plot.triplets([image], [mask], [coarse > 127], [pairs[0].image.stem])
plt.show()

# %% [markdown]
# What comes back, in the third column, is a block or two. A U-Net therefore hands the outline past the bottleneck: each level of the decoder
# gets the encoder's features of the same size beside its own. Those are the *skip connections*.
#
# ## The blocks
#
# An encoder level is two 3x3 convolutions, then a step down by max pooling. Of each 2x2 the largest value
# remains. Look for 5, 7, 13 and 15.


# %% tags=["lifted"]
def conv_block(x, filters, dropout=0.0, batch_norm=False):
    """Two 3x3 convolutions with ReLU, then dropout."""
    first, second = (filters, filters) if isinstance(filters, int) else filters
    for width in (first, second):
        x = layers.Conv2D(
            width, 3, padding="same", use_bias=not batch_norm, kernel_initializer="he_normal"
        )(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(
                x
            )  # PyTorch's, of the sources
        x = layers.Activation("relu")(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    return x


# %% tags=["lifted"]
def downsample(x, downsampling="max_pool"):
    """Half the height and width."""
    if downsampling == "max_pool":
        return layers.MaxPooling2D(2)(x)
    if downsampling == "strided_conv":
        return layers.Conv2D(
            x.shape[-1],
            3,
            strides=2,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
        )(x)
    raise ValueError(
        f'downsampling is "max_pool" or "strided_conv", not {downsampling!r}: choose one of them'
    )


# %%
small = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
print(small[0, ..., 0])
print(downsample(small).numpy()[0, ..., 0])

# %% [markdown]
# On the way up a transposed convolution doubles the size. The article does not say whether its kernel is
# 3x3 or 2x2: this project takes 3x3, and counts both below. `bilinear` learns nothing, and is here for networks
# to come.


# %% tags=["lifted"]
def upsample(x, filters, upsampling="transposed_3x3"):
    """Twice the height and width."""
    kernels = {"transposed_3x3": 3, "transposed_2x2": 2}
    if upsampling == "bilinear":
        return layers.UpSampling2D(2, interpolation="bilinear")(x)
    if upsampling not in kernels:
        raise ValueError(
            f'upsampling is "transposed_3x3", "transposed_2x2" or "bilinear", not {upsampling!r}: '
            "choose one of them"
        )
    return layers.Conv2DTranspose(filters, kernels[upsampling], strides=2, padding="same")(x)


# %% [markdown]
# A decoder level then is: up, join with the skip along the channels, two convolutions. Look at the channel
# counts: 8 from below and 8 from the side make 16, which the block turns into 8.

# %%
below = keras.Input((6, 8, 16))
skip = keras.Input((12, 16, 8))
joined = layers.Concatenate()([upsample(below, 8), skip])
print(joined.shape, conv_block(joined, 8).shape)

# %% [markdown]
# ## The article's U-Net
#
# Four levels down, a bottleneck, four levels up, one more convolution and a 1x1 head. Dropout of 0.3
# follows the fourth block and the bottleneck, where most weights are. From here on precision follows the
# hardware (notebook 04), so the next line depends on yours.

# %% tags=["nbval-ignore-output"]
policy = set_precision()


# %%
def article_unet(base=64, upsampling="transposed_3x3", skips_on=True):
    """The article's network, 96x128, with `base` filters in its first level."""
    widths = [base, 2 * base, 4 * base, 8 * base]
    inputs = x = keras.Input((96, 128, 3))
    skips = []
    for width, dropout in zip(widths, (0, 0, 0, 0.3), strict=True):
        x = conv_block(x, width, dropout)
        skips.append(x)
        x = downsample(x)
    x = conv_block(x, 16 * base, 0.3)
    for width, skip in zip(widths[::-1], skips[::-1], strict=True):
        x = upsample(x, width, upsampling)
        x = layers.Concatenate()([x, skip]) if skips_on else x
        x = conv_block(x, width)
    x = layers.Conv2D(base, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    logits = layers.Conv2D(1, 1, dtype="float32")(x)
    return keras.Model(inputs, layers.Activation("sigmoid", dtype="float32")(logits))


# %% [markdown]
# Count. 34,550,273 belongs to 3x3 transposed convolutions, 31,068,673 to 2x2 ones.

# %%
full = article_unet()
print(f"{full.count_params():,} parameters with 3x3 transposed convolutions")
print(f"{article_unet(upsampling='transposed_2x2').count_params():,} with 2x2")

# %% [markdown]
# Where do they sit? Sum them by the size that a layer works at. Look at the two ends: the full size has
# the most pixels and hardly any weights, the bottleneck the reverse.

# %%
weights = {}
for layer in full.layers:
    size = layer.output.shape[1:3]
    weights[size] = weights.get(size, 0) + layer.count_params()
for size, count in weights.items():
    print(f"{size[0]:3} x {size[1]:3}: {count:>10,} parameters")

# %% [markdown]
# One step of the full network, to see that it runs and learns here too. Look for a loss that falls when the
# same two images come again.

# %%
first = pipeline.dataset(pairs[:2], batch_size=2)
images, masks = next(iter(first))
full.compile(keras.optimizers.Adam(1e-4, epsilon=1e-6), bce_dice_loss)
losses_seen = [float(full.train_on_batch(images, masks)) for _ in range(3)]
print("finite:", bool(np.isfinite(losses_seen).all()))
print("lower after a step:", losses_seen[-1] < losses_seen[0])
del full

# %% [markdown]
# ## The same network from the module
#
# `unet_tf.network.unet` is built from the same blocks and has the switches that later chapters need. With
# its defaults it is the article's network. Show it: give both the same weights and the same image.

# %%
ours, built = unet(filters=(8, 16, 32, 64, 128)), article_unet(8)
ours.set_weights(built.get_weights())
outputs = [network.predict(images, verbose=0) for network in (ours, built)]
print("same outputs:", np.array_equal(*outputs))

# %% [markdown]
# ## Dropout
#
# While training, dropout sets 30% of the values to zero and scales the rest up, so that no single feature can
# be relied on; when predicting it does nothing. Look for zeros, for 1 / 0.7 = 1.4286, and for a mean near 1.

# %%
dropout = layers.Dropout(0.3, seed=1, dtype="float32")
ones = np.ones((1, 1000), "float32")
kept = dropout(ones, training=True).numpy()
print("values:", sorted({f"{value:.4f}" for value in kept[0]}))
print("mean between 0.9 and 1.1:", 0.9 < kept.mean() < 1.1)
print("predicting leaves it alone:", np.array_equal(dropout(ones, training=False).numpy(), ones))

# %% [markdown]
# ## An augmentation that was never there
#
# The article's U-Net overwrites its input with the augmented image, then makes a model *from that tensor*.
# Keras 3 does not complain: it cuts the graph there. Look for the augmentation in the list of layers.

# %%
augmentation = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.01)])
inputs = keras.Input((96, 128, 3))
augmented = augmentation(inputs)
outputs = layers.Conv2D(1, 1)(augmented)
for name, start in (("augmented tensor", augmented), ("input", inputs)):
    names = [type(layer).__name__ for layer in keras.Model(start, outputs).layers]
    print(f"from the {name}: {names}")

# %% [markdown]
# So the article's step from 0.8788 to 0.9416 compares images augmented without their masks with no
# augmentation at all, besides two networks. Here both are trained on pairs augmented together.
#
# ## Training
#
# By car, with a test part that nothing has touched; batches as in notebook 02; `train.fit` as in
# notebook 04, which ends with the weights of the best epoch.

# %%
parts = data.split(pairs, by="group", validation_size=0.2, test_size=0.2)
training = pipeline.dataset(
    parts.train, batch_size=BATCH, shuffle=True, augment=True, cache="memory"
)
validation = pipeline.dataset(parts.validation, batch_size=BATCH, cache="memory")

# %%
model = article_unet(BASE)
print(f"{BASE} filters: {model.count_params():,} parameters")

# %% [markdown]
# Watch `val_hard_dice`, an epoch a line.

# %% tags=["nbval-ignore-output"]
history = fit(
    model,
    training,
    validation,
    epochs=EPOCHS,
    optimizer=keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6),
    folder="runs/unet",
    verbose=2,
)

# %%
kind = "rendered" if is_rendered(folder) else "photographed"
plot.curves(history.history, title=f"U-Net with {BASE} filters, {kind} cars")
plt.show()

# %% [markdown]
# Grey is training, green validation. Training is augmented and has dropout, so its dice may lie below the
# validation's.
#
# ## Scores
#
# The competition's score: the hard dice of each image at its own size, averaged. On the test cars, beside the
# constant baseline of notebook 03.

# %% tags=["nbval-ignore-output"]
images_of = [image for image, _ in parts.test]
predictions = list(predict(model, images_of, batch_size=BATCH))
dices = scores.per_image_dice(parts.test, predictions)
baseline = scores.constant_baseline(parts.train, parts.test)
print(f"{kind} cars, per-image hard dice at original size: {dices.mean():.4f}")
print(f"constant baseline: {baseline.mean():.4f}")

# %%
print("above 0.90:", dices.mean() > 0.90)
print("above the baseline for at least nine images in ten:", np.mean(dices > baseline) >= 0.9)

# %% [markdown]
# Look at the worst, the middle and the best test image: what is red was missed, what is blue is too much.

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
# In the middle and the best, red and blue lie along the outline: at 96x128 a pixel of the model is several pixels of the image. Antennas
# are thinner than that, and are missed.
#
# ## Images without masks
#
# The competition's test images have no masks; the model predicts theirs in the same way.

# %%
paths = data.unlabelled(folder)[:3]
found = list(predict(model, paths))
figure, axes = plt.subplots(1, 3, figsize=(5.8, 1.6), layout="constrained")
for axis, path, mask in zip(axes, paths, found, strict=False):
    axis.imshow(plot.overlay(data.read_image(path), np.zeros_like(mask), mask))
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Blue is what the model calls car. No score stands here: there is no truth to compare with.
#
# ## It loads again
#
# Every best epoch was saved. The file needs no `custom_objects`, because loss and metric are registered.

# %%
reloaded = keras.saving.load_model("runs/unet/best.keras")
again = list(predict(reloaded, images_of[:4], batch_size=BATCH))
print("same masks:", all(np.array_equal(a, b) for a, b in zip(again, predictions, strict=False)))

# %% [markdown]
# ## What we saw
#
# - Small blocks built the article's U-Net, to its 34,550,273 parameters, and the module's `unet` gave the same
#   outputs.
# - Skip connections handed the outline past the bottleneck, dropout worked only while training, and the
#   article's augmentation was not in its model.
# - A small U-Net, trained on augmented pairs and split by car, was scored on unseen cars at the images' own
#   size, above the constant baseline.
#
# ## Exercises
#
# Answers: [solutions](solutions.ipynb).
#
# 1. Take the skips away: how many parameters has `article_unet(skips_on=False)`? Work it out by hand first:
#    the first convolution of every decoder level then sees half of its channels. *31,416,833.*
# 2. The article announces strided convolutions in place of max pooling as future work. How many parameters
#    do they add to the module's `unet`? *Four 3x3 convolutions: 3,134,400.*
# 3. Halve the filters, `article_unet(32)`: how many parameters remain? *8,639,745, a quarter and a little:
#    weights go with the square of the width, biases with the width.*
#
# Next: [06 · Training that can be stopped, watched and compared](06_training.ipynb).
