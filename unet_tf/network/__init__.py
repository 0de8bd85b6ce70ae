"""Networks, losses and metrics: pure Keras, on any of its backends."""

from unet_tf.network.backend import JAX, gpus, memory, processes, versions
from unet_tf.network.losses import SMOOTH, Weighted, WithVoid, bce_dice_loss, class_dice_loss
from unet_tf.network.losses import cross_entropy, cross_entropy_dice_loss, dice_loss
from unet_tf.network.losses import pooled_class_dice_loss, pooled_dice_loss, soft_dice
from unet_tf.network.metrics import hard_dice, mean_iou, metric_for
from unet_tf.network.models import PadToMultiple, conv_block, downsample, simple_fcn, unet
from unet_tf.network.models import upsample, with_padding
