"""From JPEG files to a submission: images a second of each stage, and of all of them overlapped.

    python benchmarks/prediction.py runs/unet/best.keras

64 rendered images of 1918x1280. The stages are timed one after another, each with all cores, then
the whole as `predict --rle` runs it, several rounds of all in turn: medians, least and most.
Writes `results/prediction_<model's name>.json`.
"""

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from unet_tf import carvana, data, pipeline, predict, predict_files, run_lengths, runs, toy
from unet_tf.files import write_text

RESULTS = Path(__file__).parent.parent / "results"
SIZE = (1918, 1280)


def stages(model, size, batch_size, paths):
    """Seconds of each stage over all paths: read, predict, encode, and the whole."""
    seconds = {}

    def timed(name, function):
        start = time.perf_counter()
        result = function()
        seconds[name] = time.perf_counter() - start
        return result

    def read(path):
        return pipeline.read_resized(path, size)[0]

    def forward():
        starts = range(0, len(images), batch_size)
        batches = (np.stack(images[i : i + batch_size]).astype("float32") / 255 for i in starts)
        return np.concatenate([model(batch, training=False).numpy() for batch in batches])[..., 0]

    def encode(probability):
        return run_lengths.encode(predict.resized_back(probability, SIZE[::-1]) >= 0.5)

    def whole():
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "submission.csv.gz"
            options = {"settings": {}, "image_size": size, "batch_size": batch_size}
            list(predict_files.to_submission(model, paths, target, **options))

    with ThreadPoolExecutor() as pool:
        images = timed("read", lambda: list(pool.map(read, paths)))
        probabilities = timed("predict", forward)
        timed("encode", lambda: list(pool.map(encode, probabilities)))
    timed("whole", whole)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a .keras file of a trained model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    arguments = parser.parse_args()
    paths = data.unlabelled(toy.write(cars=1, test_cars=4, size=SIZE))
    network = predict.load(arguments.model)
    model, size = predict.compiled(network), predict.size_of_model(network)
    stages(model, size, arguments.batch_size, paths)  # builds the graph
    rounds = [stages(model, size, arguments.batch_size, paths) for _ in range(arguments.rounds)]
    record = {
        "model": network.name,
        "parameters": network.count_params(),
        "image_size": size,
        "images": f"{len(paths)} rendered, {SIZE[0]}x{SIZE[1]}",
        "batch_size": arguments.batch_size,
        "rounds": arguments.rounds,
        "policy": network.layers[1].dtype_policy.name,
        "images_a_second": {},
        **runs.provenance(),
    }
    for stage in rounds[0]:
        rates = sorted(len(paths) / seconds[stage] for seconds in rounds)
        median = statistics.median(rates)
        record["images_a_second"][stage] = {"median": median, "range": [rates[0], rates[-1]]}
        print(f"{stage:8} {median:6.1f} images/s ({rates[0]:.1f} to {rates[-1]:.1f})")
    hours = carvana.TEST_IMAGES / record["images_a_second"]["whole"]["median"] / 3600
    print(
        f"Carvana's {carvana.TEST_IMAGES:,} test images would take {hours:.1f} hours at this rate"
    )
    path = RESULTS / f"prediction_{network.name}.json"
    write_text(path, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
