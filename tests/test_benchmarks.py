"""What the benchmarks compare is what they say, and their records are whole."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from unet_tf import models, pipeline, studio
from unet_tf.cars import make_car

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
        pixels, mask = studio.render(make_car(0, number), 3)
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
    ((images, _),) = article.dataset(pairs, tf.data.AUTOTUNE)
    np.testing.assert_array_equal(images, theirs)


def test_reading_whole_is_what_small_from_the_start_is_near(pairs):
    import importlib

    whole = importlib.import_module("input").read_whole
    pixels, size = whole(pairs[0][0], (96, 128), "area")
    fast, own_size = pipeline.read_resized(pairs[0][0], (96, 128))
    np.testing.assert_array_equal(pixels, fast)  # too small to be decoded smaller
    assert size == own_size == (320, 480)


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

    model = models.unet((4, 8, 3), filters=(2, 5))
    operations = [shape[-1] for shape in share.shapes_of(model)]
    wide, narrow = 2 * 32 * 4 * 8, 2 * 32 * 2 * 4
    by_hand = [wide * 3 * 2 * 9, wide * 2 * 2 * 9, narrow * 2 * 5 * 9, narrow * 5 * 5 * 9]
    by_hand += [narrow * 5 * 2 * 9]  # transposed: each pixel below goes to 3x3 above
    by_hand += [wide * 4 * 2 * 9, wide * 2 * 2 * 9, wide * 2 * 2 * 9, wide * 2 * 1]
    assert operations == by_hand


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_tells_how_it_came_about(path):
    record = json.loads(path.read_text())
    assert {"hardware", "versions", "commit", "date"} <= set(record)
    assert "dirty" not in record["commit"]
    assert str(ROOT) not in path.read_text() and sys.prefix not in path.read_text()
