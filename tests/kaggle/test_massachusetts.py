"""The Massachusetts Buildings: the real client against a loopback server, and zips of bad kinds."""

import io
import os
import shutil
import stat
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from kaggle_server import TOKEN, KaggleServer

from unet_tf import kaggle
from unet_tf.kaggle import client, zips

DATASET, ZIP = "balraj98/massachusetts-buildings-dataset", "massachusetts-buildings-dataset.zip"
Usage = namedtuple("Usage", "total used free")
# What a user runs; `time.sleep`, Python's own, does not wait.
SCRIPT = """
import sys, time, traceback
time.sleep = lambda seconds: None
from unet_tf import kaggle
try:
    print("FOLDER", kaggle.download_buildings(sys.argv[1]).as_posix())
except kaggle.KaggleError as error:
    print("ERROR", error)
    print(traceback.format_exc(), repr(error.__context__), file=sys.stderr)
"""


def noise(count, seed=0):
    return np.random.default_rng(seed).bytes(count)


def zipped(files):
    """A zip as bytes, of `{name or ZipInfo: bytes}`."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()


TABLE = b"name,r,g,b\nbackground,0,0,0\nbuilding,255,255,255\n"
FILES = {"label_class_dict.csv": TABLE, "metadata.csv": b"image_id,split\n22678915_15,train\n"}
for number, part in enumerate(("train", "val", "test")):
    for images, masks, folder in ((".tiff", ".tif", "tiff"), (".png", ".png", "png")):
        FILES[f"{folder}/{part}/22678915_15{images}"] = noise(900, number)
        FILES[f"{folder}/{part}_labels/22678915_15{masks}"] = noise(300, number)
DATA = zipped(FILES | {"readme.md": b"no image", "tiff/train/.x.tiff": b"hidden"})
LARGE = zipped(FILES | {"tiff/train/2.tiff": noise(3_000_000)})  # the client writes MB by MB


def contents(folder):
    """`{path: bytes}` of the files in a folder, without the note that all is extracted."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-extracted")
    }


@pytest.fixture
def server():
    with KaggleServer({}) as server:
        server.datasets[DATASET] = DATA
        yield server


@pytest.fixture
def run(server, tmp_path):
    """Download in a process of its own, as the user whose home is empty; no secret may show."""
    home = tmp_path / "home"
    home.mkdir()

    def run(script=SCRIPT, **credentials):
        credentials = credentials or {"KAGGLE_API_TOKEN": TOKEN}
        return server.run(script, "buildings", home=home, cwd=tmp_path, credentials=credentials)

    run.folder = tmp_path / "buildings"
    return run


def sentence(output, address="https://www.kaggle.com/"):
    """The one sentence of an error; it has to say where to look, what to do, and of what data."""
    text = output.split("ERROR ")[1].strip()
    assert "\n" not in text and text.endswith(".") and address in text
    assert "run this again" in text
    assert "competition" not in text and "carvana" not in text.lower()
    return text


def downloads(server):
    return server.asked("DownloadDataset")


def test_download(server, run):
    server.datasets["another/data-set"] = b"not this one"
    output = run()
    assert "FOLDER buildings" in output
    assert contents(run.folder) == FILES
    # On the disk before and after: the zip is gone, and one note stays.
    assert sorted(os.listdir(run.folder)) == [
        ".massachusetts-buildings-dataset-extracted",
        "label_class_dict.csv",
        "metadata.csv",
        "png",
        "tiff",
    ]
    # 16 files in the zip, two to a page: the size is that of all pages.
    assert len(server.asked("ListDatasetFiles")) == 8
    assert "Authorization" not in server.asked("/data/")[0]
    server.requests.clear()
    assert "buildings: there already" in run(KAGGLE_API_TOKEN="")  # no credentials, no request
    assert server.requests == []


def test_no_credentials(server, run):
    assert "No Kaggle credentials" in sentence(run(KAGGLE_API_TOKEN=""))
    on_kaggle = sentence(run(KAGGLE_KERNEL_RUN_TYPE="Interactive"))
    assert f"Add Input in this notebook and add the data set {DATASET} (https://" in on_kaggle
    assert server.requests == [] and not run.folder.exists()


def test_wrong_token(server, run):
    assert "the credentials from KAGGLE_API_TOKEN (401)" in sentence(run(KAGGLE_API_TOKEN="KGAT_x"))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "create a new token at https://www.kaggle.com/settings/api"),
        (403, f"(403): the data set {DATASET} is private, was withdrawn or has another name"),
        (
            404,
            f"Kaggle has no data set {DATASET} (404): find it on https://www.kaggle.com/datasets",
        ),
        (500, "an error (500)"),
    ],
)
def test_refusals(server, run, status, says):
    server.status = status
    text = sentence(run())
    assert says in text and (text.startswith(ZIP) or status == 401)
    assert list(run.folder.rglob("*")) == []


def test_a_list_that_is_refused(server, run):
    server.list_status = 403
    text = sentence(run())
    assert text.startswith("The data set's list of files: Kaggle refuses it (403)")
    assert downloads(server) == []


def test_another_owner(server, run):
    """What the server itself says when the data set is not there, not what the test ordered."""
    server.datasets = {"someone/massachusetts-buildings-dataset": DATA}
    assert "DATASET in unet_tf/kaggle/massachusetts.py" in sentence(run())


def test_a_cut_is_resumed_at_once(server, run):
    server.datasets[DATASET], server.cuts = LARGE, [2_000_000]
    assert "FOLDER" in run()
    assert [headers.get("Range") for headers in server.asked("/data/")] == [None, "bytes=1048576-"]
    assert contents(run.folder)["tiff/train/2.tiff"] == noise(3_000_000)


def test_a_lost_connection_is_resumed_by_the_next_call(server, run):
    server.datasets[DATASET], server.cuts = LARGE, [2_000_000, *[100] * 5]
    text = sentence(run())
    assert text.startswith(f"{ZIP}: the connection to Kaggle broke")
    assert os.listdir(run.folder) == [".partial"]
    assert server.cuts == []
    server.requests.clear()
    assert "FOLDER" in run()
    assert server.asked("/data/")[-1]["Range"].startswith("bytes=1048")
    assert contents(run.folder)["tiff/train/2.tiff"] == noise(3_000_000)
    assert not (run.folder / ".partial").exists()


def test_unreachable(server, run):
    text = sentence(run(KAGGLE_USERNAME="learner", KAGGLE_KEY="k", http_proxy="http://127.0.0.1:9"))
    assert "the connection to Kaggle broke" in text and kaggle.BUILDINGS.page in text


@pytest.mark.parametrize("kind", ["half a zip", "a wrong byte"])
def test_damaged_on_arrival(server, run, kind):
    whole = bytearray(LARGE)
    whole[2_000_000] ^= 1  # within the noise
    server.datasets[DATASET] = LARGE[:2_000_000] if kind == "half a zip" else bytes(whole)
    text = sentence(run())
    assert text.startswith(f"{ZIP} arrived damaged and was deleted")
    assert f"put it into buildings as {ZIP}" in text
    assert list(run.folder.rglob("*")) == []


@pytest.mark.parametrize("kind", ["../evil.png", "/evil.png", "tiff\\..\\..\\evil.png", "link"])
def test_members_that_would_leave_the_folder(tmp_path, kind):
    """A zip of the user, such as one that the browser brought; no file of it is written."""
    member = zipfile.ZipInfo("tiff/train/link.tiff" if kind == "link" else kind)
    if kind == "link":
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
    folder = tmp_path / "to/buildings"
    folder.mkdir(parents=True)
    (folder / ZIP).write_bytes(zipped(FILES | {member: b"/etc/passwd"}))
    with pytest.raises(kaggle.KaggleError, match="would leave the folder, so nothing was") as bad:
        kaggle.download_buildings(folder)
    assert kaggle.BUILDINGS.page in str(bad.value) and "competition" not in str(bad.value)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [ZIP]


def test_such_a_member_on_arrival(server, run):
    server.datasets[DATASET] = zipped(FILES | {"../evil.png": b"1"})
    assert "would leave the folder" in sentence(run())
    assert os.listdir(run.folder) == [ZIP] and "evil.png" not in os.listdir(run.folder.parent)


@pytest.mark.parametrize("free", [7_000_000, 7_300_000])
def test_too_small_a_disk_for_the_zip_and_its_files(server, run, free):
    """3.6 MB of zip and as much of files, on the list's last page: 7 MB are too little."""
    server.listed = {"tiff/test/1.tiff": 3_600_000}
    disk = f"""
import shutil
from collections import namedtuple
shutil.disk_usage = lambda path: namedtuple("Usage", "total used free")(10**9, 0, {free})
"""
    output = run(disk + SCRIPT)
    if free > 7_200_000:
        assert "FOLDER" in output
    else:
        says = f"{ZIP}: 7.2 MB are needed and 7.0 MB are free in buildings"
        assert sentence(output, address="free some space").startswith(says)
        assert downloads(server) == [] and not run.folder.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the always full disk")
def test_full_disk_while_downloading(server, run):
    place = run.folder / ".partial" / ZIP
    place.mkdir(parents=True)
    (place / ZIP).symlink_to("/dev/full")
    assert f"{ZIP}: the disk is full" in sentence(run())
    assert contents(run.folder).keys() - {f".partial/{ZIP}/{ZIP}.kaggle-partial"} == set()


@pytest.fixture
def there(tmp_path):
    """A folder with the zip that the browser brought."""
    folder = tmp_path / "buildings"
    folder.mkdir()
    (folder / ZIP).write_bytes(DATA)
    return folder


def test_a_zip_that_is_there_is_extracted_without_a_request(there, monkeypatch):
    monkeypatch.setattr(client, "credentials_for", lambda source: pytest.fail("it asked"))
    assert kaggle.download_buildings(str(there)) == there
    assert contents(there) == FILES


def test_a_zip_with_a_folder_of_its_name(there):
    top = Path(ZIP).stem
    (there / ZIP).write_bytes(zipped({f"{top}/{name}": data for name, data in FILES.items()}))
    kaggle.download_buildings(there)
    assert contents(there) == FILES


def test_what_is_there_is_kept_and_half_a_file_is_not(there):
    (there / "tiff/train").mkdir(parents=True)
    mine, half = there / "label_class_dict.csv", there / "tiff/train/22678915_15.tiff"
    mine.write_bytes(TABLE.replace(b"255", b"254"))  # the right size: taken as it is
    half.write_bytes(b"half")
    kaggle.download_buildings(there)
    assert mine.read_bytes() == TABLE.replace(b"255", b"254")
    assert half.read_bytes() == FILES["tiff/train/22678915_15.tiff"]


def test_an_interrupted_extraction_goes_on(there, monkeypatch):
    copy, written = shutil.copyfileobj, []

    def interrupted(source, out, length):
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(out)
        copy(source, out, length)

    monkeypatch.setattr(shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kaggle.download_buildings(there)
    left = contents(there)
    assert left.pop(ZIP) == DATA and len(left) == 5
    assert all(FILES[name] == data for name, data in left.items())
    monkeypatch.undo()
    kaggle.download_buildings(there)
    assert contents(there) == FILES


def test_too_small_a_disk_to_extract(there, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6, 100))
    with pytest.raises(kaggle.KaggleError, match=r"are free in .*: free some space, take fewer"):
        kaggle.download_buildings(there)
    assert list(contents(there)) == [ZIP]


def test_the_20_gb_of_kaggle(there, tmp_path, monkeypatch):
    files = sum(len(data) for data in FILES.values())
    monkeypatch.setattr(zips, "WORKING", tmp_path)
    monkeypatch.setattr(zips, "WORKING_LIMIT", len(DATA) + files - 1)
    with pytest.raises(kaggle.KaggleError, match="20 GB that /kaggle/working may hold"):
        kaggle.download_buildings(there)
    monkeypatch.setattr(zips, "WORKING_LIMIT", len(DATA) + files)
    kaggle.download_buildings(there)


@pytest.mark.parametrize("kind", ["the roads", "no images", "no table"])
def test_another_data_set(there, kind):
    roads = {"label_class_dict.csv": b"name,r,g,b\nbackground,0,0,0\nroad,255,255,255\n"}
    other = {
        "the roads": FILES | roads,
        "no images": {"label_class_dict.csv": TABLE},
        "no table": {name: data for name, data in FILES.items() if "/" in name},
    }
    (there / ZIP).write_bytes(zipped(other[kind]))
    with pytest.raises(kaggle.KaggleError, match=r"has no label_class_dict.csv with a class"):
        kaggle.download_buildings(there)
    assert not list(there.glob(".*"))  # not taken for whole by the next call


def test_a_folder_that_was_emptied_is_filled_again(there):
    kaggle.download_buildings(there)
    shutil.rmtree(there / "tiff")
    shutil.rmtree(there / "png")
    (there / ZIP).write_bytes(DATA)
    kaggle.download_buildings(there)
    assert contents(there) == FILES


@pytest.mark.parametrize("below", ["", "massachusetts-buildings-dataset", "datasets/balraj98/x"])
@pytest.mark.parametrize("images", ["tiff", "png"])
def test_mounted(tmp_path, below, images):
    assert kaggle.mounted(kaggle.BUILDINGS, tmp_path / "none") is None
    roads = tmp_path / "aaa/massachusetts-roads-dataset"
    (roads / "tiff/train").mkdir(parents=True)
    (roads / "label_class_dict.csv").write_text("name,r,g,b\nroad,255,255,255\n")
    (tmp_path / "aaa/table").mkdir()
    (tmp_path / "aaa/table/label_class_dict.csv").write_bytes(TABLE)  # without images
    (tmp_path / "aaa/loop").symlink_to(tmp_path)
    assert kaggle.mounted(kaggle.BUILDINGS, tmp_path) is None
    place = tmp_path / below
    (place / images).mkdir(parents=True)
    (place / "label_class_dict.csv").write_bytes(TABLE)
    assert kaggle.mounted(kaggle.BUILDINGS, tmp_path) == place
