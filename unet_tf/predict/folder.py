"""Masks of many images as PNG files in a folder."""

import itertools
import json
from pathlib import Path

import numpy as np
from PIL import Image

from unet_tf import data
from unet_tf.data import Labels, palette_of, save_ids
from unet_tf.files import UserError, atomically, partials_of
from unet_tf.predict.files import KEPT, places, predictions, require_same


def to_folder(
    model, paths, folder, settings, overlays=False, threshold=0.5, classes=None, **options
):
    """Write each mask as a PNG, `<name of the image>.png`, at the image's own size: 0 and 255; or
    of a model of many classes a palette PNG of ids.

    Parameters
    ----------
    model, options : as in `predictions`
    paths : list of path, as `images` gives them
    folder : path
        Made if it is missing. What a run with the same settings has written there is kept, and not
        predicted again.
    settings : dict
        What else decides about the masks, such as a hash of the model, ready for JSON; kept with
        threshold and options in the folder, as `predict.json`.
    overlays : bool
        Also write `<name>_overlay.jpg`, the image with its mask in green.
    threshold : float
        Of a pixel that is car; of no use to a model of many classes.
    classes : unet_tf.data.Labels, optional
        Its colours are those of the palette, else PASCAL VOC's are.

    Yields
    ------
    (path, outcome) for each image: first those that are there already, with `KEPT`, then the
    others, with None or the ValueError of a broken file.

    Raises
    ------
    ValueError
        When the folder holds masks of other settings, or files in the masks' places.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def targets(path):
        names = [f"{path.stem}.png", *([f"{path.stem}_overlay.jpg"] if overlays else [])]
        return [folder / name for name in names]

    def each_target():
        return itertools.chain.from_iterable(map(targets, paths))

    sources = places(paths)
    if str(folder.resolve()) in sources:
        raise UserError(f"{folder} holds the images: give the masks a folder of their own")
    settings = {**settings, "threshold": threshold, **options, "from": sources}
    record = folder / "predict.json"
    there = next((target for target in each_target() if target.exists()), None)
    if there and record.exists():
        require_same(settings, record.read_text(), record)
    elif there:
        raise UserError(f"{there} is there already, and not from here: choose another folder")
    elif record.exists():
        require_same({}, record.read_text(), record)
    with atomically(record) as partial:
        partial.write_text(json.dumps(settings, indent=1) + "\n")

    palette = palette_of(classes or Labels(()))

    def finish(path, probability):
        if path in done:
            return
        is_ids = probability.dtype == np.uint8
        mask = probability if is_ids else probability >= threshold
        if overlays:
            from unet_tf import plot  # matplotlib: only for who asks

            image = data.read_image(path)
            if is_ids:
                half = image // 2 + palette[mask] // 2
                shown = np.where(mask[..., None] > 0, half, image)
            else:
                shown = (plot.overlay(image, mask, mask) * 255).round().astype("uint8")
            with atomically(targets(path)[1]) as partial:
                Image.fromarray(shown).save(partial, quality=90)
        # The mask last: where it is, all of this image is.
        if is_ids:
            save_ids(targets(path)[0], mask, palette)
            return
        with atomically(targets(path)[0]) as partial:
            Image.fromarray(mask.astype("uint8") * 255).save(partial)

    for target in each_target():
        for partial in partials_of(target):  # of a run that was killed
            partial.unlink(missing_ok=True)
    done = {path for path in paths if all(map(Path.exists, targets(path)))}
    yield from ((path, KEPT) for path in paths if path in done)
    for path, error in predictions(model, paths, finish, done=done, **options):
        if path not in done:
            yield path, error
