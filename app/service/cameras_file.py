"""The file of cameras: TOML, one table per camera.

[cameras.shelf-3]
crop = [0.1, 0.0, 0.9, 1.0]     # left, top, right, bottom, in shares of the upright photo
mask = "shelf-3.png"            # optional: an image of the whole photo, white = look at it; or
polygon = [[0.2, 0.1], …]       # its corners, in shares of the whole photo

[[cameras.shelf-3.places]]      # optional: what `POST /score?camera=shelf-3` judges
name = "left"
category = "juice"
crop = [0.0, 0.0, 0.5, 1.0]     # in shares of the camera's crop
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..core.arrays import Floats
from ..core.errors import ImageError
from ..core.files import read_at_most, shown
from ..core.photo.box import Box
from ..core.photo.look import Shares
from ..core.photo.view import Point, View, white_of, within_corners

# Places of a mask along its longer side: finer than the patches of a twelfth of the photo.
_MASK_SIDE = 512
_MAX_MASK_BYTES = 32 << 20
_MAX_NAME = 64

Name = Annotated[str, Field(min_length=1, max_length=_MAX_NAME)]


class CamerasError(Exception):
    """The file as a whole cannot be used; the text says why."""


@dataclass(frozen=True)
class Place:
    """A part of what a camera sees, where the goods of one category stand."""

    name: str
    category: str
    view: View


@dataclass(frozen=True)
class Camera:
    """What of a camera's photos is looked at, and the places that it shows."""

    name: str
    view: View
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What a file of cameras says.

    Attributes:
        cameras: by name; of one that has a fault, what it is.
        masks: a fingerprint of each file that was read for them.
    """

    cameras: Mapping[str, Camera | str] = field(default_factory=dict)
    masks: Mapping[Path, str] = field(default_factory=dict)


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _PlaceEntry(_Entry):
    name: Name
    category: Name
    crop: Shares


class _CameraEntry(_Entry):
    crop: Shares = (0.0, 0.0, 1.0, 1.0)
    mask: str | None = None
    polygon: tuple[Point, ...] | None = Field(default=None, min_length=3, max_length=1000)
    places: tuple[_PlaceEntry, ...] = Field(default=(), max_length=256)

    @model_validator(mode="after")
    def _check(self) -> _CameraEntry:
        if self.mask is not None and self.polygon is not None:
            raise ValueError("a camera has a mask or a polygon, not both")
        if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in self.polygon or ()):
            raise ValueError("a polygon's corners are shares of the photo, from 0 to 1")
        names = [place.name for place in self.places]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two places have the name {twice[0]!r}")
        return self


def read_cameras(content: bytes, folder: Path) -> Contents:
    """The cameras, each by itself: one camera's fault costs no other.

    Args:
        folder: where paths of masks begin.

    Raises:
        CamerasError: it is no TOML, or holds no tables of cameras.
    """
    try:
        document = tomllib.loads(content.decode())
    except UnicodeDecodeError as exc:
        raise CamerasError("the cameras file is not UTF-8") from exc
    except tomllib.TOMLDecodeError as exc:
        raise CamerasError(f"the cameras file is not TOML: {exc}") from exc
    tables = document.pop("cameras", {})
    if document:
        names = ", ".join(sorted(map(shown, document)))
        raise CamerasError(f"the cameras file has unknown entries: {names}")
    if not isinstance(tables, dict):
        raise CamerasError("the cameras file must hold tables [cameras.NAME]")
    masks: dict[Path, str] = {}
    cameras: dict[str, Camera | str] = {}
    for name, table in tables.items():
        try:
            cameras[name] = _camera(name, table, folder, masks)
        except _Fault as fault:
            cameras[name] = str(fault)
    return Contents(cameras, masks)


def fingerprint(path: Path) -> str:
    """Equal while the file's content is."""
    try:
        return _digest(read_at_most(path, _MAX_MASK_BYTES))
    except (OSError, ValueError) as exc:  # ValueError: a zero byte in its name
        return str(exc)


class _Fault(Exception):
    """What is wrong with one camera."""


def _camera(name: str, table: Any, folder: Path, masks: dict[Path, str]) -> Camera:
    if not 0 < len(name) <= _MAX_NAME:
        raise _Fault(f"a camera's name has 1 to {_MAX_NAME} characters")
    if not isinstance(table, dict):
        raise _Fault("a camera is a table [cameras.NAME]")
    try:
        entry = _CameraEntry.model_validate(table)
    except ValidationError as exc:
        raise _Fault("; ".join(_told(e["loc"], e["msg"]) for e in exc.errors())) from exc
    view = View(Box(*entry.crop), _mask(entry, folder, masks))
    if view.is_blind:
        raise _Fault("its mask covers all of its crop: nothing would be looked at")
    places = tuple(
        Place(place.name, place.category, view.part(Box(*place.crop))) for place in entry.places
    )
    if blind := [place.name for place in places if place.view.is_blind]:
        raise _Fault(f"its mask covers all of the place {blind[0]!r}")
    return Camera(name, view, places)


def _mask(entry: _CameraEntry, folder: Path, masks: dict[Path, str]) -> Floats | None:
    if entry.polygon is not None:
        return within_corners(entry.polygon, _MASK_SIDE)
    if entry.mask is None:
        return None
    path, name = folder / entry.mask, shown(entry.mask)
    try:
        data = read_at_most(path, _MAX_MASK_BYTES)
    except (OSError, ValueError) as exc:
        masks[path] = str(exc)
        raise _Fault(f"its mask {name} cannot be read: {getattr(exc, 'strerror', exc)}") from exc
    masks[path] = _digest(data)
    if len(data) > _MAX_MASK_BYTES:
        raise _Fault(f"its mask {name} has more than {_MAX_MASK_BYTES:,} bytes")
    try:
        return white_of(data, _MASK_SIDE)
    except ImageError as exc:
        raise _Fault(f"its mask {name} cannot be read: {exc}") from exc


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _told(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(map(str, place))
    message = message.removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
