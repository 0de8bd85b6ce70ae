"""Speed and memory of the precision policies: one training step of the guide's U-Net.

    python benchmarks/precision.py                       # 16 filters, batch 16, 160x240
    python benchmarks/precision.py --filters 64 --policies float32 mixed_bfloat16

Each policy and round is a process of its own, policies in turn, because memory is only given back
at a process's end. The median of the steps of all rounds counts, the first step of each left out.
Writes `results/precision_<filters>.json`.
"""

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import measure

RESULTS = Path(__file__).parent.parent / "results"
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
SIZE, BATCH = (160, 240), 16


def steps(policy, filters, count):
    """Seconds of `count` steps behind a first one, and the peak of memory in bytes."""
    import keras
    import numpy as np

    from unet_tf import recipes

    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    widths = tuple(filters * 2**level for level in range(5))
    model = recipes.guide_unet((*SIZE, 3), widths)
    model.compile(keras.optimizers.Adam(1e-4), keras.losses.binary_crossentropy)
    random = np.random.default_rng(0)
    images = random.random((BATCH, *SIZE, 3), "float32")
    masks = (images[..., :1] > 0.5).astype("float32")
    seconds = []
    for _ in range(count + 1):
        start = time.perf_counter()
        model.train_on_batch(images, masks)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds[1:], "memory": (peak - before) * 1024}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=16, help="of the first level (16)")
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=POLICIES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--one", metavar="POLICY", help="measure this one here")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(steps(arguments.one, arguments.filters, arguments.steps)))
        return
    found = {policy: [] for policy in arguments.policies}
    for _ in range(arguments.rounds):
        for policy in arguments.policies:
            options = "--filters", arguments.filters, "--steps", arguments.steps
            found[policy].append(measure.in_a_process(__file__, "--one", policy, *options))

    from unet_tf import runs
    from unet_tf.files import write_text

    record = {
        **{"filters": arguments.filters, "batch_size": BATCH, "image_size": SIZE},
        **{"rounds": arguments.rounds, "policies": {}},
        **runs.provenance(),
    }
    for policy, rounds in found.items():
        rates = sorted(BATCH / seconds for one in rounds for seconds in one["seconds"])
        memory = max(one["memory"] for one in rounds)
        record["policies"][policy] = {
            "images_a_second": statistics.median(rates),
            "range": [rates[0], rates[-1]],
            "memory_above_import": memory,
        }
        print(
            f"{policy:15} {statistics.median(rates):7.2f} images/s "
            f"({rates[0]:.2f} to {rates[-1]:.2f}), {memory / 2**30:.2f} GiB above the import"
        )
    write_text(RESULTS / f"precision_{arguments.filters}.json", json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
