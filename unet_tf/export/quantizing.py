"""Fewer bits: how a `.tflite` and an `.onnx` file are quantized.

`float16`: weights in 16 bits. `dynamic`: weights in 8 bits, a step for each output channel. `int8`:
what goes through the convolutions in 8 bits, too, in steps that calibration images tell.
"""

import numpy as np
import tensorflow as tf

from unet_tf import data
from unet_tf.files import UserError

CONVOLUTIONS = {"Conv": 0, "ConvTranspose": 1}  # and the axis of a kernel's output channels
IN_8_BITS = [*CONVOLUTIONS, "Concat", "MaxPool", "Relu", "Resize"]  # not the image's preprocessing


def calibrating(images):
    """Images for calibration as a list; UserError where there are none."""
    if not (images := list(images)):
        raise UserError("int8 is calibrated on images: name a folder of them, --check DIR")
    return images


def of_litert(how, images, card):
    """How TensorFlow's converter quantizes, as the options that it takes."""
    options = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if how == "float16":
        options["target_spec"] = {"supported_types": [tf.float16]}
    if how == "int8":
        way = card.image_size, card.resize, card.value_range
        read = [data.read_resized(path, *way)[0] for path in calibrating(images)]
        options["representative_dataset"] = lambda: ([image[None]] for image in read)
    return options


def quantize_onnx(proto, how, images, card, path):
    """An ONNX model, quantized; written to `path` meanwhile."""
    if how != "int8":
        return with_fewer_bits(proto, how)
    import onnx
    from onnxruntime import quantization

    class Images(quantization.CalibrationDataReader):
        left = iter(calibrating(images))

        def get_next(self):
            image = next(self.left, None)
            return image and {"image": data.read_image(image, card.value_range)[None]}

    options = {"per_channel": True, "weight_type": quantization.QuantType.QInt8}
    quantization.quantize_static(proto, path, Images(), op_types_to_quantize=IN_8_BITS, **options)
    return onnx.load(path)


def with_fewer_bits(proto, how):
    """An ONNX model whose kernels lie in 16 or 8 bits, and are float32 again as it runs."""
    from onnx import TensorProto, helper, numpy_helper

    graph = proto.graph
    kernels = {
        node.input[1]: CONVOLUTIONS[node.op_type]
        for node in graph.node
        if node.op_type in CONVOLUTIONS
    }
    for weight in [one for one in graph.initializer if one.name in kernels]:
        name, values = weight.name, numpy_helper.to_array(weight)
        small = f"{name}/{how}"
        if how == "float16":
            stored = values.astype("float16")
            node = helper.make_node("Cast", [small], [name], to=TensorProto.FLOAT)
        else:
            axis = kernels[name]
            others = tuple(set(range(values.ndim)) - {axis})
            steps = np.abs(values).max(others, keepdims=True) / np.float32(127)
            steps[steps == 0] = 1
            stored = np.round(values / steps).astype("int8")
            step = f"{small}/step"
            graph.initializer.append(numpy_helper.from_array(steps.ravel(), step))
            node = helper.make_node("DequantizeLinear", [small, step], [name], axis=axis)
        weight.CopyFrom(numpy_helper.from_array(stored, small))
        graph.node.insert(0, node)
    return proto
