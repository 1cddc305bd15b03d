"""Who may import whom, read from the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

MAX_LINES = 300

# Inside core, bottom to top: a module may import those of lower lines only.
CORE_LEVELS = (
    {"errors", "files", "threads", "bank_rule", "metrics", "embedding", "pixel_budget"},
    {"formats"},
    {"images", "runtimes", "backbones", "bank", "scoring", "coreset", "signing_keys"},
    {
        "preprocess", "weights", "dataset", "calibration", "streaming_coreset", "signing",
        "search", "tensors",
    },
    {"features", "anomaly_map"},
    {"manifest", "preset", "reading", "spool", "golden"},
    {"version_folders", "evaluation", "patch_banks"},
    {"artifact"},
    {"bank_making"},
    {"detector", "build"},
)  # fmt: skip
LEVEL_OF = {name: level for level, names in enumerate(CORE_LEVELS) for name in names}

# What each part of the application may import of it. `main` puts it together and may import all.
ALLOWED = {
    "app.core": {"app.core", "app"},
    "app.settings": {"app.core"},
    "app.logs": set(),
    "app.networks": {"app.core"},
    "app.registry": {"app.core", "app.networks"},
    "app.scheduler": {"app.core"},
    "app.workers": {"app.core", "app.scheduler"},
    "app.reloads": {"app.core", "app.registry"},
    "app.drain": set(),
    "app.keys": set(),
    "app.keys_file": {"app.core", "app.keys"},
    "app.key_store": {"app.core", "app.keys", "app.keys_file"},
    "app.rate_limit": set(),
    "app.evaluations": {"app.core"},
    "app.api": {
        "app.api", "app.core", "app.registry", "app.settings", "app.workers", "app.evaluations",
        "app.keys", "app.key_store", "app.rate_limit", "app.reloads", "app.drain", "app",
    },
}  # fmt: skip
# The service's own parts. What is not among them (reports, pictures, ...) is the command lines':
# that may import its likes and the core, and knows nothing of the service.
SERVICE = {
    "app.main", "app.api", "app.settings", "app.logs", "app.workers", "app.evaluations",
    "app.key_store", "app.rate_limit", "app.scheduler", "app.reloads", "app.drain",
}  # fmt: skip
# Scripts about the service itself, not about banks, reach higher.
ABOUT_THE_SERVICE = {"export_openapi.py": {"app.main", "app.settings"}}

WEB = {"fastapi", "starlette", "uvicorn", "httpx", "python_multipart", "pydantic_settings"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: import by full name"
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if is_module(full) else node.module)
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path.is_dir() and name.startswith("app"))


def zone(module: str) -> str:
    """The part of the application that a module belongs to."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "app" else parts[0]


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] in ("app", "scripts", "bench")}


ALL = [p for folder in ("app", "scripts", "bench") for p in sources(folder)]
CORE = sources("app/core")
WITH_CODE = [p for p in CORE if p.name != "__init__.py"]


@pytest.mark.parametrize("path", ALL, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_part_imports_upwards(path: Path) -> None:
    module = module_name(path)
    if module in ("app", "app.main"):
        return
    used = {zone(name) for name in ours(path)} - ABOUT_THE_SERVICE.get(path.name, set())
    if zone(module) in ALLOWED:
        assert used - ALLOWED[zone(module)] == set()
    else:
        assert used & SERVICE == set()


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.stem)
def test_core_knows_no_web(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & WEB == set()


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.stem)
def test_core_reads_no_environment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "os.environ" not in text
    assert "os.getenv" not in text


def core_name(module: str) -> str:
    return module.split(".")[2] if module.startswith("app.core.") else ""


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda p: p.stem)
def test_inside_core_the_arrows_point_down(path: Path) -> None:
    own = core_name(module_name(path))
    assert own in LEVEL_OF, f"give {own} a line in CORE_LEVELS"
    used = {core_name(name) for name in ours(path)} - {own, ""}
    assert {name for name in used if LEVEL_OF[name] >= LEVEL_OF[own]} == set()


def test_nothing_in_core_imports_the_detector() -> None:
    users = {p.stem for p in CORE if "app.core.detector" in imports(p)}
    assert users == set()


def test_core_has_no_circles() -> None:
    edges = {module_name(p): ours(p) for p in CORE}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above, module))
        if module in done:
            return
        for used in edges.get(module, set()):
            # A package's own __init__ gathers its modules.
            if used != module and not module.startswith(f"{used}."):
                visit(used, (*above, module))
        done.add(module)

    for module in edges:
        visit(module, ())
    assert done >= set(edges)


@pytest.mark.parametrize("path", sources("app"), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_is_longer_than_it_can_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", sources("app"), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_the_layout_of_the_tests_mirrors_the_application() -> None:
    """A test of a module lies where the module does, so that it is found."""
    places = {p.parent.relative_to(ROOT / "tests/unit") for p in sources("tests/unit")}
    tools = {Path("bench"), Path("torture")}
    assert places - tools <= {p.parent.relative_to(ROOT / "app") for p in sources("app")}


def test_the_rules_catch_an_upward_import(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("def f():\n    from app.api import problems\n    import fastapi.routing\n")
    assert imports(path) == {"app.api.problems", "fastapi.routing"}
    assert zone("app.api.problems") not in ALLOWED["app.core"]
