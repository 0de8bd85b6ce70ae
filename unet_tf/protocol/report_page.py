"""A run as one page, `report.html`: a file without network, to be looked at in any browser."""

import base64
import html
import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from unet_tf import data, plot, scores
from unet_tf.files import write_text
from unet_tf.protocol import verdict
from unet_tf.protocol.judge import prediction_files

WIDE = 420  # pixels of a picture on the page, at most
STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-size: .9rem } td, th { text-align: left;
  padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem }
figure { margin: 0 } img { max-width: 100%; height: auto; background: white }
.gallery img { width: 100% } figcaption { font-size: .85rem; overflow-wrap: anywhere }
.bad { border-left: 4px solid #c33; padding: .5rem 1rem; white-space: pre-line }
.good { border-left: 4px solid #3a3; padding: .5rem 1rem } pre { overflow-x: auto }
.wide { overflow-x: auto }
"""


def write_page(to, result, history, pairs, labels):
    """Write `report.html` into the folder of a run, which holds its `predictions` and, where it was
    planned, its `plan.json`.

    `result` is that of `run`, `history` {name: a value for each epoch}, and `pairs` were scored.
    """
    to, found = Path(to), result["scores"]
    shown_in = pairs, to, labels, result["settings"].get("value_range")
    parts = [heading(to, result), verdict_of(result), score_table(result)]
    parts.append(curves_of(history, found, labels))
    parts.append(gallery("The worst images", found["worst"], *shown_in))
    if found["images"] > len(found["worst"]):
        parts.append(gallery("Images from the middle", found["median"], *shown_in))
    parts += [confusion_of(found, labels), plan_of(to), settings_of(result), next_of(to, result)]
    body = "\n".join(filter(None, parts))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{html.escape(to.name)}</title><style>{STYLE}</style>"
    write_text(
        to / "report.html",
        f'<!doctype html><html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n',
    )


def heading(to, result):
    """What was trained, on what, when, where."""
    images = result["split"]["images"]
    counted = ", ".join(f"{count} {part}" for part, count in images.items() if count)
    note = "<b>Rendered images, no photographs.</b> " * (result["data"] == "rendered")
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    minutes = "" if result["minutes"] is None else f", {result['minutes']:.1f} minutes"
    words = (
        f"{result['recipe']}, {result['variant']}, seed {result['seed']}, on {result['data']}: "
        f"{counted}; {result['epochs']} epochs{minutes}; {result['precision']}; "
        f"{result['hardware']}; {result['date']}; {versions}"
    )
    return f"<h1>{html.escape(to.name)}</h1><p>{note}{html.escape(words)}</p>"


def verdict_of(result):
    """Is it better than a constant prediction, and if not, why."""
    words = verdict.text(result["scores"], result["verdict"])
    if words:
        return f'<p class="bad">{html.escape(words)}</p>'
    if not result["scores"][f"{verdict.score_of(result['scores'])}_interval"]:
        words = "Higher than a prediction that looks at no image; of one group that may be chance."
        return f"<p>{words}</p>"
    return '<p class="good">Better than a prediction that looks at no image.</p>'


def score_table(result):
    """The scores, with intervals and the constant prediction's."""
    found = result["scores"]
    lines = scores.table(found, found.get("baseline_report", found["baseline"])).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if not line.startswith("| ---")]
    part = result["scored_on"]
    note = "" if part == "test" else " It chose the best epoch, so its scores are too good."
    words = f"Of the {found['images']} images of the {part} part, at their own size.{note}"
    return f"<h2>Scores</h2><p>{words}</p>{table(cells)}"


def table(rows):
    """An HTML table; the first row is its head."""
    head, *rest = [[html.escape(str(cell)) for cell in row] for row in rows]
    lines = ["".join(f"<th>{cell}</th>" for cell in head)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rest]
    return f'<div class="wide"><table><tr>{"</tr><tr>".join(lines)}</tr></table></div>'


def curves_of(history, found, labels):
    """The curves of loss and score, with the constant prediction's score as a line."""
    names = ["loss", "hard_dice" if labels.binary else "mean_iou"]
    figure = plot.curves(history, names, constant=found["baseline"])
    return f"<h2>Training</h2>{shown(figure, 'curves of loss and score by epoch')}"


def shown(figure, words):
    """A matplotlib figure as an image in the page."""
    file = io.BytesIO()
    figure.savefig(file, dpi=150)
    plt.close(figure)
    return picture(file, "png", words)


def picture(file, kind, words):
    text = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/{kind};base64,{text}" alt="{html.escape(words)}">'


def gallery(title, cases, pairs, to, labels, value_range=None):
    """Some images with what was found, missed and too much, or with the classes' outlines."""
    names, figures = data.names_of(image for image, _ in pairs), []
    files = prediction_files(to, pairs)
    by_name = dict(zip(names, zip(pairs, files, strict=True), strict=True))
    for case in cases:
        (image, mask), said_in = by_name[case["image"]]
        pixels, truth = data.read_image(image, value_range), labels.read(mask)
        said = np.asarray(Image.open(said_in))
        if labels.binary:
            seen = plot.compared(pixels, truth == 1, said > 0)
        else:
            seen = plot.outlined(pixels, said)
        small = Image.fromarray((255 * seen).astype("uint8"))
        small.thumbnail((WIDE, WIDE), Image.Resampling.BOX)
        file = io.BytesIO()
        small.save(file, "jpeg", quality=88)
        score = case.get("dice", case.get("mean_iou"))
        caption = f"{case['image']}: {score:.3f}"
        figures.append(
            f"<figure>{picture(file, 'jpeg', caption)}"
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )
    words = "Green was found, dark red missed, light blue is too much; the number is the dice."
    if not labels.binary:
        words = "Outlines of the predicted classes; the number is the mean IoU."
    return f'<h2>{title}</h2><p>{words}</p><div class="gallery">{"".join(figures)}</div>'


def confusion_of(found, labels):
    """The confusion matrix of many classes."""
    if labels.binary:
        return ""
    figure = plot.confusion(found["confusion"], labels)
    return f"<h2>Confusion</h2>{shown(figure, 'a row a class of the truth')}"


def plan_of(to):
    """The plan, where there is one."""
    if not (to / "plan.json").exists():
        return ""
    record = json.loads((to / "plan.json").read_text())
    choices = [choice for choice in record["choices"] if choice["found"] or choice["why"]]
    rows = [("setting", "value", "found", "so")]
    rows += [(name, words_of(name, value), *why) for name, value, *why in map(dict.values, choices)]
    words = f"For {record['minutes']:g} minutes. To repeat it: <code>--plan plan.json</code>"
    return f"<h2>The plan</h2><p>{words}</p>{table(rows)}"


def words_of(name, value):
    """A setting in a few words."""
    if name == "value_range" and value:
        return data.in_words(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {amount:g}" for name, amount in value.items() if amount)
    if isinstance(value, tuple | list):
        return "x".join(map(str, value))
    return str(getattr(value, "__name__", value))


def settings_of(result):
    """All settings, and those that are not the recipe's own."""
    rows = [("setting", "value", "")]
    for name, value in sorted(result["settings"].items()):
        other = "not the recipe's own" * (name in result["changed"])
        rows.append((name, words_of(name, value), other))
    return f"<h2>Settings</h2>{table(rows)}"


def next_of(to, result):
    """What to do next."""
    lines = [f"python -m unet_tf predict {to}/best.keras photos/ --to masks --overlays"]
    if result["scored_on"] == "test":
        lines.append(f"python -m unet_tf train ... --to {to} --again --minutes 30")
    return f"<h2>Next</h2><pre>{html.escape(chr(10).join(lines))}</pre>"
