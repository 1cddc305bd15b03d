from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner

from app.commands import explore
from tests.support import write_category


def test_a_report_that_cannot_be_written_is_one_line_with_its_path(tmp_path: Path) -> None:
    write_category(tmp_path / "data")
    (tmp_path / "file").write_text("in the way")
    program = typer.Typer()
    program.command()(explore.main)
    report = tmp_path / "file" / "report"
    result = CliRunner().invoke(
        program, ["--data", str(tmp_path / "data"), "--report", str(report)]
    )
    assert result.exit_code == 1
    assert f"cannot write the report to {report}: " in result.stderr
    assert "name another folder with --report" in result.stderr
    assert "Traceback" not in result.stderr
