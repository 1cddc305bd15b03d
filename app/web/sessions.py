"""Sessions of the page: a signed cookie that names an API key, and ends with it."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import TypeAdapter, ValidationError

from ..access.key_store import KeyStore
from ..access.keys import ApiKey
from .ended import Ended

COOKIE = "goodsguard_session"
# Id, the key's name, its fingerprint, end.
_SAID = TypeAdapter(tuple[str, str, str, int])


@dataclass(frozen=True)
class Session:
    """Somebody who has logged in.

    Attributes:
        id: random. key: whose. ends: seconds since the epoch.
    """

    id: str
    key: ApiKey
    ends: float


class Sessions:
    """Begins, knows and ends sessions. The event loop alone asks it.

    A cookie holds the session's id and end, the key's name and a fingerprint of its hash; so a key
    that was taken out, that has expired, or whose name another one has taken over opens nothing.
    """

    def __init__(
        self,
        secret: bytes,
        seconds: float,
        ended: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the secret that signs, how long a session lasts, and where it is written down which
        ones have ended before."""
        self._serializer = URLSafeSerializer(
            secret, salt="session", signer_kwargs={"digest_method": sha256}
        )
        self._secret, self._seconds, self._clock = secret, seconds, clock
        self._ended = Ended(ended, clock)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def begin(self, key: ApiKey) -> tuple[Session, str]:
        """A new session, and the cookie's value. Nothing that was sent before is part of it."""
        session = Session(secrets.token_urlsafe(18), key, self._clock() + self._seconds)
        value = self._serializer.dumps(
            [session.id, key.name, self._fingerprint(key), int(session.ends)]
        )
        return session, value if isinstance(value, str) else value.decode()

    def find(self, value: str, keys: KeyStore) -> Session | None:
        """The session of a cookie; None where it is not ours, is over, or its key is gone."""
        try:
            said = self._serializer.loads(value)
            identity, name, fingerprint, ends = _SAID.validate_python(said)
        except (BadSignature, ValidationError):  # or signed by a program that says it otherwise
            return None
        if ends <= self._clock() or identity in self._ended:
            return None
        key = keys.named(name)
        if key is None or not hmac.compare_digest(fingerprint, self._fingerprint(key)):
            return None
        return Session(identity, key, float(ends))

    def end(self, session: Session) -> None:
        """Log out: the cookie is taken no more, wherever a copy of it lies."""
        self._ended.add(session.id, session.ends)

    def token(self, session: Session | None) -> str:
        """What a form of this session sends along, so that no other site's form can stand in for
        it; None: everyone's, where there are no keys."""
        return self._mac(f"csrf {session.id if session else 'anyone'}")

    def _fingerprint(self, key: ApiKey) -> str:
        return self._mac(f"key {key.sha256}")[:32]

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()
