"""History and a verdict's page as people use them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.select import Select

from tests.e2e.browser import PHONE, SCREEN, Browser, needed
from tests.e2e.conftest import Elpv
from tests.e2e.pages import KEYS, Shop, a_browser, open_shop

# CI runs them; `make test` sees every page in test_page.py.
pytestmark = [needed, pytest.mark.slow]

# HTML, and a formula for whoever exports it.
NASTY = "=1+1 <img src=x onerror=alert(1)> <script>alert(2)</script>"


@pytest.fixture(scope="module")
def shop(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Some verdicts of two cameras, one of them reviewed."""
    with open_shop(tmp_path_factory.mktemp("shop"), elpv, records="on") as opened:
        photos = elpv.photos()
        for number in range(4):
            opened.score(photos["good"][number], camera="till")
            last = opened.score(photos["defective"][number], camera="belt")
        headers = {"X-API-Key": KEYS["review"]}
        review = {
            "decision": "defective",
            "defect": NASTY[:60],
            "note": NASTY,
            "boxes": [{"left": 10, "top": 20, "right": 110, "bottom": 90}],
        }
        done = opened.server.client.put(
            f"/verdicts/{last['id']}/review", json=review, headers=headers
        )
        assert done.status_code == 200, done.text
        yield opened


@pytest.fixture(scope="module")
def browser(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with a_browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.look(SCREEN)
        opened.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})
        shop.log_in(opened, page="history")
        opened.complaints()  # of the page to log in
        yield opened


def verdicts(browser: Browser) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('.verdicts .what')].map(e => e.innerText.trim())"
    )
    return found


def fault(browser: Browser) -> str:
    """What is said beside the lowest score; by a script, since the element is replaced."""
    text: str = browser.execute_script("return document.getElementById('fault-lowest').innerText")
    return text


def asked(browser: Browser) -> dict[str, list[str]]:
    return parse_qs(urlsplit(browser.current_url).query)


def fetched(browser: Browser, css: str) -> str:
    """What a link leads to, with the session's cookie."""
    text: str = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "fetch(document.querySelector(arguments[0]).href).then(r => r.text()).then(done)",
        css,
    )
    return text


def nothing_amiss(browser: Browser, shop: Shop) -> None:
    """For everybody, by day and by night, and nothing from elsewhere."""
    assert browser.complaints() == []
    assert browser.hosts() == {urlsplit(shop.url).netloc}
    for size in (SCREEN, PHONE):
        for dark in (False, True):
            browser.look(size, dark=dark)
            assert browser.barriers() == []
            sideways = "return document.documentElement.scrollWidth - document.body.clientWidth"
            assert browser.execute_script(sideways) <= 0
    browser.look(SCREEN)


def test_the_address_bar_keeps_the_filter(browser: Browser, shop: Shop) -> None:
    browser.get(f"{shop.url}/page/history")
    everything = verdicts(browser)
    assert set(everything) == {"normal", "anomalous"}
    Select(browser.find("#verdict")).select_by_value("anomalous")
    browser.wait.until(lambda b: set(verdicts(b)) == {"anomalous"})
    assert asked(browser) == {"verdict": ["anomalous"]}
    Select(browser.find("#camera")).select_by_value("belt")
    browser.wait.until(lambda b: asked(b) == {"verdict": ["anomalous"], "camera": ["belt"]})
    number = len(verdicts(browser))
    lines = list(csv.DictReader(io.StringIO(fetched(browser, "#results a[href^='verdicts.csv']"))))
    assert [line["verdict"] for line in lines] == ["anomalous"] * number
    assert {line["camera"] for line in lines} == {"belt"}
    # An address is as good as a click.
    browser.refresh()
    assert Select(browser.find("#camera")).first_selected_option.text == "belt"
    assert len(verdicts(browser)) == number
    browser.back()
    browser.wait.until(lambda b: asked(b) == {"verdict": ["anomalous"]})
    browser.wait.until(
        lambda b: Select(b.find("#camera")).first_selected_option.get_attribute("value") == ""
    )
    assert browser.complaints() == []


def test_times_are_the_readers_own(browser: Browser, shop: Shop) -> None:
    browser.get(f"{shop.url}/page/history?since=2026-01-31T20:00:00Z&until=2026-02-01T00:15:30Z")
    field = browser.find("#since")
    assert field.get_attribute("value") == "2026-02-01T01:30"  # five and a half hours ahead
    assert browser.find("#until").get_attribute("value") == "2026-02-01T05:45:30"
    browser.execute_script(
        "arguments[0].value = '2026-02-01T02:00';"
        "arguments[0].dispatchEvent(new Event('change', {bubbles: true}))",
        field,
    )
    browser.wait.until(lambda b: asked(b)["since"] == ["2026-01-31T20:30:00Z"])
    assert asked(browser)["until"] == ["2026-02-01T00:15:30Z"]  # nobody has touched it
    assert "No verdict fits" in browser.find("#results").text


def test_what_is_deleted_is_named_with_date_and_zone(browser: Browser, shop: Shop) -> None:
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    shop.log_in(browser, "admin", page="history")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    span = f"since={today:%Y-%m-%dT%H:%M:%SZ}&until=2100-01-01T00:00:00Z"
    browser.get(f"{shop.url}/page/delete?{span}")
    first = browser.find(".facts time").text
    assert str(today.year) in first
    assert "GMT+5:30" in first
    browser.complaints()  # of the page to log in


def test_what_is_wrong_stands_beside_its_field(browser: Browser, shop: Shop) -> None:
    browser.get(f"{shop.url}/page/history")
    field = browser.find("#lowest")
    field.send_keys("a lot\t")
    browser.wait.until(fault)
    assert "number" in fault(browser)
    assert verdicts(browser) == []
    field.clear()
    field.send_keys("0\t")
    browser.wait.until(verdicts)
    assert fault(browser) == ""


def test_gallery_and_one_verdict(browser: Browser, shop: Shop) -> None:
    browser.get(f"{shop.url}/page/history?decision=defective")
    browser.click(".switch a[href*=gallery]")
    picture = browser.find(".gallery img.thumb")
    browser.wait.until(lambda b: b.execute_script("return arguments[0].naturalWidth", picture))
    nothing_amiss(browser, shop)
    listed = browser.current_url
    browser.click(".gallery a")
    browser.wait.until(lambda b: "/page/verdict?" in b.current_url)
    assert NASTY in browser.find(".reviews p").text
    assert NASTY[:60] in browser.find(".reviews strong").text
    box = browser.find("#boxes .drawn")
    assert [box.get_attribute(side) for side in ("x", "width")] == ["10.0", "100.0"]
    back = browser.find(".head nav a").get_attribute("href")
    assert back is not None
    assert back.startswith(f"{listed}#v-")
    photo = browser.find("#photo")
    browser.wait.until(lambda b: b.execute_script("return arguments[0].naturalWidth", photo))
    nothing_amiss(browser, shop)
    # This bank's method has no maps: in words, and the photo stays.
    browser.click("#toggle-overlay")
    browser.wait.until(lambda b: "no maps" in b.find("#no-overlay").text)
    assert photo.is_displayed()
    (complaint,) = browser.complaints()  # Chromium's own, of the status 409
    assert "409" in complaint
    assert browser.find("a[href^='review?id=']")


def test_it_leads_on_within_the_filter(browser: Browser, shop: Shop) -> None:
    browser.get(f"{shop.url}/page/history?camera=till")
    rows: list[Any] = browser.execute_script(
        "return [...document.querySelectorAll('.verdicts .when a')].map(a => a.href)"
    )
    assert len(rows) == 4
    browser.get(rows[0])
    for address in rows[1:]:
        browser.click("#older")
        browser.wait.until(expected.url_to_be(address))
    assert not browser.execute_script("return document.getElementById('older')")
    browser.click("#newer")
    browser.wait.until(expected.url_to_be(rows[-2]))


def test_without_a_script_the_form_does_the_same(browser: Browser, shop: Shop) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{shop.url}/page/history")
        Select(browser.find("#verdict")).select_by_value("normal")
        browser.click("#filter .main")
        browser.wait.until(lambda b: asked(b) == {"verdict": ["normal"]})
        words = browser.find("#filter noscript").get_attribute("textContent")
        assert words is not None
        assert "UTC" in words
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.refresh()
    assert set(verdicts(browser)) == {"normal"}
    assert browser.complaints() == []
