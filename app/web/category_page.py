"""What the page of one category shows, gathered from files and records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ..api.category_infos import category_info
from ..api.evaluating import evaluation_status
from ..api.schemas import CategoryInfo, EvaluationStatus, VersionList
from ..api.services import Services
from ..api.versions import known_entry, stored_versions
from ..core.crew import beside
from ..core.detector import Detector
from ..core.errors import ArtifactError
from ..core.evaluating.evaluation import Evaluation
from ..core.store.clearing import of_one_build
from ..core.store.manifest import Manifest
from ..records.errors import RecordsUnavailable
from .charts import EvaluationChart, evaluation_chart
from .threshold_trial import Known, Trial, known, trial


@dataclass(frozen=True)
class Evaluated:
    """How a bank did on its test split.

    Attributes:
        status: of the version that serves.
        result: of it, or of one that differs in its threshold alone.
        chart: None where the scores behind the result are not stored.
    """

    status: EvaluationStatus
    result: Evaluation | None = None
    chart: EvaluationChart | None = None

    @property
    def is_under_way(self) -> bool:
        return self.status.state in ("queued", "running")


@dataclass(frozen=True)
class CategoryPage:
    """One category.

    Attributes:
        siblings: the stored versions whose scores are those of the one that serves.
        trial, evaluated: None where none serves.
        no_records: why nothing that was recorded is shown.
    """

    info: CategoryInfo
    versions: VersionList
    failure: str | None
    siblings: Sequence[str] = ()
    trial: Trial | None = None
    evaluated: Evaluated | None = None
    no_records: str | None = None


@dataclass(frozen=True)
class Card:
    """A category among the others."""

    info: CategoryInfo
    failure: str | None
    evaluation: Evaluation | None


async def category_page(parts: Services, category: str) -> CategoryPage:
    """Gather it.

    Raises:
        UnknownCategory: nothing is stored under that name.
    """
    entry = known_entry(parts, category)
    info, versions = await beside(
        lambda: (category_info(parts, category, entry), stored_versions(parts, category)), "files"
    )
    failure = parts.registry.failures.get(category)
    if not isinstance(entry, Detector):
        return CategoryPage(info, versions, failure)
    siblings = await beside(partial(_siblings, parts.settings.models_dir, entry.manifest), "files")
    recorded, no_records, now = None, None, datetime.now(UTC)
    try:
        recorded = await parts.records.ask(lambda records: known(records, category, siblings, now))
    except RecordsUnavailable as exc:
        no_records = exc.public
    tried = await beside(partial(_tried, entry, recorded, now), "trial")
    evaluated = await beside(partial(evaluated_so_far, parts, entry.manifest), "files")
    return CategoryPage(info, versions, failure, siblings, tried, evaluated, no_records)


def cards(parts: Services) -> list[Card]:
    """All categories by name. Reads files."""
    found = []
    for name, entry in parts.registry.entries.items():
        manifest = entry.manifest if isinstance(entry, Detector) else None
        evaluation = _latest(parts, manifest) if manifest else None
        failure = parts.registry.failures.get(name)
        found.append(Card(category_info(parts, name, entry), failure, evaluation))
    return found


def evaluated_so_far(parts: Services, manifest: Manifest) -> Evaluated:
    """The latest evaluation of a version that serves. Reads files."""
    status = evaluation_status(parts, manifest)
    result = status.result or _latest(parts, manifest)
    if result is None:
        return Evaluated(status)
    of = manifest
    if result.bank_version != manifest.bank_version:
        of = manifest.model_copy(update={"bank_version": result.bank_version})
    scores = parts.evaluations.scores(of)
    chart = evaluation_chart(scores, result.threshold) if scores else None
    return Evaluated(status, result, chart)


def _latest(parts: Services, manifest: Manifest) -> Evaluation | None:
    """Of the version, else of the newest that differs from it in the threshold alone."""
    if (own := parts.evaluations.stored(manifest)) is not None:
        return own
    for version in reversed(_siblings(parts.settings.models_dir, manifest)):
        other = manifest.model_copy(update={"bank_version": version})
        if (found := parts.evaluations.stored(other)) is not None:
            return found
    return None


def _siblings(models: Path, manifest: Manifest) -> list[str]:
    try:
        return of_one_build(models / manifest.category, manifest.bank_version)
    except ArtifactError:  # a folder that cannot be read now
        return [manifest.bank_version]


def _tried(entry: Detector, recorded: Known | None, now: datetime) -> Trial:
    return trial(entry.calibration, recorded, now)
