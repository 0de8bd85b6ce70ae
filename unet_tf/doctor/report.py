"""A folder's doctor: what would stop or spoil a training, each finding with its remedy.

One pass decodes every file and keeps a few facts of each pair (`facts_of`); all findings come from
these facts (`unet_tf.doctor`).
"""

import os
import textwrap
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from unet_tf import data, rendered
from unet_tf.data import VOID, Labels, as_keys
from unet_tf.doctor import mask_findings as of_labels
from unet_tf.doctor.facts import facts_of
from unet_tf.doctor.findings import (
    LEVELS,
    by,
    first,
    of_groups,
    of_images,
    of_names,
    of_regions,
    of_unreadable,
    of_unused,
    value_range_of,
)
from unet_tf.doctor.pictures import first_pairs
from unet_tf.files import atomically


def check(folder, classes=None, patterns=None, region=None):
    """Look at every file of a folder of images and masks.

    Parameters
    ----------
    folder : path, as in `unet_tf.data.pair`
    classes : sequence of str, optional
        Their names by id. None: the folder's table, else what the masks hold.
    patterns : (str, str), optional
        Of image files and of mask files, as in `unet_tf.data.pair`.
    region : str, optional
        Of the files that say which pixels count, as in `unet_tf.data.reader`.

    Returns
    -------
    Report

    Raises
    ------
    UserError
        No images and masks in this folder, a class table that cannot be read, an image without a
        region.
    """
    folder = Path(folder).expanduser()
    counts, pairs, findings, regions = listed(folder, patterns, region)
    classes = data.table_of(folder, classes) or (Labels(tuple(classes)) if classes else None)
    # Threads do: Pillow lets go of Python's lock while it decodes.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        looks = pool.map(lambda job: facts_of(*job), pairs)
        facts = list(tqdm(looks, total=len(pairs), desc="checking", unit=" pairs", disable=None))

    clean, blurred = of_labels.sharp_and_blurred(facts, classes)
    if classes:
        grey = [f.mask for f in clean if f.mask.values.ndim == 1 and f.mask.palette is None]
        classes = data.with_greys(classes, [mask.values.tolist() for mask in grey])
    findings += [*of_unreadable(facts), *of_images(facts), *of_groups(facts)]
    findings += of_regions(facts, regions)
    findings += of_labels.of_masks(clean, blurred, classes)
    taken, more = of_labels.classes_of(clean, classes)
    pixels, strangers = of_labels.pixels_of(clean, taken, counts)
    findings += more
    if taken:
        findings += of_labels.of_classes(clean, taken, pixels, strangers, classes)
    findings = [finding for finding in findings if finding.cases]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return Report(folder, counts, facts, taken, pixels, findings)


def listed(folder, patterns, region=None):
    """What lies there, by name: ({part: (images, masks, pairs)}, [(part, Pair)], findings,
    {mask file: region file})."""
    place, parts = data.part_folders(folder, patterns)
    lists = {part: data.listing(place, source) for part, source in parts.items()}
    counts, pairs, findings = {}, [], []
    for part, found in lists.items():
        findings += of_names(found, parts[part], place)
        pairs += [(part, pair) for pair in found.pairs]
        counts[part] = tuple(map(len, (found.images, found.masks, found.pairs)))
    regions = data.regions_of([pair for _, pair in pairs], folder, region) if region else {}
    unused = data.unused(folder, lists.values(), parts.values(), regions.values())
    return counts, pairs, [of_unused(unused), *findings], regions


class Report(NamedTuple):
    """What `check` found.

    `classes` are those of the masks, None where they cannot be told; `pixels` holds for each part
    the pixels of each class id, int64 `(256,)`, with void at `VOID`.
    """

    folder: Path
    counts: dict  # {part: (images, masks, pairs)}
    facts: list
    classes: Labels | None
    pixels: dict
    findings: list

    @property
    def status(self):
        """The exit status of the command: 1 when there is an error, else 0."""
        return int(any(finding.level == "error" for finding in self.findings))

    @property
    def value_range(self):
        """The (low, high) that its images of more than 8 bits want to be read by, or None."""
        return value_range_of(self.facts)

    def whole_pairs(self):
        """`{part: [Pair]}` of what can be trained on: both files whole, and of one size."""
        whole = {part: [] for part in self.counts}
        for fact in self.facts:
            if fact.whole:
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
            own, palette = as_keys(mask.values), mask.palette
            return set(own if palette is None else zip(own, as_keys(palette), strict=True))

        masks = [values(fact.mask) for fact in self.facts if fact.mask]
        plain = all(any(mask <= kind for kind in kinds) for mask in masks)
        return bool(masks) and plain and data.table_of(self.folder) is None

    def text(self):
        """The report to read: verdict, tables of counts, findings with their remedies."""
        levels = Counter(finding.level for finding in self.findings)  # sorted, the worst first
        tally = [f"{count} {level}{'s' * (count > 1)}" for level, count in levels.items()]
        note = " (rendered, no photographs)" if rendered.is_rendered(self.folder) else ""
        verdict = "not ready for training" if self.status else "ready for training"
        lines = [f"{self.folder}{note}: {verdict}; {', '.join(tally) or 'nothing to note'}", ""]
        rows = [(part, *count) for part, count in self.counts.items()]
        lines += [*aligned([("part", "images", "masks", "pairs"), *rows]), ""]
        photos = [fact.photo for fact in self.facts if fact.photo]
        kinds = {"image sizes (height x width)": [by(photo.size) for photo in photos]}
        kinds["modes of images"] = [photo.mode for photo in photos]
        kinds["modes of masks"] = [fact.mask.mode for fact in self.facts if fact.mask]
        for what, cases in kinds.items():
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
        coloured, palette = bool(self.classes.colours), data.palette_of(self.classes)
        rows = [("id", "class", *["r,g,b"] * coloured, *self.pixels)]
        for label, name in [*enumerate(self.classes.names), (VOID, "void")]:
            shares = [counts[label] / max(1, counts.sum()) for counts in self.pixels.values()]
            if label != VOID or any(shares):
                colour = [",".join(map(str, palette[label]))] * coloured
                rows.append((label, name, *colour, *(f"{share:.2%}" for share in shares)))
        return rows

    def picture(self, path):
        """Write a picture of the first pairs: image, mask in the colours of its classes, both."""
        whole = [fact.pair for fact in self.facts if fact.photo and fact.mask]
        with atomically(Path(path)) as partial:
            first_pairs(whole[:4], self.classes, self.value_range).savefig(partial)


def aligned(rows):
    """Lines of a table, its columns one below the other."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def wrapped(text, indent):
    whole = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(text, 100, subsequent_indent=indent, **whole)
