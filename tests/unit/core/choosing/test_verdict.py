"""What is taken of a table of looks."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.choosing.trials import EACH
from app.core.choosing.trying import Scores, Tried
from app.core.choosing.verdict import table, taken
from app.core.evaluating.damage.drawn import KINDS, SIZES
from app.core.store.look_trial import LookRow

WHOLE = LookRow(look="whole", auroc=0.7, ci95=(0.6, 0.8))


def better(look: str, auroc: float, low: float) -> LookRow:
    return LookRow.model_validate(
        {
            "look": look,
            "auroc": auroc,
            "ci95": (0.5, 1.0),
            "difference": auroc - 0.7,
            "difference_ci95": (low, 0.5),
        }
    )


def test_a_look_that_is_proven_better_is_taken() -> None:
    index, why = taken([WHOLE, better("learned", 0.8, 0.01)], surroundings=True)
    assert index == 1
    assert why.startswith("learned: ")


def test_the_best_of_those_that_are_proven_is_taken() -> None:
    rows = [WHOLE, better("learned", 0.8, 0.01), better("box", 0.85, 0.02)]
    assert taken(rows, surroundings=True)[0] == 2
    rows[2] = better("box", 0.85, -0.02)
    assert taken(rows, surroundings=True)[0] == 1


@pytest.mark.parametrize(
    ("low", "surroundings", "word"),
    [(0.0, True, "proven"), (-0.1, True, "proven"), (0.1, False, "surroundings")],
)
def test_whole_stays_otherwise(low: float, surroundings: bool, word: str) -> None:
    index, why = taken([WHOLE, better("learned", 0.9, low)], surroundings=surroundings)
    assert index == 0
    assert why.startswith("whole: ")
    assert word in why


def test_rows_are_paired_with_whole_and_told_by_kind_and_size() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(0, 1, 40)
    damaged = np.repeat(good, EACH) + rng.normal(0.3, 1, 40 * EACH)
    drawn = [(KINDS[i % len(KINDS)], list(SIZES)[i % EACH]) for i in range(len(damaged))]
    tried = Tried([Scores([*good], [*damaged]), Scores([*good], [*(damaged + 2)])], drawn)
    whole, learned = table(["whole", "learned"], tried)
    assert whole.difference is None
    assert not whole.is_better
    assert learned.difference == pytest.approx(learned.auroc - whole.auroc, abs=2e-4)
    assert learned.is_better
    assert set(learned.by) == {*KINDS, *SIZES}
    assert np.mean([learned.by[size] for size in SIZES]) == pytest.approx(learned.auroc, abs=1e-3)


def test_damages_of_one_photo_count_as_one() -> None:
    """The same scores three times over make no interval narrower."""
    rng = np.random.default_rng(0)
    good, once = rng.normal(0, 1, 30), rng.normal(1, 1, 30)
    drawn = [("blot", size) for _ in once for size in SIZES]
    tried = Tried([Scores([*good], [*np.repeat(once, EACH)])], drawn)  # type: ignore[arg-type]
    (row,) = table(["whole"], tried)
    from app.core.evaluating.metrics import auroc_interval

    assert row.ci95 == pytest.approx(auroc_interval(good, once), abs=1e-3)
