"""The rooms of `unet_tf`: arrows point down, and nobody passes a door."""

import ast
from pathlib import Path

import unet_tf

ROOT = Path(unet_tf.__file__).parent
# From the ground up: a room may use those on the floors below its own.
FLOORS = (
    {"files"},
    {"run_lengths", "network"},
    {"kaggle", "pets", "rendered", "training"},
    {"data"},
    {"pipeline", "scores", "plot"},
    {"predict", "doctor"},
    {"protocol", "export"},
    {"plan"},
    {"cli"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
SPINE = ("data", "pipeline", "network", "training", "predict", "scores")


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = [path for path in sorted(ROOT.rglob("*.py")) if room_of(path) in FLOOR]


def imports(path):
    """What a file imports of `unet_tf`, wherever it does: [(line, dotted name)]."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "unet_tf":
            names = [alias.name for alias in node.names] if node.module == "unet_tf" else [None]
            found += [(node.lineno, ".".join(filter(None, (node.module, name)))) for name in names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, a.name) for a in node.names if a.name.startswith("unet_tf.")]
    return [(line, name) for line, name in found if name.split(".")[1] in FLOOR]


def crossings(path):
    """The imports of other rooms, as (line, room, what stands behind the door or "")."""
    for line, name in imports(path):
        _, room, *behind = name.split(".")
        if room != room_of(path):
            yield line, room, ".".join(behind)


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in ROOT.rglob("*.py")} - {"__init__", "__main__"}
    assert rooms == set(FLOOR)
    assert sum(len(list(crossings(path))) for path in FILES) > 50  # it does see them


def test_arrows_point_down():
    upward = [
        f"{path.relative_to(ROOT)}:{line} -> {room}"
        for path in FILES
        for line, room, _ in crossings(path)
        if FLOOR[room] >= FLOOR[room_of(path)]
    ]
    assert upward == []


def test_nobody_passes_a_door():
    """Neither the rooms nor notebooks, experiments and benchmarks import a file of a room."""
    outside = [ROOT.parent / part for part in ("notebooks/py", "experiments", "benchmarks")]
    files = [*FILES, *(path for folder in outside for path in sorted(folder.glob("*.py")))]
    passed = [
        f"{path.name}:{line} {room}.{behind}"
        for path in files
        for line, room, behind in (crossings(path) if path in FILES else beyond(path))
        if behind
    ]
    assert passed == []


def beyond(path):
    for line, name in imports(path):
        _, room, *behind = name.split(".")
        yield line, room, ".".join(behind)


def test_only_one_file_of_data_knows_where_data_come_from():
    users = {
        path.name
        for path in FILES
        if room_of(path) in ("data", *SPINE)
        for _, room, _ in crossings(path)
        if room in ("rendered", "kaggle")
    }
    assert users <= {"places.py", "pairs.py"}  # pairs: a zip is extracted


def functions(path):
    """Each function of a file, and its lines of code: no docstring, comments, blanks."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno - 1
            body = [line.strip() for line in lines[first : node.end_lineno]]
            yield node.name, sum(bool(line) and not line.startswith("#") for line in body)


def test_files_and_functions_are_read_in_one_sitting():
    assert len([count for path in FILES for _, count in functions(path)]) > 300
    long = [
        f"{path.name}: {name}" for path in FILES for name, count in functions(path) if count > 50
    ]
    long += [path.name for path in FILES if len(path.read_text().splitlines()) > 250]
    assert long == []
