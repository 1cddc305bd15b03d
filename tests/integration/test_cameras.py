"""Requests that name their camera: its crop and mask, its places, and the answer's pixels."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.core import detector as core_detector
from app.core import lookout
from app.core.photo.images import DecodedImage, decode
from app.core.store import artifact as artifacts
from tests.integration.service import GOOD, Chunks, Json, Service, assert_problem, serve
from tests.integration.test_logs import Log
from tests.support import Pixels, encode, make_artifact, plain
from tests.unit.core.features.test_patches import CellRuntime, built, spotted, striped
from tests.unit.core.photo.test_images import turned

pytestmark = pytest.mark.anyio

# What the goods look like, 160 × 120, stands somewhere in photos of 400 × 300.
CAMERAS = """
[cameras.whole]

[cameras.till]
crop = [0.4, 0.4, 0.8, 0.8]

[cameras.masked]
mask = "mask.png"

[cameras.wrong]
crop = [0.8, 0.4, 0.4, 0.8]

[cameras.shelf]
crop = [0.0, 0.2, 1.0, 1.0]

[[cameras.shelf.places]]
name = "first"
category = "can"
crop = [0.0, 0.0, 0.4, 0.5]

[[cameras.shelf.places]]
name = "missing"
category = "bottle"
crop = [0.4, 0.0, 0.8, 0.5]

[[cameras.shelf.places]]
name = "second"
category = "can"
crop = [0.4, 0.5, 0.8, 1.0]

[[cameras.shelf.places]]
name = "third"
category = "grey"
crop = [0.0, 0.5, 0.4, 1.0]

[[cameras.shelf.places]]
name = "fourth"
category = "can"
crop = [0.5, 0.0, 0.9, 0.5]
"""
SIZE = (400, 300)
# The camera's crop in pixels, and where a spot stands in it: a quarter of its width.
TILL = (160, 120, 320, 240)
SPOT = (60, 40, 100, 80)


def scene(*goods: tuple[Image.Image, tuple[int, int]], around: Any = (20, 200, 40)) -> Image.Image:
    image = plain(around, SIZE)
    for picture, corner in goods:
        image.paste(picture, corner)
    return image


FINE = encode(scene((striped(111), TILL[:2])))
DAMAGED = scene((spotted(SPOT), TILL[:2]))


def expected(box: tuple[int, int, int, int], corner: tuple[int, int]) -> tuple[int, ...]:
    return (box[0] + corner[0], box[1] + corner[1], box[2] + corner[0], box[3] + corner[1])


def assert_near(region: Json, box: tuple[int, ...], patch: float) -> None:
    found = region["box"]
    edges = (found["left"], found["top"], found["right"], found["bottom"])
    assert max(abs(a - b) for a, b in zip(edges, box, strict=True)) <= patch, (edges, box)


@pytest.fixture(scope="module")
async def shop(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """`can` has patches; `grey` is of another network, and its features of the whole photo."""
    root = tmp_path_factory.mktemp("cameras")
    artifacts.save(root / "models", built(root / "photos").artifact)
    artifacts.save(root / "models", make_artifact("grey"))
    mask = Image.new("L", SIZE)
    mask.paste(255, TILL)
    (root / "mask.png").write_bytes(encode(mask))
    (root / "cameras.toml").write_text(CAMERAS, encoding="utf-8")
    async with serve(
        root, network=CellRuntime(), cameras=root / "cameras.toml", watch_s=0
    ) as running:
        yield running


async def ask(service: Service, path: str, photo: bytes, *more: tuple[str, str]) -> httpx.Response:
    return await service.client.post(path, files={"file": ("p.png", photo)}, params=list(more))


def camera(name: str) -> tuple[str, str]:
    return "camera", name


async def test_the_cameras_crop_is_judged_as_a_photo_of_its_own(shop: Service) -> None:
    answer = (await ask(shop, "/score/can", FINE, camera("till"))).json()
    alone = (await shop.score(encode(striped(111)))).json()
    assert (answer["verdict"], answer["score"]) == ("normal", alone["score"])
    assert answer["camera"] == "till"
    assert answer["image"] == {"width": 400, "height": 300, "format": "PNG"}
    without = (await shop.score(FINE)).json()
    assert (without["verdict"], without["camera"]) == ("anomalous", None)


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
async def test_regions_and_overlay_are_in_the_sent_photos_pixels(
    shop: Service, orientation: int, kind: str
) -> None:
    data = turned(np.asarray(DAMAGED), orientation, kind)
    answer = (await ask(shop, "/score/can", data, camera("till"), ("heatmap", "true"))).json()
    assert answer["verdict"] == "anomalous"
    assert (answer["image"]["width"], answer["image"]["height"]) == SIZE
    assert_near(answer["regions"][0], expected(SPOT, TILL[:2]), patch=20)
    with Image.open(io.BytesIO(base64.b64decode(answer["heatmap_png"]))) as opened:
        drawn = np.asarray(opened.convert("RGB"), dtype=int)
    assert drawn.shape == (300, 400, 3)
    left, top, right, bottom = TILL
    apart = np.ptp(drawn, axis=-1)  # 0: grey
    outside = np.ones(apart.shape, dtype=bool)
    outside[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
    assert apart[outside].max() <= 2  # what the camera does not show is grey, without a colour
    changed = np.abs(drawn - np.asarray(DAMAGED, dtype=int)).max(axis=-1) > 40
    assert changed[top:bottom, left:right].any()


async def test_what_the_cameras_mask_covers_is_not_looked_at(shop: Service) -> None:
    """The goods fill the photo, but for a bright spot in the part that is not looked at."""
    goods = striped(111, SIZE)
    hidden, seen = goods.copy(), goods.copy()
    hidden.paste((230, 20, 20), (10, 10, 110, 90))
    seen.paste((230, 20, 20), (200, 150, 280, 220))
    answers = [
        (await ask(shop, "/score/can", encode(p), camera("masked"))).json() for p in (hidden, seen)
    ]
    assert [a["verdict"] for a in answers] == ["normal", "anomalous"]
    (region,) = answers[1]["regions"]
    assert_near(region, (200, 150, 280, 220), patch=53)  # 50, and what the map is rounded to
    assert (await shop.score(encode(hidden))).json()["verdict"] == "anomalous"


async def test_a_mask_that_the_category_cannot_heed_is_told(shop: Service) -> None:
    answer = await ask(shop, "/score/grey", FINE, camera("masked"))
    assert "patches" in assert_problem(answer, 422, "unsupported-image")["detail"]


async def test_a_batch_is_seen_by_its_camera(shop: Service) -> None:
    photos = [FINE, encode(DAMAGED), b"no image"]
    answer = await shop.client.post(
        "/score/can/batch",
        files=[("files", (f"{n}.png", photo)) for n, photo in enumerate(photos)],
        params={"camera": "till"},
    )
    body = answer.json()
    assert body["camera"] == "till"
    assert [item["verdict"] for item in body["results"]] == ["normal", "anomalous", "unusable"]
    assert [item["result"]["camera"] for item in body["results"][:2]] == ["till", "till"]


async def test_a_mask_spoils_no_other_category_and_no_other_photo(shop: Service) -> None:
    answer = await ask(
        shop, "/score", FINE, ("category", "can"), ("category", "grey"), camera("masked")
    )
    can, grey = answer.json()["results"]
    assert (can["problem"], grey["verdict"]) == (None, "unusable")
    assert can["result"]["camera"] == answer.json()["camera"] == "masked"
    assert grey["problem"]["type"] == "urn:goodsguard:unsupported-image"


@pytest.mark.parametrize(
    "path", ["/score/can", "/score/can/batch", "/score?category=can", "/score"]
)
async def test_an_unknown_camera_is_refused_before_the_photo_is_read(
    shop: Service, path: str
) -> None:
    body = Chunks()
    headers = {"content-type": "image/png"}
    url = path + ("&" if "?" in path else "?") + "camera=shelf-9"
    answer = await shop.client.post(url, content=body, headers=headers)
    detail = assert_problem(answer, 422, "unknown-camera")["detail"]
    assert detail.endswith("there are: masked, shelf, till, whole, wrong")
    assert body.taken == 0


async def test_a_camera_with_a_fault_costs_no_other(shop: Service) -> None:
    answer = await ask(shop, "/score/can", FINE, camera("wrong"))
    assert "crop" in assert_problem(answer, 503, "camera-unavailable")["detail"]
    assert (await ask(shop, "/score/can", FINE, camera("till"))).status_code == 200


async def test_without_a_file_no_camera_is_known(tmp_path: Path) -> None:
    async with serve(tmp_path, watch_s=0) as service:
        answer = await ask(service, "/score/can", GOOD, camera("till"))
        assert "GOODSGUARD_CAMERAS" in assert_problem(answer, 422, "unknown-camera")["detail"]


@pytest.mark.parametrize("content", [None, "[cameras."])
async def test_a_broken_file_stops_only_those_who_name_a_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.setattr(lookout, "LOOK_EVERY_S", 0.0)
    path = tmp_path / "cameras.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    async with serve(tmp_path, watch_s=0, cameras=path) as service:
        assert (await service.score(GOOD)).status_code == 200
        answer = await ask(service, "/score/can", GOOD, camera("till"))
        detail = assert_problem(answer, 503, "camera-unavailable")["detail"]
        assert str(tmp_path) not in detail
        path.write_text("[cameras.till]\n", encoding="utf-8")
        assert (await ask(service, "/score/can", GOOD, camera("till"))).status_code == 200
        path.write_text("[cameras.", encoding="utf-8")
        assert (await ask(service, "/score/can", GOOD, camera("till"))).status_code == 200


def shelf(first: Image.Image, second: Image.Image, fourth: Image.Image) -> Image.Image:
    """The fourth place overlaps the missing one alone."""
    return scene(
        (first, (0, 60)), (second, (160, 180)), (plain(120, (160, 120)), (0, 180)),
        (fourth, (200, 60)),
    )  # fmt: skip


@pytest.fixture
def passes(shop: Service) -> Iterator[list[int]]:
    """How many photos went through the network, pass by pass."""
    seen: list[int] = []
    runtimes = {d.extractor.runtime for d in shop.app.state.services.registry.detectors.values()}
    for runtime in runtimes:
        real = runtime.embed

        def counted(pixels: Pixels, real: Any = real) -> Any:
            seen.append(len(pixels))
            return real(pixels)

        runtime.embed = counted
    yield seen
    for runtime in runtimes:
        del runtime.embed


async def test_each_place_is_judged_by_its_own_category_with_one_decode_and_a_pass_per_network(
    shop: Service, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    decodes: list[object] = []

    def counted(data: bytes, **options: Any) -> DecodedImage:
        decodes.append(options)
        return decode(data, **options)

    monkeypatch.setattr(core_detector, "decode", counted)
    photo = encode(shelf(striped(111), spotted(SPOT), striped(109)))
    answer = await ask(shop, "/score", photo, camera("shelf"))
    body = answer.json()
    assert body["camera"] == "shelf"
    told = [(item["place"], item["category"], item["verdict"]) for item in body["results"]]
    assert told == [
        ("first", "can", "normal"),
        ("missing", "bottle", "unusable"),
        ("second", "can", "anomalous"),
        ("third", "grey", "normal"),
        ("fourth", "can", "normal"),
    ]
    first, missing, second, _, fourth = body["results"]
    assert missing["problem"]["type"] == "urn:goodsguard:unknown-category"
    assert missing["problem"]["request_id"] == answer.headers["x-request-id"]
    assert_near(second["result"]["regions"][0], expected(SPOT, (160, 180)), patch=20)
    assert len(decodes) == 1
    assert sorted(passes) == [1, 3]
    alone = [(await shop.score(encode(striped(n)))).json()["score"] for n in (111, 109)]
    assert [first["result"]["score"], fourth["result"]["score"]] == alone


async def test_places_of_a_turned_jpeg_are_found_upright(shop: Service) -> None:
    data = turned(np.asarray(shelf(striped(111), spotted(SPOT), striped(109))), 6, "JPEG")
    results = (await ask(shop, "/score", data, camera("shelf"), ("heatmap", "true"))).json()[
        "results"
    ]
    assert [item["verdict"] for item in results] == [
        "normal", "unusable", "anomalous", "normal", "normal",
    ]  # fmt: skip
    assert_near(results[2]["result"]["regions"][0], expected(SPOT, (160, 180)), patch=20)
    overlays = [item["result"]["heatmap_png"] for item in results if item["result"]]
    assert [overlay is None for overlay in overlays] == [False, False, True, False]
    assert await shop.metric("goodsguard_queue_depth") == 0


async def test_a_photo_that_cannot_be_read_is_so_for_each_place(shop: Service) -> None:
    results = (await ask(shop, "/score", b"no image", camera("shelf"))).json()["results"]
    slugs = [item["problem"]["type"].rpartition(":")[2] for item in results]
    assert slugs == ["not-an-image", "unknown-category", *["not-an-image"] * 3]


@pytest.mark.parametrize(
    ("params", "reason"),
    [([], "or a camera that has places"), ([camera("till")], "the camera has no places")],
)
async def test_neither_categories_nor_places_is_an_invalid_request(
    shop: Service, params: list[tuple[str, str]], reason: str
) -> None:
    answer = await ask(shop, "/score", FINE, *params)
    assert reason in assert_problem(answer, 422, "invalid-request")["detail"]


async def test_places_cost_as_photos_do(tmp_path: Path) -> None:
    artifacts.save(tmp_path / "models", make_artifact("can"))
    places = "".join(
        f'[[cameras.shelf.places]]\nname = "{n}"\ncategory = "can"\ncrop = [0, 0, 1, 1]\n'
        for n in range(3)
    )
    (tmp_path / "cameras.toml").write_text(f"[cameras.shelf]\n{places}", encoding="utf-8")
    options: dict[str, Any] = {"cameras": tmp_path / "cameras.toml", "watch_s": 0}
    async with serve(tmp_path, queue_size=5, **options) as service:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold() -> None:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(20)

        service.network.before = hold
        held = asyncio.create_task(ask(service, "/score", GOOD, camera("shelf")))
        while await service.metric("goodsguard_queue_depth") != 3:
            assert not held.done()
        body = Chunks()
        answer = await service.client.post(
            "/score?camera=shelf", content=body, headers={"content-type": "image/png"}
        )
        assert_problem(answer, 429, "overloaded")
        assert body.taken == 0
        release.set()
        assert (await held).status_code == 200
        assert await service.metric("goodsguard_queue_depth") == 0
    async with serve(tmp_path, max_batch=2, **options) as service:
        detail = assert_problem(
            await ask(service, "/score", GOOD, camera("shelf")), 422, "invalid-request"
        )["detail"]
        assert "3 places, 2 may be judged (GOODSGUARD_MAX_BATCH)" in detail


async def test_camera_and_places_are_in_the_log_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    monkeypatch.setattr("sys.stderr", log)
    artifacts.save(tmp_path / "models", make_artifact("can"))
    (tmp_path / "cameras.toml").write_text(
        '[cameras.shelf]\n[[cameras.shelf.places]]\nname = "a"\ncategory = "can"\n'
        "crop = [0, 0, 0.5, 1]\n",
        encoding="utf-8",
    )
    async with serve(
        tmp_path, cameras=tmp_path / "cameras.toml", watch_s=0, log_level="info"
    ) as service:
        log.lines()
        await ask(service, "/score", GOOD, camera("shelf"))
        await ask(service, "/score/can", GOOD, camera("shelf"))
        of_places, of_one = (line for line in log.lines() if line["event"] == "request")
    assert (of_places["camera"], of_one["camera"]) == ("shelf", "shelf")
    assert of_places["category"] == {"a": "can"}
    assert of_places["verdicts"] == {"a": "normal"}
    assert set(of_places["timings_ms"]) == {"a"}
