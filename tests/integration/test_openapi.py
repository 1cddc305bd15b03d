from __future__ import annotations

import json
from typing import Any

import pytest

from app.main import create_app
from app.settings import Settings
from scripts.export_openapi import TARGET, render
from tests.integration.service import Service
from tests.support import ROOT

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
ACCESS = {"401", "403", "429"}
COMMON = {"200", "422", "500"} | ACCESS
CATEGORY = COMMON | {"404", "503"}
RECORDS = COMMON | {"503"}
RECORDED = RECORDS | {"404"}
SCORING = CATEGORY | {"408", "413", "415"}

ERRORS = {
    ("post", "/score/{category}"): SCORING,
    ("post", "/score/{category}/batch"): SCORING,
    ("get", "/categories"): {"200", "500"} | ACCESS,
    ("get", "/categories/{category}"): COMMON | {"404"},
    ("post", "/evaluate/{category}"): CATEGORY | {"202", "409"},
    ("get", "/evaluate"): {"200", "500"} | ACCESS,
    ("get", "/evaluate/{category}"): CATEGORY,
    ("post", "/score"): SCORING - {"404"},
    ("post", "/admin/reload"): {"200", "500"} | ACCESS,
    ("post", "/admin/categories/{category}/rollback"): COMMON | {"404", "409"},
    ("get", "/admin/categories/{category}/versions"): COMMON | {"404"},
    ("get", "/verdicts"): RECORDS,
    ("delete", "/verdicts"): RECORDS,
    ("get", "/verdicts/{id}"): RECORDED,
    ("get", "/verdicts/{id}/photo"): RECORDED,
    ("get", "/verdicts/{id}/thumbnail"): RECORDED,
    ("get", "/verdicts/{id}/overlay"): RECORDED | {"409", "504"},
    ("put", "/verdicts/{id}/review"): RECORDED | {"408", "409", "413"},
    ("get", "/verdicts/{id}/reviews"): RECORDED,
    ("get", "/defect-types"): RECORDS,
    ("get", "/verdicts.csv"): RECORDS,
    ("get", "/verdicts.parquet"): RECORDS | {"501"},
    ("get", "/livez"): {"200"},
    ("get", "/readyz"): {"200", "503"},
    ("get", "/metrics"): {"200"},
}
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]


def test_the_committed_document_is_this_one() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(), (
        "docs/openapi.json is out of date: run `make openapi` and look at the difference"
    )


def test_every_call_is_there() -> None:
    assert {(method, path) for method, path, _ in OPERATIONS} == set(ERRORS)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_route_documents_its_statuses(method: str, path: str, operation: Any) -> None:
    assert set(operation["responses"]) >= ERRORS[method, path]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_error_is_a_problem_with_an_example(method: str, path: str, operation: Any) -> None:
    for status, response in operation["responses"].items():
        if status < "400" or path == "/readyz":
            continue
        content = response["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content["examples"]
        for example in content["examples"].values():
            assert str(example["value"]["status"]) == status


def test_fastapis_own_error_form_is_not_promised() -> None:
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_route_says_what_it_does(method: str, path: str, operation: Any) -> None:
    assert operation["summary"]
    assert operation["description"]


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("/score/{category}", {"multipart/form-data", "image/*"}),
        ("/score/{category}/batch", {"multipart/form-data"}),
    ],
)
def test_uploads_say_what_they_take(path: str, types: set[str]) -> None:
    assert set(DOCUMENT["paths"][path]["post"]["requestBody"]["content"]) == types


def test_a_score_has_an_example() -> None:
    assert DOCUMENT["components"]["schemas"]["Score"]["example"]["verdict"] == "anomalous"


@pytest.mark.anyio
async def test_the_documents_are_served(service: Service) -> None:
    assert (await service.client.get("/openapi.json")).json() == DOCUMENT
    assert "text/html" in (await service.client.get("/docs")).headers["content-type"]


def test_the_committed_document_lies_in_docs() -> None:
    assert TARGET == ROOT / "docs" / "openapi.json"
