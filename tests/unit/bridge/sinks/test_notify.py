from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import json
import logging
import socket
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from app.bridge.sinks.notify import Notify
from app.bridge.sinks.sink import Retry
from app.bridge.sinks.wording import text, title
from app.records.events import Event, EventKind

from .web import Answer, Sent, Web

EVENT = Event(
    kind="alarm.raised",
    camera="shelf-3",
    category="drink_can",
    body={
        "score": 7.8123, "threshold": 6.02, "anomalous": 2, "of": 3,
        "links": {"verdict": "http://goodsguard/verdicts/1"},
    },
    time=datetime(2026, 3, 1, 12, tzinfo=UTC),
)  # fmt: skip
PICTURE = b"\xff\xd8\xff picture"


def send(url: str, event: Event = EVENT, overlay: bytes | None = PICTURE, **options: Any) -> None:
    async def once() -> None:
        sink = Notify(url, **options)
        await sink.open()
        await sink.deliver(event, overlay)
        await sink.close()

    asyncio.run(once())


def test_a_message_with_its_picture(receiver: Web) -> None:
    send(f"json://user:geheim@127.0.0.1:{receiver.port}/hook")
    (sent,) = receiver.sent
    assert sent.path == "/hook"
    found = json.loads(sent.body)
    assert found["title"] == "Damaged drink can at shelf-3"
    assert "Score 7.81, above 6.02" in found["message"]
    assert "2 of the last 3 photos" in found["message"]
    assert "http://goodsguard/verdicts/1" in found["message"]
    assert found["type"] == "warning"
    (attached,) = found["attachments"]
    assert (attached["filename"], attached["mimetype"]) == ("defect.jpg", "image/jpeg")
    assert base64.b64decode(attached["base64"]) == PICTURE


def test_a_png_and_no_picture(receiver: Web) -> None:
    url = f"json://127.0.0.1:{receiver.port}"
    send(url, overlay=b"\x89PNG\r\n\x1a\n picture")
    send(url, Event(kind="camera.back", camera="till", body={"lasted_s": 600.0}), None)
    first, second = (json.loads(sent.body) for sent in receiver.sent)
    assert first["attachments"][0]["mimetype"] == "image/png"
    assert (second["attachments"], second["type"]) == ([], "success")
    assert second["title"] == "Camera till is back"
    assert "It lasted 10 min" in second["message"]


def test_what_a_service_refuses_is_tried_again_and_no_secret_told(
    receiver: Web, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = lambda _sent: (500, {})
    with pytest.raises(Retry, match="did not take it") as found:
        send(f"json://user:geheim@127.0.0.1:{receiver.port}/token-4711")
    captured = capfd.readouterr()
    told = caplog.text + captured.out + captured.err + str(found.value)
    # urllib3 tells paths where somebody asks for its debug lines; Apprise tells nothing.
    assert not [record for record in caplog.records if record.name.startswith("apprise")]
    assert "geheim" not in told


def test_a_service_that_hangs_holds_nobody_up(receiver: Web) -> None:
    over = threading.Event()

    def hang(_sent: Sent) -> Answer:
        over.wait(30)
        return 200, {}

    receiver.answer = hang

    async def main() -> None:
        sink = Notify(f"json://127.0.0.1:{receiver.port}", timeout_s=0.3)
        await sink.open()
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(Retry, match=r"within 0\.3 s"):
            await sink.deliver(EVENT, None)
        with pytest.raises(Retry, match="hangs still"):
            await sink.deliver(EVENT, None)
        assert loop.time() - started < 3
        over.set()
        receiver.answer = lambda _sent: (200, {})
        async with asyncio.timeout(20):
            while True:
                try:
                    await sink.deliver(EVENT, None)
                    return
                except Retry:
                    await asyncio.sleep(0.02)

    asyncio.run(main())


class Mailbox:
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(envelope.content)
        return "250 OK"


def test_a_mail_with_its_picture() -> None:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        send(f"mailto://127.0.0.1:{port}/?from=shop@example.org&to=anna@example.org&mode=insecure")
    finally:
        controller.stop()
    (raw,) = box.mails
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["subject"] == "Damaged drink can at shelf-3"
    assert "anna@example.org" in mail["to"]
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "defect.jpg"
    assert attached.get_payload(decode=True) == PICTURE


def test_a_wrong_address_is_told_and_not_shown() -> None:
    with pytest.raises(ValueError, match="Apprise does not know") as found:
        Notify("nosuch://geheim@host")
    assert "geheim" not in str(found.value)


KINDS: list[EventKind] = [
    "alarm.raised", "alarm.cleared", "camera.lost", "camera.back", "camera.blind", "camera.sees",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [{}, {"score": None, "links": None, "reason": "no route"}])
def test_each_kind_has_its_words(kind: EventKind, body: dict[str, Any]) -> None:
    event = Event(kind=kind, camera="till", category="food_box", body=body)
    assert "till" in title(event)
    assert text(event).splitlines()[0].startswith(str(event.time.astimezone().year))
    assert ("no route" in text(event)) == ("reason" in body)
