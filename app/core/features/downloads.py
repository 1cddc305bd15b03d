"""Downloads that never hang: a silent network is reported within seconds."""

from __future__ import annotations

import hashlib
import threading
import urllib.request
from pathlib import Path

from ..files import whole_file

# A silent network must be reported within 10 s; the rest of that time is for the answer itself.
NETWORK_TIMEOUT_S = 6.0
_CHUNK = 1 << 20


def probe(url: str) -> None:
    """Ask for the file's header only, in a thread: name look-ups obey no socket timeout.

    Goes through the environment's proxies, as the download itself does.
    """
    outcome: list[Exception | None] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S):  # noqa: S310
                outcome.append(None)
        except Exception as exc:  # carried over to the caller's thread
            outcome.append(exc)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NETWORK_TIMEOUT_S + 2)
    if not outcome:
        raise TimeoutError("no answer from the network")
    if outcome[0] is not None:
        raise outcome[0]


def download(url: str, path: Path, sha256_begins: str) -> None:
    """Fetch a file, whole or not at all. Time is limited for this request alone: a default for the
    process would be every other connection's, too.

    Raises:
        OSError: the network, the server or the disk; TimeoutError where it falls silent.
        ValueError: what came has another sha256.
    """
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "goodsguard"})  # noqa: S310
    with (
        urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S) as answer,  # noqa: S310
        whole_file(path) as partial,
    ):
        with partial.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
        if not digest.hexdigest().startswith(sha256_begins):
            raise ValueError(
                f"what came has the sha256 {digest.hexdigest()[:12]}…, not {sha256_begins}…"
            )
