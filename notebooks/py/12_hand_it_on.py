# %% [markdown]
# # 12 · Hand it on
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/12_hand_it_on.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/12_hand_it_on.ipynb)
#
# **You will**
#
# - see what gets lost when a model is handed on without its preprocessing;
# - export a model for programs that know neither Keras nor Python, with the preprocessing inside (in LiteRT's
#   file the resizing stays outside), and compare each file with the model on images;
# - round its weights to fewer bits, and find where that starts to cost;
# - put the model on a web page that segments photographs in the browser.
#
# **You need** no data and no account: where Carvana is not at hand, a car studio is rendered. One or two
# minutes on 2 CPU cores; the time on a GPU was not measured. Two of the formats need packages that the rest of
# the course does not; without them the chapter says so and goes on.

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
import json
import shutil
import warnings
import zipfile

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import Markdown, display

from unet_tf import data, export, pipeline, plot, predict, scores
from unet_tf.files import UserError
from unet_tf.network import unet
from unet_tf.rendered import is_rendered
from unet_tf.training import fit

keras.utils.set_random_seed(42)
folder = data.find()
kind = "rendered" if is_rendered(folder) else "photographed"

# %% [markdown]
# ONNX is a format for networks that many programs run; LiteRT, the new name of TensorFlow Lite, is for phones
# and small boards. A *runtime* is the program that runs such a file. For ONNX, for LiteRT's own runtime and for
# the page you need four more packages. On your machine, in the project's folder, they come by `pip install -r
# requirements-demo.txt`; on Colab and Kaggle, remove the `#`. Should pip ask you to restart the session,
# restart it, and run the notebook from the top.

# %%
# # %pip install -q onnx tf2onnx onnxruntime ai-edge-litert

# %% [markdown]
# ## A model worth handing on
#
# A small U-Net, trained for some seconds as in [chapter 05](05_unet.ipynb).

# %%
pairs = data.pair(folder)[:320]
parts = data.split(pairs, by="group", validation_size=0.2, test_size=0.2)
training = pipeline.dataset(parts.train, batch_size=16, shuffle=True, augment=True, cache="memory")
validation = pipeline.dataset(parts.validation, batch_size=16, cache="memory")

# %% tags=["nbval-ignore-output"]
model = unet(filters=(8, 16, 32, 64), dropout=0.0)
adam = keras.optimizers.Adam(2e-3, epsilon=1e-6)
history = fit(model, training, validation, 6, optimizer=adam, verbose=2)

# %% [markdown]
# ## What gets lost on the way
#
# Keras saves layers and weights. The file does not say what happens to an image *before* the first layer. Somebody who gets
# only the file has to guess: were the pixels divided by 255? Is the order red, green, blue? How was the image made small?
# Guess wrongly, and no error is raised. Here are four wrong guesses, on 16 test images. Beside the dice stands how many
# pixels are *in doubt*: with a probability between 0.01 and 0.99.

# %%
tested = parts.test[:: len(parts.test) // 16]
truths = [data.read_mask(mask) for _, mask in tested]


def ways(path):
    """An image, prepared rightly and in four wrong ways."""
    area, nearest = (data.read_resized(path, (96, 128), way)[0] for way in ("area", "nearest"))
    right = area / np.float32(255)
    yield from (("right", right), ("not divided by 255", area), ("divided twice", right / 255))
    yield from (("blue, green, red", right[..., ::-1]), ("by nearest, not area", nearest / 255))


prepared = [dict(ways(image)) for image, _ in tested]
images = {name: np.array([one[name] for one in prepared], "float32") for name in prepared[0]}


# %%
def score(probabilities):
    """The mean dice of the test images' masks, at their own size."""
    both = zip(truths, probabilities, strict=True)
    return np.mean([scores.dice(one, data.resized_back(p, one.shape) >= 0.5) for one, p in both])


# %% tags=["nbval-ignore-output"]
lost, doubt = {}, {}
for name, batch in images.items():
    found = model.predict(batch, verbose=0)[..., 0]
    lost[name], doubt[name] = score(found), np.mean((found > 0.01) & (found < 0.99))
    print(f"{name:22} dice {lost[name]:.3f} ({kind}), {doubt[name]:5.1%} of the pixels in doubt")

# %% tags=["hide-cell"]
mild = [dice for name, dice in lost.items() if name != "divided twice"]
print("dividing twice costs more than 0.1:", lost["right"] - lost["divided twice"] > 0.1)
print("each of the others less than 0.05:", lost["right"] - min(mild) < 0.05)
print("not divided, it is too sure:", doubt["not divided by 255"] < doubt["right"] / 2)

# %% [markdown]
# Dividing twice shows at once. The other three hardly lower the score here, so nobody who looks at the score alone finds
# them. On other images they may cost more: blue for red, for one, where colours tell the classes apart.
#
# Are you surprised that pixels up to 255 do so well? ReLU, pooling and the sums of a convolution pass a factor
# above 0 on: twice the input is twice the output, and no sign changes. The sigmoid at the end gives 0.5 for a
# logit of 0, so a mask cut at 0.5 depends on the signs of the logits alone. What breaks this is the biases, the
# numbers that a convolution adds to its sums: they stay as they are. Set them to zero, and the pixels times any
# factor above 0 give the same mask, cut at 0.5. (A kernel's array has several axes, a bias only one: so the
# cell tells them apart.) Count the pixels that agree.

# %%
kept = model.get_weights()
model.set_weights([weight if weight.ndim > 1 else 0 * weight for weight in kept])
found = {name: model.predict(batch, verbose=0)[..., 0] for name, batch in images.items()}
model.set_weights(kept)
for name in ("not divided by 255", "divided twice"):
    agree = np.mean((found[name] >= 0.5) == (found["right"] >= 0.5))
    print(f"without biases, {name}: {agree:.1%} of the pixels agree")

# %% tags=["hide-cell"]
print("and these are masks of cars, dice above 0.8:", score(found["right"]) > 0.8)

# %% [markdown]
# Beside pixels up to 255 the biases hardly count; beside pixels close to 0 little else does. That is why one
# mistake hides and the other does not. This holds for this network. The one of notebook 09 subtracts a mean
# from the image first and has batch norm, and there the same mistake spoiled the mask. The probabilities give
# the mistake away: not divided, nearly all are 0 or 1, so the network is hardly ever in doubt, and moving the
# threshold changes little. What belongs to the model must travel with it.
#
# ## The card
#
# This project puts a *card* into the `.keras` file. Such a file is a zip, and the card one more member of it.

# %%
shutil.rmtree("runs/hand", ignore_errors=True)
Path("runs/hand").mkdir(parents=True)
model.save("runs/hand/car.keras")
seen = {"seen": data.digests(parts)}
card = data.Card(data.Labels.foreground("car"), image_size=(96, 128), trained_on=seen)
card.write("runs/hand/car.keras")
print(*zipfile.ZipFile("runs/hand/car.keras").namelist(), sep="\n")

# %% [markdown]
# The command `train` writes the card by itself. It is plain text. Its `trained_on`, which the next cell does
# not print, has short hashes of the images of each part. By them this project's commands know the images that
# trained the model or chose its epoch, and leave them out of its score. An image that somebody opened and saved
# again has another hash, and counts as unseen.

# %%
with zipfile.ZipFile("runs/hand/car.keras") as opened:
    written = json.loads(opened.read("unet_tf_card.json"))
print({name: written[name] for name in ("task", "scaling", "image_size", "resize", "threshold")})

# %% [markdown]
# `predict.load` gives an object that holds the model and its card. With it `predict.predict` resizes, scales
# and cuts as the card says, and enlarges before it cuts, so the mask has the image's own size. Called by
# itself, as further below, the object takes images that are prepared already. The order of the colours stands
# in no card: this project always reads red, green, blue, and whoever uses the file without this project has to
# know that.

# %%
loaded = predict.load("runs/hand/car.keras")
(mask,) = predict.predict(loaded, [parts.test[0].image])
print(mask.shape, mask.dtype, np.unique(mask))

# %% [markdown]
# ## Files for other programs
#
# A `.keras` file needs Keras, and often this project's layers, loss or metric: `import unet_tf.network` before
# `load_model`. Three formats do not:
#
# | format | for | preprocessing |
# | --- | --- | --- |
# | SavedModel, a folder | TensorFlow Serving, C++, Java, Go | inside: any size in |
# | ONNX, `.onnx` | ONNX Runtime: C, C#, Java, browsers, phones | inside: any size in |
# | LiteRT, `.tflite` | phones and small boards | scaling inside; resize the image yourself |
#
# All three answer with probabilities at the model's own size. To enlarge them, and to cut them at the
# threshold, is left to whoever asks; the card goes along, as metadata or, in a SavedModel, as a file in the
# folder. It says where to cut; the hashes of the images stay behind.
#
# `export` knows the format by the ending; on the command line it is `python -m unet_tf export MODEL --to FILE`. Where a
# package is missing, the error names it.


# %%
def exported(target, how=None, images=()):
    """Export the model if what that needs is installed; the path, or None."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of the converters
            return export.export(loaded, f"runs/hand/{target}", how, images)
    except UserError as error:
        print(error)


# %% tags=["nbval-ignore-output"]
files = [exported(name) for name in ("small.keras", "saved_model", "car.onnx", "car.tflite")]
files = [path for path in files if path]
print("written:", ", ".join(path.name for path in files))

# %% [markdown]
# You also wrote another `.keras` file, `small.keras`. It is much smaller than the one you saved: it left the
# optimizer behind, which holds two more numbers for each weight, and which only training needs. You call a
# SavedModel by a *signature*, a named function in it; `serving_default` is the usual one.

# %%
sizes = [Path(f"runs/hand/{name}").stat().st_size for name in ("car.keras", "small.keras")]
print(f"with its optimizer {sizes[0] / 1e6:.1f} MB, without {sizes[1] / 1e6:.1f} MB")

# %% [markdown]
# Now be the stranger. TensorFlow alone loads the folder, and you hand it the pixels of a file as they are: whole numbers,
# 480 pixels wide. Compare with Keras, which gets the image as this project prepares it.

# %%
stranger = tf.saved_model.load("runs/hand/saved_model").signatures["serving_default"]
pixels = data.read_image(parts.test[0].image)
answer = stranger(image=tf.constant(pixels[None]))["probability"].numpy()
ours = loaded(images["right"][:1])
print(pixels.dtype, pixels.shape, "->", answer.dtype, answer.shape)
print(f"largest difference: {np.abs(answer - ours).max():.3f}")

# %% [markdown]
# ## What did it cost?
#
# `check` does that for every file: each is run by its own program, on images that the model has not seen, and
# scored. On the command line it is `export ... --check FOLDER`. *Largest difference* belongs to the probability
# that moved most from the model's own, on the same pixels. *Lost* is the dice of the model minus that of the
# file. The images are not the same set as above: they are spread over all that the model has not seen, the test
# cars among them. So the dice is another, too.

# %% tags=["nbval-ignore-output"]
unseen, others = export.pairs_to_check(loaded, folder, most=32)
try:
    rows = export.check(loaded, files, unseen)
except UserError as error:  # a runtime is missing: those of TensorFlow alone
    print(error)
    files = [path for path in files if path.suffix not in (".onnx", ".tflite")]
    rows = export.check(loaded, files, unseen)
Markdown(export.table(rows))

# %% tags=["hide-cell"]
print("the largest loss is below 0.005:", max(row["lost"] for row in rows) < 0.005)

# %% [markdown]
# The largest differences are as small as rounding in `float32`: each program adds up in an order of its own.
# Images per second are those of this machine: the median over runs of one image at a time; the brackets hold
# the middle half of them.
#
# ## Fewer bits
#
# A weight has 32 bits. Does it need them? *Quantization* rounds weights to few levels: take the largest
# magnitude, divide the range from minus to plus that number into equal steps, and round to the nearest level, a
# whole number of steps. Eight bits give 127 steps to each side, two bits give one. By hand, four weights:


# %%
def quantized(values, bits):
    """Values rounded to `bits` bits, the sign among them."""
    steps = 2 ** (bits - 1) - 1
    step = np.abs(values).max() / steps
    return np.round(values / step) * step


weights = np.array([0.9, -0.5, 0.26, 0.05])
for bits in (2, 3, 8):
    print(bits, "bits:", quantized(weights, bits).round(3))

# %% [markdown]
# Fewer bits, fewer different weights: with two bits only three values are left, minus the largest, zero, and
# plus the largest. Do that to every kernel of the network (`kept` still holds the trained weights, from the
# test without biases), and score it each time. How few bits does it bear? Guess first.

# %% tags=["nbval-ignore-output"]
dices = {}
for bits in (8, 6, 5, 4, 3, 2):
    model.set_weights([quantized(w, bits) if w.ndim > 1 else w for w in kept])
    dices[bits] = score(model.predict(images["right"], verbose=0)[..., 0])
model.set_weights(kept)
print({bits: round(float(dice), 3) for bits, dice in dices.items()})

# %%
figure, axis = plt.subplots(figsize=(7.4, 2.8), dpi=80, layout="constrained")
axis.plot([*dices], [*dices.values()], "o-", color=plot.EXTRA)
axis.axhline(lost["right"], color="0.5", ls=":", label="32 bits")
axis.set(
    xlabel="bits per weight", ylabel="dice", title=f"Few bits are enough, too few are not ({kind})"
)
axis.invert_xaxis()
axis.legend()
plt.show()

# %% tags=["hide-cell"]
print("8 bits cost less than 0.01:", lost["right"] - dices[8] < 0.01)
print("2 bits cost more than 0.1:", lost["right"] - dices[2] > 0.1)

# %% [markdown]
# In our run the dice stays level down to four bits, goes from 0.944 to 0.921 at three, and falls off at two.
# `export` has three ways to fewer bits, for LiteRT and for ONNX:
#
# - `float16` keeps floats, shorter ones: 16 bits for a weight in the file. As the file runs, they become 32
#   bits again.
# - `dynamic` rounds weights to 8 bits, with a step of its own for each output channel. LiteRT leaves the
#   smallest kernels as they are, and rounds what flows into the others, too, anew for each image. In ONNX every
#   kernel is rounded, and the weights become floats again as the file runs. (ONNX Runtime's own tool of that
#   name does more.)
# - `int8` also fixes the steps for what flows between the layers, when the file is written. For that it has to
#   know how large the numbers get, so it is *calibrated* on images: here on 32 of those that are not scored,
#   `others`.
#
# Compare their sizes, what each loses, and how fast each is.

# %% tags=["nbval-ignore-output"]
light = []
for ending in ("tflite", "onnx"):
    light += [exported(f"car.{ending}")]
    for how in ("float16", "dynamic", "int8"):
        light += [exported(f"car-{how}.{ending}", how, others[:32])]
try:
    display(Markdown(export.table(export.check(loaded, [path for path in light if path], unseen))))
except UserError as error:
    print(error)

# %% [markdown]
# Half the bits, half the file. With 8 bits single probabilities move far, yet the dice hardly does; where a
# file loses more than 0.01, a line below the table says so.
#
# Fewer bits are not always faster. In our second table `float16` gains next to nothing, and the files of 8 bits
# come out slower than those of 32. But the rates scatter: `car.tflite` and `car.onnx` stand in both tables, so
# compare their rows before you believe a small difference. [The benchmarks](../benchmarks/README.md) have such
# a table for all five recipes, from another run. There LiteRT's files of 8 bits are faster than those of 32
# bits in every recipe. What the processor can do with 8 bits is a likely reason; it was not tested. Size alone
# is not: the smallest of its files of 32 bits, of 0.7 MB, is about as large as yours, and there, too, 8 bits
# are faster. There, too, a difference below a factor of two says little.
#
# ## A page that segments
#
# The ONNX file also runs in a browser. `python -m unet_tf demo MODEL` writes one folder with the page, the
# model and the runtime, and serves it on your own machine. The first time it downloads the runtime,
# onnxruntime-web; without a network it says so. The photograph stays in the browser; nothing is sent anywhere.
# With `--quantize dynamic` this model has a third of the bytes, a large one a quarter. For a model as small as
# this one it hardly matters to a phone, which has to load the runtime as well.
#
# ![The page with a car, its outline and the slider for the threshold](pictures/page.png)
#
# The picture shows the page of another model, named *unet*; your page names yours *car*.
#
# The next cell writes the folder and packs it as a zip, to download from Colab or Kaggle. The folder works on
# any static host, a server that does no more than hand out files. From the disk alone it does not run, since
# browsers load such files from a server only: unpack the zip into a new folder, go there, start a server,
# `python -m http.server`, and open http://localhost:8000.

# %% tags=["nbval-ignore-output"]
try:
    with warnings.catch_warnings(action="ignore"):
        export.write_page(loaded, "runs/hand/page", "car")
    shutil.make_archive("runs/hand/page", "zip", "runs/hand/page")
    print("to download: runs/hand/page.zip")
except UserError as error:
    print(error)

# %% [markdown]
# ## What we saw
#
# - A model without its preprocessing raised no error, and three of four mistakes hardly showed in the score.
# - SavedModel and ONNX took the pixels of a file as they are; our LiteRT file takes one size. Each run by its
#   own program, all files with 32-bit weights gave the model's answers up to rounding. Enlarging and cutting is
#   left to the caller; the card says where to cut, not how to enlarge, nor the order of the colours.
# - Eight bits per weight cost next to nothing here; two bits ruined the model.
# - You wrote a page that runs the model in the browser, where the photograph stays.
#
# ## Exercises
#
# Three experiments: guess first, then run, then explain. [exercises/12](exercises/12.ipynb) has the code with gaps,
# [solutions](solutions.ipynb) has the answers.
#
# 1. Round `np.linspace(-1, 1, 9)` to 8 bits, alone, and together with an outlier, 50. How many different values are left of
#    the nine? Then say why LiteRT takes a step for each output channel.
# 2. Reduce a picture of 300x300 pixels, with a circle in it, to 20x20 by area: the probabilities of a perfect
#    model. Enlarge them and cut at 0.5 (`smooth`); or cut them first and enlarge by nearest (`stairs`). Which
#    is closer to the circle, and by how much?
# 3. Export a model for 48x64 as a SavedModel, and give its signature an image of 31x47 pixels, then one of 2000x3000.
#    What is the shape of the answer, and who resized?
#
# Test yourself: [five questions](questions.md), with their answers.
