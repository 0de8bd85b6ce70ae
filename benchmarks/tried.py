"""What might make a training step faster, each against the step as it is.

    python benchmarks/tried.py                       # the article's simple model
    python benchmarks/tried.py --model unet

Each way is a process of its own, the ways in turn: 4 steps of `fit` on 32 random images of 96x128
that lie in memory, in the precision that suits the hardware, behind 4 steps that build the graph.
Writes `results/speed/tried_<model>.json`.
"""

import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import measure

SIZE, BATCH, STEPS = (96, 128), 32, 4
AS_IT_IS = "as it is"
# By name: arguments of `compile`, and the process's environment.
WAYS = {
    AS_IT_IS: ({}, {}),
    "4 steps in one call (steps_per_execution)": ({"steps_per_execution": 4}, {}),
    "compiled by XLA (jit_compile)": ({"jit_compile": True}, {}),
    "float32": ({}, {"PRECISION": "float32"}),
    "the head in bfloat16, too": ({}, {"HEAD": "mixed_bfloat16"}),
    "one thread an operation, two operations at once": (
        {},
        {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "2"},
    ),
    "two threads an operation, one operation at once": (
        {},
        {"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "1"},
    ),
    "memory kept by malloc": (
        {},
        {"MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "100000000000"},
    ),
}


def seconds_of(model, way):
    """Seconds of 4 steps."""
    import keras
    import numpy as np
    import tensorflow as tf

    from unet_tf import network, pipeline, training

    training.set_precision(os.environ.get("PRECISION", "auto"))
    keras.utils.set_random_seed(0)
    built = (network.unet if model == "unet" else network.simple_fcn)((*SIZE, 3))
    head = built.get_layer("head")
    head.dtype_policy = os.environ.get("HEAD", head.dtype_policy)
    optimizer = keras.optimizers.Adam(1e-4)
    compiling = {"jit_compile": False, **WAYS[way][0]}
    built.compile(optimizer, network.bce_dice_loss, metrics=[network.hard_dice], **compiling)
    images = np.random.default_rng(0).random((BATCH, *SIZE, 3), "float32")
    batch = tf.data.Dataset.from_tensors((images, (images[..., :1] > 0.5).astype("float32")))
    batches = pipeline.untuned(batch.cache().repeat(STEPS))  # else the end waits for the tuning
    for _ in range(2):
        start = time.perf_counter()
        built.fit(batches, shuffle=False, verbose=0)
        seconds = time.perf_counter() - start
    return seconds


def main():
    parser = measure.parser(__doc__)
    parser.add_argument("--model", choices=("simple", "unet"), default="simple")
    parser.add_argument("--one", choices=WAYS, help="measure this one here")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(seconds_of(arguments.model, arguments.one)))
        return
    ways = {
        name: lambda name=name, environment=environment: measure.in_a_process(
            __file__, "--one", name, "--model", arguments.model, **environment
        )
        for name, (_, environment) in WAYS.items()
    }
    seconds = measure.in_turn(ways, arguments.rounds)
    record = {"model": arguments.model, "rounds": arguments.rounds, "steps": STEPS, "ways": {}}
    for name, found in seconds.items():
        ratio = measure.faster(seconds[AS_IT_IS], found)
        rate = measure.spread([BATCH * STEPS / one for one in found])
        record["ways"][name] = {"images_a_second": rate, "times_as_it_is": ratio}
        print(f"{name:50} {measure.shown(rate)} images/s, {measure.shown(ratio, 2)} times")
    measure.write(arguments.to, f"tried_{arguments.model}", record)


if __name__ == "__main__":
    main()
