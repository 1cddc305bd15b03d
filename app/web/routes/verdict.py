"""One verdict: its photo and overlay, all that is recorded of it, and what people said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ...api.services import ServicesDep
from ...api.stored import stored
from ...core.detector import Detector
from ...records.errors import UnknownVerdict
from ...records.opening import Records
from ...records.reading import Neighbours, neighbours, thumbnail_of
from ...records.reviews import history
from ...records.verdicts import Review
from ..asked import Asked
from ..page_route import PageRoute
from ..rendering import render
from ..viewers import ViewerDep

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True)
class _Beside:
    """What is shown beside a verdict; reviews with the latest first."""

    reviews: Sequence[Review]
    neighbours: Neighbours
    has_thumbnail: bool


@router.get("/verdict")
async def verdict(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    id: str = "",  # noqa: A002
) -> Response:
    """The page. Other parameters are the filter within which it leads on."""
    try:
        identity = UUID(id)
    except ValueError as exc:
        raise UnknownVerdict("this address names no verdict") from exc
    found = await stored(parts, identity)
    asked = Asked.of({name: text for name, text in request.query_params.items() if name != "id"})

    def look(records: Records) -> _Beside:
        return _Beside(
            history(records, identity)[::-1],
            neighbours(records, identity, asked.filter),
            thumbnail_of(records, found.sha256) is not None,
        )

    return render(
        request,
        "verdict.html",
        viewer,
        title=f"Verdict on {found.category}",
        entry="history",
        one=found,
        beside=await parts.records.ask(look),
        asked=asked,
        serves=_serving(parts.registry.entries.get(found.category)) == found.bank_version,
    )


def _serving(entry: object) -> str | None:
    return entry.manifest.bank_version if isinstance(entry, Detector) else None
