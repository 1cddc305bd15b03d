"""Who may import whom, read from the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

MAX_LINES = 300

# What every room of core may import: modules that know none of them.
BASE = {"arrays", "crew", "errors", "files", "lookout", "threads", "wording"}
# A photo's way through core: each room may import those before it. Rooms of one line stand beside
# each other; `choosing` evaluates several ways to build, and builds.
ROOMS = (
    {"photo"},
    {"features"},
    {"methods"},
    {"judging"},
    {"store"},
    {"detector"},
    {"building", "evaluating"},
    {"choosing"},
)
LEVEL_OF = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

# What each part of the application may import beside itself. `main` puts it together and may
# import all; nothing imports it.
ALLOWED = {
    "core": {"__init__"},
    "logs": set(),
    "environment": set(),
    "values": set(),
    "settings": {"core", "environment", "values"},
    "service": {"core"},
    "access": {"core"},
    "records": {"core"},
    "bridge": {"core", "records", "values", "environment", "logs", "__init__"},
    "api": {"core", "service", "access", "records", "settings", "__init__"},
    "reports": {"core", "__init__"},
    "streams": set(),
    "cli": {"core", "environment", "settings", "streams"},
    "commands": {"__init__", "cli", "core", "service", "access", "reports", "settings"},
    "__main__": {"commands", "cli", "__init__"},
    "opening": {"core"},
    "starting": {"core", "service", "access", "api", "records", "settings"},
    "web": {"core", "service", "access", "records", "api", "settings", "__init__"},
}
# What is about the service itself, not about banks, reaches higher.
REACHES_MAIN = {"scripts/export_openapi.py", "app/commands/serve.py"}

WEB = {"fastapi", "starlette", "uvicorn", "httpx", "python_multipart", "pydantic_settings"}


def package_of(path: Path) -> list[str]:
    return list(path.relative_to(ROOT).parent.parts)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function, by its full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package_of(path)[: len(package_of(path)) - node.level + 1]
            module = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            for alias in node.names:
                full = f"{module}.{alias.name}"
                found.add(full if is_module(full) else module)
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path.is_dir() and name.startswith("app"))


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part(module: str) -> str:
    """`app.core.photo.images` -> `core`; `app` itself -> `__init__`."""
    return [*module.split("."), "__init__"][1]


def room(module: str) -> str:
    """`app.core.photo.images` -> `photo`; "" outside core and for core itself."""
    names = module.split(".")
    return names[2] if names[:2] == ["app", "core"] and len(names) > 2 else ""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def of_ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] == "app"}


APP = sources("app")
CORE = sources("app/core")
RECORDS = sources("app/records")


@pytest.mark.parametrize("path", APP, ids=label)
def test_no_part_imports_upwards(path: Path) -> None:
    own = part(module_name(path))
    if own in ("__init__", "main"):
        return
    assert own in ALLOWED, f"give {own} a line in ALLOWED"
    allowed = ALLOWED[own] | ({"main", "logs"} if label(path) in REACHES_MAIN else set())
    assert {part(name) for name in of_ours(path)} - {own} <= allowed


@pytest.mark.parametrize("path", [*sources("scripts"), *sources("bench")], ids=label)
def test_no_script_reaches_the_application_itself(path: Path) -> None:
    if label(path) not in REACHES_MAIN:
        assert "app.main" not in of_ours(path)


@pytest.mark.parametrize("path", APP, ids=label)
def test_imports_inside_the_package_are_relative(path: Path) -> None:
    """It is installed under another name than its folder's."""
    absolute = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and node.module)
        and node.module.split(".")[0] == "app"
    ]
    assert not absolute


@pytest.mark.parametrize("path", CORE, ids=label)
def test_inside_core_the_arrows_point_down(path: Path) -> None:
    own = room(module_name(path))
    used = {room(name) for name in of_ours(path)} - {own, ""}
    if own in BASE:
        assert used <= BASE
    elif own:
        assert own in LEVEL_OF, f"give {own} a line in ROOMS"
        assert {r for r in used - BASE if LEVEL_OF[r] >= LEVEL_OF[own]} == set()


@pytest.mark.parametrize("path", CORE, ids=label)
def test_core_knows_no_web(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & WEB == set()


@pytest.mark.parametrize("path", sources("app/service"), ids=label)
def test_the_service_knows_no_framework(path: Path) -> None:
    """uvicorn alone, whose shutdown `drain` takes over."""
    assert {name.split(".")[0] for name in imports(path)} & (WEB - {"uvicorn"}) == set()


@pytest.mark.parametrize("path", RECORDS, ids=label)
def test_records_know_files_and_errors_only(path: Path) -> None:
    """Of core nothing that judges photos; no web."""
    assert {room(name) for name in of_ours(path)} - {""} <= BASE
    assert {name.split(".")[0] for name in imports(path)} & WEB == set()


@pytest.mark.parametrize("path", sources("app/bridge"), ids=label)
def test_the_bridge_knows_nothing_that_judges_photos(path: Path) -> None:
    """It is a process of its own beside the service, and light: no threads of torch either."""
    assert {room(name) for name in of_ours(path)} - {""} <= BASE - {"threads"}
    assert {name.split(".")[0] for name in imports(path)} & {"torch", "faiss", "openvino"} == set()


@pytest.mark.parametrize("path", [*CORE, *RECORDS], ids=label)
def test_core_and_records_read_no_environment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "os.environ" not in text
    assert "os.getenv" not in text


# Inside the api: what a request meets first knows nothing of what it meets later.
API_ORDER = (
    "problems",
    "intake.receiving",
    "services",
    "intake",
    "middleware",
    "security",
    "recording",
    "answers",
    "routes",
)


@pytest.mark.parametrize("path", sources("app/api"), ids=label)
def test_inside_the_api_the_arrows_point_one_way(path: Path) -> None:
    def level(module: str) -> int:
        inside = module.removeprefix("app.api.")
        fitting = [i for i, name in enumerate(API_ORDER) if f"{inside}.".startswith(f"{name}.")]
        return max(fitting, key=lambda i: len(API_ORDER[i]), default=-1)

    own = level(module_name(path))
    used = {name for name in of_ours(path) if name.startswith("app.api.")}
    assert own < 0 or {name for name in used if level(name) > own} == set()


@pytest.mark.parametrize("path", sources("app/api"), ids=label)
def test_nothing_imports_the_routes_but_main(path: Path) -> None:
    own = module_name(path).startswith("app.api.routes")
    assert own or not any(name.startswith("app.api.routes") for name in of_ours(path))


def test_there_are_no_circles() -> None:
    edges = {module_name(p): of_ours(p) for p in APP}
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


@pytest.mark.parametrize("path", APP, ids=label)
def test_no_module_is_longer_than_it_can_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", APP, ids=label)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


ROOMS_WITH_SEVERAL = [
    p for p in APP if p.name == "__init__.py" and len(list(p.parent.iterdir())) > 3
]


@pytest.mark.parametrize("path", ROOMS_WITH_SEVERAL, ids=label)
def test_a_room_says_what_is_in_it(path: Path) -> None:
    if path.parent.name in ("app", "formats", "families", "runtimes", "methods"):
        return  # there each module is one of a kind
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    inside = {
        p.stem for p in path.parent.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert {name for name in inside - {"__init__"} if name not in said} == set()


def test_the_layout_of_the_tests_mirrors_the_application() -> None:
    """A test of a module lies where the module does, so that it is found."""
    places = {p.parent.relative_to(ROOT / "tests/unit") for p in sources("tests/unit")}
    tools = {Path("bench"), Path("torture")}
    assert places - tools <= {p.parent.relative_to(ROOT / "app") for p in APP}


def test_the_rules_catch_an_upward_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.test_layering.ROOT", tmp_path)
    folder = tmp_path / "app/core/photo"
    for name in ("__init__.py", "images.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (tmp_path / "app/api").mkdir()
    (tmp_path / "app/api/problems.py").write_text("")
    path = folder / "x.py"
    path.write_text(
        "from .images import decode\n"
        "def f():\n    from ...api import problems\n    import fastapi.routing\n"
    )
    assert imports(path) == {"app.core.photo.images", "app.api.problems", "fastapi.routing"}
    assert part("app.api.problems") not in ALLOWED["core"]
    assert room("app.core.photo.images") == "photo"
