"""Categories as people use them: the threshold is dragged, set, and gone back from."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import ActionChains, Keys

from tests.e2e.browser import PHONE, SCREEN, Browser, needed
from tests.e2e.conftest import Elpv
from tests.e2e.pages import KEYS, Shop, a_browser, open_shop

# CI runs them; `make test` sees every page in test_page.py.
pytestmark = [needed, pytest.mark.slow]


@pytest.fixture(scope="module")
def shop(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Banks of its own to change; some verdicts, of which two good and two defective ones are
    reviewed."""
    root = tmp_path_factory.mktemp("shop")
    shutil.copytree(elpv.models, root / "models")
    with open_shop(root, elpv, models_dir=root / "models", records="on") as opened:
        photos = elpv.photos()
        for label in ("good", "defective"):
            ids = [opened.score(photo, camera="till")["id"] for photo in photos[label][:4]]
            for identity in ids[:2]:
                done = opened.server.client.put(
                    f"/verdicts/{identity}/review",
                    json={"decision": label},
                    headers={"X-API-Key": KEYS["review"]},
                )
                assert done.status_code == 200, done.text
        yield opened


@pytest.fixture(scope="module")
def browser(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with a_browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.look(SCREEN)
        shop.log_in(opened, "admin", page="categories")
        opened.complaints()  # of the page to log in
        yield opened


@pytest.fixture
def plot(browser: Browser, shop: Shop) -> Browser:
    browser.get(f"{shop.url}/page/category?name=elpv_mono")
    browser.find(".dragged #plot")
    return browser


def told(browser: Browser) -> str:
    return browser.find("#told").text


def value(browser: Browser) -> float:
    return float(browser.find("[data-slot=value]").text)


def counts(browser: Browser, slot: str) -> tuple[int, int]:
    """`3 of 8`."""
    text = browser.find(f"#told strong:has([data-slot={slot}])").text
    found = re.fullmatch(r"([\d,]+) of ([\d,]+)", text)
    assert found, text
    number, whole = (int(group.replace(",", "")) for group in found.groups())
    return number, whole


def nothing_amiss(browser: Browser, shop: Shop) -> None:
    assert browser.complaints() == []
    assert browser.hosts() == {urlsplit(shop.url).netloc}
    for size in (SCREEN, PHONE):
        for dark in (False, True):
            browser.look(size, dark=dark)
            assert browser.barriers() == []
            sideways = "return document.documentElement.scrollWidth - document.body.clientWidth"
            assert browser.execute_script(sideways) <= 0
    browser.look(SCREEN)


def test_all_categories(browser: Browser, shop: Shop) -> None:
    browser.get(f"{shop.url}/page/categories")
    names = [e.text for e in browser.find_elements("css selector", ".grid h2")]
    assert names == ["elpv_mono", "elpv_poly"]
    assert browser.find(".grid .card").text.count("not evaluated yet") == 1
    nothing_amiss(browser, shop)


def test_the_line_is_dragged_and_the_words_follow(plot: Browser, shop: Shop) -> None:
    before, served = told(plot), value(plot)
    assert "is the one that serves" in before
    assert counts(plot, "week")[1] == 8
    assert counts(plot, "missed")[1] == counts(plot, "flagged")[1] == 2
    box = plot.find("#plot")
    width = box.size["width"]
    line = float(plot.find("#line").get_attribute("x1").rstrip("%")) / 100  # type: ignore[union-attr]
    start = round((line - 0.5) * width)
    ActionChains(plot).move_to_element_with_offset(box, start, 0).click_and_hold().perform()
    ActionChains(plot).move_to_element_with_offset(box, -width // 2 + 2, 0).perform()
    # Told while it is dragged: at the left end nearly everything would have been flagged.
    plot.wait.until(lambda b: counts(b, "training")[0] > 0.9 * counts(b, "training")[1])
    assert value(plot) < served
    assert counts(plot, "missed")[0] == 0
    ActionChains(plot).move_to_element_with_offset(box, width // 2 - 2, 0).release().perform()
    plot.wait.until(lambda b: value(b) > served)
    assert counts(plot, "training")[0] == counts(plot, "flagged")[0] == 0
    assert counts(plot, "missed")[0] == 2
    assert "which came on" in told(plot)
    plot.click("#reset")
    assert told(plot) == before
    nothing_amiss(plot, shop)


def test_the_keyboard_moves_it_too(plot: Browser) -> None:
    served = value(plot)
    slider = plot.find("#slider")
    slider.send_keys(Keys.ARROW_RIGHT)
    one_step = value(plot) - served
    assert one_step > 0
    slider.send_keys(Keys.PAGE_UP)
    assert value(plot) - served > 10 * one_step
    assert "promised false alarms" in str(slider.get_attribute("aria-valuetext"))
    slider.send_keys(Keys.HOME)
    assert value(plot) < served
    field = plot.find("#value")
    field.send_keys(Keys.CONTROL, "a", Keys.NULL, f"{served + 1:.1f}", Keys.TAB)
    assert value(plot) == pytest.approx(served + 1, abs=0.2)
    # Beyond the plot it is counted as well; what is no threshold is said, and stays as it stands.
    field.send_keys(Keys.CONTROL, "a", Keys.NULL, "123456", Keys.TAB)
    plot.wait.until(lambda b: "beyond the plot" in told(b))
    assert field.get_attribute("value") == "123456"
    assert counts(plot, "week")[0] == 0
    field.send_keys(Keys.CONTROL, "a", Keys.NULL, "-5", Keys.TAB)
    plot.wait.until(lambda b: "from 0 on" in b.find("#value-fault").text)
    assert field.get_attribute("value") == "-5"


def test_a_finger_drags_it(plot: Browser) -> None:
    plot.look(PHONE)
    served = value(plot)
    box = plot.execute_script(
        "const p = document.getElementById('plot'); p.scrollIntoView({block: 'center'});"
        "const b = p.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]"
    )
    left, top, width, height = box
    plot.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        for kind, share in (("touchStart", 0.5), ("touchMove", 0.8), ("touchMove", 0.95)):
            at = {"x": left + share * width, "y": top + height / 2}
            plot.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
        plot.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    finally:
        plot.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        plot.look(SCREEN)
    plot.wait.until(lambda b: value(b) > served)


def test_a_threshold_is_used_and_gone_back_from(plot: Browser, shop: Shop) -> None:
    served, before = value(plot), versions(shop)
    plot.find("#slider").send_keys(Keys.PAGE_UP)
    wanted = value(plot)
    plot.click("#use-button")
    dialog = plot.find("#sure[open]")
    assert plot.switch_to.active_element.get_attribute("id") == "sure-no"
    rows = dialog.text
    assert "before" in rows
    first = plot.find("#sure-rows tr").text.split()
    assert [float(first[-2]), float(first[-1])] == [served, wanted]
    plot.click("#sure-no")
    assert versions(shop) == before
    plot.click("#use-button")
    nothing_amiss(plot, shop)
    plot.click("#sure-yes")
    plot.wait.until(lambda b: "done=threshold" in b.current_url)
    plot.find(".dragged")
    after = versions(shop)
    assert len(after) == len(before) + 1
    assert f"Version {after[-1]} serves now" in plot.find(".notice").text
    assert value(plot) == wanted
    # It serves, and what its forerunner has scored still counts.
    score = shop.score(shop.elpv.photos()["good"][5])
    assert score["bank_version"] == after[-1]
    assert score["threshold"] == pytest.approx(wanted)
    assert counts(plot, "week")[1] == 8
    assert "differ from the serving one in nothing but the threshold" in told(plot)
    plot.click(f"button[value='{before[-1]}']")
    plot.wait.until(lambda b: "/page/rollback" in b.current_url)
    assert f"{after[-1]} → {before[-1]}" in plot.find(".facts").text
    plot.click("main .main")
    plot.wait.until(lambda b: "done=rollback" in b.current_url)
    plot.find(".dragged")
    assert value(plot) == served
    plot.back()  # to the question, which is asked at an address of its own
    plot.wait.until(lambda b: "/page/rollback?" in b.current_url)
    plot.refresh()
    plot.wait.until(lambda b: "serves already" in b.find(".notice").text)
    assert "csrf" not in plot.current_url
    assert shop.score(shop.elpv.photos()["good"][5])["bank_version"] == before[-1]


def versions(shop: Shop) -> list[str]:
    answer = shop.server.client.get(
        "/admin/categories/elpv_mono/versions", headers={"X-API-Key": KEYS["admin"]}
    )
    return sorted(version["bank_version"] for version in answer.json()["versions"])


def test_an_evaluation_is_started_and_shown(plot: Browser, shop: Shop) -> None:
    plot.click("#evaluation form button")
    plot.wait.until(lambda b: "done=evaluation" in b.current_url)
    plot.wait.until(lambda b: b.execute_script("return document.querySelector('.roc polyline')"))
    text = plot.find("#evaluation").text
    assert "12 good, 12 defective" in text
    assert "95 % interval" in text
    nothing_amiss(plot, shop)
    plot.get(f"{shop.url}/page/categories")
    assert "95 % interval" in plot.find(".grid .card").text


def test_who_reviews_is_told_why_not(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    with a_browser(tmp_path_factory.mktemp("other")) as other:
        shop.log_in(other, "review", page="categories")
        other.get(f"{shop.url}/page/category?name=elpv_mono")
        other.find("#slider").send_keys(Keys.PAGE_UP)
        assert other.find("#use-button").get_attribute("disabled")
        assert "scope admin" in other.find("#why-not").text
        assert not other.find_elements("css selector", "form[action^=rollback]")
