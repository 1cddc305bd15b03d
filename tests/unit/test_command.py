"""The command `goodsguard`: its list, its sub-commands' options, what they may load for that."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from app import __version__
from app.__main__ import ORDER, names, program
from tests.support import ROOT
from tests.test_readme import options_of

SCRIPTS = {
    "build_bank": "build",
    "evaluate": "evaluate",
    "explore": "explore",
    "make_key": "key",
    "set_threshold": "threshold",
    "sign_bank": "sign",
}
HEAVY = ("torch", "faiss", "openvino", "sklearn", "scipy", "matplotlib", "fastapi")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(program, list(arguments))


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: what this one has loaded says nothing."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_bare_it_lists_the_sub_commands_with_a_line_each() -> None:
    result = CliRunner().invoke(program, [], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    rows = [line.strip("│| ").split() for line in result.stdout.split("Commands")[1].splitlines()]
    assert [row[0] for row in rows if len(row) > 1 and row[0].isalpha()] == names()


def test_the_sub_commands_are_there_in_the_order_of_use() -> None:
    assert set(SCRIPTS.values()) | {"serve"} <= set(names())
    assert [name for name in names() if name in ORDER] == [n for n in ORDER if n in names()]


def test_it_says_its_version() -> None:
    assert call("--version").stdout.strip() == __version__


def test_a_sub_command_that_is_not_there_is_a_usage_error() -> None:
    result = call("bild")
    assert result.exit_code == 2
    assert "bild" in result.stderr


@pytest.mark.parametrize("name", names())
def test_help_says_what_a_sub_command_takes(name: str) -> None:
    result = CliRunner().invoke(program, [name, "--help"], env={"TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0, result.output
    assert f" {name} [OPTIONS]" in result.stdout
    for option in options_of(f"app.commands.{name}"):
        assert option in result.stdout


LOADED = f"""
import sys
from contextlib import suppress
sys.argv[0] = "goodsguard"
with suppress(SystemExit):
    CALL
found = set({HEAVY}) & set(sys.modules)
sys.exit(f"loaded: {{sorted(found)}}" if found else 0)
"""


@pytest.mark.parametrize("arguments", [[], ["--help"], *([name, "--help"] for name in names())])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = run(LOADED.replace("CALL", "from app.__main__ import main; main()"), *arguments)
    assert done.returncode == 0, done.stderr
    assert "Usage: goodsguard" in done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_scripts_help_loads_nothing_heavy(script: str) -> None:
    path = f"scripts/{script}.py"
    call = f"import runpy; runpy.run_path({path!r}, run_name='__main__')"
    done = run(LOADED.replace("CALL", call), "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_the_check_of_what_is_loaded_can_fail() -> None:
    done = run(LOADED.replace("CALL", "import sklearn"))
    assert done.returncode == 1
    assert "sklearn" in done.stderr


@pytest.mark.parametrize(("script", "name"), SCRIPTS.items())
def test_a_script_is_its_sub_command(script: str, name: str) -> None:
    assert options_of(f"scripts.{script}") == options_of(f"app.commands.{name}")


def test_what_a_console_cannot_print_is_replaced() -> None:
    code = "from app.cli import console, run\ndef main(): console.print('1 → 2')\nrun(main)"
    done = run(code, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1 ? 2"
