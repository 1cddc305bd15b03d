"""Which verdicts are meant, as an address says it: the same names for the API and the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, get_type_hints

from fastapi import Depends, Query
from pydantic import BaseModel, ValidationError, create_model

from ..core.wording import plain_message
from ..records.filters import Filter
from ..records.verdicts import Decision, VerdictName
from .record_schemas import Moment

Name = Annotated[str | None, Query(max_length=64)]
Number = Annotated[float | None, Query(allow_inf_nan=False)]


async def asked(
    category: Name = None,
    camera: Name = None,
    verdict: VerdictName | None = None,
    reviewed: Annotated[bool | None, Query(description="whether anybody has reviewed it")] = None,
    decision: Annotated[Decision | None, Query(description="of the latest review")] = None,
    since: Annotated[Moment | None, Query(description="with its zone; inclusive")] = None,
    until: Annotated[Moment | None, Query(description="with its zone; exclusive")] = None,
    lowest: Annotated[Number, Query(description="score, inclusive")] = None,
    highest: Annotated[Number, Query(description="score, inclusive")] = None,
) -> Filter:
    """A dependency: which verdicts are meant; all that is given must hold."""
    return Filter(
        category=category,
        camera=camera,
        verdict=verdict,
        reviewed=reviewed,
        decision=decision,
        since=since,
        until=until,
        lowest=lowest,
        highest=highest,
    )


FilterDep = Annotated[Filter, Depends(asked)]


_FIELDS: type[BaseModel] = create_model(  # type: ignore[call-overload]
    "_Fields",
    **{
        name: (hint, None)
        for name, hint in get_type_hints(asked, include_extras=True).items()
        if name != "return"
    },
)
_PARSING = re.compile(r"_parsing$")
FIELDS = tuple(_FIELDS.model_fields)


def read(values: Mapping[str, str]) -> tuple[Filter, dict[str, str]]:
    """The same of texts by name, for whoever tells a fault beside its field.

    Returns:
        the filter of those that are right, and what is wrong with the others.
    """
    given = {name: values[name] for name in FIELDS if name in values}
    faults: dict[str, str] = {}
    while True:
        try:
            return Filter(**dict(_FIELDS.model_validate(given))), faults
        except ValidationError as exc:
            for fault in exc.errors(include_url=False, include_input=False):
                name = str(fault["loc"][0])
                words = plain_message(fault["type"], fault["msg"])
                # Behind the comma stands what the parser stumbled over.
                faults[name] = words.partition(", ")[0] if _PARSING.search(fault["type"]) else words
                given.pop(name, None)
