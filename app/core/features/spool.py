"""Samples of many photos between the passes of a build: in memory first, then in a file."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from types import TracebackType

import numpy as np

from ..errors import DatasetError
from .sample import Sample, Samples

# 512 MiB in memory, 340 photos of 1,024 patches × 384; what comes after goes to a temporary file.
MEMORY_BYTES = 512 << 20


class Spool(Samples):
    """Append-only samples of one D, read back by index.

    A plain file rather than a mapped one: pages of a mapping count as the process's own memory.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._budget = memory_bytes
        # In memory whole; of those in the file an empty sample of the same place, and the offset.
        self._samples: list[Sample] = []
        self._stored: dict[int, tuple[int, tuple[int, ...]]] = {}  # index -> offset, shape
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
        return len(self._samples)

    def append(self, sample: Sample) -> None:
        """Store one photo's cells; what becomes of the array outside does not matter.

        Raises:
            DatasetError: the temporary folder is full.
        """
        cells = sample.cells
        if not self._stored and self._budget >= cells.nbytes:
            self._budget -= cells.nbytes
            self._samples.append(replace(sample, cells=cells.copy()))
            return
        offset = self._file.seek(0, 2)
        try:
            self._file.write(np.ascontiguousarray(cells).data)
            self._file.flush()
        except OSError as exc:
            raise DatasetError(
                f"the embeddings do not fit into {tempfile.gettempdir()} ({exc.strerror}): free "
                "some space, or set TMPDIR to a folder with more"
            ) from exc
        self._stored[len(self)] = offset, cells.shape
        self._samples.append(replace(sample, cells=cells[:0].copy()))

    def __getitem__(self, index: int) -> Sample:
        """The sample appended as number `index`."""
        sample = self._samples[index]
        if index not in self._stored:
            return sample
        offset, shape = self._stored[index]
        self._file.seek(offset)
        data = self._file.read(int(np.prod(shape)) * 4)
        return replace(sample, cells=np.frombuffer(data, dtype=np.float32).reshape(shape))
