"""A real browser without a screen: Chromium, driven by selenium."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.wait import WebDriverWait

from tests.support import ROOT

PATIENCE_S = 60.0
PHONE, SCREEN = (390, 844), (1440, 900)
AXE = ROOT / "tests/data/axe/axe.min.js.gz"
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

    def look(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """See pages on a screen of that many pixels, by day or by night."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def photograph(self, path: Path) -> None:
        """The whole page as a PNG."""
        whole = {"captureBeyondViewport": True, "format": "png"}
        picture = self.execute_cdp_cmd("Page.captureScreenshot", whole)["data"]
        path.write_bytes(base64.b64decode(picture))

    def hosts(self) -> set[str]:
        """All that the page has loaded from, host and port."""
        urls = self.execute_script(
            "return [location.href, ...performance.getEntriesByType('resource').map(e => e.name)]"
        )
        return {urlsplit(url).netloc for url in urls if url.startswith("http")}

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps people out, rule and element: serious and critical."""
        self.execute_script(gzip.decompress(AXE.read_bytes()).decode())
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = self.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run({runOnly: arguments[0]})"
            ".then(r => done(r.violations), e => done([String(e)]))",
            rules,
        )
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:200]} {node.get('failureSummary', '')}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


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
