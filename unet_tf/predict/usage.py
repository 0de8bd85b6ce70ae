"""How a model is to be used: as the caller says, as it says itself, or as its card says."""

import dataclasses

from unet_tf.data import Card, Labels, size_given
from unet_tf.files import UserError

SIZE_WANTED = 'image_size=(height, width) or "native" (--image-size HxW or native)'


def fixed_size(model):
    """(height, width) that a Keras model was built for; None where it takes any or says nothing."""
    shape = getattr(model, "input_shape", None)
    fixed = isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:3]
    return shape[1:3] if fixed else None


def card_of(
    model,
    image_size="card",
    resize=None,
    labels=None,
    threshold=None,
    card=None,
    value_range=None,
):
    """The card by which a model is used.

    Parameters
    ----------
    model : callable, as in `predictions`
    image_size : (height, width), "native" (or None), a share, or "card"
        To which images are resized; native: each keeps its own size; a float: a share of it. By
        default what the model is built for, else what its card says; without either it is needed.
    resize, labels, threshold : optional
        Instead of the card's. Without a card "area", as in `unet_tf.pipeline.dataset`; one
        foreground, or numbered classes where a Keras model says that it has more channels; 0.5.
    value_range : (low, high), optional
        Instead of the card's, as in `unet_tf.data.to_rgb`.
    card : unet_tf.data.Card, optional
        The model's, where it is not `model.card`, as a `Predictor` has it.

    Raises
    ------
    UserError
        When a size is missing, or not the one that the model is built for; for the threshold of
        many classes.
    """
    card, own = card or getattr(model, "card", None), fixed_size(model)
    if not isinstance(image_size, str) or image_size != "card":
        image_size = size_given(image_size)
    elif own or card:
        image_size = own or card.image_size
    else:
        raise UserError(f"the model does not say how large its images are: give {SIZE_WANTED}")
    if own and image_size != own:
        raise UserError(
            f"this model takes {own[0]}x{own[1]} alone, not {image_size or 'native'}: leave "
            "image_size (--image-size) out"
        )
    channels = (getattr(model, "output_shape", None) or [1])[-1]
    numbered = Labels(tuple(map(str, range(channels))))
    card = card or Card(Labels.foreground() if channels == 1 else numbered, image_size)
    given = {"resize": resize, "labels": labels, "threshold": threshold}
    given["value_range"] = value_range
    given = {name: value for name, value in given.items() if value is not None}
    card = dataclasses.replace(card, image_size=image_size, **given)
    if card.labels.channels != channels and hasattr(model, "output_shape"):
        raise UserError(
            f"this model answers {channels} channels, these labels want {card.labels.channels}: "
            "give it labels of as many classes, a unet_tf.data.Labels"
        )
    if threshold is not None and not card.labels.binary:
        raise UserError(
            f"this model knows {card.labels.channels} classes: a threshold (--threshold) is for "
            "one foreground"
        )
    return card


def decided(card, answer, size):
    """The mask, uint8 `size`, of an answer `(h, w)` or `(h, w, C)` (`unet_tf.data.Labels.decide`).

    UserError when it has more or fewer channels than the card has labels, and when it holds no
    probabilities. A model of classes that was trained here may answer logits, as one recipe as
    written does: the largest is that of the same class.
    """
    channels = answer.shape[2] if answer.ndim == 3 else 1
    if channels != card.labels.channels:
        raise UserError(
            f"the model answers {channels} channels, its labels want {card.labels.channels}: give "
            "it labels, a unet_tf.data.Labels"
        )
    low, high = float(answer.min()), float(answer.max())
    own = card.trained_on and not card.labels.binary
    if not (own or -1e-3 <= low <= high <= 1 + 1e-3):
        behind = "sigmoid" if card.labels.binary else "softmax"
        raise UserError(
            f"the model answers values from {low:.3g} to {high:.3g}, no probabilities, which go "
            f"from 0 to 1. Put a {behind} behind it, and save that: keras.Model(model.input, "
            f'keras.layers.Activation("{behind}")(model.output))'
        )
    return card.labels.decide(answer, size, card.threshold)
