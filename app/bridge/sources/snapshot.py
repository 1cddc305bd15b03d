"""A URL that answers with a photo, asked for one every so many seconds.

Where the camera says that its photo has not changed (304), the one before is given again: it is
what the camera shows now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import httpx

from ..frames import Frame, is_whole, kind_of
from .address import without_password
from .camera_auth import CameraAuth
from .pacing import Pace
from .source import SourceError

# Cameras lock out, for half an hour and more, whoever gives a wrong password a few times.
REFUSED_AGAIN_S: Final = 60.0
_MAX_REDIRECTS: Final = 3
_ACCEPT: Final = "image/jpeg, image/png, image/webp"


class Snapshot:
    """A camera's still photos."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        every_s: float,
        timeout_s: float,
        max_bytes: int,
        username: str | None = None,
        password: str | None = None,
        verify_tls: bool = True,
    ) -> None:
        self.name, self._url = name, url
        self.stall_s: float | None = every_s + 2 * timeout_s
        self._pace = Pace(every_s)
        self._timeout_s, self._max_bytes, self._verify_tls = timeout_s, max_bytes, verify_tls
        parts = httpx.URL(url)
        # The file's entries count more than what stands in the URL.
        user = username if username is not None else parts.username
        self._auth = CameraAuth(user, password or parts.password) if user else None
        self._plain_url = parts.copy_with(username=None, password=None)
        self._last: tuple[bytes, dict[str, str]] | None = None

    def ask(self) -> None:
        """The next photo is due now."""
        self._pace.ask()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """One photo each time that one is due.

        Raises:
            SourceError: the camera gives none.
        """
        # The environment's proxies are for the internet, not for cameras.
        async with httpx.AsyncClient(
            auth=self._auth,
            timeout=self._timeout_s,
            verify=self._verify_tls,
            follow_redirects=True,
            max_redirects=_MAX_REDIRECTS,
            trust_env=False,
        ) as client:
            while True:
                await self._pace.due()
                yield Frame.now(self.name, await self._photo(client))

    async def _photo(self, client: httpx.AsyncClient) -> bytes:
        where = without_password(self._url)
        try:
            # httpx limits each step; a camera that sends a byte now and then passes them all.
            async with asyncio.timeout(self._timeout_s):
                return await self._fetch(client)
        except (httpx.TimeoutException, TimeoutError) as exc:
            raise SourceError(f"{where} did not answer within {self._timeout_s:g} s") from exc
        except httpx.TooManyRedirects as exc:
            raise SourceError(f"{where} sends us from address to address") from exc
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise SourceError(f"{where} cannot be reached: {_why(exc)}") from exc
        except (NotImplementedError, ValueError, KeyError) as exc:
            raise SourceError(
                f"{where} asks for a password in a way that is not known: {exc}",
                again_s=REFUSED_AGAIN_S,
            ) from exc

    async def _fetch(self, client: httpx.AsyncClient) -> bytes:
        headers = {"Accept": _ACCEPT} | (self._last[1] if self._last else {})
        async with client.stream("GET", self._plain_url, headers=headers) as response:
            if response.status_code == 304 and self._last:
                return self._last[0]
            self._check(response)
            data = await self._body(response)
        where = without_password(self._url)
        if not kind_of(data):
            kind = response.headers.get("content-type", "no type").split(";")[0][:60]
            raise SourceError(
                f"{where} answers with {kind}, not with a photo: is that the address of a snapshot?"
                if data
                else f"{where} answers with nothing"
            )
        if not is_whole(data):
            raise SourceError(f"{where} sent a photo that is cut short")
        self._last = (data, _conditions(response))
        return data

    def _check(self, response: httpx.Response) -> None:
        status, where = response.status_code, without_password(self._url)
        if status in (401, 403):
            what = "refuses the user name or the password" if self._auth else "asks for a password"
            raise SourceError(
                f"{where} {what} ({status}): set username and password_file of the camera",
                again_s=REFUSED_AGAIN_S,
            )
        if status != 200:
            raise SourceError(f"{where} answers {status} {response.reason_phrase}".rstrip())

    async def _body(self, response: httpx.Response) -> bytes:
        data = bytearray()
        async for piece in response.aiter_bytes():
            data += piece
            if len(data) > self._max_bytes:
                raise SourceError(
                    f"{without_password(self._url)} sends more than {self._max_bytes:,} bytes: "
                    "allow more with max_bytes, or have the camera send smaller photos"
                )
        return bytes(data)


def _conditions(response: httpx.Response) -> dict[str, str]:
    """What to send so that an unchanged photo is not sent again."""
    headers = response.headers
    found = {
        "If-None-Match": headers.get("etag"),
        "If-Modified-Since": headers.get("last-modified"),
    }
    return {name: value for name, value in found.items() if value}


def _why(exc: Exception) -> str:
    text = str(exc) or type(exc).__name__
    known = {
        "CERTIFICATE_VERIFY_FAILED": "its certificate is not one that we trust; "
        "verify_tls = false accepts it",
        "Name or service not known": "no such host",
        "All connection attempts failed": "nothing answers there",
        "without sending a response": "it closed the connection",
    }
    return next((plain for part, plain in known.items() if part in text), text)
