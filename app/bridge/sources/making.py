"""A camera's entry -> its Source. What a kind of source needs is loaded with the first of it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from ..config import Camera, Config
from .source import Source, SourceError


def make_source(camera: Camera, config: Config) -> Source:
    """Where the camera's photos come from.

    Raises:
        SourceError: a package that it needs is not installed.
    """
    try:
        return _made(camera, config)
    except ModuleNotFoundError as exc:
        extra = "onvif" if camera.address.kind == "onvif" else "bridge"
        raise SourceError(
            f"its source needs {exc.name}: pip install 'goodsguard[{extra}]'"
        ) from exc


def _made(camera: Camera, config: Config) -> Source:
    address = camera.address
    password = camera.password.get_secret_value() if camera.password else None
    match address.kind:
        case "stream":
            from .stream import Stream

            return Stream(
                camera.name,
                address.value,
                every_s=camera.pace_s,
                timeout_s=camera.timeout_s,
                transport=camera.transport,
                username=camera.username,
                password=password,
            )
        case "snapshot":
            from .snapshot import Snapshot

            return Snapshot(
                camera.name,
                address.value,
                every_s=camera.pace_s,
                timeout_s=camera.timeout_s,
                max_bytes=camera.max_bytes,
                username=camera.username,
                password=password,
                verify_tls=camera.verify_tls,
            )
        case "onvif":
            from .onvif import Onvif

            parts = urlsplit(address.value)
            return Onvif(
                camera.name,
                parts.hostname or "",
                parts.port or 80,
                every_s=camera.pace_s,
                timeout_s=camera.timeout_s,
                max_bytes=camera.max_bytes,
                username=camera.username or parts.username or "",
                password=password or parts.password or "",
                verify_tls=camera.verify_tls,
            )
        case "folder":
            from .folder import Folder

            return Folder(
                camera.name,
                Path(address.value).expanduser(),
                max_bytes=camera.max_bytes,
                poll=camera.poll,
                delete_done=camera.delete_done,
            )
        case "mqtt":
            from .mqtt import Mqtt

            assert config.mqtt is not None  # or it would not be among the cameras
            return Mqtt(
                camera.name,
                address.value,
                config.mqtt,
                image_field=camera.image_field,
                max_bytes=camera.max_bytes,
            )
        case "frigate":
            from .frigate import Frigate

            assert config.mqtt is not None
            assert config.frigate is not None
            return Frigate(
                camera.name,
                address.value,
                config.mqtt,
                config.frigate,
                camera.frigate,
                max_bytes=camera.max_bytes,
            )
