from __future__ import annotations

import pytest
import typer
from rich.console import Console
from rich.table import Table

from app import cli


def table() -> Table:
    made = Table(title="evaluation")
    for head in ("category", "AUROC", "false alarms\nobserved (95 %)"):
        made.add_column(head)
    made.add_row("can [1]", "0.959", "0.4%\n(0.0% to 2.3%)")
    return made


def shown(width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    console = Console(width=width, record=True, file=None)
    monkeypatch.setattr(cli, "console", console)
    with console.capture() as captured:
        cli.show(table())
    return captured.get().splitlines()


def test_a_table_that_fits_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(80, monkeypatch)
    assert any("0.959" in line and "│" in line for line in lines)


def test_on_a_narrow_terminal_each_row_is_a_block_and_nothing_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert shown(20, monkeypatch) == [
        "evaluation",
        "category: can [1]",
        "  AUROC: 0.959",
        "  false alarms observed (95 %): 0.4% (0.0% to 2.3%)",
    ]


@pytest.mark.parametrize("alpha", ["0", "1", "-0.1", "2", "nan", "inf", "0%", "100 %", "one", ""])
def test_an_alpha_without_sense_ends_the_command(
    alpha: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "errors", Console(stderr=True))
    with pytest.raises(typer.Exit):
        cli.alpha_rule(alpha)
    assert capsys.readouterr().err == (
        f"error: --alpha {alpha}: a false-alarm rate lies between 0 and 1, e.g. 0.01 for 1 %\n"
    )


@pytest.mark.parametrize("alpha", ["0.05", "0,05", "5%", "5 %", " 5e-2"])
def test_an_alpha_is_a_rule_however_it_is_written(alpha: str) -> None:
    rule = cli.alpha_rule(alpha)
    assert rule is not None
    assert rule.alpha == 0.05


def test_no_alpha_is_no_rule() -> None:
    assert cli.alpha_rule(None) is None


def test_a_task_that_fails_leaves_no_bar() -> None:
    bar = cli.progress_bar()
    with cli.progress_task(bar, "can", 3):
        pass
    with pytest.raises(ValueError, match="broken"), cli.progress_task(bar, "bottle"):
        raise ValueError("broken")
    assert [task.description for task in bar.tasks] == ["can"]
