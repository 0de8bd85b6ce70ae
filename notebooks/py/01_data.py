# %% [markdown]
# # 01 · The Carvana files
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/01_data.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/01_data.ipynb)
#
# **You will**
#
# - see what segmentation is, and what its data look like: photographs and masks;
# - read both as arrays, pair each image with its mask by name, and find what is wrong in a folder;
# - split the pairs into training and validation, by image and by car, and count the cars that stand
#   on both sides.
#
# **You need**
#
# - data: none to prepare. Without an account you work on rendered data, which this notebook makes;
#   one switch below downloads the photographs;
# - time: a quarter of a minute on 2 cores, and up to a minute more the first time, for rendering;
#   on a GPU: not measured, and of no use here.

# %% [markdown]
# ## Setup
#
# The first cell finds the module `unet_tf`, or installs it on Colab and Kaggle. The second imports
# what this notebook needs, sets the seed, and finds the data.

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
import math
import os
import re
import shutil
import zipfile
import zlib
from collections import Counter
from unittest import mock

import keras
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from unet_tf import data, kaggle, pets, rendered
from unet_tf.data import Pair
from unet_tf.rendered import car_pictures, car_shapes

# %%
keras.utils.set_random_seed(42)
DATA = "cars"  # "pets": photographs of cats and dogs, a download of 0.8 GB, no account
folder = data.find() if DATA == "cars" else pets.like_carvana()

# %% [markdown]
# The line of output tells you which data you work on. `data.find()` looks in `$UNET_DATA`, in Kaggle's
# `/kaggle/input`, in Colab's `/content` and in `./data`. If it finds nothing there, it renders cars. The
# notebooks on cars start this way, and run on either kind of data: photographs or rendered cars. (`DATA =
# "pets"` takes photographs of cats and dogs, of many sizes. Each then counts as a car with one view, so what is
# said below of several views of one car has no examples there.)
#
# ## What segmentation is
#
# You can ask different questions about a picture. The cell renders a car and draws three answers.

# %%
view, mask = car_pictures.render(car_shapes.make_car(1, 3), 4)
rows, columns = np.nonzero(mask)
left, top, width, height = columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
share = mask[top : top + height, left : left + width].mean()

titles = [
    "Classification: a car",
    f"Detection: the box is {share:.0%} car",
    "Segmentation: its pixels",
]
_, axes = plt.subplots(1, 3, figsize=(7.4, 1.9), dpi=100, layout="constrained")
for axis, title in zip(axes, titles, strict=True):
    axis.imshow(view.mean(axis=-1) // 16, cmap="gray", interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.axis("off")
axes[1].add_patch(plt.Rectangle((left, top), width, height, fill=False, linewidth=2))
axes[2].contourf(mask, [0.5, 1], colors=["w"], hatches=["//"], alpha=0.7)
axes[2].contour(mask, [0.5], colors="k", linewidths=1.5)
plt.show()

# %% [markdown]
# *Classification* gives one answer per image. *Detection* gives a box per object, with a part in it that is not
# car. (The box reaches up to the tip of the antenna, which you see in the third picture only.) *Semantic
# segmentation* gives a class for each pixel, here car or background: the outline is there, but two cars that
# touch become one area. *Instance segmentation* also tells one car from the other; [notebook
# 00](00_start.ipynb) draws the difference. This course is about semantic segmentation. Its answer, a picture of
# 0 and 1, is called a *mask*.
#
# People segment where a box is too coarse: to measure a tumour, to find the road before a car, to measure how
# much of an aerial photograph is roof, or, as here, to cut out a product for a shop.
#
# ## The data
#
# The [Carvana Image Masking Challenge](https://www.kaggle.com/c/carvana-image-masking-challenge)
# was a Kaggle competition. A shop for used cars put each car on a turntable and photographed it 16
# times. Somebody then cut out every car by hand. Your network should produce that cut-out by
# itself.
#
# | zip | holds | you need it |
# |---|---|---|
# | `train_hq.zip` | 5,088 photographs: 318 cars, 16 views each, 1918x1280 pixels | always |
# | `train_masks.zip` | one mask per photograph: white is car, black is not | always |
# | `test_hq.zip` | 100,064 photographs without masks | to submit to Kaggle |
#
# The competition offers the same photographs in a lower quality too, as `train.zip` and `test.zip`.
# You do not need those. The article that this course follows ("Image Segmentation: An In-Depth
# Guide", Ed Izaguirre, 2023) takes the zips in the table, too.
#
# The **rendered** data is a stand-in for readers without an account: a small 3D car on a turntable, 16 views,
# written as the same three zips with the same kind of names and encodings. So you run the code that the
# photographs need. A score on rendered cars says nothing about Carvana. So a line at the top of each notebook
# on cars names its data, and the wall behind each rendered car says RENDERED.
#
# ### Download
#
# Open the competition's page once and accept its rules. Then, depending on where you are:
#
# - **Kaggle**: press *Add Input* and add the competition. Its files appear under `/kaggle/input`
#   and you need no token and no download.
# - **Colab**: create a token on [your settings page](https://www.kaggle.com/settings/api) and add
#   it to Colab's secrets (the key at the left) as `KAGGLE_API_TOKEN`, with notebook access.
# - **At home**: create the same token and save it in the file `~/.kaggle/access_token`.
#
# Then set the switch to `True`. Later notebooks find the folder by themselves. What can go wrong on
# the way has a section of its own at the end of this notebook.

# %%
DOWNLOAD = False
if DOWNLOAD:
    kaggle.download(["train_hq.zip", "train_masks.zip"], "data/carvana")
    folder = data.find("data/carvana")

# %% [markdown]
# ## Read an image and a mask
#
# Take 16 images, and the masks that belong to them, out of the zips. In Carvana's names, the mask of
# `NAME.jpg` is `NAME_mask.gif`. (If your files are unpacked already, the cell takes the rendered
# zips.)

# %%
first = Path("runs/first_files")
shutil.rmtree(first, ignore_errors=True)  # what an earlier run of this notebook left
zips = folder if (folder / "train_hq.zip").is_file() else rendered.write("cars")
images_folder = kaggle.extract(zips / "train_hq.zip", first, limit=16)
wanted = [f"{path.stem}_mask.gif" for path in images_folder.iterdir()]
masks_folder = kaggle.extract(zips / "train_masks.zip", first, names=wanted)
print(f"{len(list(images_folder.iterdir()))} images, {len(list(masks_folder.iterdir()))} masks")

# %% [markdown]
# Open a photograph with Pillow and turn it into an array. Mind the order of the numbers: Pillow
# gives width and height, an array gives height (rows) and width (columns), then the colours.

# %%
image_path, mask_path = sorted(images_folder.iterdir())[3], sorted(masks_folder.iterdir())[3]
image = Image.open(image_path)
width, height = image.size
pixels = np.asarray(image)
print(f"{image.format}, {image.mode}, array: {pixels.dtype}")
print("its shape is (height, width, 3):", pixels.shape == (height, width, 3))

# %% [markdown]
# Each pixel holds red, green and blue as whole numbers from 0 to 255 (`uint8`). Now the mask. It is
# a GIF, and a GIF does not store colours but *indices* into a palette. So there are two answers to the
# question which values a mask holds.

# %%
mask = Image.open(mask_path)
print(f"{mask.format}, {mask.mode}, palette: {mask.getpalette()[:6]}")
print(f"indices: {np.unique(np.asarray(mask)).tolist()}")
print(f"colours: {np.unique(np.asarray(mask.convert('L'))).tolist()}")

# %% [markdown]
# Pillow hands you indices, 0 and 1. With the palette applied (index 0 is black, index 1 is white), they are 0
# and 255. Both are right, and other libraries choose the other one: `tf.image.decode_gif` applies the palette.
# Code that divides a mask by 255 works with one reader, and makes an all but empty mask with the other, without
# an error.
#
# So read masks with one function that always returns 0 and 1. It applies the palette, and raises an
# error unless the mask is pure black and white.


# %%
def read_mask(path):
    """A black and white mask as uint8 (H, W) in {0, 1}."""
    grey = np.asarray(Image.open(path).convert("L"))
    if not set(np.unique(grey)) <= {0, 255}:
        raise ValueError(f"{path}: {len(np.unique(grey))} values, a mask has 0 and 255")
    return (grey > 0).astype("uint8")


# %% [markdown]
# Check it by hand. The 4x4 mask below has five car pixels. Save it in three ways: as grey values,
# with a palette that is upside down (index 0 is white), and as a JPEG. Compare the number of raw
# values above 0 with what `read_mask` finds.

# %%
hand = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]], "uint8")
for name in ("grey.png", "lossy.jpg"):
    Image.fromarray(255 * hand).save(first / name)
indexed = Image.fromarray(1 - hand).convert("P")
indexed.putpalette([255, 255, 255, 0, 0, 0])
indexed.save(first / "upside_down.png")
for name in ("grey.png", "upside_down.png", "lossy.jpg"):
    raw = np.asarray(Image.open(first / name))
    try:
        found = f"read_mask finds {read_mask(first / name).sum()}"
    except ValueError as error:
        found = f"ValueError: {error}"
    print(f"{name}: {(raw > 0).sum()} raw values above 0; {found}")

# %% [markdown]
# Two files give five car pixels, even the one whose raw values count the background. The JPEG raises
# an error: its compression has mixed black and white into values between, and where does the car end
# then?
#
# From here on you use the module's `read_mask`. It also reads masks of 0 and 1, of 16 bits, and with a
# transparency, and names a file that cannot be decoded. Its `read_image` reads photographs of many kinds as
# `uint8` RGB, and names a broken file, too. Now look at the mask of a car. The helper puts pictures side by
# side. The left picture shows the 0 and 1 of the array as if they were 8-bit values.


# %%
from unet_tf.data import read_image, read_mask


def show(pictures, columns, size):
    """Pictures in rows of `columns`, from `{title: pixels}`; size in inches."""
    rows = math.ceil(len(pictures) / columns)
    _, axes = plt.subplots(rows, columns, figsize=size, dpi=90, layout="constrained")
    for axis, (title, pixels) in zip(axes.flat, pictures.items(), strict=False):
        if pixels.ndim == 3:  # fewer shades keep this file small
            pixels = (pixels * (1 if pixels.dtype == np.uint8 else 255)).astype("uint8") // 16 * 16
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    plt.show()


mask = read_mask(mask_path)
show({"shown from 0 to 255": mask / 255, "shown from 0 to 1": mask}, 2, (7.2, 2.5))

# %% [markdown]
# Both pictures show the same array. The left one looks empty, since 1 of 255 is as good as black.
# If your own masks look all black, check their values first.
#
# ## Look at image and mask together
#
# Two pictures side by side hide small errors. An *overlay* shows them: the mask as a colour on the image. The
# function takes the true mask and a predicted one. What both have is green, what the prediction missed is red,
# what it added is blue. In every overlay these three colours mean the same.

# %% tags=["lifted"]
TRUTH, MISSED, EXTRA = (0.20, 0.63, 0.17), (0.84, 0.15, 0.16), (0.12, 0.47, 0.71)


def overlay(image, truth, prediction):
    """The image with truth found in green, truth missed in red, and what is no truth in blue."""
    shown = unit(image)
    for where, colour in found_missed_extra(truth, prediction, shown.shape[:2]):
        shown[where] = 0.5 * shown[where] + 0.5 * np.array(colour)
    return shown


# %% tags=["lifted"]
def unit(image):
    """A copy of an image as float64 in [0, 1]."""
    image = np.asarray(image)
    return image / 255 if image.dtype == np.uint8 else image.astype("float64")


def found_missed_extra(truth, prediction, size):
    """Where truth is found, missed, and none, bool `size`, each with its colour."""
    truth, prediction = (np.asarray(mask).reshape(size) > 0 for mask in (truth, prediction))
    both = truth & prediction
    return (both, TRUTH), (truth & ~both, MISSED), (prediction & ~both, EXTRA)


# %% [markdown]
# Run it on four grey pixels in a row, one for each case: found, missed, extra, and neither. Half of
# the grey, 0.25, and half of the colour make the pixel. So the first must be 0.25 + 0.5 * (0.20,
# 0.63, 0.17).

# %%
grey = np.full((1, 4, 3), 0.5)
pixels = overlay(grey, truth=[[1, 1, 0, 0]], prediction=[[1, 0, 1, 0]])
for case, pixel in zip(("found", "missed", "extra", "neither"), pixels[0], strict=True):
    print(f"{case:8}", " ".join(f"{value:.3f}" for value in pixel))

# %% [markdown]
# The first row is (0.350, 0.565, 0.335), as worked out, and the last pixel keeps its grey. There is
# no prediction yet, so take the mask for both.

# %%
image = read_image(image_path)
show({"image": image, "mask": mask, "overlay": overlay(image, mask, mask)}, 3, (7.2, 1.8))

# %% [markdown]
# The green follows the car's outline, with wheels, mirrors and windows, and leaves out the shadow on the floor.
# Everything inside the outline counts as car, also what you see through its windows. (The white dot above the
# roof belongs to the antenna, which is too thin for so small a picture.)
#
# The 16 files are the 16 views of one car. Here is every second one, numbered as in its name.

# %%
paths = sorted(images_folder.iterdir())
show({f"view {path.stem[-2:]}": read_image(path) for path in paths[::2]}, 4, (7.2, 2.8))

# %% [markdown]
# The turntable goes round once, 22.5 degrees per view. The car's outline changes; its colour, its wheels, the
# room and the light do not. A network that has seen view 04 may know something about view 05. You come back to
# that at the split.
#
# ## Pair by name, not by order
#
# A common way is to list the images, list the masks, sort both, and take the first with the first,
# the second with the second. It works as long as nothing is missing. Take one mask out of the list
# and print the pairs around the gap.

# %%
masks = sorted(masks_folder.iterdir())
del masks[4]  # say, a download that was lost
by_order = list(zip(paths, masks, strict=False))
for image_path, mask_path in by_order[2:7]:
    print(f"view {image_path.stem[-2:]} with the mask of view {mask_path.stem[-7:-5]}")
print(f"{sum(i.stem in m.stem for i, m in by_order)} of {len(by_order)} pairs are right")

# %% [markdown]
# From the gap on, each image has the mask of the next view, and no error is raised. A strict `zip`
# would notice that one list is shorter, unless an image is missing elsewhere too. Below, green is
# where the two masks agree; red is the car without its mask, and blue is the mask without a car. The
# black line is the car's true outline, the white line that of the mask it was given.

# %%
image_path, mask_path = by_order[4]
truth = read_mask(masks_folder / f"{image_path.stem}_mask.gif")
photograph = read_image(image_path) // 16 * 16
_, axes = plt.subplots(1, 2, figsize=(7.2, 2.6), dpi=90, layout="constrained")
for axis, given in zip(axes, (truth, read_mask(mask_path)), strict=True):
    axis.imshow(overlay(photograph, truth, given), interpolation="nearest")
    axis.contour(given, [0.5], colors="w", linewidths=1.5)
    axis.contour(truth, [0.5], colors="k", linewidths=1)
    axis.axis("off")
axes[0].set_title("paired by name", fontsize=9)
axes[1].set_title("paired by order", fontsize=9)
plt.show()

# %% [markdown]
# The mask of the next view fits the middle of the car, and is wrong at its front, its back and below
# it. A network trained on such pairs is shown wrong outlines, and no error message tells you.
#
# So pair by name: make a dictionary of the masks, and ask it for the name of each image.


# %%
def by_name(images, masks):
    """Pairs of paths: each image with the mask that has its name."""
    named = {path.stem.removesuffix("_mask"): path for path in masks}
    return [Pair(image, named[image.stem]) for image in images if image.stem in named]


right = by_name(paths, masks)
print(f"{sum(i.stem in m.stem for i, m in right)} of {len(right)} pairs are right")

# %% [markdown]
# All 15 are right, and the image without a mask is left out. But should you leave it out and say nothing? A
# missing file is often a sign of more. The module's `data.pair` looks for **all** faults of these kinds and
# reports them in one error, with the number of files and up to ten entries for each kind: missing masks and
# images, two files of one name, truncated files and files that are no images, sizes that differ. It reads
# headers and last bytes only, so it is fast on many files. It does not see what values a mask holds:
# `read_mask` does.
#
# Copy the 16 pairs and break the copy in five ways, one line each.

# %%
broken = Path("runs/broken")
shutil.rmtree(broken, ignore_errors=True)
shutil.copytree(images_folder, broken / "images")
shutil.copytree(masks_folder, broken / "masks")
images, masks = (sorted((broken / name).iterdir()) for name in ("images", "masks"))

masks[0].unlink()  # an image without a mask
images[1].unlink()  # a mask without an image
images[2].write_bytes(images[2].read_bytes()[:3000])  # the beginning of a file
shutil.copy(images[3], images[3].with_suffix(".jpeg"))  # one name, two files
Image.open(masks[4]).resize((64, 48)).save(masks[4])  # a mask of another size

try:
    data.pair(broken)
except ValueError as error:
    print(error)

# %% [markdown]
# Five lines, five faults, and the names of the files to mend: you correct the folder once, not five
# times. Now pair the whole data set. With the photographs this unpacks two zips and looks at every
# file, which takes a while the first time.

# %%
pairs = data.pair(folder)
kind = "rendered" if rendered.is_rendered(folder) else "photographed"
print(f"{len(pairs)} pairs of {len({data.group_of(image) for image, _ in pairs})} cars, {kind}")
print(f"{pairs[3].image.name} belongs to {pairs[3].mask.name}")

# %% [markdown]
# ## How much of a frame is car?
#
# How much is there to find? Read the masks of up to 40 cars. Note the share of car pixels in each, and
# add the masks up for their mean. One mask at a time is in memory: 640 of full size would fill 1.6 GB.

# %%
some, shares, mean_mask = pairs[:640], [], 0
for _, path in some:
    mask = read_mask(path)
    shares.append(mask.mean())
    small = Image.fromarray(255 * mask).resize((240, 160))  # all of one size, as pets are not
    mean_mask = mean_mask + np.asarray(small) / np.float32(255 * len(some))
print(f"car share of a frame, {kind} {DATA}: mean {np.mean(shares):.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.5), dpi=90, layout="constrained")
left.hist(shares, bins=24, color=TRUTH)
left.set_title(f"{kind}: from {min(shares):.2f} to {max(shares):.2f} of a frame", fontsize=9)
left.set(xlabel="car share of a frame", ylabel="images")
right.imshow(mean_mask, cmap="gray", vmin=0, vmax=1)
right.set_title(f"mean of {len(some)} masks", fontsize=9)
right.axis("off")
plt.show()

# %% [markdown]
# On the left, most frames hold far more background than car: a prediction with no car at all is right in most
# of its pixels. So the share of right pixels (accuracy) is a poor score, and notebook 03 introduces a better
# one. On the right, the mean mask is white where nearly every frame has car. Cut at one half it is a prediction
# too, the same for every image. It ignores the image and still hits a lot, because the cars stand in one place.
# Made of the training masks alone, it is called the *constant baseline*, and from notebook 03 on you compare
# your scores with it.
#
# ## Split by car
#
# You train on one part of the pairs and measure on another, the validation part. You want to know
# how well the network does on a car that it has never seen. So each car belongs in one part only.
# The article shuffles the files instead.
#
# Which car is it? A name such as `0cdf5b5d0ce1_04.jpg` says so: 12 hexadecimal digits are the car,
# and `01` to `16` is the view. `group_of` reads it. It also understands other names:
# `patient7_slice03` belongs to `patient7`, because a digit stands before the last number. Any other name is a group
# of its own. Mind dates: `IMG_20240501_101500` is grouped by its day.


# %% tags=["lifted"]
def group_of(path):
    """The car of a Carvana file name, its 12 hex digits. Of another name what stands before its
    last number, if there is a digit in it: patient7 of `patient7_slice03`; else the whole name."""
    stem = Path(path).stem.removesuffix("_mask")
    car = re.fullmatch(r"([0-9a-f]{12})_\d\d|(.*\d.*?)[-_. ]+[A-Za-z]*\d+", stem)
    return (car[1] or car[2]) if car else stem


# %% [markdown]
# Try it on four names, an image, a mask, a slice and a holiday picture, and then on all pairs.

# %%
for name in (
    "0cdf5b5d0ce1_04.jpg",
    "0cdf5b5d0ce1_04_mask.gif",
    "patient7_slice03.png",
    "beach_2.png",
):
    print(f"{name} -> {group_of(name)}")
views = Counter(group_of(image) for image, _ in pairs)
print(f"{views.total()} images of {len(views)} cars; views per car: {sorted(set(views.values()))}")

# %% [markdown]
# Image and mask give the same car, and every car has the same number of views. There are 16 times
# as many images as cars.
#
# `divide` takes a part away from a list of pairs: by image with scikit-learn's `train_test_split`,
# by car with its `GroupShuffleSplit`.


# %%
def divide(pairs, by, size, seed=42):
    """(rest, part): the part holds a share `size` of the images, or of the cars."""
    if by == "image":
        return train_test_split(pairs, test_size=size, random_state=seed)
    cars = [group_of(image) for image, _ in pairs]
    splitter = GroupShuffleSplit(n_splits=1, test_size=size, random_state=seed)
    rest, part = next(splitter.split(pairs, groups=cars))
    return [pairs[i] for i in rest], [pairs[i] for i in part]


hand = [Pair(Path(f"{car * 12}_{view}.jpg"), None) for car in "ab" for view in ("01", "02")]
for by in ("image", "car"):
    print(f"by {by}, validation:", *[image.name for image, _ in divide(hand, by, 0.5)[1]])

# %% [markdown]
# By car, both views of one car are on the validation side. The module's `data.split` calls such a function
# twice, for a test part and for the validation part, and prints the counts. The test part is for the very end:
# a part that decides when training stops, or which model you keep, is not unseen any more. `data.split` also
# raises an error where nothing would be left to train on.

# %%
try:
    data.split(hand, validation_size=0.5, test_size=0.5)
except ValueError as error:
    print(error)

# %% [markdown]
# Now real lists. The article takes the first 1000 files, sorted by name, and gives a random fifth of them to
# validation: the first line. The second splits the same files by car, the third line all files. (Rendered,
# there are only 640 files, so all three lines split the same files.) Compare the last number of the first two
# lines.

# %%
by_image = data.split(pairs[:1000], by="image")
by_car = data.split(pairs[:1000], by="group")
three = data.split(pairs, by="group", test_size=0.1)

# %% [markdown]
# (The module says `group` where `divide` says `car`.) By image, every car of the validation part is also in
# training. By car, none is. The third line is a split with a test part, and again no car is on two sides.
#
# What does a shared car mean? Take a validation image of the split by image, and find the two views
# of the same car in training that come closest.


# %%
def view_of(path):
    """The number at the end of a name."""
    return int(path.stem.rpartition("_")[2])


seen = by_image.validation[0].image
sisters = [image for image, _ in by_image.train if group_of(image) == group_of(seen)]
sisters.sort(key=lambda path: abs((view_of(path) - view_of(seen) + 8) % 16 - 8))  # a circle of 16
pictures = {f"validation: view {view_of(seen):02}": read_image(seen)}
pictures |= {f"training: view {view_of(path):02}": read_image(path) for path in sisters[:2]}
show(pictures, 3, (7.2, 1.9))

# %% [markdown]
# A network trained on this split has seen the same car, a step or two of the turntable away, with its masks.
# Its score may tell you partly how well it remembers. How much does that add? Notebook 10 measures how far
# validation lies above a test on unseen cars, split by image and by car. On rendered cars, with one split and
# five trainings of each kind, the split by image adds 0.0002 of dice to that gap. With so few trainings, the
# true mean of this difference might lie anywhere from -0.0076 to +0.0081 (a 95% interval over trainings;
# notebook 10). That is within the noise; with another split or on other data it may be more. Split by car
# anyway: it costs one argument, and its score answers your question without this doubt.
#
# ## Downloads and zips
#
# This last section is for the day when a download fails. It helps to have seen the error once. So
# provoke one: hide your home folder and all variables of the environment, and ask for a file that
# does not exist.

# %%
nobody = {"HOME": "runs/nobody", "USERPROFILE": "runs/nobody"}
with mock.patch.dict(os.environ, nobody, clear=True):
    try:
        kaggle.download(["made_up.zip"], "runs/nobody")
    except kaggle.KaggleError as error:
        print(error)

# %% [markdown]
# The message names the missing thing, the page where you get it, and the file where it goes; on
# Colab it names the secrets instead. Three other messages are common. *401*: Kaggle does not know
# your token, so create a new one. *403*: you have not accepted the rules. *404*: there is no such
# file in the competition. An interrupted download resumes when you rerun the cell.
#
# Zips can be bad too. Make two: one whose member wants to be written outside the folder, and one
# that is the beginning of a download.

# %%
with zipfile.ZipFile(first / "leaving.zip", "w") as archive:
    archive.writestr("../../outside.jpg", b"")
(first / "short.zip").write_bytes((first / "leaving.zip").read_bytes()[:60])
for name in ("leaving.zip", "short.zip"):
    try:
        kaggle.extract(first / name, first)
    except kaggle.KaggleError as error:
        print(f"{error}\n")
places = (first.parent, first.parent.parent)
print("written outside:", [path for place in places for path in place.glob("outside*")])

# %% [markdown]
# Both raise an error with the reason, and nothing was written outside. `kaggle.extract` is Python's `zipfile`
# with three habits added: it refuses a zip with a member that leads out of the folder (`zipfile` drops the dots
# and writes that file inside), it skips what is there already, and it gives a file its name only when the file
# is whole.
#
# You can see what a zip holds without unpacking it. And what does packing do to a photograph? Read
# one and compress it once more.

# %%
with zipfile.ZipFile(zips / "train_hq.zip") as opened:
    members = opened.infolist()
    photograph = opened.read(members[-1])
print(f"{len(members)} members, the last is {members[-1].filename}")
print(f"compressed again: {len(zlib.compress(photograph)) / len(photograph):.2f} of its size")

# %% [markdown]
# A JPEG is compressed already, and a zip around it saves next to nothing. Zip and unpacked folder together take
# the space twice, so unpack what you need and no more. 16 images are unpacked already. Ask for 18:

# %%
before = {path.name: path.stat().st_mtime_ns for path in images_folder.iterdir()}
kaggle.extract(zips / "train_hq.zip", first, limit=18)
after = {path.name: path.stat().st_mtime_ns for path in images_folder.iterdir()}
kept = sum(after[name] == before[name] for name in before)
print(f"{len(before)} images, then {len(after)}; not written again: {kept}")

# %% [markdown]
# The second call writes two images and leaves the rest alone. A cell that unpacks can therefore run
# as often as you like.
#
# ## What we saw
#
# - One can ask four questions about a picture; you saw three of them drawn. Semantic segmentation
#   gives a class for each pixel, and its answer is a mask.
# - You read photographs as `uint8` arrays and masks as 0 and 1, looked at both, and paired them by
#   name. Pairing by order went wrong after one missing file, without an error.
# - You split the pairs by image and by car. By image, every validation car was in training as well;
#   by car, none was.
#
# ## Exercises
#
# Three experiments: guess, change one thing, run, and explain what you see. [exercises/01](exercises/01.ipynb) has the
# code with gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. Pair files wrongly. Take the first 160 pairs, lose `masks[20]`, and pair what is left by order. How many
#    pairs are wrong? Then ask the score: which dice ([notebook 03](03_dice.ipynb); 1 is a perfect match) does a
#    wrong mask reach against the right one, on average? And if each image gets the mask of the same view of the
#    *next car* (the last car has none: leave it out)? What would you notice in a training?
# 2. Copy instead of learning. For each validation image, find the training image that looks most alike (24x32
#    pixels, the smallest squared difference), and hand in its mask. Do it with a split by image and with a
#    split by car. Which scores higher, and is it so with other seeds of the split, too? What does such a score
#    say of a "model" that has learned nothing about cars?
# 3. Save a mask as a JPEG and read it again, at quality 95, 75 and 25. Does it still hold two values?
#    (`np.unique` lists them.) Make a mask of it once by "above 0" and once by "128 and more". Which of the two
#    readings suffers, and why would a look at the picture hardly show it?
#
# Test yourself: [five questions](questions.md), with their answers.
#
# Next: [02 · The pipeline](02_pipeline.ipynb), which turns these pairs into batches.
