from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from app.bridge.sinks.settings import Target
from app.core.wording import plain_faults
from app.records.events import Event

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("entries", "kind", "title"),
    [
        (
            {"webhook": "https://example.org/hook", "secret": SECRET},
            "webhook",
            "webhook example.org",
        ),
        ({"mqtt": "mqtt://u:geheim@broker"}, "mqtt", "mqtt broker"),
        ({"apprise": "ntfy://geheim/topic"}, "apprise", "apprise ntfy"),
        ({"frigate": "http://frigate:5000", "name": "labels"}, "frigate", "labels"),
    ],
)
def test_a_target_has_one_kind_and_a_title(entries: dict[str, Any], kind: str, title: str) -> None:
    target = Target.model_validate(entries)
    assert (target.kind, target.title) == (kind, title)
    assert "geheim" not in target.title + target.address


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({}, "exactly one of"),
        ({"webhook": "https://a", "mqtt": "mqtt://b"}, "exactly one of"),
        ({"webhook": "example.org/hook"}, "webhook must be a URL"),
        ({"webhook": "https://a:x/"}, "webhook must be a URL"),
        ({"mqtt": "http://broker"}, "a broker is a URL"),
        ({"mqtt": "mqtt://broker", "secret": SECRET}, "secret belongs to webhook, not to mqtt"),
        ({"webhook": "https://a", "secret": "geheim"}, "secret begins with whsec_"),
        ({"webhook": "https://a", "secret": " "}, "secret is empty"),
        ({"webhook": "https://a", "kinds": ["alarm.gone"]}, "kinds.0: must be 'alarm.raised'"),
        ({"webhook": "https://a", "retries": 3}, "retries: is not known here"),
        ({"webhook": "https://a", "timeout_s": 0}, "timeout_s: must be greater than 0"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(entries: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as found:
        Target.model_validate(entries)
    assert said in plain_faults(found.value)
    assert "geheim" not in plain_faults(found.value)


def test_it_wants_what_its_filters_let_through() -> None:
    raised = Event(kind="alarm.raised", camera="shelf", category="can")
    lost = Event(kind="camera.lost", camera="shelf")
    cases: list[tuple[dict[str, Any], bool, bool]] = [
        ({}, True, True),
        ({"cameras": "shelf"}, True, True),
        ({"cameras": ["till"]}, False, False),
        ({"categories": ["can"]}, True, True),
        ({"categories": ["box"]}, False, True),
        ({"kinds": ["camera.lost", "camera.back"]}, False, True),
    ]
    for entries, first, second in cases:
        target = Target.model_validate({"webhook": "https://a", **entries})
        assert (target.wants(raised), target.wants(lost)) == (first, second), entries


def test_another_address_is_another_one() -> None:
    one, same, other = (
        Target(webhook=f"https://example.org/{path}", name=name).address
        for path, name in (("a", "x"), ("a", "y"), ("b", "x"))
    )
    assert one == same != other
