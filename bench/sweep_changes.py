"""Which change of a preset's default the figures of `bench.sweep` allow, and what is noise."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.sweep_configs import DEFAULT, EMBEDDED, Row
from bench.tables import table

DEFAULT_RULE = "top 1%"
PRESETS = {"patch": DEFAULT.record(), "embedded-patch": EMBEDDED.record()}
# No set may lose more by a change of a default.
MOST_LOST = 0.002
_LEAST_SETS = 3

# By set and look.
Cases = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Change:
    """What one change of a preset does over the sets on which it was measured.

    Attributes:
        gains: by set and look the AUROC's difference to the preset's, the mean over seeds.
        noise: half of a 95 % interval of the mean gain: chance in the photos and in the coreset.
    """

    preset: str
    what: str
    gains: Cases
    noise: float

    @property
    def by_set(self) -> dict[str, float]:
        """A set's gain is the mean of its looks'."""
        names = sorted({name for name, _ in self.gains})
        return {
            name: float(np.mean([gain for (own, _), gain in self.gains.items() if own == name]))
            for name in names
        }

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.by_set.values())))

    @property
    def worst(self) -> tuple[float, str]:
        """The lowest gain of all sets and looks, and where it is."""
        return min((gain, f"{name}, {look}") for (name, look), gain in self.gains.items())

    def allowed(self, sets: set[str]) -> bool:
        """By the rule, if these are all sets; one that was not measured could lose."""
        return set(self.by_set) == sets and self.worst[0] >= -MOST_LOST and self.mean > self.noise


def look_of(row: Row) -> str:
    return str(row.get("look", "whole"))


def distance_of(row: Row) -> str:
    return str(row.get("distance", "plain"))


def preset_of(row: Row) -> str:
    """The preset that a row is a change of."""
    return "patch" if row["config"]["backbone"].startswith("resnet") else "embedded-patch"


def is_default(row: Row) -> bool:
    """Whether it is its preset, but for the seed of the coreset."""
    own = _reads_the_same_bank(row)
    return own and "with" not in row and distance_of(row) == "plain"


def changes(rows: Sequence[Row], preset: str) -> list[Change]:
    """Every change of a preset whose difference to it is known, the best mean first."""
    own = [row for row in rows if preset_of(row) == preset and "difference" in row]
    found: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    for row in own:
        for what, rule in _asked(row):
            found[what].append((row, rule))
    usual, seeds = _usual(own), seed_variance(own)
    made = [_change(preset, what, of, usual, seeds) for what, of in found.items()]
    return sorted(made, key=lambda change: -change.mean)


def _asked(row: Row) -> Iterator[tuple[str, str]]:
    """The changes of which a row tells, and the rule that shows each."""
    usual = PRESETS[preset_of(row)]
    different = [
        f"{name} {' + '.join(value) if isinstance(value, list) else value}"
        for name, value in row["config"].items()
        if name != "seed" and value != usual[name]
    ]
    if "with" in row:
        different.append(f"with {row['with']['backbone']}")
    if distance_of(row) != "plain":
        different.append(f"distance {distance_of(row)}")
    if different:
        yield ", ".join(different), DEFAULT_RULE
        return
    for rule in row["auroc"]:
        # Shares of what a look in part leaves are no rule for whole photos.
        if rule != DEFAULT_RULE:
            yield f"rule {rule}", rule


def _change(
    preset: str, what: str, of: Sequence[tuple[Row, str]], usual: Cases, seeds: float
) -> Change:
    gains: dict[tuple[str, str], list[float]] = defaultdict(list)
    photos: dict[str, list[float]] = defaultdict(list)
    of_seed: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, rule in of:
        at = row["set"], look_of(row)
        difference, low, high = row["difference"][rule]
        if not _reads_the_same_bank(row):
            # Against the mean over seeds, so that no lucky bank is compared with.
            difference = row["auroc"][rule] - usual[at]
        gains[at].append(difference)
        # Looks of one set share its photos: the widest interval of theirs, not their mean's.
        photos[row["set"]].append((high - low) / 2 / 1.96)
        of_seed[row["set"]][row["config"]["seed"]].append(difference)
    variance = sum(
        max(photos[name]) ** 2 + _of_banks(list(drawn.values()), seeds)
        for name, drawn in of_seed.items()
    )
    means = {at: float(np.mean(values)) for at, values in gains.items()}
    return Change(preset, what, means, 1.96 * math.sqrt(variance) / len(of_seed))


def _reads_the_same_bank(row: Row) -> bool:
    """Whether its difference is to the preset's own bank of the same seed."""
    config: Row = row["config"] | {"seed": 0}
    return config == PRESETS[preset_of(row)]


def _of_banks(drawn: Sequence[Sequence[float]], seeds: float) -> float:
    """The variance that the coreset's seed leaves in a set's gain: from the gains of several
    seeds, or else the preset's own `seeds`, of the change's bank and of the mean it is held to."""
    means = [float(np.mean(gains)) for gains in drawn]
    if len(means) > 1:
        return float(np.var(means, ddof=1)) / len(means)
    return seeds * 4 / 3


def _usual(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """The preset's AUROC by set and look, the mean over seeds."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if is_default(row):
            found[row["set"], look_of(row)].append(row["auroc"][DEFAULT_RULE])
    return {at: float(np.mean(values)) for at, values in found.items()}


def seed_variance(rows: Sequence[Row]) -> float:
    """Of a preset's AUROC of one set between seeds of the coreset, pooled over sets; looks of one
    set are averaged first. 0 where there are no seeds to compare."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if is_default(row) and "difference" in row:
            found[row["set"]][row["config"]["seed"]].append(row["auroc"][DEFAULT_RULE])
    squares, degrees = 0.0, 0
    for seeds in found.values():
        means = [float(np.mean(values)) for values in seeds.values()]
        squares += float(np.var(means)) * len(means)
        degrees += len(means) - 1
    return squares / degrees if degrees else 0.0


def conclusion(rows: Sequence[Row]) -> list[str]:
    """The page's end: every change of each preset, and what the rule says of it."""
    sets = {row["set"] for row in rows if "difference" in row}
    lines = [
        "## What may change",
        "",
        f"A default may change if no set loses more than {MOST_LOST:g} by any look, and the mean",
        "over the sets gains more than noise: half of a 95 % interval from the photos (paired,",
        "DeLong) and from the seed of the coreset. A set's gain is the mean of its looks'; changes",
        "that were measured with several seeds count by their mean.",
        "",
    ]
    for preset in PRESETS:
        lines += _of_preset(preset, rows, sets)
    return lines


def _of_preset(preset: str, rows: Sequence[Row], sets: set[str]) -> list[str]:
    least = min(_LEAST_SETS, len(sets))
    found = [change for change in changes(rows, preset) if len(change.by_set) >= least]
    if not found:
        return []
    names = sorted(sets)
    deviation = seed_variance([row for row in rows if preset_of(row) == preset]) ** 0.5
    columns = ("change", *names, "mean gain", "noise ±", "worst", "where", "allowed")
    allowed = "; ".join(change.what for change in found if change.allowed(sets))
    verdict = (
        f"Allowed for `{preset}`: {allowed}. {len(found)} changes were tried at once: the best of "
        "them looks better than it is."
        if allowed
        else f"No change of `{preset}` is allowed by this rule."
    )
    return [
        f"Changes of `{preset}`. Between seeds of the coreset alone a set's AUROC has a standard "
        f"deviation of {deviation:.4f}.",
        "",
        *table(columns, [_line(change, names) for change in found]),
        "",
        verdict,
        "",
    ]


def _line(change: Change, names: Sequence[str]) -> list[str]:
    by_set = change.by_set
    return [
        change.what,
        *(f"{by_set[name]:+.4f}" if name in by_set else "–" for name in names),
        f"{change.mean:+.4f}", f"{change.noise:.4f}",
        f"{change.worst[0]:+.4f}", change.worst[1],
        "yes" if change.allowed(set(names)) else "no",
    ]  # fmt: skip
