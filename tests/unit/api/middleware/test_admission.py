from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.middleware.admission import _asked, photo_routes
from app.api.routes import score
from app.main import create_app
from app.settings import Settings

ROUTES = photo_routes(score.router)
PATHS: dict[str, Any] = create_app(Settings()).openapi()["paths"]


def asked(path: str, root_path: str = "") -> tuple[str, str | None] | None:
    scope = {"type": "http", "method": "POST", "path": path, "root_path": root_path}
    found = _asked(ROUTES, scope)
    return found and (found[0].path, found[1])


@pytest.mark.parametrize("route", [path for path, item in PATHS.items() if "post" in item])
def test_the_routes_that_take_photos_and_no_others_are_recognised(route: str) -> None:
    """As the whole application has them: none comes in under another path, or unmarked."""
    path, takes_photos = re.sub(r"\{\w+\}", "can", route), "requestBody" in PATHS[route]["post"]
    category = "can" if "{category}" in route else None
    assert asked(path) == ((route, category) if takes_photos else None)


@given(st.text(st.characters(exclude_characters="/\n"), min_size=1))
def test_any_category_is_recognised(name: str) -> None:
    assert asked(f"/score/{name}") == ("/score/{category}", name)
    assert asked(f"/score/{name}/batch") == ("/score/{category}/batch", name)


def test_a_proxys_prefix_is_no_part_of_it() -> None:
    assert asked("/shop/score/can", "/shop") == ("/score/{category}", "can")


@pytest.mark.parametrize(
    "path", ["", "/", "/scores", "/score/", "/score//batch", "/score/a/b", "/livez", "/x/score/a"]
)
def test_other_paths_are_not(path: str) -> None:
    assert asked(path) is None


def test_another_method_is_not() -> None:
    assert _asked(ROUTES, {"type": "http", "method": "GET", "path": "/score/can"}) is None
