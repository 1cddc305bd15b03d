from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.core.methods.knn.bank_rule import BankRule


@given(
    patches=st.integers(1, 10**7),
    ratio=st.floats(1e-9, 1),
    limit=st.none() | st.integers(1, 10**5),
)
def test_never_nothing_and_never_more_than_there_is(
    patches: int, ratio: float, limit: int | None
) -> None:
    size = BankRule(coreset_ratio=ratio, max_vectors=limit).size(patches)
    assert 1 <= size <= patches
    assert limit is None or size <= limit


@pytest.mark.parametrize(("patches", "size"), [(1000, 100), (5, 1), (100_000, 800)])
def test_a_tenth_up_to_a_limit(patches: int, size: int) -> None:
    assert BankRule(coreset_ratio=0.1, max_vectors=800).size(patches) == size


@pytest.mark.parametrize(
    "change", [{"coreset_ratio": 0}, {"coreset_ratio": 1.1}, {"max_vectors": 0}]
)
def test_rules_that_keep_nothing_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BankRule.model_validate(change)
