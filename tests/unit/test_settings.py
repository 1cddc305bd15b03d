from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.environment import OF_COMPOSE
from app.settings import Settings, SettingsError, read_settings, unread
from tests.support import ROOT


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
        ("RECORDS", "true"),
        ("RECORDS_PHOTOS", "some"),
        ("RECORDS_PHOTO_DAYS", "-1"),
        ("RECORDS_PHOTO_BYTES", "-1"),
    ],
)
def test_an_invalid_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        environment(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    ("value", "keys"),
    [("", ()), ("one", ("one",)), ("one, two ,", ("one", "two"))],
)
def test_keys_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, value: str, keys: tuple[str, ...]
) -> None:
    assert environment(monkeypatch, API_KEYS=value).api_keys == keys


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Settings(api_keys=("secret",)))


@pytest.mark.parametrize("value", [" , ", ",", ",,\t,"])
def test_keys_that_are_only_commas_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GOODSGUARD_API_KEYS", value)
    with pytest.raises(SettingsError, match="API_KEYS: holds only commas and blanks"):
        read_settings()


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({}, False),
        ({"API_KEYS": ""}, False),
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


def faults(monkeypatch: pytest.MonkeyPatch, **values: str) -> list[str]:
    for name, value in values.items():
        monkeypatch.setenv(f"GOODSGUARD_{name}", value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MAX_BYTES", "lots", "must be a number of bytes, such as 33554432, 32MiB or 32MB"),
        ("MAX_BYTES", "12", "must be a whole number of bytes, at least 1024"),
        ("DEVICE", "gpu", "must be auto, cpu, cuda or cuda:N"),
        ("RUNTIME", "onnx", "must be auto, openvino or torch"),
        ("PRECISION", "int8", "must be auto, float32, bfloat16 or float16"),
        ("LOG_LEVEL", "loud", "must be debug, info, warning or error"),
        ("DOCS", "perhaps", "must be true or false"),
        ("DRAIN_S", "2s", "must be a number of seconds, at least 0, at most 600"),
        ("BODY_TIMEOUT_S", "0", "must be a number of seconds, above 0, at most 3600"),
        ("BATCH_DELAY_MS", "nan", "must be a number of milliseconds, at least 0, at most 1000"),
        ("RECORDS", "yes", "must be on or off"),
        ("RECORDS_PHOTOS", "few", "must be anomalous, all or none"),
        ("RECORDS_PHOTO_DAYS", "30d", "must be a number of days, at least 0, at most 36500"),
        (
            "RECORDS_PHOTO_BYTES",
            "much",
            "must be a number of bytes, such as 33554432, 32MiB or 32MB",
        ),
        ("THREADS", "1.5", "must be a whole number, at least 0, at most 1024"),
        ("REPORTS_DIR", "~n0b0dy/x", "~n0b0dy is nobody's home here; give the whole path"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    assert faults(monkeypatch, **{name: value}) == [f"GOODSGUARD_{name} is {value!r}: {told}"]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("2048", 2048),
        ("32MB", 32_000_000),
        ("32 mb", 32_000_000),
        ("32MiB", 32 << 20),
        ("32 M", 32 << 20),
        ("1g", 1 << 30),
        ("1.5GiB", 3 << 29),
        ("64k", 64 << 10),
        ("33_554_432", 32 << 20),
        ("4096 bytes", 4096),
        ("4096B", 4096),
    ],
)
@pytest.mark.parametrize("name", ["MAX_BYTES", "MAX_UPLOAD_BYTES"])
def test_sizes_are_understood(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, size: int
) -> None:
    assert getattr(environment(monkeypatch, **{name: value}), name.lower()) == size


@pytest.mark.parametrize("wrapped", ['"{}"', "'{}'", "{}\r", ' "{}" \r', "  {}  "])
@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("DEVICE", "cpu", "cpu"),
        ("DEVICE", "CUDA:1", "cuda:1"),
        ("MAX_BYTES", "32MB", 32_000_000),
        ("DOCS", "false", False),
        ("DRAIN_S", "3.5", 3.5),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("MODELS_DIR", "/srv/banks", Path("/srv/banks")),
        ("WEIGHTS", "~/weights", Path.home() / "weights"),
        ("API_KEYS", "one,two", ("one", "two")),
        ("RATE_LIMIT", "", 0),
        ("RECORDS", "ON", "on"),
        ("RECORDS_PHOTO_BYTES", "1GiB", 1 << 30),
        ("RECORDS_VERDICT_DAYS", "0.5", 0.5),
    ],
)
def test_what_a_file_of_variables_leaves_around_a_value_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, wrapped: str, name: str, value: str, meant: object
) -> None:
    settings = environment(monkeypatch, **{name: wrapped.format(value)})
    assert getattr(settings, name.lower()) == meant


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("TRUSTED_KEY", "TRUSTED_KEYS"),
        ("MODEL_DIR", "MODELS_DIR"),
        ("API_KEY", "API_KEYS"),
        ("RATELIMIT", "RATE_LIMIT"),
        ("MODELSDIR", "MODELS_DIR"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("ALLOW_ANONYMUS", "ALLOW_ANONYMOUS"),
    ],
)
@pytest.mark.parametrize("value", ["", "x"])
def test_an_unknown_variable_refuses_the_start_and_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str, value: str
) -> None:
    assert faults(monkeypatch, **{name: value}) == [
        f"GOODSGUARD_{name} is no setting; GOODSGUARD_{nearest} is the nearest: "
        "correct its name, or unset it"
    ]


def test_of_one_that_is_like_no_other_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = faults(monkeypatch, XYZZY="1", HTTP_PORT="80", QUEUE_SIZE="0", DOCS="2")
    assert [line.split(":")[0].split(" is ")[0] for line in lines] == [
        *("GOODSGUARD_HTTP_PORT", "GOODSGUARD_XYZZY", "GOODSGUARD_QUEUE_SIZE", "GOODSGUARD_DOCS")
    ]
    assert "nearest" not in lines[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHARED", "/data"),
        ("KEY_PASSPHRASE", "secret"),
        # Kubernetes, beside a service called `goodsguard`; then `docker --link`.
        ("SERVICE_HOST", "10.0.0.7"),
        ("SERVICE_PORT_HTTP", "8000"),
        ("PORT", "tcp://10.0.0.7:8000"),
        ("PORT_8000_TCP_ADDR", "10.0.0.7"),
        ("PROMETHEUS_SERVICE_HOST", "10.0.0.8"),
        ("NAME", "/web/goodsguard"),
    ],
)
def test_what_others_set_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GOODSGUARD_{name}", value)
    assert read_settings() == Settings()


def test_what_only_the_compose_files_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """`set -a; . .env` exports it for all that is started."""
    monkeypatch.setenv("GOODSGUARD_DATA", "/data")
    monkeypatch.setenv("GOODSGUARD_THREADS", "1")
    read_settings()
    assert unread() == ["GOODSGUARD_DATA"]


def test_the_compose_files_read_what_is_known_of_them() -> None:
    text = "".join(path.read_text() for path in ROOT.glob("docker-compose*.yml"))
    read = set(re.findall(r"\$\{GOODSGUARD_([A-Z_]+)", text))
    assert read - {name.upper() for name in Settings.model_fields} == OF_COMPOSE
