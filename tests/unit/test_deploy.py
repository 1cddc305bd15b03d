"""The files below deploy/, and the compose files: their shape, and what they say of each other."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.service.patience import CLOSE_S, GRACE_S, KEEP_ALIVE_S
from app.settings import Settings
from tests.promql import ALERTS, dashboard, groupings, panel_queries, rules, selectors
from tests.support import ROOT

COMPOSE = sorted(ROOT.glob("docker-compose*.yml"))
ALERT_TESTS = Path(__file__).with_name("alerts.test.yml")
PROMTOOL = shutil.which("promtool")

Yaml = dict[str, Any]


class Strict(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Refuses a key that stands twice, as Docker Compose does and YAML demands."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        assert len(keys) == len(set(keys)), f"twice: {sorted(k for k in keys if keys.count(k) > 1)}"
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read(path: Path) -> Yaml:
    content: Yaml = yaml.load(path.read_text(encoding="utf-8"), Strict)
    return content


def test_a_key_that_stands_twice_is_seen(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("a: &a {b: 1}\nc: {<<: *a, d: 2}\n")
    assert read(tmp_path / "x.yml")["c"] == {"b": 1, "d": 2}
    (tmp_path / "x.yml").write_text("a: {b: 1, b: 2}\n")
    with pytest.raises(AssertionError, match="twice"):
        read(tmp_path / "x.yml")


def service() -> Yaml:
    described: Yaml = read(ROOT / "docker-compose.yml")["services"]["goodsguard"]
    return described


def alerts() -> list[Yaml]:
    return [rule for rule in rules() if "alert" in rule]


def test_selectors_are_found_with_braces_in_their_values() -> None:
    (found,) = selectors('sum by (le) (rate(goodsguard_x_bucket{route="/a/{b}", i=~"c|d"}[5m]))')
    assert found.name == "goodsguard_x_bucket"
    assert found.values == {"route": {"/a/{b}"}, "i": {"c", "d"}}
    assert groupings("sum by (le, a) (x) / on () y") == {"le", "a"}


# --- alerts --------------------------------------------------------------------------------------


def test_alerts_have_a_name_of_their_own_each() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("GoodsGuard") for name in names)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_waits_before_it_does(rule: Yaml) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+m", rule["for"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_is_tested(rule: Yaml) -> None:
    assert rule["alert"] in ALERT_TESTS.read_text(encoding="utf-8")


def test_recorded_series_are_recorded_before_they_are_used() -> None:
    recorded: set[str] = set()
    for rule in rules():
        used = {s.name for s in selectors(rule["expr"]) if ":" in s.name}
        assert used <= recorded
        recorded |= {rule["record"]} if "record" in rule else set()


def test_the_memory_alert_comes_before_the_containers_limit() -> None:
    (rule,) = [rule for rule in alerts() if rule["alert"] == "GoodsGuardMemory"]
    gibibytes = re.search(r"> ([\d.]+) \* 1024 \^ 3", rule["expr"])
    limit = re.search(r":-(\d+)g", service()["mem_limit"])
    assert gibibytes
    assert limit
    assert 0.5 * float(limit[1]) < float(gibibytes[1]) < float(limit[1])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", ALERTS),
        ("check", "config", ALERTS.with_name("prometheus.yml")),
        pytest.param(("test", "rules", ALERT_TESTS), marks=pytest.mark.slow),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_promtool_agrees(arguments: tuple[str | Path, ...]) -> None:
    assert PROMTOOL
    done = subprocess.run(
        [PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- dashboard -----------------------------------------------------------------------------------


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(column for column, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_dashboard_asks_the_data_source_of_its_variable() -> None:
    board = dashboard()
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert variables == {"datasource", "instance", "category"}
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize(("title", "expression", "legend"), list(panel_queries()))
def test_a_query_keeps_the_labels_that_its_legend_shows(
    title: str, expression: str, legend: str
) -> None:
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    kept = groupings(expression)
    assert shown <= (kept or {"instance"}), title


# --- compose -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_published_port_is_bound_to_this_machine(path: Path) -> None:
    for described in read(path)["services"].values():
        for port in described.get("ports", ()):
            assert re.match(r"(127\.0\.0\.1|\$\{GOODSGUARD_BIND:-127\.0\.0\.1\}):", port)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_an_image_has_a_version(path: Path) -> None:
    for described in read(path)["services"].values():
        assert re.fullmatch(
            r"goodsguard:\w+|[\w-]+/[\w-]+:v?\d+\.\d+\.\d+", described.get("image", "goodsguard:x")
        )


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_what_is_mounted_from_the_repository_is_there(path: Path) -> None:
    for described in read(path)["services"].values():
        for volume in described.get("volumes", ()):
            if isinstance(volume, str) and volume.startswith("./deploy"):
                source, _, mode = volume.split(":")
                assert (ROOT / source).exists()
                assert mode == "ro"


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_reaches_the_container(name: str) -> None:
    """By the compose file, or because the image sets it."""
    variable = f"GOODSGUARD_{name.upper()}"
    image = re.findall(r"^ +(GOODSGUARD_\w+)=", (ROOT / "Dockerfile").read_text(), re.M)
    assert variable in service()["environment"] or variable in image


def test_banks_are_read_only_unless_asked_otherwise() -> None:
    assert "./models:/models:${GOODSGUARD_MODELS_MODE:-ro}" in service()["volumes"]
    # All but the notes of what serves, by which builds clear away old versions.
    assert "./models/.serving:/models/.serving" in service()["volumes"]


def test_there_is_time_to_stop_in_order() -> None:
    """Draining, then uvicorn's patience; `docker stop` alone gives 10 seconds, compose its own."""
    command = (ROOT / "Dockerfile").read_text().splitlines()[-1]
    patience = re.search(r'"--timeout-graceful-shutdown", "(\d+)"', command)
    assert patience
    assert int(patience[1]) == GRACE_S
    needed = Settings.model_fields["drain_s"].default + int(patience[1]) + CLOSE_S
    assert needed < 10
    assert needed < int(service()["stop_grace_period"].removesuffix("s"))


def test_whoever_sends_closes_an_idle_connection_first() -> None:
    """Else a photo is lost that crosses with the service's closing: a 502 behind a proxy."""
    command = json.loads((ROOT / "Dockerfile").read_text().splitlines()[-1].removeprefix("CMD "))
    image = int(command[command.index("--timeout-keep-alive") + 1])
    assert image == KEEP_ALIVE_S
    nginx = (ROOT / "deploy/nginx.conf").read_text()
    (upstream,) = re.findall(r"upstream \w+ \{(.*?)\}", nginx, re.S)
    (proxy,) = re.findall(r"^ *keepalive_timeout (\d+)s;", upstream, re.M)
    assert int(proxy) < KEEP_ALIVE_S
    # What starts the service elsewhere takes the image's command, or that of `goodsguard serve`.
    for path in sorted(ROOT.glob("docker-compose*.yml")):
        assert "command" not in read(path)["services"].get("goodsguard", {}), path
    rules = re.findall(r"^serve:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    assert rules == ["\t$(BIN)/goodsguard serve --port $(PORT)\n"]
    elsewhere = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*")]
    texts = {path: path.read_text() for path in elsewhere if path.is_file()}
    said = {
        p: n for p, text in texts.items() for n in re.findall(r"timeout-keep-alive (\d+)", text)
    }
    assert set(said.values()) <= {str(KEEP_ALIVE_S)}, said


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    services = read(ROOT / "docker-compose.observability.yml")["services"]
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = read(folder / "datasources/prometheus.yml")["datasources"]
    (provider,) = read(folder / "dashboards/goodsguard.yml")["providers"]
    (job,) = read(ALERTS.with_name("prometheus.yml"))["scrape_configs"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services
    mounts = {v.split(":")[1] for v in services["grafana"]["volumes"]}
    assert f"{provider['options']['path']}/goodsguard.json" in mounts
    assert job["job_name"] == "goodsguard"
    assert job["static_configs"] == [{"targets": ["goodsguard:8000"]}]
    assert job.get("metrics_path", "/metrics") == "/metrics"


# --- without compose -----------------------------------------------------------------------------


def test_the_unit_starts_what_there_is_and_reads_a_file_of_settings() -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]  # names keep their capitals
    unit.read(ROOT / "deploy/goodsguard.service", encoding="utf-8")
    service = unit["Service"]
    program, command, *options = service["ExecStart"].split()
    assert (Path(program).name, command) == ("goodsguard", "serve")
    assert options == ["--host", "127.0.0.1", "--port", "8000"]
    assert service["EnvironmentFile"].endswith(".env")
    assert "-HUP" in service["ExecReload"]
    assert int(service["TimeoutStopSec"]) > GRACE_S


@pytest.mark.parametrize(
    "started",
    [
        "/srv/.venv/bin/python /srv/.venv/bin/goodsguard serve --port 8000",
        "python -m app serve",
        "/usr/bin/python3 -m goodsguard serve",
    ],
)
def test_the_guide_finds_the_service_however_it_was_started(started: str) -> None:
    guide = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"pgrep -of '([^']+)'", guide)
    assert re.search(pattern, started)
    assert not re.search(pattern, "goodsguard evaluate --data serve")
