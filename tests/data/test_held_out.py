"""Which images are scored: a part, by the folder or by the card, and none that trained."""

import hashlib

import pytest
from PIL import Image

from unet_tf import data
from unet_tf.data import Card, Labels
from unet_tf.data.held_out import digest
from unet_tf.files import UserError


def written(folder, names, grey=0, layout=("images", "masks")):
    """Pairs of one colour each, from `grey` up."""
    for number, name in enumerate(names):
        for part in layout:
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.new("L", (6, 4), grey + number).save(folder / part / f"{name}.png")
    return folder


def card_of(train=(), validation=(), test=()):
    """The card of a model that has seen these images."""
    split = data.Split(*([(path, path) for path in part] for part in (train, validation, test)))
    return Card(Labels.foreground(), None, trained_on={"seen": data.digests(split)})


def names(pairs):
    return [image.stem for image, _ in pairs]


def images(folder, stems):
    return [folder / f"images/{stem}.png" for stem in stems]


def test_a_digest_is_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()[:12] == "ba7816bf8f01"


def test_what_trained_or_chose_the_epoch_is_left_out_under_any_name(tmp_path, capsys):
    folder = written(tmp_path / "own", "abcdef")
    card = card_of(
        train=images(folder, "ab"), validation=images(folder, "c"), test=images(folder, "d")
    )
    pairs, train = data.held_out(folder, card=card)
    assert (names(pairs), names(train)) == (["d", "e", "f"], ["a", "b"])
    assert "3 of 6 images have trained this model or chosen its epoch: left out" in (
        capsys.readouterr().out
    )
    assert names(data.held_out(folder, "test", card)[0]) == ["d"]  # its own split
    assert names(data.held_out(folder, "val", card, seen=True)[0]) == ["c"]
    assert names(data.held_out(folder, "all", card, seen=True)[0]) == list("abcdef")
    assert "4 of" not in (said := capsys.readouterr().out)
    assert "3 of 6 images have trained this model or chosen its epoch: scored too" in said
    other = written(tmp_path / "renamed", "xyz")  # the bytes of a, b and c
    with pytest.raises(UserError, match=r"renamed: 3 of 3 images have trained.*\(--seen\)"):
        data.held_out(other, card=card)
    assert names(data.held_out(other, card=card, seen=True)[0]) == list("xyz")
    new = written(tmp_path / "new", "abc", grey=50)  # the names alone are the same
    capsys.readouterr()
    assert names(data.held_out(new, card=card)[0]) == list("abc")
    assert capsys.readouterr().out == ""


def test_given_parts_come_first(tmp_path):
    for grey, part in enumerate(("train", "val", "test")):
        written(tmp_path, [f"{part}{n}" for n in range(2)], 60 * grey, (part, f"{part}_labels"))
    pairs, train = data.held_out(tmp_path)
    assert (names(pairs), names(train)) == (["test0", "test1"], ["train0", "train1"])
    assert names(data.held_out(tmp_path, "val")[0]) == ["val0", "val1"]
    assert len(data.held_out(tmp_path, "all")[0]) == 6
    card = card_of(train=[tmp_path / "train/train0.png"], validation=[tmp_path / "test/test0.png"])
    pairs, train = data.held_out(tmp_path, card=card)  # one of the test part chose the epoch
    assert (names(pairs), names(train)) == (["test1"], ["train0"])


def test_what_nobody_can_know(tmp_path, capsys):
    folder = written(tmp_path, "ab")
    assert data.held_out(folder, card=Card(Labels.foreground(), None))[1] == []
    assert "does not say which images it was trained on" in capsys.readouterr().out
    with pytest.raises(UserError, match="holds no images of that part, test: give --part all"):
        data.held_out(folder, "test")
    with pytest.raises(UserError, match="that part of the model's split, test"):
        data.held_out(folder, "test", card_of(train=images(folder, "a")))
