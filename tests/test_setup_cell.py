"""The first lines of code in each notebook: they find the project where Kaggle has mounted it."""

import sys
from pathlib import Path

import pytest

import unet_tf

TEXTS = sorted((Path(unet_tf.__file__).parents[1] / "notebooks/py").glob("*.py"))


def setup(text):
    """The lines of a notebook's first cell of code, up to where it imports the project."""
    return text.read_text(encoding="utf-8").split("\nimport sys\n")[1].split("try:\n")[0]


def test_the_same_lines_in_every_notebook():
    assert len(TEXTS) == 14
    assert len({setup(text) for text in TEXTS}) == 1
    assert "**" not in setup(TEXTS[0])  # not a search of all that is attached


@pytest.mark.parametrize("below", ["name", "name/unet_tf-main", "datasets/owner/name",
                                   "datasets/owner/name/unet_tf-main"])  # fmt: skip
def test_the_project_is_found_where_it_is_mounted(tmp_path, monkeypatch, below):
    project = tmp_path / below
    (project / "unet_tf").mkdir(parents=True)
    (project / "unet_tf/__init__.py").touch()
    (tmp_path / "competitions/carvana/train_hq").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", ["first"])
    exec(setup(TEXTS[0]).replace("/kaggle/input", str(tmp_path)))
    assert sys.path == ["first", "..", str(project)]
