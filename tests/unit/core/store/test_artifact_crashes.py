"""Saves that fail or are killed midway: what served before still does."""

from __future__ import annotations

import multiprocessing
import random
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import ArtifactError
from app.core.store import artifact as artifacts
from app.core.store import serving
from app.core.store.clearing import KEPT_THRESHOLDS
from tests.support import bank_of, make_artifact, version_number

fork = multiprocessing.get_context("fork")


def leftovers(folder: Path) -> list[str]:
    known = {*artifacts.versions(folder), artifacts.CURRENT, ".lock"}
    return [p.name for p in folder.iterdir() if p.name not in known]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A disk that is full after so many bytes, as far as this process can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 10, 100, 250])
def test_a_full_disk_leaves_what_served_before(tmp_path: Path, size: int) -> None:
    artifacts.save(tmp_path, make_artifact(version=version_number(1)))
    later = make_artifact(version=version_number(2))
    with files_no_larger_than(size), pytest.raises(ArtifactError, match="still does"):
        artifacts.save(tmp_path, later)
    assert artifacts.load(tmp_path, "can").manifest.bank_version == version_number(1)
    assert leftovers(tmp_path / "can") == []
    artifacts.save(tmp_path, later)
    assert artifacts.load(tmp_path, "can").manifest.bank_version == version_number(2)


def test_a_file_where_the_models_folder_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(ArtifactError, match="cannot write"):
        artifacts.save(tmp_path / "models", make_artifact())


def test_a_version_that_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact(threshold=0.1, version=version_number(1)))
    with pytest.raises(ArtifactError):
        artifacts.save(tmp_path, make_artifact(threshold=0.2, version=version_number(1)))
    assert artifacts.load(tmp_path, "can").manifest.threshold.value == 0.1


def test_a_folder_where_current_should_be_leaves_the_versions_loadable(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact(version=version_number(1)))
    (tmp_path / "can" / artifacts.CURRENT).unlink()
    (tmp_path / "can" / artifacts.CURRENT / "in-the-way").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="cannot write"):
        artifacts.save(tmp_path, make_artifact(version=version_number(2)))
    assert bank_of(artifacts.load(tmp_path, "can", version_number(1))).dimensions == 3


def test_what_a_killed_save_left_is_swept_by_the_next(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact(version=version_number(1)))
    partial = tmp_path / "can" / f".partial-{version_number(2)}"
    partial.mkdir()
    (partial / artifacts.BANK).write_bytes(b"half")
    (tmp_path / "can" / ".partial-current").write_text("half")
    artifacts.save(tmp_path, make_artifact(version=version_number(3)))
    assert leftovers(tmp_path / "can") == []


def save_for_ever(models: Path, first: int) -> None:
    vectors = np.ones((2_000, 64), dtype=np.float32)  # half a megabyte: long enough to be hit
    for index in range(first, 999_999):
        artifacts.save(models, make_artifact(vectors=vectors, version=version_number(index)))


@dataclass
class Aftermath:
    """What was found after each kill."""

    models: Path
    cannot_serve: list[str]
    half_removed: list[str]
    hit_midway: int


def wait_until_newer(folder: Path, latest: int) -> None:
    deadline = time.monotonic() + 60
    while artifacts.versions(folder)[-1] <= version_number(latest):
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """A process that saves without end, killed 25 times at random moments, or until that has hit
    saves midway."""
    models = tmp_path_factory.mktemp("killed")
    after = Aftermath(models, [], [], 0)
    artifacts.save(models, make_artifact(version=version_number(0)))
    serving.note(models, "can", version_number(0))  # so that old ones are cleared away
    moments = random.Random(5)
    for kill in range(500):
        if kill >= 25 and after.hit_midway >= 3:
            break
        latest = int(artifacts.versions(models / "can")[-1][9:15])
        child = fork.Process(target=save_for_ever, args=(models, latest + 1))
        child.start()
        wait_until_newer(models / "can", latest)  # it saves by now, one version after the other
        time.sleep(moments.uniform(0, 0.05))
        child.kill()
        child.join(10)
        assert child.exitcode == -signal.SIGKILL
        after.hit_midway += bool(leftovers(models / "can"))
        try:
            artifacts.load(models, "can")
        except ArtifactError as exc:
            after.cannot_serve.append(str(exc))
        for version in artifacts.versions(models / "can"):
            try:
                artifacts.load(models, "can", version)
            except ArtifactError as exc:
                after.half_removed.append(f"{version}: {exc}")
    return after


def test_kills_hit_saves_midway(killed: Aftermath) -> None:
    """Else the tests below would prove nothing."""
    assert killed.hit_midway > 0


def test_a_save_killed_at_any_moment_leaves_what_served_before(killed: Aftermath) -> None:
    assert killed.cannot_serve == []


def test_a_save_killed_while_pruning_leaves_no_half_version(killed: Aftermath) -> None:
    assert killed.half_removed == []


def test_the_save_after_a_killed_one_tidies_up(killed: Aftermath) -> None:
    latest = artifacts.versions(killed.models / "can")[-1]
    serving.note(killed.models, "can", latest)
    artifacts.save(killed.models, make_artifact(version=version_number(999_999)))
    assert leftovers(killed.models / "can") == []
    # Those of the process differ in nothing but their names, so they pass for one build and its
    # thresholds; the first and the last are of another.
    assert len(artifacts.versions(killed.models / "can")) == 1 + KEPT_THRESHOLDS + 2


def save_many(models: Path, first: int) -> None:
    for index in range(first, first + 10):
        artifacts.save(models, make_artifact(version=version_number(index)))


def test_two_builds_of_one_category_take_turns(tmp_path: Path) -> None:
    children = [fork.Process(target=save_many, args=(tmp_path, first)) for first in (100, 200)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    assert bank_of(artifacts.load(tmp_path, "can")).dimensions == 3
    assert leftovers(tmp_path / "can") == []
