"""Masks for many files: a folder, a list or a zip of images, to PNG files or a Carvana submission.

Reading, predicting and writing overlap, memory does not grow with the number of images, and a
killed run goes on where it stopped: the same call again ends with the same bytes.
"""

import gzip
import itertools
import json
import os
import re
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from unet_tf import pipeline, run_lengths
from unet_tf.classes import Classes, palette_of, save_ids
from unet_tf.data import SUFFIXES
from unet_tf.files import atomically, partial_of
from unet_tf.predict import ids_at, resized_back

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
        model of C classes their ids, uint8 `(height, width)` (`unet_tf.predict.ids_at`); runs in
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
    pipeline.keep_freed_memory()
    batch_size = batch_size if image_size else 1
    starts = range(0, len(paths), batch_size)
    batches = (paths[start : start + batch_size] for start in starts)
    paths = [path for batch in batches if not done.issuperset(batch) for path in batch]

    def read(path):
        try:
            image, size = pipeline.read_resized(path, image_size, resize)
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


def to_folder(
    model, paths, folder, settings, overlays=False, threshold=0.5, classes=None, **options
):
    """Write each mask as a PNG, `<name of the image>.png`, at the image's own size: 0 and 255; or
    of a model of many classes a palette PNG of ids.

    Parameters
    ----------
    model, options : as in `predictions`
    paths : list of path, as `images` gives them
    folder : path
        Made if it is missing. What a run with the same settings has written there is kept, and not
        predicted again.
    settings : dict
        What else decides about the masks, such as a hash of the model, ready for JSON; kept with
        threshold and options in the folder, as `predict.json`.
    overlays : bool
        Also write `<name>_overlay.jpg`, the image with its mask in green.
    threshold : float
        Of a pixel that is car; of no use to a model of many classes.
    classes : unet_tf.classes.Classes, optional
        Its colours are those of the palette, else PASCAL VOC's are.

    Yields
    ------
    (path, outcome) for each image: first those that are there already, with `KEPT`, then the
    others, with None or the ValueError of a broken file.

    Raises
    ------
    ValueError
        When the folder holds masks of other settings, or files in the masks' places.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def targets(path):
        names = [f"{path.stem}.png", *([f"{path.stem}_overlay.jpg"] if overlays else [])]
        return [folder / name for name in names]

    def each_target():
        return itertools.chain.from_iterable(map(targets, paths))

    sources = places(paths)
    if str(folder.resolve()) in sources:
        raise ValueError(f"{folder} holds the images: give the masks a folder of their own")
    settings = {**settings, "threshold": threshold, **options, "from": sources}
    record = folder / "predict.json"
    there = next((target for target in each_target() if target.exists()), None)
    if there and record.exists():
        require_same(settings, record.read_text(), record)
    elif there:
        raise ValueError(f"{there} is there already, and not from here: choose another folder")
    elif record.exists():
        require_same({}, record.read_text(), record)
    with atomically(record) as partial:
        partial.write_text(json.dumps(settings, indent=1) + "\n")

    palette = palette_of(classes or Classes(()))

    def finish(path, probability):
        if path in done:
            return
        is_ids = probability.dtype == np.uint8
        mask = probability if is_ids else probability >= threshold
        if overlays:
            from unet_tf import plot  # matplotlib: only for who asks

            image = pipeline.read_image(path)
            if is_ids:
                half = image // 2 + palette[mask] // 2
                shown = np.where(mask[..., None] > 0, half, image)
            else:
                shown = (plot.overlay(image, mask, mask) * 255).round().astype("uint8")
            with atomically(targets(path)[1]) as partial:
                Image.fromarray(shown).save(partial, quality=90)
        # The mask last: where it is, all of this image is.
        if is_ids:
            save_ids(targets(path)[0], mask, palette)
            return
        with atomically(targets(path)[0]) as partial:
            Image.fromarray(mask.astype("uint8") * 255).save(partial)

    for target in each_target():
        partial_of(target).unlink(missing_ok=True)  # of a run that was killed
    done = {path for path in paths if all(map(Path.exists, targets(path)))}
    yield from ((path, KEPT) for path in paths if path in done)
    for path, error in predictions(model, paths, finish, done=done, **options):
        if path not in done:
            yield path, error


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


def to_submission(model, paths, target, settings, threshold=0.5, **options):
    """Write the run lengths of all masks as a submission, `img,rle_mask`, in the order of `paths`.

    Rows are first kept in `<target>.partial`, from which a stopped run goes on; a broken image has
    no row, and the partial file is then kept until a later run has all of them.

    Parameters
    ----------
    model, options : as in `predictions`
    paths : list of path, as `images` gives them
    target : path
        A `.csv` or `.csv.gz`; the same masks give the same bytes.
    settings : dict
        What else decides about the masks, such as a hash of the model, ready for JSON. A stopped
        run is only gone on with under the same settings, threshold and options.

    Yields
    ------
    (path, outcome) for each image: first those that are there already, with `KEPT`, then the
    others, with None or the ValueError of a broken file.

    Raises
    ------
    ValueError
        When the target is there and finished, or the partial file is of other settings.
    """
    target = Path(target)
    if not target.name.endswith((".csv", ".csv.gz")):
        raise ValueError(f"{target}: a submission is a .csv or a .csv.gz")
    for path in paths:
        if re.search('[,"\r\n\ud800-\udfff]', path.name):  # the last: bytes that are no UTF-8
            raise ValueError(f"{path!r}: a comma, quote or line break cannot stand in a submission")
    kept = target.with_name(f"{target.name}.partial")
    if target.exists() and not kept.exists():
        raise ValueError(f"{target} is there already: remove it or give another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    settings = {**settings, "threshold": threshold, **options, "from": places(paths)}
    head = f"# {json.dumps(settings)}\n".encode()
    some = False
    if kept.exists():
        with open(kept, "rb") as rows:
            first, some = rows.readline(), rows.read(1)
        require_same(settings if some else {}, first[1:], kept)
    if not some:  # nothing to lose yet
        with atomically(kept) as partial:
            partial.write_bytes(head)
    with open(kept, "r+b") as rows:
        starts, end = {}, len(rows.readline())  # name -> where its row starts
        for row in rows:
            if not row.endswith(b"\n"):
                break  # the row that a kill cut short
            starts[row.partition(b",")[0].decode()] = end
            end += len(row)
        rows.seek(end)
        rows.truncate()

        done = {path for path in paths if path.name in starts}
        yield from ((path, KEPT) for path in paths if path in done)

        def finish(path, probability):
            return f"{path.name},{run_lengths.encode(probability >= threshold)}\n".encode()

        broken = False
        for path, row in predictions(model, paths, finish, done=done, **options):
            if path in done:
                continue
            if isinstance(row, ValueError):
                broken = True
                yield path, row
                continue
            starts[path.name] = rows.tell()
            rows.write(row)
            rows.flush()
            yield path, None

        with (
            atomically(target) as partial,
            open(partial, "wb") as file,
            opened(file, target) as out,
        ):
            out.write(run_lengths.HEADER.encode())
            for path in paths:
                if path.name in starts:
                    rows.seek(starts[path.name])
                    out.write(rows.readline())
    if not broken:
        kept.unlink()


def opened(file, target):
    """The file, or a gzip stream into it without name and time: the same rows, the same bytes."""
    return gzip.GzipFile("", "wb", 6, file, mtime=0) if target.suffix == ".gz" else file
