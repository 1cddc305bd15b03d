"""What drops frames, on its own; real servers are in tests/e2e/test_bridge_sources.py."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bridge.sources import stream_process
from app.bridge.sources.stream import with_user
from app.bridge.sources.stream_process import Fault, Newest, Packets, Settings, decode, options


@dataclass
class Packet:
    number: int
    is_keyframe: bool


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@given(
    pace_s=st.floats(0.1, 20),
    gop=st.integers(1, 60),
    taken=st.lists(st.booleans(), min_size=20, max_size=300),
)
def test_what_waits_is_young_and_can_be_decoded(pace_s: float, gop: int, taken: list[bool]) -> None:
    """Whatever the decoder's speed: what it takes begins with a keyframe or follows on."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stream_process, "time", clock)
        packets, before, decoded_key = Packets(pace_s), -1, -1
        for number, take in enumerate(taken):
            packets.put(Packet(number, number % gop == 0))
            if take and packets._waiting:
                packet, arrived = packets.take()
                if packet.is_keyframe:
                    decoded_key = packet.number
                elif not packets.keys_only:
                    assert packet.number in (before + 1, before), "a frame that others need is gone"
                    assert packet.number // gop * gop == decoded_key
                before = packet.number
                assert clock.now - arrived <= stream_process._BEHIND_S + 0.04 + 1e-9
            clock.now += 0.04


def test_where_keyframes_come_often_enough_nothing_else_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(stream_process, "time", clock)
    packets, given_out = Packets(pace_s=10.0), []
    for number in range(100):  # a keyframe each second
        packets.put(Packet(number, number % 25 == 0))
        while packets._waiting:
            given_out.append(packets.take()[0].number)
        clock.now += 0.04
    assert given_out == [*range(26), 50, 75]


def test_the_newest_frame_is_given_once_and_an_old_one_never() -> None:
    newest = Newest()
    taken: list[tuple[Any, float]] = []
    newest.put("old", time.monotonic() - 60)
    reader = threading.Thread(target=lambda: taken.extend(newest.take() for _ in range(2)))
    reader.start()
    newest.put("dropped", time.monotonic() - 60)
    newest.put("one", time.monotonic())
    while not taken:
        time.sleep(0.001)
    newest.put("two", time.monotonic())
    reader.join(10)
    assert [frame for frame, _ in taken] == ["one", "two"]


def test_what_cannot_be_decoded_is_told_and_not_tried_for_ever() -> None:
    codec = av.CodecContext.create("h264", "r")

    def take() -> tuple[Any, float]:
        return av.Packet(b"\0\0\0\1\x65" + b"\xff" * 50), time.monotonic()

    packets: Any = SimpleNamespace(keys_only=False, take=take)
    with pytest.raises(Fault, match="sends h264 that cannot be decoded"):
        decode(SimpleNamespace(codec_context=codec), packets, Newest())


def test_nothing_on_this_machine_can_be_opened_by_an_address() -> None:
    playlist = options(Settings("http://h/x.m3u8", "tcp", 5.0, 1.0))
    assert "file" not in playlist["protocol_whitelist"]
    rtsp = options(Settings("rtsp://h/1", "udp", 5.0, 1.0))
    assert (rtsp["rtsp_transport"], rtsp["timeout"]) == ("udp", "5000000")


@pytest.mark.parametrize(
    ("url", "user", "whole"),
    [
        ("rtsp://h:554/1?x=2", "a", "rtsp://a:p%40%2Fw@h:554/1?x=2"),
        ("rtsp://b:c@h/1", "a", "rtsp://a:p%40%2Fw@h/1"),
        ("rtsp://b:c@h/1", None, "rtsp://b:c@h/1"),
    ],
)
def test_users_go_into_the_address(url: str, user: str | None, whole: str) -> None:
    assert with_user(url, user, "p@/w") == whole
