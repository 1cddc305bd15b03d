"""`--check` before the real application and real sources."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from app.bridge.check import check, client_of
from app.bridge.config_file import ConfigFile
from tests.integration.service import DEFECTIVE, GOOD, Service, listening, serve
from tests.unit.bridge.sources.serving import plain, serving

pytestmark = pytest.mark.anyio


async def lines(
    folder: Path, cameras: str, service: httpx.AsyncClient
) -> tuple[bool, list[str], list[str]]:
    """Whether all works; what is said of the file and the service; and of cameras."""
    path = folder / "bridge.toml"
    path.write_text(f'[service]\nurl = "http://localhost"\n{cameras}')
    told: list[str] = []
    works = await check(ConfigFile(path).config, service, told.append)
    assert all("\n" not in line for line in told)
    at = next(i for i, line in enumerate(told) if line.startswith("service "))
    return works, told[: at + 1], told[at + 1 :]


def camera(name: str, source: str, more: str = 'category = "can"') -> str:
    return f'[[camera]]\nname = "{name}"\nsource = "{source}"\n{more}\ntimeout_s = 3\n'


async def test_what_works_is_told_in_a_line_a_camera(tmp_path: Path, service: Service) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "one.png").write_bytes(DEFECTIVE)
    async with serving(plain(GOOD)) as good:
        works, head, told = await lines(
            tmp_path,
            camera("shelf", good.url, 'category = ["can", "box"]') + camera("till", str(inbox)),
            service.client,
        )
    assert works
    assert head == ["service http://localhost: answers"]
    shelf, till = told
    assert shelf.startswith("camera shelf: a photo after 0.")
    assert "s (40 × 30 PNG, 0 kB); can: normal, 0" in shelf
    assert ", box: normal, 0" in shelf
    assert "can: anomalous, " in till
    assert (inbox / "one.png").exists()  # it is judged when the bridge runs


async def test_kinds_of_mistakes_are_one_plain_sentence_each(
    tmp_path: Path, service: Service
) -> None:
    (tmp_path / "empty").mkdir()
    async with (
        serving(plain(GOOD)) as good,
        serving(plain(b"<p>", Content_Type="text/html")) as page,
    ):
        works, head, told = await lines(
            tmp_path,
            camera("ok", good.url)
            + camera("typo", good.url, 'categroy = "can"')
            + camera("page", page.url)
            + camera("off", "http://127.0.0.1:9/x.jpg")
            + camera("unknown", good.url, 'category = "bottle"')
            + camera("torn", good.url, 'category = "torn"')
            + camera("nowhere", str(tmp_path / "nowhere"))
            + camera("places", good.url, "")
            + camera("quiet", str(tmp_path / "empty")),
            service.client,
        )
    assert not works
    assert head[0] == (
        "camera typo: categroy is not known here; category is the nearest: correct it, or take it "
        "out"
    )
    said = dict(line.removeprefix("camera ").split(": ", 1) for line in told)
    assert said["ok"].endswith(" of 0.1")
    assert "answers with text/html, not with a photo" in said["page"]
    assert said["off"] == "http://127.0.0.1:9/x.jpg cannot be reached: nothing answers there"
    assert "bottle: " in said["unknown"]
    assert "torn: " in said["torn"]
    assert said["nowhere"].startswith("there is no folder ")
    assert "the service knows no places of this camera" in said["places"]
    assert said["quiet"] == "can be opened; no photo came within 3 s, so none was judged"


async def test_a_service_that_is_off_or_refuses_the_key_is_told(tmp_path: Path) -> None:
    async with serve(tmp_path / "s", api_keys=("right",)) as locked, listening(locked) as port:
        path = tmp_path / "bridge.toml"
        for key, works, words in (
            ("wrong", False, "refuses the key: set key_file of [service]"),
            ("right", True, "answers"),
        ):
            (tmp_path / "in").mkdir(exist_ok=True)
            (tmp_path / "in" / "one.png").write_bytes(GOOD)
            text = f'[service]\nurl = "http://127.0.0.1:{port}"\nkey = "{key}"\n'
            path.write_text(text + camera("a", str(tmp_path / "in")))
            config = ConfigFile(path).config
            told: list[str] = []
            async with client_of(config) as client:
                assert await check(config, client, told.append) is works
            assert told[0].endswith(words)
            assert ("can: normal" in told[1]) is works
    told = []
    async with client_of(config) as client:
        assert not await check(config, client, told.append)
    assert "cannot be reached" in told[0]


async def test_without_cameras_nothing_works(tmp_path: Path, service: Service) -> None:
    works, _, told = await lines(tmp_path, "", service.client)
    assert not works
    assert told == ["no camera is set up: add a [[camera]] with its name and source"]
