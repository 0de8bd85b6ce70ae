"""The command `predict`."""

import sys

from unet_tf.files import UserError


def run_predict(arguments):
    from unet_tf import predict

    if arguments.overlays and arguments.rle:
        raise UserError("--overlays are pictures beside masks: they go with --to, not with --rle")
    names = predict.named(arguments.files)
    paths = list(names)
    model = used(arguments)
    options = {"batch_size": arguments.batch_size or 16}
    if arguments.rle:
        outcomes = predict.to_submission(model, paths, arguments.rle, **options)
    else:
        options |= {"overlays": arguments.overlays, "names": names}
        outcomes = predict.to_folder(model, paths, arguments.to, **options)
    broken = followed(outcomes, len(paths))
    print(f"{len(paths) - broken} masks in {arguments.rle or arguments.to}")
    if broken:
        raise UserError(
            f"{broken} of {len(paths)} images were skipped, named above. Replace them and run the "
            "same command again: what is there is kept"
        )


def loaded(arguments, resize=None):
    """The model that the command line names, used as `card_options` say; `resize` if none does."""
    from unet_tf import predict

    size, resize = getattr(arguments, "image_size", "card"), arguments.resize or resize
    return predict.load(arguments.model, size, resize, threshold=arguments.threshold)


def used(arguments):
    """The same, as `usage_options` say."""
    model = loaded(arguments, "area" if arguments.tiles else None)  # tiles are not resized
    if arguments.flips:
        both = {"both": ("horizontal", "vertical")}
        model = model.flipped(both.get(arguments.flips, (arguments.flips,)))
    if arguments.tiles:
        model = model.tiled(overlap=arguments.overlap, batch_size=arguments.batch_size or 16)
    return model


def followed(outcomes, total):
    """Write the masks behind a progress bar; how many images were broken, each named."""
    from tqdm import tqdm

    from unet_tf.predict import KEPT

    broken, kept, bar = 0, 0, None
    for _, outcome in outcomes:
        if outcome == KEPT:
            kept += 1
            continue
        # Only now: what is kept would make the time left too short.
        bar = bar or tqdm(total=total, initial=kept, unit=" images", smoothing=0.02)
        bar.update()
        if outcome:
            broken += 1
            bar.write(f"skipped: {outcome}", file=sys.stderr)
    if bar:
        bar.close()
    return broken
