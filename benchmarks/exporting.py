"""What an export costs: all recipes, trained small, in every format, each run by its own program.

    python benchmarks/exporting.py

Trains each recipe on rendered data in a small size (`protocol.quick`), into `--runs`, where it is
kept; exports it, quantized too, and compares (`unet_tf.export.check`) on its test part. A round is
an image, all files in turn. Wants what `requirements-demo.txt` lists. Writes
`results/speed/export.json`.
"""

import tempfile
from importlib.metadata import version
from pathlib import Path

import measure

from unet_tf import data, export, predict, protocol

PACKAGES = ("onnx", "onnxruntime", "tf2onnx", "ai-edge-litert")


def trained(name, epochs, runs):
    """The Predictor of a recipe in a small size, and the folder that it was trained on."""
    recipe = protocol.quick(protocol.get(name))
    recipe = protocol.changed(recipe, epochs=epochs or recipe.epochs)
    folder = data.find(None, recipe.data)
    protocol.run(recipe, folder, to=runs / name, resume=True, verbose=0)
    size = "card"
    if recipe.image_size is None:  # LiteRT wants one size: that of the images
        size = data.size_of(data.pair(folder)[0].image)
    return predict.load(runs / name / "best.keras", size), folder


def compared(model, folder, rounds):
    """`check` of every format."""
    pairs, calibration = export.pairs_to_check(model, folder, part="test", most=rounds)
    with tempfile.TemporaryDirectory() as place:
        place, files = Path(place), []
        for name in ("a.onnx", "SavedModel", "a.keras", "a.tflite"):
            files.append(export.export(model, place / name))
        for ending in (".onnx", ".tflite"):
            for how in ("float16", "dynamic", "int8"):
                files.append(export.export(model, place / f"{how}{ending}", how, calibration))
        return export.check(model, files, pairs)


def main():
    parser = measure.parser(__doc__, rounds=50)
    parser.add_argument("--runs", type=Path, default=Path("runs/export"), help="(runs/export)")
    parser.add_argument("--epochs", type=int, help="(as in protocol.quick)")
    arguments = parser.parse_args()
    found = {}
    for name in protocol.NAMES:
        model, folder = trained(name, arguments.epochs, arguments.runs)
        rows = compared(model, folder, arguments.rounds)
        print(f"\n{name}\n\n{export.table(rows)}\n", flush=True)
        parameters, size = model.model.count_params(), list(model.card.image_size)
        found[name] = {"parameters": parameters, "image_size": size, "rows": rows}
    packages = {name: version(name) for name in PACKAGES}
    rounds = min(row["images"] for one in found.values() for row in one["rows"])
    record = {"recipes": found, "rounds": rounds, "packages": packages}
    measure.write(arguments.to, "export", record)


if __name__ == "__main__":
    main()
