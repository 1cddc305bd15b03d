"""User name and password as a camera asks for them: Digest where it takes that, else Basic."""

from __future__ import annotations

from collections.abc import Generator

import httpx


class CameraAuth(httpx.Auth):
    """Sends nothing until it is asked, and then as it was asked; remembers how."""

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self._chosen: httpx.Auth | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """As httpx asks for it."""
        if self._chosen is None:
            response = yield request
            if response.status_code != 401:
                return
            self._chosen = self._fitting(response)
        yield from self._chosen.auth_flow(request)

    def _fitting(self, response: httpx.Response) -> httpx.Auth:
        asked = [v.split(" ")[0].lower() for v in response.headers.get_list("www-authenticate")]
        kind = httpx.DigestAuth if "digest" in asked else httpx.BasicAuth
        return kind(self._username, self._password)
