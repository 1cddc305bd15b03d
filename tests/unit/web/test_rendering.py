from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from jinja2 import UndefinedError

from app.web.rendering import (
    POLICY,
    asset,
    capitalized,
    environment,
    moment,
    number,
    percent,
    size,
)
from app.web.static_files import static_files
from tests.support import ROOT

TEMPLATES = sorted((ROOT / "app/web/templates").glob("*.html"))
OURS = sorted((ROOT / "app/web/static/page").glob("*"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.23456, "1.235"), (0.0, "0"), (None, "–"), (float("inf"), "–"), (123456.0, "123,456")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0135, "1.4\N{NO-BREAK SPACE}%"),
        (0.5, "50\N{NO-BREAK SPACE}%"),
        (1.0, "100\N{NO-BREAK SPACE}%"),
        (0.0, "0\N{NO-BREAK SPACE}%"),
        (None, "–"),
    ],
)
def test_shares(value: float | None, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (10 << 30, "10 GiB")],
)
def test_sizes(value: int, text: str) -> None:
    assert size(value) == text


def test_a_time_is_shown_in_utc_until_a_script_knows_better() -> None:
    at = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    text = str(moment(at))
    assert "2026-02-28 23:30:00 UTC" in text
    assert f'datetime="{at.astimezone(UTC).isoformat(timespec="milliseconds")}"' in text


def test_only_the_first_letter_becomes_a_capital() -> None:
    assert capitalized("the key 'ABC' is") == "The key 'ABC' is"
    assert capitalized("") == ""


@pytest.mark.parametrize(
    "text", ["bank.safetensors does not match", "models/can: gone", "query.name: is missing", "v1"]
)
def test_a_sentence_that_begins_with_a_name_stays_as_it_is(text: str) -> None:
    assert capitalized(text) == text


def test_a_time_may_ask_for_its_full_form() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    assert 'data-local="full"' in moment(at, full=True)
    assert 'data-local=""' in moment(at)


def test_names_are_escaped() -> None:
    text = environment().from_string("{{ name }}").render(name="<script>")
    assert "<script>" not in text


def test_a_name_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        environment().from_string("{{ nothing }}").render()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_that_the_policy_forbids(path) -> None:  # type: ignore[no-untyped-def]
    text = path.read_text(encoding="utf-8")
    environment().get_template(path.name)  # it can be read
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(
        r"<style|\sstyle\s*=|\son\w+\s*=\s*[\"']|javascript:|\|\s*safe\b", text, re.I
    )
    # Below a proxy's prefix only relative addresses lead here.
    assert not re.search(r"(?:src|href|action|hx-\w+)=\"/", text)
    assert not re.search(r"https?://", text.replace("http://www.w3.org/", ""))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_scripts_and_styles_put_no_data_into_html(path) -> None:  # type: ignore[no-untyped-def]
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\()", text)
    assert not re.search(r"https?://", text.replace("http://www.w3.org/", ""))
    assert path.name == "icon.svg" or f"page/{path.name}" in static_files()


def test_the_policy_lets_no_inline_script_through() -> None:
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY


def test_an_asset_changes_its_address_with_its_content() -> None:
    assert re.fullmatch(r"\.\./static/page/page\.css\?[0-9a-f]{8}", asset("page/page.css"))
    with pytest.raises(KeyError):
        asset("no.css")
