from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.photo.box import Box
from app.core.photo.cell_boxes import CellBoxes, context, outward
from app.core.photo.images import decode
from app.core.photo.preprocess import Preprocess
from tests.support import encode, plain

GRID = (8, 8)
RULES: list[dict[str, Any]] = [
    {"resize": "squash"},
    {"resize": "letterbox"},
    {"resize": "shorter_side_crop", "resize_size": 72},
]
sizes = st.tuples(st.integers(1, 300), st.integers(1, 300)).filter(
    lambda size: max(size) <= 50 * min(size)
)


def placed(size: tuple[int, int], rule: dict[str, Any]) -> tuple[CellBoxes, Any]:
    prepared = Preprocess(input_size=64, mean=(0, 0, 0), std=(1, 1, 1), **rule).prepare(
        decode(encode(plain(120, size)))
    )
    return CellBoxes.of(prepared), prepared


def cells_of(prepared: Any) -> Any:
    rows, columns = prepared.cells(GRID)
    return (
        np.arange(rows.start, rows.stop)[:, None] * GRID[1] + np.arange(columns.start, columns.stop)
    ).ravel()


def test_a_cell_of_a_photo_of_the_inputs_size_is_its_own_pixels() -> None:
    boxes, _ = placed((64, 64), {"resize": "squash"})
    found = boxes.in_photo(boxes.in_input(np.array([0, 9, 63]), GRID))
    assert found.tolist() == [[0, 0, 8, 8], [8, 8, 16, 16], [56, 56, 64, 64]]


def test_a_letterbox_shows_a_cell_at_the_photos_own_scale() -> None:
    boxes, prepared = placed((128, 64), {"resize": "letterbox"})
    cells = cells_of(prepared)
    assert len(cells) == 4 * 8
    found = boxes.in_photo(boxes.in_input(cells, GRID))
    assert found[0].tolist() == [0, 0, 16, 16]
    assert found[-1].tolist() == [112, 48, 128, 64]


@given(size=sizes, rule=st.sampled_from(RULES))
def test_cells_cover_what_was_seen_and_nothing_else(
    size: tuple[int, int], rule: dict[str, Any]
) -> None:
    boxes, prepared = placed(size, rule)
    found = boxes.in_photo(boxes.in_input(cells_of(prepared), GRID))
    seen = outward(boxes.source)
    assert (found == found.round()).all()
    assert (found[:, 2:] > found[:, :2]).all()
    assert found[:, :2].min() >= 0
    assert (found[:, 2:] <= [seen.right, seen.bottom]).all()
    assert (found[:, :2] >= [seen.left, seen.top]).all()
    # All cells together leave at most a cell's breadth at each rim, the part whose centre is out.
    width, height = (found[:, 2:] - found[:, :2]).max(axis=0)
    assert found[:, 0].min() <= seen.left + width
    assert found[:, 2].max() >= seen.right - width
    assert found[:, 1].min() <= seen.top + height
    assert found[:, 3].max() >= seen.bottom - height


@given(size=sizes, rule=st.sampled_from(RULES), fine=st.sampled_from([8, 32, 64]))
def test_what_is_shown_holds_the_cell_and_stays_on_the_photo(
    size: tuple[int, int], rule: dict[str, Any], fine: int
) -> None:
    boxes, prepared = placed(size, rule)
    found = boxes.in_photo(boxes.in_input(cells_of(prepared), GRID))
    within = outward(boxes.source)
    around = context(found, within, (fine, fine))
    assert (around[:, :2] <= found[:, :2]).all()
    assert (around[:, 2:] >= found[:, 2:]).all()
    assert (around[:, :2] >= [within.left, within.top]).all()
    assert (around[:, 2:] <= [within.right, within.bottom]).all()
    assert (around == around.round()).all()


@given(data=st.data())
def test_a_frame_around_what_is_shown_changes_none_of_it(data: st.DataObject) -> None:
    """A bank keeps the part of a photo that its cells need: the same is cut out of it later."""
    boxes, prepared = placed((200, 150), {"resize": "letterbox"})
    cells = data.draw(st.lists(st.sampled_from(cells_of(prepared).tolist()), min_size=1))
    found = boxes.in_photo(boxes.in_input(np.array(cells), GRID))
    around = context(found, outward(boxes.source), GRID)
    frame = Box(*around[:, :2].min(axis=0).tolist(), *around[:, 2:].max(axis=0).tolist())
    np.testing.assert_array_equal(context(found, frame, GRID), around)


def test_a_global_methods_cell_is_shown_as_the_whole_photo() -> None:
    whole = Box(3, 4, 50, 60)
    assert context(np.array([[3.0, 4, 50, 60]]), whole, (1, 1)).tolist() == [[3, 4, 50, 60]]


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10)),
        (Box(0.5, 1.2, 9.1, 9.9), Box(0, 1, 10, 10)),
        (Box(2 - 1e-9, 0, 10 + 1e-9, 5), Box(2, 0, 10, 5)),
        (Box(3.4, 3.4, 3.6, 3.6), Box(3, 3, 4, 4)),
    ],
)
def test_outward_takes_the_pixels_that_a_box_touches(box: Box, wanted: Box) -> None:
    assert outward(box) == wanted
