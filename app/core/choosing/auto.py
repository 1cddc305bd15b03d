"""`--look auto`: the look is chosen by trial, then the bank is built with it."""

from __future__ import annotations

from dataclasses import replace

from ..building.build import Build, BuildProgress, build_bank
from ..building.groups import GroupRule
from ..building.looking import LookChoice
from ..building.preset import Preset
from ..building.promise import MAX_UNREADABLE
from ..features.extractor import FeatureExtractor
from ..judging.calibration import Rule
from ..photo.dataset import Category
from ..photo.images import MAX_PIXELS
from .choose import choose_look


def build_with_best_look(
    category: Category,
    preset: Preset,
    extractor: FeatureExtractor,
    *,
    given: LookChoice | None = None,
    threshold: Rule | None = None,
    limit: int | None = None,
    groups: GroupRule = "auto",
    max_unreadable: float = MAX_UNREADABLE,
    max_pixels: int = MAX_PIXELS,
    pictures: bool = True,
    progress: BuildProgress = lambda _step, _done, _total: None,
) -> Build:
    """As `build_bank`, with the look that `choose_look` takes; the manifest says how.

    Args:
        given: a box or mask of the user's that is tried, too.

    Raises:
        As `build_bank`.
    """
    chosen = choose_look(
        category,
        preset,
        extractor,
        given=given,
        limit=limit,
        groups=groups,
        max_pixels=max_pixels,
        progress=progress,
    )
    build = build_bank(
        category,
        preset.model_copy(update={"look": chosen.choice}),
        extractor,
        threshold=threshold,
        limit=limit,
        groups=groups,
        max_unreadable=max_unreadable,
        max_pixels=max_pixels,
        pictures=pictures,
        progress=progress,
    )
    manifest = build.artifact.manifest.model_copy(update={"look_trial": chosen.trial})
    return replace(build, artifact=replace(build.artifact, manifest=manifest))
