"""The stream of predictions: files are read ahead and masks finished while the model works."""

import itertools
import os
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from unet_tf import data
from unet_tf.files import UserError
from unet_tf.predict.usage import card_of

KEPT = "kept"


def predictions(
    model, paths, finish, image_size="card", resize=None, batch_size=32, done=frozenset()
):
    """Predict images and finish each, reading ahead and finishing in other threads.

    Parameters
    ----------
    model : callable
        From float32 `(B, H, W, 3)` in [0, 1] to probabilities `(B, H, W, 1)` or `(B, H, W, C)`.
    paths : path, or list of path, of images; a `zipfile.Path` is one, too
    finish : callable
        `finish(path, answer, size)` with the model's float32 answer `(h, w)`, or `(h, w, C)` of a
        model of C channels, and the (height, width) of the file; runs in a thread.
    image_size, resize : as in training
        A `Predictor` knows them, others are told (`unet_tf.predict.card_of`). Images at their own
        size, "native", are predicted one at a time.
    batch_size : int
        Images the model gets at a time. Some four times as many are in memory.
    done : set of path
        These come first, with `KEPT`. A batch of them alone is left out; the others are predicted
        whole: in bfloat16 the last bits of a probability may depend on what else is in the batch.

    Yields
    ------
    (path, outcome) in the order of `paths`: what `finish` returned, or the UserError that names a
    file which cannot be decoded.

    Raises
    ------
    UserError
        When the model answers NaN; as `card_of`.
    """
    card = card_of(model, image_size, resize)
    data.keep_freed_memory()
    paths, batch_size = listed(paths), batch_size if card.image_size else 1
    starts = range(0, len(paths), batch_size)
    batches = [paths[start : start + batch_size] for start in starts]
    wanted = itertools.chain(*(batch for batch in batches if not done.issuperset(batch)))

    def read(path):
        try:
            return data.read_resized(path, card.image_size, card.resize)
        except FileNotFoundError:
            return UserError(f"{path}: is not there any more, or a link to nothing")
        except UserError as error:
            return error

    yield from ((path, KEPT) for path in paths if path in done)
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        reading, finishing = ahead(pool, read, wanted, 2 * batch_size), deque()
        while group := list(itertools.islice(reading, batch_size)):
            results = [future.result() for _, future in group]
            images = [result[0] for result in results if not isinstance(result, UserError)]
            answers = iter(answered(model, images) if images else ())
            for (path, future), result in zip(group, results, strict=True):
                if not isinstance(result, UserError):
                    answer, (_, size) = next(answers), result
                    future = None if path in done else pool.submit(finish, path, answer, size)
                if path not in done:
                    finishing.append((path, future))
            while len(finishing) > batch_size:  # the batch before this one, mostly finished
                path, future = finishing.popleft()
                yield path, future.result()
        for path, future in finishing:
            yield path, future.result()


def answered(model, images):
    """What the model answers to images of one size, uint8: float32 `(B, h, w)` or, of C channels,
    `(B, h, w, C)`."""
    batch = np.stack(images).astype("float32") / 255
    answers = np.asarray(model(batch, training=False), "float32")
    if not np.isfinite(answers).all():
        raise UserError("the model answers NaN: its training has diverged")
    return answers[..., 0] if answers.shape[-1] == 1 else answers


def ahead(pool, function, items, count):
    """(item, future of `function(item)`) in order, at most `count` items ahead of what is taken."""
    waiting = deque()
    for item in items:
        waiting.append((item, pool.submit(function, item)))
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def listed(paths):
    """Paths as a list: of one, a list of it; a text is the path that it spells."""
    if isinstance(paths, str | os.PathLike | zipfile.Path):
        paths = [paths]
    return [Path(path) if isinstance(path, str) else path for path in paths]
