"""The precision that suits the hardware."""

import os
import platform
from pathlib import Path

import keras

from unet_tf.network import gpus


def precision_policy():
    """The dtype policy that suits this hardware, and why, both str.

    `mixed_bfloat16` where CPU or GPU computes it in hardware, `mixed_float16` on older tensor-core
    GPUs (Keras then scales the loss by itself), else `float32`.
    """
    found = gpus()
    if found:
        name, capability = found[0]
        if capability >= (8, 0):
            return "mixed_bfloat16", f"{name} computes bfloat16"
        if capability >= (7, 0):
            return "mixed_float16", f"{name} has float16 tensor cores"
        return "float32", f"{name} has no tensor cores"
    if cpu_flags() & {"avx512_bf16", "amx_bf16"}:
        return "mixed_bfloat16", "this CPU computes bfloat16"
    return "float32", "this CPU has no bfloat16 instructions"


def cpu_flags():
    """The CPU's instruction sets as Linux names them; empty on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def set_precision(policy="auto"):
    """Set Keras's dtype policy for the models built from now on; prints it, and gives it back.

    `policy` is "auto" (`precision_policy`), "float32", "mixed_bfloat16" or "mixed_float16".
    """
    reason = "as asked"
    if policy == "auto":
        policy, reason = precision_policy()
    keras.config.set_dtype_policy(policy)
    print(f"Precision: {policy} ({reason})")
    return policy


def hardware():
    """One line on the hardware: the GPUs, or the CPU's model and its cores."""
    if found := gpus():
        return ", ".join(name for name, _ in found)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"
