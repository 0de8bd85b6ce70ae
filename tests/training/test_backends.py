"""On JAX (`make test-jax`): TensorFlow's models are read, its trainings not gone on with."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from unet_tf import data, export, network, pipeline, predict, training
from unet_tf.files import UserError

pytestmark = pytest.mark.skipif(not network.JAX, reason="Keras runs on TensorFlow here")

TRAIN = """
import sys
import keras
import numpy as np
from unet_tf import data, network, pipeline, predict, training

keras.utils.set_random_seed(0)
folder, to = sys.argv[1:]
parts = data.split(data.pair(folder), validation_size=0.25)
batches = pipeline.dataset(parts.train, (24, 36), 4)
model = network.unet((24, 36, 3), (2, 4))
card = data.Card(data.Labels.foreground("block"), (24, 36))
training.fit(model, batches, batches, epochs=1, folder=to, card=card, verbose=0)
images = [image for image, _ in parts.validation]
found = list(predict.probabilities(predict.load(to + "/best.keras"), images))
np.save(to + "/found.npy", found)
"""


@pytest.fixture
def of_tensorflow(folder, tmp_path):
    """The folder of a training by TensorFlow, and what its model says."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    to = str(tmp_path / "run")
    subprocess.run([sys.executable, "-c", TRAIN, folder, to], env=environment, check=True)
    return tmp_path / "run"


@pytest.mark.slow
def test_a_model_of_tensorflow_predicts_the_same_and_its_training_is_refused(folder, of_tensorflow):
    parts = data.split(data.pair(folder), validation_size=0.25)
    images = [image for image, _ in parts.validation]
    found = list(predict.probabilities(predict.load(of_tensorflow / "best.keras"), images))
    np.testing.assert_allclose(found, np.load(of_tensorflow / "found.npy"), atol=1e-4)

    batches = pipeline.dataset(parts.train, (24, 36), 4)
    model = network.unet((24, 36, 3), (2, 4))
    with pytest.raises(UserError, match="backend: nothing there, jax here"):
        training.fit(model, batches, batches, folder=of_tensorflow, resume=True, verbose=0)


DIVIDED = """
import json
import sys
import keras
from unet_tf import data, network, pipeline, training

folder, to, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
room = sys.modules["unet_tf.training.devices"]
room.accelerators = keras.distribution.list_devices  # CPUs stand for GPUs
assert training.devices(count) is None
keras.utils.set_random_seed(0)
pairs = data.pair(folder)
batches = pipeline.dataset(pairs[:12], (24, 36), 8, shuffle=True, augment=True)
validation = pipeline.dataset(pairs[12:17], (24, 36), 3)  # 3 and 2 images
model = network.unet((24, 36, 3), (2, 4), batch_norm=True)
history = training.fit(model, batches, validation, epochs=2, folder=to, verbose=0)
kept = {"history": history.history, **training.backend()}
crops = pipeline.crop_dataset(pairs[:8], (16, 16), crops=2, batch_size=8)
model = network.unet((16, 16, 3), (2, 4), num_classes=2, head="softmax")
many = {"loss": network.cross_entropy_dice_loss, "metrics": [network.mean_iou(2)]}
history = training.fit(
    model, crops, crops, epochs=2, monitor="val_mean_iou", folder=to + "/crops", verbose=0, **many
)
kept["history"] |= {f"{name}, crops": values for name, values in history.history.items()}
if count > 1:
    try:
        training.fit(model, pipeline.dataset(pairs[:9], (24, 36), 4), validation, verbose=0)
    except training.fitting.UserError as error:
        kept["uneven"] = str(error)
print(json.dumps(kept))
"""


@pytest.mark.slow
def test_two_devices_train_as_one(folder, tmp_path):
    """Batch norm and dropout as well: JAX divides the arrays, not the training."""
    found = []
    for count in (1, 2):
        environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
        command = [sys.executable, "-c", DIVIDED, folder, str(tmp_path / f"{count}"), str(count)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    one, two = found
    for name, values in one["history"].items():
        np.testing.assert_allclose(two["history"][name], values, rtol=1e-4, atol=1e-5)
    assert one["backend"] == "jax" and two["backend"] == "jax on 2 devices"
    assert "a batch has 1 images, which do not divide among 2 devices" in two["uneven"]
    weights = [np.load(tmp_path / f"{count}/state.npz")["model_0000"] for count in (1, 2)]
    np.testing.assert_allclose(*weights, rtol=1e-3, atol=1e-5)


def test_an_epoch_of_more_pixels_than_32_bits_count():
    metric = network.mean_iou(2)
    labels = np.array([[[[0], [1], [1], [255]]]], "float32")
    said = np.array([[[[1, 0], [0, 1], [1, 0], [1, 0]]]], "float32")
    for _ in range(5):
        metric.update_state(labels, said, sample_weight=np.full((1, 1, 4), 2**30))
    assert float(metric.result()) == pytest.approx((1 / 2 + 1 / 2) / 2)
    metric.reset_state()
    metric.update_state(labels[:, :, :2], said[:, :, :2])
    assert float(metric.result()) == 1


def test_what_jax_does_by_itself_is_not_to_be_asked_for():
    assert training.devices() is None and training.devices(1) is None
    with pytest.raises(UserError, match="--devices 2: there are 0 GPUs"):
        training.devices(2)
    with pytest.raises(UserError, match="a model is exported from TensorFlow"):
        export.writer_of("a.onnx")
    assert training.chosen_xla(None, 1)
    with pytest.raises(UserError, match="JAX compiles every training by XLA"):
        training.chosen_xla(None, 1, asked=False)


def started(folder, place, **more):
    """A training by the command line, in a place of its own."""
    place.mkdir()
    environment = {**os.environ, "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo", **more}
    options = f"--recipe guide_unet --quick --data {folder} --image-size 24x36 --epochs 2 --to run"
    options += " --batch-size 4 --precision float32 --set filters=4,8"
    command = [sys.executable, "-m", "unet_tf", "train", *options.split()]
    with open(place / "out.txt", "w") as out:
        return subprocess.Popen(command, cwd=place, env=environment, stdout=out, stderr=out)


@pytest.mark.slow
def test_two_processes_train_as_one_and_the_first_writes(folder, tmp_path):
    """As on two machines, here on the loopback: to the same losses, weights and scores."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    names = {"JOB_ADDRESSES": address, "NUM_PROCESSES": "2"}
    jobs = [started(folder, tmp_path / "one")]
    for number in range(2):
        more = {**names, "PROCESS_ID": str(number)}
        more = {f"KERAS_DISTRIBUTION_{name}": value for name, value in more.items()}
        jobs.append(started(folder, tmp_path / f"two{number}", **more))
    assert [job.wait(600) for job in jobs] == [0, 0, 0], (tmp_path / "two0/out.txt").read_text()
    assert [path.name for path in (tmp_path / "two1").iterdir()] == ["out.txt"]
    assert "of 2 processes" in (tmp_path / "two0/out.txt").read_text()
    one, two = (tmp_path / name / "run" for name in ("one", "two0"))
    tables = [np.loadtxt(run / "log.csv", delimiter=",", skiprows=1) for run in (one, two)]
    np.testing.assert_allclose(*tables, rtol=1e-4, atol=1e-5)
    states = [np.load(run / "state.npz") for run in (one, two)]
    for name in states[0].files:
        if name != "state":
            np.testing.assert_allclose(*(state[name] for state in states), rtol=1e-3, atol=1e-5)
    dices = [json.loads((run / "result.json").read_text())["scores"]["dice"] for run in (one, two)]
    assert dices[0] == pytest.approx(dices[1], abs=0.01)
