"""Batches: all images, repeatable orders, files kept and named."""

import functools
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from unet_tf import data, pipeline


def test_jpeg_as_tensorflow_reads_it(files):
    image, _ = files[0]
    ours = data.read_image(image).astype(int)
    theirs = tf.image.decode_jpeg(tf.io.read_file(str(image)), channels=3).numpy().astype(int)
    assert np.abs(ours - theirs).max() <= 2  # the two libjpegs round differently


def test_a_pass_waits_for_no_tuning(files):
    assert pipeline.dataset(files).options().autotune.enabled is False


@pytest.fixture
def files(tmp_path):
    """Eleven pairs of 10x14, numbered by colour: image i is grey 20 i, its mask has i rows."""
    pairs = []
    for i in range(11):
        Image.new("RGB", (14, 10), (20 * i,) * 3).save(tmp_path / f"{i:02}.jpg")
        mask = np.zeros((10, 14), "uint8")
        mask[: min(i, 10)] = 255
        Image.fromarray(mask).save(tmp_path / f"{i:02}_mask.png")
        pairs.append((tmp_path / f"{i:02}.jpg", tmp_path / f"{i:02}_mask.png"))
    return pairs


def numbers(batches):
    """Which images came, in their order; asserts on the way that each came with its mask."""
    order = []
    for images, masks in batches:
        for image, mask in zip(images.numpy(), masks.numpy(), strict=True):
            number = round(float(image.mean()) * 255 / 20)
            assert mask.sum() == min(number, 10) * 14
            order.append(number)
    return order


def test_no_image_is_left_out_and_batches_are_float(files):
    batches = list(pipeline.dataset(files, None, batch_size=4))
    assert [len(images) for images, _ in batches] == [4, 4, 3]
    images, masks = batches[0]
    assert images.dtype == masks.dtype == tf.float32
    assert images.shape == (4, 10, 14, 3)
    assert masks.shape == (4, 10, 14, 1)
    assert set(np.unique(masks)) <= {0.0, 1.0}
    assert 0 <= images.numpy().min() < images.numpy().max() <= 1
    assert numbers(pipeline.dataset(files, None, batch_size=4)) == list(range(11))


def epochs(files, **settings):
    keras.utils.set_random_seed(0)
    batches = pipeline.dataset(files, None, batch_size=4, shuffle=True, **settings)
    return [numbers(batches) for _ in range(3)]


@pytest.mark.parametrize("cache", [None, "memory", "file", "auto", "folder"])
def test_shuffled_afresh_each_epoch_and_the_same_again(files, cache, tmp_path):
    cache = tmp_path / "cache" if cache == "folder" else cache
    first = epochs(files, seed=1, cache=cache)
    assert all(sorted(order) == list(range(11)) for order in first)
    assert first[0] != first[1] != first[2] != list(range(11))
    assert epochs(files, seed=1, cache=cache) == first
    assert epochs(files, seed=2, cache=cache) != first


def augmented(files, parallel=None):
    keras.utils.set_random_seed(0)
    batches = pipeline.dataset(
        files, (12, 16), batch_size=4, shuffle=True, augment=True, cache="memory", seed=3
    )
    if parallel:
        options = tf.data.Options()
        options.threading.private_threadpool_size = parallel
        options.autotune.enabled = parallel > 1
        batches = batches.with_options(options)
    return [[np.concatenate([i.numpy(), m.numpy()], -1) for i, m in batches] for _ in range(2)]


def test_augmentation_repeats_at_any_parallelism_and_differs_between_epochs(files):
    one, eight = augmented(files, 1), augmented(files, 8)
    for epoch_one, epoch_eight in zip(one, eight, strict=True):
        for batch_one, batch_eight in zip(epoch_one, epoch_eight, strict=True):
            np.testing.assert_array_equal(batch_one, batch_eight)
    assert not np.array_equal(one[0][0], one[1][0])


def test_a_file_cache_is_used_and_never_stale(files, tmp_path):
    cache = tmp_path / "cache"
    assert numbers(pipeline.dataset(files, None, 4, cache=cache)) == list(range(11))
    written = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    numbers(pipeline.dataset(files, None, 4, cache=cache))
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == written

    Image.new("RGB", (14, 10), (100, 100, 100)).save(files[0][0])  # now looks like number 5
    mask = np.zeros((10, 14), "uint8")
    mask[:5] = 255
    Image.fromarray(mask).save(files[0][1])
    assert numbers(pipeline.dataset(files, None, 4, cache=cache))[0] == 5
    sizes = {i.shape[1:3] for i, _ in pipeline.dataset(files, (5, 7), 4, cache=cache)}
    assert sizes == {tf.TensorShape((5, 7))}


def upside_down(path):
    """A reader of masks, as a user may have one."""
    return data.read_mask(path)[::-1]


def test_each_setting_has_its_own_cache(files, tmp_path):
    def name(size=(12, 16), resize="area", **read):
        return pipeline.cache_file(tmp_path, files, size, resize, **read)

    two, three = data.Labels(["a", "b"]), data.Labels(["a", "b", "c"])
    names = [name(), name((16, 12)), name(resize="nearest"), name(read=upside_down)]
    names += [name(read=two.read), name(read=three.read)]
    assert len(set(names)) == 6 and name() == names[0] and name(read=upside_down) == names[3]
    before = files[0][0].stat()
    while files[0][0].stat().st_ctime_ns == before.st_ctime_ns:  # until the disk's clock ticks
        files[0][0].write_bytes(files[0][0].read_bytes())
    os.utime(files[0][0], ns=(before.st_atime_ns, before.st_mtime_ns))  # as `cp -p` does
    assert name() != names[0]
    for nameless in (lambda path: None, functools.partial(data.read_mask)):
        with pytest.raises(ValueError, match="give a function of a module"):
            name(read=nameless)


KILLED = """
import os, signal, sys
from pathlib import Path
from unet_tf import pipeline
folder = Path(sys.argv[1])
images = sorted(folder.glob("*.jpg"))
pairs = [(image, image.with_name(f"{image.stem}_mask.png")) for image in images]
cache = "file" if sys.argv[2] == "file" else folder / "cache"
for _ in pipeline.dataset(pairs, None, 4, cache=cache):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["file", "folder"])
def test_a_run_killed_while_it_fills_the_cache_leaves_nothing_in_the_way(files, cache, tmp_path):
    folder, user = files[0][0].parent, tmp_path / "user"
    command = [sys.executable, "-c", KILLED, str(folder), cache]
    environment = {**os.environ, "XDG_CACHE_HOME": str(user)}
    run = subprocess.run(command, capture_output=True, env=environment)
    assert run.returncode == -signal.SIGKILL
    if cache == "file":
        assert list((user / "unet_tf").iterdir()) == []  # gone with the process
        return
    assert list((folder / "cache").iterdir())  # it had begun
    for _ in range(2):  # filled, then read
        batches = pipeline.dataset(files, None, 4, cache=folder / "cache")
        assert numbers(batches) == list(range(11))


def test_a_broken_file_is_named_while_training(files):
    whole = files[3][0].read_bytes()
    files[3][0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(tf.errors.OpError, match=r"03\.jpg: cannot be decoded"):
        list(pipeline.dataset(files, (12, 16)))


def test_an_empty_part_is_refused():
    with pytest.raises(ValueError, match="no pairs"):
        pipeline.dataset([])
