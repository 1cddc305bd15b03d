from __future__ import annotations

from collections.abc import Iterator

import pytest

from .web import Web, web


@pytest.fixture
def receiver() -> Iterator[Web]:
    with web() as found:
        yield found
