"""Class tables, and masks of many classes in every encoding."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import data
from unet_tf.data import VOID, Labels
from unet_tf.data.find_labels import grey_values, labels_of_masks

ROADS = Labels(("sky", "road", "car"), ((0, 0, 0), (128, 64, 128), (0, 0, 142)), (224, 224, 192))
TWO = Labels(("background", "building"), ((0, 0, 0), (255, 255, 255)))


def save(path, pixels, **options):
    Image.fromarray(np.array(pixels, "uint8")).save(path, **options)
    return path


def test_a_table_is_read_with_void_by_its_name(tmp_path):
    path = tmp_path / "class_dict.csv"
    path.write_text(
        "\ufeffName, R ,G,B\nsky,0,0,0\nvoid,224,224,192\nroad,128,64,128\ncar,0,0,142\n"
    )
    assert data.read_table(path) == ROADS
    assert data.table_of(tmp_path) == ROADS
    assert data.table_of(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "text, problem",
    [
        ("name,r,g\nsky,0,0\nroad,1,1\n", "line 2: expected the columns name,r,g,b"),
        ("name,r,g,b\nsky,0,0,0\nroad,1,x,1\n", "line 3: expected"),
        ("name,r,g,b\nsky,0,0,0\nroad,1,1,256\n", "line 3: (1, 1, 256) is no colour"),
        ("name,r,g,b\nsky,0,0,0\nroad,0,0,0\n", "line 3: road (0, 0, 0) is there twice"),
        ("name,r,g,b\nvoid,0,0,0\nroad,0,0,0\n", "line 3: road (0, 0, 0) is there twice"),
        ("name,r,g,b\nvoid,0,0,0\nunlabelled,1,0,0\n", "line 3: void (1, 0, 0) is there twice"),
        ("name,r,g,b\nsky,0,0,0\n", "1 classes; expected 2 to 254"),
    ],
)
def test_a_wrong_table_is_refused_by_its_line(tmp_path, text, problem):
    path = tmp_path / "classes.csv"
    path.write_text(text)
    with pytest.raises(ValueError) as caught:
        data.read_table(path)
    assert problem in str(caught.value) and "classes.csv" in str(caught.value)


def test_colours_become_ids_exactly(tmp_path):
    colours = [[(0, 0, 0), (128, 64, 128)], [(0, 0, 142), (224, 224, 192)]]
    path = save(tmp_path / "a.png", colours)
    assert ROADS.read(path).tolist() == [[0, 1], [2, VOID]]
    assert ROADS.read(path).dtype == np.uint8
    alpha = np.dstack([np.array(colours, "uint8"), np.full((2, 2), 7, "uint8")])
    assert ROADS.read(save(tmp_path / "b.png", alpha)).tolist() == [[0, 1], [2, VOID]]
    tiff = save(tmp_path / "c.tif", colours, compression="tiff_deflate")
    assert ROADS.read(tiff).tolist() == [[0, 1], [2, VOID]]


def test_colours_by_a_plain_loop(tmp_path):
    rng = np.random.default_rng(0)
    table = Labels(
        tuple("abcdefg"), tuple(tuple(int(v) for v in row) for row in rng.integers(0, 256, (7, 3)))
    )
    ids = rng.integers(0, 7, (31, 17))
    path = save(tmp_path / "a.png", [[table.colours[i] for i in row] for row in ids])
    assert (table.read(path) == ids).all()


def test_an_unknown_colour_is_named_with_its_count_and_the_nearest_class(tmp_path):
    path = save(tmp_path / "odd.png", [[(0, 0, 0), (127, 64, 128)], [(127, 64, 128), (1, 0, 142)]])
    with pytest.raises(ValueError) as caught:
        ROADS.read(path)
    text = str(caught.value)
    assert "odd.png: 3 pixels are of none of the 3 classes" in text
    assert "(127, 64, 128) (2 pixels, nearest: road); (1, 0, 142) (1 pixels, nearest: car)" in text


def test_grey_and_palette_masks_hold_ids(tmp_path):
    plain = Labels(("sky", "road", "car"))
    grey = save(tmp_path / "grey.png", [[0, 1], [2, 255]])
    assert plain.read(grey).tolist() == ROADS.read(grey).tolist() == [[0, 1], [2, VOID]]
    palette = Image.fromarray(np.array([[0, 1], [2, 255]], "uint8")).convert("P")
    palette.putpalette([number % 251 for number in range(768)])
    palette.save(tmp_path / "palette.png")
    assert plain.read(tmp_path / "palette.png").tolist() == [[0, 1], [2, VOID]]
    wide = Image.fromarray(np.array([[0, 1], [2, 2]], "uint16"))
    wide.save(tmp_path / "wide.png")
    assert plain.read(tmp_path / "wide.png").tolist() == [[0, 1], [2, 2]]
    with pytest.raises(ValueError, match="3 \\(1 pixels\\)"):
        plain.read(save(tmp_path / "beyond.png", [[0, 3]]))
    with pytest.raises(ValueError, match="1 pixels are of none"):  # colours want a table
        plain.read(save(tmp_path / "rgb.png", [[(1, 1, 1)]]))


def test_greys_of_the_table_are_told_from_ids_once_a_folder(tmp_path):
    REVERSED = Labels(("building", "ground"), ((255, 255, 255), (0, 0, 0)))
    white, black = (save(tmp_path / f"{n}.png", [[0, n]]) for n in (255, 0))
    ids = save(tmp_path / "ids.png", [[0, 1]])

    def told(classes_, *paths):
        return data.with_greys(classes_, grey_values(paths))

    assert told(TWO, white).read(white).tolist() == [[0, 1]]
    assert told(REVERSED, black, white).read(black).tolist() == [[1, 1]]
    assert told(REVERSED, black, white).read(white).tolist() == [[1, 0]]
    assert told(TWO, ids).read(ids).tolist() == [[0, 1]]  # no grey of the table: an id
    assert not told(TWO, black, ids).greys and not told(TWO).greys
    assert told(ROADS, ids) == ROADS  # its greys 0 and 0 could be ids
    odd = save(tmp_path / "odd.png", [[0, 128]])
    with pytest.raises(ValueError, match=r"\(128, 128, 128\) \(1 pixels, nearest: building\)"):
        told(TWO, white).read(odd)
    sky = Labels(("sky", "road", "car"), ((128, 128, 128), (1, 0, 0), (2, 0, 0)))
    id_masks = [save(tmp_path / f"{n}_.png", [[0, 1, n, 255]]) for n in (1, 2)]
    assert told(sky, *id_masks).read(id_masks[1]).tolist() == [[0, 1, 2, VOID]]
    deep = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 65535]], "uint16")).save(deep)
    assert told(TWO, deep).read(deep).tolist() == [[0, 1]]


def test_classes_from_masks(tmp_path):
    ids = [save(tmp_path / f"{n}.png", [[0, n, 255]]) for n in (1, 3)]
    assert labels_of_masks(ids) == Labels(("0", "1", "2", "3"))
    assert labels_of_masks(ids, ("a", "b", "c", "d", "e")).names == tuple("abcde")
    white = save(tmp_path / "white.png", [[0, 255]])
    found = labels_of_masks([white])
    assert found.names == ("background", "foreground") and found.read(white).tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="0 and 255 alone, for 3 classes"):
        labels_of_masks([white], ("a", "b", "c"))
    with pytest.raises(ValueError, match="masks hold the value 200: ids go from 0 to 63"):
        labels_of_masks([save(tmp_path / "far.png", [[0, 200]])])
    red = save(tmp_path / "red.png", [[(0, 0, 0), (255, 0, 0)]])
    found = labels_of_masks([red])
    assert found.names == ("#000000", "#ff0000") and found.read(red).tolist() == [[0, 1]]
    assert labels_of_masks([red], ("ground", "roof")).names == ("ground", "roof")
    with pytest.raises(ValueError, match="3 names for 2 colours"):
        labels_of_masks([red], ("a", "b", "c"))
    with pytest.raises(ValueError, match=r"red.png: some masks are coloured, others not"):
        labels_of_masks([white, red])
    soft = save(tmp_path / "soft.png", [list(range(200))])
    with pytest.raises(ValueError, match=r"soft.png: more than 64 values"):
        labels_of_masks([soft])


def test_the_table_goes_before_names_and_masks(tmp_path):
    (tmp_path / "classes.csv").write_text("name,r,g,b\nsky,0,0,0\nroad,128,64,128\n")
    mask = save(tmp_path / "a.png", [[0, 7]])
    parts = data.Split([data.Pair(mask, mask)], [], [])
    assert data.find_labels(tmp_path, parts).names == ("sky", "road")
    with pytest.raises(ValueError, match="its table names the classes sky, road"):
        data.find_labels(tmp_path, parts, ("sky", "way"))
    (tmp_path / "classes.csv").unlink()
    assert len(data.find_labels(tmp_path, parts).names) == 8


def test_saved_ids_come_back_and_show_their_colours(tmp_path):
    ids = np.array([[0, 1], [2, 255]], "uint8")
    data.save_ids(tmp_path / "a.png", ids, data.palette_of(ROADS))
    assert (ROADS.read(tmp_path / "a.png") == ids).all()
    shown = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert shown[0, 1].tolist() == [128, 64, 128] and shown[1, 1].tolist() == [224, 224, 192]


def test_a_written_table_reads_back(tmp_path):
    odd = Labels(("road, paved", 'a "b"'), ((224, 224, 192), (1, 2, 3)))
    for number, one in enumerate((ROADS, odd, Labels(("a", "b")))):
        data.write_table(tmp_path / f"{number}.csv", one)
        again = data.read_table(tmp_path / f"{number}.csv")
        assert again.names == one.names and again.colours == (one.colours or again.colours)
    latin = tmp_path / "classes.csv"
    latin.write_bytes("name,r,g,b\nstraße,0,0,0\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"classes.csv: not UTF-8"):
        data.table_of(tmp_path)


def test_the_palette_is_pascal_vocs():
    palette = data.palette_of(Labels(("a", "b")))
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        15: (192, 128, 128),
        255: (224, 224, 192),
    }
    assert all(tuple(palette[number]) == colour for number, colour in known.items())
