"""What the guides promise: calls, commands, settings, problem types, alerts, fields and links."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.api.problems import CAUSES
from app.core.methods.registry import methods
from app.core.store.manifest import Manifest
from app.core.store.tensors import Tensors
from app.settings import Settings
from tests.promql import rules
from tests.support import ROOT, make_artifact
from tests.test_readme import module_called, options_of

README = ROOT / "README.md"
OPERATIONS = ROOT / "docs/operations.md"
SECURITY = ROOT / "SECURITY.md"
BANKS = ROOT / "models/README.md"
ARCHITECTURE = ROOT / "docs/architecture.md"
PYTHON = ROOT / "docs/python.md"
GUIDES = (README, OPERATIONS, SECURITY, BANKS, ARCHITECTURE, PYTHON)
PATHS: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def commands(path: Path) -> list[str]:
    joined = "\n".join(re.findall(r"^```bash\n(.*?)^```", text_of(path), re.M | re.S))
    return [line.strip() for line in joined.replace("\\\n", " ").splitlines() if line.strip()]


def called(start: str) -> list[tuple[str, str]]:
    return [(p.name, c) for p in GUIDES for c in commands(p) if re.match(start, c)]


def anchors(path: Path) -> set[str]:
    """As repository hosts make them of headings."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize(("guide", "line"), called("curl "))
def test_a_curl_call_asks_what_there_is(guide: str, line: str) -> None:
    words = shlex.split(line)
    (address,) = [w for w in words if w.startswith(("http://", "$SERVICE"))]
    sends = {"-F", "--data-binary"} & set(words)
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if sends else "GET"
    url = urlsplit(address.replace("$SERVICE", "http://127.0.0.1:8000"))
    found = [
        template
        for template in PATHS
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/{}]+", template), url.path)
    ]
    operations = [PATHS[template].get(method.lower()) for template in found]
    (operation,) = [o for o in operations if o]
    known = {(p["in"], p["name"].lower()) for p in operation.get("parameters", ())}
    for name, values in parse_qs(url.query, strict_parsing=True).items() if url.query else ():
        assert ("query", name) in known, values
    for header in (words[i + 1] for i, word in enumerate(words) if word == "-H"):
        name = header.partition(":")[0].lower()
        assert name in {"$admin", "x-api-key", "content-type"} or ("header", name) in known
    if "-F" in words:
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert words[words.index("-F") + 1].partition("=")[0] in form["properties"]


@pytest.mark.parametrize(("guide", "line"), called(r"python scripts/|goodsguard "))
def test_a_command_is_possible(guide: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    given = {word.split("=")[0] for word in words if word.startswith("--")}
    assert given <= options_of(module_called(line))


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_links_and_their_anchors_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(
        r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", text_of(path)
    ):
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), anchor


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_settings_that_are_named_exist(path: Path) -> None:
    compose = "".join(text_of(file) for file in ROOT.glob("docker-compose*.yml"))
    known = {f"GOODSGUARD_{name.upper()}" for name in Settings.model_fields}
    known |= set(re.findall(r"GOODSGUARD_[A-Z_]*[A-Z]", compose))
    assert set(re.findall(r"\bGOODSGUARD_[A-Z_]*[A-Z]\b", text_of(path))) <= known


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_files_that_are_named_exist(path: Path) -> None:
    for name in re.findall(r"`((?:app|scripts|deploy|tests)/[\w./-]+)`", text_of(path)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.slug)
def test_every_problem_is_in_the_readme(cause: Any) -> None:
    assert re.search(rf"(urn:goodsguard|…):{cause.slug}`", text_of(README))


def test_the_alerts_are_in_the_guide() -> None:
    named = re.findall(r"`(GoodsGuard\w+)`", text_of(OPERATIONS))
    assert sorted(named) == sorted(rule["alert"] for rule in rules() if "alert" in rule)


def test_the_banks_guide_names_every_field_and_tensor() -> None:
    manifest, tensors = text_of(BANKS).split("## `bank.safetensors`")
    rows = re.findall(r"^\| (`.*?) \|", manifest, re.M)
    assert {f for row in rows for f in re.findall(r"`(\w+)`", row)} == set(Manifest.model_fields)
    tables = re.findall(r"^\| `(\w+)` \|", tensors, re.M)
    assert set(tables) == set(Tensors.__dataclass_fields__) - {"method", "origins"}
    origins = make_artifact().origins
    assert origins is not None
    told = re.findall(r"^\| `origins\.(\w+)` \|", tensors, re.M)
    assert sorted(told) == sorted(origins.tensors())
    assert set(re.findall(r"^\| `method\..*\| `(\w+)`", tensors, re.M)) == set(methods())


@pytest.mark.parametrize(
    "row",
    re.findall(r"^\| .* \| (\d+) (MiB|s|)[^|]*\| `GOODSGUARD_(\w+)` \|", text_of(SECURITY), re.M),
)
def test_the_limits_are_the_defaults(row: tuple[str, str, str]) -> None:
    number, unit, name = row
    if name == "MEMORY":
        return
    default = Settings.model_fields[name.lower()].default
    scale = {"MiB": 1 << 20, "s": 1, "": 1}[unit]
    assert default in (int(number) * scale, int(number) * 1_000_000)
