"""A page that segments in the browser: one folder for any static host, and a server for it here.

The model runs by onnxruntime-web, whose files are taken from its published package, once, with a
known checksum. The page itself asks nobody but the folder that it lies in.
"""

import functools
import hashlib
import http.server
import os
import sys
import tarfile
import urllib.request
from pathlib import Path

from unet_tf import data
from unet_tf.export.formats import described, export, writer_of
from unet_tf.files import UserError, atomically, cache_folder, write_json

OWN = Path(__file__).parent / "page"
RUNTIME = "onnxruntime-web-1.30.0.tgz"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
HEADERS = {
    # Threads in WebAssembly want a page of its own; without these two headers it takes one.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}


def write_page(model, folder, name="model", quantize=None):
    """Write the page of a model: all that its folder wants to be served.

    Parameters
    ----------
    model : Predictor
    folder : path
        Made if it is missing; an earlier page there is replaced.
    name : str, what the page calls the model
    quantize : "float16" or "dynamic", optional
        The model in half or a quarter of the bytes, as in `export`.

    Returns
    -------
    Path of `index.html`

    Raises
    ------
    UserError
        The folder holds something else, or onnxruntime-web cannot be had; as `export`.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file: choose a folder for the page")
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    # Of a page that was interrupted some are there.
    own = {"model.onnx", "card.json", *FILES, *(path.name for path in OWN.iterdir())}
    others = {name for name in there if not name.startswith(".")} - own
    if others and not {"index.html", "card.json"} <= there:
        raise UserError(f"{folder}: holds something else than such a page: choose another folder")
    writer_of(folder / "model.onnx")  # names a package that is missing before one is downloaded
    package = packaged()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").unlink(missing_ok=True)  # the last to come: then all is there
    export(model, folder / "model.onnx", quantize)
    palette = data.palette_of(model.card.labels)[: len(model.card.labels.names)].tolist()
    write_json(folder / "card.json", described(model.card) | {"name": name, "palette": palette})
    with tarfile.open(package) as archive:
        for file in FILES:
            written(folder / file, archive.extractfile(f"package/dist/{file}").read())
    for file in sorted(OWN.iterdir(), key=lambda path: path.suffix == ".html"):
        written(folder / file.name, file.read_bytes())
    return folder / "index.html"


def written(path, content):
    with atomically(path) as partial:
        partial.write_bytes(content)


def packaged():
    """The path of onnxruntime-web's package, downloaded once into the user's cache."""
    path = cache_folder() / RUNTIME
    if not path.is_file():
        registry = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org"
        url = f"{registry.rstrip('/')}/onnxruntime-web/-/{RUNTIME}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                written(path, answer.read())
        except OSError as error:
            raise UserError(
                f"{url} cannot be downloaded ({error}). Get this file elsewhere, by npm pack "
                f"onnxruntime-web@{RUNTIME.split('-')[-1][:-4]}, and put it into {path.parent}"
            ) from None
    if hashlib.sha512(path.read_bytes()).hexdigest() != SHA512:
        path.rename(path.with_suffix(".wrong"))
        raise UserError(f"{path}: not the package that is known (its checksum differs). Try again")
    return path


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self):
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Silent where a browser has gone: a page that is closed or loaded anew while it loads."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(folder, port=8000):
    """An HTTP server of a folder, on this machine alone; 0 takes a free port. UserError for one
    that is taken, or none."""
    handler = functools.partial(Handler, directory=str(folder))
    try:
        return Server(("127.0.0.1", port), handler)
    except OverflowError:
        raise UserError(f"port {port}: ports go up to 65535. Choose another, --port N") from None
    except OSError as error:
        raise UserError(f"port {port}: {error.strerror}. Choose another, --port N") from None
