"""The images to predict, and what a stopped run left of their masks."""

import json
import os
import zipfile
from pathlib import Path

from unet_tf.data import SUFFIXES
from unet_tf.files import UserError, differences


def images(files):
    """The images of files, folders and zips, in the order given, each folder's and zip's by name.

    A list of Path, and of zipfile.Path for what lies in a zip: nothing is extracted. UserError for
    what is not there, what holds no image, and two images whose masks would get one name.
    """
    found = [image for path in map(Path, files) for image in images_in(path)]
    require_names(found)
    return found


def require_names(paths):
    """UserError for two images whose masks would get one name."""
    stems = {}
    for path in paths:
        if path.stem in stems:
            raise UserError(
                f"{stems[path.stem]} and {path} have one name, and so would have their masks. "
                "Predict them one after another, each to its own place"
            )
        stems[path.stem] = path


def images_in(path):
    """The images of a file, a folder or a zip, by name."""
    if path.is_dir():
        inside = sorted(file for file in path.iterdir() if not file.is_dir())
    elif path.suffix.lower() == ".zip" and path.is_file():
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise UserError(f"{path}: {error}. Download it again") from None
        inside = [zipfile.Path(archive, name) for name in sorted(archive.namelist())]
    elif path.is_file():
        return [path]
    else:
        raise UserError(f"{path}: there is no such file or folder. Give one that is there")
    named = [file for file in inside if Path(file.name).suffix.lower() in SUFFIXES]
    found = [file for file in named if not file.name.startswith(".")]  # hidden ones are none
    if not found:
        raise UserError(f"{path}: holds no images ({', '.join(sorted(SUFFIXES))})")
    return found


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


def record_of(model, card, paths, settings, batch_size):
    """All that decides about masks, as it is kept beside them; ready for JSON. Each has a name."""
    require_names(paths)
    # Masks of other folders and zips must not pass for theirs.
    holders = {p.root.filename if isinstance(p, zipfile.Path) else p.parent for p in paths}
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
