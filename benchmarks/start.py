"""How long it takes to get going: imports, the command line, and from a clone to a first result.

    python benchmarks/start.py                       # imports and --help: about 2 minutes
    python benchmarks/start.py --clone               # and from a clone: some 10 minutes more

Imports: whole processes in turn, from start to end, behind a round that is not counted, as it fills
the operating system's file cache; an empty process is measured too. The clone: `git clone` of the
last commit into a temporary folder, `make .venv/installed`, then `make reproduce`, with a cache
folder that is empty: pip keeps nothing there yet, and all data is rendered. Writes
`results/speed/start.json`.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

PROCESSES = {
    "python alone": ("-c", "pass"),
    "import tensorflow": ("-c", "import tensorflow"),
    "import keras": ("-c", "import keras"),
    "import unet_tf.network": ("-c", "import unet_tf.network"),
    "import unet_tf.training": ("-c", "import unet_tf.training"),
    "python -m unet_tf --help": ("-m", "unet_tf", "--help"),
}


def timed(command, folder, environment=None):
    """Seconds of a command in a folder; RuntimeError with its last lines when it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{last}")
    return seconds


def imports(rounds):
    """The record of all processes."""
    ways = {
        name: lambda options=options: timed([sys.executable, *options], measure.ROOT)
        for name, options in PROCESSES.items()
    }
    for way in ways.values():
        way()
    seconds = measure.in_turn(ways, rounds)
    return {"rounds": rounds, "seconds": {name: measure.spread(s) for name, s in seconds.items()}}


def clone():
    """The record of each step from a clone to the table of `make reproduce`."""
    with tempfile.TemporaryDirectory() as folder:
        fresh, cache = Path(folder) / "unet_tf", Path(folder) / "cache"
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        environment.pop("UNET_DATA", None)  # else there is nothing to render
        make = ["make", f"PYTHON={sys.executable}"]
        url = measure.ROOT.resolve().as_uri()  # as from a server: no hard links
        steps = {
            "git clone": (["git", "clone", "--quiet", url, str(fresh)], folder),
            "make .venv/installed": ([*make, ".venv/installed"], fresh),
            "make reproduce": ([*make, "reproduce"], fresh),
        }
        seconds = {}
        for name, (command, place) in steps.items():
            seconds[name] = timed(command, place, environment)
            print(f"{name}: {seconds[name]:.1f} s", flush=True)
        if not (fresh / "runs" / "reproduce" / "table.md").exists():
            raise RuntimeError("make reproduce has written no table")
    print(f"from the clone to the first result: {sum(seconds.values()) / 60:.1f} minutes")
    return {"seconds": seconds, "total": sum(seconds.values())}


def main():
    parser = measure.parser(__doc__, rounds=5)
    parser.add_argument("--clone", action="store_true", help="also from a clone to a first result")
    arguments = parser.parse_args()
    record = imports(arguments.rounds)
    for name, found in record["seconds"].items():
        print(f"{name:25} {measure.shown(found, 2)} s")
    if arguments.clone:
        record["clone"] = clone()
    measure.write(arguments.to, "start", record)


if __name__ == "__main__":
    main()
