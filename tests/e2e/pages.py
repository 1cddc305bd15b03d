"""The page of a real service with API keys, seen by a real browser."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.browser import Browser, browsing
from tests.e2e.conftest import Elpv
from tests.e2e.process import Server, running

# Keys by what they may do: any text is one.
KEYS = {scope: f"{scope}-key-of-the-tests-0123456789" for scope in ("score", "review", "admin")}


@dataclass
class Shop:
    """A running service, two cameras and whoever works there."""

    server: Server
    elpv: Elpv

    @property
    def url(self) -> str:
        return str(self.server.client.base_url).rstrip("/")

    def score(self, photo: bytes, category: str = "elpv_mono", **params: str) -> dict[str, Any]:
        answer = self.server.client.post(
            f"/score/{category}",
            files={"file": ("p.png", photo)},
            params=params,
            headers={"X-API-Key": KEYS["score"]},
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def log_in(self, browser: Browser, scope: str = "review", page: str = "now") -> None:
        """As a person does."""
        browser.get(f"{self.url}/page/{page}")
        browser.find("#key").send_keys(KEYS[scope])
        browser.click("form .main")
        browser.wait.until(lambda b: "/page/login" not in b.current_url)


@contextmanager
def open_shop(root: Path, elpv: Elpv, **settings: str | Path) -> Iterator[Shop]:
    """Both ELPV banks, cameras `till` and `belt`, and a key for each scope."""
    keys = ",".join(
        f"{scope}:{scope}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        for scope, key in KEYS.items()
    )
    cameras = root / "cameras.toml"
    cameras.write_text("[cameras.till]\n\n[cameras.belt]\n", encoding="utf-8")
    values: dict[str, Any] = {
        "models_dir": elpv.models,
        "data_dir": elpv.few,
        "reports_dir": root / "reports",
        "records": "on",
        "records_dir": root / "records",
        "records_photos": "all",
        "cameras": cameras,
        "api_keys": keys,
        "device": "cpu",
        "threads": "1",
    }
    with running(root / "log", **(values | settings)) as server:
        yield Shop(server, elpv)


@contextmanager
def a_browser(root: Path) -> Iterator[Browser]:
    """One that has seen nothing yet."""
    with browsing(root / "profile") as browser:
        yield browser
