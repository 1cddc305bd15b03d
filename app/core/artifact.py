"""A bank on disk: manifest.json + bank.safetensors, written whole or not at all, verified on load.

models/<category>/<bank version>/manifest.json
models/<category>/<bank version>/bank.safetensors      its numbers: see tensors.py
models/<category>/current                              text: the version that serves
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from app.core.bank import InvertedLists, MemoryBank
from app.core.calibration import Calibration, Fixed, Quantile, Rule
from app.core.errors import ArtifactError, BankError, UnknownCategory
from app.core.golden import Golden
from app.core.manifest import SCHEMA_VERSION, VERSION_PATTERN, Manifest, ThresholdRecord
from app.core.tensors import Tensors

KEPT_VERSIONS = 5

MANIFEST, BANK, CURRENT = "manifest.json", "bank.safetensors", "current"
_PARTIAL = ".partial-"

# A manifest is a few KiB; what is larger is none.
_MAX_MANIFEST_BYTES = 4 << 20


class _AnySchema(BaseModel):
    schema_version: int


@dataclass(frozen=True)
class Artifact:
    """One bank version in memory.

    Attributes:
        peaks: (n,) float32, the highest patch scores of the calibration maps.
        golden: photos with known scores. lists: the bank's, where it is searched by lists.
    """

    manifest: Manifest
    bank: MemoryBank
    calibration: Calibration
    peaks: npt.NDArray[np.float32] = field(repr=False)
    golden: Golden = field(repr=False)
    lists: InvertedLists | None = field(default=None, repr=False)

    def tensors(self) -> Tensors:
        """The numbers, as they are stored."""
        return Tensors(
            bank=self.bank.vectors,
            calibration_scores=self.calibration.scores,
            calibration_peaks=self.peaks,
            golden_pixels=self.golden.pixels,
            golden_content=self.golden.content,
            golden_scores=self.golden.scores,
            centroids=self.lists.centroids if self.lists else None,
            list_of=self.lists.assignments if self.lists else None,
        )


def new_version(now: datetime | None = None) -> str:
    """A version that sorts by time: `20261122T101500Z-3fa9c1`."""
    return f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def training_files_sha256(paths: Sequence[Path]) -> str:
    """Hash of the sorted list of training file names and sizes."""
    lines = sorted(f"{path.name}\t{path.stat().st_size}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def save(models: Path, artifact: Artifact, *, keep: int = KEPT_VERSIONS) -> Manifest:
    """Write a version beside its final name, sync, rename it, then let `current` name it.

    Dying at any point leaves what served before; the rest is swept up by the next save.

    Returns:
        the manifest as written, with the bank's hash.

    Raises:
        ArtifactError: the folder cannot be written (full, read-only).
    """
    data = artifact.tensors().render()
    digest = hashlib.sha256(data).hexdigest()
    manifest = artifact.manifest.model_copy(update={"bank_sha256": digest})
    folder = models / manifest.category
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _writer_lock(folder):
            _sweep(folder)
            partial = folder / f"{_PARTIAL}{manifest.bank_version}"
            try:
                partial.mkdir()
                _write_synced(partial / BANK, data)
                _write_synced(partial / MANIFEST, _json(manifest))
                _sync_folder(partial)
                partial.rename(folder / manifest.bank_version)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            _sync_folder(folder)
            _set_current(folder, manifest.bank_version)
            _prune(folder, keep)
    except OSError as exc:
        raise ArtifactError(
            f"cannot write the bank to {folder}: {exc.strerror or exc}. What served before still "
            "does; free some space or fix the folder's permissions and build again."
        ) from exc
    return manifest


def with_threshold(artifact: Artifact, rule: Rule) -> Artifact:
    """The same bank under another threshold rule, as a new version.

    Raises:
        CalibrationError: the calibration scores cannot carry the rule.
    """
    calibration = Calibration.from_rule(artifact.calibration.scores, rule)
    record = ThresholdRecord(rule=rule, value=calibration.threshold, alpha=calibration.alpha)
    # A threshold set by hand speaks of scores, not of the map: its promise is kept there instead.
    map_rule = Quantile(q=1 - calibration.alpha) if isinstance(rule, Fixed) else rule
    scale = artifact.manifest.anomaly_map
    changes = {
        "anomaly_map": scale.model_copy(update={"threshold": map_rule.value(artifact.peaks)}),
        "bank_version": new_version(),
        "created_at": datetime.now(UTC),
        "threshold": record,
    }
    manifest = artifact.manifest.model_copy(update=changes)
    return replace(artifact, manifest=manifest, calibration=calibration)


def load(models: Path, category: str, version: str | None = None) -> Artifact:
    """Read and verify one version, the current one by default. The hash is checked first.

    Raises:
        UnknownCategory: nothing is stored under that name.
        ArtifactError: missing or damaged files, another schema, contents that do not match.
    """
    folder = models / category
    if not folder.is_dir():
        raise UnknownCategory(f"no bank is stored for {category}")
    version = version or current_version(folder)
    manifest = _read_manifest(folder / version / MANIFEST)
    if (manifest.category, manifest.bank_version) != (category, version):
        raise ArtifactError(
            f"the manifest says {manifest.category}/{manifest.bank_version}, "
            f"but lies in {category}/{version}"
        )
    data = _read(folder / version / BANK)
    if hashlib.sha256(data).hexdigest() != manifest.bank_sha256:
        raise ArtifactError(f"{BANK} does not match the sha256 in its manifest")
    return _assemble(manifest, Tensors.parse(data))


def _assemble(manifest: Manifest, tensors: Tensors) -> Artifact:
    if tensors.bank.shape != (manifest.bank.vectors, manifest.bank.dimensions):
        raise ArtifactError(f"the bank's shape {tensors.bank.shape} is not the manifest's")
    scores = tensors.calibration_scores
    if len(scores) != manifest.counts.calibration_scores:
        raise ArtifactError(f"{len(scores)} calibration scores are not the manifest's number")
    golden = Golden(tensors.golden_pixels, tensors.golden_content, tensors.golden_scores)
    side = manifest.features.preprocess.input_size
    if golden.pixels.shape != (manifest.golden.photos, side, side, 3):
        raise ArtifactError(f"golden photos of {golden.pixels.shape} are not the manifest's")
    if (tensors.centroids is not None) != (manifest.search.method == "lists"):
        raise ArtifactError("the bank's lists are not as its manifest says")
    try:
        bank, lists = MemoryBank(tensors.bank), None
        if tensors.centroids is not None and tensors.list_of is not None:
            lists = InvertedLists(bank, tensors.centroids, tensors.list_of)
    except BankError as exc:
        raise ArtifactError(str(exc)) from exc
    calibration = Calibration(scores, manifest.threshold.value, manifest.threshold.alpha)
    return Artifact(manifest, bank, calibration, tensors.calibration_peaks, golden, lists)


def current_version(folder: Path) -> str:
    """The version that a category's `current` names.

    Raises:
        ArtifactError: no such file, or what it holds is no version.
    """
    text = _read(folder / CURRENT)[:64].decode("ascii", errors="replace").strip()
    if not VERSION_PATTERN.fullmatch(text):
        raise ArtifactError(f"{CURRENT} names no bank version")
    return text


def is_stored(folder: Path) -> bool:
    """Whether a folder is a category's: it names a version, or holds one."""
    return folder.is_dir() and ((folder / CURRENT).exists() or bool(versions(folder)))


def versions(folder: Path) -> list[str]:
    """A category's complete versions, oldest first."""
    return sorted(
        p.name for p in folder.iterdir() if p.is_dir() and VERSION_PATTERN.fullmatch(p.name)
    )


def _read_manifest(path: Path) -> Manifest:
    data = _read(path, limit=_MAX_MANIFEST_BYTES)
    try:
        # Asked first: another schema's fields would only be called invalid, one by one.
        schema = _AnySchema.model_validate_json(data).schema_version
        if schema != SCHEMA_VERSION:
            raise ArtifactError(
                f"schema version {schema} is not {SCHEMA_VERSION}, which this release reads; "
                "build the bank again"
            )
        return Manifest.model_validate_json(data)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(f"{MANIFEST} is invalid at {place!r}: {first['msg']}") from exc


def _read(path: Path, limit: int | None = None) -> bytes:
    try:
        if limit is not None and path.stat().st_size > limit:
            raise ArtifactError(f"{path.name} is larger than {limit} bytes")
        return path.read_bytes()
    except OSError as exc:
        raise ArtifactError(f"{path.name} cannot be read: {exc.strerror}") from exc


def _json(manifest: Manifest) -> bytes:
    return (manifest.model_dump_json(indent=2) + "\n").encode()


@contextmanager
def _writer_lock(folder: Path) -> Iterator[None]:
    """One writer per category at a time; the kernel drops the lock of a process that dies."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path) -> None:
    """Remove what a killed save left; safe, since the lock says that nobody is writing."""
    for path in folder.glob(f"{_PARTIAL}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _set_current(folder: Path, version: str) -> None:
    partial = folder / f"{_PARTIAL}{CURRENT}"
    _write_synced(partial, f"{version}\n".encode())
    partial.replace(folder / CURRENT)
    _sync_folder(folder)


def _prune(folder: Path, keep: int) -> None:
    serving = current_version(folder)
    for version in versions(folder)[:-keep]:
        if version != serving:
            # Renamed first: half of a version must not be listed, and the next save sweeps it up.
            doomed = folder / f"{_PARTIAL}{version}"
            (folder / version).rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
