"""Copy the records of a run of `reproduce` to `results/`, and its table into the README.

python -m unet_tf reproduce && python experiments/publish.py runs/reproduce
"""

import json
import shutil
import sys
from pathlib import Path

from unet_tf import recipes

ROOT = Path(__file__).parent.parent
START, END = "<!-- table: experiments/publish.py -->", "<!-- end of table -->"


def records():
    """The published summaries, in the recipes' order."""
    paths = [ROOT / "results" / f"{recipe.slug}.json" for recipe in recipes.RECIPES]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def with_table(readme):
    """The README's text with the table of `records()` between its markers."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{recipes.table(records())}\n{END}{after}"


def main():
    run = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/reproduce")
    for path in run.glob("article_*.json"):
        shutil.copy(path, ROOT / "results" / path.name)
        picture = run / path.stem / "seed0" / "picture.png"
        shutil.copy(picture, ROOT / "results" / f"{path.stem}.png")
    recipes.write_atomically(ROOT / "README.md", with_table((ROOT / "README.md").read_text()))


if __name__ == "__main__":
    main()
