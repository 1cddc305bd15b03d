from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.wording import plain_faults


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int = Field(ge=1)
    name: str = ""


class _Outer(BaseModel):
    settings: _Inner


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "width: is missing"),
        ({"width": 0}, "width: must be greater than or equal to 1"),
        ({"width": 1, "height": 2}, "height: is not known here: take it out"),
        ({"width": 1, "name": 5}, "name: must be a valid string"),
        ({"width": 0, "name": 5},
         "width: must be greater than or equal to 1; name: must be a valid string"),
    ],
)  # fmt: skip
def test_faults_are_told_in_one_line_without_the_value(
    values: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate({"settings": values})
    assert plain_faults(caught.value, hidden=("settings",)) == words
