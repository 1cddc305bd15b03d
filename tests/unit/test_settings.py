from __future__ import annotations

import hashlib
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
        ("QUEUE_SIZE", "0"),
        ("THREADS", "-1"),
        ("LOG_LEVEL", "loud"),
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


def test_a_key_and_its_hash_are_the_same_key() -> None:
    digest = hashlib.sha256(b"secret").digest()
    settings = Settings(api_keys=("secret", f"sha256:{digest.hex()}"))
    assert settings.api_key_digests() == (digest, digest)


def test_what_only_looks_like_a_hash_is_a_key() -> None:
    assert Settings(api_keys=("sha256:12",)).api_key_digests() == (
        hashlib.sha256(b"sha256:12").digest(),
    )


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_bytes = 5  # type: ignore[misc]


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert Settings.model_fields[name].description
