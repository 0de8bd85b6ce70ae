"""What is found in a folder: directions, light and detail of images drawn for it."""

import numpy as np
import pytest
from PIL import Image

from unet_tf.data import VOID, Labels, Pair
from unet_tf.plan.found import found_in, met_again

PIXELS = np.bincount([0, 0, 0, 1], minlength=256)  # a quarter is foreground


def written(folder, images, masks=None):
    """Pairs of files of these arrays."""
    pairs = []
    for number, image in enumerate(images):
        mask = np.zeros(image.shape[:2], "uint8") if masks is None else masks[number]
        pair = Pair(folder / f"{number}.png", folder / f"{number}_mask.png")
        Image.fromarray(image).save(pair.image)
        Image.fromarray(mask).save(pair.mask)
        pairs.append(pair)
    return pairs


def found(folder, images, masks=None):
    pairs = written(folder, images, masks)
    return found_in(pairs, {"all": len(pairs)}, Labels.foreground(), PIXELS)


def noise(count=12, size=(64, 64), seed=0):
    return np.random.default_rng(seed).integers(90, 160, (count, *size, 3)).astype("uint8")


def test_noise_has_no_directions(tmp_path):
    one = found(tmp_path, noise())
    assert max(map(abs, (one.upright, one.sided, one.crossed))) < 0.05 and one.lines < 1
    assert one.light < 0.02 and one.shares == {"background": 0.75, "foreground": 0.25}


def test_a_bright_sky_gives_images_a_top(tmp_path):
    images = noise()
    images[:, :24] += 90
    one = found(tmp_path, images)
    assert one.upright > 0.3 and abs(one.sided) < 0.05
    assert found(tmp_path, images.transpose(0, 2, 1, 3)).sided > 0.3


def test_a_sky_above_in_half_of_them_gives_none(tmp_path):
    images = noise()
    images[::2, :24] += 90
    images[1::2, -24:] += 90
    assert found(tmp_path, images).upright < 0.05


def test_lines_of_text_run_one_way(tmp_path):
    rows = np.full((12, 64, 64, 3), 230, "uint8")
    rows[:, ::4] = 40
    rows[:, :, :8] = 230  # else nothing changes from left to right
    assert found(tmp_path, rows).lines > 1


def test_light_is_the_deviation_of_the_means(tmp_path):
    images = np.stack([np.full((8, 8, 3), value, "uint8") for value in (51, 102)])  # 0.2 and 0.4
    assert found(tmp_path, images).light == pytest.approx(0.1, abs=1e-3)


def test_a_mask_at_its_own_size_is_kept_and_a_line_at_a_quarter_is_lost(tmp_path):
    masks = np.zeros((2, 64, 64), "uint8")
    masks[:, 30] = 255
    one = found(tmp_path, noise(2), masks)
    assert one.kept(None) == 1
    assert one.kept(0.25) == 0  # a quarter of each cell: background is more probable
    assert one.kept((64, 64)) == 1


def test_what_is_met_again_is_counted_by_class_and_without_void():
    mask = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, VOID, VOID], [2, 2, VOID, VOID]], "uint8")
    assert met_again(mask, (4, 4), 3).tolist() == [[4, 8], [4, 8], [4, 8]]
