"""`goodsguard build --report`, with the network that needs no download."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.commands import build
from app.core.store import artifact as artifacts
from tests.drawn import make


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """Small photos, so that it is quick."""
    root = Path(build.__file__).parents[1] / "core" / "building" / "presets"
    text = (root / "embedded-patch.toml").read_text("utf-8").replace("size = 256", "size = 96")
    path = tmp_path / "small.toml"
    path.write_text(f'{text}\n[look]\nkind = "box"\nbox = [0.2, 0.1, 0.8, 0.9]\n', "utf-8")
    return path


def run(tmp_path: Path, preset: Path, report: Path) -> Result:
    make(tmp_path / "data")
    program = typer.Typer()
    program.command()(build.main)
    options = {
        "--data": tmp_path / "data",
        "--models": tmp_path / "models",
        "--preset": preset,
        "--report": report,
        "--alpha": 0.1,
    }
    return CliRunner().invoke(program, [str(part) for pair in options.items() for part in pair])


def test_a_report_has_a_page_and_a_picture_per_bank(tmp_path: Path, preset: Path) -> None:
    result = run(tmp_path, preset, tmp_path / "report")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert names == ["build.md", "carton_look.png"]


def test_a_report_that_cannot_be_written_costs_no_bank(tmp_path: Path, preset: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    report = tmp_path / "file" / "report"
    result = run(tmp_path, preset, report)
    assert result.exit_code == 1
    assert f"cannot write the report to {report}: " in result.stderr
    assert "name another folder with --report" in result.stderr
    assert "Traceback" not in result.stderr
    assert artifacts.load(tmp_path / "models", "carton").manifest.look.kind == "box"
