"""What `from goodsguard import …` offers."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import app
from tests.support import ROOT

NAMES = sorted(set(app.__all__) - {"__version__"})


def imports_for_type_checkers() -> dict[str, str]:
    """Name -> the module it comes from, as the sources tell type checkers."""
    tree = ast.parse((ROOT / "app/__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.asname or alias.name: f".{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_are_told_what_is_loaded() -> None:
    assert imports_for_type_checkers() == app._HOMES
    assert set(app._HOMES) == set(NAMES)
    assert set(app.__all__) <= set(dir(app))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_there_and_described(name: str) -> None:
    found = getattr(app, name)
    assert found is getattr(app, name)
    assert found.__module__.startswith("app.")
    assert found.__doc__


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'detect'"):
        app.detect  # noqa: B018


def test_importing_it_loads_nothing_else() -> None:
    code = "import app, sys; sys.exit(str({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip() == "set()"
