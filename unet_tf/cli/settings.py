"""`train --settings`: all settings of a recipe, with their defaults, and what they may be."""

import inspect

from unet_tf.scores import markdown

UNITS = {  # of the augmentation
    "horizontal_flip": "probability",
    "vertical_flip": "probability",
    "rotation": "largest angle, as a share of a full turn: 0.01 is 3.6 degrees",
    "scale": "magnified by up to this share more or less",
    "shift": "moved by up to this share of height and width",
    "brightness": "up to this is added, of 1",
    "contrast": "up to this share more or less",
    "saturation": "up to this share more or less",
    "quarter_turn": "probability of 90, 180 or 270 degrees; squares alone",
    "outside": "what moves in over the edge: None mirrors; a label, where classes are many",
}


def shown(value):
    """A default in the form that the command line takes."""
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return getattr(value, "__name__", str(value))


def settings(recipe):
    """The Markdown table of a recipe's settings."""
    from unet_tf import pipeline
    from unet_tf.protocol import CHECKS

    rows = [
        (f"`{name}`", shown(getattr(recipe, name)), wanted)
        for name, _, wanted in CHECKS
        if name not in ("build", "augment")
    ]
    own = recipe.augment if isinstance(recipe.augment, dict) else {}
    for name, parameter in inspect.signature(pipeline.augment).parameters.items():
        if name in UNITS:
            value = own.get(name, parameter.default) if recipe.augment else "off"
            rows.append((f"`augment.{name}`", shown(value), UNITS[name]))
    return markdown(("--set NAME=VALUE", recipe.name, "what it may be"), rows)
