"""The effects table by hand, the parts of each variant, and that no recorded run is done again."""

import dataclasses
import importlib.util
import json
import math
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from unet_tf import data, network

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("effects", ROOT / "experiments" / "effects.py")
effects = importlib.util.module_from_spec(spec)
spec.loader.exec_module(effects)

T_OF_2 = math.sqrt(1.805 / 0.0975)  # by hand: with 2 degrees of freedom P(|t| < T) = T / √(2 + T²)


def invented(name, seed, dice, validation=0.9):
    record = {"variant": name, "seed": seed, "dice": dice, "validation_dice": validation}
    return record | ({"baseline": 0.75} if name == "base" else {})


def rendered_names():
    """640 pairs of 40 cars, named as `unet_tf.rendered` names them; there need not be any files."""
    names = [f"{car:012x}_{view:02d}" for car in range(40) for view in range(1, 17)]
    return [data.Pair(Path(f"{name}.jpg"), Path(f"{name}_mask.gif")) for name in names]


def test_a_table_by_hand():
    records = [
        *(invented("base", seed, dice) for seed, dice in enumerate((0.90, 0.92, 0.94))),
        # differences 0.03, 0.02, 0.01: mean 0.02, deviation 0.01
        *(invented("filters_32", seed, dice) for seed, dice in enumerate((0.93, 0.94, 0.95))),
        *(invented("blocks_4", seed, dice) for seed, dice in enumerate((0.80, 0.81, 0.84))),
        *(invented("nearest", seed, dice) for seed, dice in ((0, 0.80), (2, 0.94))),
        invented("dice_alone", 1, 0.5),
    ]
    said, blank, head, rule, *rows = effects.table(records).splitlines()
    assert said == (
        "16 filters, 320 rendered pairs, 96x128, 8 epochs, 3 seeds, rendered cars; a constant mask "
        "scores 0.7500; of 3 such intervals 0.1 miss 0 by chance alone"
    )
    assert (blank, head.count("|"), rule.count("---")) == ("", 6, 5)
    cells = {
        row.split(" | ")[0].strip("| "): row.removesuffix(" |").split(" | ")[2:] for row in rows
    }
    assert list(cells) == ["base", "nearest", "blocks_4", "filters_32", "dice_alone"]
    assert cells["base"] == ["0.9200 ± 0.0200", "", ""]
    half = T_OF_2 * 0.01 / math.sqrt(3)
    assert cells["filters_32"] == [
        "0.9400 ± 0.0100",
        f"+0.0200 ({0.02 - half:+.4f} to {0.02 + half:+.4f})",
        "within the noise",
    ]
    assert cells["blocks_4"][2] == "worse"  # -0.10, -0.11, -0.10
    # two seeds, paired with the base's own two: differences -0.10 and 0; t of 1 is 12.706
    assert cells["nearest"][:2] == [
        "0.8700 ± 0.0990 (2 of 3 seeds)",
        "-0.0500 (-0.6853 to +0.5853)",
    ]
    assert cells["nearest"][2:] == ["within the noise"]
    assert cells["dice_alone"] == ["0.5000 (1 of 3 seeds)", "", ""]


def test_the_interval_by_hand():
    mean, low, high = effects.difference({0: 1.0, 1: 2.0, 2: 3.0, 7: 9.0}, {2: 0, 1: 0, 0: 0})
    assert mean == pytest.approx(2)
    assert high - mean == pytest.approx(mean - low) == pytest.approx(T_OF_2 / math.sqrt(3))
    assert effects.difference({0: 1.0, 1: 2.0}, {1: 0.0, 2: 0.0}) is None  # one common seed


@pytest.mark.parametrize(
    "interval, said",
    [
        ((0.2, 0.1, 0.3), "better"),
        ((-0.2, -0.3, -0.1), "worse"),
        ((0.1, -0.1, 0.3), "within the noise"),
        ((0.1, 0.0, 0.2), "within the noise"),
        ((0.0, 0.0, 0.0), "within the noise"),
    ],
)
def test_verdicts(interval, said):
    assert effects.verdict(interval) == said


def test_the_leak_by_hand():
    records = [
        *(invented("base", seed, 0.90, 0.90 + gap) for seed, gap in enumerate((0.01, 0.03))),
        *(invented("split_by_image", s, 0.80, 0.80 + gap) for s, gap in enumerate((0.06, 0.08))),
    ]
    assert effects.leak(records).splitlines()[:3] == [
        "Validation minus test dice, split by image: +0.0700 ± 0.0141  ",
        "Validation minus test dice, split by car: +0.0200 ± 0.0141  ",
        "The leak, the first minus the second: +0.0500 (+0.0500 to +0.0500), a leak  ",
    ]
    assert "One split of each kind" in effects.leak(records)
    assert effects.leak(records[:1]) == "Validation minus test dice, split by car: +0.0100"
    assert effects.leak([]) == ""
    assert effects.table([]).count("\n") == 3  # a head without rows


def test_each_variant_changes_one_thing():
    for name, variant in effects.VARIANTS.items():
        own = (variant.cars is not None, not variant.masks_move, variant.precision != "auto")
        changes = len(variant.recipe) + sum(own)
        assert changes == (name not in ("base", "again")), name
        for field, value in variant.recipe.items():
            assert value != getattr(effects.BASE, field), name
        dataclasses.replace(effects.BASE, **variant.recipe)  # fields that a recipe has
    filters = [len(effects.VARIANTS[name].recipe["filters"]) for name in ("blocks_4", "blocks_6")]
    assert (filters, len(effects.BASE.filters)) == ([4, 6], 5)


def test_parts_have_their_sizes_and_no_test_car_is_ever_seen():
    pairs = rendered_names()
    counts = {"train_96": (96, 6), "train_384": (384, 24), "split_by_image": (192, 16)}
    test = effects.parts_of(effects.VARIANTS["base"], pairs).test
    for name, variant in effects.VARIANTS.items():
        parts = effects.parts_of(variant, pairs)
        cars = [{data.group_of(image) for image, _ in part} for part in parts]
        assert (len(parts.train), len(cars[0])) == counts.get(name, (192, 12)), name
        assert (len(parts.validation), len(parts.test)) == (64, 64), name
        assert len(cars[1]) == (16 if name == "split_by_image" else 4), name
        assert parts.test == test, name
        assert not (cars[0] | cars[1]) & cars[2], name
        assert not set(parts.train) & set(parts.validation), name


def test_fewer_and_more_cars_are_nested_and_an_image_split_is_of_the_same_images():
    pairs = rendered_names()
    fewer, base, more, by_image = (
        effects.parts_of(effects.VARIANTS[name], pairs)
        for name in ("train_96", "base", "train_384", "split_by_image")
    )
    assert fewer.train == sorted(base.train)[:96]
    assert set(more.train) == set(base.train) | set(pairs[320:512])
    assert fewer.validation == more.validation == base.validation
    assert {*by_image.train, *by_image.validation} == {*base.train, *base.validation}


def test_images_only_moves_images_and_not_masks():
    mask = np.zeros((64, 33, 47, 1), "float32")
    mask[:, 8:26, 8:20] = mask[:, 20:26, 20:38] = 1  # an L
    images = np.repeat(mask * 0.8 + 0.1, 3, axis=-1)
    keras.utils.set_random_seed(0)
    batches = tf.data.Dataset.from_tensor_slices((images, mask)).batch(16)
    moved = list(effects.augment_images_only(batches, seed=0).as_numpy_iterator())
    np.testing.assert_array_equal(np.concatenate([masks for _, masks in moved]), mask)
    bright = np.concatenate([image for image, _ in moved]).mean(axis=-1, keepdims=True) > 0.5
    share = (bright == mask).mean(axis=(1, 2, 3))  # of pixels where image and mask agree
    assert 16 < (share < 0.9).sum() < 48  # about half of them are flipped


def test_strided_convolutions_replace_every_pooling():
    strided, base = (
        effects.strided_unet((32, 32, 3), (2, 4, 8)),
        network.unet((32, 32, 3), (2, 4, 8)),
    )
    names = [[type(layer).__name__ for layer in model.layers] for model in (base, strided)]
    assert [kinds.count("MaxPooling2D") for kinds in names] == [2, 0]
    # 3x3 kernels and biases of 2 -> 2 and 4 -> 4
    assert strided.count_params() - base.count_params() == (9 * 4 + 2) + (9 * 16 + 4)


def test_without_skips_each_decoder_level_sees_half_of_its_channels():
    without = effects.unet_without_skips((32, 32, 3), (2, 4, 8))
    base = network.unet((32, 32, 3), (2, 4, 8))
    assert without.output_shape == base.output_shape
    # 3x3 kernels from the skips: 4 -> 4 and 2 -> 2 channels
    assert base.count_params() - without.count_params() == 9 * 4 * 4 + 9 * 2 * 2


def test_a_run_with_a_record_is_not_done_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(effects, "RESULTS", tmp_path)
    commands = []
    monkeypatch.setattr(effects.subprocess, "run", lambda command, check: commands.append(command))
    record = invented("base", 0, 0.9)
    effects.path_of("base", 0).write_text(json.dumps(record))
    (tmp_path / ".partial-nearest-seed0.json").write_text("{")  # of a killed run
    script = ["effects.py", "--variants", "base", "nearest", "--seeds", "2"]
    monkeypatch.setattr(sys, "argv", script)
    with pytest.raises(SystemExit, match="3 runs failed"):  # nothing is run here
        effects.main()
    runs = [("nearest", "0"), ("base", "1"), ("nearest", "1")]  # all of a seed, then the next seed
    assert [tuple(command[-2:]) for command in commands] == runs
    assert effects.records() == [record]
    assert "| base | nothing | 0.9000 | " in capsys.readouterr().out

    monkeypatch.setattr(effects, "one_run", lambda name, seed: invented(name, seed, 0.8))
    for name in ("base", "nearest"):
        monkeypatch.setattr(sys, "argv", ["effects.py", "--run", name, "0"])
        effects.main()
    assert effects.records() == [record, invented("nearest", 0, 0.8)]
    assert effects.missing(["base", "nearest"], [0]) == []
