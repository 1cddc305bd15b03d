"""Which kind of source a camera's `source = "…"` means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal["stream", "snapshot", "onvif", "folder", "mqtt", "frigate"]

_KIND_OF: dict[str, Kind] = {
    **dict.fromkeys(("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "stream"), "stream"),
    "http": "snapshot",
    "https": "snapshot",
    "onvif": "onvif",
    "folder": "folder",
    "mqtt": "mqtt",
    "frigate": "frigate",
}
# A drive's letter is no scheme.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)


@dataclass(frozen=True)
class Address:
    """A kind of source, and what it opens: a URL, a folder, a topic, a camera of Frigate's."""

    kind: Kind
    value: str

    @classmethod
    def parse(cls, source: str) -> Address:
        """Of the text in the file.

        Raises:
            ValueError: it means none; the text lists what there is.
        """
        source = source.strip()
        found = _SCHEME.fullmatch(source)
        if found is None:
            if not source:
                raise ValueError("is empty; give a URL, a folder, mqtt:TOPIC or frigate:CAMERA")
            return cls("folder", source)
        scheme, rest = found[1].lower(), found[2]
        if scheme not in _KIND_OF:
            raise ValueError(
                f"{scheme}: is no kind of source; there are rtsp://…, https://…, onvif://…, "
                "stream:URL, mqtt:TOPIC, frigate:CAMERA, and folder:PATH"
            )
        kind = _KIND_OF[scheme]
        plain = scheme in ("stream", "folder", "mqtt", "frigate")
        value = rest if plain else source
        if not value.strip("/ "):
            raise ValueError(f"{scheme}: says nothing of what to open")
        if not plain or scheme == "stream":
            _check_host(value)
        return cls(kind, value)


def _check_host(url: str) -> None:
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        port_fits = False
    if not port_fits or not parts.hostname:
        raise ValueError("names no host, as in rtsp://192.0.2.7/stream1")


def without_password(url: str) -> str:
    """A URL as it may be shown: user and password taken out."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)
