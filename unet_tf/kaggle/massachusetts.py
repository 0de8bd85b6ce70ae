"""The Massachusetts Buildings data set: download from Kaggle, extract, find where it is mounted.

151 aerial images of Boston, 1500x1500 pixels, with masks (Volodymyr Mnih's thesis, 2013), as
`label_class_dict.csv` (`name,r,g,b`), `metadata.csv` and, in `tiff/` and again in `png/`,
`train`, `val`, `test`, each with its `_labels`. Source: `PAGE` (an account is needed). The owner in
`DATASET` is the one that others' repositories name; it was not checked on Kaggle's site.
"""

from pathlib import Path

from unet_tf import files
from unet_tf.kaggle import carvana, client, source, zips

DATASET = "balraj98/massachusetts-buildings-dataset"


PAGE = f"https://www.kaggle.com/datasets/{DATASET}"


SEARCH = "https://www.kaggle.com/datasets?search=massachusetts+buildings"


ZIP = f"{DATASET.split('/')[1]}.zip"  # the client's name for it; a browser may choose another


TABLE, FORMATS = "label_class_dict.csv", ("tiff", "png")


EXTRACTED = {".tif", ".tiff", ".png", ".csv"}  # images are .tiff, their masks .tif


ELSEWHERE = (
    f"find it on {SEARCH}, put its owner and name into DATASET in unet_tf/massachusetts.py, then "
    "run this again"
)


SENTENCES = carvana.SENTENCES | {
    403: f"{{name}}: Kaggle refuses it (403): the data set {DATASET} is private, was withdrawn or "
    f"has another name: open {{page}} with the same account; if it does not open, {ELSEWHERE}.",
    404: f"{{name}}: Kaggle has no data set {DATASET} (404): {ELSEWHERE}.",
    "damaged": "{name} arrived damaged and was deleted: run this again, or download it in the "
    "browser from {data}, put it into {folder} as {name}, then run this again.",
    "small": "{name}: {need} are needed and {free} are free {where}: free some space or choose "
    "another folder (sizes: {data}), then run this again.",
    "unreadable": "{name} is damaged: delete it, then run this again to download it anew from "
    "{data}.",
    "changed": f"{{name}} has no {TABLE} with a class `building` beside {' or '.join(FORMATS)}: "
    f"delete it; if it is not this data set that {{page}} shows, {ELSEWHERE}.",
}


def download_buildings(folder="data/massachusetts-buildings"):
    """Download the data set and extract it into `folder`; files there already are kept.

    For a while the zip and what is in it are on the disk together (each under 2 GB, others
    report); then the zip is deleted, also one that you put there under the name `ZIP`.

    Parameters
    ----------
    folder : path
        A broken download waits in its `.partial`: call again to resume it.

    Returns
    -------
    Path
        `folder`, which now holds `label_class_dict.csv`, `tiff/train/...` and so on.

    Raises
    ------
    KaggleError
        No or wrong credentials, a data set that is not there or not open to you, too little disk
        (before anything is downloaded), a full disk, a broken connection, a damaged zip, a zip
        with a member that would leave the folder (then nothing is extracted) or of another data
        set.
    """
    folder = Path(folder)
    whole = folder / f".{Path(ZIP).stem}-extracted"
    if whole.is_file() and holds(folder):
        print(f"{folder}: there already")
        return folder
    (archive,) = client.fetch(SOURCE, [ZIP], folder, unpacked=2)
    zips.unpack(SOURCE, archive, folder, "", EXTRACTED)
    if not holds(folder):
        raise source.KaggleError(SOURCE.sentence("changed", name=ZIP))
    files.write_text(whole, f"{archive.stat().st_size}\n")
    archive.unlink()  # Kaggle's 20 GB are soon full
    return folder


def _sizes(api):
    """`{ZIP: bytes}` of all files together: what is in the zip, and a little more than the zip."""
    total, token = 0, None
    while token != "":
        listed = api.dataset_list_files(DATASET, page_token=token, page_size=200)
        total += sum(file.total_bytes or 0 for file in listed.files)
        token = listed.next_page_token or ""
    return {ZIP: total} if total else {}


def _get(api, name, folder):
    api.dataset_download_files(DATASET, path=folder, quiet=False, unzip=False)


SOURCE = source.Source("data set", DATASET, PAGE, f"{PAGE}/data", _sizes, _get, SENTENCES)


def holds(folder):
    """Whether `folder` is this data set: a class table with buildings, beside `tiff` or `png`.

    The Massachusetts Roads data set has the same layout, and the class `road`.
    """
    table = Path(folder) / TABLE
    if not (table.is_file() and any((table.parent / name).is_dir() for name in FORMATS)):
        return False
    return "building" in table.read_text(errors="replace").lower()


def mounted_buildings(root="/kaggle/input"):
    """The folder at or below `root` that holds the data set, or None.

    As `carvana.mounted` does, the search goes down four levels, one by one.
    """
    for depth in range(5):
        for table in sorted(Path(root).glob("*/" * depth + TABLE)):
            if holds(table.parent):
                return table.parent
    return None
