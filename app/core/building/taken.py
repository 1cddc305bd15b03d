"""In which order photos were taken: by the camera's clock, by running numbers, by files' times.

None of them is believed as it stands: files are shuffled and renamed, and a copy's time is that of
the copying. Each is only proposed here, and `visits.py` takes the first that likeness confirms.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from ..arrays import Indices

# The last number of a name; what stands before and after it says which numbers go on from another.
_NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)
_EXIF, _TAKEN, _CREATED = 0x8769, 0x9003, 0x0132
_KNOWN = 0.9  # share of the photos that must have a time, and a time of their own
_PAUSE = 30 * 60.0  # seconds. Who comes back after them makes a new visit


@dataclass(frozen=True)
class Order:
    """How photos may have followed one another.

    Attributes:
        by: what told, as `the times in the photos`.
        sequences: indices of photos, first to last.
        begins: photos before which a pause was made.
    """

    by: str
    sequences: tuple[Indices, ...]
    begins: frozenset[int] = frozenset()


def orders(files: Sequence[Sequence[Path]], labels: Sequence[str]) -> Iterator[Order]:
    """Orders that may be the true one, the best witness first.

    Args:
        files: of each photo all that show it. labels: a photo follows only one of its own label.
    """
    times = [next(filter(None, map(_camera_time, names)), None) for names in files]
    if _tell(times):
        yield _by_time("the times in the photos", times, labels, pause=_PAUSE)
    yield _by_number([names[0] for names in files], labels)
    if not any(times):
        changed = [_changed(names[0]) for names in files]
        if _tell(changed):
            yield _by_time("the files' times", changed, labels, pause=np.inf)


def _by_number(paths: Sequence[Path], labels: Sequence[str]) -> Order:
    rows: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for photo, (path, label) in enumerate(zip(paths, labels, strict=True)):
        if found := _NUMBERED.fullmatch(path.stem):
            before, number, after = found.groups()
            rows[label, path.parent.as_posix(), before, after].append((int(number), photo))
    return Order("the numbers in their names", tuple(map(_in_order, rows.values())))


def _by_time(
    by: str, times: Sequence[float | None], labels: Sequence[str], *, pause: float
) -> Order:
    rows: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for photo, (time, label) in enumerate(zip(times, labels, strict=True)):
        if time is not None:
            rows[label].append((time, photo))
    begins = {
        photo
        for row in map(sorted, rows.values())
        for (before, _), (time, photo) in pairwise(row)
        if time - before > pause
    }
    return Order(by, tuple(map(_in_order, rows.values())), frozenset(begins))


def _in_order(row: Sequence[tuple[float, int]]) -> Indices:
    return np.array([photo for _, photo in sorted(row)], dtype=np.int64)


def _tell(times: Sequence[float | None]) -> bool:
    """Whether nearly all photos have a time, and few the same."""
    known = [time for time in times if time is not None]
    return len(set(known)) >= _KNOWN * len(times)


def _camera_time(path: Path) -> float | None:
    """Seconds, by the camera's clock; None where the file does not say."""
    try:
        # These formats alone, and the header alone: `getexif` would decode all of a PNG.
        with Image.open(path, formats=("JPEG", "TIFF", "PNG", "WEBP")) as image:
            exif = image.getexif() if image.format == "TIFF" else Image.Exif()
            if data := image.info.get("exif"):
                exif.load(data)
            text = exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_CREATED)
        return datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except Exception:  # whatever is wrong with metadata, the photo itself can be used
        return None


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
