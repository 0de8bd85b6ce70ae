"""Peak of memory in training and in prediction, and what it grows with.

    python benchmarks/memory.py                      # the U-Net, one round: about 6 minutes
    python benchmarks/memory.py --model simple --rounds 3
    python benchmarks/memory.py --model carvana      # all of Carvana at 640x960

Each measurement is a process of its own. Counted is the process's peak (`ru_maxrss`; Linux) above
that right after the imports, which is recorded too; on a GPU it is the host's memory alone. One
thing varies at a time. Training: at most 4 steps of `unet_tf.training.fit`, in the precision that
suits the hardware, on all of the shuffled, augmented data set, which is kept in memory: rendered
pairs of 480x320, repeated where more are asked for. Prediction: rendered JPEG files of 1918x1280 to
a submission, by an untrained model; tiled, the images are cut into tiles of the model's size that
do not overlap. Writes `results/speed/memory_<model>.json`.

The model "carvana" is another question: do all 5088 images of Carvana train and score at 640x960 in
6 GiB? Measured are one epoch of `unet_tf.protocol.run`, with validation, threshold, scores and
masks, and the scoring alone, of a small U-Net over more and more rendered images of 1918x1280.
Decoded images are kept where they would be for all of Carvana, which the first line of each process
says. The growth with each image then gives the peak of all.
"""

import itertools
import json
import os
import resource
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import measure

STEPS, VALIDATION = 4, 16
BASE = {"images": 64, "batch_size": 16, "image_size": (96, 128)}
VARIED = {
    "training": (
        *({"images": 256}, {"images": 1024}),
        *({"batch_size": 8}, {"batch_size": 32}),
        {"image_size": (192, 256)},
        {"saved": True},  # best.keras and state.npz, as the command line keeps them
    ),
    "prediction": (
        *({"images": 16}, {"images": 256}),
        *({"batch_size": 8}, {"batch_size": 32}),
        {"image_size": (192, 256)},
        {"images": 3, "tiled": True},  # images at full size go one at a time: 3 are enough
    ),
}
MODELS = ("unet", "simple", "carvana")
WHOLE, LIMIT = (4071, 1017), 6 * 2**30  # Carvana's training and validation images; bytes
CARVANA = {"images": 64, "batch_size": 4, "image_size": (640, 960), "filters": (8, 16, 32)}
CARVANA |= {"frame": (1918, 1280), "cars": 63}  # 16 images each
COUNTS = 256, 1008


def peak():
    """The most that this process has ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def built(name, size):
    """The model under the precision that suits the hardware."""
    from unet_tf import network
    from unet_tf.training import set_precision

    set_precision()
    return (network.unet if name == "unet" else network.simple_fcn)((*size, 3))


def train_once(name, images, batch_size, image_size, saved=False):
    """Some steps of an epoch over so many images; gives the model."""
    from unet_tf import data, pipeline, rendered
    from unet_tf.training import fit

    pairs = list(
        itertools.islice(itertools.cycle(data.pair(rendered.write("cars"))), images + VALIDATION)
    )
    options = {"image_size": image_size, "batch_size": batch_size, "cache": "memory"}
    # The shuffle reads all images before it gives the first batch.
    training = pipeline.dataset(pairs[:images], shuffle=True, augment=True, **options)
    validation = pipeline.dataset(pairs[images:], **options)
    model = built(name, image_size)
    with tempfile.TemporaryDirectory() as folder:
        folder = folder if saved else None
        fit(model, training.take(STEPS), validation, epochs=1, folder=folder, verbose=0)
    return model


def predict_once(name, images, batch_size, image_size, tiled=False):
    """A submission of so many files; gives the model."""
    from unet_tf import predict

    paths = [image for image, _ in measure.large_pairs(images)]
    model = built(name, image_size)
    forward, size = predict.compiled(model), image_size
    if tiled:
        forward, size = predict.tiled(forward, image_size, 0.0, batch_size), None
    options = {"settings": {}, "image_size": size, "batch_size": batch_size}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "submission.csv.gz"
        outcomes = list(predict.to_submission(forward, paths, target, **options))
    if any(outcome for _, outcome in outcomes) or len(outcomes) != images:
        raise ValueError(f"{images} files were to be predicted, some were not: {outcomes}")
    return model


def cache_of_all(pairs, image_size):
    """Where all of Carvana's images would be kept once decoded."""
    from unet_tf import pipeline

    files = itertools.cycle(pairs)
    return pipeline.chosen_cache(
        *((list(itertools.islice(files, count)), image_size) for count in WHOLE)
    )


def run_once(name, images, batch_size, image_size, filters, frame, cars):
    """One epoch over so many images and all that a run does after it; gives a model as it had."""
    from unet_tf import data, pipeline, protocol, rendered

    folder = rendered.write("cars", cars=cars, size=tuple(frame))
    cache = cache_of_all(data.pair(folder), image_size)
    pipeline.chosen_cache = lambda *parts: cache
    settings = {"image_size": tuple(image_size), "filters": tuple(filters)}
    settings["batch_size"] = batch_size
    recipe = protocol.get("guide_unet", images=images, epochs=1, **settings)
    with tempfile.TemporaryDirectory() as to:
        protocol.run(recipe, folder, to=to, verbose=0)
    return recipe.build((*image_size, 3), filters)


def score_once(name, images, batch_size, image_size, filters, frame, cars):
    """Threshold and scores of so many images, as a run has them; gives the untrained model."""
    from unet_tf import data, network, predict, rendered, scores
    from unet_tf.training import set_precision

    set_precision()
    model = network.unet((*image_size, 3), filters)
    forward = predict.compiled(model)
    pairs = data.pair(rendered.write("cars", cars=cars, size=tuple(frame)))[:images]

    def answers():
        paths = [image for image, _ in pairs]
        return predict.probabilities(forward, paths, image_size, "area", batch_size)

    threshold, _ = scores.best_threshold(pairs, answers())
    scores.report(pairs, answers(), chosen_threshold=threshold)
    return model


WAYS = {
    "training": train_once,
    "prediction": predict_once,
    "run": run_once,
    "scores": score_once,
}


def measured(name, kind, setting):
    """Peaks of this process: after the imports, and at the end above that, in bytes."""
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    from unet_tf.training import fit, set_precision  # noqa: F401

    imported = peak()
    model = WAYS[kind](name, **setting)
    return {
        "imported": imported,
        "above": peak() - imported,
        "parameters": model.count_params(),
        "policy": model.layers[1].dtype_policy.name,
    }


def said(setting):
    """A setting in words, of one width."""
    height, width = setting["image_size"]
    words = f"{setting['images']:4} images, batch {setting['batch_size']:2}, {height:3}x{width}"
    return f"{words} {'saved' if 'saved' in setting else 'tiled' if 'tiled' in setting else '':5}"


def growth(rows, base=None):
    """Bytes that one more image, image of a batch, and pixel of an image's size take: by the first
    and the last setting where that alone varies from `base`, the median of the rounds."""
    base = base or BASE
    amount = {"images": int, "batch_size": int, "image_size": lambda size: size[0] * size[1]}
    found = {}
    for name, count in amount.items():
        alike = [row for row in rows if {**row["setting"], name: base[name]} == base]
        alike.sort(key=lambda row: count(row["setting"][name]))
        if len(alike) > 1:
            first, last = alike[0], alike[-1]
            more = count(last["setting"][name]) - count(first["setting"][name])
            grown = last["above_import"]["median"] - first["above_import"]["median"]
            found[name] = grown / more
    return found


def of_all(rows, grown, images):
    """The peak of so many images, from that of the most that were measured and the growth, which
    counts as none where it is below."""
    most = max(rows, key=lambda row: row["setting"]["images"])
    more = images - most["setting"]["images"]
    return most["above_import"]["median"] + max(grown, 0) * more


def settings_of(model):
    """The kind and setting of each measurement of a model, and what they vary from."""
    if model == "carvana":
        varied = [CARVANA, *({**CARVANA, "images": count} for count in COUNTS)]
        return [(kind, setting) for kind in ("run", "scores") for setting in varied], CARVANA
    settings = [(kind, {**BASE, **one}) for kind, varied in VARIED.items() for one in ({}, *varied)]
    return settings, BASE


def main():
    parser = measure.parser(__doc__, rounds=1)
    parser.add_argument("--model", choices=MODELS, default="unet")
    parser.add_argument("--one", metavar="JSON", help="measure this kind and setting here")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.model, *json.loads(arguments.one))))
        return

    from unet_tf import rendered

    # Rendered before, if not yet there. A process's peak starts with that of the one that started
    # it: nothing here imports TensorFlow before all is measured.
    if arguments.model == "carvana":
        rendered.write("cars", cars=CARVANA["cars"], size=CARVANA["frame"])
    else:
        rendered.write("cars")
        measure.large_pairs()
    settings, base = settings_of(arguments.model)
    found = [[] for _ in settings]
    for _ in range(arguments.rounds):
        for (kind, setting), rounds in zip(settings, found, strict=True):
            options = "--model", arguments.model, "--one", json.dumps([kind, setting])
            rounds.append(measure.in_a_process(__file__, *options))
            print(f"{kind:10} {said(setting)} {rounds[-1]['above'] / 2**20:6.0f} MiB", flush=True)
    everything = list(itertools.chain(*found))
    imported = measure.spread([one["imported"] for one in everything])
    record = {
        "model": arguments.model,
        "parameters": everything[0]["parameters"],
        "policy": everything[0]["policy"],
        "rounds": arguments.rounds,
        "imported": imported,
    }
    if base is CARVANA:
        from unet_tf import data

        pairs = data.pair(rendered.write("cars", cars=CARVANA["cars"], size=CARVANA["frame"]))
        record["cache"] = cache_of_all(pairs, CARVANA["image_size"])
    print(f"the imports alone: {imported['median'] / 2**20:.0f} MiB")
    for kind in dict.fromkeys(kind for kind, _ in settings):
        rows = [
            {"setting": setting, "above_import": measure.spread([one["above"] for one in rounds])}
            for (own, setting), rounds in zip(settings, found, strict=True)
            if own == kind
        ]
        record[kind] = {"peaks": rows, "growth": growth(rows, base)}
        per = {name: f"{grown / 1024:.2f} KiB" for name, grown in record[kind]["growth"].items()}
        print(f"{kind}, each more of: {per}")
        if base is CARVANA:
            peak_of_all = of_all(rows, record[kind]["growth"]["images"], sum(WHOLE))
            peak_of_all += imported["median"]
            record[kind]["all"] = {"images": sum(WHOLE), "peak": peak_of_all, "limit": LIMIT}
            print(f"all {sum(WHOLE)} images: {peak_of_all / 2**30:.2f} GiB")
    measure.write(arguments.to, f"memory_{arguments.model}", record)


if __name__ == "__main__":
    main()
