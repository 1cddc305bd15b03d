"""The most anomalous places of a photo, and the good patches that are nearest to them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.core.building.build import build_bank
from app.core.detector import Detector, read_for
from app.core.judging.explanation import NEAREST, PLACES, Explanation, Shown, chosen
from app.core.photo.box import Box
from app.core.photo.dataset import read_category
from app.core.photo.view import View
from app.core.store import artifact as artifacts
from app.core.store.artifact import Artifact
from tests.support import (
    METHOD,
    ROOT,
    bank_of,
    colour_extractor,
    encode,
    make_artifact,
    plain,
    write_photos,
)
from tests.unit.core.features.test_patches import built, extractor, spotted, striped

SPOTS = ((10, 10, 40, 40), (100, 20, 150, 70))


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return built(tmp_path_factory.mktemp("near")).artifact


@pytest.fixture(scope="module")
def detector(bank: Artifact) -> Detector:
    return Detector(bank, extractor())


def explained(detector: Detector, photo: Image.Image) -> Explanation:
    return detector.explain(detector.inspect(encode(photo)))


def colours(shown: Shown) -> np.ndarray:
    with Image.open(io.BytesIO(shown.jpeg)) as opened:
        return np.asarray(opened, dtype=int).reshape(-1, 3)


def test_the_peak_of_each_region_is_a_place(detector: Detector) -> None:
    photo = striped(112)
    for strength, spot in enumerate(SPOTS):
        photo.paste((230, 20 + 40 * strength, 20), spot)
    found = explained(detector, photo).places
    assert len(found) == 2
    for place, spot in zip(found, SPOTS, strict=False):
        assert spot[0] - 20 < place.box.left < place.box.right < spot[2] + 20
        assert spot[1] - 20 < place.box.top < place.box.bottom < spot[3] + 20
    assert found[0].score > found[1].score > detector.manifest.anomaly_map.threshold


def test_there_are_three_places_at_most(detector: Detector) -> None:
    photo = striped(112)
    for corner in ((10, 10), (120, 10), (10, 90), (120, 90)):
        photo.paste((230, 20, 20), (*corner, corner[0] + 20, corner[1] + 20))
    inspection = detector.inspect(encode(photo))
    assert len(detector.regions(inspection)) == 4
    found = detector.explain(inspection)
    assert len(found.places) == PLACES == 3
    assert len({place.box for place in found.places}) == 3
    assert found.reason is None


def test_a_normal_photo_has_its_highest_place(detector: Detector) -> None:
    inspection = detector.inspect(encode(striped(111)))
    assert detector.regions(inspection) == []
    (place,) = detector.explain(inspection).places
    assert inspection.score_map is not None
    assert place.score == pytest.approx(float(inspection.score_map.max()))


def test_the_nearest_are_those_of_an_exhaustive_search(bank: Artifact, detector: Detector) -> None:
    inspection = detector.inspect(encode(spotted(SPOTS[1])))
    (place,) = detector.explain(inspection).places
    assert inspection.score_map is not None
    highest = int(inspection.score_map.argmax())  # no smoothing: the score is the distance
    vectors = bank_of(bank).vectors.astype(np.float64)
    away = np.linalg.norm(vectors - inspection.embedding[highest], axis=1)
    assert place.score == pytest.approx(away.min(), rel=1e-5)
    origins = bank.origins
    assert origins is not None
    least = sorted(
        float(away[origins.photo == photo].min()) for photo in range(len(origins.numbers))
    )
    assert [patch.distance for patch in place.nearest] == pytest.approx(least[:NEAREST], rel=1e-5)
    assert len({patch.photo for patch in place.nearest}) == NEAREST == 5


def test_a_photos_own_cell_is_nearest_to_itself(tmp_path: Path) -> None:
    made = built(tmp_path).artifact
    detector = Detector(made, extractor())
    files = sorted((tmp_path / "can/train/good").iterdir())
    for number in (1, 8, 15):
        (place,) = detector.explain(detector.inspect(files[number - 1].read_bytes())).places
        assert place.nearest[0].distance == 0
        assert place.nearest[0].photo == number
        # The cells of a half are alike: the nearest is one of its own photo, in the same half.
        assert (place.nearest[0].box.left >= 80) == (place.box.left >= 80)


def test_pictures_show_the_place_and_the_patches(detector: Detector) -> None:
    (place,) = explained(detector, spotted(SPOTS[1])).places
    red = colours(place.picture)
    assert (red[:, 0] - red[:, 1]).max() > 150
    for patch in place.nearest:
        assert patch.picture is not None
        grey = colours(patch.picture)
        assert np.abs(grey[:, 0] - grey[:, 1]).max() < 20
        part = patch.picture.part
        assert part.left <= patch.box.left < patch.box.right <= part.right
        assert part.top <= patch.box.top < patch.box.bottom <= part.bottom


def test_places_of_a_crop_are_told_in_the_whole_photo(bank: Artifact, detector: Detector) -> None:
    """As a camera's view makes it."""
    photo = plain((20, 200, 40), (400, 300))
    photo.paste(spotted(SPOTS[1]), (160, 120))
    data = encode(photo)
    view = View(crop=Box(0.4, 0.4, 0.8, 0.8))
    (read,) = read_for([detector], data, views=[view])
    assert read is not None
    (place,) = detector.explain(detector.judge([read])[0]).places
    alone = explained(detector, spotted(SPOTS[1])).places[0]
    assert (place.box.left, place.box.top) == (alone.box.left + 160, alone.box.top + 120)
    assert place.nearest == alone.nearest


def test_cells_that_are_not_looked_at_are_no_place(tmp_path: Path) -> None:
    mask = Image.new("L", (160, 120))
    mask.paste(255, (80, 0, 160, 120))
    mask.save(tmp_path / "mask.png")
    look = {"kind": "mask", "file": str(tmp_path / "mask.png")}
    masked = Detector(built(tmp_path, look=look).artifact, extractor())
    photo = spotted(SPOTS[1])
    photo.paste((230, 20, 20), SPOTS[0])
    for one in (photo, striped(112)):
        inspection = masked.inspect(encode(one))
        for place in masked.explain(inspection).places:
            assert place.box.left >= 80
            highest = np.linalg.norm(inspection.embedding[:, None] - bank_vectors(masked), axis=2)
            assert place.nearest[0].distance == pytest.approx(highest.min(axis=1).max(), rel=1e-4)


def bank_vectors(detector: Detector) -> np.ndarray:
    tensors = detector.method.tensors()
    return np.asarray(tensors["vectors"])


def test_a_global_method_shows_whole_photos(tmp_path: Path) -> None:
    write_photos(tmp_path / "can/train/good", [plain(g) for g in range(100, 150, 5)])
    made = build_bank(read_category(tmp_path, "can"), METHOD, colour_extractor()).artifact
    detector = Detector(made, colour_extractor())
    inspection = detector.inspect(encode(plain(121, (80, 60))))
    (place,) = detector.explain(inspection).places
    assert (place.box.left, place.box.top, place.box.right, place.box.bottom) == (0, 0, 80, 60)
    assert place.score == inspection.score
    assert [patch.photo for patch in place.nearest] == [5, 6, 4, 7, 3]
    for patch in place.nearest:
        assert patch.picture is not None
        assert (patch.picture.part.right, patch.picture.part.bottom) == (40, 30)


def test_without_pictures_the_patches_are_named_all_the_same(
    bank: Artifact, detector: Detector
) -> None:
    assert bank.origins is not None
    bare = Detector(replace(bank, origins=replace(bank.origins, pictures=None)), extractor())
    full, without = (explained(one, spotted(SPOTS[1])).places[0] for one in (detector, bare))
    assert [patch.picture for patch in without.nearest] == [None] * 5
    assert tuple(replace(patch, picture=None) for patch in full.nearest) == without.nearest
    assert without.picture == full.picture


def test_an_older_bank_says_why_it_explains_nothing() -> None:
    old = artifacts.load(ROOT / "tests/data/schema3", "can")
    assert old.origins is None
    detector = Detector(old, colour_extractor().with_spec(old.manifest.features))
    found = explained(detector, plain(123))
    assert found.places == ()
    assert found.reason is not None
    assert "build it again" in found.reason


def test_a_method_without_patches_says_so(tmp_path: Path) -> None:
    made = built(tmp_path, method={"kind": "gaussian"}).artifact
    found = explained(Detector(made, extractor()), spotted(SPOTS[1]))
    assert found.places == ()
    assert found.reason == "the method gaussian keeps no patches of good photos to show"


def test_explaining_changes_no_score(detector: Detector) -> None:
    inspection = detector.inspect(encode(spotted(SPOTS[1])))
    before = inspection.score, inspection.embedding.copy()
    detector.explain(inspection)
    assert inspection.score == before[0]
    np.testing.assert_array_equal(inspection.embedding, before[1])
    assert detector.inspect(encode(spotted(SPOTS[1]))).score == before[0]


def test_a_bank_that_is_loaded_explains_the_same(tmp_path: Path) -> None:
    made = make_artifact()
    artifacts.save(tmp_path, made)
    loaded = artifacts.load(tmp_path, "can")
    photo = plain((200, 60, 60))
    first, second = (explained(Detector(one, colour_extractor()), photo) for one in (made, loaded))
    assert first.places
    assert first == second


distances = st.lists(st.floats(0, 9, width=32), min_size=1, max_size=40)


@given(distances=distances, data=st.data(), count=st.integers(1, 8))
def test_the_chosen_are_the_nearest_of_the_nearest_photos(
    distances: list[float], data: st.DataObject, count: int
) -> None:
    away = np.array(distances, dtype=np.float32)
    photos = np.array(
        data.draw(st.lists(st.integers(0, 9), min_size=len(away), max_size=len(away))), np.int32
    )
    found = chosen(away, photos, count)
    assert len(found) == len(set(found)) == min(count, len(away))
    assert away[found].tolist() == sorted(away[found].tolist())
    of_photos = {int(p): float(away[photos == p].min()) for p in photos}
    wanted = sorted(of_photos.values())[:count]
    best = {int(p): float(away[[v for v in found if photos[v] == p]].min()) for p in photos[found]}
    assert sorted(best.values()) == wanted
    if len(of_photos) >= count:
        assert len(best) == count
    elif len(found) > len(of_photos):  # the rest are the nearest of what is left
        least = set(found)
        left = [float(away[v]) for v in range(len(away)) if v not in least]
        added = sorted(away[found].tolist())
        assert not left or min(left) >= min(added)
