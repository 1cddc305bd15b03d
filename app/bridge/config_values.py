"""What the entries of the bridge's file may hold: names, URLs, seconds."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

_CATEGORY = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# What separates, and stands for, parts of an MQTT topic.
_OF_TOPICS = "/+#"


def _name(value: str) -> str:
    if not value.isprintable() or any(c in value for c in _OF_TOPICS) or value.strip() != value:
        raise ValueError("may have no /, + or #, and no blank at its ends")
    return value


def category_name(value: str) -> str:
    if not _CATEGORY.fullmatch(value):
        raise ValueError("a category's name has a-z, 0-9, _ and -, at most 64, none of _ - first")
    return value


def _web(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as http://goodsguard:8000")
    return value.rstrip("/")


def _broker(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError("must be a URL such as mqtt://mosquitto:1883, or mqtts:// with TLS")
    return value


listed = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_name)]
Category = Annotated[str, AfterValidator(category_name)]
Categories = Annotated[tuple[Category, ...], listed]
Names = Annotated[tuple[str, ...], listed]
Url = Annotated[str, AfterValidator(_web)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
BrokerUrl = Annotated[str, AfterValidator(_broker)]
