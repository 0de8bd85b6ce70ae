"""Masks for many files: a folder, a list or a zip of images, to PNG files or a Carvana submission.

Reading, predicting and writing overlap, memory does not grow with the number of images, and a
killed run goes on where it stopped: the same call again ends with the same bytes.
"""

import itertools
import json
import os
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from unet_tf import data
from unet_tf.data import SUFFIXES, ids_at, resized_back

KEPT = "kept"


def images(files):
    """The images of files, folders and zips, in the order given, each folder's and zip's by name.

    Parameters
    ----------
    files : sequence of path

    Returns
    -------
    list of Path, or zipfile.Path for what lies in a zip: nothing is extracted.

    Raises
    ------
    ValueError
        For what is not there, what holds no image, and two images whose masks would get one name.
    """
    found = []
    for path in map(Path, files):
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if is_image(p.name) and not p.is_dir()]
        elif path.suffix.lower() == ".zip" and path.is_file():
            try:
                archive = zipfile.ZipFile(path)
            except zipfile.BadZipFile as error:
                raise ValueError(f"{path}: {error}. Download it again") from None
            names = sorted(name for name in archive.namelist() if is_image(name.split("/")[-1]))
            inside = [zipfile.Path(archive, name) for name in names]
        elif path.is_file():
            inside = [path]
        else:
            raise ValueError(f"{path}: there is no such file or folder. Give one that is there")
        if not inside:
            raise ValueError(f"{path}: holds no images ({', '.join(sorted(SUFFIXES))})")
        found += inside
    stems = {}
    for path in found:
        if path.stem in stems:
            raise ValueError(
                f"{stems[path.stem]} and {path} have one name, and so would have their masks. "
                "Predict them one after another, each to its own place"
            )
        stems[path.stem] = path
    return found


def is_image(name):
    """Does a file's name say that it is an image? Hidden files are none."""
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def predictions(
    model, paths, finish, image_size=(96, 128), resize="area", batch_size=32, done=frozenset()
):
    """Predict images and finish each, reading ahead and finishing in other threads.

    Parameters
    ----------
    model : callable
        From float32 `(B, H, W, 3)` in [0, 1] to probabilities `(B, H, W, 1)` or `(B, H, W, C)`.
    paths : list of path, as `images` gives them
    finish : callable
        `finish(path, probability)` with float32 `(height, width)` at the image's own size, or of a
        model of C classes their ids, uint8 `(height, width)` (`unet_tf.data.ids_at`); runs in
        a thread.
    image_size, resize : as in training; None: each image at its own size, one at a time.
    batch_size : int
        Images the model gets at a time. Some four times as many are in memory.
    done : set of path
        A batch whose images are all in it is left out. The others are predicted whole: in bfloat16
        the last bits of a probability may depend on what else is in the batch.

    Yields
    ------
    (path, result) in the order of `paths`: what `finish` returned, or the ValueError that names a
    file which cannot be decoded.
    """
    data.keep_freed_memory()
    batch_size = batch_size if image_size else 1
    starts = range(0, len(paths), batch_size)
    batches = (paths[start : start + batch_size] for start in starts)
    paths = [path for batch in batches if not done.issuperset(batch) for path in batch]

    def read(path):
        try:
            image, size = data.read_resized(path, image_size, resize)
        except FileNotFoundError:
            raise ValueError(f"{path}: is not there any more, or a link to nothing") from None
        return size, image

    def finished(path, size, probability):
        own_size = resized_back if probability.ndim == 2 else ids_at
        return finish(path, own_size(probability, size))

    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        reading = ahead(pool, read, paths, 2 * batch_size)
        finishing = deque()
        for group in iter(lambda: list(itertools.islice(reading, batch_size)), []):
            whole = [future.result() for _, future in group if not future.exception()]
            if whole:
                batch = np.stack([pixels for _, pixels in whole]).astype("float32") / 255
                outputs = np.asarray(model(batch, training=False), "float32")
                outputs = outputs[..., 0] if outputs.shape[-1] == 1 else outputs
                if not np.isfinite(outputs).all():
                    raise ValueError("the model answers NaN: its training has diverged")
                outputs = iter(outputs)
            for path, future in group:
                error = future.exception()
                if error is None:
                    size, _ = future.result()
                    future = pool.submit(finished, path, size, next(outputs))
                elif not isinstance(error, ValueError):
                    raise error
                finishing.append((path, error, future))
            while len(finishing) > batch_size:  # the batch before this one, mostly finished
                path, error, future = finishing.popleft()
                yield path, error or future.result()
        for path, error, future in finishing:
            yield path, error or future.result()


def ahead(pool, function, items, count):
    """(item, future of `function(item)`) in order, at most `count` items ahead of what is taken."""
    waiting = deque()
    for item in items:
        waiting.append((item, pool.submit(function, item)))
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def places(paths):
    """The folders and zips that hold the paths: masks of others must not pass for theirs."""
    return sorted(
        {
            str(
                Path(
                    path.root.filename if isinstance(path, zipfile.Path) else path.parent
                ).resolve()
            )
            for path in paths
        }
    )


def require_same(settings, text, path):
    """ValueError unless `text`, the record of a stopped run, tells of the same settings; any
    record will do for no settings."""
    try:
        found = dict(json.loads(text))
    except (ValueError, TypeError):
        raise ValueError(f"{path} is no record of an earlier run: remove or rename it") from None
    settings = json.loads(json.dumps(settings))  # a tuple is a list there
    differing = [
        f"{name} was {found.get(name)}, not {settings.get(name)}"
        for name in {**found, **settings}
        if found.get(name) != settings.get(name)
    ]
    if settings and differing:
        raise ValueError(
            f"{path}: a run with other settings was here ({'; '.join(differing)}). Repeat those, "
            "remove it, or choose another place"
        )
