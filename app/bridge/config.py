"""The entries of the bridge's file, each a frozen model.

Secrets are here already: `config_file.py` reads `key_file`, `password_file` and their like, and
takes `$NAME` from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from ..values import ByteSize
from .config_values import (
    BrokerUrl,
    Categories,
    Category,
    Name,
    Names,
    Seconds,
    Url,
    category_name,
    listed,
)
from .sources.address import Address
from .triggers.opening import Opening, zone_of

# Often enough to see that something moves, seldom enough to cost little.
LOOK_EVERY_S = 0.5


class Entry(BaseModel):
    """A table of the file: nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Service(Entry):
    """Where photos are judged."""

    url: Url
    key: SecretStr | None = None
    timeout_s: Seconds = 30.0


class Broker(Entry):
    """The MQTT broker of sources `mqtt:` and `frigate:` and of Home Assistant."""

    url: BrokerUrl
    username: str | None = None
    password: SecretStr | None = None
    verify_tls: bool = True

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (8883 if self.tls else 1883)


class Frigate(Entry):
    """Where Frigate answers: its port 5000, which asks for no login."""

    url: Url
    topic_prefix: str = "frigate"
    timeout_s: Seconds = 10.0


class Capture(Entry):
    """What `--capture` collects: FOLDER/<category>/train/good."""

    folder: Path = Path("data")
    every_s: Seconds = 300.0
    photos: int = Field(default=300, ge=1, le=100_000)
    alpha: float = Field(default=0.01, gt=0, lt=1)


class Alarm(Entry):
    """When a camera's category is an alarm: k of the last n photos; `alarms.py` says the rest."""

    k: int = Field(default=2, ge=1, le=1000)
    n: int = Field(default=3, ge=1, le=1000)
    hold_s: float = Field(default=60.0, ge=0)
    clear: int | None = Field(default=None, ge=1)
    within_s: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.k > self.n:
            raise ValueError(f"{self.k} of {self.n} photos can never be: k is n at most")
        return self


class Motion(Entry):
    """Photos are judged once the scene has moved and is still again; see triggers/motion.py."""

    share: float = Field(default=0.01, gt=0, lt=1)
    still_s: float = Field(default=1.0, ge=0, le=600)


class Events(Entry):
    """Which of Frigate's events count."""

    on: Annotated[tuple[Literal["new", "update", "end"], ...], listed] = ("new", "end")
    labels: Names = ()
    zones: Names = ()
    reviews: bool = False


_motion = BeforeValidator(lambda v: Motion() if v is True else None if v is False else v)


class Camera(Entry):
    """Where its photos come from, which of them are judged, and as what.

    Attributes:
        category: what it shows; none: the places that the service's file of cameras lists.
        category_field: what came with a photo names the category: `label` for Frigate.
        category_of: that field's value -> category, where they differ.
        timeout_s: without an answer or a photo for so long beyond its time, a camera hangs.
        trigger_topic: a message there asks for a photo.
    """

    name: Name
    source: str
    category: Categories = ()
    category_field: str | None = None
    category_of: Mapping[str, Category] = Field(default_factory=dict)
    every_s: Seconds = 10.0
    motion: Annotated[Motion | None, _motion] = None
    hours: Names = ()
    zone: str | None = None
    trigger_topic: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    verify_tls: bool = True
    timeout_s: Seconds = 10.0
    max_bytes: Annotated[ByteSize, Field(gt=0)] = 32 << 20
    poll: bool | None = None
    delete_done: bool = False
    image_field: str = "image"
    frigate: Events = Events()
    alarm: Alarm = Alarm()

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            address = Address.parse(self.source)
        except ValueError as exc:
            raise ValueError(f"source {exc}") from exc
        if self.category and self.category_field:
            raise ValueError("category is fixed or taken from category_field, not both")
        if self.category_of and not self.category_field:
            raise ValueError("category_of translates the values of category_field: name that, too")
        if self.category_field and address.kind not in ("mqtt", "frigate"):
            raise ValueError("category_field needs a source mqtt: or frigate:, which sends fields")
        if self.motion and address.kind not in ("stream", "snapshot", "onvif"):
            raise ValueError("motion needs a stream or a snapshot URL, which it can look at")
        if self.zone is not None:
            zone_of(self.zone)
        self.opening  # noqa: B018 - raises what is wrong with them
        return self

    @property
    def address(self) -> Address:
        return Address.parse(self.source)

    @property
    def tables(self) -> tuple[str, ...]:
        """Those of the file that it needs."""
        needs = {"mqtt": ("mqtt",), "frigate": ("mqtt", "frigate")}
        return needs.get(self.address.kind) or (("mqtt",) if self.trigger_topic else ())

    @property
    def opening(self) -> Opening:
        return Opening.parse(self.hours, self.zone)

    @property
    def pace_s(self) -> float:
        """How often its source is asked for a photo."""
        return min(self.every_s, LOOK_EVERY_S) if self.motion else self.every_s

    def categories_of(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        """By which categories a photo with these fields is judged.

        Raises:
            ValueError: the field that names it is not there, or names none.
        """
        if self.category_field is None:
            return self.category
        value = fields.get(self.category_field, "")
        if not value:
            raise ValueError(f"a photo came without the field {self.category_field}")
        made = self.category_of.get(value) or re.sub(r"[^a-z0-9_-]+", "_", value.lower())
        return (category_name(made),)


class Target(Entry):
    """Who is told: exactly one of webhook, homeassistant, frigate and notify.

    Attributes:
        homeassistant: true: by MQTT discovery, at the broker of [mqtt].
        frigate: true: a sub label at the event, in the Frigate of [frigate].
        notify: an address of Apprise's, such as ntfy://… or mailto://…; itself a secret.
        secret: of a webhook, `whsec_…`; old_secret: the one before it, while it is changed.
        allow_hosts: private hosts that a webhook may reach.
        cameras, categories: which events; none: all.
    """

    name: Name | None = None
    webhook: Url | None = None
    homeassistant: bool = False
    frigate: bool = False
    notify: SecretStr | None = None
    secret: SecretStr | None = None
    old_secret: SecretStr | None = None
    allow_hosts: Names = ()
    discovery_prefix: str = "homeassistant"
    cameras: Names = ()
    categories: Names = ()
    events: Names = ()
    overlay: bool = True
    timeout_s: Seconds = 15.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self._kinds) != 1:
            raise ValueError("name one of webhook, homeassistant, frigate and notify")
        if (self.secret or self.old_secret or self.allow_hosts) and not self.webhook:
            raise ValueError("secret, old_secret and allow_hosts belong to a webhook")
        return self

    @property
    def _kinds(self) -> list[str]:
        given = ("webhook", "homeassistant", "frigate", "notify")
        return [kind for kind in given if getattr(self, kind)]

    @property
    def kind(self) -> str:
        """webhook, homeassistant, frigate or notify."""
        return self._kinds[0]

    @property
    def tables(self) -> tuple[str, ...]:
        """Those of the file that it needs."""
        return {"homeassistant": ("mqtt",), "frigate": ("frigate",)}.get(self.kind, ())

    @property
    def title(self) -> str:
        """Its name, or else its kind and host."""
        host = urlsplit(self.webhook).hostname if self.webhook else None
        return self.name or (f"{self.kind} {host}" if host else self.kind)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one entry: where it stands, and a sentence."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass(frozen=True)
class Config:
    """What the file says; entries with a fault are left out and told in `faults`."""

    service: Service
    mqtt: Broker | None = None
    frigate: Frigate | None = None
    capture: Capture = field(default_factory=Capture)
    cameras: tuple[Camera, ...] = ()
    targets: tuple[Target, ...] = ()
    faults: tuple[Fault, ...] = ()
