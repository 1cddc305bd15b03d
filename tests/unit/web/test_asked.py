from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.filters import FIELDS
from app.web.asked import Asked

TEXTS = st.text(max_size=12)


def test_an_address_without_parameters_asks_for_everything() -> None:
    asked = Asked.of({})
    assert (asked.values, asked.faults, asked.address()) == ({}, {}, "history")


def test_empty_fields_ask_for_nothing() -> None:
    asked = Asked.of(
        {"category": "", "camera": " ", "since": "", "lowest": "", "verdict": "normal"}
    )
    assert asked.address() == "history?verdict=normal"
    assert asked.filter.camera is None


def test_a_time_without_its_zone_counts_as_utc() -> None:
    asked = Asked.of({"since": "2026-02-01T12:30", "until": "2026-02-01T12:30:01+02:00"})
    assert asked.filter.since == datetime(2026, 2, 1, 12, 30, tzinfo=UTC)
    assert asked.values["since"] == "2026-02-01T12:30Z"
    assert asked.filter.until == datetime(2026, 2, 1, 10, 30, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"verdict": "broken"}, "verdict"),
        ({"decision": "perhaps"}, "decision"),
        ({"reviewed": "maybe"}, "reviewed"),
        ({"since": "yesterday"}, "since"),
        ({"lowest": "nan"}, "lowest"),
        ({"lowest": "3", "highest": "2"}, "highest"),
        ({"since": "2026-02-02T00:00Z", "until": "2026-02-01T00:00Z"}, "until"),
        ({"category": "x" * 65}, "category"),
        ({"categori": "can"}, ""),
    ],
)
def test_what_is_wrong_is_said_of_its_field(query: dict[str, str], field: str) -> None:
    asked = Asked.of({"camera": "till"} | query)
    assert set(asked.faults) == {field}
    assert len(asked.faults[field]) > 10
    assert asked.filter.camera == "till"


@given(query=st.dictionaries(st.sampled_from(FIELDS), TEXTS), view=TEXTS, cursor=TEXTS)
def test_an_address_leads_back_to_the_same_filter(
    query: dict[str, str], view: str, cursor: str
) -> None:
    asked = Asked.of(query | {"view": view, "cursor": cursor})
    again = Asked.of(dict(parse_qsl(urlsplit(asked.address(cursor=asked.cursor)).query)))
    assert again == asked
