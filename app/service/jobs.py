"""PhotoJob: one photo for detectors that share a network; Bundle: those that are taken together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from ..core.detector import Detector
from ..core.errors import DeadlineExceeded, GoodsGuardError
from ..core.features.extractor import BATCH_SIZE
from ..core.judging.inspection import Inspection, Photo

Judged = Inspection | GoodsGuardError


@dataclass(frozen=True)
class PhotoJob:
    """One photo for detectors that share a network.

    Attributes:
        deadline: of `time.monotonic()`, after which nobody wants the answer.
        background: give way to all that is not.
        done: one outcome per detector; cancelling it drops the job if it has not started.
    """

    detectors: Sequence[Detector]
    photo: Photo
    deadline: float = float("inf")
    background: bool = False
    submitted: float = field(default_factory=time.perf_counter)
    done: Future[list[Judged]] = field(default_factory=Future)

    @property
    def flow(self) -> str:
        """Jobs of one flow keep their order; flows take turns."""
        return self.detectors[0].manifest.category


# Jobs that share a network and stay together.
Bundle = Sequence[PhotoJob]


def bundles(jobs: Sequence[PhotoJob]) -> Iterator[Bundle]:
    """Those of one network together, in order, as many as a pass takes."""
    by_runtime: dict[int, list[PhotoJob]] = {}
    for job in jobs:
        by_runtime.setdefault(id(runtime(job)), []).append(job)
    for together in by_runtime.values():
        for start in range(0, len(together), BATCH_SIZE):
            yield together[start : start + BATCH_SIZE]


def is_wanted(job: PhotoJob) -> bool:
    """Whether it is to be begun; it cannot be cancelled then any more."""
    return job.done.set_running_or_notify_cancel() and not is_late(job)


def is_late(job: PhotoJob) -> bool:
    """Whether nobody wants the answer any more; it is told so then."""
    if time.monotonic() < job.deadline:
        return False
    job.done.set_exception(DeadlineExceeded("the time for this photo was over in the queue"))
    return True


def runtime(job: PhotoJob) -> object:
    """Jobs with the same one can share a pass."""
    return job.detectors[0].extractor.runtime
