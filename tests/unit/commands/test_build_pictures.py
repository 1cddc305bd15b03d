"""`goodsguard build --no-pictures`, with the network that needs no download."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.commands import build
from app.core.store import artifact as artifacts
from tests.drawn import make


@pytest.mark.parametrize(
    ("option", "wanted"), [((), True), (("--pictures",), True), (("--no-pictures",), False)]
)
def test_pictures_are_kept_unless_told_not_to(
    tmp_path: Path, option: tuple[str, ...], wanted: bool
) -> None:
    make(tmp_path / "data")
    root = Path(build.__file__).parents[1] / "core" / "building" / "presets"
    text = (root / "embedded-patch.toml").read_text("utf-8").replace("size = 256", "size = 96")
    preset = tmp_path / "small.toml"
    preset.write_text(text, "utf-8")
    program = typer.Typer()
    program.command()(build.main)
    given = [f"--data={tmp_path / 'data'}", f"--models={tmp_path / 'models'}", "--alpha=0.1"]
    result = CliRunner().invoke(program, [*given, f"--preset={preset}", *option])
    assert result.exit_code == 0, result.output
    origins = artifacts.load(tmp_path / "models", "carton").origins
    assert origins is not None
    assert (origins.pictures is not None) == wanted
