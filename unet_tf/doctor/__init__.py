"""What is wrong with a folder of images and masks, and with a prediction."""

from unet_tf.doctor.explanation import explain
from unet_tf.doctor.clean_masks import join_objects, write_masks
from unet_tf.doctor.report import check
