"""Who is let in: places in the queue, or a refusal before any work is done."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from ..core.detector import Detector
from ..core.errors import Overloaded
from ..core.photo.view import WHOLE_VIEW, View
from .metrics import Metrics
from .networks import by_network
from .permit import Asked, Permit

# Of these the times are known.
_REFUSALS = 10_000


class Admission:
    """Places for `queue_size` photos in work or waiting; the event loop alone asks for them.

    Attributes:
        depth: photos in work or waiting.
    """

    def __init__(
        self, metrics: Metrics, queue_size: int, seconds_per_photo: Callable[[], float]
    ) -> None:
        self.queue_size, self.depth = queue_size, 0
        self._refused_at: deque[float] = deque(maxlen=_REFUSALS)
        self._metrics, self._seconds_per_photo = metrics, seconds_per_photo
        metrics.queue_size.set(queue_size)
        metrics.queue_depth.set(0)

    def admit(
        self,
        detectors: Collection[Detector],
        photos: int = 1,
        *,
        view: View = WHOLE_VIEW,
        heatmap: bool = False,
    ) -> AbstractContextManager[Permit]:
        """Hold `places` for each of so many photos, of which the view is judged.

        Args:
            heatmap: each category draws an overlay, or explains.

        Raises:
            Overloaded: fewer places are free.
        """
        asked = [Asked(of_one, view) for of_one in by_network(detectors)]
        return self._admitted(asked, photos, self.places(detectors, heatmap=heatmap) * photos)

    def admit_parts(self, parts: Sequence[tuple[Detector, View]]) -> AbstractContextManager[Permit]:
        """Hold a place for each part of one photo, for `inspect_parts`.

        Raises:
            Overloaded: fewer places are free.
        """
        asked = [Asked((detector,), view) for detector, view in parts]
        return self._admitted(asked, 1, max(1, len(parts)))

    @contextmanager
    def _admitted(self, asked: Sequence[Asked], photos: int, places: int) -> Iterator[Permit]:
        self.check(places)
        self._hold(places)
        permit = Permit(asked, photos)
        try:
            yield permit
        finally:
            permit.end()
            self._hold(-places)

    def _hold(self, places: int) -> None:
        self.depth += places
        self._metrics.queue_depth.set(self.depth)

    def places(self, detectors: Collection[Detector], *, heatmap: bool = False) -> int:
        """How many places a photo takes: one at least."""
        return max(1, len(detectors if heatmap else by_network(detectors)))

    def check(self, places: int = 1) -> None:
        """Refuse before any work is done; costs nothing, and holds nothing.

        Raises:
            Overloaded: fewer than `places` places are free. A batch larger than the whole queue
                is let in when nothing else waits, since it could never be otherwise.
        """
        if self.depth and self.depth + places > self.queue_size:
            seconds = max(1, math.ceil(self.depth * self._seconds_per_photo()))
            self._refused_at.append(time.monotonic())
            raise Overloaded(
                f"{self.depth} photos are in work or waiting; come back in {seconds} s", seconds
            )

    def refused(self, seconds: float) -> int:
        """How often somebody was refused in the last seconds; beyond 10,000 nobody counts."""
        since = time.monotonic() - seconds
        return sum(at >= since for at in self._refused_at)
