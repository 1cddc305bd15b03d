"""Embeddings of many photos between the passes of a build: in memory first, then in a file."""

from __future__ import annotations

import tempfile
from types import TracebackType

import numpy as np

from ..errors import DatasetError
from .extractor import Embedding

# 512 MiB in memory, 340 photos of 1,024 patches × 384; what comes after goes to a temporary file.
MEMORY_BYTES = 512 << 20


class Spool:
    """Append-only (h, w, D) float32 arrays of one D, read back by index.

    A plain file rather than a mapped one: pages of a mapping count as the process's own memory.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._budget = memory_bytes
        self._kept: list[Embedding] = []
        self._places: list[tuple[int, tuple[int, ...]]] = []  # (offset, shape) in the file
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        except OSError as exc:
            raise DatasetError(
                f"no temporary file can be made ({exc.strerror}): set TMPDIR to a folder that can "
                "be written"
            ) from exc

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._kept) + len(self._places)

    def append(self, embedding: Embedding) -> None:
        """Store one photo's patches.

        Raises:
            DatasetError: the temporary folder is full.
        """
        if not self._places and self._budget >= embedding.nbytes:
            self._budget -= embedding.nbytes
            self._kept.append(embedding.copy())
            return
        offset = self._file.seek(0, 2)
        try:
            self._file.write(np.ascontiguousarray(embedding).data)
            self._file.flush()
        except OSError as exc:
            raise DatasetError(
                f"the embeddings do not fit into {tempfile.gettempdir()} ({exc.strerror}): free "
                "some space, or set TMPDIR to a folder with more"
            ) from exc
        self._places.append((offset, embedding.shape))

    def __getitem__(self, index: int) -> Embedding:
        """(h, w, D) float32 of the photo appended as number `index`."""
        if index < len(self._kept):
            return self._kept[index]
        offset, shape = self._places[index - len(self._kept)]
        self._file.seek(offset)
        data = self._file.read(int(np.prod(shape)) * 4)
        return np.frombuffer(data, dtype=np.float32).reshape(shape)

    def patches(self, index: int) -> Embedding:
        """(h·w, D) float32 of one photo."""
        embedding = self[index]
        return embedding.reshape(-1, embedding.shape[-1])
