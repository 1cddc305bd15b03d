"""Push messages, mails and a hundred services more, through Apprise.

Its addresses hold tokens and passwords, and it logs what it does: nothing of that is passed on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from ...core.crew import beside
from ...records.events import Event, EventKind
from .sink import Refused, Retry
from .wording import text, title

_GOOD: frozenset[EventKind] = frozenset({"alarm.cleared", "camera.back", "camera.sees"})
_JPEG = b"\xff\xd8"


class Notify:
    """A sink that sends a message for people, with the picture attached."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        """Read the address.

        Args:
            url: of Apprise's, such as ntfy://… or mailto://…. timeout_s: of one message.

        Raises:
            ValueError: no service has such an address; the text does not repeat it.
        """
        apprise = _apprise()
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise ValueError(
                "Apprise does not know this address: see https://appriseit.com for each service's"
            )
        self._timeout_s = timeout_s
        self._sending = False

    async def open(self) -> None:
        """Nothing: each message makes its own connection."""

    async def close(self) -> None:
        """Nothing."""

    async def deliver(self, event: Event, overlay: bytes | None) -> None:
        """Send a message; returns when the service has taken it.

        Raises:
            Retry: it has not, or not in time. Refused: the message cannot be sent at all.
        """
        if self._sending:  # a thread cannot be stopped: no second one beside it
            raise Retry("the message before hangs still")
        self._sending = True
        sending = asyncio.ensure_future(beside(lambda: self._send(event, overlay), "notify"))
        sending.add_done_callback(self._done)
        try:
            taken = await asyncio.wait_for(asyncio.shield(sending), self._timeout_s)
        except TimeoutError as exc:
            raise Retry(f"the service did not take it within {self._timeout_s:g} s") from exc
        except TypeError as exc:  # Apprise's word for a message without content
            raise Refused("the message is empty") from exc
        if not taken:
            raise Retry(
                "the service did not take it: look at its address, its token and its limits"
            )

    def _done(self, sending: asyncio.Future[bool]) -> None:
        self._sending = False
        if not sending.cancelled():
            sending.exception()  # nobody else may ask for it any more

    def _send(self, event: Event, overlay: bytes | None) -> bool:
        apprise = _apprise()
        kind: Literal["success", "warning"] = "success" if event.kind in _GOOD else "warning"
        attached: Any = None
        if overlay is not None:
            from apprise.attachment.memory import AttachMemory

            name, mime = (
                ("jpg", "image/jpeg") if overlay.startswith(_JPEG) else ("png", "image/png")
            )
            make: Any = AttachMemory
            attached = make(overlay, name=f"defect.{name}", mimetype=mime)
        return bool(
            self._apprise.notify(
                body=text(event),
                title=title(event),
                notify_type=apprise.NotifyType(kind),
                body_format=apprise.NotifyFormat.TEXT,
                attach=attached,
            )
        )


def _apprise() -> Any:
    """The library, quiet: it takes a second to load, and tells its addresses at each step."""
    import apprise

    logger = logging.getLogger("apprise")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    return apprise
