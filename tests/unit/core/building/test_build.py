from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.core.building.build import Build, build_bank
from app.core.building.groups import group_rule
from app.core.building.preset import Preset
from app.core.detector import Detector
from app.core.errors import (
    BankError,
    CalibrationError,
    DatasetError,
    PresetError,
    TooManyUnreadable,
)
from app.core.judging.calibration import Alpha, MeanStd
from app.core.methods.knn import Knn, KnnSettings
from app.core.photo.dataset import Category, read_category
from tests.drawn import photo
from tests.support import (
    GREYS,
    METHOD,
    SPEC,
    bank_of,
    colour_extractor,
    encode,
    plain,
    write_category,
    write_photos,
)

STEP = 5 * np.sqrt(3) / 255  # between neighbouring greys


def built(root: Path, preset: Preset = METHOD, **options: object) -> Build:
    write_category(root)
    return build_bank(read_category(root, "can"), preset, colour_extractor(), **options)  # type: ignore[arg-type]


def keeping(dimensions: int) -> Preset:
    rule = {"rule": "highest_std", "keep": dimensions}
    return Preset.model_validate(METHOD.model_dump() | {"selection": rule})


def good_photos(root: Path, files: dict[str, bytes]) -> Category:
    folder = root / "can" / "train" / "good"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return read_category(root, "can")


def test_bank_holds_one_vector_per_good_photo(tmp_path: Path) -> None:
    vectors = bank_of(built(tmp_path).artifact).vectors
    np.testing.assert_allclose(vectors, np.repeat(np.array(GREYS)[:, None] / 255, 3, 1), atol=1e-5)


def test_calibration_leaves_each_photo_out_of_its_own_bank(tmp_path: Path) -> None:
    scores = built(tmp_path).artifact.calibration.scores
    np.testing.assert_allclose(scores, STEP, atol=1e-5)


def test_threshold_is_the_rules(tmp_path: Path) -> None:
    artifact = built(tmp_path).artifact
    assert artifact.manifest.threshold.value == pytest.approx(STEP, abs=1e-5)
    assert artifact.manifest.threshold.value == artifact.calibration.threshold
    assert artifact.manifest.threshold.alpha == pytest.approx(0.1)


def test_mean_std_threshold_is_recorded_with_its_promise(tmp_path: Path) -> None:
    preset = METHOD.model_copy(update={"threshold": MeanStd(k=2)})
    assert built(tmp_path, preset).artifact.manifest.threshold.alpha == pytest.approx(
        0.02275, rel=0.01
    )


def test_a_built_bank_judges_as_calibrated(tmp_path: Path) -> None:
    detector = Detector(built(tmp_path).artifact, colour_extractor())
    assert detector.inspect(encode(plain(GREYS[0]))).verdict == "normal"
    assert detector.inspect(encode(plain((200, 60, 60)))).verdict == "anomalous"


def test_two_builds_of_the_same_photos_are_equal(tmp_path: Path) -> None:
    first, second = built(tmp_path).artifact, built(tmp_path).artifact
    np.testing.assert_array_equal(bank_of(first).vectors, bank_of(second).vectors)
    np.testing.assert_array_equal(first.calibration.scores, second.calibration.scores)
    assert first.manifest.training_files_sha256 == second.manifest.training_files_sha256


def test_other_training_files_have_another_hash(tmp_path: Path) -> None:
    first = built(tmp_path / "a").artifact.manifest
    write_photos(tmp_path / "b" / "can" / "train" / "good", [plain(7)], first=90)
    second = built(tmp_path / "b").artifact.manifest
    assert first.training_files_sha256 != second.training_files_sha256


@pytest.mark.parametrize("limit", [2, 5, 9])
def test_a_limit_takes_that_many_spread_evenly(tmp_path: Path, limit: int) -> None:
    vectors = bank_of(built(tmp_path, limit=limit).artifact).vectors
    greys = np.rint(vectors[:, 0] * 255).astype(int).tolist()
    assert len(greys) == limit
    assert greys[0] == GREYS[0]
    assert max(np.diff(greys)) - min(np.diff(greys)) <= 5


def test_a_limit_above_what_there_is_takes_all(tmp_path: Path) -> None:
    assert len(bank_of(built(tmp_path, limit=500).artifact)) == len(GREYS)


def test_a_k_beyond_the_bank_is_clipped_and_said(tmp_path: Path) -> None:
    many = Preset.model_validate(METHOD.model_dump() | {"method": {"kind": "knn", "k": 50}})
    build = built(tmp_path, many)
    settings = build.artifact.manifest.method.settings
    assert isinstance(settings, KnnSettings)
    assert settings.k == len(GREYS)
    assert any("clipped to 10" in warning for warning in build.warnings)


def test_selected_dimensions_are_recorded_and_used(tmp_path: Path) -> None:
    colours = [(100, 10, 50), (110, 90, 50), (120, 170, 50), (130, 250, 50)]
    category = good_photos(tmp_path, {f"{c[0]}.png": encode(plain(c)) for c in colours})
    preset = keeping(2)
    artifact = build_bank(category, preset, colour_extractor()).artifact
    assert artifact.manifest.features.selected_dimensions == (0, 1)
    assert bank_of(artifact).dimensions == 2
    detector = Detector(artifact, colour_extractor().with_spec(artifact.manifest.features))
    other_blue = encode(plain((100, 10, 255)))
    assert detector.inspect(other_blue).score == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("kept", "columns"), [(1, (1,)), (2, (0, 1)), (3, (0, 1, 2)), (9, (0, 1, 2))]
)
def test_the_dimensions_kept_are_those_of_highest_deviation(
    tmp_path: Path, kept: int, columns: tuple[int, ...]
) -> None:
    colours = [(100, 10, 50), (110, 90, 51), (120, 170, 52), (130, 250, 53)]
    category = good_photos(tmp_path, {f"{c[0]}.png": encode(plain(c)) for c in colours})
    manifest = build_bank(category, keeping(kept), colour_extractor()).artifact.manifest
    assert manifest.features.selected_dimensions == columns


def test_few_unreadable_files_are_skipped_and_counted(tmp_path: Path) -> None:
    files = {f"{i:02d}.png": encode(plain(100 + i)) for i in range(39)} | {"zz.png": b"broken"}
    build = build_bank(good_photos(tmp_path, files), METHOD, colour_extractor())
    counts = build.artifact.manifest.counts
    assert (counts.images, counts.unreadable) == (39, 1)
    assert [u.path.name for u in build.unreadable] == ["zz.png"]


def test_a_larger_share_of_unreadable_files_stops_the_build(tmp_path: Path) -> None:
    files = {f"{i:02d}.png": encode(plain(100 + i)) for i in range(9)} | {"zz.png": b"broken"}
    category = good_photos(tmp_path, files)
    with pytest.raises(TooManyUnreadable, match=r"1 of 10 .* 5%.*zz\.png.*--max-unreadable"):
        build_bank(category, METHOD, colour_extractor())
    build = build_bank(category, METHOD, colour_extractor(), max_unreadable=0.1)
    assert build.artifact.manifest.counts.images == 9


def test_nothing_readable_stops_the_build_whatever_is_accepted(tmp_path: Path) -> None:
    category = good_photos(tmp_path, {"a.png": b"broken", "b.png": b"broken"})
    with pytest.raises(TooManyUnreadable, match="none of the 2"):
        build_bank(category, METHOD, colour_extractor(), max_unreadable=1.0)


def test_no_images_stop_the_build(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train/good"):
        build_bank(good_photos(tmp_path, {}), METHOD, colour_extractor())


def test_one_photo_is_too_few_to_calibrate(tmp_path: Path) -> None:
    category = good_photos(tmp_path, {"a.png": encode(plain(9))})
    with pytest.raises(CalibrationError):
        build_bank(category, METHOD, colour_extractor())


def test_ignored_files_are_counted_in_the_manifest(tmp_path: Path) -> None:
    write_category(tmp_path)
    (tmp_path / "can" / "train" / "good" / "notes.txt").write_text("x")
    category = replace(read_category(tmp_path, "can"))
    build = build_bank(category, METHOD, colour_extractor())
    assert build.artifact.manifest.counts.ignored == 1


def test_progress_adds_up_to_the_number_of_files(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    built(tmp_path, progress=lambda *at: seen.append(at))
    assert ("embed", len(GREYS), len(GREYS)) in seen


def test_the_manifest_names_what_decides_the_numbers(tmp_path: Path) -> None:
    libraries = built(tmp_path).artifact.manifest.libraries
    assert {"goodsguard", "python", "torch", "numpy", "pillow", "faiss-cpu"} <= set(libraries)


def test_an_extractor_of_another_preset_is_refused(tmp_path: Path) -> None:
    write_category(tmp_path)
    other = colour_extractor(SPEC.model_copy(update={"layers": ("other",)}))
    with pytest.raises(PresetError, match="load it from this preset"):
        build_bank(read_category(tmp_path, "can"), METHOD, other)


@pytest.mark.parametrize(("rule", "warned"), [(MeanStd(k=3), True), (MeanStd(k=1), False)])
def test_a_promise_that_the_photos_cannot_show_is_told(
    tmp_path: Path, rule: MeanStd, warned: bool
) -> None:
    warnings = built(tmp_path, METHOD.model_copy(update={"threshold": rule})).warnings
    assert any("10 photos cannot show" in text for text in warnings) == warned


def test_a_method_that_does_not_come_back_ends_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Knn, "tensors", lambda _: {})
    with pytest.raises(BankError, match="lacks vectors"):
        built(tmp_path)


def test_each_photo_twice_is_each_photo_once(tmp_path: Path) -> None:
    once = built(tmp_path / "a").artifact
    write_category(tmp_path / "b")
    folder = tmp_path / "b" / "can" / "train" / "good"
    for path in sorted(folder.iterdir()):
        (folder / f"{path.stem} (1).png").write_bytes(path.read_bytes())
    build = build_bank(read_category(tmp_path / "b", "can"), METHOD, colour_extractor())
    twice = build.artifact
    np.testing.assert_array_equal(twice.calibration.scores, once.calibration.scores)
    assert twice.manifest.threshold == once.manifest.threshold
    assert (twice.manifest.counts.images, twice.manifest.counts.copies) == (10, 10)
    assert once.manifest.counts.copies == 0
    assert "10 of 20 photos are copies of others and count once: " in build.warnings[0]


def test_each_photo_saved_again_is_each_photo_once(tmp_path: Path) -> None:
    files = {f"{i:02}.png": encode(photo(i)[0]) for i in range(8)}
    once = build_bank(good_photos(tmp_path / "a", files), METHOD, colour_extractor()).artifact
    files |= {f"{i:02}.jpg": encode(photo(i)[0], "JPEG", quality=90) for i in range(8)}
    twice = build_bank(good_photos(tmp_path / "b", files), METHOD, colour_extractor()).artifact
    np.testing.assert_array_equal(twice.calibration.scores, once.calibration.scores)
    assert twice.manifest.counts.copies == 8


def test_copies_cost_no_photo_its_group(tmp_path: Path) -> None:
    photos = {f"{sku:03}{i:03}": photo(10 * sku + i)[0] for sku in range(3) for i in range(1, 7)}
    files = {f"{stem}.png": encode(one) for stem, one in photos.items()}
    files["000001 (1).png"] = files["000001.png"]
    files["saved again.bmp"] = encode(photos["001003"], "BMP")  # the larger file, which is kept
    category = good_photos(tmp_path, files)
    table = tmp_path / "groups.csv"
    table.write_text("".join(f"{stem}.png;crate {stem[2]}\n" for stem in photos))
    for rule in ("auto", "sku", str(table)):
        build = build_bank(category, METHOD, colour_extractor(), groups=group_rule(rule))
        counts = build.artifact.manifest.counts
        assert (counts.groups, counts.images, counts.copies) == (3, 18, 2)
        assert build.grouping.by == ("file" if rule == str(table) else "sku")
    assert "names 18 of them" in build.grouping.why


def test_copies_of_one_photo_are_too_few_to_calibrate(tmp_path: Path) -> None:
    category = good_photos(tmp_path, {f"{i}.png": encode(plain(9)) for i in range(20)})
    with pytest.raises(CalibrationError, match="2 different good images"):
        build_bank(category, METHOD, colour_extractor())


def test_a_limit_counts_files_and_the_promise_what_they_show(tmp_path: Path) -> None:
    files = {f"{i:02}.png": encode(plain(100 + i // 2)) for i in range(40)}
    category = good_photos(tmp_path, files)
    manifest = build_bank(category, METHOD, colour_extractor(), limit=20).artifact.manifest
    assert manifest.counts.images + manifest.counts.copies == 20
    with pytest.raises(CalibrationError, match=r"10 are copies of others.*--alpha 0\.048"):
        build_bank(category, METHOD, colour_extractor(), limit=30, threshold=Alpha(alpha=0.04))


def never() -> None:
    raise AssertionError("a photo was embedded")


def test_a_promise_that_one_broken_photo_costs_is_refused_before_the_work(tmp_path: Path) -> None:
    files = {f"{i:02}.png": encode(plain(100 + i)) for i in range(23)} | {"zz.png": b""}
    category = good_photos(tmp_path, files)
    with pytest.raises(CalibrationError, match=r"23 .*zz\.png .*empty.*--alpha 0\.042"):
        build_bank(category, METHOD, colour_extractor(before=never), threshold=Alpha(alpha=0.04))
    rule = Alpha(alpha=0.042)
    counts = build_bank(category, METHOD, colour_extractor(), threshold=rule).artifact.manifest
    assert counts.counts.images == 23


def test_a_promise_that_one_copy_costs_is_refused_before_the_work(tmp_path: Path) -> None:
    files = {f"{i:02}.png": encode(plain(100 + max(i, 1))) for i in range(24)}
    with pytest.raises(CalibrationError, match=r"23 different .*1 is a copy of others"):
        build_bank(
            good_photos(tmp_path, files),
            METHOD,
            colour_extractor(before=never),
            threshold=Alpha(alpha=0.04),
        )


@pytest.mark.parametrize("asked", [0.001, 0.02, 0.0217])
def test_the_rate_to_ask_for_is_told_once_and_carried(tmp_path: Path, asked: float) -> None:
    files = {f"{i:02}.png": encode(plain(60 + max(i, 3))) for i in range(48)}
    category = good_photos(tmp_path, files | {"x.png": b"", "y.png": b"broken"})
    fault = r"45 different photos of 50 \(2 cannot .*3 are copies.*Ask for that \(--alpha 0\.022,"
    with pytest.raises(CalibrationError, match=fault):
        build_bank(category, METHOD, colour_extractor(), threshold=Alpha(alpha=asked))
    built = build_bank(category, METHOD, colour_extractor(), threshold=Alpha(alpha=0.022)).artifact
    assert built.manifest.counts.images == 45


def test_copies_that_cost_the_promise_during_the_work_are_all_counted(tmp_path: Path) -> None:
    files = {f"{i:03}.png": encode(plain(60 + i // 5)) for i in range(120)}
    with pytest.raises(CalibrationError, match=r"24 different .*96 are copies.*--alpha 0\.04,"):
        build_bank(
            good_photos(tmp_path, files), METHOD, colour_extractor(), threshold=Alpha(alpha=0.02)
        )


def test_broken_files_end_the_build_as_soon_as_they_are_too_many(tmp_path: Path) -> None:
    files = {f"{i:03}.png": b"broken" for i in range(16)}
    files |= {f"{i:03}.png": encode(plain(100 + i)) for i in range(16, 120)}
    with pytest.raises(TooManyUnreadable, match="16 of 120"):
        build_bank(good_photos(tmp_path, files), METHOD, colour_extractor(before=never))


def test_a_raised_pixel_limit_is_taken(tmp_path: Path) -> None:
    files = {f"{i}.png": encode(plain(100 + i, (60, 60))) for i in range(5)}
    category = good_photos(tmp_path, files)
    with pytest.raises(TooManyUnreadable, match="--max-pixels"):
        build_bank(category, METHOD, colour_extractor(), max_pixels=3_599)
    build = build_bank(category, METHOD, colour_extractor(), max_pixels=3_600)
    assert build.artifact.manifest.counts.images == 5


def test_photos_that_go_away_while_the_build_runs_are_unreadable(tmp_path: Path) -> None:
    files = {f"{i:03}.png": encode(plain(50 + i)) for i in range(120)}
    category = good_photos(tmp_path, files)
    (category.train[-1]).unlink()
    gone = category.train[0]
    extractor = colour_extractor(before=lambda: gone.unlink(missing_ok=True))
    build = build_bank(category, METHOD, extractor)
    assert build.artifact.manifest.counts.images == 119
    assert [(u.path.name, "No such file" in u.reason) for u in build.unreadable] == [
        ("119.png", True)
    ]


def test_the_manifest_says_how_photos_were_grouped(tmp_path: Path) -> None:
    files = {
        f"{sku:03}{i:03}.png": encode(plain(50 + 40 * sku + i))
        for sku in range(4)
        for i in range(9)
    }
    category = good_photos(tmp_path, files)
    build = build_bank(category, METHOD, colour_extractor())
    manifest = build.artifact.manifest
    assert manifest.counts.groups == 4
    assert manifest.grouping is not None
    assert manifest.grouping.by == "sku"
    assert manifest.grouping.why == build.grouping.why
    alone = build_bank(category, METHOD, colour_extractor(), groups="none").artifact.manifest
    assert alone.counts.groups == 36
