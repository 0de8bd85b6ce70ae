"""The command line: `python -m unet_tf data | check | train | predict | score | export | demo |
ui | reproduce`."""

import errno
import os
import sys

from unet_tf.cli.data import run_check, run_data
from unet_tf.cli.export import run_demo, run_export
from unet_tf.cli.options import parser
from unet_tf.cli.pages import run_ui
from unet_tf.cli.predict import run_predict
from unet_tf.cli.reproduce import run_reproduce
from unet_tf.cli.score import needs_model, run_score
from unet_tf.cli.train import run_train
from unet_tf.files import UserError, raised

WITH_TENSORFLOW = ("train", "predict", "reproduce", "export", "demo")


def main(argv=None):
    """Run a command; the exit status is 0, or 1 after an error that the user can mend.

    Any other error is a fault of the code, and is raised with its traceback.
    """
    arguments = parser().parse_args(argv)
    commands = {
        "data": run_data,
        "check": run_check,
        "train": run_train,
        "predict": run_predict,
        "score": run_score,
        "export": run_export,
        "demo": run_demo,
        "ui": run_ui,
        "reproduce": run_reproduce,
    }
    raised.clear()
    for stream in (sys.stdout, sys.stderr):  # a file's name may be of letters that it cannot show
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        if arguments.command in WITH_TENSORFLOW or needs_model(arguments):
            start_tensorflow()
        return commands[arguments.command](arguments) or 0
    except Exception as error:
        own = mendable(error)
        if own is None:
            raise
        full = isinstance(own, OSError) and own.errno == errno.ENOSPC
        again = " with --resume" if arguments.command == "train" else ""
        remedy = f". Make room and run the same command again{again}" if full else ""
        print(f"error: {own}{remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = "; the same command with --resume goes on" if arguments.command == "train" else ""
        print(f"interrupted{again}", file=sys.stderr)
        return 130


def start_tensorflow():
    """Import TensorFlow and let it look for devices, without what its native code writes meanwhile:
    lines on CUDA and on its log, which `TF_CPP_MIN_LOG_LEVEL` does not silence. At level 0 it may.
    """
    silent = os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "0"
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        if silent:
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
        import tensorflow as tf

        import unet_tf.network  # noqa: F401  which leaves the GPUs to JAX, where that runs Keras

        tf.config.list_physical_devices()
        tf.zeros(1)  # the first operation starts the devices, which write, too
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def mendable(error):
    """What the user is told, a UserError or OSError, or None. Of an error in which TensorFlow
    wraps that of a reader of files, it is the reader's."""
    if isinstance(error, UserError | OSError):
        return error
    if type(error).__module__.startswith("tensorflow") and raised and str(raised[-1]) in str(error):
        return raised[-1]
    return None
