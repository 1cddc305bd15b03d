"""What every route asks for: the application's parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from ..access.key_store import KeyStore
from ..access.rate_limit import RateLimiter
from ..access.wrong_keys import WrongKeys
from ..records.keeper import Keeper
from ..service.cameras import Cameras
from ..service.drain import Drain
from ..service.evaluations import Evaluations
from ..service.inspector import Inspector
from ..service.metrics import Metrics
from ..service.older import OlderBanks
from ..service.registry import Registry
from ..service.reloads import Reloads
from ..settings import Settings
from .intake.receiving import BodyMemory


@dataclass(frozen=True)
class Services:
    """The application's parts."""

    settings: Settings
    reloads: Reloads
    older: OlderBanks
    inspector: Inspector
    evaluations: Evaluations
    metrics: Metrics
    keys: KeyStore
    limiter: RateLimiter
    wrong_keys: WrongKeys
    drain: Drain
    device: str
    cameras: Cameras = field(default_factory=Cameras)
    records: Keeper = field(default_factory=lambda: Keeper(None))
    bodies: BodyMemory = field(default_factory=BodyMemory)

    @property
    def registry(self) -> Registry:
        """What serves now. Ask once a request: a reload swaps it."""
        return self.reloads.registry


def services(request: Request) -> Services:
    """The parts made at start-up."""
    made: Services = request.app.state.services
    return made


async def _services(request: Request) -> Services:
    # FastAPI runs a plain function on a thread; a coroutine costs a request no such hop.
    return services(request)


ServicesDep = Annotated[Services, Depends(_services)]
