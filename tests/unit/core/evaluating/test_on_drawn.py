"""Figures on drawn damage."""

from __future__ import annotations

import pytest

from app.core.evaluating.comparison import Comparison, compare, overall
from app.core.evaluating.metrics import auroc_interval
from app.core.evaluating.on_drawn import CANNOT_SAY, on_drawn
from app.core.evaluating.outcome import Outcome, by_label, difference
from app.core.evaluating.photos import photos_difference
from tests.unit.core.evaluating.outcomes import DRAWN, drawn_split, outcome, split

GOOD = (0.1, 0.2, 0.3, 0.6)
RIGHT = {False: GOOD, True: (0.15, 0.5, 0.25, 0.6, 0.35, 0.7, 0.65, 0.9)}
WRONG = {False: GOOD, True: (0.12, 0.1, 0.2, 0.3, 0.1, 0.3, 0.6, 0.55)}


def tried(name: str, scores: dict[bool, tuple[float, ...]], category: str = "can") -> Outcome:
    return outcome(name, drawn_split(category), scores)


def compared(category: str = "can") -> Comparison:
    outcomes = [tried("a", WRONG, category), tried("b", RIGHT, category)]
    return compare(drawn_split(category), outcomes, DRAWN)


def stored(category: str) -> Comparison:
    photos = split(4, 2, category)
    scores = {False: GOOD, True: (0.8, 0.9)}
    return compare(photos, [outcome(name, photos, scores) for name in "ab"])


def test_the_interval_of_an_auroc_takes_a_photos_copies_for_one() -> None:
    found = tried("a", RIGHT)
    assert found.evaluation
    told = on_drawn(found.evaluation, found.scored, DRAWN)
    labelled = by_label(found.scored)
    assert told.auroc == found.evaluation.auroc
    assert told.auroc_ci95 == auroc_interval(*labelled, each=2)
    assert told.auroc_ci95 != auroc_interval(*labelled)
    assert told.remarks[0] == DRAWN.sentence


def test_a_difference_pairs_photos_with_their_copies() -> None:
    mine, other = tried("a", WRONG), tried("b", RIGHT)
    wanted = photos_difference(by_label(other.scored), by_label(mine.scored), 2)
    assert difference(other, mine, 2) == wanted
    assert compared().rows[1].difference == wanted
    assert difference(other, mine) != wanted


def test_the_finding_and_the_figures_say_that_damage_is_drawn() -> None:
    found = compared()
    assert found.finding.best == "b"
    assert "damage drawn on good photos of can" in found.finding.sentence
    assert found.finding.sentence.endswith(CANNOT_SAY)
    assert found.remarks == (DRAWN.sentence,)
    assert (found.n_good, found.n_defective) == (4, 8)
    assert Comparison.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("goods", "words"),
    [("found", "drawn on the goods of 4"), ("everywhere", "drawn anywhere in the frame of 4")],
)
def test_the_sentence_says_where_damage_is(goods: str, words: str) -> None:
    sentence = DRAWN.model_copy(update={"goods": goods}).sentence
    assert words in sentence
    assert "not how real damage is found" in sentence


def test_drawn_and_stored_defects_are_never_in_one_mean() -> None:
    """Each has its own."""
    real = stored("box")
    assert overall([real, compared()]) == f"{real.finding.sentence} {compared().finding.sentence}"
    both = overall([real, stored("jar"), compared(), compared("bag")])
    assert "mean AUROC over 2 categories, 1.000" in both
    row = compared().rows[1]
    assert row.evaluation
    mean = f"{row.evaluation.auroc:.3f}"  # the same in both
    assert f"b has the highest mean AUROC over drawn damage in 2 categories, {mean}" in both
    assert both.endswith(CANNOT_SAY)


def test_what_is_not_drawn_says_nothing_of_it() -> None:
    found = stored("box")
    assert (found.drawn, found.remarks) == (None, ())
    assert "drawn" not in found.finding.sentence
