"""U-Net image segmentation in Keras 3 / TensorFlow: the module behind the notebooks, in rooms.

What the notebooks teach: `data` (images, masks, splits), `pipeline` (tf.data), `network` (models,
losses), `training`, `predict` and `scores`. Around it: `doctor` checks a folder, `protocol` repeats
the published recipes, `rendered` draws the embedded data, `kaggle` downloads, `cli` is the command
line.
"""

__version__ = "0.1.0"

# Where the project lives on GitHub, as "owner/name": badges and install lines are made from it.
# The owner is not known yet: change this one line, then run `notebooks/refresh.py`.
REPOSITORY = "OWNER/unet_tf"
