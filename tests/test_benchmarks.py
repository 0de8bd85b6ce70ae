"""What the benchmarks compare is what they say, and their records are whole."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from unet_tf import data, network, pipeline
from unet_tf.pipeline import batches as batches_file
from unet_tf.rendered.car_pictures import render
from unet_tf.rendered.car_shapes import make_car

ROOT = Path(__file__).parent.parent
RECORDS = sorted((ROOT / "results" / "speed").glob("*.json"))


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch):
    """The scripts import one another as scripts do."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


@pytest.fixture
def pairs(tmp_path):
    """Three rendered cars of 480x320, the masks as Carvana's GIFs are."""
    found = []
    for number in range(3):
        pixels, mask = render(make_car(0, number), 3)
        Image.fromarray(pixels).save(tmp_path / f"{number}.jpg", quality=92)
        palette = Image.fromarray(mask).convert("P")
        palette.putpalette([0, 0, 0, 255, 255, 255])
        palette.save(tmp_path / f"{number}_mask.gif")
        found.append((tmp_path / f"{number}.jpg", tmp_path / f"{number}_mask.gif"))
    return found


def test_the_article_s_pipeline_gives_what_ours_gives_by_nearest(pairs):
    import article

    ((theirs, their_masks),) = article.dataset(pairs)
    ((ours, our_masks),) = pipeline.dataset(pairs, resize="nearest")
    np.testing.assert_array_equal(their_masks, our_masks)
    assert np.abs(theirs - ours).mean() < 1.5 / 255  # two libjpegs, of unlike exactness
    ((images, _),) = article.dataset(pairs, tuned=False)
    np.testing.assert_array_equal(images, theirs)


def test_reading_whole_is_what_small_from_the_start_is_near(tmp_path):
    import importlib

    whole = importlib.import_module("input").read_whole
    Image.fromarray(render(make_car(0, 3), 2, (1918, 1280))[0]).save(tmp_path / "car.jpg")
    pixels, size = whole(tmp_path / "car.jpg", (96, 128), "area")
    fast, own_size = data.read_resized(tmp_path / "car.jpg", (96, 128))
    assert size == own_size == (1280, 1918)
    assert 0 < np.abs(pixels.astype(int) - fast).mean() < 0.005 * 255  # near, but another way


def test_a_pass_of_the_article_is_measured_without_the_tuning_thread(pairs):
    import article

    assert article.dataset(pairs, tuned=False).options().autotune.enabled is False
    assert article.dataset(pairs).options().autotune.enabled is not False


def test_our_first_epoch_reads_every_file_and_the_later_one_none(pairs, tmp_path, monkeypatch):
    import training

    read, reader, at = [], data.read_resized, []
    monkeypatch.setattr(
        batches_file, "read_resized", lambda *way: read.append(way[0]) or reader(*way)
    )
    options = {"image_size": (96, 128), "cache": "memory"}
    batches = pipeline.dataset(pairs, shuffle=True, augment=True, **options)
    held = pipeline.dataset(pairs[:1], **options)
    model = network.simple_fcn(filters=(2,))
    model.compile("sgd", "mse")
    counter = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: at.append(len(read)),
        on_epoch_end=lambda epoch, logs: at.append(len(read)),
    )
    first = pipeline.dataset(pairs[:1], (96, 128))
    seconds = training.epochs_of(model, batches, held, 2, [counter], first)
    assert len(seconds) == 2 and min(seconds) > 0
    assert [end - start for start, end in zip(at[::2], at[1::2], strict=True)] == [4, 0]


def test_ratios_by_hand():
    import measure

    assert measure.faster([6.0, 9.0, 8.0], [3.0, 3.0, 2.0]) == {"median": 3.0, "range": [2.0, 4.0]}
    seconds = measure.in_turn({"a": iter([1, 2]).__next__, "b": iter([3, 4]).__next__}, 2)
    assert seconds == {"a": [1, 2], "b": [3, 4]}
    assert measure.in_a_process("-c", "print('log'); print('{\"seconds\": 2}')") == {"seconds": 2}
    with pytest.raises(RuntimeError, match="no such thing"):
        measure.in_a_process("-c", "raise SystemExit('no such thing')")


def test_operations_by_hand():
    """Two convolutions on 4x8, two on 2x4, one up, two, one more, and the head."""
    import share

    model = network.unet((4, 8, 3), filters=(2, 5))
    operations = [shape[-1] for shape in share.shapes_of(model)]
    wide, narrow = 2 * 32 * 4 * 8, 2 * 32 * 2 * 4
    by_hand = [wide * 3 * 2 * 9, wide * 2 * 2 * 9, narrow * 2 * 5 * 9, narrow * 5 * 5 * 9]
    by_hand += [narrow * 5 * 2 * 9]  # transposed: each pixel below goes to 3x3 above
    by_hand += [wide * 4 * 2 * 9, wide * 2 * 2 * 9, wide * 2 * 2 * 9, wide * 2 * 1]
    assert operations == by_hand


def test_a_peer_of_other_parameters_is_refused():
    import peers

    def one(parameters, seconds):
        return [{"parameters": parameters, peers.STEP: s, peers.PREDICTION: s} for s in seconds]

    found = {"a": one(9, [2, 2]), "b": one(9, [6, 8]), "c": one(9, [9, 9]), "d": one(8, [1, 1])}
    record = peers.compared(found, "a against b and c", "a", ["b", "c"], 1.0)
    assert record[peers.STEP] == {
        "peer": "b",
        "times_the_peer": {"median": 3.5, "range": [3.0, 4.0]},
    }
    with pytest.raises(ValueError, match="9 parameters and d 8"):
        peers.compared(found, "a against d", "a", ["d"], None)


def test_growth_by_hand():
    import memory

    rows = [
        {"setting": {**memory.BASE, **varied}, "above_import": {"median": peak}}
        for varied, peak in (({}, 5000), ({"images": 128}, 5640), ({"batch_size": 8}, 4200))
    ]
    assert memory.growth(rows) == {"images": 10, "batch_size": 100}


def test_the_peak_of_all_images_by_hand():
    import memory

    rows = [
        {"setting": {**memory.CARVANA, "images": images}, "above_import": {"median": peak}}
        for images, peak in ((64, 1000), (128, 1640))
    ]
    assert memory.growth(rows, memory.CARVANA) == {"images": 10}
    assert memory.of_all(rows, 10, 5128) == 1640 + 5000 * 10
    assert memory.of_all(rows, -0.1, 5128) == 1640  # noise


def test_all_of_carvana_is_measured_where_it_would_be_kept(pairs, monkeypatch, capsys):
    import memory

    asked = []

    def chosen(*parts):
        asked.extend((len(part), size) for part, size in parts)
        return "file"

    monkeypatch.setattr(pipeline, "chosen_cache", chosen)
    assert memory.cache_of_all(pairs, (640, 960)) == "file"
    assert asked == [(4071, (640, 960)), (1017, (640, 960))]
    settings, base = memory.settings_of("carvana")
    assert [(kind, one["images"]) for kind, one in settings] == [
        (kind, images) for kind in ("run", "scores") for images in (64, 256, 1008)
    ]
    assert all({**one, "images": 64} == base for _, one in settings)
    settings, base = memory.settings_of("unet")
    assert settings[0] == ("training", base) and len(settings) == 14


@pytest.mark.slow
def test_a_run_and_its_scoring_are_measured():
    import memory

    small = {"images": 48, "image_size": (16, 24), "filters": (2, 4), "frame": (48, 32), "cars": 3}
    for kind in ("run", "scores"):
        setting = json.dumps([kind, {**memory.CARVANA, **small}])
        found = measure_one(memory.__file__, "--model", "carvana", "--one", setting)
        assert found["above"] >= 0  # a process's peak starts with that of the one that started it


def measure_one(*command):
    import measure

    return measure.in_a_process(*command, PYTHONPATH=str(ROOT))


def test_every_benchmark_of_the_readme_is_there_and_whole():
    names = {path.stem for path in RECORDS}
    assert names >= {"input", "training_simple", "training_unet", "peers", "share", "start"}
    assert names >= {"memory_unet", "precision_16", "prediction_simple_fcn", "prediction_unet"}
    assert "tried_simple" in names
    if "memory_carvana" in names:
        record = json.loads((ROOT / "results/speed/memory_carvana.json").read_text())
        assert record["cache"] == "file" and len(record["run"]["peaks"]) == 3
        for kind in ("run", "scores"):
            assert record[kind]["all"]["peak"] < record[kind]["all"]["limit"] == 6 * 2**30
    for path in RECORDS:
        record = json.loads(path.read_text())
        if path.stem == "gpu":  # its rates come three by three, without rounds
            continue
        assert record.get("pairs", 1000) in (1000, 250)
        assert record["rounds"] >= (1 if path.stem.startswith("memory") else 2)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_tells_how_it_came_about(path):
    record = json.loads(path.read_text())
    assert {"hardware", "versions", "commit", "date"} <= set(record)
    assert "dirty" not in record["commit"]
    assert str(ROOT) not in path.read_text() and sys.prefix not in path.read_text()


# --- on a GPU


def test_a_part_that_cannot_run_says_why_and_the_rest_goes_on(tmp_path, monkeypatch):
    import gpu

    monkeypatch.setitem(gpu.PARTS, "JAX", (0.01, "saving"))
    monkeypatch.setitem(gpu.PARTS, "input", (60, "steps:no_such_way"))
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--small", "--to", str(tmp_path), "--parts"])
    sys.argv += ["JAX", "input"]
    gpu.main()
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["parts"]["JAX"]["cut"] == "it took more than 0.01 s"
    assert record["parts"]["input"]["cut"] == "KeyError: 'no_such_way'"
    assert list(tmp_path.iterdir()) == [tmp_path / "gpu.json"]


def test_every_part_of_the_gpu_s_measurement_has_its_function():
    import gpu

    for _, one in gpu.PARTS.values():
        assert one.split(":")[0] in gpu.ONE
    limits = sum(seconds for seconds, _ in gpu.PARTS.values())
    assert limits > 60 * 8  # each has one, and all together have another


def test_a_part_s_seconds_and_a_cut_are_no_rows_of_the_table(monkeypatch, tmp_path):
    import tables

    record = json.loads((ROOT / "results/speed/gpu.json").read_text())
    rows = tables.on_a_gpu()
    for part in record["parts"].values():
        part |= {"seconds": 61.5, "cut": "it took more than 60 s"}
    monkeypatch.setattr(tables, "benchmarks", lambda: {"gpu": record})
    assert tables.on_a_gpu() == rows
    tables.gpu_picture(tmp_path / "gpu.png")
    assert Image.open(tmp_path / "gpu.png").size == (900, 240)
