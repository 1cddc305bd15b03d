from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import faiss
import pytest
import structlog
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.detector import Detector
from app.core.errors import BankError, DeadlineExceeded, NetworkFailed, NonFiniteScore
from app.core.features.extractor import FeatureExtractor
from app.core.features.sample import Sample
from app.core.judging.inspection import Inspection, Photo
from app.core.methods.knn import Knn, KnnSettings
from app.core.store.artifact import Artifact
from app.core.threads import set_threads, thread_budget
from app.service.jobs import Judged, PhotoJob
from app.service.scheduler import Scheduler
from tests.integration.service import CURSED, Network
from tests.support import (
    SPEC,
    ColourRuntime,
    Floats,
    Pixels,
    bank_of,
    encode,
    make_artifact,
    make_detector,
    plain,
)

TIMEOUT = 20


class Recorder(ColourRuntime):
    """Writes down the greys of each pass, and waits there until it may go on.

    Attributes:
        passes: a list of greys per pass. entered: released at the start of each.
        errors: raised by the next passes, one each.
    """

    def __init__(self, log: list[list[int]] | None = None) -> None:
        super().__init__()
        self.passes: list[list[int]] = [] if log is None else log
        self.go_on = threading.Event()
        self.go_on.set()
        self.entered = threading.Semaphore(0)
        self.errors: list[BaseException] = []

    def embed(self, pixels: Pixels) -> Floats:
        self.passes.append([int(photo[0, 0, 0]) for photo in pixels])
        self.entered.release()
        assert self.go_on.wait(TIMEOUT)
        if self.errors:
            raise self.errors.pop(0)
        return super().embed(pixels)


@cache
def photo(grey: int) -> Photo:
    return make_detector().read(encode(plain(grey)))


def detector(runtime: ColourRuntime, category: str = "can") -> Detector:
    return Detector(make_artifact(category), FeatureExtractor(SPEC, runtime))


def job(detector: Detector, grey: int, **options: float) -> PhotoJob:
    return PhotoJob((detector,), photo(grey), **options)  # type: ignore[arg-type]


def judged(future: Future[list[Judged]]) -> Inspection:
    (outcome,) = future.result(TIMEOUT)
    assert isinstance(outcome, Inspection)
    return outcome


@contextmanager
def running(workers: int = 1, **options: float) -> Iterator[Scheduler]:
    scheduler = Scheduler(workers, **options)  # type: ignore[arg-type]
    try:
        yield scheduler
    finally:
        scheduler.close()


@contextmanager
def held(scheduler: Scheduler, runtime: Recorder, grey: int = 1) -> Iterator[None]:
    """The only thread is at work on a photo until the body is done; then its pass is forgotten."""
    runtime.go_on.clear()
    first = scheduler.submit(job(detector(runtime, "first"), grey))
    assert runtime.entered.acquire(timeout=TIMEOUT)
    assert runtime.passes.pop() == [grey]
    try:
        yield
    finally:
        runtime.go_on.set()
    first.result(TIMEOUT)


def order(runtime: Recorder) -> list[int]:
    return [grey for batch in runtime.passes for grey in batch]


def test_a_photo_is_judged_as_by_the_detector_itself() -> None:
    runtime = Recorder()
    with running() as scheduler:
        found = judged(scheduler.submit(job(detector(runtime), 137)))
    assert found.score == make_detector().inspect(encode(plain(137))).score


def test_categories_take_turns() -> None:
    """A busy one does not hold up the others."""
    runtime = Recorder()
    a, b, c = (detector(runtime, name) for name in "abc")
    with running() as scheduler:
        with held(scheduler, runtime):
            jobs = [job(a, grey) for grey in (10, 11, 12, 13)]
            jobs += [job(b, 20), job(b, 21), job(c, 30)]
            futures = [scheduler.submit(j) for j in jobs]
        for future in futures:
            judged(future)
    assert order(runtime) == [10, 20, 30, 11, 21, 12, 13]


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_each_keeps_its_order_and_waits_one_turn_of_each_other(flows: list[int]) -> None:
    runtime = Recorder()
    detectors = [detector(runtime, f"flow{flow}") for flow in range(4)]
    with running() as scheduler:
        with held(scheduler, runtime):
            futures = [
                scheduler.submit(job(detectors[flow], 10 + 50 * flow + flows[:place].count(flow)))
                for place, flow in enumerate(flows)
            ]
        for future in futures:
            judged(future)
    served = [divmod(grey - 10, 50) for grey in order(runtime)]
    total = Counter(flows)
    for flow, number in total.items():
        assert [n for f, n in served if f == flow] == list(range(number))
    for place, (flow, turn) in enumerate(served):
        before = Counter(f for f, _ in served[:place])
        for other, number in total.items():
            # Nobody else has had more than one turn more, nor less than what there was to do.
            assert min(number, turn) <= before[other] <= turn + 1 or other == flow


def test_background_work_gives_way() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running() as scheduler:
        with held(scheduler, runtime):
            later = [scheduler.submit(job(one, grey, background=True)) for grey in (90, 91)]
            sooner = [scheduler.submit(job(one, grey)) for grey in (10, 11)]
        for future in (*later, *sooner):
            judged(future)
    assert order(runtime) == [10, 11, 90, 91]


def test_background_work_is_done_where_nothing_else_waits() -> None:
    runtime = Recorder()
    with running() as scheduler:
        assert judged(scheduler.submit(job(detector(runtime), 90, background=True))).score < 1


def test_what_is_cancelled_while_it_waits_is_never_computed() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running() as scheduler:
        with held(scheduler, runtime):
            futures = [scheduler.submit(job(one, grey)) for grey in (10, 11, 12)]
            assert futures[1].cancel()
        judged(futures[2])
    assert order(runtime) == [10, 12]


def test_what_is_computed_already_cannot_be_cancelled() -> None:
    runtime = Recorder()
    runtime.go_on.clear()
    with running() as scheduler:
        future = scheduler.submit(job(detector(runtime), 10))
        assert runtime.entered.acquire(timeout=TIMEOUT)
        assert not future.cancel()
        runtime.go_on.set()
        judged(future)


def test_a_deadline_that_is_over_is_an_error_without_any_work() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running() as scheduler:
        with held(scheduler, runtime):
            deadline = time.monotonic() + 0.05
            late = scheduler.submit(job(one, 10, deadline=deadline))
            early = scheduler.submit(job(one, 11, deadline=deadline + 10 * TIMEOUT))
            while time.monotonic() <= deadline:
                time.sleep(0.01)
        with pytest.raises(DeadlineExceeded):
            late.result(TIMEOUT)
        judged(early)
    assert order(runtime) == [11]
    assert scheduler.failures == 0


def test_a_late_photo_does_not_spoil_the_batch_it_is_in() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running(batch=4) as scheduler:
        with held(scheduler, runtime):
            late = scheduler.submit(job(one, 10, deadline=time.monotonic()))
            cancelled = scheduler.submit(job(one, 11))
            cancelled.cancel()
            others = [scheduler.submit(job(one, grey)) for grey in (12, 13)]
        assert [judged(future).verdict for future in others]
        with pytest.raises(DeadlineExceeded):
            late.result(TIMEOUT)
    assert runtime.passes == [[12, 13]]


def test_a_batch_holds_photos_of_one_network_only() -> None:
    log: list[list[int]] = []
    runtime, other = Recorder(log), Recorder(log)
    a, b, c = detector(runtime, "a"), detector(other, "b"), detector(runtime, "c")
    with running(batch=3) as scheduler:
        with held(scheduler, runtime):
            jobs = [job(a, grey) for grey in (10, 11, 12, 13)]
            jobs += [job(b, 20), job(b, 21), job(c, 30)]
            futures = [scheduler.submit(j) for j in jobs]
        for future in futures:
            judged(future)
    assert log == [[10, 30, 11], [20, 21], [12, 13]]


@settings(max_examples=25)
@given(
    jobs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.booleans()), max_size=24),
    batch=st.integers(1, 5),
)
def test_batches_are_of_one_network_never_too_large_and_leave_nothing_out(
    jobs: list[tuple[int, int, bool]], batch: int
) -> None:
    """Flows 0 and 1 on one network, flow 2 on another; some of it background work."""
    log: list[list[int]] = []
    runtimes = Recorder(log), Recorder(log)
    detectors = [detector(runtimes[flow == 2], f"flow{flow}") for flow in range(3)]
    with running(batch=batch) as scheduler:
        with held(scheduler, runtimes[0], grey=255):
            futures = [
                scheduler.submit(
                    job(detectors[flow], 10 + place + 100 * (flow == 2), background=background)
                )
                for place, (flow, _, background) in enumerate(jobs)
            ]
        for future in futures:
            judged(future)
    assert all(len(greys) <= batch for greys in log)
    assert all(len({grey >= 110 for grey in greys}) == 1 for greys in log)
    expected = [10 + place + 100 * (flow == 2) for place, (flow, _, _) in enumerate(jobs)]
    assert sorted(grey for greys in log for grey in greys) == sorted(expected)


def test_photos_that_come_shortly_after_one_another_share_a_pass() -> None:
    runtime = Recorder()
    one = detector(runtime)
    # They wait for more as long as it takes: it is the third that makes the batch full.
    with running(batch=3, delay_s=10 * TIMEOUT) as scheduler:
        futures = [scheduler.submit(job(one, 10))]
        time.sleep(0.02)  # so that it is mostly seen alone: nothing else depends on it
        futures += [scheduler.submit(job(one, grey)) for grey in (11, 12)]
        for future in futures:
            judged(future)
    assert runtime.passes == [[10, 11, 12]]


def test_a_photo_that_nobody_follows_is_judged_alone() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running(batch=8, delay_s=0.01) as scheduler:
        judged(scheduler.submit(job(one, 10)))
    assert runtime.passes == [[10]]


def test_a_full_batch_waits_for_nobody() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running(batch=2, delay_s=TIMEOUT) as scheduler:
        start = time.perf_counter()
        for future in [scheduler.submit(job(one, grey)) for grey in (10, 11)]:
            judged(future)
        assert time.perf_counter() - start < TIMEOUT / 2


def test_photos_of_a_batch_get_their_own_answers() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running(batch=8) as scheduler:
        with held(scheduler, runtime):
            futures = {grey: scheduler.submit(job(one, grey)) for grey in range(10, 18)}
        for grey, future in futures.items():
            expected = make_detector().inspect(encode(plain(grey))).score
            assert judged(future).score == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("batch", [1, 4])
def test_jobs_that_come_together_are_one_pass_for_each_network(batch: int) -> None:
    """However small a batch otherwise is, and whatever waits between them."""
    runtime, other = Recorder(), Recorder()
    can, jar, box = detector(runtime), detector(other, "jar"), detector(runtime, "box")
    with running(batch=batch) as scheduler:
        with held(scheduler, runtime):
            alone = scheduler.submit(job(can, 50))
            together = [job(can, 10), job(jar, 20), job(box, 11), job(can, 12), job(jar, 21)]
            futures = scheduler.submit_all([*together, job(can, 13)])
        scores = [judged(future).score for future in futures]
        judged(alone)
    assert [10, 11, 12, 13] in runtime.passes
    assert other.passes == [[20, 21]]
    expected = [make_detector().inspect(encode(plain(g))).score for g in (10, 20, 11, 12, 21, 13)]
    assert scores == pytest.approx(expected, abs=1e-6)


def test_more_than_fit_a_pass_are_several() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running() as scheduler:
        for future in scheduler.submit_all([job(one, grey) for grey in range(20)]):
            judged(future)
    assert runtime.passes == [list(range(16)), list(range(16, 20))]


def test_one_of_several_that_is_cancelled_or_late_costs_no_other() -> None:
    runtime = Recorder()
    one = detector(runtime)
    with running() as scheduler:
        with held(scheduler, runtime):
            jobs = [job(one, 10), job(one, 11), job(one, 12, deadline=time.monotonic())]
            first, cancelled, late = scheduler.submit_all(jobs)
            assert cancelled.cancel()
        judged(first)
        assert isinstance(late.exception(TIMEOUT), DeadlineExceeded)
    assert runtime.passes == [[10]]


def test_jobs_that_come_after_the_end_are_cancelled() -> None:
    with running() as scheduler:
        scheduler.close()
        futures = scheduler.submit_all([job(detector(Recorder()), grey) for grey in (1, 2)])
    assert all(future.cancelled() for future in futures)


def test_several_threads_judge_at_once() -> None:
    together = threading.Barrier(2)

    class Both(ColourRuntime):
        def embed(self, pixels: Pixels) -> Floats:
            together.wait(TIMEOUT)
            return super().embed(pixels)

    one = detector(Both())
    with running(workers=2) as scheduler:
        for future in [scheduler.submit(job(one, grey)) for grey in (10, 11)]:
            judged(future)


@pytest.mark.parametrize("batch", [1, 3])
def test_many_photos_on_several_threads_are_all_judged(batch: int) -> None:
    runtime = Recorder()
    detectors = [detector(runtime, name) for name in "abc"]
    with running(workers=3, batch=batch, delay_s=0.001) as scheduler:
        futures = [
            scheduler.submit(job(detectors[grey % 3], grey)) for grey in range(100, 150)
        ]  # fmt: skip
        for future in futures:
            judged(future)
        again = scheduler.submit(job(detectors[0], 99))  # no thread has ended
        judged(again)
    assert sorted(order(runtime)) == list(range(99, 150))


@pytest.fixture
def _back_to_one_thread() -> Iterator[None]:
    yield
    set_threads(1)


@pytest.mark.usefixtures("_back_to_one_thread")
def test_a_photo_alone_gets_all_threads_and_several_share_them() -> None:
    set_threads(2)
    together, budgets = threading.Barrier(2), []

    class Both(ColourRuntime):
        alone = True

        def embed(self, pixels: Pixels) -> Floats:
            budgets.append((thread_budget(), faiss.omp_get_max_threads()))
            if not self.alone:
                together.wait(TIMEOUT)
            return super().embed(pixels)

    runtime = Both()
    one = detector(runtime)
    with running(workers=2) as scheduler:
        judged(scheduler.submit(job(one, 10)))
        assert budgets == [(2, 2)]
        runtime.alone = False
        first = scheduler.submit(job(one, 11))
        while len(budgets) < 2:  # it is on its way, and takes what was free
            time.sleep(0.001)
        judged(scheduler.submit(job(one, 12)))
        judged(first)
    assert budgets[2] == (1, 1)


@pytest.mark.parametrize(
    "error", [RuntimeError("driver gone"), MemoryError(), torch.OutOfMemoryError("no memory")]
)
def test_what_engines_raise_is_a_failure_of_the_network(error: Exception) -> None:
    runtime = Recorder()
    one = detector(runtime)
    runtime.errors = [error]
    with running() as scheduler:
        with pytest.raises(NetworkFailed) as caught:
            scheduler.submit(job(one, 10)).result(TIMEOUT)
        assert "driver" not in str(caught.value)  # the caller need not know
        assert scheduler.failure == type(error).__name__
        judged(scheduler.submit(job(one, 11)))


@pytest.mark.parametrize("error", [ValueError("ours"), KeyError("ours"), ZeroDivisionError()])
def test_a_fault_of_ours_stays_what_it_is(error: Exception) -> None:
    runtime = Recorder()
    one = detector(runtime)
    runtime.errors = [error]
    with running() as scheduler:
        with pytest.raises(type(error)) as caught:
            scheduler.submit(job(one, 10)).result(TIMEOUT)
        assert caught.value is error
        judged(scheduler.submit(job(one, 11)))


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_would_end_the_thread_does_not(error: BaseException) -> None:
    """Nor does it reach the event loop, which it would end as well."""
    runtime = Recorder()
    one = detector(runtime)
    runtime.errors = [error]
    with running() as scheduler:
        with pytest.raises(NetworkFailed):
            scheduler.submit(job(one, 10)).result(TIMEOUT)
        assert scheduler.failure == type(error).__name__
        judged(scheduler.submit(job(one, 11)))


@pytest.mark.usefixtures("_logs_restored")
def test_a_log_that_cannot_be_written_does_not_end_the_thread() -> None:
    gone = io.StringIO()
    gone.close()
    structlog.configure(
        logger_factory=structlog.WriteLoggerFactory(gone), cache_logger_on_first_use=False
    )
    with pytest.raises(ValueError, match="closed"):
        structlog.get_logger().error("nowhere to go")
    runtime = Recorder()
    one = detector(runtime)
    runtime.errors = [RuntimeError("driver gone")]
    with running() as scheduler:
        with pytest.raises(NetworkFailed):
            scheduler.submit(job(one, 10)).result(TIMEOUT)
        judged(scheduler.submit(job(one, 11)))


class Refusing(Knn):
    """A method that cannot score the photo."""

    def score(self, sample: Sample, highest: int) -> Floats:
        raise BankError("cells that it has not learnt")


def test_a_method_that_cannot_score_a_photo_spoils_its_own_answer_alone() -> None:
    """And the network, which did its part, is not called broken."""
    runtime = Recorder()
    bad = make_artifact("box")
    bad = replace(bad, method=Refusing(KnnSettings(), bank_of(bad)))
    both = (Detector(bad, FeatureExtractor(SPEC, runtime)), detector(runtime))
    with running() as scheduler:
        refused, found = scheduler.submit(PhotoJob(both, photo(3))).result(TIMEOUT)
        assert scheduler.failures == 0
    assert isinstance(refused, BankError)
    assert isinstance(found, Inspection)


def test_a_fault_of_ours_is_told_and_is_no_failure_of_the_network() -> None:
    runtime = Recorder()
    runtime.errors = [KeyError("ours")]
    with running() as scheduler:
        assert isinstance(scheduler.submit(job(detector(runtime), 3)).exception(TIMEOUT), KeyError)
        assert scheduler.failures == 0


def test_failures_in_a_row_are_counted_until_a_photo_is_judged() -> None:
    runtime = Recorder()
    one = detector(runtime)
    runtime.errors = [RuntimeError("1"), MemoryError(), RuntimeError("3")]
    with running() as scheduler:
        counts = []
        for grey in (10, 11, 12, 13):
            future = scheduler.submit(job(one, grey))
            future.exception(TIMEOUT)
            counts.append((scheduler.failures, scheduler.failure))
    assert counts == [(1, "RuntimeError"), (2, "MemoryError"), (3, "RuntimeError"), (0, None)]


def test_a_pass_that_fails_fails_its_photos_and_no_others() -> None:
    class Allergic(Recorder):
        def embed(self, pixels: Pixels) -> Floats:
            if 11 in pixels:
                raise RuntimeError("driver gone")
            return super().embed(pixels)

    runtime = Allergic()
    one = detector(runtime)
    with running(batch=2) as scheduler:
        with held(scheduler, runtime):
            futures = [scheduler.submit(job(one, grey)) for grey in (10, 11, 12, 13)]
        failed = [future.exception(TIMEOUT) is not None for future in futures]
    assert failed == [True, True, False, False]
    assert scheduler.failures == 0


def test_a_photo_that_cannot_be_judged_is_no_failure_of_the_network() -> None:
    one = Detector(make_artifact(), FeatureExtractor(SPEC, Network()))
    with running() as scheduler:
        (outcome,) = scheduler.submit(PhotoJob((one,), one.read(CURSED))).result(TIMEOUT)
        assert isinstance(outcome, NonFiniteScore)
        assert scheduler.failures == 0


def counting(before: Callable[[], object]) -> list[Detector]:
    """Three categories on one network; the second keeps only two of its dimensions."""
    runtime = Network(before)
    whole = FeatureExtractor(SPEC, runtime)
    reduced = SPEC.model_copy(update={"selected_dimensions": (0, 1)})
    vectors = bank_of(make_artifact()).vectors[:, :2].copy()
    return [
        Detector(make_artifact("can"), whole),
        Detector(make_artifact("box", spec=reduced, vectors=vectors), whole.with_spec(reduced)),
        Detector(make_artifact("bag", vectors=vectors.repeat(2, 1)[:, :3] * 0), whole),
    ]


def test_one_photo_for_several_detectors_is_embedded_once() -> None:
    passes: list[int] = []
    detectors = counting(lambda: passes.append(1))
    data = encode(plain((200, 60, 90)))
    expected = [one.inspect(data).score for one in detectors]
    passes.clear()
    with running() as scheduler:
        outcomes = scheduler.submit(PhotoJob(detectors, detectors[0].read(data))).result(TIMEOUT)
    assert len(passes) == 1
    assert [o.score for o in outcomes if isinstance(o, Inspection)] == expected
    assert len(set(expected)) == 3


def test_one_detectors_missing_score_leaves_the_others_theirs() -> None:
    class HalfBlind(ColourRuntime):
        """Answers NaN in its last dimension."""

        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
            blind = batch.clone()
            blind[:, 2] = float("nan")
            return (blind,)

    whole = FeatureExtractor(SPEC, HalfBlind())
    reduced = SPEC.model_copy(update={"selected_dimensions": (0, 1)})
    vectors = bank_of(make_artifact()).vectors[:, :2].copy()
    seeing = make_artifact("box", spec=reduced, vectors=vectors)
    detectors = [Detector(make_artifact(), whole), Detector(seeing, whole.with_spec(reduced))]
    with running() as scheduler:
        blind, other = scheduler.submit(PhotoJob(detectors, photo(120))).result(TIMEOUT)
    assert isinstance(blind, NonFiniteScore)
    assert isinstance(other, Inspection)
    assert other.verdict == "normal"


def test_the_time_in_the_queue_is_reported() -> None:
    runtime = Recorder()
    with running() as scheduler:
        with held(scheduler, runtime):
            future = scheduler.submit(job(detector(runtime), 10))
            time.sleep(0.1)
        assert 100 <= judged(future).timings_ms["wait"] < 10_000


def test_closing_lets_running_work_finish_and_drops_what_waits() -> None:
    runtime = Recorder()
    one = detector(runtime)
    scheduler = Scheduler(1)
    runtime.go_on.clear()
    running_one = scheduler.submit(job(one, 10))
    assert runtime.entered.acquire(timeout=TIMEOUT)
    waiting = [scheduler.submit(job(one, 11)), scheduler.submit(job(one, 12, background=True))]
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    while not all(future.cancelled() for future in waiting):
        assert closing.is_alive()
        time.sleep(0.001)
    assert not running_one.done()
    runtime.go_on.set()
    judged(running_one)
    closing.join(TIMEOUT)
    assert not closing.is_alive()
    assert scheduler.submit(job(one, 13)).cancelled()
    assert order(runtime) == [10]


def test_an_idle_scheduler_closes_at_once_and_twice() -> None:
    scheduler = Scheduler(3, batch=4, delay_s=TIMEOUT)
    start = time.perf_counter()
    scheduler.close()
    scheduler.close()
    assert time.perf_counter() - start < TIMEOUT / 2


class SlowSearch(Knn):
    """A method whose searches wait until they may go on.

    Attributes:
        searching: released at the start of each. go_on: set to let them.
        errors: raised by the next searches, one each.
    """

    def __init__(self, artifact: Artifact) -> None:
        super().__init__(KnnSettings(), bank_of(artifact))
        self.searching = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.errors: list[BaseException] = []
        self.budgets: list[int] = []

    def score(self, sample: Sample, highest: int) -> Floats:
        self.budgets.append(thread_budget())
        self.searching.release()
        assert self.go_on.wait(TIMEOUT)
        if self.errors:
            raise self.errors.pop(0)
        return super().score(sample, highest)


def searched_slowly(runtime: ColourRuntime) -> tuple[Detector, SlowSearch]:
    artifact = make_artifact("slow")
    method = SlowSearch(artifact)
    return Detector(replace(artifact, method=method), FeatureExtractor(SPEC, runtime)), method


def handed_to(scheduler: Scheduler, method: SlowSearch, one: Detector, grey: int) -> Future[Any]:
    """A photo whose pass is done and whose search has begun."""
    future = scheduler.submit(job(one, grey))
    assert method.searching.acquire(timeout=TIMEOUT)
    return future


def test_the_next_pass_begins_while_the_last_one_is_searched() -> None:
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    with running(batch=2, searchers=1) as scheduler:
        first = handed_to(scheduler, method, one, 101)
        assert runtime.entered.acquire(timeout=TIMEOUT)
        second = scheduler.submit(job(one, 102))
        assert runtime.entered.acquire(timeout=TIMEOUT)  # the network is at it already
        assert not first.done()
        assert not second.done()
        method.go_on.set()
        for future, grey in ((first, 101), (second, 102)):
            assert judged(future).score == make_detector().inspect(encode(plain(grey))).score
    assert runtime.passes == [[101], [102]]


def test_searches_of_one_pass_run_side_by_side() -> None:
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    with running(batch=2, searchers=2) as scheduler:
        with held(scheduler, runtime):
            futures = [scheduler.submit(job(one, grey)) for grey in (101, 102)]
        for _ in futures:  # both have begun, and neither has ended
            assert method.searching.acquire(timeout=TIMEOUT)
        method.go_on.set()
        assert [judged(future).verdict for future in futures] == ["normal", "normal"]
    assert runtime.passes == [[101, 102]]


def test_the_network_waits_where_two_batches_are_not_searched_yet() -> None:
    """Or their features would fill the memory."""
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    with running(batch=1, searchers=1) as scheduler:
        futures = [handed_to(scheduler, method, one, 101)]
        futures += [scheduler.submit(job(one, grey)) for grey in (102, 103)]
        for _ in range(2):
            assert runtime.entered.acquire(timeout=TIMEOUT)
        assert not runtime.entered.acquire(timeout=0.1)
        method.go_on.set()
        for future in futures:
            judged(future)
    assert order(runtime) == [101, 102, 103]


def test_what_is_late_when_its_search_could_begin_is_not_searched() -> None:
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    with running(batch=2, searchers=1) as scheduler:
        first = handed_to(scheduler, method, one, 101)
        assert runtime.entered.acquire(timeout=TIMEOUT)
        asked = job(one, 102)
        late = scheduler.submit(asked)
        assert runtime.entered.acquire(timeout=TIMEOUT)
        object.__setattr__(asked, "deadline", time.monotonic())  # over while its pass is under way
        method.go_on.set()
        judged(first)
        with pytest.raises(DeadlineExceeded):
            late.result(TIMEOUT)
        assert scheduler.failures == 0
    assert len(method.budgets) == 1


@pytest.mark.parametrize("error", [RuntimeError("no memory"), SystemExit(3), KeyError("ours")])
def test_a_search_that_fails_fails_its_photo_and_no_thread(error: BaseException) -> None:
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    method.errors = [error]
    method.go_on.set()
    told = KeyError if isinstance(error, KeyError) else NetworkFailed
    with running(batch=2, searchers=1) as scheduler:
        with held(scheduler, runtime):
            futures = [scheduler.submit(job(one, grey)) for grey in (101, 102)]
        assert isinstance(futures[0].exception(TIMEOUT), told)
        judged(futures[1])
        judged(scheduler.submit(job(one, 103)))
        assert scheduler.failures == 0


def test_a_pass_that_fails_beside_a_search_fails_its_own_photos_alone() -> None:
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    with running(batch=2, searchers=1) as scheduler:
        first = handed_to(scheduler, method, one, 101)
        runtime.errors = [RuntimeError("driver gone")]
        with pytest.raises(NetworkFailed):
            scheduler.submit(job(one, 102)).result(TIMEOUT)
        assert scheduler.failures == 1
        method.go_on.set()
        judged(first)
        assert scheduler.failures == 0


def test_a_search_that_hangs_is_seen() -> None:
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    with running(batch=2, searchers=1) as scheduler:
        first = handed_to(scheduler, method, one, 101)
        while scheduler.busy_s < 0.05:
            assert not first.done()
            time.sleep(0.01)
        method.go_on.set()
        judged(first)
        judged(scheduler.submit(job(one, 102)))


def test_closing_lets_searches_finish() -> None:
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    scheduler = Scheduler(1, batch=2, searchers=1)
    first = handed_to(scheduler, method, one, 101)
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    assert closing.is_alive()
    method.go_on.set()
    closing.join(TIMEOUT)
    assert not closing.is_alive()
    judged(first)


@pytest.mark.usefixtures("_back_to_one_thread")
def test_a_search_alone_gets_all_threads_and_several_share_them() -> None:
    set_threads(2)
    runtime = Recorder()
    one, method = searched_slowly(runtime)
    with running(batch=2, searchers=2) as scheduler:
        first = handed_to(scheduler, method, one, 101)
        second = handed_to(scheduler, method, one, 102)
        method.go_on.set()
        judged(first)
        judged(second)
    assert method.budgets == [2, 1]


@given(st.lists(st.integers(0, 1), min_size=1, max_size=24), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=15)
def test_whatever_comes_is_judged_as_by_the_detector_itself(
    flows: list[int], batch: int, searchers: int
) -> None:
    runtime = Recorder()
    detectors = [detector(runtime, name) for name in "ab"]
    with running(batch=batch, searchers=searchers) as scheduler:
        futures = {
            grey: scheduler.submit(job(detectors[flow], grey))
            for grey, flow in enumerate(flows, start=100)
        }
        for grey, future in futures.items():
            expected = make_detector().inspect(encode(plain(grey))).score
            assert judged(future).score == pytest.approx(expected, abs=1e-6)


def test_as_many_passes_at_once_as_are_allowed() -> None:
    """It may change while photos come."""
    runtime = Recorder()
    runtime.go_on.clear()
    one = detector(runtime)
    with running(workers=2) as scheduler:
        scheduler.allow(1)
        futures = [scheduler.submit(job(one, grey)) for grey in (101, 102, 103)]
        assert runtime.entered.acquire(timeout=TIMEOUT)
        assert not runtime.entered.acquire(timeout=0.1)
        scheduler.allow(2)
        assert runtime.entered.acquire(timeout=TIMEOUT)
        scheduler.allow(1)
        runtime.go_on.set()
        for future in futures:
            judged(future)
        scheduler.allow(99)  # no more than there are threads
        judged(scheduler.submit(job(one, 104)))
