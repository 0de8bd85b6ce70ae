"""Files written whole or not at all, folders held by one process, and what differs in records."""

import collections
import contextlib
import io
import json
import os
import shutil
import socket
import uuid
import zipfile
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: folders are not held
    fcntl = None


class UserError(ValueError):
    """What the user can mend: one sentence that names the file or setting, and the remedy.

    The command line prints it as it is; every other error is a fault of the code and keeps its
    traceback.
    """


raised = collections.deque(maxlen=1)  # what `remembered` kept last


@contextlib.contextmanager
def remembered():
    """Keep what a reader of files raises in `raised`: TensorFlow hands on its words alone.

    For functions that tf.data calls, `with remembered():` or the decorator `@remembered()`.
    """
    try:
        yield
    except (UserError, OSError) as error:
        raised.append(error)
        raise


def walked(folder):
    """As `os.walk`, with paths, sorted, hidden folders aside, and links to folders followed: a
    link back to a folder that it lies in ends there."""
    around = {}  # of each folder: itself and those that it was come to by
    for at, folders, files in os.walk(folder, followlinks=True):
        place = Path(at)
        around[place] = {place.resolve()} | around.get(place.parent, set())
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (place / name).resolve() not in around[place]
        )
        yield place, folders, sorted(files)


def cache_folder():
    """The user's folder for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unet_tf"


@contextlib.contextmanager
def atomically(path, durable=False):
    """`with atomically(path) as partial:` write to `partial`, a path beside it with its ending.

    It is renamed to `path` at the end, and removed after an error, be it a file or a folder. Its
    name is this writer's own: two at once leave the file of one of them, whole. `durable` waits
    until it is on the disk: then a machine that stops, too, leaves the old file or the new one.
    """
    path = Path(path)
    partial = path.with_name(f".partial-{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        yield partial
        if durable:
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        if getattr(error, "filename", None) in (str(partial), partial):
            error.filename = str(path)  # the one that the user named
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Write a text whole or not at all; missing folders are made. Bytes of a file's name that are
    no UTF-8 are shown as such."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomically(path, durable=True) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path, record):
    """Write a record as JSON, whole or not at all."""
    write_text(path, json.dumps(record, indent=1) + "\n")


HELD = set()  # the folders that this process holds


@contextlib.contextmanager
def held(folder, again=False):
    """Hold a folder while writing into it: a second process is told who does.

    The system lets go of it when the process ends, however it ends. Where a file system knows no
    locks (some network drives), nothing is held. With `again` it may be held by this process
    already, as a run holds it for its training.

    Raises
    ------
    UserError
        Another process holds it, which it names; or there is no folder, and none can be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: no folder can be made there ({error.strerror}). Choose another"
        ) from None
    if (place := folder.resolve()) in HELD and again:
        yield
        return
    with open(folder / ".lock", "a+", encoding="utf-8") as file:
        lock(file, folder)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        HELD.add(place)
        try:
            yield
        finally:
            HELD.discard(place)


def lock(file, place):
    """Lock an open file until it is closed; UserError where another process has. A text file says
    which."""
    if not fcntl:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        who = (isinstance(file, io.TextIOBase) and file.read().strip()) or "another process"
        raise UserError(
            f"{place}: {who} writes there: wait until it has ended, or choose another place"
        ) from None
    except OSError:
        pass  # no locks here


def flat(nested, prefix=""):
    """`{"a": [{"b": 1}]}` -> `{"a.0.b": 1}`."""
    if not isinstance(nested, dict | list):
        return {prefix: nested}
    entries = {}
    for name, value in nested.items() if isinstance(nested, dict) else enumerate(nested):
        entries |= flat(value, f"{prefix}.{name}" if prefix else str(name))
    return entries


def differences(there, here, most=3):
    """The first entries in which two records differ, as a phrase; empty if in none.

    Parameters
    ----------
    there, here : dict
        Nested as they may be; compared as JSON would give them back (a tuple is a list).
    """
    there, here = (flat(json.loads(json.dumps(one, default=float))) for one in (there, here))

    def shown(entries, name):
        value = entries.get(name, "nothing")
        return f"{value:.6g}" if isinstance(value, float) else str(value)

    found = [
        f"{name}: {shown(there, name)} there, {shown(here, name)} here"
        for name in dict.fromkeys([*there, *here])
        if there.get(name, here) != here.get(name, there)  # a dict is no entry: that is missing
    ]
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return "; ".join([*found[:most], *more])


def add_to_zip(path, name, record):
    """Put a record as the JSON file `name` into a zip, such as a `.keras` file is."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, json.dumps(record, indent=1))


def in_zip(path, name):
    """The record in the JSON file `name` of a zip, or None where there is none.

    Raises
    ------
    UserError
        Names a zip that is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(name)) if name in archive.namelist() else None
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise UserError(
            f"{path}: damaged, or no such file as it is called ({error}). Bring back a whole one"
        ) from None
