"""What another threshold, or another stored version, would change: before and after, in words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..api.services import Services
from ..api.versions import known_entry
from ..core.crew import beside
from ..core.detector import Detector
from ..core.store import artifact as artifacts
from .category_page import recorded_scores, siblings_of
from .rendering import number, percent
from .threshold_trial import Effect, Known, effect

# What, before, after.
Change = tuple[str, str, str]
_PROMISED = "Promised false alarms"


async def effect_of(parts: Services, category: str, value: float) -> Effect:
    """What a threshold of the bank that serves would have done.

    Raises:
        UnknownCategory, CategoryUnavailable: none serves.
    """
    detector = parts.registry.detector(category)
    recorded, _ = await recorded_scores(parts, detector.manifest)
    return await beside(partial(effect, detector.calibration, recorded, value), "trial")


async def changes_of_threshold(parts: Services, category: str, value: float) -> list[Change]:
    """What it would change in the bank that serves.

    Raises:
        UnknownCategory, CategoryUnavailable: none serves.
    """
    detector = parts.registry.detector(category)
    recorded, _ = await recorded_scores(parts, detector.manifest)
    return await beside(partial(_effects, detector, recorded, value), "trial")


async def changes_of_version(parts: Services, category: str, to: str) -> list[Change]:
    """What going to a stored version would change.

    Raises:
        UnknownCategory: nothing is stored under that name.
        ArtifactError: no such version, or its manifest cannot be read.
    """
    entry = known_entry(parts, category)
    other = await beside(
        partial(artifacts.read_manifest, parts.settings.models_dir, category, to), "files"
    )
    threshold = other.threshold
    if not isinstance(entry, Detector):
        return [
            ("Bank version", "none", to),
            ("Threshold", "–", number(threshold.value)),
            (_PROMISED, "–", percent(threshold.alpha)),
        ]
    own = entry.manifest
    found = [("Bank version", own.bank_version, to)]
    if own.preset != other.preset:
        found.append(("Preset", own.preset, other.preset))
    # Scores of another bank cannot be compared.
    if to in await beside(partial(siblings_of, parts.settings.models_dir, own), "files"):
        rows = await changes_of_threshold(parts, category, threshold.value)
        promised = percent(threshold.alpha)  # by its own rule
        return found + [(w, b, promised) if w == _PROMISED else (w, b, a) for w, b, a in rows]
    return [
        *found,
        ("Threshold", number(own.threshold.value), number(threshold.value)),
        (_PROMISED, percent(own.threshold.alpha), percent(threshold.alpha)),
    ]


def _effects(detector: Detector, recorded: Known | None, value: float) -> list[Change]:
    calibration = detector.calibration
    before = effect(calibration, recorded, calibration.threshold)
    after = effect(calibration, recorded, value)
    found = [
        ("Threshold", number(before.value), number(after.value)),
        (_PROMISED, percent(before.promised), percent(after.promised)),
    ]
    if recorded is None:
        return found
    for name, what, some in (
        ("week", "Photos of the last week flagged", recorded.week),
        ("good", "Reviewed good ones flagged", recorded.good),
    ):
        if some.values.size:
            of = f"{what}, of {some.values.size:,}"
            found.append((of, f"{before.above[name]:,}", f"{after.above[name]:,}"))
    if of_all := recorded.defective.values.size:
        missed = [f"{of_all - one.above['bad']:,}" for one in (before, after)]
        found.append((f"Reviewed defects missed, of {of_all:,}", missed[0], missed[1]))
    return found


def nothing_changes(changes: Sequence[Change]) -> bool:
    """Whether what is asked for serves already."""
    return changes[0][1] == changes[0][2]
