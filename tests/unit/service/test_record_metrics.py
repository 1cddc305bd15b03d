from __future__ import annotations

from prometheus_client import CollectorRegistry

from app.service.record_metrics import RecordMetrics


def test_counters_follow_totals_and_never_go_back() -> None:
    registry = CollectorRegistry()
    metrics = RecordMetrics(registry, ["closed", "folder"])

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"goodsguard_records_{name}", labels)

    def show(written: int, lost: int, *, up: bool = True) -> None:
        metrics.show(
            up=up,
            waiting=3,
            written=written,
            photos=written // 2,
            lost={"closed": lost},
            photos_lost={"folder": lost},
        )

    assert (value("up"), value("written_total"), value("lost_total", reason="closed")) == (1, 0, 0)
    show(10, 1)
    show(10, 1)
    show(14, 2, up=False)
    assert (value("up"), value("waiting")) == (0, 3)
    assert (value("written_total"), value("photos_total")) == (14, 7)
    assert value("lost_total", reason="closed") == value("photos_lost_total", reason="folder") == 2
    show(2, 0)  # told late by another thread
    assert value("written_total") == 14
