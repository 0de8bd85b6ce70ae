"""What an export has lost: each file beside the model, on the images of a folder."""

import time
from pathlib import Path

import numpy as np

from unet_tf import data, predict, scores
from unet_tf.export.formats import in_float32
from unet_tf.export.runtimes import of_predictor, runtime

COSTS = 0.01  # of the dice: a larger loss is said
HEADS = ("file", "run by", "largest difference", "dice", "lost", "MB", "images/s")


def pairs_to_check(model, folder, part=None, seen=False, most=50):
    """Pairs of a folder to score, at most so many, evenly spread; and images to calibrate on: those
    of the folder that are not scored, or, where there are none, these."""
    pairs, trained = data.held_out(folder, part, model.card, seen)
    scored = spread(pairs, most)
    others = [pair for pair in {*pairs, *trained} if pair not in set(scored)]
    return scored, [image for image, _ in spread(sorted(others) or scored, 64)]


def spread(items, most):
    """At most so many of a list, evenly spread."""
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else items


def check(model, paths, pairs):
    """The exported files of a model beside it: a list of dicts, the model itself first.

    Parameters
    ----------
    model : Predictor
        That the files were made of.
    paths : list of path, of exported files
    pairs : of `pairs_to_check`

    Returns
    -------
    list of dict, ready for JSON
        `file`, `runtime`; `difference`, the largest of any probability from the model's in float32
        on the same pixels; `dice`, at original size, the mean of images or, of many classes, of
        classes; `lost`, of the model's own; `bytes`; and `images_a_second`, one image at a time
        from its pixels on, the median and the range of the middle half.

    The model itself is scored as `predict` uses it: in its own precision, a large JPEG decoded
    small. Its difference says what these two amount to.
    """
    card, ways = model.card, {}
    reference = of_predictor(predict.Predictor(in_float32(model.model), card))
    policies = {layer.dtype_policy.name for layer in model.model._flatten_layers()}
    policy = ", ".join(policies - {"float32"}) or "float32"
    ways["the model"] = f"Keras, {policy}", of_predictor(model)
    ways |= {str(path): runtime(path, card) for path in paths}
    found = {name: {"answers": [], "seconds": [], "difference": 0.0} for name in ways}
    read_small = predict.probabilities(model, [image for image, _ in pairs], batch_size=1)
    for number, ((image, _), small) in enumerate(zip(pairs, read_small, strict=True)):
        pixels = data.read_image(image, card.value_range)
        expected = reference(pixels)
        for name, (_, run) in ways.items():
            if not number:
                run(pixels)  # what is done once
            start = time.perf_counter()
            answer = run(pixels)
            found[name]["seconds"].append(time.perf_counter() - start)
            if name == "the model":
                answer = small.reshape(expected.shape)
            apart = float(np.abs(answer - expected).max())
            found[name]["difference"] = max(found[name]["difference"], apart)
            found[name]["answers"].append(kept(answer, card, pixels.shape[:2]))
    rows = [row(name, ways[name][0], one, card, pairs) for name, one in found.items()]
    return [one | {"lost": rows[0]["dice"] - one["dice"]} for one in rows]


def kept(answer, card, size):
    """What is scored: a foreground's probability `(h, w)`, or a mask of ids at original size."""
    if card.labels.binary:
        return answer[..., 0].clip(0, 1)
    return card.labels.decide(answer, size)


def row(name, by, found, card, pairs):
    """What `check` says of one file."""
    options = {"threshold": card.threshold} if card.labels.binary else {}
    report = scores.of_answers(pairs, found["answers"], card.labels, card.labels.read, **options)
    low, middle, high = np.quantile(1 / np.array(found["seconds"]), (0.25, 0.5, 0.75)).tolist()
    return {
        "file": Path(name).name,
        "runtime": by,
        "difference": found["difference"],
        "dice": report["dice"] if card.labels.binary else report["mean_dice"],
        "bytes": size_of(Path(name)),
        "images": len(pairs),
        "images_a_second": {"median": middle, "range": [low, high]},
    }


def size_of(path):
    """Bytes of a file, or of all files in a folder; None for what is not there."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else None


def cells(rows):
    """What `check` says, a tuple of texts a file, as under `HEADS`."""
    return [
        (
            *(one["file"], one["runtime"], f"{one['difference']:.1g}"),
            *(f"{one['dice']:.4f}", f"{round(one['lost'], 4) + 0:+.4f}"),
            f"{one['bytes'] / 1e6:.1f}" if one["bytes"] else "",
            "{median:.1f} ({range[0]:.1f} to {range[1]:.1f})".format(**one["images_a_second"]),
        )
        for one in rows
    ]


def table(rows):
    """`check` as a Markdown table, and a sentence for what costs more than 0.01 of the dice."""
    lines = [scores.markdown(HEADS, cells(rows))]
    for one in rows:
        if one["lost"] > COSTS:
            lines.append(
                f"\n{one['file']} loses {one['lost']:.4f} of the dice: more than {COSTS}. Take "
                "another format, or a milder quantization"
            )
    return "\n".join(lines)
