"""What a prediction that never looks at an image scores, and a perfect one."""

import numpy as np
import pytest
from PIL import Image

from unet_tf import data, scores


def written(folder, masks):
    """Pairs whose masks, arrays in {0, 1}, lie in `folder` as PNG; `masks` is {name: mask}."""
    for name, mask in masks.items():
        Image.fromarray(np.asarray(mask, "uint8") * 255).save(folder / f"{name}_mask.png")
    return [data.Pair(folder / f"{name}.jpg", folder / f"{name}_mask.png") for name in masks]


def random_masks(count, size, seed=0):
    return np.random.default_rng(seed).random((count, *size)) < 0.3


def test_constant_baseline_by_hand(tmp_path):
    """Training masks of 1, 2 and 3 columns of 4: at least half of them hold columns 1 and 2."""
    pairs = []
    for columns in (1, 2, 3):
        mask = np.zeros((4, 4), "uint8")
        mask[:, :columns] = 255
        Image.fromarray(mask).save(tmp_path / f"{columns}.png")
        pairs.append((None, tmp_path / f"{columns}.png"))
    baseline = scores.constant_baseline(pairs, pairs, None)
    np.testing.assert_allclose(baseline, [2 * 1 / 3, 1, 2 * 2 / 5])


def test_the_constant_is_the_best_of_the_mean_all_and_nothing(tmp_path):
    """One pixel of four, each time another: the mean mask is empty, all of it has 2/5. Where most
    masks are empty, nothing is the best."""
    masks = np.eye(4)
    pairs = written(tmp_path, {str(n): row.reshape(2, 2) for n, row in enumerate(masks)})
    np.testing.assert_allclose(scores.constant_baseline(pairs, pairs, None), [0.4] * 4)
    pairs = written(tmp_path, {"a": masks[0].reshape(2, 2)} | {n: np.zeros((2, 2)) for n in "bcd"})
    np.testing.assert_allclose(scores.constant_baseline(pairs, pairs, None), [0, 1, 1, 1])


@pytest.mark.parametrize("resize", ["area", "nearest"])
def test_the_ceiling_of_the_masks_own_size_is_1(tmp_path, resize):
    pairs = written(tmp_path, {"a": random_masks(1, (9, 14))[0], "b": np.zeros((9, 14))})
    assert scores.ceiling(pairs, (9, 14), resize) == 1


def test_ceiling_by_hand(tmp_path):
    """Four columns, the first car, go to two: by area 1/2 and 0, by nearest (the second and fourth
    are kept) 0 and 0. Back at four 1/2, 3/8, 1/8, 0: at 0.5 the first column again."""
    mask = np.zeros((1, 4))
    mask[:, 0] = 1
    pairs = written(tmp_path, {"a": mask})
    # 255 / 2 is rounded up to 128 of 255.
    assert scores.ceiling(pairs, (1, 2)) == 1
    assert scores.ceiling(pairs, (1, 2), "nearest") == 0
