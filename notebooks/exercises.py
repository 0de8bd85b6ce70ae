"""Make the exercise notebooks from the solutions: `python notebooks/exercises.py [--check]`.

Each exercise is a cell of `solutions.ipynb` in which the statements marked `# yours` are left open.
`%%check` runs it, and says whether it prints what the solution prints: by a hash of each line,
which does not give the answer away.
"""

import ast
import hashlib
import json
import re
import sys
from pathlib import Path

import nbformat
import refresh

FOLDER = Path(__file__).parent
OPEN = "...  # your code"
CHECK = '''\
import contextlib
import hashlib
import io
import sys

from IPython import get_ipython
from IPython.core.magic import register_cell_magic


class Kept(io.StringIO):
    """Shows what is printed at once, and keeps it."""

    def __init__(self):
        super().__init__()
        self.screen = sys.stdout

    def write(self, text):
        self.screen.write(text)
        return super().write(text)


@register_cell_magic
def check(line, cell):
    """Run a cell, and say whether it prints what the solution prints, line by line."""
    with contextlib.redirect_stdout(Kept()) as kept:
        result = get_ipython().run_cell(cell)
    lines = [text.rstrip() for text in kept.getvalue().strip("\\n").split("\\n")]
    own, right = [hashlib.sha256(text.encode()).hexdigest()[:4] for text in lines], line.split()
    if own == right and result.success:
        print("-> right: it prints what the solution prints")
    elif not result.success or "Ellipsis" in kept.getvalue():
        print("-> not yet: a gap is still open, or the cell ended in an error: run the cells above")
        print("   first; a gap may hold another kind of thing than the lines below it need")
    elif len(own) != len(right):
        print(f"-> not yet: lines printed: {len(own)}, by the solution: {len(right)}")
    else:
        first = [a == b for a, b in zip(own, right)].index(False) + 1
        print(f"-> not yet: line {first} is not the solution's")'''
HEAD = """\
# {number} · Exercises

{badges}

Of chapter [{title}](../{name}). Replace each `...` that is followed by `# your code`, and run the
cell. It says whether it prints what the solution prints{data}. So leave the printing lines as they
are, and take your own prints out again.{prints} If you are stuck, the answers are in
[solutions](../solutions.ipynb), and the words in the [glossary](../glossary.md)."""
PRINTS = "\n(A second `data.split` prints a line, too, and so does Keras without `verbose=0`.)"
RENDERED = ", on the rendered cars: other data\ngive other numbers"


def opened(source):
    """The source of a solution with the marked statements left open; what a table or a legend
    calls them stays, since it is printed."""
    lines = source.splitlines()
    marked = [number for number, line in enumerate(lines, 1) if line.endswith("# yours")]
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    for number in reversed(marked):
        around = [node for node in nodes if node.lineno <= number <= node.end_lineno]
        node = max(around, key=lambda node: node.lineno)  # the innermost
        place = place_of(node)
        for key, value in named(node):
            if node.lineno < key.lineno <= number <= value.end_lineno:  # a line of its own
                node, place = ast.Expr(value), f"{name_of(key)}: ...,  # your code"
                ast.copy_location(node, key)
                node.end_lineno = value.end_lineno
        indent = " " * node.col_offset
        lines[node.lineno - 1 : node.end_lineno] = [f"{indent}{place}"]
    return "\n".join(lines)


def name_of(key):
    return json.dumps(key.value, ensure_ascii=False)


def named(node):
    """The keys and values of a dict that a statement writes out."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
        return [*zip(node.value.keys, node.value.values, strict=True)]
    return []


def place_of(node):
    """What stands in the place of a statement."""
    if isinstance(node, ast.Return):
        return f"return {OPEN}"
    if not isinstance(node, ast.Assign):
        return OPEN
    target = node.targets[0]
    if isinstance(target, ast.Subscript):
        key = target.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return f"{ast.unparse(target.value)}[{name_of(key)}] = {OPEN}"
        return OPEN
    target = ast.unparse(target).strip("()")
    if pairs := named(node):
        return (
            f"{target} = {{{', '.join(f'{name_of(key)}: ...' for key, _ in pairs)}}}  # your code"
        )
    return f"{target} = {OPEN}"


def questions(chapter):
    """The exercises of a chapter, by number: no italics, links as from the exercises' folder."""
    text = chapter.cells[-1].source.partition("## Exercises")[2]
    text = re.sub(r"\]\((?=\w+\.ipynb)", "](../", text)
    found = re.split(r"^(\d)\. ", text.partition("\nNext:")[0], flags=re.M)[1:]
    return {
        number: re.sub(r"(`[^`]*`)|\*([^*]+)\*", r"\1\2", body.partition("\n\n")[0]).strip()
        for number, body in zip(found[::2], found[1::2], strict=True)
    }


def solved(solutions):
    """The cells of each exercise: `{(chapter, number): [code cells]}`; and the two of the setup."""
    chapter, number, setup, found = None, None, [], {}
    for cell in solutions.cells:
        if cell.cell_type == "markdown":
            chapter = next(iter(re.findall(r"^## Notebook (\d\d)", cell.source, re.M)), chapter)
            number = next(
                iter(re.findall(r"^(?:\*\*)?(\d)\.(?:\*\*)? ", cell.source, re.M)), number
            )
        elif chapter is None:
            setup.append(cell)
        else:
            found.setdefault((chapter, number), []).append(cell)
    return setup, found


def printed(cell):
    """The hashes of the lines that a cell of the solutions prints."""
    texts = [output.text for output in cell.outputs if output.get("name") == "stdout"]
    lines = [text.rstrip() for text in "".join(texts).strip("\n").split("\n")]
    return " ".join(hashlib.sha256(text.encode()).hexdigest()[:4] for text in lines)


def code(source):
    return {"cell_type": "code", "metadata": {}, "source": source} | {
        "execution_count": None,
        "outputs": [],
    }


def made(left_open=opened):
    """`{file name: notebook}` of the chapters with solutions, whose cells `left_open` opens."""
    setup, exercises = solved(refresh.read(FOLDER / "solutions.ipynb"))
    notebooks = {}
    for path in sorted(FOLDER.glob("[0-9]*.ipynb")):
        number = path.name[:2]
        own = {n: cells for (chapter, n), cells in exercises.items() if chapter == number}
        if not own:
            continue
        chapter = refresh.read(path)
        first = chapter.cells[0].source
        badges = next(line for line in first.splitlines() if line.startswith("[!["))
        title = first.splitlines()[0].removeprefix("# ")
        words = {"number": number, "title": title, "name": path.name}
        words["badges"] = badges.replace(f"/{path.name}", f"/exercises/{number}.ipynb")
        text = "\n".join(cell.source for cells in own.values() for cell in cells)
        reads = "folder" in text
        words["data"] = RENDERED if reads else ""
        words["prints"] = PRINTS if "data.split(" in text else ""
        cells = [{"cell_type": "markdown", "source": HEAD.format(**words)}]
        deeper = [cell.source.replace('append("..")', 'append("../..")') for cell in setup]
        if not reads:  # cars that no exercise looks at would be rendered for nothing
            deeper = [source.replace("\nfolder = data.find()", "") for source in deeper]
        cells += [code(source) for source in (*deeper, CHECK)]
        asked = questions(chapter)
        for n, solutions in own.items():
            cells.append({"cell_type": "markdown", "source": f"**{n}.** {asked[n]}"})
            for cell in solutions:
                cells.append(code(f"%%check {printed(cell)}\n{left_open(cell.source)}"))
        cells = [{"metadata": {}, **cell} for cell in cells]
        notebooks[f"{number}.ipynb"] = refresh.plain(nbformat.from_dict({"cells": cells}))
    return notebooks


def main(arguments):
    """The exit status: 1 where a notebook is not what the solutions make of it, with `--check`."""
    folder, stale = FOLDER / "exercises", []
    folder.mkdir(exist_ok=True)
    for name, notebook in made().items():
        path = folder / name
        if not path.exists() or refresh.read(path) != notebook:
            stale.append(name)
            if "--check" not in arguments:
                refresh.write(notebook, path)
    if stale:
        print(("differ: " if "--check" in arguments else "written: ") + ", ".join(stale))
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
