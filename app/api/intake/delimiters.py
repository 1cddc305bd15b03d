"""What RFC 2046 allows around the boundaries of a multipart body, and the parser does not read."""

from __future__ import annotations

import re

# Mail gateways may fill up a line with blanks (RFC 2046, 5.1.1); nobody sends more of them.
_MOST_BLANKS = 60


class Delimiters:
    """Takes away the text before the first boundary and the blanks after each.

    The last bytes are held back until it is known whether a boundary begins in them.

    Attributes:
        are_missing: bytes came, and no boundary among them so far.
    """

    def __init__(self, boundary: bytes) -> None:
        """Takes the boundary that the Content-Type names."""
        line = rb"--" + re.escape(boundary)
        blanks = rb"[ \t]{0,%d}" % _MOST_BLANKS
        self._first = re.compile(rb"\n" + line + rb"(?=" + blanks + rb"\r\n|--)")
        self._padded = re.compile(rb"(\r\n" + line + rb")[ \t]{1,%d}(?=\r\n)" % _MOST_BLANKS)
        self._held_back = len(boundary) + _MOST_BLANKS + 8
        self._held = b"\r\n"  # a boundary starts a line, and the first one may start the body
        self._found = self._any = False

    @property
    def are_missing(self) -> bool:
        return self._any and not self._found

    def tidied(self, chunk: bytes) -> bytes:
        """The next bytes for the parser."""
        self._any = self._any or bool(chunk)
        data = self._held + chunk
        if not self._found and (first := self._first.search(data)):
            self._found = True
            data = b"\r" + data[first.start() :]
        data = self._padded.sub(rb"\1", data)
        self._held = data[-self._held_back :]
        return data[: -self._held_back] if self._found else b""

    def rest(self) -> bytes:
        """The body is over: what was held back."""
        held, self._held = self._held, b""
        return held if self._found else b""
