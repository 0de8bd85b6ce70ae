"""Images and masks in every encoding, read and resized."""

import platform

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from unet_tf import data
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
