from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import ArtifactError, NoSuchVersion, NotWritable, SignatureError
from app.core.features.extractor import Extractor, FeatureSpec
from app.core.features.runtimes import Engine
from app.core.store import artifact as artifacts
from app.core.store import signing
from app.core.store.signing_keys import TrustedKeys
from app.core.store.version_folders import read, set_current, writer_lock
from app.service.networks import SharedNetworks
from app.service.registry import BankSource, Unavailable
from tests.support import colour_extractor, make_artifact, version_number
from tests.unit.core.store.test_signing import OURS, THEIRS, trust

ONE, TWO = version_number(1), version_number(2)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two versions of one category, the second serving."""
    for version in (ONE, TWO):
        artifacts.save(tmp_path, make_artifact(version=version))
    return tmp_path


def source(models: Path, trusted: TrustedKeys | None = None) -> BankSource:
    def load(spec: FeatureSpec, _: Engine) -> Extractor:
        return colour_extractor(spec)

    return BankSource(models, SharedNetworks(load), trusted=trusted)


def serving(models: Path) -> str:
    return artifacts.load(models, "can").manifest.bank_version


def test_versions_are_complete_folders_oldest_first(models: Path) -> None:
    for name in (".partial-20260101T000003Z-000000", "20260101T000004Z-00000g", "other"):
        (models / "can" / name).mkdir()
    (models / "can" / version_number(5)).write_text("no folder")
    assert artifacts.versions(models / "can") == [ONE, TWO]


def test_a_folder_is_a_category_by_its_current_or_its_versions(models: Path) -> None:
    (models / "can" / artifacts.CURRENT).unlink()
    assert artifacts.is_stored(models / "can")
    (models / "box").mkdir()
    assert not artifacts.is_stored(models / "box")
    (models / "box" / artifacts.CURRENT).write_text(ONE)
    assert artifacts.is_stored(models / "box")
    assert not artifacts.is_stored(models / "absent")


@pytest.mark.parametrize("text", [ONE, f"{ONE}\n", f"  {ONE}\r\n"])
def test_current_may_end_as_an_editor_leaves_it(models: Path, text: str) -> None:
    (models / "can" / artifacts.CURRENT).write_text(text)
    assert artifacts.current_version(models / "can") == ONE


def test_another_version_is_activated_and_loaded(models: Path) -> None:
    for version in (ONE, TWO, ONE):
        artifacts.activate(models, "can", version)
        assert (models / "can" / artifacts.CURRENT).read_text() == f"{version}\n"
        assert serving(models) == version


@pytest.mark.parametrize("version", [version_number(9), "latest", "../can", ""])
def test_a_version_that_is_not_stored_cannot_be_activated(models: Path, version: str) -> None:
    with pytest.raises(NoSuchVersion):
        artifacts.activate(models, "can", version)
    assert serving(models) == TWO


def block_lock(folder: Path) -> None:
    (folder / ".lock").unlink(missing_ok=True)
    (folder / ".lock").mkdir()


def test_a_folder_that_cannot_be_written_says_so(models: Path) -> None:
    block_lock(models / "can")
    with pytest.raises(NotWritable, match="cannot write to can's folder"):
        artifacts.activate(models, "can", ONE)
    assert serving(models) == TWO


def test_readers_find_one_version_or_the_other_while_current_changes(models: Path) -> None:
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            seen.add(artifacts.current_version(models / "can"))

    reader = threading.Thread(target=read)
    reader.start()
    for index in range(60):
        set_current(models / "can", (ONE, TWO)[index % 2])
    stop.set()
    reader.join()
    assert seen <= {ONE, TWO}
    assert seen


def test_a_writer_waits_for_the_one_before(models: Path) -> None:
    done: list[str] = []

    def activate() -> None:
        artifacts.activate(models, "can", ONE)
        done.append(ONE)

    with writer_lock(models / "can"):
        thread = threading.Thread(target=activate)
        thread.start()
        time.sleep(0.1)
        assert done == []
        assert serving(models) == TWO
    thread.join(20)
    assert done == [ONE]


def test_a_bank_larger_than_its_manifest_says_is_not_even_read(models: Path) -> None:
    """A terabyte, of holes: reading or hashing it would not come to an end."""
    path = models / "can" / TWO / artifacts.BANK
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ArtifactError, match="larger than"):
        artifacts.load(models, "can")


@pytest.mark.parametrize("change", [-1, 1])
def test_a_bank_of_another_size_is_refused(models: Path, change: int) -> None:
    path = models / "can" / TWO / artifacts.BANK
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"\0" * change)
    with pytest.raises(ArtifactError, match=r"larger than|size and sha256"):
        artifacts.load(models, "can")


def test_where_keys_are_trusted_unsigned_banks_are_refused(models: Path) -> None:
    with pytest.raises(SignatureError, match="not signed"):
        artifacts.load(models, "can", trusted=trust(OURS))
    assert artifacts.load(models, "can").manifest.bank_version == TWO


def test_a_bank_signed_by_a_trusted_key_loads(models: Path) -> None:
    signing.sign(models / "can" / TWO, OURS)
    assert artifacts.load(models, "can", trusted=trust(OURS, THEIRS)).manifest.bank_version == TWO
    with pytest.raises(SignatureError, match="not among the trusted"):
        artifacts.load(models, "can", trusted=trust(THEIRS))
    with pytest.raises(SignatureError, match="not signed"):
        artifacts.load(models, "can", ONE, trusted=trust(OURS))


def test_the_registry_serves_signed_banks_beside_refused_ones(models: Path) -> None:
    signing.sign(models / "can" / TWO, OURS)
    artifacts.save(models, make_artifact("box", version=ONE))
    artifacts.save(models, make_artifact("bag", version=ONE))
    signing.sign(models / "bag" / ONE, THEIRS)
    registry = source(models, trust(OURS)).load_all()
    assert list(registry.detectors) == ["can"]
    for name, reason in (("box", "not signed"), ("bag", "not among the trusted")):
        entry = registry.entries[name]
        assert isinstance(entry, Unavailable)
        assert reason in entry.reason
    assert sorted(source(models).load_all().detectors) == ["bag", "box", "can"]


def test_a_signature_moved_to_another_version_is_refused(models: Path) -> None:
    signing.sign(models / "can" / ONE, OURS)
    stolen = (models / "can" / ONE / signing.SIGNATURE).read_bytes()
    (models / "can" / TWO / signing.SIGNATURE).write_bytes(stolen)
    with pytest.raises(SignatureError, match="does not match"):
        artifacts.load(models, "can", trusted=trust(OURS))


def test_a_signed_version_put_in_anothers_place_is_refused(models: Path) -> None:
    for version in (ONE, TWO):
        signing.sign(models / "can" / version, OURS)
    for name in (artifacts.MANIFEST, artifacts.BANK, signing.SIGNATURE):
        data = (models / "can" / ONE / name).read_bytes()
        (models / "can" / TWO / name).write_bytes(data)
    with pytest.raises(ArtifactError, match=f"lies in can/{TWO}"):
        artifacts.load(models, "can", trusted=trust(OURS))


def equal(one: artifacts.Artifact, other: artifacts.Artifact) -> bool:
    if one.manifest != other.manifest:
        return False
    mine, theirs = vars(one.tensors()), vars(other.tensors())
    return all(
        np.array_equal(tensor, theirs[name]) if tensor is not None else theirs[name] is None
        for name, tensor in mine.items()
    )


@pytest.mark.parametrize(
    ("name", "every"),
    [(artifacts.MANIFEST, 1), (signing.SIGNATURE, 1), (artifacts.CURRENT, 1), (artifacts.BANK, 61)],
)
def test_a_flipped_bit_anywhere_in_a_signed_bank_is_refused_or_changes_nothing(
    models: Path, name: str, every: int
) -> None:
    signing.sign(models / "can" / TWO, OURS)
    (models / "can" / ONE).rename(models / "can" / "away")
    sound = artifacts.load(models, "can", trusted=trust(OURS))
    path = models / "can" / (TWO if name != artifacts.CURRENT else ".") / name
    whole = path.read_bytes()
    harmless = []
    for position in range(0, len(whole), every):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(bytes(damaged))
        try:
            found = artifacts.load(models, "can", trusted=trust(OURS))
        except ArtifactError:
            continue
        assert equal(found, sound), position
        harmless.append(position)
    # Of `current` the line's end may be another one.
    assert harmless == [] or (name == artifacts.CURRENT and harmless == [len(whole) - 1])


def test_a_pipe_or_an_endless_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for name in ("pipe", "endless"):
        with pytest.raises(ArtifactError, match="is no file"):
            read(tmp_path / name, 100)


@pytest.mark.parametrize("size", [99, 100, 101])
def test_a_file_is_read_up_to_its_limit(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    if size <= 100:
        assert len(read(tmp_path / "file", 100)) == size
    else:
        with pytest.raises(ArtifactError, match="larger than 100"):
            read(tmp_path / "file", 100)
