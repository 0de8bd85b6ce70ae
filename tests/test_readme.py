"""The README and the ledger say the same, and the README's links lead somewhere."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from unet_tf import protocol

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

spec = importlib.util.spec_from_file_location("publish", ROOT / "experiments" / "publish.py")
publish = importlib.util.module_from_spec(spec)
spec.loader.exec_module(publish)


def test_the_tables_are_made_from_the_results():
    assert publish.with_tables(README) == README
    assert len(publish.records()) >= 2
    assert len(publish.effects.records()) >= 18


@pytest.mark.parametrize("name", publish.TABLES)
def test_a_stale_table_would_be_noticed(name):
    start = README.index(f"<!-- {name}: ")
    number = re.search(r"\d\.\d{4}|\d+ \(\d+ to", README[start:])
    stale = README[: start + number.start()] + "7" + README[start + number.start() :]
    assert stale != README
    assert publish.with_tables(stale) == README


def test_rendered_scores_are_called_rendered():
    """Every record says in its line of the table what data it is of."""
    for many, text in ((False, publish.table()), (True, publish.class_table())):
        records = [record for record in publish.records() if ("classes" in record) == many]
        assert len(records) >= 4
        for record, line in zip(records, text.splitlines()[2:], strict=False):
            assert line.startswith(f"| {record['recipe']}, {record['variant']}")
            assert f"| {record['data']}, " in line
    assert "rendered" in publish.effects_table().splitlines()[0]


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


@pytest.mark.parametrize(
    "other", [result(0, 0.7), result(1, 0.7, precision="x"), result(1, 0.7, settings={})]
)
def test_unlike_results_make_no_record(other):
    with pytest.raises(ValueError, match="article_unet-as-written-rendered: results of several"):
        publish.merged([result(0, 0.5), other], None)


def test_links_lead_to_files():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert len(links) > 6
    assert [link for link in links if not (ROOT / link).exists()] == []
