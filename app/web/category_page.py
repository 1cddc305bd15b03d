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
        failed: the stored version that could not be taken up.
        trial, evaluated: None where none serves.
        no_records: why nothing that was recorded is shown.
    """

    info: CategoryInfo
    versions: VersionList
    failure: str | None
    siblings: Sequence[str] = ()
    failed: str | None = None
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
        return CategoryPage(info, versions, failure, failed=_failed(versions))
    siblings = await beside(
        partial(siblings_of, parts.settings.models_dir, entry.manifest), "files"
    )
    recorded, no_records = await recorded_scores(parts, entry.manifest)
    tried = await beside(partial(trial, entry.calibration, recorded), "trial")
    evaluated = await beside(partial(evaluated_so_far, parts, entry.manifest), "files")
    failed = _failed(versions) if failure else None
    return CategoryPage(info, versions, failure, siblings, failed, tried, evaluated, no_records)


async def recorded_scores(parts: Services, manifest: Manifest) -> tuple[Known | None, str | None]:
    """The scores of a bank, and of those that differ from it in the threshold alone; None: why they
    cannot be asked for."""
    siblings = await beside(partial(siblings_of, parts.settings.models_dir, manifest), "files")
    now = datetime.now(UTC)
    try:
        found = await parts.records.ask(
            lambda records: known(records, manifest.category, siblings, now)
        )
    except RecordsUnavailable as exc:
        return None, exc.public
    return found, None


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


def _failed(versions: VersionList) -> str | None:
    """What `current` names, where it does not serve."""
    found = (one for one in versions.versions if one.is_current and not one.is_serving)
    return next((one.bank_version for one in found), None)


def _latest(parts: Services, manifest: Manifest) -> Evaluation | None:
    """Of the version, else of the newest that differs from it in the threshold alone."""
    if (own := parts.evaluations.stored(manifest)) is not None:
        return own
    for version in reversed(siblings_of(parts.settings.models_dir, manifest)):
        other = manifest.model_copy(update={"bank_version": version})
        if (found := parts.evaluations.stored(other)) is not None:
            return found
    return None


def siblings_of(models: Path, manifest: Manifest) -> list[str]:
    """The stored versions whose scores are those of this one. Reads files."""
    try:
        return of_one_build(models / manifest.category, manifest.bank_version)
    except ArtifactError:  # a folder that cannot be read now
        return [manifest.bank_version]
