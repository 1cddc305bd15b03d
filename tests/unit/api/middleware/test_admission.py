from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.middleware.admission import photos_route
from app.main import app


def posts() -> list[str]:
    return [path for path, methods in app.openapi()["paths"].items() if "post" in methods]


@pytest.mark.parametrize("route", posts())
def test_the_routes_that_take_photos_and_no_others_are_recognised(route: str) -> None:
    path, takes_photos = re.sub(r"\{\w+\}", "can", route), "requestBody" in post(route)
    category = "can" if "{category}" in route else None
    assert photos_route(path) == ((route, category) if takes_photos else None)


def post(route: str) -> dict[str, object]:
    found: dict[str, object] = app.openapi()["paths"][route]["post"]
    return found


@given(st.text(st.characters(exclude_characters="/"), min_size=1))
def test_any_category_is_recognised(name: str) -> None:
    assert photos_route(f"/score/{name}") == ("/score/{category}", name)
    assert photos_route(f"/score/{name}/batch") == ("/score/{category}/batch", name)


@pytest.mark.parametrize(
    "path", ["", "/", "/scores", "/score/", "/score//batch", "/score/a/b", "/livez", "/x/score/a"]
)
def test_other_paths_are_not(path: str) -> None:
    assert photos_route(path) is None
