from __future__ import annotations

import inspect
import re

import pytest
from fastapi.exceptions import RequestValidationError

from app.api import problems
from app.core import errors

INTERNAL = problems.CAUSES[Exception]

DOMAIN = [
    cls
    for cls in vars(errors).values()
    if inspect.isclass(cls) and issubclass(cls, errors.GoodsGuardError)
]
# Faults of a build or of a start-up: no request can meet them, other than as a category's reason.
NEVER_ANSWERED = {
    errors.PresetError,
    errors.WeightsError,
    errors.WeightsNotFound,
    errors.WeightsMismatch,
    errors.BankError,
    errors.CalibrationError,
    errors.InvalidRule,
    errors.SigningKeyError,
    errors.DatasetError,
    errors.MaskError,
    errors.TooManyUnreadable,
}
LEAVES = [cls for cls in DOMAIN if not cls.__subclasses__()]


@pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.__name__)
def test_every_error_a_request_can_meet_has_a_status_of_its_own(
    cls: type[errors.GoodsGuardError],
) -> None:
    assert (problems.cause_of(cls) is INTERNAL) == (cls in NEVER_ANSWERED)


@pytest.mark.parametrize(
    ("cls", "status"),
    [
        (errors.UnknownCategory, 404),
        (errors.CategoryUnavailable, 503),
        (errors.NotAnImage, 422),
        (errors.UnsupportedImage, 422),
        (errors.CorruptImage, 422),
        (errors.TooManyPixels, 422),
        (errors.NoTestSplit, 409),
        (errors.Overloaded, 429),
        (problems.BodyTooLarge, 413),
        (problems.BodyTimeout, 408),
        (problems.TooManyUploads, 429),
        (problems.NotAnImageType, 415),
        (problems.Unauthorised, 401),
        (problems.Forbidden, 403),
        (problems.RateLimited, 429),
        (RuntimeError, 500),
        (errors.ArtifactError, 409),
        (errors.NoSuchVersion, 409),
        (errors.NotWritable, 409),
        (errors.NetworkFailed, 503),
        (errors.DeadlineExceeded, 504),
    ],
)
def test_statuses(cls: type[Exception], status: int) -> None:
    assert problems.cause_of(cls).status == status


def test_types_are_stable_names_and_no_two_are_alike() -> None:
    types = [cause.type for cause in problems.CAUSES.values()]
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"urn:goodsguard:[a-z-]+", name) for name in types)


def test_a_subclass_takes_its_bases_row() -> None:
    class Blurred(errors.CorruptImage):
        pass

    assert problems.cause_of(Blurred) is problems.CAUSES[errors.CorruptImage]


@pytest.mark.parametrize("exception", [RuntimeError, errors.BankError, KeyError])
def test_an_unforeseen_error_shows_nothing_of_itself(exception: type[Exception]) -> None:
    body = problems.problem(exception("/secret/path"), "abc")
    assert "secret" not in body.model_dump_json()
    assert "abc" in body.detail


def test_an_invalid_request_is_told_in_bounds_and_without_its_input() -> None:
    fault = {"loc": ("query", "n" * 1000), "msg": "no number", "input": "secret", "type": "x"}
    body = problems.problem(RequestValidationError([fault] * 100), "abc")
    assert body.detail.startswith("query.nnn")
    assert "secret" not in body.detail
    assert len(body.detail) < 2500


def test_responses_give_an_example_per_cause() -> None:
    table = problems.responses(errors.NotAnImage, errors.CorruptImage, errors.UnknownCategory)
    assert set(table) == {401, 403, 404, 422, 429, 500}
    examples = table[422]["content"][problems.MEDIA_TYPE]["examples"]
    assert set(examples) == {"not-an-image", "corrupt-image", "invalid-request"}
    for name, example in examples.items():
        assert example["value"]["type"] == f"urn:goodsguard:{name}"
