"""The Carvana competition's files: download from Kaggle, extract, find where they are mounted.

Source: https://www.kaggle.com/c/carvana-image-masking-challenge (an account is needed, and its
rules have to be accepted once). The transfer is the `kaggle` package's own: it shows a bar, tries
again after a cut, and resumes. It writes below `.partial/`; a file moves up once it is whole.
`fetch` and `unpack` do the same for another place on Kaggle (`unet_tf.massachusetts`).
"""

import contextlib
import errno
import io
import json
import os
import shutil
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from tqdm import tqdm

TEST_IMAGES = 100_064  # in test_hq.zip
COMPETITION = "carvana-image-masking-challenge"
PAGE = f"https://www.kaggle.com/c/{COMPETITION}"
RULES, DATA = f"{PAGE}/rules", f"{PAGE}/data"
TOKENS = "https://www.kaggle.com/settings/api"
FILES = ("train_hq.zip", "train_masks.zip", "test_hq.zip")

IMAGES = {".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff"}
WORKING = Path("/kaggle/working")  # Kaggle's output folder, which
WORKING_LIMIT = 20 * 10**9  # may hold so many bytes, however large its disk is
UPLOADS = Path("/content")  # where Colab puts an uploaded file
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # what a bad zip raises
FULL = (errno.ENOSPC, errno.EDQUOT)

SENTENCES = {
    401: "Kaggle does not accept the credentials from {credentials} (401): create a new token at "
    f"{TOKENS}, put it there, then run this again.",
    403: "{name}: Kaggle refuses it (403) until you accept the competition's rules: open "
    f"{RULES}, accept them with the same account, then run this again.",
    404: "{name}: the competition has no such file (404): take a name from "
    "{data}, then run this again.",
    "status": "{name}: Kaggle answers with an error ({status}): wait a few minutes and run this "
    "again, or download it in the browser from {data}.",
    "broken": "{name}: the connection to Kaggle broke: check that {page} opens, then run this "
    "again: it goes on from what has arrived.",
    "damaged": "{name} arrived damaged and was deleted: run this again, or download it in the "
    "browser from {data} and put it into {folder}.",
    "full": "{name}: the disk is full: free some space (sizes: {data}), then run this again: "
    "it goes on where it stopped.",
    "small": "{name}: {need} are needed and {free} are free {where}: free some space, take fewer "
    "files (sizes: {data}) or choose another folder, then run this again.",
    "no zip": "{name}: no such file: download it from {data}, then run this again.",
    "unreadable": "{name} is damaged: delete it, download it again from {data} (or with "
    "`carvana.download`), then run this again.",
    "leaves": "{name} holds {member}, which would leave the folder, so nothing was extracted: "
    "delete the zip, download it from {data}, then run this again.",
}


class Source(NamedTuple):
    """A place on Kaggle that holds files, and what the client calls to get them.

    Attributes
    ----------
    kind, name : str
        "competition" or "data set", and its name in addresses.
    page, data : str
        The addresses of its page and of its list of files.
    sizes : callable
        `sizes(api)` is `{file: bytes}`.
    get : callable
        `get(api, file, folder)` downloads one file with the client.
    sentences : dict
        What is said of a failure, by its HTTP status or a word: see `SENTENCES`.
    """

    kind: str
    name: str
    page: str
    data: str
    sizes: Callable
    get: Callable
    sentences: dict

    def sentence(self, kind, **fields):
        return self.sentences[kind].format(page=self.page, data=self.data, **fields)


def _listed(api):
    files = api.competition_list_files(COMPETITION, page_size=100).files
    return {file.name: file.total_bytes for file in files if file.total_bytes}


def _download_file(api, name, folder):
    api.competition_download_file(COMPETITION, name, path=folder, quiet=False)


CARVANA = Source("competition", COMPETITION, PAGE, DATA, _listed, _download_file, SENTENCES)


class CarvanaError(RuntimeError):
    """A failure that the user can remedy: one sentence that says how, and never a token."""


def download(files=("train_hq.zip", "train_masks.zip"), folder="data/carvana"):
    """Download files of the competition; those there already are kept.

    Parameters
    ----------
    files : sequence of str
        Names from the competition's data page: see `FILES`.
    folder : path
        Where they go. A broken download waits in its `.partial`: call again to resume it.

    Returns
    -------
    list of Path
        The whole files, in the order of `files`.

    Raises
    ------
    CarvanaError
        No or wrong credentials, rules not accepted, no such file, too little disk (before
        anything is downloaded), a full disk, a broken connection, a damaged zip.
    """
    return fetch(CARVANA, [files] if isinstance(files, str) else list(files), Path(folder))


def fetch(source, files, folder, unpacked=1):
    """Download `files` of a `Source` into `folder`, as `download` does; returns their paths.

    The disk has to have room for `unpacked` times the sizes that Kaggle lists: 2 for a zip that
    will be extracted beside itself.
    """
    missing = [name for name in files if not _is_whole(folder / name)]
    for name in files:
        if name not in missing:
            print(f"{name}: there already")
    if missing:
        credentials = _credentials(source)
        api, sizes = _connect(source, credentials)
        for name in missing:
            print(f"{name}: {_size(sizes[name])}" if name in sizes else f"{name}: size not listed")
        need = [sizes.get(name, 0) - _begun(folder / ".partial" / name)[1] for name in missing]
        room = sum(need) + (unpacked - 1) * sum(sizes.get(name, 0) for name in missing)
        free = _require(room, folder, " and ".join(missing), source)
        print(f"{_size(sum(need))} to download, {_size(free)} of disk free")
        for name in missing:
            _fetch(api, name, folder, sizes.get(name), source, credentials)
    return [folder / name for name in files]


def _credentials(source=CARVANA):
    """Where the client will find credentials, in its own order; on Colab, brought there first."""
    kaggle = Path.home() / ".kaggle"
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    config = Path(os.environ.get("KAGGLE_CONFIG_DIR") or (kaggle if kaggle.exists() else config))
    places = {
        "KAGGLE_API_TOKEN": os.environ.get("KAGGLE_API_TOKEN"),
        "~/.kaggle/access_token": (kaggle / "access_token").is_file(),
        "~/.kaggle/access_token.txt": (kaggle / "access_token.txt").is_file(),
        "KAGGLE_USERNAME and KAGGLE_KEY": {"KAGGLE_USERNAME", "KAGGLE_KEY"} <= os.environ.keys(),
        "kaggle.json": (config / "kaggle.json").is_file(),
        "`kaggle auth login`": (kaggle / "credentials.json").is_file(),
    }
    found = next((place for place, there in places.items() if there), None) or _from_colab()
    if found:
        return found
    how = f"create a token at {TOKENS} and save it as ~/.kaggle/access_token"
    if "google.colab" in sys.modules:
        how = (
            f"create a token at {TOKENS} and add it to Colab's secrets (the key at the left) as "
            "KAGGLE_API_TOKEN, with notebook access (cells can read it, `!python` cannot)"
        )
    elif "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        what = f"the {source.kind} {source.name} ({source.page})"
        how = f"press Add Input in this notebook and add {what}"
    raise CarvanaError(f"No Kaggle credentials were found: {how}, then run this again.")


def _from_colab():
    """Put Colab's secrets, or an uploaded kaggle.json, into the environment; say which."""
    try:
        from google.colab import userdata
    except ImportError:
        return None
    for names in (("KAGGLE_API_TOKEN",), ("KAGGLE_USERNAME", "KAGGLE_KEY")):
        with contextlib.suppress(Exception):  # no such secret, no access, no answer
            os.environ.update({name: userdata.get(name).strip() for name in names})
            return "Colab's secrets"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        key = json.loads((UPLOADS / "kaggle.json").read_text())
        os.environ.update(KAGGLE_USERNAME=key["username"], KAGGLE_KEY=key["key"])
        return "the uploaded kaggle.json"
    return None


def _connect(source, credentials):
    """The client, logged in, and `{file name: bytes}` of the source."""
    try:
        with _silence():
            from kaggle.api.kaggle_api_extended import KaggleApi  # logs in when it is imported

            api = KaggleApi()
            api.authenticate()
            return api, source.sizes(api)
    except (SystemExit, NameError):  # the client's exit(1); IPython has no exit
        problem = source.sentence(401, credentials=credentials)
    except ImportError:
        raise
    except Exception as error:
        problem = _problem(error, f"The {source.kind}'s list of files", source, credentials)
    raise CarvanaError(problem)  # outside of `except`: the client's error holds the token


@contextlib.contextmanager
def _silence():
    """Nothing the client prints, and no stdin for its exit() to close."""
    stdin, sys.stdin = sys.stdin, None
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        sys.stdin = stdin


class _Waits(io.TextIOBase):
    """Of what the client prints only its waits: the rest holds paths and signed addresses."""

    def write(self, text):
        if text.startswith(("Retrying", "Resuming")):
            tqdm.write(text, file=sys.stderr)
        return len(text)


def _begun(place):
    """The file that the client has begun in `place` (it picks the name), or None; its bytes."""
    for path in place.glob("*"):
        if path.suffix != ".kaggle-partial":  # the client's note on what it can resume
            return path, path.stat().st_size
    return None, 0


def _fetch(api, name, folder, size, source, credentials):
    """Download `name`, check it, and only then move it to `folder`."""
    place = folder / ".partial" / name
    place.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.redirect_stdout(_Waits()):
            source.get(api, name, str(place))
        path, _ = _begun(place)
        whole = _is_whole(path, size)
        problem = None if whole else _problem(None, name, source, credentials, folder)
        if whole:
            os.replace(path, folder / name)
    except Exception as error:
        problem = _problem(error, name, source, credentials, folder)
    if not problem or "arrived damaged" in problem:
        shutil.rmtree(place)
    for left in (place, place.parent):
        with contextlib.suppress(OSError):  # not empty: a broken download waits there
            left.rmdir()
    if problem:
        raise CarvanaError(problem)


def _problem(error, name, source, credentials, folder=None):
    """The sentence for an error of the client, without the error's own text."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    kind = "damaged" if folder else 401  # while logging in: a token with a line break in it
    if status:
        kind = status if status in source.sentences else "status"
    elif isinstance(error, OSError) and error.errno in FULL:
        kind = "full"
    elif isinstance(error, OSError) or type(error).__module__.startswith("urllib3"):
        kind = "broken"
    return source.sentence(kind, name=name, credentials=credentials, status=status, folder=folder)


def _is_whole(path, size=None):
    """Whether a download is complete: of the listed size, or else with every checksum right."""
    if path.suffix != ".zip":
        return path.is_file() and size in (None, path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as opened:
            opened.open(opened.infolist()[0]).close()  # its header is where the table says
            return size in (None, path.stat().st_size) or opened.testzip() is None
    except (*DAMAGED, OSError, IndexError):
        return False


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
        raise CarvanaError(source.sentence("small", name=what, where=where, **sizes))
    return free


def extract(archive, folder, names=None, limit=None):
    """Extract images from a zip into `folder/<stem of the zip>`; those there already are kept.

    Parameters
    ----------
    archive : path
        Such as `train_hq.zip`.
    folder : path
        Where the folder `train_hq` goes.
    names : collection of str, optional
        Only images with these file names.
    limit : int, optional
        Only the first so many, in sorted order.

    Returns
    -------
    Path
        `folder/train_hq`. Each image in it is whole: it gets its name last.

    Raises
    ------
    CarvanaError
        A damaged zip, a member that would leave the folder (then nothing is extracted), a disk
        that is or would be full (on Kaggle: 20 GB in /kaggle/working).
    ValueError
        `names` that the zip does not hold.
    """
    archive = Path(archive)
    return unpack(CARVANA, archive, Path(folder), archive.stem, IMAGES, names, limit)


def unpack(source, archive, folder, inside, suffixes, names=None, limit=None):
    """Extract the files with these suffixes into `folder/inside`, as `extract` does."""
    if not archive.is_file():
        raise CarvanaError(source.sentence("no zip", name=archive))
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
    except CarvanaError:
        raise
    except DAMAGED:
        raise CarvanaError(source.sentence("unreadable", name=archive.name)) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise CarvanaError(source.sentence("full", name=archive.name)) from None
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
            raise CarvanaError(source.sentence("leaves", name=archive.name, member=member))
        hidden = any(part == "__MACOSX" or part.startswith(".") for part in path.parts)
        if path.suffix.lower() in suffixes and not hidden and not member.is_dir():
            inside = path.parts[0] == archive.stem and len(path.parts) > 1
            members[path.relative_to(archive.stem) if inside else path] = member
    if names is not None:
        absent = sorted(set(names) - {path.name for path in members})
        if absent:
            raise ValueError(f"{archive.name} does not hold {absent[0]} ({len(absent)} such names)")
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


def mounted(root="/kaggle/input"):
    """The folder at or below `root` that holds `train_hq.zip` or `train_hq`, or None.

    Kaggle has changed the depth over time: the search goes down four levels, one by one, and
    looks for the two names only, so that it does not read through other data's images.
    """
    for depth in range(5):
        for name in ("train_hq.zip", "train_hq"):
            for path in sorted(Path(root).glob("*/" * depth + name)):
                return path.parent
    return None
