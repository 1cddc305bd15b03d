"""An RTSP server (GStreamer's), run by the system's own Python, which has its bindings.

    /usr/bin/python3 rtsp_server.py PORT USER:PASSWORD|- FILE.mp4 …

Prints its port (0: a free one), and serves the files as /0, /1, …, each from its beginning.
"""

# ruff: noqa: E402
# mypy: ignore-errors
from __future__ import annotations

import sys

import gi

for name, version in (("Gst", "1.0"), ("GstRtsp", "1.0"), ("GstRtspServer", "1.0")):
    gi.require_version(name, version)
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

# What a file's name ends with -> what unpacks it and makes packets of it.
PIPES = {
    "mp4": "qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "mov": "qtdemux ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1",
    "mka": "matroskademux ! opusparse ! rtpopuspay name=pay0 pt=96",
    "avi": "avidemux ! jpegparse ! rtpjpegpay name=pay0 pt=26",
}
ROLE = "viewer, media.factory.access=true, media.factory.construct=true"


def main(port: str, user: str, *files: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if user != "-":
        server.set_auth(asking_for(*user.split(":")))
    mounts = server.get_mount_points()
    for number, path in enumerate(files):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( filesrc location={path} ! {PIPES[path.rsplit('.', 1)[1]]} )")
        factory.add_role_from_structure(Gst.Structure.from_string(ROLE)[0])
        mounts.add_factory(f"/{number}", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def asking_for(name: str, password: str) -> GstRtspServer.RTSPAuth:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(name, password, token)
    return auth


if __name__ == "__main__":
    main(*sys.argv[1:])
