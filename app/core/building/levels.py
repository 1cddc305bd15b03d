"""How bright white is in the 16-bit photos of a data set: what the training photos show.

Cameras of 10, 12 or 14 bits write their values into 16-bit files as they are. Taken as 16 bits such
a photo is almost black, with 16 grey levels left of 12 bits. No field of the file tells, so the
training photos do: the fewest bits that hold their largest value. It becomes part of the feature
spec, by which the service and the evaluation read theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError
from ..features.extractor import FeatureExtractor
from ..photo import formats
from ..photo.images import peak
from ..photo.pixel_types import FULL_WHITE
from ..threads import thread_budget

# What cameras have; 8 are what a program leaves that stores an 8-bit photo as 16 bits.
_BITS = (8, 10, 12, 14, 16)
_MAX_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Level:
    """What 16-bit photos show.

    Attributes:
        photos: of more than 8 bits, of those looked at.
        peak: the largest value in them.
    """

    photos: int
    peak: int

    @property
    def bits(self) -> int:
        return next((bits for bits in _BITS if self.peak < 1 << bits), _BITS[-1])

    @property
    def white(self) -> int:
        """The value that is white: 65,535 where there are no 16-bit photos."""
        return (1 << self.bits) - 1 if self.photos else FULL_WHITE

    def applied_to(self, extractor: FeatureExtractor) -> FeatureExtractor:
        """The same network, reading 16-bit photos by this level."""
        preprocess = extractor.spec.preprocess.model_copy(update={"white_level": self.white})
        return extractor.with_spec(extractor.spec.model_copy(update={"preprocess": preprocess}))

    def remarks(self) -> Iterator[str]:
        """A sentence where 16-bit photos are not read as full 16 bits."""
        if self.white < FULL_WHITE:
            yield (
                f"{self.photos} 16-bit photos hold {self.bits}-bit values (the largest is "
                f"{self.peak:,}): {self.white:,} is taken as white, here and when the bank serves"
            )


def measure(paths: Sequence[Path]) -> Level:
    """Look at all photos of more than 8 bits; those that cannot be read tell nothing."""
    with ThreadPoolExecutor(min(_MAX_WORKERS, thread_budget())) as pool:
        peaks = [found for found in pool.map(_peak, paths) if found is not None]
    return Level(len(peaks), max(peaks, default=0))


def _peak(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            if not formats.may_be_deep(file.read(formats.HEAD)):
                return None
        return peak(path.read_bytes())
    except (OSError, ImageError):
        return None
