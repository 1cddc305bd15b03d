"""The good photos of one category, as they are collected: what is left out, and what is missing."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..core.files import shown, write_whole
from .frames import Frame, kind_of
from .small_grey import Grey, NotAPhoto, changed, small_grey

# A camera's noise, its exposure and JPEG at quality 60 change 0.13 % of the places by so much at
# most; two photos of one kind of goods differ in 20 % and more.
_DIFFERS: Final = 8.0
_ALIKE: Final = 0.002
_ENDINGS: Final = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}


@dataclass
class Collection:
    """FOLDER/<category>/train/good.

    Attributes:
        wanted: so many photos are asked for. alpha: the false-alarm rate that they shall carry.
        alike: photos left out since another shows the same.
    """

    folder: Path
    category: str
    wanted: int
    alpha: float
    alike: int = 0
    _greys: list[Grey] = field(default_factory=list, repr=False)

    @classmethod
    def opened(cls, root: Path, category: str, wanted: int, alpha: float) -> Collection:
        """With the photos that lie there already. Reads all of them.

        Raises:
            OSError: the folder cannot be made or listed.
        """
        found = cls(root / category / "train" / "good", category, wanted, alpha)
        found.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(found.folder.iterdir()):
            if path.suffix.lower() in _ENDINGS.values() and not path.name.startswith("."):
                try:
                    found._greys.append(small_grey(path.read_bytes()))
                except NotAPhoto:
                    continue  # the build tells of it
        return found

    @property
    def photos(self) -> int:
        """How many there are."""
        return len(self._greys)

    @property
    def is_full(self) -> bool:
        return self.photos >= self.wanted

    @property
    def needed(self) -> int:
        """So many different photos carry the promise; the build asks for as many."""
        return max(2, math.ceil(1 / self.alpha - 1 - 1e-9))

    def add(self, frame: Frame) -> bool:
        """Keep a photo unless it shows what another shows; whether it was kept.

        Raises:
            NotAPhoto: it cannot be decoded. OSError: it cannot be written.
        """
        grey = small_grey(frame.data)
        if any(changed(grey, other, _DIFFERS) <= _ALIKE for other in self._greys):
            self.alike += 1
            return False
        moment = f"{frame.taken_at:%Y%m%dT%H%M%S%f}"[:-3]
        camera = re.sub(r"[^\w-]+", "_", frame.camera)
        path = self.folder / f"{camera}_{moment}Z{_ENDINGS[kind_of(frame.data)]}"
        write_whole(path, frame.data, sync=True)
        self._greys.append(grey)
        return True

    def told(self) -> str:
        """Where it stands, in a line."""
        left_out = f", {self.alike} left out that show what another shows" if self.alike else ""
        missing = self.needed - self.photos
        promise = (
            f"{missing} more for a false-alarm rate of {self.alpha:.3g}"
            if missing > 0
            else f"enough for a false-alarm rate of {self.alpha:.3g}"
        )
        rest = max(0, self.wanted - self.photos)
        asked = f", {rest} more until {self.wanted}" if rest else ", complete"
        where = shown(os.fspath(self.folder))
        return f"{self.category}: {self.photos} photos in {where}{left_out}; {promise}{asked}"
