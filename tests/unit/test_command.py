"""The command `goodsguard`: its list, its sub-commands' options, what they may load for that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import __version__
from app.__main__ import SUB_COMMANDS, program
from tests.support import ROOT
from tests.test_readme import options_of

# script -> the sub-command that it is
SCRIPTS = {
    path.stem: found[1]
    for path in sorted((ROOT / "scripts").glob("*.py"))
    if (found := re.search(r"^from app\.commands\.(\w+) import main", path.read_text(), re.M))
}
HEAVY = {"torch", "faiss", "openvino", "sklearn", "scipy", "matplotlib", "fastapi"}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(program, list(arguments))


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own: what this one has loaded says nothing."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def loaded(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The packages that a Python with `-X importtime` has loaded."""
    return set(re.findall(r"^import time: .*\| +(\w+)$", done.stderr, re.M))


def test_bare_it_lists_the_sub_commands_with_a_line_each() -> None:
    result = CliRunner().invoke(program, [], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    rows = [line.strip("│| ").split() for line in result.stdout.split("Commands")[1].splitlines()]
    assert [row[0] for row in rows if len(row) > 1 and row[0].isalpha()] == list(SUB_COMMANDS)


def test_the_sub_commands_are_there() -> None:
    assert len(SCRIPTS) >= 6
    assert {*SCRIPTS.values(), "serve"} == set(SUB_COMMANDS)


def test_it_says_its_version() -> None:
    assert call("--version").stdout.strip() == __version__


def test_a_sub_command_that_is_not_there_is_a_usage_error() -> None:
    result = call("bild")
    assert result.exit_code == 2
    assert "bild" in result.stderr


@pytest.mark.parametrize("name", SUB_COMMANDS)
def test_help_says_what_a_sub_command_takes(name: str) -> None:
    result = CliRunner().invoke(program, [name, "--help"], env={"TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0, result.output
    assert f" {name} [OPTIONS]" in result.stdout
    for option in options_of(f"app.commands.{name}"):
        assert option in result.stdout


CALLS_FOR_HELP = [[], ["--help"], *([name, "--help"] for name in SUB_COMMANDS)]


@pytest.mark.parametrize("arguments", CALLS_FOR_HELP)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = run("-X", "importtime", "-m", "app", *arguments)
    assert done.returncode == 0, done.stderr
    assert "Usage: goodsguard" in done.stdout
    assert "typer" in loaded(done)
    assert loaded(done) & HEAVY == set()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_scripts_help_loads_nothing_heavy(script: str) -> None:
    done = run("-X", "importtime", ROOT / f"scripts/{script}.py", "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
    assert "typer" in loaded(done)
    assert loaded(done) & HEAVY == set()


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda p: p.stem)
def test_a_script_runs_the_code_beside_it(script: Path) -> None:
    """Before it imports any of it, it says where that is."""
    before = script.read_text(encoding="utf-8").split("from app.")[0]
    assert "sys.path.insert(0, str(Path(__file__).parents[1]))" in before


@pytest.mark.parametrize(("script", "name"), SCRIPTS.items())
def test_a_script_is_its_sub_command(script: str, name: str) -> None:
    assert options_of(f"scripts.{script}") == options_of(f"app.commands.{name}")


def test_what_a_console_cannot_print_is_replaced() -> None:
    code = "from app.cli import console, run\ndef main(): console.print('1 → 2')\nrun(main)"
    done = run("-c", code, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1 ? 2"
