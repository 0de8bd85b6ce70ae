"""The commands `train` and `reproduce`."""

import dataclasses
import sys
from pathlib import Path

from unet_tf.files import UserError


def adjusted(recipe, arguments):
    """The recipe with the settings that the command line names."""
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
    return protocol.changed(recipe, **asked)


def verbosity():
    """Keras's progress bars on a terminal, a line an epoch in a file."""
    return 1 if sys.stdout.isatty() else 2


def checked(arguments, folder):
    """The folder's report, printed; ValueError where training cannot start."""
    from unet_tf import doctor

    report = doctor.check(folder, getattr(arguments, "class_names", None))
    print(report.text(), end="\n\n")
    if arguments.leave_out:
        left_out = report.left_out()
        print(f"Left out: {', '.join(left_out) or 'nothing'}", end="\n\n")
        report = report.without_cured()
    if report.status:
        hint = "" if arguments.leave_out else "; or leave out what is no whole pair, by --leave-out"
        raise UserError(f"{folder}: mend what is named above, then run this again{hint}")
    return report


def fitting_recipe(report, arguments):
    """`guide_unet` for black and white masks, `multiclass_unet` for all others."""
    many = hasattr(arguments, "class_names") or not report.black_and_white()
    return "multiclass_unet" if many else "guide_unet"


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


def stopped_in(arguments, variant):
    """What the state of the run that is to go on says of it; empty where there is none."""
    from unet_tf import protocol, training

    own = arguments.recipe and f"runs/{protocol.get(arguments.recipe, variant).slug}"
    to = arguments.to or own
    if not arguments.resume or not to or not (Path(to) / "state.npz").exists():
        return {}
    return training.state_in(to)[0]["settings"]


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


def run_train(arguments):
    from unet_tf import data, protocol

    variant = "as written" if arguments.as_written else "corrected"
    kept = stopped_in(arguments, variant)
    name = arguments.recipe or kept.get("recipe")
    if not arguments.recipe and not arguments.as_written:
        variant = kept.get("variant", variant)
    if arguments.no_check and (arguments.leave_out or not name):
        raise UserError("without a check nothing is left out and no recipe chosen: give --recipe")
    # Settings are looked at before the data, also where these decide which recipe it is.
    recipe_of([name] if name else ["guide_unet", "multiclass_unet"], variant, arguments)
    folder = data.find(arguments.data, protocol.get(name, variant).data if name else "cars")
    report = None
    unseen = not (arguments.no_check or kept) and (arguments.data or not name)
    if arguments.leave_out or unseen:  # what goes on was checked when it began
        report = checked(arguments, folder)
    if name is None:
        name = fitting_recipe(report, arguments)
        print(f"Recipe: {name}, which suits these masks; another one by --recipe")
    recipe = recipe_of([name], variant, arguments)
    if report and not recipe.classes and report.classes and len(report.classes.names) > 2:
        raise UserError(
            f"these masks hold {len(report.classes.names)} classes, and {name} is for black and "
            "white ones: leave --recipe out, or take multiclass_unet"
        )
    to = Path(arguments.to or f"runs/{recipe.slug}")
    there = [file for file in ("result.json", "state.npz") if (to / file).exists()]
    if there and not (arguments.resume or arguments.again):
        raise UserError(
            f"{to} holds a run already ({there[0]}): go on with it by --resume, replace it by "
            "--again, or choose another folder by --to"
        )
    print(announced(recipe, to))
    how = {name: getattr(arguments, name) for name in ("resume", "mlflow", "again", "other_code")}
    how |= {"pairs": report.whole_pairs() if arguments.leave_out else None}
    how |= how_to_train(arguments)
    result = protocol.run(recipe, folder, arguments.seed, to, **how)
    print_scores(recipe, result, to)


def how_to_train(arguments):
    """Arguments of `unet_tf.protocol.run` that no recipe sets, from the command line."""
    return {
        "precision": arguments.precision,
        "xla": {"on": True, "off": False}.get(arguments.xla, "auto"),
        "deterministic": arguments.deterministic == "on",
        "save_every": arguments.save_every,
        "verbose": verbosity(),
    }


def print_scores(recipe, result, to):
    """The scores of a run, of what they are, and the files that it has written."""
    from unet_tf import scores

    found = result["scores"]
    print(
        f"\nThe {result['scored_on']} part of the {result['data']} data, {found['images']} images:"
    )
    files = ["best.keras", "log.csv", "state.npz", "result.json (every score)", "picture.png"]
    files += ["predictions"]
    if recipe.classes:
        print(scores.table(found, found["baseline_report"]))
        print(
            f"\nMean IoU {found['mean_iou']:.4f}; a prediction of the most frequent class of each "
            f"place, whatever the image shows, has {found['baseline']:.4f}."
        )
        files += ["confusion.png", "classes.csv"]
    else:
        print(scores.table(found, found["baseline"]))
    if result["scored_on"] == "validation":
        print(
            "\nThere is no test part. These images have chosen the best epoch: the scores are "
            "higher than on images that nothing has seen."
        )
    print(f"Written to {to}: {', '.join(files)}")


def run_reproduce(arguments):
    from unet_tf import data, protocol
    from unet_tf.files import write_json, write_text

    to = Path(arguments.to or "runs/reproduce")
    chosen = [recipe for recipe in protocol.RECIPES if recipe.name in arguments.recipe]
    if len({recipe.data for recipe in chosen}) > 1:
        raise UserError("these recipes are for different data: reproduce them one by one")
    folder = data.find(arguments.data, chosen[0].data)
    if not arguments.full:
        chosen = [protocol.quick(recipe) for recipe in chosen if recipe.variant == "corrected"]
    summaries = []
    for recipe in chosen:
        recipe = adjusted(recipe, arguments)
        results = []
        for seed in range(arguments.seeds):
            print(f"\n{recipe.name}, {recipe.variant}, seed {seed}")
            own = to / recipe.slug / f"seed{seed}"
            how = {"resume": True, **how_to_train(arguments)}
            results.append(protocol.run(recipe, folder, seed, own, **how))
        summaries.append(protocol.summary(results))
        write_json(to / f"{recipe.slug}.json", summaries[-1])
    text = protocol.table(summaries)
    write_text(to / "table.md", text + "\n")
    print(f"\n{text}\n")
    if summaries[0]["data"] == "rendered":
        print("These scores are of rendered images: the published ones are of photographs.")
    print(f"Table and records: {to}; pictures: {to}/*/seed0/picture.png")
