"""The exercise notebooks: made from the solutions, open where they should be, right when filled."""

import ast
import importlib.util
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from test_notebooks import ROOT, refresh

FOLDER = ROOT / "notebooks" / "exercises"
sys.modules.setdefault("refresh", refresh)
_spec = importlib.util.spec_from_file_location("exercises", ROOT / "notebooks" / "exercises.py")
exercises = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exercises)
MADE = exercises.made()


def sources(notebook):
    """The sources of the exercises' cells, without the line of `%%check`."""
    cells = [cell.source for cell in notebook.cells if cell.source.startswith("%%check")]
    return [source.partition("\n")[2] for source in cells]


def test_they_are_what_the_solutions_make_of_them():
    assert exercises.main(["--check"]) == 0, "run notebooks/exercises.py"
    assert sorted(MADE) == sorted(path.name for path in FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("name", MADE)
def test_each_has_three_open_exercises_and_no_answer(name):
    notebook = MADE[name]
    cells = sources(notebook)
    assert len(cells) >= 3
    for source in cells:
        assert "# your code" in source and "# yours" not in source
        ast.parse(source)
    asked = [c.source for c in notebook.cells[1:] if c.cell_type == "markdown"]
    assert [text[:4] for text in asked] == ["**1.", "**2.", "**3."]
    words = [re.sub(r"`[^`]*`|\*\*", "", text) for text in asked]
    assert not any("*" in text for text in words)


@pytest.mark.parametrize("name", MADE)
def test_links_lead_to_files(name):
    text = "\n".join(c.source for c in MADE[name].cells if c.cell_type == "markdown")
    links = re.findall(r"\]\((?!http)([^)#\s]+)", text)
    assert links and all((FOLDER / link).exists() for link in links), links


def test_on_the_site_their_links_lead_to_its_pages_and_those_beside_to_the_repository():
    spec = importlib.util.spec_from_file_location("conf", ROOT / "site" / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    there, beside = ["[01](../01_data.ipynb)"], ["[results](../results/README.md)"]
    conf.outside(None, "exercises/01", there)
    conf.outside(None, "01_data", beside)
    assert there == ["[01](../01_data.ipynb)"]
    assert re.fullmatch(r"\[results\]\(https://github\.com/.*/main/results/README\.md\)", beside[0])


def test_what_a_chapter_asks_in_italics_and_with_links_is_asked():
    text = (
        "## Exercises\n\n1. Of the *next car*, `2 * 3 * 4`?\n2. The *last* [dice](03_dice.ipynb).\n"
    )
    text += "\nNext: 02"
    chapter = nbformat.from_dict({"cells": [{"source": text}]})
    asked = exercises.questions(chapter)
    assert asked == {
        "1": "Of the next car, `2 * 3 * 4`?",
        "2": "The last [dice](../03_dice.ipynb).",
    }


def test_each_chapter_s_solutions_need_no_other_chapter(tmp_path):
    """Every name is defined in the setup or in the chapter, and what is open was marked."""
    for name, notebook in exercises.made(lambda source: source).items():
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        text = "\n".join(["from pathlib import Path", code[1], *sources(notebook)])
        (tmp_path / f"chapter{name[:2]}.py").write_text(text)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_statements_are_left_open_by_hand():
    source = (
        "def f(x):\n    return x + 1  # yours\n\n\na, b = f(1), f(\n    2\n)  # yours\n"
        "c[0] = 3  # yours\nfor n in range(3):\n    print(n)  # yours\nd = 4"
    )
    assert exercises.opened(source) == (
        "def f(x):\n    return ...  # your code\n\n\na, b = ...  # your code\n"
        "...  # your code\nfor n in range(3):\n    ...  # your code\nd = 4"
    )
    named = 'd["a"] = f(1)  # yours\ne = {"b": 1, "c": [2]}  # yours\ng = {\n    "h": 1,\n'
    named += '    "i": f(\n        2\n    ),  # yours\n    "j": 3,\n}'
    assert exercises.opened(named) == (  # what is printed keeps its name
        'd["a"] = ...  # your code\ne = {"b": ..., "c": ...}  # your code\ng = {\n    "h": 1,\n'
        '    "i": ...,  # your code\n    "j": 3,\n}'
    )


@pytest.mark.slow
def test_a_filled_one_is_right_and_an_open_one_is_not(tmp_path):
    others = {
        "%%check 0000\nprint(...)": "a gap is still open",
        "%%check 0000 0000\nprint(1)": "lines printed: 1, by the solution: 2",
        "%%check 0000\nprint(1)": "line 1 is not the solution's",
    }
    for left_open, word in ((lambda source: source, "-> right"), (exercises.opened, "-> not yet")):
        notebook = exercises.made(left_open)["03.ipynb"]
        notebook.cells[1].source = f"import sys\nsys.path.append({str(ROOT)!r})"
        keep = (
            notebook.cells[:4] + [c for c in notebook.cells if "soft_iou(y_true" in c.source][-1:]
        )
        keep += [nbformat.v4.new_code_cell(source) for source in others]
        notebook = nbformat.from_dict({**notebook, "cells": keep})
        NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
        answers = [
            "".join(output.get("text", "") for output in cell.outputs)
            for cell in notebook.cells[-1 - len(others) :]
        ]
        for found, expected in zip(answers, (word, *others.values()), strict=True):
            assert expected in found, found
