"""Clean black and white masks, made of soft, saved-as-JPEG or numbered ones."""

from pathlib import Path

from PIL import Image
from tqdm import tqdm

from unet_tf import data
from unet_tf.files import UserError, atomically


def write_masks(report, to, foreground="half"):
    """Write each mask of a checked folder as a PNG of 0 and 255; the originals stay.

    Parameters
    ----------
    report : unet_tf.doctor.Report
    to : path of a folder; a mask `masks/a.jpg` becomes `to/a.png`, of given parts `to/train/a.png`
    foreground : "half" or "any"
        White is what is at least half of the way from the darkest to the brightest value of all
        masks; or whatever is not 0: cells that are numbered, or classes that are one.

    Returns
    -------
    list of path, of what was written

    Raises
    ------
    UserError
        The folder holds masks already, among them perhaps the originals; two would have one name.
    """
    to, pairs = Path(to), [(fact.part, fact.pair.mask) for fact in report.facts if fact.mask]
    named = {}
    for part, mask in pairs:
        target = to / ("" if part == "all" else part) / f"{mask.stem}.png"
        if target in named:
            raise UserError(f"{named[target]} and {mask} would both be {target}: rename one")
        if target.exists():
            raise UserError(
                f"{target} is there already: give a new folder, so that nothing is lost"
            )
        named[target] = mask
    high = max((brightest(mask) for mask in named.values()), default=0)
    for target, mask in tqdm(named.items(), desc="writing", unit=" masks", disable=None):
        values = one_channel(mask)
        white = values > 0 if foreground == "any" else values * 2 >= max(high, 1)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomically(target) as partial:
            Image.fromarray(255 * white.astype("uint8")).save(partial)
    return list(named)


def one_channel(mask):
    """The values of a mask, `(H, W)`: of colours the brightest channel."""
    values = data.values_of(mask)
    return values.max(axis=2) if values.ndim == 3 else values


def brightest(mask):
    return int(one_channel(mask).max(initial=0))
