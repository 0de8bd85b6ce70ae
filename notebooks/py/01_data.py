# %% [markdown]
# # 01 · The Carvana files
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/01_data.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/01_data.ipynb)
#
# **You will**
#
# - download and unzip what you need of the Carvana competition, and read what the errors on the way
#   tell you;
# - read photographs and masks as arrays, look at them, and pair each image with its mask by name;
# - split the pairs into training and validation, by image and by car, and count the cars that leak.
#
# **You need**
#
# - data: nothing. Without an account you work on rendered data, which this notebook makes by
#   itself; one switch below downloads the photographs;
# - time: a quarter of a minute on 2 cores, and up to a minute more the first time, for rendering;
#   on a GPU: not measured, and of no use here.

# %% [markdown]
# ## Setup
#
# The first cell finds the module `unet_tf`, or installs it on Colab and Kaggle. The second imports
# what this notebook needs, sets the seed, and finds the data.

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
import hashlib
import math
import os
import re
import shutil
import zipfile
import zlib
from collections import Counter, defaultdict
from typing import NamedTuple
from unittest import mock

import keras
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, UnidentifiedImageError

from unet_tf import data, kaggle, rendered
from unet_tf.data import CARVANA, UNDECODABLE, Unreadable, without_pairs

keras.utils.set_random_seed(42)
folder = data.find()

# %% [markdown]
# That one line of output tells you which data you work on. `data.find()` looks in `$UNET_DATA`, in
# Kaggle's `/kaggle/input`, in Colab's `/content` and in `./data`. If it finds nothing there, it
# renders cars. Every notebook starts this way, and nothing after this line depends on what was
# found.
#
# ## The data
#
# The [Carvana Image Masking Challenge](https://www.kaggle.com/c/carvana-image-masking-challenge)
# was a Kaggle competition. A shop for used cars put each car on a turntable and photographed it 16
# times. Somebody then cut out every car by hand. Your network should produce that cut-out by itself.
#
# | zip | holds | you need it |
# |---|---|---|
# | `train_hq.zip` | 5,088 photographs: 318 cars, 16 views each, 1918x1280 pixels | always |
# | `train_masks.zip` | one mask a photograph: white is car, black is not | always |
# | `test_hq.zip` | 100,064 photographs without masks | to submit to Kaggle |
#
# The competition offers the same photographs in a lower quality too, as `train.zip` and `test.zip`.
# Leave those: a Kaggle notebook may hold 20 GB of output, and the article that this course
# follows ("Image Segmentation: An In-Depth Guide", Ed Izaguirre, 2023)
# unpacks only the zips in the table.
#
# The **rendered** data is a stand-in for readers without an account: a small 3D car on a turntable,
# 16 views, written as the same three zips with the same kind of names and encodings. So you run the
# code that the photographs need. A score on rendered cars is no score on Carvana, and everything
# computed from them says *rendered*.
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
# Then set the switch to `True`. Later notebooks find the folder by themselves.

# %%
DOWNLOAD = False
if DOWNLOAD:
    kaggle.download(["train_hq.zip", "train_masks.zip"], "data/carvana")
    folder = data.find("data/carvana")

# %% [markdown]
# ### What goes wrong
#
# Downloads fail, and it helps to have seen the error once. So provoke one: hide your
# home folder and all variables of the environment, and ask for a file. Look for what the message
# asks you to do. (The file's name is made up: nothing can arrive by accident.)

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
# file in the competition. An interrupted download resumes when you run the cell again.
#
# Zips can be bad too. Make two: one whose member wants to be written outside the folder, and one
# that is the beginning of a download.

# %%
first = Path("runs/first_files")
shutil.rmtree(first, ignore_errors=True)  # what an earlier run of this notebook left
first.mkdir(parents=True)
with zipfile.ZipFile(first / "leaving.zip", "w") as archive:
    archive.writestr("../../outside.jpg", b"")
(first / "short.zip").write_bytes((first / "leaving.zip").read_bytes()[:60])
for name in ("leaving.zip", "short.zip"):
    try:
        kaggle.extract(first / name, first)
    except kaggle.KaggleError as error:
        print(f"{error}\n")

# %% [markdown]
# Both are refused, each with its reason, and no file has been written. You see `kaggle.extract`
# here for the first time. It is Python's `zipfile` with three habits added: it checks where each
# member would go, it skips what is there already, and it gives a file its name only when the file
# is whole.
#
# ## Look into a zip
#
# You need not unpack a zip to see what it holds. Look at the number of members and at a name. Then
# see what packing does to a photograph: read one and compress it once more. (If your files lie
# there unpacked already, the cell looks into the rendered zips.)

# %%
zips = folder if (folder / "train_hq.zip").is_file() else rendered.write("cars")
with zipfile.ZipFile(zips / "train_hq.zip") as opened:
    members = opened.infolist()
    photograph = opened.read(members[-1])
print(f"{len(members)} members, the last is {members[-1].filename}")
print("compressing it again saves a tenth:", len(zlib.compress(photograph)) < 0.9 * len(photograph))

# %% [markdown]
# A JPEG is compressed already, and a zip around it saves next to nothing. Zip and unpacked folder
# together take the space twice, which is why you unpack what you need and no more.
#
# Unpack 16 images, then ask for 18. Look for what the second call does with the 16 that are there.

# %%
images_folder = kaggle.extract(zips / "train_hq.zip", first, limit=16)
before = {path.name: path.stat().st_mtime_ns for path in images_folder.iterdir()}
kaggle.extract(zips / "train_hq.zip", first, limit=18)
after = {path.name: path.stat().st_mtime_ns for path in images_folder.iterdir()}
kept = sum(after[name] == before[name] for name in before)
print(f"{len(before)} images, then {len(after)}; not written again: {kept}")

# %% [markdown]
# The second call writes two images and leaves the rest alone. A cell that unpacks can therefore run
# as often as you like.
#
# Now the masks, and only those of the 16 images. In Carvana's names, the mask of `NAME.jpg` is
# `NAME_mask.gif`.

# %%
wanted = [name.replace(".jpg", "_mask.gif") for name in before]
masks_folder = kaggle.extract(zips / "train_masks.zip", first, names=wanted)
for path in sorted(images_folder.iterdir())[16:]:
    path.unlink()  # 16 are enough
print(f"{len(list(images_folder.iterdir()))} images, {len(list(masks_folder.iterdir()))} masks")

# %% [markdown]
# ## What a name tells
#
# A name such as `0cdf5b5d0ce1_04.jpg` has two parts: 12 hexadecimal digits are the car, and `01` to
# `16` is the view. You need the car later, to keep all views of one car together. Here is the
# function that reads it. In other names it looks for something alike: `patient7_slice03` belongs to
# `patient7`, because a digit stands before the last number. A name of any other form is a car of its
# own, so your own photographs work as well.


# %% tags=["lifted"]
def group_of(path):
    """The car of a Carvana file name, its 12 hex digits. Of another name what stands before its
    last number, if there is a digit in it: patient7 of `patient7_slice03`; else the whole name."""
    stem = Path(path).stem.removesuffix("_mask")
    car = re.fullmatch(r"([0-9a-f]{12})_\d\d|(.*\d.*?)[-_. ]+[A-Za-z]*\d+", stem)
    return (car[1] or car[2]) if car else stem


# %% [markdown]
# Try it on four names, an image, a mask, a slice and a holiday picture, and then on all names in the zip.
# Look for the number of views a car.

# %%
for name in (
    "train_hq/0cdf5b5d0ce1_04.jpg",
    "0cdf5b5d0ce1_04_mask.gif",
    "patient7_slice03.png",
    "beach_2.png",
):
    print(f"{name} -> {group_of(name)}")
views = Counter(group_of(member.filename) for member in members if not member.is_dir())
print(f"{views.total()} images of {len(views)} cars; views a car: {sorted(set(views.values()))}")

# %% [markdown]
# Image and mask give the same car, and every car has the same number of views. The count of images
# is much larger than the count of cars. Keep that in mind: photographs of one car resemble each
# other.
#
# ## Read an image and a mask
#
# Open a photograph with Pillow and turn it into an array. Look at the order of the numbers: Pillow
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
# a GIF, and a GIF does not store colours but *indices* into a palette. Look for two answers to the
# question which values a mask holds.

# %%
mask = Image.open(mask_path)
print(f"{mask.format}, {mask.mode}, palette: {mask.getpalette()[:6]}")
print(f"indices: {np.unique(np.asarray(mask)).tolist()}")
print(f"colours: {np.unique(np.asarray(mask.convert('L'))).tolist()}")

# %% [markdown]
# Pillow hands you indices, 0 and 1. With the palette applied (index 0 is black, index 1 is white),
# they are 0 and 255. Both are right, and other libraries choose the other one:
# `tf.image.decode_gif` applies the palette. Code that divides a mask by 255 works with one reader
# and silently makes an empty mask with the other.
#
# So the project reads its files with two functions, and every mask that leaves them holds 0 and 1.
# First the photographs: whatever the file holds becomes `(height, width, 3)`, and a file that
# cannot be decoded is named in the error (`UNDECODABLE` lists what Pillow and a zip raise then:
# nine kinds of error; `Unreadable` is a `ValueError` that keeps the reason apart from the name).
# `at_least` is for notebook 02: a large JPEG that you want small can be decoded smaller, which is
# much faster. The module's versions do more for other people's files: they turn a photograph as its
# EXIF orientation asks, and refuse, by name, files of several pages, of more bands than three, and
# of numbers that would have to be clipped.


# %%
def open_image(path, at_least=None):
    try:
        # A zipfile.Path, a file within a zip, opens itself.
        image = Image.open(path if isinstance(path, str | os.PathLike) else path.open("rb"))
        image.info["size"] = image.size
        if at_least is not None:
            image.draft(None, at_least[::-1])
        image.load()
    except FileNotFoundError:
        raise
    except UNDECODABLE as error:
        remedy = ". Replace the file, or remove it and its pair"
        raise Unreadable(path, f"cannot be decoded ({error})", remedy) from None
    return image


def read_image(path):
    """A photograph as uint8 (H, W, 3)."""
    return to_rgb(open_image(path))


def to_rgb(image):
    """The pixels of a Pillow image as uint8 (H, W, 3)."""
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image, "int64") // 257).astype("uint8"))
    return np.asarray(image.convert("RGB"))


# %% [markdown]
# Then the masks. The palette is applied, a transparency channel is dropped, the maximum over the
# colours counts, and only black and one white are allowed. Read the last condition: the function
# raises an error unless the mask is pure black and white, and says what it found. (The module's looks at the
# transparency first: image editors save masks there.)


# %%
def read_mask(path):
    """A black and white mask as uint8 (H, W) in {0, 1}."""
    image = open_image(path)
    if image.mode in ("1", "LA", "La"):
        image = image.convert("L")
    elif image.mode in ("PA", "RGB", "RGBA"):  # planes: 20 times as fast as over the last axis
        channels = np.asarray(image.convert("RGB"))
        image = Image.fromarray(np.max([channels[..., i] for i in range(3)], axis=0))
    pixels = np.asarray(image)
    if image.mode in ("L", "P"):
        levels = np.arange(256)
        if image.mode == "P":
            palette = np.reshape(image.getpalette("RGB"), (-1, 3)).max(axis=1)
            levels = np.pad(palette, (0, 256 - len(palette)))
        used = np.unique([pixels.min(), pixels.max()])
        if used[-1] - used[0] > 1:  # there may be others between
            used = np.flatnonzero(image.histogram())  # far faster than to sort the pixels
        found = np.unique(levels[used])
    else:
        found = np.unique(pixels)
    if found[-1] not in (0, 1, 255, 65535) or len(found) > 2 or (len(found) == 2 and found[0]):
        shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        raise ValueError(
            f"{path}: a black and white mask holds 0 and one of 1, 255 or 65535; this one holds "
            f"{len(found)} values ({shown}). Make the object 255, without anti-aliasing; no JPEG"
        )
    if image.mode in ("L", "P") and (used != (levels[used] > 0)).any():  # else it is 0 and 1
        pixels = np.asarray(image.point((levels > 0).astype(int).tolist()))
    return (pixels > 0).astype("uint8")


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
# Two files give five car pixels, also the one whose raw values count the background. The JPEG is
# refused: lossy compression has mixed black and white into values between, so nobody can say where
# the car ends.
#
# Now look at the mask of a car. The helper below puts pictures side by side. Watch the left one: it
# shows the 0 and 1 of the array as if they were 8-bit values.


# %%
def show(pictures, columns, size):
    """Pictures in rows of `columns`, from `{title: pixels}`; size in inches."""
    rows = math.ceil(len(pictures) / columns)
    _, axes = plt.subplots(rows, columns, figsize=size, dpi=100, layout="constrained")
    for axis, (title, pixels) in zip(axes.flat, pictures.items(), strict=False):
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    plt.show()


mask = read_mask(mask_path)
show({"shown from 0 to 255": mask / 255, "shown from 0 to 1": mask}, 2, (4, 1.6))

# %% [markdown]
# Both pictures show the same array. The left one looks empty, since 1 of 255 is as good as black.
# "My masks are all black" is among the most frequent questions under segmentation projects, and
# most often it is this.
#
# ## Look at image and mask together
#
# Two pictures side by side hide small errors. An *overlay* shows them: the mask as a colour on the
# image. The function takes the true mask and a predicted one. What both have is green, what the
# prediction missed is red, what it added is blue. You meet these three colours in every notebook.

# %% tags=["lifted"]
TRUTH, MISSED, EXTRA = (0.20, 0.63, 0.17), (0.84, 0.15, 0.16), (0.12, 0.47, 0.71)


def overlay(image, truth, prediction):
    """The image with truth found in green, truth missed in red, and what is no truth in blue."""
    shown = unit(image)
    for where, colour in found_missed_extra(truth, prediction, shown.shape[:2]):
        shown[where] = 0.5 * shown[where] + 0.5 * np.array(colour)
    return shown


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
show({"image": image, "mask": mask, "overlay": overlay(image, mask, mask)}, 3, (5.4, 1.6))

# %% [markdown]
# The green follows the car's outline, with wheels, mirrors and windows, and leaves out the shadow
# on the floor. Everything inside the outline counts as car, also what you see through its windows.
#
# The 16 files are the 16 views of one car. Look at what changes from view to view, and at what does
# not.

# %%
paths = sorted(images_folder.iterdir())
show({path.stem[-2:]: read_image(path) for path in paths}, 8, (5.4, 1.3))

# %% [markdown]
# The turntable goes round once, 22.5 degrees a view. The car's shape changes; its colour, its
# wheels, the room and the light do not. Whoever has seen view 04 knows much about view 05.
#
# ## Pair by name, not by order
#
# Most tutorials list the images, list the masks, sort both, and take the first with the first, the
# second with the second. It works as long as nothing is missing. Take one mask out of the list and
# look at the pairs around the gap.

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
# where the two masks agree; red is the car without its mask, and blue is the mask without a car.

# %%
image_path, mask_path = by_order[4]
truth = read_mask(masks_folder / f"{image_path.stem}_mask.gif")
wrong = overlay(read_image(image_path), truth, read_mask(mask_path))
right = overlay(read_image(image_path), truth, truth)
show({"paired by name": right, "paired by order": wrong}, 2, (4, 1.6))

# %% [markdown]
# The mask of the next view fits the car's middle and misses at both ends. A network trained on such
# pairs learns, and learns blurred outlines; nothing in the training tells you why.
#
# So pair by name. The first function lists a folder as `{stem: path}`, where image and mask have
# the same stem, and notes a stem that occurs twice. The second collects all that is wrong into
# **one** error, since a folder with one bad file tends to have more.

# %% tags=["lifted"]
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff"}


def files_by_stem(folder, problems):
    """`{stem: path}` of the image files in `folder`; a stem met twice goes into `problems`."""
    files = {}
    for path in sorted(folder.glob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        stem = path.stem.removesuffix("_mask")
        if stem in files:
            problems["the same name twice"].append(f"{files[stem].name} and {path.name}")
        files[stem] = path
    return files


def refuse(folder, problems):
    """Raise one ValueError that lists all `problems`, `{what: [file names]}`, if there are any."""
    found = {problem: cases for problem, cases in problems.items() if cases}
    if found:
        lines = [f"{folder}: mend or remove these files, then try again."]
        for problem, cases in found.items():
            more = f" and {len(cases) - 10} more" if len(cases) > 10 else ""
            lines.append(f"  {problem} ({len(cases)}): {'; '.join(cases[:10])}{more}")
        raise ValueError("\n".join(lines))


# %% [markdown]
# A file can also be there and be bad. `size_of` reads the header for the size and looks for the
# last bytes that a whole file of its kind has. That takes a fraction of a millisecond, where
# decoding takes many, so you can check every file of a large set. `Pair` holds two such files.

# %%
ENDINGS = {"JPEG": b"\xff\xd9", "GIF": b"\x3b", "PNG": b"IEND\xaeB`\x82"}


class Pair(NamedTuple):
    """An image file and the file of its mask."""

    image: Path
    mask: Path


def size_of(path):
    """(height, width) of an image file, in pixels, from its header."""
    path = Path(path)
    try:
        with Image.open(path) as image:
            width, height = image.size
            ending = ENDINGS.get(image.format, b"")
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 64))
            tail = file.read()
    except UnidentifiedImageError:
        raise Unreadable(path.name, "not an image (JPEG, PNG, GIF or TIFF)") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(path.name, f"cannot be read ({error})") from None
    # A GIF ends in a single byte, which may stand anywhere: it has to be the last.
    if not (tail.rstrip(b"\0").endswith(ending) if len(ending) == 1 else ending in tail):
        raise Unreadable(path.name, "the file is truncated")
    return height, width


# %% [markdown]
# Try the three on the first files: two dictionaries, one size, and no problem to report.

# %%
problems = defaultdict(list)
images, masks = files_by_stem(images_folder, problems), files_by_stem(masks_folder, problems)
print(f"{len(images)} images, {len(masks)} masks, the same stems: {images.keys() == masks.keys()}")
print("the sizes are equal:", size_of(images[image_path.stem]) == size_of(masks[image_path.stem]))
refuse(first, problems)

# %% [markdown]
# Two small parts are left: which folder names the project knows (yours may be called `images` and
# `masks`), and unpacking a zip, beside itself or, where nothing may be written, below `./data`. That
# happens once, and a small mark remembers it: a file that you mend is not overwritten again.


# %% tags=["lifted"]
LAYOUTS = (("train_hq", "train_masks"), ("train", "train_masks"), ("images", "masks"))


def layout(folder):
    """The layout of `folder`, such as `("train_hq", "train_masks")`, or None."""
    for names in LAYOUTS:
        if all((folder / name).is_dir() or (folder / f"{name}.zip").is_file() for name in names):
            return names
    return None


def unzipped(folder, name):
    """The folder `name` in `folder`, extracted first from `name.zip` where that lies there."""
    archive = folder / f"{name}.zip"
    if not archive.is_file():
        return folder / name
    target = folder
    if not os.access(folder, os.W_OK):
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
        target = Path("data") / f"{folder.name}-{digest}"
    whole = target / f".{name}-extracted"
    stat = archive.stat()
    identity = f"{stat.st_size} {stat.st_mtime_ns}"
    if not ((target / name).is_dir() and whole.is_file() and whole.read_text() == identity):
        kaggle.extract(archive, target)
        whole.write_text(identity)
    return target / name


# %% [markdown]
# `pair` puts them together. Read it as a list of questions to a folder: are the two parts there,
# has each image a mask and each mask an image, can the files be read, have image and mask one size?
# (The module's `pair` also takes a folder whose parts are given, as in notebook 08.)


# %%
def pair(folder):
    """The pairs of `folder`, by name, sorted by name, each checked."""
    folder = Path(folder)
    if layout(folder) is None:
        raise without_pairs(folder)
    return paired(folder, layout(folder))


def paired(folder, names):
    """The checked pairs of two folders, or zips, in `folder`: (images, masks)."""
    problems = defaultdict(list)
    images, masks = (files_by_stem(unzipped(folder, name), problems) for name in names)
    problems["images without a mask"] += [images[s].name for s in images if s not in masks]
    problems["masks without an image"] += [masks[s].name for s in masks if s not in images]
    pairs = [Pair(images[stem], masks[stem]) for stem in images if stem in masks]
    for image, mask in pairs:
        try:
            image_size, mask_size = size_of(image), size_of(mask)
        except ValueError as error:
            problems["unreadable"].append(str(error))
            continue
        if image_size != mask_size:
            problems["image and mask differ in size (height x width)"].append(
                f"{image.name} {'x'.join(map(str, image_size))}, "
                f"{mask.name} {'x'.join(map(str, mask_size))}"
            )
    refuse(folder, problems)
    if not pairs:
        raise ValueError(f"{folder}: {names[0]} and {names[1]} hold no images. Fill them first.")
    return pairs


# %% [markdown]
# Copy the 16 pairs and break the copy in five ways, one line each. Look for all five in the
# message.

# %%
broken = Path("runs/broken")
shutil.rmtree(broken, ignore_errors=True)
shutil.copytree(images_folder, broken / "images")
shutil.copytree(masks_folder, broken / "masks")
images, masks = (sorted((broken / name).iterdir()) for name in ("images", "masks"))

masks[0].unlink()  # an image without a mask
images[1].unlink()  # a mask without an image
images[2].write_bytes(images[2].read_bytes()[:3000])  # half a file
shutil.copy(images[3], images[3].with_suffix(".jpeg"))  # one name, two files
Image.open(masks[4]).resize((64, 48)).save(masks[4])  # a mask of another size

try:
    pair(broken)
except ValueError as error:
    print(error)

# %% [markdown]
# Five lines, five faults, and the names of the files to mend: you correct the folder once, not five
# times. Now the whole data set. On the photographs this unpacks two zips and looks at every file,
# which takes a while the first time.

# %%
pairs = pair(folder)
kind = "rendered" if rendered.is_rendered(folder) else "photographed"
print(f"{len(pairs)} pairs of {len({group_of(image) for image, _ in pairs})} cars, {kind}")
print(f"{pairs[3].image.name} belongs to {pairs[3].mask.name}")

# %% [markdown]
# ## How much of a frame is car?
#
# Before you train anything, know your target. For up to 40 cars, read the masks, take the share of
# car pixels of each, and add the masks up for their mean. One mask at a time is in memory: 640 of
# full size would fill 1.6 GB.

# %%
some, shares, mean_mask = pairs[:640], [], 0
for _, path in some:
    mask = read_mask(path)
    shares.append(mask.mean())
    mean_mask = mean_mask + mask / np.float32(len(some))
print(f"car share of a frame, {kind} cars: mean {np.mean(shares):.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(5.8, 2.2), dpi=100, layout="constrained")
left.hist(shares, bins=24, color=TRUTH)
left.set_title(f"{kind}: {min(shares):.2f} to {max(shares):.2f}", fontsize=9)
left.set(xlabel="car share of a frame", ylabel="images")
right.imshow(mean_mask, cmap="gray", vmin=0, vmax=1)
right.set_title(f"mean of {len(some)} masks", fontsize=9)
right.axis("off")
plt.show()

# %% [markdown]
# On the left, most frames hold far more background than car: a prediction with no car at all is
# right in most of its pixels. So the share of right pixels (accuracy) is a poor score, and notebook
# 03 introduces a better one. On the right, the mean mask is white where nearly every frame has car.
# Cut at one half it is a prediction too, the same for every image. It knows nothing about the image
# and still hits a lot, because the cars stand in one place. From notebook 03 on, this *constant
# baseline* stands beside every score.
#
# ## Split by car
#
# You train on one part of the pairs and measure on another, the validation part. What you want to
# know is how the network does on a car that it has never seen. So no car may stand in both parts.
# The article, like most tutorials, shuffles the files instead.
#
# `divide` takes a part away from a list of pairs: by image with scikit-learn's `train_test_split`,
# by car with its `GroupShuffleSplit`. `described` counts the images, the cars, and the cars that
# stand in more than one part.


# %% tags=["lifted"]
def word_of(paths):
    """What a group is called: `car` where all names are Carvana's, else `group`."""
    return "car" if all(CARVANA.fullmatch(Path(path).stem) for path in paths) else "group"


def divide(pairs, by, count, seed):
    """(rest, part): the part holds `count` groups, or images, as `by` says."""
    if not count:
        return pairs, []
    from sklearn.model_selection import GroupShuffleSplit, train_test_split  # slow to import

    if by == "image":
        return train_test_split(pairs, test_size=count, random_state=seed)
    groups = [group_of(image) for image, _ in pairs]
    splitter = GroupShuffleSplit(n_splits=1, test_size=count, random_state=seed)
    rest, part = next(splitter.split(pairs, groups=groups))
    return [pairs[i] for i in rest], [pairs[i] for i in part]


def described(parts):
    """The counts of a `Split`, and the number of cars that stand in more than one part."""
    groups = [{group_of(image) for image, _ in part} for part in parts]
    shared = (groups[0] & groups[1]) | (groups[0] & groups[2]) | (groups[1] & groups[2])
    word = word_of([image for part in parts for image, _ in part])
    counts = [
        f"{len(part)} {name} ({len(own)} {word}s)"
        for name, part, own in zip(Split._fields, parts, groups, strict=True)
        if part
    ]
    return f"{', '.join(counts)}; {word}s on both sides: {len(shared)}"


# %% [markdown]
# `split` calls `divide` twice, for the test part and for the validation part, and prints the
# description. The test part is for the very end: a part that decides when training stops, or which
# model is kept, is no longer unseen.


# %% tags=["lifted"]
class Split(NamedTuple):
    """Lists of `Pair`; `test` is empty unless it was asked for."""

    train: list
    validation: list
    test: list


def split(pairs, by="group", validation_size=0.2, test_size=0.0, seed=42):
    """Training, validation and test parts; prints the counts and the cars on both sides."""
    if by not in ("group", "image"):
        raise ValueError(f'a split is by "group" or by "image", not by {by!r}')

    groups = {group_of(image) for image, _ in pairs}
    word = word_of([image for image, _ in pairs])
    unit = word if by == "group" else by
    # Counts, rounded up as scikit-learn does: a share of a rest would be off by rounding.
    whole = len(groups) if by == "group" else len(pairs)
    counts = [math.ceil(round(share * whole, 6)) for share in (test_size, validation_size)]
    if sum(counts) >= whole:
        raise ValueError(
            f"{len(pairs)} images of {len(groups)} {word}s cannot be split by {unit} into shares "
            f"of {validation_size} for validation and {test_size} for test: nothing is left to "
            "train on. Take more images, a smaller share, or no test part; or split by image"
        )
    rest, test = divide(list(pairs), by, counts[0], seed)
    train, validation = divide(rest, by, counts[1], seed)
    parts = Split(train, validation, test)
    print(f"Split by {unit}: {described(parts)}")
    return parts


# %% [markdown]
# By hand first: two cars with two views each, half of them for validation. By car, one car must go
# to each side. Then ask for something that cannot be: three parts of two cars.

# %%
hand = [Pair(Path(f"{car * 12}_{view}.jpg"), None) for car in "ab" for view in ("01", "02")]
print("validation:", *[image.name for image, _ in split(hand, validation_size=0.5).validation])
try:
    split(hand, validation_size=0.5, test_size=0.5)
except ValueError as error:
    print(error)

# %% [markdown]
# Both views of one car are on the validation side. Now the real question. The article takes the
# first 1000 files, sorted by name, and gives a random fifth of them to validation. Compare the last
# number of the first two lines.

# %%
by_image = split(pairs[:1000], by="image")
by_car = split(pairs[:1000], by="group")
three = split(pairs, by="group", test_size=0.1)

# %% [markdown]
# By image, every car of the validation part is also in training. By car, none is. The third line is
# a split with a test part, and again no car is on two sides.
#
# What does a shared car mean? Take a validation image of the split by image, and look for the two
# views of the same car in training that come closest.

# %%
seen = by_image.validation[0].image
sisters = [image for image, _ in by_image.train if group_of(image) == group_of(seen)]
sisters.sort(key=lambda path: abs(int(path.stem[-2:]) - int(seen.stem[-2:])))
pictures = {f"validation: view {seen.stem[-2:]}": read_image(seen)}
pictures |= {f"training: view {path.stem[-2:]}": read_image(path) for path in sisters[:2]}
show(pictures, 3, (5.4, 1.6))

# %% [markdown]
# A network trained on this split has seen the same car, a step or two of the turntable away, with
# its masks. Its score on that image may be too high. How much too high depends on the cars and the network: for this
# project's small U-Net on rendered cars, notebook 10 measures no difference that stands out from chance. Each split
# gives you a score; only the one by car answers your question, whether the network finds cars that it has never
# seen.
#
# ## What we saw
#
# - You unzipped only what you needed, and you read the messages for a missing token, a malicious
#   zip and a broken one.
# - You read photographs as `uint8` arrays and masks as 0 and 1, whatever their encoding, looked at
#   both, and paired them by name: pairing by order had gone wrong silently after one missing file.
# - You split the pairs by image and by car. By image, every validation car was in training as well;
#   by car, none was.
#
# ## Exercises
#
# 1. Extract view 04 of every car from `train_hq.zip`, and nothing else, into `runs/view_04`
#    (`kaggle.extract` takes `names`: file names, without the folder). How many files lie there? *As many as there
#    are cars: 40
#    rendered, or 318 of Carvana's.*
# 2. In which view do cars fill most of the frame, and in which least? Take the mean share of each
#    view over `pairs[:640]`. *Rendered: most in views 05 and 13, from the side, with 0.231; least
#    in view 09, from behind, with 0.163.*
# 3. Of the validation images of `by_image`, how many have a direct neighbour of the same car in
#    training, that is, one view before or after (16 and 01 are neighbours too)? *Rendered: 122 of
#    128.*
#
# The answers are in [solutions.ipynb](solutions.ipynb).
#
# Next: [02 · The pipeline](02_pipeline.ipynb), which turns these pairs into batches.
