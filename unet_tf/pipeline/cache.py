"""Files known again: a hash of pairs, and the name of a cache on disk."""

import hashlib
import json
import os
import zlib
from pathlib import Path

from PIL import Image

from unet_tf.data import read_mask
from unet_tf.files import UserError

READER = 2  # part of a cache's name: raised when what is made of a file changes


def fingerprint(pairs):
    """A short hash of pairs of files: names and contents."""
    found = [
        (path.name, zlib.crc32(path.read_bytes())) for pair in pairs for path in map(Path, pair)
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]


def cache_file(folder, pairs, image_size, resize, read=read_mask):
    """The path of a tf.data cache for exactly these files and settings, leftovers removed.

    The name holds a hash of every file's path, size and times, of the settings, and of what reads
    them, so a changed file or setting never meets a stale cache. ValueError for a `read` that has
    no name of its own.
    """
    stats = [(str(path), os.stat(path)) for pair in pairs for path in pair]
    files = [(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats]
    name, classes = getattr(read, "__qualname__", "<none>"), str(getattr(read, "__self__", None))
    if "<" in name:  # two of them would share a cache
        raise UserError(f"{read}: give a function of a module, or no folder for the cache")
    key = [files, image_size, resize, read.__module__, name, classes, READER, Image.__version__]
    path = Path(folder) / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not Path(f"{path}.index").exists():  # a killed run leaves parts that would stop the next
        for leftover in path.parent.glob(f"{path.name}*"):
            leftover.unlink()
    return str(path)
