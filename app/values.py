"""What settings may hold: sizes such as 32MB, a path from ~; and how that is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo

_SIZE = re.compile(r"([\d_]+(?:\.\d+)?)\s*(?:([kmgt])(i?b?)|b)?(?:ytes?)?", re.IGNORECASE)
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def bytes_of(value: object) -> object:
    """A number of bytes: 33554432, 32M and 32MiB (powers of 1024), 32MB (powers of 1000).

    Raises:
        ValueError: text that is none of these.
    """
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None or not found[1].strip("_."):
        raise ValueError("must be a number of bytes, such as 33554432, 32MiB or 32MB")
    number, unit, rest = found.groups()
    power = " kmgt".index(unit.lower()) if unit else 0
    base = 1000 if (rest or "").lower() == "b" else 1024
    return int(float(number.replace("_", "")) * base**power)


def _device(value: str) -> str:
    if not _DEVICE.fullmatch(value):
        raise ValueError("must be auto, cpu, cuda or cuda:N")
    return value


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as exc:
        raise ValueError(f"{path.parts[0]} is nobody's home here; give the whole path") from exc


lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)
ByteSize = Annotated[int, BeforeValidator(bytes_of)]
Device = Annotated[str, lower, AfterValidator(_device)]
Expanded = Annotated[Path, AfterValidator(_expanded)]

_UNITS = {
    "_s": " of seconds",
    "_ms": " of milliseconds",
    "_bytes": " of bytes",
    "_days": " of days",
}


def allowed(name: str, field: FieldInfo) -> str:
    """What a setting may be, as the end of a sentence.

    Args:
        name: of the setting; its ending may be a unit.
    """
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        *others, last = get_args(kind)
        return f"must be {', '.join(others)} or {last}"
    if kind is bool:
        return "must be true or false"
    if kind not in (int, float):
        return "must be text" if kind is str else "must be a path"
    unit = next((text for end, text in _UNITS.items() if name.endswith(end)), "")
    number = f"a {'whole ' if kind is int else ''}number{unit}"
    return f"must be {number}{_limits(field.metadata)}"


def _limits(metadata: list[Any]) -> str:
    text = ""
    for limit in metadata:
        if isinstance(limit, Ge):
            text += f", at least {limit.ge}"
        elif isinstance(limit, Gt):
            text += f", above {limit.gt}"
        elif isinstance(limit, Le):
            text += f", at most {limit.le}"
    return text
