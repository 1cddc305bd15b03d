"""What the bank of an explored category looks at, where one is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.photo.images import MAX_PIXELS
from ..core.store import artifact as artifacts
from ..core.store.whereabouts import stored
from .look_pictures import LookSeen


@dataclass(frozen=True)
class BankLook:
    """Of the bank that serves.

    Attributes:
        seen: its look, and the good photos that lie in the data folder now.
    """

    version: str
    preset: str
    seen: LookSeen = field(repr=False)

    @property
    def sentence(self) -> str:
        """For the page."""
        return f"the bank {self.version} (preset {self.preset}): {self.seen.sentence()}"


def look_of_bank(models: Path, category: str, photos: Sequence[Path]) -> BankLook | None:
    """What the category's bank looks at; None where none is stored.

    Args:
        photos: good ones that can be read.

    Raises:
        GoodsGuardError: what is stored cannot be used; the text says why.
    """
    if category not in stored(models):
        return None
    artifact = artifacts.load(models, category)
    m = artifact.manifest
    seen = LookSeen(category, artifact.look, m.features, photos, MAX_PIXELS)
    return BankLook(m.bank_version, m.preset, seen)
