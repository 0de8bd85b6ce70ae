"""A page in headless Chromium, by the browser's own protocol."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request

import pytest

websocket = pytest.importorskip("websocket")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)


class Page:
    """One tab: JavaScript run in it, files given to it, pictures taken of it."""

    def __init__(self, socket):
        self.socket, self.numbers, self.events = socket, itertools.count(1), []
        for domain in ("Page", "Runtime", "DOM", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            found = json.loads(self.socket.recv())
            if found.get("id") == number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def run(self, code):
        """The value of JavaScript, ready for JSON; a promise is waited for."""
        options = {"expression": code, "awaitPromise": True, "returnByValue": True}
        return self.ask("Runtime.evaluate", **options)["result"].get("value")

    def open(self, address, width=1280, height=900):
        scale = {"deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, **scale)
        self.ask("Page.navigate", url=address)

    def until(self, code, seconds=120):
        """Wait until JavaScript is true."""
        end = time.monotonic() + seconds
        while not self.run(code):
            assert time.monotonic() < end, (code, self.run("document.body.innerText"))
            time.sleep(0.1)

    def choose(self, path):
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def press(self, key, code):
        for kind in ("rawKeyDown", "keyUp"):
            options = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.ask("Input.dispatchKeyEvent", type=kind, **options)

    def picture(self, path):
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def requested(self):
        """The addresses that the page asked for, and what its security policy or code failed at."""
        self.ask("Runtime.evaluate", expression="0")
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        failed = [
            event["params"]
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
            or (
                event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error"
            )
        ]
        return urls, failed


@contextlib.contextmanager
def page(folder):
    """A `Page` of a fresh headless Chromium whose profile lies in a folder."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    options += ["--remote-allow-origins=*", f"--user-data-dir={folder}", "about:blank"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([CHROMIUM, *options], **quiet) as process:
        try:
            end = time.monotonic() + 60
            while not (folder / "DevToolsActivePort").exists():
                assert time.monotonic() < end and process.poll() is None, "Chromium did not start"
                time.sleep(0.1)
            port = (folder / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as answer:
                tab = next(one for one in json.load(answer) if one["type"] == "page")
            socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=120)
            yield Page(socket)
            socket.close()
        finally:
            process.terminate()
