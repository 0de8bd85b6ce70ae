"""The command `train`."""

import dataclasses
import itertools
import sys
from pathlib import Path

from unet_tf.cli.printed import print_scores
from unet_tf.cli.settings import settings
from unet_tf.cli.types import patterns_of
from unet_tf.files import UserError


def adjusted(recipe, arguments):
    """The recipe with the settings that the command line names."""
    from unet_tf import protocol

    return protocol.changed(recipe, **asked_of(recipe, arguments))


def asked_of(recipe, arguments):
    """The settings of a recipe that the command line names."""
    from unet_tf import protocol

    names = {field.name for field in dataclasses.fields(recipe)} - {"data", "task"}
    asked = {name: value for name, value in vars(arguments).items() if name in names}
    for name, value in arguments.set:
        if name in asked:
            raise UserError(f"{name} is given twice: {asked[name]} and {value}. Give it once")
        if name.startswith("augment."):
            before = asked.get("augment", recipe.augment)
            amounts = before if isinstance(before, dict) else {}
            name, value = "augment", {**amounts, name.removeprefix("augment."): value}
        named_loss = name == "loss" and isinstance(value, str)
        asked[name] = protocol.LOSSES.get(value, value) if named_loss else value
    return asked


def verbosity():
    """Keras's progress bars on a terminal, a line an epoch in a file."""
    return 1 if sys.stdout.isatty() else 2


def checked(arguments, folder):
    """The folder's report, printed; ValueError where training cannot start."""
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


def planned(report, arguments, to):
    """The plan for a folder: that of the run that goes on, that of a file, or a new one; printed,
    and kept in the run's folder. Gives the recipe that it makes, and the epochs between writes."""
    from unet_tf import plan, protocol
    from unet_tf.files import write_json

    own = Path(to) / "plan.json"
    own.parent.mkdir(parents=True, exist_ok=True)  # before the time that planning takes
    given = own if arguments.resume and own.exists() else arguments.plan
    if given:
        made = plan.read(given)
    else:
        many = hasattr(arguments, "class_names")
        named = asked_of(protocol.get(plan.recipe_for(report, many)), arguments)
        minutes = arguments.minutes or (3 if arguments.quick else plan.MINUTES)
        minutes /= arguments.folds or 1
        print("Planning: some images are looked at, some steps timed here\n", flush=True)
        made = plan.plan(report, minutes, named, arguments.precision, many)
    print(f"The plan{f' of {given}' if given else ''}:\n\n{made.text()}\n")
    recipe = adjusted(protocol.changed(protocol.get(made.recipe), **made.settings), arguments)
    write_json(own, made.record())
    return recipe, made.save_every


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


def stopped_in(arguments, to):
    """What the state of the run that is to go on says of it; empty where there is none."""
    from unet_tf import training

    there = arguments.resume and to and (to / "state.npz").exists()
    return training.state_in(to)[0]["settings"] if there else {}


def recipe_of(names, variant, arguments):
    """The first of these recipes that takes the settings of the command line, small if asked for;
    ValueError when none does."""
    from unet_tf import protocol

    errors = []
    for recipe in (protocol.get(name, variant) for name in names):
        try:
            return adjusted(protocol.quick(recipe) if arguments.quick else recipe, arguments)
        except UserError as error:
            errors.append(error)
    raise errors[0]


def refuse_run_in(to, arguments):
    """A UserError where the folder holds a run that is neither to go on nor to be replaced."""
    there = [file for file in ("result.json", "state.npz", "folds.json") if (to / file).exists()]
    if there and not (arguments.resume or arguments.again):
        raise UserError(
            f"{to} holds a run already ({there[0]}): go on with it by --resume, replace it by "
            "--again, or choose another folder by --to"
        )


def run_train(arguments):
    from unet_tf import data, plan, protocol

    variant = "as written" if arguments.as_written else "corrected"
    if arguments.settings:
        print(settings(protocol.get(arguments.recipe or "guide_unet", variant)))
        return
    to = folder_of(arguments, variant)
    kept = stopped_in(arguments, to)
    named = arguments.recipe or arguments.as_written
    named_classes = hasattr(arguments, "class_names")
    plans = not named and (not kept or (to / "plan.json").exists())
    name = arguments.recipe or kept.get("recipe")
    if not arguments.recipe and not arguments.as_written:
        variant = kept.get("variant", variant)
    if arguments.no_check and (arguments.leave_out or not name):
        raise UserError("without a check nothing is left out and no recipe chosen: give --recipe")
    # Settings are looked at before the data, also where these decide which recipe it is.
    recipe_of([name] if name else ["guide_unet", "multiclass_unet"], variant, arguments)
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
        recipe = recipe_of([name or plan.recipe_for(report, named_classes)], variant, arguments)
        many = report.classes.names if report and report.classes else ()
        if not recipe.classes and len(many) > 2:
            raise UserError(
                f"these masks hold {len(many)} classes, and {recipe.name} is for black and white "
                "ones: leave --recipe out, or take multiclass_unet"
            )
        found = report.value_range if report else kept.get("settings", {}).get("value_range")
        recipe = protocol.changed(recipe, value_range=recipe.value_range or found)
    to = to or Path("runs") / folder.name
    refuse_run_in(to, arguments)
    if recipe is None:
        recipe, between = planned(report, arguments, to)
    print(announced(recipe, to))
    how = {name: getattr(arguments, name) for name in ("resume", "mlflow", "again", "other_code")}
    how |= how_to_train(arguments)
    how["save_every"] = arguments.save_every or between
    if arguments.folds:
        return run_folds(recipe, folder, report, to, arguments, how)
    how |= {"pairs": report.whole_pairs() if arguments.leave_out or patterns else None}
    result = protocol.run(recipe, folder, arguments.seed, to, **how)
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


def how_to_train(arguments):
    """Arguments of `unet_tf.protocol.run` that no recipe sets, from the command line."""
    from unet_tf import training

    return {
        "strategy": training.devices(arguments.devices),
        "precision": arguments.precision,
        "xla": {"on": True, "off": False}.get(arguments.xla, "auto"),
        "deterministic": arguments.deterministic == "on",
        "save_every": arguments.save_every or 1,
        "verbose": verbosity(),
    }
