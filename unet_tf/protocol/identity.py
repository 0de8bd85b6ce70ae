"""What makes a run, by which it is known again."""

import contextlib
import dataclasses
import datetime
import hashlib
import itertools
import json
import platform
import subprocess
from pathlib import Path

import numpy as np
import tensorflow as tf

from unet_tf import __version__, data, network, pipeline, rendered, training
from unet_tf.files import UserError, differences
from unet_tf.protocol import published
from unet_tf.protocol.recipe import FIXED

FACTS = {"commit", "date", "hardware", "data"}  # on a run, not what makes it: code and files do
# Beside whole rooms, what decides about a training.
TRAINING = (
    *("protocol/batches.py", "protocol/networks.py", "protocol/recipe.py", "protocol/runs.py"),
    *("protocol/trained.py", "scores/classes.py"),  # the loss, and its class weights
)
CARVANA_SIZE = (1280, 1918)


def identity_of(recipe, folder, parts, labels, seed, policy):
    """All that decides about a run, and where and with what it was made."""
    own = published.get(recipe.name, recipe.variant)
    settings = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    classes = {"classes": labels.names, "class_colours": [labels.colours, labels.void]}
    named = parts._asdict().items()
    return {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "source": recipe.source,
        "published_dice": recipe.published,
        "data": name_of(folder, parts),
        "original_size": data.size_of(parts.train[0].image),  # height, width of the first
        "seed": seed,
        "split": {
            "images": {part: len(pairs) for part, pairs in named},
            "hash": split_hash(parts),
        },
        "files": {part: pipeline.fingerprint(pairs) for part, pairs in named},
        **regions_in(recipe, folder, parts),
        "scored_on": "test" if parts.test else "validation",
        "changed": [name for name, value in settings.items() if value != getattr(own, name)],
        "settings": {
            name: getattr(value, "__name__", value)
            for name, value in settings.items()
            if name not in FIXED and (name, value) != ("value_range", None)  # as runs of before
        },
        "precision": policy,
        **training.backend(),
        **({} if labels.binary else classes),
        **provenance(),
    }


def regions_in(recipe, folder, parts):
    """The hash of the files of what counts, if the recipe asks for them."""
    if recipe.region is None:
        return {}
    found = data.regions_of([*itertools.chain(*parts)], folder, recipe.region)
    return {"regions": pipeline.fingerprint([(region, region) for region in found.values()])}


def name_of(folder, parts):
    """What the table calls the data: rendered, Carvana (by its names and size), or the folder."""
    if rendered.is_rendered(folder):
        return "rendered"
    images = [image for part in parts for image, _ in part]
    named_so = all(data.CARVANA.fullmatch(image.stem) for image in images)
    if named_so and data.size_of(images[0]) == CARVANA_SIZE:
        return "Carvana"
    name = Path(folder).resolve().name
    return f"folder {name}" if name in ("rendered", "Carvana") else name


def result_in(folder):
    """The `result.json` in a folder, or an empty dict; UserError names a damaged one."""
    path = Path(folder or "") / "result.json"
    try:
        return json.loads(path.read_text()) if folder and path.exists() else {}
    except ValueError as error:
        raise UserError(
            f"{path}: damaged ({error}). Bring back a whole one, or remove it"
        ) from None


def differing(identity, result, other_code=False):
    """What differs between a result and a run, in words; nothing where it is that very run, apart
    from code and versions if these may be others."""
    keys = identity.keys() - FACTS - ({"code", "versions"} if other_code else set())
    there, here = ({key: one.get(key) for key in sorted(keys)} for one in (result, identity))
    return differences(there, here, most=4)


def same_training(identity, result, other_code=False):
    """Is it the training of that result, to go on for more epochs or to be scored anew?"""
    there, here = (
        settings_to_resume(one) | ({"code": None} if other_code else {})
        for one in (result, identity)
    )
    done = result.get("settings", {}).get("epochs", 0)
    return not differences(there, here) and identity["settings"]["epochs"] >= done


def settings_to_resume(identity):
    """What has to be the same in a run that goes on: all but what may grow or vary."""
    names = ["recipe", "variant", "seed", "split", "files", "precision", "classes"]
    names += [] if identity.get("deterministic", True) else ["deterministic"]
    names += [name for name in ("regions", "devices", "backend") if name in identity]
    settings = dict(identity.get("settings", {}))
    if settings.get("schedule", "constant") == "constant":
        settings = {k: v for k, v in settings.items() if k not in ("epochs", "schedule")}
    same = {name: identity.get(name) for name in (*names, "class_colours", "code")}
    return {**same, "settings": settings}


def split_hash(parts):
    """A short hash of which image stands in which part: equal splits have equal hashes."""
    names = {
        part: sorted(image.name for image, _ in pairs) for part, pairs in parts._asdict().items()
    }
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


def provenance():
    """Hardware, versions, commit, code and day of a result; a commit with changed or uncommitted
    code is marked `-dirty`. `code` is a hash of the files that train, `scoring` of those that
    score."""
    root = Path(__file__).parents[2]

    def git(*arguments):
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    commit = None
    if (root / ".git").exists():  # else it would be the commit of some repository around us
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            changed = git("status", "--porcelain", "--", "unet_tf", "experiments", "benchmarks")
            commit = git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    return {
        "hardware": training.hardware(),
        "versions": {
            "unet_tf": __version__,
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            **network.versions(),
            "numpy": np.__version__,
        },
        "commit": commit,
        "code": code_hash(),
        "scoring": code_hash(("predict", "scores"), ("protocol/judge.py",)),
        "date": datetime.date.today().isoformat(),
    }


def code_hash(rooms=("data", "pipeline", "network", "training"), files=TRAINING):
    """A short hash of the code that decides about the bits of a training: `data` but for places.py,
    which only looks for folders, `pipeline`, `network` and `training`, and the files `TRAINING`. A
    change to any other file leaves it."""
    root = Path(__file__).parents[1]
    paths = [path for room in rooms for path in (root / room).glob("*.py")]
    paths = [path for path in paths if path.name != "places.py"]
    paths += [root / name for name in files]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:12]
