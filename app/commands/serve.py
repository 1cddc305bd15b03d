"""The HTTP service, in this process.

What uvicorn can do beyond this (TLS, Unix sockets, a root path) is had from uvicorn itself:

    uvicorn --factory goodsguard.main:create_app --no-access-log --no-server-header \
        --timeout-graceful-shutdown 6 --timeout-keep-alive 75 …
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ..cli import complain
from ..service.patience import GRACE_S, KEEP_ALIVE_S

# Six banks of patches take half a minute to load on two busy cores.
_STARTS_S = 120


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
    ] = GRACE_S,
    keep_alive: Annotated[
        int,
        typer.Option(
            envvar="UVICORN_TIMEOUT_KEEP_ALIVE",
            min=1,
            help="Seconds that an idle connection is kept; longer than a proxy in front keeps it.",
        ),
    ] = KEEP_ALIVE_S,
    workers: Annotated[
        int,
        typer.Option(
            envvar=["UVICORN_WORKERS", "WEB_CONCURRENCY"],
            min=1,
            max=64,
            help="Processes, each with the banks and a queue of its own; one uses all cores.",
        ),
    ] = 1,
) -> None:
    """Answer photos over HTTP, until SIGTERM or Ctrl-C.

    All else is set by variables of the environment, GOODSGUARD_MODELS_DIR and its likes.
    """
    import uvicorn

    from ..settings import SettingsError, read_settings

    try:
        settings = read_settings()  # before what takes long to load
    except SettingsError as exc:
        for fault in str(exc).splitlines():
            complain(f"error: {fault}")
        raise typer.Exit(2) from exc
    from ..logs import configure_logs

    configure_logs(settings.log_level)
    if workers > 1 and settings.session_secret is None and settings.records == "off":
        # With records the workers share a file; without them each would make its own.
        os.environ["GOODSGUARD_SESSION_SECRET"] = secrets.token_hex(32)
    with _metrics_of(workers):
        uvicorn.run(
            f"{__name__.split('.', maxsplit=1)[0]}.main:create_app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            timeout_worker_healthcheck=_STARTS_S,  # until then SIGHUP keeps the old worker
            log_config=None,  # ours
            access_log=False,  # each request is in our own log, with its id and timings
            server_header=False,
            timeout_graceful_shutdown=grace,
            timeout_keep_alive=keep_alive,
        )


@contextmanager
def _metrics_of(workers: int) -> Iterator[None]:
    """A folder in which several workers keep their metrics together: an empty one."""
    name = "PROMETHEUS_MULTIPROC_DIR"
    if workers == 1:
        yield
    elif os.environ.get(name):
        for left in Path(os.environ[name]).glob("*.db"):  # by a run before
            left.unlink(missing_ok=True)
        yield
    else:
        with TemporaryDirectory(prefix="goodsguard-metrics-") as folder:
            os.environ[name] = folder
            try:
                yield
            finally:
                del os.environ[name]
