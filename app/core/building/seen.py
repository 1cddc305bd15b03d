"""The photos of one category as they are read: who is broken, who shows what another showed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..features.extractor import Extractor
from ..photo.fingerprint import Fingerprint
from .copies import Copies, find_copies
from .promise import Promise
from .reading import ReadPhoto, Unreadable, read_batches

Progress = Callable[[int, int], None]  # done, total


@dataclass
class Seen:
    """What was read so far.

    Attributes:
        promise: refuses as soon as what is left cannot carry it.
        paths, prints: of readable photos, in order.
        place_of: by `Fingerprint.exact`, which of the photos returned as new ones it was.
    """

    promise: Promise
    paths: list[Path] = field(default_factory=list)
    prints: list[Fingerprint] = field(default_factory=list)
    place_of: dict[bytes, int] = field(default_factory=dict)

    def add(self, photos: Sequence[ReadPhoto], broken: Sequence[Unreadable]) -> list[ReadPhoto]:
        """Take note of a batch; the photos whose pixels were not there before.

        Raises:
            TooManyUnreadable, CalibrationError.
        """
        new = []
        for photo in photos:
            if photo.fingerprint.exact not in self.place_of:
                self.place_of[photo.fingerprint.exact] = len(self.place_of)
                new.append(photo)
            self.paths.append(photo.path)
            self.prints.append(photo.fingerprint)
        self.promise.add(broken, copies=len(photos) - len(new))
        return new

    def copies(self, progress: Progress = lambda _done, _total: None) -> Copies:
        """Of all that was read.

        Raises:
            CalibrationError: too few are left.
        """
        found = find_copies(self.prints, progress, names=[path.stem for path in self.paths])
        self.promise.add(copies=found.set_aside - self.promise.copies)
        return found

    def places(self, photos: Sequence[int]) -> list[int]:
        """Where among the new ones these photos are."""
        return [self.place_of[self.prints[photo].exact] for photo in photos]

    def files(self) -> list[tuple[Path, int]]:
        """Path and bytes of each readable one, as they were when it was read."""
        return [(path, one.size) for path, one in zip(self.paths, self.prints, strict=True)]


def survey(
    paths: Sequence[Path],
    extractor: Extractor,
    promise: Promise,
    max_pixels: int,
    progress: Progress = lambda _done, _total: None,
) -> None:
    """Read all photos and embed none, where a few broken ones would cost the promise. Too few are
    refused at the end, once, with the rate that those which count carry.

    Raises:
        TooManyUnreadable, CalibrationError.
    """
    counted = replace(promise, unreadable=[], copies=0, patient=True)
    seen, done = Seen(counted), 0
    for photos, broken in read_batches(paths, extractor, max_pixels=max_pixels):
        seen.add(photos, broken)
        done += len(photos) + len(broken)
        progress(done, len(paths))
    seen.copies()
    counted.check_left()
