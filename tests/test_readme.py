"""The documents say what the records and the code say, and their links lead somewhere."""

import argparse
import ast
import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest

from unet_tf import protocol
from unet_tf.cli.options import parser
from unet_tf.protocol.recipe import FIXED

ROOT = Path(__file__).parent.parent

spec = importlib.util.spec_from_file_location("publish", ROOT / "experiments" / "publish.py")
publish = importlib.util.module_from_spec(spec)
spec.loader.exec_module(publish)

TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in publish.DOCUMENTS}
README, CONTRIBUTING = TEXTS["README.md"], TEXTS["CONTRIBUTING.md"]
HELD = [(name, table) for name, tables in publish.DOCUMENTS.items() for table in tables]


def test_the_readme_is_short():
    assert len(README.encode()) <= 10_000


@pytest.mark.parametrize("name", TEXTS)
def test_the_tables_are_made_from_the_results(name):
    made = publish.with_tables(TEXTS[name], publish.DOCUMENTS[name])
    assert made == TEXTS[name], "run experiments/publish.py"


def test_every_table_stands_in_one_document():
    assert sorted(table for _, table in HELD) == sorted(publish.TABLES)
    assert len(publish.records()) >= 2
    assert len(publish.effects.records()) >= 18


@pytest.mark.parametrize(("name", "table"), HELD)
def test_a_stale_table_would_be_noticed(name, table):
    text = TEXTS[name]
    start = text.index(f"<!-- {table}: ")
    number = re.search(r"\d\.\d{4}|\d+ \(\d+ to|\d\.\d|\d+ · ", text[start:])
    assert start + number.end() < text.index(f"<!-- end of {table} -->")
    stale = text[: start + number.start()] + "7" + text[start + number.start() :]
    assert stale != text
    assert publish.with_tables(stale, publish.DOCUMENTS[name]) == text


def test_rendered_scores_are_called_rendered():
    """Every record says in its line of the table what data it is of."""
    for many, text in ((False, publish.table()), (True, publish.class_table())):
        records = publish.of_kind(many)
        assert len(records) >= 4
        for record, line in zip(records, text.splitlines()[2:], strict=False):
            assert line.startswith(f"| {record['recipe']}, {record['variant']}")
            assert f"| {record['data']}, " in line
    assert "rendered" in publish.effects_table().splitlines()[0]
    assert "rendered" in publish.started()
    short = publish.scores_in_short().splitlines()[2:]
    assert len(short) == 4
    assert all("| rendered, " in line or "| carvana-thumbs, " in line for line in short)
    assert sum("rendered" in line for line in short) >= 3
    picture, caption = re.search(r"(!\[.+\]\(results/.+\))\n\n(.+)\n", README).groups()
    assert "rendered" in picture and caption.startswith("*Rendered ")


def test_scores_in_short_are_those_of_the_records():
    record = json.loads((ROOT / "results/article_unet-corrected-rendered.json").read_text())
    dices = [run["scores"]["dice"] for run in record["runs"]]
    assert f"dice {sum(dices) / len(dices):.4f} ± " in publish.scores_in_short()
    published = {recipe.published for recipe in protocol.RECIPES} - {None}
    for dice in published:
        assert f"{dice:.4f}" in README


def test_photographs_come_before_what_is_rendered(monkeypatch):
    """A record of Carvana takes the short row of its recipe."""
    every = publish.records()
    rendered = next(one for one in every if one["recipe"] == "article_unet")
    real = {**rendered, "data": "Carvana", "variant": "corrected"}
    monkeypatch.setattr(publish, "records", lambda: [real, *every])
    assert "| article_unet, corrected | Carvana, " in publish.scores_in_short()


def test_records_tell_how_they_came_about():
    wanted = {
        "original_size",
        "split",
        "settings",
        "precision",
        "parameters",
        "scored_on",
        "published_dice",
    }
    of_a_run = {"seed", "epochs", "minutes", "hardware", "versions", "commit", "date", "scores"}
    for record in publish.records():
        assert wanted <= set(record)
        assert "/" not in json.dumps(record["settings"])  # no path of one machine
        for run in record["runs"]:
            assert of_a_run <= set(run)
        # the means are those of the runs
        key = "mean_iou" if "classes" in record else "dice"
        mean = sum(run["scores"][key] for run in record["runs"]) / len(record["runs"])
        assert record["scores"][key]["mean"] == pytest.approx(mean, abs=1e-12)


def test_what_carvana_lacks_is_there_to_fill():
    """A line for each recipe and variant without a record of Carvana at the published size."""
    real = [r for r in publish.records() if r["data"] == "Carvana" and not r["changed"]]
    cars = [recipe for recipe in protocol.RECIPES if not recipe.classes]
    assert publish.table().count("yours to fill") == len(cars) - len(real)


def result(seed, dice, **changes):
    return {
        "recipe": "article_unet",
        "variant": "as written",
        "data": "rendered",
        "original_size": [320, 480],
        "changed": [],
        **{"split": {"hash": "a"}, "settings": {"epochs": 1}, "precision": "float32"},
        **{"seed": seed, "epochs": 1, "minutes": 1.0, "commit": "c", "date": "d"},
        **{"hardware": "h", "versions": {}, "scores": {"dice": dice, "worst": []}},
        **changes,
    }


def test_seeds_of_several_batches_make_one_record(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()

    def batch(name, *results):
        for number, one in enumerate(results):
            folder = tmp_path / name / f"any/seed{number}"
            folder.mkdir(parents=True)
            (folder / "result.json").write_text(json.dumps(one))
            (folder / "picture.png").write_bytes(name.encode())
        publish.publish(tmp_path / name)
        path = tmp_path / "results/article_unet-as-written-rendered.json"
        record = json.loads(path.read_text())
        return {run["seed"]: run["scores"]["dice"] for run in record["runs"]}

    assert batch("first", result(0, 0.5), result(1, 0.6)) == {0: 0.5, 1: 0.6}
    assert batch("second", result(1, 0.7), result(2, 0.8)) == {0: 0.5, 1: 0.7, 2: 0.8}
    # by later code, which has more settings
    later = result(3, 0.4, settings={"epochs": 1, "crop": None, "crops": 1})
    assert batch("later", later) == {0: 0.5, 1: 0.7, 2: 0.8, 3: 0.4}
    # of another split: the old ones do not belong to it
    assert batch("third", result(5, 0.9, split={"hash": "b"})) == {5: 0.9}
    batch("fourth", result(0, 0.5, changed=["epochs"]), result(5, 0.9, split={"hash": "b"}))
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        *("article_unet-as-written-rendered-changed.json",),
        *("article_unet-as-written-rendered-changed.png",),
        *("article_unet-as-written-rendered.json", "article_unet-as-written-rendered.png"),
    ]
    batch("small", result(0, 0.5, changed=["filters", "epochs"]))  # beside the other
    assert (tmp_path / "results/article_unet-as-written-rendered-small.json").exists()
    batch("fifth", result(0, 0.5, data="Carvana"))  # photographs are not ours to publish
    assert (tmp_path / "results/article_unet-as-written-carvana.json").exists()
    assert not (tmp_path / "results/article_unet-as-written-carvana.png").exists()


def test_records_keep_their_seeds_under_today_s_settings():
    """A setting that is renamed or new must not make old seeds another kind: they would be lost."""
    old, new = (result(0, 0.5, settings={"split_by": by}) for by in ("car", "group"))
    assert publish.kind(old) == publish.kind(new)
    for record in publish.records():
        recipe = protocol.get(record["recipe"], record["variant"])
        settings = publish.kind(record)[0]
        assert settings.keys() == vars(recipe).keys() - set(FIXED)
        for name in settings.keys() - set(record["changed"]):
            value = getattr(recipe, name)
            value = json.loads(json.dumps(getattr(value, "__name__", value)))
            assert settings[name] == value, (publish.slug(record), name)


@pytest.mark.parametrize(
    "other",
    [
        *(result(0, 0.7), result(1, 0.7, precision="x"), result(1, 0.7, settings={})),
        result(1, 0.7, classes=["background", "pet", "border"]),
    ],
)
def test_unlike_results_make_no_record(other):
    with pytest.raises(ValueError, match="article_unet-as-written-rendered: results of several"):
        publish.merged([result(0, 0.5), other], None)


def anchors(text):
    """The headings of a document, as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", TEXTS[name])
    assert len(links) >= 2
    for place, heading in links:
        path = (ROOT / name).parent / place if place else ROOT / name
        assert path.exists(), place
        if heading:
            assert heading in anchors(path.read_text(encoding="utf-8")), (place, heading)


def test_badges_have_the_address():
    """`notebooks/refresh.py` sets it there: the badges stay on one line of the README."""
    from unet_tf import REPOSITORY

    badges = README.splitlines()[2]
    assert badges.count(f"github.com/{REPOSITORY}/blob") == 1  # Kaggle's
    assert badges.count(f"github/{REPOSITORY}/blob") == 1  # Colab's


def blocks(text):
    """The lines of the code blocks without a language, their comments cut off."""
    inside = "\n".join(re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    return [line.split(" #")[0].strip() for line in inside.splitlines()]


def commands(command_line):
    """The subcommands of the command line, by name."""
    (found,) = (a for a in command_line._actions if isinstance(a, argparse._SubParsersAction))
    return found.choices


@pytest.mark.parametrize("name", TEXTS)
def test_commands_exist(name):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    ours = [line for line in blocks(TEXTS[name]) if " -m unet_tf " in line]
    assert ours or name not in ("README.md", "results/README.md")
    for line in ours:
        parser().parse_args(shlex.split(line.split(" -m unet_tf ")[1]))  # SystemExit if unknown
    for command in re.findall(r"python -m unet_tf ([a-z]+)", TEXTS[name]):
        assert command in commands(parser())
    for script in re.findall(
        r"python ((?:experiments|benchmarks|notebooks)/\S+?\.py)", TEXTS[name]
    ):
        assert (ROOT / script).exists(), script
    for target in re.findall(r"(?:^|`)make ([a-z-]+)\b", TEXTS[name], re.MULTILINE):
        assert target in targets, target


@pytest.mark.parametrize("name", ("README.md", "results/README.md"))
def test_options_named_in_prose_exist(name):
    known = {option for one in commands(parser()).values() for option in one._option_string_actions}
    prose = re.sub(r"^```.*?^```$", "", TEXTS[name], flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"(?<=[` ])--[a-z][a-z-]*", prose))
    assert len(named) >= 6
    assert named <= known


def test_settings_named_in_the_documents_exist():
    """Of `--set NAME=VALUE`: a recipe takes each name."""
    every = [protocol.get(name) for name in protocol.NAMES]
    named = set()
    for text in TEXTS.values():
        for run in re.findall(r"--set((?: [a-z_.]+=[\w,.-]+)+)", text):
            named |= {setting.split("=")[0].split(".")[0] for setting in run.split()}
    assert named >= {"crop", "crops", "augment"}
    assert all(hasattr(recipe, name) for recipe in every for name in named)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    """On a model that calls red pixels car, and photographs of two sizes whose left half is red."""
    import keras
    import numpy as np
    from PIL import Image

    from unet_tf.data import Card, Labels

    monkeypatch.chdir(tmp_path)
    Path("runs/mine").mkdir(parents=True)
    Path("photos").mkdir()
    inputs = keras.Input((16, 24, 3))
    red = keras.layers.Conv2D(1, 1, activation="sigmoid", name="red")
    model = keras.Model(inputs, red(inputs))
    red.set_weights([np.reshape([20.0, 0, 0], (1, 1, 3, 1)), np.array([-10.0])])
    model.save("runs/mine/best.keras")
    Card(Labels.foreground("car"), (16, 24)).write("runs/mine/best.keras")
    sizes = {"a": (32, 48), "b": (80, 72)}
    for name, (height, width) in sizes.items():
        photo = np.zeros((height, width, 3), "uint8")
        photo[:, : width // 2, 0] = 255
        Image.fromarray(photo).save(f"photos/{name}.png")

    (snippet,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    exec(compile(snippet, "README.md", "exec"), {})

    for name, (height, width) in sizes.items():
        mask = np.asarray(Image.open(f"{name}_mask.png"))
        truth = np.zeros((height, width), "uint8")
        truth[:, : width // 2] = 255
        assert (mask == truth).all()


def names_in(path):
    """What a file defines: functions, classes, constants, and methods as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = (own for own in node.body if isinstance(own, ast.FunctionDef))
            found |= {f"{node.name}.{own.name}" for own in inside}
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_the_walks_can_be_followed():
    """Every file and every `file.py: function` that CONTRIBUTING.md names is there."""
    named = re.findall(r"`((?:unet_tf|experiments|tests)/[\w/]+\.py)(?:: ([\w.]+))?`", CONTRIBUTING)
    assert len(named) >= 40
    missing = [f"{path}: {name}" for path, name in named if not (ROOT / path).exists()]
    missing += [
        f"{path}: {name}"
        for path, name in named
        if name and (ROOT / path).exists() and name not in names_in(ROOT / path)
    ]
    assert missing == []
    walks = CONTRIBUTING.split("## Walk ")[1:]
    assert len(walks) == 3
    for walk in walks:
        steps = re.findall(r"^\d+\. .*$", walk, re.MULTILINE)
        assert len(steps) >= 6
        assert all(".py: " in step or "`scored` writes" in step for step in steps)


def test_contributing_has_every_room():
    rooms = re.findall(r"^- \d · \*\*(\w+)\*\*: .+\.", CONTRIBUTING, re.MULTILINE)
    package = ROOT / "unet_tf"
    parts = {path.parent.name for path in package.glob("*/__init__.py")}
    parts |= {path.stem for path in package.glob("[!_]*.py")}
    assert sorted(rooms) == sorted(parts)
