from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.method import Method
from app.core.methods.registry import MethodChoice, MethodRecord, methods
from tests.support import make_artifact


def test_every_method_is_found_under_its_own_kind() -> None:
    assert methods()["knn"] is Knn
    for kind, method in methods().items():
        assert issubclass(method, Method)
        assert method.kind == kind


@pytest.mark.parametrize("kind", sorted(methods()))
def test_settings_that_no_method_has_are_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="unheard_of"):
        MethodChoice.model_validate({"kind": kind, "settings": {"unheard_of": 1}})


@pytest.mark.parametrize("kind", ["guess", "", "Knn", None, 3, ["knn"], {"knn": 1}])
def test_an_unknown_kind_is_refused(kind: object) -> None:
    with pytest.raises(ValidationError):
        MethodChoice.model_validate({"kind": kind, "settings": {}})


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValidationError, match=r"unknown method 'guess'; there are .*knn"):
        MethodChoice.model_validate({"kind": "guess", "settings": {}})


def test_a_choice_comes_back_from_json_as_it_went() -> None:
    choice = MethodChoice(kind="knn", settings=KnnSettings(k=3, coreset_ratio=0.5))
    again = MethodChoice.model_validate_json(choice.model_dump_json())
    assert again == choice
    assert isinstance(again.settings, KnnSettings)


def test_a_record_says_what_was_learnt() -> None:
    record = MethodRecord.of(make_artifact().method)
    assert json.loads(record.model_dump_json())["facts"] == {"vectors": 10, "dimensions": 3}
