"""U-Net image segmentation in Keras 3 / TensorFlow: the thin module behind the notebooks.

Data flows one way: `toy` (a car studio, rendered by `cars` and `studio`), `car_parts`, `town`
(from the air), `carvana`, `massachusetts` or a folder of yours -> `check`, `data` (pairs,
splits) and `classes` (masks of many classes) -> `pipeline` and `crops` (tf.data) -> `train` ->
`predict` -> `scores` and `class_scores`, `plot`.
"""

__version__ = "0.1.0"

# Where the project lives on GitHub, as "owner/name": badges and install lines are made from it.
# The owner is not known yet: change this one line, then run `notebooks/refresh.py`.
REPOSITORY = "OWNER/unet_tf"
