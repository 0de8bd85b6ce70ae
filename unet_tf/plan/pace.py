"""The rules of time: what fits into the minutes that a training may take on this machine."""

import math

from unet_tf.plan.choices import Choice, by
from unet_tf.plan.rules import KEEP

STEPS = 2000  # at least so many, where the budget allows: then batches may grow
EPOCHS = 30  # at most, where images are cropped
FEW = 800  # steps of 4: with fewer, crops are halved, and whole images made smaller as masks allow
PASSES = 3  # over all images at least; where the minutes do not hold them, images are left out


def smaller(found, chosen, step, minutes):
    """Smaller whole images, or crops, where the minutes hold too few steps of large ones. `step` is
    the time of one of 8 images, in seconds."""
    steps, size, crop = 0.85 * 60 * minutes / (step / 2), chosen["image_size"], chosen["crop"]
    if steps >= FEW or min(crop or size) < (128 if crop else 64):
        return
    if crop:
        words = f"{steps:.0f} steps of {by(crop)} in {minutes:g} minutes"
        yield Choice("crop", tuple(n // 2 for n in crop), words, "more steps, of smaller crops")
        return
    for factor in (0.75, 0.5):
        less = tuple(16 * int(factor * side / 16 + 0.5) for side in size)
        kept, more = found.kept(less), steps * math.prod(size) / math.prod(less)
        if kept < KEEP:
            continue
        words = f"{steps:.0f} steps of {by(size)} in {minutes:g} minutes; at {by(less)} masks keep"
        yield Choice("image_size", less, f"{words} {kept:.3f}", "more steps, of smaller images")
        if more >= FEW:
            return


def parts_of(found, images):
    """How many images train and validate, where so many are taken."""
    train, validation = images, found.images.get("val", 0)
    if "train" not in found.images or not validation:
        validation = math.ceil(0.2 * train)
        train -= validation + (0 if found.images.get("test") else math.ceil(0.2 * train))
    return max(1, train), validation


def batch_of(budget, step, machine, train, fits):
    """The `Choice` of a step's images: as many as leave steps enough, and fit into memory."""
    sizes = [size for size in (32, 16, 8) if size <= min(machine.batch, fits)]
    # The largest with which there are steps enough; a step takes as long as its images together.
    enough = [size for size in sizes if budget * 0.85 / (step * size / 8) >= STEPS]
    batch = max(1, min([*enough, 4][0], train, fits))
    words = f"a step of {batch} takes {step * batch / 8:.2f} s"
    words += f", and {max(1, fits)} fit into memory" if fits < machine.batch else ""
    why = f"{STEPS} steps or more come before larger batches"
    return Choice("batch_size", batch, words, why)


def pace(found, chosen, machine, timed, minutes, fits=math.inf, given=()):
    """Batches, epochs and crops that fill the budget: steps are counted, not epochs.

    `chosen` is what was chosen before, {setting: value}; what is given instead of a choice is there
    before the next is made. `timed` are the seconds of a step of 8 images, and of a validation
    image; `fits` is how many images of a step fit into memory (`images_that_fit`); by `given`, what
    is given, crops are chosen for its epochs, and epochs for its crops.
    """
    budget, (step, look) = 60 * minutes, timed
    train, validation = parts_of(found, found.to_split)
    needed = PASSES * (train * step / 8 + validation * look)
    if chosen["crop"]:  # validation takes 15% of the time at most, 5 times
        needed = 5 * validation * look / 0.15
    few = max(min(50, found.to_split), int(found.to_split * budget / max(needed, budget)))
    if few < found.to_split:
        words = f"{needed / 60:.0f} minutes would be needed for all {found.to_split}"
        yield Choice("images", few, words, f"so many leave time for {PASSES} passes and more")
    else:
        yield Choice("images", None, "", "all of them")
    few = min(chosen.get("images") or few, found.to_split)
    train, validation = parts_of(found, few)
    yield (own := batch_of(budget, step, machine, train, fits))
    batch = chosen.get("batch_size", own.value)
    step *= batch / 8
    crops, by_steps, given = 1, math.inf, dict(given)
    if chosen["crop"]:
        # Validation takes 15% of the time at most.
        most = int(max(5, min(EPOCHS, 0.15 * budget / max(validation * look, 1e-9))))
        steps = max(50, int(budget * 0.85 / step))
        crops = max(1, round(steps * batch / train / given.get("epochs", most)))
        yield Choice("crops", crops, "", "crops of an image in an epoch")
        crops = given.get("crops", crops)
        by_steps = max(1, round(steps * batch / train / crops))
    by_time = max(1, round(budget / (math.ceil(train * crops / batch) * step + validation * look)))
    # Of crops that the plan chose, validation is counted already.
    epochs = by_steps if chosen["crop"] and "crops" not in given else min(by_steps, by_time)
    words = f"{train} images to train on, {minutes:g} minutes"
    steps = epochs * math.ceil(train * crops / batch)
    yield Choice("epochs", epochs, words, f"{steps} steps fill them, whatever the images are")
    epochs = chosen.get("epochs", epochs)
    yield Choice("patience", epochs, "", "the rate falls to the end, so it trains to the end")
