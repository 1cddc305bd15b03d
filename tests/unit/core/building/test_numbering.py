from __future__ import annotations

import random

import pytest

from app.core.building.numbering import Numbering, read_numbering


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        pytest.param(range(1, 1_500), Numbering.RUNNING, id="one after the other"),
        pytest.param(range(950, 1_050), Numbering.RUNNING, id="across 000999 and 001000"),
        pytest.param(range(0, 5_460, 30), Numbering.RUNNING, id="every 30th frame"),
        pytest.param(range(0, 60_000, 700), Numbering.RUNNING, id="every 700th frame"),
        pytest.param(range(0, 60_000, 1_200), Numbering.RUNNING, id="every 1,200th frame"),
        pytest.param(
            random.Random(0).sample(range(8_000), 600),
            Numbering.RUNNING,
            id="frames left out by chance",
        ),
        pytest.param(
            [*range(200, 260), *range(3_340, 3_400), *range(7_810, 7_870), *range(9_500, 9_540)],
            Numbering.RUNNING,
            id="scenes of a film",
        ),
        pytest.param(
            [sku * 1000 + i for sku in range(10) for i in range(1, 26)],
            Numbering.SKU,
            id="SKUs from 1",
        ),
        pytest.param(
            [sku * 1000 + i for sku in range(6) for i in range(40) if (sku + i) % 3],
            Numbering.SKU,
            id="SKUs whose test photos lie elsewhere",
        ),
        pytest.param(
            [sku * 1000 + i for sku in (3, 117) for i in range(30)], Numbering.SKU, id="two SKUs"
        ),
        pytest.param([1_001, 2_002, 3_003], Numbering.RUNNING, id="every 1,001st"),
        pytest.param([1_001, 7_004, 9_002], Numbering.UNCLEAR, id="one photo each"),
    ],
)
def test_the_numbers_tell(numbers: list[int], expected: Numbering) -> None:
    shuffled = random.Random(1).sample(list(numbers), len(numbers))
    assert read_numbering(shuffled) is expected
