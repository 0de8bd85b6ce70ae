"""The images to predict, and what a stopped run left of their masks."""

import json
import os
import posixpath
import zipfile
from pathlib import Path, PurePosixPath

from unet_tf.data import SUFFIXES
from unet_tf.files import UserError, differences, walked

RECORD = "predict.json"  # in a folder of masks: what made them


def named(files):
    """The images of files, folders with their subfolders, and zips, and the name of each's mask.

    `{path: name}`, in the order given, those of a folder or zip by name: `a/1` for `photos/a/1.jpg`
    in `photos`; in a zip from the folder on that holds all of its images. A path is a Path, or a
    zipfile.Path for what lies in a zip: nothing is extracted. Hidden files and folders are left
    out, and folders of masks that `to_folder` has written. UserError for what is not there, what
    holds no image, and two images whose masks would get one name.
    """
    names = {}
    for path in map(Path, files):
        for image, name in named_in(path).items():
            if image in names:
                raise UserError(f"{image}: given twice. Give it once")
            names[image] = name
    require_names(names)
    return names


def require_names(names):
    """UserError for two images whose masks would get one name; `names` are those of `named`."""
    there = {}
    for path, name in names.items():
        if name in there:
            raise UserError(
                f"{there[name]} and {path} have one name, and so would have their masks. "
                "Predict them one after another, each to its own place"
            )
        there[name] = path


def named_in(path):
    """What `named` gives of a file, a folder or a zip."""
    if path.is_dir():
        inside = {file: file.relative_to(path) for file in sorted(below(path))}
    elif path.suffix.lower() == ".zip" and path.is_file():
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise UserError(f"{path}: {error}. Download it again") from None
        # A name in a zip must not lead out of the folder that the masks go to.
        members = {name: PurePosixPath(name).parts for name in sorted(archive.namelist())}
        inside = {
            zipfile.Path(archive, name): PurePosixPath(*(p for p in parts if p not in ("/", "..")))
            for name, parts in members.items()
        }
    elif path.is_file():
        return {path: path.stem}
    else:
        raise UserError(f"{path}: there is no such file or folder. Give one that is there")
    found = {
        file: place
        for file, place in inside.items()
        if place.suffix.lower() in SUFFIXES and not any(p.startswith(".") for p in place.parts)
    }
    if not found:
        raise UserError(f"{path}: holds no images ({', '.join(sorted(SUFFIXES))})")
    top = "" if path.is_dir() else posixpath.commonpath([str(p.parent) for p in found.values()])
    return {file: p.relative_to(top).with_suffix("").as_posix() for file, p in found.items()}


def below(folder):
    """The files in a folder and its subfolders, but for hidden ones and those of masks."""
    for place, folders, files in walked(folder):
        folders[:] = [name for name in folders if not (place / name / RECORD).exists()]
        yield from (place / file for file in files)


def state_of(path):
    """By what a mask is known to be of this very image: the file's size and time of change, in a
    zip its size and checksum; empty for what is not there."""
    if isinstance(path, zipfile.Path):
        member = path.root.getinfo(path.at)
        return f"{member.file_size} bytes crc {member.CRC:08x}"
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_size} bytes {status.st_mtime_ns} ns"


def record_of(model, card, names, settings, batch_size):
    """All that decides about masks, as it is kept beside them; ready for JSON. `names` are those of
    `named`, and differ."""
    require_names(names)
    # Masks of other folders and zips must not pass for theirs.
    holders = {
        path.root.filename if isinstance(path, zipfile.Path) else path.parents[name.count("/")]
        for path, name in names.items()
    }
    return {
        **getattr(model, "identity", {}),
        **dict(settings),
        "image_size": card.image_size,
        "resize": card.resize,
        "threshold": card.threshold,
        "labels": card.labels._asdict(),
        "from": sorted(str(Path(holder).resolve()) for holder in holders),
        "batch_size": batch_size,
    }


def require_record(text, place, record=None):
    """UserError unless a text is the record of an earlier run, and tells of the same settings.

    The batch size may be another: a run that was out of memory goes on with a smaller one.
    """
    try:
        there = dict(json.loads(text))
    except (ValueError, TypeError):
        raise UserError(f"{place} is no record of an earlier run: remove or rename it") from None
    if record is None:
        return
    differing = differences(there | {"batch_size": 0}, record | {"batch_size": 0})
    if differing:
        raise UserError(
            f"{place}: a run with other settings was here ({differing}). Repeat those, remove it, "
            "or choose another place"
        )
