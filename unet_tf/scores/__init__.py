"""Scores after training: plain NumPy, whole numbers of pixels, original size."""

from unet_tf.scores.baselines import baseline_of, ceiling, class_baseline, constant_baseline
from unet_tf.scores.binary import THRESHOLDS, best_threshold, dice
from unet_tf.scores.binary import per_image_dice, report
from unet_tf.scores.boundary import boundary_f1, default_tolerance, thickened
from unet_tf.scores.classes import class_report, confusion_matrix, frequency_weights, scores_of
from unet_tf.scores.finished import of_answers, of_masks
from unet_tf.scores.intervals import bootstrap_interval
from unet_tf.scores.tables import USED_BY, markdown, table
