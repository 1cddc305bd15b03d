from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.keeping import ANOMALOUS, NEAR, REST, PhotoPolicy

from .made import draft

SHA256 = st.binary(min_size=1, max_size=8).map(lambda data: hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("changes", "urgency"),
    [
        ({"verdict": "anomalous", "score": 3.0}, ANOMALOUS),
        ({"p_value": 0.03}, NEAR),  # three alphas
        ({"p_value": 0.031}, REST),
        ({"score": 1.91}, NEAR),  # the threshold is 2
        ({"score": 1.9}, REST),
        ({"p_value": None, "score": 1.91}, NEAR),
        ({"score": None, "threshold": None, "p_value": None}, REST),
        ({"verdict": "unusable", "p_value": 0.001}, REST),
    ],
)
def test_what_a_person_should_see_first(changes: dict[str, Any], urgency: int) -> None:
    assert PhotoPolicy().urgency(draft(**changes)) == urgency


@given(SHA256)
def test_the_policy_decides_what_is_kept(sha256: str) -> None:
    assert PhotoPolicy("all").keeps(draft(), sha256)
    assert not PhotoPolicy("none").keeps(draft(verdict="anomalous"), sha256)
    assert PhotoPolicy(sample=0).keeps(draft(verdict="anomalous"), sha256)
    assert PhotoPolicy(sample=0).keeps(draft(p_value=0.02), sha256)
    assert not PhotoPolicy(sample=0).keeps(draft(), sha256)
    assert PhotoPolicy(sample=1).keeps(draft(), sha256)


def test_of_the_rest_a_hundredth_is_kept_the_same_each_time() -> None:
    hashes = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(20_000)]
    kept = [sha256 for sha256 in hashes if PhotoPolicy().keeps(draft(), sha256)]
    assert 150 <= len(kept) <= 250  # 200 expected, 14 standard deviation
    assert kept == [sha256 for sha256 in hashes if PhotoPolicy().keeps(draft(5), sha256)]
    # Who keeps more keeps those, too.
    assert all(PhotoPolicy(sample=0.02).keeps(draft(), sha256) for sha256 in kept)
