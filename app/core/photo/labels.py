"""Labels of photos, and what a folder's name says of the photos in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..files import shown

GOOD = "good"
_MEANS_GOOD = {GOOD, "ok", "normal"}
_SOUNDS_GOOD = _MEANS_GOOD | {
    "okay", "passed", "healthy", "intact", "undamaged", "flawless",
}  # fmt: skip
_DAMAGE = {
    "bad", "defect", "defects", "defective", "damage", "damaged", "anomaly", "anomalies",
    "anomalous", "abnormal", "broken", "reject", "rejects", "rejected", "faulty", "ng", "nok",
}  # fmt: skip
_NOT = {"no", "not", "non", "without", "free"}


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A test image.

    Attributes:
        defect_type: "good" for good ones.
        mask: marks the defect's pixels: a file, or a folder of files that are united.
    """

    path: Path
    defect_type: str
    mask: Path | None = None

    @property
    def is_defective(self) -> bool:
        return self.defect_type != GOOD

    @property
    def name(self) -> str:
        """For people: `dent/001.png`."""
        return f"{self.defect_type}/{shown(self.path.name)}"


def means_good(name: str) -> bool:
    """Whether a folder of this name holds good photos: `good`, `ok` or `normal`, in any case."""
    return name.strip().casefold() in _MEANS_GOOD


def sounds_good(name: str) -> bool:
    """Whether a person would take a folder of this name for good photos (`good_2`, `no defect`)."""
    words = _words(name)
    if words & _NOT:
        return bool(words & _DAMAGE)
    return bool(words & _SOUNDS_GOOD) and not words & _DAMAGE


def sounds_defective(name: str) -> bool:
    """Whether a person would take a folder of this name for defective photos (`bad`, `not_ok`)."""
    words = _words(name)
    return bool(words & (_SOUNDS_GOOD if words & _NOT else _DAMAGE))


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", name.casefold()))
