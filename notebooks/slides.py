"""A notebook's figures at a slide's size: `python notebooks/slides.py NAME [NAME ...]`.

Runs the notebook, and writes `notebooks/slides/NAME_1.png` and so on, some 1,900 pixels wide.
"""

import base64
import sys
from pathlib import Path

import nbformat
import refresh

FOLDER = Path(__file__).parent
LARGE = "%config InlineBackend.print_figure_kwargs = {'dpi': 260, 'bbox_inches': 'tight'}"


def figures(notebook):
    """The pictures of an executed notebook, in order: bytes of PNG files."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pictures = [output.get("data", {}).get("image/png") for output in outputs]
    return [base64.b64decode(picture) for picture in pictures if picture]


def main(names):
    (FOLDER / "slides").mkdir(exist_ok=True)
    for name in names or sorted(path.stem for path in FOLDER.glob("[0-9]*.ipynb")):
        notebook = refresh.from_text((FOLDER / "py" / f"{name}.py").read_text(encoding="utf-8"))
        notebook.cells.insert(0, nbformat.v4.new_code_cell(LARGE))
        for number, picture in enumerate(figures(refresh.run(notebook, FOLDER)), 1):
            path = FOLDER / "slides" / f"{name}_{number}.png"
            path.write_bytes(picture)
            print(path)


if __name__ == "__main__":
    main([Path(name).stem for name in sys.argv[1:]])
