"""What the README promises: settings, commands and snippets."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest
import typer

from app.settings import Settings
from tests.support import ROOT

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8") if README.is_file() else ""

pytestmark = pytest.mark.skipif(not TEXT, reason="there is no README.md yet")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def commands() -> list[str]:
    """The lines of the bash blocks, continued ones joined, comments left out."""
    joined = "\n".join(blocks("bash")).replace("\\\n", " ")
    lines = (line.strip().removeprefix("$ ") for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def module_called(line: str) -> str:
    """The module whose `main` a line calls, as a file, with -m or as a sub-command; "": none."""
    for pattern, name in (
        (r"python3? +scripts/(\w+)\.py", "scripts.{}"),
        (r"python3? +-m +(bench\.\w+)", "{}"),
        (r"^(?:\w+=\S+ )*goodsguard (\w+)", "app.commands.{}"),
    ):
        if found := re.search(pattern, line):
            return name.format(found[1])
    return ""


def options_of(module: str) -> set[str]:
    program = typer.Typer(add_completion=False)
    program.command()(importlib.import_module(module).main)
    parameters = typer.main.get_command(program).params
    return {o for p in parameters for o in (*p.opts, *p.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"GOODSGUARD_{name.upper()}" in TEXT or f"`{name.upper()}`" in TEXT


def test_every_documented_setting_exists() -> None:
    """As a setting of the service, or as a variable of the compose files."""
    compose = "".join(path.read_text() for path in ROOT.glob("docker-compose*.yml"))
    known = {f"GOODSGUARD_{name.upper()}" for name in Settings.model_fields}
    known |= set(re.findall(r"GOODSGUARD_[A-Z_]*[A-Z]", compose))
    assert set(re.findall(r"\bGOODSGUARD_[A-Z_]*[A-Z]\b", TEXT)) - known == set()


@pytest.mark.parametrize("line", [c for c in commands() if module_called(c)])
def test_every_call_is_possible(line: str) -> None:
    words = shlex.split(line, comments=True)
    arguments = {word.split("=")[0] for word in words if word.startswith("--")}
    assert arguments <= options_of(module_called(line))


@pytest.mark.parametrize("line", [c for c in commands() if re.match(r"(\w+=\S+ )*make ", c)])
def test_every_make_target_exists(line: str) -> None:
    words = shlex.split(line, comments=True)
    targets = [
        w for w in words[words.index("make") + 1 :] if not w.startswith("-") and "=" not in w
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{re.escape(target)}:", makefile, re.M) for target in targets)


@pytest.mark.parametrize("block", blocks("python"))
def test_every_python_block_compiles(block: str) -> None:
    compile(block, str(README), "exec")


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", TEXT)))
)
def test_every_link_into_the_repository_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
