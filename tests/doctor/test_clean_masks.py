"""Clean masks from soft and numbered ones, and what a doctor says of them."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, doctor
from unet_tf.cli import commands
from unet_tf.files import UserError


@pytest.fixture
def soft(tmp_path):
    """Six images whose masks, a bright block, were saved as JPEGs."""
    for number in range(6):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
            pixels = np.zeros((24, 32), "uint8")
            pixels[4:16, 8 : 16 + number] = 255
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.jpg", quality=75)
    return tmp_path


def test_soft_masks_are_refused_with_a_command_that_mends_them(soft, capsys):
    report = doctor.check(soft)
    (finding,) = [one for one in report.findings if "JPEGs" in one.what]
    assert report.status == 1 and "--write-masks" in finding.remedy
    assert commands.main(["check", str(soft), "--write-masks", str(soft / "hard")]) == 0
    assert "6 masks written" in capsys.readouterr().out
    for number in range(6):
        expected = np.zeros((24, 32), "uint8")
        expected[4:16, 8 : 16 + number] = 1
        np.testing.assert_array_equal(data.read_mask(soft / f"hard/{number}.png"), expected)
    again = doctor.check(soft, patterns=("images/*.jpg", "hard/*.png"))
    assert again.status == 0 and again.black_and_white()
    with pytest.raises(UserError, match=r"0\.png is there already"):
        doctor.write_masks(report, soft / "hard")


def test_white_is_white_in_masks_of_three_channels_too(soft):
    """Twice 255 is no 8-bit number."""
    expected = {}
    for path in (soft / "masks").iterdir():
        mask = Image.open(path).convert("RGB")
        mask.save(path, quality=75)
        expected[path.stem] = np.asarray(mask)[..., 0] > 127
    doctor.write_masks(doctor.check(soft), soft / "hard")
    for stem, white in expected.items():
        np.testing.assert_array_equal(data.read_mask(soft / f"hard/{stem}.png"), white)


@pytest.mark.parametrize(("lossless", "status"), [(True, 0), (False, 1)])
def test_a_webp_is_as_good_as_a_png_where_it_is_lossless(soft, lossless, status):
    for file in list((soft / "masks").iterdir()):
        white = np.asarray(Image.open(file)) > 127
        Image.fromarray(white).save(file.with_suffix(".webp"), lossless=lossless)
        file.unlink()
    assert doctor.check(soft).status == status


def test_numbered_cells_become_one_foreground(tmp_path):
    for number in range(4):
        cells = np.zeros((20, 20), "uint16")
        cells[2:6, 2:6], cells[10:14, 4:9], cells[15:18, 15:18] = 1, 2 + number, 300 + number
        for kind, pixels in (("images", cells * 100), ("masks", cells)):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.png")
    report = doctor.check(tmp_path)
    assert report.status == 1
    assert any("--foreground any" in finding.remedy for finding in report.findings)
    doctor.write_masks(report, tmp_path / "one", "any")
    for number in range(4):
        expected = data.values_of(tmp_path / f"masks/{number}.png") > 0
        np.testing.assert_array_equal(data.read_mask(tmp_path / f"one/{number}.png"), expected)


def test_masks_that_are_all_void_count_as_such(tmp_path):
    """Beside masks of ids one that is 255 all over holds no white."""
    for number in range(6):
        ids = np.tile(np.array([0, 1, 2], "uint8"), (9, 3))
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
            pixels = np.full_like(ids, 255) if number == 5 and kind == "masks" else ids
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.png")
    report = doctor.check(tmp_path)
    assert report.status == 0
    assert report.classes.names == ("0", "1", "2") and report.pixels["all"][255] == 81


def test_objects_in_files_of_their_own_are_joined(tmp_path, capsys):
    """The Data Science Bowl's layout: a folder for each image, a mask for each cell."""
    place, expected = tmp_path / "stage1_train", {}
    for number in range(4):
        (place / f"i{number}/images").mkdir(parents=True)
        (place / f"i{number}/masks").mkdir()
        pixels = np.full((20, 24), 60 + number, "uint8")
        Image.fromarray(pixels).save(place / f"i{number}/images/i{number}.png")
        cells = np.zeros((3, 20, 24), "uint8")
        cells[0, 2:5, 3 : 6 + number], cells[1, 9:12, 9:14], cells[2, 15:18, 0:9] = 255, 255, 255
        for cell, mask in enumerate(cells):
            Image.fromarray(mask).save(place / f"i{number}/masks/{cell}.png")
        expected[f"i{number}"] = cells.any(axis=0)
    assert commands.main(["check", str(place)]) == 1
    assert "a mask for each object" in capsys.readouterr().err
    out = tmp_path / "joined"
    assert commands.main(["check", str(place), "--write-masks", str(out)]) == 0
    assert doctor.check(out).status == 0
    for image, mask in data.pair(out):
        np.testing.assert_array_equal(data.read_mask(mask), expected[image.stem])
    assert commands.main(["check", str(place), "--write-masks", str(out)]) == 1
    assert "give a new folder" in capsys.readouterr().err
    Image.new("L", (3, 3)).save(place / "i0/masks/0.png")
    with pytest.raises(UserError, match="masks of several sizes"):
        doctor.join_objects(data.objects_apart(place), tmp_path / "other")


def test_coloured_masks_saved_as_jpeg_get_the_colours_of_the_table(tmp_path, capsys):
    """Red, green and blue columns and a white one, void, on black: JPEG blurs their edges."""
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
    rows = zip(("ground", "rust", "moss", "sea", "void"), colours.tolist(), strict=True)
    lines = ["name,r,g,b", *(",".join([name, *map(str, rgb)]) for name, rgb in rows)]
    (tmp_path / "classes.csv").write_text("\n".join(lines))
    ids = np.tile(np.repeat([0, 1, 2, 3, 4], 16), (32, 1))
    for number in range(4):
        for kind, options in (("images", {}), ("masks", {"quality": 92, "subsampling": 0})):
            (tmp_path / kind).mkdir(exist_ok=True)
            pixels = colours[np.roll(ids, number, axis=1)].astype("uint8")
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.jpg", **options)
    command = ["check", str(tmp_path), "--write-masks", str(tmp_path / "hard")]
    assert commands.main(["check", str(tmp_path)]) == 1
    assert "the nearest colours of the folder's class table" in " ".join(
        capsys.readouterr().out.split()
    )
    assert commands.main(command) == 0
    report = doctor.check(tmp_path, patterns=("images/*.jpg", "hard/*.png"))
    assert report.status == 0 and report.classes.names == ("ground", "rust", "moss", "sea")
    for number in range(4):
        said = report.classes.read(tmp_path / f"hard/{number}.png")
        expected = np.where(np.roll(ids, number, axis=1) == 4, data.VOID, np.roll(ids, number, 1))
        assert np.mean(said != expected) < 0.01
    commands.main([*command[:-1], str(tmp_path / "white"), "--foreground", "any"])
    assert data.read_mask(tmp_path / "white/0.png").max() == 1
