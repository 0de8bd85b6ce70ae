"""Regions that count are no strangers in a folder, and are looked at before anything is trained."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import doctor
from unet_tf.cli import commands


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        pixels = np.zeros((16, 16), "uint8")
        pixels[4:8, 4 : 8 + number] = 255
        for kind, shown in (("images", pixels // 2 + number), ("masks", pixels), ("fov", 255)):
            (tmp_path / kind).mkdir(exist_ok=True)
            whole = np.broadcast_to(np.asarray(shown, "uint8"), (16, 16))
            Image.fromarray(whole).save(tmp_path / kind / f"{number}.png")
    return tmp_path


def test_regions_that_are_given_are_used(folder):
    unused = [one.cases for one in doctor.check(folder).findings if one.what == "not used"]
    assert unused == [["fov (6 images)"]]
    report = doctor.check(folder, region="fov")
    assert report.status == 0 and not [one for one in report.findings if one.what == "not used"]


def test_regions_that_do_not_fit_are_found_before_training(folder, capsys):
    Image.new("L", (16, 16)).save(folder / "fov/2.png")
    Image.new("L", (8, 16), 255).save(folder / "fov/3.png")
    (finding,) = [
        one for one in doctor.check(folder, region="fov").findings if one.level == "error"
    ]
    assert "2.png: this region is all black" in finding.cases[0]
    assert "3.png: this region and its mask differ in size (16x8 and 16x16" in finding.cases[1]
    command = ["train", "--data", str(folder), "--to", str(folder / "run"), "--region", "fov"]
    assert commands.main([*command, "--minutes", "1"]) == 1
    out = capsys.readouterr()
    assert "all black" in out.out and "The plan" not in out.out and "mend" in out.err


def test_the_command_check_looks_at_regions_too(folder, capsys):
    assert commands.main(["check", str(folder)]) == 0
    assert "not used: fov (6 images)" in capsys.readouterr().out
    assert commands.main(["check", str(folder), "--region", "fov"]) == 0
    assert "not used" not in capsys.readouterr().out
    Image.new("L", (16, 16)).save(folder / "fov/2.png")
    assert commands.main(["check", str(folder), "--region", "fov/*.png"]) == 1
    assert "2.png: this region is all black" in " ".join(capsys.readouterr().out.split())
    assert commands.main(["check", str(folder), "--region", "nowhere"]) == 1
    assert "there are no images of regions (--region)" in capsys.readouterr().err
