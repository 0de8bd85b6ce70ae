"""Masks of many images as run lengths in one file, as the competition wants them."""

import gzip
import json
import re
from pathlib import Path

from unet_tf import run_lengths
from unet_tf.files import UserError, atomically
from unet_tf.predict.files import KEPT, places, predictions, require_same


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
        raise UserError(f"{target}: a submission is a .csv or a .csv.gz")
    for path in paths:
        if re.search('[,"\r\n\ud800-\udfff]', path.name):  # the last: bytes that are no UTF-8
            raise UserError(f"{path!r}: a comma, quote or line break cannot stand in a submission")
    kept = target.with_name(f"{target.name}.partial")
    if target.exists() and not kept.exists():
        raise UserError(f"{target} is there already: remove it or give another name")
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
