"""Pictures: each function returns its matplotlib figure."""

from unet_tf.plot.architecture import network
from unet_tf.plot.pictures import EXTRA, MISSED, TRUTH, class_masks, compared, confusion, curves
from unet_tf.plot.pictures import found_missed_extra, outline, outlined, overlay
from unet_tf.plot.pictures import rows, show, triplets
