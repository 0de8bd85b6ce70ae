"""What makes a training, ready for JSON: data sets, loss, metrics, layers; and a model's twin."""

import functools
import random

import keras


def attribute(dataset, name):
    """An attribute of a data set, also behind `.take(1)` and the like, which drop it, or None."""
    if hasattr(dataset, name):
        return getattr(dataset, name)
    # TensorFlow has no public way from a data set to the one that it was made from.
    sources = getattr(dataset, "_inputs", tuple)()
    found = (attribute(source, name) for source in sources)
    return next((value for value in found if value is not None), None)


def made_of(dataset):
    """What makes a data set: what one of `unet_tf.pipeline` says of itself, and how long a pass is
    where it went through `.take(1)` and the like; None for any other."""
    own = attribute(dataset, "made_of")
    if own is None:
        return None
    if hasattr(dataset, "made_of"):
        return own()
    return {**own(), "through": type(dataset).__name__, "steps": int(dataset.cardinality())}


def settings_of(what):
    """A loss or metric by its settings, the same in any process."""
    if isinstance(what, functools.partial):
        return {"of": settings_of(what.func), "with": [what.args, what.keywords]}
    if isinstance(what, keras.losses.Loss):  # Keras counts up names that are not given
        return {**what.get_config(), "name": type(what).__name__}
    if isinstance(what, keras.metrics.Metric):  # but by a metric's the history is kept
        return {**what.get_config(), "type": type(what).__name__}
    return getattr(what, "__name__", str(what))


def architecture(model):
    """Layers and their settings, but for the names that Keras counts up within a process."""
    return [
        architecture(layer)
        if isinstance(layer, keras.Model)
        else {"layer": type(layer).__name__, **layer.get_config(), "name": None}
        for layer in model.layers
    ]


def twin_of(model):
    """A model like it, compiled alike, in the computer's memory, for the writer to put weights into
    and save. It draws no random number that the training would."""
    drawn, distribution = random.getstate(), keras.distribution.distribution()
    keras.distribution.set_distribution(None)  # not among devices, nor processes, that wait for it
    try:
        with keras.device("cpu"):
            return keras.models.clone_model(model)
    finally:
        keras.distribution.set_distribution(distribution)
        random.setstate(drawn)
