"""A method with patches over HTTP: regions, and the anomaly map on request."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from app.core.store import artifact as artifacts
from tests.integration.service import Service, serve
from tests.support import encode
from tests.unit.core.features.test_patches import CellRuntime, built, spotted, striped

pytestmark = pytest.mark.anyio

GOOD = encode(striped(111))
DEFECTIVE = encode(spotted((100, 20, 150, 70)))


@pytest.fixture(scope="module")
async def patches(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    root = tmp_path_factory.mktemp("patches")
    artifacts.save(root / "models", built(root / "photos").artifact)
    async with serve(root, network=CellRuntime()) as running:
        yield running


def picture(encoded: str) -> Image.Image:
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as opened:
        opened.load()
        return opened


async def test_a_heatmap_is_a_png_of_the_photos_size(patches: Service) -> None:
    answer = (await patches.score(DEFECTIVE, heatmap="true")).json()
    shown = picture(answer["heatmap_png"])
    assert (shown.format, shown.size) == ("PNG", (160, 120))


async def test_without_asking_there_is_no_heatmap(patches: Service) -> None:
    assert (await patches.score(DEFECTIVE)).json()["heatmap_png"] is None


async def test_an_anomalous_photo_names_its_place_unasked(patches: Service) -> None:
    answer = (await patches.score(DEFECTIVE)).json()
    assert answer["verdict"] == "anomalous"
    box = answer["regions"][0]["box"]
    assert box["left"] <= 125 < box["right"]
    assert box["top"] <= 45 < box["bottom"]


async def test_a_normal_photo_names_no_place(patches: Service) -> None:
    answer = (await patches.score(GOOD, heatmap="true")).json()
    assert (answer["verdict"], answer["regions"]) == ("normal", [])
    assert picture(answer["heatmap_png"]).size == (160, 120)


async def test_every_photo_of_a_batch_has_its_own_heatmap(patches: Service) -> None:
    files = [("files", (f"{i}.png", photo)) for i, photo in enumerate((GOOD, b"broken", DEFECTIVE))]
    answer = await patches.client.post("/score/can/batch", files=files, params={"heatmap": "true"})
    results = answer.json()["results"]
    assert [r["verdict"] for r in results] == ["normal", "unusable", "anomalous"]
    maps = [r["result"]["heatmap_png"] for r in results if r["result"]]
    assert len(set(maps)) == 2
    assert maps[1] == (await patches.score(DEFECTIVE, heatmap="true")).json()["heatmap_png"]


async def test_answers_with_overlays_are_those_without_but_for_them(patches: Service) -> None:
    """They are made on a thread, item by item."""
    files = [("files", (f"{n}.png", photo)) for n, photo in enumerate((GOOD, b"none", DEFECTIVE))]
    asked = [
        ("/score/can", [("file", ("p.png", DEFECTIVE))]),
        ("/score/can/batch", files),
        ("/score?category=can&category=nothing", [("file", ("p.png", DEFECTIVE))]),
    ]
    own = {"id", "heatmap_png", "timings_ms", "request_id"}
    for path, sent in asked:
        plain = await patches.client.post(path, files=sent)
        with_overlays = await patches.client.post(
            f"{path}{'&' if '?' in path else '?'}heatmap=true", files=sent
        )
        assert with_overlays.headers["content-type"] == plain.headers["content-type"]
        bare, full = plain.json(), with_overlays.json()
        scores = [item["result"] for item in full.get("results", [{"result": full}])]
        assert [bool(score["heatmap_png"]) for score in scores if score] == [
            True for score in scores if score
        ]
        assert _without(own, bare) == _without(own, full)


def _without(names: set[str], value: Any) -> Any:
    if isinstance(value, list):
        return [_without(names, one) for one in value]
    if isinstance(value, dict):
        return {key: _without(names, one) for key, one in value.items() if key not in names}
    return value
