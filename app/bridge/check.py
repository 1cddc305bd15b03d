"""`--check`: for each camera, in one line, what works: its photo, its category, a trial verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from .config import Camera, Config
from .frames import Frame, kind_of
from .small_grey import NotAPhoto, size_of
from .sources.making import make_source
from .sources.source import Source, SourceError
from .sources.stream import Stream

# Folders and topics give photos when there are some: not waited for longer.
_QUIET_S: Final = 3.0
_UNKNOWN_CAMERA: Final = "urn:goodsguard:unknown-camera"


@dataclass(frozen=True)
class Checked:
    """One camera's line.

    Attributes:
        works: it gives photos, and the service judges them.
    """

    name: str
    works: bool
    text: str

    def __str__(self) -> str:
        return f"camera {self.name}: {self.text}"


async def check(config: Config, service: httpx.AsyncClient, tell: Callable[[str], None]) -> bool:
    """Tell what works; whether all of it does.

    Args:
        service: a client of the service's, with its key. tell: is given a line each.
    """
    for fault in config.faults:
        tell(str(fault))
    reason = await _of_service(service)
    tell(f"service {config.service.url}: {reason or 'answers'}")
    found = await asyncio.gather(*(of_camera(camera, config, service) for camera in config.cameras))
    for one in found:
        tell(str(one))
    if not found:
        tell("no camera is set up: add a [[camera]] with its name and source")
    return not config.faults and not reason and bool(found) and all(one.works for one in found)


def client_of(config: Config) -> httpx.AsyncClient:
    """A client of the service that the file names."""
    key = config.service.key
    return httpx.AsyncClient(
        base_url=config.service.url,
        timeout=config.service.timeout_s,
        headers={"X-API-Key": key.get_secret_value()} if key else {},
        trust_env=False,
    )


async def of_camera(camera: Camera, config: Config, service: httpx.AsyncClient) -> Checked:
    """One camera's line."""
    try:
        source = make_source(camera, config)
        frame, took_s = await _first(source, camera)
        seen = f"a photo after {took_s:.1f} s ({_facts(source, frame)})"
        categories = camera.categories_of(frame.fields)
    except _Quiet as quiet:
        return Checked(camera.name, True, str(quiet))
    except (SourceError, NotAPhoto, ValueError) as exc:
        return Checked(camera.name, False, str(exc))
    works, verdict = await _trial(camera, frame, categories, service)
    return Checked(camera.name, works, f"{seen}; {verdict}")


class _Quiet(Exception):
    """Nothing is wrong, but no photo came."""


async def _first(source: Source, camera: Camera) -> tuple[Frame, float]:
    """Its first photo, which stays where it is, and how long it took."""
    clock = asyncio.get_running_loop().time
    frames, started = source.frames(), clock()
    limit = _QUIET_S if source.stall_s is None else 2 * camera.timeout_s
    try:
        async with asyncio.timeout(limit):
            frame = await anext(frames, None)
    except TimeoutError as exc:
        if source.stall_s is None:
            raise _Quiet(
                f"can be opened; no photo came within {limit:g} s, so none was judged"
            ) from exc
        raise SourceError(f"gave no photo within {limit:g} s") from exc
    finally:
        await frames.aclose()
    if frame is None:
        raise SourceError("has ended without a photo")
    return frame, clock() - started


def _facts(source: Source, frame: Frame) -> str:
    width, height = size_of(frame.data)
    facts = f"{width} × {height} {kind_of(frame.data)}, {len(frame.data) / 1000:,.0f} kB"
    if isinstance(source, Stream) and source.facts:
        facts += f", {source.facts['codec']} at {source.facts['fps']:g} fps"
    return facts


async def _of_service(service: httpx.AsyncClient) -> str:
    """Why it cannot judge; "" where it can."""
    try:
        answer = await service.get("/categories")
    except httpx.HTTPError as exc:
        return f"cannot be reached: {str(exc) or type(exc).__name__}"
    if answer.status_code == 401:
        return "refuses the key: set key_file of [service]"
    return "" if answer.status_code == 200 else f"answers {answer.status_code}: {_detail(answer)}"


async def _trial(
    camera: Camera, frame: Frame, categories: tuple[str, ...], service: httpx.AsyncClient
) -> tuple[bool, str]:
    """Whether the photo was judged, and what came of it."""
    asked: dict[str, Any] = {"category": list(categories)} if categories else {}
    try:
        answer = await _score(service, frame, {**asked, "camera": camera.name})
        if categories and _is_unknown_camera(answer):  # judged whole, then
            answer = await _score(service, frame, asked)
        elif _is_unknown_camera(answer):
            return False, (
                "the service knows no places of this camera: give it a category here, or list it "
                "in the service's file of cameras"
            )
    except httpx.HTTPError as exc:
        return False, f"the service cannot be reached: {str(exc) or type(exc).__name__}"
    if answer.status_code != 200:
        return False, f"the service answers {answer.status_code}: {_detail(answer)}"
    items = answer.json()["results"]
    return all(item.get("result") for item in items), ", ".join(map(_verdict, items))


async def _score(
    service: httpx.AsyncClient, frame: Frame, query: Mapping[str, Any]
) -> httpx.Response:
    return await service.post("/score", params=query, files={"file": ("photo", frame.data)})


def _verdict(item: Mapping[str, Any]) -> str:
    name = item["category"] + (f" ({item['place']})" if item.get("place") else "")
    result = item.get("result")
    if result is None:
        problem = item.get("problem") or {}
        return f"{name}: {problem.get('detail') or item['verdict']}"
    return f"{name}: {result['verdict']}, {result['score']:.3g} of {result['threshold']:.3g}"


def _is_unknown_camera(answer: httpx.Response) -> bool:
    return answer.status_code == 422 and _problem(answer).get("type") == _UNKNOWN_CAMERA


def _detail(answer: httpx.Response) -> str:
    problem = _problem(answer)
    return str(problem.get("detail") or problem.get("title") or answer.reason_phrase)[:300]


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
