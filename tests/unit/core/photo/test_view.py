"""Views: a block that is marked in the photo as sent is found in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.core.errors import UnsupportedImage
from app.core.features.sample import Sample
from app.core.judging.anomaly_map import find_regions, place
from app.core.photo.box import Box
from app.core.photo.images import DecodedImage, decode, reduction
from app.core.photo.look import Look, LookRecord
from app.core.photo.preprocess import PreparedImage
from app.core.photo.view import View, averaged, white_of, within_corners
from tests.support import Floats, encode, plain
from tests.unit.core.features.test_patches import INPUT, PATCHES, extractor
from tests.unit.core.photo.test_images import STORED, turned

GRID = (8, 8)


@st.composite
def parts(draw: st.DrawFn, least: float = 0.3) -> Box:
    def side() -> tuple[float, float]:
        length = draw(st.floats(least, 1))
        start = draw(st.floats(0, 1)) * (1 - length)
        return start, min(1.0, start + length)

    (left, right), (top, bottom) = side(), side()
    return Box(left, top, right, bottom)


masks = st.integers(0, 2**32 - 1).map(
    lambda seed: np.kron(
        np.random.default_rng(seed).integers(0, 2, (5, 4)), np.ones((6, 7), dtype=np.int64)
    ).astype(np.float32)
)


@dataclass
class Case:
    """A photo and the way to its cells."""

    size: tuple[int, int]
    orientation: int
    view: View
    look: Look
    resize: str

    def seen(self, upright: npt.NDArray[np.uint8]) -> tuple[PreparedImage, Sample]:
        preprocess: Any = PATCHES["preprocess"] | {"resize": self.resize}
        made = extractor(preprocess=preprocess).looking(self.look)
        image = decode(turned(upright, self.orientation, "PNG"))
        assert (image.width, image.height) == self.size
        prepared = made.prepare(self.view.of(image))
        return prepared, made.sample(made.embed([prepared])[0], prepared)


@st.composite
def cases(draw: st.DrawFn, *, masked: bool) -> Case:
    box = draw(st.none() | parts(0.5))
    record = LookRecord() if box is None else LookRecord(
        kind="box", box=(box.left, box.top, box.right, box.bottom)
    )  # fmt: skip
    view = View(mask=draw(masks) if masked else None)
    for crop in draw(st.lists(parts(), max_size=2)):  # a camera's, and a place's in it
        view = view.part(crop)
    return Case(
        size=(draw(st.integers(40, 300)), draw(st.integers(40, 300))),
        orientation=draw(st.sampled_from(list(STORED))),
        view=view,
        look=Look(record),
        resize=draw(st.sampled_from(["letterbox", "squash"])),
    )


def expected_source(case: Case) -> Box:
    """What of the photo is seen, by hand: crop after crop."""
    width, height = case.size
    crop = case.view.crop
    seen = Box(crop.left * width, crop.top * height, crop.right * width, crop.bottom * height)
    return seen.part(Box(*case.look.record.box)) if case.look.record.box else seen


@settings(max_examples=150, deadline=None)
@given(cases(masked=False), st.floats(0, 1), st.floats(0, 1))
def test_a_marked_block_is_found_within_a_patch_of_its_place(
    case: Case, across: float, down: float
) -> None:
    width, height = case.size
    source = expected_source(case)
    scale = max(source.width, source.height) if case.resize == "letterbox" else 0.0
    # A patch, in pixels of the photo; and a block of two of them, or of all that is seen.
    patch = (scale or source.width) / GRID[1], (scale or source.height) / GRID[0]
    block_width, block_height = (
        min(max(2 * patch[0], 3), source.width),
        min(max(2 * patch[1], 3), source.height),
    )
    left = round(source.left + across * (source.width - block_width))
    top = round(source.top + down * (source.height - block_height))
    right, bottom = min(width, round(left + block_width)), min(height, round(top + block_height))
    upright = np.full((height, width, 3), 90, dtype=np.uint8)
    upright[top:bottom, left:right] = (250, 90, 90)

    prepared, sample = case.seen(upright)
    scores = np.asarray(sample.cells[..., 0] - sample.cells[..., 1], dtype=np.float32)
    np.testing.assert_allclose(
        [prepared.source.left, prepared.source.top, prepared.source.right, prepared.source.bottom],
        [source.left, source.top, source.right, source.bottom],
        atol=1e-6,
    )
    canvas = place(scores, GRID, prepared, case.size, (height, width))
    row, column = (int(n) for n in np.unravel_index(canvas.argmax(), canvas.shape))
    assert left - patch[0] - 1 <= column < right + patch[0] + 1
    assert top - patch[1] - 1 <= row < bottom + patch[1] + 1

    regions = find_regions(scores, GRID, prepared, case.size, float(scores.max()) / 2)
    assert len(regions) == 1
    found = regions[0]
    for edge, true, one in [
        (found.left, max(left, source.left), patch[0]),
        (found.right, min(right, source.right), patch[0]),
        (found.top, max(top, source.top), patch[1]),
        (found.bottom, min(bottom, source.bottom), patch[1]),
    ]:
        assert abs(edge - true) <= one + 1, (found, (left, top, right, bottom), patch)
    assert 0 <= found.left < found.right <= width
    assert 0 <= found.top < found.bottom <= height


def shares_looked_at(case: Case, prepared: PreparedImage, mask: Floats) -> Floats:
    """(8, 8): of each cell, point by point, how much of the photo in it the mask leaves."""
    width, height = case.size
    steps = (np.arange(INPUT * 4) + 0.5) / 4  # of the input, four to a pixel
    content, source = prepared.content, expected_source(case)
    x = source.left + (steps - content.left) / content.width * source.width
    y = source.top + (steps - content.top) / content.height * source.height
    inside_x = (steps >= content.left) & (steps < content.right)
    inside_y = (steps >= content.top) & (steps < content.bottom)
    rows = np.clip((y / height * mask.shape[0]).astype(int), 0, mask.shape[0] - 1)
    columns = np.clip((x / width * mask.shape[1]).astype(int), 0, mask.shape[1] - 1)
    inside = inside_y[:, None] & inside_x[None, :]
    white = mask[np.ix_(rows, columns)] * inside

    def per_cell(values: Any) -> Any:
        return values.reshape(8, 32, 8, 32).sum(axis=(1, 3))

    return np.asarray(per_cell(white) / np.maximum(per_cell(inside), 1), dtype=np.float32)


@settings(max_examples=150, deadline=None)
@given(cases(masked=True))
def test_cells_under_the_mask_count_for_nothing_and_the_others_in_full(case: Case) -> None:
    upright = np.full((case.size[1], case.size[0], 3), 90, dtype=np.uint8)
    mask = case.view.mask
    assert mask is not None
    try:
        prepared, sample = case.seen(upright)
    except UnsupportedImage:
        assert not averaged(
            mask,
            np.array([expected_source(case).top, expected_source(case).bottom]) / case.size[1],
            np.array([expected_source(case).left, expected_source(case).right]) / case.size[0],
        ).any()
        return
    shares = shares_looked_at(case, prepared, mask)[sample.place]
    assert sample.weights is not None
    assert set(np.unique(sample.weights)) <= {0.0, 1.0}
    assert (sample.weights[shares == 0] == 0).all()
    assert (sample.weights[shares > 0.55] == 1).all()
    if shares.max() > 0.55:
        assert (sample.weights[shares < 0.45] == 0).all()
    assert len(sample.patches) == int(sample.weights.sum())


def seen_through(view: View, look: Look | None = None) -> Sample:
    made = extractor().looking(look or Look())
    prepared = made.prepare(view.of(decode(encode(plain(90, (64, 64))))))
    return made.sample(made.embed([prepared])[0], prepared)


def halves(*, left: float, right: float) -> Floats:
    mask = np.empty((8, 8), dtype=np.float32)
    mask[:, :4], mask[:, 4:] = left, right
    return mask


def test_a_mask_multiplies_what_the_categorys_own_look_says() -> None:
    look = Look(LookRecord(kind="learned"), np.full((2, 2), 0.25, dtype=np.float32))
    sample = seen_through(View(mask=halves(left=1, right=0)), look)
    assert sample.weights is not None
    np.testing.assert_allclose(sample.weights, halves(left=0.25, right=0))


def test_a_photo_of_which_nothing_is_looked_at_is_refused_with_the_reason() -> None:
    look = Look(LookRecord(kind="mask"), halves(left=1, right=0))
    with pytest.raises(UnsupportedImage, match="nothing of the photo is looked at"):
        seen_through(View(mask=halves(left=0, right=1)), look)


def test_features_of_the_whole_photo_cannot_heed_a_mask() -> None:
    made = extractor(pooling="global_mean")
    view = View(mask=halves(left=1, right=0))
    prepared = made.prepare(view.of(decode(encode(plain(90, (64, 64))))))
    with pytest.raises(UnsupportedImage, match="take a bank with patches"):
        made.sample(made.embed([prepared])[0], prepared)


@pytest.mark.parametrize("resize", ["letterbox", "squash"])
@pytest.mark.parametrize("times", [1, 5])
def test_a_crop_of_the_photo_is_judged_as_if_it_alone_had_been_sent(
    resize: str, times: int
) -> None:
    """Reduced, too: no filter reaches beyond it."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (96 * times, 128 * times, 3), dtype=np.uint8)
    made = extractor(preprocess=PATCHES["preprocess"] | {"resize": resize})
    view = View(Box(0.25, 0.5, 0.75, 1.0))
    cut = made.prepare(view.of(decode(encode(Image.fromarray(pixels)))))
    part = pixels[48 * times : 96 * times, 32 * times : 96 * times]
    alone = made.prepare(decode(encode(Image.fromarray(part))))
    np.testing.assert_array_equal(cut.pixels, alone.pixels)
    assert cut.content == alone.content


@given(parts(0.02), st.integers(32, 2000), st.integers(200, 4000), st.integers(200, 4000))
def test_a_reduced_decode_leaves_the_crop_as_many_pixels_as_are_asked_for(
    crop: Box, side: int, width: int, height: int
) -> None:
    image = DecodedImage(Image.new("RGB", (1, 1)), width, height, "JPEG")
    asked = View(crop).at_least((side, side))
    scale = reduction(image, asked)
    if scale > 1:
        assert width // scale * crop.width >= side * (1 - 1e-9)
        assert height // scale * crop.height >= side * (1 - 1e-9)


def test_a_mask_is_read_white_to_look_at_and_reduced_by_area() -> None:
    picture = Image.new("L", (64, 32))
    picture.paste(255, (0, 0, 33, 32))
    mask = white_of(encode(picture), 16)
    assert mask.shape == (8, 16)
    np.testing.assert_allclose(mask[0], [1] * 8 + [0.25] + [0] * 7)


def test_a_polygon_is_filled() -> None:
    mask = within_corners([(0, 0), (0.5, 0), (0.5, 1), (0, 1)], 16)
    assert mask.shape == (16, 16)
    np.testing.assert_allclose(mask[:, :8], 1)
    assert mask[:, 9:].max() == 0


@pytest.mark.parametrize(("crop", "blind"), [((0, 0, 0.5, 1), False), ((0.5, 0, 1, 1), True)])
def test_a_crop_under_the_mask_is_blind(crop: tuple[float, ...], blind: bool) -> None:
    assert View(Box(*crop), halves(left=1, right=0)).is_blind is blind
    assert not View(Box(*crop)).is_blind
