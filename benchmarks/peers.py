"""The same U-Net here, in PyTorch and in keras-unet-collection: training steps and predictions.

    python benchmarks/peers.py                                # 3 rounds
    python benchmarks/peers.py --filters 4 --rounds 1 --steps 1 --to /tmp    # does it run?

Each peer is its published package in an environment of its own, `.venv-torch` and
`.venv-collection`, made where missing. The same network on both sides, checked by its parameters,
the same random batch (32 images of 96x128) and Adam; each measurement is a process of its own, the
ways in turn. A step is `train_on_batch`, PyTorch's usual loop, or what `fit` runs under Keras 2,
whose `train_on_batch` makes a data set for each step; a prediction is one batch.

Against PyTorch (eager, the faster of two memory formats): the article's U-Net, with transposed
convolutions of 2x2, without dropout. keras-unet-collection has that network in no setting: nearest
is its `unpool=False`, with 3x3 transposed convolutions, ReLU behind each, and one more convolution
before the skip. That one is built here of our blocks. It runs under Keras 3 and under Keras 2
(`TF_USE_LEGACY_KERAS`), unmodified, and the faster counts. "As they come": float32 with its own
dice against mixed_bfloat16 here. Writes `results/speed/peers.json`.

Nothing else may run meanwhile: PyTorch's threads wait busily for each other, and beside another
load it is several times slower, TensorFlow less so. `cores_busy` in the record tells.
"""

import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import measure

FILTERS, SIZE, BATCH, LEARNING_RATE = 64, (96, 128), 32, 1e-4
STEP, PREDICTION, BUSY = "training step", "prediction", "cores_busy"
PRECISIONS, FORMATS = ("float32", "bfloat16"), ("contiguous", "channels_last")
KERAS = {"Keras 3": "0", "Keras 2": "1"}  # TF_USE_LEGACY_KERAS
CORES = os.cpu_count()
HERE = Path(__file__).parent

ARTICLE, COLLECTION = "ours, the article's", "ours, the collection's"
# What, our way, the peer's ways of which the fastest counts, how many times as fast our training
# step is to be.
COMPARISONS = [
    (
        f"PyTorch, both {precision}",
        f"{ARTICLE}, {precision}",
        [f"PyTorch, {precision}, {form}" for form in FORMATS],
        {"bfloat16": 1.1}.get(precision),
    )
    for precision in PRECISIONS
]
COMPARISONS += [
    (
        f"keras-unet-collection, both {precision}",
        f"{COLLECTION}, {precision}",
        [f"collection, {precision}, {keras}" for keras in KERAS],
        1.0,
    )
    for precision in PRECISIONS
]
COMPARISONS += [
    ("PyTorch, as they come", f"{ARTICLE}, bfloat16", ["PyTorch, float32, contiguous"], None),
    (
        "keras-unet-collection, as they come",
        f"{COLLECTION}, bfloat16",
        [f"collection, as it comes, {keras}" for keras in KERAS],
        3.0,
    ),
]


def python_of(peer):
    """The Python of the peer's own environment, which is made where it is missing or unfinished."""
    packages = {
        "torch": ["torch==2.13.0", "numpy"],
        "collection": [  # it names no dependencies: our TensorFlow, and what its imports ask for
            "keras-unet-collection==0.1.13",
            f"tensorflow=={importlib.metadata.version('tensorflow')}",
            "tf-keras",
            "pillow",
        ],
    }[peer]
    folder = measure.ROOT / f".venv-{peer}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made, wanted = folder / "made.txt", "\n".join(packages)
    if not made.exists() or made.read_text() != wanted:
        print(f"making {folder}: {', '.join(packages)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        made.write_text(wanted)
    return python


def options(description):
    """The parser of all that is measured in a process of its own."""
    parser = measure.parser(description)
    parser.add_argument("--filters", type=int, default=FILTERS, help="of the first level (64)")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    return parser


def widths(filters):
    return tuple(filters * 2**level for level in range(5))


def random_batch(size=SIZE):
    """Images and masks, float32 `(B, H, W, 3)` and `(B, H, W, 1)` in [0, 1]."""
    import numpy as np

    images = np.random.default_rng(0).random((BATCH, *size, 3), "float32")
    return images, (images[..., :1] > 0.5).astype("float32")


def measured(step, predict, count):
    """Median seconds of `count` training steps and of `count` predictions, the first left out; and
    how many cores the process had meanwhile."""
    found, start, used = {}, time.perf_counter(), time.process_time()
    for name, function in ((STEP, step), (PREDICTION, predict)):
        times = []
        for _ in range(count + 1):
            before = time.perf_counter()
            function()
            times.append(time.perf_counter() - before)
        found[name] = statistics.median(times[1:])
    busy = (time.process_time() - used) / (time.perf_counter() - start)
    return {**found, BUSY: busy}


def as_the_collection(filters):
    """The network of `peer_collection.py`, of our blocks."""
    import keras
    from keras import layers

    from unet_tf.network import conv_block, downsample, upsample

    *encoder, bottleneck = filters
    inputs = keras.Input((*SIZE, 3))
    x, skips = inputs, []
    for width in encoder:
        skips.append(conv_block(x, width))
        x = downsample(skips[-1])
    x = conv_block(x, bottleneck)
    for width, skip in zip(reversed(encoder), reversed(skips), strict=True):
        x = layers.Activation("relu")(upsample(x, width, "transposed_3x3"))
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = conv_block(layers.Concatenate()([x, skip]), width)
    x = layers.Conv2D(1, 1, dtype="float32")(x)
    return keras.Model(inputs, layers.Activation("sigmoid", dtype="float32")(x))


def ours(network, precision, filters, steps):
    """Our side, in this process."""
    import keras
    import tensorflow as tf

    from unet_tf.network import bce_dice_loss, unet
    from unet_tf.predict import compiled

    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    if network == COLLECTION:
        model = as_the_collection(widths(filters))
    else:
        model = unet((*SIZE, 3), widths(filters), dropout=0.0, upsampling="transposed_2x2")
    model.compile(keras.optimizers.Adam(LEARNING_RATE), bce_dice_loss)
    images, masks = random_batch()
    forward = compiled(model)
    found = measured(
        lambda: model.train_on_batch(images, masks),
        lambda: forward(images, training=False).numpy(),
        steps,
    )
    threads = tf.config.threading.get_intra_op_parallelism_threads() or CORES
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return {**found, "parameters": model.count_params(), "threads": threads, "versions": versions}


def all_ways(filters, steps):
    """By name, functions that measure one way each, in a process of its own."""
    sizes = "--filters", filters, "--steps", steps
    torch = partial(measure.in_a_process, HERE / "peer_torch.py", *sizes, python=python_of("torch"))
    collection = partial(
        measure.in_a_process, HERE / "peer_collection.py", *sizes, python=python_of("collection")
    )
    ways = {}
    for precision in PRECISIONS:
        asked = "--precision", precision
        for network in (ARTICLE, COLLECTION):
            one = partial(measure.in_a_process, __file__, *sizes, *asked, "--one", network)
            ways[f"{network}, {precision}"] = one
        for form in FORMATS:
            ways[f"PyTorch, {precision}, {form}"] = partial(torch, *asked, "--format", form)
        for keras, legacy in KERAS.items():
            one = partial(collection, *asked, TF_USE_LEGACY_KERAS=legacy)
            ways[f"collection, {precision}, {keras}"] = one
    for keras, legacy in KERAS.items():
        one = partial(collection, "--loss", "own", TF_USE_LEGACY_KERAS=legacy)
        ways[f"collection, as it comes, {keras}"] = one
    return ways


def compared(found, what, our_way, peer_ways, target):
    """How many times as fast as the peer's fastest way, of the training step and of a prediction.

    Raises
    ------
    ValueError
        If the networks differ in parameters.
    """
    record = {"comparison": what, "ours": our_way, "target": target}
    for peer_way in peer_ways:
        both = [found[way][0]["parameters"] for way in (our_way, peer_way)]
        if both[0] != both[1]:
            raise ValueError(
                f"{our_way} has {both[0]:,} parameters and {peer_way} {both[1]:,}: "
                "the networks are to be the same; change one of them"
            )
    for task in (STEP, PREDICTION):
        seconds = {way: [one[task] for one in found[way]] for way in (our_way, *peer_ways)}
        fastest = min(peer_ways, key=lambda way: statistics.median(seconds[way]))
        ratio = measure.faster(seconds[fastest], seconds[our_way])
        record[task] = {"peer": fastest, "times_the_peer": ratio}
        aim = f" (target {target})" if target and task == STEP else ""
        print(f"{what}: {task}: {measure.shown(ratio, 2)} times as fast{aim}")
    return record


def main():
    parser = options(__doc__)
    parser.add_argument("--one", choices=(ARTICLE, COLLECTION), help="measure this one here")
    arguments = parser.parse_args()
    sizes = arguments.filters, arguments.steps
    if arguments.one:
        print(json.dumps(ours(arguments.one, arguments.precision, *sizes)))
        return
    ways = all_ways(*sizes)
    found = {name: [] for name in ways}
    for number in range(1, arguments.rounds + 1):
        for name, way in ways.items():
            one = way()
            found[name].append(one)
            seconds = ", ".join(f"{task} {one[task]:.3f} s" for task in (STEP, PREDICTION))
            print(f"round {number}: {name}: {seconds}, {one[BUSY]:.1f} cores busy", flush=True)
    record = {
        "image_size": SIZE,
        "batch_size": BATCH,
        "filters": widths(arguments.filters),
        "rounds": arguments.rounds,
        "steps": arguments.steps,
        "comparisons": [compared(found, *comparison) for comparison in COMPARISONS],
        "ways": {
            name: {
                **{
                    task: measure.spread([one[task] for one in rounds])
                    for task in (STEP, PREDICTION, BUSY)
                },
                **{key: rounds[0][key] for key in ("parameters", "threads", "versions")},
            }
            for name, rounds in found.items()
        },
    }
    measure.write(arguments.to, "peers", record)


if __name__ == "__main__":
    main()
