"""Which verdicts a page shows, read from its address, and the addresses of what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BeforeValidator

from ..api.filters import FIELDS, read
from ..records.filters import Filter

View = Literal["table", "gallery"]

# What an input of a form without a script sends: a time without its zone.
_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_TIMES = ("since", "until")
_PLACE = ("view", "cursor")


def zoned(value: object) -> object:
    """A time without its zone as one of UTC; others as they are."""
    return f"{value}Z" if isinstance(value, str) and _NO_ZONE.fullmatch(value) else value


# Of a page's parameter that is a time.
with_zone = BeforeValidator(zoned)


@dataclass(frozen=True)
class Asked:
    """What an address asks for.

    Attributes:
        filter: which verdicts; of those fields that are right.
        values: what was given, by field, as it stands in an address; no empty ones.
        faults: what is wrong, by field; `""`: with the address as a whole.
        view: how they are shown. cursor: of the page.
    """

    filter: Filter
    values: Mapping[str, str]
    faults: Mapping[str, str] = field(default_factory=dict)
    view: View = "table"
    cursor: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """Of an address's parameters. Empty fields ask for nothing; a time without its zone counts
        as UTC."""
        values = {name: query[name].strip() for name in FIELDS if query.get(name, "").strip()}
        for name in _TIMES:
            if name in values:
                values[name] = str(zoned(values[name]))
        found, faults = read(values)
        if found.since and found.until and found.since >= found.until:
            faults["until"] = "must be after the time in “from”"
        if found.lowest is not None and found.highest is not None and found.lowest > found.highest:
            faults["highest"] = "must not be below the lowest score"
        if unknown := [name for name in query if name not in (*FIELDS, *_PLACE)]:
            faults[""] = f"there is no filter {unknown[0][:40]!r}: there are {', '.join(FIELDS)}"
        view: View = "gallery" if query.get("view") == "gallery" else "table"
        return cls(found, values, faults, view, query.get("cursor") or None)

    def query(self, **more: str | None) -> str:
        """The filter as an address says it, with what else is given."""
        given = {**self.values, **{name: text for name, text in more.items() if text is not None}}
        return urlencode(given, safe=":")

    def of_one(self, identity: UUID) -> str:
        """The address of one verdict, from which a way leads back to its place in this list."""
        view = "gallery" if self.view == "gallery" else None
        query = self.query(view=view, cursor=self.cursor)
        return f"verdict?id={identity}{'&' if query else ''}{query}"

    def address(self, *, view: View | None = None, cursor: str | None = None) -> str:
        """Of the history with this filter; without a cursor its first page."""
        shown = view or self.view
        query = self.query(view="gallery" if shown == "gallery" else None, cursor=cursor)
        return f"history?{query}" if query else "history"
