"""Names in pages of Markdown: shown as they are, whatever they hold."""

from __future__ import annotations

import re

from ..core.files import shown

_SPECIAL = re.compile(r"([\\`*|\[\]$~])")


def cell(text: str) -> str:
    """A text for a line or a cell of a table: no sign in it starts a cell, a link or a tag."""
    plain = shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", plain)


def sentence(text: str) -> str:
    """One of our own sentences for a line of its own: what it has between backticks stays so."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(code(p[1:-1]) if len(p) > 2 and p[0] == p[-1] == "`" else cell(p) for p in parts)


def code(text: str) -> str:
    """A name between backticks: more of them than it has itself."""
    plain = shown(text)
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
