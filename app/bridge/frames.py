"""Frame: a photo as a source gave it, and what its first bytes say it is."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# Told once a frame has been dealt with: True, it was judged; False, it never can be.
Settle = Callable[[bool], Awaitable[None]]

# What a file begins with.
_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
# A JPEG's padding after its end.
_PADDING = b"\0\r\n"


@dataclass(frozen=True, slots=True)
class Frame:
    """One photo of one camera.

    Attributes:
        data: the file as it came: JPEG, PNG, WebP, BMP or TIFF.
        taken_at: UTC, by the wall clock. taken: the same moment of `time.monotonic()`.
        fields: what came with it, such as `label` and `event_id` of Frigate.
        done: awaited once it was judged or cannot be; None where nobody waits for that.
    """

    camera: str
    data: bytes = field(repr=False)
    taken_at: datetime
    taken: float
    fields: Mapping[str, str] = field(default_factory=dict)
    done: Settle | None = field(default=None, repr=False)

    @classmethod
    def now(
        cls,
        camera: str,
        data: bytes,
        *,
        age_s: float = 0.0,
        fields: Mapping[str, str] | None = None,
        done: Settle | None = None,
    ) -> Frame:
        """One that was taken `age_s` seconds ago."""
        return cls(
            camera,
            data,
            datetime.now(UTC) - timedelta(seconds=age_s),
            time.monotonic() - age_s,
            fields or {},
            done,
        )

    @property
    def age_s(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self.taken

    async def settle(self, judged: bool) -> None:
        """Tell whoever gave it."""
        if self.done is not None:
            await self.done(judged)


def kind_of(data: bytes) -> str:
    """JPEG, PNG, WebP, BMP or TIFF by the first bytes; "" where it is none of them."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return next((kind for start, kind in _BEGINNINGS if data.startswith(start)), "")


def is_whole(data: bytes) -> bool:
    """Whether a photo's end is there, as far as its format shows that: BMP and TIFF do not."""
    match kind_of(data):
        case "JPEG":
            return data[-64:].rstrip(_PADDING).endswith(b"\xff\xd9")
        case "PNG":
            return b"IEND\xaeB`\x82" in data[-64:]
        case "WebP":
            return len(data) >= int.from_bytes(data[4:8], "little") + 8
        case kind:
            return kind != ""
