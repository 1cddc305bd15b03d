"""What PromQL expressions ask for: metric names, their labels, and the values these must have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support import ROOT

ALERTS = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/goodsguard.json"

_NAME = r"[a-zA-Z_:][\w:]*"
# Braces inside a value, as in route="/score/{category}", end no selector.
_SELECTOR = re.compile(rf'({_NAME})\s*(\{{(?:[^}}"]|"[^"]*")*\}})?')
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_STRING = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Selector:
    """One `name{label="value"}`; `values` are the words of its matchers, by label."""

    name: str
    values: dict[str, set[str]]


def selectors(expression: str) -> list[Selector]:
    """The service's own metrics, those of its process, and recorded series."""
    found = []
    for name, braces in _SELECTOR.findall(expression):
        if ":" in name or name.startswith(("goodsguard_", "process_")):
            matchers = _MATCHER.findall(braces)
            values = {label: set(re.split(r"\|", value)) for label, _, value in matchers}
            found.append(Selector(name, values))
    return found


def groupings(expression: str) -> set[str]:
    """The labels that an expression groups by."""
    lists = _GROUPING.findall(_STRING.sub('""', expression))
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


def rules() -> list[dict[str, Any]]:
    """Of all groups of the alert file."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """The Grafana dashboard."""
    board: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return board


def panel_queries() -> Iterator[tuple[str, str, str]]:
    """Title, expression and legend of every query on the dashboard."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def expressions() -> dict[str, str]:
    """Every expression in both files, by where it stands."""
    found = {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
    for index, (title, expression, _) in enumerate(panel_queries()):
        found[f"{title} #{index}"] = expression
    for annotation in dashboard()["annotations"]["list"]:
        found[f"annotation {annotation['name']}"] = annotation["expr"]
    for variable in dashboard()["templating"]["list"]:
        if label_values := re.fullmatch(
            rf"label_values\(({_NAME}), (\w+)\)", variable.get("definition", "")
        ):
            found[f"variable {variable['name']}"] = (
                f"count by ({label_values[2]}) ({label_values[1]})"
            )
    return found
