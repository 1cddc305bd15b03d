"""The HTTP service, in this process.

What uvicorn can do beyond this (TLS, Unix sockets, a root path) is had from uvicorn itself:

    uvicorn --factory goodsguard.main:create_app --no-access-log --no-server-header …
"""

from __future__ import annotations

from typing import Annotated

import typer

from ..cli import complain


def main(
    host: Annotated[
        str, typer.Option(envvar="UVICORN_HOST", help="Address to answer at; 0.0.0.0: all.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="UVICORN_PORT", min=0, max=65_535, help="Its port; 0: a free one.")
    ] = 8000,
    grace: Annotated[
        int,
        typer.Option(
            envvar="UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN",
            min=0,
            help="Seconds for requests under way once it has drained (GOODSGUARD_DRAIN_S).",
        ),
    ] = 6,
) -> None:
    """Answer photos over HTTP, until SIGTERM or Ctrl-C.

    All else is set by variables of the environment, GOODSGUARD_MODELS_DIR and its likes.
    """
    import uvicorn

    from ..settings import SettingsError, read_settings

    try:
        read_settings()  # before what takes long to load
    except SettingsError as exc:
        for fault in str(exc).splitlines():
            complain(f"error: {fault}")
        raise typer.Exit(2) from exc
    from ..main import create_app

    uvicorn.run(
        create_app,
        factory=True,
        host=host,
        port=port,
        access_log=False,  # each request is in our own log, with its id and timings
        server_header=False,
        timeout_graceful_shutdown=grace,
    )
