from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from torchvision.models import ResNet50_Weights

from app.core.features.embedding import EmbeddingNetwork
from app.core.photo.images import DecodedImage
from app.core.photo.preprocess import PreparedImage, Preprocess
from tests.support import plain, textured

IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SQUASH = Preprocess(input_size=64, resize="squash", **IMAGENET)
CROP = Preprocess(input_size=64, resize="shorter_side_crop", resize_size=80, **IMAGENET)
LETTERBOX = Preprocess(input_size=64, resize="letterbox", **IMAGENET)
RULES = {"squash": SQUASH, "shorter_side_crop": CROP, "letterbox": LETTERBOX}
TORCHVISION = Preprocess(input_size=224, resize="shorter_side_crop", resize_size=232, **IMAGENET)


def photo(image: Image.Image) -> DecodedImage:
    return DecodedImage(image, image.width, image.height, "PNG")


def torchvision_batch(image: Image.Image) -> torch.Tensor:
    batch: torch.Tensor = ResNet50_Weights.DEFAULT.transforms()(image)[None]
    return batch


sides = st.integers(20, 400)


@pytest.mark.parametrize("rule", RULES)
@given(width=sides, height=sides)
def test_every_photo_becomes_the_input_size(rule: str, width: int, height: int) -> None:
    prepared = RULES[rule].prepare(photo(plain(90, (width, height))))
    assert prepared.pixels.shape == (64, 64, 3)
    assert prepared.pixels.dtype == np.uint8


@pytest.mark.parametrize("rule", RULES)
@given(width=sides, height=sides)
def test_boxes_lie_within_what_they_describe(rule: str, width: int, height: int) -> None:
    prepared = RULES[rule].prepare(photo(plain(90, (width, height))))
    content, source = prepared.content, prepared.source
    assert 0 <= content.left < content.right <= 64
    assert 0 <= content.top < content.bottom <= 64
    assert 0 <= source.left < source.right <= width + 1e-9
    assert 0 <= source.top < source.bottom <= height + 1e-9


def centre_of_white(pixels: Any) -> tuple[float, float]:
    weights = pixels[..., 0].astype(np.float64)
    ys, xs = np.mgrid[0 : weights.shape[0], 0 : weights.shape[1]] + 0.5
    return float((weights * xs).sum() / weights.sum()), float((weights * ys).sum() / weights.sum())


def to_photo(prepared: PreparedImage, x: float, y: float) -> tuple[float, float]:
    content, source = prepared.content, prepared.source
    return (
        source.left + (x - content.left) / content.width * source.width,
        source.top + (y - content.top) / content.height * source.height,
    )


@pytest.mark.parametrize("rule", RULES)
@given(
    width=st.integers(100, 400),
    height=st.integers(100, 400),
    across=st.floats(0.45, 0.55),
    down=st.floats(0.45, 0.55),
)
def test_boxes_lead_from_the_input_back_to_the_place_in_the_photo(
    rule: str, width: int, height: int, across: float, down: float
) -> None:
    left, top = int(across * width) - 15, int(down * height) - 15
    image = plain(0, (width, height))
    image.paste((255, 255, 255), (left, top, left + 30, top + 30))
    prepared = RULES[rule].prepare(photo(image))
    x, y = to_photo(prepared, *centre_of_white(prepared.pixels))
    one_input_pixel = max(width, height) / 64
    assert abs(x - (left + 15)) < one_input_pixel
    assert abs(y - (top + 15)) < one_input_pixel


def test_squash_shows_the_whole_photo_on_the_whole_input() -> None:
    prepared = SQUASH.prepare(photo(plain(90, (200, 50))))
    assert (prepared.content.width, prepared.content.height) == (64, 64)
    assert (prepared.source.width, prepared.source.height) == (200, 50)


@pytest.mark.parametrize(("size", "shown"), [((200, 100), (60, 10, 140, 90)), ((100, 100), None)])
def test_crop_shows_the_centre_square(size: tuple[int, int], shown: Any) -> None:
    source = CROP.prepare(photo(plain(90, size))).source
    found = (source.left, source.top, source.right, source.bottom)
    assert found == pytest.approx(shown or (10, 10, 90, 90), abs=0.7)


@given(width=sides, height=sides)
def test_letterbox_keeps_the_aspect(width: int, height: int) -> None:
    prepared = LETTERBOX.prepare(photo(plain(90, (width, height))))
    content = prepared.content
    assert max(content.width, content.height) == 64
    assert content.width == pytest.approx(64 * width / max(width, height), abs=0.5001)
    assert content.height == pytest.approx(64 * height / max(width, height), abs=0.5001)


def test_letterbox_pads_with_the_photos_own_edge() -> None:
    image = plain((0, 0, 255), (64, 32))
    image.paste((255, 0, 0), (0, 0, 64, 16))
    pixels = LETTERBOX.prepare(photo(image)).pixels
    assert pixels[0, 10].tolist() == [255, 0, 0]
    assert pixels[63, 10].tolist() == [0, 0, 255]


def test_letterbox_of_a_sliver_keeps_one_row() -> None:
    prepared = LETTERBOX.prepare(photo(plain(90, (3000, 2))))
    assert prepared.content.height == 1


def batch_of(preprocess: Preprocess, images: Sequence[PreparedImage]) -> torch.Tensor:
    """As the network's first layer gets it."""
    network = EmbeddingNetwork(lambda batch: (batch,), mean=preprocess.mean, std=preprocess.std)
    pixels = np.stack([image.pixels for image in images])
    return network.normalise(torch.from_numpy(pixels))


@pytest.mark.parametrize("rule", RULES)
def test_a_reduced_decode_keeps_the_boxes_in_the_photos_own_pixels(rule: str) -> None:
    full = photo(textured(400, 300))
    reduced = DecodedImage(full.rgb.resize((200, 150)), 400, 300, "JPEG")
    assert RULES[rule].prepare(reduced).source == RULES[rule].prepare(full).source
    assert RULES[rule].prepare(reduced).content == RULES[rule].prepare(full).content


@pytest.mark.parametrize(
    "size",
    [(400, 300), (300, 400), (224, 224), (232, 232), (640, 480), (100, 80), (333, 777), (1200, 90)],
)
def test_crop_equals_torchvisions_transform(size: tuple[int, int]) -> None:
    image = textured(*size)
    ours = batch_of(TORCHVISION, [TORCHVISION.prepare(photo(image))])
    torch.testing.assert_close(ours, torchvision_batch(image), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(50, 25), (25, 50), (55, 165), (67, 134)])
def test_crop_equals_torchvisions_transform_where_the_aspect_is_a_whole_number(
    size: tuple[int, int],
) -> None:
    image = textured(*size)
    ours = batch_of(TORCHVISION, [TORCHVISION.prepare(photo(image))])
    torch.testing.assert_close(ours, torchvision_batch(image), atol=1e-5, rtol=0)


@given(
    colours=st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=3),
    rule=st.sampled_from(sorted(RULES)),
)
def test_batch_is_normalised_per_channel(colours: list[Any], rule: str) -> None:
    preprocess = RULES[rule]
    prepared = [preprocess.prepare(photo(plain(colour))) for colour in colours]
    batch = batch_of(preprocess, prepared)
    assert batch.shape == (len(colours), 3, 64, 64)
    assert batch.dtype == torch.float32
    expected = (np.array(colours) / 255 - IMAGENET["mean"]) / IMAGENET["std"]
    np.testing.assert_allclose(batch.mean(dim=(2, 3)), expected, atol=1e-4)
    np.testing.assert_allclose(batch.std(dim=(2, 3)), 0, atol=1e-4)


def test_batch_puts_channels_before_rows() -> None:
    image = plain(0, (64, 64))
    image.paste((255, 0, 0), (0, 0, 64, 1))
    batch = batch_of(SQUASH, [SQUASH.prepare(photo(image))])
    assert batch[0, 0, 0, 30] > batch[0, 0, 1, 30]
    assert batch[0, 2, 0, 30] == batch[0, 2, 1, 30]


def test_a_margin_of_zero_decodes_in_full() -> None:
    assert SQUASH.at_least() is None


@pytest.mark.parametrize(
    ("rule", "expected"), [("squash", 128), ("letterbox", 128), ("shorter_side_crop", 160)]
)
def test_a_margin_multiplies_what_the_resize_asks_for(rule: str, expected: int) -> None:
    wider = RULES[rule].model_copy(update={"draft_margin": 2.0})
    assert wider.at_least() == (expected, expected)


@pytest.mark.parametrize(
    "change",
    [
        {"resize": "shorter_side_crop"},
        {"resize_size": 80},
        {"resize": "shorter_side_crop", "resize_size": 63},
        {"input_size": 31},
        {"std": (0.2, 0.0, 0.2)},
        {"std": (0.2, -1.0, 0.2)},
        {"draft_margin": -1},
        {"resize": "stretch"},
        {"colour": "grey"},
    ],
)
def test_values_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Preprocess.model_validate(SQUASH.model_dump() | change)


@pytest.mark.parametrize("field", ["mean", "std"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_normalisation_that_is_not_finite_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValidationError):
        Preprocess.model_validate(SQUASH.model_dump() | {field: (0.5, value, 0.5)})


def test_bicubic_differs_from_bilinear() -> None:
    bicubic = SQUASH.model_copy(update={"interpolation": "bicubic"})
    image = photo(textured(200, 150))
    assert (bicubic.prepare(image).pixels != SQUASH.prepare(image).pixels).any()


@given(width=st.integers(1, 400), height=st.integers(1, 400), side=st.sampled_from([4, 8, 28]))
def test_only_patches_whose_centre_is_on_the_photo_are_looked_at(
    width: int, height: int, side: int
) -> None:
    prepared = LETTERBOX.prepare(photo(plain(90, (width, height))))
    rows, columns = prepared.cells((side, side))
    centres = (np.arange(side) + 0.5) * 64 / side
    content = prepared.content
    for found, low, high in (
        (rows, content.top, content.bottom),
        (columns, content.left, content.right),
    ):
        inside = np.flatnonzero((centres >= low) & (centres < high)).tolist()
        chosen = list(range(found.start, found.stop))
        assert chosen == inside if inside else len(chosen) == 1
        assert 0 <= found.start < found.stop <= side


@pytest.mark.parametrize("rule", ["squash", "shorter_side_crop"])
def test_without_padding_every_patch_is_looked_at(rule: str) -> None:
    prepared = RULES[rule].prepare(photo(plain(90, (200, 90))))
    assert prepared.cells((8, 8)) == (slice(0, 8), slice(0, 8))
