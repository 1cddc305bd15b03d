"""create_app: settings -> the FastAPI application; the banks are loaded at start-up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import Depends, FastAPI
from fastapi.middleware import Middleware
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from app import __version__
from app.api import problems, routes_categories, routes_evaluate, routes_health, routes_score
from app.api.dependencies import Services
from app.api.headers import SecurityHeaders
from app.api.local import OwnMachineOnly
from app.api.security import require_score
from app.api.telemetry import RequestContext, Telemetry
from app.core.runtimes import choose_device
from app.core.threads import set_threads
from app.evaluations import Evaluations
from app.key_store import KeyStore
from app.keys import KeysError
from app.logs import configure_logs
from app.rate_limit import RateLimiter
from app.registry import LoadExtractor, Registry, Unavailable, extractor_loader, load_registry
from app.settings import Settings
from app.workers import Workers

log = structlog.get_logger()

DESCRIPTION = (
    "Scores photos of goods against memory banks of good items: an anomaly score, a verdict and a "
    "p-value per photo. Every error is an RFC 9457 problem with a stable `type`."
)


def create_app(
    settings: Settings | None = None, load_extractor: LoadExtractor | None = None
) -> FastAPI:
    """The application.

    Args:
        settings: from the environment where None.
        load_extractor: makes the feature extractor of a spec; the real one where None.

    Raises:
        pydantic.ValidationError: an invalid setting.
        PresetError: at start-up, where the device asked for is not there.
        KeysError: at start-up, where the API keys cannot be used.
    """
    settings = settings or Settings()
    configure_logs(settings.log_level)  # now, so that uvicorn's first lines are JSON too
    telemetry = Telemetry()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts = _start(settings, telemetry, load_extractor)
        app.state.services = parts
        try:
            yield
        finally:
            parts.evaluations.close()
            parts.workers.close()

    app = FastAPI(
        title="GoodsGuard",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        middleware=_middleware(settings, telemetry),
        docs_url="/docs" if settings.docs else None,
        redoc_url="/redoc" if settings.docs else None,
        openapi_url="/openapi.json" if settings.docs else None,
        generate_unique_id_function=_operation_id,
    )
    problems.install(app)
    keyed = [Depends(require_score)]
    app.include_router(routes_score.router, dependencies=keyed)
    app.include_router(routes_categories.router, dependencies=keyed)
    app.include_router(routes_evaluate.router, dependencies=keyed)
    app.include_router(routes_health.router)
    return app


def _middleware(settings: Settings, telemetry: Telemetry) -> list[Middleware]:
    """From the outside in. CORS comes before what may answer a 500, so that pages can read it."""
    layers = [Middleware(SecurityHeaders)]
    if settings.cors_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
                expose_headers=["Retry-After", "X-Request-ID"],
            )
        )
    layers.append(Middleware(RequestContext, telemetry=telemetry))
    if not (settings.needs_key or settings.allow_anonymous):
        layers.append(Middleware(OwnMachineOnly, allowed_origins=settings.cors_origins))
    return layers


def _start(
    settings: Settings, telemetry: Telemetry, load_extractor: LoadExtractor | None
) -> Services:
    keys = _read_keys(settings)
    set_threads(settings.threads)
    device = choose_device(settings.device)
    load_extractor = load_extractor or extractor_loader(device, settings.weights)
    registry = load_registry(settings.models_dir, load_extractor, max_pixels=settings.max_pixels)
    workers = Workers(settings.queue_size)
    _describe(telemetry, registry, workers)
    log.info(
        "started",
        device=str(device),
        models=str(settings.models_dir),
        ready=sorted(registry.detectors),
        unavailable=sorted(set(registry.entries) - set(registry.detectors)),
    )
    if not registry.entries:
        log.warning("no bank is stored; build one with scripts/build_bank.py")
    return Services(
        settings=settings,
        registry=registry,
        workers=workers,
        evaluations=Evaluations(settings.data_dir, settings.reports_dir),
        telemetry=telemetry,
        keys=keys,
        limiter=RateLimiter(),
        device=str(device),
    )


def _read_keys(settings: Settings) -> KeyStore:
    try:
        keys = KeyStore(settings.api_keys, settings.api_keys_file)
    except KeysError as exc:
        log.error("not started: the API keys cannot be used", reason=str(exc))
        raise
    if settings.needs_key:
        log.info("access: holders of API keys", names=keys.names)
        if not keys.names:
            log.warning("the API keys file holds no key: nobody is let in")
    elif settings.allow_anonymous:
        log.warning("access: no API keys, open to everyone who reaches the port")
    else:
        log.info("access: no API keys, only this machine may ask")
    return keys


def _describe(telemetry: Telemetry, registry: Registry, workers: Workers) -> None:
    telemetry.queue_size.set(workers.queue_size)
    telemetry.queue_depth.set_function(lambda: workers.depth)
    for name, entry in registry.entries.items():
        telemetry.category_up.labels(name).set(not isinstance(entry, Unavailable))
    for name, detector in registry.detectors.items():
        m = detector.manifest
        telemetry.bank_info.labels(name, m.bank_version, m.preset).set(1)


def _operation_id(route: APIRoute) -> str:
    return route.name


app = create_app()
