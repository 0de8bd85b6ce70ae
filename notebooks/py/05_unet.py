# %% [markdown]
# # 05 · The U-Net
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/05_unet.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/05_unet.ipynb)
#
# **You will**
#
# - build a U-Net block by block, to its 34,550,273 parameters, and train a small one;
# - take its skip connections away, and measure what they are worth;
# - see what dropout does, and how a published U-Net lost its augmentation.
#
# **You need** no data and no account: where Carvana is not at hand, a car studio is rendered. Two to four
# minutes on 2 CPU cores that compute bfloat16, several times that on others; on a GPU: not measured.
#
# The network is that of "U-Net: Convolutional Networks for Biomedical Image Segmentation" (Ronneberger,
# Fischer, Brox, 2015, https://arxiv.org/abs/1505.04597) in the form that "Image Segmentation: An In-Depth
# Guide" (Ed Izaguirre, 2023; from here on *the article*) gives it. The article reports a dice of 0.9416 on
# Carvana: soft, pooled, at 96x128.

# %% [markdown]
# ## Setup

# %% tags=["hide-input"]
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

from unet_tf import data, pets, pipeline, plot, scores
from unet_tf.network import simple_fcn, unet
from unet_tf.predict import predict
from unet_tf.rendered import is_rendered
from unet_tf.training import fit, set_precision

keras.utils.set_random_seed(42)

# %% [markdown]
# On two CPU cores you train U-Nets with 16 filters in their first level. With a GPU, a T4 or better, set
# `FULL` to `True` for the article's 64, and its 16 epochs.

# %%
FULL = False  # True: the article's size, for a GPU
BASE, IMAGES, EPOCHS, BATCH = (64, 1000, 16, 32) if FULL else (16, 320, 5, 16)
LEARNING_RATE = 3e-4 if FULL else 1e-3  # few steps need longer ones
print(f"{BASE} filters in the first level, {IMAGES} images, {EPOCHS} epochs, batches of {BATCH}")

# %%
DATA = "cars"  # "pets": photographs of cats and dogs, a download of 0.8 GB, no account
folder = data.find() if DATA == "cars" else pets.like_carvana(IMAGES)
kind = "rendered" if is_rendered(folder) else "photographed"

# %% [markdown]
# Precision follows the hardware (notebook 04), so the next line depends on yours.

# %% tags=["nbval-ignore-output"]
policy = set_precision()

# %% [markdown]
# ## The question
#
# The simple model's edges were poor, and notebook 04 left two suspects: the outline has to pass through a small
# level, and a pixel's answer does not depend on the whole car. The U-Net changes both. It goes down to 6x8, so
# each pixel sees more. And it hands the outline past the small levels: each level of the way up gets the
# *features* of the same size from the way down, the channels that a convolution there has made. Those are the
# *skip connections*.
#
# How much of a mask fits on such small grids? Reduce one, enlarge it bilinearly, cut at one half.

# %%
pairs = data.pair(folder)[:IMAGES]
mask = data.read_mask(pairs[3].mask)
figure, axes = plt.subplots(1, 3, figsize=(7.4, 1.95), dpi=90, layout="constrained")
for axis, size in zip(axes, (mask.shape, (12, 16), (6, 8)), strict=True):
    share = data.resized(255 * mask, size, "area") / np.float32(255)
    kept = data.resized_back(share, mask.shape) >= 0.5
    axis.imshow(kept, cmap="gray_r", vmax=2)
    axis.contour(mask, [0.5], colors=[plot.MISSED], linewidths=0.8)
    axis.set_title(f"from {size[0]}x{size[1]}: dice {scores.dice(mask, kept):.3f}", fontsize=10)
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Grey is what comes back, red the true outline. One number per place keeps the car's shape, loses the
# antenna, and cuts wheels and corners. A network has many numbers per place and could encode more, but
# it has to learn how. Handing the outline over spares it that.
#
# ## The blocks
#
# A level of the way down, the *encoder*, is two 3x3 convolutions, then a step down by max pooling. Dropout sets
# some values to zero while training; a section below opens it. The module's version can also have batch norm,
# which notebook 06 opens.


# %%
def conv_block(x, filters, dropout=0.0):
    """Two 3x3 convolutions with ReLU, then dropout."""
    settings = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    x = layers.Conv2D(filters, 3, **settings)(x)
    x = layers.Conv2D(filters, 3, **settings)(x)
    return layers.Dropout(dropout)(x) if dropout else x


# %% [markdown]
# Max pooling keeps the largest value of each 2x2.

# %%
small = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
print(small[0, ..., 0])
print(layers.MaxPooling2D(2, dtype="float32")(small).numpy()[0, ..., 0])

# %% [markdown]
# On the way up, the *decoder*, a transposed convolution doubles the size. Then the level joins the result with the
# skip along the channels, and convolves twice: 8 channels from below and 8 from the side make 16, which the block
# turns into 8. The article does not say whether its transposed kernels are 3x3 or 2x2. This project takes 3x3, and
# counts both below.

# %%
below, skip = keras.Input((6, 8, 16)), keras.Input((12, 16, 8))
up = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(below)
joined = layers.Concatenate()([up, skip])
print(up.shape, "+", skip.shape, "=", joined.shape, "->", conv_block(joined, 8).shape)

# %% [markdown]
# ## The article's U-Net
#
# Four levels down, a smallest level at the bottom (the *bottleneck*), four levels up, one more 3x3 convolution,
# and as the head a convolution with a 1x1 kernel, which looks at each place alone. Dropout of 0.3 follows the
# fourth block and the bottleneck. The paper's own network differs in several things. One of them you will meet
# in other code: it does not pad its convolutions, so an image of 572x572 gives a mask of 388x388, and each skip
# is cropped before it is joined.


# %%
def article_unet(
    base=64, levels=4, kernel=3, skips_on=True, size=(96, 128), pool=layers.MaxPooling2D
):
    """The article's network with `base` filters in its first level."""
    widths = [base * 2**level for level in range(levels)]
    inputs = x = keras.Input((*size, 3), name="image")
    skips = []
    for width in widths:
        x = conv_block(x, width, 0.3 if width == widths[-1] else 0)
        skips.append(x)
        x = pool(2)(x)
    x = conv_block(x, 2 * widths[-1], 0.3)
    for width, skip in zip(widths[::-1], skips[::-1], strict=True):
        x = layers.Conv2DTranspose(width, kernel, strides=2, padding="same")(x)
        x = layers.Concatenate()([x, skip]) if skips_on else x
        x = conv_block(x, width)
    x = layers.Conv2D(base, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    logits = layers.Conv2D(1, 1, dtype="float32", name="head")(x)
    return keras.Model(inputs, layers.Activation("sigmoid", dtype="float32")(logits))


# %% [markdown]
# Count, in the article's size. 34,550,273 belongs to 3x3 transposed convolutions, 31,068,673 to 2x2 ones.

# %%
full = article_unet()
print(f"{full.count_params():,} parameters with 3x3 transposed convolutions")
print(f"{article_unet(kernel=2).count_params():,} with 2x2")
plot.network(full, "The article's U-Net").set_dpi(80)
plt.show()

# %% [markdown]
# Where do they sit? Sum them by the size of each layer's output.

# %%
weights = {}
for layer in full.layers:
    size = layer.output.shape[1:3]
    weights[size] = weights.get(size, 0) + layer.count_params()
for (height, width), count in weights.items():
    print(f"{height:3} x {width:3}: {count:>10,} parameters, {count / full.count_params():4.0%}")

# %% [markdown]
# The two smallest sizes, 12x16 and 6x8, hold 85% of the weights between them. The full size has the most pixels
# and 1% of the weights: a convolution's weights grow with the channels that come in times those that go out,
# whatever the size of the image.
#
# ## Training
#
# The split is by car, with a test part by which nothing is trained or chosen. The batches are those of notebook
# 02. `fit` is that of notebook 04, which ends with the weights of the best epoch. Each pair of lines is an
# epoch.

# %%
parts = data.split(pairs, by="group", validation_size=0.2, test_size=0.2)
training = pipeline.dataset(
    parts.train, batch_size=BATCH, shuffle=True, augment=True, cache="memory"
)
validation = pipeline.dataset(parts.validation, batch_size=BATCH, cache="memory")

# %% tags=["nbval-ignore-output"]
keras.utils.set_random_seed(42)
model = article_unet(BASE)
adam = keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6)
print(f"{BASE} filters: {model.count_params():,} parameters")
history = fit(model, training, validation, EPOCHS, optimizer=adam, folder="runs/unet", verbose=2)

# %%
plot.curves(history.history, title=f"U-Net with {BASE} filters, {kind} {DATA}")
plt.show()

# %% [markdown]
# Grey and dotted is training, green and solid validation. Training looks worse here, its dice lower and its loss
# higher. As in notebook 04, Keras averages its numbers over an epoch in which the weights change: that counts most at
# first. Dropout and augmentation, which only training has, can add to it, in the later epochs, too.
#
# ## What the skips are worth
#
# Now the experiment. Train the simple model of notebook 04, and the same U-Net *without* its skips: same
# images, same split, same epochs, same seed. The U-Net without skips keeps the depth, and nine tenths of the
# weights. If it is depth that counts, it should score like the U-Net; if it is the skips, like the simple
# model. Only the two U-Nets differ in a single thing. Below, "depth" stands for all in which the simple model
# differs from the U-Net without skips: a level more, but also max pooling, dropout, convolutions at the full
# size, and many more weights.

# %% tags=["nbval-ignore-output"]
networks = {}
for name, build, settings in (
    ("simple model", simple_fcn, {"filters": (BASE, 2 * BASE, 4 * BASE)}),
    ("U-Net without skips", article_unet, {"base": BASE, "skips_on": False}),
):
    keras.utils.set_random_seed(42)
    networks[name] = build(**settings)
    adam = keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6)
    fit(networks[name], training, validation, EPOCHS, optimizer=adam, verbose=0)
networks["U-Net"] = model

# %% [markdown]
# Score all three as the competition does: the hard dice of each test image at its own size, averaged. The constant
# baseline of notebook 03 stands beside them.

# %% tags=["nbval-ignore-output"]
images_of = [image for image, _ in parts.test]
predictions, dices = {}, {}
baseline = scores.constant_baseline(parts.train, parts.test)
print(f"{f'{kind} test {DATA}':19}     parameters    dice   worst")
print(f"{'constant baseline':33}  {baseline.mean():.4f}")
for name, network in networks.items():
    predictions[name] = list(predict(network, images_of, batch_size=BATCH))
    dices[name] = scores.per_image_dice(parts.test, predictions[name])
    count, mean, worst = network.count_params(), dices[name].mean(), dices[name].min()
    print(f"{name:19} {count:14,}  {mean:.4f}  {worst:.4f}")
simple, without, with_skips = (found.mean() for found in dices.values())
print(f"depth gains {without - simple:+.4f}, the skips {with_skips - without:+.4f}")

# %% tags=["hide-cell"]
print("the U-Net scores above 0.9:", with_skips > 0.9)
print("the skips gain more than 0.01:", with_skips - without > 0.01)
print("more than depth gains:", with_skips - without > without - simple)
print("above the baseline for nine images in ten:", np.mean(dices["U-Net"] > baseline) >= 0.9)

# %% [markdown]
# The deep network without skips has eleven times the weights of the simple model and in our run scores no
# better. The skips, which add a tenth to its weights, make the difference. One training of each proves little,
# and this is a small size on one kind of car. The [results](../results/README.md) have three seeds of the first
# and the last model in this size, trained for 8 epochs: 0.9248 ± 0.0075 for the simple one, 0.9666 ± 0.0032 for
# the U-Net (± is the spread over seeds). That is a gain of 0.042. The skips alone were measured with five
# seeds: without them the same U-Net scores lower by 0.0516 (95% interval over the seeds: 0.0397 to 0.0636).
# (Those without skips were trained later than those with them, by later code and on another processor; the
# results have a row, `again`, for what later code alone did: hardly anything.)
#
# Where does it gain? Take the simple model's worst, middle and best test image.

# %%
chosen = np.argsort(dices["simple model"])[[0, len(images_of) // 2, -1]]
figure, axes = plt.subplots(3, 3, figsize=(7.4, 5.6), dpi=80, layout="constrained")
for row, number in zip(axes, chosen, strict=True):
    truth = data.read_mask(parts.test[number].mask) > 0
    for axis, name in zip(row, networks, strict=True):
        found = predictions[name][number] > 0
        shown = np.ones((*truth.shape, 3))
        for where, colour in plot.found_missed_extra(truth, found, truth.shape):
            shown[where] = 0.85 if colour == plot.TRUTH else colour
        axis.imshow(shown, interpolation="nearest")
        axis.contour(truth, [0.5], colors="black", linewidths=0.7)
        axis.set_title(f"{name}: {dices[name][number]:.3f}", fontsize=10)
        axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# The line is the true outline. Grey was found; red, inside the line, was missed; blue, outside it, is too much.
# Without skips red and blue fringe the outline most of the way round. With them the fringe is thinner. In its
# worst image the simple model also misses a band across the body: the outline alone does not explain that. What
# is left is the antenna, thinner than a pixel of 96x128 (the line hides its red), small red patches at mirrors,
# a window and wheels, and in the worst image a larger red one at the body's side and blue ones beside it. On
# another machine the U-Net, too, may lose part of a white car before a white wall.
#
# ## And the receptive field?
#
# It was the second suspect, so measure it as in notebook 04: all weights positive, and the gradient of one
# logit by each pixel. A maximum passes its gradient to one pixel of four only, so pool by the average here; the
# field is the same. A 400x400 image has room for it. The last line of the output is a U-Net of two levels,
# which you need further below.


# %%
def influence(network, images, row=52, column=64):
    """How much each pixel moves one logit, the mean over images: float32 (height, width)."""
    logit = keras.Model(network.inputs, network.get_layer("head").output)
    images = tf.convert_to_tensor(images, "float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        output = logit(images)[:, row, column, 0]
    return np.abs(tape.gradient(output, images)).sum(axis=-1).mean(axis=0)


# %%
keras.config.set_dtype_policy("float32")
large = {"size": (400, 400), "pool": layers.AveragePooling2D}
plain = [simple_fcn((400, 400, 3), filters=(1, 1, 1))]
plain += [article_unet(1, skips_on=False, **large), article_unet(1, **large)]
plain += [article_unet(1, levels=2, **large)]
keras.config.set_dtype_policy(policy)
seen = {}
for name, network in zip([*networks, "U-Net of 2 levels"], plain, strict=True):
    for weight in network.weights:
        weight.assign(0 * weight + (len(weight.shape) > 1) / np.prod(weight.shape[:-1]))
    seen[name] = influence(network, np.ones((1, 400, 400, 3)), 200, 200)
    side = int((seen[name] > 0).any(axis=0).sum())
    print(f"{name:19} sees {side} x {side} pixels")

# %% [markdown]
# That is what a pixel *can* depend on. What does it depend on after training? Take the trained networks, and
# the mean size of the same gradient over one batch of validation images.

# %%
batch, truths = next(iter(validation))
figure, axes = plt.subplots(2, 3, figsize=(7.4, 4.2), dpi=80, layout="constrained")
for (name, network), column in zip(networks.items(), axes.T, strict=True):
    used = influence(network, batch)
    near = used[48:57, 60:69].sum() / used.sum()
    titles = f"{name}: can see", f"uses: {near:.0%} within 9x9 pixels"
    maps = seen[name][148:244, 136:264], used
    for axis, field, title in zip(column, maps, titles, strict=True):
        shown = np.log10(np.where(field > 0, field / field.max(), np.nan))
        axis.imshow(
            np.round(2 * shown) / 2, cmap="YlOrBr", vmin=-4, vmax=0.5, interpolation="nearest"
        )
        axis.contour(truths[3, ..., 0], [0.5], colors="black", linewidths=1)
        axis.plot(64, 52, "w+", ms=11, mew=4)
        axis.plot(64, 52, "k+", ms=9, mew=1.5)
        axis.set_title(title, fontsize=9)
        axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# The cross is the pixel that is asked, the line a car's outline; each shade is a factor of three. Each map is
# drawn relative to its own largest value: compare shades within a map, not between maps. White is nothing at
# all; the palest yellow, which fills most of the upper right map, is little, but not nothing. From here both
# U-Nets see the whole image, the simple model 83x75 pixels of it. (75 or 83 either way: it depends on the
# pixel's place in the grid of strides. The upper map is that of one with 75x75.) In the upper map without skips
# the darkest part lies up and left of the cross: each transposed convolution lays its kernel down and to the
# right of its place, so a pixel hears more from above and left. Yet the U-Net without skips, which sees the
# whole image, scored no better than the simple model. The lower row shows what skips change in a deep network:
# compare the two U-Nets' shares within 9x9 pixels of the cross. (In our run the simple model's share is not far
# below the U-Net's, out of a smaller field: such a share alone makes no sharp edges.) If all pixels counted the
# same, that share would be 81 of 96 times 128, less than one in a hundred. In the U-Net without skips it is
# about one in a hundred, too. With skips the answer still hangs on the whole image, and more on the place
# itself.
#
# One doubt remains: the U-Net without skips sees more, and also squeezes harder, through 6x8 places. So turn the test
# round. Build a U-Net of two levels: it has skips, but sees *less* than the simple model, with fewer weights.

# %% tags=["nbval-ignore-output"]
keras.utils.set_random_seed(42)
shallow = article_unet(BASE, levels=2)
adam = keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-6)
fit(shallow, training, validation, EPOCHS, optimizer=adam, verbose=0)
small_field = scores.per_image_dice(parts.test, predict(shallow, images_of, batch_size=BATCH))
print(f"{shallow.count_params():,} parameters, dice {small_field.mean():.4f}")

# %% tags=["hide-cell"]
print("no worse than the simple model by 0.02:", small_field.mean() > simple - 0.02)

# %% [markdown]
# With skips, even a small field does as well as the simple model; without them, even the largest did
# no better. (Two levels also squeeze less: their smallest grid is 24x32. That is one more way to keep
# the outline.) So on these rendered cars it is hardly the small field that holds the simple model
# back: the outline has to be kept first.
#
# What do more levels add once it is kept? They bring a larger field and more weights. In our run the U-Net of
# four levels scores well above the one of two; one training of each cannot tell which of the two does it. Where
# a thing can only be told by what lies far from it, the field may count for more.
#
# ## What each level holds
#
# See it in the trained network. Take what meets at each level: what the skip hands over, and what comes up from
# below. Which of the two knows what is car? Of the many channels of a level, find the one that follows the true
# masks most closely over all validation images, by correlation: 1 is a mask, or its negative, in its own
# brightness and contrast; at 0 the channel is no brighter or darker on cars than elsewhere.


# %%
def closest(features, masks):
    """The channel that follows the masks most closely, car bright, and the correlation."""
    share = tf.image.resize(masks, features.shape[1:3], "area").numpy()
    together = np.mean(
        (features - features.mean(axis=(0, 1, 2))) * (share - share.mean()), (0, 1, 2)
    )
    correlation = together / (features.std(axis=(0, 1, 2)) * share.std() + 1e-9)
    best = np.argmax(np.abs(correlation))
    return np.sign(correlation[best]) * features[..., best], np.abs(correlation[best])


# %%
skips = [layer.input[1] for layer in model.layers if isinstance(layer, layers.Concatenate)]
below = [layer.input for layer in model.layers if isinstance(layer, layers.Conv2DTranspose)]
tensors = [*model.inputs, *skips[::-1], model.output, *below[::-1]]
images, masks = (np.concatenate(arrays) for arrays in zip(*validation, strict=True))
inside = keras.Model(model.input, tensors)(images, training=False)
found = [closest(np.float32(features), masks) for features in inside]
figure, axes = plt.subplots(2, 5, figsize=(7.4, 2.9), dpi=78, layout="constrained")
for axis, (channel, correlation) in zip(axes.flat, found, strict=True):
    axis.imshow(channel[3], cmap="gray", interpolation="nearest")
    axis.set_title(f"{channel.shape[1]}x{channel.shape[2]}: {correlation:.2f}", fontsize=9)
    axis.set(xticks=[], yticks=[])
for axis, name in zip(axes[:, :2].T.flat, ("image", "prediction", "skip", "below"), strict=True):
    axis.set_ylabel(name)
plt.show()

# %% tags=["hide-cell"]
first_skip, last_below = found[1][1], found[6][1]
print("from below knows more than the finest skip:", last_below > first_skip)

# %% [markdown]
# Over each picture stand its size and its correlation with the masks. On the left the image, as a negative
# where that follows the masks better, and the prediction. To the right, at each level, the two that meet: the
# skip above, and below it what the decoder has so far, before it is enlarged to the skip's size. The finest
# skip shows edges to the pixel, and the lettering on the wall as well as the car. In our run its best channel
# follows the masks no more closely than the image itself does (these cars differ from the wall by their
# brightness). What comes up from below is coarse, and in our run closer to the masks at all levels. (The level
# below has twice as many channels to find one among, and its masks are smaller: both may help its number.)
#
# ## Dropout
#
# While training, dropout sets each value to zero with a chance of 30%, so that the network cannot rely on a
# single feature. It scales the rest up by 1 / 0.7 = 1.4286, so that the mean stays nearly the same. When
# predicting it does nothing.

# %%
dropout = layers.Dropout(0.3, seed=1, dtype="float32")
ones = np.ones((1, 1000), "float32")
kept = dropout(ones, training=True).numpy()
print("values:", sorted({f"{value:.4f}" for value in kept[0]}), f"mean {kept.mean():.2f}")
print(
    "when predicting:",
    sorted({f"{value:.4f}" for value in dropout(ones, training=False).numpy()[0]}),
)

# %% [markdown]
# ## An augmentation that was never there
#
# The article's U-Net overwrites its input with the augmented image, then makes a model *from that tensor*. Keras 3 does
# not complain: it cuts the graph there. Compare the lists of layers.

# %%
augmentation = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.01)])
inputs = keras.Input((96, 128, 3))
augmented = augmentation(inputs)
outputs = layers.Conv2D(1, 1)(augmented)
for name, start in (("augmented tensor", augmented), ("input", inputs)):
    names = [type(layer).__name__ for layer in keras.Model(start, outputs).layers]
    print(f"from the {name}: {names}")

# %% [markdown]
# The first model has no augmentation at all. So the article's gain from 0.8788 to 0.9416 mixes at least three
# changes: the network, 16 epochs instead of 10, and an augmentation that was broken before (notebook 04) and is
# missing now. Here all networks train on pairs augmented together.
#
# ## The same network from the module
#
# `unet_tf.network.unet` has the switches that later chapters need. With its defaults it is the article's network: given
# the same weights and image, it gives the same probabilities. The number is the largest difference.

# %%
ours, built = unet(filters=(8, 16, 32, 64, 128)), article_unet(8)
ours.set_weights(built.get_weights())
one, other = (network.predict(batch[:2], verbose=0) for network in (ours, built))
print(f"largest difference {np.abs(one - other).max():.1e}")

# %% [markdown]
# ## Images without masks
#
# The competition's test images have no masks; the model predicts theirs in the same way. The line is around
# what it calls car. There is no score here, since there is no truth to compare with. But you have eyes. In our
# run the three images show a white car before a white wall, and the line cuts deep into its bonnet. Notebook 06
# asks why. The model is the file that `fit` saved at the best epoch. It needs no `custom_objects`, because loss
# and metric are registered.

# %%
reloaded = keras.saving.load_model("runs/unet/best.keras")
paths = data.unlabelled(folder)[:3]
figure, axes = plt.subplots(1, 3, figsize=(7.4, 1.8), dpi=64, layout="constrained")
for axis, path, found in zip(axes, paths, predict(reloaded, paths), strict=False):
    axis.imshow(data.read_image(path).mean(axis=-1), cmap="gray", vmin=0, vmax=255)
    axis.contour(found, [0.5], colors=[plot.EXTRA], linewidths=2)
    axis.set(xticks=[], yticks=[])
plt.show()

# %%
again = list(predict(reloaded, images_of[:4], batch_size=BATCH))
same = [np.array_equal(a, b) for a, b in zip(again, predictions["U-Net"], strict=False)]
print(f"{sum(same)} of {len(same)} masks of the saved model equal the ones scored above")

# %% [markdown]
# ## What one would use today
#
# For photographs you would rarely start from random weights: the common choice is a U-Net whose encoder was
# trained first on ImageNet, a million photographs with one label each, as in "TernausNet" (Iglovikov and
# Shvets, 2018, https://arxiv.org/abs/1801.05746), which was part of the solution that won the Carvana
# competition. "Segment Anything" (Kirillov et al., 2023, https://arxiv.org/abs/2304.02643) is a large model
# trained on a billion masks; it outlines what you point at, without training on your images, and helps to draw
# masks for a network of your own. In 3D medical images, U-Nets of convolutions, in well-chosen settings and
# large enough for today's hardware, are still hard to beat: "nnU-Net Revisited" (Isensee et al., 2024,
# https://arxiv.org/abs/2404.09556).
#
# ## What we saw
#
# - Small blocks built the article's U-Net, with 34,550,273 parameters if its transposed kernels are 3x3, and
#   the module's `unet` gave the same outputs.
# - Without its skips the deep network scored no better than the simple model, though it sees the whole car. With them it scored
#   higher on unseen cars, at the images' own size, and a shallow U-Net that sees less did as well as the simple
# model.
# - Dropout worked only while training, and the article's augmentation was not in its model.
#
# ## Exercises
#
# Three experiments on the skips, with a small U-Net of four levels that is built in two halves. Guess first, then run, then
# explain. [exercises/05](exercises/05.ipynb) has the code with gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. Remove skips, then train: one network with all four, one without the finest, one without any. Which of the
#    three lies far below the others? What does that say about where the outline comes from? (The images are
#    48x64 here: expect a surprise.)
# 2. Now train first and remove afterwards: set one skip of the trained network to zero, another one each time. Is the worst
#    of these four better or worse than the network that was trained without any skip? Why?
# 3. Give the trained decoder the bottom of one image and the skips of another. Whose car does the mask show?
#    Before you run it, say what you expect from what is often said: "the bottom knows what is car, the skips
#    know where".
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [06 · Training that can be stopped, watched and compared](06_training.ipynb).
