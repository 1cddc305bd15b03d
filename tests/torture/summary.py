"""Joins the sections that the runs left into one page."""

from __future__ import annotations

from typing import Annotated

import typer

from tests.torture.service import REPORT, ReportOption

# In the order in which one would ask; what is not named here follows.
_ORDER = (
    "hostile_inputs", "openapi", "decoding_cost", "flips", "kills", "reloads", "drain", "overload",
    "soak",
)  # fmt: skip
_PAGE = "README.md"


def main(
    report: ReportOption = REPORT,
    title: Annotated[str, typer.Option(help="The page's title.")] = "Torture runs",
) -> None:
    """Write `README.md` from the folder's sections."""
    sections = {path.stem: path.read_text() for path in report.glob("*.md") if path.name != _PAGE}
    names = [n for n in _ORDER if n in sections] + sorted(set(sections) - set(_ORDER))
    missing = [name for name in _ORDER if name not in sections]
    page = [f"# {title}", "", *(sections[name] for name in names)]
    if missing:
        page.append(f"Not run: {', '.join(missing)}.\n")
    report.mkdir(parents=True, exist_ok=True)
    (report / _PAGE).write_text("\n".join(page))
    print(f"written: {report / _PAGE}")


if __name__ == "__main__":
    typer.run(main)
