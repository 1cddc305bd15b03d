"""The board of the page Now: a tile per camera, and what nobody has looked at yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from ..records import newest
from ..records.filters import Filter
from ..records.newest import Marks
from ..records.opening import Records
from ..records.reading import Count, count, known_cameras, page
from ..records.verdicts import Verdict
from .rendering import environment

# Of a camera: what it showed before. Of all: what fits a screen.
STRIP, MAX_TILES, MAX_PINS = 12, 200, 8
# Beyond it nobody counts; nor is a camera shown that has been taken out of the file for so long.
_COUNTED = 1000
_GONE = timedelta(days=7)
_WORST_FIRST = ("anomalous", "unusable", "normal")
# The strip's measures, in the units of its SVG; a score of twice the threshold fills it.
_PITCH, _BAR, _HEIGHT = 10, 7, 32


@dataclass(frozen=True)
class Bar:
    """One verdict of the strip; a photo that cannot be judged has no height."""

    x: int
    y: float
    height: float
    verdict: str


@dataclass(frozen=True)
class Tile:
    """A camera's newest verdicts.

    Attributes:
        camera: None: photos that named none.
        verdicts: newest first; none: it has sent nothing yet.
        is_pictured: whether its newest photo has a thumbnail.
    """

    camera: str | None
    verdicts: Sequence[Verdict] = ()
    is_pictured: bool = False

    @property
    def newest(self) -> list[Verdict]:
        """What was said of the newest photo, the worst first: it may show several places."""
        first = self.verdicts[0]
        photo = (first.sha256, first.request_id)
        its = [one for one in self.verdicts if (one.sha256, one.request_id) == photo]
        return sorted(its, key=lambda one: _WORST_FIRST.index(one.verdict))

    @property
    def bars(self) -> Iterator[Bar]:
        """The strip, oldest first."""
        for i, one in enumerate(reversed(self.verdicts)):
            share = min((one.score or 0.0) / one.threshold / 2, 1.0) if one.threshold else 0.0
            height = max(2.0, round(share * _HEIGHT, 1)) if one.score is not None else 0.0
            yield Bar(i * _PITCH, _HEIGHT - height, height, one.verdict)

    @property
    def summary(self) -> str:
        """The strip in words."""
        said = [one.verdict for one in self.verdicts]
        parts = [f"{said.count(name)} {name}" for name in _WORST_FIRST[::-1] if name in said]
        return f"Last {len(said)}: {', '.join(parts)}"


@dataclass(frozen=True)
class Pins:
    """Today's anomalous verdicts that nobody has reviewed, newest first.

    Attributes:
        pictured: the sha256 of those photos that have a thumbnail. since: when today began.
    """

    verdicts: Sequence[Verdict]
    pictured: Collection[str]
    count: Count
    since: datetime

    @property
    def more(self) -> str:
        """How many there are beyond those shown; empty: none."""
        beyond = self.count.number - len(self.verdicts)
        return f"{Count(beyond, self.count.more)} more" if beyond > 0 else ""

    @property
    def query(self) -> str:
        """The filter of History that shows them all."""
        since = f"{self.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return urlencode({"verdict": "anomalous", "reviewed": "false", "since": since})


@dataclass(frozen=True)
class Board:
    """All of it. `unshown`: how many cameras there are beyond the tiles."""

    marks: Marks
    tiles: Sequence[Tile]
    pins: Pins
    unshown: int = 0


def read_board(records: Records, cameras: Collection[str]) -> Board:
    """The board as it is now.

    Args:
        cameras: those of the cameras file.
    """
    marks = newest.marks(records)  # first: what comes meanwhile is told again, not missed
    names: list[str | None] = [*sorted({*cameras, *known_cameras(records)}), None]
    tiles = [read_tile(records, name) for name in names[:MAX_TILES]]
    shown = [tile for tile in tiles if _is_shown(tile, cameras)]
    return Board(marks, shown, read_pins(records), max(0, len(names) - MAX_TILES))


def read_tile(records: Records, camera: str | None) -> Tile:
    """A camera's tile."""
    verdicts = newest.of_camera(records, camera, STRIP)
    pictured = newest.with_thumbnail(records, [one.sha256 for one in verdicts[:1]])
    return Tile(camera, verdicts, bool(pictured))


def read_pins(records: Records) -> Pins:
    """What is pinned now; the day is that of the service's time zone."""
    since = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    asked = Filter(verdict="anomalous", reviewed=False, since=since)
    verdicts = page(records, asked, size=MAX_PINS).verdicts
    pictured = newest.with_thumbnail(records, [one.sha256 for one in verdicts])
    return Pins(verdicts, pictured, count(records, asked, _COUNTED), since)


def drawn(template: str, **values: object) -> str:
    """A part of the page as HTML, the same for everyone who looks."""
    return environment().get_template(template).render(**values)


def news(verdict: Verdict) -> str:
    """A new anomalous verdict in a sentence, for those who do not see it come."""
    where = f"camera {verdict.camera}" if verdict.camera else "no camera"
    return f"New anomalous verdict: {verdict.category}, {where}."


def _is_shown(tile: Tile, cameras: Collection[str]) -> bool:
    if tile.camera in cameras:
        return True
    return bool(tile.verdicts) and tile.verdicts[0].time > datetime.now(UTC) - _GONE
