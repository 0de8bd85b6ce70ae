"""Renders the embedded data: a car studio, in Carvana's own layout on disk.

A stand-in for photographs that need an account, and it says so: `rendered.json` lies in every
folder written here. The pictures come from `studio`, the cars in them from `cars`.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from unet_tf import run_lengths
from unet_tf.files import UserError
from unet_tf.rendered.car_pictures import render
from unet_tf.rendered.car_scene import VIEWS
from unet_tf.rendered.car_shapes import make_car
from unet_tf.rendered.once import cache, written_once

RENDER_VERSION = 2  # part of the default folder's name: raised when `cars` or `studio` change


NOTE = "Rendered by unet_tf, not photographed: a stand-in for Kaggle's Carvana images."


FILES = ("train_hq.zip", "train_masks.zip", "test_hq.zip", "train_masks.csv")


TEST = 10**6  # the number of the first test car: more training cars leave the test cars as they are


# What a process that renders runs: this very package, whose folder leaves the path again.
CHILD = """import json, sys
sys.path.insert(0, sys.argv[1])
import unet_tf
del sys.path[0]
from unet_tf.rendered import car_files
car_files._render_cars(*json.loads(sys.argv[2]))"""


def cars_folder(cars=40, test_cars=4, size=(480, 320), seed=0):
    """Where `write` puts a data set unless told: a folder of the user's cache, by its settings."""
    name = f"rendered-{cars}-{test_cars}-{size[0]}x{size[1]}-seed{seed}-v{RENDER_VERSION}"
    return cache() / name


def write_cars(folder=None, cars=40, test_cars=4, size=(480, 320), seed=0, progress=True):
    """Render a data set as Kaggle's Carvana files, once; it is found again the next time.

    Parameters
    ----------
    folder : path, optional
        Missing, empty, or holding this very data set. Default: `default_folder`.
    cars, test_cars : int
        Cars with masks (1 or more) and without (0 or more), 16 views each.
    size : (int, int)
        Width and height in pixels, 16 or more; Carvana's is (1918, 1280).
    seed : int
        The studio, 0 or more. The same settings and library versions give the same bytes.
    progress : bool
        Show a progress bar on stderr, where that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder: train_hq.zip, train_masks.zip, test_hq.zip, train_masks.csv, and rendered.json
        with the settings and a sentence that these are no photographs.

    Raises
    ------
    ValueError
        A setting is out of range, or the folder holds something else, which is left as it is.
    """
    cars, test_cars, seed, size = int(cars), int(test_cars), int(seed), tuple(map(int, size))
    if cars < 1 or test_cars < 0 or seed < 0 or len(size) != 2 or min(size) < 16:
        raise UserError(
            f"cars={cars}, test_cars={test_cars}, size={size}, seed={seed}: expected 1 car or "
            "more, 0 test cars or more, width and height of 16 or more, a seed of 0 or more"
        )
    settings = {"rendered": NOTE, "cars": cars, "test_cars": test_cars, "size": list(size)}
    settings |= {"seed": seed, "render_version": RENDER_VERSION}

    def fill(part):
        _render_all(part, [*range(cars), *range(TEST, TEST + test_cars)], size, seed, progress)
        for name in FILES[:3]:
            _zip(part / name)
        texts = sorted(part.glob("*.rows"))
        rows = "".join(text.read_text(encoding="utf-8") for text in texts)
        (part / FILES[3]).write_text(run_lengths.HEADER + rows, encoding="utf-8", newline="\n")
        for text in texts:
            text.unlink()

    folder = folder or cars_folder(cars, test_cars, size, seed)
    return written_once(folder, settings, FILES, fill)


def _render_all(part, numbers, size, seed, progress):
    """Render in several new processes, which import neither TensorFlow nor the caller's script."""
    for name in FILES[:3]:
        (part / name).with_suffix("").mkdir()
    groups = [numbers[start : start + 2] for start in range(0, len(numbers), 2)]
    workers, package = min(os.cpu_count() or 1, 8, len(groups)), Path(__file__).parents[2]

    def work(group):
        task = json.dumps([str(part), group, size, seed])
        command = [sys.executable, "-P", "-c", CHILD, str(package), task]
        try:
            if workers < 2:
                raise OSError("too little work for a second process")
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, TypeError, subprocess.CalledProcessError):  # then in this process
            _render_cars(part, group, size, seed)
        return len(VIEWS) * len(group)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        total = len(VIEWS) * len(numbers)
        silent = None if progress else True  # None: unless stderr is a terminal
        with tqdm(total=total, desc="rendering", unit=" images", disable=silent) as bar:
            for count in pool.map(work, groups):
                bar.update(count)


def _render_cars(part, numbers, size, seed):
    part, size = Path(part), tuple(size)
    for number in numbers:
        car, rows, test = make_car(seed, number), [], number >= TEST
        for view in VIEWS:
            image, mask = render(car, view, size)
            name = f"{car.id}_{view:02d}"
            photographs = part / ("test_hq" if test else "train_hq")
            Image.fromarray(image).save(photographs / f"{name}.jpg", quality=88)
            if not test:
                palette = Image.fromarray(mask).convert("P")
                palette.putpalette([0, 0, 0, 255, 255, 255])
                palette.save(part / "train_masks" / f"{name}_mask.gif")
                rows.append(f"{name}.jpg,{run_lengths.encode(mask)}\n")
        if rows:
            (part / f"{car.id}.rows").write_text("".join(rows), encoding="utf-8", newline="\n")


def _zip(target):
    """Pack the folder beside `target` into it, and remove the folder; always the same bytes."""
    folder = target.with_suffix("")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            member = zipfile.ZipInfo(f"{folder.name}/{path.name}")  # dated 1980
            member.create_system, member.external_attr = 3, 0o644 << 16
            archive.writestr(member, path.read_bytes())
    shutil.rmtree(folder)
