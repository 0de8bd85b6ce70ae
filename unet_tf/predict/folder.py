"""Masks of many images as PNG files in a folder."""

import itertools
import json
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unet_tf import data
from unet_tf.files import UserError, atomically, held, write_json
from unet_tf.predict.areas import TABLE, areas_of, write_areas
from unet_tf.predict.files import RECORD, record_of, require_record, state_of
from unet_tf.predict.stream import KEPT, listed, predictions
from unet_tf.predict.usage import card_of, decided

STATE = "made of"  # the entry of a mask's PNG that holds `state_of` its image
AREAS = "areas"  # and the one that holds its `areas_of`


def to_folder(
    model, paths, folder, settings=(), overlays=False, batch_size=32, names=None, **usage
):
    """Write each mask as a PNG, `<name of the image>.png`, at the image's own size: 0 and 255; or
    of a model of many classes a palette PNG of ids. At the end also `areas.csv`, what each holds.

    Parameters
    ----------
    model, paths : as in `predictions`
    folder : path
        Made if it is missing. What a run with the same settings, which it holds as `predict.json`,
        has written there is kept, unless the image has changed. One process at a time writes there.
    settings : dict
        What else decides about the masks, ready for JSON, beside what a `Predictor` says of itself.
    overlays : bool
        Also write `<name>_overlay.jpg`, the image with the outline of its mask.
    batch_size : int
        As in `predictions`; a stopped run may go on with another.
    names : dict, optional
        The name of each image's mask, where it is not that of the image (`unet_tf.predict.named`):
        for `a/1` the mask is `a/1.png` in the folder.
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
    names = {path: names[path] if names else path.stem for path in paths}
    record = record_of(model, card, names, settings, batch_size)
    places = {str(path.parent.resolve()) for path in paths if isinstance(path, Path)}
    if str(folder.resolve()) in places:
        raise UserError(f"{folder} holds images: give the masks a folder of their own")
    endings = (".png", "_overlay.jpg")[: 1 + overlays]
    targets = {
        path: [folder / (name + ending) for ending in endings] for path, name in names.items()
    }
    states = {path: state_of(path) for path in paths}  # before they are read
    areas = {}

    def finish(path, answer, size):
        mask = decided(card, answer, size)
        areas[path] = areas_of(mask, card.labels)
        if not overlays:  # that of an earlier run would show an earlier mask
            (folder / f"{names[path]}_overlay.jpg").unlink(missing_ok=True)
        targets[path][0].parent.mkdir(parents=True, exist_ok=True)
        for target in targets[path][1:]:
            with atomically(target) as partial:
                shown = Image.fromarray(overlaid(path, mask, card))
                shown.save(partial, quality=90, subsampling=0)  # a thin line keeps its colour
        notes = {STATE: states[path], AREAS: json.dumps(areas[path])}
        save_mask(targets[path][0], mask, card.labels, notes)  # last: then all is there

    with held(folder):
        made = states_kept(targets, folder, record)
        write_json(folder / RECORD, record)
        (folder / TABLE).unlink(missing_ok=True)
        for partial in folder.rglob(".partial-*"):  # of a run that was killed
            partial.unlink()
        done = {path for path in made if made[path] == states[path] != ""}
        options = card.image_size, card.resize, batch_size, done
        for path, outcome in predictions(model, paths, finish, *options):
            if outcome == KEPT:
                areas[path] = areas_in(targets[path][0], card.labels)
            yield path, outcome
        rows = {names[path] + path.suffix: areas[path] for path in paths if path in areas}
        write_areas(folder / TABLE, rows, card.labels)


def states_kept(targets, folder, record):
    """What was made by a run with the same record, which the folder holds: {path: `state_of` its
    image then}."""
    file = folder / RECORD
    there = [target for target in itertools.chain(*targets.values()) if target.exists()]
    states = {
        path: notes_in(each[0]).get(STATE) for path, each in targets.items() if each[0].exists()
    }
    if file.exists():
        require_record(file.read_text(encoding="utf-8"), file, record if there else None)
        there = [targets[path][0] for path, state in states.items() if state is None]
    elif (folder / TABLE).exists():
        there.append(folder / TABLE)
    if there:
        raise UserError(f"{there[0]} is there already, and not from here: choose another folder")
    return {path: state for path, state in states.items() if all(map(Path.exists, targets[path]))}


def notes_in(mask):
    """What a mask's PNG says of itself; empty for a file that is no image."""
    try:
        with Image.open(mask) as image:
            return image.info
    except data.UNDECODABLE:
        return {}


def areas_in(mask, labels):
    """The `areas_of` a mask that is there: as it says, or counted where it was written before."""
    areas = notes_in(mask).get(AREAS)
    return json.loads(areas) if areas else areas_of(labels.read(mask), labels)


def save_mask(target, mask, labels, notes=()):
    """Write a mask, uint8 `(H, W)`, as a PNG, black and white or of class ids in the colours of its
    labels, that holds these notes, {name: text}."""
    info = PngInfo()
    for name, text in dict(notes).items():
        info.add_text(name, text)
    if not labels.binary:
        return data.save_ids(target, mask, data.palette_of(labels), pnginfo=info)
    with atomically(target) as partial:
        Image.fromarray(mask * 255).save(partial, pnginfo=info)


def overlaid(path, mask, card):
    """The image in a file with the outline of its mask, of many classes with their colours, uint8
    `(H, W, 3)`."""
    image, labels = data.read_image(path, card.value_range), card.labels
    from unet_tf import plot  # matplotlib: only for who asks

    if labels.binary:
        return (plot.outlined(image, mask) * 255).round().astype("uint8")
    colours = data.palette_of(labels)[mask]
    half = np.where(mask[..., None] > 0, image // 2 + colours // 2, image)
    return np.where(plot.outline(mask)[..., None], colours, half)
