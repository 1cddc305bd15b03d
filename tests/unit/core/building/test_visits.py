"""Visits on synthetic photos: bursts, single photos, films, SKUs with and without visits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.arrays import Doubles, Floats
from app.core.building.groups import Grouping, group
from app.core.features.sample import Sample
from app.core.judging.calibration import Alpha
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.method import leave_one_out

WIDTH = 16
PER_VISIT, VISITS, SKUS = 5, 4, 8
Taken = tuple[list[int], list[int]]  # SKU and visit of each photo


def photos_of(taken: Taken, seed: int, *, between: float = 1.5) -> Doubles:
    """(n, WIDTH): a SKU's look, the visit's light and place, and each photo's own."""
    draw = np.random.default_rng(seed)
    skus, visits = taken
    looks = draw.normal(0, 1.5, (max(skus) + 1, WIDTH))
    places = draw.normal(0, between, (max(visits) + 1, WIDTH))
    return np.asarray(looks[skus] + places[visits] + draw.normal(0, 0.5, (len(skus), WIDTH)))


def in_visits(skus: int = SKUS) -> Taken:
    photos = range(skus * VISITS * PER_VISIT)
    return [i // (VISITS * PER_VISIT) for i in photos], [i // PER_VISIT for i in photos]


def one_by_one(skus: int, each: int) -> Taken:
    photos = list(range(skus * each))
    return [i // each for i in photos], photos


def samples(vectors: Doubles) -> list[Sample]:
    cells = vectors.astype(np.float32).reshape(len(vectors), 1, 1, -1)
    return [Sample(cell, 0, 0, (1, 1)) for cell in cells]


def running(photos: int, folder: str = "good") -> list[Path]:
    return [Path(f"{folder}/IMG_{i:04}.jpg") for i in range(photos)]


def by_sku(taken: Taken, seed: int | None = None) -> list[Path]:
    """SKU and number within it; with a seed, numbers are shuffled."""
    found = []
    for sku in range(max(taken[0]) + 1):
        of_sku = taken[0].count(sku)
        numbers = np.arange(1, of_sku + 1)
        if seed is not None:
            numbers = np.random.default_rng(seed + sku).permutation(numbers)
        found += [Path(f"good/{sku:03}{number:03}.jpg") for number in numbers]
    return found


def parts(names: Sequence[object]) -> set[frozenset[int]]:
    return {frozenset(i for i, n in enumerate(names) if n == name) for name in set(names)}


def none_is_cut(visits: Sequence[object], found: Grouping, least: float = 0.75) -> bool:
    """Whether no visit is in two groups, and so large a share of them is told apart."""
    wholes = parts(found.names)
    together = all(any(visit <= whole for whole in wholes) for visit in parts(visits))
    return together and found.count >= least * len(set(visits))


def grouped(vectors: Doubles, paths: list[Path]) -> Grouping:
    return group(paths, "auto", samples(vectors))


def test_bursts_that_names_number_are_visits() -> None:
    taken = ([0] * 60, [i // 5 for i in range(60)])
    found = grouped(photos_of(taken, 0), running(60))
    assert (found.by, parts(found.names)) == ("visit", parts(taken[1]))
    assert found.sentence == ("12 groups of 60 photos by visit: told by the numbers in their names")
    assert found.promised_for == "new photos of the goods seen here, of visits to come"


def test_bursts_within_skus_are_visits() -> None:
    taken = in_visits()
    found = grouped(photos_of(taken, 1), by_sku(taken))
    assert found.by == "visit"
    assert none_is_cut(taken[1], found)
    assert "told by the numbers in their names, of 8 SKUs" in found.sentence
    assert found.promised_for == "new photos of the SKUs seen here, of visits to come"


def test_visits_whose_numbers_are_shuffled_are_found_by_likeness_alone() -> None:
    taken = in_visits()
    found = grouped(photos_of(taken, 2), by_sku(taken, seed=3))
    assert found.by == "visit"
    assert "their likeness alone" in found.sentence
    assert none_is_cut(taken[1], found, least=0.4)


def test_visits_are_found_where_names_say_nothing_at_all() -> None:
    skus, visits = in_visits()
    names = np.random.default_rng(14).permutation(len(skus))
    paths = [Path(f"good/{name * 7919 % 100003:x}.jpg") for name in names]
    found = grouped(photos_of((skus, visits), 14), paths)
    assert found.by == "visit"
    assert "their likeness alone" in found.sentence
    assert none_is_cut(visits, found, least=0.4)


def test_where_no_visit_is_proven_the_sku_stays() -> None:
    taken = one_by_one(SKUS, 15)
    found = grouped(photos_of(taken, 4), by_sku(taken))
    assert (found.by, found.count) == ("sku", SKUS)
    assert "no visits were proven" in found.sentence
    assert found.promised_for.startswith("new photos of SKUs never seen")


def test_single_photos_of_no_sku_stand_alone() -> None:
    found = grouped(photos_of(([0] * 60, list(range(60))), 5), running(60))
    assert (found.by, found.count) == ("none", 60)
    assert "taken one by one" in found.promised_for


def test_frames_of_a_film_on_which_items_pass_are_visits() -> None:
    taken = ([0] * 90, [i // 6 for i in range(90)])
    paths = [Path(f"good/{30 * i:06}.png") for i in range(90)]
    found = grouped(photos_of(taken, 6), paths)
    assert found.by == "visit"
    assert none_is_cut(taken[1], found)


def test_a_film_of_one_thing_is_one_recording() -> None:
    steps = np.random.default_rng(7).normal(0, 1, (80, WIDTH))
    found = grouped(steps.cumsum(axis=0), [Path(f"good/{i:06}.png") for i in range(80)])
    assert (found.by, found.count) == ("none", 80)
    assert "one recording" in found.sentence


def test_a_visit_that_is_most_of_the_photos_is_not_left_out() -> None:
    taken = ([0] * 60, [0] * 40 + [1 + i // 4 for i in range(20)])
    found = grouped(photos_of(taken, 13), running(60))
    assert (found.by, found.count) == ("none", 60)
    assert "one recording" in found.sentence


def test_films_of_one_thing_each_are_visits() -> None:
    steps = np.random.default_rng(8).normal(0, 1, (4, 30, WIDTH)).cumsum(axis=1)
    paths = [path for day in "abcd" for path in running(30, f"good/{day}")]
    found = grouped(steps.reshape(120, WIDTH), paths)
    assert (found.by, parts(found.names)) == ("visit", parts([i // 30 for i in range(120)]))


def test_a_blurred_photo_ends_no_visit() -> None:
    taken = ([0] * 60, [i // 6 for i in range(60)])
    vectors = photos_of(taken, 9)
    vectors[[2, 21, 45]] += 9.0
    found = grouped(vectors, running(60))
    together = parts(found.names)
    for visit in parts(taken[1]):
        assert any(visit - {2, 21, 45} <= whole for whole in together)


def test_every_visit_of_a_sku_that_drifts_from_one_to_the_next_is_no_visit() -> None:
    """Photos of each SKU go on evenly: any cut would leave alike photos on both sides."""
    steps = np.random.default_rng(10).normal(0, 1, (6, 20, WIDTH)).cumsum(axis=1)
    taken = one_by_one(6, 20)
    found = grouped(steps.reshape(120, WIDTH), by_sku(taken))
    assert (found.by, found.count) == ("sku", 6)


@pytest.mark.parametrize("seed", range(3))
def test_the_promise_holds_for_visits_to_come(seed: int) -> None:
    """New visits to known SKUs: with photos left out one by one there are far more alarms than
    promised, with SKUs hardly any."""
    skus, visits = in_visits()
    paths = by_sku((skus, visits), seed=seed)
    everything = photos_of((skus * 6, [v + 32 * i for i in range(6) for v in visits]), seed)
    known, to_come = np.split(everything.astype(np.float32), [len(skus)])
    bank = MemoryBank(known)
    good = bank.search(to_come, 1)[0][:, 0]

    def rate(names: Sequence[str]) -> float:
        scores: Floats = leave_one_out(bank, names, 1)
        return float((good > Alpha(alpha=0.1).value(scores)).mean())

    found = grouped(known.astype(np.float64), paths)
    assert found.by == "visit"
    assert rate(found.names) <= 0.15
    assert rate([str(i) for i in range(len(known))]) > 0.5
    assert rate([path.stem[:3] for path in paths]) < 0.03


TAKEN = in_visits(3)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_order_in_which_photos_are_given_does_not_matter(draw: object, seed: int) -> None:
    vectors, paths = photos_of(TAKEN, seed), by_sku(TAKEN, seed if seed % 2 else None)
    places = list(range(len(paths)))
    draw.shuffle(places)  # type: ignore[attr-defined]
    found = grouped(vectors, paths)
    again = grouped(vectors[places], [paths[i] for i in places])
    assert again.by == found.by
    assert parts([found.names[i] for i in places]) == parts(again.names)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from("abcdefghij"), min_size=3, max_size=3, unique=True))
def test_renamed_folders_change_no_visit(folders: list[str]) -> None:
    taken = ([0] * 60, [i // 5 for i in range(60)])
    vectors = photos_of(taken, 11)

    def of(names: Sequence[str]) -> set[frozenset[int]]:
        return parts(grouped(vectors, [p for n in names for p in running(20, n)]).names)

    assert of(folders) == of(["x", "y", "z"])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=60, max_size=60),
    st.sampled_from(["", "IMG_", "a 1 b", "2026-11-01 "]),
    st.sampled_from([".jpg", "_x.png"]),
)
def test_other_numbers_in_the_same_order_keep_the_visits(
    gaps: list[int], before: str, after: str
) -> None:
    taken = ([0] * 60, [i // 5 for i in range(60)])
    paths = [Path(f"{before}{number}{after}") for number in np.cumsum(gaps)]
    assert parts(grouped(photos_of(taken, 12), paths).names) == parts(taken[1])
