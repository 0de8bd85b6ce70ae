"""Random crops: the same part of image and mask, all places, another draw each epoch."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.python.framework import config

from unet_tf import pipeline
from unet_tf.data import Labels
from unet_tf.pipeline import batches as batches_file
from unet_tf.pipeline import crops as crops_file

TWO = Labels(("background", "building"), ((0, 0, 0), (255, 255, 255)))


@pytest.fixture
def pairs(tmp_path):
    """Images of several sizes; red is the row, green the column, blue the image; the mask is where
    row + column is even."""
    found = []
    for number, (height, width) in enumerate([(20, 24), (16, 16), (31, 18)]):
        rows, columns = np.mgrid[:height, :width]
        image = np.dstack([rows, columns, np.full_like(rows, number)]).astype("uint8")
        mask = np.repeat(((rows + columns) % 2 == 0)[..., None] * 255, 3, axis=2).astype("uint8")
        paths = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        for path, pixels in zip(paths, (image, mask), strict=True):
            Image.fromarray(pixels).save(path)
        found.append(paths)
    return found


def epoch(dataset):
    batches = [(image.numpy(), mask.numpy()) for image, mask in dataset]
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def places(images):
    """(image, row, column) of each crop's corner, read off its colours."""
    corners = (images[:, 0, 0] * 255).round().astype(int)
    return [(blue, red, green) for red, green, blue in corners.tolist()]


def test_image_and_mask_are_cut_alike(pairs):
    images, masks = epoch(pipeline.crop_dataset(pairs, (8, 10), 5, batch_size=4, read=TWO.read))
    assert images.shape == (15, 8, 10, 3) and masks.shape == (15, 8, 10, 1)
    rows, columns = (images[..., channel] * 255 for channel in (0, 1))
    assert (masks[..., 0] == ((rows + columns).round() % 2 == 0)).all()
    assert (np.diff(rows, axis=1).round() == 1).all() and (
        np.diff(columns, axis=2).round() == 1
    ).all()


def test_an_epoch_holds_each_image_as_often_and_never_leaves_it(pairs):
    images, _ = epoch(pipeline.crop_dataset(pairs, (8, 10), 60, batch_size=16, read=TWO.read))
    corners = places(images)
    for number, (height, width) in enumerate([(20, 24), (16, 16), (31, 18)]):
        rows = {row for image, row, _ in corners if image == number}
        columns = {column for image, _, column in corners if image == number}
        assert sum(image == number for image, _, _ in corners) == 60
        assert min(rows) == 0 and max(rows) == height - 8  # both edges are reached
        assert min(columns) == 0 and max(columns) == width - 10


def test_the_crops_of_one_pass_are_of_different_images(pairs):
    images, _ = epoch(pipeline.crop_dataset(pairs, (8, 10), 4, batch_size=3, read=TWO.read))
    numbers = [image for image, _, _ in places(images)]
    assert all(sorted(numbers[start : start + 3]) == [0, 1, 2] for start in range(0, 12, 3))


def test_each_epoch_is_another_draw_and_follows_from_seed_and_number(pairs):
    def make(seed=0):
        return pipeline.crop_dataset(
            pairs, (8, 8), 3, 4, augment={"quarter_turn": 0.75}, seed=seed, read=TWO.read
        )

    first, again, other = make(), make(), make(seed=1)
    one, two = epoch(first), epoch(first)
    assert not np.array_equal(one[0], two[0])
    assert all(np.array_equal(*both) for both in zip(one, epoch(again), strict=True))
    assert not np.array_equal(one[0], epoch(other)[0])
    again.epoch.assign(1)
    assert all(np.array_equal(*both) for both in zip(two, epoch(again), strict=True))
    assert len(list(make())) == make().cardinality() == 3


def test_an_image_smaller_than_a_crop_is_named(pairs):
    with pytest.raises(ValueError, match=r"1.png: 16x16 pixels .* smaller than a crop of 18x10"):
        pipeline.crop_dataset(pairs, (18, 10), read=TWO.read)
    with pytest.raises(ValueError, match="no pairs"):
        pipeline.crop_dataset([], (8, 8))


DETERMINED = """
import sys
from pathlib import Path
import tensorflow as tf
from unet_tf import pipeline
tf.config.experimental.enable_op_determinism()  # as every run does
pairs = [(image, image.with_name(f"{image.stem}_mask.png"))
         for image in sorted(Path(sys.argv[1]).glob("?.png"))]
for cache in ("memory", None):
    batches = pipeline.crop_dataset(pairs, (8, 8), 2, 4, augment=True, cache=cache)
    print([len(list(batches)) for _ in range(2)])
"""


def test_tensorflow_logs_nothing_while_crops_are_drawn(pairs):
    command = [sys.executable, "-c", DETERMINED, str(pairs[0][0].parent)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout == "[2, 2]\n[2, 2]\n"
    assert "NodeDef" not in run.stderr


@pytest.mark.skipif(os.cpu_count() < 2, reason="one core makes one batch at a time")
def test_operator_determinism_leaves_the_augmentation_parallel(pairs, monkeypatch):
    """Under it, TensorFlow runs in one thread what follows an operator that counts as stateful."""
    both = threading.Barrier(2)  # passed by two batches at once, or never

    def wait(image):
        both.wait(timeout=600)
        return image

    def draw(image, mask, seed):
        shape = image.shape
        image = tf.numpy_function(wait, [image], tf.float32, stateful=False)
        return tf.ensure_shape(image, shape), mask

    monkeypatch.setattr(batches_file, "augment_batch", draw)
    tf.config.experimental.enable_op_determinism()
    try:
        batches = pipeline.crop_dataset(pairs[:2], (8, 8), 2, 2, augment=True, cache="memory")
        assert len(list(batches)) == 2
    finally:
        config.disable_op_determinism()


def test_what_is_too_large_to_go_through_at_once_is_cut_into_parts(monkeypatch, tmp_path):
    """Of 100 pixels at most: 8x12 stays whole, 9x25 becomes three parts, 21x11 six."""
    monkeypatch.setattr(crops_file, "MOST_AT_ONCE", 100)
    random, pairs, shapes = np.random.default_rng(0), [], [(8, 12), (9, 25), (21, 11)]
    for number, (height, width) in enumerate(shapes):
        pixels = random.integers(0, 256, (height, width, 3), "uint8")
        pair = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        for path, values in zip(pair, (pixels, (pixels[..., 0] > 99) * np.uint8(255)), strict=True):
            Image.fromarray(values).save(path)
        pairs.append(pair)
    whole = pipeline.dataset(pairs, None, 1)
    assert pipeline.in_parts(whole, [(8, 12), (10, 10), (1, 100)]) is whole
    parts = pipeline.in_parts(whole, shapes)
    assert int(parts.cardinality()) == 10 and [*map(pipeline.parts_of, shapes)] == [
        *((1, 1), (1, 3), (3, 2))
    ]
    found = [(image.numpy()[0], mask.numpy()[0]) for image, mask in parts]
    for (image, mask), first, columns in zip(whole, (0, 1, 4), (1, 3, 2), strict=True):
        rows = {1: 1, 3: 1, 2: 3}[columns]
        for kind, expected in enumerate((image.numpy()[0], mask.numpy()[0])):
            own = [part[kind] for part in found[first : first + rows * columns]]
            laid = [np.hstack(own[n : n + columns]) for n in range(0, len(own), columns)]
            np.testing.assert_array_equal(np.vstack(laid), expected)
    assert max(image.shape[0] * image.shape[1] for image, _ in found) <= 100
