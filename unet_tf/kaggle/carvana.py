"""The Carvana competition's files."""

from pathlib import Path

from unet_tf.kaggle.client import fetch
from unet_tf.kaggle.source import TOKENS, Source
from unet_tf.kaggle.zips import IMAGES, unpack

TEST_IMAGES = 100_064  # in test_hq.zip


COMPETITION = "carvana-image-masking-challenge"


PAGE = f"https://www.kaggle.com/c/{COMPETITION}"


RULES, DATA = f"{PAGE}/rules", f"{PAGE}/data"


FILES = ("train_hq.zip", "train_masks.zip", "test_hq.zip")


SENTENCES = {
    401: "Kaggle does not accept the credentials from {credentials} (401): create a new token at "
    f"{TOKENS}, put it there, then run this again.",
    403: "{name}: Kaggle refuses it (403) until you accept the competition's rules: open "
    f"{RULES}, accept them with the same account, then run this again.",
    404: "{name}: the competition has no such file (404): take a name from "
    "{data}, then run this again.",
    "status": "{name}: Kaggle answers with an error ({status}): wait a few minutes and run this "
    "again, or download it in the browser from {data}.",
    "broken": "{name}: the connection to Kaggle broke: check that {page} opens, then run this "
    "again: it goes on from what has arrived.",
    "damaged": "{name} arrived damaged and was deleted: run this again, or download it in the "
    "browser from {data} and put it into {folder}.",
    "full": "{name}: the disk is full: free some space (sizes: {data}), then run this again: "
    "it goes on where it stopped.",
    "small": "{name}: {need} are needed and {free} are free {where}: free some space, take fewer "
    "files (sizes: {data}) or choose another folder, then run this again.",
    "no zip": "{name}: no such file: download it from {data}, then run this again.",
    "unreadable": "{name} is damaged: delete it, download it again from {data} (or with "
    "`carvana.download`), then run this again.",
    "leaves": "{name} holds {member}, which would leave the folder, so nothing was extracted: "
    "delete the zip, download it from {data}, then run this again.",
}


def _listed(api):
    files = api.competition_list_files(COMPETITION, page_size=100).files
    return {file.name: file.total_bytes for file in files if file.total_bytes}


def _download_file(api, name, folder):
    api.competition_download_file(COMPETITION, name, path=folder, quiet=False)


SOURCE = Source("competition", COMPETITION, PAGE, DATA, _listed, _download_file, SENTENCES)


def download(files=("train_hq.zip", "train_masks.zip"), folder="data/carvana"):
    """Download files of the competition; those there already are kept.

    Parameters
    ----------
    files : sequence of str
        Names from the competition's data page: see `FILES`.
    folder : path
        Where they go. A broken download waits in its `.partial`: call again to resume it.

    Returns
    -------
    list of Path
        The whole files, in the order of `files`.

    Raises
    ------
    KaggleError
        No or wrong credentials, rules not accepted, no such file, too little disk (before
        anything is downloaded), a full disk, a broken connection, a damaged zip.
    """
    return fetch(SOURCE, [files] if isinstance(files, str) else list(files), Path(folder))


def extract(archive, folder, names=None, limit=None):
    """Extract images from a zip into `folder/<stem of the zip>`; those there already are kept.

    Parameters
    ----------
    archive : path
        Such as `train_hq.zip`.
    folder : path
        Where the folder `train_hq` goes.
    names : collection of str, optional
        Only images with these file names.
    limit : int, optional
        Only the first so many, in sorted order.

    Returns
    -------
    Path
        `folder/train_hq`. Each image in it is whole: it gets its name last.

    Raises
    ------
    KaggleError
        A damaged zip, a member that would leave the folder (then nothing is extracted), a disk
        that is or would be full (on Kaggle: 20 GB in /kaggle/working).
    ValueError
        `names` that the zip does not hold.
    """
    archive = Path(archive)
    return unpack(SOURCE, archive, Path(folder), archive.stem, IMAGES, names, limit)


def mounted(root="/kaggle/input"):
    """The folder at or below `root` that holds `train_hq.zip` or `train_hq`, or None.

    Kaggle has changed the depth over time: the search goes down four levels, one by one, and
    looks for the two names only, so that it does not read through other data's images.
    """
    for depth in range(5):
        for name in ("train_hq.zip", "train_hq"):
            for path in sorted(Path(root).glob("*/" * depth + name)):
                return path.parent
    return None
