"""Files -> prepared photos, decoded in parallel and in order, a bounded number ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..errors import CorruptImage, ImageError, TooManyPixels
from ..features.extractor import BATCH_SIZE, Extractor
from ..photo.fingerprint import Fingerprint
from ..photo.images import MAX_PIXELS, DecodedImage, decode
from ..photo.pixel_types import FULL_WHITE
from ..photo.preprocess import PreparedImage
from ..photo.small_jpeg import encoded
from ..threads import thread_budget

# Pillow's decoders release the GIL; more threads than this only add memory.
_MAX_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be turned into a photo, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """A file that could.

    Attributes:
        picture: what the network gets of it without padding, as JPEG, where that was asked for.
    """

    path: Path
    prepared: PreparedImage
    fingerprint: Fingerprint
    picture: bytes | None = None


def read_batches(
    paths: Sequence[Path],
    extractor: Extractor,
    *,
    max_pixels: int = MAX_PIXELS,
    batch_size: int = BATCH_SIZE,
    pictured: bool = False,
) -> Iterator[tuple[list[ReadPhoto], list[Unreadable]]]:
    """Decode and prepare files in order, `batch_size` at a time, the next batch in parallel.

    Args:
        pictured: make a small picture of each, too.

    Yields:
        the readable photos of the batch, and the unreadable ones.
    """
    for results in _chunks(
        _parallel(paths, extractor, max_pixels, 2 * batch_size, pictured=pictured), batch_size
    ):
        photos = [result for result in results if isinstance(result, ReadPhoto)]
        broken = [result for result in results if isinstance(result, Unreadable)]
        yield photos, broken


def read_file(
    path: Path,
    *,
    max_pixels: int = MAX_PIXELS,
    at_least: tuple[int, int] | None = None,
    white_level: int = FULL_WHITE,
) -> tuple[bytes, DecodedImage]:
    """A photo's file: its bytes, and decoded.

    Raises:
        ImageError: of whatever kind; the text says why, and which option helps.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise CorruptImage(f"the file cannot be read: {reason}") from exc
    try:
        return data, decode(data, max_pixels=max_pixels, at_least=at_least, white_level=white_level)
    except TooManyPixels as exc:
        raise TooManyPixels(f"{exc}; max_pixels (--max-pixels) takes another") from exc


_Result = ReadPhoto | Unreadable


def _parallel(
    paths: Sequence[Path], extractor: Extractor, max_pixels: int, ahead: int, *, pictured: bool
) -> Iterator[_Result]:
    at_least, white = extractor.at_least(), extractor.spec.preprocess.white_level

    def read(path: Path) -> _Result:
        try:
            data, image = read_file(
                path, max_pixels=max_pixels, at_least=at_least, white_level=white
            )
            prepared = extractor.prepare(image)
        except ImageError as exc:
            return Unreadable(path, str(exc))
        picture = encoded(prepared.shown_pixels) if pictured else None
        return ReadPhoto(path, prepared, Fingerprint.of(data, image, prepared), picture)

    workers = min(_MAX_WORKERS, thread_budget())
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        pending: deque[Future[_Result]] = deque()
        remaining = iter(paths)
        try:
            pending.extend(pool.submit(read, path) for path in islice(remaining, ahead))
            while pending:
                result = pending.popleft().result()
                pending.extend(pool.submit(read, path) for path in islice(remaining, 1))
                yield result
        finally:
            for future in pending:
                future.cancel()


def _chunks(results: Iterator[_Result], size: int) -> Iterator[list[_Result]]:
    while chunk := list(islice(results, size)):
        yield chunk
