from __future__ import annotations

import json

import pytest

from app.core.store import artifact as artifacts
from tests.integration.service import GOOD, Service, assert_problem, serve
from tests.support import GREYS, SPEC, THRESHOLD, bank_of, make_artifact

pytestmark = pytest.mark.anyio


async def test_all_categories_are_listed_by_name(service: Service) -> None:
    categories = (await service.client.get("/categories")).json()["categories"]
    assert [(c["category"], c["state"]) for c in categories] == [
        ("box", "ready"),
        ("can", "ready"),
        ("torn", "unavailable"),
    ]


async def test_a_category_says_what_it_serves_with(service: Service) -> None:
    category = (await service.client.get("/categories/can")).json()
    expected = {
        "preset": "colour",
        "backbone": "colour",
        "engine": "torch float32",
        "input_size": 32,
        "vectors": len(GREYS),
        "dimensions": 3,
        "training_images": len(GREYS),
        "calibration_scores": 4,
        "threshold": THRESHOLD,
        "alpha": 0.01,
        "reason": None,
    }
    assert {name: category[name] for name in expected} == expected


async def test_an_unavailable_category_says_why(service: Service) -> None:
    category = (await service.client.get("/categories/torn")).json()
    assert category["state"] == "unavailable"
    assert "sha256" in category["reason"]
    assert category["bank_version"] is None


async def test_an_unknown_category_is_404(service: Service) -> None:
    assert_problem(await service.client.get("/categories/bottle"), 404, "unknown-category")


async def test_the_last_evaluation_is_shown(service: Service) -> None:
    assert (await service.client.get("/categories/can")).json()["last_evaluation"] is None
    done = (await service.client.post("/evaluate/can", params={"wait": "true"})).json()
    assert (await service.client.get("/categories/can")).json()["last_evaluation"] == done


async def test_a_bank_that_does_not_fit_its_network_leaves_the_others_serving(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Its hash is right and its manifest is valid: only using it shows that it cannot serve."""
    root = tmp_path_factory.mktemp("misfit")
    artifacts.save(root / "models", make_artifact("can"))
    narrow = bank_of(make_artifact("box")).vectors[:, :2].copy()
    artifacts.save(root / "models", make_artifact("box", vectors=narrow))
    async with serve(root) as service:
        states = (await service.client.get("/readyz")).json()["categories"]
        assert states["can"] == "ready"
        assert states["box"] != "ready"
        assert (await service.score(GOOD)).status_code == 200
        assert_problem(await service.score(GOOD, "box"), 503, "category-unavailable")


async def test_dimensions_that_the_network_does_not_have_leave_the_others_serving(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("misfit")
    artifacts.save(root / "models", make_artifact("can"))
    beyond = SPEC.model_copy(update={"selected_dimensions": (0, 1, 7)})
    artifacts.save(root / "models", make_artifact("box", spec=beyond))
    async with serve(root) as service:
        assert (await service.score(GOOD)).status_code == 200
        assert_problem(await service.score(GOOD, "box"), 503, "category-unavailable")


async def test_an_edited_threshold_makes_its_category_unavailable(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("edited")
    for name in ("can", "box"):
        artifacts.save(root / "models", make_artifact(name))
    version = artifacts.current_version(root / "models" / "box")
    path = root / "models" / "box" / version / artifacts.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["threshold"]["value"] = float("nan")
    path.write_text(json.dumps(manifest))
    async with serve(root) as service:
        body = assert_problem(await service.score(GOOD, "box"), 503, "category-unavailable")
        assert "threshold" in body["detail"]
        assert (await service.score(GOOD)).status_code == 200
