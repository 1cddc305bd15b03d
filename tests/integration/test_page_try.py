"""The page Try over HTTP: a plain form, and the parts that its script asks for."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape

import httpx
import pytest
from PIL import Image

from app.core.judging.calibration import Fixed
from app.core.store import artifact as artifacts
from tests.integration.service import CURSED, DEFECTIVE, GOOD, Chunks, Service, serve
from tests.integration.test_queue import full_queue
from tests.integration.test_records import listed
from tests.support import encode, make_artifact, plain, version_number
from tests.unit.core.features.test_patches import CellRuntime, built, spotted

pytestmark = pytest.mark.anyio

SPOTTED = encode(spotted((100, 20, 150, 70)))
SCRIPT = {"HX-Request": "true"}
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
async def patches(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """`can` has patches and a map; an older version of it never alarms. `old` knows no patches."""
    root = tmp_path_factory.mktemp("patches")
    serves = built(root / "photos").artifact
    calm = artifacts.with_threshold(serves, Fixed(threshold=999))
    for artifact, version in ((calm, version_number(1)), (serves, version_number(2))):
        manifest = artifact.manifest.model_copy(update={"bank_version": version})
        artifacts.save(root / "models", replace(artifact, manifest=manifest))
    manifest = serves.manifest.model_copy(update={"category": "old"})
    artifacts.save(root / "models", replace(serves, origins=None, manifest=manifest))
    async with serve(root, network=CellRuntime(), records="on") as running:
        yield running


async def token(service: Service) -> str:
    page = await service.client.get("/page/try")
    found = re.search(r'name="csrf-token" content="(\w+)"', page.text)
    assert found, page.text
    return found[1]


async def tried(
    service: Service,
    photo: bytes,
    category: str = "can",
    against: str = "",
    *,
    script: bool = False,
    picture: str = "",
    name: str = "p.png",
) -> httpx.Response:
    return await service.client.post(
        f"/page/try?csrf={await token(service)}",
        files={"file": (name, photo)},
        data={"category": category, "against": against, "picture": picture},
        headers={"Origin": "http://localhost"} | (SCRIPT if script else {}),
    )


def pictures(page: str, after: str = "") -> list[Image.Image]:
    found = re.findall(after + r'href="data:image/\w+;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(text, validate=True))) for text in found]


def photos(page: str) -> list[Image.Image]:
    return pictures(page, 'class="photo" ')


async def test_the_form_says_what_can_be_chosen_and_why_not(service: Service) -> None:
    page = (await service.client.get("/page/try?category=box")).text
    assert '<option value="box" selected >box</option>' in page
    assert '<option value="torn"  disabled>torn (unavailable)</option>' in page
    reason = (await service.client.get("/categories/torn")).json()["reason"]
    assert reason in unescape(page)
    assert "not recorded as a verdict" in page
    assert "up to 195 KiB" in page


async def test_a_plain_form_gets_the_whole_page(service: Service) -> None:
    answer = await tried(service, DEFECTIVE)
    assert answer.status_code == 200, answer.text
    page = answer.text
    assert page.startswith("<!doctype html>")
    score = (await service.score(DEFECTIVE)).json()
    assert 'class="chip anomalous"' in page
    assert f"{score['score']:.4g}</strong>" in page
    assert "times the threshold" in page
    (shown,) = photos(page)
    assert (shown.format, shown.size) == ("WEBP", (40, 30))
    assert '<option value="can" selected >' in page


async def test_a_script_gets_the_part_without_the_photo(service: Service) -> None:
    answer = await tried(service, GOOD, script=True)
    assert answer.status_code == 200
    assert "<!doctype" not in answer.text
    assert 'class="chip normal"' in answer.text
    assert photos(answer.text) == []
    asked = await tried(service, GOOD, script=True, picture="1")
    assert [one.format for one in photos(asked.text)] == ["WEBP"]


async def test_two_categories_side_by_side(service: Service) -> None:
    page = (await tried(service, GOOD, "can", "box")).text
    assert page.count("<article") == 2
    assert ">can</span>" in page
    assert ">box</span>" in page


async def test_two_versions_of_a_category_side_by_side(patches: Service) -> None:
    old, new = version_number(1), version_number(2)
    form = (await patches.client.get("/page/try")).text
    assert f'<option value="can@{old}" >' in form
    assert new not in form
    page = (await tried(patches, SPOTTED, "can", f"can@{old}")).text
    left, right = page.split("<article")[1:]
    assert f"can {new}</span>" in left
    assert 'class="chip anomalous"' in left
    assert f"can {old}</span>" in right
    assert 'class="chip normal"' in right
    assert f'<option value="can@{old}" selected>' in page


async def test_a_version_that_is_gone_is_told_beside_the_one_that_judges(patches: Service) -> None:
    gone = version_number(7)
    answer = await tried(patches, SPOTTED, "can", f"can@{gone}")
    assert answer.status_code == 200
    left, right = answer.text.split("<article")[1:]
    assert 'class="chip anomalous"' in left
    assert f"Can has no version {gone} any more." in right
    alone = await tried(patches, SPOTTED, f"can@{gone}")
    assert alone.status_code == 409
    assert f"an has no version {gone} any more" in alone.text


async def test_a_category_that_is_torn_is_told_beside_the_one_that_judges(service: Service) -> None:
    page = (await tried(service, GOOD, "can", "torn", script=True)).text
    left, right = page.split("<article")[1:]
    assert 'class="chip normal"' in left
    assert "Torn is unavailable: " in right


async def test_why_there_are_no_similar_patches_stands_in_their_place(patches: Service) -> None:
    page = (await tried(patches, SPOTTED, "old", script=True)).text
    assert page.index("No similar patches") > page.rindex("</details>")


@pytest.mark.parametrize("photo", [b"hello, this is text", bytes(range(128, 200)) * 3])
async def test_the_formats_are_said_once(service: Service, photo: bytes) -> None:
    answer = await tried(service, photo, script=True)
    assert answer.status_code == 422
    assert answer.text.count("JPEG") == 1
    assert "choose a photo" in answer.text


async def test_a_trial_is_neither_recorded_nor_counted(patches: Service) -> None:
    async def counted() -> float:
        labels = {"category": "can", "verdict": "anomalous"}
        return await patches.metric("goodsguard_verdicts_total", **labels)

    async def recorded() -> list[str]:
        return [one["id"] for one in await listed(patches)]

    await patches.score(SPOTTED)
    before = await counted(), await recorded()
    assert before[0] == len(before[1]) == 1
    assert (await tried(patches, SPOTTED)).status_code == 200
    assert (await counted(), await recorded()) == before


async def test_places_overlay_and_similar_patches(patches: Service) -> None:
    page = (await tried(patches, SPOTTED, script=True)).text
    box = (await patches.score(SPOTTED)).json()["regions"][0]["box"]
    width, height = box["right"] - box["left"], box["bottom"] - box["top"]
    outline = f'x="{box["left"]}" y="{box["top"]}" width="{width}" height="{height}"'
    assert outline in page
    overlay, *patch_pictures = pictures(page)
    assert (overlay.format, overlay.size) == ("PNG", (160, 120))
    assert len(patch_pictures) >= 2
    assert {one.format for one in patch_pictures} == {"JPEG"}


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (60, 20)), (3, (60, 20)), (6, (20, 60)), (8, (20, 60))]
)
async def test_the_photo_stands_as_it_is_judged(
    service: Service, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = encode(plain(120, (60, 20)), "JPEG", exif=exif)
    page = (await tried(service, photo)).text
    (shown,) = photos(page)
    assert shown.size == size
    assert f'viewBox="0 0 {size[0]} {size[1]}"' in page


async def test_a_large_photo_is_shown_small(service: Service) -> None:
    (shown,) = photos((await tried(service, encode(plain(120, (3000, 1500)), "JPEG"))).text)
    assert shown.size == (1024, 512)


@pytest.mark.parametrize(
    ("photo", "category", "against", "status", "said"),
    [
        (b"hello, this is text", "can", "", 422, "this is text, not an image: choose a photo ("),
        (GOOD[:40], "can", "", 422, "image"),
        (CURSED, "can", "", 422, "no finite score"),
        (GOOD, "", "", 422, "choose a category first"),
        (GOOD, "can", "can", 422, "compared with itself"),
        (GOOD, "torn", "", 503, "unavailable"),
        (GOOD, "nothing", "", 404, "no category"),
        (GOOD, HOSTILE, "", 404, "no category"),
        (bytes(200_001), "can", "", 413, "more than 200,000 bytes"),
    ],
)
async def test_faults_stand_beside_the_form(
    service: Service, photo: bytes, category: str, against: str, status: int, said: str
) -> None:
    for script in (False, True):
        answer = await tried(service, photo, category, against, script=script)
        assert answer.status_code == status, answer.text
        assert said.lower() in unescape(answer.text).lower()
        assert ('id="try"' in answer.text) is not script
        assert "<script>alert" not in answer.text


async def test_a_form_without_a_photo_says_so(service: Service) -> None:
    """As browsers send it: a file without a name, of no bytes."""
    head = 'Content-Disposition: form-data; name="file"; filename=""'
    answer = await service.client.post(
        f"/page/try?csrf={await token(service)}",
        content=f"--x\r\n{head}\r\n\r\n\r\n--x--\r\n",
        headers={"Origin": "http://localhost", "Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 422
    assert "Choose a photo first." in answer.text


async def test_only_the_page_itself_may_send_a_photo(service: Service) -> None:
    own = await token(service)
    for address, headers in (
        ("/page/try", {"Origin": "http://localhost"}),
        (f"/page/try?csrf={own}", {"Origin": "http://elsewhere.example"}),
        (f"/page/try?csrf={own}", {}),
    ):
        body = {"file": ("p.png", GOOD)}
        answer = await service.client.post(address, files=body, headers=headers)
        assert answer.status_code == 403, answer.text


async def test_a_full_queue_is_told_in_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with full_queue(tmp_path_factory, 1) as service:
        answer = await tried(service, GOOD, script=True)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert "photos are in work or waiting" in answer.text
        assert answer.headers["content-type"].startswith("text/html")
        body = Chunks()
        refused = await service.client.post("/page/try", content=body)
        assert (refused.status_code, body.taken) == (429, 0)
        labels = {"route": "/page/try", "method": "POST", "status": "429"}
        assert await service.metric("goodsguard_requests_total", **labels) == 2


async def test_trials_count_in_the_limit_of_requests(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("limit"), rate_limit=2) as service:
        answers = [(await tried(service, GOOD)).status_code for _ in range(3)]
        assert answers == [200, 200, 429]


async def test_without_banks_the_page_says_what_to_do(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("none")
    (root / "models").mkdir()
    async with serve(root) as service:
        page = (await service.client.get("/page/try")).text
        assert "goodsguard build" in page
        assert "<form id" not in page


async def test_names_are_escaped(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("hostile")
    made = make_artifact()
    manifest = made.manifest.model_copy(update={"preset": HOSTILE})
    artifacts.save(root / "models", replace(made, manifest=manifest))
    async with serve(root) as service:
        page = (await tried(service, GOOD, name=HOSTILE)).text
        assert "<script>alert" not in page
        assert HOSTILE in unescape(page)
