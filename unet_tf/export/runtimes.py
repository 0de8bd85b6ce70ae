"""Exported files, each loaded by the program that it is for."""

import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf

from unet_tf import data, predict
from unet_tf.export.formats import is_saved_model, need, quiet
from unet_tf.files import UserError


def runtime(path, card):
    """What runs an exported file: its name with version, and a function from an image's pixels,
    uint8 `(H, W, 3)`, to the answer, float32 `(h, w, C)`."""
    path = Path(path)
    if is_saved_model(path):
        return f"TensorFlow {tf.__version__}", saved_model(path)
    need_runtime(path)
    opened = {".onnx": onnx, ".tflite": tflite, ".keras": keras}.get(path.suffix.lower())
    if opened is None or not path.is_file():
        raise UserError(f"{path}: no exported model: name a file that `export` has written")
    with quiet():
        return opened(path, card)


def need_runtime(path):
    """UserError unless the program that runs such a file is installed."""
    need(*{".onnx": ["onnxruntime"], ".tflite": ["ai-edge-litert"]}.get(path.suffix.lower(), ()))


def of_predictor(model):
    """The same function of a `Predictor`: resized by its card, scaled; never in tiles, as the files
    beside it are not."""
    card = model.card

    def run(pixels):
        size = data.size_at(card.image_size, pixels.shape[:2])
        small = data.resized(pixels, size, card.resize)
        return np.asarray(
            model.forward(small[None].astype("float32") / 255, training=False), "float32"
        )[0]

    return run


def keras(path, card):
    return f"Keras {version('keras')}", of_predictor(predict.load(path, card.image_size))


def saved_model(path):
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def run(pixels, keep=loaded):
        return serve(image=tf.constant(pixels[None]))["probability"][0].numpy()

    return run


def onnx(path, card):
    import onnxruntime as ort

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(pixels):
        return session.run(["probability"], {"image": pixels[None]})[0][0]

    return f"onnxruntime {ort.__version__}", run


def tflite(path, card):
    """By LiteRT; the image is resized here, as the file takes one size."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(pixels):
        small = data.resized(pixels, tuple(taken["shape"][1:3].tolist()), card.resize)
        interpreter.set_tensor(taken["index"], np.ascontiguousarray(small[None]))
        interpreter.invoke()
        return interpreter.get_tensor(given["index"])[0]

    return f"LiteRT {version('ai-edge-litert')}", run
