"""Verdicts as files: CSV and Parquet, in pieces, so that a million take no more memory than one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from ...core.crew import beside
from ...records import export
from ...records.errors import (
    ExtraMissing,
    RecordRefused,
    RecordsError,
    RecordsUnavailable,
)
from ...records.filters import Filter
from ...records.opening import Records
from ..filters import FilterDep
from ..middleware.leniency import is_head
from ..problems import CAUSES, responses
from ..services import ServicesDep

router = APIRouter(tags=["records"])

_PIECE = 1 << 20
_UNAVAILABLE = CAUSES[RecordsUnavailable].slug
_PARQUET = "application/vnd.apache.parquet"


def _file(kind: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "the file", "content": {kind: {"schema": {"type": "string"}}}}}


@router.get(
    "/verdicts.csv",
    summary="Verdicts as CSV",
    response_class=Response,
    responses=responses(RecordRefused, RecordsUnavailable) | _file("text/csv"),
)
async def get_csv(request: Request, parts: ServicesDep, asked: FilterDep) -> Response:
    """All that `GET /verdicts` would show, newest first, UTF-8. A text that a spreadsheet would run
    as a formula stands behind a `'`. Where the records cannot be read on in the middle, the
    connection is broken off: a file that ends in order is complete."""
    lines: Iterator[bytes] = iter(())

    def begin(records: Records) -> bytes | None:
        nonlocal lines
        lines = export.csv_lines(records, asked)
        return next(lines, None)

    first = await parts.records.ask(begin)  # what is wrong is a problem then, not half a file

    async def pieces() -> AsyncIterator[bytes]:
        piece = first
        while piece is not None and not is_head(request):
            yield piece
            try:
                piece = await parts.records.ask(lambda _: next(lines, None))
            except RecordsError as exc:  # the log says why
                request.state.problem = _UNAVAILABLE
                # Without the body's end the server closes the connection, and the client knows.
                raise ClientDisconnect from exc

    return StreamingResponse(pieces(), media_type="text/csv", headers=_named("verdicts.csv"))


@router.get(
    "/verdicts.parquet",
    summary="Verdicts as Parquet",
    response_class=Response,
    responses=responses(RecordRefused, ExtraMissing, RecordsUnavailable) | _file(_PARQUET),
)
async def get_parquet(request: Request, parts: ServicesDep, asked: FilterDep) -> Response:
    """The same as a Parquet file, for pandas, DuckDB and their likes."""
    headers = _named("verdicts.parquet")
    if is_head(request):  # how long it is, only writing it would tell
        await parts.records.ask(lambda _: export.check_parquet())
        return StreamingResponse(iter(()), media_type=_PARQUET, headers=headers)
    file, size = await parts.records.ask(partial(_written, asked=asked), "long")

    async def pieces() -> AsyncIterator[bytes]:
        with file:
            while piece := await beside(partial(file.read, _PIECE)):
                yield piece

    headers["Content-Length"] = str(size)
    return StreamingResponse(pieces(), media_type=_PARQUET, headers=headers)


def _written(records: Records, asked: Filter) -> tuple[IO[bytes], int]:
    """A file without a name beside the photos, where there is room, and its size."""
    folder = records.photos.folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    file = TemporaryFile(dir=folder)  # noqa: SIM115 - whoever sends it closes it
    try:
        export.write_parquet(records, file, asked)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, size


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
