"""Dice as a loss, and its sum with cross-entropy.

Pure Keras. Masks and probabilities are `(B, H, W, 1)` in [0, 1]. The losses of an image give one
value an image, `(B,)`, float32: Keras then averages over images, and a loss split over several
GPUs is the same loss. All are registered: a `.keras` file that names them reloads, without
`custom_objects`, wherever `unet_tf.losses` is imported.
"""

import keras
from keras import ops

SMOOTH = 1e-5  # the article's 10e-6: no 0/0 for an empty mask, too small to move a score


def soft_dice(y_true, y_pred, axis=(1, 2, 3)):
    """2 |truth * probability| / (|truth| + |probability|), summed over `axis`.

    With the default axes one value an image, float32 `(B,)`. Two empty masks give 1.
    """
    # float32: a float16 sum over a 256x256 mask overflows, a bfloat16 one stops counting at 256.
    y_true = ops.cast(y_true, "float32")
    y_pred = ops.cast(y_pred, "float32")
    overlap = ops.sum(y_true * y_pred, axis=axis)
    total = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return (2 * overlap + SMOOTH) / (total + SMOOTH)


@keras.saving.register_keras_serializable("unet_tf")
def dice_loss(y_true, y_pred):
    """1 - soft dice of each image, `(B,)`."""
    return 1 - soft_dice(y_true, y_pred)


@keras.saving.register_keras_serializable("unet_tf")
def pooled_dice_loss(y_true, y_pred):
    """1 - soft dice of the whole batch as one long mask, a scalar.

    The article's loss ("Image Segmentation: An In-Depth Guide", Ed Izaguirre, 2023). A large car
    hides a small one in it, and the value depends on the batch size: here to reproduce, not to use.
    """
    return 1 - soft_dice(y_true, y_pred, axis=None)


@keras.saving.register_keras_serializable("unet_tf")
def bce_dice_loss(y_true, y_pred):
    """Mean binary cross-entropy + (1 - soft dice) of each image, `(B,)`.

    The default of this project. Where everything is called car, or nothing, with conviction, the
    sigmoid is flat and dice has no gradient left; cross-entropy has one, since Keras computes it
    from the logits that the sigmoid's output remembers. On the JAX backend it remembers none.
    """
    y_true = ops.cast(y_true, "float32")
    y_pred = ops.cast(y_pred, "float32")
    # binary_crossentropy averages over the last axis, the channel: (B, H, W).
    cross_entropy = keras.losses.binary_crossentropy(y_true, y_pred)
    return ops.mean(cross_entropy, axis=(1, 2)) + dice_loss(y_true, y_pred)
