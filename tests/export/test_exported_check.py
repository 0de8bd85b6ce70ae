"""The command `export` with `--check`: the table, against scores that are known otherwise."""

import json

import pytest
from small_models import saved

from unet_tf import export, predict
from unet_tf.cli import commands
from unet_tf.export.check import pairs_to_check, spread


def run(*arguments):
    return commands.main(["export", *map(str, arguments)])


@pytest.mark.slow
def test_the_table_says_dice_before_and_after(tmp_path, folder, capsys):
    model = saved(tmp_path / "small.keras", threshold=0.4)
    pytest.importorskip("ai_edge_litert")
    files = [tmp_path / "out/a.keras", tmp_path / "out/saved", tmp_path / "out/a.tflite"]
    options = "--quantize", "int8", "--check", folder, "--json", tmp_path / "out/table.json"
    assert run(tmp_path / "small.keras", "--to", *files, *options) == 0
    out = capsys.readouterr().out
    assert f"24 images of {folder}" in out and "| a-int8.tflite | LiteRT" in out
    rows = json.loads((tmp_path / "out/table.json").read_text())["rows"]
    names = ["the model", "a.keras", "saved", "a.tflite", "a-int8.tflite"]
    assert [one["file"] for one in rows] == names
    own = predict.scored(model, folder)["dice"]  # by another way
    for one in rows[:4]:
        assert one["dice"] == pytest.approx(own, abs=1e-4)
        assert one["difference"] < 1e-4 and one["bytes"] > 1000
        low, high = one["images_a_second"]["range"]
        assert 0 < low <= one["images_a_second"]["median"] <= high
    assert rows[4]["difference"] > 1e-3


@pytest.mark.slow
def test_a_loss_of_more_than_a_hundredth_is_said(tmp_path, folder):
    model = saved(tmp_path / "small.keras")
    other = saved(tmp_path / "other.keras", image_size=(16, 24), threshold=0.5)
    weights = other.model.get_weights()
    other.model.set_weights([*weights[:-1], weights[-1] - 9])  # it finds nothing
    path = export.export(other, tmp_path / "nothing.keras")
    pairs, _ = pairs_to_check(model, folder)
    rows = export.check(model, [path], pairs)
    assert rows[0]["dice"] > 0.1 and rows[1]["dice"] == 0
    assert "nothing.keras loses" in export.table(rows)
    assert "loses" not in export.table(rows[:1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--quantize", "int8"), "int8 is calibrated on images of --check DIR"),
        (("--json", "a.json"), "--json keeps the table of --check DIR"),
        (("--quantize", "dynamic"), "--quantize is for .onnx and .tflite"),
        (("--to", "a.keras", "a.pb"), "a.pb: end it in"),
        (("--to", "small.keras"), "small.keras: that is the model itself"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, options, words):
    saved(tmp_path / "small.keras")
    before = (tmp_path / "small.keras").read_bytes()
    assert run(tmp_path / "small.keras", "--to", "a.keras", *options) == 1
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["small.keras"]
    assert (tmp_path / "small.keras").read_bytes() == before


def test_what_is_taken_is_spread_evenly():
    assert spread(list(range(10)), 3) == [0, 3, 6]
    assert spread([1, 2], 5) == [1, 2]
    assert spread([], 5) == []
