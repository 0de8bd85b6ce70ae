"""From JPEG files to a submission: images a second of each stage, and of all of them overlapped.

    python benchmarks/prediction.py runs/simple/best.keras runs/unet/best.keras

64 rendered images of 1918x1280. The stages are timed one after another, each with all cores, then
the whole as `predict --rle` runs it; the models in turn, behind a round that is not counted.
Writes `results/speed/prediction_<model's name>.json`.
"""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import measure
import numpy as np

from unet_tf import data, kaggle, predict, rendered, run_lengths

SIZE = (1918, 1280)


def stages(model, batch_size, paths):
    """Seconds of each stage over all paths: read, predict, encode, and the whole."""
    seconds = {}

    def timed(name, function):
        start = time.perf_counter()
        result = function()
        seconds[name] = time.perf_counter() - start
        return result

    def read(path):
        return data.read_resized(path, model.card.image_size, model.card.resize)[0]

    def forward():
        starts = range(0, len(images), batch_size)
        batches = (np.stack(images[i : i + batch_size]).astype("float32") / 255 for i in starts)
        return np.concatenate([model(batch) for batch in batches])[..., 0]

    def encode(probability):
        return run_lengths.encode(data.resized_back(probability, SIZE[::-1]) >= 0.5)

    def whole():
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "submission.csv.gz"
            list(predict.to_submission(model, paths, target, batch_size=batch_size))

    with ThreadPoolExecutor() as pool:
        images = timed("read", lambda: list(pool.map(read, paths)))
        probabilities = timed("predict", forward)
        timed("encode", lambda: list(pool.map(encode, probabilities)))
    timed("whole", whole)
    return seconds


def main():
    parser = measure.parser(__doc__, rounds=5)
    parser.add_argument("models", nargs="+", help=".keras files of trained models")
    parser.add_argument("--batch-size", type=int, default=16)
    arguments = parser.parse_args()
    paths = data.unlabelled(rendered.write("cars", cars=1, test_cars=4, size=SIZE))
    models = [predict.load(path) for path in arguments.models]
    rounds = [
        [stages(model, arguments.batch_size, paths) for model in models]
        for _ in range(arguments.rounds + 1)
    ]
    for number, predictor in enumerate(models):
        network = predictor.model
        found = [both[number] for both in rounds[1:]]
        rates = {
            stage: measure.spread([len(paths) / seconds[stage] for seconds in found])
            for stage in found[0]
        }
        for stage, rate in rates.items():
            print(f"{network.name}: {stage:8} {measure.shown(rate)} images/s")
        hours = kaggle.TEST_IMAGES / rates["whole"]["median"] / 3600
        print(f"Carvana's {kaggle.TEST_IMAGES:,} test images would take {hours:.1f} hours at that")
        record = {
            "model": network.name,
            "parameters": network.count_params(),
            "image_size": predictor.card.image_size,
            "images": f"{len(paths)} rendered, {SIZE[0]}x{SIZE[1]}",
            "batch_size": arguments.batch_size,
            "rounds": arguments.rounds,
            "policy": network.layers[1].dtype_policy.name,
            "images_a_second": rates,
        }
        measure.write(arguments.to, f"prediction_{network.name}", record)


if __name__ == "__main__":
    main()
