"""A multipart body, chunk by chunk -> the files of one of its fields, each held once."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..problems import BadUpload
from .delimiters import Delimiters
from .mistakes import how_to_send

# Nothing but the photos is asked for; some forms send a few fields beside them.
_MAX_FIELDS = 8
# As many names of fields as help in an error, and as much of each.
_MAX_NAMES, _MAX_NAME = 5, 40
# A field of text that is kept holds a category's name, or two.
_MAX_TEXT = 256
_ENCODED = (b"base64", b"quoted-printable")
_MALFORMED = "the multipart body is malformed: its parts are not where its boundary says"
# RFC 5987: filename*=UTF-8''caf%C3%A9.png. RFC 7578 advises against it, and some clients send it.
_EXTENDED = re.compile(rb""";\s*filename\*\s*=\s*"?[\w-]*'[\w-]*'([^;\s"]*)""", re.IGNORECASE)


@dataclass(slots=True)
class FormFile:
    """A file of the form.

    Attributes:
        filename: as sent.
        body: what came of it so far; nothing once it is larger than it may be.
        size: bytes that came, kept or not.
    """

    filename: str
    body: io.BytesIO
    size: int = 0


class FormFiles:
    """Takes the body of a form, and keeps the files of one field, and the texts of those that are
    asked for. What else it has is passed over.

    Attributes:
        files: those of the field, in order; whole after `end`.
    """

    def __init__(
        self,
        content_type: str,
        field: str,
        *,
        max_files: int,
        max_bytes: int,
        take: Callable[[int], None],
        texts: Collection[str] = (),
    ) -> None:
        """Takes the Content-Type header, and how many files there may be, of what size.

        Args:
            texts: names of the fields of text that are kept, too.
            take: told how many bytes are held more, or fewer.

        Raises:
            BadUpload: the header names no boundary that can be used.
        """
        self.files: list[FormFile] = []
        self._field, self._max_files, self._max_bytes = field, max_files, max_bytes
        self._take = take
        self._current: FormFile | None = None
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._texts: dict[str, bytearray] = {name: bytearray() for name in texts}
        self._text: bytearray | None = None
        self._file_fields: list[str] = []
        self._text_fields: list[str] = []
        self._encoded = self._ended = False
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise BadUpload(
                "the Content-Type of the multipart body names no boundary: let the HTTP client "
                "write that header itself"
            )
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_name,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as exc:
            raise BadUpload("the boundary of the multipart body is too long") from exc
        self._delimiters = Delimiters(boundary)

    @property
    def texts(self) -> dict[str, str]:
        """The fields of text that were asked for, "" where they were not sent; of several of one
        name the last counts."""
        return {name: _text(bytes(value)) for name, value in self._texts.items()}

    def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BadUpload: they are no multipart, or too many parts. What `take` raises.
        """
        self._parse(self._delimiters.tidied(chunk))

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except (FormParserError, ValueError) as exc:
            raise BadUpload(_MALFORMED) from exc

    def end(self) -> list[FormFile]:
        """The body is over: the files, at least one.

        Raises:
            BadUpload: it is cut short, or has no file in the field; the text says what to send.
        """
        self._parse(self._delimiters.rest())
        if self._delimiters.are_missing:
            raise BadUpload(_MALFORMED)
        if self._encoded:
            raise BadUpload(
                "a file in the multipart body is encoded as text (Content-Transfer-Encoding): "
                "send its bytes as they are"
            )
        if not self._ended:
            raise BadUpload(
                "the multipart body is empty or cut short: the boundary that ends it is missing"
            )
        if not self.files:
            raise BadUpload(self._why_none())
        if len(self._file_fields) > self._max_files:
            raise BadUpload(self._too_many())
        return self.files

    def _why_none(self) -> str:
        send = how_to_send(self._field)
        if self._field in self._text_fields:
            return (
                f"the part {self._field!r} has no file name, and so is text, not a file: {send}, "
                'which writes filename="photo.jpg" into its Content-Disposition'
            )
        sent = list(dict.fromkeys(self._file_fields + self._text_fields))
        names = ", ".join(repr(name[:_MAX_NAME]) for name in sent[:_MAX_NAMES])
        more = ", …" if len(sent) > _MAX_NAMES else ""
        there = f"there are {names}{more}" if sent else "there is no field at all"
        return f"the multipart body has no file in the field {self._field!r}; {there}: {send}"

    def _too_many(self) -> str:
        if self._max_files == 1:
            return (
                "the multipart body has more than one file: send one photo, in the field "
                f"{self._field!r}; several go to /score/{{category}}/batch"
            )
        return (
            f"the multipart body has more than {self._max_files} files: send them in several "
            "batches (GOODSGUARD_MAX_BATCH is the limit)"
        )

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _on_headers(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        if b"name" not in options:
            raise BadUpload("a part of the multipart body has no name in its Content-Disposition")
        name = _text(options[b"name"])
        self._current = self._text = None
        if b"filename" not in options and (extended := _EXTENDED.search(disposition)):
            options[b"filename"] = unquote_to_bytes(extended[1])
        if b"filename" not in options:
            self._text_fields.append(name)
            if len(self._text_fields) > _MAX_FIELDS:
                raise BadUpload(f"the multipart body has more than {_MAX_FIELDS} fields of text")
            if (kept := self._texts.get(name)) is not None:
                kept.clear()
                self._text = kept
            return
        self._file_fields.append(name)
        if len(self._file_fields) > self._max_files + _MAX_FIELDS:
            raise BadUpload(self._too_many())
        if name == self._field and len(self.files) < self._max_files:
            coding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
            self._encoded = self._encoded or coding in _ENCODED
            self._current = FormFile(_text(options[b"filename"]), io.BytesIO())
            self.files.append(self._current)

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        file, more = self._current, end - start
        if self._text is not None:
            if len(self._text) + more > _MAX_TEXT:
                raise BadUpload(f"a field of the form is longer than {_MAX_TEXT} bytes")
            self._text += data[start:end]
        if file is None:
            return
        held, file.size = file.size, file.size + more
        if file.size <= self._max_bytes:
            self._take(more)
            file.body.write(memoryview(data)[start:end])
        elif held <= self._max_bytes:  # with this it is too large, and will not be judged
            self._take(-held)
            file.body = io.BytesIO()

    def _on_end(self) -> None:
        self._ended = True


def _text(raw: bytes) -> str:
    """Browsers and tools send UTF-8 (RFC 7578, 5.1); what is none is taken as Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
