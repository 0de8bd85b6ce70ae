"""On JAX (`make test-jax`): models of the other backend are read, its trainings not gone on with."""

import os
import subprocess
import sys

import numpy as np
import pytest

from unet_tf import data, network, pipeline, predict, training
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


def test_what_jax_does_by_itself_is_not_to_be_asked_for():
    assert training.devices() is None and training.devices(1) is None
    with pytest.raises(UserError, match="on JAX one device trains"):
        training.devices(2)
    assert training.chosen_xla(None, 1)
    with pytest.raises(UserError, match="JAX compiles every training by XLA"):
        training.chosen_xla(None, 1, asked=False)
