"""Zips, extracted: nothing leaves the folder, each file is whole."""

import errno
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm import tqdm

from unet_tf.files import UserError
from unet_tf.kaggle.source import KaggleError

IMAGES = {".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff"}


WORKING = Path("/kaggle/working")  # Kaggle's output folder, which


WORKING_LIMIT = 20 * 10**9  # may hold so many bytes, however large its disk is


DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # what a bad zip raises


FULL = (errno.ENOSPC, errno.EDQUOT)


def _size(count):
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _require(need, folder, what, source):
    """The free bytes for `folder`; refuse to begin when `need` is more."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free, where = shutil.disk_usage(existing).free, f"in {folder}"
    if existing.resolve().is_relative_to(WORKING):
        used = sum(path.stat().st_size for path in WORKING.rglob("*") if path.is_file())
        if WORKING_LIMIT - used < free:
            free, where = WORKING_LIMIT - used, "of the 20 GB that /kaggle/working may hold"
    if need > free:
        sizes = {"need": _size(need), "free": _size(max(0, free))}
        raise KaggleError(source.sentence("small", name=what, where=where, **sizes))
    return free


def unpack(source, archive, folder, inside, suffixes, names=None, limit=None):
    """Extract the files with these suffixes into `folder/inside`, as `extract` does."""
    if not archive.is_file():
        raise KaggleError(source.sentence("no zip", name=archive))
    target = folder / inside
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(source, opened, archive, suffixes, names, limit)
            todo = {
                target / path: member
                for path, member in members.items()
                if not (target / path).is_file()
                or (target / path).stat().st_size != member.file_size
            }
            need = sum(member.file_size for member in todo.values())
            _require(need, folder, archive.name, source)
            for path, member in tqdm(todo.items(), desc=archive.stem, unit="file", delay=10):
                _write(opened, member, path)
    except KaggleError:
        raise
    except DAMAGED:
        raise KaggleError(source.sentence("unreadable", name=archive.name)) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise KaggleError(source.sentence("full", name=archive.name)) from None
    return target


def _members(source, opened, archive, suffixes, names, limit):
    """`{path below the target: member}` of the files asked for, sorted."""
    members = {}
    for member in opened.infolist():
        name, path = member.orig_filename, PurePosixPath(member.filename)
        leaves = name.startswith("/") or ".." in path.parts or "\\" in name
        link = stat.S_ISLNK(member.external_attr >> 16)
        if leaves or link or PureWindowsPath(name).drive:
            member = repr(name[:80])
            raise KaggleError(source.sentence("leaves", name=archive.name, member=member))
        hidden = any(part == "__MACOSX" or part.startswith(".") for part in path.parts)
        if path.suffix.lower() in suffixes and not hidden and not member.is_dir():
            inside = path.parts[0] == archive.stem and len(path.parts) > 1
            members[path.relative_to(archive.stem) if inside else path] = member
    if names is not None:
        absent = sorted(set(names) - {path.name for path in members})
        if absent:
            raise UserError(f"{archive.name} does not hold {absent[0]} ({len(absent)} such names)")
        members = {path: member for path, member in members.items() if path.name in set(names)}
    return dict(sorted(members.items())[:limit])


def _write(opened, member, path):
    """Write one member under another name, and give it its own once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}.part")  # another process may write it too
    try:
        with opened.open(member) as source, half.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)  # compares the checksum at the end
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)
