"""The command line: `python -m unet_tf data | check | train | predict | ui | reproduce`."""

import errno
import re
import sys

from unet_tf.cli.data import run_check, run_data
from unet_tf.cli.options import parser
from unet_tf.cli.pages import run_ui
from unet_tf.cli.predict import run_predict
from unet_tf.cli.train import run_reproduce, run_train
from unet_tf.kaggle import KaggleError


def main(argv=None):
    """Run a command; the exit status is 0, or 1 after an error of the data or the download."""
    arguments = parser().parse_args(argv)
    commands = {
        "data": run_data,
        "check": run_check,
        "train": run_train,
        "predict": run_predict,
        "ui": run_ui,
        "reproduce": run_reproduce,
    }
    try:
        return commands[arguments.command](arguments) or 0
    except (KaggleError, ValueError, OSError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        again = " with --resume" if arguments.command == "train" else ""
        remedy = f". Make room and run the same command again{again}" if full else ""
        print(f"error: {error}{remedy}", file=sys.stderr)
        return 1
    except Exception as error:
        # TensorFlow wraps what a reader of files says: show that sentence alone.
        found = re.search(r"ValueError: (.+)", str(error))
        if not type(error).__module__.startswith("tensorflow") or not found:
            raise
        print(f"error: {found[1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = "; the same command with --resume goes on" if arguments.command == "train" else ""
        print(f"interrupted{again}", file=sys.stderr)
        return 130
