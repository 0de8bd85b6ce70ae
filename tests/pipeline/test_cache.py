"""Where decoded images are kept: chosen by what they take, the same bits wherever."""

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from unet_tf import data, pipeline
from unet_tf.data import Labels
from unet_tf.files import UserError
from unet_tf.pipeline import batches as batches_file
from unet_tf.pipeline import cache as cache_module
from unet_tf.pipeline.cache import FileCache, chosen_cache, memory_limits
from unet_tf.protocol import batches as protocol_batches

CACHES = (None, "memory", "file", "auto", "folder")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


@pytest.fixture
def pairs(tmp_path):
    """Seven noisy pairs, from 20x24 to 26x36: 19_544 bytes at 4 a pixel."""
    random, found = np.random.default_rng(0), []
    for number in range(7):
        height, width = 20 + number, 24 + 2 * number
        image = random.integers(0, 256, (height, width, 3), "uint8")
        mask = random.integers(0, 2, (height, width), "uint8") * 255
        paths = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        for path, pixels in zip(paths, (image, mask), strict=True):
            Image.fromarray(pixels).save(path)
        found.append(paths)
    return found


def two_epochs(batches):
    return [part.numpy() for _ in range(2) for batch in batches for part in batch]


def made(kind, pairs, cache):
    if kind == "crops":
        return pipeline.crop_dataset(pairs, (8, 10), 3, 4, augment=True, cache=cache, seed=3)
    shuffle = kind == "shuffled"
    size = (12, 16) if shuffle else None
    batch_size = 3 if shuffle else 1
    return pipeline.dataset(pairs, size, batch_size, "area", shuffle, shuffle, cache, seed=3)


@pytest.mark.parametrize("kind", ["plain", "shuffled", "crops"])
def test_no_bit_depends_on_where_the_data_are_kept(kind, pairs, tmp_path):
    first, *others = (
        two_epochs(made(kind, pairs, tmp_path / "cache" if cache == "folder" else cache))
        for cache in CACHES
    )
    assert len(first) == {"plain": 28, "shuffled": 12, "crops": 24}[kind]
    for other in others:
        assert all(np.array_equal(*both) for both in zip(first, other, strict=True))


def test_the_order_is_that_of_tensorflow_s_own_shuffle():
    """In a dataset's function, where no seed of `set_random_seed` is mixed in."""
    tf.random.set_seed(7)

    @tf.function
    def theirs(draw):
        tf.compat.v1.get_default_graph().seed = None
        seed = tf.random.stateless_uniform((), draw, 0, 2**31, tf.int64)
        order = tf.data.Dataset.range(50).shuffle(50, seed)
        return order.reduce(tf.zeros(0, tf.int64), lambda all, one: tf.concat([all, [one]], 0))

    for draw in ([0, 0], [3, 1], [3, 2]):
        ours = list(pipeline.shuffled(tf.data.Dataset.range(50), 50, tf.constant(draw, tf.int64)))
        np.testing.assert_array_equal(ours, theirs(tf.constant(draw, tf.int64)))
        assert sorted(ours) == list(range(50)) != ours


@pytest.mark.parametrize("cache", [None, "file"])
def test_no_buffer_holds_a_shuffled_data_set_that_is_not_in_memory(pairs, cache, monkeypatch):
    read, reader = [], data.read_resized
    monkeypatch.setattr(batches_file, "read_resized", lambda *way: read.append(1) or reader(*way))
    pairs = pairs * 100
    next(iter(pipeline.dataset(pairs, (4, 4), 1, shuffle=True, cache=cache)))
    assert len(read) < 200
    read.clear()
    next(iter(pipeline.dataset(pairs, (4, 4), 1, shuffle=True, cache="memory")))
    assert len(read) == 700  # there the buffer shares what the cache holds


def test_a_file_is_decoded_once_by_a_cache_and_every_epoch_without(pairs, monkeypatch):
    read, reader = [], data.read_resized
    monkeypatch.setattr(batches_file, "read_resized", lambda *way: read.append(1) or reader(*way))
    for cache, times in ((None, 2), ("memory", 1), ("file", 1)):
        read.clear()
        two_epochs(made("shuffled", pairs, cache))
        assert len(read) == times * len(pairs)


Usage = namedtuple("Usage", "free")


@pytest.mark.parametrize(
    "memory, disk, cache, line",
    [
        (4 * 19_544, 0, "memory", "Cache: 1 MB in memory\n"),
        (4 * 19_543, 2 * 19_544, "file", "Cache: 1 MB in a file in {}, which is gone at the end\n"),
        (0, 2 * 19_543, None, "Cache: none, for 1 MB are too much for memory and disk: each "),
    ],
)
def test_the_cache_is_chosen_by_what_the_data_take(
    pairs, memory, disk, cache, line, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(cache_module, "free_memory", lambda: memory)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(disk))
    assert chosen_cache((pairs, None)) == cache
    assert capsys.readouterr().out.startswith(line.format(tmp_path / "user/unet_tf"))
    assert chosen_cache((pairs[:4], None), (pairs[4:], None)) == cache  # what they take together


def test_all_of_carvana_goes_into_a_file_on_a_machine_of_24_gigabytes(monkeypatch, capsys):
    """4 bytes for each of 640x960 pixels of 5088 images; by hand."""
    monkeypatch.setattr(cache_module, "free_memory", lambda: 24e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(100e9))
    pairs = [("no file is", "opened")]
    assert chosen_cache((pairs * 4071, (640, 960)), (pairs * 1017, (640, 960))) == "file"
    assert chosen_cache((pairs * 5088, (96, 128))) == "memory"
    assert [line[:15] for line in capsys.readouterr().out.splitlines()] == [
        "Cache: 12.5 GB ",
        "Cache: 251 MB i",
    ]


def test_a_header_that_cannot_be_read_is_named(pairs):
    pairs[2][0].write_bytes(b"no image")
    with pytest.raises(UserError, match=r"2\.png: not an image"):
        pipeline.dataset(pairs, None, cache="auto")


def test_the_limit_of_a_container_or_job_counts(tmp_path):
    groups = tmp_path / "groups"
    for path, text in {  # version 1, then 2: limits, and what is used of them
        "memory/jobs/memory.limit_in_bytes": "9223372036854771712",
        "memory/jobs/memory.usage_in_bytes": "1000",
        "memory/jobs/7/memory.limit_in_bytes": "3000",
        "memory/jobs/7/memory.usage_in_bytes": "1000",
        "app/memory.max": "max",
        "app/memory.current": "900",
        "app/part/memory.max": "2000",
        "app/part/memory.current": "500",
        "memory.max": "5000",
        "memory.current": "900",
        "other/memory.max": "1",
        "other/memory.current": "0",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    groups.write_text("4:memory:/jobs/7\n3:cpuset:/other\n")
    assert min(memory_limits(tmp_path, groups)) == 2000
    groups.write_text("0::/app/part\n")
    assert sorted(memory_limits(tmp_path, groups)) == [1500, 4100]
    groups.write_text("0::/\n")
    assert list(memory_limits(tmp_path, groups)) == [4100]
    assert cache_module.free_memory() > 2**20  # of this machine


SIZES = [(2, 3), (4, 1)]


def loading():
    """A function as a FileCache takes, and the numbers that it was called with."""
    asked = []

    def load(number):
        asked.append(number)
        height, width = SIZES[number]
        values = np.arange(height * width * 4, dtype="uint8") + 10 * number
        image, mask = np.split(values, [3 * height * width])
        return image.reshape(height, width, 3), mask.reshape(height, width, 1)

    return load, asked


def test_a_pair_is_loaded_once_and_then_read_from_the_file():
    load, asked = loading()
    cache = FileCache(load, SIZES)
    for number in (1, 0, 0, 1):
        for ours, theirs in zip(cache(number), load(number), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert asked == [1, 1, 0, 0, 0, 1]  # half of them by the line above


def test_what_was_left_half_written_is_loaded_anew(tmp_path):
    load, asked = loading()
    FileCache(load, SIZES, tmp_path / "kept")(0)
    whole = (tmp_path / "kept").read_bytes()
    assert len(whole) == 2 * 3 * 4 + 4  # four bytes a pixel, and a checksum
    for broken in (whole[:-6], whole[:10] + b"?" + whole[11:], b"", bytes(len(whole))):
        (tmp_path / "kept").write_bytes(broken)
        asked.clear()
        FileCache(load, SIZES, tmp_path / "kept")(0)
        assert asked == [0] and (tmp_path / "kept").read_bytes() == whole
    FileCache(load, SIZES, tmp_path / "kept")(0)
    assert asked == [0]


def test_on_a_full_disk_and_of_another_size_nothing_is_kept(tmp_path):
    load, asked = loading()
    cache = FileCache(load, [(9, 9), SIZES[1]])
    for _ in range(2):
        assert cache(0)[0].shape == (2, 3, 3)
    if Path("/dev/full").exists():
        with open("/dev/full", "r+b", buffering=0) as cache.file:
            assert cache(1)[0].shape == (4, 1, 3)
    assert asked[:2] == [0, 0]


def test_a_data_set_looks_at_its_files_only_when_asked_what_it_is_made_of(pairs, monkeypatch):
    """A run says so itself: the masks need not be read for it."""

    def refuse(pairs):
        raise AssertionError("read for nothing")

    with monkeypatch.context() as patched:
        for name in ("batches", "crops"):
            patched.setattr(f"unet_tf.pipeline.{name}.fingerprint", refuse)
        made_by = [made(kind, pairs, None) for kind in ("shuffled", "crops")]
    for batches in made_by:
        assert batches.made_of()["files"] == pipeline.fingerprint(pairs)
        assert batches.made_of()["seed"] == 3


def test_a_recipe_chooses_one_cache_for_training_and_validation(pairs, monkeypatch, capsys):
    from unet_tf import protocol

    asked = []

    def chosen(*parts):
        asked.append([(len(pairs), size) for pairs, size in parts])
        return None

    monkeypatch.setattr(pipeline, "chosen_cache", chosen)
    parts = data.Split(pairs[:4], pairs[4:6], pairs[6:])
    labels = Labels.foreground("cell")
    recipe = protocol.get("guide_unet", image_size=(12, 16))
    training, validation, size = protocol_batches.batches_of(recipe, parts, 0, labels.read)
    assert size == (12, 16) and len(list(training)) == len(list(validation)) == 1
    recipe = protocol.get("guide_unet", image_size=None, crop=(8, 8))
    training, validation, size = protocol_batches.batches_of(recipe, parts, 0, labels.read)
    assert size == (None, None) and [len(image) for image, _ in validation] == [1, 1]
    assert asked == [[(4, (12, 16)), (2, (12, 16))], [(4, None), (2, None)]]


def test_another_range_is_another_cache_and_gives_other_images(pairs, tmp_path):
    deep = np.linspace(0, 1000, 20 * 24).reshape(20, 24).astype("uint16")
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    pair, brightest = [(tmp_path / "deep.tif", pairs[0][1])], []
    for white in (1023, 2047, 1023):
        batches = pipeline.dataset(pair, None, cache=tmp_path / "cache", value_range=(0, white))
        ((images, _),) = batches
        brightest.append(round(float(images.numpy().max()) * 255))
        assert batches.made_of()["value_range"] == (0, white)
        crops = pipeline.crop_dataset(pair, (20, 24), cache=None, value_range=(0, white))
        np.testing.assert_array_equal(next(iter(crops))[0], images)
    assert brightest == [249, 125, 249] and len(list((tmp_path / "cache").iterdir())) == 2
