"""The whole application over ASGI, its lifespan included, with a network of predictable numbers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import torch
import uvicorn
from fastapi import FastAPI

from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.features.runtimes import Engine
from app.core.store import artifact as artifacts
from app.main import create_app
from app.settings import Settings
from tests.support import ColourRuntime, encode, make_artifact, plain, write_category

GOOD = encode(plain(120))
DEFECTIVE = encode(plain((255, 0, 0)))
# The one colour for which the network below answers NaN.
CURSED = encode(plain((0, 255, 255)))

Json = dict[str, Any]


class Network(ColourRuntime):
    """Hands pictures through, all but those of one colour."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.before()
        means = batch.mean(dim=(2, 3))
        cursed = (means - torch.tensor([0.0, 1.0, 1.0])).abs().sum(dim=1) < 0.01
        return (batch.masked_fill(cursed[:, None, None, None], float("nan")),)


@dataclass
class Service:
    """A running application and its client."""

    app: FastAPI
    client: httpx.AsyncClient
    network: ColourRuntime
    models: Path
    data: Path

    async def score(self, photo: bytes, category: str = "can", **params: str) -> httpx.Response:
        return await self.client.post(
            f"/score/{category}", files={"file": ("p.png", photo)}, params=params
        )

    async def batch(self, *photos: bytes, category: str = "can") -> httpx.Response:
        files = [("files", (f"{i}.png", photo)) for i, photo in enumerate(photos)]
        return await self.client.post(f"/score/{category}/batch", files=files)

    async def metric(self, name: str, **labels: str) -> float:
        """The value of one sample of /metrics; 0 where it has not come up yet."""
        text = (await self.client.get("/metrics")).text
        for line in text.splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.split("{")[0] == name and all(
                f'{k}="{v}"' in sample for k, v in labels.items()
            ):
                return float(value)
        return 0.0


def store_banks(models: Path) -> None:
    """`can` and `box` serve; `torn` is damaged."""
    for name in ("can", "box", "torn"):
        artifacts.save(models, make_artifact(name))
    version = artifacts.current_version(models / "torn")
    path = models / "torn" / version / artifacts.BANK
    path.write_bytes(path.read_bytes()[:-1])


@asynccontextmanager
async def serve(
    root: Path,
    *,
    network: ColourRuntime | None = None,
    try_again_s: float = 3600,  # never by itself: tests count failures
    **overrides: Any,
) -> AsyncIterator[Service]:
    """Banks as in `store_banks` unless some are there; test photos for `can` only."""
    if not (root / "models").exists():
        store_banks(root / "models")
    if not (root / "data").exists():
        write_category(root / "data")
    runtime = network or Network()
    values: Json = {
        "models_dir": root / "models",
        "data_dir": root / "data",
        "reports_dir": root / "reports",
        "records_dir": root / "records",
        "threads": 1,
        "device": "cpu",
        "log_level": "error",
    }

    def load_extractor(spec: FeatureSpec, _: Engine) -> FeatureExtractor:
        return FeatureExtractor(spec, runtime.for_spec(spec))

    app = create_app(Settings(**(values | overrides)), load_extractor, try_again_s=try_again_s)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield Service(app, client, runtime, root / "models", root / "data")


@asynccontextmanager
async def listening(running: Service) -> AsyncIterator[int]:
    """A running application on a port of the loopback, for what ASGI clients cannot send."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(running.app, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.ensure_future(server.serve([listener]))
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def assert_problem(answer: httpx.Response, status: int, slug: str) -> Json:
    """The answer is this problem, whole and well-formed."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: Json = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "request_id"}
    assert (body["type"], body["status"]) == (f"urn:goodsguard:{slug}", status)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    return body


class Chunks:
    """A body sent piece by piece, without a length; counts what was taken of it."""

    def __init__(self, *, size: int = 1024, number: int = 1000, first: bytes = b"") -> None:
        self._size, self._number, self._first = size, number, first
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._first:
            yield self._first
        for _ in range(self._number):
            self.taken += self._size
            yield bytes(self._size)
