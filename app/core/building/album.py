"""Album: small pictures of the good photos as they are read, for the bank to show beside a verdict.

A picture is what the network got of a photo, encoded once, in the threads that decode. Which part
of it is kept is known only when the bank is: they wait in a file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType

import numpy as np
from PIL import Image

from ..arrays import Doubles, Indices
from ..errors import DatasetError
from ..judging.origins import MAX_PICTURE_PIXELS, Origins, Pictures
from ..methods.method import Sources
from ..photo.box import Box
from ..photo.cell_boxes import CellBoxes, context, outward
from ..photo.small_jpeg import decoded, encoded
from ..threads import thread_budget
from .augment import Turn
from .reading import ReadPhoto

_MEMORY_BYTES = 64 << 20  # of pictures; what comes after goes to a temporary file
# A picture is cut where that leaves less of it: else it stays as it is.
_CUT_BELOW = 0.7
# A global method shows whole photos, to recognise them by.
_GLOBAL_SIDE = 160
# JPEG's bytes shrink a little slower than pixels do.
_BYTES_BY_SCALE = 1.6
_TRIES = 4
_AT_ONCE = 64


@dataclass(frozen=True)
class Taught:
    """The photos that a method learnt from, as its lesson numbers them.

    Attributes:
        places: of each photo, which of the album's it is.
        numbers: of each photo, among the files of `train/good`, from 1.
        turns: how their copies were made, as many of each, of all photos of the album, in order.
        grid: cells of the network's whole input.
    """

    places: Sequence[int]
    numbers: Sequence[int]
    turns: Sequence[Turn]
    grid: tuple[int, int]


class Album:
    """The photos that were new when they were read, in order."""

    def __init__(self) -> None:
        self._boxes: list[CellBoxes] = []
        self._ends = [0]
        self._pictured = True
        self._file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - by __exit__

    def __enter__(self) -> Album:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, photos: Sequence[ReadPhoto]) -> None:
        """Note the next photos; without a picture of one there will be none of any.

        Raises:
            DatasetError: the temporary folder is full.
        """
        for photo in photos:
            self._boxes.append(CellBoxes.of(photo.prepared))
            picture = photo.picture or b""
            self._pictured &= bool(picture)
            try:
                self._file.seek(0, 2)
                self._file.write(picture)
            except OSError as exc:
                raise DatasetError(_full(exc)) from exc
            self._ends.append(self._ends[-1] + len(picture))

    def origins_of(self, sources: Sources | None, taught: Taught, *, beside: int) -> Origins | None:
        """Where a bank's vectors come from; None where they are no cells.

        Args:
            sources: as the method gave them. beside: the bank's own bytes, of which all pictures
                together take half at most: they are made smaller where they would take more.
        """
        if sources is None:
            return None
        count = len(taught.places)
        each = len(taught.turns) // max(1, len(self._boxes))
        samples = sources[:, 0].astype(np.int64)
        photo_of = np.where(samples < count, samples, (samples - count) // max(1, each))
        used, photo = np.unique(photo_of, return_inverse=True)
        boxes = np.empty((len(sources), 4))
        for sample, rows in _groups(samples):
            boxes[rows] = self._in_photo(sample, sources[rows, 1], taught, each)
        places = [taught.places[number] for number in used]
        pictures = None
        if self._pictured:
            frames = [
                _frame(boxes[rows], outward(self._boxes[places[one]].source), taught.grid)
                for one, rows in _groups(photo)
            ]
            pictures = self._pictures(places, frames, taught.grid, beside // 2)
        return Origins(
            photo=photo.astype(np.int32),
            boxes=boxes.astype(np.int32),
            numbers=np.array([taught.numbers[number] for number in used], dtype=np.int32),
            pictures=pictures,
        )

    def _in_photo(self, sample: int, cells: Sources, taught: Taught, each: int) -> Doubles:
        """(m,) cells of one sample of the lesson -> their (m, 4) boxes on the photo."""
        count = len(taught.places)
        photo, copy = (sample, None) if sample < count else divmod(sample - count, each)
        place = taught.places[photo]
        own = self._boxes[place]
        found = own.in_input(cells.astype(np.int64), taught.grid)
        if copy is not None:
            turn = taught.turns[place * each + copy]
            found = turn.back(found, own.content, own.input[0])
        return own.in_photo(found)

    def _pictures(
        self, places: Sequence[int], frames: Sequence[Box], grid: tuple[int, int], budget: int
    ) -> Pictures:
        wholes = (outward(self._boxes[place].source) for place in places)
        shares = [_area(frame) / _area(all_) for frame, all_ in zip(frames, wholes, strict=True)]
        sizes = [self._ends[place + 1] - self._ends[place] for place in places]
        scale = 1.0
        if grid == (1, 1):
            scale = min(1.0, _GLOBAL_SIDE / max(max(self._boxes[p].input) for p in places))
        wanted = sum(size * share for size, share in zip(sizes, shares, strict=True))
        scale = min(scale, (budget / max(1.0, wanted)) ** (1 / _BYTES_BY_SCALE))
        files: list[bytes] = []
        for _ in range(_TRIES):
            files = list(self._cut(places, frames, shares, scale))
            if (total := sum(map(len, files))) <= budget:
                break
            scale *= 0.95 * (budget / total) ** (1 / _BYTES_BY_SCALE)
        edges = [(frame.left, frame.top, frame.right, frame.bottom) for frame in frames]
        return Pictures(
            data=np.frombuffer(b"".join(files), dtype=np.uint8),
            ends=np.cumsum([len(file) for file in files]).astype(np.int32),
            frames=np.array(edges, dtype=np.int32),
        )

    def _cut(
        self, places: Sequence[int], frames: Sequence[Box], shares: Sequence[float], scale: float
    ) -> Iterator[bytes]:
        """What each frame shows of its picture, a bounded number ahead."""
        with ThreadPoolExecutor(thread_budget()) as pool:
            for start in range(0, len(places), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                yield from pool.map(
                    partial(_made, scale=scale),
                    [self._picture(place) for place in places[part]],
                    [outward(self._boxes[place].source) for place in places[part]],
                    frames[part],
                    shares[part],
                )

    def _picture(self, place: int) -> bytes:
        self._file.seek(self._ends[place])
        return self._file.read(self._ends[place + 1] - self._ends[place])


def _frame(boxes: Doubles, source: Box, grid: tuple[int, int]) -> Box:
    """What is kept of a photo: its cells in the bank and what is around them; all of it where that
    is most of it."""
    around = context(boxes, source, grid)
    left, top = around[:, :2].min(axis=0).tolist()
    right, bottom = around[:, 2:].max(axis=0).tolist()
    frame = Box(left, top, right, bottom)
    return source if _area(frame) > _CUT_BELOW * _area(source) else frame


def _made(file: bytes, source: Box, frame: Box, share: float, *, scale: float) -> bytes:
    if share == 1 and scale == 1:
        return file
    picture = decoded(file, MAX_PICTURE_PIXELS)
    to_x, to_y = picture.width / source.width, picture.height / source.height
    part = (
        (frame.left - source.left) * to_x,
        (frame.top - source.top) * to_y,
        min((frame.right - source.left) * to_x, picture.width),
        min((frame.bottom - source.top) * to_y, picture.height),
    )
    width, height = (max(1, round((part[i + 2] - part[i]) * scale)) for i in (0, 1))
    made = picture.resize((width, height), Image.Resampling.BILINEAR, box=part)
    return encoded(np.asarray(made))


def _area(box: Box) -> float:
    return box.width * box.height


def _groups(labels: Indices) -> Iterator[tuple[int, Indices]]:
    """Each label, ascending, and where it stands."""
    order = np.argsort(labels, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        yield int(labels[rows[0]]), rows


def _full(exc: OSError) -> str:
    return (
        f"the photos' pictures do not fit into {tempfile.gettempdir()} ({exc.strerror}): free some "
        "space, set TMPDIR to a folder with more, or keep none (pictures=False, --no-pictures)"
    )
