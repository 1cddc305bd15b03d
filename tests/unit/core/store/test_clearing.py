"""Which versions stay. That the last good one does is tried with the service's own registry."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.features.extractor import Extractor, FeatureSpec
from app.core.features.runtimes import Engine
from app.core.judging.calibration import Fixed
from app.core.store import artifact as artifacts
from app.core.store import serving, signing
from app.core.store.clearing import KEPT_BUILDS, KEPT_THRESHOLDS, of_one_build, prune, remark
from app.service.networks import SharedNetworks
from app.service.registry import BankSource
from app.service.reloads import Reloads
from tests.support import colour_extractor, make_artifact, version_number

BAD_BUILDS = KEPT_BUILDS + 2


def build(models: Path, index: int) -> str:
    """Save a build; the seconds it took tell it from the others, as in life."""
    made = make_artifact(version=version_number(index))
    manifest = made.manifest.model_copy(update={"wall_time_s": float(index)})
    return artifacts.save(models, replace(made, manifest=manifest)).bank_version


def builds(models: Path, *indexes: int) -> list[str]:
    return [build(models, index) for index in indexes]


def damaged_build(models: Path, index: int) -> str:
    version = build(models, index)
    (models / "can" / version / artifacts.BANK).write_bytes(b"damaged")
    return version


def try_threshold(models: Path, index: int) -> str:
    artifact = artifacts.with_threshold(artifacts.load(models, "can"), Fixed(threshold=index / 100))
    manifest = artifact.manifest.model_copy(update={"bank_version": version_number(index)})
    return artifacts.save(models, replace(artifact, manifest=manifest)).bank_version


def service(models: Path) -> Reloads:
    def load(spec: FeatureSpec, _: Engine) -> Extractor:
        return colour_extractor(spec)

    return Reloads(BankSource(models, SharedNetworks(load)), lambda _: None)


def served(reloads: Reloads) -> str:
    return reloads.registry.detector("can").manifest.bank_version


def stored(models: Path) -> list[str]:
    return artifacts.versions(models / "can")


def test_the_last_good_version_outlasts_bad_builds_while_a_service_runs(tmp_path: Path) -> None:
    builds(tmp_path, *range(1, 8))
    good = build(tmp_path, 9)
    running = service(tmp_path)
    for index in range(10, 10 + BAD_BUILDS):
        damaged_build(tmp_path, index)
        assert [result.outcome for result in running.watch()] == ["failed"]
        assert served(running) == good
    assert good in stored(tmp_path)
    assert len(stored(tmp_path)) == 1 + KEPT_BUILDS  # old ones are cleared away all the same
    assert served(service(tmp_path)) == good


def test_it_outlasts_them_while_no_service_runs(tmp_path: Path) -> None:
    good = build(tmp_path, 1)
    service(tmp_path)
    for index in range(2, 2 + BAD_BUILDS):
        damaged_build(tmp_path, index)
    assert served(service(tmp_path)) == good


@pytest.mark.parametrize("restarts", [1, 3])
def test_it_outlasts_restarts_between_them(tmp_path: Path, restarts: int) -> None:
    good = build(tmp_path, 1)
    for index in range(2, 2 + BAD_BUILDS):
        damaged_build(tmp_path, index)
        for _ in range(restarts):
            assert served(service(tmp_path)) == good


def test_it_outlasts_them_where_the_service_may_not_write(tmp_path: Path) -> None:
    """As on a read-only disk: nothing is noted, so nothing is cleared away."""
    good = build(tmp_path, 1)
    (tmp_path / serving.SERVING).write_text("in the way")
    running = service(tmp_path)
    for index in range(2, 2 + BAD_BUILDS):
        damaged_build(tmp_path, index)
        running.watch()
    assert len(stored(tmp_path)) == 1 + BAD_BUILDS
    assert served(service(tmp_path)) == good


def test_what_two_machines_serve_stays(tmp_path: Path) -> None:
    """One of them cannot run what came later."""
    one, two = builds(tmp_path, 1, 2)
    serving.note(tmp_path, "can", one, machine="old")
    serving.note(tmp_path, "can", two, machine="new")
    latest = builds(tmp_path, *range(3, 12))
    assert stored(tmp_path) == [one, two, *latest[-KEPT_BUILDS:]]


def test_what_two_services_of_one_machine_serve_stays(tmp_path: Path) -> None:
    """One of them was started before the second build, and watches nothing."""
    one = build(tmp_path, 1)
    service(tmp_path)
    two = build(tmp_path, 2)
    service(tmp_path)
    latest = builds(tmp_path, *range(3, 12))
    assert stored(tmp_path) == [one, two, *latest[-KEPT_BUILDS:]]


def test_a_service_that_runs_keeps_its_notes_fresh(tmp_path: Path) -> None:
    one = build(tmp_path, 1)
    running = service(tmp_path)
    assert not running.notes_are_due()
    for file in (tmp_path / serving.SERVING / "can").iterdir():
        os.utime(file, (0, 0))
    running.renew_notes()
    assert serving.noted(tmp_path, "can") == {one}


def test_a_version_gone_back_to_is_noted(tmp_path: Path) -> None:
    one, _ = builds(tmp_path, 1, 2)
    service(tmp_path).activate("can", one)
    assert serving.noted(tmp_path, "can") == {one}


def test_the_newest_signed_version_is_not_cleared_away(tmp_path: Path) -> None:
    """Where only signed ones may serve, it may be what serves."""
    names = builds(tmp_path, *range(10, 15))
    for name in names[:2]:
        (tmp_path / "can" / name / signing.SIGNATURE).write_text("signed")
    serving.note(tmp_path, "can", names[4])
    prune(tmp_path / "can", builds=2)
    assert stored(tmp_path) == [names[1], *names[3:]]


def test_a_version_that_current_names_is_not_cleared_away(tmp_path: Path) -> None:
    one, two, three = builds(tmp_path, 1, 2, 3)
    artifacts.activate(tmp_path, "can", one)
    serving.note(tmp_path, "can", three)
    prune(tmp_path / "can", builds=1)
    assert stored(tmp_path) == [one, three]
    artifacts.activate(tmp_path, "can", three)
    prune(tmp_path / "can", builds=1)
    assert stored(tmp_path) == [three]
    assert two not in stored(tmp_path)


def test_tries_of_a_threshold_cost_no_build(tmp_path: Path) -> None:
    old = builds(tmp_path, *range(1, KEPT_BUILDS + 1))
    service(tmp_path)
    tries = [try_threshold(tmp_path, index) for index in range(20, 20 + KEPT_THRESHOLDS + 3)]
    assert stored(tmp_path) == [*old, *tries[-KEPT_THRESHOLDS:]]
    newer = build(tmp_path, 50)
    more = [try_threshold(tmp_path, index) for index in (51, 52)]
    assert stored(tmp_path) == [*old[1:], *tries[-KEPT_THRESHOLDS:], newer, *more]


def test_a_damaged_version_counts_as_a_build(tmp_path: Path) -> None:
    versions = builds(tmp_path, 1, 2, 3)
    (tmp_path / "can" / versions[1] / artifacts.MANIFEST).write_text("{")
    serving.note(tmp_path, "can", versions[2])
    prune(tmp_path / "can", builds=2)
    assert stored(tmp_path) == versions[1:]


def test_who_builds_is_told_where_versions_pile_up(tmp_path: Path) -> None:
    builds(tmp_path, *range(1, 21))
    assert remark(tmp_path, "can") is None
    latest = build(tmp_path, 21)
    assert "21 versions are stored" in (remark(tmp_path, "can") or "")
    serving.note(tmp_path, "can", latest)
    assert remark(tmp_path, "can") is None


def test_versions_of_one_build_differ_in_the_threshold_alone(tmp_path: Path) -> None:
    first, second = build(tmp_path, 1), build(tmp_path, 2)
    tries = [try_threshold(tmp_path, index) for index in (3, 4)]
    third = damaged_build(tmp_path, 5)
    folder = tmp_path / "can"
    assert of_one_build(folder, second) == of_one_build(folder, tries[0]) == [second, *tries]
    assert of_one_build(folder, first) == [first]
    assert of_one_build(folder, third) == [third]
    assert of_one_build(folder, version_number(9)) == [version_number(9)]  # gone since


def test_the_same_manifest_of_another_bank_is_another_build(tmp_path: Path) -> None:
    """Scores of another bank are never counted with these, whatever else is alike."""
    versions = [
        artifacts.save(
            tmp_path, make_artifact(version=version_number(i), scores=scores)
        ).bank_version
        for i, scores in enumerate([(0.01, 0.02), (0.01, 0.03)])
    ]
    assert of_one_build(tmp_path / "can", versions[0]) == [versions[0]]
