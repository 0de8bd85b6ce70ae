"""MLflow: what is tracked, what a store that fails does not do, and the pages."""

import json
import os
import shutil
import subprocess
import sys
import time
import types
import urllib.request

import keras
import numpy as np
import pytest

from unet_tf import protocol, rendered
from unet_tf.cli import options
from unet_tf.protocol import pages, runs

SMALL = {"filters": (4, 8), "image_size": (16, 24), "images": 48, "batch_size": 8}


@pytest.fixture(scope="module")
def cars(tmp_path_factory):
    """Three rendered cars of 16 views."""
    return rendered.write("cars", tmp_path_factory.mktemp("cars"), cars=3, size=(48, 32), seed=0)


def run(cars, to, epochs=1, **settings):
    recipe = protocol.get("article_unet", epochs=epochs, **SMALL)
    return protocol.run(recipe, cars, 1, to, "float32", 0, **settings)


def test_off_unless_asked_for():
    """Importing and running the module does not even import mlflow."""
    code = "import sys, unet_tf.protocol; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert options.STORE == protocol.STORE
    parser = options.parser()
    command = ["train", "--recipe", "guide_unet"]
    assert parser.parse_args(command).mlflow is None
    assert parser.parse_args([*command, "--mlflow"]).mlflow == protocol.STORE
    assert parser.parse_args([*command, "--mlflow", "http://x"]).mlflow == "http://x"


def test_it_wants_a_folder(cars):
    with pytest.raises(ValueError, match="give it one, by `to`"):
        run(cars, None, mlflow="sqlite:///mlflow.db")


@pytest.mark.slow
def test_a_run_is_tracked_goes_on_and_gives_its_model_back(cars, tmp_path):
    import mlflow

    store = f"sqlite:///{tmp_path}/mlflow.db"  # made by the first run
    run(cars, tmp_path / "run", mlflow=store)
    (tmp_path / "run/result.json").unlink()  # as if it had been stopped after one epoch
    result = run(cars, tmp_path / "run", epochs=3, resume=True, mlflow=store)
    client = mlflow.MlflowClient(store)
    (experiment,) = [e for e in client.search_experiments() if e.name == "unet_tf"]
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "run, article_unet-corrected, seed 1"
    rows = (tmp_path / "run/log.csv").read_text().splitlines()
    names = rows[0].split(",")
    for name in names[1:]:
        history = client.get_metric_history(found.info.run_id, name)
        assert [metric.step for metric in history] == [0, 1, 2]  # each epoch once
        column = [float(row.split(",")[names.index(name)]) for row in rows[1:]]
        assert [metric.value for metric in history] == column
    parameters = found.data.params
    assert parameters["settings.learning_rate"] == "0.0003"
    assert parameters["split.hash"] == result["split"]["hash"]
    assert parameters["data"] == "rendered"
    assert parameters["seed"] == "1"
    assert found.data.metrics["test_dice"] == result["scores"]["dice"]
    assert found.data.metrics["test_groups"] == 1  # one car
    assert not any("car" in name for name in found.data.metrics)
    assert found.data.tags["hardware"] == result["hardware"]
    assert found.data.tags["versions.keras"] == keras.__version__
    files = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert files == {"learning_curve.png", "picture.png", "result.json", "log.csv"}

    # The model, in another process that does not know unet_tf: the same predictions to the bit.
    best = keras.saving.load_model(tmp_path / "run/best.keras")
    images = np.random.default_rng(0).random((2, 16, 24, 3), "float32")
    np.save(tmp_path / "images.npy", images)
    code = f"""
import sys, numpy as np, mlflow
mlflow.set_tracking_uri({store!r})
images = np.load("images.npy")
uri = "runs:/{found.info.run_id}/model"
for name, flavor in (("keras", mlflow.keras), ("pyfunc", mlflow.pyfunc)):
    np.save(name, flavor.load_model(uri).predict(images))
assert "unet_tf" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    for name in ("keras", "pyfunc"):
        found_there = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(found_there, best.predict(images, verbose=0))


@pytest.mark.slow
def test_a_server_that_is_down_never_stops_a_training(cars, tmp_path, capsys):
    result = run(cars, tmp_path / "run", epochs=2, mlflow="http://127.0.0.1:9")
    assert result["epochs"] == 2
    assert len((tmp_path / "run/log.csv").read_text().splitlines()) == 3
    error = capsys.readouterr().err
    assert error.count("MLflow failed") == 1
    assert "log.csv" in error


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """An SQLite store without runs: MLflow takes seconds to make one."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(empty_store, tmp_path):
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


IDENTITY = {"data": "rendered", "seed": 1, "settings": {"learning_rate": 0.0003}, "changed": []}
IDENTITY |= {"versions": {"keras": keras.__version__}}


def tracked(store, to, epochs=1, resume=False):
    """What `protocol.run` calls behind each epoch and at the end, without the training."""
    to.mkdir(exist_ok=True)
    tracker = protocol.Tracker(store, to, "a run", IDENTITY, resume)
    tracker.on_train_begin()
    for epoch in range(epochs):
        rows = "".join(f"{n},0.{9 - n}\n" for n in range(epoch + 1))
        (to / "log.csv").write_text(f"epoch,loss\n{rows}")
        tracker.on_epoch_end(epoch)
    scores = {"dice": 0.5, "iou_#ff0000": 0.25}
    result = {"scored_on": "test", "scores": scores, "epochs": epochs}
    (to / "confusion.png").write_bytes(b"")
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.layers.Conv2D(1, 1)(images))
    losses = [0.9 - n / 10 for n in range(epochs)]
    tracker.finish(result, model, {"loss": losses, "val_loss": losses})
    return json.loads((to / "mlflow.json").read_text())["run_id"]


def breaking(monkeypatch, call):
    """One call of the store fails: of parameters, of the first epoch, of the second..."""
    from mlflow import MlflowClient

    real, calls = MlflowClient.log_batch, []

    def log_batch(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == call:
            raise ConnectionError("gone")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", log_batch)


@pytest.mark.slow
def test_a_store_that_comes_back_has_everything(store, tmp_path, monkeypatch, capsys):
    from mlflow import MlflowClient

    breaking(monkeypatch, 3)
    run_id = tracked(store, tmp_path / "run", epochs=3)
    assert capsys.readouterr().err.count("MLflow failed (ConnectionError: gone)") == 1
    client = MlflowClient(store)
    assert [metric.step for metric in client.get_metric_history(run_id, "loss")] == [0, 1, 2]
    assert client.get_run(run_id).info.status == "FINISHED"
    metrics = client.get_run(run_id).data.metrics
    assert metrics["test_dice"] == 0.5
    assert metrics["test_iou__ff0000"] == 0.25  # a class called by a colour, which MLflow refuses
    files = {file.path for file in client.list_artifacts(run_id)}
    assert {"learning_curve.png", "confusion.png", "log.csv"} <= files


@pytest.mark.slow
def test_parameters_that_were_lost_come_at_the_end(store, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    breaking(monkeypatch, 1)
    found = MlflowClient(store).get_run(tracked(store, tmp_path / "run"))
    assert found.data.params["settings.learning_rate"] == "0.0003"
    assert found.data.tags["versions.keras"] == keras.__version__


@pytest.mark.slow
@pytest.mark.parametrize(
    "error, status", [(KeyboardInterrupt(), "KILLED"), (ValueError("NaN"), "FAILED")]
)
def test_a_run_that_fails_is_marked_so_and_a_deleted_one_begun_anew(
    cars, store, tmp_path, monkeypatch, error, status
):
    from mlflow import MlflowClient

    def failing(*given, **options):
        (tracker,) = [one for one in given if isinstance(one, protocol.Tracker)]
        tracker.on_train_begin()
        raise error

    monkeypatch.setattr(runs, "trained", failing)
    with pytest.raises(type(error)):
        run(cars, tmp_path / "run", mlflow=store)
    run_id = json.loads((tmp_path / "run/mlflow.json").read_text())["run_id"]
    client = MlflowClient(store)
    assert client.get_run(run_id).info.status == status
    client.delete_run(run_id)
    other = tracked(store, tmp_path / "run", resume=True)
    assert other != run_id
    assert [metric.step for metric in client.get_metric_history(other, "loss")] == [0]
    assert client.get_run(other).info.status == "FINISHED"


def test_a_password_in_the_store_s_address_is_not_printed(tmp_path, capsys):
    tracker = protocol.Tracker("http://alice:secret@127.0.0.1:9", tmp_path, "a run", {})
    with tracker.carefully():
        raise ConnectionError("API request to http://alice:secret@127.0.0.1:9/api failed")
    error = capsys.readouterr().err
    assert "http://127.0.0.1:9/api failed" in error and "secret" not in error


@pytest.mark.slow
def test_the_pages_are_served_to_this_machine_alone(tmp_path, monkeypatch):
    import socket

    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server, address = protocol.ui(f"sqlite:///{tmp_path}/mlflow.db", port)
    try:
        assert address == f"http://127.0.0.1:{port}"
        while True:  # until it answers, however long a busy machine takes to start it
            try:
                with urllib.request.urlopen(address, timeout=600) as page:
                    assert "MLflow" in page.read().decode()
                break
            except OSError:
                assert server.poll() is None, "the server has ended"
                time.sleep(0.1)
        other = urllib.request.Request(address, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(other, timeout=600)
    finally:
        server.terminate()
        server.wait()


def test_a_tunnel_takes_its_token_from_the_environment_and_is_allowed(monkeypatch):
    seen = {}

    def connect(**settings):
        seen.update(settings, token=os.environ["NGROK_AUTHTOKEN"])
        return types.SimpleNamespace(public_url="https://ab.ngrok.app")

    ngrok = types.SimpleNamespace(connect=connect)
    monkeypatch.setitem(sys.modules, "pyngrok", types.SimpleNamespace(ngrok=ngrok))
    monkeypatch.setattr(pages.subprocess, "Popen", lambda command, env: command)
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    with pytest.raises(ValueError, match="no NGROK_AUTHTOKEN: set it in the environment"):
        protocol.ui(tunnel=True)
    monkeypatch.setenv("NGROK_AUTHTOKEN", "a secret")
    command, address = protocol.ui(tunnel=True)
    assert address == "https://ab.ngrok.app"
    assert seen == {"addr": "5000", "bind_tls": True, "token": "a secret"}
    assert "a secret" not in " ".join(command)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "ab.ngrok.app" in command[command.index("--allowed-hosts") + 1].split(",")
    assert command[command.index("--cors-allowed-origins") + 1] == address


def test_a_tunnel_without_its_package_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyngrok", None)
    with pytest.raises(ValueError, match="pip install pyngrok"):
        protocol.ui(tunnel=True)


@pytest.mark.parametrize("place", ["google.colab", "kaggle_secrets"])
def test_secrets_of_the_platforms(monkeypatch, place):
    monkeypatch.delenv("SOME_TOKEN", raising=False)
    if place == "google.colab":
        userdata = types.SimpleNamespace(get=lambda name: f"colab {name}")
        monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(userdata=userdata))
    else:

        class UserSecretsClient:
            def get_secret(self, name):
                return f"kaggle {name}"

        module = types.SimpleNamespace(UserSecretsClient=UserSecretsClient)
        monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    assert protocol.secret("SOME_TOKEN").endswith(" SOME_TOKEN")
