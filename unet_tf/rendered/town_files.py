"""Renders a town seen from the air, in the layout of the Massachusetts Buildings data set.

A stand-in for the aerial photographs of Mnih (Machine Learning for Aerial Image Labeling, 2013),
and it says so: each picture is lettered RENDERED, and `rendered.json` lies beside the folders.
A pixel is a metre at every size, as there. The mask is the buildings' footprint, also where a tree
hangs over the roof: Mnih's labels were drawn from OpenStreetMap's footprints, not from the pixels.
The camera looks straight down and sees no walls. `aerial` draws things, `blocks` places them.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from tqdm import tqdm

from unet_tf.files import UserError
from unet_tf.rendered import once
from unet_tf.rendered.town_blocks import LAWN
from unet_tf.rendered.town_board import Board
from unet_tf.rendered.town_plan import _lay_out

TOWN_VERSION = 1  # part of the default folder's name: raised when the pictures change


NOTE = "Rendered by unet_tf, not photographed: a stand-in for the Massachusetts Buildings."


TABLE = "name,r,g,b\nbackground,0,0,0\nbuilding,255,255,255\n"


SPLITS = ("train", "val", "test")


SPLIT = 10**6  # numbers a split: more training images leave the validation and test images alone


SMALLEST = 64  # pixels: room for the lettering


# --- pixels and files -----------------------------------------------------------------------------


def render_town(seed, number, size=(512, 512)):
    """One picture and its mask, the same for the same arguments.

    Parameters
    ----------
    seed, number : int
        The town and the picture, 0 or more.
    size : (int, int)
        Width and height in pixels, 64 or more, which are metres: a larger picture shows more town.

    Returns
    -------
    image : uint8 (H, W, 3)
        RGB; anti-aliased, slightly blurred, with a sensor's noise, lettered RENDERED.
    mask : uint8 (H, W) in {0, 1}
        Hard: 1 where the pixel's centre lies in a building's footprint, under trees as well.
    """
    rng, (width, height) = np.random.default_rng([seed, number]), size
    board = Board(rng, size, LAWN)
    _lay_out(board)
    pixels = np.asarray(board.picture(), np.float32)

    def noise(scale):
        coarse = rng.standard_normal((height // scale + 4, width // scale + 4), np.float32)
        fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(fine)[..., None]

    texture = 0.13 * noise(1) + 0.10 * noise(3) + 0.13 * noise(14)
    texture = texture + 0.1 * noise(30) * np.array([1, 0, -0.3], np.float32)  # where grass is dry
    haze, gain = rng.uniform(4, 24), rng.normal(1.06, 0.06) * rng.normal(1, 0.015, 3)
    rgb = haze + (1 - haze / 255) * gain * (pixels[..., :3] + pixels[..., 3:] * texture)
    image = Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.7)))
    ImageDraw.Draw(image).text((5, height - 5), "RENDERED", "#f2f2ee", ImageFont.load_default(10),
                               "ls", stroke_width=1, stroke_fill="#3a3c3c")  # fmt: skip
    grain = 2.2 * rng.standard_normal((height, width, 3), np.float32)
    image = (np.asarray(image) + grain + 0.5).clip(0, 255).astype(np.uint8)
    return image, board.mask().astype(np.uint8)


def town_folder(train=24, validation=4, test=6, size=(384, 384), seed=0):
    """Where `write` puts a data set unless told: a folder of the user's cache, by its settings."""
    name = f"town-{train}-{validation}-{test}-{size[0]}x{size[1]}-seed{seed}-v{TOWN_VERSION}"
    return once.cache() / name


def file_name(seed, number):
    """A picture's name without its ending: eight digits and _15, as in the real data set."""
    # The factor and the modulus have no common divisor: no two numbers share a name.
    return f"{10_000_000 + (6_180_343 * number + 2_718_281 * seed) % 89_999_999}_15"


def write_town(folder=None, train=24, validation=4, test=6, size=(384, 384), seed=0, progress=True):
    """Render a data set as Kaggle's files, once; it is found again the next time.

    Parameters
    ----------
    folder : path, optional
        Missing, empty, or holding this very data set. Default: `default_folder`.
    train, validation, test : int
        Images a split; 1 or more for training, 0 or more for the others.
    size : (int, int)
        Width and height in pixels, 64 or more; the real images are (1500, 1500).
    seed : int
        The town, 0 or more. The same settings and library versions give the same bytes.
    progress : bool
        Show a progress bar on stderr, where that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder: label_class_dict.csv; below tiff/ for each split (train, val, test) the images,
        <name>.tiff, and in <split>_labels the masks, <name>.tif, in the table's colours; and
        rendered.json with the settings and a sentence that these are no photographs.

    Raises
    ------
    ValueError
        A setting is out of range, or the folder holds something else, which is left as it is.
    """
    counts, seed, size = [int(train), int(validation), int(test)], int(seed), tuple(map(int, size))
    if not (
        counts[0] > 0 <= min(counts) and len(size) == 2 and min(size) >= SMALLEST and seed >= 0
    ):
        raise UserError(
            f"train={train}, validation={validation}, test={test}, size={size}, seed={seed}: "
            "expected 1 training image or more, 0 or more of the others, width and height of "
            f"{SMALLEST} or more, a seed of 0 or more"
        )
    settings = {"rendered": NOTE, "train": counts[0], "validation": counts[1], "test": counts[2]}
    settings |= {"size": list(size), "seed": seed, "render_version": TOWN_VERSION}
    images = {}  # number: (image, mask), as paths below the folder
    for index, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
        for number in range(index * SPLIT, index * SPLIT + count):
            name = file_name(seed, number)
            images[number] = f"tiff/{split}/{name}.tiff", f"tiff/{split}_labels/{name}.tif"

    def fill(part):
        (part / "label_class_dict.csv").write_text(TABLE, encoding="utf-8", newline="\n")
        for split in SPLITS:
            (part / "tiff" / split).mkdir(parents=True)
            (part / "tiff" / f"{split}_labels").mkdir()
        silent = None if progress else True  # None: unless stderr is a terminal
        for number in tqdm(images, desc="rendering", unit=" images", disable=silent):
            image, mask = render_town(seed, number, size)
            label = np.repeat(255 * mask[..., None], 3, axis=2)
            for path, pixels in zip(images[number], (image, label), strict=True):
                Image.fromarray(pixels).save(part / path, compression="tiff_deflate")

    files = ["label_class_dict.csv", *(path for pair in images.values() for path in pair)]
    return once.written_once(folder or town_folder(*counts, size, seed), settings, files, fill)
