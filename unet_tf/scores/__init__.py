"""Scores after training: plain NumPy, whole numbers of pixels, original size."""

from unet_tf.scores.binary import THRESHOLDS, USED_BY, best_threshold, bootstrap_interval
from unet_tf.scores.binary import ceiling, constant_baseline, dice, per_image_dice, report, table
from unet_tf.scores.boundary import boundary_f1, default_tolerance, edge, thickened
from unet_tf.scores.classes import class_baseline, class_report, class_table, confusion_matrix
from unet_tf.scores.classes import frequency_weights, scores_of
