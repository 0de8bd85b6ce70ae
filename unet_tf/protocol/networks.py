"""The networks of the published sources, as written and corrected."""

import keras
from keras import layers

from unet_tf import network


def simple_as_written(input_shape, filters):
    """The article's simple model, with its augmentation inside the model: the images are turned
    and flipped, the masks are not. The seeds are the article's."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.RandomFlip("horizontal", seed=42)(inputs)
    x = layers.RandomRotation(0.01, seed=42)(x)
    x = layers.RandomContrast(0.2, seed=42)(x)
    outputs = network.simple_fcn(input_shape, filters)(x)
    return keras.Model(inputs, outputs, name="simple_fcn_as_written")


def article_unet(input_shape, filters):
    """The article's U-Net. Its augmentation is lost in its own code, so there is none to build."""
    return network.unet(input_shape, filters)


def guide_unet(input_shape, filters):
    """The guide's U-Net: batch norm, 2x2 transposed convolutions, no dropout.

    Its head gives logits; the sigmoid behind it is kept in the model, so that what is saved gives
    probabilities. Keras computes the cross-entropy from the logits all the same.
    """
    return network.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="transposed_2x2",
        final_conv=False,
    )


def buildings_as_written(input_shape, filters, num_classes):
    """The buildings source's network as its listing has it: one convolution a block, where two are
    meant, transposed convolutions that keep the channels, and a head of logits without a softmax.

    What stands behind each convolution is lost in the listing: here batch norm and ReLU.
    """

    def block(x, width):
        drawn = {"use_bias": False, "kernel_initializer": "he_normal"}
        x = layers.Conv2D(width, 3, padding="same", **drawn)(x)
        return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))

    *encoder, bottleneck = filters

    def layers_of(x):
        skips = []
        for width in encoder:
            skips.append(block(x, width))
            x = network.downsample(skips[-1])
        x = block(x, bottleneck)
        for width in reversed(encoder):
            x = network.upsample(x, x.shape[-1], "transposed_2x2")
            x = block(layers.Concatenate()([x, skips.pop()]), width)
        return layers.Conv2D(num_classes, 1, dtype="float32", name="head")(x)

    inputs = keras.Input(input_shape, name="image")
    outputs = network.with_padding(inputs, 2 ** len(encoder), layers_of)
    return keras.Model(inputs, outputs, name="buildings_as_written")


def buildings_unet(input_shape, filters, num_classes):
    """The network that the buildings source describes: two convolutions a block, probabilities."""
    settings = {"dropout": 0.0, "batch_norm": True, "upsampling": "transposed_2x2"}
    settings |= {"final_conv": False, "num_classes": num_classes, "head": "softmax"}
    return network.unet(input_shape, filters, **settings)


def multiclass_unet(input_shape, filters, num_classes):
    """The multi-class source's U-Net, with bilinear upsampling as it is by default there, behind
    ImageNet's mean and deviation: 17,263,042 trainable parameters at 2 classes."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.Normalization(
        mean=(0.485, 0.456, 0.406), variance=(0.229**2, 0.224**2, 0.225**2), name="imagenet"
    )(inputs)
    outputs = network.unet(
        input_shape,
        filters,
        dropout=0.0,
        batch_norm=True,
        upsampling="bilinear",
        final_conv=False,
        num_classes=num_classes,
        head="softmax",
    )(x)
    return keras.Model(inputs, outputs, name="multiclass_unet")
