"""Looking at files takes Pillow and NumPy; TensorFlow is for what computes with them."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

LIGHT = ("unet_tf.doctor", "unet_tf.data", "unet_tf.scores", "unet_tf.plot", "unet_tf.cli")
HEAVY = ("tensorflow", "keras", "jax", "torch")
SLOW = ("sklearn", "scipy", "matplotlib")  # a second each: `check` has no use for them
SHOW = "import json, sys; print(json.dumps([name for name in sys.modules if '.' not in name]))"


def modules_after(code, *arguments):
    """The top-level modules of a fresh process that ran `code`."""
    command = [sys.executable, "-c", f"{code}\n{SHOW}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def folder(tmp_path):
    """Twenty pairs of noise and a mask of three ids."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(20):
        image = rng.integers(60, 200, (16, 21, 3), dtype="uint8")
        Image.fromarray(image).save(tmp_path / f"images/{number}.jpg")
        mask = np.tile(np.arange(21) // 7, (16, 1)).astype("uint8")
        Image.fromarray(mask).save(tmp_path / f"masks/{number}.png")
    return tmp_path


@pytest.mark.parametrize("name", LIGHT)
def test_no_tensorflow_is_imported(name):
    loaded = modules_after(f"import {name}")
    assert "unet_tf" in loaded and not loaded & set(HEAVY)


def test_check_starts_without_what_it_does_not_use(folder):
    code = "import sys\nfrom unet_tf.cli import main\nassert main(['check', sys.argv[1]]) == 0"
    loaded = modules_after(code, folder)
    assert {"PIL", "numpy"} <= loaded
    assert not loaded & {*HEAVY, *SLOW}


def test_a_picture_of_the_pairs_needs_no_tensorflow(folder, tmp_path):
    code = (
        "import sys\nfrom unet_tf.cli import main\n"
        "assert main(['check', sys.argv[1], '--picture', sys.argv[2]]) == 0"
    )
    loaded = modules_after(code, folder, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").exists() and not loaded & set(HEAVY)


def test_an_answer_is_explained_without_tensorflow(folder):
    """A bare callable in NumPy, one foreground and three classes, wrongly fed arrays included."""
    code = """
import sys
import numpy as np
from pathlib import Path
from unet_tf.doctor import explain
folder = Path(sys.argv[1])
image, mask = folder / "images/0.jpg", folder / "masks/0.png"
one = lambda images, training: 9 * (np.asarray(images).mean(axis=-1, keepdims=True) - 0.4)
three = lambda images, training: np.repeat(one(images, training), 3, axis=-1)
for model in (one, three):  # logits: a sigmoid and a softmax are put behind them
    print(explain(model, image, image_size=(8, 10)))
    explain(model, np.ones((8, 10, 3), "float32"), mask if model is three else None).figure()
"""
    assert not modules_after(code, folder) & set(HEAVY)
