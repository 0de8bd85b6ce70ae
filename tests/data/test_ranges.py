"""Numbers of more than 8 bits: one range for a data set, by hand."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from unet_tf import data


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], None),
        ([(0, 65535, True), (7, 16384, True)], None),  # each says by itself that it has 16 bits
        ([(0, 0.4, False), (0.1, 1, False)], None),
        ([(3, 900, True), (0, 4000, True)], (0, 4095)),  # 12 bits: the first is a dark one
        ([(3, 900, True), (0, 60000, True)], (0, 65535)),
        ([(0, 200, True)], (0, 255)),
        ([(0, 9, True)], (0, 255)),
        ([(0, 256, True)], (0, 511)),
        ([(0, 70000, True)], (0, 131071)),
        ([(-1000, 400, True), (-900, 3000, True)], (-1000, 3000)),  # computed tomography
        ([(0.2, 0.7, False), (0, 1.5, False)], (0, 1.5)),
        ([(280.5, 310, False), (279, 300, False)], (279, 310)),
        ([(5, 5, False)], (5, 6)),
    ],
)
def test_the_range_of_a_data_set_by_hand(spans, expected):
    assert data.range_of(spans) == expected


@pytest.mark.parametrize(
    ("values", "value_range", "expected"),
    [
        (np.array([[0, 4095, 2048, 16]], "uint16"), (0, 4095), [0, 255, 128, 1]),
        (np.array([[0, 5000, 4095]], "uint16"), (0, 4095), [0, 255, 255]),  # a speck is clipped
        (np.array([[-1000, 0, 1000]], "int32"), (-1000, 1000), [0, 128, 255]),
        (np.array([[-1000, -900, 0, 100]], "int32"), (-100, 300), [0, 0, 64, 128]),  # a window
        (np.array([[280, 300, 290]], "float32"), (280, 300), [0, 255, 128]),
        (np.array([[900, 60000]], "uint16"), (0, 65535), [4, 233]),
        (np.array([[0, 0]], "uint16"), (0, 4095), [0, 0]),  # a black frame
        (np.array([[0, 0]], "float32"), (0, 4000), [0, 0]),
        (np.array([[-1000, -1000]], "float32"), (-1000, 3000), [0, 0]),  # air
        (np.array([[-1000, -1000]], "int32"), (-1000, 1000), [0, 0]),
        (np.array([[2_000_000_000, 2_000_000_050]], "int32"), (2e9, 2e9 + 100), [0, 128]),
        (np.array([[-3e38, 3e38]], "float32"), (-3e38, 3e38), [0, 255]),
        (np.array([[7, 200]], "uint8"), (0, 4095), [7, 200]),  # 8 bits stay as they are
    ],
)
def test_numbers_within_a_range_by_hand(tmp_path, values, value_range, expected):
    path = tmp_path / "deep.tif"
    Image.fromarray(values).save(path)
    found = data.read_image(path, value_range)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.repeat([expected], 3, axis=0).T[None])
    np.testing.assert_array_equal(data.read_resized(path, None, "area", value_range)[0], found)


def test_in_a_range_order_is_kept_and_a_step_is_half_a_level_at_most():
    random = np.random.default_rng(0)
    for bits in (9, 10, 12, 14, 16):
        values = random.integers(0, 2**bits, (20, 30)).astype("uint16")
        found = data.to_rgb(Image.fromarray(values), value_range=(0, 2**bits - 1))[..., 0]
        exact = values / (2**bits - 1) * 255
        assert np.abs(found - exact).max() <= 0.5 + 1e-3
        order = np.argsort(values, axis=None)
        assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            np.array([[9000, 30000, 60000]], "uint16"),
            "from 9000 to 60000, mostly beyond.*0 to 4095",
        ),
        (np.array([[-5, -3, -1]], "int32"), "from -5 to -1, mostly beyond"),
        (np.array([[0.25, 0.75]], "float32"), "from 0.25 to 0.75, mostly beyond"),  # shares of 1
        (np.array([[0, np.nan]], "float32"), "numbers that are none"),
        (np.array([[0, np.inf]], "float32"), "numbers that are none"),
    ],
)
def test_what_lies_beyond_the_range_is_refused(tmp_path, values, words):
    Image.fromarray(values).save(tmp_path / "deep.tif")
    with pytest.raises(data.Unreadable, match=f"deep.tif.*{words}"):
        data.read_image(tmp_path / "deep.tif", (0, 4095))


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
@pytest.mark.parametrize("colours", [3, 4])
def test_colours_of_12_bits_in_16_are_refused(tmp_path, name, colours):
    """Pillow gives the upper bytes alone. The file is written by hand: Pillow writes none."""
    random = np.random.default_rng(0)
    for highest, dark in ((65535, False), (4095, True), (0, False)):
        values = random.integers(0, highest + 1, (6, 8, colours)).astype("uint16")
        (tmp_path / name).write_bytes((png if name == "deep.png" else tiff)(values))
        if dark:
            with pytest.raises(data.Unreadable, match=rf"{name}.*16 bits and end below.*multiply"):
                data.read_image(tmp_path / name)
        else:
            found = data.read_image(tmp_path / name)
            np.testing.assert_array_equal(found, values[..., :3] // 256)


def png(values):
    """A PNG of uint16 `(H, W, 3 or 4)`."""
    height, width, colours = values.shape
    kind = {3: 2, 4: 6}[colours]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    whole = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def tiff(values):
    """A TIFF of uint16 `(H, W, 3 or 4)`, little-endian, in one strip; a fourth colour is alpha."""
    height, width, colours = values.shape
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, colours, 200), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 2), (273, 4, 1, 300), (277, 3, 1, colours), (278, 3, 1, height)]
    tags += [(279, 4, 1, values.nbytes), *([(338, 3, 1, 2)] if colours == 4 else [])]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    head += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    head = head.ljust(200, b"\0") + struct.pack(f"<{colours}H", *[16] * colours)
    return head.ljust(300, b"\0") + values.astype("<u2").tobytes()
