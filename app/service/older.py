"""Bank versions that judged photos and do not serve any more: loaded when somebody asks for one.

They are checked as those that serve are, and use the networks of those where they can. Nothing of
what fails here reaches what serves.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections import OrderedDict
from dataclasses import replace
from functools import partial

import structlog

from ..core.crew import NEVER, Crew
from ..core.detector import Detector
from ..core.errors import (
    ArtifactError,
    CategoryUnavailable,
    GoodsGuardError,
    NoSuchVersion,
    UnknownCategory,
)
from ..core.threads import limited_to, thread_budget
from .registry import BankSource

log = structlog.get_logger()

# A person looks at photos of one or two versions at a time, and each takes a bank's memory.
_KEPT = 2
# A version that cannot be loaded is not tried again before.
_AGAIN_S = 30.0


class OlderBanks:
    """Loads bank versions one at a time, on a thread of its own, and keeps the last few."""

    def __init__(self, source: BankSource) -> None:
        """Takes where those that serve come from."""
        self._source = replace(source, networks=source.networks.beside())
        self._loaded: OrderedDict[tuple[str, str], Detector] = OrderedDict()
        self._failed: dict[tuple[str, str], tuple[float, str]] = {}
        self._crew = Crew(1, "older-banks")

    async def detector(self, category: str, version: str) -> Detector:
        """The detector of a version, verified and self-tested.

        Raises:
            NoSuchVersion: it is not kept any more. UnknownCategory: nor any other of the category.
            GoodsGuardError: it is kept and cannot be used; the text says why.
        """
        load = partial(contextvars.copy_context().run, self._find, category, version)
        try:
            done = self._crew.submit(load)
        except RuntimeError as exc:
            raise CategoryUnavailable("the service is stopping") from exc
        return await asyncio.wrap_future(done)

    def close(self, until: float = NEVER) -> list[str]:
        """Load nothing any more, and wait until then for what runs.

        Returns:
            the names of the threads that are still at work.
        """
        return self._crew.close(until)

    def _find(self, category: str, version: str) -> Detector:
        key = category, version
        if not self._source.keeps(category, version):
            self._loaded.pop(key, None)
            self._forget()
            raise NoSuchVersion(f"{category} has no version {version} any more")
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key]
        at, fault = self._failed.get(key, (-math.inf, ""))
        if time.monotonic() < at + _AGAIN_S:
            raise ArtifactError(fault)
        try:
            self._loaded[key] = detector = self._load(category, version)
        except (NoSuchVersion, UnknownCategory):  # cleared away in between
            raise
        except GoodsGuardError as exc:
            self._failed[key] = time.monotonic(), exc.public
            raise
        finally:
            self._forget()
        return detector

    def _load(self, category: str, version: str) -> Detector:
        try:
            with limited_to(thread_budget()):
                detector = self._source.detector(category, version)
        except GoodsGuardError as exc:
            log.warning("an older bank cannot be used", category=category, bank_version=version,
                        reason=str(exc))  # fmt: skip
            raise
        except Exception as exc:  # a bad bank never costs anybody else
            log.exception("an older bank cannot be used", category=category, bank_version=version)
            raise ArtifactError(f"unforeseen {type(exc).__name__} while loading") from exc
        log.info("an older bank is loaded", category=category, bank_version=version)
        return detector

    def _forget(self) -> None:
        """Let go of what was not asked for lately, and of networks that nothing here uses."""
        while len(self._loaded) > _KEPT:
            self._loaded.popitem(last=False)
        now = time.monotonic()
        self._failed = {k: one for k, one in self._failed.items() if now < one[0] + _AGAIN_S}
        self._source.keep_networks(self._loaded.values())
