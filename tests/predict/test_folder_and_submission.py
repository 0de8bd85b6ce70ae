"""Masks of many images, into a folder or a submission: broken ones, kills, other runs."""

import csv
import dataclasses
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unet_tf import data, predict, run_lengths
from unet_tf.cli import commands
from unet_tf.data import Card, Labels, read_image, read_resized, resized_back
from unet_tf.files import UserError
from unet_tf.predict.areas import areas_of, write_areas


def red(images, training=False):
    """A model that looks at each pixel alone: its red."""
    return np.asarray(images)[..., :1]


def test_tiles_of_flips_predict_files(photographs):
    paths = sorted(photographs.iterdir())
    model = predict.tiled(predict.flipped(red), (16, 24))
    masks = predict.predict(model, paths, image_size=None, batch_size=1)
    for path, mask in zip(paths, masks, strict=True):
        np.testing.assert_array_equal(mask, read_image(path)[..., 0] >= 128)


# --- which files


def test_images_of_files_folders_and_zips(photographs, tmp_path):
    (photographs / "notes.txt").write_text("no image")
    (photographs / "._photo0.png").write_text("of a Mac")
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.write(photographs / "photo1.png", "deep/inside/b.png")
        archive.write(photographs / "photo0.png", "a.png")
        archive.writestr("__MACOSX/._a.png", "of a Mac")
    single = tmp_path / "single.png"
    (photographs / "photo6.png").rename(single)
    found = list(predict.named([single, tmp_path / "some.zip", photographs]))
    assert [path.name for path in found] == [
        *("single.png", "a.png", "b.png"),
        *(f"photo{number}.png" for number in range(6)),
    ]
    np.testing.assert_array_equal(read_image(found[2]), read_image(photographs / "photo1.png"))


def test_files_that_cannot_be(photographs, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK and then nothing")
    for path, said in [
        (tmp_path / "nowhere", "no such file"),
        (tmp_path / "empty", "holds no images"),
        (tmp_path / "broken.zip", r"broken\.zip.*Download"),
    ]:
        with pytest.raises(ValueError, match=said):
            list(predict.named([path]))
    with pytest.raises(ValueError, match=r"photo1\.png: given twice"):
        list(predict.named([photographs, photographs / "photo1.png"]))
    Image.new("RGB", (4, 4)).save(photographs / "photo1.jpg")
    with pytest.raises(ValueError, match=r"photo1\.jpg and .*photo1\.png have one name"):
        list(predict.named([photographs]))


def test_subfolders_give_names_of_their_own(photographs, tmp_path):
    for place in ("a", "b/c", ".hidden", "masks"):
        (photographs / place).mkdir(parents=True)
        shutil.copy(photographs / "photo0.png", photographs / place / "photo0.png")
    (photographs / "masks/predict.json").write_text("{}")  # masks that were written here
    found = predict.named([photographs])
    places = {str(path.relative_to(photographs)): name for path, name in found.items()}
    nested = {f"{place}/photo0.png": f"{place}/photo0" for place in ("a", "b/c")}
    assert places == {**nested, **{f"photo{n}.png": f"photo{n}" for n in range(7)}}
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:  # from the shared folder on
        for name in ("test/x.png", "test/deep/y.png", "../test/z.png"):
            archive.write(photographs / "photo0.png", name)
    assert list(predict.named([tmp_path / "some.zip"]).values()) == ["z", "deep/y", "x"]
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("../x.png", "/x.png"):
            archive.write(photographs / "photo0.png", name)
    with pytest.raises(ValueError, match=r"x\.png and .*x\.png have one name"):
        predict.named([tmp_path / "two.zip"])


def test_folders_that_are_links_are_read_once_and_end(photographs, tmp_path):
    """As Colab and Kaggle lay out what is mounted; a link back to its own folder ends there."""
    (tmp_path / "all").mkdir()
    (tmp_path / "all/day1").symlink_to(photographs, target_is_directory=True)
    (photographs / "again").symlink_to(tmp_path / "all", target_is_directory=True)
    (photographs / "itself").symlink_to(photographs, target_is_directory=True)
    names = list(predict.named([tmp_path / "all"]).values())
    assert names == [f"day1/photo{n}" for n in range(7)]


# --- the stream


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_predictions_are_those_of_predict(photographs, batch_size):
    paths = sorted(photographs.iterdir())
    expected = list(predict.predict(red, paths, (16, 24)))

    def finish(path, answer, size):
        return resized_back(answer, size) >= 0.5

    stream = predict.predictions(red, paths, finish, (16, 24), batch_size=batch_size)
    for (path, mask), image, truth in zip(stream, paths, expected, strict=True):
        assert path == image
        np.testing.assert_array_equal(mask, truth)


def test_a_broken_image_is_passed_over_in_its_place(photographs):
    data = (photographs / "photo2.png").read_bytes()
    (photographs / "photo2.png").write_bytes(data[: len(data) // 2])
    (photographs / "photo6.png").write_text("no image")
    paths = sorted(photographs.iterdir())
    outcomes = list(predict.predictions(red, paths, lambda *_: "ok", (16, 24), batch_size=3))
    assert [path for path, _ in outcomes] == paths
    kinds = [isinstance(result, ValueError) for _, result in outcomes]
    assert kinds == [False, False, True, False, False, False, True]
    assert "photo2.png" in str(outcomes[2][1])


def test_what_is_no_broken_image_is_raised(photographs):
    def full_disk(path, answer, size):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        list(predict.predictions(red, sorted(photographs.iterdir()), full_disk, (16, 24)))


def test_reading_stays_a_few_batches_ahead(photographs, monkeypatch):
    paths = [photographs / "photo0.png"] * 200
    read = []
    reader = read_resized
    monkeypatch.setattr(data, "read_resized", lambda *way: read.append(1) or reader(*way))
    stream = predict.predictions(red, paths, lambda *_: None, (16, 24), batch_size=4)
    for taken, _ in enumerate(stream):
        assert len(read) <= taken + 4 * 5
    assert len(read) == 200


# --- the command


def run(*arguments):
    return commands.main(["predict", *map(str, arguments)])


def test_command_writes_masks_and_overlays(photographs, model_file, tmp_path, capsys):
    assert run(model_file, photographs, "--to", tmp_path / "masks", "--overlays") == 0
    expected = predict.predict(predict.load(model_file), sorted(photographs.iterdir()), (16, 24))
    for number, mask in enumerate(expected):
        with Image.open(tmp_path / f"masks/photo{number}.png") as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), mask * 255)
        with Image.open(tmp_path / f"masks/photo{number}_overlay.jpg") as overlay:
            assert overlay.size == mask.shape[::-1]
    assert "7 masks in" in capsys.readouterr().out
    assert not list((tmp_path / "masks").glob(".partial*"))


def test_subfolders_are_mirrored(photographs, model_file, tmp_path, capsys):
    """Two images of one name, each in its own folder; masks among them; a run that goes on."""
    for place in ("a", "b"):
        (photographs / place).mkdir()
        (photographs / f"photo{'ab'.index(place)}.png").rename(photographs / place / "photo.png")
    masks = photographs / "masks"
    for kept in range(2):
        assert run(model_file, photographs, "--to", masks, "--overlays") == 0
        assert "7 masks in" in capsys.readouterr().out
        found = sorted(str(path.relative_to(masks)) for path in masks.rglob("*.png"))
        assert found == ["a/photo.png", "b/photo.png", *(f"photo{n}.png" for n in range(2, 7))]
        if not kept:
            (masks / "a/photo.png").unlink()
    expected = predict.load(model_file).masks([photographs / "b/photo.png"])
    with Image.open(masks / "b/photo.png") as image:
        np.testing.assert_array_equal(np.asarray(image), next(expected) * 255)
    assert (masks / "b/photo_overlay.jpg").exists()
    assert run(model_file, photographs, "--to", photographs / "a") == 1
    assert "a holds images: give the masks a folder of their own" in capsys.readouterr().err
    assert run(model_file, photographs, "--rle", tmp_path / "rows.csv") == 1  # rows have bare names
    error = capsys.readouterr().err
    assert "a/photo.png and " in error and "b/photo.png have one name" in error


def test_a_table_of_areas(photographs, model_file, tmp_path):
    """Counted from the masks; complete behind a broken image, a stop and a run that goes on."""
    (photographs / "a,b").mkdir()
    (photographs / "photo3.png").rename(photographs / "a,b/c\udcff.png")
    whole = (photographs / "photo2.png").read_bytes()
    (photographs / "photo2.png").write_bytes(whole[:300])
    to = tmp_path / "masks"

    def counted():
        rows = {}
        for name in ("a,b/c\udcff", *(f"photo{n}" for n in range(7))):
            if (to / f"{name}.png").exists():
                with Image.open(to / f"{name}.png") as image:
                    mask = np.asarray(image) > 0
                shown = f"{name}.png".replace("\udcff", "\\udcff")
                rows[shown] = [str(mask.size), str(mask.sum()), f"{mask.sum() / mask.size:.6f}"]
        return rows

    def read():
        with open(to / "areas.csv", newline="") as file:
            head, *rows = csv.reader(file)
        assert head == ["image", "pixels", "car pixels", "car share"]
        return {name: cells for name, *cells in rows}

    assert run(model_file, photographs, "--to", to) == 1
    assert read() == counted() and len(counted()) == 6
    (photographs / "photo2.png").write_bytes(whole)
    names = predict.named([photographs])
    stopped = predict.to_folder(predict.load(model_file), list(names), to, names=names)
    next(stopped)
    stopped.close()
    assert not (to / "areas.csv").exists()  # no table that lacks some
    with Image.open(to / "photo5.png") as image:  # as masks were written before there was a table
        notes, mask = image.info, np.asarray(image)
    info = PngInfo()
    info.add_text("made of", notes["made of"])
    Image.fromarray(mask).save(to / "photo5.png", pnginfo=info)
    assert run(model_file, photographs, "--to", to) == 0
    assert read() == counted() and len(counted()) == 7
    assert 0 < int(read()["photo5.png"][1]) < mask.size
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/areas.csv").write_text("precious")
    assert run(model_file, photographs, "--to", tmp_path / "mine") == 1
    assert (tmp_path / "mine/areas.csv").read_text() == "precious"


def test_areas_of_many_classes_by_hand(tmp_path):
    labels = Labels(("sky", "road", "car"))
    mask = np.array([[0, 0, 2], [0, 0, 2]], "uint8")
    write_areas(tmp_path / "areas.csv", {"a.jpg": areas_of(mask, labels)}, labels)
    assert (tmp_path / "areas.csv").read_text() == (
        "image,pixels,sky pixels,sky share,road pixels,road share,car pixels,car share\n"
        "a.jpg,6,4,0.666667,0,0.000000,2,0.333333\n"
    )


@pytest.mark.parametrize(("channels", "behind"), [(1, "sigmoid"), (3, "softmax")])
def test_logits_are_refused(photographs, tmp_path, channels, behind, capsys):
    """On the command line and in Python; what the remedy says gives masks."""
    inputs = keras.Input((16, 24, 3))
    model = keras.Model(inputs, layers.Conv2D(channels, 1, bias_initializer="ones")(inputs))
    model.set_weights([np.full((1, 1, 3, channels), 5.0), np.full(channels, -3.0)])
    model.save(tmp_path / "logits.keras")
    assert run(tmp_path / "logits.keras", photographs, "--resize", "area", "--to", "masks") == 1
    error = capsys.readouterr().err
    assert "the model answers values from -" in error and f"Put a {behind} behind it" in error
    with pytest.raises(UserError, match="no probabilities"):
        list(predict.predict(model, photographs / "photo0.png", resize="area"))
    layer = keras.layers.Activation(behind)
    assert f'keras.layers.Activation("{behind}")(model.output)' in error
    keras.Model(model.input, layer(model.output)).save(tmp_path / "mended.keras")
    assert run(tmp_path / "mended.keras", photographs, "--resize", "area", "--to", "masks") == 0
    # A network of classes that was trained here, as one source wrote it, is taken as it is.
    card = Card(Labels.foreground() if channels == 1 else Labels(("a", "b", "c")), (16, 24))
    dataclasses.replace(card, trained_on={"recipe": "own"}).write(tmp_path / "logits.keras")
    assert run(tmp_path / "logits.keras", photographs, "--to", "own") == (channels == 1)


@pytest.mark.parametrize("options", [[], ["--tiles"], ["--tiles", "--flips", "both"]])
def test_command_writes_a_submission(photographs, model_file, tmp_path, options):
    assert run(model_file, photographs, "--rle", tmp_path / "a.csv.gz", *options) == 0
    rows = dict(run_lengths.read(tmp_path / "a.csv.gz"))
    assert list(rows) == [f"photo{number}.png" for number in range(7)]
    for name, text in rows.items():
        red_of = read_image(photographs / name)[..., 0]
        mask = run_lengths.decode(text, red_of.shape)
        agreement = (mask == (red_of >= 153)).mean()  # 20 * 153 / 255 = 12
        assert agreement == 1 if options else agreement > 0.9
    assert run(model_file, photographs, "--rle", tmp_path / "b.csv", *options) == 0
    assert (tmp_path / "b.csv").read_bytes() == gzip.decompress(
        (tmp_path / "a.csv.gz").read_bytes()
    )
    assert not list(tmp_path.glob("*partial*"))


@pytest.mark.parametrize("kind", ["--to", "--rle"])
def test_masks_of_others_do_not_pass_for_these(photographs, model_file, tmp_path, kind, capsys):
    """Two cameras, the same names: the second folder is refused, not taken for done."""
    (tmp_path / "other").mkdir()
    for path in photographs.iterdir():
        Image.new("RGB", (30, 20), "red").save(tmp_path / "other" / path.name)
    target = tmp_path / ("masks" if kind == "--to" else "rows.csv")
    (photographs / "photo0.png").write_text("broken: so that the partial file stays")
    assert run(model_file, photographs, kind, target) == 1
    assert run(model_file, tmp_path / "other", kind, target) == 1
    assert "other settings was here (from.0: " in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["--to", "--rle"])
def test_a_wrong_start_does_not_block_the_right_one(photographs, model_file, tmp_path, kind):
    target = tmp_path / ("masks" if kind == "--to" else "rows.csv")

    def fails(images, training):
        raise ValueError("another size, please")

    write = predict.to_folder if kind == "--to" else predict.to_submission
    with pytest.raises(ValueError, match="another size"):
        list(write(fails, list(predict.named([photographs])), target, {}, image_size="native"))
    assert run(model_file, photographs, kind, target) == 0


def test_an_image_may_have_any_name(photographs, model_file, tmp_path):
    for number in range(6):
        (photographs / f"photo{number}.png").rename(photographs / f"partial-photo{number + 1}.png")
    for _ in range(2):
        assert run(model_file, photographs, "--to", tmp_path / "masks", "--batch-size", 1) == 0
        assert len(list((tmp_path / "masks").glob("*.png"))) == 7


@pytest.mark.parametrize("name", ["a,b.png", 'a"b.png', "a\nb.png", "a\udcffb.png"])
def test_names_that_would_break_a_submission(photographs, model_file, tmp_path, name, capsys):
    (photographs / "photo1.png").rename(photographs / name)
    assert run(model_file, photographs, "--rle", tmp_path / "rows.csv") == 1
    assert "cannot stand in a submission" in capsys.readouterr().err
    assert not list(tmp_path.glob("rows.csv*"))


def test_what_cannot_be_opened_is_named_and_passed_over(photographs, model_file, tmp_path, capsys):
    """A link to nothing, a folder with an image's name, an encrypted file in a zip."""
    (photographs / "nothing.png").symlink_to(tmp_path / "nowhere.png")
    (photographs / "folder.png").mkdir()
    assert run(model_file, photographs, "--to", tmp_path / "masks") == 1
    said = capsys.readouterr()
    assert "nothing.png: is not there" in said.err
    assert "7 masks" in said.out
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("photo1.png", "photo2.png"):
            archive.write(photographs / name, name)
    raw = bytearray((tmp_path / "all.zip").read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + offset] |= 1  # the first file: encrypted, it says
    (tmp_path / "all.zip").write_bytes(raw)
    assert run(model_file, tmp_path / "all.zip", "--to", tmp_path / "zipped") == 1
    said = capsys.readouterr()
    assert "photo1.png" in said.err
    assert "encrypted" in said.err
    assert "1 masks" in said.out


def test_a_mistake_of_the_program_is_no_broken_image(photographs):
    def finish(path, answer, size):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        list(predict.predictions(red, sorted(photographs.iterdir()), finish, (16, 24)))


def test_masks_do_not_go_among_the_images(photographs, model_file, capsys):
    assert run(model_file, photographs, "--to", photographs) == 1
    assert "a folder of their own" in capsys.readouterr().err
    assert len(list(photographs.iterdir())) == 7


def test_a_model_that_answers_nan(photographs):
    def diverged(images, training):
        return np.full((*images.shape[:3], 1), np.nan, "float32")

    with pytest.raises(ValueError, match="NaN"):
        list(predict.predictions(diverged, sorted(photographs.iterdir()), print, (16, 24)))


@pytest.mark.parametrize("shape", [(16, 24, 1), (None, 24, 3)])
def test_models_that_are_of_another_kind(photographs, tmp_path, shape, capsys):
    inputs = keras.Input(shape)
    keras.Model(inputs, layers.Conv2D(1, 1)(inputs)).save(tmp_path / "other.keras")
    assert run(tmp_path / "other.keras", photographs, "--to", tmp_path / "masks") == 1
    assert "expected (batch, height, width, 3)" in capsys.readouterr().err


def test_the_size_of_a_model_is_its_own(photographs, model_file, tmp_path, capsys):
    for size in ("native", "20x30"):
        assert run(model_file, photographs, "--to", tmp_path / "m", "--image-size", size) == 1
        assert "takes 16x24 alone" in capsys.readouterr().err
    inputs = keras.Input((None, None, 3))
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "any.keras")
    Card(Labels.foreground("car"), None).write(tmp_path / "any.keras")
    for number, options in enumerate(
        (["native"], ["8x12"], ["8x12", "--tiles", "--flips", "both"])
    ):
        to = tmp_path / str(number)
        assert run(tmp_path / "any.keras", photographs, "--to", to, "--image-size", *options) == 0
        assert len(list(to.glob("*.png"))) == 7
    assert run(tmp_path / "any.keras", photographs, "--to", tmp_path / "t", "--tiles") == 1
    assert "how large the tiles are" in capsys.readouterr().err


def test_the_bar_starts_behind_what_is_kept(photographs, model_file, tmp_path, capsys):
    assert run(model_file, photographs, "--to", tmp_path / "masks") == 0
    for number in (2, 5):
        (tmp_path / f"masks/photo{number}.png").unlink()
    capsys.readouterr()
    assert run(model_file, photographs, "--to", tmp_path / "masks") == 0
    said = capsys.readouterr().err
    assert "5/7" in said
    assert "7/7" in said


def test_a_finished_submission_is_not_overwritten(photographs, model_file, tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("precious")
    assert run(model_file, photographs, "--rle", tmp_path / "mine.csv") == 1
    assert "there already" in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_text() == "precious"


def test_files_that_only_look_like_a_stopped_run(photographs, model_file, tmp_path, capsys):
    (tmp_path / "rows.csv.partial").write_text("img,rle_mask\n")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/predict.json").write_text("[1, 2]")
    for target in (["--rle", tmp_path / "rows.csv"], ["--to", tmp_path / "masks"]):
        assert run(model_file, photographs, *target) == 1
        assert "no record of an earlier run" in capsys.readouterr().err
    assert (tmp_path / "rows.csv.partial").read_text() == "img,rle_mask\n"


def test_masks_of_another_run_are_neither_mixed_nor_overwritten(
    photographs, model_file, tmp_path, capsys
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/photo3.png").write_text("precious")
    assert run(model_file, photographs, "--to", tmp_path / "mine") == 1
    assert "photo3.png is there already" in capsys.readouterr().err
    assert (tmp_path / "mine/photo3.png").read_text() == "precious"
    assert run(model_file, photographs, "--to", tmp_path / "masks") == 0
    assert run(model_file, photographs, "--to", tmp_path / "masks", "--threshold", 0.25) == 1
    assert "threshold: 0.5 there, 0.25 here" in capsys.readouterr().err


def test_broken_images_are_named_and_the_rest_is_done(photographs, model_file, tmp_path, capsys):
    whole = (photographs / "photo2.png").read_bytes()
    (photographs / "photo2.png").write_bytes(whole[:300])
    for target in (["--to", tmp_path / "masks"], ["--rle", tmp_path / "rows.csv"]):
        assert run(model_file, photographs, *target) == 1
        said = capsys.readouterr()
        assert "photo2.png" in said.err
        assert "1 of 7 images" in said.err
        assert "6 masks" in said.out
    assert len(list((tmp_path / "masks").glob("*.png"))) == 6
    assert "photo2.png" not in dict(run_lengths.read(tmp_path / "rows.csv"))
    # mended, the same command goes on
    (photographs / "photo2.png").write_bytes(whole)
    for target in (["--to", tmp_path / "masks"], ["--rle", tmp_path / "rows.csv"]):
        assert run(model_file, photographs, *target) == 0
    assert run(model_file, photographs, "--rle", tmp_path / "anew.csv") == 0
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "anew.csv").read_bytes()
    assert not (tmp_path / "rows.csv.partial").exists()


def test_a_broken_file_in_a_zip_is_named(photographs, model_file, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted(photographs.iterdir()):
            archive.write(path, f"test/{path.name}")
        start = archive.getinfo("test/photo4.png").header_offset
    raw = bytearray((tmp_path / "all.zip").read_bytes())
    raw[start + 400] ^= 255
    (tmp_path / "all.zip").write_bytes(raw)
    assert run(model_file, tmp_path / "all.zip", "--to", tmp_path / "masks") == 1
    assert "all.zip/test/photo4.png" in capsys.readouterr().err
    assert len(list((tmp_path / "masks").glob("*.png"))) == 6


def test_no_model(photographs, tmp_path, capsys):
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    for name in ("nowhere.keras", "broken.keras"):
        assert run(tmp_path / name, photographs, "--to", tmp_path / "masks") == 1
        assert name in capsys.readouterr().err


def test_overlays_go_with_pngs(photographs, model_file, tmp_path, capsys):
    assert run(model_file, photographs, "--rle", tmp_path / "a.csv", "--overlays") == 1
    assert "--overlays" in capsys.readouterr().err


def test_a_row_cut_short_by_a_kill_is_written_again(photographs, model_file, tmp_path):
    assert run(model_file, photographs, "--rle", tmp_path / "whole.csv") == 0
    paths = list(predict.named([photographs]))
    model = predict.load(model_file)

    def submission(name):
        list(predict.to_submission(model, paths, tmp_path / name))
        return (tmp_path / name).read_bytes()

    stopped = predict.to_submission(model, paths, tmp_path / "stopped.csv")
    for _ in paths:
        next(stopped)
    stopped.close()
    partial = (tmp_path / "stopped.csv.partial").read_bytes()
    head = partial.index(b"\n") + 1
    for cut in (head, head + 1, head + 10, len(partial) // 2, len(partial) - 1, len(partial)):
        (tmp_path / f"{cut}.csv.partial").write_bytes(partial[:cut])
        assert submission(f"{cut}.csv") == (tmp_path / "whole.csv").read_bytes()
        assert not (tmp_path / f"{cut}.csv.partial").exists()


@pytest.mark.parametrize("write", [predict.to_submission, predict.to_folder])
@pytest.mark.parametrize("stop", range(7))
def test_a_model_whose_answer_depends_on_the_batch(photographs, tmp_path, write, stop):
    """As a network's last bits do in bfloat16: a half done batch is predicted whole again."""

    def first_red(images, training):
        return np.broadcast_to(images[:1, :, :, :1], (*images.shape[:3], 1))

    paths = list(predict.named([photographs]))
    options = {"settings": {}, "image_size": (16, 24), "batch_size": 3}
    names = ("a.csv", "b.csv") if write is predict.to_submission else ("a", "b")
    assert list(write(first_red, paths, tmp_path / names[0], **options)) == [
        (path, None) for path in paths
    ]
    stopped = write(first_red, paths, tmp_path / names[1], **options)
    for _ in range(stop):
        next(stopped, None)
    stopped.close()
    outcomes = list(write(first_red, paths, tmp_path / names[1], **options))
    assert [path for path, _ in outcomes] == paths
    kept = [outcome == predict.KEPT for _, outcome in outcomes]
    assert kept == sorted(kept, reverse=True)
    assert sum(kept) >= stop - 1

    def files(name):
        path = tmp_path / name
        return [f.read_bytes() for f in (sorted(path.glob("[!.]*")) if path.is_dir() else [path])]

    assert files(names[0]) == files(names[1])


def test_labels_and_colours_come_with_the_card(photographs, tmp_path):
    labels = Labels(("sky", "road", "car"), ((0, 0, 255), (90, 90, 90), (255, 0, 0)))
    inputs = keras.Input((16, 24, 3))
    outputs = layers.Conv2D(3, 1, activation="softmax")(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "three.keras")
    Card(labels, (16, 24)).write(tmp_path / "three.keras")
    assert run(tmp_path / "three.keras", photographs, "--to", tmp_path / "masks", "--overlays") == 0
    masks = predict.load(tmp_path / "three.keras").masks(list(predict.named([photographs])))
    for number, mask in enumerate(masks):
        with Image.open(tmp_path / f"masks/photo{number}.png") as image:
            assert image.getpalette()[:9] == [0, 0, 255, 90, 90, 90, 255, 0, 0]
            np.testing.assert_array_equal(np.asarray(image), mask)


def test_an_old_model_of_many_classes_takes_the_table_beside_it(tmp_path):
    inputs = keras.Input((16, 24, 3))
    keras.Model(inputs, layers.Conv2D(3, 1)(inputs)).save(tmp_path / "best.keras")
    assert predict.load(tmp_path / "best.keras", resize="area").card.labels.names == tuple("012")
    table = Labels(("sky", "road", "car"), ((0, 0, 255), (90, 90, 90), (255, 0, 0)))
    data.write_table(tmp_path / "classes.csv", table)
    known = predict.load(tmp_path / "best.keras", resize="area").card.labels
    assert known.names == table.names and known.colours == table.colours
    data.write_table(tmp_path / "classes.csv", Labels(("sky", "road"), table.colours[:2]))
    assert predict.load(tmp_path / "best.keras", resize="area").card.labels.names == tuple("012")


def test_a_broken_image_is_named_by_masks(photographs, model_file):
    (photographs / "photo2.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"photo2\.png: cannot be decoded"):
        list(predict.load(model_file).masks(list(predict.named([photographs]))))


# --- images that changed, other batch sizes, two at once


@pytest.mark.parametrize("kind", ["--to", "--rle"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_changed_photograph_gets_a_new_mask(photographs, model_file, tmp_path, kind, zipped):
    target = tmp_path / ("masks" if kind == "--to" else "rows.csv")
    (photographs / "photo6.png").write_bytes(b"broken: so that the partial file stays")

    def source():
        if not zipped:
            return photographs
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            for path in sorted(photographs.iterdir()):
                archive.write(path, path.name)
        return tmp_path / "all.zip"

    assert run(model_file, source(), kind, target) == 1
    Image.new("RGB", (48, 32), "red").save(photographs / "photo3.png")
    model = predict.load(model_file)
    write = predict.to_folder if kind == "--to" else predict.to_submission
    outcomes = dict(write(model, list(predict.named([source()])), target, batch_size=16))
    made = [path.name for path, outcome in outcomes.items() if outcome != predict.KEPT]
    assert made == ["photo3.png", "photo6.png"]
    if kind == "--to":
        with Image.open(target / "photo3.png") as mask:
            assert mask.size == (48, 32) and mask.getextrema() == (255, 255)
    else:
        rows = dict(run_lengths.read(target))
        assert rows["photo3.png"] == f"1 {48 * 32}"
        assert list(rows) == [f"photo{number}.png" for number in range(6)]


@pytest.mark.parametrize("kind", ["--to", "--rle"])
def test_out_of_memory_a_run_goes_on_with_a_smaller_batch(photographs, model_file, tmp_path, kind):
    target = tmp_path / ("masks" if kind == "--to" else "rows.csv")
    model, paths = predict.load(model_file), list(predict.named([photographs]))
    write = predict.to_folder if kind == "--to" else predict.to_submission
    stopped = write(model, paths, target, batch_size=2)
    next(stopped)
    stopped.close()
    outcomes = list(write(model, paths, target, batch_size=1))
    assert sum(outcome == predict.KEPT for _, outcome in outcomes) >= 1
    assert {outcome for _, outcome in outcomes} == {predict.KEPT, None}
    if kind == "--to":
        assert json.loads((target / "predict.json").read_text())["batch_size"] == 1


@pytest.mark.parametrize("kind", ["--to", "--rle"])
def test_two_writers_at_once_are_told(photographs, model_file, tmp_path, kind, capsys):
    """Another process writes there; when it has ended, the same command does all."""
    target = tmp_path / ("masks" if kind == "--to" else "rows.csv")
    hold = f"with files.held({str(target)!r}): "
    if kind == "--rle":
        hold = f"file = open({str(target) + '.partial'!r}, 'a+b'); files.lock(file, ''); "
    script = f"from unet_tf import files\n{hold}print('held', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script], env=os.environ, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        assert run(model_file, photographs, kind, target) == 1
        assert "writes there: wait" in capsys.readouterr().err
        other.communicate("\n")
    assert run(model_file, photographs, kind, target) == 0
    assert not list(tmp_path.glob("*.partial"))


def test_a_mask_changed_by_hand_is_not_overwritten(photographs, model_file, tmp_path, capsys):
    """As a paint program saves it: nothing says any more what it was made of."""
    assert run(model_file, photographs, "--to", tmp_path / "masks") == 0
    Image.new("L", (60, 40)).save(tmp_path / "masks/photo0.png")
    mended = (tmp_path / "masks/photo0.png").read_bytes()
    assert run(model_file, photographs, "--to", tmp_path / "masks") == 1
    assert "photo0.png is there already, and not from here" in capsys.readouterr().err
    assert (tmp_path / "masks/photo0.png").read_bytes() == mended


def test_the_command_equals_python_with_flips_and_tiles(photographs, model_file, tmp_path):
    model, paths = predict.load(model_file), list(predict.named([photographs]))
    model = model.flipped(("horizontal", "vertical")).tiled(overlap=0.25)
    options = ("--flips", "both", "--tiles", "--overlap", "0.25")
    assert run(model_file, photographs, "--to", tmp_path / "masks", *options) == 0
    for path, mask in zip(paths, model.masks(paths), strict=True):
        with Image.open(tmp_path / f"masks/{path.stem}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), mask * 255)
    with pytest.raises(UserError, match="other settings was here"):
        list(predict.to_folder(predict.load(model_file), paths, tmp_path / "masks"))


KILLED = """
import os, signal, sys
from unet_tf.cli import commands
from unet_tf.predict import stream
batches, answered = iter(range(int(sys.argv[1]))), stream.answered
def answer(*batch):
    if next(batches, None) is None:  # while the masks of the batch before this one are written
        os.kill(os.getpid(), signal.SIGKILL)
    return answered(*batch)
stream.answered = answer
commands.main(sys.argv[2:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["--to", "--rle"])
def test_killed_and_run_again_it_ends_with_the_same_bytes(kind, model_file, tmp_path):
    """kill -9 in the middle, twice, each behind so many batches of two."""
    folder = tmp_path / "many"
    folder.mkdir()
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (300, 450, 3)).astype("uint8")
    for number in range(24):
        Image.fromarray(np.roll(pixels, 9 * number, 1)).save(folder / f"{number:03}.jpg")
    ending = "" if kind == "--to" else ".csv.gz"

    def arguments(name):
        target = tmp_path / f"{name}{ending}"
        return [*map(str, (model_file, folder, kind, target)), "--batch-size", "2"]

    def count():
        if kind == "--to":
            return len(list((tmp_path / "killed").glob("[0-9]*.png")))
        kept = tmp_path / "killed.csv.gz.partial"
        return kept.read_bytes().count(b"\n") - 1 if kept.exists() else 0

    def files(name):
        path = tmp_path / f"{name}{ending}"
        found = path.iterdir() if path.is_dir() else [path]
        return {f.name.replace(name, ""): f.read_bytes() for f in found if f.name != ".lock"}

    for batches, least in ((3, 4), (6, 12)):
        command = [sys.executable, "-c", KILLED, str(batches), "predict", *arguments("killed")]
        process = subprocess.run(command, capture_output=True, env=os.environ)
        assert process.returncode == -signal.SIGKILL
        assert least <= count() < 24
    assert run(*arguments("killed")) == 0
    assert run(*arguments("whole")) == 0
    assert files("killed") == files("whole")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the system's own count of a process")
def test_memory_is_bounded_and_does_not_grow(tmp_path):
    """1918x1280 in tiles: below 2 GiB above the framework, the same for 2 images and for 6."""
    pixels = np.random.default_rng(0).integers(0, 255, (1280, 1918, 3)).astype("uint8")
    for number in range(6):
        Image.fromarray(np.roll(pixels, 40 * number, 1)).save(
            tmp_path / f"{number}.jpg", quality=50
        )
    script = f"""
from unet_tf import network, predict
def peak():  # of this process; that of `getrusage` begins with its parent's
    with open("/proc/self/status") as file:
        (line,) = [line for line in file if line.startswith("VmHWM")]
    return int(line.split()[1]) / 2**20
paths = list(predict.named([{str(tmp_path)!r}]))
model = predict.compiled(network.unet((160, 240, 3), (8, 16, 32)))
model = predict.tiled(model, (160, 240), 0.25)
start = peak()
for path, _ in predict.predictions(model, paths[:2], lambda *_: None, None): pass
after = peak()
for path, _ in predict.predictions(model, paths, lambda *_: None, None): pass
print(start, after, peak())
"""
    command = [sys.executable, "-c", script]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    start, few, many = map(float, output.stdout.split()[-3:])
    assert few - start < 2
    assert many - few < 0.2


@pytest.mark.parametrize("kind", ["--to", "--rle"])
def test_two_images_of_one_name_are_refused_also_from_python(model_file, tmp_path, kind):
    paths = []
    for number in (1, 2):
        (tmp_path / f"folder{number}").mkdir()
        paths.append(tmp_path / f"folder{number}/x.png")
        Image.fromarray(np.zeros((8 * number, 8, 3), "uint8")).save(paths[-1])
    write = predict.to_folder if kind == "--to" else predict.to_submission
    with pytest.raises(ValueError, match="have one name"):
        list(write(predict.load(model_file), paths, tmp_path / "masks.csv"))


def test_an_overlay_is_never_older_than_its_mask(photographs, model_file, tmp_path):
    model, masks, path = predict.load(model_file), tmp_path / "masks", photographs / "photo0.png"
    list(predict.to_folder(model, [path], masks, overlays=True))
    Image.fromarray(np.zeros((9, 30, 3), "uint8")).save(path)
    list(predict.to_folder(model, [path], masks))
    list(predict.to_folder(model, [path], masks, overlays=True))
    for file in (masks / "photo0.png", masks / "photo0_overlay.jpg"):
        with Image.open(file) as image:
            assert image.size == (30, 9)
