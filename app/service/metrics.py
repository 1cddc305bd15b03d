"""Prometheus metrics: what the service counts and measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from ..core.judging.inspection import Inspection, Verdict
from .record_metrics import RecordMetrics
from .registry import Registry, Unavailable
from .reloads import ReloadOutcome
from .worker_metrics import FOLDER, GONE_OF_GREATEST, GONE_OF_LEAST, prepare, render

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Shown = dict[tuple[str, ...], bool]  # a gauge's values by its labels


class Metrics:
    """One application's metrics, in a registry of their own.

    Of several workers (worker_metrics.py) each gauge says how theirs become one.
    """

    def __init__(self, problems: Iterable[str] = (), losses: Iterable[str] = ()) -> None:
        """Takes the names of all problems that may be answered, and of all reasons for which a
        verdict may not be recorded.

        Raises:
            MetricsError: the folder that several workers share cannot be used.
        """
        prepare()
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
            "goodsguard_queue_depth",
            "Photos in work or waiting",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.queue_size = Gauge(
            "goodsguard_queue_size",
            "Photos in work or waiting beyond which 429 is answered",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.category_up = Gauge(
            "goodsguard_category_up",
            "1 where the category's bank serves",
            ["category"],
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.bank_info = Gauge(
            "goodsguard_bank_info",
            "The serving bank version (always 1)",
            ["category", "bank_version", "preset"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.reload_failed = Gauge(
            "goodsguard_reload_failed",
            "1 where the version that `current` names could not be taken up",
            ["category"],
            registry=self.registry,
            multiprocess_mode="livemax",
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
        self.records = RecordMetrics(self.registry, losses)
        # Labels of those gauges whose labels change.
        self._shown: dict[Gauge, set[tuple[str, ...]]] = {}
        ProcessCollector(registry=self.registry)  # memory, CPU, open files, start time
        # At 0 from the start: a counter that appears with its first event shows no increase.
        for outcome in get_args(ReloadOutcome):
            self.reloads.labels(outcome)
        for slug in problems:
            self.problems.labels(slug)

    def show(self, banks: Registry) -> None:
        """Show which categories serve, and with what."""
        up: Shown = {(name,): not isinstance(e, Unavailable) for name, e in banks.entries.items()}
        failed: Shown = {(name,): name in banks.failures for name in banks.entries}
        served = {name: detector.manifest for name, detector in banks.detectors.items()}
        info: Shown = {(name, m.bank_version, m.preset): True for name, m in served.items()}
        self._exchange(self.category_up, up, GONE_OF_LEAST)
        self._exchange(self.reload_failed, failed, GONE_OF_GREATEST)
        self._exchange(self.bank_info, info, GONE_OF_GREATEST)
        for name in served:
            for verdict in get_args(Verdict):
                self.verdicts.labels(name, verdict)

    def _exchange(self, gauge: Gauge, values: Shown, gone: float) -> None:
        """Let a gauge have these labels and no others; at no moment does it have none."""
        shown = self._shown.setdefault(gauge, set())
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in shown - values.keys():
            if FOLDER is None:
                gauge.remove(*labels)
            else:
                gauge.labels(*labels).set(gone)
        self._shown[gauge] = set(values)

    def render(self) -> bytes:
        """In Prometheus's text format; of all workers, where they are to be shown together."""
        return generate_latest(self.registry) if FOLDER is None else render()

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
