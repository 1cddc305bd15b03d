"""A real browser without a screen, by the WebDriver protocol: Chromium and its driver."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

T = TypeVar("T")

PATIENCE_S = 60.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # its key in the protocol
# Every name but this machine's is unknown to it: nothing can be loaded from elsewhere.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1600",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

needed = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs chromium and chromedriver",
)


@dataclass
class Browser:
    """One window."""

    driver: httpx.Client
    session: str

    def call(self, command: str, **values: Any) -> Any:
        answer = self.driver.post(f"/session/{self.session}/{command}", json=values)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def run(self, script: str, *arguments: object) -> Any:
        """What a script in the page returns."""
        return self.call("execute/sync", script=script, args=arguments)

    def find(self, css: str) -> str:
        """The first element that is there; it is waited for."""
        return until(lambda: self._found(css), css)

    def _found(self, css: str) -> str | None:
        found = self.call("elements", using="css selector", value=css)
        return found[0][_ELEMENT] if found else None

    def click(self, css: str) -> None:
        element = self.find(css)
        self.run("arguments[0].scrollIntoView({block: 'center'})", {_ELEMENT: element})
        self.call(f"element/{element}/click")

    def type(self, css: str, text: str) -> None:
        """Into a field; of a field for files, a file's path."""
        self.call(f"element/{self.find(css)}/value", text=text)

    def complaints(self) -> list[str]:
        """What the page has written to the console, warnings and errors, the policy's included."""
        return [entry["message"] for entry in self.call("se/log", type="browser")]

    def picture(self, path: Path) -> None:
        answer = self.driver.get(f"/session/{self.session}/screenshot")
        path.write_bytes(base64.b64decode(answer.json()["value"]))


def until(ask: Callable[[], T | None], what: str) -> T:
    """The first answer that is not None."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := ask()) is None:
        assert time.monotonic() < deadline, f"nothing came: {what}"
        time.sleep(0.05)
    return found


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser with a new, empty profile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            until(lambda: _status(client), "the driver")
            options = {"args": [*_FLAGS, f"--user-data-dir={profile}"]}
            capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            answer = client.post("/session", json={"capabilities": {"alwaysMatch": capabilities}})
            assert answer.status_code == 200, answer.text
            browser = Browser(client, answer.json()["value"]["sessionId"])
            try:
                yield browser
            finally:
                client.delete(f"/session/{browser.session}")
    finally:
        driver.terminate()
        driver.wait(30)


def _status(client: httpx.Client) -> bool | None:
    try:
        return client.get("/status").json()["value"]["ready"] or None
    except httpx.TransportError:
        return None
