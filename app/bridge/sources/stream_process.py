"""A camera's video -> its newest frame as a JPEG, when it is asked for; a process of its own.

FFmpeg may hang in ways that no time-out of its own ends (PyAV-Org/PyAV issues 584 and 1243): then
this process is killed, and nothing else notices. It knows nothing of the rest of the bridge.

Standard input: a line of JSON (`Settings`), then a byte for each frame that is wanted. Where it
ends, whoever started this is gone, and it goes too. Standard output: messages of `Kind`, a length
and a body. Three threads, so that no work holds up what the camera sends:

    demux ── packets ─► decode ── newest frame ─► answer
      └ drops what decode is too slow for, from keyframe to keyframe
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import IO, Any, Final

HEADER: Final = struct.Struct("!BI")
AGE: Final = struct.Struct("!d")

# A frame may be so old when it is handed over; the next one is waited for instead.
_FRESH_S: Final = 0.5
# Decoding that is so far behind what the camera sends never catches up.
_BEHIND_S: Final = 0.7
_BAD_PACKETS: Final = 250
_QUALITY: Final = 90


class Kind(IntEnum):
    """What a message is."""

    OPENED = 1  # JSON: codec, width, height, fps
    FRAME = 2  # the frame's age in seconds (double), and the JPEG
    FAULT = 3  # text


@dataclass(frozen=True)
class Settings:
    """What to open, and how.

    Attributes:
        pace_s: how often a frame will be asked for.
    """

    url: str
    transport: str
    timeout_s: float
    pace_s: float


class Fault(Exception):
    """Why there are no frames, in words."""


class Newest:
    """Hands the newest frame from the thread that decodes to the one that answers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Any = None
        self._arrived = 0.0

    def put(self, frame: Any, arrived: float) -> None:
        """A newer one; the one before it is dropped."""
        with self._changed:
            self._frame, self._arrived = frame, arrived
            self._changed.notify_all()

    def take(self) -> tuple[Any, float]:
        """One that is fresh and was not taken before, and when it arrived; waits for it."""
        with self._changed:
            while self._frame is None or time.monotonic() - self._arrived > _FRESH_S:
                self._changed.wait()
            frame, self._frame = self._frame, None
            return frame, self._arrived


class Packets:
    """What has arrived and is not decoded yet: never more than `_BEHIND_S` of it."""

    def __init__(self, pace_s: float) -> None:
        self._pace_s = pace_s
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Any, float]] = deque()
        self._until_key = True
        self._last_key: float | None = None
        self.keys_only = False

    def put(self, packet: Any) -> None:
        """One that has just arrived."""
        now = time.monotonic()
        with self._changed:
            if packet.is_keyframe:
                self._note_key(now)
                self._until_key = False
            if self._waiting and now - self._waiting[0][1] > _BEHIND_S:
                self._waiting.clear()
                self._until_key = not packet.is_keyframe
            if self._until_key or (self.keys_only and not packet.is_keyframe):
                return
            self._waiting.append((packet, now))
            self._changed.notify_all()

    def take(self) -> tuple[Any, float]:
        """The oldest one; waits for it."""
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            return self._waiting.popleft()

    def _note_key(self, now: float) -> None:
        """Where keyframes come twice as often as frames are wanted, nothing else is decoded."""
        if self._last_key is not None:
            self.keys_only = now - self._last_key <= self._pace_s / 2
        self._last_key = now


def options(settings: Settings) -> dict[str, str]:
    """FFmpeg's, by the kind of address."""
    micros = str(int(settings.timeout_s * 1e6))
    scheme = settings.url.partition(":")[0].lower()
    if scheme in ("rtsp", "rtsps"):
        return {
            "rtsp_transport": settings.transport,
            "timeout": micros,
            "fflags": "nobuffer",
            "allowed_media_types": "video",
        }
    # Nothing but what the address says: a playlist may not name files of this machine.
    return {"rw_timeout": micros, "protocol_whitelist": "http,https,tcp,tls,udp,rtp,crypto,rtmp"}


def open_video(settings: Settings) -> tuple[Any, Any]:
    """The container and its video.

    Raises:
        Fault: it cannot be opened, or shows nothing.
    """
    import av

    try:
        container = av.open(
            settings.url,
            options=options(settings),
            timeout=(settings.timeout_s, settings.timeout_s),
        )
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        raise Fault(f"cannot be opened: {_plain(exc)}") from exc
    if not container.streams.video:
        raise Fault("sends no video")
    video = container.streams.video[0]
    if video.codec_context is None:
        raise Fault("sends video of a codec that cannot be decoded")
    # A frame comes out as soon as its packet is in, whatever order the codec may allow.
    video.codec_context.thread_count = 1
    video.codec_context.flags |= av.codec.context.Flags.low_delay
    return container, video


def demux(container: Any, video: Any, packets: Packets) -> None:
    """Take what the camera sends, for as long as it does.

    Raises:
        Fault: it sends nothing more.
    """
    import av

    try:
        for packet in container.demux(video):
            if packet.size:
                packets.put(packet)
    except (av.error.FFmpegError, OSError) as exc:
        raise Fault(f"broke off: {_plain(exc)}") from exc
    raise Fault("has ended")


def decode(video: Any, packets: Packets, newest: Newest) -> None:
    """Packets -> the newest frame.

    Raises:
        Fault: what is sent cannot be decoded.
    """
    import av

    bad, codec = 0, video.codec_context
    while True:
        packet, arrived = packets.take()
        try:
            frames = codec.decode(packet)
            if packets.keys_only:  # the frames that it would wait for never come
                frames += codec.decode(None)
                codec.flush_buffers()
        except (av.error.FFmpegError, ValueError) as exc:
            codec.flush_buffers()
            bad += 1
            if bad >= _BAD_PACKETS:
                raise Fault(f"sends {codec.name} that cannot be decoded: {_plain(exc)}") from exc
            continue
        if frames:
            bad = 0
            newest.put(frames[-1], arrived)


def jpeg(frame: Any) -> bytes:
    """A frame as a JPEG."""
    data = io.BytesIO()
    frame.to_image().save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()


def run(source: IO[bytes], sink: IO[bytes]) -> None:
    """Until standard input ends or the video does."""
    settings = Settings(**json.loads(source.readline()))
    lock = threading.Lock()

    def say(kind: Kind, body: bytes) -> None:
        with lock:
            sink.write(HEADER.pack(kind, len(body)) + body)
            sink.flush()

    asked = threading.Semaphore(0)

    def listen() -> None:
        while source.read(1):
            asked.release()
        os._exit(0)

    newest, packets = Newest(), Packets(settings.pace_s)

    def answer() -> None:
        while True:
            asked.acquire()
            frame, arrived = newest.take()
            body = jpeg(frame)
            say(Kind.FRAME, AGE.pack(time.monotonic() - arrived) + body)

    def guarded(work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except Fault as fault:
            say(Kind.FAULT, str(fault).encode())
        except BaseException as exc:
            say(Kind.FAULT, f"cannot be read: {type(exc).__name__}: {exc}".encode())
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()

    def work() -> None:
        container, video = open_video(settings)
        facts = {
            "codec": video.codec_context.name,
            "width": video.width,
            "height": video.height,
            "fps": float(video.average_rate or video.guessed_rate or 0),
        }
        say(Kind.OPENED, json.dumps(facts).encode())
        for thread in ((answer,), (decode, video, packets, newest)):
            threading.Thread(target=guarded, args=thread, daemon=True).start()
        demux(container, video, packets)

    guarded(work)


def _plain(exc: BaseException) -> str:
    """FFmpeg's words without the address, which may hold a password."""
    words = str(getattr(exc, "strerror", None) or type(exc).__name__)
    # What FFmpeg says when a time-out of ours has ended it.
    return "nothing came in time" if words == "Immediate exit requested" else words


if __name__ == "__main__":
    run(sys.stdin.buffer, sys.stdout.buffer)
