"""Templates -> answers: HTML with the pages' own security headers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from .static_files import static_files
from .viewers import Viewer

# Scripts, styles and connections are this service's own; a photo that was chosen is shown from the
# browser's memory (blob:), overlays and patches come inside the page (data:).
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
# Under `no-referrer` a browser sends `Origin: null` with a form.
_HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}

# Every page is /page/<name>: this leads to the service's root, below whichever prefix of a proxy.
ROOT = "../"
# What no word of a sentence has inside: `bank.safetensors`, `models/can`, `GOODSGUARD_RECORDS=on`.
_CODE = re.compile(r"[./\\_=:{}<>`]|\d")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def number(value: float | None) -> str:
    """A score as people read it: four digits that count; `–` where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """A share as a percentage, two digits that count; the sign stays on the number's line."""
    if value is None or not math.isfinite(value):
        return "–"
    digits = f"{value * 100:.2g}" if value < 0.995 else f"{value * 100:.0f}"
    return f"{digits}\N{NO-BREAK SPACE}%"


def size(value: int) -> str:
    """Bytes as people read them."""
    amount, unit = float(value), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}" if unit else f"{value} {_UNITS[0]}"


def capitalized(text: str) -> str:
    """A sentence's first letter as a capital, the others as they are; a file's name or a piece of
    code with which it begins stays as it is."""
    first = text.split(maxsplit=1)[0].rstrip(".,;:!?") if text.strip() else ""
    return text if _CODE.search(first) else text[:1].upper() + text[1:]


def moment(value: datetime, *, full: bool = False) -> Markup:
    """A time in UTC that page.js turns into the reader's own.

    Args:
        full: with its date, even today's, and its zone: where much hangs on it.
    """
    at = value.astimezone(UTC)
    shown, machine = f"{at:%Y-%m-%d %H:%M:%S} UTC", at.isoformat(timespec="milliseconds")
    form = "full" if full else ""
    return Markup('<time datetime="{}" data-local="{}">{}</time>').format(machine, form, shown)


def asset(name: str) -> str:
    """The address of a static file, with its hash: browsers keep it for a day."""
    return f"{ROOT}static/{name}?{static_files()[name].etag[1:9]}"


@cache
def environment() -> Environment:
    """Jinja2 with escaping, and an error for every name that is not given."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=number, percent=percent, size=size, moment=moment, capitalized=capitalized
    )
    made.globals.update(root=ROOT, asset=asset, version=__version__)
    return made


def render(
    request: Request,
    template: str,
    viewer: Viewer | None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    entry: str | None = None,
    **values: Any,
) -> HTMLResponse:
    """An answer made of a template.

    Args:
        viewer: who looks; None: nobody has logged in.
        entry: of the menu, to which a page belongs that has none of its own.
        values: what the template names; `viewer`, `request_id`, `entry` and `path`, the page's
            last part, are given to every one.
    """
    text = (
        environment()
        .get_template(template)
        .render(
            viewer=viewer,
            request_id=request.state.request_id,
            entry=entry,
            path=request.url.path.rstrip("/").rpartition("/")[2],
            **values,
        )
    )
    return HTMLResponse(text, status, headers={**_HEADERS, **(headers or {})})
