"""MLflow: one training as one run with parameters, curves, scores, pictures and the model.

Off unless asked for. What is tracked is what is on disk: `log.csv` row by row while training runs,
the rest of the folder at its end. A store that cannot be reached never stops a training; at the
end it is tried once more.
"""

import contextlib
import csv
import json
import os
import re
import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from unet_tf import plot
from unet_tf.files import flat, write_json

STORE = "sqlite:///mlflow.db"
EXPERIMENT = "unet_tf"
# Unless the environment says otherwise: a server that is down is given up after seconds, where
# MLflow takes minutes, and MLflow's makers are not told of its use.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Tracker(keras.callbacks.Callback):
    """Copies a run of `unet_tf.protocol.run` into an MLflow store, row by row.

    Parameters
    ----------
    uri : str
        Of the store: `sqlite:///mlflow.db`, `http://127.0.0.1:5000` or any other of MLflow's.
    folder : path
        Of the training: holds `log.csv`; the id of the MLflow run is kept there in `mlflow.json`.
    name : str
    identity : dict
        What makes the run: becomes its parameters and tags.
    resume : bool
        Go on with the MLflow run of the folder, if the store has it.
    """

    def __init__(self, uri, folder, name, identity, resume=False):
        super().__init__()
        self.uri, self.folder, self.name, self.identity = uri, Path(folder), name, identity
        self.resume, self.run_id, self.rows, self.down = resume, None, 0, False

    def on_train_begin(self, logs=None):
        with self.carefully():
            self.open()
            self.tell()

    def on_epoch_end(self, epoch, logs=None):
        if not self.down:
            with self.carefully():
                self.log_rows()

    def finish(self, result, model, history):
        """Scores, learning curve, pictures, files and the model; the run is then finished.

        `result` is as `unet_tf.protocol.run` returns it, `history` as Keras's `History.history`.
        """
        with self.carefully():
            if self.run_id is None:
                self.open()
            self.tell()
            self.log_rows()
            part, scores = result["scored_on"], result["scores"].items()
            self.log({f"{part}_{name}": value for name, value in scores}, result["epochs"])
            self.log_files(history)
            self.log_model(model)
            self.client.set_terminated(self.run_id)
            print(f"Tracked by MLflow: run {self.name!r} in the experiment {EXPERIMENT!r}")

    def stopped(self, error):
        """The run ended by this error: it is marked so, and goes on when the training does."""
        if self.run_id is not None:
            killed = not isinstance(error, Exception)
            with self.carefully():
                self.client.set_terminated(self.run_id, "KILLED" if killed else "FAILED")

    @contextlib.contextmanager
    def carefully(self):
        """Whatever the store does: the training goes on, and it is said once."""
        try:
            yield
        except Exception as error:  # of any of the libraries below MLflow's stores
            reason = (str(error).strip().splitlines() or [""])[0][:200]
            reason = re.sub(r"//[^/@\s]*@", "//", reason)  # user and password of an address
            if not self.down:
                print(
                    f"MLflow failed ({type(error).__name__}: {reason}). The training goes on; "
                    f"its numbers are in {self.folder / 'log.csv'}",
                    file=sys.stderr,
                )
            self.down = True

    def open(self):
        """The MLflow run: that of the folder when a training is resumed, else a new one."""
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self.client = MlflowClient(self.uri)
        kept = self.folder / "mlflow.json"
        if self.resume and kept.exists():
            try:
                run_id = json.loads(kept.read_text())["run_id"]
                if self.client.get_run(run_id).info.lifecycle_stage == "active":
                    logged = self.client.get_metric_history(run_id, "loss")
                    self.client.update_run(run_id, status="RUNNING")
                    self.run_id, self.rows = run_id, len({metric.step for metric in logged})
                    return
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        if experiment := self.client.get_experiment_by_name(EXPERIMENT):
            number = experiment.experiment_id
        else:
            number = self.client.create_experiment(EXPERIMENT, files_of(self.uri))
        self.run_id = self.client.create_run(number, run_name=self.name).info.run_id
        write_json(kept, {"run_id": self.run_id})

    def tell(self):
        """What makes the run, as parameters, and where it was made, as tags; once."""
        from mlflow.entities import Param, RunTag

        if self.client.get_run(self.run_id).data.params:
            return
        params = {**self.identity, "changed": ", ".join(self.identity["changed"]) or "nothing"}
        facts = ("hardware", "versions", "commit", "code", "date", "source")
        tags = {name: params.pop(name) for name in facts if name in params}
        self.client.log_batch(
            self.run_id,
            params=[Param(name, str(value)[:500]) for name, value in flat(params).items()],
            tags=[RunTag(name, str(value)) for name, value in flat(tags).items()],
        )

    def log_rows(self):
        """The rows of `log.csv` that the store does not have yet. The file is written beside the
        training, so the last may come later."""
        if not (self.folder / "log.csv").exists():
            return
        with (self.folder / "log.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows[self.rows :]:
            step = int(row.pop("epoch"))
            self.log({name: float(value) for name, value in row.items()}, step)
            self.rows = step + 1

    def log(self, values, step):
        """Metrics of one step; what is no number is left out: a list, a loss of NaN."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        metrics = [  # a class may be called #ff0000, which MLflow takes for no name
            Metric(re.sub(r"[^\w\-. /]", "_", name), float(value), now, step)
            for name, value in values.items()
            if isinstance(value, int | float) and np.isfinite(value)
        ]
        self.client.log_batch(self.run_id, metrics=metrics)

    def log_files(self, history):
        """The learning curve, the gallery of predictions, and the folder's records."""
        names = [name for name in history if not name.startswith("val_")]
        figure = plot.curves(history, names, f"{self.name}, {self.identity['data']} data")
        self.client.log_figure(self.run_id, figure, "learning_curve.png")
        plt.close(figure)
        for name in ("picture.png", "confusion.png", "result.json", "log.csv"):
            if (self.folder / name).exists():
                self.client.log_artifact(self.run_id, str(self.folder / name))

    def log_model(self, model):
        """The model without its loss, so that it is loaded where unet_tf is not installed."""
        import mlflow
        from mlflow.models import infer_signature

        plain = keras.Model(model.input, model.output, name=model.name)
        images = np.zeros((1, *(size or 64 for size in model.inputs[0].shape[1:])), "float32")
        before, named = mlflow.get_tracking_uri(), os.environ.get("MLFLOW_TRACKING_URI")
        mlflow.set_tracking_uri(self.uri)
        try:
            with mlflow.start_run(run_id=self.run_id, nested=True):
                mlflow.keras.log_model(
                    plain,
                    name="model",
                    signature=infer_signature(images, np.asarray(plain(images))),
                    pip_requirements=[f"keras=={keras.__version__}", "tensorflow"],
                )
        finally:
            mlflow.set_tracking_uri(before)
            if named is None:  # MLflow writes it: later runs would take it for the user's
                os.environ.pop("MLFLOW_TRACKING_URI", None)


def files_of(uri):
    """Where a new experiment's files go: beside an SQLite store, else where its server says."""
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlruns").as_uri()
