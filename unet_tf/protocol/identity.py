"""What makes a run, by which it is known again."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import platform
import subprocess
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from unet_tf import __version__, data, pipeline, rendered, training
from unet_tf.files import UserError, differences
from unet_tf.protocol import published
from unet_tf.protocol.recipe import FIXED


def identity_of(recipe, folder, parts, seed, policy):
    """All that decides about a run, and where and with what it was made."""
    own = published.get(recipe.name, recipe.variant)
    fields = [f.name for f in dataclasses.fields(recipe)]
    return {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "source": recipe.source,
        "published_dice": recipe.published,
        "data": name_of(folder, parts),
        "original_size": data.size_of(parts.train[0].image),  # height, width of the first
        "seed": seed,
        "split": {
            "images": {part: len(pairs) for part, pairs in parts._asdict().items()},
            "hash": split_hash(parts),
        },
        "files": {part: pipeline.fingerprint(pairs) for part, pairs in parts._asdict().items()},
        "scored_on": "test" if parts.test else "validation",
        "changed": [name for name in fields if getattr(recipe, name) != getattr(own, name)],
        "settings": {
            name: getattr(value, "__name__", value)
            for name in fields
            if name not in FIXED
            for value in [getattr(recipe, name)]
        },
        "precision": policy,
        **provenance(),
    }


FACTS = {"commit", "date", "hardware"}  # on a run, not what makes it: `code` does


CARVANA_SIZE = (1280, 1918)


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
    """The `result.json` in a folder, or an empty dict; ValueError names a damaged one."""
    path = folder and Path(folder) / "result.json"
    try:
        return json.loads(path.read_text()) if path and path.exists() else {}
    except ValueError as error:
        raise UserError(
            f"{path}: damaged ({error}). Bring back a whole one, or remove it"
        ) from None


def same_run(identity, result):
    """Is this the result of that very run: recipe, settings, split, files, seed, precision, code
    and versions?"""
    keys = identity.keys() - FACTS
    return all(result.get(key) == json.loads(json.dumps(identity[key])) for key in keys)


def differing(identity, result):
    """What differs between a result and a run, in words."""
    keys = identity.keys() - FACTS
    there, here = ({key: one.get(key) for key in sorted(keys)} for one in (result, identity))
    return differences(there, here, most=4)


def more_epochs(identity, result):
    """Is it the run of that result, to go on for more epochs?"""
    own, there = (
        json.loads(json.dumps(settings_to_resume(one))) if "settings" in one else None
        for one in (identity, result)
    )
    return own == there and identity["settings"]["epochs"] > result["settings"]["epochs"]


def settings_to_resume(identity):
    """What has to be the same in a run that goes on: all but what may grow or vary."""
    settings = {name: value for name, value in identity["settings"].items() if name != "epochs"}
    names = ("recipe", "variant", "data", "seed", "split", "files", "precision", "code")
    names += tuple(name for name in ("classes", "class_colours") if name in identity)
    return {**{name: identity.get(name) for name in names}, "settings": settings}


def split_hash(parts):
    """A short hash of which image stands in which part: equal splits have equal hashes."""
    names = {
        part: sorted(image.name for image, _ in pairs) for part, pairs in parts._asdict().items()
    }
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


def provenance():
    """Hardware, versions, commit, code and day of a result; a commit with changed or uncommitted
    code is marked `-dirty`. `code` is a hash of the module's files."""
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
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "commit": commit,
        "code": code_hash(),
        "date": datetime.date.today().isoformat(),
    }


def code_hash():
    """A short hash of all files of this module: a change to any of them is other code."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
