"""Models with random weights, as files."""

import keras

from unet_tf import network, predict
from unet_tf.data import Card, Labels

PARTS = Labels(("background", "body", "wheel"), ((0, 0, 0), (200, 0, 0), (0, 0, 200)))


def saved(path, policy="float32", labels=None, image_size=(16, 24), shape=(16, 24, 3), **card):
    """A small U-Net with random weights in a file."""
    keras.utils.set_random_seed(0)
    labels = labels or Labels.foreground("car")
    keras.config.set_dtype_policy(policy)
    model = network.unet(
        shape,
        (4, 8),
        batch_norm=True,
        num_classes=labels.channels,
        head="sigmoid" if labels.binary else "softmax",
    )
    keras.config.set_dtype_policy("float32")
    model.save(path)
    seen = {"recipe": "a", "seen": {"train": "123456789abc"}}
    Card(labels, image_size, trained_on=seen, **card).write(path)
    return predict.load(path)
