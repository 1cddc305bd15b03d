"""How bright white is in the 16-bit photos of a data set: what the training photos show.

Cameras of 10, 12 or 14 bits write their values into 16-bit files as they are. Taken as 16 bits such
a photo is almost black, with 16 grey levels left of 12 bits. No field of the file tells, so the
training photos do: the fewest bits that hold their largest values, but for a few hot pixels of each
and a few stray photos. It becomes part of the feature spec, by which the service and the evaluation
read theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import ImageError
from ..features.extractor import FeatureExtractor
from ..photo import formats
from ..photo.images import MAX_PIXELS, peak
from ..photo.listing import few
from ..photo.pixel_types import FULL_WHITE
from ..threads import thread_budget

# What cameras have; 8 are what a program leaves that stores an 8-bit photo as 16 bits.
_BITS = (8, 10, 12, 14, 16)
_MAX_WORKERS = 8
# One photo of so many may have come from elsewhere; one of a small set, too.
_STRAY = 10
_SMALL_SET = 3


@dataclass(frozen=True, slots=True)
class Level:
    """What 16-bit photos show.

    Attributes:
        photos: of more than 8 bits, of those looked at, without the strays.
        peak: the largest value in them, but for hot pixels.
        strays: the names of those few that use more bits than the others.
    """

    photos: int
    peak: int
    strays: tuple[str, ...] = ()

    @property
    def bits(self) -> int:
        return _bits(self.peak)

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
            if self.strays:
                yield (
                    "photos that use more bits than the others do not count for that, and what is "
                    f"brighter in them is read as white: {few(self.strays)}"
                )


def measure(paths: Sequence[Path], max_pixels: int = MAX_PIXELS) -> Level:
    """Look at all photos of more than 8 bits; those that cannot be read tell nothing."""
    with ThreadPoolExecutor(min(_MAX_WORKERS, thread_budget())) as pool:
        seen = zip(pool.map(partial(_peak, max_pixels=max_pixels), paths), paths, strict=True)
        peaks = sorted((found, path.name) for found, path in seen if found is not None)
    if not peaks:
        return Level(0, 0)
    spared = max(len(peaks) // _STRAY, 1 if len(peaks) >= _SMALL_SET else 0)
    bits = _bits(peaks[-1 - spared][0])
    alike = [peak for peak, _ in peaks if _bits(peak) <= bits]
    return Level(len(alike), alike[-1], tuple(name for _, name in peaks[len(alike) :]))


def _bits(peak: int) -> int:
    return next((bits for bits in _BITS if peak < 1 << bits), _BITS[-1])


def _peak(path: Path, max_pixels: int) -> int | None:
    try:
        with path.open("rb") as file:
            if not formats.may_be_deep(file.read(formats.HEAD)):
                return None
        return peak(path.read_bytes(), max_pixels=max_pixels)
    except (OSError, ImageError):
        return None
