"""The command `score`."""

from pathlib import Path

from unet_tf.cli.predict import used
from unet_tf.cli.types import patterns_of
from unet_tf.files import UserError, write_json

OF_A_MODEL = ("seen", "threshold", "image_size", "resize", "tiles", "flips", "batch_size")


def needs_model(arguments):
    """Is it the scoring of a model? That of masks needs no TensorFlow."""
    return arguments.command == "score" and not Path(arguments.model).is_dir()


def run_score(arguments):
    from unet_tf import scores

    where, patterns = (arguments.folder, arguments.part), patterns_of(arguments)
    if needs_model(arguments):
        from unet_tf import predict

        if arguments.classes:
            raise UserError("--classes names the classes of masks: a model knows its own")
        how = {name: getattr(arguments, name) for name in ("region", "seen", "batch_size")}
        report = predict.scored(used(arguments), *where, **how, patterns=patterns)
    else:
        if given := [name for name in OF_A_MODEL if vars(arguments).get(name)]:
            raise UserError(f"--{given[0].replace('_', '-')} is for a model: masks are as they are")
        said = arguments.region, arguments.classes, patterns
        report = scores.of_masks(arguments.model, *where, *said)
    print(f"\n{arguments.model}, {report['images']} images of {arguments.folder}:")
    baseline = report.get("baseline_report") or report.get("baseline")
    print(scores.table(report, baseline, every=arguments.all))
    if arguments.json:
        asked = {name: value for name, value in vars(arguments).items() if name != "command"}
        write_json(arguments.json, {"asked": asked, "scores": report})
        print(f"Written to {arguments.json}")
