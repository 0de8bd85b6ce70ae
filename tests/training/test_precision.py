"""The precision that suits the hardware."""

import keras
import pytest
import tensorflow as tf

from unet_tf import network
from unet_tf.training import hardware, precision, precision_policy, set_precision

# --- precision


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((9, 0), "mixed_bfloat16"),
        ((8, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((7, 0), "mixed_float16"),
        ((6, 0), "float32"),
    ],
)
def test_precision_of_gpus(monkeypatch, capability, expected):
    monkeypatch.setattr(precision, "gpus", lambda: [("Some GPU", capability), ("Other", (6, 0))])
    assert hardware() == "Some GPU, Other"
    policy, reason = precision_policy()
    assert policy == expected
    assert "Some GPU" in reason


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2", "avx512_bf16"}, "mixed_bfloat16"),
        ({"amx_bf16"}, "mixed_bfloat16"),
        ({"avx2", "avx512f"}, "float32"),
        (set(), "float32"),
    ],
)
def test_precision_of_cpus(monkeypatch, flags, expected):
    monkeypatch.setattr(precision, "gpus", lambda: [])
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision_policy()[0] == expected


@pytest.mark.skipif(network.JAX, reason="JAX names its own")
def test_gpus_are_those_that_tensorflow_may_use(monkeypatch):
    said = {"device_name": "Some GPU", "compute_capability": (7, 5)}
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    details = {"GPU:0": said, "GPU:1": {}}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.get)
    assert network.gpus() == [("Some GPU", (7, 5)), ("GPU", (0, 0))]


def test_precision_is_set_printed_and_overridable(capsys):
    assert set_precision("mixed_float16") == "mixed_float16"
    assert keras.config.dtype_policy().name == "mixed_float16"
    assert capsys.readouterr().out == "Precision: mixed_float16 (as asked)\n"
    assert set_precision() == precision_policy()[0]
