"""A real browser without a screen: Chromium, driven by selenium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE_S = 60.0
# Both are named to selenium, so that it never looks for them, or loads them, itself.
CHROMIUM = Path("/usr/bin/chromium")
CHROMEDRIVER = Path("/usr/bin/chromedriver")
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
    not (CHROMIUM.is_file() and CHROMEDRIVER.is_file()),
    reason=f"needs {CHROMIUM} and {CHROMEDRIVER}",
)


class Browser(Chrome):
    """One window; what is not there yet is waited for."""

    @property
    def wait(self) -> WebDriverWait[Browser]:
        return WebDriverWait(self, PATIENCE_S, poll_frequency=0.05)

    def find(self, css: str) -> WebElement:
        """The first element that is there, seen or not."""
        where = (By.CSS_SELECTOR, css)
        return self.wait.until(expected.presence_of_element_located(where), css)

    def click(self, css: str) -> None:
        where = (By.CSS_SELECTOR, css)
        self.wait.until(expected.element_to_be_clickable(where), css).click()

    def complaints(self) -> list[str]:
        """What the page has written to the console since the last call, the policy's included."""
        entries = self.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser with a new, empty profile."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Browser(options, ChromeService(str(CHROMEDRIVER)))
    try:
        yield browser
    finally:
        browser.quit()
