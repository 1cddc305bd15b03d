"""Now: the newest verdicts of each camera, live, and the anomalous ones that nobody has seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from ...api.services import Services, ServicesDep
from ...records.errors import RecordsUnavailable
from ..board import Board, read_board
from ..live import Live, as_text, sentence
from ..page_route import PageRoute
from ..rendering import render
from ..viewers import Viewer, ViewerDep, session_of

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

# A proxy between us closes what is silent for long, and a key that is taken out must not see on.
_BEAT_S = 5.0
_RETRY_MS, _FULL_RETRY_MS = 2000, 10_000
# Behind nginx each event is sent on at once.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
Number = Annotated[int | None, Query(ge=0, lt=1 << 63)]


@router.get("/now")
async def now(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """The page as it is now; a script keeps it so."""
    return await _answer(request, parts, viewer, "now.html")


@router.get("/now/board")
async def board(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """The board alone, for who has missed too much, or cannot be told."""
    return await _answer(request, parts, viewer, "now_board.html")


@router.get("/now/events")
async def events(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    after: Number = None,
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """What comes after a verdict's number, as server-sent events, until the session ends."""
    live = _live(request, parts)
    if live.stopped or live.is_full:
        why = "the service stops" if live.stopped else "too many watch this page at once"
        raise HTTPException(503, why, {"Retry-After": "10"})
    if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19:
        after = int(last_event_id)
    request.state.streams = True
    told = _told(request, parts, viewer, live, after)
    return StreamingResponse(told, media_type="text/event-stream", headers=_HEADERS)


async def _told(
    request: Request, parts: Services, viewer: Viewer, live: Live, after: int | None
) -> AsyncIterator[str]:
    if live.is_full:  # others have come since it was asked
        yield f"retry: {_FULL_RETRY_MS}\n\n"
        return
    with live.followed(after) as stream:
        yield f"retry: {_RETRY_MS}\n\n"
        while True:
            try:
                event = await asyncio.wait_for(stream.next(), _BEAT_S)
            except TimeoutError:
                text = ": still here\n\n"
            else:
                if event is None:
                    return
                text = as_text(event)
            if not await _may_watch(request, parts, viewer):
                yield as_text(("over", {}, None))
                return
            yield text


async def _may_watch(request: Request, parts: Services, viewer: Viewer) -> bool:
    """Whether who began to watch may still do so."""
    if viewer.session is None:
        return True
    session = await session_of(request, parts)
    return session is not None and session.key.allows("review")


@dataclass(frozen=True)
class _Found:
    board: Board | None
    fault: str | None


async def _answer(request: Request, parts: Services, viewer: Viewer, template: str) -> Response:
    await parts.cameras.refresh()
    names = parts.cameras.known
    state = parts.records.state
    try:
        found = _Found(await parts.records.ask(partial(read_board, cameras=names)), state.reason)
    except RecordsUnavailable as exc:
        found = _Found(None, exc.public)
    pinned = found.board.pins.count.number if found.board else 0
    return render(
        request,
        template,
        viewer,
        title=f"({pinned}) Now" if pinned else "Now",
        board=found.board,
        fault=sentence(found.fault),
        is_off=state.status == "off",
        has_cameras=bool(names),
    )


def _live(request: Request, parts: Services) -> Live:
    """The application's, made when somebody watches for the first time."""
    made: Live | None = getattr(request.app.state, "live", None)
    if made is None or made.keeper is not parts.records:
        drain = parts.drain

        def stops() -> bool:
            return drain.active or (drain.server is not None and drain.server.should_exit)

        made = request.app.state.live = Live(parts.records, parts.cameras, stops)
        drain.on_begin.append(made.stop)
    return made
