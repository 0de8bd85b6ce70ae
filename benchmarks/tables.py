"""The tables and the picture of `benchmarks/README.md`, made from the records in `results/speed`.

`experiments/publish.py` sets them into the document.
"""

import itertools
import json
import statistics
from pathlib import Path

import matplotlib.pyplot as plt

from unet_tf import export, files, kaggle

SPEED = Path(__file__).parent.parent / "results" / "speed"


def markdown(heads, rows):
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def mean(score):
    """A score's mean and, where it has one, its spread above 0, as in the tables."""
    spread = f" ± {score['spread']:.4f}" if score["spread"] else ""
    return f"{score['mean']:.4f}{spread}"


def rates():
    """The table of `benchmarks/prediction.py`: images a second by stage."""
    heads = (
        "model",
        "read, resize",
        "predict",
        "resize back, encode",
        "all, overlapped",
        "Carvana",
    )
    found, rows = benchmarks(), []
    for record in (found[f"prediction_{name}"] for name in ("simple_fcn", "unet")):
        stages = record["images_a_second"]
        cells = [
            "{median:.0f} ({range[0]:.0f} to {range[1]:.0f})".format(**stages[stage])
            for stage in ("read", "predict", "encode", "whole")
        ]
        name = f"{record['model']}, {record['parameters']:,} parameters, {record['policy']}"
        rows.append((name, *cells, f"{hours_of(record):.1f} hours"))
    return markdown(heads, rows)


def hours_of(record):
    """What Carvana's test images would take at the rate of a record of `prediction.py`."""
    return kaggle.TEST_IMAGES / record["images_a_second"]["whole"]["median"] / 3600


def benchmarks():
    """The records of `benchmarks/`, by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(SPEED.glob("*.json"))}


def comparisons():
    """What `benchmarks/` has compared: (what, against what, its rate, rounds, times as fast) each,
    the last as a record of median and range."""
    found, rows = benchmarks(), []
    for way, one in found["input"]["ways"].items():
        what, rounds = f"input: {way}", found["input"]["rounds"]
        rate = "{median:,.0f} pairs/s".format(**one["pairs_a_second"])
        rows.append((what, "the article's", rate, rounds, one["times_the_article"]))
    for model in ("simple", "unet"):
        record = found[f"training_{model}"]
        for way, one in record["ways"].items():
            rate = "{median:.0f} s".format(**one["seconds"])
            what = (
                f"{'U-Net' if model == 'unet' else 'simple model'}, {record['pairs']} pairs: {way}"
            )
            rounds = record["rounds"]
            rows.append((what, "the article's", rate, rounds, one["times_the_article"]))
    peers = found["peers"]
    rounds = f"{peers['rounds']} of {peers['steps']}"
    for one in peers["comparisons"]:
        for task in ("training step", "prediction"):
            seconds = peers["ways"][one["ours"]][task]["median"]
            rate = f"{peers['batch_size'] / seconds:.1f} images/s"
            what, against = f"U-Net, {task}", one["comparison"]
            rows.append((what, against, rate, rounds, one[task]["times_the_peer"]))
    return rows


def ranged(record, digits, scale=1, unit=""):
    """`median (least to most)` of a record, or the median alone where they are the same."""
    median, (least, most) = record["median"] * scale, (end * scale for end in record["range"])
    spread = "" if least == most else f" ({least:.{digits}f} to {most:.{digits}f})"
    return f"{median:.{digits}f}{unit}{spread}"


def digits_of(ratio):
    """Decimals that a ratio is shown with."""
    return 1 if ratio["median"] < 20 else 0


def table():
    """The table of `benchmarks/`: each way's rate and how many times as fast it is."""
    heads = ("what", "rate", "against", "rounds", "times as fast: median (least to most)")
    rows = [
        (what, rate, against, str(rounds), ranged(ratio, digits_of(ratio)))
        for what, against, rate, rounds, ratio in comparisons()
    ]
    return f"{markdown(heads, rows)}\n\n{footprint()}"


def exports():
    """The table of `benchmarks/exporting.py`: what each export of each recipe costs."""
    heads, rows = ("recipe", *export.HEADS), []
    for name, found in benchmarks()["export"]["recipes"].items():
        height, width = found["image_size"]
        words = f"{name}, {found['parameters'] / 1e6:.1f} M, {height}x{width}"
        for cells in export.cells(found["rows"]):
            rows.append((words, *cells))
            words = ""
    return markdown(heads, rows)


def in_short():
    """A line each: input and training beside the article's; a step beside PyTorch's; prediction;
    training on a GPU."""
    found = benchmarks()
    times = {what: f"{ratio['median']:.1f}" for what, against, _, _, ratio in comparisons()}
    peers = found["peers"]["comparisons"]
    step, forward = (
        ranged(one[task]["times_the_peer"], 1)
        for one in peers
        if one["comparison"] == "PyTorch, both bfloat16"
        for task in ("training step", "prediction")
    )
    unet = found["prediction_unet"]
    rate = unet["images_a_second"]["whole"]["median"]
    pairs = {model: found[f"training_{model}"]["pairs"] for model in ("simple", "unet")}
    simple = times[f"simple model, {pairs['simple']} pairs: our later epochs"]
    later = times[f"U-Net, {pairs['unet']} pairs: our later epochs"]
    earlier = found["gpu"]["earlier"]
    same = statistics.median(ours_on_a_gpu(earlier["network"])["steps"])
    eager, compiled = (same / earlier[f"PyTorch, {way}"]["steps"] for way in ("eager", "compiled"))
    return "\n".join(
        [
            "- Training, beside the article's own code: the first pass over the files "
            f"{times['input: ours: and freed memory kept']} times as fast; an epoch of the simple "
            f"model {simple} times, of the U-Net {later} times.",
            "- The same U-Net beside PyTorch, both in bfloat16: a training step "
            f"{step} times as fast, a prediction {forward} times.",
            f"- From JPEG files of 1918x1280 to a submission: {rate:.0f} images a second by the "
            f"U-Net; Carvana's {kaggle.TEST_IMAGES:,} would take {hours_of(unet):.1f} hours.",
            f"- On an H200, by XLA, that U-Net trains {same:,.0f} images a second: {eager:.1f} "
            f"times PyTorch's of another day, eager, and {compiled:.1f} times compiled.",
        ]
    )


NETWORKS = ("article_unet", "article_simple", "guide_unet", "U-Net, 2x2")  # of `gpu.py`


def rate_of(values):
    """Images a second: the median of some, and their range."""
    values = values if isinstance(values, list) else [values]
    middle, ends = statistics.median(values), (min(values), max(values))
    return f"{middle:,.0f}" + (f" ({ends[0]:,.0f} to {ends[1]:,.0f})" if len(values) > 1 else "")


def ours_on_a_gpu(network):
    """What `benchmarks/gpu.py` found of a network by XLA."""
    return benchmarks()["gpu"]["parts"]["xla"][f"{network}, xla, any kernels, as it is"]


def measured(part):
    """(name, what was found) of a part of `gpu.py`, beside its seconds and why it was cut."""
    return [(name, found) for name, found in part.items() if isinstance(found, dict)]


def on_a_gpu():
    """The table of `benchmarks/gpu.py`, and under it what it leaves out."""
    record = benchmarks()["gpu"]
    heads = (
        *("network", "way", "first epoch", "a later epoch", "training", "8 steps in one call"),
        *("prediction", "memory"),
    )
    rows = []
    for name, found in itertools.chain(*(measured(part) for part in record["parts"].values())):
        if "prediction" not in found:
            continue
        network = next(one for one in NETWORKS if name.startswith(one))
        way = name.removeprefix(f"{network}, ").removesuffix(", as it is")
        epochs = found.get("later epochs, seconds")
        rows.append(
            (
                f"{network}, {found['parameters'] / 1e6:.1f} M",
                way,
                f"{found['first epoch, seconds']:.0f} s" if epochs else "",
                f"{statistics.median(epochs):.2f} s" if epochs else "",
                *(
                    rate_of(found[key]) if key in found else ""
                    for key in ("steps", "steps, 8 in one call", "prediction")
                ),
                f"{found['GiB at most']:.1f} GiB" if "GiB at most" in found else "",
            )
        )
    earlier = record["earlier"]
    for way in ("plain", "xla", "PyTorch, eager", "PyTorch, compiled"):
        one = earlier[way]
        first = f"{one['first epoch, seconds']} s" if "first epoch, seconds" in one else ""
        cells = first, "", rate_of(one["steps"]), "", rate_of(one["prediction"]), ""
        rows.append((earlier["network"], f"{way}, earlier ({earlier['commit']})", *cells))
    submission = record["parts"]["submission"]["submission"]
    first, later = rate_of(submission["first"]), rate_of(submission["once more"])
    notes = [
        f"From JPEG files of 1918x1280 to run lengths, {submission['cores']} cores: {first} images "
        f"a second the first time, {later} the third."
    ]
    notes += record["notes"]
    return "\n".join([markdown(heads, rows), "", *(f"- {note}" for note in notes)])


def footprint():
    """What else `benchmarks/` has measured, a line each: share of the hardware's rate, memory,
    start, and what was tried."""
    found, lines = benchmarks(), []
    for policy, one in found["share"]["policies"].items():
        lines.append(
            f"- `share.py`: a training step of the U-Net in {policy} reaches "
            f"{ranged(one['share'], 0, 100, '%')} of the rate of its convolutions run bare and "
            f"forward, which is {ranged(one['gflops_bare'], 0)} GFLOP/s."
        )
    memory, mebi = found["memory_unet"], 1 / 2**20
    for kind in ("training", "prediction"):
        base, grown = memory[kind]["peaks"][0], memory[kind]["growth"]
        height, width = base["setting"]["image_size"]
        lines.append(
            f"- `memory.py`: {kind} with the U-Net, {base['setting']['images']} images, batches of "
            f"{base['setting']['batch_size']}, {height}x{width}: "
            f"{ranged(base['above_import'], 0, mebi)} MiB at the peak above the imports "
            f"({ranged(memory['imported'], 0, mebi)} MiB); "
            f"{grown['images'] / 1024:.0f} KiB more an image, "
            f"{grown['batch_size'] * mebi:.0f} MiB more an image of the batch."
        )
    carvana = found["memory_carvana"]
    whole = [f"{carvana[kind]['all']['peak'] / 2**30:.1f} GiB" for kind in ("run", "scores")]
    lines.append(
        f"- `memory.py`: all {carvana['run']['all']['images']} images of Carvana at 640x960, by "
        f"what 64 to 1008 rendered ones take: {whole[0]} for a training with its scores, the "
        f"images decoded once into a {carvana['cache']}; {whole[1]} for the scores alone."
    )
    precision = found["precision_16"]
    height, width = precision["image_size"]
    for policy, one in precision["policies"].items():
        lines.append(
            f"- `precision.py`: a training step of the guide's U-Net with {precision['filters']} "
            f"filters, {height}x{width}, batches of {precision['batch_size']}, in {policy}: "
            f"{ranged(one['images_a_second'], 1)} images/s, "
            f"{ranged(one['memory_above_import'], 0, mebi)} MiB above the imports."
        )
    start = found["start"]
    taken = [f"`{name}` {ranged(one, 1)} s" for name, one in start["seconds"].items()]
    from_clone = start.get("clone", {}).get("seconds", {}).items()
    taken += [f"`{name}` {seconds:.0f} s" for name, seconds in from_clone]
    lines.append(f"- `start.py`: {', '.join(taken)}.")
    tried = found["tried_simple"]["ways"]
    ways = [f"{way} {ranged(one['times_as_it_is'], 2)}" for way, one in tried.items()][1:]
    lines.append(
        "- `tried.py`: a training step of the simple model, as many times as fast as it is: "
        f"{'; '.join(ways)}."
    )
    return "\n".join(lines)


def picture(path):
    """The ratios as bars, on a logarithmic axis."""
    rows = [row for row in comparisons() if row[-1]["range"] != [1, 1]]
    figure, axis = plt.subplots(figsize=(9, 0.3 * len(rows) + 0.8), dpi=100, layout="constrained")
    medians = [ratio["median"] for *_, ratio in rows]
    errors = [[abs(ratio["median"] - ratio["range"][end]) for *_, ratio in rows] for end in (0, 1)]
    bars = {"color": "#3477b5", "ecolor": "#222222", "height": 0.7}
    axis.barh(range(len(rows)), [median - 1 for median in medians], left=1, xerr=errors, **bars)
    for number, (*_, ratio) in enumerate(rows):
        text = f"{ratio['median']:.{digits_of(ratio)}f}"
        axis.text(max(1, ratio["range"][1]) * 1.08, number + 0.25, text, fontsize=8)
    axis.set_yticks(range(len(rows)), [f"{what} | {against}" for what, against, *_ in rows])
    axis.tick_params(labelsize=8)
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.axvline(1, color="#222222", linewidth=1)
    axis.set_xlabel("times as fast as what stands behind the bar", fontsize=8)
    axis.margins(y=0.01)
    axis.spines[["top", "right"]].set_visible(False)
    with files.atomically(path) as partial:
        figure.savefig(partial)
    plt.close(figure)


def gpu_picture(path):
    """Images a second of the network of `peer_torch.py` on a GPU, ours and PyTorch's, as bars."""
    record = benchmarks()["gpu"]
    network, earlier = record["earlier"]["network"], record["earlier"]
    ours = ours_on_a_gpu(network)
    rates = {
        "Keras, by XLA": (ours["steps"], ours["prediction"]),
        "Keras, by XLA, 8 steps in one call": (ours["steps, 8 in one call"], []),
    }
    names = {"plain": "Keras, without XLA", "PyTorch, eager": "PyTorch, eager"}
    for way, name in {**names, "PyTorch, compiled": "PyTorch, torch.compile"}.items():
        prediction = [earlier[way]["prediction"]]
        if way != "plain":  # of the same day there are predictions alone
            ((_, found),) = measured(record["parts"][way])
            prediction = found["prediction"]
        rates[f"{name} (training: earlier)"] = [earlier[way]["steps"]], prediction
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.4), dpi=100, sharey=True, layout="constrained")
    for axis, task, column in zip(axes, ("training", "prediction"), (0, 1), strict=True):
        values = [statistics.median(both[column]) if both[column] else 0 for both in rates.values()]
        bars = axis.barh(list(rates), values, color=["C0", "C0", "C0", "0.6", "0.6"])
        axis.bar_label(bars, [f"{value:,.0f}" if value else "" for value in values], padding=3)
        axis.set(title=task, xlabel="images per second", xlim=(0, 1.25 * max(values)))
    axes[0].invert_yaxis()
    with files.atomically(path) as partial:
        figure.savefig(partial)
    plt.close(figure)
