"""The folder's doctor: folders broken in many ways, and whole ones."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, doctor, rendered

TABLE = "name,r,g,b\ngrass,0,128,0\nroad,128,64,128\nvoid,0,0,0\n"


def folder_of(path, count=24, ids=3, places=("images", "masks"), start=0):
    """Pairs of 20x16 (width x height): noise, each its own, and a mask of `ids` equal columns."""
    rng = np.random.default_rng(start)
    for place in places:
        (path / place).mkdir(parents=True)
    columns = np.sort(np.arange(20) % ids).astype("uint8")
    for number in range(start, start + count):
        image = rng.integers(60, 200, (16, 20, 3), dtype="uint8")
        Image.fromarray(image).save(path / places[0] / f"a{number}.jpg")
        Image.fromarray(np.tile(columns, (16, 1))).save(path / places[1] / f"a{number}.png")
    return path


def remade(path, function, numbers=range(24)):
    """Save `function(values)` in place of those masks."""
    for number in numbers:
        file = path / f"masks/a{number}.png"
        Image.fromarray(function(np.asarray(Image.open(file)))).save(file)


def finding(report, level, what):
    """The one finding of that level whose sentence holds `what`; it stands in the text, too."""
    [found] = [f for f in report.findings if f.level == level and what in f.what]
    assert found.remedy
    text = " ".join(report.text().split())
    assert f"{level}: {found.what}" in text
    assert " ".join(found.remedy.split()) in text
    assert str(found.cases[0]) in text
    return found


def coloured(ids, colours=((0, 128, 0), (128, 64, 128), (0, 0, 0))):
    return np.array(colours, "uint8")[ids]


@pytest.fixture
def folder(tmp_path):
    return folder_of(tmp_path / "mine")


def test_a_healthy_folder(folder):
    report = doctor.check(folder)
    assert report.findings == []
    assert report.status == 0
    assert report.counts == {"all": (24, 24, 24)}
    assert report.classes.names == ("0", "1", "2")
    # 20 columns in three: 7, 7 and 6 of 16 pixels, in each of 24 masks
    assert report.pixels["all"][:4].tolist() == [7 * 384, 7 * 384, 6 * 384, 0]
    lines = report.text().splitlines()
    assert lines[0] == f"{folder}: ready for training; nothing to note"
    assert "image sizes (height x width): 16x20: 24" in lines
    assert "0   0      35.00%" in lines


@pytest.mark.slow
def test_rendered_cars(tmp_path):
    folder = rendered.write(
        "cars", tmp_path / "cars", cars=5, test_cars=0, size=(48, 32), progress=False
    )
    report = doctor.check(folder)
    assert {f.level for f in report.findings} == {"note"}
    assert "likely groups" in report.text() and "(16 images)" in report.text()
    assert report.text().splitlines()[0].startswith(f"{folder} (rendered, no photographs): ready")
    assert report.status == 0


def test_class_colours_with_a_table(folder):
    (folder / "classes.csv").write_text(TABLE)
    remade(folder, coloured)
    report = doctor.check(folder)
    assert [(f.level, f.what, f.cases) for f in report.findings] == [
        ("note", "void", ["30.00% of the pixels"])
    ]
    assert report.classes.names == ("grass", "road")
    assert report.pixels["all"][[0, 1, 255]].tolist() == [7 * 384, 7 * 384, 6 * 384]
    assert any(
        line.startswith("1    road   128,64,128  35.00%") for line in report.text().split("\n")
    )


@pytest.mark.parametrize(
    "ending, mode", [("jpg", "RGB"), ("png", "RGB"), ("tiff", "RGB"), ("gif", "L")]
)
@pytest.mark.parametrize("lost", [1, 2, 400])
def test_truncated_files(folder, ending, mode, lost):
    path = folder / f"images/a3.{ending}"
    image = Image.open(folder / "images/a3.jpg").convert(mode).resize((20, 16))
    (folder / "images/a3.jpg").unlink()
    image.save(path)
    path.write_bytes(path.read_bytes()[:-lost])
    report = doctor.check(folder)
    assert finding(report, "error", "cannot be read").cases[0].startswith(f"images/a3.{ending}: ")
    assert report.status == 1


def test_broken_in_the_middle_or_no_image(folder):
    path = folder / "masks/a5.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:45] + bytes(8) + whole[53:])  # beginning and end are right
    (folder / "images/a7.jpg").write_bytes(b"")
    (folder / "images/a9.jpg").write_text("<html>")
    cases = finding(doctor.check(folder), "error", "cannot be read").cases
    assert [case.split(":")[0] for case in cases] == [
        "masks/a5.png",
        "images/a7.jpg",
        "images/a9.jpg",
    ]
    assert all(case.split(": ")[1] for case in cases)


def test_a_reason_is_not_taken_from_the_words_of_an_error(folder):
    """This name stands in the error twice, and with the words that a remedy begins with."""
    odd = "b. Replace b.png: c"
    for place, ending in (("images", "jpg"), ("masks", "png")):
        (folder / place / f"a3.{ending}").rename(folder / place / f"{odd}.{ending}")
    path = folder / f"masks/{odd}.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:45] + bytes(8) + whole[53:])
    with pytest.raises(data.Unreadable) as caught:
        data.open_image(path)
    assert str(caught.value).startswith(f"{path}: {caught.value.reason}. Replace the file")
    cases = finding(doctor.check(folder), "error", "cannot be read").cases
    assert cases == [f"masks/{odd}.png: {caught.value.reason}"]


def test_names(folder):
    (folder / "images/a1.jpg").unlink()
    (folder / "masks/a2.png").rename(folder / "masks/b2.png")
    Image.new("L", (20, 16)).save(folder / "masks/a3_mask.gif")
    (folder / "masks/a4.npy").write_bytes(b"")
    report = doctor.check(folder)
    assert finding(report, "error", "images without a mask").cases == ["images/a2.jpg"]
    alone = finding(report, "error", "masks without an image")
    assert alone.cases == ["masks/a1.png", "masks/b2.png"] and "car7_mask.png" in alone.remedy
    assert finding(report, "error", "the same name twice").cases == ["a3.png and a3_mask.gif"]
    assert finding(report, "note", "not read").cases == ["masks/a4.npy"]
    assert report.status == 1


def test_empty_folders(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    report = doctor.check(tmp_path)
    assert finding(report, "error", "no pairs").cases == ["0 images in images, 0 masks in masks"]
    report.picture(tmp_path / "picture.png")


def test_sizes(folder):
    Image.new("L", (16, 20)).save(folder / "masks/a4.png")
    Image.new("RGB", (30, 16), "red").save(folder / "images/a6.jpg")
    Image.new("L", (30, 16)).save(folder / "masks/a6.png")
    report = doctor.check(folder)
    wrong = finding(report, "error", "another size than their image")
    assert wrong.cases == ["masks/a4.png 20x16, its image 16x20"] and "nearest" in wrong.remedy
    assert finding(report, "note", "another size than most").cases == ["images/a6.jpg 16x30"]


def test_mixed_masks(folder):
    remade(folder, lambda ids: (ids > 0).astype("uint8"))
    assert doctor.check(folder).findings == []
    remade(folder, lambda ids: ids * 255, [2, 3])
    report = doctor.check(folder)
    assert finding(report, "error", "mixed masks").cases == ["masks/a2.png", "masks/a3.png"]
    assert report.status == 1


def test_void_beside_ids_is_no_mixture_but_named(folder):
    remade(folder, lambda ids: np.where(ids == 2, 255, 0).astype("uint8"), [2])
    remade(folder, lambda ids: np.where(ids == 2, 255, ids).astype("uint8"), [3])
    report = doctor.check(folder)
    assert report.status == 0
    alone = finding(report, "warning", "masks of 0 and 255 alone, beside masks of ids")
    assert alone.cases == ["masks/a2.png"] and "check that it is meant" in alone.remedy


def test_black_and_white_for_many_classes(folder):
    remade(folder, lambda ids: ((ids > 0) * 255).astype("uint8"))
    assert doctor.check(folder).classes.names == ("background", "foreground")
    assert doctor.check(folder, ["sky", "land"]).status == 0
    report = doctor.check(folder, ["sky", "land", "sea"])
    found = finding(report, "error", "0 and 255 alone, for 3 classes")
    assert len(found.cases) == 24 and found.cases[0] == "masks/a0.png"


def test_labels_beyond_the_classes(folder):
    report = doctor.check(folder, ["sky", "land"])
    # 2 stands in 6 of 20 columns of 16 rows in 24 masks
    found = finding(report, "error", "none of the 2 classes")
    assert found.cases == ["2 in masks/a0.png (2304 pixels in 24 masks)"]
    assert "0 to 1" in found.remedy
    assert report.status == 1


def test_unknown_colours(folder):
    (folder / "classes.csv").write_text(TABLE)
    remade(folder, coloured)
    remade(folder, lambda mask: np.where(mask == 64, 70, mask).astype("uint8"), [5, 9])
    report = doctor.check(folder)
    found = finding(report, "error", "none of the 2 classes")
    assert found.cases == [
        "(128, 70, 128) in masks/a5.png (224 pixels in 2 masks, nearest class road)"
    ]
    assert "table" in found.remedy
    # road has 7 of 20 columns in 22 masks, void 6 in all 24; what is unknown is neither
    assert report.pixels["all"][[1, 255]].tolist() == [7 * 16 * 22, 6 * 16 * 24]


def test_soft_masks(folder):
    def soft(ids):
        return np.linspace(0, 255, ids.size).reshape(ids.shape).astype("uint8")

    remade(folder, soft, [4])
    for number, quality in ((6, 60), (8, 95)):
        path = folder / f"masks/a{number}.png"
        mask = Image.open(path).point(lambda value: value * 100)
        path.unlink()
        mask.save(path.with_suffix(".jpg"), quality=quality)
    report = doctor.check(folder)
    found = finding(report, "error", "JPEGs")
    assert [case.split(" (")[0] for case in found.cases] == [
        "masks/a4.png",
        "masks/a6.jpg",
        "masks/a8.jpg",
    ]
    assert found.cases[0] == "masks/a4.png (256 values)"
    assert "PNG" in found.remedy
    assert report.classes.names == ("0", "1", "2")  # of the masks that are sharp


def test_greys_that_are_no_ids(folder):
    remade(folder, lambda ids: ids * 100)
    report = doctor.check(folder)
    found = finding(report, "error", "no class ids")
    assert found.cases == ["100 in masks/a0.png", "200 in masks/a0.png"]
    assert report.classes is None
    (folder / "classes.csv").write_text("name,r,g,b\na,0,0,0\nb,100,100,100\nc,200,200,200")
    assert doctor.check(folder).findings == []  # as the remedy says


def test_colours_without_a_table(folder):
    remade(folder, coloured)
    report = doctor.check(folder)
    found = finding(report, "note", "without a class table")
    assert found.cases == ["0,0,0 (30.00%)", "0,128,0 (35.00%)", "128,64,128 (35.00%)"]
    assert "label_class_dict.csv" in found.remedy and "name,r,g,b" in found.remedy
    remade(folder, lambda mask: mask[..., 0], [3])
    assert "RGB" in finding(doctor.check(folder), "error", "another kind").what


def test_too_many_colours_together(folder):
    for number in range(24):
        remade(folder, lambda ids, shift=number * 5: coloured(ids) + np.uint8(shift), [number])
    report = doctor.check(folder)
    assert len(finding(report, "error", "too many for classes").cases) > 64
    assert report.status == 1


def test_palettes(folder):
    for number in (1, 2):
        image = Image.open(folder / f"masks/a{number}.png").convert("P")
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255] if number == 1 else [0, 0, 0, 9, 9, 9])
        image.save(folder / f"masks/a{number}.png")
    report = doctor.check(folder)
    assert len(finding(report, "note", "palette").cases) == 2
    found = finding(report, "warning", "another colour")
    assert found.cases == ["masks/a2.png (1 is (9, 9, 9), not (255, 0, 0))"]
    assert report.classes.names == ("0", "1", "2")
    assert report.status == 0


def test_rare_absent_void_and_black(folder):
    (folder / "classes.csv").write_text(TABLE + "sea,0,0,9\nlight,9,9,0\n")
    remade(folder, lambda ids: np.zeros_like(ids))
    remade(folder, lambda ids: np.tile(np.array([255] * 12 + [1] * 8, "uint8"), (16, 1)), range(20))
    dot = np.ones((16, 20), "uint8")
    dot[0, :2] = 3
    remade(folder, lambda ids: dot, [0])
    report = doctor.check(folder)
    # 19 masks of 8 x 16 road, four of 320 grass, one of 318 road and 2 light
    assert finding(report, "warning", "less than 0.5%").cases == [f"light {2 / 4032:.2%}"]
    assert "weights" in finding(report, "warning", "less than 0.5%").remedy
    assert finding(report, "warning", "never occur").cases == ["sea"]
    assert finding(report, "note", "void").cases == [f"{19 * 12 * 16 / 7680:.2%} of the pixels"]
    assert finding(report, "note", "all black").cases == [f"masks/a{n}.png" for n in range(20, 24)]
    remade(folder, lambda ids: np.zeros_like(ids))
    report = doctor.check(folder)
    assert finding(report, "error", "fewer than two classes").cases == ["grass"]
    assert report.status == 1


def test_images(folder):
    image = Image.open(folder / "images/a1.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "images/a1.jpg", exif=exif)
    for number, odd in (
        (2, Image.new("RGB", (20, 16), (3, 3, 3))),
        (3, Image.fromarray(np.full((16, 20), 2**14, "uint16"))),
        (4, Image.new("RGBA", (20, 16), "red")),
    ):
        (folder / f"images/a{number}.jpg").unlink()
        odd.save(folder / f"images/a{number}.png")
    report = doctor.check(folder)
    # Turned by a quarter it is 20x16, so its mask was drawn on the stored pixels.
    assert finding(report, "note", "EXIF").cases == ["images/a1.jpg"]
    assert finding(report, "error", "another size").cases == ["masks/a1.png 16x20, its image 20x16"]
    dark = ["images/a2.png", "images/a3.png", "images/a4.png"]
    assert finding(report, "note", "very dark").cases == dark
    assert finding(report, "note", "8 bits").cases == ["images/a3.png"]
    assert finding(report, "note", "alpha").cases == ["images/a4.png"]
    assert "modes of images: RGB: 22, I;16: 1, RGBA: 1" in report.text()


def test_few_images_and_groups(tmp_path):
    folder = folder_of(tmp_path / "mine", 10)
    assert finding(doctor.check(folder), "warning", "few pairs").cases == ["10 pairs"]
    for number in range(10):
        for path in folder.glob(f"*/a{number}.*"):
            path.rename(path.with_stem(f"patient{number // 5}_slice{number % 5}"))
    found = finding(doctor.check(folder), "warning", "likely groups")
    assert found.cases == ["patient0 (5 images)", "patient1 (5 images)"]
    for number in range(10):
        for path in folder.glob(f"*/patient{number // 5}_slice{number % 5}.*"):
            path.rename(path.with_stem(f"case{number // 2}_slice{number % 2}"))
    assert len(finding(doctor.check(folder), "note", "likely groups").cases) == 5


@pytest.mark.parametrize("inner", ["", "tiff"])
def test_given_parts(tmp_path, inner):
    for part, start in (("train", 0), ("val", 50), ("test", 80)):
        folder_of(tmp_path / inner, 22, places=(part, f"{part}_labels"), start=start)
    (tmp_path / "label_class_dict.csv").write_text("name,r,g,b\na,9,0,0\nb,0,9,0\nc,0,0,9\n")
    report = doctor.check(tmp_path)
    assert report.findings == []
    assert report.counts == {part: (22, 22, 22) for part in ("train", "val", "test")}
    assert report.classes.names == ("a", "b", "c")

    place = tmp_path / inner
    (tmp_path / "label_class_dict.csv").open("a").write("d,9,9,9\n")
    (place / "train/a10.jpg").write_bytes((place / "train/a0.jpg").read_bytes())
    (place / "val/a50.jpg").write_bytes((place / "train/a1.jpg").read_bytes())
    for old, new in (("train{}/a2", "train{}/x1_01"), ("test{}/a81", "test{}/x1_02")):
        for kind, ending in (("", ".jpg"), ("_labels", ".png")):
            (place / (old.format(kind) + ending)).rename(place / (new.format(kind) + ending))
    for path in (place / "val_labels").iterdir():
        Image.fromarray(np.minimum(np.asarray(Image.open(path)), 1)).save(path)
    (place / "test_labels/a80.png").unlink()
    report = doctor.check(tmp_path)
    assert finding(report, "warning", "more than once").cases == [
        "train/a1.jpg = val/a50.jpg (in two parts)",
        "train/a0.jpg = train/a10.jpg",
    ]
    assert finding(report, "warning", "stand in two parts").cases == ["x1"]
    assert finding(report, "note", "do not occur in val").cases == ["c"]
    assert finding(report, "warning", "never occur").cases == ["d"]
    assert finding(report, "error", "without a mask").cases == ["test/a80.jpg"]


def test_zips(folder):
    for name in ("images", "masks"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for path in sorted((folder / name).iterdir()):
                archive.write(path, f"{name}/{path.name}")
                path.unlink()
        (folder / name).rmdir()
    assert doctor.check(folder).counts == {"all": (24, 24, 24)}


def test_no_images_and_masks(tmp_path):
    with pytest.raises(ValueError, match="images \\+ masks"):
        doctor.check(tmp_path)


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGB", "RGBA", "I;16"])
def test_counts_agree_with_values_of(tmp_path, mode):
    values = np.random.default_rng(0).integers(0, 2 if mode == "1" else 5, (16, 20))
    if mode == "I;16":
        Image.fromarray((values * 500).astype("uint16")).save(tmp_path / "mask.png")
    else:
        scaled = Image.fromarray((values * 60).astype("uint8"))
        scaled.convert(mode).save(tmp_path / "mask.png")
    read = data.values_of(tmp_path / "mask.png")
    found, counts = data.counted(data.drawn(data.open_image(tmp_path / "mask.png")))
    expected, times = np.unique(read.reshape(320, -1), axis=0, return_counts=True)
    flat = found.reshape(len(found), -1)
    order = np.lexsort(flat.T[::-1])
    np.testing.assert_array_equal(flat[order], expected)
    np.testing.assert_array_equal(counts[order], times)


@pytest.mark.parametrize("kind", ["ids", "two", "coloured", "untold"])
def test_picture(folder, tmp_path, kind):
    change = {"two": lambda ids: ids // 2, "coloured": coloured, "untold": lambda ids: ids * 100}
    if kind != "ids":
        remade(folder, change[kind])
    Image.new("RGB", (40, 16)).save(folder / "images/a1.jpg")  # its mask differs in size
    doctor.check(folder).picture(tmp_path / "picture.png")
    picture = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB")).reshape(-1, 3)
    colours = {
        "ids": [(128, 0, 0), (0, 128, 0)],
        "two": [(255, 255, 255)],
        "coloured": [(0, 128, 0), (128, 64, 128)],
        "untold": [(127, 127, 127), (255, 255, 255)],
    }[kind]
    for colour in colours:  # each mask of them stands 150 pixels wide
        assert (picture == colour).all(axis=1).sum() > 1000


def test_a_report_is_marked_as_rendered(folder):
    (folder / "rendered.json").write_text(json.dumps({"rendered": "yes"}))
    assert "(rendered, no photographs)" in doctor.check(folder).text().splitlines()[0]


def test_what_leaving_out_cures_and_what_not(folder):
    (folder / "masks/a3.png").unlink()
    report = doctor.check(folder)
    assert report.status == 1 and report.left_out() == ["images/a3.jpg"]
    assert report.without_cured().status == 0
    whole = report.whole_pairs()["all"]
    assert len(whole) == 23 and all(pair.image.stem != "a3" for pair in whole)
    remade(folder, lambda ids: ((ids > 0) * 255).astype("uint8"), [5])
    assert doctor.check(folder).without_cured().status == 1  # a mixed mask stays an error


def test_black_and_white_is_told_from_two_classes(folder):
    assert not doctor.check(folder).black_and_white()  # ids 0, 1, 2
    for white in (1, 255):
        remade(folder, lambda ids: ((ids > 0) * white).astype("uint8"))  # noqa: B023
        assert doctor.check(folder).black_and_white()
    for path in (folder / "masks").iterdir():  # red and blue: two colours, no black
        mask = np.asarray(Image.open(path))[..., None] > 0
        Image.fromarray(np.where(mask, (255, 0, 0), (0, 0, 255)).astype("uint8")).save(path)
    report = doctor.check(folder)
    assert len(report.classes.names) == 2 and not report.black_and_white()


@pytest.mark.parametrize(
    ("palette", "answer"), [("0 0 0 255 255 255", 1), ("255 255 255 0 0 0", 0), ("0 0 0 0 0 0", 0)]
)
def test_a_palette_must_show_what_the_indices_say(folder, palette, answer):
    remade(folder, lambda ids: (ids > 0).astype("uint8"))
    for path in (folder / "masks").iterdir():
        mask = Image.open(path).convert("P")
        mask.putpalette([int(number) for number in palette.split()])
        mask.save(path)
    assert doctor.check(folder).black_and_white() == bool(answer)
