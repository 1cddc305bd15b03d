"""Verdicts as files: CSV and Parquet, in pieces, so that a million take no more memory than one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from ...core.crew import beside
from ...records import export
from ...records.errors import ExtraMissing, RecordRefused, RecordsUnavailable
from ...records.filters import Filter
from ...records.opening import Records
from ..filters import FilterDep
from ..problems import responses
from ..services import ServicesDep

router = APIRouter(tags=["records"])

_PIECE = 1 << 20
_PARQUET = "application/vnd.apache.parquet"


def _file(kind: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "the file", "content": {kind: {"schema": {"type": "string"}}}}}


@router.get(
    "/verdicts.csv",
    summary="Verdicts as CSV",
    response_class=Response,
    responses=responses(RecordRefused, RecordsUnavailable) | _file("text/csv"),
)
async def get_csv(parts: ServicesDep, asked: FilterDep) -> Response:
    """All that `GET /verdicts` would show, newest first, UTF-8. A text that a spreadsheet would run
    as a formula stands behind a `'`."""
    lines: Iterator[bytes] = iter(())

    def begin(records: Records) -> bytes | None:
        nonlocal lines
        lines = export.csv_lines(records, asked)
        return next(lines, None)

    first = await parts.records.ask(begin)  # what is wrong is a problem then, not half a file

    async def pieces() -> AsyncIterator[bytes]:
        piece = first
        while piece is not None:
            yield piece
            piece = await parts.records.ask(lambda _: next(lines, None))

    return StreamingResponse(pieces(), media_type="text/csv", headers=_named("verdicts.csv"))


@router.get(
    "/verdicts.parquet",
    summary="Verdicts as Parquet",
    response_class=Response,
    responses=responses(RecordRefused, ExtraMissing, RecordsUnavailable) | _file(_PARQUET),
)
async def get_parquet(parts: ServicesDep, asked: FilterDep) -> Response:
    """The same as a Parquet file, for pandas, DuckDB and their likes."""
    file, size = await parts.records.ask(partial(_written, asked=asked), "long")

    async def pieces() -> AsyncIterator[bytes]:
        with file:
            while piece := await beside(partial(file.read, _PIECE)):
                yield piece

    headers = _named("verdicts.parquet") | {"Content-Length": str(size)}
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
