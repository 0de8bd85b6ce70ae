"""Tiles and mirror images: the same answer as of the whole image."""

import keras
import numpy as np
import pytest

from unet_tf import data, predict
from unet_tf.network import simple_fcn
from unet_tf.predict import tiles as tiles_file


def red(images, training=False):
    """A model that looks at each pixel alone: its red."""
    return np.asarray(images)[..., :1]


# --- tiles and flips


@pytest.mark.parametrize("size", [(96, 128), (97, 301), (200, 130), (50, 40), (10, 400)])
@pytest.mark.parametrize("overlap", [0, 0.3, 0.5, 0.9])
def test_a_model_of_pixels_is_the_same_tiled(size, overlap):
    image = np.random.default_rng(0).random((1, *size, 3), "float32")
    tiles = predict.tiled(red, (50, 64), overlap, batch_size=3)(image)
    assert tiles.shape == (1, *size, 1)
    np.testing.assert_allclose(tiles, red(image), atol=5e-6)


def test_tiles_reach_the_model_whole_and_overlap_as_asked():
    seen = []

    def watcher(images, training):
        seen.append(images.shape)
        return images[..., :1]

    predict.tiled(watcher, (10, 10), 0.5, batch_size=4)(np.zeros((1, 20, 25, 3), "float32"))
    # starts 0, 5, 10 by 0, 5, 10, 15: twelve tiles, at most four at a time
    assert seen == [(4, 10, 10, 3)] * 3


def test_the_middle_of_a_tile_counts_more():
    """Two tiles of width 4 over a width of 6, the first says 0, the second 1. The weights along
    a tile are 1, 3, 3, 1 quarters: where both see, columns 2 and 3, the second has 1/4 and 3/4."""

    def first_zero(images, training):
        answers = np.zeros((*images.shape[:3], 1), "float32")
        answers[1] = 1
        return answers

    image = np.zeros((1, 4, 6, 3), "float32")
    blended = predict.tiled(first_zero, (4, 4), 0.5)(image)
    np.testing.assert_allclose(blended[0, 0, :, 0], [0, 0, 0.25, 0.75, 1, 1])


def test_a_network_tiled_is_close_to_itself_and_any_size_works():
    keras.utils.set_random_seed(0)
    network = simple_fcn((32, 32, 3), (4, 8))
    image = np.random.default_rng(1).random((2, 45, 71, 3), "float32")
    tiled = predict.tiled(network, (32, 32))(image)
    assert tiled.shape == (2, 45, 71, 1)
    assert np.isfinite(tiled).all()


def test_overlap_out_of_range():
    with pytest.raises(ValueError, match="overlap"):
        predict.tiled(red, (16, 24), overlap=1)


def test_flips_by_hand():
    """A model that knows its left from its right: it answers with the column's number."""

    def column(images, training):
        return np.broadcast_to(np.arange(4.0)[None, None, :, None], (*images.shape[:3], 1))

    def row(images, training):
        return np.broadcast_to(np.arange(2.0)[None, :, None, None], (*images.shape[:3], 1))

    image = np.zeros((1, 2, 4, 3))
    # column 0 is answered 0, and 3 in the mirror: 1.5 everywhere
    assert (predict.flipped(column)(image) == 1.5).all()
    np.testing.assert_allclose(predict.flipped(row)(image), row(image, False))
    assert (predict.flipped(row, ("vertical",))(image) == 0.5).all()
    both = predict.flipped(
        lambda images, training: row(images, 0) + column(images, 0), predict.AXES
    )
    assert (both(image) == 2).all()
    np.testing.assert_array_equal(
        predict.flipped(red, predict.AXES)(image + 0.5), image[..., :1] + 0.5
    )
    with pytest.raises(ValueError, match="diagonal"):
        predict.flipped(red, ("diagonal",))


def test_a_flip_may_be_a_text():
    images = np.random.default_rng(0).random((1, 4, 6, 3), "float32")
    one, two = (predict.flipped(red, flips)(images) for flips in ("horizontal", ("horizontal",)))
    np.testing.assert_array_equal(one, two)


def test_what_is_too_large_goes_through_in_pieces(monkeypatch, photographs):
    """Of 2,320 pixels at most; a model that is in tiles already, or takes one size, stays."""
    monkeypatch.setattr(tiles_file, "MOST_AT_ONCE", 2320)
    monkeypatch.setattr(tiles_file, "PIECE", 32)
    paths, seen = sorted(photographs.iterdir()), []

    def noted(images, training=False):
        seen.append(images.shape[1:3])
        return red(images)

    found = list(predict.probabilities(noted, paths, "native"))
    large = [tuple(data.size_of(path)) for path in paths if np.prod(data.size_of(path)) > 2320]
    assert len(large) == 4 and set(seen) - {(32, 32)} and not set(seen) & set(large)
    for answer, path in zip(found, paths, strict=True):
        np.testing.assert_allclose(answer, data.read_image(path)[..., 0] / 255, atol=5e-6)
    assert tiles_file.in_pieces(noted, (30, 60)) is noted
    noted.identity = {"tiles": [(16, 16), 0.5]}
    assert tiles_file.in_pieces(noted, (900, 900)) is noted


def test_a_model_of_one_size_and_tiles_as_asked_for_stay(monkeypatch):
    monkeypatch.setattr(tiles_file, "MOST_AT_ONCE", 100)
    for shape, stays in (((16, 24, 3), True), ((None, None, 3), False)):
        forward = predict.compiled(simple_fcn(shape, (2, 2, 2)))
        assert (tiles_file.in_pieces(forward, (16, 24)) is forward) == stays
    tiles = predict.tiled(red, (64, 64))
    assert tiles_file.in_pieces(tiles, (900, 900)) is tiles


def test_a_predictor_called_by_itself_takes_large_images_in_pieces(monkeypatch):
    """So `explain`, and who calls it from Python, may hand it a scene."""
    monkeypatch.setattr(tiles_file, "MOST_AT_ONCE", 1024)
    monkeypatch.setattr(tiles_file, "PIECE", 32)
    card = data.Card(data.Labels.foreground("car"), None)
    model = predict.Predictor(simple_fcn((None, None, 3), (2, 2, 2)), card)
    seen, forward = [], model.forward

    def noted(images, training=False):
        seen.append(tuple(images.shape[1:3]))
        return forward(images, training)

    model.forward = noted
    images = np.random.default_rng(0).random((1, 48, 80, 3), "float32")
    found = model(images)
    assert set(seen) == {(32, 32)} and found.shape == (1, 48, 80, 1)
    expected = predict.tiled(forward, (32, 32), tiles_file.OVER, batch_size=1)(images)
    np.testing.assert_array_equal(found, expected)
    for tiles in (model.tiled((48, 64)), predict.tiled(model, (48, 64))):  # larger, as asked for
        seen.clear()
        tiles(images)
        assert set(seen) == {(48, 64)}
