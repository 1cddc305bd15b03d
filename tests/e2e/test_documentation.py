"""/docs as people see it: in a browser that reaches nothing but this service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.photo.dataset import read_test_split
from tests.e2e.browser import Browser, browsing, needed
from tests.e2e.conftest import Elpv
from tests.e2e.process import Server

pytestmark = needed

SCORE = "#operations-score-score"


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Iterator[Browser]:
    with browsing(tmp_path / "profile") as browser:
        browser.get(f"{server.client.base_url}/docs")
        yield browser


def test_every_call_is_shown_and_nothing_is_missed(page: Browser, server: Server) -> None:
    page.find(SCORE)
    operations = page.execute_script("return document.querySelectorAll('.opblock').length")
    paths = server.client.get("/openapi.json").json()["paths"]
    assert operations == sum(len(item) for item in paths.values())
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert len(loaded) >= 5
    assert all(url.startswith(str(server.client.base_url)) for url in loaded)
    assert page.complaints() == []


def test_a_photo_can_be_tried_out(page: Browser, elpv: Elpv) -> None:
    photo = read_test_split(elpv.few, "elpv_mono").test[0].path.resolve()
    page.click(f"{SCORE} .opblock-summary-control")
    page.click(f"{SCORE} .try-out__btn")
    page.find(f"{SCORE} input[type=file]").send_keys(str(photo))
    page.find(f"{SCORE} input[placeholder=category]").send_keys("elpv_mono")
    page.click(f"{SCORE} .execute")
    page.find(f"{SCORE} .live-responses-table .highlight-code")
    shown = page.execute_script(
        f"return document.querySelector('{SCORE} .live-responses-table .highlight-code').innerText"
    )
    answer = json.loads(shown[shown.index("{") : shown.rindex("}") + 1])
    assert answer["category"] == "elpv_mono"
    assert answer["verdict"] in ("normal", "anomalous")
    assert page.complaints() == []


def test_a_strangers_script_is_refused(page: Browser) -> None:
    """So that silence above means something."""
    page.find(SCORE)
    page.execute_script(
        "const s = document.createElement('script'); s.src = 'https://cdn.example/x.js';"
        "document.head.append(s)"
    )
    (complaint,) = page.wait.until(Browser.complaints, "a complaint")
    assert "Content Security Policy" in complaint
