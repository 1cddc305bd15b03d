"""What `bench.sweep` measures: photos' scores by look, by way to take distances, and by rule.

One search of all of a photo's cells serves every look: places that are not looked at are left out
afterwards, as the product does it (`Scorer`), and all of each good photo teaches the bank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.core.features.sample import Chosen, Sample, Samples
from app.core.methods.knn import KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.method import bank_of_samples
from app.core.methods.scoring import Scoring
from app.core.photo.look import Look

SHARES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08)
# Patches by which a vector's own mean and spread are pulled to those of the whole bank.
PRIOR = 20
PLAIN, OVER_MEAN, LESS_MEAN, STANDARDISED = "plain", "over mean", "less mean", "standardised"
HALF = "half standardised"

# Of one look and one way to take distances: by rule the (n,) scores of n photos.
ByRule = dict[str, Doubles]


@dataclass(frozen=True)
class Scores:
    """Scores of the test photos and, where they were asked for, of held-out good photos.

    Both by (look, distance), then by rule.
    """

    test: dict[tuple[str, str], ByRule]
    held_out: dict[tuple[str, str], ByRule]


@dataclass(frozen=True)
class Spread:
    """How far held-out good patches usually are from each vector of a bank.

    Attributes:
        mean, std: (N,) float64, each pulled to the bank's own.
        overall: mean and standard deviation over all patches.
    """

    mean: Doubles
    std: Doubles
    overall: tuple[float, float]

    @classmethod
    def of(cls, nearest: Indices, distances: Floats, size: int, prior: float = PRIOR) -> Spread:
        """From the (P,) nearest of `size` vectors and the (P,) held-out distances of P patches."""
        away = distances.astype(np.float64)
        overall, variance = float(away.mean()), float(away.var())
        count = np.bincount(nearest, minlength=size) + prior
        total = np.bincount(nearest, weights=away, minlength=size)
        mean = (total + prior * overall) / count
        squares = np.square(away - mean[nearest])
        own = np.bincount(nearest, weights=squares, minlength=size)
        std = np.sqrt((own + prior * variance) / count)
        return cls(mean, np.maximum(std, 1e-9), (overall, variance**0.5))

    def over_mean(self, distances: Floats, nearest: Indices) -> Doubles:
        """Each distance by its vector's mean, in units of the bank's."""
        return np.asarray(distances / np.maximum(self.mean[nearest], 1e-9) * self.overall[0])

    def less_mean(self, distances: Floats, nearest: Indices) -> Doubles:
        """Each distance less its vector's mean, with the bank's put back; nothing below 0."""
        return _from_0(distances - self.mean[nearest] + self.overall[0])

    def standardised(self, distances: Floats, nearest: Indices) -> Doubles:
        """Each distance less its vector's mean, by its spread; then the bank's own mean and spread
        put back and nothing below 0, so that a look's weights lower every score."""
        return self._by_spread(distances, nearest, 1.0)

    def half_standardised(self, distances: Floats, nearest: Indices) -> Doubles:
        """The same, less the mean of its vector's mean and the bank's. Where the vector lies in
        sparse surroundings, a patch of no good photo keeps some of its distance."""
        return self._by_spread(distances, nearest, 0.5)

    def _by_spread(self, distances: Floats, nearest: Indices, own: float) -> Doubles:
        usual = own * self.mean[nearest] + (1 - own) * self.overall[0]
        away = (distances - usual) / self.std[nearest]
        return _from_0(self.overall[0] + self.overall[1] * away)


Way = Callable[[Floats, Indices], Floats | Doubles]


def ways_by(spread: Spread) -> dict[str, Way]:
    """By name each way to take (P,) distances, and the vectors nearest, by what is usual there."""
    return {
        OVER_MEAN: spread.over_mean,
        LESS_MEAN: spread.less_mean,
        STANDARDISED: spread.standardised,
        HALF: spread.half_standardised,
    }


@dataclass(frozen=True)
class Scaled(Samples):
    """Samples with their dimensions scaled by (D,) factors."""

    samples: Samples
    scale: Floats

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        sample = self.samples[index]
        return replace(sample, cells=sample.cells * self.scale)


def scaled(samples: Samples, train: Samples, scaling: str) -> Samples:
    """The samples with each dimension divided by its spread over good patches, or its root."""
    if scaling == "none":
        return samples
    some = np.concatenate([train[i].patches[::7] for i in range(len(train))])
    exponent = {"sqrt_std": -0.5, "std": -1.0}[scaling]
    factors = np.maximum(some.std(axis=0), 1e-6) ** exponent
    return Scaled(samples, np.asarray(factors, dtype=np.float32))


def measure(
    train: Samples,
    test: Samples,
    looks: Mapping[str, Look],
    rule: KnnSettings,
    *,
    held_out: bool,
) -> Scores:
    """Learn a bank from all of `train`, score `test` by each look.

    Args:
        held_out: score halves of `train` by banks of the other half, too, half as large: what
            distances are divided by, and what a backbone's scores are standardised by.
    """
    bank = bank_of_samples(train, rule)
    found = [_Found.of(sample, bank, rule.k) for sample in test]
    ways: dict[str, Way] = {PLAIN: lambda distances, _nearest: distances}
    known: list[_Found] = []
    if held_out:
        known = _held_out(train, rule)
        nearest = np.concatenate([bank.search(sample.patches, 1)[1][:, 0] for sample in train])
        ways |= ways_by(Spread.of(nearest, np.concatenate([k.distances for k in known]), len(bank)))
    scores = Scores({}, {})
    for name, look in looks.items():
        for distance, way in ways.items():
            cells = [one.with_cells(way(one.distances, one.nearest)) for one in found]
            scores.test[name, distance] = by_rule([one.seen_by(look) for one in cells])
        if known:
            cells = [one.with_cells(one.distances) for one in known]
            scores.held_out[name, PLAIN] = by_rule([one.seen_by(look) for one in cells])
    return scores


@dataclass(frozen=True)
class _Found:
    """A photo's place, the (P,) distances of its patches and the vector nearest to each."""

    place: Sample
    distances: Floats
    nearest: Indices

    @classmethod
    def of(cls, sample: Sample, bank: MemoryBank, k: int) -> _Found:
        distances, nearest = bank.search(sample.patches, k)
        place = replace(sample, cells=sample.cells[..., :1].copy())
        return cls(place, distances.mean(axis=1), nearest[:, 0])

    def with_cells(self, values: Floats | Doubles) -> Sample:
        """The photo with one value a cell in place of its features."""
        cells = values.astype(np.float32).reshape(*self.place.cells.shape[:2], 1)
        return replace(self.place, cells=cells)


def _from_0(values: Doubles) -> Doubles:
    return np.asarray(np.maximum(values, 0))


def _held_out(train: Samples, rule: KnnSettings) -> list[_Found]:
    """Each good photo, in order, against a bank of the half that it is not in."""
    half = rule.model_copy(update={"max_vectors": max(1, (rule.max_vectors or 2) // 2)})
    found: dict[int, _Found] = {}
    for own in (0, 1):
        bank = bank_of_samples(Chosen(train, range(1 - own, len(train), 2)), half)
        found |= {i: _Found.of(train[i], bank, rule.k) for i in range(own, len(train), 2)}
    return [found[index] for index in range(len(train))]


def by_rule(seen: Sequence[Sample]) -> ByRule:
    """By rule the (n,) scores of n photos whose cells hold one value each, (h, w, 1)."""
    rows = [image_scores(sample) for sample in seen]
    return {rule: np.array([row[rule] for row in rows]) for rule in rows[0]}


def image_scores(seen: Sample) -> dict[str, float]:
    """One photo's score by each rule.

    `top` counts patches as the product does: a share of the whole photo's, at most 5 % of those
    looked at. `of looked` is a share of those looked at; `of photo` one of the photo's, uncapped.
    """
    cells = seen.cells[..., 0]
    if seen.weights is not None:
        cells = cells * seen.weights
    looked = np.sort(cells[seen.looked])
    shown = Scoring(smoothing=0.8).score_map(cells, None if seen.weights is None else seen.looked)
    rules = {"max": float(looked[-1]), "smoothed max": float(shown.max())}
    for share in SHARES:
        scoring = Scoring(top_share=share)
        name = f"{100 * share:g}%"
        rules[f"top {name}"] = scoring.image_score(looked, cells.size)
        if seen.weights is not None:
            rules[f"{name} of looked"] = scoring.image_score(looked)
            uncapped = min(len(looked), max(1, round(share * cells.size)))
            rules[f"{name} of photo"] = float(looked[-uncapped:].mean())
    return rules


def together(first: ByRule, second: ByRule, held: tuple[ByRule, ByRule]) -> ByRule:
    """The mean of two backbones' scores, each standardised by its own of held-out good photos."""
    return {
        rule: (_standard(first[rule], held[0][rule]) + _standard(second[rule], held[1][rule])) / 2
        for rule in first
    }


def _standard(scores: Doubles, good: Doubles) -> Doubles:
    return np.asarray((scores - good.mean()) / max(float(good.std()), 1e-12))
