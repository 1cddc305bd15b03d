"""Good images -> bank, calibration, artifact: the offline half, through the same functions."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np

from ... import __version__
from ..errors import CalibrationError, DatasetError, PresetError
from ..features.extractor import FeatureExtractor
from ..features.sample import Chosen, Samples
from ..features.spool import Spool
from ..judging.calibration import (
    Calibration,
    Rule,
    alpha_to_ask_for,
    rate_meant,
    smallest_alpha,
)
from ..judging.golden import BOUND, Golden
from ..judging.held_out import HeldOut, hold_out
from ..methods.method import Lesson, Method, Scorer, Sources
from ..methods.registry import MethodRecord
from ..photo.dataset import Category, evenly
from ..photo.images import MAX_PIXELS
from ..photo.preprocess import PreparedImage
from ..store import artifact as artifacts
from ..store import manifest as manifests
from . import levels, looking
from .album import Album, Taught
from .augment import TurnedCopies
from .first_pass import embed
from .groups import Grouping, GroupRule, group
from .groups_file import GroupsFile
from .preset import Preset
from .promise import MAX_UNREADABLE, Promise
from .reading import Unreadable
from .seen import survey
from .selection import narrowed

BuildProgress = Callable[[str, int, int], None]  # step, done, total


@dataclass(frozen=True)
class Build:
    """A bank that is not on disk yet, and what a person wants to know of it.

    Attributes:
        unreadable: files that were skipped.
        warnings: sentences for the person who builds.
        grouping: which photos calibration kept together, and why.
    """

    artifact: artifacts.Artifact
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...]
    grouping: Grouping

    @property
    def images_per_second(self) -> float:
        return self.artifact.manifest.counts.images / self.artifact.manifest.wall_time_s


def build_bank(
    category: Category,
    preset: Preset,
    extractor: FeatureExtractor,
    *,
    threshold: Rule | None = None,
    limit: int | None = None,
    groups: GroupRule = "auto",
    max_unreadable: float = MAX_UNREADABLE,
    max_pixels: int = MAX_PIXELS,
    pictures: bool = True,
    progress: BuildProgress = lambda _step, _done, _total: None,
) -> Build:
    """Build one category's bank from its good training images. Copies of a photo are set aside.

    Args:
        extractor: made from the preset's features; its spec carries the weights' hash.
        threshold: a rule in place of the preset's.
        limit: take that many images only, evenly spread over the sorted list.
        groups: which photos calibration keeps together.
        max_unreadable: the share of broken files above which the build is refused.
        max_pixels: of a photo; larger ones are not read.
        pictures: keep small pictures of the good photos in the bank, to show beside verdicts.

    Raises:
        DatasetError: no images, or groups that do not fit them. TooManyUnreadable.
        CalibrationError: too few images.
        PresetError: the extractor is not one of the preset's features, or its method cannot
            learn from them.
        NonFiniteScore: the network answered with NaN or infinity.
        BankError: the method does not come back from what it stores.
    """
    _check_features(preset, extractor)
    start = time.perf_counter()
    rule = threshold or preset.threshold
    paths = evenly(category.train, limit)
    if not paths:
        raise DatasetError(f"no images in {category.name}/train/good")
    promise = Promise(category.name, rule, len(paths), max_unreadable)
    level = levels.measure(paths, max_pixels)
    extractor = looking.seen_by(preset.look, level.applied_to(extractor))
    count = partial(survey, paths, extractor, promise, max_pixels, partial(progress, "read"))
    if promise.is_close:
        count()
    with Spool() as spool, Spool() as beside, Album() as album:
        turned = TurnedCopies(preset.augment, beside)
        try:
            seen, golden = embed(
                paths,
                extractor,
                promise,
                spool,
                turned,
                album,
                max_pixels=max_pixels,
                pictured=pictures and preset.method.method.keeps_cells,
                progress=partial(progress, "embed"),
            )
        except CalibrationError:
            count()  # refuses, too, with the number that all photos make
            raise
        copies = seen.copies(partial(progress, "copies"))
        kept = copies.kept
        different = Chosen(spool, seen.places(kept))
        wanted = groups if preset.calibration.keep_groups or groups != "auto" else "none"
        sets = [[seen.paths[photo] for photo in members] for members in copies.sets()]
        grouping = group(
            [files[0] for files in sets],
            wanted,
            different,
            shown_by=sets,
            rate=rate_meant(rule),
        )
        looked, extractor = looking.through(preset.look, different, extractor)
        samples, extractor = narrowed(looked, preset.selection, extractor)
        beside_them = turned.of(seen.places(kept), extractor.spec.selected_dimensions)
        learnt = _learn(samples, beside_them, grouping.names, preset, progress)
        numbers = {path: number for number, path in enumerate(category.train, start=1)}
        taught = Taught(
            places=seen.places(kept),
            numbers=[numbers[seen.paths[photo]] for photo in kept],
            turns=turned.turns,
            grid=extractor.grid,
        )
        origins = album.origins_of(learnt.sources, taught, beside=learnt.nbytes(golden))
    calibration = Calibration.from_rule(learnt.held_out.scores, rule)
    _check_alpha(calibration, learnt.warnings)
    counts = manifests.Counts(
        images=len(kept),
        unreadable=len(promise.unreadable),
        ignored=category.ignored,
        calibration_scores=len(calibration.scores),
        copies=copies.set_aside,
        groups=grouping.count,
        turned=len(kept) * preset.augment.each,
    )
    manifest = _manifest(
        preset,
        extractor,
        learnt,
        golden=manifests.GoldenRecord(photos=len(golden), bound=BOUND),
        category=category.name,
        threshold=manifests.ThresholdRecord(
            rule=rule, value=calibration.threshold, alpha=calibration.alpha
        ),
        counts=counts,
        grouping=manifests.GroupingRecord(by=grouping.by, why=grouping.why),
        training_files_sha256=artifacts.training_files_sha256(seen.files()),
        wall_time_s=round(time.perf_counter() - start, 3),
    )
    built = artifacts.Artifact(
        manifest,
        learnt.method,
        calibration,
        learnt.held_out.peaks,
        Golden.measure(golden, extractor, Scorer(learnt.method, preset.scoring)),
        extractor.look,
        origins,
    )
    copied = copies.remark([path.name for path in seen.paths])
    unmatched = groups.remarks(category.train) if isinstance(groups, GroupsFile) else ()
    told = (*level.remarks(), *unmatched, *([copied] if copied else []), *learnt.warnings)
    return Build(built, tuple(promise.unreadable), told, grouping)


@dataclass(frozen=True)
class _Learnt:
    method: Method
    held_out: HeldOut
    warnings: list[str]
    sources: Sources | None

    def nbytes(self, golden: Sequence[PreparedImage]) -> int:
        """Bytes of what the bank holds beside pictures of its photos."""
        tensors = sum(tensor.nbytes for tensor in self.method.tensors().values())
        return tensors + sum(photo.pixels.nbytes for photo in golden)


def _learn(
    samples: Samples,
    turned: Samples | None,
    groups: Sequence[str],
    preset: Preset,
    progress: BuildProgress,
) -> _Learnt:
    """Fit the method, score what is left out of it, then make it quick."""
    warnings: list[str] = []
    telling = partial(progress, "learn"), warnings.append
    lesson = Lesson(samples, groups, preset.scoring, *telling, turned=turned)
    method = preset.method.method.fit(preset.method.settings, lesson.with_turned())
    plan = preset.calibration
    held_out = hold_out(
        method,
        lesson,
        folds=plan.folds,
        seed=plan.seed,
        progress=partial(progress, "calibration"),
    )
    served = method.for_serving(lesson)
    # As whoever loads the bank gets it: a method that does not come back is found out now.
    stored = type(served).load(served.settings, served.tensors())
    return _Learnt(stored, held_out, warnings, served.sources)


def _manifest(
    preset: Preset,
    extractor: FeatureExtractor,
    learnt: _Learnt,
    *,
    threshold: manifests.ThresholdRecord,
    **facts: Any,
) -> manifests.Manifest:
    return manifests.Manifest(
        bank_version=artifacts.new_version(),
        created_at=datetime.now(UTC),
        preset=preset.name,
        features=extractor.spec,
        method=MethodRecord.of(learnt.method),
        look=extractor.look.record,
        scoring=preset.scoring,
        threshold=threshold,
        anomaly_map=manifests.MapScale(
            low=float(np.median(learnt.held_out.medians)),
            threshold=threshold.rule.value(learnt.held_out.peaks),
        ),
        runtime=manifests.RuntimeRecord(
            name=extractor.runtime.name,
            precision=extractor.runtime.precision,
            device=extractor.runtime.device.type,
        ),
        libraries=library_versions(),
        **facts,
    )


def library_versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    names = ("torch", "torchvision", "openvino", "timm", "faiss-cpu", "numpy", "pillow", "scipy")
    versions = {"goodsguard": __version__, "python": platform.python_version()}
    for name in names:
        with suppress(metadata.PackageNotFoundError):  # OpenVINO has no wheels for some platforms
            versions[name] = metadata.version(name)
    return versions


def _check_features(preset: Preset, extractor: FeatureExtractor) -> None:
    found_later = {"weights_sha256", "selected_dimensions"}
    wanted, given = (
        spec.model_dump(exclude=found_later) for spec in (preset.features, extractor.spec)
    )
    if wanted != given:
        raise PresetError(
            f"the extractor is not one of {preset.name}'s features: load it from this preset"
        )


def _check_alpha(calibration: Calibration, warnings: list[str]) -> None:
    """Rules that assume something of the scores may promise what their number cannot show."""
    n = len(calibration.scores)
    if calibration.alpha < smallest_alpha(n):
        warnings.append(
            f"the threshold's rule promises {calibration.alpha:.2%} false alarms, which {n} photos "
            f"cannot show: the smallest they can is {alpha_to_ask_for(n):g}. Ask for it (Alpha, "
            f"--alpha {alpha_to_ask_for(n):g}), or add good photos."
        )
