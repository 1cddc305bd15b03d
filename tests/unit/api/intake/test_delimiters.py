from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.intake.delimiters import Delimiters

BODY = b"--x\r\nhead\r\n\r\nphoto\r\n--x\r\n\r\nmore\r\n--x--\r\n"


def tidied(body: bytes, chunk: int) -> tuple[bytes, bool]:
    delimiters = Delimiters(b"x")
    pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    data = b"".join([*map(delimiters.tidied, pieces), delimiters.rest()])
    return data.removeprefix(b"\r\n"), delimiters.are_missing


@given(body=st.binary(max_size=300), chunk=st.integers(1, 200))
def test_a_body_without_either_is_not_touched(body: bytes, chunk: int) -> None:
    whole = b"--x\r\n\r\n" + body.replace(b"--x", b"") + b"\r\n--x--\r\n"
    assert tidied(whole, chunk) == (whole, False)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 500])
@pytest.mark.parametrize("blanks", [b" ", b"\t \t", b" " * 60])
def test_blanks_after_boundaries_go(chunk: int, blanks: bytes) -> None:
    padded = BODY.replace(b"--x\r\n", b"--x" + blanks + b"\r\n")
    assert tidied(padded, chunk) == (BODY, False)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 500])
@pytest.mark.parametrize(
    "preamble",
    [b"\r\n", b"Read by mail.\r\n", b"a --x\r\n--xyz\r\n\r\n", b"-" * 999 + b"\r\n"],
)
def test_text_before_the_first_boundary_goes(chunk: int, preamble: bytes) -> None:
    assert tidied(preamble + BODY, chunk) == (BODY, False)


@pytest.mark.parametrize(("body", "missing"), [(b"", False), (b"--y\r\n\r\n--y--", True)])
def test_where_no_boundary_came_it_is_told(body: bytes, missing: bool) -> None:
    assert tidied(body, 5) == (b"", missing)
