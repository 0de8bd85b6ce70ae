"""The Massachusetts Buildings data set.

151 aerial images of Boston, 1500x1500 pixels, with masks (Volodymyr Mnih's thesis, 2013), as
`label_class_dict.csv` (`name,r,g,b`), `metadata.csv` and, in `tiff/` and again in `png/`,
`train`, `val`, `test`, each with its `_labels`. Source: `PAGE` (an account is needed). The owner in
`DATASET` is the one that others' repositories name; it was not checked on Kaggle's site.
"""

from pathlib import Path

from unet_tf.files import write_text
from unet_tf.kaggle.client import fetch
from unet_tf.kaggle.source import Source
from unet_tf.kaggle.zips import extract

DATASET = "balraj98/massachusetts-buildings-dataset"
ZIP = f"{DATASET.split('/')[1]}.zip"  # the client's name for it; a browser may choose another
TABLE, FORMATS = "label_class_dict.csv", ("tiff", "png")
ELSEWHERE = (
    "find it on https://www.kaggle.com/datasets?search=massachusetts+buildings, put its owner and "
    "name into DATASET in unet_tf/kaggle/massachusetts.py, then run this again"
)


def _sizes(api):
    """`{ZIP: bytes}` of all files together: what is in the zip, and a little more than the zip."""
    total, token = 0, None
    while token != "":
        listed = api.dataset_list_files(DATASET, page_token=token, page_size=200)
        total += sum(file.total_bytes or 0 for file in listed.files)
        token = listed.next_page_token or ""
    return {ZIP: total} if total else {}


def holds(folder):
    """Whether `folder` is this data set: a class table with buildings, beside `tiff` or `png`.

    The Massachusetts Roads data set has the same layout, and the class `road`.
    """
    table = folder / TABLE
    if not (table.is_file() and any((folder / name).is_dir() for name in FORMATS)):
        return False
    return "building" in table.read_text(errors="replace").lower()


BUILDINGS = Source(
    kind="data set",
    name=DATASET,
    page=f"https://www.kaggle.com/datasets/{DATASET}",
    sizes=_sizes,
    get=lambda api, _, folder: api.dataset_download_files(
        DATASET, path=folder, quiet=False, unzip=False
    ),
    holds=holds,
    sentences={
        403: f"{{name}}: Kaggle refuses it (403): the data set {DATASET} is private, was withdrawn "
        "or has another name: open {page} with the same account; if it does not open, "
        f"{ELSEWHERE}.",
        404: f"{{name}}: Kaggle has no data set {DATASET} (404): {ELSEWHERE}.",
        "changed": f"{{name}} has no {TABLE} with a class `building` beside {' or '.join(FORMATS)}"
        f": delete it; if it is not this data set that {{page}} shows, {ELSEWHERE}.",
    },
)


def download_buildings(folder="data/massachusetts-buildings"):
    """Download the data set and extract it into `folder`; files there already are kept.

    For a while the zip and what is in it are on the disk together (each under 2 GB, others
    report); then the zip is deleted, also one that you put there under the name `ZIP`.

    `folder` and its `.partial` are as in `unet_tf.kaggle.download`. Returns the Path of `folder`,
    which now holds `label_class_dict.csv`, `tiff/train/...` and so on.

    Raises
    ------
    KaggleError
        As `download` and `extract` do; also for a data set that is not there or not open to you,
        and for a zip of another data set.
    """
    folder = Path(folder)
    whole = folder / f".{Path(ZIP).stem}-extracted"
    if whole.is_file() and holds(folder):
        print(f"{folder}: there already")
        return folder
    (archive,) = fetch(BUILDINGS, [ZIP], folder, unpacked=2)
    extract(archive, folder, inside="", origin=BUILDINGS.data)
    if not holds(folder):
        raise BUILDINGS.error("changed", name=ZIP)
    write_text(whole, f"{archive.stat().st_size}\n")
    archive.unlink()  # Kaggle's 20 GB are soon full
    return folder
