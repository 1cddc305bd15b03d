"""What a model says of wrong values, in words for people: no pattern, no address, no type names."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

_PLAIN = {"missing": "is missing", "extra_forbidden": "is not known here: take it out"}
# What pydantic puts before a text.
_STARTS = (
    ("Value error, ", ""),
    ("Input should be ", "must be "),
    ("Input should have ", "must have "),
    ("Input should ", "must "),
)


def plain_faults(exc: ValidationError, *, hidden: Sequence[str] = ()) -> str:
    """Each value's place and what it must be, in one line; never the value itself.

    Args:
        hidden: parts of a place that only the code knows.
    """
    return "; ".join(_plain(fault["loc"], fault["type"], fault["msg"], hidden)
                     for fault in exc.errors(include_url=False, include_input=False))  # fmt: skip


def plain_message(kind: str, message: str) -> str:
    """One fault's words.

    Args:
        kind: pydantic's name of it. message: pydantic's words.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    for start, plain in _STARTS:
        if message.startswith(start):
            return plain + message.removeprefix(start)
    return message


def _plain(place: Sequence[int | str], kind: str, message: str, hidden: Sequence[str]) -> str:
    where = ".".join(str(part) for part in place if part not in hidden)
    words = plain_message(kind, message)
    return f"{where}: {words}" if where else words
