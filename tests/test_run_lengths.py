"""Run lengths: by hand, there and back, and against the file of the data set."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from unet_tf import rendered, run_lengths
from unet_tf.data import read_mask

CARVANA = Path(__file__).parents[1] / "data/carvana"

BY_HAND = [
    ([[0, 0], [0, 0]], ""),
    ([[1, 1], [1, 1]], "1 4"),
    ([[1, 0], [0, 1]], "1 1 4 1"),
    ([[0, 1, 1], [1, 0, 0], [0, 1, 0]], "2 3 8 1"),  # a run over a row's end
    ([[1, 0, 1]], "1 1 3 1"),
]


@pytest.mark.parametrize(("mask", "text"), BY_HAND)
def test_by_hand(mask, text):
    for dtype in (np.uint8, bool, np.float32):
        assert run_lengths.encode(np.array(mask, dtype)) == text
    assert run_lengths.encode(np.array(mask) * 255) == text
    decoded = run_lengths.decode(text, np.shape(mask))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, mask)


def slowly(mask):
    """The encoding, pixel by pixel."""
    numbers, before = [], 0
    for position, pixel in enumerate(np.ravel(mask), start=1):
        if pixel and not before:
            numbers += [position, 0]
        if pixel:
            numbers[-1] += 1
        before = pixel
    return " ".join(map(str, numbers))


@pytest.mark.parametrize("seed", range(200))
def test_there_and_back(seed):
    """Any size, any share of car from none to all."""
    random = np.random.default_rng(seed)
    size = tuple(random.integers(1, 40, 2))
    mask = (random.random(size) < random.choice([0, 0.01, 0.3, 0.7, 0.99, 1])).astype("uint8")
    text = run_lengths.encode(mask)
    assert text == slowly(mask)
    np.testing.assert_array_equal(run_lengths.decode(text, size), mask)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", "pairs"),
        ("1 2 3", "pairs"),
        ("1 two", "numbers"),
        ("1.5 2", "numbers"),
        ("99999999999999999999 1", "numbers"),
        ("0 1", "pixels are 1 to 6"),
        ("6 2", "pixels are 1 to 6"),
        ("9223372036854775800 100", "of 1 or more"),
        ("5 9223372036854775807", "of 1 or more"),
        ("7 1", "pixels are 1 to 6"),
        ("3 1 1 1", "order"),
        ("1 2 2 1", "overlap"),
        ("1 0", "of 1 or more"),
        ("2 -1", "of 1 or more"),
    ],
)
def test_what_is_no_encoding_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        run_lengths.decode(text, (2, 3))


def test_runs_that_touch_are_one_mask():
    np.testing.assert_array_equal(run_lengths.decode("1 2 3 1", (2, 3)), [[1, 1, 1], [0, 0, 0]])


def test_files_plain_gzipped_and_zipped(tmp_path):
    text = run_lengths.HEADER + "a.jpg,1 2 5 1\nb.jpg,\n"
    (tmp_path / "plain.csv").write_text(text)
    with gzip.open(tmp_path / "packed.csv.gz", "wt") as file:
        file.write(text)
    with zipfile.ZipFile(tmp_path / "packed.csv.zip", "w") as archive:
        archive.writestr("packed.csv", text)
    for path in tmp_path.iterdir():
        assert list(run_lengths.read(path)) == [("a.jpg", "1 2 5 1"), ("b.jpg", "")]
    (tmp_path / "other.csv").write_text("id,label\n1,2\n")
    (tmp_path / "half.csv.gz").write_bytes((tmp_path / "packed.csv.gz").read_bytes()[:-9])
    (tmp_path / "none.csv.gz").write_bytes(b"nothing")
    (tmp_path / "none.csv.zip").write_bytes(b"nothing")
    zipfile.ZipFile(tmp_path / "empty.csv.zip", "w").close()
    for name in ("other.csv", "half.csv.gz", "none.csv.gz", "none.csv.zip", "empty.csv.zip"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read"):
            list(run_lengths.read(tmp_path / name))


def compare(csv, folder, count=None):
    """Every row is the encoding of its mask, and decodes to it."""
    rows = list(run_lengths.read(csv))[:count]
    for name, text in rows:
        mask = read_mask(folder / f"{Path(name).stem}_mask.gif")
        assert run_lengths.encode(mask) == text
        np.testing.assert_array_equal(run_lengths.decode(text, mask.shape), mask)
    return len(rows)


def test_equal_to_the_rendered_train_masks_csv(tmp_path):
    """What `toy` wrote is read back from its GIFs: the encodings of disk and memory agree."""
    folder = rendered.write("cars", tmp_path / "data", (64, 48), cars=1, test_cars=0)
    with zipfile.ZipFile(folder / "train_masks.zip") as archive:
        archive.extractall(tmp_path)
    assert compare(folder / "train_masks.csv", tmp_path / "train_masks") == 16


@pytest.mark.skipif(
    not any((CARVANA / name).exists() for name in ("train_masks.csv", "train_masks.csv.zip"))
    or not (CARVANA / "train_masks").is_dir(),
    reason="Carvana's train_masks.csv and train_masks/ are not in data/carvana",
)
def test_equal_to_carvanas_train_masks_csv():
    csv = next(CARVANA.glob("train_masks.csv*"))
    assert compare(csv, CARVANA / "train_masks", 500) == 500
