from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"GOODSGUARD_{name}", value)
    return Settings()


def test_defaults_serve_without_any_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOODSGUARD_THREADS", raising=False)
    settings = Settings()
    assert (settings.models_dir, settings.device, settings.threads) == (Path("models"), "auto", 0)
    assert settings.api_keys == ()


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = environment(monkeypatch, MODELS_DIR="/srv/banks", MAX_BYTES="2048", THREADS="3")
    assert settings.models_dir == Path("/srv/banks")
    assert (settings.max_bytes, settings.threads) == (2048, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BYTES", "1"),
        ("MAX_BYTES", "many"),
        ("MAX_PIXELS", "0"),
        ("MAX_BATCH", "0"),
        ("MAX_UPLOAD_BYTES", "1"),
        ("BODY_TIMEOUT_S", "0"),
        ("QUEUE_SIZE", "0"),
        ("THREADS", "-1"),
        ("LOG_LEVEL", "loud"),
        ("RATE_LIMIT", "-1"),
        ("ALLOW_ANONYMOUS", "perhaps"),
    ],
)
def test_an_invalid_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        environment(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    ("value", "keys"),
    [("", ()), (" , ", ()), ("one", ("one",)), ("one, two ,", ("one", "two"))],
)
def test_keys_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, value: str, keys: tuple[str, ...]
) -> None:
    assert environment(monkeypatch, API_KEYS=value).api_keys == keys


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Settings(api_keys=("secret",)))


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({}, False),
        ({"API_KEYS": " , "}, False),
        ({"ALLOW_ANONYMOUS": "true"}, False),
        ({"API_KEYS": "one"}, True),
        ({"API_KEYS_FILE": "nowhere.toml"}, True),
        ({"API_KEYS_FILE": "nowhere.toml", "ALLOW_ANONYMOUS": "true"}, True),
    ],
)
def test_whether_a_key_is_needed(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], needed: bool
) -> None:
    assert environment(monkeypatch, **values).needs_key is needed


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("https://shop.example", ("https://shop.example",)),
        (
            "https://Shop.example, http://localhost:3000,http://[::1]:80",
            ("https://shop.example", "http://localhost:3000", "http://[::1]:80"),
        ),
    ],
)
def test_origins_are_as_a_browser_sends_them(
    monkeypatch: pytest.MonkeyPatch, value: str, origins: tuple[str, ...]
) -> None:
    assert environment(monkeypatch, CORS_ORIGINS=value).cors_origins == origins


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "null",
        "shop.example",
        "https://shop.example/",
        "https://*.example",
        "ftp://x",
        "https://a b",
    ],
)
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(ValidationError, match="is not an origin"):
        environment(monkeypatch, CORS_ORIGINS=value)


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_bytes = 5  # type: ignore[misc]


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert Settings.model_fields[name].description
