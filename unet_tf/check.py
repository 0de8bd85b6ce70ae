"""A folder's doctor: what would stop or spoil a training, each finding with its remedy.

One pass decodes every file and keeps a few facts of each pair (`facts_of`); all findings come from
these facts (`unet_tf.findings`).
"""

import hashlib
import os
import textwrap
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from unet_tf import classes as tables
from unet_tf import data, pipeline, plot, toy
from unet_tf.classes import VOID, Classes
from unet_tf.files import atomically
from unet_tf.findings import (
    LEVELS,
    by,
    classes_of,
    first,
    keys,
    of_classes,
    of_groups,
    of_images,
    of_masks,
    of_names,
    pixels_of,
    short,
)

KEPT = 256  # values of one mask: more are no classes
ORIENTATION = 0x0112  # EXIF


class Photo(NamedTuple):
    """What is kept of an image."""

    size: tuple  # (height, width)
    mode: str  # Pillow's
    digest: bytes
    mean: float  # brightness, 0 to 255
    constant: bool
    turned: bool
    alpha: bool


class Mask(NamedTuple):
    """What is kept of a mask; `values` are as in `classes.values_of`, `KEPT` of them at most."""

    size: tuple
    mode: str
    jpeg: bool
    values: np.ndarray  # (n,), or (n, 3) for RGB
    counts: np.ndarray  # (n,), pixels
    distinct: int  # values in all
    palette: np.ndarray | None  # (n, 3): the colours of the values in the file's own palette


class Facts(NamedTuple):
    """A pair and what was found; for a file that cannot be read None, and a fault in words."""

    part: str
    pair: data.Pair
    photo: Photo | None
    mask: Mask | None
    faults: list


def photo_of(path):
    """The `Photo` of an image file, wholly decoded."""
    data.size_of(path)  # finds truncated files that Pillow decodes all the same
    image = pipeline.open_image(path)
    if image.mode.startswith("I"):
        levels = np.asarray(image, "int64") // 257  # as `pipeline.read_image` has them
        mean, constant = float(levels.mean()), bool(levels.min() == levels.max())
    else:
        histogram = np.array(image.convert("L").histogram())
        mean = float(histogram @ np.arange(256) / histogram.sum())
        constant = np.count_nonzero(histogram) == 1
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    turned = image.getexif().get(ORIENTATION, 1) != 1
    alpha = "A" in image.mode.upper() or "transparency" in image.info
    return Photo(image.size[::-1], image.mode, digest, mean, constant, turned, alpha)


def mask_of(path):
    """The `Mask` of a mask file, wholly decoded."""
    data.size_of(path)
    image = pipeline.open_image(path)
    values, counts = counted(image)
    palette = None
    if image.mode == "P":
        own = np.array(image.getpalette("RGB"), "uint8").reshape(-1, 3)
        palette = np.zeros((256, 3), "uint8")
        palette[: len(own)] = own
        palette = palette[values]
    jpeg, size = image.format in ("JPEG", "MPO"), image.size[::-1]
    return Mask(size, image.mode, jpeg, values[:KEPT], counts[:KEPT], len(values), palette)


def counted(image):
    """(values, counts): what `classes.values_of` has for a decoded mask, and in how many pixels."""
    if image.mode in ("LA", "La", "PA"):
        image = image.getchannel(0)
    if image.mode in ("L", "P"):  # in a twentieth of np.unique's time
        counts = np.array(image.histogram())
        return np.flatnonzero(counts), counts[counts > 0]
    if image.mode == "1" or image.mode.startswith("I"):
        return np.unique(tables.values_in(image), return_counts=True)
    found = image.convert("RGB").getcolors(image.width * image.height)
    return np.array([colour for _, colour in found]), np.array([count for count, _ in found])


def facts_of(part, pair):
    """The `Facts` of one pair."""
    seen, faults = [], []
    for look, path in zip((photo_of, mask_of), pair, strict=True):
        try:
            seen.append(look(path))
        except ValueError as error:
            seen.append(None)
            reason = str(error).partition(f"{path.name}: ")[2].partition(". Replace")[0]
            faults.append(f"{short(path)}: {reason}")
    return Facts(part, pair, *seen, faults)


def check(folder, classes=None):
    """Look at every file of a folder of images and masks.

    Parameters
    ----------
    folder : path
        In one of `data.LAYOUTS`, or with given parts (`data.given`).
    classes : Classes, sequence of str, or None
        The classes, or their names by id. None: the folder's table, else what the masks hold.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        No images and masks in this folder, or a class table that cannot be read.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder. Give one that is there.")
    parts, findings, pairs, counts = parts_of(folder), [], [], {}
    if not isinstance(classes, Classes):
        table = tables.agreed_table(folder, classes)
        classes = table or (None if classes is None else Classes(tuple(classes)))
    for part, *places in parts:
        problems = defaultdict(list)
        there = [place for place in places if place.is_dir()]
        images, masks = (
            data.files_by_stem(place, problems) if place in there else {} for place in places
        )
        findings += of_names(images, masks, problems["the same name twice"], there, places)
        own = [data.Pair(images[stem], masks[stem]) for stem in images if stem in masks]
        pairs += [(part, pair) for pair in own]
        counts[part] = (len(images), len(masks), len(own))
    # Threads do: Pillow lets go of Python's lock while it decodes.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        looks = pool.map(lambda job: facts_of(*job), pairs)
        facts = list(tqdm(looks, total=len(pairs), desc="checking", unit=" pairs", disable=None))

    limit = max(tables.MOST, len(classes.names) if classes else 0) + 1  # and void
    masks = [fact for fact in facts if fact.mask]
    clean = [fact for fact in masks if fact.mask.distinct <= limit and not fact.mask.jpeg]
    blurred = [fact for fact in masks if fact.mask.distinct > limit or fact.mask.jpeg]
    if classes:
        grey = [f.mask for f in clean if f.mask.values.ndim == 1 and f.mask.palette is None]
        classes = tables.with_greys(classes, [mask.values.tolist() for mask in grey])
    findings += [*of_images(facts), *of_groups(facts), *of_masks(clean, blurred, classes)]
    taken, more = classes_of(clean, classes)
    pixels, strangers = pixels_of(clean, taken, counts)
    findings += [*more, *of_classes(clean, taken, pixels, strangers, classes)]
    findings = [finding for finding in findings if finding.cases]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return Report(folder, counts, facts, taken, pixels, findings)


def parts_of(folder):
    """`[(part, folder of images, folder of masks)]`; without given parts it is one, "all"."""
    place = data.given(folder)
    if place is not None:
        there = [part for part in data.GIVEN if (place / f"{part}_labels").is_dir()]
        return [(part, place / part, place / f"{part}_labels") for part in there]
    names = data.layout(folder)
    if names is None:
        raise data.without_pairs(folder)
    return [("all", *(data.unzipped(folder, name) for name in names))]


class Report(NamedTuple):
    """What `check` found.

    `classes` are those of the masks, None where they cannot be told; `pixels` holds for each part
    the pixels of each class id, int64 `(256,)`, with void at `VOID`.
    """

    folder: Path
    counts: dict  # {part: (images, masks, pairs)}
    facts: list
    classes: Classes | None
    pixels: dict
    findings: list

    @property
    def status(self):
        """The exit status of the command: 1 when there is an error, else 0."""
        return int(any(finding.level == "error" for finding in self.findings))

    def whole_pairs(self):
        """`{part: [Pair]}` of what can be trained on: both files whole, and of one size."""
        whole = {part: [] for part in self.counts}
        for fact in self.facts:
            if fact.photo and fact.mask and fact.photo.size == fact.mask.size:
                whole[fact.part].append(fact.pair)
        return whole

    def left_out(self):
        """The files that are not in `whole_pairs`, as far as they are images or masks."""
        return [case for finding in self.findings if finding.cured for case in finding.cases]

    def without_cured(self):
        """The report without what leaving files out cures."""
        return self._replace(findings=[one for one in self.findings if not one.cured])

    def black_and_white(self):
        """Are all masks black and one white, without a class table? A palette must show 0 black."""
        black, white = (0, 0, 0), (255, 255, 255)
        kinds = [{0, 1}, {0, 255}, {black, white}]
        kinds += [{(0, black), (label, white)} for label in (1, 255)]

        def values(mask):
            found = keys(mask.values)
            return set(
                found if mask.palette is None else zip(found, keys(mask.palette), strict=True)
            )

        masks = [values(fact.mask) for fact in self.facts if fact.mask]
        plain = all(any(mask <= kind for kind in kinds) for mask in masks)
        return bool(masks) and plain and tables.table_of(self.folder) is None

    def text(self):
        """The report to read: verdict, tables of counts, findings with their remedies."""
        levels = Counter(finding.level for finding in self.findings)
        tally = [
            f"{levels[name]} {name}{'s' * (levels[name] > 1)}" for name in LEVELS if levels[name]
        ]
        rendered = " (rendered, no photographs)" if toy.is_rendered(self.folder) else ""
        verdict = "not ready for training" if self.status else "ready for training"
        lines = [f"{self.folder}{rendered}: {verdict}; {', '.join(tally) or 'nothing to note'}", ""]
        rows = [(part, *count) for part, count in self.counts.items()]
        lines += [*aligned([("part", "images", "masks", "pairs"), *rows]), ""]
        photos = [fact.photo for fact in self.facts if fact.photo]
        masks = [fact.mask for fact in self.facts if fact.mask]
        for what, cases in (
            ("image sizes (height x width)", [by(photo.size) for photo in photos]),
            ("modes of images", [photo.mode for photo in photos]),
            ("modes of masks", [mask.mode for mask in masks]),
        ):
            counts = [f"{case}: {count}" for case, count in Counter(cases).most_common()]
            lines.append(f"{what}: {first(counts)}")
        if self.classes:
            lines += ["", *aligned(self.class_rows())]
        for number, (level, what, cases, remedy, _) in enumerate(self.findings, start=1):
            count = f" ({len(cases)})" if len(cases) > 1 else ""
            lines += ["", *wrapped(f"{number}. {level}: {what}{count}: {first(cases)}", "   ")]
            lines += wrapped(f"   -> {remedy}", "      ")
        return "\n".join(lines)

    def class_rows(self):
        """Rows of the classes: id, name, colour, share of the pixels in each part."""
        coloured, palette = bool(self.classes.colours), tables.palette_of(self.classes)
        rows = [("id", "class", *["r,g,b"] * coloured, *self.pixels)]
        for label, name in [*enumerate(self.classes.names), (VOID, "void")]:
            shares = [counts[label] / max(1, counts.sum()) for counts in self.pixels.values()]
            if label != VOID or any(shares):
                colour = [",".join(map(str, palette[label]))] * coloured
                rows.append((label, name, *colour, *(f"{share:.2%}" for share in shares)))
        return rows

    def picture(self, path):
        """Write a picture of the first pairs: image, mask in the colours of its classes, both."""
        figure = first_pairs([f.pair for f in self.facts if f.photo and f.mask][:4], self.classes)
        with atomically(Path(path)) as partial:
            figure.savefig(partial)
        plot.plt.close(figure)


def first_pairs(pairs, classes):
    """A figure with a row a pair: the image, its mask in the colours of the classes, both."""
    two = bool(classes) and len(classes.names) == 2
    palette = tables.palette_of(classes) if classes else None
    if two and not classes.colours:
        palette[1] = 255  # white on black, as masks of two classes are known
    rows = []
    for image_path, mask_path in pairs:
        image = pipeline.read_image(image_path)
        values = tables.values_of(mask_path, bool(classes and classes.greys))
        if classes:
            mask = palette[tables.ids_of(values, classes)[0]]
        else:  # as it is, stretched
            mask = np.atleast_3d(values * (255 / max(1, values.max()))).astype("uint8")
            mask = np.broadcast_to(mask, (*mask.shape[:2], 3))
        laid = pipeline.resized(np.ascontiguousarray(mask), image.shape[:2], "nearest")
        marked = laid.any(axis=-1)
        if two:
            both = plot.overlay(image, marked, marked)
        else:
            both = np.where(marked[..., None], image // 2 + laid // 2, image)
        rows.append((image, mask, both))
    height = sum(5.8 / 3 * image.shape[0] / image.shape[1] for image, _, _ in rows)
    figure, axes = plot.plt.subplots(
        len(rows) or 1,
        3,
        figsize=(5.8, (height or 1) + 0.5),
        dpi=100,
        squeeze=False,
        layout="constrained",
    )
    for row, shown, pair in zip(axes, rows, pairs, strict=False):
        for axis, pixels in zip(row, shown, strict=True):
            axis.imshow(pixels)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(textwrap.shorten(pair.image.name, 24), fontsize=6)
    for axis, head in zip(axes[0], ("image", "mask", "both"), strict=True):
        axis.set_title(head, fontsize=9)
    if classes and not two:
        for name, colour in list(zip(classes.names, palette / 255, strict=False))[:8]:
            axes[0][0].scatter([], [], color=[colour], marker="s", edgecolors="0.5", label=name)
        figure.legend(loc="outside lower center", ncols=4, fontsize=7)
    return figure


def aligned(rows):
    """Lines of a table, its columns one below the other."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def wrapped(text, indent):
    return textwrap.wrap(
        text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
