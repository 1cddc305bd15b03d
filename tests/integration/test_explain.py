"""`explain=true`: the most anomalous places beside the nearest good patches, over HTTP."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.store import artifact as artifacts
from tests.integration.service import Json, Service, assert_problem, serve
from tests.support import encode
from tests.unit.core.features.test_patches import CellRuntime, built, spotted, striped

pytestmark = pytest.mark.anyio

GOOD = encode(striped(111))
DEFECTIVE = encode(spotted((100, 20, 150, 70)))
CAMERAS = """
[cameras.shelf]

[[cameras.shelf.places]]
name = "left"
category = "can"
crop = [0.0, 0.0, 0.5, 1.0]

[[cameras.shelf.places]]
name = "right"
category = "can"
crop = [0.5, 0.0, 1.0, 1.0]
"""


@pytest.fixture(scope="module")
async def patches(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """`can` explains; `bare` has no pictures, `old` no origins, `gauss` another method, and `bad`
    origins that are none."""
    root = tmp_path_factory.mktemp("explain")
    made = built(root / "photos").artifact
    assert made.origins is not None
    (root / "cameras.toml").write_text(CAMERAS)
    store(root / "models", made)
    store(root / "models", replace(made, origins=replace(made.origins, pictures=None)), "bare")
    store(root / "models", replace(made, origins=None), "old")
    wrong = np.full_like(made.origins.photo, len(made.origins.numbers))
    store(root / "models", replace(made, origins=replace(made.origins, photo=wrong)), "bad")
    gauss = built(root / "others", method={"kind": "gaussian"}).artifact
    store(root / "models", gauss, "gauss")
    async with serve(
        root, network=CellRuntime(), cameras=root / "cameras.toml", records="on"
    ) as running:
        yield running


def store(models: Path, artifact: artifacts.Artifact, category: str = "can") -> None:
    manifest = artifact.manifest.model_copy(update={"category": category})
    artifacts.save(models, replace(artifact, manifest=manifest))


def picture(info: Json) -> Image.Image:
    head, _, text = info["src"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as opened:
        opened.load()
        assert opened.format == "JPEG"
        return opened


async def explained(service: Service, photo: bytes, category: str = "can") -> Any:
    answer = await service.score(photo, category, explain="true")
    assert answer.status_code == 200, answer.text
    return answer.json()["explanation"]


async def test_a_defect_is_shown_beside_five_good_patches(patches: Service) -> None:
    found = await explained(patches, DEFECTIVE)
    assert found["reason"] is None
    (place,) = found["places"]
    assert 80 <= place["box"]["left"] < place["box"]["right"] <= 160
    red = np.asarray(picture(place["picture"]), dtype=int)
    assert (red[..., 0] - red[..., 1]).max() > 150
    nearest = place["nearest"]
    assert [patch["distance"] for patch in nearest] == sorted(p["distance"] for p in nearest)
    assert len({patch["photo"] for patch in nearest}) == 5
    for patch in nearest:
        assert 1 <= patch["photo"] <= 15
        grey = np.asarray(picture(patch["picture"]), dtype=int)
        assert np.abs(grey[..., 0] - grey[..., 1]).max() < 20


async def test_a_normal_photo_shows_its_highest_place(patches: Service) -> None:
    found = await explained(patches, GOOD)
    assert len(found["places"]) == 1


async def test_without_asking_there_is_none(patches: Service) -> None:
    assert (await patches.score(DEFECTIVE)).json()["explanation"] is None
    assert (await patches.score(DEFECTIVE, explain="false")).json()["explanation"] is None


async def test_it_changes_nothing_else_of_the_answer(patches: Service) -> None:
    bare = (await patches.score(DEFECTIVE, heatmap="true")).json()
    full = (await patches.score(DEFECTIVE, heatmap="true", explain="true")).json()
    own = {"id", "timings_ms", "request_id", "explanation"}
    assert {k: v for k, v in bare.items() if k not in own} == {
        k: v for k, v in full.items() if k not in own
    }
    assert full["heatmap_png"]
    assert full["explanation"]["places"]


async def test_each_of_several_categories_explains_itself(patches: Service) -> None:
    asked = "&".join(f"category={name}" for name in ("can", "bare", "old", "gauss", "bad"))
    answer = await patches.client.post(
        f"/score?{asked}&explain=true", files={"file": ("p.png", DEFECTIVE)}
    )
    results = {item["category"]: item["result"] for item in answer.json()["results"]}
    assert results.pop("bad") is None
    found = {name: result["explanation"] for name, result in results.items()}
    assert found["can"] == await explained(patches, DEFECTIVE)
    (place,) = found["bare"]["places"]
    assert [patch["picture"] for patch in place["nearest"]] == [None] * 5
    assert picture(place["picture"])
    assert found["old"]["places"] == found["gauss"]["places"] == []
    assert "build it again" in found["old"]["reason"]
    assert "gaussian" in found["gauss"]["reason"]


async def test_places_of_a_camera_are_told_in_its_whole_photo(patches: Service) -> None:
    scene = Image.new("RGB", (320, 120))
    scene.paste(striped(111), (0, 0))
    scene.paste(spotted((100, 20, 150, 70)), (160, 0))
    answer = await patches.client.post(
        "/score?camera=shelf&explain=true", files={"file": ("p.png", encode(scene))}
    )
    left, right = (item["result"]["explanation"]["places"] for item in answer.json()["results"])
    assert [place["box"]["right"] <= 160 for place in left] == [True]
    assert [place["box"]["left"] >= 240 for place in right] == [True]


async def test_origins_that_are_none_leave_that_category_alone_unavailable(
    patches: Service,
) -> None:
    body = assert_problem(await patches.score(GOOD, "bad"), 503, "category-unavailable")
    assert "photo that it does not name" in body["detail"]
    assert (await patches.score(GOOD)).status_code == 200


async def test_a_batch_explains_nothing(patches: Service) -> None:
    files = [("files", ("0.png", GOOD))]
    answer = await patches.client.post("/score/can/batch?explain=true", files=files)
    assert_problem(answer, 422, "invalid-request")
    plain = await patches.client.post("/score/can/batch", files=files)
    assert plain.json()["results"][0]["result"]["explanation"] is None


async def test_a_photo_that_cannot_be_judged_is_a_problem_as_ever(patches: Service) -> None:
    answer = await patches.score(b"no image", explain="true")
    assert_problem(answer, 422, "not-an-image")
