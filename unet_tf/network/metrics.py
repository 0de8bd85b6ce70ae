"""What training watches: the dice of each image's hard mask; for many classes the mean IoU.

Pure Keras. A metric function that gives one value an image is averaged by Keras over images, not
over batches: exact over an epoch, the short last batch counting as what it is.
"""

import keras
from keras import ops

from unet_tf.network.backend import JAX
from unet_tf.network.losses import without_void


@keras.saving.register_keras_serializable("unet_tf")
def hard_dice(y_true, y_pred, threshold=0.5):
    """Per-image hard dice at the model's size, float32 `(B,)`.

    Parameters
    ----------
    y_true, y_pred : tensor, `(B, H, W, 1)`
        Mask in {0, 1}, and probability in [0, 1]; a pixel is foreground where the probability is at
        least `threshold`.

    NaN where a probability is NaN, so that such an epoch is never the best. Two empty masks give
    1, as in the Carvana competition
    (https://www.kaggle.com/c/carvana-image-masking-challenge/overview/evaluation).
    """
    truth = ops.cast(ops.cast(y_true, "float32") >= 0.5, "float32")
    prediction = ops.cast(ops.cast(y_pred, "float32") >= threshold, "float32")
    overlap = ops.sum(truth * prediction, axis=(1, 2, 3))
    total = ops.sum(truth, axis=(1, 2, 3)) + ops.sum(prediction, axis=(1, 2, 3))
    dice = ops.where(total > 0, 2 * overlap / ops.maximum(total, 1.0), 1.0)
    return dice + 0 * ops.sum(ops.cast(y_pred, "float32"), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("unet_tf")
class MeanIoU(keras.metrics.MeanIoU):
    """Keras's, but NaN for an epoch with a NaN among its predictions: it is never the best."""

    def __init__(self, num_classes, **kwargs):
        super().__init__(num_classes, **kwargs)
        self.spoilt = self.add_weight(name="spoilt", initializer="zeros", dtype="float32")
        shape = (num_classes, num_classes)
        self.counts = self.add_weight(shape, "zeros", "float32", name="counts") if JAX else None

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred, sample_weight)
        self.spoilt.assign_add(0 * ops.sum(ops.cast(y_pred, "float32")))
        if JAX:  # its integers have 32 bits, and an epoch may have more pixels than they count
            self.counts.assign_add(ops.cast(self.total_cm, "float32"))
            super().reset_state()

    def reset_state(self):
        super().reset_state()
        self.spoilt.assign(0.0)
        if JAX:
            self.counts.assign(ops.zeros(self.counts.shape))

    def result(self):
        if not JAX:
            return super().result() + self.spoilt
        hits = ops.diag(self.counts)
        either = ops.sum(self.counts, axis=0) + ops.sum(self.counts, axis=1) - hits
        occurs = ops.cast(either > 0, "float32")
        iou = ops.sum(hits / ops.maximum(either, 1)) / ops.maximum(ops.sum(occurs), 1)
        return iou + self.spoilt


def mean_iou(num_classes):
    """The metric of class ids `(B, H, W, 1)` and probabilities `(B, H, W, C)`: mean IoU.

    Its counts are summed over the epoch; void, a label of 255, counts nowhere, and the mean is over
    the classes that occur in truth or prediction. To choose an epoch by: scores come from
    `unet_tf.scores`, which leaves out the classes that no truth holds.
    """
    return MeanIoU(
        num_classes, ignore_class=255, sparse_y_true=True, sparse_y_pred=False, name="mean_iou"
    )


@keras.saving.register_keras_serializable("unet_tf")
def hard_dice_with_void(y_true, y_pred):
    """As `hard_dice`; where the mask is neither 0 nor 1, such as 255, nothing counts."""
    return hard_dice(*without_void(y_true, y_pred))


def metric_for(channels, void=False):
    """What training watches for a head of so many channels: hard dice for 1, else mean IoU; `void`:
    masks hold 255 where nothing counts."""
    if channels == 1 and void:
        return keras.metrics.MeanMetricWrapper(hard_dice_with_void, name="hard_dice")
    return hard_dice if channels == 1 else mean_iou(channels)
