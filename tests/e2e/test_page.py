"""The page in a browser: in, around, out; by day and by night, on a phone and on a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.browser import PHONE, SCREEN, Browser, needed
from tests.e2e.conftest import Elpv
from tests.e2e.pages import KEYS, Shop, a_browser, open_shop

pytestmark = needed

PAGES = ("now", "review", "history", "try", "categories", "health")


@pytest.fixture(scope="module")
def shop(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("shop"), elpv) as opened:
        photos = elpv.photos()
        for label, camera in (("good", "till"), ("defective", "belt")):
            for photo in photos[label][:3]:
                opened.score(photo, camera=camera)
        yield opened


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with a_browser(tmp_path) as opened:
        yield opened


def assert_quiet(browser: Browser, shop: Shop) -> None:
    assert browser.complaints() == []
    assert browser.hosts() == {urlsplit(shop.url).netloc}


def test_a_wrong_key_is_said_and_a_right_one_leads_on(browser: Browser, shop: Shop) -> None:
    browser.get(f"{shop.url}/page/history?verdict=anomalous")
    browser.find("#key").send_keys("not a key of this shop")
    browser.click("form .main")
    assert "not known" in browser.find("#fault").text
    assert browser.barriers() == []
    # Chromium itself writes a line about each answer of 401.
    assert all("401" in line for line in browser.complaints())
    browser.find("#key").send_keys(KEYS["review"])
    browser.click("form .main")
    browser.wait.until(lambda b: b.current_url.endswith("/page/history?verdict=anomalous"))
    assert_quiet(browser, shop)


def test_every_page_is_whole_by_day_and_by_night(browser: Browser, shop: Shop) -> None:
    shop.log_in(browser, "admin")
    for name in PAGES:
        for size in (PHONE, SCREEN):
            for dark in (False, True):
                browser.look(size, dark=dark)
                browser.get(f"{shop.url}/page/{name}")
                browser.find(f'nav a[aria-current="page"][href="{name}"]')
                assert (name, size, dark, browser.barriers()) == (name, size, dark, [])
                wide = "return document.documentElement.scrollWidth - window.innerWidth"
                assert browser.execute_script(wide) <= 0, (name, size)
        assert (name, browser.complaints()) == (name, [])
        assert browser.hosts() == {urlsplit(shop.url).netloc}


def test_logging_out_closes_the_door(browser: Browser, shop: Shop) -> None:
    shop.log_in(browser)
    (cookie,) = browser.get_cookies()
    assert cookie["httpOnly"]
    assert (cookie["sameSite"], cookie["path"]) == ("Strict", "/page")
    browser.click(".who button")
    browser.wait.until(lambda b: "/page/login" in b.current_url)
    assert browser.get_cookies() == []
    browser.get(f"{shop.url}/page/history")
    assert "/page/login" in browser.current_url
    assert_quiet(browser, shop)


def test_a_key_of_the_scope_score_sees_what_it_may(browser: Browser, shop: Shop) -> None:
    shop.log_in(browser, "score", "try")
    shown = browser.execute_script(
        "return [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
    )
    assert shown == ["try"]
    browser.get(f"{shop.url}/page/history")
    assert "lacks the scope" in browser.find("main").text


def test_a_page_that_is_not_there_says_so(browser: Browser, shop: Shop) -> None:
    shop.log_in(browser)
    browser.get(f"{shop.url}/page/nowhere")
    assert "no such page" in browser.find("main").text.lower()
    assert browser.barriers() == []
