"""Errors on the command line: a sentence for what a user can mend, a traceback for all else."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from unet_tf import pipeline
from unet_tf.cli import commands
from unet_tf.files import UserError, raised


def fails(monkeypatch, error):
    def command(arguments):
        raise error

    monkeypatch.setattr(commands, "run_data", command)
    return commands.main(["data"])


@pytest.mark.parametrize("error", [UserError("a.png: mend it"), OSError("a.png: mend it")])
def test_what_a_user_can_mend_is_one_sentence(monkeypatch, capsys, error):
    assert fails(monkeypatch, error) == 1
    assert capsys.readouterr().err == "error: a.png: mend it\n"


def test_a_full_disk_has_its_remedy(monkeypatch, capsys):
    assert fails(monkeypatch, OSError(28, "No space left on device")) == 1
    assert capsys.readouterr().err.endswith(". Make room and run the same command again\n")


def test_an_interrupted_command_says_so(monkeypatch, capsys):
    assert fails(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


FAULTS = [
    ValueError("zip() argument 2 is shorter than argument 1"),
    KeyError("x"),
    tf.errors.InvalidArgumentError(None, None, "ValueError: not of a reader of files"),
]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_a_fault_of_the_code_is_raised(monkeypatch, error):
    raised.append(UserError("of an earlier command"))
    with pytest.raises(type(error)):
        fails(monkeypatch, error)


FAULTY = """
import runpy, sys
from unet_tf.cli import commands
commands.run_data = lambda arguments: list(zip([1], [], strict=True))
sys.argv = ["unet_tf", "data"]
runpy.run_module("unet_tf", run_name="__main__")
"""


def test_a_fault_of_the_code_shows_its_traceback():
    run = subprocess.run([sys.executable, "-c", FAULTY], capture_output=True, text=True)
    assert run.returncode == 1
    assert "Traceback (most recent call last)" in run.stderr
    assert "zip() argument 2 is shorter" in run.stderr and "error: " not in run.stderr


@pytest.mark.parametrize("broken", ["empty", "missing"])
def test_of_an_error_that_tensorflow_wraps_the_reader_s_own_is_shown(
    monkeypatch, capsys, tmp_path, broken
):
    image, mask = tmp_path / "broken.png", tmp_path / "mask.png"
    if broken == "empty":
        image.touch()

    def command(arguments):
        for _ in pipeline.dataset([(image, mask)]):
            pass

    monkeypatch.setattr(commands, "run_data", command)
    assert commands.main(["data"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "broken.png" in error and "Traceback" not in error
    wanted = ": cannot be decoded" if broken == "empty" else os.strerror(2)
    assert error.startswith("error: ") and wanted in error


def test_tensorflow_starts_without_its_own_lines(tmp_path):
    """Neither of CUDA nor of its log: what stands on stderr is ours."""
    command = [
        sys.executable,
        "-m",
        "unet_tf",
        "predict",
        "none.keras",
        "none.png",
        "--to",
        "masks",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.returncode == 1
    assert done.stderr.startswith("error: none.png: there is no such file")
