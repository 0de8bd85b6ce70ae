"""Kaggle's files: the real client against a loopback server, and zips of every bad kind."""

import errno
import io
import json
import os
import shutil
import stat
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from kaggle_server import KEY, TOKEN, KaggleServer

from unet_tf import kaggle
from unet_tf.files import UserError
from unet_tf.kaggle import carvana, client, zips

Usage = namedtuple("Usage", "total used free")
# What a user runs. `time.sleep`, Python's own, does not wait: the client itself is as it is.
SCRIPT = """
import sys, time, traceback
time.sleep = lambda seconds: None
from unet_tf import kaggle
try:
    print([path.as_posix() for path in kaggle.download(sys.argv[2:], sys.argv[1])])
except kaggle.KaggleError as error:
    print("ERROR", error)
    print(traceback.format_exc(), repr(error.__context__), file=sys.stderr)
"""


def zipped(files, compression=zipfile.ZIP_STORED):
    """A zip as bytes, of `{name: bytes}`."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()


def noise(count, seed=0):
    return np.random.default_rng(seed).bytes(count)


IMAGES = {f"train_hq/{car}_0{view}.jpg": noise(900, view) for car in "ba" for view in (2, 1)}
MASKS = zipped({"train_masks/a_01_mask.gif": noise(300)})
LARGE = zipped({"train_hq/a_01.jpg": noise(3_000_000)})  # the client writes MB by MB


@pytest.fixture
def server():
    with KaggleServer({"train_hq.zip": zipped(IMAGES), "train_masks.zip": MASKS}) as server:
        yield server


@pytest.fixture
def run(server, tmp_path):
    """Download in a process of its own, as the user whose home is empty; no secret may show."""
    home = tmp_path / "home"
    home.mkdir()

    def run(*files, **credentials):
        files = files or ["train_hq.zip"]
        return server.run(
            SCRIPT, "carvana", *files, home=home, cwd=tmp_path, credentials=credentials
        )

    run.folder, run.home = tmp_path / "carvana", home
    return run


def sentence(output, address="https://www.kaggle.com/"):
    """The one sentence of an error; it has to say where to look and what to do."""
    text = output.split("ERROR ")[1].strip()
    assert "\n" not in text and text.endswith(".") and address in text
    assert "run this again" in text
    return text


def test_download(server, run):
    output = run("train_hq.zip", "train_masks.zip", KAGGLE_API_TOKEN=TOKEN)
    assert "['carvana/train_hq.zip', 'carvana/train_masks.zip']" in output
    assert (run.folder / "train_hq.zip").read_bytes() == server.files["train_hq.zip"]
    assert (run.folder / "train_masks.zip").read_bytes() == MASKS
    assert sorted(os.listdir(run.folder)) == ["train_hq.zip", "train_masks.zip"]
    assert "Authorization" not in server.asked("/data/")[0]
    server.requests.clear()
    assert "there already" in run("train_hq.zip")  # without credentials, without a request
    assert server.requests == []


def test_download_of_another_file(server, run):
    server.files["a_01.jpg"] = noise(500)
    run("a_01.jpg", KAGGLE_API_TOKEN=TOKEN)
    assert (run.folder / "a_01.jpg").read_bytes() == noise(500)


@pytest.mark.parametrize("place", ["access_token", "kaggle.json", "environment"])
def test_other_places_of_credentials(server, run, place):
    credentials = {}
    (run.home / ".kaggle").mkdir()
    if place == "access_token":
        (run.home / ".kaggle/access_token").write_text(TOKEN)
    elif place == "kaggle.json":
        text = json.dumps({"username": "learner", "key": KEY})
        (run.home / ".kaggle/kaggle.json").write_text(text)
    else:
        credentials = {"KAGGLE_USERNAME": "learner", "KAGGLE_KEY": KEY}
    run("train_masks.zip", **credentials)
    assert (run.folder / "train_masks.zip").read_bytes() == MASKS


def test_colab(monkeypatch, tmp_path):
    """Colab's secrets, then an uploaded kaggle.json; neither: Colab's own advice."""
    secrets = {"KAGGLE_API_TOKEN": TOKEN}
    userdata = type(sys)("google.colab.userdata")
    userdata.get = secrets.__getitem__
    colab = type(sys)("google.colab")
    colab.userdata = userdata
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setitem(sys.modules, "google.colab.userdata", userdata)
    monkeypatch.setattr(client, "UPLOADS", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY")

    def forget():
        for name in names:
            monkeypatch.setenv(name, "")  # so that the test's end puts back what was there
            monkeypatch.delenv(name)

    forget()
    assert client.credentials_for(kaggle.CARVANA) == "Colab's secrets"
    assert os.environ["KAGGLE_API_TOKEN"] == TOKEN
    forget()
    secrets.clear()
    with pytest.raises(kaggle.KaggleError, match="Colab's secrets"):
        client.credentials_for(kaggle.CARVANA)
    (tmp_path / "kaggle.json").write_text(json.dumps({"username": "learner", "key": KEY}))
    assert client.credentials_for(kaggle.CARVANA) == "the uploaded kaggle.json"
    assert os.environ["KAGGLE_KEY"] == KEY


def test_no_credentials(server, run):
    text = sentence(run())
    assert "No Kaggle credentials" in text and "~/.kaggle/access_token" in text
    assert server.requests == [] and not run.folder.exists()


def test_wrong_token(server, run):
    for wrong in ("KGAT_wrong", f"{TOKEN}\n"):  # a line break that was copied along
        text = sentence(run(KAGGLE_API_TOKEN=wrong))
        assert "does not accept the credentials from KAGGLE_API_TOKEN (401)" in text


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "create a new token at https://www.kaggle.com/settings/api"),
        (403, f"accept the competition's rules: open {carvana.RULES}"),
        (404, "no such file (404)"),
        (500, "an error (500)"),
    ],
)
def test_refusals(server, run, status, says):
    server.status = status
    assert says in sentence(run(KAGGLE_USERNAME="learner", KAGGLE_KEY=KEY))
    assert list(run.folder.rglob("*")) == []


def test_no_such_file(server, run):
    text = sentence(run("train_4k.zip", KAGGLE_API_TOKEN=TOKEN))
    assert text.startswith("train_4k.zip: the competition has no such file (404)")


def test_a_cut_is_resumed_at_once(server, run):
    server.files["train_hq.zip"], server.cuts = LARGE, [2_000_000]
    assert "ERROR" not in run(KAGGLE_API_TOKEN=TOKEN)
    assert [headers.get("Range") for headers in server.asked("/data/")] == [None, "bytes=1048576-"]
    assert (run.folder / "train_hq.zip").read_bytes() == LARGE


def test_a_lost_connection_is_resumed_by_the_next_call(server, run):
    server.files["train_hq.zip"], server.cuts = LARGE, [2_000_000, *[100] * 5]
    text = sentence(run(KAGGLE_API_TOKEN=TOKEN))
    assert "the connection to Kaggle broke" in text and "it goes on from what has arrived" in text
    assert not (run.folder / "train_hq.zip").exists()
    assert server.cuts == []
    server.requests.clear()
    assert "ERROR" not in run(KAGGLE_API_TOKEN=TOKEN)
    assert server.asked("/data/")[-1]["Range"].startswith("bytes=1048")
    assert (run.folder / "train_hq.zip").read_bytes() == LARGE
    assert os.listdir(run.folder) == ["train_hq.zip"]


def test_an_address_that_expires(server, run):
    """The client would take the text of the error for the file."""
    server.files["train_hq.zip"], server.cuts, server.expires = LARGE, [2_000_000], True
    assert "arrived damaged and was deleted" in sentence(run(KAGGLE_API_TOKEN=TOKEN))
    assert list(run.folder.rglob("*")) == []
    run(KAGGLE_API_TOKEN=TOKEN)
    assert (run.folder / "train_hq.zip").read_bytes() == LARGE


def test_a_server_that_cannot_resume(server, run):
    """Client 2.2 begins anew; 2.0 appends, which is noticed, and the next call begins anew."""
    server.files["train_hq.zip"], server.cuts, server.ranges = LARGE, [2_000_000], False
    output = run(KAGGLE_API_TOKEN=TOKEN)
    if "ERROR" in output:
        assert sentence(output).startswith("train_hq.zip arrived damaged and was deleted")
        assert not (run.folder / "train_hq.zip").exists()
        run(KAGGLE_API_TOKEN=TOKEN)
    assert (run.folder / "train_hq.zip").read_bytes() == LARGE


def test_unreachable(server, run):
    text = sentence(run(KAGGLE_USERNAME="learner", KAGGLE_KEY=KEY, http_proxy="http://127.0.0.1:9"))
    assert "the connection to Kaggle broke" in text


@pytest.mark.parametrize("kind", ["no zip", "half a zip", "another size, a wrong byte"])
def test_damaged_on_arrival(server, run, kind):
    whole = bytearray(LARGE)
    if kind == "no zip":
        server.files["train_hq.zip"] = b"<html>Too many requests</html>"
    elif kind == "half a zip":
        server.files["train_hq.zip"] = LARGE[:2_000_000]
    else:
        whole[1000] ^= 1
        server.files["train_hq.zip"], server.listed = bytes(whole), {"train_hq.zip": 10}
    text = sentence(run(KAGGLE_API_TOKEN=TOKEN))
    assert text.startswith("train_hq.zip arrived damaged and was deleted")
    assert [path for path in run.folder.rglob("*") if path.is_file()] == []


def test_a_listed_size_that_is_wrong(server, run):
    server.listed = {"train_hq.zip": 10}
    assert "ERROR" not in run(KAGGLE_API_TOKEN=TOKEN)


def test_a_half_file_of_the_user_is_replaced(server, run):
    run.folder.mkdir()
    (run.folder / "train_hq.zip").write_bytes(server.files["train_hq.zip"][:-100])
    run(KAGGLE_API_TOKEN=TOKEN)
    assert (run.folder / "train_hq.zip").read_bytes() == server.files["train_hq.zip"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the always full disk")
def test_full_disk_while_downloading(server, run):
    place = run.folder / ".partial/train_hq.zip"
    place.mkdir(parents=True)
    (place / "train_hq.zip").symlink_to("/dev/full")
    assert "the disk is full" in sentence(run(KAGGLE_API_TOKEN=TOKEN))
    assert not (run.folder / "train_hq.zip").exists()


def test_too_small_a_disk(server, run):
    server.listed = {"train_hq.zip": 10**18}
    text = sentence(run(KAGGLE_API_TOKEN=TOKEN), address="free some space")
    assert "1000000000.0 GB are needed" in text
    assert server.asked("DownloadDataFile") == []


@pytest.fixture
def archive(tmp_path):
    """`train_hq.zip` with what does not count: folders, dotfiles, other files."""
    path = tmp_path / "train_hq.zip"
    other = {"train_hq/": b"", "train_hq/.x.jpg": b"1", "__MACOSX/train_hq/a_01.jpg": b"2"}
    path.write_bytes(zipped(other | IMAGES | {"train_hq/readme.txt": b"3"}, zipfile.ZIP_DEFLATED))
    return path


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_extract(archive, tmp_path):
    assert kaggle.extract(archive, tmp_path / "to") == tmp_path / "to/train_hq"
    assert contents(tmp_path / "to") == IMAGES


def test_extract_only_what_is_asked_for(archive, tmp_path):
    kaggle.extract(archive, tmp_path / "names", names=["b_02.jpg"])
    assert list(contents(tmp_path / "names")) == ["train_hq/b_02.jpg"]
    kaggle.extract(archive, tmp_path / "limit", limit=2)
    assert sorted(contents(tmp_path / "limit")) == ["train_hq/a_01.jpg", "train_hq/a_02.jpg"]
    with pytest.raises(ValueError, match=r"train_hq.zip does not hold c_01.jpg"):
        kaggle.extract(archive, tmp_path / "names", names=["b_01.jpg", "c_01.jpg"])


def test_extract_a_zip_without_the_top_folder(tmp_path):
    for stem in ("train_masks", "a_01_mask.gif"):
        (tmp_path / f"{stem}.zip").write_bytes(zipped({"a_01_mask.gif": b"GIF"}))
        kaggle.extract(tmp_path / f"{stem}.zip", tmp_path)
        assert (tmp_path / stem / "a_01_mask.gif").read_bytes() == b"GIF"


def test_extract_keeps_what_is_there(archive, tmp_path):
    target = tmp_path / "train_hq"
    target.mkdir()
    (target / "a_01.jpg").write_bytes(b"." * 900)  # the right size: taken as it is
    (target / "a_02.jpg").write_bytes(b"half")
    kaggle.extract(archive, tmp_path)
    assert (target / "a_01.jpg").read_bytes() == b"." * 900
    assert (target / "a_02.jpg").read_bytes() == IMAGES["train_hq/a_02.jpg"]


@pytest.mark.parametrize(
    "name", ["../x.jpg", "train_hq/../../x.jpg", "/x.jpg", "a\\..\\..\\x.jpg", "C:/x.jpg", "link"]
)
def test_members_that_would_leave_the_folder(tmp_path, name):
    member = zipfile.ZipInfo("train_hq/x.jpg" if name == "link" else name)
    if name == "link":
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "train_hq.zip", "w") as archive:
        archive.writestr("train_hq/good.jpg", b"1")
        archive.writestr(member, b"/etc")
    with pytest.raises(kaggle.KaggleError, match="would leave the folder") as caught:
        kaggle.extract(tmp_path / "train_hq.zip", tmp_path / "to/deep", origin="the moon")
    assert "delete the zip, get it again from the moon" in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["train_hq.zip"]


@pytest.mark.parametrize("kind", ["truncated", "bad CRC", "bad stream", "no zip", "encrypted"])
def test_damaged_zips(tmp_path, kind):
    compression = zipfile.ZIP_DEFLATED if kind == "bad stream" else zipfile.ZIP_STORED
    data = bytearray(zipped(IMAGES, compression))
    if kind == "truncated":
        data = data[:-500]
    elif kind == "no zip":
        data = b"<html></html>"
    elif kind == "encrypted":
        data[data.index(b"PK\1\2") + 8] |= 1
        data[6] |= 1
    else:
        data[200] ^= 0xFF  # within the first image, b_02.jpg
    (tmp_path / "train_hq.zip").write_bytes(data)
    with pytest.raises(kaggle.KaggleError, match=r"train_hq.zip is damaged: delete it"):
        kaggle.extract(tmp_path / "train_hq.zip", tmp_path)
    for name, image in contents(tmp_path / "train_hq").items():  # no partial file either
        assert name != "b_02.jpg" and IMAGES[f"train_hq/{name}"] == image


def test_an_interrupted_extraction_leaves_no_half_file(archive, tmp_path, monkeypatch):
    def interrupted(source, out, length):
        out.write(source.read(100))
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kaggle.extract(archive, tmp_path)
    assert contents(tmp_path / "train_hq") == {}
    monkeypatch.undo()
    kaggle.extract(archive, tmp_path)
    assert contents(tmp_path / "train_hq") == {Path(k).name: v for k, v in IMAGES.items()}


def test_full_disk_while_extracting(archive, tmp_path, monkeypatch):
    def full(source, out, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(kaggle.KaggleError, match=r"train_hq.zip: the disk is full"):
        kaggle.extract(archive, tmp_path)
    assert contents(tmp_path / "train_hq") == {}
    monkeypatch.undo()
    kaggle.extract(archive, tmp_path)  # goes on
    assert len(contents(tmp_path / "train_hq")) == 4


def test_too_small_a_disk_to_extract(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6, 100))
    with pytest.raises(kaggle.KaggleError, match=r"0.0 MB are needed"):
        kaggle.extract(archive, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_the_20_gb_of_kaggle(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "WORKING", tmp_path)
    monkeypatch.setattr(zips, "WORKING_LIMIT", archive.stat().st_size + 3000)
    with pytest.raises(kaggle.KaggleError, match="20 GB that /kaggle/working may hold"):
        kaggle.extract(archive, tmp_path / "data/carvana")
    kaggle.extract(archive, tmp_path / "data/carvana", limit=2)
    kaggle.extract(archive, tmp_path / "data/carvana", limit=3)


def test_extract_without_the_zip(tmp_path):
    with pytest.raises(kaggle.KaggleError, match=r"train_hq.zip: no such file: put it"):
        kaggle.extract(tmp_path / "train_hq.zip", tmp_path)


@pytest.mark.parametrize("below", ["", "carvana", "competitions/carvana", "a/b/carvana"])
@pytest.mark.parametrize("unzipped", [False, True])
def test_mounted(tmp_path, below, unzipped):
    assert kaggle.mounted(kaggle.CARVANA, tmp_path / "none") is None
    (tmp_path / "cats/images").mkdir(parents=True)
    assert kaggle.mounted(kaggle.CARVANA, tmp_path) is None
    place = tmp_path / below
    place.mkdir(parents=True, exist_ok=True)
    if unzipped:
        (place / "train_hq").mkdir()
    else:
        (place / "train_hq.zip").touch()
    (tmp_path / "cats/images/loop").symlink_to(tmp_path)
    assert kaggle.mounted(kaggle.CARVANA, tmp_path) == place


def test_mounted_reads_no_images(tmp_path):
    """It lists four levels of folders; what lies in those of the fourth is not looked at."""
    (tmp_path / "datasets/owner/name/images/deep").mkdir(parents=True)
    listed = []
    source = kaggle.CARVANA._replace(holds=lambda folder: listed.append(folder.name))
    assert kaggle.mounted(source, tmp_path) is None
    assert listed == [tmp_path.name, "datasets", "owner", "name", "images"]


def test_a_zip_of_ones_own(tmp_path):
    """The errors of a zip that is not Kaggle's do not send its owner there."""
    (tmp_path / "images.zip").write_bytes(b"half")
    with pytest.raises(UserError, match=r"images.zip is damaged: delete it, get it") as caught:
        kaggle.extract(tmp_path / "images.zip", tmp_path)
    assert "kaggle" not in str(caught.value) and "carvana" not in str(caught.value)


def test_what_is_said_depends_on_the_kind_alone(tmp_path, monkeypatch):
    """A broken download waits to be resumed, a damaged one is deleted; whatever the words are."""
    words = {"broken": "{name} arrived damaged, they say.", "damaged": "{name} broke."}
    for error, kept in ((OSError("cut"), True), (ValueError("no file"), False)):

        def get(api, name, place, error=error):
            (Path(place) / name).write_bytes(b"half")
            raise error

        source = kaggle.CARVANA._replace(get=get, sentences=words)
        monkeypatch.setattr(client, "credentials_for", lambda source: "a file")
        monkeypatch.setattr(client, "_connect", lambda *_: (None, {}))
        with pytest.raises(kaggle.KaggleError):
            client.fetch(source, ["a.zip"], tmp_path)
        assert (tmp_path / ".partial/a.zip/a.zip").exists() == kept
