"""Scores of a labelled folder: of masks that are there already, whoever made them."""

import contextlib
from pathlib import Path

from unet_tf import data
from unet_tf.data import VOID
from unet_tf.files import UserError
from unet_tf.scores.baselines import baseline_of
from unet_tf.scores.binary import report
from unet_tf.scores.classes import class_report


def of_answers(pairs, answers, labels, read, train=(), image_size=None, **options):
    """The report of one task or the other, with `baseline_of` where there are training masks.

    Parameters
    ----------
    pairs, train : lists of Pair: what is scored, and what trained
    answers : iterable, in the order of `pairs`
        Probabilities `(h, w)` of a foreground; of many classes masks of ids, at original size.
    labels : unet_tf.data.Labels
    read : callable, of `unet_tf.data.reader`
    image_size : (height, width) or None
        The model's, for the baseline.
    options : threshold and batch_size, as in `report`
    """
    others = [image for image, _ in train]
    if labels.binary:
        found = report(pairs, answers, labels=labels, read=read, others=others, **options)
    else:
        found = class_report(pairs, answers, labels, read, others)
    return found | baseline_of(train, pairs, labels, image_size, read)


def of_masks(masks, folder, part=None, region=None, names=None, patterns=None):
    """Every score of masks in one folder against the labelled images of another.

    Parameters
    ----------
    masks : path
        A folder of masks as `predict --to` or any other program writes them, subfolders included:
        each has its image's name, with or without `_mask`, and its image's size. They mean what the
        true ones mean; classes may be palette images of ids, where the true ones have colours.
    folder, part, patterns : as in `unet_tf.data.held_out`
        Without a part images that have no mask are left out, and counted in a line.
    region : str, optional
        Files of what counts (`unet_tf.data.reader`).
    names : sequence of str, optional
        Of the classes, by id (`unet_tf.data.find_labels`); of black and white masks, two.

    Returns
    -------
    dict, ready for JSON: `report` or `class_report`, with `baseline`, if a part trains

    Raises
    ------
    UserError
        For masks that are missing, of two places, or of another size; as `held_out` and `reader`.
    """
    pairs, train = data.held_out(folder, part, patterns=patterns)
    made = masks_of(Path(masks), pairs)
    missing = [image.name for image, mask in pairs if mask not in made]
    if missing and (part or not made):
        raise UserError(
            f"{masks}: {len(missing)} of {len(pairs)} images have no mask here, {missing[0]} the "
            "first: give the folder that holds them, each by its image's name"
        )
    if not part:
        print("Masks do not say which images trained their model: these may be among them")
    if missing:
        print(f"{len(missing)} of {len(pairs)} images have no mask in {masks}: left out")
    pairs = [pair for pair in pairs if pair.mask in made]
    labels = labels_found(folder, pairs, names)
    read = data.reader(labels, pairs, folder, region)
    answers = (answer_of(made[mask], mask, labels) for _, mask in pairs)
    return of_answers(pairs, answers, labels, read, train)


def masks_of(folder, pairs):
    """The mask of each pair that lies in a folder or below it: `{true mask: made mask}`.

    Of several with one name that in the folders that the image lies in, `b/1.png` for `a/b/1.jpg`.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of masks. Give one that is there")
    by_stem, made = {}, {}
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in data.SUFFIXES and not hidden:
            by_stem.setdefault(path.stem.removesuffix("_mask"), []).append(path)
    for image, mask in pairs:
        found = by_stem.get(image.stem, [])
        if len(found) > 1:
            depths = [depth(path.relative_to(folder), image) for path in found]
            found = [path for path, n in zip(found, depths, strict=True) if n == max(depths)]
        if len(found) > 1:
            raise UserError(
                f"{found[0]} and {found[1]} could both be the mask of {image.name}: leave one "
                "there, or score a folder or part by itself"
            )
        if found:
            made[mask] = found[0]
    return made


def depth(path, image):
    """How many of the folders that an image lies in a mask's relative path names; -1 for others."""
    place, own = path.parent.parts, image.parent.parts
    return len(place) if own[len(own) - len(place) :] == place else -1


def labels_found(folder, pairs, names=None):
    """What the masks of these pairs mean: one foreground where all are black and white and there is
    no class table, else as `unet_tf.data.find_labels`."""
    if data.table_of(folder) is None and (not names or len(names) == 2):
        with contextlib.suppress(UserError):  # of other masks: they are of classes
            for _, mask in pairs:
                data.read_mask(mask)
            return data.Labels.foreground(names[1] if names else "foreground")
    return data.find_labels(folder, [pairs], names)


def answer_of(path, truth, labels):
    """A mask that was made, checked: uint8 `(H, W)`, of the true one's size, without void."""
    mask, size = labels.read(path), data.size_of(truth)
    if mask.shape != size:
        sizes = " and ".join("x".join(map(str, one)) for one in (mask.shape, size))
        raise UserError(
            f"{path}: this mask and the true one, {truth.name}, differ in size ({sizes}, height x "
            "width): masks are scored at the images' own size"
        )
    if (mask == VOID).any():
        raise UserError(f"{path}: holds void ({VOID}): a prediction names a class for each pixel")
    return mask
