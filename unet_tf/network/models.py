"""The networks: `simple_fcn`, the article's strided model, and `unet`, built from small blocks.

Pure Keras, so they run on any Keras backend. Images are float `(B, H, W, 3)` in [0, 1]; both
models give one value a pixel and class, `(B, H, W, classes)`, float32 under any precision policy.

Any input size works: where it does not divide by the network's stride, the model itself pads
with zeros below and on the right, and crops its output back.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("unet_tf")
class PadToMultiple(layers.Layer):
    """Zeros below and on the right of `(B, H, W, C)`, up to the next multiple of `multiple`."""

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, images):
        height, width = ops.shape(images)[1:3]
        # Not `-height % multiple`: outside Python a negative number's remainder is negative.
        lack = [(self.multiple - size % self.multiple) % self.multiple for size in (height, width)]
        return ops.pad(images, [[0, 0], [0, lack[0]], [0, lack[1]], [0, 0]])

    def compute_output_shape(self, input_shape):
        padded = [None if n is None else n + -n % self.multiple for n in input_shape[1:3]]
        return (input_shape[0], *padded, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable("unet_tf")
class CropLike(layers.Layer):
    """The top left corner of the first tensor, as high and wide as the second."""

    def call(self, outputs, images):
        height, width = ops.shape(images)[1:3]
        return outputs[:, :height, :width, :]

    def compute_output_shape(self, outputs_shape, images_shape):
        return (*images_shape[:3], outputs_shape[3])


def with_padding(images, multiple, network):
    """`network(images)`, padded to a multiple and cropped back where the size asks for it.

    The activation of a head comes after it: Keras's cross-entropy works on the logits that a
    sigmoid's output remembers, and a crop behind the sigmoid would make it forget them.

    Parameters
    ----------
    images : KerasTensor, `(B, H, W, C)`; H and W may be None (any size).
    multiple : int
        The network's stride: 2 to the power of its downsampling steps.
    network : callable
        From a tensor to a tensor of the same height and width.
    """
    if all(size is not None and size % multiple == 0 for size in images.shape[1:3]):
        return network(images)
    return CropLike(name="crop")(network(PadToMultiple(multiple, name="pad")(images)), images)


def convolution(x, filters, strides=1, layer=layers.Conv2D):
    """A 3x3 convolution with ReLU; or, of another `layer`, a transposed one."""
    start = {"activation": "relu", "kernel_initializer": "he_normal"}
    return layer(filters, 3, strides=strides, padding="same", **start)(x)


def simple_fcn(input_shape=(96, 128, 3), filters=(64, 128, 256)):
    """The article's simple model: strided convolutions down, transposed ones up, no skips.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of an image; height and width may be None.
    filters : tuple of int
        Filters of each level, from the first to the deepest. Each level halves the size.

    Returns
    -------
    keras.Model
        2,879,489 parameters with the defaults. Output: probabilities, float32.

    Sources: "Image Segmentation: An In-Depth Guide", Ed Izaguirre, 2023; its layers are those of
    the segmentation example in "Deep Learning with Python", Francois Chollet, 2nd edition, 2021.
    """

    def network(x):
        for width in filters:
            x = convolution(x, width, strides=2)
            x = convolution(x, width)
        for width in reversed(filters):
            x = convolution(x, width, layer=layers.Conv2DTranspose)
            x = convolution(x, width, strides=2, layer=layers.Conv2DTranspose)
        # float32 whatever the policy: a rounded probability near 1 has no gradient left.
        return layers.Conv2D(1, 3, padding="same", dtype="float32", name="head")(x)

    inputs = keras.Input(input_shape, name="image")
    logits = with_padding(inputs, 2 ** len(filters), network)
    outputs = layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
    return keras.Model(inputs, outputs, name="simple_fcn")


def conv_block(x, filters, dropout=0.0, batch_norm=False):
    """Two 3x3 convolutions with ReLU, then dropout.

    Parameters
    ----------
    x : KerasTensor, `(B, H, W, C)`
    filters : int or pair of int
        Filters of both convolutions, or of the first and of the second.
    dropout : float
        Rate in [0, 1); 0 adds no layer.
    batch_norm : bool
        Normalize before each ReLU; the convolutions then have no bias.

    Returns
    -------
    KerasTensor, `(B, H, W, filters)`
    """
    first, second = (filters, filters) if isinstance(filters, int) else filters
    for width in (first, second):
        x = layers.Conv2D(
            width, 3, padding="same", use_bias=not batch_norm, kernel_initializer="he_normal"
        )(x)
        if batch_norm:
            # Momentum and epsilon are PyTorch's, in which the sources are written.
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.Activation("relu")(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    return x


def downsample(x, downsampling="max_pool"):
    """Half the height and width: `max_pool` (2x2) or `strided_conv` (3x3, stride 2, learned)."""
    if downsampling == "max_pool":
        return layers.MaxPooling2D(2)(x)
    if downsampling == "strided_conv":
        return convolution(x, x.shape[-1], strides=2)
    raise ValueError(
        f'downsampling is "max_pool" or "strided_conv", not {downsampling!r}: choose one of them'
    )


def upsample(x, filters, upsampling="transposed_3x3"):
    """Twice the height and width: a transposed convolution (`transposed_3x3`, `transposed_2x2`)
    to `filters` channels, or `bilinear`, which learns nothing and keeps the channels."""
    kernels = {"transposed_3x3": 3, "transposed_2x2": 2}
    if upsampling == "bilinear":
        return layers.UpSampling2D(2, interpolation="bilinear")(x)
    if upsampling not in kernels:
        raise ValueError(
            f'upsampling is "transposed_3x3", "transposed_2x2" or "bilinear", not {upsampling!r}: '
            "choose one of them"
        )
    return layers.Conv2DTranspose(filters, kernels[upsampling], strides=2, padding="same")(x)


def unet(
    input_shape=(96, 128, 3),
    filters=(64, 128, 256, 512, 1024),
    dropout=0.3,
    batch_norm=False,
    downsampling="max_pool",
    upsampling="transposed_3x3",
    final_conv=True,
    num_classes=1,
    head="sigmoid",
):
    """U-Net: an encoder, a bottleneck, and a decoder that meets the encoder through skips.

    The defaults are the article's network.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of an image; height and width may be None.
    filters : tuple of int
        Filters of each encoder level, the bottleneck's last.
    dropout : float
        Rate after the last encoder block and after the bottleneck.
    batch_norm : bool, in every block
    downsampling : "max_pool" or "strided_conv"
    upsampling : "transposed_3x3", "transposed_2x2" or "bilinear"
        Bilinear upsampling keeps the channels, so each decoder block then ends with the width
        that the next level needs, and `filters` should end with two equal numbers.
    final_conv : bool
        The article's one more 3x3 convolution before the head.
    num_classes : int, channels of the head
    head : "sigmoid", "softmax" or None
        None gives logits.

    Returns
    -------
    keras.Model
        34,550,273 parameters with the defaults, 31,068,673 with `transposed_2x2`.
        Output float32 `(B, H, W, num_classes)`. ValueError for an unknown downsampling or
        upsampling, or fewer than two filters.

    Sources: "U-Net: Convolutional Networks for Biomedical Image Segmentation", Ronneberger et al.,
    2015, https://arxiv.org/abs/1505.04597; "Image Segmentation: An In-Depth Guide", Ed Izaguirre,
    2023.
    """
    *encoder, bottleneck = filters
    if not encoder:
        raise ValueError(f"filters are {tuple(filters)}: give two or more, the bottleneck's last")

    def network(x):
        skips = []
        for level, width in enumerate(encoder, start=1):
            rate = dropout if level == len(encoder) else 0.0
            x = conv_block(x, width, rate, batch_norm)
            skips.append(x)
            x = downsample(x, downsampling)
        x = conv_block(x, bottleneck, dropout, batch_norm)
        for level in reversed(range(len(encoder))):
            width = encoder[level]
            x = upsample(x, width, upsampling)
            x = layers.Concatenate()([x, skips[level]])
            narrower = encoder[max(level - 1, 0)] if upsampling == "bilinear" else width
            x = conv_block(x, (width, narrower), 0.0, batch_norm)
        if final_conv:
            x = convolution(x, encoder[0])
        # float32 whatever the policy: a rounded probability near 1 has no gradient left.
        return layers.Conv2D(num_classes, 1, dtype="float32", name="head")(x)

    inputs = keras.Input(input_shape, name="image")
    outputs = with_padding(inputs, 2 ** len(encoder), network)
    if head is not None:
        outputs = layers.Activation(head, dtype="float32", name="probability")(outputs)
    return keras.Model(inputs, outputs, name="unet")
