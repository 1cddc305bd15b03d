from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.core.errors import UnsupportedImage
from app.core.photo.box import Box
from app.core.photo.images import decode
from app.core.photo.look import WHOLE, Look, LookRecord, overlaps
from app.core.photo.preprocess import Preprocess
from tests.support import encode, textured

LETTERBOX = Preprocess(input_size=64, resize="letterbox", mean=(0, 0, 0), std=(1, 1, 1))
SQUASH = LETTERBOX.model_copy(update={"resize": "squash"})
MIDDLE = Look(LookRecord(kind="box", box=(0.25, 0.5, 0.75, 1.0)))
EVERYWHERE = slice(0, 8), slice(0, 8)
ALL = Box(0, 0, 8, 8)


def weighted(values: object, kind: str = "learned") -> Look:
    record = LookRecord.model_validate({"kind": kind})
    return Look(record, np.array(values, dtype=np.float32))


def test_a_photo_is_seen_through_its_box_as_if_only_that_had_been_sent() -> None:
    photo, cut = textured(160, 120), textured(160, 120).crop((40, 60, 120, 120))
    for rule in (LETTERBOX, SQUASH):
        seen = rule.prepare(MIDDLE.at(decode(encode(photo))))
        alone = rule.prepare(decode(encode(cut)))
        np.testing.assert_array_equal(seen.pixels, alone.pixels)
        assert seen.content == alone.content
        assert seen.source == Box(40, 60, 120, 120)  # of the photo as sent


def test_the_whole_photo_is_seen_as_before() -> None:
    image = decode(encode(textured(161, 97)))
    assert WHOLE.at(image) is image
    assert LETTERBOX.prepare(image).source == Box(0, 0, 161, 97)
    assert WHOLE.cell_weights(EVERYWHERE, ALL) is None


def test_a_reduced_decode_leaves_the_box_enough_pixels() -> None:
    assert MIDDLE.at_least((100, 100)) == (200, 200)
    assert MIDDLE.at_least(None) is None
    assert WHOLE.at_least((100, 100)) == (100, 100)
    photo = encode(textured(1600, 1200), "JPEG", quality=95)
    reduced = decode(photo, at_least=MIDDLE.at_least((300, 300)))
    assert reduced.rgb.size == (800, 600)
    seen = LETTERBOX.prepare(MIDDLE.at(reduced))
    assert seen.source == Box(400, 600, 1200, 1200)
    whole = LETTERBOX.prepare(MIDDLE.at(decode(photo)))
    assert np.abs(seen.pixels.astype(int) - whole.pixels).mean() < 2


@given(
    left=st.floats(0, 0.9),
    top=st.floats(0, 0.9),
    width=st.floats(0.05, 1),
    height=st.floats(0.05, 1),
    size=st.tuples(st.integers(20, 300), st.integers(20, 300)),
)
def test_a_box_never_leaves_the_photo(
    left: float, top: float, width: float, height: float, size: tuple[int, int]
) -> None:
    box = (left, top, min(1.0, left + width), min(1.0, top + height))
    image = decode(encode(textured(*size)))
    seen = LETTERBOX.prepare(Look(LookRecord(kind="box", box=box)).at(image))
    source = seen.source
    assert 0 <= source.left < source.right <= size[0] + 1e-6
    assert 0 <= source.top < source.bottom <= size[1] + 1e-6
    assert source.width == pytest.approx((box[2] - box[0]) * size[0])
    assert seen.pixels.shape == (64, 64, 3)


def test_a_cell_counts_as_the_weights_over_it() -> None:
    look = weighted([[0.0, 1.0], [0.5, 0.25]])
    found = look.cell_weights(EVERYWHERE, ALL)
    assert found is not None
    np.testing.assert_allclose(found, np.kron([[0, 1], [0.5, 0.25]], np.ones((4, 4))))
    # On a letterbox whose photo fills the middle half, cells of the photo alone.
    half = look.cell_weights((slice(2, 6), slice(0, 8)), Box(0, 2, 8, 6))
    assert half is not None
    np.testing.assert_allclose(half, np.kron([[0, 1], [0.5, 0.25]], np.ones((2, 4))))


@given(data=st.data())
def test_the_mean_weight_is_kept_whatever_the_grid(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    look = weighted(rng.random(shape, dtype=np.float32))
    rows, columns = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    found = look.cell_weights((slice(0, rows), slice(0, columns)), Box(0, 0, columns, rows))
    assert found is not None
    assert look.weights is not None
    assert found.mean() == pytest.approx(look.weights.mean(), rel=1e-4)


def test_under_a_mask_a_cell_counts_or_does_not() -> None:
    mask = np.zeros((16, 16))
    mask[:, :7] = 1  # three and a half columns of cells
    found = weighted(mask, "mask").cell_weights(EVERYWHERE, ALL)
    assert found is not None
    np.testing.assert_array_equal(found[:, :4], 1)
    np.testing.assert_array_equal(found[:, 4:], 0)


def test_a_mask_smaller_than_a_cell_is_looked_at_all_the_same() -> None:
    mask = np.zeros((64, 64))
    mask[30, 30] = 1
    found = weighted(mask, "mask").cell_weights(EVERYWHERE, ALL)
    assert found is not None
    assert np.argwhere(found).tolist() == [[3, 3]]


def test_a_photo_of_which_nothing_is_looked_at_cannot_be_judged() -> None:
    look = weighted([[1.0, 0.0]], "mask")
    with pytest.raises(UnsupportedImage, match="nothing of the photo is looked at"):
        look.cell_weights((slice(0, 8), slice(4, 8)), ALL)


def test_shares_of_intervals_in_bins() -> None:
    np.testing.assert_allclose(overlaps(np.array([0, 0.25, 1]), 2), [[0.5, 0], [1 / 3, 2 / 3]], 1)
    np.testing.assert_allclose(overlaps(np.array([0.0, 0.5]), 4), [[0.5, 0.5, 0, 0]], 1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "box"}, "needs the box"),
        ({"kind": "box", "box": [0.5, 0, 0.4, 1]}, "left, top, right, bottom"),
        ({"kind": "box", "box": [0, 0, 1.2, 1]}, "left, top, right, bottom"),
        ({"kind": "box", "box": [0, 0, 0.01, 1]}, "thinner"),
        ({"kind": "whole", "box": [0, 0, 0.5, 1]}, "no box"),
        ({"kind": "else"}, "whole"),
    ],
)
def test_what_is_no_look_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LookRecord.model_validate(values)


SEEN_WHOLE = Look(LookRecord(kind="box", box=(0.25, 0.5, 0.75, 1.0), zoom=False))


def test_a_box_without_zoom_sees_the_whole_photo_and_judges_what_lies_inside() -> None:
    image = decode(encode(textured(160, 120)))
    assert SEEN_WHOLE.at(image) is image
    assert SEEN_WHOLE.at_least((100, 100)) == (100, 100)
    found = SEEN_WHOLE.cell_weights(EVERYWHERE, ALL)
    assert found is not None
    inside = np.zeros((8, 8))
    inside[4:, 2:6] = 1
    np.testing.assert_array_equal(found, inside)
    assert SEEN_WHOLE.record.all_teach
    assert not MIDDLE.record.in_part


@given(data=st.data())
def test_a_box_without_zoom_is_a_mask_of_its_places_on_any_letterbox(data: st.DataObject) -> None:
    edges = st.integers(0, 31)
    left, top = data.draw(edges), data.draw(edges)
    right = data.draw(st.integers(left + 1, 32))
    bottom = data.draw(st.integers(top + 1, 32))
    # Cells of the grid, some of them partly beside the photo.
    content = Box(0, data.draw(st.floats(0, 3.9)), 16, data.draw(st.floats(8, 16)))
    place = (slice(int(content.top), int(np.ceil(content.bottom))), slice(0, 16))
    box = Look(
        LookRecord(kind="box", box=(left / 32, top / 32, right / 32, bottom / 32), zoom=False)
    )
    marked = np.zeros((32, 32))
    marked[top:bottom, left:right] = 1
    found, expected = (one.cell_weights(place, content) for one in (box, weighted(marked, "mask")))
    assert found is not None
    assert expected is not None
    # Where exactly half of a cell is covered, rounding decides.
    shares = box.between(
        (np.arange(place[0].start, place[0].stop + 1, dtype=np.float64) - content.top)
        / content.height,
        np.arange(17) / 16,
    )
    assert shares is not None
    clear = np.abs(shares - min(0.5, float(shares.max()))) > 1e-4
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_only_a_box_can_do_without_zoom() -> None:
    with pytest.raises(ValidationError, match="crops to its box"):
        LookRecord(kind="mask", zoom=False)
