"""The service's settings, from the environment (prefix `GOODSGUARD_`). Never method parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .core.photo.images import MAX_PIXELS
from .environment import OF_COMPOSE, strays, tidy, variables
from .values import ByteSize, Device, Expanded, allowed, lower

_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+")


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part for item in value.split(",") if (part := tidy(item)))


def _split_keys(value: object) -> object:
    keys = _split(value)
    # A template whose variables are unset leaves the commas: keys were meant.
    if keys == () and isinstance(value, str) and value.strip():
        raise ValueError("holds only commas and blanks; write keys between them, or leave it empty")
    return keys


_listed = BeforeValidator(_split)


class SettingsError(Exception):
    """What is wrong with the environment: a line for each fault, no secret in any."""


class _Environment(PydanticBaseSettingsSource):
    """The environment's values, tidy; an empty one counts as unset."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return variables().get(field_name.upper()) or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = variables()
        names = self.settings_cls.model_fields
        return {name: found[name.upper()] for name in names if found.get(name.upper())}


class Settings(BaseSettings):
    """Paths, limits, device, threads.

    Raises:
        pydantic.ValidationError: naming the setting; see `read_settings` for words to print.
    """

    model_config = SettingsConfigDict(frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)

    models_dir: Expanded = Field(default=Path("models"), description="where the banks are stored")
    data_dir: Expanded | None = Field(
        default=None, description="where test splits lie, for /evaluate; unset: no evaluation"
    )
    reports_dir: Expanded = Field(
        default=Path("reports"), description="where evaluation results are kept"
    )
    records: Annotated[Literal["on", "off"], lower] = Field(
        default="on", description="whether verdicts are recorded, with photos and reviews"
    )
    records_dir: Expanded = Field(
        default=Path("records"),
        description="where records are kept: photos, and the database unless a URL names another",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="the records' database, sqlite:///PATH or "
        "postgresql+psycopg://USER:PASSWORD@HOST/NAME; unset: SQLite below the records' folder",
    )
    records_photos: Annotated[Literal["anomalous", "all", "none"], lower] = Field(
        default="anomalous",
        description="which photos are kept: all, none (nor thumbnails), or the anomalous ones, "
        "those near the threshold and one in a hundred of the rest",
    )
    # Photos may show people: they go as soon as a shop has had time to look at them.
    records_photo_days: float = Field(
        default=30.0,
        ge=0,
        le=36_500,
        description="how long photos are kept that nobody has reviewed; 0: without end",
    )
    records_reviewed_days: float = Field(
        default=365.0,
        ge=0,
        le=36_500,
        description="how long photos are kept that somebody has reviewed; 0: without end",
    )
    records_photo_bytes: ByteSize = Field(
        default=10 << 30,
        ge=0,
        description="bytes of all photos that are kept, beyond which the oldest go; 0: no limit",
    )
    records_verdict_days: float = Field(
        default=730.0,
        ge=0,
        le=36_500,
        description="how long verdicts are kept, with all that hangs on them; 0: without end",
    )
    weights: Expanded | None = Field(
        default=None, description="a weights file, or a folder of them; unset: package, then cache"
    )
    device: Device = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads for network and search; 0: all cores"
    )
    # 32 MiB hold a 3000 × 3000 photo in any supported format, uncompressed included.
    max_bytes: ByteSize = Field(
        default=32 << 20,
        ge=1024,
        description="largest photo, in bytes or as 32MiB (32M), 32MB; larger ones get 413",
    )
    max_pixels: int = Field(
        default=MAX_PIXELS, ge=1, description="largest photo, in pixels, read from its header"
    )
    max_batch: int = Field(
        default=16,
        ge=1,
        le=256,
        description="photos per batch request, and categories or a camera's places that one photo "
        "may be asked of",
    )
    # 16 of the largest photos at once, or 150 of 3 MB; what is received then waits in the queue.
    max_upload_bytes: ByteSize = Field(
        default=512 << 20,
        ge=1024,
        description="bytes of all bodies that are being received at once; beyond it 429",
    )
    body_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="seconds in which a body must have arrived, else 408",
    )
    runtime: Annotated[Literal["auto", "openvino", "torch"], lower] = Field(
        default="auto",
        description="torch or openvino; auto: goes with the precision, else as the bank was built",
    )
    precision: Annotated[Literal["auto", "float32", "bfloat16", "float16"], lower] = Field(
        default="auto",
        description="float32, bfloat16 or float16; auto: as the bank was built, or a faster one "
        "that was measured for its network and in which its golden photos keep their scores",
    )
    batch_delay_ms: float = Field(
        default=2.0,
        ge=0,
        le=1000,
        description="on a GPU: how long a photo waits for others to share its pass",
    )
    cameras: Expanded | None = Field(
        default=None,
        description="a TOML file of cameras, which requests may name; changes count without a "
        "restart",
    )
    request_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="seconds for one request, after which it gets 504; a client may ask for less",
    )
    trusted_keys: Expanded | None = Field(
        default=None,
        description="public keys (PEM), a file or a folder: only banks that one of them signed "
        "serve; unset: signatures are not asked for",
    )
    watch_s: float = Field(
        default=5.0,
        ge=0,
        le=86_400,
        description="how often new bank versions are looked for, in seconds; 0: only at "
        "POST /admin/reload",
    )
    drain_s: float = Field(
        default=2.0,
        ge=0,
        le=600,
        description="seconds from SIGTERM, when /readyz says no, until connections are refused",
    )
    # At 50 ms a photo the last of 32 waits under two seconds, longer than which nobody waits.
    queue_size: int = Field(
        default=32, ge=1, le=10_000, description="photos in work or waiting; beyond it 429"
    )
    api_keys: Annotated[tuple[str, ...], BeforeValidator(_split_keys)] = Field(
        default=(),
        repr=False,  # they may be plain
        description="comma-separated keys: plain, sha256:<hex> or name:scopes:sha256:<hex>",
    )
    api_keys_file: Expanded | None = Field(
        default=None, description="a TOML file of API keys; changes count without a restart"
    )
    allow_anonymous: bool = Field(
        default=False, description="without keys, answer other machines too; else only this one"
    )
    rate_limit: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="requests a minute per key, or per address without keys; 0: no limit",
    )
    # A client that is set up wrongly sends one a photo; whoever guesses wants thousands a second.
    wrong_key_limit: int = Field(
        default=30,
        ge=0,
        le=100_000,
        description="wrong API keys a minute from one address; beyond it 429; 0: no limit",
    )
    cors_origins: Annotated[tuple[str, ...], _listed] = Field(
        default=(), description="comma-separated origins whose pages may ask; empty: none"
    )
    page: bool = Field(default=True, description="whether there is a page for people")
    session_hours: float = Field(
        default=12.0,
        gt=0,
        le=8760,
        description="hours after which people log in to the page again",
    )
    session_secret: Annotated[str, Field(min_length=32)] | None = Field(
        default=None,
        repr=False,
        description="what signs the page's sessions, 32 characters or more, the same for all "
        "processes; unset: made once, kept beside the records",
    )
    docs: bool = Field(default=True, description="whether /docs and /openapi.json exist")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], lower] = Field(
        default="info", description="least severe log line that is written"
    )

    @property
    def needs_key(self) -> bool:
        """Whether callers need an API key. A file without keys lets nobody in, not everybody."""
        return bool(self.api_keys) or self.api_keys_file is not None

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # As a browser sends them: compared letter by letter, a slash too much would never match.
        origins = tuple(origin.lower() for origin in value)
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin such as https://shop.example:8443")
        return origins


def read_settings() -> Settings:
    """The settings of the environment.

    Raises:
        SettingsError: a value that is not allowed, or a variable that nothing reads.
    """
    faults = strays(name.upper() for name in Settings.model_fields)
    try:
        settings = Settings()
    except ValidationError as exc:
        for error in exc.errors(include_url=False):
            faults.append(_fault(str(error["loc"][0]), error["type"], error["msg"]))
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def unread() -> list[str]:
    """Variables that are set for the compose files and that the service itself does not read."""
    return sorted(f"GOODSGUARD_{name}" for name in OF_COMPOSE.intersection(variables()))


def _fault(name: str, kind: str, message: str) -> str:
    """A line: the variable, what it holds, what it may hold."""
    field = Settings.model_fields[name]
    given = variables().get(name.upper(), "")
    # `repr=False` marks secrets; what is longer than any value would only hide the rest.
    held = f" is {given[:80]!r}" if field.repr else ""
    must = message.removeprefix("Value error, ") if kind == "value_error" else allowed(name, field)
    return f"GOODSGUARD_{name.upper()}{held}: {must}"
