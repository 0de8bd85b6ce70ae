"""Every test runs without the user's own data and without a network account."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest


@pytest.fixture(autouse=True)
def no_data_of_the_user(monkeypatch, tmp_path):
    """Neither $UNET_DATA nor ./data, and float32 for each test."""
    import keras  # here, so that the process that only hands out tests stays quiet

    monkeypatch.delenv("UNET_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    keras.config.set_dtype_policy("float32")
