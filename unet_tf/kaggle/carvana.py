"""The Carvana competition's files.

Source: `PAGE` (an account is needed, and its rules have to be accepted once).
"""

from pathlib import Path

from unet_tf.kaggle.client import fetch
from unet_tf.kaggle.source import Source

TEST_IMAGES = 100_064  # in test_hq.zip
COMPETITION = "carvana-image-masking-challenge"
PAGE = f"https://www.kaggle.com/c/{COMPETITION}"
RULES = f"{PAGE}/rules"


def _sizes(api):
    files = api.competition_list_files(COMPETITION, page_size=100).files
    return {file.name: file.total_bytes for file in files if file.total_bytes}


def holds(folder):
    """Whether `train_hq.zip`, or `train_hq`, lies in this folder."""
    return (folder / "train_hq.zip").is_file() or (folder / "train_hq").is_dir()


CARVANA = Source(
    kind="competition",
    name=COMPETITION,
    page=PAGE,
    sizes=_sizes,
    get=lambda api, name, folder: api.competition_download_file(
        COMPETITION, name, path=folder, quiet=False
    ),
    holds=holds,
    sentences={
        403: "{name}: Kaggle refuses it (403) until you accept the competition's rules: open "
        f"{RULES}, accept them with the same account, then run this again.",
        404: "{name}: the competition has no such file (404): take a name from {data}, then run "
        "this again.",
    },
)


def download(files=("train_hq.zip", "train_masks.zip"), folder="data/carvana"):
    """Download files of the competition; those there already are kept.

    Parameters
    ----------
    files : sequence of str
        Names from the competition's data page; `test_hq.zip` holds the images to submit.
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
    return fetch(CARVANA, [files] if isinstance(files, str) else list(files), Path(folder))
