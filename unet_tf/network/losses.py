"""Dice as a loss, cross-entropy, and their sum; for one class, and below for many.

Pure Keras. Masks and probabilities of one class are `(B, H, W, 1)` in [0, 1]. The losses of an
image give one value an image, `(B,)`, float32: Keras then averages over images, and a loss split
over several GPUs is the same loss. All are registered: a `.keras` file that names them reloads,
without `custom_objects`, wherever `unet_tf.network` is imported.
"""

import keras
from keras import ops

SMOOTH = 1e-5  # the article's 10e-6: no 0/0 for an empty mask, too small to move a score


def soft_dice(y_true, y_pred, axis=(1, 2, 3)):
    """2 |truth * probability| / (|truth| + |probability|), summed over `axis`.

    With the default axes one value an image, float32 `(B,)`. Two empty masks give 1.
    """
    # float32: a float16 sum over a 256x256 mask overflows, a bfloat16 one keeps 8 binary digits.
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


def without_void(y_true, y_pred):
    """Mask and prediction, float32, both 0 where the mask is void, neither 0 nor 1."""
    y_true = ops.cast(y_true, "float32")
    counts, said = y_true <= 1, ops.where(y_true <= 1, ops.cast(y_pred, "float32"), 0.0)
    logits = getattr(y_pred, "_keras_logits", None)
    if logits is not None:  # by which Keras's cross-entropy has a gradient where sigmoids are flat
        said._keras_logits = ops.where(counts, ops.cast(logits, "float32"), -30.0)
    return ops.where(counts, y_true, 0.0), said


@keras.saving.register_keras_serializable("unet_tf")
class WithVoid(keras.losses.Loss):
    """A loss of one foreground for masks that hold 255 where nothing counts.

    Mask and prediction are both 0 there: right with certainty, which adds nothing to a dice and
    nothing to a sum of cross-entropy, whose mean is then over all pixels, void ones too.
    """

    def __init__(self, loss, name="with_void", **kwargs):
        super().__init__(name=name, **kwargs)
        self.loss = keras.saving.deserialize_keras_object(loss) if isinstance(loss, dict) else loss

    def call(self, y_true, y_pred):
        return self.loss(*without_void(y_true, y_pred))

    def get_config(self):
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}


# --- many classes ---------------------------------------------------------------------------------
# Labels are class ids, `(B, H, W, 1)`; a label beyond the classes, such as 255, is void: it counts
# nowhere. Predictions are probabilities `(B, H, W, C)` from a softmax.


def labels_of(y_true, num_classes):
    """Class ids, int32 `(B, H, W)`, 0 where void; and float32 `(B, H, W)`, 0 where void, else 1."""
    ids = ops.cast(y_true, "int32")[..., 0]
    valid = ops.logical_and(ids >= 0, ids < num_classes)
    return ops.where(valid, ids, 0), ops.cast(valid, "float32")


@keras.saving.register_keras_serializable("unet_tf")
def cross_entropy(y_true, y_pred, class_weights=None):
    """Mean cross-entropy of each image's pixels, float32 `(B,)`; void ones left out.

    With `class_weights`, one number a class, a pixel counts as much as its class says, and the mean
    is over the weights, as in PyTorch's `CrossEntropyLoss`. An image that is all void gives 0.
    """
    y_pred = ops.cast(y_pred, "float32")
    ids, weights = labels_of(y_true, y_pred.shape[-1])
    pixels = keras.losses.sparse_categorical_crossentropy(ids, y_pred)  # (B, H, W)
    if class_weights is not None:
        weights = weights * ops.take(ops.convert_to_tensor(class_weights, "float32"), ids)
    total = ops.sum(weights, axis=(1, 2))
    return ops.sum(weights * pixels, axis=(1, 2)) / ops.where(total > 0, total, 1.0)


@keras.saving.register_keras_serializable("unet_tf")
def class_dice_loss(y_true, y_pred):
    """1 - soft dice of each image, the mean over the classes in its mask, float32 `(B,)`."""
    truth, prediction = one_hot(y_true, y_pred)
    dice = soft_dice(truth, prediction, axis=(1, 2))  # (B, C)
    present = ops.cast(ops.sum(truth, axis=(1, 2)) > 0, "float32")
    count = ops.sum(present, axis=-1)
    return ops.sum(present * (1 - dice), axis=-1) / ops.maximum(count, 1.0)


@keras.saving.register_keras_serializable("unet_tf")
def pooled_class_dice_loss(y_true, y_pred):
    """1 - soft dice of all classes and images of a batch as one long mask, a scalar.

    The loss of "U-Net for Image Segmentation" (Piotr Rudzki, 2023), there on logits. The background
    counts as much as the buildings: here to reproduce, not to use.
    """
    return 1 - soft_dice(*one_hot(y_true, y_pred), axis=None)


@keras.saving.register_keras_serializable("unet_tf")
def cross_entropy_dice_loss(y_true, y_pred, class_weights=None):
    """`cross_entropy` + `class_dice_loss`, `(B,)`: the default for many classes."""
    return cross_entropy(y_true, y_pred, class_weights) + class_dice_loss(y_true, y_pred)


def one_hot(y_true, y_pred):
    """Truth and prediction, float32 `(B, H, W, C)`, both 0 where the label is void."""
    ids, valid = labels_of(y_true, y_pred.shape[-1])
    valid = valid[..., None]
    truth = ops.one_hot(ids, y_pred.shape[-1], dtype="float32")
    return truth * valid, ops.cast(y_pred, "float32") * valid


@keras.saving.register_keras_serializable("unet_tf")
class Weighted(keras.losses.Loss):
    """A loss with class weights bound to it: a model compiled with it reloads by itself.

    Parameters
    ----------
    loss : `cross_entropy` or `cross_entropy_dice_loss`
    class_weights : sequence of float, one a class, 0 or more
    """

    def __init__(self, loss, class_weights, name="weighted", **kwargs):
        super().__init__(name=name, **kwargs)
        self.loss = keras.saving.deserialize_keras_object(loss) if isinstance(loss, dict) else loss
        self.class_weights = [float(weight) for weight in class_weights]

    def call(self, y_true, y_pred):
        return self.loss(y_true, y_pred, class_weights=self.class_weights)

    def get_config(self):
        own = {"loss": keras.saving.serialize_keras_object(self.loss)}
        return {**super().get_config(), **own, "class_weights": self.class_weights}
