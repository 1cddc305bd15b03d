"""A bank on disk: manifest.json + bank.safetensors, written whole or not at all, verified on load.

models/<category>/<bank version>/manifest.json
models/<category>/<bank version>/bank.safetensors      its numbers: see tensors.py
models/<category>/current                              text: the version that serves
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

import numpy as np

from ..arrays import Floats
from ..errors import ArtifactError, BankError, NoSuchVersion, NotWritable, UnknownCategory
from ..files import PARTIAL, to_disk, write_whole
from ..judging.calibration import Calibration, Fixed, Rule
from ..judging.golden import Golden
from ..judging.origins import Origins
from ..methods.method import Method, Scorer
from ..photo.look import WHOLE, Look
from . import schema3, signing
from .clearing import prune
from .manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    Manifest,
    ThresholdRecord,
    parse,
    schema_of,
)
from .signing_keys import TrustedKeys
from .tensors import Tensors
from .version_folders import (
    CURRENT,
    current_version,
    is_stored,
    read,
    set_current,
    sweep,
    versions,
    writer_lock,
)
from .whereabouts import why_no_bank

__all__ = [
    "BANK",
    "CURRENT",
    "MANIFEST",
    "Artifact",
    "activate",
    "current_version",
    "is_stored",
    "load",
    "new_version",
    "read_manifest",
    "save",
    "training_files_sha256",
    "versions",
    "with_threshold",
]

BANK = "bank.safetensors"


@dataclass(frozen=True)
class Artifact:
    """One bank version in memory.

    Attributes:
        method: what was learnt.
        peaks: (n,) float32, the highest patch scores of the calibration maps.
        golden: photos with known scores.
        look: which part of a photo is judged.
        origins: where each of the method's vectors comes from; None: it keeps none, or an older
            build did not say.
    """

    manifest: Manifest
    method: Method
    calibration: Calibration
    peaks: Floats = field(repr=False)
    golden: Golden = field(repr=False)
    look: Look = WHOLE
    origins: Origins | None = field(default=None, repr=False)

    @property
    def scorer(self) -> Scorer:
        return Scorer(self.method, self.manifest.scoring)

    def tensors(self) -> Tensors:
        """The numbers, as they are stored."""
        return Tensors(
            method=self.method.tensors(),
            calibration_scores=self.calibration.scores,
            calibration_peaks=self.peaks,
            golden_pixels=self.golden.pixels,
            golden_content=self.golden.content,
            golden_scores=self.golden.scores,
            look_weights=self.look.weights,
            origins=self.origins.tensors() if self.origins is not None else {},
        )


def new_version(now: datetime | None = None) -> str:
    """A version that sorts by time: `20261122T101500Z-3fa9c1`."""
    return f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def training_files_sha256(files: Sequence[tuple[Path, int]]) -> str:
    """Hash of the sorted list of training file names and sizes; a name is its bytes on the disk.

    Args:
        files: each with its bytes when it was read: it may be gone since.
    """
    lines = sorted(os.fsencode(path.name) + b"\t%d\n" % size for path, size in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def save(models: str | PathLike[str], artifact: Artifact) -> Manifest:
    """Write a version beside its final name, sync, rename it, then let `current` name it.

    Dying at any point leaves what served before; the rest is swept up by the next save.

    Returns:
        the manifest as written, with the bank's hash.

    Raises:
        ArtifactError: the folder cannot be written (full, read-only).
    """
    data = artifact.tensors().render()
    digest = hashlib.sha256(data).hexdigest()
    manifest = artifact.manifest.model_copy(update={"bank_sha256": digest, "bank_bytes": len(data)})
    written = manifest.render()
    folder = Path(models) / manifest.category
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with writer_lock(folder):
            sweep(folder)
            partial = folder / f"{PARTIAL}{manifest.bank_version}"
            try:
                partial.mkdir()
                write_whole(partial / BANK, data, sync=True)
                write_whole(partial / MANIFEST, written, sync=True)
                partial.rename(folder / manifest.bank_version)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            to_disk(folder)
            set_current(folder, manifest.bank_version)
            prune(folder)
    except OSError as exc:
        raise NotWritable(
            f"cannot write the bank to {folder}: {exc.strerror or exc}. What served before still "
            "does; free some space or fix the folder's permissions and build again."
        ) from exc
    return parse(written)


def with_threshold(artifact: Artifact, rule: Rule) -> Artifact:
    """The same bank under another threshold rule, as a new version.

    Raises:
        CalibrationError: the calibration scores cannot carry the rule.
    """
    calibration = Calibration.from_rule(artifact.calibration.scores, rule)
    record = ThresholdRecord(rule=rule, value=calibration.threshold, alpha=calibration.alpha)
    # A threshold set by hand speaks of scores, not of the map: its promise is kept there instead.
    if isinstance(rule, Fixed):
        outlined = float(np.quantile(artifact.peaks.astype(np.float64), 1 - calibration.alpha))
    else:
        outlined = rule.value(artifact.peaks)
    scale = artifact.manifest.anomaly_map
    changes = {
        "anomaly_map": scale.model_copy(update={"threshold": outlined}),
        "bank_version": new_version(),
        "created_at": datetime.now(UTC),
        "threshold": record,
    }
    manifest = artifact.manifest.model_copy(update=changes)
    return replace(artifact, manifest=manifest, calibration=calibration)


def activate(models: Path, category: str, version: str) -> None:
    """Let `current` name another version that is stored.

    Raises:
        NoSuchVersion: it is not. NotWritable: the folder cannot be written.
    """
    folder = models / category
    try:
        with writer_lock(folder):
            if version not in versions(folder):
                raise NoSuchVersion(f"{category} has no version {version}")
            set_current(folder, version)
    except OSError as exc:
        raise NotWritable(f"cannot write to {category}'s folder: {exc.strerror or exc}") from exc


def load(
    models: str | PathLike[str],
    category: str,
    version: str | None = None,
    *,
    trusted: TrustedKeys | None = None,
) -> Artifact:
    """Read and verify one version, the current one by default.

    Signature, size and hash are checked before anything is parsed that they cover.

    Args:
        trusted: keys of which one must have signed the bank; None: it need not be signed.

    Raises:
        UnknownCategory: nothing is stored under that name. NoSuchVersion. SignatureError.
        ArtifactError: missing or damaged files, another schema, contents that do not match.
    """
    models = Path(models)
    folder = models / category
    if not folder.is_dir():
        public = f"no bank is stored for {category}"
        reason = why_no_bank(models)
        raise UnknownCategory(f"{public}: {reason}" if reason else public, public=public)
    version = version or current_version(folder)
    if version not in versions(folder):
        raise NoSuchVersion(f"{category} has no version {version}")
    written = read(folder / version / MANIFEST, limit=MAX_MANIFEST_BYTES)
    if trusted is not None:
        signing.check(folder / version, written, trusted)
    manifest = parse(written)
    if (manifest.category, manifest.bank_version) != (category, version):
        raise ArtifactError(
            f"the manifest says {manifest.category}/{manifest.bank_version}, "
            f"but lies in {category}/{version}"
        )
    data = read(folder / version / BANK, limit=manifest.bank_bytes)
    if len(data) != manifest.bank_bytes or hashlib.sha256(data).hexdigest() != manifest.bank_sha256:
        raise ArtifactError(f"{BANK} does not match the size and sha256 in its manifest")
    renamed = schema3.RENAMED if schema_of(written) == schema3.VERSION else {}
    return _assemble(manifest, Tensors.parse(data, renamed))


def _assemble(manifest: Manifest, tensors: Tensors) -> Artifact:
    if not manifest.features.weights_sha256:
        raise ArtifactError("the manifest does not name the network's weights")
    scores = tensors.calibration_scores
    if len(scores) != manifest.counts.calibration_scores:
        raise ArtifactError(f"{len(scores)} calibration scores are not the manifest's number")
    golden = Golden(tensors.golden_pixels, tensors.golden_content, tensors.golden_scores)
    side = manifest.features.preprocess.input_size
    if golden.pixels.shape != (manifest.golden.photos, side, side, 3):
        raise ArtifactError(f"golden photos of {golden.pixels.shape} are not the manifest's")
    chosen = manifest.method
    try:
        method = chosen.method.load(chosen.settings, tensors.method)
        origins = Origins.load(tensors.origins) if tensors.origins else None
    except BankError as exc:
        raise ArtifactError(str(exc)) from exc
    if method.facts() != chosen.facts:
        raise ArtifactError(f"what was learnt is {method.facts()}, not what the manifest says")
    if origins is not None and len(origins) != method.facts().get("vectors"):
        raise ArtifactError(f"origins of {len(origins)} vectors are not those of the bank's")
    calibration = Calibration(scores, manifest.threshold.value, manifest.threshold.alpha)
    if manifest.look.weighted != (tensors.look_weights is not None):
        raise ArtifactError(f"the bank's look is {manifest.look.kind}, its weights are not")
    look = Look(manifest.look, tensors.look_weights)
    return Artifact(manifest, method, calibration, tensors.calibration_peaks, golden, look, origins)


def read_manifest(models: Path, category: str, version: str) -> Manifest:
    """What a version's manifest says; its bank is not looked at.

    Raises:
        ArtifactError: it cannot be read.
    """
    path = models / category / version / MANIFEST
    return parse(read(path, limit=MAX_MANIFEST_BYTES))
