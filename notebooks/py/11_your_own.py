# %% [markdown]
# # 11 · Your own images
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/unet_tf/blob/main/notebooks/11_your_own.ipynb) [![Open In Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/unet_tf/blob/main/notebooks/11_your_own.ipynb)
#
# **You will**
#
# - have a folder checked, with faults in it, and mend them;
# - let settings follow from what the folder holds, and read why each is what it is;
# - train, look at the report, score the model on images that it has not seen, and use it on new ones;
# - meet a fault that no check can see, and be told that the training is worth nothing.
#
# **You need** no data and no account: small round cells are drawn here. About a minute on 2 CPU cores. For your own
# folder change one line.

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
import shutil

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image as Picture
from IPython.display import display
from PIL import Image

from unet_tf import data, doctor, plan, plot, predict, protocol

# %% [markdown]
# ## A folder that somebody brings
#
# Cells under a microscope: bright discs, a little blurred, on a grey ground that is darker towards one side, with
# noise. They are **drawn**, so nothing here says how a model does on real cells. Each image comes with its mask.


# %%
def cells(seed, size=96):
    """An image of cells, and its mask, both uint8 (size, size)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    ground = 90 + 30 * (rows * random.uniform(-1, 1) + columns * random.uniform(-1, 1)) / size
    light = np.zeros((size, size))
    for _ in range(random.integers(5, 12)):
        row, column, radius = *random.uniform(0, size, 2), random.uniform(4, 9)
        distance = np.hypot(rows - row, columns - column)
        light = np.maximum(light, np.clip((radius - distance) / 2 + 0.5, 0, 1))
    image = ground + 45 * light + random.normal(0, 12, (size, size))
    return np.clip(image, 0, 255).astype("uint8"), (light > 0.5).astype("uint8")


# %% [markdown]
# Ten wells of a plate, four images of each. Whoever took them called the files by well and image, and put images and
# masks into folders that no other chapter has.

# %%
folder = Path("runs/cells")
shutil.rmtree(folder, ignore_errors=True)
for kind in ("imgs", "labels"):
    (folder / kind).mkdir(parents=True)
for well in range(10):
    for number in range(4):
        image, mask = cells(100 * well + number)
        name = f"well{well}_{number}"
        Image.fromarray(image).save(folder / f"imgs/{name}.png")
        Image.fromarray(255 * mask).save(folder / f"labels/{name}_mask.png")
print(len(list(folder.glob("imgs/*"))), "images,", len(list(folder.glob("labels/*"))), "masks")

# %% [markdown]
# For your own: `folder = Path("my/folder")`, and leave out the cells that spoil it.
#
# Two faults, such as real folders have: a mask that was lost, and one that was saved as a JPEG, whose edges are soft.

# %%
(folder / "labels/well3_2_mask.png").rename("runs/lost.png")
soft = folder / "labels/well5_1_mask.png"
Image.open(soft).convert("L").save(soft.with_suffix(".jpg"), quality=60)
soft.rename("runs/soft.png")

# %% [markdown]
# ## Check
#
# `doctor.check` decodes every file; on the command line it is `python -m unet_tf check FOLDER`. Read what it finds,
# and what it says to do:

# %%
report = doctor.check(folder)
print(report.text())

# %%
print("training may start:", report.status == 0)

# %% [markdown]
# Bring both back, and check again. The names are `well3_2.png` and `well3_2_mask.png`, in folders called `imgs` and
# `labels`: that is one of the usual layouts, so nothing has to be said.

# %%
Path("runs/lost.png").rename(folder / "labels/well3_2_mask.png")
soft.with_suffix(".jpg").unlink()
Path("runs/soft.png").rename(soft)
report = doctor.check(folder)
print(report.text())

# %%
pairs = data.pair(folder)
images = [data.read_image(image) for image, _ in pairs[:1]]
plot.rows(images, [data.read_mask(mask) for _, mask in pairs[:1]])
plt.show()

# %% [markdown]
# Bright, round, unsharp cells, and masks that fit them: a shifted or swapped mask would show here. Note the last
# finding of the check: images of one well are alike, so a split by image would leak. The split is by group, the well.
#
# ## Plan
#
# How large should the network work, whole images or parts of them, what augmentation, how many steps? `plan.plan`
# looks at the images, times a few steps on this machine, and answers for a budget of minutes: rules that you can read
# (`unet_tf/plan/rules.py`), no search. The idea is nnU-Net's
# ([Isensee et al., 2021](https://doi.org/10.1038/s41592-020-01008-z)).

# %% tags=["nbval-ignore-output"]
made = plan.plan(report, minutes=10)
print(made.text())

# %% [markdown]
# The numbers of steps are this machine's. What follows from the images alone is the same everywhere:

# %%
settings = made.settings
print("whole images:", settings["crop"] is None, settings["image_size"])
print("recipe:", made.recipe)

# %% [markdown]
# Masks survive the images' own size, so these are taken whole. Has a cell a top? Turned over, the images would be as
# likely, so they are turned over and by quarters, for nothing; a car or a street would not be:

# %%
amounts = settings["augment"]
print("upside down:", amounts["vertical_flip"], "quarter turns:", amounts["quarter_turn"])

# %% [markdown]
# Small structures decide between whole images and crops. How much of the masks is left when they are made smaller and
# larger again, a dice for each share of their own size?

# %%
labels = data.Labels.foreground("cell")
counts = np.bincount([0], minlength=256)
found = plan.found_in(pairs, {"all": len(pairs)}, labels, counts)
for share in (1.0, 0.5, 0.25, 0.125):
    print(f"{share:5g} of the size: {found.kept(share):.3f}")

# %% [markdown]
# At a quarter cells lose their outline, at an eighth they are a few pixels. The rule takes the coarsest size that
# keeps 0.975, and whole images where they fit.
#
# ## Train
#
# The plan's settings make a recipe, and `protocol.run` carries it out: split, training with resume, scores, pictures,
# a report. So that this page is the same on every machine, its epochs are set to 30 here; on the command line it is
# `python -m unet_tf train --data FOLDER --minutes 10 --to runs/mine`.

# %% tags=["nbval-ignore-output"]
settings = {**settings, "epochs": 30, "patience": 30, "batch_size": 4}
recipe = protocol.get(made.recipe, **settings)
to = Path("runs/cells_model")
shutil.rmtree(to, ignore_errors=True)
result = protocol.run(recipe, folder, seed=0, to=to, verbose=2)

# %% [markdown]
# Beside each epoch stands what a *constant prediction* reaches, one that never looks at an image: the best of the mean
# mask, of nothing, and of all. A score means something above that line alone.

# %% tags=["nbval-ignore-output"]
score = result["scores"]
low, high = score["dice_interval"]
print(f"dice {score['dice']:.3f} ({low:.3f} to {high:.3f})")
print(f"a constant prediction: {score['baseline']:.3f}")
print(f"sensitivity {score['sensitivity']:.3f}, specificity {score['specificity']:.3f}")

# %%
print("above 0.85:", score["dice"] > 0.85)
print("better than a constant prediction by more than the interval:", not result["verdict"])

# %% [markdown]
# ## Look
#
# `report.html` in the run's folder is one file for the browser: scores, curves, the ten worst images and ten from the
# middle, plan and settings. The picture of four test images lies there, too.

# %%
print(sorted(path.name for path in to.iterdir() if path.suffix in (".html", ".png", ".keras")))

# %% tags=["nbval-ignore-output"]
display(Picture(to / "picture.png"))

# %% [markdown]
# ## Use it
#
# The model's file knows its size, its labels and its threshold. Two new images, one of another size:

# %%
model = predict.load(to / "best.keras")
fresh = [cells(7001), cells(7002, size=160)]
for number, (image, _) in enumerate(fresh):
    Image.fromarray(image).save(f"runs/new_{number}.png")
masks = list(model.masks([f"runs/new_{number}.png" for number in range(2)]))
print([mask.shape for mask in masks])

# %%
for (_, truth), mask in zip(fresh, masks, strict=True):
    both = np.count_nonzero(truth & mask)
    print("dice above 0.6:", 2 * both / (truth.sum() + mask.sum()) > 0.6)

# %% [markdown]
# The second is 160 pixels wide and was made to 96 on the way: its cells are then smaller than any that the model has
# seen. A model for images of many sizes wants crops: `--image-size native --set crop=64,64`.
#
# ## Score it, on what it has not seen
#
# The model's file also knows which images have trained it. `predict.scored` leaves them out, so that nobody reads a
# score of training images by accident; on the command line `python -m unet_tf score MODEL FOLDER`.

# %%
again = predict.scored(model, folder)
print("the same as at the end of the training:", abs(again["dice"] - score["dice"]) < 1e-6)

# %% [markdown]
# ## A training that is worth nothing
#
# A fault that no check can see: each mask was saved under the name of the next image. Names pair, sizes fit, all is
# black and white. Many tools would train, print a number, and you would have to know that it means nothing:

# %%
wrong = Path("runs/cells_wrong")
shutil.rmtree(wrong, ignore_errors=True)
shutil.copytree(folder / "imgs", wrong / "imgs")
(wrong / "labels").mkdir()
for pair, following in zip(pairs, [*pairs[1:], pairs[0]], strict=True):
    shutil.copy(pair.mask, wrong / "labels" / following.mask.name)
print("training may start:", doctor.check(wrong).status == 0)

# %%
short = protocol.changed(recipe, epochs=6)
bad = protocol.run(short, wrong, seed=0, to="runs/cells_bad", again=True, verbose=0)
print("worth something:", not bad["verdict"])

# %% tags=["nbval-ignore-output"]
print(protocol.verdict_text(bad["scores"], bad["verdict"]))

# %% [markdown]
# Each likely cause was tested by itself, and has a next step. That masks are of other images stands in no list: it is
# seen in the report's pictures, and in `doctor.check(wrong).picture("pairs.png")`, which is why one looks at them first.
#
# ## What we saw
#
# - The check named a lost mask and a soft one, with what to do; the layout needed no word.
# - Settings followed from the images, each with its reason: whole images, turned every way, as many steps as the
#   minutes hold.
# - The score stood beside that of a constant prediction, and was taken of wells that the model had not seen; the
#   model's file left out what had trained it.
# - A training that was worth nothing was called so, though its folder had passed every check.
#
# ## Exercises
#
# Three folders that deceive. Guess first, then run, then explain. [exercises/11](exercises/11.ipynb) has the code with
# gaps, [solutions](solutions.ipynb) has the answers.
#
# 1. Thin structures. Draw a line down an empty mask of 96x96, at eight places in eight masks, 1, 2, 4 and 8 pixels wide.
#    How much is left at a half, a quarter and an eighth of the size, by `found.kept`? Which widths would you train as whole images, which in
#    crops of their own size?
# 2. Inverted masks. Copy 32 pairs of the cars into a folder and swap black and white in the masks. Does `doctor.check`
#    find it? Compare the dice of a constant prediction in the folder and in its copy. A model in the copy scores 0.85: is
#    it good?
# 3. Nearly empty masks. Nine of ten masks are empty. Score three models: one that says nothing, one that is right but for
#    a single stray pixel in each image, and one that finds half of the only object. In which order do you expect them?
#
# Next: [12 · Hand it on](12_hand_it_on.ipynb).
