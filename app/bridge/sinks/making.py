"""The sink that a target asks for."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from ...core.files import shown
from ...records.events import Event
from .broker import BrokerAddress
from .frigate import FrigateLabel
from .homeassistant import HomeAssistant, OnPause
from .notify import Notify
from .settings import Target
from .signing import secrets_of
from .sink import Sink
from .webhook import Webhook


class WithoutOverlay:
    """A sink whose target wants no pictures."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.open, self.close = sink.open, sink.close

    async def deliver(self, event: Event, overlay: bytes | None) -> None:  # noqa: ARG002
        """Tell of it without its picture."""
        await self._sink.deliver(event, None)


def sink_of(
    target: Target,
    cameras: Mapping[str, Sequence[str]],
    *,
    gone: Sequence[str] = (),
    on_pause: OnPause = lambda _camera, _paused: None,
) -> Sink:
    """Make it; it is not open yet. An MQTT target's is a `HomeAssistant`, which shows states, too.

    Args:
        cameras: their names -> their categories. gone: cameras that were there once.
        on_pause: called with a camera and whether it is to be paused.

    Raises:
        ValueError: an entry of the target cannot be used; the text says which.
    """
    if target.mqtt is not None:
        broker = BrokerAddress.of(target.mqtt, target.username, _text(target.password))
        shown_cameras = {
            camera: categories
            for camera, categories in cameras.items()
            if not target.cameras or camera in target.cameras
        }
        return HomeAssistant(
            broker, shown_cameras, gone=gone, prefix=target.discovery_prefix, on_pause=on_pause
        )
    sink = _other(target)
    return sink if target.overlay else WithoutOverlay(sink)


def _other(target: Target) -> Sink:
    if target.webhook is not None:
        return Webhook(
            target.webhook,
            keys=secrets_of(_text(target.secret) or ""),
            allow_hosts=target.allow_hosts,
            timeout_s=target.timeout_s,
            tls=_trusting(target),
        )
    if target.apprise is not None:
        return Notify(target.apprise.get_secret_value(), timeout_s=target.timeout_s)
    assert target.frigate is not None
    return FrigateLabel(
        target.frigate, token=_text(target.token), label=target.label, timeout_s=target.timeout_s
    )


def _trusting(target: Target) -> ssl.SSLContext | None:
    if target.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=target.ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ValueError(
            f"ca_file {shown(target.ca_file)} holds no certificates that can be read"
        ) from exc


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
