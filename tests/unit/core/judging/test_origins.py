"""Where a bank's vectors come from: stored, loaded, and refused where it is not so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.core.errors import ArtifactError, BankError
from app.core.judging.origins import Origins, Pictures
from app.core.photo.small_jpeg import encoded
from app.core.store import artifact as artifacts
from tests.support import encode, make_artifact, textured

FILES = [encoded(np.asarray(textured(width, 20))) for width in (30, 40, 50)]


def int32(values: Any) -> Any:
    return np.array(values, dtype=np.int32)


PLAIN: dict[str, Any] = {
    "photo": int32([0, 2, 1, 2]),
    "boxes": int32([[0, 0, 8, 8], [8, 0, 16, 8], [8, 8, 16, 16], [40, 12, 50, 20]]),
    "numbers": int32([3, 1, 9]),
}
PICTURED: dict[str, Any] = PLAIN | {
    "pictures": np.frombuffer(b"".join(FILES), dtype=np.uint8),
    "picture_ends": int32(np.cumsum([len(file) for file in FILES])),
    "picture_frames": int32([[0, 0, 30, 20], [0, 0, 40, 20], [0, 0, 50, 20]]),
}


@pytest.mark.parametrize("tensors", [PLAIN, PICTURED], ids=["without pictures", "with pictures"])
def test_what_is_stored_is_loaded(tensors: dict[str, Any]) -> None:
    loaded = Origins.load(tensors)
    found = loaded.tensors()
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)
    assert len(loaded) == 4
    assert (loaded.pictures is None) == (tensors is PLAIN)


def test_each_photo_has_its_own_picture() -> None:
    pictures = Origins.load(PICTURED).pictures
    assert pictures is not None
    assert [pictures.file(number) for number in range(3)] == FILES
    shown = pictures.shown(1)
    assert shown is not None
    assert (shown[0].shape, shown[1].right) == ((20, 40, 3), 40)


def test_a_picture_whose_data_are_damaged_is_not_shown() -> None:
    file = bytearray(FILES[0])
    file[-60:-2] = b"\x55" * 58
    data = np.frombuffer(bytes(file), dtype=np.uint8)
    pictures = Pictures(data, int32([len(file)]), int32([[0, 0, 30, 20]]))
    assert pictures.shown(0) is None


def other(tensors: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: tensor for name, tensor in (tensors | changes).items() if tensor is not None}


JPEGS = PICTURED["pictures"]
PNG = np.frombuffer(encode(textured(30, 20)), dtype=np.uint8)
WRONG: dict[str, dict[str, Any]] = {
    "no photo": other(PLAIN, photo=None),
    "no numbers": other(PLAIN, numbers=None),
    "a stranger": other(PLAIN, cells=int32([1])),
    "pictures without ends": other(PICTURED, picture_ends=None),
    "ends without pictures": other(PICTURED, pictures=None),
    "another type": other(PLAIN, photo=PLAIN["photo"].astype(np.float32)),
    "other axes": other(PLAIN, numbers=PLAIN["numbers"][None]),
    "pictures of integers": other(PICTURED, pictures=JPEGS.astype(np.int32)),
    "no vectors": other(PLAIN, photo=int32([]), boxes=np.zeros((0, 4), np.int32)),
    "no photos": other(PLAIN, numbers=int32([])),
    "a photo beyond": other(PLAIN, photo=int32([0, 3, 1, 2])),
    "a photo before": other(PLAIN, photo=int32([0, -1, 1, 2])),
    "numbers twice": other(PLAIN, numbers=int32([3, 3, 9])),
    "number 0": other(PLAIN, numbers=int32([0, 3, 9])),
    "too few boxes": other(PLAIN, boxes=PLAIN["boxes"][1:]),
    "boxes of three": other(PLAIN, boxes=PLAIN["boxes"][:, :3]),
    "an empty box": other(PLAIN, boxes=PLAIN["boxes"] * int32([1, 1, 0, 1])),
    "a negative box": other(PLAIN, boxes=PLAIN["boxes"] - int32(1)),
    "a huge box": other(PLAIN, boxes=PLAIN["boxes"] + int32([0, 0, 1 << 29, 0])),
    "a box beyond its frame": other(PICTURED, boxes=PLAIN["boxes"] + int32([0, 0, 0, 9])),
    "frames of two": other(PICTURED, picture_frames=PICTURED["picture_frames"][:2]),
    "ends of two": other(PICTURED, picture_ends=PICTURED["picture_ends"][:2]),
    "ends that fall": other(PICTURED, picture_ends=PICTURED["picture_ends"][::-1].copy()),
    "an empty picture": other(PICTURED, picture_ends=PICTURED["picture_ends"][[0, 0, 2]]),
    "bytes left over": other(PICTURED, pictures=np.concatenate([JPEGS, JPEGS[:1]])),
    "bytes missing": other(PICTURED, pictures=JPEGS[:-1]),
    "no JPEG": other(
        PICTURED,
        pictures=np.concatenate([PNG, JPEGS[len(FILES[0]) :]]),
        picture_ends=PICTURED["picture_ends"] + int32(len(PNG) - len(FILES[0])),
    ),
}


@pytest.mark.parametrize("tensors", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_refused(tensors: dict[str, Any]) -> None:
    with pytest.raises(BankError):
        Origins.load(tensors)


@given(
    st.dictionaries(
        st.sampled_from([*PICTURED, "x"]),
        arrays.arrays(
            st.sampled_from([np.int32, np.uint8, np.float32]),
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
    )
)
def test_no_tensors_whatsoever_raise_anything_else(tensors: dict[str, Any]) -> None:
    try:
        Origins.load(PICTURED | tensors)
    except BankError:
        return


def test_a_bank_keeps_them_on_disk(tmp_path: Path) -> None:
    made = make_artifact()
    artifacts.save(tmp_path, made)
    loaded = artifacts.load(tmp_path, "can")
    assert made.origins is not None
    assert loaded.origins is not None
    for name, tensor in made.origins.tensors().items():
        np.testing.assert_array_equal(loaded.origins.tensors()[name], tensor)


def test_origins_of_other_vectors_are_refused(tmp_path: Path) -> None:
    made = make_artifact(vectors=np.random.default_rng(0).random((7, 3), dtype=np.float32))
    object.__setattr__(made, "origins", make_artifact().origins)
    artifacts.save(tmp_path, made)
    with pytest.raises(ArtifactError, match="origins of 10 vectors"):
        artifacts.load(tmp_path, "can")


def test_a_new_threshold_keeps_them(tmp_path: Path) -> None:
    made = make_artifact()
    other_one = artifacts.with_threshold(made, made.manifest.threshold.rule)
    assert other_one.origins is made.origins
