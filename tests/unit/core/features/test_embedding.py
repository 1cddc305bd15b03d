from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.core.features.embedding import EmbeddingNetwork
from app.core.methods.knn.bank import MemoryBank

Network = Callable[[torch.Tensor], Sequence[torch.Tensor]]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures(seed: int, number: int = 2, side: int = 16) -> torch.Tensor:
    drawn = np.random.default_rng(seed).integers(0, 256, (number, side, side, 3), dtype=np.uint8)
    return torch.from_numpy(drawn)


def pyramid(batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Two layers, the second at half the first's resolution and with its own values."""
    return batch, torch.nn.functional.avg_pool2d(batch, 2) * 3


def embedding(
    network: Network,
    grid: tuple[int, int] | None = None,
    neighbourhood: int = 1,
    *,
    unit_length: bool = False,
) -> EmbeddingNetwork:
    return EmbeddingNetwork(
        network,
        mean=MEAN,
        std=STD,
        grid=grid,
        neighbourhood=neighbourhood,
        unit_length=unit_length,
    )


@given(st.integers(0, 999))
def test_pixels_are_normalised_as_torchvision_does(seed: int) -> None:
    pixels = pictures(seed)
    found = embedding(pyramid).normalise(pixels)
    unit = pixels.numpy().astype(np.float64) / 255
    expected = ((unit - MEAN) / STD).transpose(0, 3, 1, 2)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_without_a_grid_each_layer_is_averaged_over_the_photo() -> None:
    made = embedding(pyramid)
    pixels = pictures(1)
    normal = made.normalise(pixels).numpy()
    found = made(pixels).numpy()
    assert found.shape == (2, 1, 6)
    np.testing.assert_allclose(found[:, 0, :3], normal.mean(axis=(2, 3)), atol=1e-5)
    np.testing.assert_allclose(found[:, 0, 3:], 3 * normal.mean(axis=(2, 3)), atol=1e-4)


def test_a_grid_keeps_each_place_row_by_row() -> None:
    made = embedding(lambda batch: (batch,), grid=(16, 16))
    pixels = pictures(2)
    expected = made.normalise(pixels).numpy().transpose(0, 2, 3, 1).reshape(2, 256, 3)
    np.testing.assert_allclose(made(pixels).numpy(), expected, atol=1e-6)


def test_a_coarser_layer_is_brought_to_the_grid() -> None:
    made = embedding(pyramid, grid=(16, 16))
    pixels = pictures(3)
    coarse = torch.nn.functional.avg_pool2d(made.normalise(pixels), 2) * 3
    expected = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bilinear")
    found = made(pixels).reshape(2, 16, 16, 6).permute(0, 3, 1, 2)
    np.testing.assert_allclose(found[:, 3:].numpy(), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("side", [3, 5])
def test_each_place_is_averaged_with_its_neighbours_zeros_beyond_the_rim(side: int) -> None:
    made = embedding(lambda batch: (batch,), grid=(16, 16), neighbourhood=side)
    pixels = pictures(4, number=1)
    normal = made.normalise(pixels)[0].numpy()
    found = made(pixels)[0].numpy().reshape(16, 16, 3)
    reach = side // 2
    for row, column in [(0, 0), (0, 7), (15, 15), (8, 0), (6, 9)]:
        near = normal[:, max(0, row - reach) : row + reach + 1,
                      max(0, column - reach) : column + reach + 1]  # fmt: skip
        expected = near.sum(axis=(1, 2)) / side**2
        np.testing.assert_allclose(found[row, column], expected, atol=1e-5)


def test_the_patch_farthest_from_other_photos_lies_on_the_rim_no_more_often_than_elsewhere() -> (
    None
):
    """On goods before shelves, what the rim shows by chance would drown the damage."""
    made = embedding(lambda batch: (batch,), grid=(16, 16), neighbourhood=3)
    photos = made(pictures(8, number=60)).numpy()
    bank = MemoryBank(photos[:30].reshape(-1, 3))
    farthest = np.array([bank.search(photo, 1)[0][:, 0].argmax() for photo in photos[30:]])
    row, column = np.divmod(farthest, 16)
    on_rim = (row % 15 == 0) | (column % 15 == 0)
    assert on_rim.mean() <= 2 * 60 / 256


@pytest.mark.parametrize("grid", [None, (16, 16), (4, 8)])
def test_a_batch_gives_what_its_photos_give_alone(grid: tuple[int, int] | None) -> None:
    made = embedding(pyramid, grid=grid, neighbourhood=1 if grid is None else 3)
    pixels = pictures(5, number=5)
    alone = torch.cat([made(pixels[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(made(pixels).numpy(), alone.numpy(), atol=1e-5)


@pytest.mark.parametrize("grid", [None, (16, 16)])
def test_distances_between_features_of_unit_length_are_those_of_their_cosines(
    grid: tuple[int, int] | None,
) -> None:
    pixels = pictures(9)
    plain = embedding(pyramid, grid=grid)(pixels).numpy()
    first, second = embedding(pyramid, grid=grid, unit_length=True)(pixels).numpy()
    lengths = np.linalg.norm(plain, axis=2)
    cosines = (plain[0] * plain[1]).sum(axis=1) / lengths[0] / lengths[1]
    distances = np.square(first - second).sum(axis=1)
    np.testing.assert_allclose(distances, 2 * (1 - cosines), atol=1e-5)


def test_a_feature_of_nothing_but_zeros_has_no_direction_and_stays() -> None:
    made = embedding(lambda batch: (batch * 0,), grid=(16, 16), unit_length=True)
    assert not made(pictures(1)).numpy().any()


def test_means_of_half_precision_maps_are_taken_in_float32() -> None:
    """In bfloat16 the mean of 256 values that differ in their last digits would be one of them."""
    values = torch.linspace(100, 101, 256).reshape(1, 1, 16, 16).to(torch.bfloat16)
    made = embedding(lambda batch: (values,))
    found = made(pictures(6, number=1))
    assert found.dtype == torch.float32
    assert float(found[0, 0, 0]) == pytest.approx(float(values.double().mean()), abs=1e-4)


def test_the_normalisation_is_no_weight() -> None:
    """It belongs to the feature spec; weights files know nothing of it."""
    assert list(embedding(pyramid).state_dict()) == []
