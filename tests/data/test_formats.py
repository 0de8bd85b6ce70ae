"""Files as cameras, editors and microscopes write them: turned, of several pages, with a tail."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import data

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), "uint8")
UPRIGHT = {  # what a viewer does to the stored pixels, by EXIF's orientation (EXIF 2.3, 4.6.4)
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),  # a quarter clockwise
    7: lambda stored: np.rot90(np.swapaxes(stored, 0, 1), 2),
    8: np.rot90,
}


def turned(path, pixels, orientation, **options):
    """Write pixels as they are, with a note of how to turn them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **options)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_exif_turns_images_and_masks_as_viewers_do(tmp_path, suffix, orientation):
    path, shown = tmp_path / f"photo.{suffix}", UPRIGHT[orientation]
    turned(path, RGB, orientation)
    stored = np.asarray(Image.open(path)) if suffix == "jpg" else RGB
    np.testing.assert_array_equal(data.read_image(path), shown(stored))
    assert data.size_of(path) == shown(RGB).shape[:2]
    assert data.open_image(path).info["size"] == shown(RGB).shape[1::-1]
    if suffix != "jpg":
        turned(path, RGB[..., 0] // 128 * 255, orientation)
        np.testing.assert_array_equal(data.read_mask(path), shown(RGB[..., 0] > 127))
        np.testing.assert_array_equal(data.values_of(path), shown(RGB[..., 0] // 128 * 255))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_turned_jpeg_small_from_the_start_stays_in_its_place(tmp_path, orientation):
    """Of 1537 columns and 1025 rows the last pixel at an eighth is a part of one."""
    ramp = np.add.outer(np.linspace(0, 100, 1025), np.linspace(0, 155, 1537)).astype("uint8")
    turned(tmp_path / "ramp.jpg", ramp, orientation, quality=95)
    exact = data.resized(UPRIGHT[orientation](ramp), (40, 40)).astype(int)
    fast, own = data.read_resized(tmp_path / "ramp.jpg", (40, 40))
    assert own == UPRIGHT[orientation](ramp).shape
    assert data.open_image(tmp_path / "ramp.jpg", (120, 120)).width in (193, 129)  # an eighth
    rough = (fast[..., 0] - exact)[8:-8, 8:-8]
    assert abs(rough.mean()) < 0.5 and np.abs(rough).max() <= 3


def test_damaged_exif_turns_nothing(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12")
    assert (
        data.size_of(tmp_path / "a.jpg") == data.read_image(tmp_path / "a.jpg").shape[:2] == (5, 7)
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif"])
@pytest.mark.parametrize("tail", [b"\0" * 200, b"film " * 100, b"\xff\xd9;IEND" * 50])
def test_bytes_behind_the_end_do_not_matter(tmp_path, suffix, tail):
    path = tmp_path / f"motion.{suffix}"
    Image.fromarray(RGB).save(path)
    whole, pixels = path.read_bytes(), data.read_image(path)
    path.write_bytes(whole + tail)
    assert data.size_of(path) == (5, 7)
    np.testing.assert_array_equal(data.read_image(path), pixels)
    path.write_bytes(whole[: len(whole) // 2] + bytes(100))  # and this one is cut
    with pytest.raises(data.Unreadable):
        data.size_of(path)


def test_a_progressive_jpeg_with_a_thumbnail_is_followed_to_its_end(tmp_path):
    """The thumbnail within has an end of its own: cut behind it the photograph is not whole."""
    small, path = tmp_path / "small.jpg", tmp_path / "a.jpg"
    Image.fromarray(RGB).save(small)
    ramp = np.add.outer(np.arange(64), np.arange(96)).astype("uint8")
    exif = b"Exif\0\0" + small.read_bytes()
    Image.fromarray(ramp).save(path, progressive=True, exif=exif)
    whole = path.read_bytes()
    path.write_bytes(whole + b"film" * 30)
    assert data.size_of(path) == (64, 96)
    path.write_bytes(whole[:-200] + b"film" * 30)
    with pytest.raises(data.Unreadable, match="truncated"):
        data.size_of(path)


@pytest.mark.parametrize("suffix", ["tif", "gif", "png"])
def test_several_pages_are_never_one(tmp_path, suffix):
    pages = [Image.fromarray(np.full((5, 7), 40 * n, "uint8")) for n in range(1, 4)]
    path = tmp_path / f"stack.{suffix}"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    for read in (data.size_of, data.read_image, data.read_mask, data.values_of):
        with pytest.raises(data.Unreadable, match=r"stack.*3 pages or frames.*magick"):
            read(path)


# What is written, by Pillow's mode: pixels, and what an image of them is read as.
RAMP = np.array([[0, 51, 102], [153, 204, 255]], "uint8")
COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [51, 102, 153]]], "uint8")


def grey(values):
    return np.repeat(np.asarray(values, "uint8")[..., None], 3, axis=2)


def alpha(pixels):
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 128, "uint8")], axis=2)


FORMATS = {
    "L.png": (Image.fromarray(RAMP), grey(RAMP)),
    "L.tif": (Image.fromarray(RAMP), grey(RAMP)),
    "L.gif": (Image.fromarray(RAMP), grey(RAMP)),
    "1.png": (Image.fromarray(RAMP > 127), grey(255 * (RAMP > 127))),
    "1.tif": (Image.fromarray(RAMP > 127), grey(255 * (RAMP > 127))),
    "LA.png": (Image.fromarray(alpha(RAMP[..., None]), "LA"), grey(RAMP)),
    "LA.tif": (Image.fromarray(alpha(RAMP[..., None]), "LA"), grey(RAMP)),
    "RGB.png": (Image.fromarray(COLOURS), COLOURS),
    "RGB.tif": (Image.fromarray(COLOURS), COLOURS),
    "RGB.gif": (Image.fromarray(COLOURS), COLOURS),
    "RGBA.png": (Image.fromarray(alpha(COLOURS)), COLOURS),
    "RGBA.tif": (Image.fromarray(alpha(COLOURS)), COLOURS),
    "P.png": (Image.fromarray(COLOURS).quantize(4), COLOURS),
    "P.tif": (Image.fromarray(COLOURS).quantize(4), COLOURS),
    "CMYK.tif": (Image.fromarray(COLOURS).convert("CMYK"), COLOURS),
    "CMYK.jpg": (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), np.tile([255, 0, 0], (8, 8, 1))),
    "YCbCr.jpg": (Image.new("YCbCr", (8, 8), (128, 128, 128)), np.full((8, 8, 3), 128)),
    "LAB.tif": (Image.new("LAB", (3, 2), (255, 128, 128)), np.full((2, 3, 3), 255)),  # white
    "I;16.png": (Image.fromarray(RAMP.astype("uint16") * 257), grey(RAMP)),
    "I;16.tif": (Image.fromarray(RAMP.astype("uint16") * 257), grey(RAMP)),
    "I.tif": (Image.fromarray(RAMP.astype("int32") * 257), grey(RAMP)),
    "F.tif": (Image.fromarray(RAMP.astype("float32") / 255), grey(RAMP)),
    "L.bmp": (Image.fromarray(RAMP), grey(RAMP)),
    "1.bmp": (Image.fromarray(RAMP > 127), grey(255 * (RAMP > 127))),
    "P.bmp": (Image.fromarray(COLOURS).quantize(4), COLOURS),
    "RGB.bmp": (Image.fromarray(COLOURS), COLOURS),
    "RGB.webp": (Image.fromarray(COLOURS), COLOURS),
    "RGBA.webp": (Image.fromarray(alpha(COLOURS)), COLOURS),
    "LZW.tif": (Image.fromarray(COLOURS), COLOURS),
    "group4.tif": (Image.fromarray(RAMP > 127), grey(255 * (RAMP > 127))),
}
OPTIONS = {"LZW.tif": {"compression": "tiff_lzw"}, "group4.tif": {"compression": "group4"}}
OPTIONS |= {f"{mode}.webp": {"lossless": True, "exact": True} for mode in ("RGB", "RGBA")}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_read_as_what_it_shows(tmp_path, name):
    image, expected = FORMATS[name]
    image.save(tmp_path / name, **OPTIONS.get(name, {}))
    found = data.read_image(tmp_path / name)
    assert found.dtype == np.uint8 and found.shape == expected.shape
    rough = 2 if name.endswith("jpg") or "LAB" in name else 0
    assert np.abs(found.astype(int) - expected).max() <= rough
    np.testing.assert_array_equal(data.read_resized(tmp_path / name, None)[0], found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[0, 4095]], "uint16"), r"from 0 to 4095.*value_range=LOW,HIGH"),
        (np.array([[0, 16000]], "uint16"), r"from 0 to 16000"),
        (np.array([[-5, 30000]], "int32"), "from -5 to 30000"),
        (np.array([[0, 70000]], "int32"), "from 0 to 70000"),
        (np.array([[0, 65535]], "float32"), "from 0 to 65535"),
        (np.array([[-1, 1]], "float32"), "from -1 to 1"),
        (np.array([[0.5, 200]], "float32"), "from 0.5 to 200"),
    ],
)
def test_numbers_of_another_range_are_refused_and_never_clipped(tmp_path, values, words):
    Image.fromarray(values).save(tmp_path / "deep.tif")
    with pytest.raises(data.Unreadable, match=f"deep.tif.*{words}"):
        data.read_image(tmp_path / "deep.tif")


def test_random_arrays_come_back_as_they_went(tmp_path):
    """Of each lossless format, in many sizes."""
    random = np.random.default_rng(1)
    for number in range(60):
        size = tuple(random.integers(1, 40, 2))
        kind = ["L", "RGB", "RGBA", "I;16", "1"][number % 5]
        suffix = ["png", "tif"][number % 2]
        channels = {"RGB": (3,), "RGBA": (4,)}.get(kind, ())
        pixels = random.integers(0, 256, (*size, *channels), "uint8")
        written = {"I;16": lambda p: p.astype("uint16") * 257, "1": lambda p: p > 127}
        path = tmp_path / f"{number}.{suffix}"
        Image.fromarray(written.get(kind, lambda p: p)(pixels)).save(path)
        expected = 255 * (pixels > 127) if kind == "1" else pixels
        expected = grey(expected) if pixels.ndim == 2 else expected[..., :3]
        if kind == "I;16" and pixels.max() < 64:
            continue  # of too small a range
        np.testing.assert_array_equal(data.read_image(path), expected)
        assert data.size_of(path) == size


def test_more_bands_than_three_are_named(tmp_path):
    """Bare TIFFs of four and five bands, of which nothing says that the fourth is alpha."""
    for bands in (4, 5):
        path = tmp_path / f"{bands}.tif"
        path.write_bytes(bare_tiff(np.zeros((3, 4, bands), "uint8")))
        for read in (data.size_of, data.read_image):
            with pytest.raises(data.Unreadable, match=f"it holds {bands} bands.*gdal_translate"):
                read(path)


def bare_tiff(pixels):
    """A TIFF of one strip, without Pillow: little-endian, RGB, its further bands unspecified."""
    height, width, bands = pixels.shape
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, bands, 200), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 2), (273, 4, 1, 300), (277, 3, 1, bands), (278, 3, 1, height)]
    tags += [(279, 4, 1, pixels.size), (338, 3, bands - 3, 0 if bands < 6 else 250)]
    head = b"II*\0" + (8).to_bytes(4, "little") + len(tags).to_bytes(2, "little")
    for tag, kind, count, value in tags:
        head += b"".join(
            n.to_bytes(size, "little") for n, size in ((tag, 2), (kind, 2), (count, 4))
        )
        head += value.to_bytes(4, "little")
    head = (head + bytes(4)).ljust(200, b"\0") + b"\x08\0" * bands
    return head.ljust(300, b"\0") + pixels.tobytes()


def test_a_large_scene_is_no_bomb(tmp_path):
    """Pillow's own limit is 179 million pixels; this scene has 200 million, in a small file."""
    Image.new("1", (20000, 10000)).save(tmp_path / "scene.png")
    assert data.size_of(tmp_path / "scene.png") == (10000, 20000)


SHAPE = np.array([[0, 0, 1], [0, 1, 1]], "uint8")


def rgba(colours, transparency):
    return Image.fromarray(np.concatenate([colours, transparency[..., None]], axis=2), "RGBA")


@pytest.mark.parametrize("ground", [0, 255])
def test_a_mask_in_the_alpha_channel_is_taken_from_there(tmp_path, ground):
    path = tmp_path / "cut_out.png"
    rgba(np.full((2, 3, 3), ground, "uint8"), 255 * SHAPE).save(path)
    np.testing.assert_array_equal(data.read_mask(path), SHAPE)
    np.testing.assert_array_equal(data.values_of(path), 255 * SHAPE)
    Image.fromarray(np.stack([np.full_like(SHAPE, ground), 255 * SHAPE], axis=2), "LA").save(path)
    np.testing.assert_array_equal(data.read_mask(path), SHAPE)


def test_alpha_that_says_nothing_more_is_dropped(tmp_path):
    path = tmp_path / "a.png"
    for transparency in (np.full_like(SHAPE, 255), 255 * SHAPE):  # opaque; transparent where black
        rgba(grey(255 * SHAPE), transparency).save(path)
        np.testing.assert_array_equal(data.read_mask(path), SHAPE)


def test_colours_and_alpha_that_differ_are_refused(tmp_path):
    path = tmp_path / "a.png"
    rgba(grey(255 * SHAPE), 255 * SHAPE[:, ::-1].copy()).save(path)
    for read in (data.read_mask, data.values_of):
        with pytest.raises(data.Unreadable, match=r"a\.png.*alpha"):
            read(path)


def test_masks_of_floats_are_whole_numbers_or_refused(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(255 * SHAPE.astype("float32")).save(path)
    np.testing.assert_array_equal(data.read_mask(path), SHAPE)
    Image.fromarray(SHAPE.astype("float32") / 2).save(path)
    with pytest.raises(data.Unreadable, match=r"floats go from 0 to 0\.5"):
        data.read_mask(path)


@pytest.mark.parametrize("suffix", ["bmp", "webp"])
def test_torn_bitmaps_are_found(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), "uint8")
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(data.Unreadable, match=r"a\."):
        data.read_image(path)


def test_masks_in_bitmaps(tmp_path):
    """Windows's Paint writes bitmaps; a lossless WebP is as good as a PNG."""
    mask = np.zeros((5, 7), "uint8")
    mask[1:3, 2:5] = 255
    for name in ("a.bmp", "a.webp"):
        Image.fromarray(mask).save(tmp_path / name, lossless=True)
        np.testing.assert_array_equal(data.read_mask(tmp_path / name), mask // 255)
