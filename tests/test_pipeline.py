"""Reading, resizing, and the tf.data pipeline."""

import functools
import os
import platform
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from unet_tf import data, pipeline
from unet_tf.rendered.car_pictures import render
from unet_tf.rendered.car_shapes import make_car

MASK = np.zeros((5, 7), "uint8")
MASK[1:4, 2:6] = 1


def save_mask(path, kind):
    """MASK in one of the encodings that people have."""
    grey = Image.fromarray(MASK * 255)
    palette = Image.fromarray(MASK).convert("P")
    if kind == "palette white":  # Carvana's GIFs: indices {0, 1}, black and white
        palette.putpalette([0, 0, 0, 255, 255, 255])
        palette.save(path)
    elif kind == "palette dark":  # indices {0, 1}, colours (0, 0, 0) and (1, 1, 1)
        palette.putpalette([0, 0, 0, 1, 1, 1])
        palette.save(path)
    elif kind == "0/1":
        Image.fromarray(MASK).save(path)
    elif kind == "16 bit":
        Image.fromarray(MASK.astype("uint16") * 65535).save(path)
    else:
        grey.convert(kind).save(path)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("m.gif", "palette white"),
        ("m.gif", "palette dark"),
        ("m.gif", "L"),
        ("m.gif", "0/1"),
        ("m.png", "palette white"),
        ("m.png", "palette dark"),
        ("m.png", "0/1"),
        ("m.png", "L"),
        ("m.png", "1"),
        ("m.png", "LA"),
        ("m.png", "RGB"),
        ("m.png", "RGBA"),
        ("m.png", "16 bit"),
    ],
)
def test_masks_in_every_encoding(tmp_path, name, kind):
    save_mask(tmp_path / name, kind)
    mask = data.read_mask(tmp_path / name)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, MASK)


def test_a_mask_that_is_not_black_and_white_is_refused(tmp_path):
    Image.fromarray(np.arange(35, dtype="uint8").reshape(5, 7)).save(tmp_path / "soft.png")
    with pytest.raises(ValueError, match=r"soft\.png.*35 values \(0, 1, 2, 3, 4, \.\.\.\)"):
        data.read_mask(tmp_path / "soft.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "I;16"])
def test_images_in_every_mode(tmp_path, mode):
    grey = np.arange(35, dtype="uint8").reshape(5, 7) * 7
    if mode == "I;16":
        image = Image.fromarray(grey.astype("uint16") * 257)
    else:
        image = Image.fromarray(grey).convert(mode)
    image.save(tmp_path / "image.png")
    pixels = data.read_image(tmp_path / "image.png")
    np.testing.assert_array_equal(pixels, np.repeat(grey[..., None], 3, axis=-1))


def test_jpeg_as_tensorflow_reads_it(files):
    image, _ = files[0]
    ours = data.read_image(image).astype(int)
    theirs = tf.image.decode_jpeg(tf.io.read_file(str(image)), channels=3).numpy().astype(int)
    assert np.abs(ours - theirs).max() <= 2  # the two libjpegs round differently


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A rendered photograph of Carvana's size, as a JPEG."""
    path = tmp_path_factory.mktemp("large") / "car.jpg"
    Image.fromarray(render(make_car(0, 3), 2, (1918, 1280))[0]).save(path, quality=92)
    return path


@pytest.mark.parametrize("size, side", [((96, 128), 480), ((160, 240), 959), ((480, 640), 1918)])
def test_small_from_the_start_is_near_the_exact_area(large, size, side):
    """The issue of speed: at most 0.005 off on average, and far closer than nearest."""
    exact = tf.image.resize(data.read_image(large).astype("float32"), size, method="area")
    fast, own_size = data.read_resized(large, size)
    nearest, _ = data.read_resized(large, size, "nearest")
    assert data.open_image(large, [3 * n for n in size]).width == side  # decoded so large
    assert own_size == (1280, 1918) and fast.shape == (*size, 3) and fast.dtype == np.uint8
    off, article = (np.abs(pixels - exact).mean() / 255 for pixels in (fast, nearest))
    assert off <= 0.005
    assert off < article / 2


def test_nearest_and_small_files_are_read_whole(large, tmp_path):
    whole = data.read_image(large)
    fast, _ = data.read_resized(large, (96, 128), "nearest")
    np.testing.assert_array_equal(fast, data.resized(whole, (96, 128), "nearest"))
    np.testing.assert_array_equal(data.read_resized(large, None)[0], whole)
    Image.fromarray(whole).save(tmp_path / "car.png")  # only a JPEG decodes smaller
    area, _ = data.read_resized(tmp_path / "car.png", (96, 128))
    np.testing.assert_array_equal(area, data.resized(whole, (96, 128)))


def test_small_from_the_start_stays_in_its_place(tmp_path):
    """Where the file's size is no multiple, the last pixel decoded is a part of one."""
    ramp = np.repeat(np.linspace(0, 255, 1537).round().astype("uint8")[None], 1025, axis=0)
    Image.fromarray(ramp).save(tmp_path / "ramp.jpg", quality=95)
    fast, _ = data.read_resized(tmp_path / "ramp.jpg", (96, 128))
    whole = data.resized(data.read_image(tmp_path / "ramp.jpg"), (96, 128))
    assert abs(np.mean(fast[:, 96:] - whole[:, 96:].astype("float32"))) < 0.2  # stretched: 0.7


@pytest.mark.parametrize("sides", [(97, 97), (1, 70), (513, 25), (2, 2)])
def test_any_size_is_read_at_any_other(tmp_path, sides):
    Image.new("RGB", sides, (40, 80, 120)).save(tmp_path / "plain.jpg")
    for size in ((1, 1), (4, 4), (3, 40), (12, 16)):
        pixels, own_size = data.read_resized(tmp_path / "plain.jpg", size)
        assert own_size == sides[::-1]
        assert np.abs(pixels - np.array([40.0, 80, 120])).max() <= 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is told")
def test_freed_memory_is_kept():
    assert data.keep_freed_memory()


def test_a_pass_waits_for_no_tuning(files):
    assert pipeline.dataset(files).options().autotune.enabled is False


def test_a_large_photograph_cut_short_is_named(large, tmp_path):
    content = large.read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"cut\.jpg: cannot be decoded"):
        data.read_resized(tmp_path / "cut.jpg", (96, 128))


def test_a_palette_is_looked_up_as_pillow_applies_it(tmp_path):
    """Masks of any palette, short ones too, are what the colours say."""
    random = np.random.default_rng(0)
    for number in range(20):
        indices = random.integers(0, 4, (9, 11), "uint8")
        mask = Image.fromarray(indices).convert("P")
        mask.putpalette(random.choice([0, 255], size=12).astype("uint8").tobytes())
        path = tmp_path / f"{number}.{'gif' if number % 2 else 'png'}"
        mask.save(path)
        colours = np.asarray(Image.open(path).convert("RGB"))
        np.testing.assert_array_equal(data.read_mask(path), colours.max(axis=-1) > 0)


def test_area_by_hand():
    pixels = np.array([[0, 10, 20, 30], [40, 50, 60, 70]], "uint8")
    np.testing.assert_array_equal(data.resized(pixels, (1, 2)), [[25, 45]])
    assert data.resized(pixels, None) is pixels
    with pytest.raises(ValueError, match=r"area.*nearest"):
        data.resized(pixels, (1, 2), "cubic")


@pytest.mark.parametrize("size", [(96, 128), (31, 47), (100, 99)])
def test_nearest_as_tensorflow_does_it(size):
    """The article's resize, to the bit, also from sizes that do not divide."""
    pixels = np.random.default_rng(0).integers(0, 256, (320, 481, 3), "uint8")
    theirs = tf.image.resize(pixels, size, method="nearest").numpy()
    np.testing.assert_array_equal(data.resized(pixels, size, "nearest"), theirs)


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
