"""Every test runs without the data of the user and without an account; a folder of blocks."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    # TensorFlow's operations in each worker, and in what it starts, take its share of the cores.
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, share)))

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def no_data_of_the_user(monkeypatch, tmp_path):
    """Neither $UNET_DATA nor ./data, and float32 for each test."""
    import keras  # here, so that the process that only hands out tests stays quiet

    monkeypatch.delenv("UNET_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def folder(tmp_path):
    """Twelve cars of two views, 24x36: a bright block on grey noise, the block is the mask."""
    random = np.random.default_rng(0)
    for car in range(12):
        for view in (1, 2):
            mask = np.zeros((24, 36), "uint8")
            top, left = random.integers(2, 8, 2)
            mask[top : top + 12, left : left + 20] = 1
            image = random.integers(60, 120, (24, 36, 3)) + 120 * mask[..., None]
            name = f"{car:012x}_{view:02}"
            (tmp_path / "blocks/images").mkdir(parents=True, exist_ok=True)
            (tmp_path / "blocks/masks").mkdir(exist_ok=True)
            Image.fromarray(image.astype("uint8")).save(tmp_path / f"blocks/images/{name}.png")
            Image.fromarray(mask * 255).save(tmp_path / f"blocks/masks/{name}_mask.png")
    return tmp_path / "blocks"
