"""When does training collapse to empty masks? Loss by learning rate, several seeds each.

    python experiments/collapse.py                        # about 10 minutes on 2 cores
    python experiments/collapse.py --precision float32

The simple model with a quarter of its filters, rendered cars, split by car, 320 pairs, 96x128,
paired augmentation, 8 epochs, batches of 16, no early stopping. A run counts as collapsed when the
model it ends with calls less than 1% of all validation pixels car (empty masks) or more than half
(everything car, nearly; the truth is a fifth).

Writes `results/collapse_<precision>.json` after every run; goes on from there when started again.
"""

import argparse
import json
from pathlib import Path

import keras
import numpy as np

from unet_tf import data, network, pipeline, rendered
from unet_tf.files import write_text
from unet_tf.network import hard_dice
from unet_tf.protocol import provenance
from unet_tf.training import set_precision

RESULTS = Path(__file__).parent.parent / "results"
LOSSES = {"dice (pooled)": network.pooled_dice_loss, "BCE + dice": network.bce_dice_loss}
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
SEEDS = range(5)


def one_run(loss, rate, seed, parts):
    """Train once; the record says how it went."""
    keras.utils.set_random_seed(seed)
    training = pipeline.dataset(
        parts.train, batch_size=16, shuffle=True, augment=True, cache="memory", seed=seed
    )
    validation = pipeline.dataset(parts.validation, batch_size=16, cache="memory")
    model = network.simple_fcn(filters=(16, 32, 64))
    model.compile(keras.optimizers.Adam(rate), loss, metrics=[hard_dice])
    history = model.fit(training, validation_data=validation, epochs=8, shuffle=False, verbose=0)
    share = float(np.mean(model.predict(validation, verbose=0) >= 0.5))
    return {
        "final": history.history["val_hard_dice"][-1],
        "best": max(history.history["val_hard_dice"]),
        "car_share": share,
        "nan": bool(np.isnan(history.history["loss"]).any()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="auto", help="a Keras dtype policy")
    policy = set_precision(parser.parse_args().precision)
    path = RESULTS / f"collapse_{policy}.json"
    record = json.loads(path.read_text()) if path.exists() else {"runs": {}}
    folder = rendered.write("cars")
    parts = data.split(data.pair(folder)[:320])
    record |= {"data": "rendered", "precision": policy}
    record |= provenance()
    for loss_name, loss in LOSSES.items():
        for rate in RATES:
            for seed in SEEDS:
                key = f"{loss_name}, {rate:g}, seed {seed}"
                if key not in record["runs"]:
                    record["runs"][key] = one_run(loss, rate, seed, parts)
                    write_text(path, json.dumps(record, indent=1) + "\n")
                print(key, record["runs"][key], flush=True)
    for loss_name in LOSSES:
        for rate in RATES:
            runs = [record["runs"][f"{loss_name}, {rate:g}, seed {seed}"] for seed in SEEDS]
            finals = np.array([run["final"] for run in runs])
            shares = np.array([run["car_share"] for run in runs])
            print(
                f"{loss_name:14} {rate:7g}  of {len(runs)} runs {(shares < 0.01).sum()} end empty, "
                f"{(shares > 0.5).sum()} full; "
                f"dice {finals.mean():.3f} ({finals.min():.3f} to {finals.max():.3f})"
            )


if __name__ == "__main__":
    main()
