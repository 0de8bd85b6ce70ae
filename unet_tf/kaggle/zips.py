"""Zips, extracted: nothing leaves the folder, each file is whole."""

import errno
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm import tqdm

from unet_tf.files import UserError, atomically
from unet_tf.kaggle.source import KaggleError

EXTRACTED = {".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff", ".csv"}
WORKING = Path("/kaggle/working")  # Kaggle's output folder, which
WORKING_LIMIT = 20 * 10**9  # may hold so many bytes, however large its disk is
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # what a bad zip raises
FULL = (errno.ENOSPC, errno.EDQUOT)


def size_in_words(count):
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def room_for(need, folder, what):
    """The free bytes for `folder`; a `KaggleError` that names `what` when `need` is more."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free, where = shutil.disk_usage(existing).free, f"in {folder}"
    if existing.resolve().is_relative_to(WORKING):
        used = sum(path.stat().st_size for path in WORKING.rglob("*") if path.is_file())
        if WORKING_LIMIT - used < free:
            free, where = WORKING_LIMIT - used, "of the 20 GB that /kaggle/working may hold"
    if need > free:
        raise KaggleError(
            f"{what}: {size_in_words(need)} are needed and {size_in_words(max(0, free))} are free "
            f"{where}: free some space, take fewer files or choose another folder, then run this "
            "again."
        )
    return free


def extract(archive, folder, names=None, limit=None, inside=None, origin="where it came from"):
    """Extract images and tables from any zip into a folder; those there already are kept.

    Parameters
    ----------
    archive, folder : path
        Such as `train_hq.zip`, and where the folder `train_hq` goes.
    names, limit : collection of str, int, optional
        Only files with these names; only the first so many, in sorted order.
    inside : str, optional
        Another folder than `train_hq`; "" for `folder` itself.
    origin : str
        Where a whole zip comes from, for the errors.

    Returns
    -------
    Path
        `folder/train_hq`. Each file in it is whole: it gets its name last.

    Raises
    ------
    KaggleError
        No zip or a damaged one, a member that would leave the folder (then nothing is extracted), a
        disk that is or would be full (on Kaggle: 20 GB in /kaggle/working).
    UserError
        `names` that the zip does not hold.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise KaggleError(f"{archive}: no such file: put it there, then run this again.")
    target = folder / (archive.stem if inside is None else inside)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened, archive, names, limit, origin)
            missing = {
                target / path: member
                for path, member in members.items()
                if not (target / path).is_file()
                or (target / path).stat().st_size != member.file_size
            }
            room_for(sum(member.file_size for member in missing.values()), folder, archive.name)
            for path, member in tqdm(missing.items(), desc=archive.stem, unit="file", delay=10):
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomically(path) as partial:
                    _write(opened, member, partial)
    except KaggleError:
        raise
    except DAMAGED:
        raise KaggleError(
            f"{archive.name} is damaged: delete it, get it again from {origin}, then run this "
            "again."
        ) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise KaggleError(
            f"{archive.name}: the disk is full: free some space, then run this again: it goes on "
            "where it stopped."
        ) from None
    return target


def _write(opened, member, path):
    with opened.open(member) as source, path.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)  # compares the checksum at the end


def _members(opened, archive, names, limit, origin):
    """`{path below the target: member}` of the files asked for, sorted."""
    members = {}
    for member in opened.infolist():
        name, path = member.orig_filename, PurePosixPath(member.filename)
        leaves = name.startswith("/") or ".." in path.parts or "\\" in name
        link = stat.S_ISLNK(member.external_attr >> 16)
        if leaves or link or PureWindowsPath(name).drive:
            raise KaggleError(
                f"{archive.name} holds {name[:80]!r}, which would leave the folder, so nothing was "
                f"extracted: delete the zip, get it again from {origin}, then run this again."
            )
        hidden = any(part == "__MACOSX" or part.startswith(".") for part in path.parts)
        if path.suffix.lower() in EXTRACTED and not hidden and not member.is_dir():
            top = path.parts[0] == archive.stem and len(path.parts) > 1
            members[path.relative_to(archive.stem) if top else path] = member
    if names is not None:
        absent = sorted(set(names) - {path.name for path in members})
        if absent:
            raise UserError(f"{archive.name} does not hold {absent[0]} ({len(absent)} such names)")
        members = {path: member for path, member in members.items() if path.name in set(names)}
    return dict(sorted(members.items())[:limit])
