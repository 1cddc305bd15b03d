"""create_app: settings -> the FastAPI application; the banks are loaded at start-up.

    uvicorn --factory app.main:create_app

`app.main:app` answers, too.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from fastapi import Depends, FastAPI
from fastapi.middleware import Middleware
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from . import __version__
from .access.keys import KeysError
from .api import problems
from .api.faults import known_parameters
from .api.middleware.admission import RefuseEarly, photo_routes
from .api.middleware.context import RequestContext
from .api.middleware.headers import SecurityHeaders
from .api.middleware.leniency import HeadAsGet, TrailingSlash
from .api.middleware.local import OwnMachineOnly
from .api.middleware.websockets import NoWebSockets
from .api.routes import admin as routes_admin
from .api.routes import categories as routes_categories
from .api.routes import evaluate as routes_evaluate
from .api.routes import health as routes_health
from .api.routes import score as routes_score
from .api.routes import verdict_files, verdict_photos, verdict_reviews, verdicts
from .api.security import require_admin, require_review, require_score
from .core.crew import beside
from .core.errors import GoodsGuardError, PresetError, SigningKeyError
from .logs import configure_logs
from .records.keeper import REASONS
from .service import worker_metrics
from .service.closing import close_all
from .service.drain import Drain
from .service.hangup import Hangup
from .service.metrics import Metrics
from .service.networks import LoadExtractor
from .service.signals import ended_by_sigterm
from .service.upkeep import TRY_AGAIN_S, Upkeep
from .settings import Settings, SettingsError, read_settings, unread
from .starting import means, start
from .web import documentation, pages, static_files
from .web.viewers import needs

log = structlog.get_logger()

# Whose fault it is that a start fails.
_NAMED_BY: dict[type[Exception], str] = {
    PresetError: "GOODSGUARD_DEVICE",
    SigningKeyError: "GOODSGUARD_TRUSTED_KEYS",
    KeysError: "GOODSGUARD_API_KEYS or GOODSGUARD_API_KEYS_FILE",
}

DESCRIPTION = (
    "Scores photos of goods by what it learnt from good ones: an anomaly score, a verdict and a "
    "p-value per photo. Every error is an RFC 9457 problem with a stable `type`."
)


def create_app(
    settings: Settings | None = None,
    load_extractor: LoadExtractor | None = None,
    *,
    try_again_s: float = TRY_AGAIN_S,
) -> FastAPI:
    """The application.

    Args:
        settings: from the environment where None.
        load_extractor: makes the feature extractor of a spec; the real one where None.
        try_again_s: how often a network that failed is tried again.

    Raises:
        SystemExit: what the environment says cannot be used. A server called: it gets a line for
            each fault on standard error and status 2, not a traceback.
        PresetError: where settings are given, and the device asked for is not there.
        SigningKeyError: likewise, of the trusted keys. KeysError: of the API keys.
        MetricsError: likewise, where the metrics of several workers cannot be kept.
    """
    if settings is None:
        return _of_environment(load_extractor, try_again_s)
    configure_logs(settings.log_level)  # now, so that uvicorn's first lines are JSON too
    given = means(settings)
    metrics = Metrics((cause.slug for cause in problems.CAUSES.values()), REASONS)
    drain = Drain(settings.drain_s)
    hangup = Hangup(drain)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        hangup.install(loop)  # first: reading the banks takes a while
        with ended_by_sigterm():
            parts = start(settings, given, metrics, drain, load_extractor)
        app.state.services = parts
        # Nobody must wait for an evaluation of minutes: not its client, and not the server's end.
        drain.on_begin.append(parts.evaluations.stop)
        drain.install(loop)
        if drain.server is not None:
            worker_metrics.warn(drain.server.config.workers)
        upkeep = Upkeep(
            parts.reloads,
            parts.inspector,
            metrics,
            watch_s=settings.watch_s,
            try_again_s=try_again_s,
        )
        readers = [partial(part.refresh, now=True) for part in (parts.keys, parts.cameras)]
        hangup.serve(parts.reloads, upkeep, *readers)
        try:
            async with upkeep.running():
                yield
        finally:
            # Beside the loop: its threads may wait for what requests give back that end on it.
            closing = (parts.evaluations, parts.older, parts.inspector, parts.records)
            await beside(partial(close_all, *[part.close for part in closing]))

    app = FastAPI(
        title="GoodsGuard",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        middleware=_middleware(settings, metrics, drain),
        docs_url=None,  # ours, below: FastAPI's loads its files from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        redirect_slashes=False,  # `TrailingSlash` needs no second request
        generate_unique_id_function=_operation_id,
    )
    problems.install(app)
    named = Depends(known_parameters)
    keyed = [Depends(require_score), named]
    app.include_router(routes_score.router, dependencies=keyed)
    app.include_router(routes_categories.router, dependencies=keyed)
    app.include_router(routes_evaluate.router, dependencies=keyed)
    for routes in (verdicts, verdict_photos, verdict_reviews, verdict_files):
        app.include_router(routes.router, dependencies=[Depends(require_review), named])
    app.include_router(routes_admin.router, dependencies=[Depends(require_admin), named])
    app.include_router(routes_health.router)
    if settings.docs:
        app.include_router(documentation.router)
    if settings.page:
        pages.install(app, settings)
        # The same pictures and files for whoever has logged in: the API's own paths ask for a key.
        seen = [Depends(needs("review")), named]
        for routes in (verdict_photos, verdict_files):
            app.include_router(
                routes.router, prefix="/page", dependencies=seen, include_in_schema=False
            )
        app.include_router(pages.rest)
    if settings.docs or settings.page:
        app.include_router(static_files.router)
    return app


def _middleware(settings: Settings, metrics: Metrics, drain: Drain) -> list[Middleware]:
    """From the outside in. CORS comes before what may answer a 500, so that pages can read it."""
    layers = [Middleware(NoWebSockets), Middleware(SecurityHeaders), Middleware(TrailingSlash)]
    if settings.cors_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
                allow_headers=[
                    "Authorization",
                    "Content-Type",
                    "X-API-Key",
                    "X-Request-ID",
                    "X-Request-Timeout",
                ],
                expose_headers=["Retry-After", "X-Request-ID"],
            )
        )
    layers.append(Middleware(RequestContext, metrics=metrics, drain=drain))
    if not (settings.needs_key or settings.allow_anonymous):
        layers.append(Middleware(OwnMachineOnly, **_own_machine(settings)))
    takes_photos = (routes_score.router, *(pages.takes_photos if settings.page else ()))
    layers.append(Middleware(RefuseEarly, routes=photo_routes(*takes_photos)))
    layers.append(Middleware(HeadAsGet))
    return layers


def _own_machine(settings: Settings) -> dict[str, Any]:
    told = {"refuse": pages.to_stranger} if settings.page else {}
    return {"allowed_origins": settings.cors_origins, **told}


def _of_environment(load_extractor: LoadExtractor | None, try_again_s: float) -> FastAPI:
    try:
        app = create_app(read_settings(), load_extractor, try_again_s=try_again_s)
    except SettingsError as exc:
        reasons = str(exc).splitlines()
    except (GoodsGuardError, KeysError, worker_metrics.MetricsError) as exc:
        reasons = [f"{_NAMED_BY.get(type(exc), 'not started')}: {exc}"]
    else:
        if names := unread():
            log.warning("variables that only docker-compose.yml reads", names=names)
        return app
    for reason in reasons:
        sys.stderr.write(f"error: {reason}\n")  # at once: other workers say the same
    raise SystemExit(2)


def _operation_id(route: APIRoute) -> str:
    return route.name


def __getattr__(name: str) -> FastAPI:
    """`app.main:app`, made when it is first asked for: importing this module makes nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app: FastAPI = globals().setdefault("app", create_app())
    return app
