"""Before a server that answers as an ONVIF camera does (Profile S: device and media service)."""

from __future__ import annotations

import asyncio

import pytest

from app.bridge.sources.onvif import Onvif
from app.bridge.sources.source import SourceError
from tests.support import encode, textured
from tests.unit.bridge.sources.serving import Answer, Camera, Headers, plain, serving

pytestmark = pytest.mark.anyio

PHOTO = encode(textured(64, 48), "JPEG")
ENVELOPE = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
    'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" '
    'xmlns:tt="http://www.onvif.org/ver10/schema"><s:Body>{}</s:Body></s:Envelope>'
)
TIME = (
    "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP"
    "</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings></tds:SystemDateAndTime>"
    "</tds:GetSystemDateAndTimeResponse>"
)
CAPABILITIES = (
    "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>{url}/onvif/media"
    "</tt:XAddr><tt:StreamingCapabilities/></tt:Media></tds:Capabilities>"
    "</tds:GetCapabilitiesResponse>"
)
PROFILES = (
    '<trt:GetProfilesResponse><trt:Profiles token="main" fixed="true"><tt:Name>main</tt:Name>'
    "</trt:Profiles></trt:GetProfilesResponse>"
)
ADDRESS = (
    "<trt:GetSnapshotUriResponse><trt:MediaUri><tt:Uri>{uri}</tt:Uri>"
    "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
    "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
    "</trt:MediaUri></trt:GetSnapshotUriResponse>"
)
REFUSED = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason>"
    '<s:Text xml:lang="en">Sender not Authorized</s:Text></s:Reason></s:Fault>'
)


def answering(uri: str, *, refused: bool = False) -> Answer:
    async def answer(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
        root = camera.url.rsplit("/", 1)[0]
        action = asked.get("content-type", "")
        body = next(
            (
                text
                for name, text in (
                    ("GetSystemDateAndTime", TIME),
                    ("GetCapabilities", CAPABILITIES.format(url=root)),
                    ("GetProfiles", REFUSED if refused else PROFILES),
                    ("GetSnapshotUri", ADDRESS.format(uri=uri and root + uri)),
                )
                if name in action
            ),
            None,
        )
        if "soap" not in action:
            await plain(PHOTO)(camera, asked, writer)
        else:
            soap = ENVELOPE.format(body or REFUSED).encode()
            status = "400 Bad Request" if body in (None, REFUSED) else "200 OK"
            await plain(soap, status, Content_Type="application/soap+xml")(camera, asked, writer)

    return answer


def source(camera: Camera) -> Onvif:
    port = int(camera.url.split(":")[2].split("/")[0])
    return Onvif("a", "127.0.0.1", port, every_s=0.01, timeout_s=10.0, max_bytes=1 << 20,
                 username="admin", password="pw")  # fmt: skip


async def test_the_camera_names_where_its_photos_are() -> None:
    async with serving(answering("/snap.jpg")) as camera:
        frames = source(camera).frames()
        assert [(await anext(frames)).data for _ in range(2)] == [PHOTO] * 2
        await frames.aclose()


@pytest.mark.parametrize(
    ("uri", "refused", "words"),
    [
        ("", False, "names no snapshot URL: name its RTSP stream as the source"),
        ("/x", True, "refuses the user name or the password"),
    ],
)
async def test_a_camera_that_names_none_is_told(uri: str, refused: bool, words: str) -> None:
    async with serving(answering(uri, refused=refused)) as camera:
        frames = source(camera).frames()
        with pytest.raises(SourceError, match=words):
            await anext(frames)


async def test_a_camera_that_is_off_is_told() -> None:
    async with serving(answering("")) as camera:
        off = source(camera)
    with pytest.raises(SourceError, match=r"the ONVIF camera 127.0.0.1:\d+ cannot be asked"):
        await anext(off.frames())
