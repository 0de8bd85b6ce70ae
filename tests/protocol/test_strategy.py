"""Several devices: losses and weights of one device, to rounding."""

import subprocess
import sys

import pytest
import tensorflow as tf

from unet_tf import training

# Logical devices have to be set up before TensorFlow starts: a process of its own.
SCRIPT = """
import sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpus[0], two)
from unet_tf import network, protocol, rendered
from unet_tf.protocol import trained as room

folder = rendered.write("cars", sys.argv[1] + "/cars", cars=12, size=(48, 32), seed=0)
recipe = protocol.get("article_unet", filters=(4, 8), image_size=(16, 24), images=48, batch_size=8,
                     epochs=2, augment={"rotation": 0.05}, learning_rate=0.01)

def trained(name, strategy, recipe, resume=False):
    to = Path(sys.argv[1]) / name
    if resume:
        (to / "result.json").unlink()
    result = protocol.run(recipe, folder, 1, to, "float32", 0, resume=resume, strategy=strategy)
    with np.load(to / "state.npz") as file:
        arrays = {name: file[name] for name in file.files}
    return result, arrays, (to / "log.csv").read_text().splitlines()

# Dropout draws on each device by itself: without it, one and two devices compute the same.
build = lambda shape, filters: network.unet(shape, filters, dropout=0.0)
recipe = protocol.changed(recipe, build=build)
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert mirrored.num_replicas_in_sync == 2
real, copies = room.fitted, []
def counted(recipe, model, *args, **options):
    copies.append({len(getattr(v.value, "values", [1])) for v in model.trainable_variables})
    return real(recipe, model, *args, **options)
room.fitted = counted
# Batch norm divides by small variances: its weights are further off, by rounding alone.
guide = protocol.changed(recipe, build=protocol.guide_unet, learning_rate=1e-4, epochs=1)
for kind, own, off in (("plain", recipe, 2e-4), ("batch norm", guide, 2e-3)):
    copies.clear()
    one = trained(f"one {kind}", None, own)
    two = trained(f"two {kind}", mirrored, protocol.changed(own, epochs=1))
    if own.epochs > 1:  # resumed on two devices, to the bit as if never stopped
        two = trained(f"two {kind}", mirrored, own, resume=True)
        whole = trained("whole", mirrored, own)
        for name in whole[1].keys() - {"state"}:
            np.testing.assert_array_equal(two[1][name], whole[1][name])
    assert one[0].get("devices") is None and two[0]["devices"] == 2
    assert copies == [{1}, *[{2}] * (3 if own.epochs > 1 else 1)], copies
    assert one[2][0] == two[2][0]
    for left, right in zip(one[2][1:], two[2][1:], strict=True):
        rows = [np.float64(row.split(",")) for row in (left, right)]
        np.testing.assert_allclose(*rows, rtol=off)
    count = 0
    for name in one[1]:
        if name.startswith("model"):
            np.testing.assert_allclose(one[1][name], two[1][name], atol=off)
            count += one[1][name].size
    assert count == one[0]["parameters"] > 1000
    assert abs(one[0]["scores"]["dice"] - two[0]["scores"]["dice"]) < 5 * off
print("same", count)
"""


@pytest.mark.slow
def test_two_devices_train_as_one_and_resume(tmp_path):
    """BCE + dice of each image; order, augmentation and the short last batch divided in two."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "same" in run.stdout


def test_all_gpus_are_used_or_so_many(monkeypatch, capsys):
    there = []
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: there)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda names: names)
    assert training.devices() is None and training.devices(1) is None
    with pytest.raises(ValueError, match="--devices 2: there are 0 GPUs"):
        training.devices(2)
    there += [tf.config.LogicalDevice(f"GPU:{n}", "GPU") for n in range(3)]
    assert training.devices() == ["GPU:0", "GPU:1", "GPU:2"]
    assert "Devices: 3 GPUs" in capsys.readouterr().out
    assert training.devices(2) == ["GPU:0", "GPU:1"] and training.devices(1) is None
