"""A place on Kaggle that holds files, what is said when it gives none, and where it is mounted."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from unet_tf.files import UserError

TOKENS = "https://www.kaggle.com/settings/api"
# By the HTTP status of Kaggle's answer, or by what went wrong without one.
SENTENCES = {
    401: "Kaggle does not accept the credentials from {credentials} (401): create a new token at "
    f"{TOKENS}, put it there, then run this again.",
    "status": "{name}: Kaggle answers with an error ({status}): wait a few minutes and run this "
    "again, or download it in the browser from {data}.",
    "broken": "{name}: the connection to Kaggle broke: check that {page} opens, then run this "
    "again: it goes on from what has arrived.",
    "damaged": "{name} arrived damaged and was deleted: run this again, or download it in the "
    "browser from {data}, put it into {folder} as {name}, then run this again.",
    "full": "{name}: the disk is full: free some space (sizes: {data}), then run this again: "
    "it goes on where it stopped.",
}


class KaggleError(UserError):
    """A failure that the user can remedy: one sentence that says how, and never a token."""


class Source(NamedTuple):
    """A place on Kaggle that holds files.

    Attributes
    ----------
    kind, name, page : str
        "competition" or "data set", its name in addresses, and the address of its page.
    sizes : callable
        `sizes(api)` is `{file: bytes}`, asked of Kaggle's client.
    get : callable
        `get(api, file, folder)` downloads one file with that client.
    holds : callable
        `holds(folder)`: do these files lie in the folder?
    sentences : dict
        What is said of failures in other words than in `SENTENCES`.
    """

    kind: str
    name: str
    page: str
    sizes: Callable
    get: Callable
    holds: Callable
    sentences: dict

    @property
    def data(self):
        """The address of its list of files."""
        return f"{self.page}/data"

    def error(self, kind, **fields):
        """The `KaggleError` of a kind of failure."""
        sentence = (SENTENCES | self.sentences)[kind]
        return KaggleError(sentence.format(page=self.page, data=self.data, **fields))


def mounted(source, root="/kaggle/input"):
    """The folder at or below `root` that holds the files of a `Source`, or None.

    Kaggle has changed the depth over time: the search goes down four levels, one by one, and does
    not read through the images of other data.
    """
    root = Path(root)
    below = (sorted(root.glob("*/" * depth)) for depth in range(1, 5))
    places = itertools.chain([root], itertools.chain.from_iterable(below))
    return next(filter(source.holds, places), None)
