"""Oxford-IIIT Pet, from a server on this machine that gives out small drawn archives."""

import functools
import http.server
import io
import json
import tarfile
import threading
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from unet_tf import data, doctor, pets
from unet_tf.cli import commands
from unet_tf.files import UserError

ROOT = Path(__file__).parents[1]
NAMES = ("Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2", "pug_10", "pug_11", "pug_12")


def pack(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def picture(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def trimap():
    """A pet of 4x4 in a border of one pixel."""
    mask = np.full((12, 16), 2, "uint8")
    mask[3:9, 4:10], mask[4:8, 5:9] = 3, 1
    return mask


def lists(some):
    return (
        "#Image CLASS-ID SPECIES BREED\n" + "".join(f"{name} 1 1 1\n" for name in some)
    ).encode()


def images():
    random = np.random.default_rng(0)
    shown = {name: random.integers(0, 255, (12, 16, 3)).astype("uint8") for name in NAMES}
    return {f"images/{name}.jpg": picture(pixels, "jpeg") for name, pixels in shown.items()}


def annotations():
    masks = {f"annotations/trimaps/{name}.png": picture(trimap(), "png") for name in NAMES}
    masks |= {
        "annotations/trimaps/._pug_10.png": b"of a Mac",
        "annotations/xmls/pug_10.xml": b"<a>",
    }
    masks |= {
        "annotations/trainval.txt": lists(NAMES[:5]),
        "annotations/test.txt": lists(NAMES[5:]),
    }
    return masks | {"annotations/README": b"read", "annotations/list.txt": lists(NAMES)}


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The folder that is served in the place of `PAGE`, and what was asked for."""
    place = tmp_path / "served"
    (place / "data").mkdir(parents=True)
    pack(place / "data/images.tar.gz", images())
    pack(place / "data/annotations.tar.gz", annotations())
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(place))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(pets, "PAGE", f"http://127.0.0.1:{server.server_port}/")
    yield place / "data", asked
    server.shutdown()


def test_it_is_laid_out_with_its_lists_and_read(served, tmp_path, capsys):
    folder = tmp_path / "pets"
    assert commands.main(["data", "--download-pets", "--to", str(folder)]) == 0
    assert "7 pairs of 7 groups; the first is 16x12 pixels" in capsys.readouterr().out
    report = doctor.check(folder)
    assert report.status == 0
    pairs = report.whole_pairs()
    assert {part: len(own) for part, own in pairs.items()} == {"train": 5, "test": 2}
    ids = report.classes.read(pairs["train"][0].mask)
    assert report.classes.names == ("background", "pet")
    counts = {int(value): int(count) for value, count in zip(*np.unique(ids, return_counts=True))}  # noqa: B905
    assert counts == {0: 12 * 16 - 36, 1: 16, 255: 20}  # the border is void
    assert sorted(path.name for path in folder.iterdir()) == [
        *("ImageSets", "JPEGImages", "SegmentationClass", "label_class_dict.csv", "pets.json")
    ]
    # Again: nothing is downloaded; the border may be a class.
    before = len(served[1])
    assert commands.main(["data", "--download-pets", "--border", "--to", str(folder)]) == 0
    assert len(served[1]) == before and "there already" in capsys.readouterr().out
    classes = doctor.check(folder).classes
    assert classes.names == ("background", "pet", "border")
    assert np.unique(classes.read(data.pair(folder)[0].mask)).tolist() == [0, 1, 2]


def test_some_of_them_in_carvanas_layout(served, tmp_path):
    folder = pets.like_carvana(4, tmp_path / "pets")
    assert folder == tmp_path / "pets-4" and doctor.check(folder).status == 0
    pairs = data.pair(folder)
    assert [pair.image.stem for pair in pairs] == [*NAMES[:4]]  # each a group of its own
    assert len({data.group_of(pair.image) for pair in pairs}) == 4
    np.testing.assert_array_equal(data.read_mask(pairs[0].mask), trimap() != 2)
    before = len(served[1])
    assert pets.like_carvana(4, tmp_path / "pets") == folder and len(served[1]) == before
    # Evenly: of seven, every third.
    some = data.pair(pets.like_carvana(2, tmp_path / "pets"))
    assert [pair.image.stem for pair in some] == [NAMES[0], NAMES[3]]


@pytest.mark.slow
def test_notebook_01_takes_photographs_of_many_sizes(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    for place in ("train", "train_masks"):
        (tmp_path / "pets" / place).mkdir(parents=True)
    for number in range(40):
        height, width = random.integers(60, 90, 2)
        mask = np.zeros((height, width), "uint8")
        mask[20:50, 15:45] = 255
        name = f"Abyssinian_{number}"
        Image.fromarray(mask).save(tmp_path / f"pets/train_masks/{name}_mask.gif")
        Image.fromarray(np.stack([mask // 2] * 3, axis=2)).save(tmp_path / f"pets/train/{name}.jpg")
    monkeypatch.setattr(pets, "like_carvana", lambda: tmp_path / "pets")
    matplotlib.use("Agg")
    text = (ROOT / "notebooks/py/01_data.py").read_text()
    assert 'DATA = "cars"' in text
    ran = {}
    exec(text.replace('DATA = "cars"', 'DATA = "pets"'), ran)
    assert len(ran["pairs"]) == 40 and ran["kind"] == "photographed"


def test_a_cut_download_leaves_no_file_that_passes_for_whole(served, tmp_path):
    place, asked = served
    whole = (place / "annotations.tar.gz").read_bytes()
    (place / "annotations.tar.gz").unlink()
    folder = tmp_path / "pets"
    with pytest.raises(UserError, match=r"annotations.tar.gz: cannot be downloaded .*404"):
        pets.download_pets(folder)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["images.tar.gz", "pets.json"]
    (folder / ".partial-annotations.tar.gz").write_bytes(whole[:100])  # of a run that was killed
    (place / "annotations.tar.gz").write_bytes(whole)
    before = len(asked)
    pets.download_pets(folder)
    assert [path for path in asked[before:] if "images" in path] == []  # that one was whole
    assert len(data.pair(folder)) == 7


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "pets").write_text("mine")
    with pytest.raises(UserError, match="pets: is a file"):
        pets.download_pets(tmp_path / "pets")
    assert (tmp_path / "pets").read_text() == "mine"


def test_another_file_than_the_first_time_is_refused(served, tmp_path):
    place, _ = served
    folder = tmp_path / "pets"
    pets.download_pets(folder)
    record = json.loads((folder / "pets.json").read_text())
    assert record["images.tar.gz"]["bytes"] == (place / "images.tar.gz").stat().st_size
    (folder / "JPEGImages").rename(tmp_path / "elsewhere")
    pack(place / "images.tar.gz", {**images(), "images/more.jpg": b"x"})
    with pytest.raises(UserError, match=r"is another file than the first time"):
        pets.download_pets(folder)


@pytest.mark.parametrize("name", ["../outside.jpg", "/outside.jpg", "images/../../outside.jpg"])
def test_nothing_leaves_the_folder(served, tmp_path, name):
    place, _ = served
    pack(place / "images.tar.gz", {**images(), name: b"x"})
    with pytest.raises(UserError, match="would leave the folder"):
        pets.download_pets(tmp_path / "deep/pets")
    assert (
        not list(tmp_path.rglob("outside.jpg")) and not (tmp_path / "deep/pets/JPEGImages").exists()
    )


def test_links_are_left_out_and_damage_is_named(served, tmp_path):
    place, _ = served
    with tarfile.open(place / "images.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("images/pug_10.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(UserError, match=r"names images that images.tar.gz does not hold"):
        pets.download_pets(tmp_path / "links")
    whole = (place / "annotations.tar.gz").read_bytes()
    pack(place / "images.tar.gz", images())
    (place / "annotations.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"annotations.tar.gz: is damaged"):
        pets.download_pets(tmp_path / "damaged")


def test_archives_that_the_user_brought_are_taken(served, tmp_path):
    place, asked = served
    folder = tmp_path / "pets"
    folder.mkdir()
    for name in pets.FILES:
        (folder / name).write_bytes((place / name).read_bytes())
    pets.download_pets(folder)
    assert len(data.pair(folder)) == 7 and not asked


def test_a_torn_archive_is_not_remembered(served, tmp_path):
    """Delete it and run this again, says the message; that has to do."""
    place, _ = served
    folder = tmp_path / "pets"
    folder.mkdir()
    whole = (place / "images.tar.gz").read_bytes()
    (folder / "images.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"images.tar.gz: is damaged .*Delete it and run"):
        pets.download_pets(folder)
    (folder / "images.tar.gz").unlink()
    pets.download_pets(folder)
    assert len(data.pair(folder)) == 7
