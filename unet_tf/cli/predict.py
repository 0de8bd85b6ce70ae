"""The command `predict`."""

import sys
from pathlib import Path

from unet_tf.files import UserError


def run_predict(arguments):
    import hashlib

    from tqdm import tqdm

    from unet_tf import data, predict

    if arguments.overlays and arguments.rle:
        raise UserError("--overlays are pictures beside masks: they go with --to, not with --rle")
    paths = predict.images(arguments.files)
    model = predict.load(arguments.model)
    own = predict.size_of_model(model)
    number = model.output_shape[-1]
    if number > 1 and (arguments.rle or arguments.threshold is not None):
        raise UserError(
            f"this model knows {number} classes: --rle and --threshold are for one, use --to alone"
        )
    table = data.table_of(Path(arguments.model).parent) if number > 1 else None
    if table and len(table.names) != number:
        table = None  # of another model
    size = getattr(arguments, "image_size", own)
    if own and size != own:
        raise UserError(f"this model takes {own[0]}x{own[1]} alone: leave --image-size out")
    if arguments.tiles and size is None:
        raise UserError("this model takes any size: say how large the tiles are by --image-size")
    flips = {"both": ("horizontal", "vertical")}.get(arguments.flips, (arguments.flips,))
    settings = {
        "model": hashlib.sha256(Path(arguments.model).read_bytes()).hexdigest()[:16],
        "tiles": [size, arguments.overlap] if arguments.tiles else None,
        "flips": arguments.flips,
    }
    forward = predict.compiled(model)
    if arguments.flips:
        forward = predict.flipped(forward, flips)
    if arguments.tiles:
        forward = predict.tiled(forward, size, arguments.overlap, arguments.batch_size)
    options = {
        "settings": settings,
        "threshold": 0.5 if arguments.threshold is None else arguments.threshold,
        "image_size": None if arguments.tiles else size,
        "resize": arguments.resize,
        "batch_size": arguments.batch_size,
    }
    if arguments.rle:
        outcomes = predict.to_submission(forward, paths, arguments.rle, **options)
    else:
        outcomes = predict.to_folder(
            forward, paths, arguments.to, overlays=arguments.overlays, classes=table, **options
        )
    broken, kept, bar = 0, 0, None
    for _, outcome in outcomes:
        if outcome == predict.KEPT:
            kept += 1
            continue
        # Only now: what is kept would make the time left too short.
        bar = bar or tqdm(total=len(paths), initial=kept, unit=" images", smoothing=0.02)
        bar.update()
        if outcome:
            broken += 1
            bar.write(f"skipped: {outcome}", file=sys.stderr)
    if bar:
        bar.close()
    print(f"{len(paths) - broken} masks in {arguments.rle or arguments.to}")
    if broken:
        raise UserError(
            f"{broken} of {len(paths)} images were skipped, named above. Replace them and run the "
            "same command again: what is there is kept"
        )
