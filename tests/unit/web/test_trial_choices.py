from __future__ import annotations

from types import MappingProxyType

import pytest

from app.core.errors import CategoryUnavailable, UnknownCategory
from app.service.registry import Registry, Unavailable
from app.web.trial_choices import Choice, choices, chosen
from app.web.viewers import BadForm
from tests.support import make_detector

CAN, BOX = make_detector(), make_detector(category="box")
REGISTRY = Registry(
    MappingProxyType({"box": BOX, "can": CAN, "torn": Unavailable("it is cut short")})
)


def test_every_category_is_shown_and_says_why_it_cannot_be_chosen() -> None:
    assert choices(REGISTRY) == [
        Choice("box"),
        Choice("can"),
        Choice("torn", "it is cut short"),
    ]


def test_one_or_two_banks_judge() -> None:
    assert list(chosen(REGISTRY, "can", "")) == [CAN]
    assert list(chosen(REGISTRY, "can", "box")) == [CAN, BOX]


@pytest.mark.parametrize(
    ("category", "against", "error", "said"),
    [
        ("", "", BadForm, "choose a category first"),
        ("", "can", BadForm, "choose a category first"),
        ("can", "can", BadForm, "compared with itself"),
        ("torn", "", CategoryUnavailable, "it is cut short"),
        ("can", "torn", CategoryUnavailable, "it is cut short"),
        ("../can", "", UnknownCategory, "no category"),
    ],
)
def test_what_cannot_judge_is_refused(
    category: str, against: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        chosen(REGISTRY, category, against)
