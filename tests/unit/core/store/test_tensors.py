from __future__ import annotations

import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as render_safetensors

from app.core.errors import ArtifactError
from app.core.store.tensors import Tensors

G, H, N, D, SCORES = 2, 32, 7, 3, 5

DRAWN = np.random.default_rng(0)
REQUIRED: dict[str, Any] = {
    "calibration_scores": DRAWN.random(SCORES, dtype=np.float32),
    "calibration_peaks": DRAWN.random(SCORES, dtype=np.float32),
    "golden_pixels": DRAWN.integers(0, 256, (G, H, H, 3), dtype=np.uint8),
    "golden_content": np.array([[0, 0, H, H]] * G, dtype=np.float32),
    "golden_scores": DRAWN.random(G, dtype=np.float32),
}
METHOD: dict[str, Any] = {
    "method.vectors": DRAWN.random((N, D), dtype=np.float32),
    "method.list_of": np.array([0, 1, 2, 3, 0, 1, 2], dtype=np.int32),
    "method.0.weight": DRAWN.integers(0, 256, (3, 2), dtype=np.uint8),
}
WHOLE = REQUIRED | METHOD
TYPES = [
    np.float16, np.float32, np.float64, np.int8, np.uint8, np.int32, np.uint32, np.int64, np.bool_,
]  # fmt: skip
BARE, TAUGHT = render_safetensors(REQUIRED), render_safetensors(WHOLE)


STRANGERS = ["index", "bank", "", "method.", "method.A", "method./x", "method", "render"]


def parse(**changes: Any) -> Tensors:
    return Tensors.parse(render_safetensors(WHOLE | changes))


@pytest.mark.parametrize("data", [BARE, TAUGHT], ids=["nothing learnt", "learnt"])
def test_what_is_rendered_is_parsed(data: bytes) -> None:
    tensors = Tensors.parse(data)
    for name, tensor in parse_safetensors(data).items():
        own = tensors.method.get(name.removeprefix("method."), getattr(tensors, name, None))
        np.testing.assert_array_equal(own, tensor)
    assert bool(tensors.method) == (data is TAUGHT)
    again = Tensors.parse(tensors.render())
    assert again.render() == tensors.render()


def test_names_of_an_older_schema_are_read_as_todays() -> None:
    old = REQUIRED | {"bank": METHOD["method.vectors"]}
    found = Tensors.parse(render_safetensors(old), {"bank": "method.vectors"})
    np.testing.assert_array_equal(found.method["vectors"], METHOD["method.vectors"])


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_tensor_is_named(name: str) -> None:
    rest = {n: t for n, t in REQUIRED.items() if n != name}
    with pytest.raises(ArtifactError, match=f"lacks .*{name}"):
        Tensors.parse(render_safetensors(rest))


@pytest.mark.parametrize(
    "name", ["index", "bank", "", "method.", "method.A", "method./x", "method", "render"]
)
def test_a_tensor_that_no_bank_has_is_named(name: str) -> None:
    with pytest.raises(ArtifactError, match="no bank has"):
        parse(**{name: np.zeros(1, dtype=np.float32)})


@pytest.mark.parametrize("dtype", TYPES, ids=lambda t: t.__name__)
@pytest.mark.parametrize("name", WHOLE)
def test_a_tensor_of_another_type_is_refused(name: str, dtype: Any) -> None:
    fits = WHOLE[name].dtype == dtype
    if fits or (name in METHOD and dtype in (np.float32, np.int32, np.uint8)):
        parse(**{name: WHOLE[name].astype(dtype)})
        return
    with pytest.raises(ArtifactError, match=f"{name} in bank.safetensors must be"):
        parse(**{name: WHOLE[name].astype(dtype)})


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("calibration_scores", REQUIRED["calibration_scores"][:-1]),
        ("calibration_scores", REQUIRED["calibration_scores"][:, None]),
        ("calibration_scores", REQUIRED["calibration_scores"] * np.float32(np.nan)),
        ("calibration_scores", REQUIRED["calibration_scores"] + np.float32(np.inf)),
        ("calibration_peaks", REQUIRED["calibration_peaks"][1:]),
        ("calibration_peaks", REQUIRED["calibration_peaks"][None]),
        ("calibration_peaks", REQUIRED["calibration_peaks"] * np.float32(np.nan)),
        ("golden_pixels", REQUIRED["golden_pixels"][0]),
        ("golden_pixels", REQUIRED["golden_pixels"][:0]),
        ("golden_pixels", REQUIRED["golden_pixels"][:1]),
        ("golden_pixels", REQUIRED["golden_pixels"][..., :2]),
        ("golden_pixels", np.uint8(1).reshape(())),
        ("golden_content", REQUIRED["golden_content"][:, :3]),
        ("golden_content", REQUIRED["golden_content"][:1]),
        ("golden_content", REQUIRED["golden_content"] * np.float32(np.nan)),
        ("golden_content", REQUIRED["golden_content"] + np.float32(np.inf)),
        ("golden_scores", REQUIRED["golden_scores"][:1]),
        ("golden_scores", REQUIRED["golden_scores"][:, None]),
        ("golden_scores", REQUIRED["golden_scores"] * np.float32(np.nan)),
    ],
)
def test_a_tensor_of_another_shape_or_not_finite_is_refused(name: str, tensor: Any) -> None:
    with pytest.raises(ArtifactError):
        parse(**{name: np.ascontiguousarray(tensor)})


def with_header(data: bytes, *, length: int) -> bytes:
    """The same file, its header filled up with spaces, which safetensors allows."""
    (old,) = struct.unpack("<Q", data[:8])
    return struct.pack("<Q", length) + data[8 : 8 + old].ljust(length) + data[8 + old :]


def test_an_oversized_header_is_refused_before_it_is_parsed() -> None:
    fits, too_large = (with_header(TAUGHT, length=n) for n in (64 << 10, (64 << 10) + 8))
    assert set(parse_safetensors(too_large)) == set(WHOLE)  # by safetensors' own reckoning
    assert Tensors.parse(fits).method["vectors"].shape == (N, D)
    with pytest.raises(ArtifactError, match="oversized"):
        Tensors.parse(too_large)


@pytest.mark.parametrize("data", [b"", b"\1", b"\0" * 7])
def test_a_file_without_a_header_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError, match="no header"):
        Tensors.parse(data)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F128", 7])
def test_a_type_that_numpy_lacks_is_refused(dtype: Any) -> None:
    entry = {"dtype": dtype, "shape": [1, 2], "data_offsets": [0, 4]}
    header = json.dumps({"method.vectors": entry}).encode()
    with pytest.raises(ArtifactError):
        Tensors.parse(struct.pack("<Q", len(header)) + header + bytes(4))


@given(st.binary(max_size=400))
def test_no_bytes_whatsoever_raise_anything_else(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        Tensors.parse(data)


@given(
    place=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
    data=st.sampled_from([BARE, TAUGHT]),
)
def test_a_changed_byte_of_the_header_never_raises_anything_else(
    place: float, value: int, data: bytes
) -> None:
    (length,) = struct.unpack("<Q", data[:8])
    damaged = bytearray(data)
    damaged[int(place * (8 + length))] = value
    with suppress(ArtifactError):
        assert Tensors.parse(bytes(damaged)).golden_pixels.shape[3] == 3


@pytest.mark.parametrize("cut", [1, 4, 100, 5000])
def test_a_truncated_file_is_refused(cut: int) -> None:
    with pytest.raises(ArtifactError):
        Tensors.parse(TAUGHT[:-cut])
