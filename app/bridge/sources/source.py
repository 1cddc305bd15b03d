"""What a source of photos is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from ..frames import Frame


class SourceError(Exception):
    """A source gives no photos now; the text says why and what to do, in one sentence.

    Attributes:
        again_s: it is not tried again before so many seconds, since that would do harm.
    """

    def __init__(self, message: str, *, again_s: float = 0.0) -> None:
        super().__init__(message)
        self.again_s = again_s


class Source(Protocol):
    """Gives a camera's photos, one when it is asked for the next: none piles up behind it.

    Attributes:
        name: the camera's. stall_s: without a photo for so long it hangs; None: it may be quiet
            for any time, as a folder may.
    """

    name: str
    stall_s: float | None

    def frames(self) -> AsyncGenerator[Frame, None]:
        """Open it and give its photos until it ends; closing the generator lets all of it go.

        Raises:
            SourceError: while it is iterated over.
        """
        ...

    def ask(self) -> None:
        """Somebody wants a photo now: the next one is due at once."""
        ...
