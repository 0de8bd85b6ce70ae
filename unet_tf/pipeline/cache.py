"""Where decoded images are kept: in memory, in a file, or nowhere; files known by their hash."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from unet_tf.data import read_mask, size_at, size_of
from unet_tf.files import UserError, cache_folder

READER = 3  # part of a cache's name: raised when what is made of a file changes
OF_MEMORY, OF_DISK = 1 / 4, 1 / 2  # shares of what is free that a cache may take
BYTES = 4  # a pixel: red, green, blue and the mask


def fingerprint(pairs):
    """A short hash of pairs of files: names and contents."""
    found = [
        (path.name, zlib.crc32(path.read_bytes())) for pair in pairs for path in map(Path, pair)
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]


def sizes_of(pairs, image_size):
    """The (height, width) of each pair as decoded, from the headers where it is not given."""
    if isinstance(image_size, tuple | list):
        return [image_size] * len(pairs)
    return [size_at(image_size, size_of(image)) for image, _ in pairs]


CGROUP_FILES = (  # limit and use, by version
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def free_memory():
    """Bytes of memory that programs may still take, within the limit of a container or job."""
    with contextlib.suppress(OSError, KeyError):
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
        return min([free, *memory_limits()])
    with contextlib.suppress(AttributeError, OSError, ValueError):  # macOS
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 4 * 2**30  # Windows does not tell Python


def memory_limits(root=Path("/sys/fs/cgroup"), groups=Path("/proc/self/cgroup")):
    """What the limits of this process's cgroups, of both versions, leave free, in bytes."""
    for line in groups.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            inside = root / controllers / path.lstrip("/")
            for folder in (inside, *inside.parents):
                for limit, used in CGROUP_FILES:
                    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
                        yield int((folder / limit).read_text()) - int((folder / used).read_text())


def chosen_cache(*parts):
    """Where to keep data sets that are used together; printed in a line.

    Parameters
    ----------
    parts : (pairs, image_size) of each, as for `unet_tf.pipeline.dataset`

    Returns
    -------
    "memory", "file" or None
        Memory when all of them, at 4 bytes a pixel, take up to a quarter of what is free there;
        else a file when they take up to half of what is free on the disk of the user's cache.

    Raises
    ------
    UserError
        Where sizes have to be looked up: names the image whose header cannot be read.
    """
    needed = BYTES * sum(h * w for pairs, size in parts for h, w in sizes_of(pairs, size))
    amount = f"{needed / 1e9:.1f} GB" if needed >= 1e9 else f"{np.ceil(needed / 1e6):.0f} MB"
    if needed <= OF_MEMORY * free_memory():
        print(f"Cache: {amount} in memory")
        return "memory"
    folder = cache_folder()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if needed <= OF_DISK * shutil.disk_usage(folder).free:
            print(f"Cache: {amount} in a file in {folder}, which is gone at the end")
            return "file"
    print(f"Cache: none, for {amount} are too much for memory and disk: each epoch decodes anew")
    return None


def cache_file(folder, pairs, image_size, resize, read=read_mask, value_range=None):
    """The path of a cache for exactly these files and settings; its folder is made.

    A changed file or setting never meets a stale cache. UserError for a `read` without a name.
    """
    stats = [(str(path), os.stat(path)) for pair in pairs for path in pair]
    files = [(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats]
    name, classes = getattr(read, "__qualname__", "<none>"), str(getattr(read, "__self__", None))
    if "<" in name:  # two of them would share a cache
        raise UserError(f"{read}: give a function of a module, or no folder for the cache")
    key = [files, image_size, resize, read.__module__, name, classes, READER, Image.__version__]
    key += [value_range] if value_range else []
    path = Path(folder) / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


class FileCache:
    """What `load(number)` gives, decoded once and then read from a file, in any order.

    Each pair has its place in the file, with a checksum behind it: what a killed process left half
    written does not fit, and is loaded anew, as is one that is not of its (height, width) in
    `sizes`. Several processes may fill one file; on a full disk nothing more is kept. `path` stays;
    without it the file is nameless, and gone however the process ends.
    """

    def __init__(self, load, sizes, path=None):
        self.load, self.sizes, self.lock = load, sizes, threading.Lock()
        self.starts = np.cumsum([0, *(BYTES * (h * w + 1) for h, w in sizes)]).tolist()
        if path is None:
            cache_folder().mkdir(parents=True, exist_ok=True)
            self.file = tempfile.TemporaryFile(dir=cache_folder(), buffering=0)  # noqa: SIM115
        else:
            Path(path).open("ab").close()  # made where it is missing
            self.file = open(path, "r+b", buffering=0)  # noqa: SIM115

    def __call__(self, number):
        (height, width), start = self.sizes[number], self.starts[number]
        with self.lock:
            self.file.seek(start)
            record = self.file.read(self.starts[number + 1] - start)
        content, checksum = record[:-BYTES], record[-BYTES:]
        if content and zlib.crc32(content).to_bytes(BYTES, "big") == checksum:
            image, mask = np.split(np.frombuffer(content, "uint8"), [3 * height * width])
            return image.reshape(height, width, 3), mask.reshape(height, width, 1)
        image, mask = self.load(number)
        if image.shape[:2] == mask.shape[:2] == (height, width):
            content = image.tobytes() + mask.tobytes()
            with self.lock, contextlib.suppress(OSError):
                self.file.seek(start)
                self.file.write(content + zlib.crc32(content).to_bytes(BYTES, "big"))
        return image, mask
