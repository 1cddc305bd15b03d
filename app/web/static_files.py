"""GET /static/…: the files that pages load, from the package, kept by browsers for a day."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class StaticFile:
    """One file: its bytes, gzipped where it is stored so."""

    body: bytes
    media_type: str
    gzipped: bool
    etag: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All that may be asked for, by its path below /static: nothing else is ever opened."""
    found: dict[str, StaticFile] = {}
    for path in _FOLDER.rglob("*"):
        name = path.relative_to(_FOLDER).as_posix().removesuffix(".gz")
        if (media_type := _MEDIA_TYPES.get(Path(name).suffix)) and path.is_file():
            body = path.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            found[name] = StaticFile(body, media_type, path.suffix == ".gz", etag)
    return found


@router.get("/static/{path:path}")
def static_file(
    path: str,
    accept_encoding: Annotated[str, Header()] = "",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """The file, or 304 where the browser has it."""
    file = static_files().get(path)
    if file is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=86400", "ETag": file.etag}
    body = file.body
    if file.gzipped:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in accept_encoding:
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
    if file.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=file.media_type)
