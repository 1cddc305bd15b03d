"""Home Assistant, and whoever else listens to MQTT: states, events, pictures, a switch to pause.

    goodsguard/status                 online; offline by the last will
    goodsguard/<camera>/state         JSON, retained: the newest of all
    goodsguard/<camera>/event         JSON: each event once it happens
    goodsguard/<camera>/overlay       JPEG, retained: where the newest alarm is
    goodsguard/<camera>/pause/set     ON or OFF, from whoever pauses a camera
    homeassistant/device/…/config     retained: what Home Assistant shows (`discovery.py`)

States are not kept for a broker that is away: it gets the newest. Events are, in the outbox.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import aiomqtt
import structlog
from PIL import Image

from ...core.crew import beside
from ...records.events import Event
from .broker import BrokerAddress
from .discovery import BASE, OFF, ON, STATUS, Topics, discovery
from .shown import Reading, ShownCamera, event_json, shown_cameras
from .sink import Retry

log = structlog.get_logger()

OnPause = Callable[[str, bool], object]
_TIMEOUT_S, _KEEPALIVE_S = 10.0, 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
# For a broker that is just being restarted.
_PATIENCE_S = 5.0
_JPEG = b"\xff\xd8"


class HomeAssistant:
    """A sink, and the state of all cameras beside it. Used on the loop's thread only."""

    def __init__(
        self,
        broker: BrokerAddress,
        cameras: Mapping[str, Sequence[str]],
        *,
        gone: Sequence[str] = (),
        prefix: str = "homeassistant",
        on_pause: OnPause = lambda _camera, _paused: None,
    ) -> None:
        """Do nothing yet.

        Args:
            cameras: their names -> their categories. gone: those that were announced once and are
                no more. prefix: of Home Assistant's own topics.
            on_pause: called with a camera and whether it is to be paused.
        """
        self._broker, self._prefix, self._on_pause = broker, prefix, on_pause
        self._cameras = shown_cameras(cameras)
        self._gone = [camera for camera in gone if camera not in self._cameras]
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.trouble: str | None = None

    async def open(self) -> None:
        """Connect, and stay so."""
        self._task = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        """Say that nothing comes any more, and disconnect."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def know(
        self, camera: str, *, raised: Sequence[str] = (), blind: bool = False, lost: bool = False,
        paused: bool = False,
    ) -> None:  # fmt: skip
        """What the bridge remembers of a camera from before its start."""
        if (shown := self._cameras.get(camera)) is not None:
            shown.raised, shown.blind, shown.lost = set(raised), blind, lost
            shown.paused = paused
            self._publish_soon(camera)

    def read(self, camera: str, category: str, reading: Reading) -> None:
        """The newest verdict; sent as soon as the broker takes it."""
        if (shown := self._cameras.get(camera)) is not None:
            shown.readings[category] = reading
            self._publish_soon(camera)

    def paused(self, camera: str, paused: bool) -> None:
        """Whether a camera is paused now, whoever asked for it."""
        if (shown := self._cameras.get(camera)) is not None:
            shown.paused = paused
            self._publish_soon(camera)

    async def deliver(self, event: Event, overlay: bytes | None) -> None:
        """Tell of it; returns when the broker has it.

        Raises:
            Retry: the broker is away.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), _PATIENCE_S)
        if (client := self._client) is None:
            raise Retry(self.trouble or "the broker is not connected", reached=False)
        shown, topics = self._cameras.get(event.camera), Topics(event.camera)
        picture = None if overlay is None else await beside(lambda: jpeg(overlay), "overlay")
        try:
            if picture is not None and event.kind == "alarm.raised":
                await client.publish(topics.overlay, picture, qos=1, retain=True)
            if shown is not None:
                shown.learn(event)
                await client.publish(topics.state, shown.to_json(), qos=1, retain=True)
            await client.publish(topics.event, event_json(event), qos=1)
        except aiomqtt.MqttError as exc:
            raise Retry(f"the broker did not take it: {exc}", reached=False) from exc

    async def _stay_connected(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with self._new_client() as client:
                    pause = _FIRST_PAUSE_S
                    await self._serve(client)
            except aiomqtt.MqttError as exc:
                self._lost(f"the broker {self._broker.host} cannot be used: {exc}")
            except Exception as exc:  # a fault of ours must not end the connection for good
                log.exception("a fault of the program ended a connection to the broker")
                self._lost(f"a fault of the program: {type(exc).__name__}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _new_client(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._broker.password,
            tls_params=aiomqtt.TLSParameters() if self._broker.tls else None,
            will=aiomqtt.Will(STATUS, "offline", qos=1, retain=True),
            timeout=_TIMEOUT_S,
            keepalive=_KEEPALIVE_S,
        )

    def _lost(self, why: str) -> None:
        if self.trouble is None:
            log.warning(why)
        self.trouble = why

    async def _serve(self, client: aiomqtt.Client) -> None:
        await client.subscribe([(f"{self._prefix}/status", 1), (f"{BASE}/+/pause/set", 1)])
        await self._announce(client)
        await client.publish(STATUS, "online", qos=1, retain=True)
        self._client, self.trouble = client, None
        self._connected.set()
        sending = asyncio.create_task(self._send_states(client))
        try:
            async for message in client.messages:
                await self._take(client, message)
        except asyncio.CancelledError:
            # Who disconnects in good order has no last will.
            with suppress(aiomqtt.MqttError, TimeoutError):
                await asyncio.wait_for(client.publish(STATUS, "offline", qos=1, retain=True), 2)
            raise
        finally:
            self._connected.clear()
            self._client = None
            sending.cancel()
            with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await sending

    async def _announce(self, client: aiomqtt.Client) -> None:
        for topics in map(Topics, self._gone):
            for topic in (topics.config(self._prefix), topics.state, topics.overlay):
                await client.publish(topic, b"", qos=1, retain=True)
        for camera, shown in self._cameras.items():
            payload = json.dumps(discovery(camera, shown.categories))
            topics = Topics(camera)
            await client.publish(topics.config(self._prefix), payload, qos=1, retain=True)
            await client.publish(topics.state, shown.to_json(), qos=1, retain=True)

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        said = message.payload if isinstance(message.payload, bytes) else b""
        if str(message.topic) == f"{self._prefix}/status":
            if said == b"online":  # Home Assistant was restarted
                await self._announce(client)
            return
        camera = str(message.topic).split("/")[1]
        # A command that the broker kept is of another day.
        if camera in self._cameras and not message.retain and said in (b"ON", b"OFF"):
            self._on_pause(camera, said == ON.encode())
            self.paused(camera, said != OFF.encode())

    def _publish_soon(self, camera: str) -> None:
        self._changed[camera] = None
        self._wake.set()

    async def _send_states(self, client: aiomqtt.Client) -> None:
        """One after the other, the newest of each: a slow broker gets fewer, not older ones."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, {}
            for camera in changed:
                shown: ShownCamera = self._cameras[camera]
                state = Topics(camera).state
                await client.publish(state, shown.to_json(), qos=1, retain=True)


def jpeg(picture: bytes) -> bytes | None:
    """A picture as JPEG; None: it is none."""
    if picture.startswith(_JPEG):
        return picture
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            opened.convert("RGB").save(buffer, "JPEG", quality=85)
    except (OSError, ValueError, Image.DecompressionBombError) as exc:
        log.warning("an overlay is no picture", error=repr(exc))
        return None
    return buffer.getvalue()
