"""Speed and memory of the precision policies: one training step of the guide's U-Net.

    python benchmarks/precision.py                       # 16 filters, batch 16, 160x240
    python benchmarks/precision.py --filters 64 --policies float32 mixed_bfloat16

Each policy and round is a process of its own, policies in turn, because memory is only given back
at a process's end. The median of the steps of all rounds counts, the first step of each left out.
Writes `results/speed/precision_<filters>.json`.
"""

import json
import resource
import time

import measure

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
SIZE, BATCH = (160, 240), 16


def steps(policy, filters, count):
    """Seconds of `count` steps behind a first one, and the peak of memory in bytes."""
    import keras
    import numpy as np

    from unet_tf import protocol

    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    widths = tuple(filters * 2**level for level in range(5))
    model = protocol.guide_unet((*SIZE, 3), widths)
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
    parser = measure.parser(__doc__)
    parser.add_argument("--filters", type=int, default=16, help="of the first level (16)")
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=POLICIES)
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

    record = {"filters": arguments.filters, "batch_size": BATCH, "image_size": SIZE}
    record |= {"rounds": arguments.rounds, "steps": arguments.steps, "policies": {}}
    for policy, rounds in found.items():
        rates = measure.spread([BATCH / seconds for one in rounds for seconds in one["seconds"]])
        memory = measure.spread([one["memory"] for one in rounds])
        record["policies"][policy] = {"images_a_second": rates, "memory_above_import": memory}
        print(f"{policy:15} {measure.shown(rates)} images/s, {memory['median'] / 2**30:.2f} GiB")
    measure.write(arguments.to, f"precision_{arguments.filters}", record)


if __name__ == "__main__":
    main()
