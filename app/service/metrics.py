"""Prometheus metrics: what the service counts and measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from ..core.judging.inspection import Inspection, Verdict
from .registry import Registry, Unavailable
from .reloads import ReloadOutcome

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One application's metrics, in a registry of their own."""

    def __init__(self, problems: Iterable[str] = ()) -> None:
        """Takes the names of all problems that may be answered."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "goodsguard_requests",
            "HTTP requests",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "goodsguard_request_seconds",
            "HTTP request duration",
            ["route"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "goodsguard_stage_seconds",
            "Duration of each stage of a photo",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.verdicts = Counter(
            "goodsguard_verdicts", "Verdicts", ["category", "verdict"], registry=self.registry
        )
        self.problems = Counter(
            "goodsguard_problems",
            "Requests answered with a problem",
            ["type"],
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "goodsguard_queue_depth", "Photos in work or waiting", registry=self.registry
        )
        self.queue_size = Gauge(
            "goodsguard_queue_size",
            "Photos in work or waiting beyond which 429 is answered",
            registry=self.registry,
        )
        self.category_up = Gauge(
            "goodsguard_category_up",
            "1 where the category's bank serves",
            ["category"],
            registry=self.registry,
        )
        self.bank_info = Gauge(
            "goodsguard_bank_info",
            "The serving bank version (always 1)",
            ["category", "bank_version", "preset"],
            registry=self.registry,
        )
        self.reload_failed = Gauge(
            "goodsguard_reload_failed",
            "1 where the version that `current` names could not be taken up",
            ["category"],
            registry=self.registry,
        )
        self.reloads = Counter(
            "goodsguard_reloads",
            "Banks looked at by reloads, by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self.photo_pixels = Histogram(
            "goodsguard_photo_pixels",
            "Pixels of judged photos",
            buckets=(1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8),
            registry=self.registry,
        )
        self.photo_bytes = Histogram(
            "goodsguard_photo_bytes",
            "Bytes of judged photos",
            buckets=(1e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)  # memory, CPU, open files, start time
        # At 0 from the start: a counter that appears with its first event shows no increase.
        for outcome in get_args(ReloadOutcome):
            self.reloads.labels(outcome)
        for slug in problems:
            self.problems.labels(slug)

    def show(self, banks: Registry) -> None:
        """Show which categories serve, and with what."""
        self.category_up.clear()
        self.bank_info.clear()
        self.reload_failed.clear()
        for name, entry in banks.entries.items():
            self.category_up.labels(name).set(not isinstance(entry, Unavailable))
            self.reload_failed.labels(name).set(name in banks.failures)
        for name, detector in banks.detectors.items():
            m = detector.manifest
            self.bank_info.labels(name, m.bank_version, m.preset).set(1)
            for verdict in get_args(Verdict):
                self.verdicts.labels(name, verdict)

    def judged(
        self, category: str, inspection: Inspection, timings_ms: Mapping[str, float]
    ) -> None:
        """Count a photo's verdict, its pixels and the time in each stage."""
        self.verdicts.labels(category, inspection.verdict).inc()
        self.photo_pixels.observe(inspection.width * inspection.height)
        for stage, ms in timings_ms.items():
            self.stage(stage, ms)

    def stage(self, stage: str, ms: float) -> None:
        """Count the time of a photo in a stage."""
        self.stage_seconds.labels(stage).observe(ms / 1000)

    def unusable(self, category: str) -> None:
        """Count a photo that cannot be judged."""
        self.verdicts.labels(category, "unusable").inc()
