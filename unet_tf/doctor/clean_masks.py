"""Clean masks, made of soft, saved-as-JPEG or numbered ones."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from unet_tf import data
from unet_tf.files import UserError, atomically


def write_masks(report, to, foreground="half"):
    """Write each mask of a checked folder as a PNG of 0 and 255, or of the class table's colours;
    the originals stay.

    Parameters
    ----------
    report : unet_tf.doctor.Report
    to : path of a folder; a mask `masks/a.jpg` becomes `to/a.png`, of given parts `to/train/a.png`
    foreground : "half" or "any"
        White is what is at least half of the way from the darkest to the brightest value of all
        masks; or whatever is not 0: cells that are numbered, or classes that are one. By half
        coloured masks in a folder with a class table get, pixel by pixel, its nearest colour.

    Returns
    -------
    list of path, of what was written

    Raises
    ------
    UserError
        The folder holds masks already, among them perhaps the originals; two would have one name.
    """
    to, pairs = Path(to), [(fact.part, fact.pair.mask) for fact in report.facts if fact.mask]
    named = {}
    for part, mask in pairs:
        target = to / ("" if part == "all" else part) / f"{mask.stem}.png"
        if target in named:
            raise UserError(f"{named[target]} and {mask} would both be {target}: rename one")
        if target.exists():
            raise UserError(
                f"{target} is there already: give a new folder, so that nothing is lost"
            )
        named[target] = mask
    high = max((one_channel(mask).max(initial=0) for mask in named.values()), default=0)
    table = data.table_of(report.folder) if foreground == "half" else None
    for target, mask in tqdm(named.items(), desc="writing", unit=" masks", disable=None):
        values = data.values_of(mask)
        if table and values.ndim == 3:
            save(target, in_colours_of(table, values))
            continue
        values = one_channel(mask)
        white = values > 0 if foreground == "any" else values >= max(high, 1) / 2
        save(target, 255 * white.astype("uint8"))
    return list(named)


def in_colours_of(table, values):
    """Each pixel of a mask, uint8 `(H, W, 3)`, in the nearest colour of a class table."""
    colours = np.array([*table.colours, *([table.void] if table.void else [])])
    best, found = np.full(values.shape[:2], np.inf, "float32"), np.zeros_like(values)
    for colour in colours:
        away = np.square(values.astype("float32") - colour).sum(axis=2)
        found[away < best], best = colour, np.minimum(best, away)
    return found


def join_objects(apart, to):
    """Copy images, and write for each one mask, 255 where any of its objects is.

    Parameters
    ----------
    apart : list of (image, masks), as of `unet_tf.data.objects_apart`
    to : path of a folder, which gets `images` and `masks`

    Raises
    ------
    UserError
        Two images of one name, a file that is there already, masks of several sizes.
    """
    to = Path(to)
    for image, masks in tqdm(apart, desc="joining", unit=" images", disable=None):
        copy, target = to / "images" / image.name, to / "masks" / f"{image.stem}.png"
        if copy.exists() or target.exists():
            raise UserError(f"{image}: {to} has an image of that name: give a new folder")
        objects = [one_channel(mask) > 0 for mask in masks]
        if len({mask.shape for mask in objects}) > 1:
            raise UserError(f"{masks[0].parent}: holds masks of several sizes")
        save(target, 255 * np.any(objects, axis=0).astype("uint8"))
        copy.parent.mkdir(parents=True, exist_ok=True)
        with atomically(copy) as partial:
            shutil.copyfile(image, partial)


def save(target, values):
    """Write a mask as a PNG, and its folder where it is missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomically(target) as partial:
        Image.fromarray(values).save(partial)


def one_channel(mask):
    """The values of a mask, `(H, W)`: of colours the brightest channel."""
    values = data.values_of(mask)
    return values.max(axis=2) if values.ndim == 3 else values
