"""keras-unet-collection's U-Net; started by `peers.py` in an environment of its own.

Its setting nearest to the article's network; `peers.as_the_collection` is the same of our blocks.
With `TF_USE_LEGACY_KERAS=1` under Keras 2. Prints a JSON object.
"""

import json
import os
from importlib.metadata import version

import peers  # before TensorFlow: sets its log level
import tensorflow as tf
from keras_unet_collection import losses, models


def bce_dice(y_true, y_pred):
    """`unet_tf.network.bce_dice_loss`, in TensorFlow: runs under Keras 2 too."""
    y_true, y_pred = tf.cast(y_true, "float32"), tf.cast(y_pred, "float32")
    axes = (1, 2, 3)
    overlap = tf.reduce_sum(y_true * y_pred, axes)
    total = tf.reduce_sum(y_true, axes) + tf.reduce_sum(y_pred, axes)
    cross_entropy = tf.keras.losses.binary_crossentropy(y_true, y_pred)
    dice = (2 * overlap + 1e-5) / (total + 1e-5)
    return tf.reduce_mean(cross_entropy, (1, 2)) + 1 - dice


def network(filters):
    return models.unet_2d(
        (*peers.SIZE, 3),
        list(peers.widths(filters)),
        n_labels=1,
        stack_num_down=2,
        stack_num_up=2,
        activation="ReLU",
        output_activation="Sigmoid",
        batch_norm=False,
        pool=True,
        unpool=False,
        backbone=None,
    )


def endless(*arrays):
    """An iterator that gives the same batch for ever, without tf.data's tuning thread."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return iter(tf.data.Dataset.from_tensors(arrays).repeat().with_options(options))


def tasks(model, images, masks):
    """Functions that make a training step, and a prediction."""
    if os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        return (lambda: model.train_on_batch(images, masks), lambda: model.predict_on_batch(images))
    train, predict = model.make_train_function(), model.make_predict_function()
    pairs, alone = endless(images, masks), endless(images)
    return lambda: float(train(pairs)["loss"]), lambda: predict(alone).numpy()


def main():
    parser = peers.options(__doc__)
    parser.add_argument("--loss", choices=("bce_dice", "own"), default="bce_dice")
    arguments = parser.parse_args()
    if arguments.precision == "bfloat16":
        tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = network(arguments.filters)
    optimizer = tf.keras.optimizers.Adam(peers.LEARNING_RATE)
    model.compile(optimizer, losses.dice if arguments.loss == "own" else bce_dice)
    images, masks = peers.random_batch()
    found = peers.measured(*tasks(model, images, masks), arguments.steps)
    packages = "keras-unet-collection", "tensorflow", "keras", "tf_keras"
    versions = {package: version(package) for package in packages}
    threads = tf.config.threading.get_intra_op_parallelism_threads() or peers.CORES
    record = {"parameters": model.count_params(), "threads": threads, "versions": versions}
    print(json.dumps({**found, **record}))


if __name__ == "__main__":
    main()
