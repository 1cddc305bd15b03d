from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import spearmanr

from app.core.building.build import build_bank
from app.core.detector import Detector
from app.core.errors import ArtifactError, BankError, NonFiniteScore
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.knn.bank import InvertedLists, MemoryBank
from app.core.methods.knn.search import (
    FEWEST_PHOTOS,
    LEAST_RANK_CORRELATION,
    SMALLEST_LISTED,
    PatchSearch,
    SearchPlan,
    plan_search,
)
from app.core.methods.registry import MethodRecord
from app.core.methods.scoring import Scoring
from app.core.photo.dataset import read_category
from app.core.store import artifact as artifacts
from app.core.threads import limited_to
from tests.support import bank_of, encode, make_artifact, write_photos
from tests.unit.core.features.test_patches import extractor, method, spotted

Floats = npt.NDArray[np.float32]

FEW_HIGHEST = Scoring(top_share=0.02)


def clustered(seed: int, n: int, d: int, *, around: int = 12, spread: float = 0.4) -> Floats:
    """Vectors in clusters of several widths, as a network's patches lie."""
    drawn = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(scale=2, size=(around, d))
    widths = np.random.default_rng(8).uniform(0.2, 1.5, size=(around, 1)) * spread
    which = drawn.integers(0, around, n)
    vectors = centres[which] + widths[which] * drawn.normal(size=(n, d))
    return vectors.astype(np.float32)


def photos(number: int, d: int, *, patches: int = 200, first: int = 100) -> list[Floats]:
    """Good photos, some of them with a few patches that lie apart."""
    made = []
    for index in range(number):
        photo = clustered(first + index, patches, d)
        photo[: 1 + index % 9] += np.float32(0.15 * (index % 7))
        made.append(photo)
    return made


def exact_scores(bank: MemoryBank, patches: Floats) -> Floats:
    distances: Floats = bank.search(patches, 1)[0][:, 0]
    return distances


def search_by_lists(bank: MemoryBank, lists: InvertedLists, thorough: int) -> PatchSearch:
    plan = SearchPlan(kind="lists", lists=len(lists), probes=1, thorough_probes=thorough)
    return PatchSearch(bank, 1, plan, lists)


def patch_scores(search: PatchSearch, photo: Floats, scoring: Scoring = FEW_HIGHEST) -> Floats:
    """As many of the highest are thorough as the scoring counts."""
    return search.patch_scores(photo, scoring.counted(len(photo)))


def image_scores(search: PatchSearch, sample: list[Floats]) -> tuple[Floats, Floats]:
    """The photos' scores as the search finds them, and by the exact one."""
    found = [FEW_HIGHEST.image_score(patch_scores(search, photo)) for photo in sample]
    exact = [FEW_HIGHEST.image_score(search.exact(photo)) for photo in sample]
    return np.array(found), np.array(exact)


banks = st.builds(
    lambda seed, n, d: MemoryBank(clustered(seed, n, d)),
    st.integers(0, 9999),
    st.integers(100, 1200),
    st.integers(2, 48),
)


def slack(exact: Floats) -> Floats:
    """What two orders of adding up the same float32 squares may differ by."""
    return (1e-5 * (1 + exact)).astype(np.float32)


def rounding(bank: MemoryBank, queries: Floats) -> Floats:
    """What lists may change of the choice between two vectors, which they hold in 256 steps from
    the bank's least value to its greatest, for each query."""
    low, high = bank.vectors.min(), bank.vectors.max()
    beyond = np.linalg.norm(queries - np.clip(queries, low, high), axis=1)
    rounded = np.sqrt(bank.dimensions) * (high - low) / 255
    return np.asarray(2 * (beyond + rounded) * (1 + 1e-4), dtype=np.float32)


def test_the_bytes_of_a_query_are_those_of_the_same_vector_in_a_list() -> None:
    """FAISS finds each vector of the bank in its own list at a distance, in bytes, of nothing."""
    bank = MemoryBank(clustered(3, 2000, 37))
    lists = InvertedLists.of(bank, 64, 0)
    view = lists._view(1, parallel=False)
    codes = lists._bytes.of(bank.vectors)
    own = lists.assignments.astype(np.int64)[:, None]
    distances, _ = view.search_preassigned(codes, 1, own, None)
    assert not distances.any()
    assert np.array_equal(codes, np.floor(codes))
    assert (codes.min(), codes.max()) == (0, 255)


@pytest.mark.parametrize("away", [0.0, 30.0])
def test_one_list_has_a_vector_about_as_near_as_the_nearest_wherever_the_bank_lies(
    away: float,
) -> None:
    bank = MemoryBank(clustered(3, 3000, 64) + np.float32(away))
    lists = InvertedLists.of(bank, 64, 0)
    queries = clustered(9, 300, 64) + np.float32(away)
    found = lists.nearest(queries, lists.nearness(queries), 1)
    assert np.mean(found / exact_scores(bank, queries)) < 1.1


@given(bank=banks, number=st.integers(2, 64), probes=st.integers(1, 64), seed=st.integers(0, 99))
def test_a_distance_from_lists_is_never_too_small(
    bank: MemoryBank, number: int, probes: int, seed: int
) -> None:
    lists = InvertedLists.of(bank, number, seed)
    queries = clustered(seed + 5000, 60, bank.dimensions, spread=0.8)
    found = lists.nearest(queries, lists.nearness(queries), probes)
    exact = exact_scores(bank, queries)
    assert np.isfinite(found).all()
    assert (found >= exact - slack(exact)).all()


@given(bank=banks, number=st.integers(2, 64), probes=st.integers(1, 63), seed=st.integers(0, 99))
def test_reading_more_lists_never_makes_a_distance_larger_but_by_the_rounding_in_lists(
    bank: MemoryBank, number: int, probes: int, seed: int
) -> None:
    lists = InvertedLists.of(bank, number, seed)
    queries = clustered(seed + 6000, 60, bank.dimensions, spread=0.8)
    nearness = lists.nearness(queries)
    fewer, more = (lists.nearest(queries, nearness, p) for p in (probes, probes + 1))
    assert (more <= fewer + rounding(bank, queries)).all()


@given(bank=banks, number=st.integers(1, 64), seed=st.integers(0, 99))
def test_all_lists_give_the_exact_distances_but_for_their_rounding(
    bank: MemoryBank, number: int, seed: int
) -> None:
    lists = InvertedLists.of(bank, number, seed)
    queries = clustered(seed + 7000, 60, bank.dimensions, spread=0.8)
    found = lists.nearest(queries, lists.nearness(queries), len(lists))
    exact = exact_scores(bank, queries)
    assert (found <= exact + rounding(bank, queries)).all()
    assert (found >= exact - slack(exact)).all()


@settings(max_examples=60)
@given(
    bank=banks,
    number=st.integers(2, 64),
    thorough=st.integers(1, 64),
    share=st.floats(0, 1),
    patches=st.integers(1, 300),
    seed=st.integers(0, 99),
)
def test_a_photos_score_is_never_below_the_exact_one(
    bank: MemoryBank, number: int, thorough: int, share: float, patches: int, seed: int
) -> None:
    """So that no defect is missed for the sake of speed."""
    lists = InvertedLists.of(bank, number, seed)
    scoring = Scoring(top_share=share)
    search = search_by_lists(bank, lists, thorough)
    photo = clustered(seed + 8000, patches, bank.dimensions, spread=0.8)
    found, exact = patch_scores(search, photo, scoring), search.exact(photo)
    assert (found >= exact - slack(exact)).all()
    wanted = scoring.image_score(exact)
    assert scoring.image_score(found) >= wanted - 1e-5 * (1 + wanted)


@settings(max_examples=60)
@given(
    bank=banks,
    number=st.integers(2, 64),
    share=st.floats(0, 1),
    patches=st.integers(1, 300),
    seed=st.integers(0, 99),
)
def test_a_photos_score_is_nearly_exact_where_the_highest_patches_see_all_lists(
    bank: MemoryBank, number: int, share: float, patches: int, seed: int
) -> None:
    lists = InvertedLists.of(bank, number, seed)
    scoring = Scoring(top_share=share)
    search = search_by_lists(bank, lists, len(lists))
    photo = clustered(seed + 9000, patches, bank.dimensions, spread=0.8)
    found, wanted = patch_scores(search, photo, scoring), search.exact(photo)
    score = scoring.image_score(found)
    assert score <= scoring.image_score(wanted) + rounding(bank, photo).max()


def test_the_patches_given_are_left_as_they_were() -> None:
    bank = MemoryBank(clustered(1, 2000, 16))
    photo = clustered(2, 200, 16)
    before = photo.copy()
    patch_scores(search_by_lists(bank, InvertedLists.of(bank, 64, 0), 16), photo)
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_photo_of_equal_patches_has_equal_scores(value: float) -> None:
    """Which of them are the highest is then open; the search must come to an end all the same."""
    bank = MemoryBank(clustered(1, 2000, 16))
    search = search_by_lists(bank, InvertedLists.of(bank, 64, 0), 64)
    photo = np.full((1024, 16), value, dtype=np.float32)
    highest = np.sort(search.patch_scores(photo, 102))[-102:]
    np.testing.assert_allclose(highest, exact_scores(bank, photo)[:102], rtol=1e-5)


def test_the_plan_keeps_the_order_of_the_exact_scores() -> None:
    bank, sample = MemoryBank(clustered(1, 4000, 64)), photos(32, 64)
    search = plan_search(bank, FEW_HIGHEST, iter(sample), seed=3)
    assert (search.plan.kind, search.plan.images) == ("lists", 32)
    assert search.lists is not None
    assert search.plan.lists == len(search.lists)
    found, exact = image_scores(search, sample)
    correlation = spearmanr(found, exact).statistic
    assert correlation >= LEAST_RANK_CORRELATION
    assert search.plan.rank_correlation == pytest.approx(correlation, abs=1e-6)
    assert search.plan.largest_deviation == pytest.approx(
        np.max(np.abs(found - exact) / exact), abs=1e-6
    )


def test_the_order_holds_on_photos_that_the_plan_was_not_measured_on() -> None:
    search = plan_search(MemoryBank(clustered(1, 4000, 64)), FEW_HIGHEST, photos(32, 64), seed=3)
    others = photos(40, 64, first=1000)
    found, exact = image_scores(search, others)
    assert search.plan.kind == "lists"
    assert spearmanr(found, exact).statistic >= 0.99


def test_the_same_seed_gives_the_same_plan_and_lists() -> None:
    bank, sample = MemoryBank(clustered(1, 2000, 16)), photos(8, 16)
    one, two = (plan_search(bank, FEW_HIGHEST, sample, seed=3) for _ in range(2))
    assert one.plan == two.plan
    assert one.lists is not None
    assert two.lists is not None
    np.testing.assert_array_equal(one.lists.centroids, two.lists.centroids)
    np.testing.assert_array_equal(one.lists.assignments, two.lists.assignments)


@pytest.mark.parametrize("vectors", [1, SMALLEST_LISTED - 1])
def test_small_banks_are_searched_exactly(vectors: int) -> None:
    bank = MemoryBank(clustered(1, vectors, 8))
    search = plan_search(bank, FEW_HIGHEST, photos(FEWEST_PHOTOS, 8), seed=0)
    assert (search.plan.kind, search.lists) == ("exact", None)
    photo = clustered(2, 50, 8)
    np.testing.assert_allclose(patch_scores(search, photo), exact_scores(bank, photo), rtol=1e-6)


@pytest.mark.parametrize("k", [2, 5])
def test_a_patchs_score_is_the_mean_over_its_neighbours(k: int) -> None:
    bank, photo = MemoryBank(clustered(1, 300, 8)), clustered(2, 50, 8)
    expected = bank.search(photo, k)[0].mean(axis=1)
    np.testing.assert_allclose(patch_scores(PatchSearch(bank, k), photo), expected, rtol=1e-6)


def test_the_smallest_bank_with_lists_has_them() -> None:
    bank = MemoryBank(clustered(1, SMALLEST_LISTED, 8))
    assert plan_search(bank, FEW_HIGHEST, photos(8, 8), seed=0).plan.kind == "lists"


def test_too_few_photos_to_compare_both_searches_mean_the_exact_one() -> None:
    bank, sample = MemoryBank(clustered(1, 4000, 8)), photos(FEWEST_PHOTOS, 8)
    assert plan_search(bank, FEW_HIGHEST, sample[:-1], seed=0).plan.kind == "exact"
    assert plan_search(bank, FEW_HIGHEST, sample, seed=0).plan.kind == "lists"


EQUAL = {
    "all equal": np.ones((2000, 8), dtype=np.float32),
    "few distinct": clustered(3, 5, 8)[np.arange(2000) % 5],
    "half equal": np.concatenate([np.ones((1500, 8), np.float32), clustered(4, 1500, 8)]),
}


@pytest.mark.parametrize("vectors", EQUAL.values(), ids=EQUAL)
def test_equal_vectors_leave_no_list_empty(vectors: Floats) -> None:
    """Plain goods on a plain ground: a photo that met empty lists only would have no score."""
    bank = MemoryBank(vectors)
    lists = InvertedLists.of(bank, 128, 0)
    assert np.bincount(lists.assignments, minlength=len(lists)).min() > 0
    search = plan_search(bank, FEW_HIGHEST, photos(8, 8), seed=0)
    for photo in photos(4, 8, first=500):
        assert np.isfinite(patch_scores(search, photo)).all()


def test_patches_in_a_file_are_searched_as_any_others(tmp_path: Path) -> None:
    bank, photo = MemoryBank(clustered(1, 2000, 16)), clustered(2, 200, 16)
    search = search_by_lists(bank, InvertedLists.of(bank, 64, 0), 16)
    np.save(tmp_path / "photo.npy", photo)
    read_only = np.load(tmp_path / "photo.npy", mmap_mode="r")
    np.testing.assert_array_equal(patch_scores(search, read_only), patch_scores(search, photo))


def test_many_threads_get_the_answers_of_one() -> None:
    bank = MemoryBank(clustered(1, 4000, 32))
    search = search_by_lists(bank, InvertedLists.of(bank, 128, 0), 16)
    sample = photos(16, 32) * 6
    alone = [patch_scores(search, photo) for photo in sample]
    fresh = search_by_lists(bank, InvertedLists.of(bank, 128, 0), 16)  # nothing prepared yet
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda photo: patch_scores(fresh, photo), sample))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_the_unit_of_the_features_does_not_matter(scale: float) -> None:
    unit = np.float32(scale)
    bank = MemoryBank(clustered(1, 2000, 16) * unit)
    search = plan_search(bank, FEW_HIGHEST, [p * unit for p in photos(32, 16)], seed=0)
    assert search.plan.kind == "lists"
    for photo in photos(4, 16, first=500):
        wanted = FEW_HIGHEST.image_score(search.exact(photo * unit))
        assert FEW_HIGHEST.image_score(patch_scores(search, photo * unit)) == pytest.approx(
            wanted, rel=0.02
        )


def test_bytes_that_tell_no_vectors_apart_are_not_relied_on() -> None:
    """One value far from all others takes all the steps."""
    vectors = clustered(1, 2000, 16)
    vectors[7, 3] = 1e6
    search = plan_search(MemoryBank(vectors), FEW_HIGHEST, photos(32, 16), seed=0)
    found, wanted = image_scores(search, photos(32, 16, first=500))
    assert spearmanr(found, wanted).statistic >= 0.995


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_patch_that_is_no_number_gives_no_score(value: float) -> None:
    bank = MemoryBank(clustered(1, 2000, 16))
    search = search_by_lists(bank, InvertedLists.of(bank, 64, 0), 16)
    photo = clustered(2, 200, 16)
    photo[5, 3] = value
    with pytest.raises(NonFiniteScore):
        FEW_HIGHEST.image_score(patch_scores(search, photo))


def test_lists_that_several_threads_read_give_what_one_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = MemoryBank(clustered(1, 3000, 24))
    lists, queries = InvertedLists.of(bank, 64, 0), clustered(2, 500, 24)
    nearness = lists.nearness(queries)
    one = lists.nearest(queries, nearness, 4)
    monkeypatch.setattr("app.core.methods.knn.bank._PARALLEL_FROM", 0)
    with limited_to(2):
        np.testing.assert_array_equal(lists.nearest(queries, nearness, 4), one)


@pytest.mark.parametrize("dimensions", [7, 9])
def test_patches_of_another_dimension_are_refused(dimensions: int) -> None:
    bank = MemoryBank(clustered(1, 1200, 8))
    search = search_by_lists(bank, InvertedLists.of(bank, 32, 0), 16)
    with pytest.raises(BankError, match="D = 8"):
        patch_scores(search, clustered(2, 10, dimensions))


def centroids(**changes: Any) -> Floats:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    values[1, 2] = changes.get("value", values[1, 2])
    return values


LISTS = np.array([0, 1, 2, 3, 0, 1], dtype=np.int32)


def test_centroids_and_lists_that_fit_are_taken() -> None:
    assert len(InvertedLists(MemoryBank(clustered(0, 6, 3)), centroids(), LISTS)) == 4


@pytest.mark.parametrize(
    ("centres", "lists", "reason"),
    [
        (centroids()[:, :2], LISTS, "shape"),
        (centroids().ravel(), LISTS, "shape"),
        (centroids()[None], LISTS, "shape"),
        (np.float32(1).reshape(()), LISTS, "shape"),
        (centroids(), LISTS[:-1], "shape"),
        (centroids(), LISTS[:, None], "shape"),
        (centroids(value=np.nan), LISTS, "not finite"),
        (centroids(value=np.inf), LISTS, "not finite"),
        (centroids()[:0], LISTS, "lists are not"),
        (centroids(), LISTS - 1, "lists are not"),
        (centroids(), LISTS + 1, "lists are not"),
        (centroids(), np.array([0, 1, 2, 0, 1, 2], dtype=np.int32), "lists are not"),
        (centroids(), np.full(6, np.iinfo(np.int32).max, dtype=np.int32), "lists are not"),
    ],
)
def test_centroids_or_lists_that_do_not_fit_are_refused(
    centres: Floats, lists: Any, reason: str
) -> None:
    with pytest.raises(BankError, match=reason):
        InvertedLists(MemoryBank(clustered(0, 6, 3)), centres, lists)


def with_lists(vectors: Floats) -> artifacts.Artifact:
    """A bank of colours that is searched by lists."""
    artifact = make_artifact(vectors=vectors)
    bank = bank_of(artifact)
    search = plan_search(bank, artifact.manifest.scoring, photos(8, 3), seed=0)
    learnt = Knn(KnnSettings(search=search.plan), bank, search.lists)
    return taught(artifact, learnt)


def taught(artifact: artifacts.Artifact, learnt: Knn) -> artifacts.Artifact:
    """The same with another method."""
    changes = {"method": MethodRecord.of(learnt)}
    manifest = artifact.manifest.model_copy(update=changes)
    return replace(artifact, method=learnt, manifest=manifest, origins=None)


def search_of(artifact: artifacts.Artifact) -> PatchSearch:
    assert isinstance(artifact.method, Knn)
    return artifact.method.search


def test_loaded_lists_give_the_same_scores(tmp_path: Path) -> None:
    artifact = with_lists(clustered(1, 1500, 3))
    artifacts.save(tmp_path, artifact)
    loaded = artifacts.load(tmp_path, "can")
    assert loaded.manifest.method == artifact.manifest.method
    before, after = search_of(artifact), search_of(loaded)
    assert after.lists is not None
    for photo in photos(6, 3):
        np.testing.assert_array_equal(patch_scores(after, photo), patch_scores(before, photo))


def test_stored_lists_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    artifact = with_lists(clustered(1, 1500, 3))
    lists = search_of(artifact).lists
    assert lists is not None
    lists.assignments[0] = len(lists)
    artifacts.save(tmp_path, artifact)
    with pytest.raises(ArtifactError, match="lists"):
        artifacts.load(tmp_path, "can")


@pytest.mark.parametrize("kind", ["exact", "lists"])
def test_lists_that_the_manifest_does_not_speak_of_are_refused(tmp_path: Path, kind: str) -> None:
    listed = with_lists(clustered(1, 1500, 3))
    exact = taught(listed, Knn(KnnSettings(), bank_of(listed)))
    stored, said = (listed, exact) if kind == "exact" else (exact, listed)
    changes = {"method": said.manifest.method}
    manifest = stored.manifest.model_copy(update=changes)
    artifacts.save(tmp_path, replace(stored, manifest=manifest))
    with pytest.raises(ArtifactError, match="centroids, list_of"):
        artifacts.load(tmp_path, "can")


def confetti(seed: int) -> Image.Image:
    """Fields of any colour."""
    fields = np.random.default_rng(seed).integers(0, 256, size=(6, 8, 3), dtype=np.uint8)
    return Image.fromarray(fields).resize((160, 120), Image.Resampling.NEAREST)


def test_a_built_bank_with_lists_serves_with_the_scores_of_an_exact_one(tmp_path: Path) -> None:
    """From photos to a loaded detector."""
    goods = [confetti(s) for s in range(30)]
    write_photos(tmp_path / "can" / "train" / "good", goods)
    chosen = method(method={"kind": "knn", "max_vectors": 1100})
    artifact = build_bank(read_category(tmp_path, "can"), chosen, extractor()).artifact
    assert search_of(artifact).plan.kind == "lists"
    artifacts.save(tmp_path / "models", artifact)
    loaded = artifacts.load(tmp_path / "models", "can")
    detector = Detector(loaded, extractor())
    detector.self_test()
    exact = Detector(taught(loaded, Knn(KnnSettings(), bank_of(loaded))), extractor())
    for photo in (confetti(7), confetti(77), spotted((10, 10, 50, 50))):
        data = encode(photo)
        assert detector.inspect(data).score == pytest.approx(exact.inspect(data).score, rel=1e-4)
        assert detector.inspect(data).verdict == exact.inspect(data).verdict
