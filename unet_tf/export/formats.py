"""A model as a file for other programs, its preprocessing inside, its card as metadata.

Images go in as uint8 `(B, H, W, 3)`, `image`; probabilities come out as float32 `(B, h, w, C)`,
`probability`, at the size that the model works at.
"""

import contextlib
import dataclasses
import importlib.util
import json
import logging
import os
import re
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from unet_tf.export.quantizing import of_litert, quantize_onnx
from unet_tf.export.resizing import Preprocessing
from unet_tf.files import UserError, add_to_zip, atomically
from unet_tf.network import JAX

CARD = "unet_tf_card.json"  # the card's name, in metadata and in files
OPSET = 18
QUANTIZABLE = (".onnx", ".tflite")


def export(model, path, quantize=None, images=()):
    """Write a model as the ending says: `.onnx`, `.tflite`, `.keras`, none for a SavedModel folder.

    All are in float32, whatever precision the model has, and without its optimizer.

    Parameters
    ----------
    model : Predictor, as `unet_tf.predict.load` gives it; not in tiles or with flips
    path : path
        What is there is replaced: a file, or a folder that holds a SavedModel.
    quantize : "float16", "dynamic" or "int8", optional; of a `.tflite` or `.onnx`
        Weights in 16 bits; weights in 8 bits; all in 8 bits, calibrated (`quantizing`).
    images : iterable of path, read for "int8" alone, which is calibrated on them

    Returns
    -------
    Path

    Notes
    -----
    All take 8 bits: images of more are brought to them by the card's `value_range` before. ONNX and
    SavedModel take images of any size and resize them as the card says. A `.tflite` takes
    one image at the model's size, so whoever calls it resizes, and scaling is inside. A `.keras`
    file is used by its card, as any model of this project.

    Raises
    ------
    UserError
        Names a package that is missing, an ending that is unknown, a size that cannot be, and a
        place that holds something else.
    """
    path, card = Path(path), model.card
    if "tiles" in model.identity or "flips" in model.identity:
        raise UserError("a model in tiles or with flips is more than one graph: export it without")
    writer = writer_of(path, quantize, card)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quantize": quantize, "images": images} if quantize else {}
    with quiet():
        writer(in_float32(model.model), card, path, **options)
    return path


def writer_of(path, quantize=None, card=None):
    """The function that writes such a file; UserError where none can, or lacks a package, or does
    not take the size that the card says."""
    if JAX:
        raise UserError(
            "a model is exported from TensorFlow: run this with KERAS_BACKEND=tensorflow; the "
            ".keras file is the same"
        )
    if not path.name:
        raise UserError(f"{path}: has no name: give the file or folder one, such as ./model")
    writers = {".onnx": to_onnx, ".tflite": to_tflite, ".keras": to_keras, "": to_saved_model}
    writer = writers.get(path.suffix)  # Keras and LiteRT want it in small letters
    if writer is None:
        raise UserError(f"{path}: end it in .onnx, .tflite or .keras; a SavedModel has no ending")
    if quantize and path.suffix not in QUANTIZABLE:
        raise UserError(f"{path}: --quantize is for .onnx and .tflite: give such a file, too")
    if writer is to_tflite and card and not isinstance(card.image_size, tuple):
        raise UserError(f"{path}: a .tflite is for one size: give it, --image-size HxW")
    if writer is to_onnx:
        need("onnx", "tf2onnx", *(["onnxruntime"] if quantize == "int8" else []))
    return writer


def in_float32(model):
    """A Keras model of any precision with the same weights in float32."""
    described = re.sub(r'"(mixed_)?b?float16"', '"float32"', model.to_json())
    copy = keras.models.model_from_json(described)
    copy.set_weights([weight.astype("float32") for weight in model.get_weights()])
    for layer in copy._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # what it has been adapted to came with the weights
            # As tensors they would become inputs of an ONNX graph.
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    return copy


def from_pixels(model, image_size, resize, shape=(None, None), batch=None):
    """A Keras model of uint8 images, preprocessing and the model; and what it takes, as Keras's
    exporters want it."""
    images = keras.Input((*shape, 3), batch, dtype="uint8", name="image")
    prepared = Preprocessing(image_size, resize, name="preprocessing")(images)
    answers = model(prepared, training=False)  # by themselves layers that augment go on with it
    return keras.Model(images, answers), [tf.TensorSpec((batch, *shape, 3), "uint8", "image")]


def need(*packages):
    """UserError, with the line that installs them, unless these optional packages are there."""
    lacking = [one for one in packages if importlib.util.find_spec(one.replace("-", "_")) is None]
    if lacking:
        python = sys.executable.removeprefix(f"{Path.cwd()}{os.sep}")
        raise UserError(
            f"not installed: {', '.join(lacking)}. {python} -m pip install {' '.join(lacking)}"
        )


@contextlib.contextmanager
def quiet():
    """Without what converters log and print: on standard error, by native code, too."""
    level, kept = logging.root.manager.disable, os.dup(2)
    logging.disable(logging.WARNING)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        logging.disable(level)


def described(card):
    """The card as JSON; which images trained the model stays with the `.keras` file."""
    trained_on = {name: value for name, value in card.trained_on.items() if name != "seen"}
    return dataclasses.replace(card, trained_on=trained_on).record()


def to_keras(model, card, path):
    with atomically(path) as partial:
        model.save(partial, include_optimizer=False)
        card.write(partial)


def to_saved_model(model, card, path):
    """A folder with the signature `serving_default`, and the card in `assets.extra`."""
    path = path.resolve()  # a link to a folder stays one
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not is_saved_model(path)):
        raise UserError(f"{path}: holds something else than a SavedModel: choose another folder")
    whole, taken = from_pixels(model, card.image_size, card.resize)
    module = tf.Module()
    module.held = [variable.value for variable in whole.variables]  # each once: Keras's own, twice
    module.serve = tf.function(lambda image: {"probability": whole(image)}, taken)
    with atomically(path) as partial:
        (partial / "assets.extra").mkdir(parents=True)
        (partial / "assets.extra" / CARD).write_text(json.dumps(described(card), indent=1))
        try:
            tf.saved_model.save(module, partial, signatures=module.serve)
        except tf.errors.OpError as error:  # a full disk, for one
            raise OSError(f"{path}: cannot be written ({error.message})") from error
        shutil.rmtree(path, ignore_errors=True)


def is_saved_model(path):
    return (path / "saved_model.pb").is_file()


def to_onnx(model, card, path, quantize=None, images=()):
    """Keras's own export by tf2onnx, with names for input and output, and the card in
    `metadata_props`."""
    import onnx

    whole, taken = from_pixels(model, card.image_size, card.resize)
    with atomically(path) as partial:
        whole.export(partial, "onnx", False, taken, opset_version=OPSET)
        proto = onnx.load(partial)
        rename_output(proto.graph, "probability")
        for axis, name in enumerate(("batch", "height", "width")):
            proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
        if quantize:
            proto = quantize_onnx(proto, quantize, images, card, partial)
        onnx.helper.set_model_props(proto, {CARD: json.dumps(described(card))})
        onnx.checker.check_model(proto)
        onnx.save(proto, partial)


def rename_output(graph, name):
    """Give the one output of an ONNX graph a name."""
    old = graph.output[0].name
    for node in graph.node:
        node.output[:] = [name if one == old else one for one in node.output]
        node.input[:] = [name if one == old else one for one in node.input]
    graph.output[0].name = name


def to_tflite(model, card, path, quantize=None, images=()):
    """LiteRT's file for one image at the model's size, the card in a zip behind it."""
    whole, taken = from_pixels(model, None, card.resize, card.image_size, batch=1)
    options = of_litert(quantize, images, card) if quantize else {}
    with atomically(path) as partial:
        whole.export(str(partial), "litert", False, taken, **options)
        add_to_zip(partial, CARD, described(card))
