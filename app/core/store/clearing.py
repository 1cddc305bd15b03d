"""Which versions of a category are kept, and which are cleared away.

A build and the thresholds that were tried on it are versions alike, but tries come by the dozen:
they are counted apart, so that none of them costs a build.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import ArtifactError
from ..files import PARTIAL
from .manifest import MANIFEST, MAX_MANIFEST_BYTES, parse
from .serving import SERVING, noted
from .signing import SIGNATURE
from .version_folders import current_version, read, versions

KEPT_BUILDS = 5
KEPT_THRESHOLDS = 5

# Beyond so many versions that nobody has vouched for, whoever builds is told.
_MANY = 20

# What a new threshold changes in a manifest; a bank of an older schema is also written anew.
_OF_A_THRESHOLD = {"threshold", "anomaly_map", "bank_version", "created_at", "manifest_sha256"}
_OF_A_FILE = {"bank_sha256", "bank_bytes"}


def prune(folder: Path, builds: int = KEPT_BUILDS, thresholds: int = KEPT_THRESHOLDS) -> None:
    """Remove all but the newest builds, and of each but its newest thresholds.

    Kept whatever their age: the version that `current` names, those that services noted as serving,
    and the newest that is signed (where only signed ones may serve, it does until a newer one is).
    As long as no service has noted anything, any version may be the last that can serve: all stay.

    Under the writer's lock.
    """
    stored = versions(folder)
    serving = noted(folder.parent, folder.name)
    if serving.isdisjoint(stored):
        return
    signed = [version for version in stored if (folder / version / SIGNATURE).exists()]
    kept = {current_version(folder), *serving, *signed[-1:]}
    for original, *tries in _builds(folder, stored)[-builds:]:
        kept |= {original, *tries[max(0, len(tries) - thresholds) :]}
    for version in stored:
        if version not in kept:
            # Renamed first: half of a version must not be listed, and the next save sweeps it up.
            doomed = folder / f"{PARTIAL}{version}"
            (folder / version).rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def remark(models: Path, category: str) -> str | None:
    """A sentence for whoever builds, where versions pile up because no service notes what serves.

    Raises:
        ArtifactError: the folder cannot be read.
    """
    stored = versions(models / category)
    if len(stored) <= _MANY or not noted(models, category).isdisjoint(stored):
        return None
    return (
        f"{len(stored)} versions are stored: none is cleared away until a service has noted which "
        f"one it serves, in {models / SERVING}; see docs/operations.md, 'What is kept'"
    )


def of_one_build(folder: Path, version: str) -> list[str]:
    """The stored versions that differ from this one in nothing but the threshold, itself included,
    oldest first: their scores are the same, since what the bank holds is, byte by byte. Reads their
    manifests.

    Raises:
        ArtifactError: the folder cannot be read.
    """
    stored = versions(folder)
    own = _build_of(folder, version, _OF_A_THRESHOLD)
    found = [other for other in stored if _build_of(folder, other, _OF_A_THRESHOLD) == own]
    return found if version in found else [version]


def _builds(folder: Path, stored: list[str]) -> list[list[str]]:
    """The versions, those of one build together: the build first, then its thresholds."""
    builds: dict[str, list[str]] = {}
    for version in stored:
        builds.setdefault(_build_of(folder, version), []).append(version)
    return list(builds.values())


def _build_of(folder: Path, version: str, but: set[str] = _OF_A_THRESHOLD | _OF_A_FILE) -> str:
    """The same text for versions whose manifests differ in nothing but these fields."""
    try:
        manifest = parse(read(folder / version / MANIFEST, MAX_MANIFEST_BYTES))
    except ArtifactError:
        return version  # damaged: one of its own
    return manifest.model_dump_json(exclude=but)
