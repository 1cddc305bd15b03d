"""Files -> prepared photos, decoded in parallel and in order, a bounded number ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..errors import CorruptImage, ImageError
from ..features.extractor import BATCH_SIZE, Extractor
from ..photo.images import MAX_PIXELS, decode
from ..photo.preprocess import PreparedImage
from ..threads import available_cpus

# Pillow's decoders release the GIL; more threads than this only add memory.
_MAX_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be turned into a photo, and why."""

    path: Path
    reason: str


def read_batches(
    paths: Sequence[Path],
    extractor: Extractor,
    *,
    max_pixels: int = MAX_PIXELS,
    batch_size: int = BATCH_SIZE,
) -> Iterator[tuple[list[tuple[Path, PreparedImage]], list[Unreadable]]]:
    """Decode and prepare files in order, `batch_size` at a time, the next batch in parallel.

    Yields:
        the readable photos of the batch with their paths, and the unreadable ones.
    """
    for results in _chunks(
        _parallel(paths, extractor, max_pixels, ahead=2 * batch_size), batch_size
    ):
        photos = [(path, r) for path, r in results if isinstance(r, PreparedImage)]
        broken = [Unreadable(path, str(r)) for path, r in results if isinstance(r, ImageError)]
        yield photos, broken


_Result = tuple[Path, PreparedImage | ImageError]


def _parallel(
    paths: Sequence[Path], extractor: Extractor, max_pixels: int, ahead: int
) -> Iterator[_Result]:
    rule = extractor.spec.preprocess
    at_least, white = rule.at_least(), rule.white_level

    def read(path: Path) -> _Result:
        try:
            image = decode(
                path.read_bytes(), max_pixels=max_pixels, at_least=at_least, white_level=white
            )
            return path, extractor.prepare(image)
        except OSError as exc:
            return path, CorruptImage(f"the file cannot be read: {exc.strerror}")
        except ImageError as exc:
            return path, exc

    workers = min(_MAX_WORKERS, available_cpus())
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
