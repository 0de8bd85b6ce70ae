"""What the benchmarks share: 1000 large pairs, rounds in turn, medians and ratios, one record."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "speed"
PAIRS = 1000


def commit():
    """The commit that the files are of; None where git does not tell. `runs.provenance` would
    import TensorFlow, which `memory.py` must not before it measures."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None


STARTED = commit()


def parser(description, rounds=3):
    """A command line with what all benchmarks have: `--rounds`, and `--to` for the record."""
    command = argparse.ArgumentParser(description=description.splitlines()[0])
    command.add_argument("--rounds", type=int, default=rounds, help=f"({rounds})")
    command.add_argument(
        "--to", type=Path, default=RESULTS, help="folder of the record (results/speed)"
    )
    return command


def large_pairs(count=PAIRS):
    """The first `count` of 1008 rendered pairs of Carvana's size, by name; rendered once, in some
    minutes, into the user's cache. ValueError when there are fewer."""
    from unet_tf import data, rendered

    pairs = data.pair(rendered.write("cars", cars=63, size=(1918, 1280)))
    if count > len(pairs):
        raise ValueError(f"{count} pairs: there are {len(pairs)}")
    return pairs[:count]


def in_turn(ways, rounds):
    """Seconds by way, a list with one number a round: the ways in turn, then the next round.

    Parameters
    ----------
    ways : dict of functions without arguments
        Each measures its way once and returns the seconds that it took.
    rounds : int
    """
    seconds = {name: [] for name in ways}
    for number in range(1, rounds + 1):
        for name, way in ways.items():
            seconds[name].append(way())
            print(f"round {number}: {name}: {seconds[name][-1]:.3f} s", flush=True)
    return seconds


def in_a_process(script, *arguments, python=sys.executable, **environment):
    """The JSON object that a benchmark prints last, run as a process of its own.

    Memory is only given back at a process's end, and Keras's precision is one for a process.
    """
    command = [python, str(script), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def spread(values):
    """Median, and the range."""
    return {"median": statistics.median(values), "range": [min(values), max(values)]}


def faster(slow, fast):
    """How many times as fast: the ratio of each round's seconds, its median and range."""
    return spread([one / other for one, other in zip(slow, fast, strict=True)])


def shown(found, digits=1):
    """`median (least to most)`."""
    least, most = found["range"]
    return f"{found['median']:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def write(folder, name, record):
    """`<name>.json` in the folder, with hardware, versions, commit and day; a commit that was made
    meanwhile counts as uncommitted code."""
    from unet_tf import protocol, training
    from unet_tf.files import write_text

    found = protocol.provenance()
    if found["commit"] and not found["commit"].startswith(STARTED):
        found["commit"] = f"{STARTED}-dirty"
    flags = sorted(training.cpu_flags() & {"avx512_bf16", "amx_bf16"})
    path = folder / f"{name}.json"
    write_text(path, json.dumps({**record, **found, "cpu_flags": flags}, indent=1) + "\n")
    print(f"written: {path}")
