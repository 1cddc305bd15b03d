"""The dashboard and the alerts ask for what /metrics really has."""

from __future__ import annotations

from collections import defaultdict

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.records.keeper import REASONS
from tests.integration.service import DEFECTIVE, GOOD, Service
from tests.promql import expressions, groupings, rules, selectors

pytestmark = pytest.mark.anyio

Exposed = dict[str, dict[str, set[str]]]

# Given by Prometheus to all that it reads.
_ALWAYS = {"instance", "job"}
# Closed sets: a value that never comes up is a slip of the pen.
_CLOSED = {"verdict", "outcome", "type", "route"}


@pytest.fixture(scope="module")
async def exposed(service: Service) -> Exposed:
    """Per metric its labels, and per label the values seen."""
    for photo in (GOOD, DEFECTIVE, b"no image"):
        await service.score(photo)
    await service.batch(GOOD)
    await service.client.get("/livez")
    await service.client.get("/readyz")
    await service.client.get("/metrics")
    found: Exposed = defaultdict(lambda: defaultdict(set))
    for family in text_string_to_metric_families((await service.client.get("/metrics")).text):
        for sample in family.samples:
            labels = found[sample.name]
            for label, value in sample.labels.items():
                labels[label].add(value)
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = {label: set() for label in groupings(rule["expr"])}
    return found


@pytest.mark.parametrize("place", list(expressions()))
async def test_an_expression_asks_for_what_there_is(place: str, exposed: Exposed) -> None:
    expression = expressions()[place]
    labels = set(_ALWAYS)
    for selector in selectors(expression):
        assert selector.name in exposed
        known = exposed[selector.name]
        assert set(selector.values) <= set(known) | _ALWAYS, selector
        for label in _CLOSED & set(selector.values):
            wanted = {v for v in selector.values[label] if "*" not in v}
            assert wanted <= known[label], selector
        labels |= set(known)
    assert groupings(expression) <= labels


async def test_every_metric_of_ours_is_on_the_dashboard(exposed: Exposed) -> None:
    asked = {s.name for expression in expressions().values() for s in selectors(expression)}
    ours = {n for n in exposed if n.startswith("goodsguard_") and not n.endswith("_created")}
    sums = {n for n in ours if n.endswith(("_sum", "_count"))}  # of histograms, read by bucket
    assert ours - sums <= asked


@pytest.mark.parametrize("name", ["resident_memory_bytes", "cpu_seconds_total", "open_fds"])
async def test_the_process_shows_what_it_uses(service: Service, name: str) -> None:
    assert await service.metric(f"process_{name}") > 0


async def test_counters_are_there_before_anything_is_counted(exposed: Exposed) -> None:
    """A counter that appears at 1 has no increase: the first failure would pass unseen."""
    assert exposed["goodsguard_reloads_total"]["outcome"] == {
        "loaded",
        "unchanged",
        "failed",
        "removed",
    }
    assert "overloaded" in exposed["goodsguard_problems_total"]["type"]
    assert exposed["goodsguard_records_lost_total"]["reason"] == set(REASONS)
    assert exposed["goodsguard_verdicts_total"]["category"] >= {"can", "box"}
    assert exposed["goodsguard_verdicts_total"]["verdict"] == {"normal", "anomalous", "unusable"}
