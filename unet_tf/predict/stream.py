"""From a model and images of any size to probabilities, and to masks of the images' own size.

Files are read ahead and masks finished while the model works. It is any callable from a batch of
images to probabilities; `flipped` and `tiled` make one of another, so they combine:
`predict(tiled(flipped(model)), paths, "native")`.
"""

import itertools
import os
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from unet_tf import data
from unet_tf.files import UserError
from unet_tf.predict.tiles import in_pieces
from unet_tf.predict.usage import card_of, decided

KEPT = "kept"


def predict(
    model, paths, image_size="card", resize=None, batch_size=32, threshold=None, labels=None
):
    """Predicted masks at original size, one after another.

    The probabilities are resized back (bilinear), then decided upon: a thresholded mask that is
    resized has stairs for edges. Parameters and errors are those of `predictions` and `card_of`,
    and the UserError that names a file which cannot be decoded.

    Yields
    ------
    uint8 array `(height, width)` in {0, 1}, or of class ids, in the order of `paths`.
    """
    card = card_of(model, image_size, resize, labels, threshold)

    def finish(path, answer, size):
        return decided(card, answer, size)

    yield from whole(predictions(model, paths, finish, card.image_size, card.resize, batch_size))


def probabilities(model, paths, image_size="card", resize=None, batch_size=32, value_range=None):
    """What the model says of each image, at the size it works at; parameters as in `predict` and
    `card_of`.

    Yields
    ------
    float32 array `(h, w)` in [0, 1], in the order of `paths`; `(h, w, C)` of a model of C channels.
    """
    how = {"image_size": image_size, "resize": resize, "batch_size": batch_size}
    how["value_range"] = value_range
    yield from whole(predictions(model, paths, lambda path, answer, size: answer, **how))


def whole(outcomes):
    """The results of `predictions`; the first error is raised."""
    for _, result in outcomes:
        if isinstance(result, UserError):
            raise result
        yield result


def predictions(
    model,
    paths,
    finish,
    image_size="card",
    resize=None,
    batch_size=32,
    done=frozenset(),
    value_range=None,
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
    image_size, resize, value_range : as in `card_of`
        Images at their own size, "native", or a share of it, are predicted one at a time.
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
    card = card_of(model, image_size, resize, value_range=value_range)
    data.keep_freed_memory()
    paths, batch_size = listed(paths), batch_size if isinstance(card.image_size, tuple) else 1
    batches = [paths[n : n + batch_size] for n in range(0, len(paths), batch_size)]
    wanted = itertools.chain(*(batch for batch in batches if not done.issuperset(batch)))

    def read(path):
        try:
            return data.read_resized(path, card.image_size, card.resize, card.value_range)
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
                read_well = not isinstance(result, UserError)
                answer = next(answers) if read_well else None
                if path not in done:
                    future = pool.submit(finish, path, answer, result[1]) if read_well else future
                    finishing.append((path, future))
            while len(finishing) > batch_size:  # the batch before this one, mostly finished
                path, future = finishing.popleft()
                yield path, future.result()
        for path, future in finishing:
            yield path, future.result()


def answered(model, images):
    """What the model answers to uint8 images: float32 `(B, h, w)`, of C channels `(B, h, w, C)`."""
    batch = np.stack(images).astype("float32") / 255
    model = in_pieces(model, batch.shape[1:3])
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
