from __future__ import annotations

import os
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.intake.multipart import FormFiles
from app.api.intake.receiving import BodyMemory
from app.api.problems import BadUpload

MB = 1 << 20
TYPE = "multipart/form-data; boundary=x"


def part(name: str, body: bytes, filename: str | None = "a.png", extra: str = "") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{extra}\r\n'
    return head.encode() + body + b"\r\n"


def form(
    *, max_files: int = 1, max_bytes: int = 30 * MB, counted: list[int] | None = None
) -> FormFiles:
    counts: list[int] = [] if counted is None else counted
    return FormFiles(
        TYPE, "file", max_files=max_files, max_bytes=max_bytes, take=counts.append
    )  # fmt: skip


def fed(files: FormFiles, body: bytes, chunk: int = 65_536) -> list[bytes]:
    for start in range(0, len(body), chunk):
        files.write(body[start : start + chunk])
    return [file.body.getvalue() for file in files.end()]


def refusal(body: bytes, **options: Any) -> str:
    with pytest.raises(BadUpload) as caught:
        fed(form(**options), body)
    return str(caught.value)


@given(
    photos=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    chunk=st.integers(1, 200),
)
def test_files_come_out_as_they_were_sent_however_they_are_cut(
    photos: Sequence[bytes], chunk: int
) -> None:
    photos = [photo for photo in photos if b"--x" not in photo] or [b"\r\n--"]
    body = b"".join(part("file", photo) for photo in photos) + b"--x--\r\n"
    counted: list[int] = []
    assert fed(form(max_files=4, counted=counted), body, chunk) == photos
    assert sum(counted) == sum(map(len, photos))


def test_a_large_upload_is_held_once() -> None:
    """The peak of 20 MB is 20 MB and a little, to the end; the budget counts what is held."""
    chunk, head, end = os.urandom(MB // 16), part("file", b"")[:-2], b"\r\n--x--\r\n"
    memory = BodyMemory()
    with memory.body(100 * MB) as take:
        files = FormFiles(TYPE, "file", max_files=1, max_bytes=30 * MB, take=take)
        tracemalloc.start()
        try:
            files.write(head)
            for _ in range(20 * 16):
                files.write(chunk)
            files.write(end)
            (file,) = files.end()
            data = file.body.getvalue()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(data) == memory.held == 20 * MB
    assert peak < 24 * MB  # a buffer grows ahead by an eighth
    assert memory.held == 0


def test_a_file_that_becomes_too_large_is_let_go() -> None:
    counted: list[int] = []
    files = form(max_files=2, max_bytes=1000, counted=counted)
    body = part("file", bytes(5000)) + part("file", b"small") + b"--x--\r\n"
    assert fed(files, body, 100) == [b"", b"small"]
    assert [file.size for file in files.files] == [5000, 5]
    assert sum(counted) == 5
    assert 900 < max(sum(counted[:n]) for n in range(len(counted))) <= 1000


def test_what_is_not_asked_for_is_not_kept() -> None:
    counted: list[int] = []
    body = part("note", bytes(3 * MB), None) + part("file", b"photo") + b"--x--\r\n"
    assert fed(form(counted=counted), body) == [b"photo"]
    assert counted == [5]


def test_a_part_without_a_file_name_is_told_what_is_missing() -> None:
    said = refusal(part("file", bytes(3 * MB), None) + b"--x--\r\n")
    assert "'file' has no file name" in said
    assert "curl -F file=@photo.jpg" in said


def test_another_field_is_told_which_one_and_what_was_sent() -> None:
    body = part("image", b"photo") + part("shop", b"7", None) + b"--x--\r\n"
    said = refusal(body)
    assert "no file in the field 'file'; there are 'image', 'shop'" in said
    assert "curl -F file=@photo.jpg" in said


def test_names_of_fields_are_cut_short_in_an_error() -> None:
    said = refusal(b"".join(part("n" * 900 + str(n), b"") for n in range(7)) + b"--x--\r\n")
    assert len(said) < 500
    assert "…" in said


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (part("file", b"photo"), "cut short"),
        (b"", "empty or cut short"),
        (b"--x--\r\n", "no field at all"),
        (b"no multipart", "malformed"),
        (part("file", b"/9j/", extra="Content-Transfer-Encoding: BASE64\r\n") + b"--x--\r\n",
         "send its bytes as they are"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n.\r\n--x--\r\n", "no name"),
        (part("file", b"1") + part("file", b"2") + b"--x--\r\n", "/batch"),
        (part("a", b"", None) * 9 + b"--x--\r\n", "more than 8 fields"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_body_is_said(body: bytes, words: str) -> None:
    assert words in refusal(body)


def test_more_files_than_a_batch_may_have_name_the_limit() -> None:
    said = refusal(part("file", b"1") * 4 + b"--x--\r\n", max_files=3)
    assert "more than 3 files" in said
    assert "GOODSGUARD_MAX_BATCH" in said


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("multipart/form-data", "names no boundary"),
        ("multipart/form-data; boundary=", "names no boundary"),
        ("multipart/form-data; boundary=" + "b" * 3000, "too long"),
    ],
)
def test_a_content_type_that_cannot_be_used_is_told(content_type: str, words: str) -> None:
    with pytest.raises(BadUpload, match=words):
        FormFiles(content_type, "file", max_files=1, max_bytes=1, take=lambda _: None)


@pytest.mark.parametrize(
    ("raw", "name"), [("ü.png".encode(), "ü.png"), (b"\xfc.png", "ü.png"), (b"", "")]
)
def test_file_names_are_utf_8_or_latin_1(raw: bytes, name: str) -> None:
    files = form()
    fed(files, part("file", b"photo", "@").replace(b"@", raw) + b"--x--\r\n")
    assert files.files[0].filename == name


@pytest.mark.parametrize("chunk", [1, 65_536])
def test_text_before_the_first_boundary_and_blanks_after_each_are_passed_over(chunk: int) -> None:
    body = b"For old readers.\r\n" + part("file", b"photo") + b"--x--\r\n"
    assert fed(form(), body.replace(b"--x\r\n", b"--x \t\r\n"), chunk) == [b"photo"]


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("filename*=UTF-8''caf%C3%A9.png", "café.png"),
        ("filename*=utf-8'en'a%20b.png", "a b.png"),
        ("filename*=ISO-8859-1''caf%E9.png", "café.png"),
        ("filename=\"a.png\"; filename*=UTF-8''b.png", "a.png"),
    ],
)
def test_a_file_name_may_be_written_as_in_other_headers(parameter: str, name: str) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; {parameter}\r\n\r\n'
    files = form()
    assert fed(files, head.encode() + b"photo\r\n--x--\r\n") == [b"photo"]
    assert [file.filename for file in files.files] == [name]


@given(st.text(max_size=60), st.integers(1, 40))
def test_texts_that_are_asked_for_are_kept(value: str, chunk: int) -> None:
    files = FormFiles(
        TYPE, "file", max_files=1, max_bytes=MB, take=lambda _: None, texts=("category", "other")
    )
    body = (
        part("category", b"the first", filename=None)
        + part("file", b"photo")
        + part("category", value.encode(), filename=None)
        + part("unasked", b"x", filename=None)
        + b"--x--\r\n"
    )
    assert fed(files, body, chunk) == [b"photo"]
    assert files.texts == {"category": value, "other": ""}


def test_a_long_text_is_refused_before_it_is_held() -> None:
    files = FormFiles(
        TYPE, "file", max_files=1, max_bytes=MB, take=lambda _: None, texts=("category",)
    )
    with pytest.raises(BadUpload, match="longer than 256 bytes"):
        fed(files, part("category", bytes(257), filename=None) + part("file", b"") + b"--x--\r\n")
