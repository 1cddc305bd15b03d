"""The bridge's file: TOML -> Config, each entry by itself, secrets from where they lie.

    [service]
    url = "http://goodsguard:8000"
    key_file = "/run/secrets/goodsguard-key"
    [[camera]]
    name = "shelf-3"
    source = "rtsp://192.0.2.7/stream1"
    category = "drink_can"

One entry's fault costs no other. A file that cannot be read at all, such as one half saved, leaves
what was read before.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ..core.files import read_at_most, shown
from ..core.wording import plain_message
from .config import Broker, Camera, Capture, Config, Entry, Fault, Frigate, Service, Target

E = TypeVar("E", bound=Entry)
_Named = TypeVar("_Named", Camera, Target)

_MAX_BYTES = 1 << 20
_MAX_SECRET_BYTES = 64 << 10
# Entries that are secrets: of each there is a NAME_file, too, and "$NAME" means the environment.
_SECRETS: dict[type[Entry], tuple[str, ...]] = {
    Service: ("key",),
    Broker: ("password",),
    Camera: ("password",),
    Target: ("secret", "old_secret", "notify"),
}
_TABLES: dict[str, type[Entry]] = {
    "service": Service,
    "mqtt": Broker,
    "frigate": Frigate,
    "capture": Capture,
}
_LISTS: dict[str, type[Entry]] = {"camera": Camera, "target": Target}


class ConfigError(Exception):
    """The file as a whole cannot be used; the text says why, in one sentence."""


class _Wrong(Exception):
    """What is wrong with one entry."""


class ConfigFile:
    """The file, and what it says now."""

    def __init__(self, path: Path, environment: Mapping[str, str] = os.environ) -> None:
        """Read it.

        Raises:
            ConfigError.
        """
        self._path, self._environment = path, environment
        self._seen: dict[Path, str] = {}
        self.fault = ""
        self.config = self._read()

    def refresh(self) -> bool:
        """Read it again if it, or a file of a secret, has changed; whether what it says has.

        A fault of the whole file stands in `fault`, and what it said before goes on. So does a
        camera or a target that has a fault now and had none before.
        """
        if all(_fingerprint(path) == seen for path, seen in self._seen.items()):
            return False
        before = self.config
        try:
            self.config, self.fault = _kept(before, self._read()), ""
        except ConfigError as exc:
            self.fault = str(exc)
        return self.config != before

    def _read(self) -> Config:
        self._seen = {self._path: _fingerprint(self._path)}
        try:
            data = read_at_most(self._path, _MAX_BYTES)
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise ConfigError(f"{shown(self._path)} cannot be read: {why}") from exc
        if len(data) > _MAX_BYTES:
            raise ConfigError(f"{shown(self._path)} has more than {_MAX_BYTES:,} bytes")
        return self._parse(data)

    def _parse(self, data: bytes) -> Config:
        name = shown(self._path.name)
        try:
            document = tomllib.loads(data.decode())
        except UnicodeDecodeError as exc:
            raise ConfigError(f"{name} is not UTF-8: save it as such") from exc
        except tomllib.TOMLDecodeError as exc:
            raise ConfigError(f"{name} is not TOML: {exc}") from exc
        faults = [
            Fault(shown(key), _stray(key, [*_TABLES, *_LISTS]))
            for key in document
            if key not in _TABLES and key not in _LISTS
        ]
        tables = {
            key: self._entry(kind, document[key], f"[{key}]", faults)
            for key, kind in _TABLES.items()
            if key in document
        }
        service = tables.pop("service", None)
        if not isinstance(service, Service):
            why = next((f.text for f in faults if f.place == "[service]"), "")
            raise ConfigError(f"[service] of {name}: {why or 'is missing; it names the url'}")
        lists: dict[str, tuple[Any, ...]] = {
            f"{key}s": self._entries(kind, key, document.get(key, []), faults)
            for key, kind in _LISTS.items()
        }
        known: dict[str, Any] = {key: entry for key, entry in tables.items() if entry} | lists
        config = Config(service=service, **known)
        return _served(replace(config, faults=tuple(faults)))

    def _entries(self, kind: type[E], key: str, value: Any, faults: list[Fault]) -> tuple[E, ...]:
        if not isinstance(value, list):
            faults.append(Fault(key, f"write [[{key}]], with two brackets, above each {key}"))
            return ()
        found: dict[str, E] = {}
        for number, table in enumerate(value, 1):
            name = table.get("name") if isinstance(table, dict) else None
            place = f"{key} {shown(name)}" if isinstance(name, str) else f"{key} {number}"
            if (entry := self._entry(kind, table, place, faults)) is None:
                continue
            called = entry.name if isinstance(entry, Camera) else getattr(entry, "title", "")
            if called in found:
                faults.append(
                    Fault(place, f"has the name of another {key}: give it one of its own")
                )
            else:
                found[called] = entry
        return tuple(found.values())

    def _entry(self, kind: type[E], table: Any, place: str, faults: list[Fault]) -> E | None:
        try:
            if not isinstance(table, dict):
                raise _Wrong("is a table, with its entries below it")
            return kind.model_validate(self._with_secrets(kind, table))
        except _Wrong as exc:
            faults.append(Fault(place, str(exc)))
        except ValidationError as exc:
            faults.append(Fault(place, _told(exc, kind)))
        return None

    def _with_secrets(self, kind: type[Entry], table: dict[str, Any]) -> dict[str, Any]:
        table = dict(table)
        for name in _SECRETS.get(kind, ()):
            file, given = table.pop(f"{name}_file", None), table.get(name)
            if file is not None and given is not None:
                raise _Wrong(f"{name} and {name}_file are both given: keep one")
            if file is not None:
                table[name] = self._secret(f"{name}_file", file)
            elif isinstance(given, str) and given.startswith("$"):
                if given[1:] not in self._environment:
                    raise _Wrong(f"{name}: the environment has no {given[1:]}")
                table[name] = self._environment[given[1:]]
        return table

    def _secret(self, name: str, file: object) -> str:
        if not isinstance(file, str) or not file:
            raise _Wrong(f"{name} must be a file's path")
        path = self._path.parent / Path(file).expanduser()
        self._seen[path] = _fingerprint(path)
        try:
            secret = read_at_most(path, _MAX_SECRET_BYTES).decode().strip()
        except (OSError, ValueError) as exc:
            why = getattr(exc, "strerror", None) or "it holds no text"
            raise _Wrong(f"{name} {shown(file)} cannot be read: {why}") from exc
        if not secret:
            raise _Wrong(f"{name} {shown(file)} is empty")
        return secret


def _told(exc: ValidationError, kind: type[Entry]) -> str:
    """Each fault in words; of an entry that is not known the nearest one."""
    told = []
    for fault in exc.errors(include_url=False, include_input=False):
        place = [str(part) for part in fault["loc"]]
        if fault["type"] == "extra_forbidden":
            told.append(f"{'.'.join(place)} {_stray(place[-1], _known(kind, place[:-1]))}")
        else:
            words = plain_message(fault["type"], fault["msg"])
            told.append(f"{'.'.join(place)} {words}" if place else words)
    return "; ".join(told)


def _known(kind: type[Entry], place: Sequence[str]) -> list[str]:
    """The names that a table may hold, seen from the entry."""
    for part in place:
        inner = kind.model_fields[part].annotation if part in kind.model_fields else None
        options = [inner, *getattr(inner, "__args__", ())]
        kind = next((o for o in options if isinstance(o, type) and issubclass(o, Entry)), kind)
    return [*kind.model_fields, *(f"{name}_file" for name in _SECRETS.get(kind, ()))]


def _stray(name: str, known: Sequence[str]) -> str:
    alike = {other.replace("_", ""): other for other in known}
    nearest = get_close_matches(name.replace("_", "").lower(), alike, n=1, cutoff=0.5)
    meant = f"; {alike[nearest[0]]} is the nearest" if nearest else ""
    return f"is not known here{meant}: correct it, or take it out"


def _served(config: Config) -> Config:
    """Without cameras and targets that need a table which is not there."""
    faults = list(config.faults)

    def fits(place: str, *tables: str) -> bool:
        missing = [table for table in tables if getattr(config, table) is None]
        faults.extend(Fault(place, f"needs a table [{table}], which is missing or has a fault")
                      for table in missing)  # fmt: skip
        return not missing

    return replace(
        config,
        cameras=tuple(c for c in config.cameras if fits(f"camera {shown(c.name)}", *c.tables)),
        targets=tuple(t for t in config.targets if fits(f"target {shown(t.title)}", *t.tables)),
        faults=tuple(faults),
    )


def _kept(before: Config, now: Config) -> Config:
    """Cameras and targets that have a fault now go on as they were."""
    wrong = {fault.place for fault in now.faults}
    cameras = _former(before.cameras, now.cameras, "camera", wrong)
    targets = _former(before.targets, now.targets, "target", wrong)
    return replace(now, cameras=(*now.cameras, *cameras), targets=(*now.targets, *targets))


def _former(
    old: Sequence[_Named], new: Sequence[_Named], key: str, wrong: Collection[str]
) -> list[_Named]:
    there = {entry.name for entry in new}
    return [e for e in old if e.name not in there and f"{key} {shown(e.name or '')}" in wrong]


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(read_at_most(path, _MAX_BYTES)).hexdigest()
    except (OSError, ValueError) as exc:
        return str(exc)
