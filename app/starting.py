"""What the settings name, put together at the start: keys, device, banks, threads, queue."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
import torch

from .access.key_store import KeyStore
from .access.rate_limit import RateLimiter
from .access.wrong_keys import WrongKeys
from .api.services import Services
from .core.features.extractor import BATCH_SIZE
from .core.features.runtimes import choose_device
from .core.photo.data_root import why_no_data
from .core.store.signing_keys import TrustedKeys, load_trusted
from .core.store.whereabouts import why_no_bank
from .core.threads import set_threads
from .records.keeper import Keeper, KeeperState, Plan
from .records.keeping import PhotoPolicy
from .records.retention import Limits
from .service.cameras import Cameras
from .service.drain import Drain
from .service.evaluations import Evaluations
from .service.inspector import Inspector
from .service.metrics import Metrics
from .service.networks import LoadExtractor, SharedNetworks, extractor_loader, faster_engine
from .service.older import OlderBanks
from .service.registry import BankSource, Registry
from .service.reloads import Reloads
from .settings import Settings

log = structlog.get_logger()

# A database that takes longer to answer is not waited for.
_OPENING_S = 3.0


@dataclass(frozen=True)
class Means:
    """What the settings name, and what must be there for a start."""

    keys: KeyStore
    device: torch.device
    trusted: TrustedKeys | None


def means(settings: Settings) -> Means:
    keys = _read_keys(settings)
    device = choose_device(settings.device)
    trusted = load_trusted(settings.trusted_keys) if settings.trusted_keys else None
    return Means(keys, device, trusted)


def start(
    settings: Settings,
    means: Means,
    metrics: Metrics,
    drain: Drain,
    load_extractor: LoadExtractor | None,
) -> Services:
    records = _records(settings, metrics)  # first: a database may take a while
    keys, device = means.keys, means.device
    threads = set_threads(settings.threads)
    source = BankSource(
        settings.models_dir,
        _networks(settings, device) if load_extractor is None else SharedNetworks(load_extractor),
        max_pixels=settings.max_pixels,
        trusted=means.trusted,
    )
    inspector = _inspector(settings, metrics, threads, on_gpu=device.type == "cuda")

    def on_change(registry: Registry) -> None:
        metrics.show(registry)
        inspector.suit(registry.detectors.values())

    reloads = Reloads(source, on_change)
    registry = reloads.registry
    log.info(
        "started",
        device=str(device),
        models=str(settings.models_dir),
        ready=sorted(registry.detectors),
        unavailable=sorted(set(registry.entries) - set(registry.detectors)),
    )
    if not registry.entries:
        log.warning("no bank is loaded", reason=why_no_bank(settings.models_dir))
    if settings.data_dir and (reason := why_no_data(settings.data_dir)):
        log.warning("nothing can be evaluated: GOODSGUARD_DATA_DIR is wrong", reason=reason)
    records.opening(_OPENING_S)
    return Services(
        settings=settings,
        records=records,
        reloads=reloads,
        older=OlderBanks(source),
        inspector=inspector,
        evaluations=Evaluations(settings.data_dir, settings.reports_dir),
        metrics=metrics,
        keys=keys,
        limiter=RateLimiter(),
        wrong_keys=WrongKeys(RateLimiter(), settings.wrong_key_limit),
        drain=drain,
        device=str(device),
        cameras=Cameras(settings.cameras),
    )


def _records(settings: Settings, metrics: Metrics) -> Keeper:
    def show(state: KeeperState) -> None:
        done = state.recorder
        metrics.records.show(
            up=state.status != "unavailable",
            waiting=done.waiting,
            written=done.written,
            photos=done.photos_kept,
            lost=done.lost,
            photos_lost=done.photos_lost,
        )

    if settings.records == "off":
        return Keeper(None, show)
    limits = Limits(  # 0: none
        photo_days=settings.records_photo_days or None,
        reviewed_days=settings.records_reviewed_days or None,
        photo_bytes=settings.records_photo_bytes or None,
        verdict_days=settings.records_verdict_days or None,
    )
    policy = PhotoPolicy(settings.records_photos)
    return Keeper(Plan(settings.records_dir, settings.database_url, policy, limits), show)


def _inspector(settings: Settings, metrics: Metrics, threads: int, *, on_gpu: bool) -> Inspector:
    if not on_gpu:
        return Inspector(metrics, settings.queue_size, network_threads=threads)
    delay_s = settings.batch_delay_ms / 1000
    return Inspector(
        metrics, settings.queue_size, batch=BATCH_SIZE, delay_s=delay_s, searchers=threads
    )


def _read_keys(settings: Settings) -> KeyStore:
    keys = KeyStore(settings.api_keys, settings.api_keys_file)
    if settings.needs_key:
        log.info("access: holders of API keys", names=keys.names)
        if not keys.names:
            log.warning("the API keys file holds no key: nobody is let in")
    elif settings.allow_anonymous:
        log.warning("access: no API keys, open to everyone who reaches the port")
    else:
        log.warning("access: no API keys, only this machine may ask")
    return keys


def _networks(settings: Settings, device: torch.device) -> SharedNetworks:
    wanted = (settings.runtime, settings.precision)
    return SharedNetworks(
        extractor_loader(device, settings.weights, *wanted), faster_engine(device, *wanted)
    )
