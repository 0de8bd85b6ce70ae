"""Cross-validation: parts by fold, in which every image is scored once."""

from unet_tf.data.splits import Split, divide, groups_fit, groups_of
from unet_tf.files import UserError


def folds(pairs, count, by="group", validation_size=0.2, seed=42):
    """The parts of each fold.

    Parameters
    ----------
    pairs : list of Pair
    count : int, of folds: each pair is in the test part of one of them
    by : "group" or "image"
        What is not torn apart, as in `split`; by image where the groups in the names do not fit.
    validation_size : float
        Share of what a fold does not test, by which its best epoch is chosen.
    seed : int

    Returns
    -------
    list of Split

    Raises
    ------
    UserError
        There are fewer groups, or images, than folds, or too few to choose an epoch by.
    """
    # It takes two seconds to import.
    from sklearn.model_selection import GroupKFold

    images = [image for image, _ in pairs]
    by_group = by == "group" and groups_fit(images)
    names = groups_of(images) if by_group else list(map(str, images))
    groups = dict(zip(pairs, names, strict=True))
    unit, whole = "groups" if by_group else "images", len(set(names))
    if count < 2 or whole < count + 1:
        raise UserError(f"{whole} {unit} cannot be cut into {count} folds: take 2 to {whole - 1}")
    found = []
    splitter = GroupKFold(count, shuffle=True, random_state=seed)
    for rest, test in splitter.split(pairs, groups=names):
        rest = [pairs[number] for number in rest]
        units = len({groups[pair] for pair in rest})
        few = max(1, round(validation_size * units))
        train, validation = divide(rest, "group" if by_group else "image", few, seed, groups)
        found.append(Split(train, validation, [pairs[number] for number in test]))
    return found
