"""The report of `goodsguard build`: what cannot be drawn or written costs no bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..cli import complain, console, fault_of

if TYPE_CHECKING:
    from ..core.building.build import Build
    from ..core.photo.dataset import Category
    from ..reports.build_page import BuiltPage


@dataclass
class BuildReport:
    """Pictures as banks come, and the page at the end.

    Attributes:
        folder: None: no report is wanted.
        faults: what was not drawn or written.
    """

    folder: Path | None
    limit: int | None
    max_pixels: int
    faults: list[str] = field(default_factory=list)
    banks: list[BuiltPage] = field(default_factory=list)

    def add(self, build: Build, source: Category, remarks: Sequence[str]) -> None:
        """Draw one bank."""
        if self.folder is None:
            return
        from ..reports.build_page import draw_build

        try:
            page = draw_build(
                self.folder,
                build,
                source,
                remarks,
                limit=self.limit,
                max_pixels=self.max_pixels,
                tell=self.faults.append,
            )
            self.banks.append(page)
        except OSError as exc:
            self._refused(self.folder, exc)
        except Exception as exc:  # whatever it is, the bank is stored
            self.faults.append(f"{source.name}: not reported: {fault_of(exc)}")

    def finish(self) -> bool:
        """Write the page; tell of it, or of what stands in its way.

        Returns:
            whether all that was asked for is written.
        """
        if self.folder is not None and self.banks:
            from ..reports.build_page import write_page

            try:
                console.print(f"report: {write_page(self.folder, self.banks)}", markup=False)
            except OSError as exc:
                self._refused(self.folder, exc)
        for text in dict.fromkeys(self.faults):
            complain(text)
        return not self.faults

    def _refused(self, folder: Path, exc: OSError) -> None:
        self.faults.append(
            f"cannot write the report to {folder}: {exc.strerror or exc}; the banks are stored; "
            "name another folder with --report"
        )
