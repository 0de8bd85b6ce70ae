"""The README says what the results say, and its links lead somewhere."""

import importlib.util
import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

spec = importlib.util.spec_from_file_location("publish", ROOT / "experiments" / "publish.py")
publish = importlib.util.module_from_spec(spec)
spec.loader.exec_module(publish)


def test_the_table_is_made_from_the_results():
    assert publish.with_table(README) == README
    assert len(publish.records()) >= 2


def test_a_stale_table_would_be_noticed():
    dice = f"{publish.records()[0]['dice']:.4f}"
    stale = README.replace(dice, "0.9999")
    assert stale != README
    assert publish.with_table(stale) == README


def test_rendered_scores_are_called_rendered():
    """Every record says in its line of the table what data it is of."""
    for record in publish.records():
        (line,) = [
            line
            for line in README.splitlines()
            if line.startswith(f"| {record['recipe']}, {record['variant']}")
        ]
        assert f"| {record['data']}, " in line


def test_records_tell_how_they_came_about():
    for record in publish.records():
        assert {"seed", "split", "settings", "precision", "hardware", "versions"} <= set(record)
        assert "/" not in json.dumps(record["settings"])  # no path of one machine


def test_links_lead_to_files():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert len(links) > 6
    assert [link for link in links if not (ROOT / link).exists()] == []
