"""What is found of masks and of their classes, each with its remedy: from facts to findings."""

import numpy as np

from unet_tf import data
from unet_tf.data import VOID, as_keys
from unet_tf.doctor.findings import Finding, short
from unet_tf.files import UserError

RARE = 0.005  # share of the pixels: such a class hardly moves an unweighted cross-entropy
SHARP = (
    "classes need hard edges: save PNG, without anti-aliasing, resized by nearest alone; black and "
    "white ones are made hard by `check DIR --write-masks OUT`, coloured ones get the nearest "
    "colours of the folder's class table, numbered objects (cells 1, 2, 3) become one foreground "
    "by `--write-masks OUT --foreground any`"
)


def sharp_and_blurred(facts, classes):
    """The facts whose masks may hold classes, and those whose masks cannot."""
    limit = max(data.MOST_CLASSES, len(classes.names) if classes else 0) + 1  # and void
    clean, blurred = [], []
    for fact in facts:
        if fact.mask:
            soft = fact.mask.distinct > limit or fact.mask.lossy
            (blurred if soft else clean).append(fact)
    return clean, blurred


def of_masks(clean, blurred, classes):
    """Findings on masks one by one: blurred, of two kinds, all black."""
    cases = [f"{short(fact.pair.mask)} ({fact.mask.distinct} values)" for fact in blurred]
    yield Finding("error", "masks that are JPEGs, or hold too many values", cases, SHARP)
    grey = [fact for fact in clean if fact.mask.values.ndim == 1]
    coloured = [fact for fact in clean if fact.mask.values.ndim == 2]
    fewer = [f"{short(fact.pair.mask)} ({fact.mask.mode})" for fact in min(grey, coloured, key=len)]
    remedy = "save all masks in one way; grey PNGs of class ids are the safest"
    level = "warning" if classes and classes.colours else "error"
    yield Finding(level, "masks of another kind: some are RGB, others not", fewer, remedy)
    if not (classes and classes.greys):
        yield from of_white(grey, classes)
    yield from of_palettes([fact for fact in clean if fact.mask.palette is not None], classes)
    black = [fact for fact in clean if fact.mask.distinct == 1 and not fact.mask.values.any()]
    level = "warning" if 2 * len(black) > len(clean) else "note"
    remedy = "right where an image shows nothing to find; else draw them again"
    cases = [short(fact.pair.mask) for fact in black]
    yield Finding(level, "masks that are all black", cases, remedy)


def of_white(grey, classes):
    """Findings on masks of 0 and 255, which is white in some masks and void in others."""
    values = {short(fact.pair.mask): set(fact.mask.values.tolist()) for fact in grey}
    ids = [name for name, own in values.items() if own - {0, VOID}]
    # One that is all 255 is all void among ids, and all white else: both may be.
    white = [name for name, own in values.items() if own == {0, VOID}]
    meant = any(VOID in values[name] for name in ids)  # 255 as void
    if not meant:
        what = f"mixed masks: {len(white)} hold 0 and 255, {len(ids)} hold ids"
        remedy = (
            "255 is void among ids, so its pixels would not count: give all the same values; where "
            "all are black and white, by `check DIR --write-masks OUT --foreground any`"
        )
        yield Finding("error", what, min(white, ids, key=len), remedy)
    else:
        remedy = "255 is void among ids, so these show nothing but void: check that it is meant"
        yield Finding("warning", "masks of 0 and 255 alone, beside masks of ids", white, remedy)
    if classes and len(classes.names) > 2 and not ids:
        what = f"masks of 0 and 255 alone, for {len(classes.names)} classes"
        remedy = "255 is void among ids: save the ids 0, 1, 2 and so on, or name two classes"
        yield Finding("error", what, white, remedy)


def of_palettes(facts, classes):
    """Findings on masks with a palette, of which each file has its own."""
    remedy = "their indices are taken as class ids; the colours do not count"
    cases = [short(fact.pair.mask) for fact in facts]
    yield Finding("note", "masks with a palette", cases, remedy)
    table = bool(classes and classes.colours)
    usual, cases = dict(enumerate(classes.colours)) if table else {}, []
    for fact in facts:
        colours = as_keys(fact.mask.palette)
        for label, colour in zip(fact.mask.values.tolist(), colours, strict=True):
            if usual.setdefault(label, colour) != colour:
                cases.append(f"{short(fact.pair.mask)} ({label} is {colour}, not {usual[label]})")
                break
    remedy = (
        "a program that gives each file a palette of its own gives an index several meanings: "
        "where the colours are right, save the masks as RGB and write a class table"
    )
    level = "error" if table else "warning"  # against the table, two classes change their names
    yield Finding(level, "palette masks that show an index in another colour", cases, remedy)


def classes_of(clean, classes):
    """(classes, findings): the table, else what the masks hold; None where that cannot be told."""
    if not clean or (classes and classes.colours):
        return classes if clean else None, []
    if len({fact.mask.values.ndim for fact in clean}) > 1:
        return None, []  # `of_masks` says so
    holders = {}  # of each value the first mask that holds it
    for fact in clean:
        for value in as_keys(fact.mask.values):
            holders.setdefault(value, fact.pair.mask)
    values = sorted(holders)
    cases = [f"{value} in {short(holders[value])}" for value in values]
    if len(values) > data.MOST_CLASSES + 1:
        return None, [Finding("error", "values in all masks, too many for classes", cases, SHARP)]
    odd = [value for value in values if isinstance(value, int) and value >= data.MOST_CLASSES]
    odd = [value for value in odd if value != VOID]
    if odd and not classes:
        remedy = (
            f"{SHARP}. If these greys are classes, write {data.TABLES[0]}: name,r,g,b, and a "
            f"line such as class1,{odd[0]},{odd[0]},{odd[0]} for each"
        )
        cases = [f"{value} in {short(holders[value])}" for value in odd]
        return None, [Finding("error", "grey values that are no class ids", cases, remedy)]
    try:
        return data.labels_of_values(values, classes and classes.names), []
    except UserError as error:
        remedy = "give one name a class, in the order of their ids"
        return None, [Finding("error", "names that do not fit the masks", [str(error)], remedy)]


def pixels_of(clean, classes, parts):
    """({part: int64 `(256,)`, pixels by id}, {value of no class: [pixels, masks]})."""
    pixels, strangers = {part: np.zeros(256, "int64") for part in parts}, {}
    for part, (_, path), _, mask, _ in clean if classes else ():
        values = mask.values
        if classes.greys and values.ndim == 1 and mask.palette is None:
            values = np.repeat(values[:, None], 3, axis=1)
        ids, unknown = (array[0] for array in data.ids_of(values[None], classes))
        np.add.at(pixels[part], ids[~unknown], mask.counts[~unknown])
        for value, count in zip(as_keys(mask.values[unknown]), mask.counts[unknown], strict=True):
            case = strangers.setdefault(value, [0, []])
            case[0] += int(count)
            case[1].append(short(path))
    return pixels, strangers


def of_classes(clean, classes, pixels, strangers, table):
    """Findings on the classes: values of none, void, rare and absent ones, colours to name."""
    names, total = classes.names, sum(pixels.values())
    yield of_strangers(classes, strangers)
    held = total[: len(names)]
    if np.count_nonzero(held) < 2:
        cases = [name for name, count in zip(names, held, strict=True) if count] or ["none"]
        remedy = "nothing can be learned: draw what is to be found"
        yield Finding("error", "fewer than two classes occur", cases, remedy)
        return
    void = total[VOID] / total.sum()
    cases = [f"{void:.2%} of the pixels"] if void else []
    remedy = "void neither trains nor scores; where it is much, check that it is meant"
    yield Finding("warning" if void > 0.5 else "note", "void", cases, remedy)
    shares = dict(zip(names, (held / held.sum()).tolist(), strict=True))
    cases = [f"{name} {share:.2%}" for name, share in shares.items() if 0 < share < RARE]
    remedy = (
        "a model may never predict them: use class weights, or dice, or both, and judge by the "
        "scores of each class"
    )
    what = f"classes of less than {RARE:.1%} of the pixels that are not void"
    yield Finding("warning", what, cases, remedy)
    yield from of_absent(shares, pixels)
    if classes.colours and not (table and table.colours) and clean[0].mask.values.ndim == 2:
        rows = [",".join(map(str, colour)) for colour in classes.colours]
        cases = [f"{row} ({share:.2%})" for row, share in zip(rows, shares.values(), strict=True)]
        remedy = (
            f"without a table each is a class of its own. To name them write {data.TABLES[0]} "
            f"into the folder: the line name,r,g,b, then a line a class, such as road,{rows[-1]}; "
            "a class void does not count"
        )
        yield Finding("note", "colours in masks without a class table", cases, remedy)


def of_strangers(classes, strangers):
    """The finding on values that belong to no class."""
    cases = []
    for value, (count, files) in sorted(strangers.items(), key=lambda item: -item[1][0]):
        nearest = data.nearest(value, classes)
        near = f", nearest class {nearest}" if nearest else ""
        cases.append(f"{value} in {files[0]} ({count} pixels in {len(files)} masks{near})")
    last = len(classes.names) - 1
    remedy = f"ids go from 0 to {last}, void is {VOID}: name all classes, or renumber"
    if classes.colours:
        remedy = "change these pixels, or add a line to the table; many with few pixels: soft edges"
    return Finding("error", f"values of none of the {len(classes.names)} classes", cases, remedy)


def of_absent(shares, pixels):
    """Findings on classes that never occur, or not in one of the given parts."""
    cases = [name for name, share in shares.items() if not share]
    remedy = "check the masks, or the table; a class that is absent is left out of the means"
    yield Finding("warning", "classes that never occur", cases, remedy)
    remedy = "what is absent from train is not learned; from val or test, it has no score there"
    for part, counts in pixels.items():
        pairs = zip(shares.items(), counts.tolist(), strict=False)
        gone = [name for (name, share), count in pairs if share and not count]
        level = "warning" if part == "train" else "note"
        yield Finding(level, f"classes that do not occur in {part}", gone, remedy)
