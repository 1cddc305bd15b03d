"""The page Health in a real browser: all well, a torn bank, no records."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.store import artifact as artifacts
from tests.e2e.browser import PHONE, SCREEN, Browser, needed
from tests.e2e.conftest import Elpv
from tests.e2e.pages import Shop, a_browser, open_shop

# CI runs them; `make test` sees every page in test_page.py.
pytestmark = [needed, pytest.mark.slow]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with a_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def shop(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("health")
    shutil.copytree(elpv.models, root / "models")
    with open_shop(root, elpv, models_dir=root / "models", watch_s="0.2") as opened:
        yield opened


def is_usable(page: Browser, shop: Shop) -> None:
    """Everyone can use it, by day and by night, and nothing comes from elsewhere."""
    for dark, size in ((False, SCREEN), (True, PHONE)):
        page.look(size, dark=dark)
        assert page.barriers() == []
        width = "return document.documentElement.scrollWidth - innerWidth"
        assert page.execute_script(width) <= 0
    assert page.hosts() == {shop.url.removeprefix("http://")}
    assert page.complaints() == []


def torn(models: Path) -> None:
    """A third bank, cut short: new, so that it is looked at by itself."""
    shutil.copytree(models / "elpv_mono", models / "torn")
    version = artifacts.current_version(models / "torn")
    bank = models / "torn" / version / artifacts.BANK
    bank.write_bytes(bank.read_bytes()[:-100])


@pytest.fixture
def page(window: Browser, shop: Shop) -> Browser:
    window.delete_all_cookies()
    shop.log_in(window, page="health")
    window.get(f"{shop.url}/page/health")
    window.complaints()  # those of the page before
    return window


def test_all_is_well(page: Browser, shop: Shop) -> None:
    photos = shop.elpv.photos()["good"]
    for i in range(52):
        shop.score(photos[i % len(photos)], camera="till")
    page.refresh()
    text = page.find("#facts").text
    assert "Photos are scored and recorded." in text
    assert "elpv_poly" in text
    is_usable(page, shop)


@pytest.mark.slow
def test_a_bank_that_is_torn_is_told_by_itself(page: Browser, shop: Shop) -> None:
    root = shop.server.log.parent
    page.execute_script("window.untouched = true")
    torn(root / "models")
    page.wait.until(lambda b: "torn cannot be scored" in b.find("#facts").text)
    assert "look here" in page.find(".overall").text
    assert page.execute_script("return window.untouched")  # not by a reload
    assert str(root) not in page.page_source
    is_usable(page, shop)


@pytest.mark.slow
def test_without_records_it_says_so(
    window: Browser, elpv: Elpv, tmp_path_factory: pytest.TempPathFactory
) -> None:
    window.delete_all_cookies()
    with open_shop(tmp_path_factory.mktemp("off"), elpv, records="off") as shop:
        shop.log_in(window, page="health")
        window.get(f"{shop.url}/page/health")
        window.complaints()
        assert "none are recorded, by the settings" in window.find(".overall").text
        assert "known only where verdicts are recorded" in window.find("#facts").text
        is_usable(window, shop)
        window.get(f"{shop.url}/page/now")
        assert "No verdicts are kept here" in window.find("#board").text
        is_usable(window, shop)
