"""Every notebook is its text, run from top to bottom, and shows the code that the module holds.

That its outputs come out again is nbval's to check: `make test` runs both. Each check below takes
a notebook's path and raises AssertionError; the last part breaks a good notebook in every way that
a check is there for.
"""

import ast
import copy
import difflib
import functools
import importlib.util
import os
import re
import subprocess
from pathlib import Path

import keras
import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

_spec = importlib.util.spec_from_file_location("refresh", ROOT / "notebooks" / "refresh.py")
refresh = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(refresh)

# The cells whose output nbval does not compare (tag `nbval-ignore-output`): notebook -> the first
# line of each, in order. Only what training or a clock decides; a claim about it is printed, and
# compared, in a cell below it.
IGNORED = {
    "00_start": [
        'options = {"epochs": 8, "callbacks": [Watch()], "shuffle": False, "verbose": 2}'
        "  # tf.data shuffles",
        'print(f"{kind} {DATA}, dice of {len(scores)} test images: {np.mean(scores):.3f}")',
    ],
    "02_pipeline": [
        "_, axes = plt.subplots(2, 1, figsize=(7.2, 3.4), dpi=90, sharex=True, "
        'layout="constrained")',
        'ways = {"article, as written": article(), "ours": dataset(large)}',
    ],
    "04_simple_model": [
        "policy = set_precision()",
        "images, masks = next(iter(validation))",
        "predictions = list(predict(model, [image for image, _ in parts.test]))",
        'coarse = {"image_size": (48, 64), "batch_size": 16, "cache": "memory"}',
    ],
    "05_unet": [
        "policy = set_precision()",
        "keras.utils.set_random_seed(42)",
        "networks = {}",
        "images_of = [image for image, _ in parts.test]",
        "keras.utils.set_random_seed(42)",
    ],
    "06_training": [
        "policy = set_precision()",
        "slow, by_default = training(recipe, parts, momentum=0.99, verbose=2)",
        "model, history = training(recipe, parts, momentum=0.9)",
        "by_car = {}",
        'curves = {1: history["val_hard_dice"][:3]}',
        "def timed(policy, images, masks, steps=4):",
        'for variant in ("as written", "corrected"):',
    ],
    "07_prediction": [
        "policy = set_precision()",
        "cuts = (0.1, 0.2, 0.3, 0.5)",
        "honest = test_curve[scores.THRESHOLDS.index(threshold)]",
        "on_flipped = said_of(parts.validation, flipped(model))",
        "some, sizes = parts.validation[::12], ((96, 128), (144, 192), (192, 256), None)",
        "report = scores.report(parts.test, on_test, threshold)",
    ],
    "08_buildings": [
        "policy = set_precision()",
        "falling = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * updates)",
        "found = [probability.argmax(axis=-1) for probability in said]",
    ],
    "09_multiclass": [
        "policy = set_precision()",
        'reports = {"constant": scores.class_baseline(parts.train, parts.test, classes, SIZE)}',
        "weighted = trained(network.Weighted(network.cross_entropy, median))",
        'ids_of["weighted"] = predicted(weighted)',
        "pair = parts.train[0]",
    ],
    "11_your_own": [
        "made = plan.plan(report, minutes=10)",
        'here = {"image_size": (96, 96), "epochs": 20, "patience": 20, "batch_size": 4}',
        'score = result["scores"]',
        'picture = Image.open(to / "picture.png").convert("RGB")',
        "reached = [scores.dice(truth, mask) for (_, truth), mask "
        "in zip(fresh, masks, strict=True)]",
        "short = protocol.changed(recipe, epochs=6)",
    ],
    "12_hand_it_on": [
        "model = unet(filters=(8, 16, 32, 64), dropout=0.0)",
        "lost, doubt = {}, {}",
        'files = [exported(name) for name in ("small.keras", "saved_model", '
        '"car.onnx", "car.tflite")]',
        "unseen, others = export.pairs_to_check(loaded, folder, most=32)",
        "dices = {}",
        "light = []",
        "try:",
    ],
}

# Numbers in prose that no cell near by or record shows: notebook -> number, where it comes from.
QUOTED = {
    "01_data": {
        "0.25": "half of the grey, 0.5, in the same sentence",
    },
    "02_pipeline": {
        "3.13": "the last Keras whose layers read masks between 0 and 1",
        "3.14": "the first Keras whose layers read masks by nearest",
    },
    "04_simple_model": {
        "0.25": "p (1 - p) where p is one half",
        "0.00001": "a rate to try, in the exercise",
    },
    "09_multiclass": {"0.45": "90% and 0, averaged; the counts stand beside"},
    "11_your_own": {"0.975": "KEEP in unet_tf/plan/rules.py"},
    "10_results": {
        "4.303": "Student's t, two degrees of freedom",
        "1.96": "the normal's",
        "0.955": "made up for the exercise",
        "0.959": "made up for the exercise",
    },
}
NUMBER = r"(?<![\w.])\d+\.\d{2,}(?![\w.]*\d)|(?<![\w.])\d{1,3}(?:,\d{3})+"  # 0.97, 34,550,273

BEFORE, AROUND = 6, 10  # cells above a sentence, and in all, that may show its numbers

TAGS = {"lifted", "nbval-ignore-output", "nbval-skip", *refresh.FOLDED}
SECTIONS = ("You will", "You need", "What we saw", "Exercises")
LARGEST = 400_000  # bytes
MACHINE_PATH = (
    r"(?<![\w.~-])/(?:root|home|work|tmp|Users|private|var/folders)\b|\b[A-Za-z]:\\+Users"
)
ADDRESS = r"\b0x[0-9a-fA-F]{8,16}\b"
KERAS_2 = (
    r"tf\.keras|tensorflow\.keras|from tensorflow import .*\bkeras\b|keras\.backend as\b"
    r"|from keras import .*\bbackend\b|ImageDataGenerator|\.h5\b"
)
IMPORTS = ast.Import | ast.ImportFrom
WORDS = r"\b(?:simply|just|easily)\b"
BADGES = (
    "https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name}",
    "https://kaggle.com/kernels/welcome?src=https://github.com/{repository}/blob/main/notebooks/{name}",
)


def code(path):
    return [cell for cell in refresh.read(path).cells if cell.cell_type == "code"]


def prose(path):
    """Markdown cells, what stands between code fences left out."""
    cells = [cell.source for cell in refresh.read(path).cells if cell.cell_type == "markdown"]
    return [re.sub(r"^```.*?^```", "", text, flags=re.M | re.S) for text in cells]


def tags(cell):
    return cell.metadata.get("tags", [])


def first_line(cell):
    return cell.source.partition("\n")[0]


def output_texts(cell):
    """Whatever a cell put out, but pictures: their base64 may spell anything."""
    for output in cell.outputs:
        for mime, value in output.get("data", {}).items():
            if not mime.startswith("image/") or mime == "image/svg+xml":
                yield str(value)
        yield output.get("text", "")
        yield "\n".join([output.get("evalue", ""), *output.get("traceback", [])])


def check_twin(path):
    text = refresh.text_of(path)
    assert text.exists(), f"{path.name} has no text: notebooks/py/{text.name}"
    in_notebook = refresh.cells(refresh.read(path))
    in_text = refresh.cells(refresh.from_text(text.read_text(encoding="utf-8")))
    for number, (here, there) in enumerate(zip(in_notebook, in_text, strict=False)):
        assert here == there, f"cell {number} (from 0, prose counted) differs from its text"
    assert len(in_notebook) == len(in_text), "one has more cells than the other"


def check_run(path):
    cells = code(path)
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1)), f"not run once from top to bottom: {counts}"
    for cell in cells:
        errors = [output for output in cell.outputs if output.output_type == "error"]
        assert not errors, f"an error, to be caught and printed, in: {first_line(cell)}"


def defined(statement):
    """The names that a statement of a module's top level defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return []
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    leaves = [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]
    return [leaf.id for leaf in leaves if isinstance(leaf, ast.Name)]


@functools.cache
def statements(text):
    """Those of a module's top level; the module is parsed once for all notebooks."""
    return ast.parse(text).body


def undocumented(statement):
    """A copy without docstrings; the module's `UserError` is the notebooks' `ValueError`."""
    statement = copy.deepcopy(statement)
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id == "UserError":
            node.id = "ValueError"
        documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return statement


def check_lifted(path):
    """A cell tagged `lifted` holds imports and definitions, each as one unet_tf module has it."""
    in_module = {}
    for file in sorted(path.parents[1].glob("unet_tf/**/*.py")):
        for statement in statements(file.read_text(encoding="utf-8")):
            for name in defined(statement):
                in_module.setdefault(name, []).append((file.name, statement))
    for cell in code(path):
        if "lifted" not in tags(cell):
            continue
        body = [s for s in ast.parse(cell.source).body if not isinstance(s, IMPORTS)]
        assert body, f"a lifted cell without a definition: {first_line(cell)}"
        for here in body:
            assert defined(here), f"no definition, in a lifted cell: {ast.unparse(here)[:80]}"
            for name in defined(here):
                found = in_module.get(name, [])
                files = [file for file, _ in found]
                assert len(found) == 1, f"{name} must be in one module of unet_tf, is in {files}"
                there = undocumented(found[0][1])
                if ast.dump(undocumented(here)) != ast.dump(there):
                    lines = (ast.unparse(s).splitlines() for s in (undocumented(here), there))
                    diff = difflib.unified_diff(*lines, "lifted cell", files[0], lineterm="", n=1)
                    raise AssertionError(f"{name} is not the module's:\n" + "\n".join(diff))


def check_tags(path):
    for cell in code(path):
        unknown = set(tags(cell)) - TAGS
        assert not unknown, f"unknown tags {unknown}: {first_line(cell)}"
        assert "NBVAL_" not in cell.source, f"a tag, not a comment: {first_line(cell)}"
        if "nbval-skip" in tags(cell):
            assert "pip install" in cell.source, f"skipped, installs nothing: {first_line(cell)}"


def check_ignored(path):
    tagged = [first_line(cell) for cell in code(path) if "nbval-ignore-output" in tags(cell)]
    listed = IGNORED.get(path.stem, [])
    assert tagged == listed, f'in IGNORED of {Path(__file__).name}: "{path.stem}": {tagged}'


def check_no_machine(path):
    cells = refresh.read(path).cells
    for cell in cells:
        texts = [cell.source] if cell.cell_type != "code" else [cell.source, *output_texts(cell)]
        for number, text in enumerate(texts):
            found = re.search(MACHINE_PATH, text)
            assert not found, f"a path of one machine in {first_line(cell)!r}: {found}"
            found = re.search(ADDRESS, text) if number else None
            assert not found, f"a memory address below {first_line(cell)!r}: {found}"


def check_size(path):
    size = path.stat().st_size
    assert size < LARGEST, f"{size:,} bytes, {LARGEST:,} allowed: smaller figures"


def repository(root):
    """REPOSITORY as unet_tf/__init__.py states it."""
    tree = ast.parse((root / "unet_tf" / "__init__.py").read_text(encoding="utf-8"))
    (value,) = [s.value for s in tree.body if defined(s) == ["REPOSITORY"]]
    return ast.literal_eval(value)


def check_badges(path):
    """Colab's and Kaggle's, once each, in the first cell, to this very notebook."""
    address = repository(path.parents[1])
    expected = [badge.format(repository=address, name=path.name) for badge in BADGES]
    opens = r"https?://[\w.]*(?:colab\.research\.google\.com/github|kaggle\.com/kernels)[^)\s\"'>]*"
    first, *rest = prose(path)
    assert sorted(re.findall(opens, first)) == sorted(expected), f"the badges are {expected}"
    assert not re.findall(opens, "\n".join(rest)), "a badge below the first cell"


def check_keras_3(path):
    """In code; prose may name what it replaces."""
    for cell in code(path):
        found = re.search(KERAS_2, cell.source)
        assert not found, f"Keras 2 in {first_line(cell)!r}: {found}"


def check_form(path):
    notebook = refresh.read(path)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 4), "not nbformat 4.4"
    nbformat.validate(notebook)
    assert notebook.metadata == {"kernelspec": refresh.KERNEL}, "metadata other than the kernel"
    for cell in notebook.cells:
        folds = [refresh.FOLDED[tag] for tag in tags(cell) if tag in refresh.FOLDED]
        found = [cell.metadata.jupyter] if "jupyter" in cell.metadata else []
        assert found == folds, f"folded otherwise than its tag says: {first_line(cell)}"
        kept = set(cell.metadata) <= {"tags", "jupyter"}
        assert "id" not in cell and kept, f"metadata: {first_line(cell)}"


def check_parts(path):
    """One H1, which opens it, and the sections, as headings or in bold."""
    text = prose(path)
    titles = re.findall(r"^# .*", "\n".join(text), flags=re.M)
    assert len(titles) == 1 and refresh.read(path).cells[0].source.startswith("# "), titles
    if path.stem != "solutions":
        for section in SECTIONS:
            found = re.search(rf"^(?:#+ |\*\*){section}\b", "\n".join(text), flags=re.M)
            assert found, f"no section {section!r}"


def check_lengths(path):
    """Short cells: a folded one may be of any length, and is none of the chapter's 40."""
    cells = [(len(cell.source.splitlines()), cell) for cell in code(path)]
    shown = [length for length, cell in cells if not refresh.FOLDED.keys() & tags(cell)]
    most = 30 if path.stem == "solutions" else 20
    assert max(shown) <= most, f"a code cell of {max(shown)} lines, {most} allowed"
    if path.stem != "solutions":
        short = sum(length <= 6 for length, _ in cells)
        assert 20 <= len(shown) <= 40, f"{len(shown)} open code cells, 20 to 40 allowed"
        assert 2 * short >= len(cells), f"{short} of {len(cells)} code cells are 6 lines or less"


def check_links(path):
    """Relative links lead to a file; one leads to the next notebook."""
    links = re.findall(r"\]\(<?([^)\s>]+)", "\n".join(prose(path)))
    links = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    for link in links:
        assert (path.parent / link).exists(), f"a link to nothing: {link}"
    numbered = sorted(file.name for file in path.parent.glob("[0-9]*.ipynb"))
    if path.name in numbered[:-1]:
        following = numbered[numbered.index(path.name) + 1]
        assert following in links, f"no link to the next notebook, {following}"


def check_numbers(path):
    """A longer number in prose stands in a cell near by, or in a record; so no sentence outlives
    the output that it speaks of. The first text and the last two sections speak of all cells;
    solutions may quote their chapters."""
    root, cells = path.parents[1], refresh.read(path).cells
    records = [(root / f"{place}/README.md") for place in ("results", "benchmarks")]
    records = "\n".join(file.read_text(encoding="utf-8") for file in records if file.exists())
    shown = [
        "\n".join([c.source, *output_texts(c)]) if c.cell_type == "code" else "" for c in cells
    ]
    quoted, everywhere = QUOTED.get(path.stem, ()), path.stem == "solutions"
    for place, text in enumerate(cell.source for cell in cells):
        if cells[place].cell_type == "code":
            continue
        text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        for line in re.sub(r"https?://\S+", "", text).split("\n"):
            everywhere = everywhere or line in ("## What we saw", "## Exercises")
            near = shown if everywhere or not place else shown[max(0, place - BEFORE) :][:AROUND]
            there = "\n".join([records, *near])
            for number in re.findall(NUMBER, line):
                known = number in there or number.replace(",", "") in there or number in quoted
                assert known, f"{number}: no cell near by or record shows it, nor QUOTED: {line}"


def check_words(path):
    for text in prose(path):
        found = re.search(WORDS, text, flags=re.I)
        assert not found, f"{found[0]!r} in: {text[max(found.start() - 30, 0) : found.end() + 30]}"


CHECKS = {name[6:]: check for name, check in list(globals().items()) if name.startswith("check_")}


def test_there_are_notebooks():
    texts = {path.stem for path in (ROOT / "notebooks" / "py").glob("*.py")}
    assert texts, "notebooks/py is empty"
    assert texts == {path.stem for path in NOTEBOOKS}, "a text without a notebook, or the reverse"
    assert set(QUOTED) <= texts, "QUOTED names a notebook that is not there"
    assert set(IGNORED) <= texts, "IGNORED names a notebook that is not there"


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, check):
    CHECKS[check](path)


# --- The sanitizer


def test_the_sanitizer_hides_three_things_and_no_score(capsys):
    patterns = get_sanitize_patterns((ROOT / "tests" / "nbval.cfg").read_text(encoding="utf-8"))
    assert len(patterns) == 3

    def sanitized(text):
        for pattern, replacement in patterns:
            text = re.sub(pattern, replacement, text)
        return text

    capsys.readouterr()
    keras.utils.Progbar(8, verbose=2).update(8, [("dice", 0.75), ("loss", 0.0005)])
    line = capsys.readouterr().out
    assert sanitized(line) == "8/8 - TIME - dice: 0.7500 - loss: 5.0000e-04\n"
    for times in ("0s - 812us/step", "12s - 203ms/step", "75s - 9s/step"):
        assert sanitized(f"8/8 - {times} - dice: 0.7500") == "8/8 - TIME - dice: 0.7500"
    assert sanitized(f"{object()!r}, 0xff") == "<object object at ADDRESS>, 0xff"
    for folder in ("/tmp", "/var/folders/ab/T", r"C:\Users\me\AppData\Local\Temp"):
        slash = "\\" if "\\" in folder else "/"
        place = f"{folder}{slash}ipykernel_4242{slash}1798193716.py"
        assert sanitized(f"{place}:2: UserWarning: careful") == "CELL:2: UserWarning: careful"


# --- The checks can fail: a good notebook, and what breaks it

MODULE = '''
import functools

FACTOR: int = 2
LOW, HIGH = 0, 1

@functools.cache
def double(number: int, factor=FACTOR):
    """Twice."""
    return factor * number

class Box:
    """Holds."""

    def get(self):
        """It."""
        return HIGH
'''
BADGE = "[![Open](https://x.org/b.svg)]({})"
HEAD = "\n".join(
    [
        "# Good",
        *(BADGE.format(url.format(repository="me/it", name="01_good.ipynb")) for url in BADGES),
        "**You will** see.\n\n**You need** nothing.\n\n```\n# just a comment\n```",
    ]
)
TAIL = "## What we saw\n\n## Exercises\n\n[Next](02_next.ipynb), [Keras](https://keras.io#x)"


def make(folder):
    """A notebook that passes every check, not written yet; beside it a module and a neighbour."""
    (folder / "unet_tf").mkdir()
    (folder / "notebooks" / "py").mkdir(parents=True)
    (folder / "unet_tf" / "__init__.py").write_text('REPOSITORY = "me/it"\n')
    (folder / "unet_tf" / "double.py").write_text(MODULE)
    (folder / "notebooks" / "02_next.ipynb").write_text("{}")
    sources = {
        "%pip install it": ["nbval-skip"],
        MODULE.strip().replace('"""It."""', '"""What it holds."""'): ["lifted"],
        "score = double(1)\nscore": ["nbval-ignore-output"],
        "print(double(1) > 1)": [],
        **{f"print({number})": [] for number in range(16)},
    }
    cells = [{"cell_type": "markdown", "metadata": {}, "source": HEAD}]
    for count, (source, names) in enumerate(sources.items(), start=1):
        outputs = [
            {"output_type": "stream", "name": "stdout", "text": f"{count}, 0xff, /kaggle/x\n"}
        ]
        cells.append(
            {"cell_type": "code", "metadata": {"tags": names} if names else {}, "source": source}
            | {"execution_count": count, "outputs": outputs}
        )
    picture = {"image/png": "iVBO/tmp/0x7f60c2a5b1d0/root/"}
    cells[-1]["outputs"].append({"output_type": "display_data", "metadata": {}, "data": picture})
    cells.append({"cell_type": "markdown", "metadata": {}, "source": TAIL})
    return refresh.plain(nbformat.from_dict({"cells": cells}))


def text_for(notebook):
    parts = []
    for cell in notebook.cells:
        lines = cell.source.splitlines()
        if cell.cell_type == "markdown":
            parts.append("# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in lines))
        else:
            names = str(tags(cell)).replace("'", '"')
            lines = [f"# {line}" if line.startswith("%") else line for line in lines]
            parts.append("\n".join([f"# %% tags={names}" if tags(cell) else "# %%", *lines]))
    return "\n\n".join(parts) + "\n"


def save(notebook, folder):
    path = folder / "notebooks" / "01_good.ipynb"
    refresh.write(notebook, path)
    refresh.text_of(path).write_text(text_for(notebook), encoding="utf-8")
    return path


def failing(path):
    def fails(check):
        try:
            check(path)
        except AssertionError:
            return True
        return False

    return {name for name, check in CHECKS.items() if fails(check)}


@pytest.fixture
def listed(monkeypatch):
    monkeypatch.setitem(IGNORED, "01_good", ["score = double(1)"])


def test_a_good_notebook_passes(tmp_path, listed):
    assert failing(save(make(tmp_path), tmp_path)) == set()


def edit(number, old, new):
    """A fault: in the source of a cell."""

    def fault(notebook):
        cell = notebook.cells[number]
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return fault


def add(number, new):
    """A fault: one line more in a cell."""
    return lambda nb: nb.cells[number].update(source=f"{nb.cells[number].source}\n{new}")


def count(number, value):
    return lambda nb: nb.cells[number].update(execution_count=value)


def tag(number, *names):
    return lambda nb: nb.cells[number].metadata.update(tags=list(names))


def says(text):
    return lambda nb: nb.cells[5].outputs[0].update(text=text)


def newer(notebook):
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell{number}"


ERROR = {"output_type": "error", "ename": "E", "evalue": "e", "traceback": []}
# Cells: 0 the head, 1 install, 2 lifted, 3 ignored, 4 its claim, 5 to 20 plain, -1 the tail.
FAULTS = {
    "a cell not run": ("run", count(6, None)),
    "a cell run twice": ("run", count(6, 99)),
    "an error": ("run", lambda nb: nb.cells[6].outputs.append(nbformat.from_dict(ERROR))),
    "lifted, another body": ("lifted", edit(2, "factor * number", "number * factor")),
    "lifted, another default": ("lifted", edit(2, "factor=FACTOR", "factor=2")),
    "lifted, another annotation": ("lifted", edit(2, "number: int", "number")),
    "lifted, no decorator": ("lifted", edit(2, "@functools.cache\n", "")),
    "lifted, another method": ("lifted", edit(2, "return HIGH", "return LOW")),
    "lifted, another constant": ("lifted", edit(2, "FACTOR: int = 2", "FACTOR: int = 3")),
    "lifted, another pair": ("lifted", edit(2, "LOW, HIGH = 0, 1", "LOW, HIGH = 1, 0")),
    "lifted, not in the module": ("lifted", add(2, "def triple(x):\n    return 3 * x")),
    "lifted, a statement": ("lifted", add(2, "print(FACTOR)")),
    "lifted, nothing": ("lifted", lambda nb: nb.cells[2].update(source="import functools")),
    "an unknown tag": ("tags", tag(6, "hide-output")),
    "a skipped cell": ("tags", tag(6, "nbval-skip")),
    "a comment as tag": ("tags", add(6, "# NBVAL_IGNORE_OUTPUT")),
    "an unlisted ignored cell": ("ignored", tag(6, "nbval-ignore-output")),
    "a listed cell, not ignored": ("ignored", tag(3)),
    "a path put out": ("no_machine", says("read from /root/data\n")),
    "a temporary path put out": ("no_machine", says("/tmp/ipykernel_1/2.py:3: UserWarning\n")),
    "a Windows path put out": ("no_machine", says("C:\\Users\\me\n")),
    "a path in code": ("no_machine", add(6, 'open("/home/me/x")')),
    "a path in prose": ("no_machine", add(-1, "Look in /work/data.")),
    "an address": ("no_machine", says("<object at 0x7f60c2a5b1d0>\n")),
    "too large": ("size", says("x" * LARGEST)),
    "another notebook's badge": ("badges", edit(0, "01_good", "02_next")),
    "another repository's badge": ("badges", edit(0, "github.com/me/it", "github.com/you/it")),
    "no badge": ("badges", edit(0, "[![Open](https://x.org/b.svg)](https://kaggle", "(kaggle")),
    "a badge more": ("badges", add(-1, "https://colab.research.google.com/github/a/b")),
    "tf.keras": ("keras_3", add(6, "tf.keras.layers.Dense(1)")),
    "tensorflow.keras": ("keras_3", add(6, "from tensorflow.keras import layers")),
    "keras from tensorflow": ("keras_3", add(6, "from tensorflow import keras")),
    "keras.backend as K": ("keras_3", add(6, "import keras.backend as K")),
    "an .h5 file": ("keras_3", add(6, 'model.save("unet.h5")')),
    "ImageDataGenerator": ("keras_3", add(6, "ImageDataGenerator()")),
    "foreign metadata": ("form", lambda nb: nb.metadata.update(language_info={"name": "python"})),
    "folded without a tag": ("form", lambda nb: nb.cells[6].metadata.update(jupyter={})),
    "foreign cell metadata": ("form", lambda nb: nb.cells[6].metadata.update(collapsed=True)),
    "a newer format": ("form", newer),
    "two titles": ("parts", add(-1, "# Another")),
    "a section missing": ("parts", edit(-1, "## Exercises", "## Homework")),
    "21 lines": ("lengths", add(6, "\n".join(["1"] * 20))),
    "7 lines, too often": (
        "lengths",
        lambda nb: [c.update(source=c.source + "\n#" * 6) for c in nb.cells[6:20]],
    ),
    "19 cells": ("lengths", lambda nb: nb.cells.pop(20)),
    "a dead link": ("links", add(-1, "[There](99_end.ipynb)")),
    "no way on": ("links", edit(-1, "[Next](02_next.ipynb)", "The next")),
    "a number from nowhere": ("numbers", add(-1, "Dice reached 0.9317.")),
    "a number from far away": (
        "numbers",
        lambda nb: (
            nb.cells[3].update(outputs=[nbformat.v4.new_output("stream", text="0.9317\n")]),
            nb.cells.insert(15, nbformat.from_dict({**nb.cells[0], "source": "It was 0.9317."})),
        ),
    ),
    "a count from nowhere": ("numbers", add(-1, "It has 31,047 weights.")),
    "simply": ("words", add(-1, "Simply run it.")),
    "just": ("words", add(0, "It is just a car.")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_check_and_no_other(fault, tmp_path, listed):
    check, damage = FAULTS[fault]
    notebook = make(tmp_path)
    damage(notebook)
    assert failing(save(notebook, tmp_path)) == {check}


@pytest.mark.parametrize(
    ("old", "new"),
    [("print(3)", "print(33)"), ("# # Good", "# # Better"), (' tags=["lifted"]', "")],
)
def test_a_text_edited_and_not_built_fails(old, new, tmp_path, listed):
    path = save(make(tmp_path), tmp_path)
    text = refresh.text_of(path).read_text(encoding="utf-8")
    assert old in text
    refresh.text_of(path).write_text(text.replace(old, new), encoding="utf-8")
    assert failing(path) == {"twin"}
    assert refresh.main(["--check"], path.parent) == 1


def test_a_text_with_a_cell_more_and_no_text_fail(tmp_path, listed):
    path = save(make(tmp_path), tmp_path)
    with refresh.text_of(path).open("a") as file:
        file.write("\n# %%\n1\n")
    assert failing(path) == {"twin"}
    refresh.text_of(path).unlink()
    assert failing(path) == {"twin"}


def test_a_definition_in_two_modules_fails(tmp_path, listed):
    path = save(make(tmp_path), tmp_path)
    (tmp_path / "unet_tf" / "again.py").write_text("def double():\n    pass\n")
    assert failing(path) == {"lifted"}


def test_exercises_ask_and_do_not_answer():
    """Every number in italics, or longer than one would say in a question, stands in an exercise
    only where it is given: the answers are in the solutions."""
    solutions = "\n".join(cell.source for cell in code(ROOT / "notebooks" / "solutions.ipynb"))
    for path in [path for path in NOTEBOOKS if path.stem != "solutions"]:
        exercises = "\n".join(prose(path)).split("## Exercises")[1]
        assert not re.search(r"\*[^*\n]*\d[^*\n]*\*", exercises), path.stem
        long = re.findall(r"\d+\.\d{3,}|\d{1,3}(?:,\d{3})+", exercises)
        given = [number for number in long if number.rstrip("0") in solutions]
        assert long == given, path.stem


# --- refresh.py


def test_new_prose_is_taken_over_beside_the_outputs_and_new_code_is_not(tmp_path, listed, capsys):
    path = save(make(tmp_path), tmp_path)
    text, folder, built = refresh.text_of(path), path.parent, refresh.read(path)
    text.write_text(text.read_text().replace("## What we saw", "New words.\n#\n# ## What we saw"))
    assert refresh.main(["--prose"], folder) == 0 and failing(path) == set()
    assert "New words." in prose(path)[-1]
    assert [c.outputs for c in code(path)] == [
        c.outputs for c in built.cells if c.cell_type == "code"
    ]
    text.write_text(text.read_text().replace("print(double(1) > 1)", "print(double(1) > 0)"))
    written = path.read_bytes()
    assert refresh.main(["--prose"], folder) == 1 and path.read_bytes() == written
    assert "01_good: its code has changed" in capsys.readouterr().out


@pytest.mark.slow
def test_refresh_builds_the_same_bytes_and_keeps_an_edit(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "notebooks"
    text, path = folder / "py" / "01_sum.py", folder / "01_sum.ipynb"
    text.parent.mkdir(parents=True)
    (tmp_path / "unet_tf.py").write_text("answer = 42")
    monkeypatch.setenv("UNET_DATA", "mine")
    text.write_text(
        "# %% [markdown]\n# # Sum\n\n# %%\nimport os\n\nimport unet_tf\n\n"
        'print(unet_tf.answer, os.environ["UNET_DATA"] == "mine")\nos.system("echo native")\n\n'
        '# %% tags=["nbval-ignore-output"]\nunet_tf.answer + 1\n'
    )
    assert refresh.main([], folder) == 0
    built = path.read_bytes()
    first, second = code(path)
    assert first.outputs[0].text == "42 False\n" and second.outputs[0].data["text/plain"] == "43"
    assert tags(second) == ["nbval-ignore-output"]
    check_form(path)
    check_run(path)
    assert refresh.main(["01_sum.py"], folder) == 0 and path.read_bytes() == built
    assert refresh.main(["--check"], folder) == 0

    def touch(file, seconds):
        os.utime(file, (seconds, seconds))

    # A text edited after the build is no edit of the notebook.
    text.write_text(text.read_text().replace("+ 1", "+ 2"))
    touch(path, 1000)
    touch(text, 2000)
    assert not refresh.edited(path) and refresh.main(["--check"], folder) == 1
    # A notebook changed after its text is.
    touch(path, 3000)
    capsys.readouterr()
    assert refresh.main([], folder) == 1 and path.read_bytes() == built
    assert "--sync" in capsys.readouterr().out
    # Unless git still has the text that it came from.
    git = ["git", "-C", str(tmp_path), "-c", "user.name=me", "-c", "user.email=me@here"]
    now, then = text.read_text(), text.read_text().replace("+ 2", "+ 1")
    text.write_text(then)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "Built"]):
        subprocess.run([*git, *command], check=True)
    text.write_text(now)
    touch(text, 2000)
    assert not refresh.edited(path)
    text.write_text(then)
    assert refresh.main(["--check"], folder) == 0
    # An edit in Jupyter is one, though the text is newer: it adds metadata.
    notebook = refresh.read(path)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.cells[2].source = "unet_tf.answer + 3"
    nbformat.write(notebook, path)
    touch(path, 1000)
    assert refresh.edited(path)
    assert refresh.main(["--force"], folder) == 0 and not refresh.edited(path)
    # A cell that fails leaves the notebook as it was.
    built = path.read_bytes()
    text.write_text(text.read_text() + "\n# %%\n1 / 0\n")
    touch(path, 1000)
    assert refresh.main([], folder) == 1 and path.read_bytes() == built
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert not list(folder.glob(".*"))
