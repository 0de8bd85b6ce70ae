"""A plan: settings for a folder, a table that says why, and a file to repeat it by."""

import itertools
import json
import textwrap
from pathlib import Path
from typing import NamedTuple

from unet_tf import network, protocol
from unet_tf.data import Labels
from unet_tf.files import UserError
from unet_tf.plan import pace, rules
from unet_tf.plan.choices import CPU, GPU, Choice
from unet_tf.plan.found import found_in
from unet_tf.plan.timed import images_that_fit, timed

MINUTES = 10.0
NOTHING = {"images": "all", "image_size": "native"}  # what None is of a setting
BETWEEN = 10  # seconds at least from one write of the training's state to the next: a write takes
# one, of which an epoch of two seconds would be slowed by a third


class Plan(NamedTuple):
    """A recipe's name, its settings, and the reasons."""

    recipe: str
    choices: list  # of `Choice`
    minutes: float

    @property
    def settings(self):
        """{name: value}, for `unet_tf.protocol.changed`."""
        return {choice.setting: choice.value for choice in self.choices}

    @property
    def save_every(self):
        """Epochs between writes: at least `BETWEEN` seconds, as the plan counts them."""
        return max(1, round(BETWEEN * self.settings["epochs"] / (60 * self.minutes)))

    def given(self, settings):
        """The plan with these settings, {name: value}, in place of its own or beside them."""
        own = {choice.setting: choice for choice in self.choices}
        given = {name: Choice(name, value, "", "as given") for name, value in settings.items()}
        return self._replace(choices=list({**own, **given}.values()))

    def record(self):
        """The plan ready for JSON, a loss by its name."""
        choices = [choice._asdict() for choice in self.choices]
        for choice in choices:
            choice["value"] = getattr(choice["value"], "__name__", choice["value"])
        return {"recipe": self.recipe, "minutes": self.minutes, "choices": choices}

    def text(self):
        """A short table: each setting, its value, what was found and what follows."""
        lines = ["setting        value                           found, and what follows"]
        for name, value, found, why in self.choices:
            reason = ": ".join(filter(None, (found, why)))
            words = NOTHING.get(name, "none") if value is None else protocol.words_of(name, value)
            columns = textwrap.wrap(words, 30), textwrap.wrap(reason, 55)
            for cells in itertools.zip_longest([name], *columns, fillvalue="") if reason else ():
                lines.append("{:<15}{:<32}{}".format(*cells).rstrip())
        return "\n".join(lines)


def plan(report, minutes=MINUTES, given=(), precision="auto", many=False):
    """Settings for the folder of a report.

    Parameters
    ----------
    report : unet_tf.doctor.Report
    minutes : float
        What the training may take on this machine.
    given : dict, {setting: value}
        Settings that are decided already: the others follow from them, too. Of the augmentation
        a dict of amounts, which stand beside the planned ones.
    precision : as in `unet_tf.training.set_precision`
    many : bool
        Black and white masks, too, are trained as class ids.

    Returns
    -------
    Plan
    """
    pairs = report.whole_pairs()
    part = "train" if "train" in pairs else "all"
    labels = labels_meant(report, many)
    images = {name: len(own) for name, own in pairs.items()}
    given = {
        n: tuple(value) if isinstance(value, list) else value for n, value in dict(given).items()
    }
    value_range = given.get("value_range") or report.value_range
    found = found_in(pairs[part], images, labels, report.pixels[part], value_range)
    recipe = protocol.get(recipe_for(report, many))
    machine = GPU if network.gpus() else CPU
    chosen, choices = {}, {}

    def take(some):
        for choice in some:
            if choice.setting in given:
                value = given[choice.setting]
                if isinstance(value, dict):
                    value = {**choice.value, **value}
                choice = Choice(choice.setting, value, "", "as given")
            choices[choice.setting], chosen[choice.setting] = choice, choice.value

    if value_range:
        why = "black and white for all of them, and for those to predict"
        take([Choice("value_range", value_range, "images of more than 8 bits", why)])
    asked = {"image_size", "crop"} & set(given)
    if asked == {"image_size", "crop"} and given["image_size"] is given["crop"] is None:
        given["image_size"] = rules.own_size(found)
    take(rules.view_given(found, machine, given) if asked else rules.view(found, machine))
    if chosen["crop"] and recipe.classes:  # bilinear upsampling wants images of one known size
        recipe = protocol.get("buildings_unet")
    take(rules.network(machine, chosen))
    take(rules.augmentation(found, chosen))
    take(rules.loss(found, chosen))
    take(rules.fixed())
    own = found.sizes.most_common(1)[0][0]

    def measured():
        planned = protocol.changed(recipe, **chosen)
        fits = images_that_fit(planned, labels, precision)
        few = protocol.changed(planned, batch_size=max(1, min(8, fits)))
        return fits, timed(few, labels, own, precision)

    (fits, times), large = measured(), (chosen["image_size"], chosen["crop"])
    take(pace.smaller(found, chosen, times[0], minutes))
    if (chosen["image_size"], chosen["crop"]) != large:
        take(rules.network(machine, chosen))
        fits, times = measured()
    take(pace.pace(found, chosen, machine, times, minutes, fits, given))
    return Plan(recipe.name, list(choices.values()), minutes)


def recipe_for(report, many=False):
    """The name of the recipe that fits the masks: one foreground, or class ids."""
    return "guide_unet" if labels_meant(report, many).binary else "multiclass_unet"


def labels_meant(report, many=False):
    """The labels of a checked folder's masks; UserError where the check could not tell them."""
    if report.black_and_white() and not many:
        return Labels.foreground()
    if report.classes is None:
        raise UserError(f"{report.folder}: what its masks mean is not clear: see `check`")
    return report.classes


def read(path):
    """The settings of a plan that was written by an earlier run, to repeat it by, and its recipe.

    Raises
    ------
    UserError
        Names a file that is missing or no plan.
    """
    try:
        record = json.loads(Path(path).read_text())
        choices = [Choice(**choice) for choice in record["choices"]]
        return Plan(record["recipe"], choices, record["minutes"])
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file: give the plan.json of a run") from None
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: no plan of a run ({error}): give its plan.json") from None
