"""Evaluation jobs: one at a time in the background, with progress, kept per bank version."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from ..core.crew import NEVER, Crew
from ..core.detector import Detector
from ..core.errors import CategoryUnavailable, GoodsGuardError, NoTestSplit
from ..core.evaluating.evaluation import Evaluation, EvaluationRun, evaluate
from ..core.files import write_whole
from ..core.judging.inspection import Inspection
from ..core.photo.dataset import Category, read_test_split
from ..core.store.manifest import Manifest

log = structlog.get_logger()

Inspect = Callable[[bytes], Inspection]
State = Literal["none", "queued", "running", "done", "failed"]
_UNDER_WAY = ("queued", "running")
# Beside a result: the scores behind it.
_SCORES = ".scores.json"


class LabelScores(BaseModel):
    """The scores of a test split by label, for pictures."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    good: tuple[float, ...]
    defective: tuple[float, ...]

    @classmethod
    def of(cls, run: EvaluationRun) -> LabelScores:
        by_label: dict[bool, list[float]] = {False: [], True: []}
        for one in run.scored:
            by_label[one.image.is_defective].append(one.score)
        return cls(good=tuple(by_label[False]), defective=tuple(by_label[True]))


@dataclass(frozen=True)
class EvaluationJob:
    """Where a category's evaluation stands; `result` is that of this job."""

    category: str
    bank_version: str
    state: State
    done: int = 0
    total: int = 0
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    error: str | None = None
    result: Evaluation | None = None


class Evaluations:
    """Runs and remembers evaluations.

    Results lie in `<reports>/evaluations/<category>/<bank version>.json`, their scores beside them.
    """

    def __init__(self, data: Path | None, reports: Path) -> None:
        self._data = data
        self._folder = reports / "evaluations"
        # By category and bank version: a new bank may come while its forerunner is evaluated.
        self._jobs: dict[tuple[str, str], EvaluationJob] = {}
        self._futures: dict[tuple[str, str], Future[Evaluation]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._crew = Crew(1, "evaluation")

    def start(self, detector: Detector, inspect: Inspect) -> Future[Evaluation]:
        """Queue an evaluation; a bank version's job that is under way is joined, not doubled.

        Raises:
            NoTestSplit: no test split is stored for the category.
        """
        manifest = detector.manifest
        category = self._test_split(manifest.category)
        key = (manifest.category, manifest.bank_version)
        with self._lock:
            if key in self._jobs and self._jobs[key].state in _UNDER_WAY:
                return self._futures[key]
            self._forget_older(manifest.category)
            self._jobs[key] = EvaluationJob(*key, "queued", total=len(category.test))
            self._futures[key] = self._crew.submit(partial(self._run, category, detector, inspect))
            return self._futures[key]

    def job(self, manifest: Manifest) -> EvaluationJob | None:
        """The latest job of exactly this bank version since the service started."""
        with self._lock:
            return self._jobs.get((manifest.category, manifest.bank_version))

    def _forget_older(self, category: str) -> None:
        ended = [k for k, j in self._jobs.items() if k[0] == category and j.state not in _UNDER_WAY]
        for key in ended:
            del self._jobs[key], self._futures[key]

    def stored(self, manifest: Manifest) -> Evaluation | None:
        """The result on disk of exactly this bank version, if there is one."""
        path = self._path(manifest.category, manifest.bank_version)
        try:
            return Evaluation.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as exc:
            log.warning("stored evaluation unreadable", category=manifest.category, reason=str(exc))
            return None

    def scores(self, manifest: Manifest) -> LabelScores | None:
        """The scores behind `stored`, where they are stored, too."""
        path = self._path(manifest.category, manifest.bank_version).with_suffix(_SCORES)
        try:
            return LabelScores.model_validate_json(path.read_bytes())
        except FileNotFoundError:  # an older release kept none
            return None
        except (OSError, ValidationError) as exc:
            log.warning("stored scores unreadable", category=manifest.category, reason=str(exc))
            return None

    def stop(self) -> None:
        """Let the running job end after its current photo, and those behind it at their first."""
        self._stopping.set()

    def close(self, until: float = NEVER) -> list[str]:
        """Stop the running job after its current photo, for which to wait until then, and drop the
        queued ones.

        Returns:
            the names of the threads that are still at work.
        """
        self._stopping.set()
        return self._crew.close(until)

    def _test_split(self, category: str) -> Category:
        if self._data is None:
            raise NoTestSplit("no test splits are stored here: GOODSGUARD_DATA_DIR is not set")
        return read_test_split(self._data, category)

    def _run(self, category: Category, detector: Detector, inspect: Inspect) -> Evaluation:
        name = category.name
        key = (name, detector.manifest.bank_version)

        def progress(done: int, total: int) -> None:
            if self._stopping.is_set():
                raise CategoryUnavailable("the service is stopping")
            self._update(key, state="running", done=done, total=total)

        self._update(key, state="running")
        try:
            run = evaluate(
                category,
                detector.manifest,
                inspect,
                engine=detector.engine,
                anomaly_map=detector.anomaly_map,
                progress=progress,
            )
        except GoodsGuardError as exc:
            log.error("evaluation failed", category=name, reason=str(exc))
            self._update(key, state="failed", error=exc.public)
            raise  # to whoever waits for the job
        except Exception as exc:
            log.exception("evaluation failed", category=name)
            self._update(key, state="failed", error=f"unforeseen {type(exc).__name__}")
            raise
        result = run.evaluation
        error = self._store(result, LabelScores.of(run))
        self._update(key, state="done", result=result, error=error)
        log.info("evaluated", category=name, bank_version=result.bank_version, auroc=result.auroc)
        return result

    def _update(self, key: tuple[str, str], **changes: object) -> None:
        with self._lock:
            self._jobs[key] = replace(self._jobs[key], **changes)  # type: ignore[arg-type]

    def _store(self, result: Evaluation, scores: LabelScores) -> str | None:
        path = self._path(result.category, result.bank_version)
        try:
            write_whole(path.with_suffix(_SCORES), scores.model_dump_json() + "\n")
            write_whole(path, result.model_dump_json(indent=2) + "\n")
        except OSError as exc:
            log.error("evaluation not stored", category=result.category, reason=exc.strerror)
            return f"the result could not be stored: {exc.strerror}"
        return None

    def _path(self, category: str, bank_version: str) -> Path:
        return self._folder / category / f"{bank_version}.json"
