"""The command `train`."""

import itertools
import sys
from pathlib import Path

from unet_tf.cli.chosen import in_range, planned, refuse_early, stopped_in, taken
from unet_tf.cli.printed import print_scores
from unet_tf.cli.settings import settings
from unet_tf.cli.types import patterns_of
from unet_tf.files import UserError


def checked(arguments, folder):
    """The folder's report, printed; UserError where training cannot start."""
    from unet_tf import doctor

    names, patterns = getattr(arguments, "class_names", None), patterns_of(arguments)
    report = doctor.check(folder, names, patterns, getattr(arguments, "region", None))
    print(report.text(), end="\n\n")
    if arguments.leave_out:
        left_out = report.left_out()
        print(f"Left out: {', '.join(left_out) or 'nothing'}", end="\n\n")
        report = report.without_cured()
    if report.status:
        hint = "" if arguments.leave_out else "; or leave out what is no whole pair, by --leave-out"
        raise UserError(f"{folder}: mend what is named above, then run this again{hint}")
    return report


def announced(recipe, to):
    """One line of what is about to be trained."""
    size = recipe.crop or recipe.image_size
    what = "crops of " if recipe.crop else ""
    shape = "x".join(map(str, size)) + " (height x width)" if size else "the images' own size"
    return (
        f"Training: {recipe.name}, {recipe.variant}; {what}{shape}, batches of "
        f"{recipe.batch_size}, {recipe.filters[0]} filters, learning rate {recipe.learning_rate}, "
        f"up to {recipe.epochs} epochs, best by {recipe.monitor}; into {to}"
    )


def folder_of(arguments, variant):
    """The folder of the run: as asked, or called by its recipe, or by its data; None where these
    have to be found first."""
    from unet_tf import protocol

    if arguments.to:
        return Path(arguments.to)
    if arguments.recipe:
        return Path("runs") / protocol.get(arguments.recipe, variant).slug
    return Path("runs") / Path(arguments.data).resolve().name if arguments.data else None


def refuse_run_in(to, arguments):
    """A UserError where the folder holds a run that is neither to go on nor to be replaced."""
    there = [file for file in ("result.json", "state.npz", "folds.json") if (to / file).exists()]
    if there and not (arguments.resume or arguments.again):
        raise UserError(
            f"{to} holds a run already ({there[0]}): go on with it by --resume, replace it by "
            "--again, or choose another folder by --to"
        )


def run_train(arguments):
    from unet_tf import data, network, protocol

    variant = "as written" if arguments.as_written else "corrected"
    if arguments.settings:
        print(settings(protocol.get(arguments.recipe or "guide_unet", variant)))
        return
    to = folder_of(arguments, variant)
    kept = stopped_in(arguments, to)
    named = arguments.recipe or arguments.as_written
    plans = not named and (not kept or (to / "plan.json").exists())
    name = arguments.recipe or kept.get("recipe")
    if not named:
        variant = kept.get("variant", variant)
    if arguments.no_check and (arguments.leave_out or not name):
        raise UserError("without a check nothing is left out and no recipe chosen: give --recipe")
    refuse_early(name, variant, plans, arguments)
    kind = protocol.get(name, variant).data if name else "cars"
    patterns = patterns_of(arguments)
    if patterns and not arguments.data:
        raise UserError("--image-files and --mask-files are within the folder: name it by --data")
    folder = Path(arguments.data) if patterns else data.find(arguments.data, kind)
    report = None
    unseen = not (arguments.no_check or kept) and (arguments.data or not name)
    if arguments.leave_out or unseen or patterns:  # what goes on was checked when it began
        report = checked(arguments, folder)
    recipe, between = None, 1
    if not plans:
        recipe = taken(name, variant, report, arguments)
    to = to or Path("runs") / folder.name
    refuse_run_in(to, arguments)
    if network.processes()[0] > 1 and (arguments.folds or (plans and not arguments.plan)):
        raise UserError("several processes train by one plan: --plan plan.json or --recipe, alone")
    if recipe is None:
        recipe, between = planned(report, arguments, to)
    recipe = in_range(recipe, report, kept, arguments)
    print(announced(recipe, to))
    how = {name: getattr(arguments, name) for name in ("resume", "mlflow", "again", "other_code")}
    how |= how_to_train(arguments, between)
    if arguments.folds:
        return run_folds(recipe, folder, report, to, arguments, how)
    how |= {"pairs": report.whole_pairs() if arguments.leave_out or patterns else None}
    result = protocol.run(recipe, folder, arguments.seed, to, **how)
    if network.processes()[1] == 0:
        print_scores(recipe, result, to)


def run_folds(recipe, folder, report, to, arguments, how):
    """Cross-validation, and its scores."""
    from unet_tf import data, protocol

    pairs = list(itertools.chain(*report.whole_pairs().values())) if report else data.pair(folder)
    found = protocol.cross_validated(
        recipe, folder, pairs, arguments.folds, arguments.seed, to, **how
    )
    name = "mean_iou" if "mean_iou" in found["scores"] else "dice"
    each = ", ".join(f"{score:.4f}" for score in found["folds"])
    print(
        f"\nAll {found['scores']['images']} images, each by a model that has not seen it: "
        f"{name.replace('_', ' ')} {found['scores'][name]:.4f}; a constant prediction "
        f"{found['scores']['baseline']:.4f}. By fold: {each}; standard deviation "
        f"{found['spread']:.4f}\nWritten to {to}: folds.json, and a folder a fold"
    )


def how_to_train(arguments, between=1):
    """Arguments of `unet_tf.protocol.run` that no recipe sets, from the command line; `between`:
    epochs between writes, unless it names them."""
    from unet_tf import training

    return {
        "strategy": training.devices(arguments.devices),
        "precision": arguments.precision,
        "xla": {"on": True, "off": False}.get(arguments.xla, "auto"),
        "deterministic": arguments.deterministic == "on",
        "save_every": arguments.save_every or between,
        "verbose": 1 if sys.stdout.isatty() else 2,  # bars on a terminal; else a line an epoch
    }
