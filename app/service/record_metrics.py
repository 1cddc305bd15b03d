"""Metrics of the records: what was written and lost, as numbers that only grow."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class RecordMetrics:
    """Counters that follow totals, which whoever keeps records tells now and then, one at a time.

    Counters of their own, since those of several workers are added up from what each writes.
    """

    def __init__(self, registry: CollectorRegistry, reasons: Iterable[str] = ()) -> None:
        """Takes all reasons for which something may be lost."""
        self._up = Gauge(
            "goodsguard_records_up",
            "1 where verdicts are recorded, or are not to be",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._waiting = Gauge(
            "goodsguard_records_waiting",
            "Verdicts that wait to be written",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._written = Counter("goodsguard_records_written", "Verdicts written", registry=registry)
        self._photos = Counter("goodsguard_records_photos", "Photos kept", registry=registry)
        self._lost = Counter(
            "goodsguard_records_lost", "Verdicts not recorded", ["reason"], registry=registry
        )
        self._photos_lost = Counter(
            "goodsguard_records_photos_lost",
            "Photos that should have been kept",
            ["reason"],
            registry=registry,
        )
        self._told: Counts[tuple[Counter, str]] = Counts()
        self._up.set(1)
        for reason in reasons:
            self._lost.labels(reason)
            self._photos_lost.labels(reason)

    def show(
        self,
        *,
        up: bool,
        waiting: int,
        written: int,
        photos: int,
        lost: Mapping[str, int],
        photos_lost: Mapping[str, int],
    ) -> None:
        """Take the totals since the start."""
        self._up.set(up)
        self._waiting.set(waiting)
        self._follow(self._written, "", written)
        self._follow(self._photos, "", photos)
        for counter, totals in ((self._lost, lost), (self._photos_lost, photos_lost)):
            for reason, total in totals.items():
                self._follow(counter, reason, total)

    def _follow(self, counter: Counter, reason: str, total: int) -> None:
        more = total - self._told[counter, reason]
        if more > 0:
            (counter.labels(reason) if reason else counter).inc(more)
            self._told[counter, reason] = total
