"""Training, validation and test parts: by group, so that no group stands on both sides."""

import math
import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from unet_tf.data.checked_pairs import paired
from unet_tf.data.choice import part_folders
from unet_tf.data.pairs import CARVANA
from unet_tf.files import UserError


class Split(NamedTuple):
    """Lists of `Pair`; `test` is empty unless it was asked for."""

    train: list
    validation: list
    test: list


def parts(folder, images=None, by="group", validation_size=0.2, test_size=0.0, seed=42, pairs=None):
    """The parts of a folder: those that are given there, or those of `split`.

    What is not given is split off the given training part, and that is printed: a score is then of
    images that neither trained nor chose the epoch, unless `test_size` is 0.

    Parameters
    ----------
    folder : path, as in `pair`
    images : int, optional
        The first so many by name, of the whole or of the given training part.
    by, validation_size, test_size, seed : as in `split`
        By image where the groups in the names do not fit (`groups_fit`); that is printed.
    pairs : dict of lists of Pair, optional
        The pairs to take instead of all, each of which would have to be whole: "train", "val" and
        "test" of given parts, else "all" (`unet_tf.doctor.Report.whole_pairs`).

    Returns
    -------
    Split; raises as `pair` and `split`
    """
    if not pairs:
        place, sources = part_folders(folder)
        pairs = {part: paired(place, source) for part, source in sources.items()}
    if "all" in pairs:
        chosen = pairs["all"][:images]
        if len(chosen) < len(pairs["all"]):
            print(f"The first {len(chosen)} of {len(pairs['all'])} pairs, by name")
        return split_as_fits(chosen, by, validation_size, test_size, seed)
    if not pairs["train"] or not pairs.get("val", True):
        raise UserError(f"{folder}: no whole pairs in train, or none in val: fill them first")
    result = Split(pairs["train"][:images], pairs.get("val", []), pairs.get("test", []))
    shares = {"validation": validation_size, "test": test_size}
    shares = {part: 0 if getattr(result, part) else share for part, share in shares.items()}
    if missing := [part for part, share in shares.items() if share]:
        print(f"No {' and no '.join(missing)} part is given: split off the given training part")
        train, *others = split_as_fits(result.train, by, *shares.values(), seed)
        validation, test = (own or new for own, new in zip(result[1:], others, strict=True))
        result = Split(train, validation, test)
    counts = [f"{len(part)} {name}" for name, part in result._asdict().items() if part]
    print(f"{'With what is given' if missing else 'Split as given'}: {', '.join(counts)}")
    return result


def split_as_fits(pairs, by, validation_size, test_size, seed):
    """`split`, by image where the groups do not fit; that is printed."""
    if by == "group" and not groups_fit([image for image, _ in pairs]):
        print("By their names these images are too few groups, or too unequal ones, to split by")
        by = "image"
    return split(pairs, by, validation_size, test_size, seed)


def group_of(path):
    """The group of a file, by its name. In Carvana's names the car, the 12 hex digits. In others
    what stands before the last number, if there is a digit in it: patient7 of `patient7_slice03`;
    else the whole name."""
    stem = Path(path).stem.removesuffix("_mask")
    car = re.fullmatch(r"([0-9a-f]{12})_\d\d|(.*\d.*?)[-_. ]+[A-Za-z]*\d+", stem)
    return (car[1] or car[2]) if car else stem


def groups_of(paths):
    """The group of each of these files, a list: by its name (`group_of`); or, where no name tells
    one and two in unlike folders are called alike, by the folder below the one that holds all:
    case7 of `case7/slice03.png`."""
    paths = [Path(path).absolute() for path in paths]
    groups = [group_of(path) for path in paths]
    if len({path.stem for path in paths}) == len(paths) or any(
        group != path.stem for group, path in zip(groups, paths, strict=True)
    ):
        return groups
    top = os.path.commonpath([path.parent for path in paths])
    below = [path.relative_to(top).parts for path in paths]
    return groups if min(map(len, below)) == 1 else [parts[0] for parts in below]


def word_of(paths):
    """What a group is called: `car` where all names are Carvana's, else `group`."""
    return "car" if all(CARVANA.fullmatch(Path(path).stem) for path in paths) else "group"


def groups_fit(paths):
    """Can these images be split by their groups (`groups_of`)? Carvana's cars always; others where
    there are five groups or more, or an image a group, and none holds more than half of the images.
    """
    if word_of(paths) == "car":
        return True
    groups = Counter(groups_of(paths))
    return len(groups) == len(paths) or (
        len(groups) >= 5 and 2 * max(groups.values()) <= len(paths)
    )


def divide(pairs, by, count, seed, groups=None):
    """(rest, part): the part holds `count` groups, or images, as `by` says. `groups`: {pair: group}
    where these pairs are some of those that were grouped."""
    if not count:
        return pairs, []
    # It takes two seconds to import, for which nobody should wait who splits nothing.
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    if by == "image":
        return train_test_split(pairs, test_size=count, random_state=seed)
    groups = groups or dict(zip(pairs, groups_of(image for image, _ in pairs), strict=True))
    splitter = GroupShuffleSplit(n_splits=1, test_size=count, random_state=seed)
    rest, part = next(splitter.split(pairs, groups=[groups[pair] for pair in pairs]))
    return [pairs[i] for i in rest], [pairs[i] for i in part]


def split(pairs, by="group", validation_size=0.2, test_size=0.0, seed=42):
    """Training, validation and test parts; prints the counts and the groups on both sides.

    Parameters
    ----------
    pairs : list of Pair
    by : "group" or "image"
        A group is what must not be split, by the names: a car, a patient, a flight (`groups_of`).
        By group (scikit-learn's `GroupShuffleSplit`) none stands on both sides. By image
        (`train_test_split`) is the article's way: the views of one car fall on both sides.
    validation_size, test_size : float
        Shares of the whole, in [0, 1): of the groups, or of the images.
    seed : int
        scikit-learn's `random_state`.

    Returns
    -------
    Split

    Raises
    ------
    UserError
        For an unknown `by`, or too few groups or images for the shares.
    """
    if by not in ("group", "image"):
        raise UserError(f'a split is by "group" or by "image", not by {by!r}')

    pairs, images = list(pairs), [image for image, _ in pairs]
    group_by_pair = dict(zip(pairs, groups_of(images), strict=True))
    groups, word = set(group_by_pair.values()), word_of(images)
    unit = word if by == "group" else by
    # Counts, rounded up as scikit-learn does: a share of a rest would be off by rounding.
    whole = len(groups) if by == "group" else len(pairs)
    counts = [math.ceil(round(share * whole, 6)) for share in (test_size, validation_size)]
    if sum(counts) >= whole:
        raise UserError(
            f"{len(pairs)} images of {len(groups)} {word}s cannot be split by {unit} into shares "
            f"of {validation_size} for validation and {test_size} for test: nothing is left to "
            "train on. Take more images, a smaller share, or no test part; or split by image"
        )
    rest, test = divide(pairs, by, counts[0], seed, group_by_pair)
    train, validation = divide(rest, by, counts[1], seed, group_by_pair)
    parts = Split(train, validation, test)
    print(f"Split by {unit}: {described(parts)}")
    return parts


def described(parts):
    """The counts of a `Split`, and the number of groups that stand in more than one part."""
    images = [image for part in parts for image, _ in part]
    group = dict(zip(images, groups_of(images), strict=True))
    groups = [{group[image] for image, _ in part} for part in parts]
    shared = (groups[0] & groups[1]) | (groups[0] & groups[2]) | (groups[1] & groups[2])
    word = word_of(images)
    counts = [
        f"{len(part)} {name} ({len(own)} {word}s)"
        for name, part, own in zip(Split._fields, parts, groups, strict=True)
        if part
    ]
    return f"{', '.join(counts)}; {word}s on both sides: {len(shared)}"
