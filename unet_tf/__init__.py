"""U-Net image segmentation in Keras 3 / TensorFlow: the thin module behind the notebooks.

Data flows one way: `toy` (a car studio, rendered by `cars` and `studio`), `carvana` or a folder of
yours -> `data` (pairs, splits) -> `pipeline` (tf.data) -> `train` -> `predict` -> `scores`, `plot`.
"""

__version__ = "0.1.0"

# Where the project lives on GitHub, as "owner/name": badges and install lines are made from it.
# The owner is not known yet: change this one line, then run `notebooks/refresh.py`.
REPOSITORY = "OWNER/unet_tf"
