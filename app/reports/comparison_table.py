"""A comparison's table, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Callable

from ..core.evaluating.comparison import Comparison, Row

NONE = "–"
_MINUS = "−"

Cell = Callable[[Row], str]


def columns(comparison: Comparison) -> list[str]:
    """The heads of the columns that this comparison can fill."""
    return ["preset", *_cells(comparison)]


def cells(row: Row, comparison: Comparison) -> list[str]:
    """A preset's line under these heads; a dash where there is nothing to say."""
    return [row.preset, *(cell(row) for cell in _cells(comparison).values())]


def _cells(comparison: Comparison) -> dict[str, Cell]:
    rows = comparison.rows
    found: dict[str, Cell] = {}
    if any(row.bank and row.bank.look != "whole" for row in rows):
        found["looks at"] = lambda row: row.bank.look if row.bank else NONE
    if any(row.evaluation for row in rows):
        on = " on drawn damage" if comparison.drawn else ""
        found[f"AUROC{on} (95 %)"] = _auroc
        found[f"difference to {comparison.reference} (95 %)"] = _difference
        if any(row.evaluation and row.evaluation.pixel_auroc is not None for row in rows):
            found[f"pixel AUROC{on}"] = _pixel_auroc
            found[f"AUPRO{on}"] = _aupro
        found["drawn damage found" if on else "recall at threshold"] = _recall
    else:
        found["threshold"] = lambda row: f"{row.bank.threshold:.4g}" if row.bank else NONE
    found["false alarms promised"] = lambda row: f"{row.bank.alpha:.2%}" if row.bank else NONE
    if any(row.false_alarms for row in rows):
        found["false alarms observed (95 %)"] = _observed
    first = next((row.ms_per_photo for row in rows if row.ms_per_photo), None)
    found["ms per photo"] = lambda row: _milliseconds(row, first)
    found["bank"] = lambda row: size(row.bank.bytes) if row.bank else NONE
    found["build"] = _build
    return found


def _auroc(row: Row) -> str:
    e = row.evaluation
    return f"{e.auroc:.3f} ({{:.3f}} to {{:.3f}})".format(*e.auroc_ci95) if e else NONE


def _difference(row: Row) -> str:
    d = row.difference
    text = f"{d.value:+.3f} ({{:+.3f}} to {{:+.3f}})".format(*d.ci95) if d else NONE
    return text.replace("-", _MINUS)


def _pixel_auroc(row: Row) -> str:
    return _or_none(row.evaluation.pixel_auroc if row.evaluation else None, ".3f")


def _aupro(row: Row) -> str:
    return _or_none(row.evaluation.aupro if row.evaluation else None, ".3f")


def _recall(row: Row) -> str:
    return _or_none(row.evaluation.at_threshold.recall if row.evaluation else None, ".1%")


def _observed(row: Row) -> str:
    alarms = row.false_alarms
    return f"{alarms.rate:.1%} ({{:.1%}} to {{:.1%}})".format(*alarms.ci95) if alarms else NONE


def _milliseconds(row: Row, first: float | None) -> str:
    if row.ms_per_photo is None or first is None:
        return NONE
    return f"{row.ms_per_photo:.1f} ({row.ms_per_photo / first:.2f} ×)"


def _build(row: Row) -> str:
    if row.bank is None:
        return NONE
    return f"{row.bank.build_s:.1f} s, {'taken' if row.bank.taken else 'built'}"


def _or_none(value: float | None, form: str) -> str:
    return NONE if value is None else format(value, form)


def size(number: int) -> str:
    """Bytes as people read them: 812 kB, 3.4 MB."""
    return f"{number / 1e3:.0f} kB" if number < 1e6 else f"{number / 1e6:.1f} MB"
