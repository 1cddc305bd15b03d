"""The service's settings, from the environment (prefix `GOODSGUARD_`). Never method parameters."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.images import MAX_PIXELS

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class Settings(BaseSettings):
    """Paths, limits, device, threads.

    Raises:
        pydantic.ValidationError: at start-up, naming the setting.
    """

    model_config = SettingsConfigDict(env_prefix="GOODSGUARD_", env_ignore_empty=True, frozen=True)

    models_dir: Path = Field(default=Path("models"), description="where the banks are stored")
    data_dir: Path | None = Field(
        default=None, description="where test splits lie, for /evaluate; unset: no evaluation"
    )
    reports_dir: Path = Field(
        default=Path("reports"), description="where evaluation results are kept"
    )
    weights: Path | None = Field(
        default=None, description="a weights file, or a folder of them; unset: package, then cache"
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads for network and search; 0: all cores"
    )
    # 32 MiB hold a 3000 × 3000 photo in any supported format, uncompressed included.
    max_bytes: int = Field(
        default=32 << 20, ge=1024, description="largest photo, in bytes; larger ones get 413"
    )
    max_pixels: int = Field(
        default=MAX_PIXELS, ge=1, description="largest photo, in pixels, read from its header"
    )
    max_batch: int = Field(default=16, ge=1, le=256, description="photos per batch request")
    # At 50 ms a photo the last of 32 waits under two seconds, longer than which nobody waits.
    queue_size: int = Field(
        default=32, ge=1, le=10_000, description="photos in work or waiting; beyond it 429"
    )
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="comma-separated keys, as they are or as sha256:<hex>; empty: no key needed",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe log line that is written"
    )

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(k.strip() for k in value.split(",") if k.strip())
            if isinstance(value, str)
            else value
        )

    def api_key_digests(self) -> tuple[bytes, ...]:
        """The accepted keys' sha256, so that comparing takes the same time for all."""
        return tuple(
            bytes.fromhex(key.removeprefix("sha256:"))
            if _SHA256.fullmatch(key)
            else hashlib.sha256(key.encode()).digest()
            for key in self.api_keys
        )
