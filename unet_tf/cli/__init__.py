"""The command line: `python -m unet_tf data | check | train | predict | score | export | demo |
ui | reproduce`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow: fewer of its own lines

from unet_tf.cli.commands import main
