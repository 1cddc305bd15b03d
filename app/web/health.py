"""How the service is: facts of its own parts, as people read them."""

from __future__ import annotations

import asyncio
import platform
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import __version__
from ..api.readiness import readiness
from ..api.schemas import Readiness
from ..api.services import Services
from ..core.arrays import Floats
from ..core.crew import beside
from ..core.detector import Detector
from ..core.judging.drift import Drift, drift
from ..core.store.manifest import Manifest
from ..records import newest
from ..records.errors import RecordsUnavailable
from ..records.opening import Records
from ..records.reading import known_cameras
from ..records.scores import scores
from .category_page import siblings_of

DAYS = 7
REFUSED_S = 600.0
# What takes a while is asked for that often, however many people look.
_DRIFT_EVERY_S, _PHOTOS_EVERY_S, _SEEN_EVERY_S = 60.0, 30.0, 5.0
_FORGOTTEN_S = 600.0  # names that are not asked for any more
_DISK_S = 2.0
_LOW_SHARE, _LOW_BYTES = 0.10, 1 << 30


@dataclass(frozen=True)
class Queue:
    """Photos in work or waiting, of how many that may; who was refused lately."""

    depth: int
    size: int
    refused: int


@dataclass(frozen=True)
class CategoryHealth:
    """A category.

    Attributes:
        reason: why it cannot be scored. failure: why its newest version was not taken up.
        drift: None: too few photos, or they cannot be asked for. photos: how many there were.
    """

    name: str
    reason: str | None = None
    failure: str | None = None
    bank_version: str | None = None
    preset: str | None = None
    engine: str | None = None
    threshold: float = 0.0
    photos: int | None = None
    drift: Drift | None = None


@dataclass(frozen=True)
class CameraHealth:
    """A camera: when its newest photo came, and what is wrong with its entry in the file."""

    name: str | None
    seen: datetime | None
    fault: str | None = None
    is_listed: bool = True


@dataclass(frozen=True)
class Disk:
    """A disk by what lies on it; `total` 0: it does not answer."""

    what: str
    free: int
    total: int

    @property
    def is_low(self) -> bool:
        """Whether it will be full soon."""
        return self.free < max(_LOW_BYTES, _LOW_SHARE * self.total)


@dataclass(frozen=True)
class Health:
    """All facts.

    Attributes:
        cameras: None where the records cannot be asked.
        photos: how many are kept, and their bytes; None likewise.
        is_one_of_several: whether other processes serve, too, of which nothing is known here.
    """

    ready: Readiness
    queue: Queue
    categories: Sequence[CategoryHealth]
    cameras: Sequence[CameraHealth] | None
    cameras_fault: str | None
    photos: tuple[int, int] | None
    disks: Sequence[Disk]
    versions: dict[str, str]
    is_one_of_several: bool


class Memo:
    """Answers that are kept for some seconds; the event loop alone asks for them."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[object, tuple[float, Any]] = {}

    async def get(self, name: object, seconds: float, ask: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, asked for where there is none that new. What `ask` raises is not kept."""
        at = self._clock()
        found = self._kept.get(name)
        if found is None or at - found[0] >= seconds:
            found = (at, await ask())
            fresh = {n: one for n, one in self._kept.items() if at - one[0] < _FORGOTTEN_S}
            self._kept = fresh | {name: found}
        return found[1]


async def health(parts: Services, memo: Memo) -> Health:
    """All facts as they are now, some of them seconds old."""
    await parts.cameras.refresh()
    ready = await readiness(parts)
    admission = parts.inspector
    server = parts.drain.server
    return Health(
        ready=ready,
        queue=Queue(admission.depth, admission.queue_size, admission.refused(REFUSED_S)),
        categories=await _categories(parts, ready, memo),
        cameras=await _cameras(parts, memo),
        cameras_fault=parts.cameras.fault,
        photos=await _asked(parts, memo, "photos", _PHOTOS_EVERY_S, newest.photos_kept),
        disks=await _disks(parts),
        versions={
            "GoodsGuard": __version__,
            "PyTorch": version("torch"),
            "Python": platform.python_version(),
            "Device": parts.device,
        },
        is_one_of_several=server is not None and server.config.workers > 1,
    )


async def _categories(parts: Services, ready: Readiness, memo: Memo) -> list[CategoryHealth]:
    registry = parts.registry
    found = []
    for name, entry in registry.entries.items():
        failure = registry.failures.get(name)
        if not isinstance(entry, Detector):
            found.append(CategoryHealth(name, reason=ready.categories.get(name), failure=failure))
            continue
        manifest = entry.manifest
        compared = await _drift(parts, memo, manifest, entry.calibration.scores)
        number, moved = compared or (None, None)
        found.append(
            CategoryHealth(
                name,
                failure=failure,
                bank_version=manifest.bank_version,
                preset=manifest.preset,
                engine=entry.engine,
                threshold=entry.calibration.threshold,
                photos=number,
                drift=moved,
            )
        )
    return found


async def _drift(
    parts: Services, memo: Memo, manifest: Manifest, calibration: Floats
) -> tuple[int, Drift | None] | None:
    """How many photos of the last days this bank has scored, under whichever threshold, and how
    they lie."""
    category = manifest.category
    versions = await beside(partial(siblings_of, parts.settings.models_dir, manifest), "files")

    def compare(records: Records) -> tuple[int, Drift | None]:
        since = datetime.now(UTC) - timedelta(days=DAYS)
        found = scores(records, category, versions, since).values
        return len(found), drift(calibration, found)

    name = f"drift {category} {manifest.bank_version}"
    kept: tuple[int, Drift | None] | None
    kept = await _asked(parts, memo, name, _DRIFT_EVERY_S, compare)
    return kept


async def _cameras(parts: Services, memo: Memo) -> list[CameraHealth] | None:
    listed = parts.cameras.known

    def seen(records: Records) -> list[CameraHealth]:
        names: list[str | None] = [*sorted({*listed, *known_cameras(records)}), None]
        found = [
            CameraHealth(
                name,
                newest.last_seen(records, name),
                listed.get(name) if name else None,
                name in listed,
            )
            for name in names
        ]
        return [one for one in found if one.is_listed or one.seen is not None]

    cameras: list[CameraHealth] | None
    cameras = await _asked(parts, memo, f"cameras {listed}", _SEEN_EVERY_S, seen)
    return cameras


async def _asked(
    parts: Services, memo: Memo, name: str, seconds: float, work: Callable[[Records], Any]
) -> Any:
    """What the records say, once in so many seconds; None: they cannot be asked."""
    with suppress(RecordsUnavailable):
        return await memo.get(name, seconds, partial(parts.records.ask, work))
    return None


async def _disks(parts: Services) -> list[Disk]:
    folders = {"The banks": parts.settings.models_dir}
    if parts.settings.records == "on":
        folders["The records"] = parts.settings.records_dir
    work = [_disk(what, folder) for what, folder in folders.items()]
    return list(await asyncio.gather(*work))


async def _disk(what: str, folder: Path) -> Disk:
    """A disk that is gone hangs whoever asks: it is not waited for."""
    try:
        async with asyncio.timeout(_DISK_S):
            usage = await beside(partial(_usage, folder), "disk")
    except (OSError, TimeoutError):
        return Disk(what, 0, 0)
    return Disk(what, usage[0], usage[1])


def _usage(folder: Path) -> tuple[int, int]:
    """Free and all bytes of the disk on which a folder lies, or will be made."""
    folder = folder.resolve()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total
