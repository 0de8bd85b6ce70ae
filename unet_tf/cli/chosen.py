"""Which recipe `train` carries out: one by its name, a plan, or that of the run that goes on."""

import dataclasses
from pathlib import Path

from unet_tf.files import UserError, write_json


def adjusted(recipe, arguments):
    """The recipe with the settings that the command line names."""
    from unet_tf import protocol

    asked = asked_of(arguments)
    amounts = asked.get("augment")
    if isinstance(amounts, dict) and isinstance(recipe.augment, dict):
        asked["augment"] = {**recipe.augment, **amounts}
    return protocol.changed(recipe, **asked)


def asked_of(arguments):
    """The settings of a recipe that the command line names; of the augmentation the amounts."""
    from unet_tf import protocol

    names = {field.name for field in dataclasses.fields(protocol.GUIDE)} - {"data", "task"}
    asked = {name: value for name, value in vars(arguments).items() if name in names}
    for name, value in arguments.set:
        if name.startswith("augment."):
            name, value = "augment", {name.removeprefix("augment."): value}
        before = asked.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            value = {**before, **value}
        elif name in asked:
            raise UserError(f"{name} is given twice: {before} and {value}. Give it once")
        asked[name] = value
    return asked


def refuse_early(name, variant, plans, arguments):
    """UserError for settings that no recipe takes, before the data are read: without a name these
    decide which it is, and a plan decides between whole images and crops."""
    from unet_tf import plan, protocol

    if arguments.plan:
        if arguments.recipe or arguments.as_written:
            raise UserError("--plan has a recipe of its own: leave --recipe and --as-written out")
        plan.read(arguments.plan)
    names = [name] if name else ["guide_unet", "multiclass_unet"]
    recipes = [protocol.get(one, variant) for one in names]
    if plans:
        cut = [protocol.changed(one, image_size=None, crop=(128, 128)) for one in recipes]
        recipes = cut if asked_of(arguments).get("crop") else recipes + cut
    errors = []
    for recipe in recipes:
        try:
            as_asked(recipe, arguments)
            return
        except UserError as error:
            errors.append(error)
    raise errors[0]


def as_asked(recipe, arguments):
    """A published recipe as the command line wants it: small by --quick, with its settings."""
    from unet_tf import protocol

    return adjusted(protocol.quick(recipe) if arguments.quick else recipe, arguments)


def planned(report, arguments, to):
    """The plan for a folder: that of the run that goes on, that of a file, or a new one; printed,
    and kept in the run's folder. Gives the recipe that it makes, and the epochs between writes."""
    from unet_tf import network, plan, protocol

    own = Path(to) / "plan.json"
    own.parent.mkdir(parents=True, exist_ok=True)  # before the time that planning takes
    given = own if arguments.resume and own.exists() else arguments.plan
    if given:
        made = plan.read(given)
    else:
        many = hasattr(arguments, "class_names")
        minutes = arguments.minutes or (3 if arguments.quick else plan.MINUTES)
        minutes /= arguments.folds or 1
        print("Planning: some images are looked at, some steps timed here\n", flush=True)
        made = plan.plan(report, minutes, asked_of(arguments), arguments.precision, many)
    recipe = adjusted(protocol.get(made.recipe, **made.settings), arguments)
    made = made.given({name: getattr(recipe, name) for name in asked_of(arguments)})
    print(f"The plan{f' of {given}' if given else ''}:\n\n{made.text()}\n")
    if network.processes()[1] == 0:
        write_json(own, made.record())
    return recipe, made.save_every


def in_range(recipe, report, kept, arguments):
    """The recipe with the range of numbers that its images want, where nothing says one; UserError
    where a plan says another."""
    from unet_tf import data, protocol

    found = report.value_range if report else kept.get("settings", {}).get("value_range")
    own = recipe.value_range
    if own is None:
        return protocol.changed(recipe, value_range=found)
    of_a_plan = report and arguments.plan and "value_range" not in dict(arguments.set)
    if of_a_plan and found != own:
        wanted = f"want {data.in_words(found)}" if found else "are read without one"
        raise UserError(
            f"the plan reads numbers from {data.in_words(own)}, these images {wanted}: say which "
            "by --set value_range=LOW,HIGH"
        )
    return recipe


def stopped_in(arguments, to):
    """What the state of the run that is to go on says of it; empty where there is none."""
    from unet_tf import training

    there = arguments.resume and to and (to / "state.npz").exists()
    return training.state_in(to)[0]["settings"] if there else {}


def taken(name, variant, report, arguments):
    """The recipe of this name, or what fits the masks of a report; UserError where it does not."""
    from unet_tf import plan, protocol

    name = name or plan.recipe_for(report, hasattr(arguments, "class_names"))
    recipe = as_asked(protocol.get(name, variant), arguments)
    many = report.classes.names if report and report.classes else ()
    if not recipe.classes and len(many) > 2:
        raise UserError(
            f"these masks hold {len(many)} classes, and {recipe.name} is for black and white "
            "ones: leave --recipe out, or take multiclass_unet"
        )
    return recipe
