"""The teacher's page, the glossary and the site's pages: what they say of the notebooks holds."""

import re
import runpy
from pathlib import Path

import pytest
from test_notebooks import code, prose

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PAGES = sorted(NOTEBOOKS.glob("*.md"))
NUMBERED = sorted(path.name for path in NOTEBOOKS.glob("[0-9]*.ipynb"))


def rows(text):
    """The cells of the tables' rows, heads aside."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [cells for cells in lines if not cells[0].startswith("---")]


def test_reading_minutes_are_those_of_today():
    """200 words of prose and 15 lines of code a minute."""
    table = (NOTEBOOKS / "teaching.md").read_text(encoding="utf-8").partition("<!-- reading")[2]
    found = {}
    for cells in rows(table.partition("## ")[0])[1:]:
        found[re.search(r"\((.+)\)", cells[0])[1]] = int(cells[2])
    assert list(found) == NUMBERED
    for name, minutes in found.items():
        words = len(" ".join(prose(NOTEBOOKS / name)).split())
        lines = sum(len(cell.source.splitlines()) for cell in code(NOTEBOOKS / name))
        assert minutes == pytest.approx(words / 200 + lines / 15, abs=2), name


def test_five_questions_a_chapter_each_with_its_answer():
    text = (NOTEBOOKS / "questions.md").read_text(encoding="utf-8")
    chapters = re.split(r"^## ", text, flags=re.M)[1:]
    assert [chapter[:2] for chapter in chapters] == [name[:2] for name in NUMBERED]
    for chapter in chapters:
        assert re.findall(r"^(\d)\. \S.*\?$", chapter, re.M) == list("12345"), chapter[:20]
        answers = re.findall(r"<details><summary>Answer</summary>\S.*</details>", chapter)
        assert len(answers) == 5


def test_each_term_is_of_the_chapter_that_explains_it():
    terms = rows((NOTEBOOKS / "glossary.md").read_text(encoding="utf-8"))[1:]
    assert len(terms) > 50
    names = [cells[0] for cells in terms]
    assert names == sorted(names, key=str.lower)
    for term, _, link in terms:
        name = re.search(r"\((.+)\)", link)[1]
        words = " ".join(prose(NOTEBOOKS / name)).lower().split()
        assert re.search(rf"\b{re.escape(term.lower())}", " ".join(words)), (
            f"{term} is not in {name}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    for link in links:
        assert link.startswith("https://") or (NOTEBOOKS / link).exists(), link


def test_the_site_shows_every_notebook():
    listed = re.findall(r"^[\w]+$", (NOTEBOOKS / "index.md").read_text(encoding="utf-8"), re.M)
    pages = {path.stem for path in (*NOTEBOOKS.glob("*.ipynb"), *PAGES)} - {"index"}
    assert sorted(listed) == sorted(pages)


def test_the_site_shows_tables_that_cells_put_out():
    """By default myst-nb renders them as CommonMark, which has none."""
    settings = runpy.run_path(str(NOTEBOOKS.parent / "site" / "conf.py"))
    assert settings.get("nb_render_markdown_format") == "myst"
