from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.errors import ArtifactError, SignatureError
from app.core.store import artifact as artifacts
from app.core.store import signing
from app.core.store.signing_keys import TrustedKeys, key_id
from tests.support import make_artifact, version_number


def private(number: int) -> Ed25519PrivateKey:
    """The same key for the same number."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


OURS, THEIRS = private(1), private(2)
OUR_ID, THEIR_ID = (key_id(key.public_key()) for key in (OURS, THEIRS))


def trust(*keys: Ed25519PrivateKey) -> TrustedKeys:
    return TrustedKeys({key_id(key.public_key()): key.public_key() for key in keys})


MANIFEST = b'{\n  "category": "can",\n  "bank_sha256": "%s"\n}\n' % (b"7" * 64)


def signature(message: bytes, key: Ed25519PrivateKey = OURS, **changes: Any) -> bytes:
    """A signature file built by hand, as its format is documented."""
    value = base64.b64encode(key.sign(message)).decode()
    fields = {"algorithm": "ed25519", "key_id": key_id(key.public_key()), "signature": value}
    return (json.dumps(fields | changes, indent=2) + "\n").encode()


GOOD = signature(signing.CONTEXT + MANIFEST)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """The folder of a stored bank."""
    manifest = artifacts.save(tmp_path, make_artifact(version=version_number(1)))
    return tmp_path / "can" / manifest.bank_version


def check(version: Path, trusted: TrustedKeys) -> str:
    return signing.check(version, (version / artifacts.MANIFEST).read_bytes(), trusted)


def test_what_was_signed_is_verified(version: Path) -> None:
    assert signing.sign(version, OURS) == OUR_ID
    assert check(version, trust(OURS, THEIRS)) == OUR_ID


def test_the_file_is_as_documented(version: Path) -> None:
    signing.sign(version, OURS)
    manifest = (version / artifacts.MANIFEST).read_bytes()
    assert (version / "signature.json").read_bytes() == signature(signing.CONTEXT + manifest)


def test_the_key_id_is_pinned() -> None:
    """It is written into files that outlive this release."""
    assert OUR_ID == "34750f98bd59fcfc"


def test_a_signed_bank_loads_and_is_replaced_whole(version: Path) -> None:
    before = sorted(path.name for path in version.iterdir())
    signing.sign(version, OURS)
    signing.sign(version, THEIRS)
    assert sorted(path.name for path in version.iterdir()) == sorted([*before, signing.SIGNATURE])
    assert check(version, trust(THEIRS)) == THEIR_ID
    assert artifacts.load(version.parents[1], "can").manifest.bank_version == version.name


def test_a_folder_without_a_manifest_cannot_be_signed(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="cannot be signed"):
        signing.sign(tmp_path, OURS)


def test_a_bank_that_is_not_signed_is_refused(version: Path) -> None:
    with pytest.raises(SignatureError, match="not signed"):
        check(version, trust(OURS))


def test_a_fault_of_a_signature_is_one_of_its_bank() -> None:
    """So the category becomes unavailable with the reason, and the others serve."""
    assert issubclass(SignatureError, ArtifactError)


def test_an_unknown_key_is_named_with_those_that_are_trusted(version: Path) -> None:
    signing.sign(version, THEIRS)
    with pytest.raises(SignatureError, match=f"{THEIR_ID}.* not among .*{OUR_ID}"):
        check(version, trust(OURS))


def test_a_trusted_id_on_a_strangers_signature_is_refused() -> None:
    forged = signature(signing.CONTEXT + MANIFEST, THEIRS, key_id=OUR_ID)
    with pytest.raises(SignatureError, match="does not match"):
        signing.verify(MANIFEST, forged, trust(OURS))


def test_one_trusted_key_does_not_vouch_for_another() -> None:
    forged = signature(signing.CONTEXT + MANIFEST, OURS, key_id=THEIR_ID)
    with pytest.raises(SignatureError, match="does not match"):
        signing.verify(MANIFEST, forged, trust(OURS, THEIRS))


@pytest.mark.parametrize("message", [MANIFEST, b"goodsguard bank manifest v2\0" + MANIFEST])
def test_a_signature_made_for_another_purpose_is_refused(message: bytes) -> None:
    with pytest.raises(SignatureError, match="does not match"):
        signing.verify(MANIFEST, signature(message), trust(OURS))


def test_another_banks_signature_is_refused(version: Path) -> None:
    artifacts.save(version.parents[1], make_artifact(version=version_number(2)))
    other = version.with_name(version_number(2))
    signing.sign(version, OURS)
    shutil.copy(version / signing.SIGNATURE, other)
    with pytest.raises(SignatureError, match="does not match"):
        check(other, trust(OURS))


def test_a_signed_bank_does_not_serve_as_another_category(version: Path) -> None:
    """Its signature still holds; that it lies in the wrong place is for `load` to see."""
    signing.sign(version, OURS)
    models = version.parents[1]
    shutil.copytree(models / "can", models / "box")
    assert check(models / "box" / version.name, trust(OURS)) == OUR_ID
    with pytest.raises(ArtifactError, match="can/"):
        artifacts.load(models, "box")


@given(position=st.integers(0, len(MANIFEST) - 1), value=st.integers(0, 255))
def test_a_changed_byte_of_the_manifest_is_refused(position: int, value: int) -> None:
    changed = bytearray(MANIFEST)
    changed[position] = value
    if bytes(changed) == MANIFEST:
        assert signing.verify(MANIFEST, GOOD, trust(OURS)) == OUR_ID
    else:
        with pytest.raises(SignatureError):
            signing.verify(bytes(changed), GOOD, trust(OURS))


SPARE_BITS = GOOD.index(b'=="') - 1  # of base64's last digit: they carry nothing


@given(position=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255))
@example(position=1, value=ord(" "))  # another white space
@example(position=SPARE_BITS, value=GOOD[SPARE_BITS] + 1)
def test_a_changed_byte_of_the_signature_is_refused(position: int, value: int) -> None:
    changed = bytearray(GOOD)
    changed[position] = value
    if bytes(changed) == GOOD:
        assert signing.verify(MANIFEST, GOOD, trust(OURS)) == OUR_ID
    else:
        with pytest.raises(SignatureError):
            signing.verify(MANIFEST, bytes(changed), trust(OURS, THEIRS))


@given(length=st.integers(0, len(GOOD) - 1))
def test_a_truncated_signature_is_refused(length: int) -> None:
    with pytest.raises(SignatureError, match="malformed"):
        signing.verify(MANIFEST, GOOD[:length], trust(OURS))


@pytest.mark.parametrize("algorithm", ["rsa", "Ed25519", "none", "", None, 7, ["ed25519"]])
def test_another_algorithm_is_refused(algorithm: object) -> None:
    with pytest.raises(SignatureError, match="algorithm is not ed25519"):
        signing.verify(
            MANIFEST, signature(signing.CONTEXT + MANIFEST, algorithm=algorithm), trust(OURS)
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"key_id": OUR_ID.upper()},
        {"key_id": OUR_ID[:-1]},
        {"key_id": "../../../etc/pass"},
        {"key_id": None},
        {"key_id": 7},
        {"key_id": [OUR_ID]},
        {"signature": None},
        {"signature": "ä" * 88},
        {"signature": "=" * 88},
        {"signature": 7},
        {"more": 1},
    ],
)
def test_fields_that_are_no_signatures_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(SignatureError, match="malformed"):
        signing.verify(MANIFEST, signature(signing.CONTEXT + MANIFEST, **changes), trust(OURS))


@pytest.mark.parametrize("length", [0, 63, 65, 1_000])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    value = base64.b64encode(bytes(length)).decode()
    with pytest.raises(SignatureError):
        signing.verify(MANIFEST, signature(b"", signature=value), trust(OURS))


GARBAGE = (
    *(b"", b"null", b"7", b"{}", b"[]", b'"ed25519"', b"{", b"\xff\xfe", b"\0" * 99, b"NaN"),
    *(b"[" * 4_096, b'{"a":' * 800, b"9" * 4_096, b'["algorithm", "key_id", "signature"]'),
    *(GOOD + b"\n", GOOD.strip(), b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n")),
    GOOD.decode().encode("utf-16"),
    GOOD.replace(b"{", b'{\n  "algorithm": "rsa",'),
)


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_malformed(content: bytes) -> None:
    with pytest.raises(SignatureError, match="malformed"):
        signing.verify(MANIFEST, content, trust(OURS))


@given(st.binary(max_size=4_096))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with pytest.raises(SignatureError):
        signing.verify(MANIFEST, content, trust(OURS))


def test_a_huge_file_is_refused_and_not_read(version: Path) -> None:
    with (version / signing.SIGNATURE).open("wb") as file:
        file.truncate(1 << 40)  # more than the memory: only its first bytes may be read
    with pytest.raises(SignatureError, match="larger than 4096 bytes"):
        check(version, trust(OURS))


@pytest.mark.parametrize(("spaces", "fault"), [(4096, "malformed"), (4097, "larger than")])
def test_the_limit_is_exact(spaces: int, fault: str) -> None:
    with pytest.raises(SignatureError, match=fault):
        signing.verify(MANIFEST, GOOD.ljust(spaces), trust(OURS))


def test_a_signature_that_cannot_be_read_is_refused(version: Path) -> None:
    (version / signing.SIGNATURE).mkdir()
    with pytest.raises(SignatureError, match="cannot be read"):
        check(version, trust(OURS))


def test_a_link_to_nowhere_is_no_signature(version: Path) -> None:
    (version / signing.SIGNATURE).symlink_to("nowhere")
    with pytest.raises(SignatureError, match="not signed"):
        check(version, trust(OURS))
