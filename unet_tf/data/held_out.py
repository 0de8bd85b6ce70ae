"""Which images of a folder to score: a part of it, without those that a model has seen."""

import hashlib
from pathlib import Path

from unet_tf.data.checked_pairs import paired
from unet_tf.data.choice import part_folders
from unet_tf.data.pairs import GIVEN
from unet_tf.files import UserError


def digest(path):
    """The first 12 hex digits of the SHA-256 of a file's bytes: by them an image is known again,
    whatever its name."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def digests(parts):
    """The digests of the images of a `Split`, one text a part, "train", "val" and "test": what a
    model's card keeps of the images that it has seen."""
    return {
        name: " ".join(sorted({digest(image) for image, _ in pairs}))
        for name, pairs in zip(GIVEN, parts, strict=True)
    }


def held_out(folder, part=None, card=None, seen=False, patterns=None):
    """The pairs of a folder to score; prints what is left out, and what nobody can know.

    Parameters
    ----------
    folder : path, as in `pair`
    part : "train", "val", "test" or "all"
        A part that is given in the folder, or one of the model's own split, by its card. Left out:
        the given test part, else all.
    card : Card, optional
        The model's. Images that trained it, or chose its epoch, are left out, wherever they are.
    seen : bool
        Take them too.
    patterns : (str, str), optional, as in `pair`

    Returns
    -------
    list of Pair to score, and list of Pair that trained: by the card, else the given training part

    Raises
    ------
    UserError
        There is no such part, or the model has seen all of it; as `pair`.
    """
    place, names = part_folders(folder, patterns, trains=False)
    given = {name: paired(place, two) for name, two in names.items()}
    every = [pair for pairs in given.values() for pair in pairs]
    known = card.trained_on.get("seen", {}) if card else {}
    known = {name: set(text.split()) for name, text in known.items()}
    own = {pair: digest(pair.image) for pair in every} if known else {}

    def by_card(part):
        return [pair for pair in every if own.get(pair) in known.get(part, ())]

    part = part or ("test" if "test" in given else "all")
    pairs = every if part == "all" else given.get(part) or by_card(part)
    if not pairs:
        whose = "that part of the model's split" if known else "that part"
        raise UserError(
            f"{folder}: holds no images of {whose}, {part}: give --part all, or another folder"
        )
    if card and not known:
        print("This model does not say which images it was trained on: they may be among these")
    trained = known.get("train", set()) | known.get("val", set())
    unseen = [pair for pair in pairs if own.get(pair) not in trained]
    if len(unseen) < len(pairs):
        count = f"{len(pairs) - len(unseen)} of {len(pairs)} images"
        if not (unseen or seen):
            raise UserError(
                f"{folder}: {count} have trained this model or chosen its epoch, and their scores "
                "would flatter it: give a folder of others, or score them all the same (--seen)"
            )
        left_out = "scored too, and flatter it" if seen else "left out (--seen scores them too)"
        print(f"{count} have trained this model or chosen its epoch: {left_out}")
    # A given training part may be more than what trained: a validation part is split off it.
    return pairs if seen else unseen, by_card("train") if known else given.get("train", [])
