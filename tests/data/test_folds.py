"""Cross-validation: each image is tested once, and no group stands on both sides."""

from collections import Counter
from pathlib import Path

import pytest

from unet_tf import data
from unet_tf.files import UserError


def pairs(names):
    return [data.Pair(Path(f"{name}.png"), Path(f"{name}_mask.png")) for name in names]


def test_each_image_is_tested_once_and_groups_stay_whole():
    given = pairs(f"patient{n}_{view:02}" for n in range(10) for view in range(3))
    made = data.folds(given, 5)
    assert Counter(pair for parts in made for pair in parts.test) == Counter(given)
    for parts in made:
        assert sorted(parts.train + parts.validation + parts.test) == sorted(given)
        groups = [{data.group_of(image) for image, _ in part} for part in parts]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
        assert len(groups[1]) == 2  # a fifth of eight, rounded


def test_the_same_seed_makes_the_same_folds():
    given = pairs(f"cell{n}" for n in range(9))
    assert data.folds(given, 3, seed=1) == data.folds(given, 3, seed=1)
    assert data.folds(given, 3, seed=1) != data.folds(given, 3, seed=2)


@pytest.mark.parametrize("count", [1, 9, 20])
def test_too_many_folds_are_refused(count):
    with pytest.raises(UserError, match=r"9 images cannot be cut .* take 2 to 8"):
        data.folds(pairs(f"a{letter}" for letter in "abcdefghi"), count, by="image")
