"""The report of a build: a page of all banks, and for each a picture of what it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..core.building.build import Build
from ..core.files import write_whole
from ..core.photo.dataset import Category, evenly
from ..core.photo.images import MAX_PIXELS
from .look_pictures import LookSeen, look_sheet
from .markdown import cell
from .style import Tell, save_each, silent


@dataclass(frozen=True)
class BuiltPage:
    """What the page says of one bank.

    Attributes:
        remarks: sentences for whoever built it.
        looks_at: a sentence.
        pictures: names of the files that were drawn.
    """

    build: Build
    remarks: Sequence[str]
    looks_at: str
    pictures: Sequence[str]


def draw_build(
    folder: Path,
    build: Build,
    source: Category,
    remarks: Sequence[str],
    *,
    limit: int | None = None,
    max_pixels: int = MAX_PIXELS,
    tell: Tell = silent,
) -> BuiltPage:
    """Write `<category>_look.png`.

    Args:
        limit: as the build had it. tell: called with a sentence where it cannot be drawn.

    Raises:
        OSError: it cannot be written.
    """
    broken = {one.path for one in build.unreadable}
    artifact = build.artifact
    seen = LookSeen(
        source.name,
        artifact.look,
        artifact.manifest.features,
        [path for path in evenly(source.train, limit) if path not in broken],
        max_pixels,
    )
    path = folder / f"{source.name}_look.png"
    drawn = save_each({path: partial(look_sheet, seen)}, tell)
    return BuiltPage(build, remarks, seen.sentence(), [path.name for path in drawn])


def write_page(folder: Path, banks: Sequence[BuiltPage]) -> Path:
    """Write `build.md`.

    Raises:
        OSError: it cannot be written.
    """
    lines = ["# Banks", ""]
    for bank in banks:
        lines += [*_section(bank), ""]
    path = folder / "build.md"
    write_whole(path, "\n".join(lines))
    return path


def _section(bank: BuiltPage) -> list[str]:
    m = bank.build.artifact.manifest
    learnt = ", ".join(f"{number:,} {name}" for name, number in m.method.facts.items())
    copies = f" and {m.counts.turned} turned copies" if m.counts.turned else ""
    facts = [
        ("version", f"`{m.bank_version}`"),
        ("preset", cell(m.preset)),
        ("good photos", f"{m.counts.images}{copies}"),
        ("learnt", cell(learnt)),
        ("threshold", f"{m.threshold.value:.4f}, for {m.threshold.alpha:.2%} false alarms"),
        ("look", f"`{m.look.kind}`: {bank.looks_at}"),
    ]
    rows = [f"| {name} | {value} |" for name, value in facts]
    return [
        f"## {m.category}",
        "",
        "| | |",
        "|---|---|",
        *rows,
        "",
        *(f"- **{cell(text)}**" for text in bank.remarks),
        *(f"\n![{name.removesuffix('.png')}]({name})" for name in bank.pictures),
    ]
