"""Rendered data sets: written whole or not at all, kept in the user's cache, marked as rendered."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from unet_tf.files import UserError
from unet_tf.files import cache_folder as cache
from unet_tf.rendered.data_sets import APART, DATA_SETS, draw_all


def is_rendered(folder):
    """Was this folder written by `write`? Then every output made from it must say *rendered*."""
    return "rendered" in _marker(Path(folder))


def write(kind, folder=None, size=None, seed=0, progress=True, **counts):
    """Render a data set, once: the next call with the same settings returns the same folder.

    Parameters
    ----------
    kind : "cars", "town" or "parts"
        The files of the Carvana competition: train_hq.zip, train_masks.zip, test_hq.zip,
        train_masks.csv. Those of Massachusetts Buildings: label_class_dict.csv and, below tiff/,
        train, val, test, each with its `_labels`. Or images/, masks/ (palette PNGs of class ids, of
        which 255 is void) and classes.csv: the parts of the very cars of "cars".
    folder : path, optional
        Missing, empty, or holding this very data set. Default: in the user's cache, by its
        settings.
    size : (int, int), optional
        Width and height in pixels. Carvana's are (1918, 1280); for a town 64 or more, and a larger
        picture shows more of it.
    seed : int
        The same settings and library versions give the same bytes.
    progress : bool
        Show a progress bar on stderr, where that is a terminal.
    **counts : int
        How many `cars` and `test_cars` (without masks) of 16 views each; for a town, how many
        images to `train`, for `validation`, to `test`; for parts, `cars`. Default: see `DATA_SETS`.

    Returns
    -------
    pathlib.Path
        The folder, absolute. Its rendered.json holds the settings, and a sentence that these are no
        photographs.

    Raises
    ------
    UserError
        A setting is out of range, or the folder holds something else, which is left as it is.
    """
    settings = _settings(kind, size, seed, counts)
    folder = Path(folder or _default_folder(kind, settings)).expanduser().absolute()
    numbers = [
        place * APART + number
        for place, part in enumerate(DATA_SETS[kind].counts)
        for number in range(settings[part])
    ]
    files = DATA_SETS[kind].files(numbers, settings["seed"])

    def complete():
        same = _marker(folder) | {"rendered": settings["rendered"]} == settings  # in any words
        return same and is_rendered(folder) and all((folder / name).is_file() for name in files)

    if complete():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{folder}: holds other files than the rendered data set with {settings}; expected no "
            "folder or an empty one. Choose another folder, or remove this one."
        )
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        for name in DATA_SETS[kind].folders:
            (partial / name).mkdir(parents=True)
        _draw_in_processes(kind, partial, numbers, settings, progress)
        DATA_SETS[kind].finish(partial)
        (partial / "rendered.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()  # it was empty at the start; fails if another process has filled it
        partial.rename(folder)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not (isinstance(error, OSError) and complete()):  # else another process was faster
            raise
    return folder


def _settings(kind, size, seed, counts):
    """What `rendered.json` shall hold: all that the files depend on."""
    if kind not in DATA_SETS:
        raise UserError(f"{kind!r} cannot be rendered: expected one of {', '.join(DATA_SETS)}")
    known = DATA_SETS[kind]
    if counts.keys() - known.counts.keys():
        raise UserError(f"{kind}: got {', '.join(counts)}; expected {', '.join(known.counts)}")
    counts = {name: int(count) for name, count in (known.counts | counts).items()}
    settings = counts | {"size": list(map(int, size or known.size)), "seed": int(seed)}
    first = next(iter(counts))
    if (
        counts[first] < 1
        or min(*counts.values(), settings["seed"]) < 0
        or len(settings["size"]) != 2
        or min(settings["size"]) < known.smallest
    ):
        raise UserError(
            f"{', '.join(f'{name}={value}' for name, value in settings.items())}: expected 1 or "
            f"more for {first}, 0 or more for other counts and the seed, width and height of "
            f"{known.smallest} or more"
        )
    return {"rendered": known.note, **settings, "render_version": known.version}


def _default_folder(kind, settings):
    known, (width, height) = DATA_SETS[kind], settings["size"]
    counts = "-".join(str(settings[part]) for part in known.counts)
    frame = f"{width}x{height}-seed{settings['seed']}"
    return cache() / f"{known.name}-{counts}-{frame}-v{known.version}"


def _marker(folder):
    try:
        marker = json.loads((folder / "rendered.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}


def _draw_in_processes(kind, folder, numbers, settings, progress):
    """Draw two numbers in a process, and several of those at a time."""
    groups = [numbers[start : start + 2] for start in range(0, len(numbers), 2)]
    workers = min(os.cpu_count() or 1, 8, len(groups))

    def draw(group):
        task = [kind, str(folder), group, settings["size"], settings["seed"]]
        if workers == 1 or not _drawn_by_a_process(task):
            draw_all(*task)
        return len(group)

    silent = None if progress else True  # None: unless stderr is a terminal
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(numbers), desc=f"rendering {kind}", disable=silent) as bar,
    ):
        for count in pool.map(draw, groups):
            bar.update(count)


def _drawn_by_a_process(task):
    """Whether a new process could be started and has done the task."""
    program = Path(__file__).with_name("render_process.py")
    command = [sys.executable, "-P", str(program), json.dumps(task)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except (OSError, TypeError):  # TypeError: an embedded Python knows no executable
        return False
