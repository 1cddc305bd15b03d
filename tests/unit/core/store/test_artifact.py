from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as render_safetensors

from app.core.detector import Detector
from app.core.errors import ArtifactError, NoSuchVersion, UnknownCategory
from app.core.store import artifact as artifacts
from app.core.store import serving
from app.core.store.manifest import Manifest
from tests.support import (
    ROOT,
    bank_of,
    colour_extractor,
    make_artifact,
    plain,
    version_number,
    write_photos,
)

COLOURS: list[int | tuple[int, int, int]] = [100, 137, (250, 40, 40), (3, 90, 200)]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The folder of the version that serves."""
    manifest = artifacts.save(tmp_path, make_artifact())
    return tmp_path / "can" / manifest.bank_version


def a_build(index: int) -> artifacts.Artifact:
    """One of several that are not merely thresholds of each other."""
    made = make_artifact(version=version_number(index))
    manifest = made.manifest.model_copy(update={"wall_time_s": float(index)})
    return replace(made, manifest=manifest)


def edit(version: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = version / artifacts.MANIFEST
    content = json.loads(path.read_text())
    change(content)
    try:
        path.write_bytes(Manifest.model_validate(content).render())  # sealed anew
    except ValidationError:
        path.write_text(json.dumps(content))


def replace_bank(version: Path, data: bytes) -> None:
    """Other contents under a manifest that vouches for them."""
    (version / artifacts.BANK).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit(version, lambda manifest: manifest.update(bank_sha256=digest, bank_bytes=len(data)))


def load(version: Path) -> artifacts.Artifact:
    return artifacts.load(version.parents[1], "can")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    artifact = make_artifact()
    written = artifacts.save(tmp_path, artifact)
    loaded = artifacts.load(tmp_path, "can")
    assert loaded.manifest == written
    np.testing.assert_array_equal(bank_of(loaded).vectors, bank_of(artifact).vectors)
    np.testing.assert_array_equal(loaded.calibration.scores, artifact.calibration.scores)
    assert loaded.calibration.threshold == artifact.calibration.threshold
    assert loaded.calibration.alpha == artifact.calibration.alpha


def test_another_process_gives_the_same_scores(tmp_path: Path) -> None:
    artifact = make_artifact(
        vectors=np.random.default_rng(0).random((50, 3), dtype=np.float32), k=3
    )
    artifacts.save(tmp_path, artifact)
    paths = write_photos(tmp_path / "photos", [plain(colour) for colour in COLOURS])
    detector = Detector(artifact, colour_extractor())
    expected = [detector.inspect(path.read_bytes()).score for path in paths]
    program = (
        "import sys, pathlib\n"
        "from app.core.store import artifact\n"
        "from app.core.detector import Detector\n"
        "from tests.support import colour_extractor\n"
        "loaded = artifact.load(pathlib.Path(sys.argv[1]), 'can')\n"
        "detector = Detector(loaded, colour_extractor())\n"
        "for path in sys.argv[2:]:\n"
        "    print(detector.inspect(pathlib.Path(path).read_bytes()).score.hex())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [float.fromhex(line) for line in done.stdout.split()] == expected


def test_versions_sort_by_time() -> None:
    early = artifacts.new_version(datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC))
    late = artifacts.new_version(datetime(2026, 10, 1, 0, 0, 0, tzinfo=UTC))
    assert early < late
    assert early.startswith("20260930T235959Z-")


def test_two_versions_of_one_second_differ() -> None:
    now = datetime.now(UTC)
    assert len({artifacts.new_version(now) for _ in range(20)}) == 20


def test_the_latest_save_serves(tmp_path: Path) -> None:
    for index in (1, 2):
        artifacts.save(tmp_path, make_artifact(threshold=index / 10, version=version_number(index)))
    assert artifacts.load(tmp_path, "can").manifest.threshold.value == 0.2


def test_an_older_version_can_be_asked_for(tmp_path: Path) -> None:
    for index in (1, 2):
        artifacts.save(tmp_path, make_artifact(threshold=index / 10, version=version_number(index)))
    older = artifacts.load(tmp_path, "can", version_number(1))
    assert older.manifest.threshold.value == 0.1


def test_the_last_five_builds_are_kept_where_a_service_notes_what_serves(tmp_path: Path) -> None:
    for index in range(8):
        artifacts.save(tmp_path, a_build(index))
        serving.note(tmp_path, "can", version_number(index))
    kept = [version_number(index) for index in range(3, 8)]
    # What the last save found noted is the version before it: one more than five may lie there.
    artifacts.save(tmp_path, a_build(8))
    assert artifacts.versions(tmp_path / "can") == [*kept[1:], version_number(8)]
    assert all(artifacts.load(tmp_path, "can", version) for version in kept[1:])


def test_the_serving_version_is_never_pruned(tmp_path: Path) -> None:
    """After the clock went back, the newest save has the oldest name."""
    for index in range(1, 6):
        artifacts.save(tmp_path, a_build(index))
    serving.note(tmp_path, "can", version_number(5))
    artifacts.save(tmp_path, a_build(0))
    assert artifacts.load(tmp_path, "can").manifest.bank_version == version_number(0)


def test_a_save_leaves_nothing_but_versions(saved: Path) -> None:
    left = {p.name for p in saved.parent.iterdir() if not p.name.startswith(".lock")}
    assert left == {saved.name, "current"}
    assert {p.name for p in saved.iterdir()} == {"manifest.json", "bank.safetensors"}


def test_nothing_is_serialised_as_code(saved: Path) -> None:
    assert json.loads((saved / "manifest.json").read_text())["category"] == "can"
    (length,) = struct.unpack("<Q", (saved / "bank.safetensors").read_bytes()[:8])
    header = json.loads((saved / "bank.safetensors").read_bytes()[8 : 8 + length])
    assert {"method.vectors", "calibration_scores"} <= set(header)


def test_no_category_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownCategory):
        artifacts.load(tmp_path, "can")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_flipped_byte_of_the_bank_is_noticed(saved: Path, position: float, flip: int) -> None:
    path = saved / artifacts.BANK
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[int(position * len(whole))] ^= flip
    path.write_bytes(bytes(damaged))
    try:
        with pytest.raises(ArtifactError, match="sha256"):
            load(saved)
    finally:
        path.write_bytes(whole)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_changed_byte_of_the_manifest_is_refused(
    saved: Path, position: float, value: int
) -> None:
    path = saved / artifacts.MANIFEST
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[int(position * len(whole))] = value
    path.write_bytes(bytes(damaged))
    with suppress(ArtifactError):
        assert bank_of(load(saved)).dimensions == 3
    path.write_bytes(whole)


@pytest.mark.parametrize("name", [artifacts.BANK, artifacts.MANIFEST])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_noticed(saved: Path, name: str, share: float) -> None:
    data = (saved / name).read_bytes()
    (saved / name).write_bytes(data[: int(share * len(data)) - 2])
    with pytest.raises(ArtifactError):
        load(saved)


@pytest.mark.parametrize("name", [artifacts.BANK, artifacts.MANIFEST])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load(saved)


def test_a_missing_current_is_named(saved: Path) -> None:
    (saved.parent / artifacts.CURRENT).unlink()
    with pytest.raises(ArtifactError, match="current"):
        load(saved)


@pytest.mark.parametrize(
    "content", ["", "../../etc", "latest", "20260101T000000Z-00000g", "\0" * 9]
)
def test_a_current_that_names_no_version_is_refused(saved: Path, content: str) -> None:
    (saved.parent / artifacts.CURRENT).write_text(content)
    with pytest.raises(ArtifactError, match="names no bank version"):
        load(saved)


def test_a_current_that_names_a_missing_version_is_refused(saved: Path) -> None:
    (saved.parent / artifacts.CURRENT).write_text(version_number(1))
    with pytest.raises(NoSuchVersion, match=version_number(1)):
        load(saved)


def put(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] = value

    return change


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    "change",
    [
        put("threshold", "value", value=NAN),
        put("threshold", "value", value=INFINITY),
        put("threshold", "value", value="high"),
        put("threshold", "alpha", value=NAN),
        put("threshold", "alpha", value=1.5),
        put("threshold", "rule", value={"rule": "guess"}),
        put("method", "facts", "vectors", value=9),
        put("method", "facts", "dimensions", value=4),
        put("method", "facts", value={}),
        put("method", "kind", value="guess"),
        put("method", "kind", value=["knn"]),
        put("method", "settings", "k", value=0),
        put("method", "settings", "extra", value=1),
        put("method", "settings", value=[]),
        put("method", value=None),
        put("counts", "calibration_scores", value=3),
        put("counts", "images", value=-1),
        put("category", value="box"),
        put("bank_version", value=version_number(1)),
        put("bank_version", value="latest"),
        put("bank_sha256", value="0" * 64),
        put("bank_sha256", value=""),
        put("features", "preprocess", "input_size", value=-1),
        put("features", "preprocess", "std", value=[0, 0, 0]),
        put("features", "preprocess", "mean", value=[NAN, 0, 0]),
        put("features", "preprocess", "std", value=[NAN, 1, 1]),
        put("features", "preprocess", "resize", value="stretch"),
        put("features", "layers", value=[]),
        put("scoring", "top_share", value=2),
        put("scoring", "extra", value=1),
        put("schema_version", value=99),
        put("created_at", value="yesterday"),
        put("unheard_of", value=1),
        lambda manifest: manifest.pop("features"),
        lambda manifest: manifest.pop("threshold"),
        lambda manifest: manifest.clear(),
    ],
)
def test_an_edited_manifest_is_refused(
    saved: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit(saved, change)
    with pytest.raises(ArtifactError):
        load(saved)


def test_another_schema_is_named_with_the_way_out(saved: Path) -> None:
    edit(saved, put("schema_version", value=99))
    with pytest.raises(ArtifactError, match=r"99 .*build the bank again"):
        load(saved)


def test_a_later_schema_with_fields_of_its_own_is_named_too(saved: Path) -> None:
    edit(saved, lambda manifest: manifest.update(schema_version=99, colour_space="linear"))
    with pytest.raises(ArtifactError, match=r"99 .*build the bank again"):
        load(saved)


@pytest.mark.parametrize("content", [b"[]", b"null", b"\xff\xfe", b"{", b"x" * (5 << 20)])
def test_what_is_no_manifest_is_refused(saved: Path, content: bytes) -> None:
    (saved / artifacts.MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError):
        load(saved)


@pytest.mark.parametrize(
    ("tensor", "change"),
    [
        ("method.vectors", None),
        ("calibration_scores", None),
        ("method.vectors", lambda a: a.astype(np.float64)),
        ("method.vectors", lambda a: a.astype(np.float16)),
        ("method.vectors", lambda a: a[:-1]),
        ("method.vectors", lambda a: a[:, :2].copy()),
        ("method.vectors", lambda a: a.ravel()),
        ("method.vectors", lambda a: a * np.float32(np.nan)),
        ("method.vectors", lambda a: a + np.float32(np.inf)),
        ("calibration_scores", lambda a: a.astype(np.float64)),
        ("calibration_scores", lambda a: a * np.float32(np.nan)),
        ("calibration_scores", lambda a: a[:-1]),
        ("calibration_scores", lambda a: a[:, None]),
    ],
)
def test_contents_that_do_not_match_are_refused_whatever_the_hash_says(
    saved: Path, tensor: str, change: Callable[[Any], Any] | None
) -> None:
    tensors = parse_safetensors((saved / artifacts.BANK).read_bytes())
    replace_bank(saved, render_safetensors(tensors))
    assert bank_of(load(saved)).dimensions == 3
    original = tensors.pop(tensor)
    replace_bank(
        saved, render_safetensors(tensors | ({tensor: change(original)} if change else {}))
    )
    with pytest.raises(ArtifactError):
        load(saved)


def bfloat16_bank() -> bytes:
    header = json.dumps(
        {
            "method.vectors": {"dtype": "BF16", "shape": [10, 3], "data_offsets": [0, 60]},
            "calibration_scores": {"dtype": "F32", "shape": [4], "data_offsets": [60, 76]},
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(76)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 8, b"\xff" * 64, struct.pack("<Q", 2) + b"{}", bfloat16_bank()],
    ids=["empty", "no header", "endless header", "no tensors", "bfloat16"],
)
def test_what_is_no_bank_is_refused_whatever_the_hash_says(saved: Path, data: bytes) -> None:
    replace_bank(saved, data)
    with pytest.raises(ArtifactError):
        load(saved)


def test_a_version_moved_to_another_category_is_refused(saved: Path) -> None:
    models = saved.parents[1]
    shutil.copytree(saved.parent, models / "box")
    with pytest.raises(ArtifactError, match="can/"):
        artifacts.load(models, "box")


def test_the_training_files_hash_depends_on_names_and_sizes_only() -> None:
    files = [(Path("a/photo_0.png"), 70), (Path("a/photo_1.png"), 71)]
    first = artifacts.training_files_sha256(files)
    assert artifacts.training_files_sha256(files[::-1]) == first
    assert artifacts.training_files_sha256([(Path("b/photo_0.png"), 70), files[1]]) == first
    assert artifacts.training_files_sha256([(Path("a/photo_0.png"), 72), files[1]]) != first
    assert artifacts.training_files_sha256([(Path("a/photo_2.png"), 70), files[1]]) != first


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
def test_training_files_whose_names_are_not_utf8_are_hashed_by_their_bytes() -> None:
    names = (b"M\xfcller.png", b"M\xf6ller.png", "Müller.png".encode())
    hashes = {artifacts.training_files_sha256([(Path(os.fsdecode(n)), 1)]) for n in names}
    assert len(hashes) == len(names)
    assert hashlib.sha256("Müller.png\t1\n".encode()).hexdigest() in hashes


def test_folders_may_be_given_as_text(tmp_path: Path) -> None:
    models = str(tmp_path / "models")
    written = artifacts.save(models, make_artifact())
    assert artifacts.load(models, "can").manifest == written
