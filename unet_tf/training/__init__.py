"""One `fit` for all recipes: the precision that suits the hardware, early stopping, true resume."""

from unet_tf.training.checkpoint import state_in
from unet_tf.training.devices import backend, devices
from unet_tf.training.fitting import AtEpoch, fit, watchers
from unet_tf.training.precision import cpu_flags, hardware, precision_policy, set_precision
from unet_tf.training.xla import chosen_xla
