"""Masks of many images as run lengths in one file, as the competition wants them."""

import gzip
import json
import os
import re
from pathlib import Path

from unet_tf import run_lengths
from unet_tf.files import UserError, atomically, lock
from unet_tf.predict.files import record_of, require_record, state_of
from unet_tf.predict.stream import listed, predictions
from unet_tf.predict.usage import card_of, decided


def to_submission(model, paths, target, settings=(), batch_size=32, **usage):
    """Write the run lengths of all masks as a submission, `img,rle_mask`, in the order of `paths`.

    Rows are first kept in `<target>.partial`, each with the state of its image: a stopped run goes
    on from there, as does one whose broken images, which have no row, were mended.

    Parameters
    ----------
    model, paths, settings, batch_size, usage : as in `to_folder`
    target : path
        A `.csv` or `.csv.gz`; the same masks give the same bytes. One process at a time writes it.

    Yields
    ------
    As `to_folder`.

    Raises
    ------
    UserError
        For a model of many classes, a target that is finished or no .csv, and a name that cannot
        stand in it; otherwise as `to_folder`.
    """
    card, paths, target = card_of(model, **usage), listed(paths), Path(target)
    partial = partial_of(target, paths, card)
    record = record_of(model, card, {p: p.stem for p in paths}, settings, batch_size)
    states = {path: state_of(path) for path in paths}  # before they are read

    def finish(path, answer, size):
        text = run_lengths.encode(decided(card, answer, size))
        return f"{path.name},{states[path]},{text}\n".encode()

    target.parent.mkdir(parents=True, exist_ok=True)
    with open(partial, "a+b") as rows:
        lock(rows, partial)
        starts = kept_rows(rows, record, {path.name: states[path] for path in paths}, partial)
        done = {path for path in paths if path.name in starts}
        options = card.image_size, card.resize, batch_size, done
        for path, outcome in predictions(model, paths, finish, *options):
            if isinstance(outcome, bytes):
                starts[path.name] = rows.seek(0, os.SEEK_END)
                rows.write(outcome)
                rows.flush()
                outcome = None
            yield path, outcome
        write(target, rows, [starts[path.name] for path in paths if path.name in starts])
    if len(starts) == len(paths):
        partial.unlink(missing_ok=True)


def partial_of(target, paths, card):
    """The file of the rows so far; UserError where no submission can be made."""
    if not card.labels.binary:
        raise UserError(
            f"this model knows {card.labels.channels} classes: run lengths are of one foreground, "
            "so write PNG files (to_folder, --to)"
        )
    if not target.name.endswith((".csv", ".csv.gz")):
        raise UserError(f"{target}: a submission is a .csv or a .csv.gz")
    for path in paths:
        if re.search('[,"\r\n\ud800-\udfff]', path.name):  # the last: bytes that are no UTF-8
            raise UserError(f"{path!r}: a comma, quote or line break cannot stand in a submission")
    partial = target.with_name(f"{target.name}.partial")
    if target.exists() and not partial.exists():
        raise UserError(f"{target} is there already: remove it or give another name")
    return partial


def kept_rows(rows, record, states, place):
    """Where the rows of an earlier run start, by name: those whose image is as it was. The open
    partial file gets a head, the record, where no row is there yet, and loses a row cut short."""
    rows.seek(0)
    head, some = rows.readline(), rows.read(1)
    if head:
        require_record(head[1:], place, record if some else None)
    if not some:  # nothing to lose yet
        head = f"# {json.dumps(record)}\n".encode()
        rows.truncate(0)
        rows.write(head)
        rows.flush()
    rows.seek(len(head))
    starts, end = {}, len(head)
    for row in rows:
        if not row.endswith(b"\n"):
            break
        name, state, _ = row.decode().split(",", 2)
        if state and states.get(name) == state:
            starts[name] = end
        end += len(row)
    rows.truncate(end)
    return starts


def write(target, rows, starts):
    """Write the submission of the rows that start there, without their images' states."""
    with atomically(target) as partial, open(partial, "wb") as file:
        # Without name and time: the same rows give the same bytes.
        packed = target.suffix == ".gz"
        out = gzip.GzipFile("", "wb", 6, file, mtime=0) if packed else file
        out.write(run_lengths.HEADER.encode())
        for start in starts:
            rows.seek(start)
            name, _, text = rows.readline().split(b",", 2)
            out.write(name + b"," + text)
        out.close()
