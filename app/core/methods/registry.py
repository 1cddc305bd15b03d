"""Which methods there are: the modules of this folder that name a `METHOD`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, SerializeAsAny, ValidationInfo
from pydantic import BeforeValidator as Before

from .method import Facts, Method, MethodSettings


@cache
def methods() -> Mapping[str, type[Method]]:
    """Every method by its kind. A new one is a new module; no list names it.

    Raises:
        ValueError: two of one kind.
    """
    package = importlib.import_module(__package__)
    found: dict[str, type[Method]] = {}
    for module in pkgutil.iter_modules(package.__path__):
        method = getattr(importlib.import_module(f".{module.name}", __package__), "METHOD", None)
        if method is None:
            continue
        if method.kind in found:
            raise ValueError(f"two methods are called {method.kind!r}: rename one of them")
        found[method.kind] = method
    return MappingProxyType(dict(sorted(found.items())))


def method_of(kind: object) -> type[Method]:
    """The method of that kind.

    Raises:
        ValueError: there is none; the text lists those there are. (Pydantic reports it.)
    """
    if not isinstance(kind, str) or kind not in methods():
        raise ValueError(f"unknown method {kind!r}; there are {', '.join(methods())}")
    return methods()[kind]


def _of_its_kind(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, MethodSettings):
        return value
    return method_of(info.data.get("kind")).Settings.model_validate(value)


class MethodChoice(BaseModel):
    """A method and its settings.

    Attributes:
        kind: the method's name. settings: of that method's `Settings`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str
    settings: Annotated[SerializeAsAny[MethodSettings], Before(_of_its_kind)]

    @property
    def method(self) -> type[Method]:
        return method_of(self.kind)


class MethodRecord(MethodChoice):
    """The same in a manifest, with numbers for people."""

    facts: Facts

    @classmethod
    def of(cls, method: Method) -> MethodRecord:
        return cls(kind=method.kind, settings=method.settings, facts=method.facts())
