"""Which change of a preset's default the figures of `bench.sweep` allow, and what is noise."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    own = [row for row in rows if preset_of(row) == preset]
    found: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    for row in own:
        if "difference" not in row:
            continue
        for what, rule in _asked(row):
            found[what].append((row, rule))
    usual, seeds = _usual(own), pooled_variance(by_seeds(own).values()) or 0.0
    made = [_change(preset, what, of, usual, seeds) for what, of in found.items()]
    # A rule that takes the same patches as the preset's is none.
    return sorted((one for one in made if any(one.gains.values())), key=lambda one: -one.mean)


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
        if rule != DEFAULT_RULE:
            yield f"rule {rule}", rule
        if look_of(row) == "whole" and rule.startswith("top "):
            # All of the photo is looked at: each kind of share is the same.
            yield f"rule {rule.removeprefix('top ')} of looked", rule
            yield f"rule {rule.removeprefix('top ')} of photo", rule


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
    same_bank = all(_reads_the_same_bank(row) for row, _ in of)
    drawn = {name: [float(np.mean(v)) for v in found.values()] for name, found in of_seed.items()}
    by_seed = pooled_variance(drawn.values()) if same_bank else None
    # Another bank is a draw of its own, and the preset's was one.
    banks = [seeds * 2 if by_seed is None else by_seed / len(means) for means in drawn.values()]
    variance = sum(max(of_set) ** 2 for of_set in photos.values()) + sum(banks)
    means = {at: float(np.mean(values)) for at, values in gains.items()}
    return Change(preset, what, means, 1.96 * math.sqrt(variance) / len(of_seed))


def _reads_the_same_bank(row: Row) -> bool:
    """Whether its difference is to the preset's own bank of the same seed."""
    config: Row = row["config"] | {"seed": 0}
    return config == PRESETS[preset_of(row)]


def _usual(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """The preset's AUROC by set and look, the mean over seeds."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if is_default(row):
            found[row["set"], look_of(row)].append(row["auroc"][DEFAULT_RULE])
    return {at: float(np.mean(values)) for at, values in found.items()}


def by_seeds(rows: Sequence[Row]) -> dict[str, list[float]]:
    """A preset's AUROC by set, one for each seed of the coreset, where there are several. Looks
    are averaged first."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if is_default(row):
            found[row["set"]][row["config"]["seed"]].append(row["auroc"][DEFAULT_RULE])
    return {
        name: [float(np.mean(values)) for values in seeds.values()]
        for name, seeds in sorted(found.items())
        if len(seeds) > 1
    }


def pooled_variance(groups: Iterable[Sequence[float]]) -> float | None:
    """The variance within groups; None where no group has two values."""
    several = [group for group in groups if len(group) > 1]
    if not several:
        return None
    squares = sum(float(np.var(group)) * len(group) for group in several)
    return squares / sum(len(group) - 1 for group in several)


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
    columns = ("change", *names, "mean gain", "noise ±", "worst", "where", "allowed")
    allowed = "; ".join(change.what for change in found if change.allowed(sets))
    verdict = (
        f"Allowed for `{preset}`: {allowed}. {len(found)} changes were tried at once: the best of "
        "them looks better than it is."
        if allowed
        else f"No change of `{preset}` is allowed by this rule."
    )
    return [
        f"Changes of `{preset}`. {_chance(rows, preset)}",
        "",
        *table(columns, [_line(change, names) for change in found]),
        "",
        verdict,
        "",
    ]


def _chance(rows: Sequence[Row], preset: str) -> str:
    drawn = by_seeds([row for row in rows if preset_of(row) == preset])
    variance = pooled_variance(drawn.values())
    if variance is None:
        return "No second seed of the coreset was measured: the noise is the photos' alone."
    return (
        "Between seeds of the coreset alone a set's AUROC has a standard deviation of "
        f"{variance**0.5:.4f} (measured on {', '.join(drawn)})."
    )


def _line(change: Change, names: Sequence[str]) -> list[str]:
    by_set = change.by_set
    return [
        change.what,
        *(f"{by_set[name]:+.4f}" if name in by_set else "–" for name in names),
        f"{change.mean:+.4f}", f"{change.noise:.4f}",
        f"{change.worst[0]:+.4f}", change.worst[1],
        "yes" if change.allowed(set(names)) else "no",
    ]  # fmt: skip
