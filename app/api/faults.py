"""What is wrong with a request, in words: its parameters, its path, its method."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from ..core.wording import plain_message

# Of an invalid request: as many faults as help, and as much of each.
_MAX_FAULTS = 10
_MAX_DETAIL = 200
# What may be said back: nothing that could be a page's script, and nothing long.
_HARMLESS = re.compile(r"[\w.+-]{1,20}", re.ASCII)
_KINDS = {"bool_parsing": "is true or false", "string_pattern_mismatch": "is of another form"}
# What else to say of a parameter.
_HINTS = {
    ("category", "missing"): (
        "is missing: name it as ?category=… (repeatable), or a camera that has places, or send "
        "to POST /score/{category}"
    ),
    ("to", "string_pattern_mismatch"): (
        "is a bank version such as 20260131T120000Z-0a1b2c; "
        "GET /admin/categories/{category}/versions lists those there are"
    ),
}


def told(exc: RequestValidationError) -> str:
    """The faults of a request's parameters, bounded; of what was sent only short harmless words."""
    return "; ".join(_told(fault)[:_MAX_DETAIL] for fault in exc.errors()[:_MAX_FAULTS])


def _told(fault: Mapping[str, Any]) -> str:
    place, kind = [str(part) for part in fault["loc"]], fault["type"]
    where, name = ".".join(place), place[-1] if place else ""
    words = _HINTS.get((name, kind)) or _KINDS.get(kind) or plain_message(kind, fault["msg"])
    if kind in _KINDS and _HARMLESS.fullmatch(str(fault.get("input"))):
        words += f" (not {fault['input']!r})"
    return f"{where}: {words}" if kind not in _KINDS else f"{where}: {name} {words}"


def no_such_path(request: Request) -> str:
    """Of a path that leads nowhere: which do."""
    more = "; /docs shows all there is" if request.app.openapi_url else ""
    return (
        "there is nothing at this path: photos go to POST /score/{category}, GET /categories "
        f"lists the categories{more}"
    )


def no_such_method(method: str, allowed: str) -> str:
    """Of a method that a path does not have: which it has."""
    return f"this path has no {method[:20]}: it takes {allowed}"


async def known_parameters(request: Request) -> None:
    """A dependency that refuses query parameters that the route does not have: a slip in a name
    would leave the default in force without a word.

    Raises:
        RequestValidationError: naming the nearest one there is.
    """
    known = _parameters(request.scope["route"].dependant)
    faults = [
        {"type": "unknown_parameter", "loc": ("query",), "msg": _unknown(name, sorted(known))}
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if faults:
        raise RequestValidationError(faults)


def _parameters(dependant: Any) -> set[str]:
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_parameters(other) for other in dependant.dependencies))


def _unknown(name: str, known: list[str]) -> str:
    named = f"no parameter {name!r}" if _HARMLESS.fullmatch(name) else "no such parameter"
    if nearest := get_close_matches(name[:64], known, n=1):
        return f"{named} here: did you mean {nearest[0]}?"
    return f"{named} here: there is {', '.join(known) or 'none'}"
