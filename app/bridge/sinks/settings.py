"""Target: one `[[target]]` of the bridge's file, who is told and of what.

[[target]]
webhook = "https://example.org/hook"     # or mqtt, apprise, frigate
secret_file = "/run/secrets/hook"        # whoever reads the file puts the text into `secret`
cameras = ["shelf-3"]                    # of these alone
kinds = ["alarm.raised", "camera.lost"]
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from ...records.events import Event, EventKind
from .broker import BrokerAddress
from .signing import secrets_of

_KINDS = ("webhook", "mqtt", "apprise", "frigate")
# Which entry belongs to which kinds of target.
_BELONGS = {
    "secret": ("webhook",),
    "allow_hosts": ("webhook",),
    "ca_file": ("webhook",),
    "username": ("mqtt",),
    "password": ("mqtt",),
    "discovery_prefix": ("mqtt",),
    "token": ("frigate",),
    "label": ("frigate",),
}
_listed = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
Names = Annotated[tuple[str, ...], _listed]


class Target(BaseModel):
    """Who is told: exactly one of webhook, mqtt, apprise and frigate.

    Attributes:
        name: under which the outbox keeps what waits; None: the kind and the host.
        mqtt: a broker, mqtt:// or mqtts://; Home Assistant finds the cameras there by itself.
        apprise: an address of Apprise's, such as ntfy://… or mailto://…; a secret itself.
        secret: of a webhook, `whsec_…`; two, one a line, while one is changed for the other.
        allow_hosts: private hosts that a webhook may reach. ca_file: whose certificates it trusts.
        token: of Frigate's port with a login. label: Frigate's sub label.
        cameras, categories, kinds: which events; none: all. An event of the camera itself is of
            each category.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str | None = Field(default=None, min_length=1, max_length=64)
    webhook: str | None = None
    mqtt: str | None = None
    apprise: SecretStr | None = None
    frigate: str | None = None
    secret: SecretStr | None = None
    allow_hosts: Names = ()
    ca_file: Path | None = None
    username: str | None = None
    password: SecretStr | None = None
    discovery_prefix: str = "homeassistant"
    token: SecretStr | None = None
    label: str = "damaged"
    cameras: Names = ()
    categories: Names = ()
    kinds: Annotated[tuple[EventKind, ...], _listed] = ()
    overlay: bool = True
    timeout_s: float = Field(default=15.0, gt=0, le=600)

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError("name exactly one of webhook, mqtt, apprise and frigate")
        for entry, kinds in _BELONGS.items():
            if entry in self.model_fields_set and given[0] not in kinds:
                raise ValueError(f"{entry} belongs to {kinds[0]}, not to {given[0]}")
        if given[0] in ("webhook", "frigate"):
            _check_url(given[0], str(getattr(self, given[0])))
        if self.secret is not None and not secrets_of(self.secret.get_secret_value()):
            raise ValueError("a webhook's secret is empty")
        if self.mqtt is not None:
            BrokerAddress.of(self.mqtt)
        return self

    @property
    def kind(self) -> str:
        """webhook, mqtt, apprise or frigate."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def title(self) -> str:
        """Its name, or else its kind and host; of Apprise's the service alone."""
        if self.name is not None:
            return self.name
        if self.apprise is not None:
            return f"apprise {urlsplit(self.apprise.get_secret_value()).scheme}".strip()
        return f"{self.kind} {urlsplit(str(getattr(self, self.kind))).hostname}"

    @property
    def address(self) -> str:
        """Which address it is, without telling it: a target that was disabled is so at this one."""
        found = getattr(self, self.kind)
        text = found.get_secret_value() if isinstance(found, SecretStr) else str(found)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def wants(self, event: Event) -> bool:
        """Whether it is to be told of an event."""
        return (
            (not self.cameras or event.camera in self.cameras)
            and (not self.kinds or event.kind in self.kinds)
            and (not self.categories or event.category in (None, *self.categories))
        )


def _check_url(kind: str, text: str) -> None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError(f"{kind} must be a URL such as https://example.org/hook") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{kind} must be a URL such as https://example.org/hook")
