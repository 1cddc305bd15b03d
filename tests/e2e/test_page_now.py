"""The page Now in a real browser: what is new comes by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver.common.by import By

from tests.e2e.browser import PHONE, SCREEN, Browser, needed
from tests.e2e.conftest import Elpv
from tests.e2e.pages import KEYS, Shop, a_browser, open_shop

# CI runs them; `make test` sees every page in test_page.py.
pytestmark = [needed, pytest.mark.slow]

# Counts the notes that are played.
_COUNT_NOTES = """
window.notes = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.notes += 1; start.apply(this, when); };
"""


@pytest.fixture(scope="module")
def shop(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("now"), elpv) as opened:
        yield opened


@pytest.fixture(scope="module")
def window(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with a_browser(tmp_path_factory.mktemp("browser")) as browser:
        script = {"source": _COUNT_NOTES}
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
        shop.log_in(browser)
        yield browser


@pytest.fixture
def page(shop: Shop, window: Browser) -> Browser:
    """The page as it is loaded, connected."""
    window.get(f"{shop.url}/page/now")
    window.wait.until(lambda b: b.find("#link").text == "Live")
    window.complaints()  # those of the pages before
    return window


# Read in one go: what is found in one step may have been exchanged by the next.
def pinned(page: Browser) -> int:
    return int(page.execute_script("return document.getElementById('pins').dataset.pinned"))


def tile(page: Browser, camera: str) -> str:
    where = f'[data-camera="{camera}"]'
    text = page.execute_script("return document.querySelector(arguments[0]).innerText", where)
    return str(text)


def link_of(page: Browser, verdict: str) -> str:
    """Where the pin of a verdict leads, once it is there."""
    script = "return document.querySelector(arguments[0])?.href"
    return str(
        page.wait.until(lambda b: b.execute_script(script, f'#pins [data-id="{verdict}"] a'))
    )


def test_what_two_cameras_send_is_seen_without_a_reload(page: Browser, shop: Shop) -> None:
    page.execute_script("window.untouched = true")
    photos = shop.elpv.photos()
    assert "Nothing yet" in tile(page, "till")
    assert "Nothing yet" in tile(page, "belt")
    verdict = shop.score(photos["good"][0], camera="belt")["verdict"]
    page.wait.until(lambda b: verdict in tile(b, "belt"))
    assert "Nothing yet" in tile(page, "till")
    before = pinned(page)
    found = anomalous(shop, camera="till")
    answered = time.monotonic()
    page.wait.until(lambda b: pinned(b) > before)
    assert time.monotonic() - answered < 5  # what is promised is measured where nothing else runs
    page.wait.until(lambda b: "anomalous" in tile(b, "till"))
    assert link_of(page, found).endswith(f"/page/verdict?id={found}")
    assert page.title == f"({pinned(page)}) Now · GoodsGuard"
    said = page.find("#news").get_attribute("textContent")
    assert "New anomalous verdict: elpv_mono, camera till." in str(said)
    assert page.find("#news").get_attribute("aria-live") == "polite"
    picture = """return document.querySelector('[data-camera="till"] img').naturalWidth"""
    page.wait.until(lambda b: b.execute_script(picture) > 0)
    assert page.execute_script("return window.untouched")
    assert page.complaints() == []


def anomalous(shop: Shop, **params: str) -> str:
    """The id of an anomalous verdict, as it is answered."""
    for photo in shop.elpv.photos()["defective"]:
        found = shop.score(photo, **params)
        if found["verdict"] == "anomalous":
            return str(found["id"])
    raise AssertionError("none of the defective photos is anomalous")


def test_a_review_elsewhere_takes_the_pin_away(page: Browser, shop: Shop) -> None:
    found = anomalous(shop, camera="till")
    assert link_of(page, found)
    answer = shop.server.client.put(
        f"/verdicts/{found}/review",
        json={"decision": "defective"},
        headers={"X-API-Key": KEYS["review"]},
    )
    assert answer.status_code == 200, answer.text
    page.wait.until(lambda b: not b.find_elements(By.CSS_SELECTOR, f'#pins [data-id="{found}"]'))
    assert page.complaints() == []


def test_sound_is_off_until_somebody_wants_it_and_remembered(page: Browser, shop: Shop) -> None:
    sound = page.find("#sound")
    assert sound.get_attribute("aria-pressed") == "false"
    before = pinned(page)
    anomalous(shop)
    page.wait.until(lambda b: pinned(b) > before)
    assert page.execute_script("return window.notes") == 0
    page.click("#sound")
    page.wait.until(lambda b: b.find("#sound").text == "Sound on")
    page.refresh()
    assert page.find("#sound").get_attribute("aria-pressed") == "true"
    page.wait.until(lambda b: b.find("#link").text == "Live")
    page.click("h1")  # browsers play nothing before
    page.wait.until(lambda b: not b.find("#silent").is_displayed())
    anomalous(shop)
    page.wait.until(lambda b: b.execute_script("return window.notes") >= 2)
    page.click("#sound")
    page.wait.until(lambda b: b.find("#sound").text == "Sound off")
    assert page.complaints() == []


def test_the_focus_stays_where_it_is(page: Browser, shop: Shop) -> None:
    anomalous(shop, camera="till")
    page.wait.until(lambda b: "anomalous" in tile(b, "till"))
    focus = """const link = document.querySelector('[data-camera="till"] a.photo');
        link.focus(); return link.href"""
    before = str(page.execute_script(focus))
    anomalous(shop, camera="till")

    def is_new(browser: Browser) -> bool:
        href = browser.execute_script("return document.activeElement.href")
        return bool(href) and href != before

    page.wait.until(is_new)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everyone_can_use_it(page: Browser, shop: Shop, dark: bool) -> None:
    anomalous(shop, camera="belt")
    for size in (PHONE, SCREEN):
        page.look(size, dark=dark)
        page.wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#pins li"))
        assert page.barriers() == []
        width = "return document.documentElement.scrollWidth - innerWidth"
        assert page.execute_script(width) <= 0
    assert page.hosts() == {shop.url.removeprefix("http://")}
    assert page.complaints() == []


def test_an_open_stream_does_not_hold_the_service_up(shop: Shop, window: Browser) -> None:
    """The last one here: it ends the service."""
    window.get("about:blank")
    begun, ended = threading.Event(), threading.Event()

    def watch() -> None:
        with httpx.Client(base_url=shop.url, timeout=60) as client:
            key = {"key": KEYS["review"]}
            client.post("/page/login", data=key, headers={"Origin": shop.url})
            with client.stream("GET", "/page/now/events?after=0") as stream:
                for line in stream.iter_lines():
                    if line.startswith("event: "):
                        begun.set()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    assert begun.wait(20)
    asked = time.monotonic()
    shop.server.stop()
    assert time.monotonic() - asked < 8  # for a stream it would wait half a minute
    assert ended.wait(5)
    assert "left behind" not in shop.server.log.read_text()
