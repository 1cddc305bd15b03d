"""Where an MQTT broker is, from a URL such as mqtt://user:password@host:1883."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker is. tls: whether its certificate is asked for, and checked."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    @classmethod
    def of(cls, url: str, username: str | None = None, password: str | None = None) -> Self:
        """By a URL; a name and a password beside it count more than those inside.

        Raises:
            ValueError: it is no such URL; the text does not repeat it.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("a broker's port is a number up to 65535") from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
            raise ValueError("a broker is a URL such as mqtt://host:1883, or mqtts:// with TLS")
        return cls(
            parts.hostname,
            port or _PORTS[parts.scheme],
            username or (unquote(parts.username) if parts.username else None),
            password or (unquote(parts.password) if parts.password else None),
            parts.scheme == "mqtts",
        )
