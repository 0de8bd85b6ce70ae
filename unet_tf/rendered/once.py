"""Rendered data sets: written whole or not at all, kept, marked as rendered."""

import json
import os
import shutil
import uuid
from pathlib import Path

from unet_tf.files import UserError


def cache():
    """The folder of the user's cache in which rendered data sets lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unet_tf"


def is_rendered(folder):
    """Was this folder written here? Then every output made from it must say *rendered*."""
    return "rendered" in _marker(Path(folder))


def _marker(folder):
    try:
        marker = json.loads((folder / "rendered.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}


def written_once(folder, settings, files, fill):
    """Write a rendered data set whole or not at all, with its marker; one that is there is kept.

    Parameters
    ----------
    folder : path
        Missing, empty, or holding this very data set. Missing parents are made.
    settings : dict
        What `rendered.json` shall hold, as JSON gives it back (lists, not tuples): `rendered`, a
        sentence that these are no photographs, and all that the files depend on.
    files : iterable of str
        Paths below the folder without which the data set is not complete.
    fill : callable
        `fill(part)` writes the files into `part`, an empty folder beside the final one.

    Returns
    -------
    pathlib.Path
        The folder, absolute.

    Raises
    ------
    ValueError
        The folder holds something else, which is left as it is.
    """
    folder, files = Path(folder).expanduser().absolute(), list(files)

    def complete():
        same = {
            **_marker(folder),
            "rendered": settings["rendered"],
        } == settings
        return same and is_rendered(folder) and all((folder / name).is_file() for name in files)

    if complete():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{folder}: found files other than the rendered data set with {settings}; expected no "
            "folder or an empty one. Choose another folder, or remove this one."
        )
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    part.mkdir(parents=True)
    try:
        fill(part)
        (part / "rendered.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()  # empty when we came; fails if another process has filled it
        part.rename(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if not (isinstance(error, OSError) and complete()):  # else another process was faster
            raise
    return folder
