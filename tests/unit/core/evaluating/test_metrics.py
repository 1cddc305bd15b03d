from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label
from scipy.stats import binomtest, norm
from sklearn.metrics import average_precision_score, roc_auc_score

from app.core.evaluating import metrics

scores = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=30).map(np.array)


def drawn(seed: int, n: int, shift: float = 0.0) -> Any:
    return np.random.default_rng(seed).normal(shift, size=n)


@given(good=scores, defective=scores)
def test_auroc_equals_scikit_learns(good: Any, defective: Any) -> None:
    labels = [0] * len(good) + [1] * len(defective)
    expected = roc_auc_score(labels, np.concatenate([good, defective]))
    assert metrics.auroc(good, defective) == pytest.approx(expected)


@given(good=scores, defective=scores)
def test_auroc_is_the_share_of_pairs_in_order(good: Any, defective: Any) -> None:
    pairs = [(d > g) + (d == g) / 2 for g in good for d in defective]
    assert metrics.auroc(good, defective) == pytest.approx(np.mean(pairs))


@given(good=scores, defective=scores)
def test_swapping_the_labels_mirrors_the_auroc(good: Any, defective: Any) -> None:
    there, back = metrics.auroc(good, defective), metrics.auroc(defective, good)
    assert there + back == pytest.approx(1)


@given(good=scores, defective=scores)
def test_average_precision_equals_scikit_learns(good: Any, defective: Any) -> None:
    labels = [0] * len(good) + [1] * len(defective)
    expected = average_precision_score(labels, np.concatenate([good, defective]))
    assert metrics.average_precision(good, defective) == pytest.approx(expected)


@given(good=scores, defective=scores)
def test_interval_holds_the_estimate_and_stays_within_0_and_1(good: Any, defective: Any) -> None:
    low, high = metrics.auroc_interval(good, defective)
    area = metrics.auroc(good, defective)
    assert 0 <= low <= area + 1e-9
    assert area - 1e-9 <= high <= 1


@given(
    good=st.lists(st.integers(0, 99), min_size=3, max_size=30, unique=True).map(np.array),
    defective=st.lists(st.integers(0, 99), min_size=3, max_size=30, unique=True).map(np.array),
)
def test_interval_is_mirrored_with_the_labels(good: Any, defective: Any) -> None:
    low, high = metrics.auroc_interval(good, defective)
    mirrored = metrics.auroc_interval(defective, good)
    assert mirrored == pytest.approx((1 - high, 1 - low))


@pytest.mark.slow
def test_interval_is_close_to_a_bootstraps() -> None:
    good, defective = drawn(1, 120), drawn(2, 100, shift=1.0)
    generator = np.random.default_rng(3)
    areas = [
        metrics.auroc(generator.choice(good, len(good)), generator.choice(defective, 100))
        for _ in range(600)
    ]
    expected = np.quantile(areas, [0.025, 0.975])
    np.testing.assert_allclose(metrics.auroc_interval(good, defective), expected, atol=0.015)


@pytest.mark.slow
def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    truth = norm.cdf(1.0 / np.sqrt(2))  # of two normal distributions one deviation apart
    trials = 300
    covered = 0
    for seed in range(trials):
        low, high = metrics.auroc_interval(drawn(2 * seed, 40), drawn(2 * seed + 1, 40, shift=1.0))
        covered += low <= truth <= high
    # 95 % of 300, give or take four standard errors
    assert 0.90 <= covered / trials <= 0.995


def test_a_wider_level_gives_a_wider_interval() -> None:
    good, defective = drawn(1, 50), drawn(2, 50, shift=1.0)
    low, high = metrics.auroc_interval(good, defective, level=0.95)
    lower, higher = metrics.auroc_interval(good, defective, level=0.99)
    assert lower < low < high < higher


@pytest.mark.parametrize(("n_good", "n_defective"), [(1, 1), (5, 3), (200, 40)])
def test_perfect_separation_leaves_the_exact_bound_open(n_good: int, n_defective: int) -> None:
    low, high = metrics.auroc_interval(np.zeros(n_good), np.ones(n_defective))
    fewer = min(n_good, n_defective)
    assert high == 1
    assert low == pytest.approx(binomtest(fewer, fewer).proportion_ci(0.95).low)


def test_perfectly_wrong_separation_mirrors_it() -> None:
    right = metrics.auroc_interval(np.zeros(9), np.ones(6))
    wrong = metrics.auroc_interval(np.ones(9), np.zeros(6))
    assert wrong == pytest.approx((1 - right[1], 1 - right[0]))


def test_equal_scores_everywhere_do_not_pretend_to_be_certain() -> None:
    low, high = metrics.auroc_interval(np.ones(4), np.ones(4))
    assert high - low > 0.1


@given(good=scores, defective=scores, threshold=st.integers(-1, 13))
def test_operating_point_counts_strictly_above_the_threshold(
    good: Any, defective: Any, threshold: int
) -> None:
    point = metrics.operating_point(good, defective, threshold)
    assert (point.tp, point.fn) == (sum(defective > threshold), sum(defective <= threshold))
    assert (point.fp, point.tn) == (sum(good > threshold), sum(good <= threshold))


def test_rates_follow_from_the_counts() -> None:
    point = metrics.OperatingPoint(tp=6, fp=2, tn=8, fn=4)
    assert (point.recall, point.precision, point.false_alarm_rate) == (0.6, 0.75, 0.2)


def test_a_rate_of_nothing_is_none() -> None:
    point = metrics.OperatingPoint(tp=0, fp=0, tn=0, fn=0)
    assert (point.recall, point.precision, point.false_alarm_rate) == (None, None, None)


@given(n=st.integers(1, 200), data=st.data())
def test_binomial_interval_is_the_exact_one(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    expected = binomtest(hits, n).proportion_ci(0.95, method="exact")
    found = metrics.binomial_interval(hits, n)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(good=scores, defective=scores)
def test_f1_max_is_the_best_over_all_thresholds(good: Any, defective: Any) -> None:
    def f1(threshold: float) -> float:
        tp, fp = sum(defective > threshold), sum(good > threshold)
        return float(2 * tp / (2 * tp + fp + sum(defective <= threshold)))

    thresholds = [-1.0, *good, *defective]
    assert metrics.f1_max(good, defective) == pytest.approx(max(f1(t) for t in thresholds))


def maps_and_masks(seed: int) -> tuple[list[Any], list[Any]]:
    """Two photos with blobs marked, and maps that tell them more or less."""
    generator = np.random.default_rng(seed)
    masks = [np.zeros((24, 30), dtype=bool) for _ in range(3)]
    masks[0][3:9, 4:12] = True
    masks[0][15:18, 20:28] = True
    masks[1][10:14, 10:13] = True
    maps = [(generator.normal(size=m.shape) + 1.5 * m).astype(np.float32) for m in masks]
    return maps, masks


@pytest.mark.parametrize("seed", range(4))
def test_pixel_auroc_equals_scikit_learns(seed: int) -> None:
    maps, masks = maps_and_masks(seed)
    expected = roc_auc_score(np.concatenate(masks).ravel(), np.concatenate(maps).ravel())
    assert metrics.pixel_auroc(maps, masks) == pytest.approx(expected, abs=2e-4)


def brute_aupro(maps: list[Any], masks: list[Any], limit: float) -> float:
    """Every pixel's score as a threshold, every region's overlap at each."""
    regions = [
        maps[i][labels == index]
        for i, (labels, count) in enumerate(label(m, structure=np.ones((3, 3))) for m in masks)
        for index in range(1, count + 1)
    ]
    clean = np.concatenate([m[~k] for m, k in zip(maps, masks, strict=True)])
    thresholds = np.sort(np.concatenate([m.ravel() for m in maps]))[::-1]
    x = np.array([0.0, *((clean >= t).mean() for t in thresholds)])
    y = np.array([0.0, *(np.mean([(r >= t).mean() for r in regions]) for t in thresholds)])
    keep = x <= limit
    x_end = np.append(x[keep], limit)
    y_end = np.append(y[keep], np.interp(limit, x, y))
    return float(np.trapezoid(y_end, x_end) / limit)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_equals_a_loop_over_the_definition(seed: int, limit: float) -> None:
    maps, masks = maps_and_masks(seed)
    expected = brute_aupro(maps, masks, limit)
    assert metrics.aupro(maps, masks, limit) == pytest.approx(expected, abs=5e-3)


def test_a_map_that_is_the_mask_is_perfect() -> None:
    _, masks = maps_and_masks(0)
    maps = [m.astype(np.float32) for m in masks]
    assert metrics.pixel_auroc(maps, masks) == pytest.approx(1)
    assert metrics.aupro(maps, masks) == pytest.approx(1)


def test_maps_of_one_value_are_no_better_than_chance() -> None:
    _, masks = maps_and_masks(0)
    maps = [np.ones(m.shape, dtype=np.float32) for m in masks]
    assert metrics.pixel_auroc(maps, masks) == pytest.approx(0.5)


def test_aupro_counts_every_region_alike_whatever_its_size() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[:20, :20], mask[30, 30] = True, True
    only_large, only_small = mask.astype(np.float32), mask.astype(np.float32)
    only_large[30, 30] = 0
    only_small[:20, :20] = 0
    large, small = (metrics.aupro([m], [mask], limit=0.01) for m in (only_large, only_small))
    assert large == pytest.approx(small, abs=0.02)


def test_without_marked_pixels_there_are_no_pixel_figures() -> None:
    maps, masks = maps_and_masks(0)
    none = [np.zeros_like(m) for m in masks]
    assert metrics.pixel_auroc(maps, none) is None
    assert metrics.aupro(maps, none) is None


def test_aupro_needs_no_more_memory_for_more_regions() -> None:
    generator = np.random.default_rng(0)
    maps = [generator.normal(size=(128, 128)).astype(np.float32) for _ in range(3)]

    def peak(step: int) -> int:
        mask = np.zeros((128, 128), dtype=bool)
        mask[::step, ::step] = True
        assert label(mask)[1] == (-(-128 // step)) ** 2
        tracemalloc.start()
        metrics.aupro(maps, [mask] * len(maps))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    metrics.aupro(maps, maps_of_one_mark(maps))  # what is loaded at first use counts for no one
    few, many = peak(64), peak(6)  # 4 and 484 regions on each of three maps
    assert many < few + 2_000_000
    assert many < 12_000_000


def maps_of_one_mark(maps: list[Any]) -> list[Any]:
    masks = [np.zeros(m.shape, dtype=bool) for m in maps]
    masks[0][3, 4] = True
    return masks


def test_without_maps_there_are_no_pixel_figures() -> None:
    assert (metrics.pixel_auroc([], []), metrics.aupro([], [])) == (None, None)


@pytest.mark.parametrize("seed", range(3))
def test_aupro_is_the_mean_over_the_regions_histograms(seed: int) -> None:
    """One histogram of weighted pixels is the mean of a histogram per region, to rounding."""
    maps, masks = maps_and_masks(seed)
    edges = np.linspace(min(m.min() for m in maps), max(m.max() for m in maps), (1 << 16) + 1)
    regions = [
        np.histogram(m[labels == i], edges)[0] / (labels == i).sum()
        for m, mask in zip(maps, masks, strict=True)
        for labels, count in [label(mask, structure=np.ones((3, 3)))]
        for i in range(1, count + 1)
    ]
    pairs = zip(maps, masks, strict=True)
    clean = np.sum([np.histogram(m[~k], edges)[0] for m, k in pairs], axis=0)
    y = np.concatenate([[0.0], np.cumsum(np.mean(regions, axis=0)[::-1])])
    x = np.concatenate([[0.0], np.cumsum(clean[::-1]) / clean.sum()])
    keep = x <= 0.3
    area = np.trapezoid(np.append(y[keep], np.interp(0.3, x, y)), np.append(x[keep], 0.3)) / 0.3
    assert metrics.aupro(maps, masks) == pytest.approx(area, abs=1e-6)
