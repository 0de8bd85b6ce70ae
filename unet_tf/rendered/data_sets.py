"""The data sets that can be rendered: what each holds by default, and what writes its files.

Each has the layout of data that need an account or cannot be given away, so that the code that
reads those reads these. None is photographed, and each says so.
"""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from unet_tf import run_lengths
from unet_tf.rendered.car_pictures import PARTS, VOID, render, render_with_parts
from unet_tf.rendered.car_scene import VIEWS
from unet_tf.rendered.car_shapes import make_car
from unet_tf.rendered.town_picture import render_town

# Between the numbers of two parts: more training cars leave the test cars as they are.
APART = 10**6


class DataSet(NamedTuple):
    """A data set that can be rendered."""

    name: str  # and version: parts of its folder's name in the user's cache
    version: int  # raised by a change of its pictures
    note: str  # the sentence in its `rendered.json`
    counts: dict  # how many of each part unless told, `{part: count}`: 1 or more of the first
    size: tuple  # width and height in pixels unless told
    smallest: int  # the least that each may be
    folders: tuple  # that lie in it, at least while it is written
    # `files(numbers, seed)`: the paths without which it is not complete. The numbers of the parts
    # in `counts` begin at 0, `APART`, 2 `APART`, ...
    files: Callable
    draw: Callable  # `draw(folder, number, size, seed)` writes what belongs to one number
    finish: Callable  # `finish(folder)` writes the rest when all numbers are drawn


def write_lines(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")  # the same bytes on every system


# --- cars: the files of the Carvana competition ---------------------------------------------------

ZIPS = ("train_hq", "train_masks", "test_hq")


def draw_car(folder, number, size, seed):
    """The 16 views of a car; a training car has masks, and rows for the table of run lengths."""
    car, test, rows = make_car(seed, number), number >= APART, []
    for view in VIEWS:
        image, mask = render(car, view, size)
        name = f"{car.id}_{view:02d}"
        photographs = folder / ("test_hq" if test else "train_hq")
        Image.fromarray(image).save(photographs / f"{name}.jpg", quality=88)
        if not test:
            palette = Image.fromarray(mask).convert("P")
            palette.putpalette([0, 0, 0, 255, 255, 255])
            palette.save(folder / "train_masks" / f"{name}_mask.gif")
            rows.append(f"{name}.jpg,{run_lengths.encode(mask)}\n")
    if rows:
        write_lines(folder / f"{car.id}.rows", "".join(rows))


def finish_cars(folder):
    """Pack the folders into zips, always with the same bytes, and the rows into one table."""
    for name in ZIPS:
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for path in sorted((folder / name).iterdir()):
                member = zipfile.ZipInfo(f"{name}/{path.name}")  # dated 1980
                member.create_system, member.external_attr = 3, 0o644 << 16
                archive.writestr(member, path.read_bytes())
        shutil.rmtree(folder / name)
    texts = sorted(folder.glob("*.rows"))
    rows = "".join(text.read_text(encoding="utf-8") for text in texts)
    write_lines(folder / "train_masks.csv", run_lengths.HEADER + rows)
    for text in texts:
        text.unlink()


# --- parts of cars: a folder of images and palette PNGs with a class table ------------------------

COLOURS = {  # PASCAL VOC's, of ids 0 to 4 and of void
    "background": (0, 0, 0), "body": (128, 0, 0), "window": (0, 128, 0), "wheel": (128, 128, 0),
    "light": (0, 0, 128), "void": (224, 224, 192),
}  # fmt: skip


def part_files(numbers, seed):
    ids = [make_car(seed, number).id for number in numbers]
    names = [f"{car}_{view:02d}" for car in ids for view in VIEWS]
    pairs = [(f"images/{name}.jpg", f"masks/{name}.png") for name in names]
    return ["classes.csv", *(path for pair in pairs for path in pair)]


def draw_parts(folder, number, size, seed):
    """The 16 views of a car, and palette PNGs of its parts: class ids, of which 255 is void."""
    palette = np.zeros((256, 3), np.uint8)
    palette[[*range(len(PARTS)), VOID]] = list(COLOURS.values())
    car = make_car(seed, number)
    for view in VIEWS:
        image, ids = render_with_parts(car, view, size)
        name = f"{car.id}_{view:02d}"
        Image.fromarray(image).save(folder / "images" / f"{name}.jpg", quality=88)
        mask = Image.fromarray(ids)
        mask.putpalette(palette.tobytes())
        mask.save(folder / "masks" / f"{name}.png")


def finish_parts(folder):
    rows = [f"{name},{red},{green},{blue}\n" for name, (red, green, blue) in COLOURS.items()]
    write_lines(folder / "classes.csv", "name,r,g,b\n" + "".join(rows))


# --- a town: the files of the Massachusetts Buildings data set ------------------------------------

SPLITS = ("train", "val", "test")


def town_paths(number, seed):
    """Of a picture and its mask; the names are eight digits and _15, as in the real data set."""
    # The factor and the modulus have no common divisor: no two numbers share a name.
    name = f"{10_000_000 + (6_180_343 * number + 2_718_281 * seed) % 89_999_999}_15"
    split = SPLITS[number // APART]
    return f"tiff/{split}/{name}.tiff", f"tiff/{split}_labels/{name}.tif"


def town_files(numbers, seed):
    paths = [path for number in numbers for path in town_paths(number, seed)]
    return ["label_class_dict.csv", *paths]


def draw_town(folder, number, size, seed):
    """A picture and its mask, in the colours of the class table."""
    image, mask = render_town(seed, number, size)
    label = np.repeat(255 * mask[..., None], 3, axis=2)
    for path, pixels in zip(town_paths(number, seed), (image, label), strict=True):
        Image.fromarray(pixels).save(folder / path, compression="tiff_deflate")


def finish_town(folder):
    table = "name,r,g,b\nbackground,0,0,0\nbuilding,255,255,255\n"
    write_lines(folder / "label_class_dict.csv", table)


DATA_SETS = {
    "cars": DataSet(
        name="rendered",
        version=2,
        note="Rendered by unet_tf, not photographed: a stand-in for Kaggle's Carvana images.",
        counts={"cars": 40, "test_cars": 4},
        size=(480, 320),
        smallest=16,
        folders=ZIPS,
        files=lambda numbers, seed: [*(f"{name}.zip" for name in ZIPS), "train_masks.csv"],
        draw=draw_car,
        finish=finish_cars,
    ),
    "parts": DataSet(
        name="car-parts",
        version=2,
        note="Rendered by unet_tf, not photographed: the car studio of unet_tf.rendered, in parts.",
        counts={"cars": 12},
        size=(240, 160),
        smallest=16,
        folders=("images", "masks"),
        files=part_files,
        draw=draw_parts,
        finish=finish_parts,
    ),
    "town": DataSet(
        name="town",
        version=1,
        note="Rendered by unet_tf, not photographed: a stand-in for the Massachusetts Buildings.",
        counts={"train": 24, "validation": 4, "test": 6},
        size=(384, 384),
        smallest=64,  # room for the lettering
        folders=tuple(f"tiff/{split}{end}" for split in SPLITS for end in ("", "_labels")),
        files=town_files,
        draw=draw_town,
        finish=finish_town,
    ),
}


def draw_all(kind, folder, numbers, size, seed):
    """Write what belongs to these numbers into the folders of a data set."""
    for number in numbers:
        DATA_SETS[kind].draw(Path(folder), number, tuple(size), seed)
