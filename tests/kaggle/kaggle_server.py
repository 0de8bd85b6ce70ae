"""A loopback server that speaks what Kaggle's own client speaks, with faults to order.

The client is not patched. It takes `http://localhost` for Kaggle when KAGGLE_API_ENVIRONMENT is
LOCALHOST, and reaches this server as its proxy: see `environment`. A download is a POST that is
answered with a 302 to a signed address on another host, and that address with the file.
"""

import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import unet_tf

ROOT = Path(unet_tf.__file__).parents[1]

TOKEN = "KGAT_0123456789secret"
KEY = "fedcba9876543210secret"
SIGNATURE = "5e7signed"
SECRETS = (TOKEN, KEY, SIGNATURE)
RULES_NOT_ACCEPTED = (
    "You must accept this competition's rules before you'll be able to download files."
)


class KaggleServer(ThreadingHTTPServer):
    """Set its attributes at any time.

    Attributes
    ----------
    files : dict of str to bytes
        What the competition holds.
    datasets : dict of str to bytes
        `owner/name` of a data set, and its zip; its list of files comes two by two.
    listed : dict of str to int
        Sizes that differ from the truth in the file list.
    status, list_status : int
        The answer to a download and to a data set's list of files: 200, or 401, 403, 404, 500, ...
    cuts : list of int
        The next answers with a file break off after so many bytes.
    ranges : bool
        Whether it can send the rest of a file.
    expires : bool
        Whether a signed address is good for one answer only.
    requests : list of (path, headers)
        What was asked.
    """

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.listed, self.status = files, {}, 200
        self.datasets, self.list_status = {}, 200
        self.cuts, self.ranges, self.expires = [], True, False
        self.requests, self.used = [], set()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def handle_error(self, request, address):
        pass  # the client hung up

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()

    def environment(self, home):
        """What the client has to find in its environment, besides credentials."""
        return {
            "HOME": str(home),
            "USERPROFILE": str(home),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": f"http://127.0.0.1:{self.server_address[1]}",
            "no_proxy": "",
        }

    def run(self, script, *arguments, home, cwd, credentials):
        """Run a script in a process of its own, as the user of that home; what it prints.

        It must end well, show no secret and no full path, and no error but a KaggleError.
        """
        kept = {k: v for k, v in os.environ.items() if "KAGGLE" not in k and "proxy" not in k}
        kept |= {"PYTHONPATH": os.pathsep.join([str(ROOT), kept.get("PYTHONPATH", "")])}
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=kept | self.environment(home) | credentials,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=600,  # so that a hang ends; a busy machine may be slow
        )
        print(done.stdout, done.stderr)
        assert done.returncode == 0
        assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]
        assert str(cwd) not in done.stdout
        assert done.stderr.count("Error") == done.stderr.count("KaggleError")
        return done.stdout

    def asked(self, part):
        """Headers of the requests with `part` in their path."""
        return [headers for path, headers in self.requests if part in path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        cut = self.server.cuts.pop(0) if kind == "application/zip" and self.server.cuts else None
        self.wfile.write(body[:cut])
        self.close_connection = cut is not None

    def refuse(self, status, message):
        self.answer(status, {"code": status, "message": message})

    def known(self):
        """Whether the right token, or a user name and key, came along."""
        given = self.headers.get("Authorization", "")
        return given == f"Bearer {TOKEN}" or given.startswith("Basic ")

    def do_POST(self):
        path = urlsplit(self.path).path
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        self.server.requests.append((path, dict(self.headers)))
        call = path.removeprefix("/api/v1/")
        if call == "security.OAuthService/IntrospectToken":
            if sent["token"] == TOKEN:
                self.answer(200, {"active": True, "username": "learner"})
            else:
                self.refuse(404, "Token not found")
        elif not self.known() or self.server.status == 401:
            self.refuse(401, "Unauthenticated")
        elif call.startswith("datasets."):
            self.dataset(call.removeprefix("datasets.DatasetApiService/"), sent)
        elif call == "competitions.CompetitionApiService/ListDataFiles":
            sizes = {name: len(data) for name, data in self.server.files.items()}
            sizes |= self.server.listed
            date = "2017-07-24T00:00:00Z"
            files = [
                {"name": name, "totalBytes": size, "creationDate": date}
                for name, size in sizes.items()
            ]
            self.answer(200, {"files": files, "nextPageToken": ""})
        elif call != "competitions.CompetitionApiService/DownloadDataFile":
            self.refuse(404, "Unknown call")
        elif self.server.status == 403:
            self.refuse(403, RULES_NOT_ACCEPTED)
        elif self.server.status != 200:
            self.refuse(self.server.status, "Something went wrong")
        elif sent["fileName"] not in self.server.files:
            self.refuse(404, "Not found")
        else:
            self.redirect(sent["fileName"])

    def redirect(self, name):
        query = f"n={len(self.server.requests)}&X-Goog-Signature={SIGNATURE}"
        self.answer(302, b"", Location=f"http://storage.test/data/{name}?{query}")

    def dataset(self, call, sent):
        """`DownloadDataset` and `ListDatasetFiles`, for a data set as a whole."""
        name = f"{sent['ownerSlug']}/{sent['datasetSlug']}"
        status = self.server.status if call == "DownloadDataset" else self.server.list_status
        if status != 200:
            self.refuse(status, "Permission 'datasets.get' was denied")
        elif name not in self.server.datasets:
            self.refuse(404, "Not found")
        elif call == "DownloadDataset":
            self.redirect(name)
        elif call == "ListDatasetFiles":
            zipped, sizes = io.BytesIO(self.server.datasets[name]), {}
            if zipfile.is_zipfile(zipped):
                members = zipfile.ZipFile(zipped).infolist()
                sizes = {member.filename: member.file_size for member in members}
            date = "2020-10-01T00:00:00Z"
            files = [
                {"name": file, "totalBytes": size, "creationDate": date}
                for file, size in (sizes | self.server.listed).items()
            ]
            start = int(sent.get("pageToken") or 0)
            rest = files[start + 2 :]
            token = str(start + 2) if rest else ""
            self.answer(200, {"datasetFiles": files[start : start + 2], "nextPageToken": token})
        else:
            self.refuse(404, "Unknown call")

    def do_GET(self):
        path = urlsplit(self.path).path
        self.server.requests.append((path, dict(self.headers)))
        data = (self.server.files | self.server.datasets)[path.removeprefix("/data/")]
        if self.server.expires and self.path in self.server.used:
            self.answer(403, b"<Error>ExpiredToken</Error>", "application/xml")
            return
        self.server.used.add(self.path)
        headers = {
            "ETag": '"1"',
            "Last_Modified": "Mon, 24 Jul 2017 00:00:00 GMT",
            "Accept_Ranges": "bytes" if self.server.ranges else "none",
        }
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.server.ranges:
            start = int(asked[1])
            if start >= len(data):
                self.answer(416, b"", "text/plain")
                return
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[start:], "application/zip", **headers)
        else:
            self.answer(200, data, "application/zip", **headers)
