"""The sweep: scores as the product's, distances by what is usual, rows, and what may change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.features.sample import Sample, Samples
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.method import Lesson, Scorer
from app.core.methods.scoring import Scoring
from app.core.photo.dataset import Category
from app.core.photo.labels import LabelledImage
from app.core.photo.look import WHOLE, Look, LookRecord
from bench.sweep_changes import by_seeds, changes, conclusion, pooled_variance
from bench.sweep_configs import DEFAULT, EMBEDDED, HELD_OUT, Row, configs
from bench.sweep_page import key, markdown, summary
from bench.sweep_scores import (
    HALF,
    LESS_MEAN,
    OVER_MEAN,
    PLAIN,
    SHARES,
    STANDARDISED,
    ByRule,
    Scores,
    Spread,
    image_scores,
    measure,
    scaled,
    together,
    ways_by,
)
from bench.sweep_store import Store, figures

SIDE = 12
BOX = Look(LookRecord(kind="box", box=(0.25, 0.25, 0.75, 0.75), zoom=False))


def photos(count: int, seed: int, damaged: int = 0) -> list[Sample]:
    """Random cells; the last photos have a corner of the middle that is like no other."""
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(count, SIDE, SIDE, 5)).astype(np.float32)
    made[count - damaged :, 5:7, 5:7] += 6
    return [Sample(cells, 0, 0, (SIDE, SIDE)) for cells in made]


class Listed(list[Sample], Samples):
    """Samples in memory."""


TRAIN, TEST = Listed(photos(8, 0)), Listed(photos(10, 1, damaged=5))
WEIGHTED = Look(
    LookRecord(kind="learned"),
    np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE) - 0.0,
)
LOOKS = {"whole": WHOLE, "learned": WEIGHTED, "box": BOX}
RULE = KnnSettings(max_vectors=200)


@pytest.fixture(scope="module")
def scores() -> Scores:
    return measure(TRAIN, TEST, LOOKS, RULE, held_out=True)


@pytest.fixture(scope="module")
def of_whole(scores: Scores) -> Scores:
    """Less to make figures of."""

    def part(found: dict[tuple[str, str], ByRule]) -> dict[tuple[str, str], ByRule]:
        return {at: by_rule for at, by_rule in found.items() if at[0] == "whole"}

    return Scores(part(scores.test), part(scores.held_out))


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("share", SHARES)
def test_scores_are_the_products(scores: Scores, look: str, share: float) -> None:
    scoring = Scoring(top_share=share)
    lesson = Lesson(TRAIN, [str(i) for i in range(len(TRAIN))], scoring)
    scorer = Scorer(Knn.fit(RULE, lesson), scoring)
    expected = [scorer.score(sample.seen_by(LOOKS[look])) for sample in TEST]
    found = scores.test[look, PLAIN][f"top {100 * share:g}%"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_held_out_photos_are_as_far_as_others(scores: Scores) -> None:
    held, good = (
        scores.held_out["whole", PLAIN]["top 1%"],
        scores.test["whole", PLAIN]["top 1%"][:5],
    )
    assert len(held) == len(TRAIN)
    # A bank that held them would give about 0.
    assert held.min() > 0.5 * good.mean()


def test_only_what_was_asked_for_is_held_out() -> None:
    found = measure(TRAIN, TEST, {"whole": WHOLE}, RULE, held_out=False)
    assert list(found.test) == [("whole", PLAIN)]
    assert not found.held_out


def test_every_distance_finds_what_is_like_no_good_patch(scores: Scores) -> None:
    for distance in (PLAIN, OVER_MEAN, LESS_MEAN, STANDARDISED, HALF):
        found = scores.test["box", distance]["top 1%"]
        assert found[5:].min() > found[:5].max()


def test_a_share_of_the_photo_is_more_patches_than_one_of_the_look() -> None:
    cells = np.arange(400, dtype=np.float32).reshape(20, 20, 1)
    weights = np.zeros((20, 20), np.float32)
    weights[10:] = 1  # 200 of 400
    found = image_scores(Sample(cells, 0, 0, (20, 20), weights=weights))
    assert found["max"] == 399
    assert found["1% of looked"] == pytest.approx(np.mean([399, 398]))
    assert found["top 1%"] == found["1% of photo"] == pytest.approx(np.mean([399, 398, 397, 396]))
    # The product takes at most 5 % of those looked at: 10 patches, where 3 % of the photo are 12.
    assert found["top 3%"] == pytest.approx(np.arange(390, 400).mean())
    assert found["3% of photo"] == pytest.approx(np.arange(388, 400).mean())


def test_a_vector_without_patches_has_the_banks_mean_and_spread() -> None:
    spread = Spread.of(np.array([0, 0, 0]), np.array([1.0, 2.0, 3.0], np.float32), size=2)
    assert spread.mean[1] == pytest.approx(2)
    assert spread.std[1] == pytest.approx(np.std([1, 2, 3]))


def test_many_patches_outweigh_the_prior() -> None:
    nearest = np.repeat([0, 1], [4000, 4000])
    distances = np.concatenate([np.tile([1.0, 3.0], 2000), np.tile([9.0, 9.5], 2000)])
    spread = Spread.of(nearest, distances.astype(np.float32), size=2)
    assert spread.mean == pytest.approx([2, 9.25], abs=0.05)
    assert spread.std == pytest.approx([1, 0.25], abs=0.15)
    # 4 is usual at the second vector's and far at the first's.
    far = spread.standardised(np.array([4.0, 9.25], np.float32), np.array([0, 1]))
    assert far[0] > far[1]
    # Usual is half of what is so at the vector, half of what is so in the bank: (2 + 5.6) / 2.
    usual = np.array([(spread.mean[0] + spread.overall[0]) / 2], np.float32)
    assert spread.half_standardised(usual, np.array([0])) == pytest.approx([spread.overall[0]])
    less = spread.less_mean(np.array([4.0, 9.25], np.float32), np.array([0, 1]))
    assert less[0] - less[1] == pytest.approx(2, abs=0.1)


@given(
    st.lists(st.floats(0, 100, width=32), min_size=2, max_size=30),
    st.floats(0, 100, width=32),
    st.floats(0, 100, width=32),
)
def test_no_distance_turns_the_order_at_one_vector(
    held: list[float], one: float, other: float
) -> None:
    spread = Spread.of(np.zeros(len(held), np.int64), np.array(held, np.float32), size=1)
    given_ = np.array(sorted([one, other]), np.float32)
    for way in ways_by(spread).values():
        low, high = way(given_, np.zeros(2, np.int64))
        assert low <= high


def test_dimensions_are_scaled_to_one_spread() -> None:
    factors = np.array([1, 2, 4, 8, 16], dtype=np.float32)
    wide = Listed(replace(sample, cells=sample.cells * factors) for sample in photos(40, 3))
    even = np.concatenate([sample.patches for sample in scaled(wide, wide, "std")])
    np.testing.assert_allclose(even.std(axis=0), 1, rtol=0.05)
    assert scaled(wide, wide, "none") is wide


def test_a_pair_weighs_both_backbones_alike() -> None:
    held = {"max": np.array([0.0, 2.0])}, {"max": np.array([0.0, 200.0])}
    found = together({"max": np.array([3.0])}, {"max": np.array([300.0])}, held)
    assert found["max"] == pytest.approx([2.0])


def test_figures_hold_the_paired_difference() -> None:
    labels = np.array([False] * 20 + [True] * 20)
    rng = np.random.default_rng(0)
    usual = rng.normal(size=40) + labels
    same = figures({"top 1%": usual}, labels, usual)
    assert same["difference"]["top 1%"] == [0, 0, 0]
    better = figures({"top 1%": usual + 2 * labels}, labels, usual)
    middle, low, high = better["difference"]["top 1%"]
    assert low < middle < high
    assert middle == pytest.approx(better["auroc"]["top 1%"] - same["auroc"]["top 1%"], abs=2e-4)
    assert "difference" not in figures({"top 1%": usual}, labels, None)


CATEGORY = Category(
    name="can",
    train=tuple(Path(f"{i}.png") for i in range(8)),
    test=tuple(LabelledImage(Path(f"{i}.png"), "good" if i < 5 else "dent") for i in range(10)),
    ignored=0,
)


def test_rows_come_back_from_scores(tmp_path: Path, of_whole: Scores) -> None:
    store = Store(tmp_path / "out", tmp_path / "scores")
    assert not store.holds("can", DEFAULT)
    store.put(CATEGORY, DEFAULT, of_whole)
    store.put(CATEGORY, EMBEDDED, of_whole)
    store.put_pair(CATEGORY, DEFAULT, EMBEDDED)
    assert store.holds("can", DEFAULT)
    (tmp_path / "out" / "sweep.json").unlink()
    again = Store(tmp_path / "out", tmp_path / "scores")
    for config in (DEFAULT, EMBEDDED):
        again.restore(CATEGORY, config)
    again.put_pair(CATEGORY, DEFAULT, EMBEDDED)
    assert again.rows == store.rows
    assert json.loads((tmp_path / "out" / "sweep.json").read_text()) == store.rows
    pairs = [row for row in store.rows if "with" in row]
    assert {row["look"] for row in pairs} == {"whole"}


def test_a_row_takes_the_place_of_an_older_one(tmp_path: Path, of_whole: Scores) -> None:
    old = {"set": "can", "config": DEFAULT.record(), "auroc": {}, "ci95": {}}
    other = old | {"config": EMBEDDED.record(), "auroc": {"top 1%": 0.5}}
    other["ci95"] = {"top 1%": [0.4, 0.6]}
    (tmp_path / "sweep.json").write_text(json.dumps([old, other]))
    store = Store(tmp_path, tmp_path / "scores")
    assert not store.holds("can", DEFAULT)  # its scores are not there
    store.put(CATEGORY, DEFAULT, of_whole)
    assert len([row for row in store.rows if key(row) == key(old)]) == 1
    assert other in store.rows


def test_the_grid_asks_nothing_twice() -> None:
    names = [config.name for config in configs()]
    assert len(names) == len(set(names))
    assert names[0] == DEFAULT.name
    assert all(config.spec().backbone == config.backbone for config in HELD_OUT)


def row(name: str, auroc: float, difference: float, **changes: Any) -> Row:
    """One of the default's rows, or of a change of it."""
    config = DEFAULT.record() | changes.pop("config", {})
    rules = {"max": auroc - 0.01, "top 1%": auroc}
    return {
        "set": name,
        "look": "whole",
        "distance": "plain",
        "config": config,
        "auroc": rules,
        "ci95": {rule: [auroc - 0.02, auroc + 0.02] for rule in rules},
        "difference": {
            "max": [-0.01, -0.02, 0.0],
            "top 1%": [difference, difference - 0.001, difference + 0.001],
        },
    } | changes


def test_a_change_is_allowed_that_gains_and_loses_nowhere() -> None:
    rows = [row(name, 0.8, 0) for name in "abc"]
    rows += [row(name, 0.82, 0.02, distance="standardised") for name in "abc"]
    page = "\n".join(conclusion(rows))
    assert "Allowed for `patch`: distance standardised." in page
    assert "rule max | -0.0100" in page


@pytest.mark.parametrize(
    ("gains", "why"),
    [
        ({"a": 0.02, "b": 0.02, "c": -0.003}, "a set loses"),
        ({"a": 0.0003, "b": 0.0002, "c": 0.0}, "within noise"),
        ({"a": 0.02, "b": 0.02}, "a set was not measured"),
    ],
)
def test_no_other_change_is_allowed(gains: dict[str, float], why: str) -> None:
    rows = [row(name, 0.8, 0) for name in "abc"]
    rows += [row(s, 0.8 + gain, gain, distance="standardised") for s, gain in gains.items()]
    found = [c for c in changes(rows, "patch") if c.what == "distance standardised"]
    assert [change.allowed({"a", "b", "c"}) for change in found] == [False], why


def test_another_bank_is_compared_with_the_mean_over_seeds() -> None:
    rows = [row("a", 0.80, 0), row("a", 0.84, 0, config={"seed": 1})]
    rows.append(row("a", 0.83, 0.03, config={"vectors": 8000}))
    (found,) = (c for c in changes(rows, "patch") if c.what == "vectors 8000")
    assert found.gains == {("a", "whole"): pytest.approx(0.01)}
    variance = pooled_variance(by_seeds(rows).values())
    assert variance is not None
    assert variance == pytest.approx(np.var([0.80, 0.84], ddof=1))
    # Chance in two banks, and a little in the photos.
    assert found.noise == pytest.approx(1.96 * (2 * variance) ** 0.5, rel=0.01)


def test_a_change_that_reads_the_same_bank_has_the_noise_of_its_gains() -> None:
    rows = [row("a", 0.80, 0), row("a", 0.84, 0, config={"seed": 1})]
    rows.append(row("a", 0.81, 0.010, distance="standardised"))
    rows.append(row("a", 0.86, 0.012, distance="standardised", config={"seed": 1}))
    (found,) = (c for c in changes(rows, "patch") if c.what == "distance standardised")
    assert found.mean == pytest.approx(0.011)
    photos = 0.001 / 1.96
    seeds = np.var([0.010, 0.012], ddof=1) / 2
    assert found.noise == pytest.approx(1.96 * (photos**2 + seeds) ** 0.5)


def test_on_whole_photos_a_share_of_the_look_is_one_of_the_photo() -> None:
    rules = {"top 1%": [0.0, 0.0, 0.0], "top 2%": [0.01, 0.0, 0.02]}
    whole = row("a", 0.8, 0) | {"auroc": dict.fromkeys(rules, 0.8), "difference": rules}
    part = {**rules, "2% of looked": [0.03, 0.02, 0.04]}
    box = row("a", 0.8, 0, look="box") | {"auroc": dict.fromkeys(part, 0.8), "difference": part}
    found = {change.what: change.gains for change in changes([whole, box], "patch")}
    assert found["rule 2% of looked"] == {("a", "whole"): 0.01, ("a", "box"): 0.03}
    assert "rule 1% of looked" not in found  # no change at all


def test_rows_of_an_earlier_release_are_on_the_page() -> None:
    old = {"set": "jar", "config": DEFAULT.record()}
    old |= {"auroc": {"max": 0.91, "top 8%": 0.9, "top 1%": 0.9234}}
    old["ci95"] = {"top 1%": [0.9, 0.95]}
    page = markdown([old, row("a", 0.8, 0), row("a", 0.7, -0.1, look="box")])
    assert "## jar" in page
    assert "| whole | resnet18 | layer2 + layer3 | 256 | 4,000 | none | 1 | plain | 0 " in page
    assert "0.9234" in page
    assert "0.9234" not in "\n".join(summary([old, row("a", 0.8, 0)]))
    assert page.index("## a") < page.index("## jar") < page.index("## What may change")
