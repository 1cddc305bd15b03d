"""Try, as a person uses it: a photo chosen, judged, looked at through its map."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import Select

from tests.e2e.browser import PHONE, SCREEN, Browser, needed
from tests.e2e.conftest import Elpv
from tests.e2e.pages import Shop, a_browser, open_shop
from tests.e2e.process import run_script

# CI runs them; `make test` sees every page in test_page.py.
pytestmark = [needed, pytest.mark.slow]

# The photo that is shown against its overlay, which the service drew: how alike they are, as they
# are and turned by half.
ALIKE = """
const done = arguments[arguments.length - 1], sight = document.querySelector(".sight");
const grey = async (href) => {
  const image = new Image(), canvas = document.createElement("canvas");
  image.src = href;
  await image.decode();
  canvas.width = canvas.height = 48;
  const drawn = canvas.getContext("2d");
  drawn.drawImage(image, 0, 0, 48, 48);
  const { data } = drawn.getImageData(0, 0, 48, 48), values = [];
  for (let i = 0; i < data.length; i += 4) values.push(data[i] + data[i + 1] + data[i + 2]);
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  return values.map((value) => value - mean);
};
const product = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const alike = (a, b) => product(a, b) / Math.sqrt(product(a, a) * product(b, b));
(async () => {
  const photo = await grey(sight.querySelector(".photo").getAttribute("href"));
  const overlay = await grey(sight.querySelector(".over image").getAttribute("href"));
  done([alike(photo, overlay), alike([...photo].reverse(), overlay)]);
})();
"""


@pytest.fixture(scope="module")
def shop(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """`elpv_mono` has patches, and so a map; `elpv_poly` judges photos as a whole; `torn` is cut
    short."""
    root = tmp_path_factory.mktemp("try")
    done = run_script(
        "build_bank.py", "--data", elpv.data, "--category", "elpv_mono", "--limit", "20",
        "--alpha", "0.05", "--preset", "embedded-patch", "--models", root / "models",
        "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shutil.copytree(elpv.models / "elpv_poly", root / "models" / "elpv_poly")
    shutil.copytree(elpv.models / "elpv_poly", root / "models" / "torn")
    with open_shop(root, replace(elpv, models=root / "models")) as opened:
        yield opened


@pytest.fixture(scope="module")
def window(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with a_browser(tmp_path_factory.mktemp("window")) as browser:
        shop.log_in(browser, "score", "try")
        browser.complaints()  # of the login's form, which is another page
        yield browser


@pytest.fixture
def page(shop: Shop, window: Browser) -> Iterator[Browser]:
    """The form, empty, on a screen; whatever the test does, nothing is complained about."""
    window.look(SCREEN)
    window.get(f"{shop.url}/page/try")
    yield window
    assert window.complaints() == []
    assert window.hosts() == {shop.url.removeprefix("http://")}


@pytest.fixture(scope="module")
def photo(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A defective cell, taken with the camera held upright: 3:2, EXIF orientation 6, and marked in
    a corner, so that it shows how it stands."""
    with Image.open(io.BytesIO(elpv.photos()["defective"][0])) as cell:
        taken = Image.new("RGB", (900, 600), (30, 30, 30))
        taken.paste(cell.convert("RGB").resize((600, 600)), (0, 0))
    taken.paste((250, 250, 250), (0, 0, 200, 90))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path_factory.mktemp("photo") / "held upright.jpg"
    taken.save(path, exif=exif)
    return path


def choose(page: Browser, photo: Path, category: str = "elpv_mono", against: str = "") -> None:
    page.find("#file").send_keys(str(photo))
    Select(page.find("#category")).select_by_value(category)
    Select(page.find("#against")).select_by_value(against)


def judge(page: Browser) -> None:
    """By keyboard; until it is judged."""
    page.find("#judge").send_keys(Keys.ENTER)
    page.wait.until(lambda b: b.find_elements("css selector", "#result .chip"), "a verdict")


def fault(page: Browser) -> str:
    return page.wait.until(lambda b: b.find_element("id", "fault").text, "a fault")


def address(page: Browser) -> str:
    """Where the photo that is shown comes from."""
    return page.find(".photo").get_dom_attribute("href") or ""


def over(page: Browser, name: str) -> str:
    return page.find(".over").get_dom_attribute(name) or ""


def test_a_photo_gets_its_verdict_and_its_map_is_laid_over_it_by_keyboard(
    page: Browser, photo: Path
) -> None:
    choose(page, photo)
    page.wait.until(lambda b: b.find_element("id", "preview").is_displayed(), "the preview")
    judge(page)
    assert page.find(".chip").text in ("normal", "anomalous")
    assert "threshold" in page.find(".words").text
    assert "good photos that were kept for comparison" in page.find(".half + .half p").text
    page.find(".histogram canvas")
    assert page.find(".sight").get_dom_attribute("viewBox") == "0 0 600 900"
    assert address(page).startswith("blob:")
    alike, turned = page.execute_async_script(ALIKE)
    assert alike > max(0.6, turned + 0.2)
    assert page.find_elements("css selector", ".patches .patch svg")

    slider = page.find("#amount")
    slider.send_keys(*[Keys.ARROW_LEFT] * 30)
    assert page.find("#amount-said").text == "70 %"
    assert over(page, "opacity") == "0.7"
    slider.send_keys(Keys.HOME)
    assert over(page, "opacity") == "0"
    page.find("#blend [value=fade]").send_keys(Keys.ARROW_RIGHT)
    slider.send_keys(*[Keys.ARROW_RIGHT] * 25)
    assert (over(page, "opacity"), over(page, "width")) == ("1", "150")
    assert page.find(".edge").get_dom_attribute("x1") == "150"
    page.find("#outlined").send_keys(Keys.SPACE)
    assert page.find(".outlines").get_dom_attribute("visibility") == "hidden"

    for dark in (False, True):
        page.look(SCREEN, dark=dark)
        assert page.barriers() == []


@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
def test_what_the_browser_shows_otherwise_or_not_at_all_comes_from_the_service(
    page: Browser, photo: Path, tmp_path: Path, kind: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(photo) as taken:
        taken.save(path := tmp_path / f"photo.{kind.lower()}", kind, exif=exif)
    choose(page, path)
    judge(page)
    assert address(page).startswith("data:image/webp")
    alike, turned = page.execute_async_script(ALIKE)
    assert alike > max(0.6, turned + 0.2)


def test_two_categories_side_by_side(page: Browser, photo: Path) -> None:
    choose(page, photo, "elpv_mono", "elpv_poly")
    judge(page)
    left, right = page.find_elements("css selector", ".side")
    assert left.text.startswith("elpv_mono")
    assert right.text.startswith("elpv_poly")
    assert "no map of places" in right.text
    assert left.rect["y"] == right.rect["y"]
    assert len(page.find_elements("css selector", ".histogram canvas")) == 2
    assert page.barriers() == []


def test_on_a_phone_the_camera_is_offered_and_nothing_lies_beside_the_screen(
    shop: Shop, page: Browser, photo: Path
) -> None:
    page.look(PHONE)
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        page.get(f"{shop.url}/page/try")
        page.wait.until(lambda b: b.find_element("id", "take").is_displayed(), "the camera")
        page.find("#camera").send_keys(str(photo))
        Select(page.find("#category")).select_by_value("elpv_mono")
        judge(page)
        assert page.find("#chosen").text.startswith("held upright.jpg")
        top = "return document.querySelector('#result h2').getBoundingClientRect().top"
        assert 0 <= page.execute_script(top) < PHONE[1] / 2
        wider = "return document.documentElement.scrollWidth - innerWidth"
        assert page.execute_script(wider) <= 0
        for dark in (False, True):
            page.look(PHONE, dark=dark)
            assert page.barriers() == []
    finally:
        page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_what_is_no_photo_is_told_before_it_is_sent(page: Browser, tmp_path: Path) -> None:
    for name, said in (
        ("list.txt", "list.txt is no photo"),
        ("IMG_1.HEIC", "Most Compatible"),
        ("empty.jpg", "The file is empty"),
    ):
        (tmp_path / name).write_bytes(b"" if name == "empty.jpg" else b"apples, pears")
        page.find("#file").send_keys(str(tmp_path / name))
        page.wait.until(text_to_be_present_in_element((By.ID, "fault"), said), said)
    Select(page.find("#category")).select_by_value("elpv_mono")
    page.find("#judge").send_keys(Keys.ENTER)
    assert page.find("#at-work").text == ""
    assert page.execute_script("return document.activeElement.id") == "choose"


def test_text_that_is_called_a_photo_gets_a_sentence_and_stays_chosen(
    page: Browser, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_text("apples, pears")
    choose(page, tmp_path / "photo.jpg")
    page.find("#judge").send_keys(Keys.ENTER)
    assert fault(page).startswith("Not an image. This is text, not an image: choose a photo (JPEG")
    assert page.find("#chosen").text.startswith("photo.jpg")
    (complaint,) = page.complaints()  # the browser's own, of every answer that is an error
    assert "status of 422" in complaint


def test_a_photo_can_be_dropped(page: Browser) -> None:
    page.execute_async_script(
        "const done = arguments[0], canvas = document.createElement('canvas');"
        "canvas.toBlob((blob) => { const data = new DataTransfer();"
        "data.items.add(new File([blob], 'dropped.png', { type: 'image/png' }));"
        "document.dispatchEvent(new DragEvent('drop', { dataTransfer: data })); done(); });"
    )
    assert page.find("#chosen").text.startswith("dropped.png")
    page.find("#judge").send_keys(Keys.ENTER)
    assert fault(page) == "Choose a category first."


def test_a_category_that_does_not_serve_says_why(page: Browser) -> None:
    assert not page.find("#category option[value=torn]").is_enabled()
    assert "torn is unavailable" in page.find("ul.plain").text


def test_without_javascript_both_pictures_stand_side_by_side(
    shop: Shop, page: Browser, photo: Path
) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.get(f"{shop.url}/page/try")
        choose(page, photo)
        page.find("#judge").submit()
        page.find("#result .chip")
        assert len(page.find_elements("css selector", ".plain-pair .sight")) == 2
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
