from __future__ import annotations

import numpy as np
import pytest

from app.core.arrays import Doubles, Indices
from app.core.building.evidence import in_clumps, look_alike, neighbours_alike


def clumps(sizes: list[int], apart: float, seed: int = 0) -> Doubles:
    """Clumps of photos, one after the other, (sum of sizes, 12)."""
    draw = np.random.default_rng(seed)
    centres = np.repeat(draw.normal(0, apart, (len(sizes), 12)), sizes, axis=0)
    return np.asarray(centres + draw.normal(0, 1, centres.shape))


def in_turn(n: int) -> list[Indices]:
    return [np.arange(n)]


def test_labels_by_chance_do_not_look_alike() -> None:
    assert not look_alike(clumps([60], 0.0), ["ab"[i % 2] for i in range(60)])


def test_labels_of_clumps_look_alike() -> None:
    assert look_alike(clumps([20] * 3, 4.0), ["abc"[i // 20] for i in range(60)])


def test_photos_of_bursts_are_like_their_neighbours_and_shuffled_ones_are_not() -> None:
    bursts = clumps([4] * 10, 3.0)
    assert neighbours_alike(bursts, in_turn(40))
    shuffled = np.random.default_rng(1).permutation(40)
    assert not neighbours_alike(bursts[shuffled], in_turn(40))


def test_single_photos_and_too_few_photos_show_no_order() -> None:
    assert not neighbours_alike(clumps([1] * 40, 3.0), in_turn(40))
    assert not neighbours_alike(clumps([3, 3], 9.0), in_turn(6))
    assert not neighbours_alike(clumps([2] * 20, 9.0), [np.arange(i, i + 2) for i in range(19)])


def test_the_order_within_sequences_counts_alone() -> None:
    """SKUs that differ are no order, though photos of one SKU stand together."""
    skus = clumps([10] * 6, 5.0)
    assert neighbours_alike(skus, in_turn(60))
    assert not neighbours_alike(skus, np.arange(60).reshape(6, 10))


def rarely(found: list[bool]) -> bool:
    """One in a hundred is right by chance: of 40, four or more are so once in 600 runs."""
    return sum(found) <= 3


def test_chance_alone_is_seldom_taken_for_an_order() -> None:
    found = [neighbours_alike(clumps([1] * 30, 1.0, seed), in_turn(30)) for seed in range(40)]
    assert rarely(found)


@pytest.mark.parametrize("sizes", [[5] * 6, [3] * 10])
def test_clumps_are_seen_whatever_the_order(sizes: list[int]) -> None:
    vectors = np.concatenate([clumps(sizes, 2.5, sku) for sku in range(3)])
    skus = np.repeat(["a", "b", "c"], 30)
    mixed = np.random.default_rng(5).permutation(90)
    assert in_clumps(vectors[mixed], skus[mixed].tolist())


def test_one_cloud_a_label_is_no_clump() -> None:
    def cloud(seed: int) -> bool:
        vectors = np.concatenate([clumps([20], 9.0, 10 * seed + sku) for sku in range(3)])
        return in_clumps(vectors, list(np.repeat(["a", "b", "c"], 20)))

    assert rarely([cloud(seed) for seed in range(20)])


def test_equal_photos_and_too_few_are_no_clump() -> None:
    assert not in_clumps(np.ones((20, 3)), ["a"] * 20)
    assert not in_clumps(clumps([2, 2], 9.0), ["a"] * 4)
