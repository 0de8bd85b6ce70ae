"""Masks of many images as PNG files in a folder."""

import itertools
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unet_tf import data
from unet_tf.files import UserError, atomically, held, write_json
from unet_tf.predict.files import record_of, require_record, state_of
from unet_tf.predict.stream import listed, predictions
from unet_tf.predict.usage import card_of, decided

STATE = "made of"  # the entry of a mask's PNG that holds `state_of` its image


def to_folder(model, paths, folder, settings=(), overlays=False, batch_size=32, **usage):
    """Write each mask as a PNG, `<name of the image>.png`, at the image's own size: 0 and 255; or
    of a model of many classes a palette PNG of ids.

    Parameters
    ----------
    model, paths : as in `predictions`
    folder : path
        Made if it is missing. What a run with the same settings, which it holds as `predict.json`,
        has written there is kept, unless the image has changed. One process at a time writes there.
    settings : dict
        What else decides about the masks, ready for JSON, beside what a `Predictor` says of itself.
    overlays : bool
        Also write `<name>_overlay.jpg`, the image with its mask in colour.
    batch_size : int
        As in `predictions`; a stopped run may go on with another.
    usage :
        image_size, resize, labels, threshold, as in `card_of`: a `Predictor` knows them.

    Yields
    ------
    (path, outcome) for each image: first those that are there already, with `KEPT`, then the
    others, with None or the UserError of a broken file.

    Raises
    ------
    UserError
        When the folder holds the images, masks of other settings, or files in the masks' places;
        when another process writes there; as `predictions`.
    """
    card, paths, folder = card_of(model, **usage), listed(paths), Path(folder)
    record = record_of(model, card, paths, settings, batch_size)
    if str(folder.resolve()) in record["from"]:
        raise UserError(f"{folder} holds the images: give the masks a folder of their own")
    endings = (".png", "_overlay.jpg")[: 1 + overlays]
    targets = {path: [folder / f"{path.stem}{ending}" for ending in endings] for path in paths}
    states = {path: state_of(path) for path in paths}  # before they are read

    def finish(path, answer, size):
        mask = decided(card, answer, size)
        if not overlays:  # that of an earlier run would show an earlier mask
            (folder / f"{path.stem}_overlay.jpg").unlink(missing_ok=True)
        for target in targets[path][1:]:
            with atomically(target) as partial:
                Image.fromarray(overlaid(path, mask, card.labels)).save(partial, quality=90)
        save(targets[path][0], mask, card.labels, states[path])  # last: then all is there

    with held(folder):
        made = states_kept(targets, folder / "predict.json", record)
        write_json(folder / "predict.json", record)
        for partial in folder.glob(".partial-*"):  # of a run that was killed
            partial.unlink()
        done = {path for path in made if made[path] == states[path] != ""}
        options = card.image_size, card.resize, batch_size, done
        yield from predictions(model, paths, finish, *options)


def states_kept(targets, file, record):
    """What was made by a run with the same record, `file`: {path: `state_of` its image then}."""
    there = [target for target in itertools.chain(*targets.values()) if target.exists()]
    states = {path: state_in(each[0]) for path, each in targets.items() if each[0].exists()}
    if file.exists():
        require_record(file.read_text(encoding="utf-8"), file, record if there else None)
        there = [targets[path][0] for path, state in states.items() if state is None]
    if there:
        raise UserError(f"{there[0]} is there already, and not from here: choose another folder")
    return {path: state for path, state in states.items() if all(map(Path.exists, targets[path]))}


def state_in(mask):
    """The state of the image that a mask was made of, or None in a file that is no such mask."""
    try:
        with Image.open(mask) as image:
            return image.info.get(STATE)
    except data.UNDECODABLE:
        return None


def save(target, mask, labels, state):
    """Write a mask as a PNG that says of what it was made."""
    info = PngInfo()
    info.add_text(STATE, state)
    if not labels.binary:
        return data.save_ids(target, mask, data.palette_of(labels), pnginfo=info)
    with atomically(target) as partial:
        Image.fromarray(mask * 255).save(partial, pnginfo=info)


def overlaid(path, mask, labels):
    """The image in a file with its mask in colour, uint8 `(H, W, 3)`."""
    image = data.read_image(path)
    if labels.binary:
        from unet_tf import plot  # matplotlib: only for who asks

        return (plot.overlay(image, mask, mask) * 255).round().astype("uint8")
    half = image // 2 + data.palette_of(labels)[mask] // 2
    return np.where(mask[..., None] > 0, half, image)
