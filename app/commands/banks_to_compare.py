"""The bank of a preset and category: one that is there and fits, else a new one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from .. import __version__
from ..core.building.build import BuildProgress, build_bank
from ..core.building.looking import LookChoice, LookMask
from ..core.building.preset import Preset
from ..core.choosing.auto import build_with_best_look
from ..core.detector import Detector
from ..core.errors import GoodsGuardError
from ..core.features.extractor import FeatureExtractor
from ..core.files import write_whole
from ..core.judging.calibration import Rule
from ..core.photo.dataset import Category
from ..core.store import artifact as artifacts
from ..core.store import serving
from .looks_to_compare import AskedLook

# Beside a category's versions: which of them was built from what.
RECIPE = "comparison.json"


def take_or_build(
    models: Path,
    category: Category,
    preset: Preset,
    extractor: FeatureExtractor,
    rule: Rule | None,
    progress: BuildProgress,
    asked: AskedLook | None = None,
) -> tuple[Detector, bool]:
    """A detector that has passed its self-test, and whether its bank was there.

    Args:
        models: of this preset and look alone.
        preset: with the look. asked: one that is chosen by trial needs it.

    Raises:
        GoodsGuardError: what the build raises.
    """
    wanted = recipe(category, preset, extractor, rule, asked)
    # What cannot be taken is built again.
    with suppress(GoodsGuardError, OSError, ValueError, RecursionError):
        if (taken := _stored(models, category.name, wanted, extractor)) is not None:
            return taken, True
    make = build_bank
    if asked is not None and asked.choice is None:
        make = partial(build_with_best_look, given=asked.given)
    build = make(category, preset, extractor, threshold=rule, progress=progress)
    manifest = artifacts.save(models, build.artifact)
    # No service will ever say so: these banks are here to be compared, the latest of each.
    serving.note(models, category.name, manifest.bank_version)
    write_whole(
        models / category.name / RECIPE,
        json.dumps({"bank_version": manifest.bank_version, "recipe_sha256": wanted}) + "\n",
    )
    return _detector(models, category.name, extractor), False


def recipe(
    category: Category,
    preset: Preset,
    extractor: FeatureExtractor,
    rule: Rule | None,
    asked: AskedLook | None = None,
) -> str:
    """Hash of all that decides a bank: preset, look, rule, photos, weights, engine, release."""
    runtime = extractor.runtime
    by_trial = asked is not None and asked.choice is None
    given = asked.given if asked is not None and by_trial else preset.look
    parts = (
        preset.model_dump(mode="json"),
        rule.model_dump(mode="json") if rule else None,
        _photos_sha256(category.train),
        extractor.spec.weights_sha256,
        (runtime.name, runtime.precision, runtime.device.type),
        __version__,
        # The preset's own look is in the preset, but for what its mask's file holds.
        ("auto", given.model_dump(mode="json") if given else None) if by_trial else None,
        _mask_sha256(given),
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _mask_sha256(look: LookChoice | None) -> str | None:
    if not isinstance(look, LookMask) or look.file is None:
        return None
    return hashlib.sha256(look.file.read_bytes()).hexdigest()


def _photos_sha256(paths: Sequence[Path]) -> str:
    """Of names and contents: a photo that was exchanged for another is noticed."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.name!a} {content}\n".encode())
    return digest.hexdigest()


def _stored(models: Path, name: str, wanted: str, extractor: FeatureExtractor) -> Detector | None:
    folder = models / name
    if not (folder / RECIPE).is_file():
        return None
    found = json.loads((folder / RECIPE).read_bytes())
    named = {"bank_version": artifacts.current_version(folder), "recipe_sha256": wanted}
    return _detector(models, name, extractor) if found == named else None


def _detector(models: Path, name: str, extractor: FeatureExtractor) -> Detector:
    artifact = artifacts.load(models, name)
    detector = Detector(artifact, extractor.with_spec(artifact.manifest.features))
    detector.self_test()
    return detector
