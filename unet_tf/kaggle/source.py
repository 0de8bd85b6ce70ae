"""A place on Kaggle that holds files."""

from collections.abc import Callable
from typing import NamedTuple

from unet_tf.files import UserError

TOKENS = "https://www.kaggle.com/settings/api"


class Source(NamedTuple):
    """A place on Kaggle that holds files, and what the client calls to get them.

    Attributes
    ----------
    kind, name : str
        "competition" or "data set", and its name in addresses.
    page, data : str
        The addresses of its page and of its list of files.
    sizes : callable
        `sizes(api)` is `{file: bytes}`.
    get : callable
        `get(api, file, folder)` downloads one file with the client.
    sentences : dict
        What is said of a failure, by its HTTP status or a word: see `SENTENCES`.
    """

    kind: str
    name: str
    page: str
    data: str
    sizes: Callable
    get: Callable
    sentences: dict

    def sentence(self, kind, **fields):
        return self.sentences[kind].format(page=self.page, data=self.data, **fields)


class KaggleError(UserError):
    """A failure that the user can remedy: one sentence that says how, and never a token."""
