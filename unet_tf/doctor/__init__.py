"""What is wrong with a folder of images and masks, and with a prediction."""

from unet_tf.doctor.causes import ALL_VOID, BLACK_FILE, CHANNELS, COLLAPSED, EMPTY, FEW, LOGITS
from unet_tf.doctor.causes import NAN, NEVER, NO_CLASS, REMEDIES, SCALE, SIZE, THRESHOLD
from unet_tf.doctor.causes import WHITE_IDS
from unet_tf.doctor.explanation import explain
from unet_tf.doctor.clean_masks import join_objects, write_masks
from unet_tf.doctor.facts import counted
from unet_tf.doctor.report import check
