"""Build the executed notebooks from their text: `python notebooks/refresh.py [NAME ...]`.

Edit `notebooks/py/NAME.py`, build `notebooks/NAME.ipynb`. Without a NAME: all of them.

--check   only compare notebooks and texts, run nothing; exits with 1 and names those that differ
--prose   run nothing: take over new prose; where code has changed, say so and exit with 1
--force   build even where that loses an edit made in the notebook itself
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from unet_tf import REPOSITORY, rendered

FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": True}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
TIMEOUT = 1800  # seconds a cell, as in the check (--nbval-cell-timeout): so that a hang ends
TO_HIDE = ("COLUMNS", "LINES")  # what a user's shell must not bring into an output
# Cells to be opened by who wants them: the site folds them by their tag, Jupyter by this.
FOLDED = {
    "hide-input": {"source_hidden": True},
    "hide-cell": {"source_hidden": True, "outputs_hidden": True},
}

EDITED = """\
  {name}.ipynb was edited since it was built: building it now would lose that.
  To keep the edit, which replaces the cells of the text (see `git diff` first):
      touch {notebook} && jupytext --sync {notebook}
  To drop it: refresh.py --force {name}"""


def text_of(path):
    """`notebooks/NAME.ipynb` -> `notebooks/py/NAME.py`."""
    return path.parent / "py" / f"{path.stem}.py"


def plain(notebook):
    """What is kept of a notebook: cells, their tags and folds, outputs, counts. No ids or times."""
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        kept = {"metadata": {"tags": tags} if tags else {}}
        for tag in FOLDED.keys() & tags:
            kept["metadata"]["jupyter"] = FOLDED[tag]
        for key in ("cell_type", "source", "execution_count", "outputs"):
            if key in cell:
                kept[key] = cell[key]
        cells.append(kept)
    return nbformat.from_dict(
        {"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 4}
    )


def from_text(text):
    """A notebook that has not run."""
    return plain(jupytext.reads(text, fmt=dict(FORMAT)))


def read(path):
    """The notebook as it lies on disk."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def write(notebook, path):
    """In one step: a reader sees the old file or the new one, whole."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    os.replace(unfinished, path)


def cells(notebook):
    """What text and notebook have in common: type, source and tags of each cell."""
    return [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]


def code_of(notebook):
    return [cell for cell in cells(notebook) if cell[0] == "code"]


def same(path):
    """Whether the notebook has the cells of its text."""
    text = text_of(path).read_text(encoding="utf-8")
    return cells(read(path)) == cells(from_text(text))


def edited(path):
    """Whether building would lose cells that were written in the notebook itself.

    So it is when they differ from the text's, git has no text with them, and the file is the newer
    one or does not look as this script writes it: Jupyter, Colab and VS Code add metadata.
    """
    if not path.exists() or same(path):
        return False
    text, notebook = text_of(path), read(path)
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./py/{text.name}"]
    committed = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if committed.returncode == 0 and cells(from_text(committed.stdout)) == cells(notebook):
        return False
    return notebook != plain(notebook) or path.stat().st_mtime > text.stat().st_mtime


def set_address(path):
    """Put the address, `unet_tf.REPOSITORY`, into a file's badges and install lines."""
    text = path.read_text(encoding="utf-8")
    current = re.sub(r"(github(?:\.com)?/)[\w.-]+/unet_tf\b", rf"\g<1>{REPOSITORY}", text)
    if current != text:
        path.write_text(current, encoding="utf-8", newline="\n")


def run(notebook, folder):
    """Run a notebook in a kernel of its own, as nbval will; its outputs stand in it then."""
    environment = {key: value for key, value in os.environ.items() if key not in TO_HIDE}
    root = str(folder.parent.resolve())
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")]).strip(
        os.pathsep
    )
    # Rendered data, whatever the shell's UNET_DATA and notebooks/data hold.
    environment["UNET_DATA"] = str(rendered.write("cars"))
    # ipykernel then leaves TensorFlow's native log lines out of the outputs, as it does in pytest.
    environment["PYTEST_CURRENT_TEST"] = "refresh"
    client = NotebookClient(
        notebook,
        kernel_name=KERNEL["name"],
        timeout=TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment, stderr=subprocess.DEVNULL)
    return notebook


def build(path):
    """Run the text, and write the notebook."""
    set_address(text_of(path))
    notebook = from_text(text_of(path).read_text(encoding="utf-8"))
    write(plain(run(notebook, path.parent)), path)


def take_prose(path):
    """Write the text's prose beside the outputs that are there; False where code is another."""
    set_address(text_of(path))
    new = from_text(text_of(path).read_text(encoding="utf-8"))
    old = read(path) if path.exists() else nbformat.v4.new_notebook()
    if code_of(new) != code_of(old):
        return False
    ran = (cell for cell in old.cells if cell.cell_type == "code")
    made = [next(ran) if cell.cell_type == "code" else cell for cell in new.cells]
    write(plain(nbformat.from_dict({**new, "cells": made})), path)
    return True


def main(arguments=None, folder=Path(__file__).parent):
    """The exit status: 0, or 1 where a notebook differs, was edited or failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 05_unet")
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--prose", action="store_true", help="take over prose, run nothing")
    parser.add_argument("--force", action="store_true", help="drop edits made in a notebook")
    options = parser.parse_args(arguments)
    known = {path.stem for path in folder.glob("py/*.py")}
    if options.check:
        known |= {path.stem for path in folder.glob("*.ipynb")}
    names = [Path(name).stem for name in options.names] or sorted(known)
    if unknown := sorted(set(names) - known):
        parser.error(f"no {', '.join(unknown)} in {folder / 'py'}; there are: {sorted(known)}")

    pages = [folder.parent / "README.md", *folder.glob("*.md")]
    for page in pages if not options.check else ():
        if page.exists():
            set_address(page)
    status, width = 0, max(map(len, names), default=0)
    for name in names:
        path = folder / f"{name}.ipynb"
        if options.check:
            if not path.exists() or not text_of(path).exists() or not same(path):
                status = 1
                print(f"{name}: notebook and text differ, or one is missing")
        elif edited(path) and not options.force:
            status = 1
            print(EDITED.format(name=name, notebook=os.path.relpath(path)))
        elif options.prose:
            if not take_prose(path):
                status = 1
                print(f"{name}: its code has changed: build it without --prose")
        else:
            print(f"{name:{width}} ", end="", flush=True)
            start = time.monotonic()
            try:
                build(path)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                status = 1
                print(f"failed, {path.name} is as it was\n{error}")
            else:
                print(f"{time.monotonic() - start:6.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
