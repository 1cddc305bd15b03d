from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.errors import NotAnImage, NoTestSplit
from app.core.judging.inspection import Inspection
from app.service.evaluations import Evaluations
from tests.support import make_detector, version_number, write_category

TIMEOUT = 20


@dataclass(frozen=True)
class Folders:
    data: Path
    reports: Path


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    write_category(tmp_path / "data")
    return Folders(tmp_path / "data", tmp_path / "reports")


@pytest.fixture
def evaluations(folders: Folders) -> Iterator[Evaluations]:
    made = Evaluations(folders.data, folders.reports)
    yield made
    made.close()


DETECTOR = make_detector(threshold=0.3, version=version_number(1))


def test_an_evaluation_runs_to_its_result(evaluations: Evaluations) -> None:
    result = evaluations.start(DETECTOR, DETECTOR.inspect).result(TIMEOUT)
    job = evaluations.job(DETECTOR.manifest)
    assert result.auroc == 1
    assert job is not None
    assert (job.state, job.done, job.total, job.result) == ("done", 7, 7, result)


def test_a_result_is_kept_per_bank_version(evaluations: Evaluations, folders: Folders) -> None:
    result = evaluations.start(DETECTOR, DETECTOR.inspect).result(TIMEOUT)
    path = folders.reports / "evaluations" / "can" / f"{version_number(1)}.json"
    assert json.loads(path.read_text())["auroc"] == 1
    other = make_detector(version=version_number(2))
    assert evaluations.stored(DETECTOR.manifest) == result
    assert evaluations.stored(other.manifest) is None


def test_a_result_outlives_the_service(evaluations: Evaluations, folders: Folders) -> None:
    result = evaluations.start(DETECTOR, DETECTOR.inspect).result(TIMEOUT)
    later = Evaluations(folders.data, folders.reports)
    assert later.job(DETECTOR.manifest) is None
    assert later.stored(DETECTOR.manifest) == result
    later.close()


def test_a_split_is_found_under_its_folders_own_name(folders: Folders) -> None:
    (folders.data / "can").rename(folders.data / "Can ")
    evaluations = Evaluations(folders.data, folders.reports)
    result = evaluations.start(DETECTOR, DETECTOR.inspect).result(TIMEOUT)
    evaluations.close()
    assert (result.category, result.auroc) == ("can", 1)
    assert result.remarks == ("the folder Can  is read as can",)


def test_a_job_under_way_is_joined(evaluations: Evaluations) -> None:
    release, photos = threading.Event(), []

    def inspect(photo: bytes) -> Inspection:
        release.wait(TIMEOUT)
        photos.append(photo)
        return DETECTOR.inspect(photo)

    first = evaluations.start(DETECTOR, inspect)
    second = evaluations.start(DETECTOR, inspect)
    release.set()
    assert first is second
    first.result(TIMEOUT)
    assert len(photos) == 7


def test_the_job_of_another_bank_version_is_not_joined(evaluations: Evaluations) -> None:
    """A new bank comes while the one before is evaluated: both get their own figures."""
    release = threading.Event()

    def inspect(photo: bytes) -> Inspection:
        release.wait(TIMEOUT)
        return DETECTOR.inspect(photo)

    newer = make_detector(threshold=0.3, version=version_number(2))
    first = evaluations.start(DETECTOR, inspect)
    second = evaluations.start(newer, newer.inspect)
    waiting = evaluations.job(newer.manifest)
    assert waiting is not None
    assert (waiting.state, waiting.bank_version) == ("queued", version_number(2))
    release.set()
    assert first.result(TIMEOUT).bank_version == version_number(1)
    assert second.result(TIMEOUT).bank_version == version_number(2)
    for detector, result in ((DETECTOR, first), (newer, second)):
        job = evaluations.job(detector.manifest)
        assert job is not None
        assert job.result == result.result()


def test_a_finished_job_is_not_joined(evaluations: Evaluations) -> None:
    first = evaluations.start(DETECTOR, DETECTOR.inspect)
    first.result(TIMEOUT)
    second = evaluations.start(DETECTOR, DETECTOR.inspect)
    assert second is not first
    second.result(TIMEOUT)


def test_progress_can_be_followed(evaluations: Evaluations) -> None:
    seen = []

    def inspect(photo: bytes) -> Inspection:
        job = evaluations.job(DETECTOR.manifest)
        assert job is not None
        seen.append((job.state, job.done, job.total))
        return DETECTOR.inspect(photo)

    evaluations.start(DETECTOR, inspect).result(TIMEOUT)
    assert seen == [("running", done, 7) for done in range(7)]


@pytest.mark.parametrize("configured", [True, False])
def test_no_test_split_is_refused_at_once(tmp_path: Path, configured: bool) -> None:
    evaluations = Evaluations(tmp_path if configured else None, tmp_path / "reports")
    with pytest.raises(NoTestSplit):
        evaluations.start(DETECTOR, DETECTOR.inspect)
    assert evaluations.job(DETECTOR.manifest) is None
    evaluations.close()


def test_a_split_that_cannot_be_read_fails_the_job_with_its_reason(
    evaluations: Evaluations,
) -> None:
    def unreadable(_: bytes) -> Inspection:
        raise NotAnImage("no image")

    future = evaluations.start(DETECTOR, unreadable)
    with pytest.raises(NoTestSplit):
        future.result(TIMEOUT)
    job = evaluations.job(DETECTOR.manifest)
    assert job is not None
    assert job.state == "failed"
    assert "0 good and 0 defective" in str(job.error)


def test_an_unforeseen_error_fails_the_job_without_its_details(evaluations: Evaluations) -> None:
    def broken(_: bytes) -> Inspection:
        raise RuntimeError("/secret/path")

    future = evaluations.start(DETECTOR, broken)
    with pytest.raises(RuntimeError):
        future.result(TIMEOUT)
    job = evaluations.job(DETECTOR.manifest)
    assert job is not None
    assert (job.state, job.error) == ("failed", "unforeseen RuntimeError")


def test_after_a_failure_it_can_be_started_again(evaluations: Evaluations) -> None:
    def broken(_: bytes) -> Inspection:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        evaluations.start(DETECTOR, broken).result(TIMEOUT)
    assert evaluations.start(DETECTOR, DETECTOR.inspect).result(TIMEOUT).auroc == 1


def test_a_result_that_cannot_be_stored_is_still_answered(
    evaluations: Evaluations, folders: Folders
) -> None:
    folders.reports.write_text("in the way")
    assert evaluations.start(DETECTOR, DETECTOR.inspect).result(TIMEOUT).auroc == 1
    job = evaluations.job(DETECTOR.manifest)
    assert job is not None
    assert "could not be stored" in str(job.error)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"auroc": 1}'])
def test_a_damaged_result_on_disk_is_none(
    evaluations: Evaluations, folders: Folders, content: bytes
) -> None:
    path = folders.reports / "evaluations" / "can" / f"{version_number(1)}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert evaluations.stored(DETECTOR.manifest) is None


def test_the_scores_behind_a_result_are_kept_beside_it(
    evaluations: Evaluations, folders: Folders
) -> None:
    assert evaluations.scores(DETECTOR.manifest) is None
    result = evaluations.start(DETECTOR, DETECTOR.inspect).result(TIMEOUT)
    later = Evaluations(folders.data, folders.reports)
    scores = later.scores(DETECTOR.manifest)
    later.close()
    assert scores is not None
    assert (len(scores.good), len(scores.defective)) == (result.n_good, result.n_defective)
    assert max(scores.good) < min(scores.defective)  # as its AUROC of 1 says
    path = folders.reports / "evaluations" / "can" / f"{version_number(1)}.scores.json"
    path.write_bytes(b'{"good": [NaN]')
    assert evaluations.scores(DETECTOR.manifest) is None


def test_closing_stops_the_job_after_its_photo(folders: Folders) -> None:
    evaluations = Evaluations(folders.data, folders.reports)
    started, release = threading.Event(), threading.Event()
    photos: list[bytes] = []

    def inspect(photo: bytes) -> Inspection:
        photos.append(photo)
        started.set()
        release.wait(TIMEOUT)
        return DETECTOR.inspect(photo)

    evaluations.start(DETECTOR, inspect)
    assert started.wait(TIMEOUT)
    closing = threading.Thread(target=evaluations.close)
    closing.start()
    closing.join(0.3)
    assert closing.is_alive()  # it waits for the photo
    release.set()
    closing.join(TIMEOUT)
    assert len(photos) == 1
    job = evaluations.job(DETECTOR.manifest)
    assert job is not None
    assert (job.state, job.error) == ("failed", "the service is stopping")
