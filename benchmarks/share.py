"""What share of the hardware's rate of bare convolutions a training step of the U-Net reaches.

    python benchmarks/share.py

The bare rate: the operations of all convolutions of the article's U-Net, forward, over the sum of
the times that each takes by itself. A training step has three times those operations (forward,
and the gradients of inputs and of kernels), and its share is its rate over the bare one. Batches of
32 at 96x128. Writes `results/speed/share.json`.
"""

import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import measure

SIZE, BATCH = (96, 128), 32


def shapes_of(model):
    """Of each convolution: (height, width, channels in, channels out, kernel side, stride), of a
    transposed one those of the convolution whose gradient it is; and the operations of a batch."""
    from keras import layers

    shapes = []
    for layer in model.layers:
        if not isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
            continue
        wide, narrow = layer.input.shape, layer.output.shape
        if isinstance(layer, layers.Conv2DTranspose):
            wide, narrow = narrow, wide
        sides = layer.kernel_size[0], layer.strides[0]
        operations = 2 * BATCH * narrow[1] * narrow[2] * wide[3] * narrow[3] * sides[0] ** 2
        shapes.append((*wide[1:], narrow[3], *sides, operations))
    return shapes


def bare(shapes, dtype):
    """Operations a second of the convolutions alone, each by itself."""
    import tensorflow as tf

    seconds = 0.0
    for height, width, channels, filters, side, stride, _ in shapes:
        images = tf.cast(tf.random.normal((BATCH, height, width, channels)), dtype)
        kernel = tf.cast(tf.random.normal((side, side, channels, filters)), dtype)
        convolve = tf.function(lambda x, k, stride=stride: tf.nn.conv2d(x, k, stride, "SAME"))
        convolve(images, kernel)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            convolve(images, kernel)
            times.append(time.perf_counter() - start)
        seconds += statistics.median(times)
    return sum(shape[-1] for shape in shapes) / seconds


def measured(policy, steps):
    """The bare rate, and that of training steps, in operations a second."""
    import keras
    import numpy as np

    from unet_tf import network

    keras.config.set_dtype_policy(policy)
    model = network.unet((*SIZE, 3))
    shapes = shapes_of(model)
    optimizer = keras.optimizers.Adam(1e-4)
    model.compile(optimizer, network.bce_dice_loss, metrics=[network.hard_dice])
    random = np.random.default_rng(0)
    images = random.random((BATCH, *SIZE, 3), "float32")
    masks = (images[..., :1] > 0.5).astype("float32")
    rate, times = bare(shapes, policy.removeprefix("mixed_")), []
    for _ in range(steps + 1):
        start = time.perf_counter()
        model.train_on_batch(images, masks)
        times.append(time.perf_counter() - start)
    operations = 3 * sum(shape[-1] for shape in shapes)
    return {"bare": rate, "step": operations / statistics.median(times[1:])}


def main():
    parser = measure.parser(__doc__)
    parser.add_argument("--policies", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--one", metavar="POLICY", help="measure this one here")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.one, arguments.steps)))
        return
    record = {"batch_size": BATCH, "image_size": SIZE, "rounds": arguments.rounds, "policies": {}}
    found = {policy: [] for policy in arguments.policies}
    for _ in range(arguments.rounds):
        for policy, rounds in found.items():
            options = "--one", policy, "--steps", arguments.steps
            rounds.append(measure.in_a_process(__file__, *options))
    for policy, rounds in found.items():
        of_policy = {
            "gflops_bare": measure.spread([one["bare"] / 1e9 for one in rounds]),
            "gflops_step": measure.spread([one["step"] / 1e9 for one in rounds]),
            "share": measure.spread([one["step"] / one["bare"] for one in rounds]),
        }
        record["policies"][policy] = of_policy
        print(policy, *(f"{key}: {measure.shown(value, 2)}" for key, value in of_policy.items()))
    measure.write(arguments.to, "share", record)


if __name__ == "__main__":
    main()
