"""Writing files so that a kill or a full disk leaves the old file or the new one, never half."""

import contextlib
import os
from pathlib import Path


def partial_of(path):
    """Where `path` is written before it is whole: hidden, as no image of a folder's is."""
    path = Path(path)
    return path.with_name(f".partial-{path.name}")


@contextlib.contextmanager
def atomically(path, durable=False):
    """`with atomically(path) as partial:` write to `partial`, a path beside it with its ending.

    It is renamed to `path` at the end, and removed after an error. `durable` waits until it is on
    the disk: then a machine that stops, too, leaves the old file or the new one.
    """
    partial = partial_of(path)
    try:
        yield partial
        if durable:
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Write a text whole or not at all; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomically(path, durable=True) as partial:
        partial.write_text(text)
