"""Kill a training 20 times at random moments (SIGKILL) and resume it each time: the same bits.

A recipe at a small size, on augmented rendered images, is trained twice by the command line: once
in one go, once killed and resumed. At the end all weights, the optimizer's state, dropout's random
state, the history and every score must be equal to the last bit; the exit status says so.

    python experiments/kill_and_resume.py [--recipe article_unet] [--kills 20] [--seed 0]
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

# What makes a training of a minute or so of each recipe.
SMALL = {
    "article_simple": "--images 96",
    "article_unet": "--images 96",
    "guide_unet": "--images 96 --image-size 80x120",
    "buildings_unet": "--images 12 --set crop=64,64",
    "multiclass_unet": "--images 96 --image-size 64x96",
}


def train(recipe, to, seconds=None):
    """Train into `to`, killed after so many seconds: the exit status, or None when killed."""
    words = f"--recipe {recipe} --quick {SMALL[recipe]} --epochs 8 --patience 8 --resume --to {to}"
    command = [sys.executable, "-m", "unet_tf", "train", *words.split()]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def contents(folder):
    """Everything that has to be equal, by name."""
    with np.load(folder / "state.npz", allow_pickle=False) as file:
        found = {name: file[name].tobytes() for name in file.files}
    result = json.loads((folder / "result.json").read_text())
    kept = {name: result[name] for name in ("scores", "epochs", "split", "seed", "settings")}
    return {**found, "log.csv": (folder / "log.csv").read_bytes(), "result.json": json.dumps(kept)}


def compared(one, other):
    """The names of all that differs between two trainings."""
    left, right = contents(one), contents(other)
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=SMALL, default="article_unet")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    folder = Path(tempfile.mkdtemp(prefix="kill_and_resume"))
    start = time.perf_counter()
    if train(arguments.recipe, folder / "whole"):
        sys.exit("the uninterrupted training failed")
    whole = time.perf_counter() - start
    kills, during_write = 0, 0
    while True:
        # Most kills early, so that 20 of them fall into one training; the last run is left alone.
        started = time.time()
        seconds = moments.uniform(2, 0.8 * whole) if kills < arguments.kills else None
        status = train(arguments.recipe, folder / "killed", seconds)
        if status:
            sys.exit(f"the training resumed after kill {kills} failed with status {status}")
        if status == 0:
            different = compared(folder / "whole", folder / "killed")
            print("done:", ", ".join(different) or "nothing differs, to the last bit", flush=True)
            if different or kills >= arguments.kills:
                break
            shutil.rmtree(folder / "killed")  # done before the kill: begin again, to have them all
            continue
        kills += 1
        partials = (folder / "killed").glob(".partial-*-state.npz")
        during_write += any(partial.stat().st_mtime > started for partial in partials)
        state, epochs = folder / "killed/state.npz", 0
        if state.exists():
            with np.load(state, allow_pickle=False) as file:
                epochs = json.loads(str(file["state"]))["epoch"]
        print(f"kill {kills} after {seconds:.1f} s: {epochs} epochs are kept", flush=True)
    print(f"{kills} kills, {during_write} in the middle of writing state.npz")
    shutil.rmtree(folder)
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
