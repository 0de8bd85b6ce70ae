"""Downloads the files of a `Source` with the `kaggle` package's client.

The transfer is the client's own: it shows a bar, tries again after a cut, and resumes. It writes
below `.partial/`; a file moves up once it is whole.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

from tqdm import tqdm

from unet_tf.kaggle.source import SENTENCES, TOKENS, KaggleError
from unet_tf.kaggle.zips import DAMAGED, FULL, room_for, size_in_words

UPLOADS = Path("/content")  # where Colab puts an uploaded file


def fetch(source, files, folder, unpacked=1):
    """Download `files` (names) of a `Source` into `folder`, or keep them; returns their paths.

    The disk has to have room for `unpacked` times the sizes that Kaggle lists: 2 for a zip that
    will be extracted beside itself. Raises `KaggleError`.
    """
    missing = [name for name in files if not _is_whole(folder / name)]
    for name in files:
        if name not in missing:
            print(f"{name}: there already")
    if missing:
        credentials = credentials_for(source)
        api, sizes = _connect(source, credentials)
        for name in missing:
            listed = size_in_words(sizes[name]) if name in sizes else "size not listed"
            print(f"{name}: {listed}")
        need = [sizes.get(name, 0) - _begun(folder / ".partial" / name)[1] for name in missing]
        room = sum(need) + (unpacked - 1) * sum(sizes.get(name, 0) for name in missing)
        free = room_for(room, folder, " and ".join(missing))
        print(f"{size_in_words(sum(need))} to download, {size_in_words(free)} of disk free")
        for name in missing:
            _fetch(api, name, folder, sizes.get(name), source, credentials)
    return [folder / name for name in files]


def credentials_for(source):
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
    place = next((place for place, given in places.items() if given), None) or _from_colab()
    if place:
        return place
    how = f"create a token at {TOKENS} and save it as ~/.kaggle/access_token"
    if "google.colab" in sys.modules:
        how = (
            f"create a token at {TOKENS} and add it to Colab's secrets (the key at the left) as "
            "KAGGLE_API_TOKEN, with notebook access (cells can read it, `!python` cannot)"
        )
    elif "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        what = f"the {source.kind} {source.name} ({source.page})"
        how = f"press Add Input in this notebook and add {what}"
    raise KaggleError(f"No Kaggle credentials were found: {how}, then run this again.")


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
        kind, status = 401, None
    except ImportError:
        raise
    except Exception as error:  # 401: such as a token with a line break in it
        kind, status = _kind_of(error, source, otherwise=401)
    # Outside of `except`: the client's error holds the token.
    name = f"The {source.kind}'s list of files"
    raise source.error(kind, name=name, status=status, credentials=credentials)


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
    place, kind, status = folder / ".partial" / name, None, None
    place.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.redirect_stdout(_Waits()):
            source.get(api, name, str(place))
        path, _ = _begun(place)
        if _is_whole(path, size):
            os.replace(path, folder / name)
        else:
            kind = "damaged"
    except Exception as error:
        kind, status = _kind_of(error, source, otherwise="damaged")
    if kind in (None, "damaged"):
        shutil.rmtree(place)
    for left in (place, place.parent):
        with contextlib.suppress(OSError):  # not empty: a broken download waits there
            left.rmdir()
    if kind:
        fields = {"status": status, "credentials": credentials, "folder": folder}
        raise source.error(kind, name=name, **fields)


def _kind_of(error, source, otherwise):
    """Which sentence an error of the client asks for, and its HTTP status or None."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status:
        return (status if status in SENTENCES | source.sentences else "status"), status
    if isinstance(error, OSError) and error.errno in FULL:
        return "full", None
    if isinstance(error, OSError) or type(error).__module__.startswith("urllib3"):
        return "broken", None
    return otherwise, None


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
