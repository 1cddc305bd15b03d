"""POST to a URL: CloudEvents JSON with the headers of Standard Webhooks.

2xx is success and nothing else is; a redirect leads nowhere, since it could lead anywhere. 410
disables the target. What says that the body itself is wrong is not tried again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ...records.events import Event
from .addresses import addresses
from .cloud_event import CONTENT_TYPE, cloud_event
from .signing import headers
from .sink import Gone, Refused, Retry

# It tells each URL, which may hold what only the receiver should know.
logging.getLogger("httpx").setLevel(logging.WARNING)

_CONNECT_S = 5.0
# The same event would be answered the same way, and would hold back those behind it.
_NEVER = {400, 413, 415, 422}
_LONGEST_WAIT_S = 24 * 3600.0


class Webhook:
    """A sink that posts to a URL."""

    def __init__(
        self,
        url: str,
        *,
        keys: Sequence[bytes] = (),
        allow_hosts: Collection[str] = (),
        timeout_s: float = 15.0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Do nothing yet.

        Args:
            keys: `signing.secrets_of`; each signs. allow_hosts: hosts that may be private.
            timeout_s: for all of an attempt. tls: whose certificates are trusted; None: those
                of the public authorities. clock: Unix time in seconds.

        Raises:
            ValueError: the URL cannot be used.
        """
        self._url = httpx.URL(url)
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise ValueError("a webhook is a URL such as https://example.org/hook")
        self._keys, self._timeout_s, self._clock = keys, timeout_s, clock
        self._tls = tls
        self._allowed = {host.lower() for host in allow_hosts}
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the client; it takes no proxy, which would resolve the name once more."""
        self._client = httpx.AsyncClient(
            trust_env=False,
            verify=self._tls or True,
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout_s, connect=_CONNECT_S),
            # A connection is for the address that was checked for this attempt.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def deliver(self, event: Event, overlay: bytes | None) -> None:  # noqa: ARG002
        """Post it; the picture stays here, behind the links.

        Raises:
            Retry, Refused, Gone.
        """
        body = cloud_event(event)
        signed = headers(str(event.id), int(self._clock()), body, self._keys)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._post(body, signed)
        except TimeoutError as exc:
            raise Retry(f"no answer within {self._timeout_s:g} s") from exc
        _judge(answer, self._clock())

    async def _post(self, body: bytes, signed: dict[str, str]) -> httpx.Response:
        host, port = self._url.host, self._url.port or (443 if self._url.scheme == "https" else 80)
        failed: httpx.HTTPError | None = None
        for address in await addresses(host, port, self._allowed):
            try:
                return await self._post_to(address, body, signed)
            except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
                failed = exc
            except httpx.HTTPError as exc:  # it may have arrived
                raise Retry(f"the connection to {host} broke: {_why(exc)}") from exc
        assert failed is not None
        raise Retry(f"{host} cannot be reached: {_why(failed)}", reached=False) from failed

    async def _post_to(self, address: str, body: bytes, signed: dict[str, str]) -> httpx.Response:
        assert self._client is not None, "it is not open"
        request = self._client.build_request(
            "POST",
            self._url.copy_with(host=address),
            content=body,
            headers={
                **signed,
                "host": self._url.netloc.decode(),
                "content-type": CONTENT_TYPE,
                "user-agent": "GoodsGuard",
            },
            # TLS is with the name: its certificate is checked against it.
            extensions={"sni_hostname": self._url.raw_host.decode()},
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()  # its body is not read: it could be of any size
        return answer


def _judge(answer: httpx.Response, now: float) -> None:
    if answer.is_success:
        return
    said = f"it answered {answer.status_code} {answer.reason_phrase}".rstrip()
    if answer.status_code == 410:
        raise Gone(said)
    if answer.status_code in _NEVER:
        raise Refused(said)
    if answer.is_redirect:
        said += ": name the URL that it leads to, a redirect is not followed"
    raise Retry(said, retry_after(answer.headers.get("retry-after"), now))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a header Retry-After, a day at most; None: it says nothing that counts.

    Args:
        value: seconds, or a date of HTTP. now: Unix time in seconds.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:12])
    else:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        # A date without its zone is of UTC (RFC 9110, 5.6.7).
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - datetime.fromtimestamp(now, UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)


def _why(exc: httpx.HTTPError) -> str:
    return str(exc) or type(exc).__name__
