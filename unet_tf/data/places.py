"""Where the data are: the argument, `$UNET_DATA`, Kaggle, Colab, `./data`; else rendered."""

import os
from pathlib import Path

from unet_tf import kaggle, rendered
from unet_tf.data.choice import part_folders
from unet_tf.data.pairs import given, layout


def find(data=None, kind="cars"):
    """The folder to work on; prints one line that says which data it is.

    Looks in the argument, `$UNET_DATA`, Kaggle's `/kaggle/input`, Colab's `/content`, `./data`,
    and last renders the embedded data of that kind.

    Parameters
    ----------
    data : path, optional
    kind : "cars", "town" or "parts"
        Black and white masks of cars, as Carvana's; aerial images of buildings, as Massachusetts
        Buildings; the parts of cars, many classes. It decides where to look, and what to render.

    Returns
    -------
    Path
        A folder that `part_folders` can read.

    Raises
    ------
    UserError
        When the argument or, for cars, `$UNET_DATA` names a folder without images and masks.
    """
    asked = data or (kind == "cars" and os.environ.get("UNET_DATA"))
    if asked:
        folder = Path(asked).expanduser()
        part_folders(folder)  # raises where nothing is in it
    else:
        folder = next(found_by_itself(kind), None) or rendered.write(kind)
    what = RENDERED[kind] if rendered.is_rendered(folder) else folder
    print(f"Data: {what}")
    return folder


RENDERED = {
    "cars": "the rendered car studio, no photographs",
    "town": "the rendered town, no photographs",
    "parts": "the parts of rendered cars, no photographs",
}


def found_by_itself(kind):
    """Folders of that kind in the usual places, the likeliest first."""
    content, local = Path("/content"), Path("data")
    if kind == "cars":
        folders = (content / "data", local, Path("..") / local)  # the last from notebooks/
        pairs = [place for folder in folders for place in (folder, folder / "carvana")]
        places = (kaggle.mounted(kaggle.CARVANA), content, *pairs)
        yield from (place for place in places if place and layout(place))
    if kind == "town":
        name = local / "massachusetts-buildings"
        places = (kaggle.mounted(kaggle.BUILDINGS), content / name, name, Path("..") / name)
        yield from (place for place in places if place and given(place))
