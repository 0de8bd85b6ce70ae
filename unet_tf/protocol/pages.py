"""MLflow's pages of tracked runs, on this machine or through a tunnel."""

import contextlib
import os
import subprocess
import sys

from unet_tf.files import UserError
from unet_tf.protocol.tracking import STORE


def ui(uri=STORE, port=5000, tunnel=False):
    """Start MLflow's pages on 127.0.0.1, and with `tunnel` on a public address of ngrok.

    A tunnel wants the package pyngrok, and ngrok's token as `NGROK_AUTHTOKEN` in the environment or
    among the secrets of Colab or Kaggle, never in a cell. Whoever knows the address sees all.

    Returns
    -------
    (subprocess.Popen, address) : the server, to be ended by `.terminate()`, and where it is.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", uri]
    command += ["--workers", "1"]  # for one reader; each of the usual four starts for seconds
    address = f"http://127.0.0.1:{port}"
    if tunnel:
        try:
            from pyngrok import ngrok
        except ModuleNotFoundError:
            raise UserError("a tunnel wants pyngrok: pip install pyngrok") from None
        os.environ["NGROK_AUTHTOKEN"] = secret("NGROK_AUTHTOKEN")  # where pyngrok looks for it
        address = ngrok.connect(addr=str(port), bind_tls=True).public_url
        host = address.removeprefix("https://")
        # MLflow answers 403 to hosts that it was not told of.
        command += ["--allowed-hosts", f"{host},127.0.0.1:{port},localhost:{port}"]
        command += ["--cors-allowed-origins", address]
    # Its seven processes for other things than tracked runs would outlive it.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return subprocess.Popen(command, env=environment), address


def secret(name):
    """A secret from the environment, or from Colab's or Kaggle's secrets; ValueError without."""
    if os.environ.get(name):
        return os.environ[name]
    with contextlib.suppress(Exception):  # not on Colab, or the secret is not there
        from google.colab import userdata

        return userdata.get(name)
    with contextlib.suppress(Exception):  # not on Kaggle, likewise
        from kaggle_secrets import UserSecretsClient

        return UserSecretsClient().get_secret(name)
    raise UserError(
        f"no {name}: set it in the environment, or among the secrets of Colab or Kaggle"
    )
