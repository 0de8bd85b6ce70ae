"""The precision that suits the hardware."""

import keras
import pytest
import tensorflow as tf

from unet_tf.training import precision, precision_policy, set_precision

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
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"device_name": "Some GPU", "compute_capability": capability},
    )
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
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision_policy()[0] == expected


def test_precision_is_set_printed_and_overridable(capsys):
    assert set_precision("mixed_float16") == "mixed_float16"
    assert keras.config.dtype_policy().name == "mixed_float16"
    assert capsys.readouterr().out == "Precision: mixed_float16 (as asked)\n"
    assert set_precision() == precision_policy()[0]
