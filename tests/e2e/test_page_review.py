"""The page Review in a real browser: keys, boxes, undo, several people, a service that is away."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium.webdriver import ActionChains, Keys

from tests.e2e.browser import PHONE, SCREEN, Browser, browsing, needed
from tests.e2e.conftest import Elpv
from tests.e2e.pages import KEYS, Shop, a_browser, open_shop
from tests.e2e.process import run_script

# CI runs them; `make test` sees every page in test_page.py.
pytestmark = [needed, pytest.mark.slow]

SHOWN = "return window.review?.card?.id ?? null"
# As the page has it: decided but not stored yet.
UNSENT = "return window.review.outbox.items.length"


def photos(elpv: Elpv, *, ends: bool = False) -> Iterator[tuple[bytes, str]]:
    """Real ones, without end or each once, each with the category whose bank is to judge it."""
    found = [
        (photo, category)
        for category in ("elpv_mono", "elpv_poly")
        for images in elpv.photos(category).values()
        for photo in images
    ]
    yield from found if ends else itertools.cycle(found)


def fill(shop: Shop, number: int) -> list[str]:
    """Score so many photos; their verdicts' ids."""
    some = itertools.islice(photos(shop.elpv), number)
    found = [shop.score(unlike(photo), category)["id"] for photo, category in some]
    unreviewed(shop)
    return found


def unlike(photo: bytes) -> bytes:
    """The photo with a pixel of its own: two verdicts of one photo are never before people at once,
    which would change their order."""
    with Image.open(io.BytesIO(photo)) as opened:
        picture = opened.convert("RGB")
    number = next(_NUMBERS)
    picture.putpixel((number % picture.width, 0), (number // 256, number % 256, 0))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


_NUMBERS = itertools.count()


def unreviewed(shop: Shop) -> list[dict[str, Any]]:
    """All verdicts that nobody has reviewed."""
    return listed(shop, reviewed="false")


def listed(shop: Shop, **params: str) -> list[dict[str, Any]]:
    answer = shop.server.client.get(
        "/verdicts", params={"size": "1000"} | params, headers={"X-API-Key": KEYS["review"]}
    )
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def reviews(shop: Shop, verdict: str) -> list[dict[str, Any]]:
    answer = shop.server.client.get(
        f"/verdicts/{verdict}/reviews", headers={"X-API-Key": KEYS["review"]}
    )
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def leave(shop: Shop, browser: Browser) -> None:
    """Go away from the page, and wait until it has given its photos back."""
    before = len(released(shop))
    browser.get(f"{shop.url}/static/page/page.css")
    browser.wait.until(lambda _: len(released(shop)) > before)


def released(shop: Shop) -> list[dict[str, Any]]:
    """The requests by which pages that were left gave their photos back."""
    return [line for line in shop.server.log_lines() if line.get("path") == "/page/review/release"]


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def shown(browser: Browser, *, other_than: str | None = None) -> str:
    """The verdict on the screen."""
    identity: str = browser.wait.until(
        lambda b: (now := b.execute_script(SHOWN)) not in (None, other_than) and now
    )
    return identity


def sent(browser: Browser) -> None:
    """All is stored that was decided."""
    browser.wait.until(lambda b: b.execute_script(UNSENT) == 0)


@pytest.fixture(scope="module")
def shop(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("review"), elpv) as opened:
        yield opened


@pytest.fixture(scope="module")
def reviewer(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with a_browser(tmp_path_factory.mktemp("reviewer")) as browser:
        browser.look(SCREEN)
        shop.log_in(browser, page="review")
        browser.complaints()  # of the page Log in
        yield browser


@pytest.fixture
def page(shop: Shop, reviewer: Browser) -> Browser:
    """The page with photos to review, anew."""
    if len(unreviewed(shop)) < 8:
        fill(shop, 10)
    reviewer.execute_script("sessionStorage.clear()")
    reviewer.get(f"{shop.url}/page/review")
    shown(reviewer)
    return reviewer


def test_nothing_keeps_people_out(shop: Shop, page: Browser) -> None:
    for dark in (False, True):
        for size in (PHONE, SCREEN):
            page.look(size, dark=dark)
            assert page.barriers() == []
            wide = "return document.documentElement.scrollWidth - innerWidth"
            assert page.execute_script(wide) <= 0
    page.look(SCREEN)
    small = page.execute_script(
        "return [...document.querySelectorAll('#review button')].filter(b => b.offsetParent)"
        ".filter(b => b.offsetHeight < 44 || b.offsetWidth < 44).map(b => b.outerHTML)"
    )
    assert small == []
    assert page.complaints() == []
    assert page.hosts() == {shop.url.removeprefix("http://")}


def test_keys_decide_and_the_type_goes_along(shop: Shop, page: Browser) -> None:
    first = shown(page)
    press(page, "t", "dent", Keys.ENTER, "d")
    second = shown(page, other_than=first)
    press(page, "n", "good at last", Keys.ESCAPE, "g")
    third = shown(page, other_than=second)
    press(page, "0", "u")
    shown(page, other_than=third)
    sent(page)
    said = [reviews(shop, one)[-1] for one in (first, second, third)]
    assert [(one["decision"], one["defect"], one["note"]) for one in said] == [
        ("defective", "dent", None),
        ("good", None, "good at last"),
        ("unsure", None, None),
    ]
    assert page.find("#done").text == "3"
    # The type has got a key now.
    press(page, "1")
    assert page.find("#given").text == page.find("#frequent button").get_attribute("data-type")
    assert page.complaints() == []


def test_a_type_is_of_one_person_and_category(shop: Shop, page: Browser) -> None:
    some = {category: photo for photo, category in photos(shop.elpv, ends=True)}
    of = {category: shop.score(photo, category)["id"] for category, photo in some.items()}
    page.wait.until(lambda _: set(of.values()) <= {one["id"] for one in unreviewed(shop)})
    mono, poly = (f"{shop.url}/page/review?id={of[name]}" for name in ("elpv_mono", "elpv_poly"))
    page.get(mono)
    press(page, "t", "dent", Keys.ENTER)
    page.get(poly)
    shown(page)
    assert (page.find("#defect").get_attribute("value"), page.find("#given").text) == ("", "")
    page.get(mono)
    shown(page)
    assert page.find("#given").text == "dent"
    # What is kept in the tab is the person's own, also what they have done.
    press(page, "u")
    sent(page)
    kept = page.execute_script("return Object.entries(sessionStorage)")
    assert ["review-type:review:elpv_mono", "dent"] in kept
    assert ["review-done:review", "1"] in kept
    page.get(poly)
    assert page.find("#done").text == "1"


def test_boxes_that_are_added_lie_apart(page: Browser) -> None:
    press(page, "a", "a", "a")
    assert len({tuple(box) for box in boxes(page)}) == 3


def test_all_done_is_said_when_the_service_has_said_it(page: Browser) -> None:
    """Keys faster than photos come: the page says that it is loading."""
    seen = page.execute_script(
        "review.queue.ahead = []; const { ask } = review.queue;"
        "review.queue.ask = (...said) => new Promise((go) => { window.go = go; })"
        "  .then(() => ask.apply(review.queue, said));"
        "review.skip(); const text = (id) => [id, document.getElementById(id).hidden];"
        "return [text('loading'), text('nothing')]"
    )
    assert seen == [["loading", False], ["nothing", True]]


def test_keys_do_nothing_while_one_types(page: Browser) -> None:
    first = shown(page)
    press(page, "n", "god bless you", Keys.ARROW_RIGHT)
    assert shown(page) == first
    assert page.find("#note").get_attribute("value") == "god bless you"
    press(page, Keys.ESCAPE, "?")
    assert page.find("#keys").is_displayed()
    press(page, "g", Keys.ESCAPE)
    assert not page.find("#keys").is_displayed()
    assert shown(page) == first
    page.execute_script("document.getElementById('keys-on').click()")  # single keys off
    press(page, "g")
    assert shown(page) == first
    page.execute_script("document.getElementById('keys-on').click()")


def test_one_goes_back_and_forth_and_skips(shop: Shop, page: Browser) -> None:
    first = shown(page)
    press(page, "g")
    second = shown(page, other_than=first)
    press(page, Keys.ARROW_LEFT)
    assert shown(page) == first
    assert "good" in page.find("#mine").text
    press(page, "u")  # a second thought
    assert shown(page) == second
    press(page, Keys.ARROW_RIGHT)
    shown(page, other_than=second)
    sent(page)
    assert [one["decision"] for one in reviews(shop, first)] == ["good", "unsure"]
    assert reviews(shop, second) == []
    assert page.complaints() == []


def test_undo_brings_the_photo_back(shop: Shop, page: Browser) -> None:
    first = shown(page)
    press(page, "d")
    second = shown(page, other_than=first)
    ActionChains(page).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    assert shown(page) == first
    press(page, "g")
    assert shown(page) == second
    press(page, "z")
    assert shown(page) == first
    sent(page)
    said = [(one["decision"], one["note"]) for one in reviews(shop, first)]
    assert said == [
        ("defective", None),
        (None, None),
        ("good", None),
        (None, None),
    ]
    # Who leaves now leaves it to others, as if nothing had been said.
    leave(shop, page)
    assert first in [one["id"] for one in unreviewed(shop)]
    assert page.complaints() == []


def test_boxes_are_pixels_of_the_photo(shop: Shop, page: Browser) -> None:
    """Drawn, moved, resized and removed by mouse and keys, at any size on the screen."""
    first = shown(page)
    width, height = page.execute_script("return [review.card.width, review.card.height]")
    assert (width, height) == (300, 300)
    for zoom in ("", "++"):
        if zoom:
            press(page, "+", "+")
            page.execute_script("stage.scrollLeft = stage.scrollTop = 0")
        press(page, "b")
        drag(page, (30, 40), (90, 120))
        assert boxes(page) == [[30, 40, 90, 120]]
        drag(page, (60, 80), (70, 75))  # by its middle
        assert boxes(page) == [[40, 35, 100, 115]]
        drag(page, (100, 115), (120, 140))  # by its corner
        assert boxes(page) == [[40, 35, 120, 140]]
        press(page, "b")
        drag(page, (10, 10), (20, 20))  # no longer drawing
        assert boxes(page) == [[40, 35, 120, 140]]
        page.find("#boxes .box").click()
        press(page, Keys.ARROW_RIGHT, Keys.ARROW_UP)
        assert boxes(page) == [[42, 33, 122, 138]]
        press(page, Keys.DELETE)
        assert boxes(page) == []
    page.execute_script("review.stage.resize(1)")
    press(page, "b")
    drag(page, (200, 210), (299, 290))
    press(page, "d")
    shown(page, other_than=first)
    sent(page)
    (box,) = reviews(shop, first)[-1]["boxes"]
    assert box == {"left": 200, "top": 210, "right": 299, "bottom": 290}
    assert page.complaints() == []


def boxes(page: Browser) -> list[list[float]]:
    found: list[list[float]] = page.execute_script("return review.card.boxes")
    return found


def drag(page: Browser, start: tuple[int, int], end: tuple[int, int]) -> None:
    """With the mouse, between two places of the photo in its own pixels."""
    points = page.execute_script(
        "const m = document.querySelector('.marks').getScreenCTM();"
        "return arguments[0].map(([x, y]) => { const p = new DOMPoint(x, y).matrixTransform(m);"
        " return [Math.round(p.x), Math.round(p.y)] })",
        [start, end],
    )
    chain = ActionChains(page, duration=0)
    mouse: Any = chain.w3c_actions.pointer_action
    mouse.move_to_location(*points[0])
    mouse.pointer_down()
    mouse.move_to_location(*points[1])
    mouse.pointer_up()
    chain.perform()


def test_a_finger_draws_too(shop: Shop, page: Browser) -> None:
    page.look(PHONE)
    try:
        page.get(f"{shop.url}/page/review")
        first = shown(page)
        assert style(page, "touchAction") == "auto"
        page.execute_script("document.getElementById('draw').click()")
        assert style(page, "touchAction") == "none"
        page.execute_script("document.getElementById('stage').scrollIntoView({block: 'start'})")
        start, end = page.execute_script(
            "const m = document.querySelector('.marks').getScreenCTM();"
            "return [[20, 30], [150, 160]].map(([x, y]) => {"
            " const p = new DOMPoint(x, y).matrixTransform(m); return {x: p.x, y: p.y} })"
        )
        for kind, points in (("touchStart", [start]), ("touchMove", [end]), ("touchEnd", [])):
            page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait.until(lambda b: boxes(b) and b.execute_script("return !review.boxes.drag"))
        (box,) = boxes(page)
        assert box == pytest.approx([20, 30, 150, 160], abs=1)
        page.click("[value=defective]")
        shown(page, other_than=first)
        sent(page)
        (stored,) = reviews(shop, first)
        assert [stored["boxes"][0][side] for side in ("left", "top", "right", "bottom")] == box
    finally:
        page.look(SCREEN)


def style(page: Browser, name: str) -> str:
    found: str = page.execute_script(
        "return getComputedStyle(document.querySelector('.marks'))[arguments[0]]", name
    )
    return found


@pytest.mark.slow
def test_the_overlay_comes_and_goes(elpv: Elpv, tmp_path: Path) -> None:
    """With a bank that has maps: the overlay, and the places that it found as boxes."""
    done = run_script(
        "build_bank.py", "--data", elpv.data, "--category", "elpv_mono", "--preset",
        "embedded-patch", "--models", tmp_path / "models", "--limit", "20", "--alpha", "0.05",
        "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (
        open_shop(tmp_path, elpv, models_dir=tmp_path / "models") as shop,
        a_browser(tmp_path) as browser,
    ):
        for photo in elpv.photos()["defective"]:
            shop.score(photo)
        found = [v for v in unreviewed(shop) if v["regions"]]
        assert found
        shop.log_in(browser, page="login")
        browser.complaints()  # of the page Log in
        browser.get(f"{shop.url}/page/review?id={found[0]['id']}")
        assert shown(browser) == found[0]["id"]
        overlay = browser.find(".plate .overlay")
        assert overlay.is_displayed()
        press(browser, "o")
        assert not overlay.is_displayed()
        press(browser, "o")
        assert overlay.is_displayed()
        browser.execute_script("fade.value = 20; fade.dispatchEvent(new Event('input'))")
        assert overlay.value_of_css_property("opacity") == "0.2"
        press(browser, "r")
        sides = ("left", "top", "right", "bottom")
        assert boxes(browser) == [[r["box"][s] for s in sides] for r in found[0]["regions"]]
        assert browser.complaints() == []


def test_a_verdict_by_its_address_then_the_queue(shop: Shop, page: Browser) -> None:
    last = unreviewed(shop)[-1]["id"]
    page.get(f"{shop.url}/page/review?id={last}")
    assert shown(page) == last
    press(page, "g")
    shown(page, other_than=last)
    assert page.current_url == f"{shop.url}/page/review"
    sent(page)
    assert reviews(shop, last)[-1]["decision"] == "good"


def test_two_people_and_two_tabs_get_photos_of_their_own(
    shop: Shop, page: Browser, tmp_path: Path
) -> None:
    fill(shop, 20)
    with ExitStack() as stack:
        other = stack.enter_context(browsing(tmp_path / "other"))
        shop.log_in(other, "admin", page="review")
        tab = page.current_window_handle
        page.switch_to.new_window("tab")
        page.get(f"{shop.url}/page/review")
        seen = [shown(page)]
        page.switch_to.window(tab)
        seen.append(shown(page))
        seen.append(shown(other))
        for browser in (page, other, page, other):
            before = shown(browser)
            press(browser, "g")
            seen.append(shown(browser, other_than=before))
        assert len(set(seen)) == len(seen)
        page.switch_to.window(page.window_handles[-1])
        page.close()
        page.switch_to.window(tab)
        sent(page)
        sent(other)
        leave(shop, other)  # a browser that is killed gives nothing back


@pytest.mark.slow
def test_a_hundred_photos_by_keyboard(elpv: Elpv, tmp_path: Path) -> None:
    with a_browser(tmp_path) as page, open_shop(tmp_path, elpv) as shop:
        fill(shop, 100)
        anomalous = {v["id"] for v in unreviewed(shop) if v["verdict"] == "anomalous"}
        shop.log_in(page, page="review")
        page.complaints()  # of the page Log in
        seen = [shown(page)]
        for number in range(100):
            press(page, "gdu"[number % 3])
            if number < 99:
                seen.append(shown(page, other_than=seen[-1]))
        sent(page)
        assert len(set(seen)) == 100
        assert set(seen[: len(anomalous)]) == anomalous
        for number, verdict in enumerate(seen):
            said = [one["decision"] for one in reviews(shop, verdict)]
            assert said == [("good", "defective", "unsure")[number % 3]]
        page.wait.until(lambda b: b.find("#nothing").is_displayed())
        assert page.complaints() == []


@pytest.mark.slow
def test_nothing_is_lost_while_the_service_is_away(elpv: Elpv, tmp_path: Path) -> None:
    with a_browser(tmp_path) as browser, open_shop(tmp_path, elpv) as shop:
        fill(shop, 4)
        port = shop.url.rpartition(":")[2]
        shop.log_in(browser, page="review")
        first = shown(browser)
        browser.wait.until(lambda b: b.execute_script("return review.queue.ahead.length") == 3)
        shop.server.stop()
        press(browser, "g")
        second = shown(browser, other_than=first)
        press(browser, "d")
        shown(browser, other_than=second)
        browser.wait.until(lambda b: "2 decisions are not stored yet" in b.find("#waiting").text)
        kept = browser.execute_script("return Object.keys(localStorage)")
        assert len([name for name in kept if name.startswith("goodsguard-review:")]) == 2
        assert browser.find("#done").text == "0"
        with open_shop(tmp_path, elpv, port=port) as again:
            browser.execute_script("document.getElementById('send-again').click()")
            sent(browser)
            browser.wait.until(lambda b: not b.find("#waiting").is_displayed())
            assert browser.find("#done").text == "2"
            said = [[one["decision"] for one in reviews(again, v)] for v in (first, second)]
            assert said == [["good"], ["defective"]]
            left = browser.execute_script("return Object.keys(localStorage)")
            assert not [name for name in left if name.startswith("goodsguard-review:")]
