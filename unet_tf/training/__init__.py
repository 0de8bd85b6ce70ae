"""One `fit` for all recipes: the precision that suits the hardware, early stopping, true resume."""

from unet_tf.training.checkpoint import Checkpoint, VERSIONS, architecture
from unet_tf.training.checkpoint import loss_settings, made_of
from unet_tf.training.fitting import AtEpoch, BestCheckpoint, fit, watchers
from unet_tf.training.precision import cpu_flags, hardware, precision_policy, set_precision
