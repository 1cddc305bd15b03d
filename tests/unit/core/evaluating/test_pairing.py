from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from app.core.evaluating.metrics import auroc, auroc_interval
from app.core.evaluating.pairing import Difference, Labelled, auroc_difference


def drawn(seed: int, n_good: int, n_defective: int, shared: float = 0.7) -> tuple[Labelled, ...]:
    """Two methods that see partly the same in each photo, the first the better one."""
    generator = np.random.default_rng(seed)

    def scores(n: int, shift: float, noise: Any) -> Any:
        return shift + shared * noise + np.sqrt(1 - shared**2) * generator.normal(size=n)

    good, bad = generator.normal(size=n_good), generator.normal(size=n_defective)
    first = scores(n_good, 0, good), scores(n_defective, 1.4, bad)
    return first, (scores(n_good, 0, good), scores(n_defective, 0.8, bad))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Labelled, Labelled]:
    """Scores of two methods on the same photos, with ties."""
    sizes = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    whole = st.integers(0, 8).map(float)
    labelled = [[draw(st.lists(whole, min_size=n, max_size=n)) for n in sizes] for _ in range(2)]
    (a, b), (c, d) = labelled
    return (np.array(a), np.array(b)), (np.array(c), np.array(d))


def by_the_book(method: Labelled, other: Labelled) -> float:
    """The variance of DeLong et al. 1988, from the kernel of each pair and a matrix (1 -1) S."""
    tens, ones = [], []
    for good, bad in (method, other):
        kernel = (bad[:, None] > good) + 0.5 * (bad[:, None] == good)  # (m, n)
        tens.append(kernel.mean(axis=1))
        ones.append(kernel.mean(axis=0))
    matrix = np.cov(tens) / len(tens[0]) + np.cov(ones) / len(ones[0])
    contrast = np.array([1, -1])
    return float(contrast @ matrix @ contrast)


@given(pair=pairs())
def test_swapping_the_methods_mirrors_the_difference(pair: tuple[Labelled, Labelled]) -> None:
    there, back = auroc_difference(*pair), auroc_difference(*pair[::-1])
    assert there.value == -back.value
    assert there.ci95 == pytest.approx((-back.ci95[1], -back.ci95[0]))
    assert there.is_proven == back.is_proven


@given(pair=pairs())
def test_the_difference_lies_in_its_interval_and_that_in_what_is_possible(
    pair: tuple[Labelled, Labelled],
) -> None:
    found = auroc_difference(*pair)
    low, high = found.ci95
    assert found.value == pytest.approx(auroc(*pair[0]) - auroc(*pair[1]))
    assert -1 <= low <= found.value + 1e-12
    assert found.value - 1e-12 <= high <= 1


@given(pair=pairs())
def test_a_method_differs_from_itself_by_nothing(pair: tuple[Labelled, Labelled]) -> None:
    method, _ = pair
    found = auroc_difference(method, method)
    assert found.value == 0
    assert not found.is_proven
    low, high = auroc_interval(*method)
    assume(0 < auroc(*method) < 1 and min(map(len, method)) > 1)
    assert found.ci95 == (0, 0) or found.ci95[1] - found.ci95[0] <= np.sqrt(2) * (high - low)


@given(pair=pairs())
def test_units_of_scores_do_not_matter(pair: tuple[Labelled, Labelled]) -> None:
    (good, bad), other = pair
    changed = np.exp(good / 2) * 70, np.exp(bad / 2) * 70
    assert auroc_difference(changed, other) == auroc_difference((good, bad), other)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_that_of_the_paper(seed: int) -> None:
    method, other = drawn(seed, 40, 30)
    found = auroc_difference(method, other)
    spread = norm.ppf(0.975) * np.sqrt(by_the_book(method, other))
    assert found.ci95 == pytest.approx((found.value - spread, found.value + spread))


def test_the_interval_is_close_to_a_bootstraps() -> None:
    (good, bad), (good2, bad2) = drawn(1, 120, 100)
    generator = np.random.default_rng(3)
    differences = []
    for _ in range(400):
        i, j = generator.integers(0, 120, 120), generator.integers(0, 100, 100)
        differences.append(auroc(good[i], bad[j]) - auroc(good2[i], bad2[j]))
    expected = np.quantile(differences, [0.025, 0.975])
    found = auroc_difference((good, bad), (good2, bad2))
    np.testing.assert_allclose(found.ci95, expected, atol=0.015)


def test_pairing_sees_what_two_single_intervals_cannot() -> None:
    method, other = drawn(0, 60, 60, shared=0.95)
    assert auroc_interval(*method)[0] < auroc_interval(*other)[1]  # they overlap
    assert auroc_difference(method, other).is_proven


@pytest.mark.slow
def test_equal_methods_are_called_different_as_rarely_as_promised() -> None:
    wrong = 0
    for seed in range(400):
        (good, _), (good2, bad2) = drawn(seed, 50, 50)
        bad = drawn(seed + 1000, 50, 50)[1][1]
        wrong += auroc_difference((good, bad), (good2, bad2)).is_proven
    assert wrong / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("n", "proven"), [(2, False), (200, True)])
def test_perfect_separation_of_a_few_photos_proves_nothing(n: int, proven: bool) -> None:
    """DeLong's variance of both is 0 here, which says that nothing is uncertain."""
    perfect = np.zeros(n), np.ones(n)
    blind = np.ones(n), np.ones(n)
    found = auroc_difference(perfect, blind)
    assert found.value == 0.5
    assert found.is_proven is proven


def test_two_perfect_methods_are_not_proven_equal() -> None:
    perfect = np.zeros(9), np.ones(9)
    low, high = auroc_difference(perfect, perfect).ci95
    assert low < -0.1
    assert high > 0.1


@pytest.mark.parametrize(
    ("ci95", "proven"),
    [((0.1, 0.2), True), ((-0.2, -0.1), True), ((-0.1, 0.1), False), ((0.0, 0.0), False)],
)
def test_what_excludes_0_is_proven(ci95: tuple[float, float], proven: bool) -> None:
    assert Difference(value=0.0, ci95=ci95).is_proven is proven
