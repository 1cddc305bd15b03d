from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from app.core.errors import NoTestSplit
from app.core.evaluating.evaluation import Evaluation, EvaluationRun, evaluate
from app.core.judging.inspection import Inspection
from app.core.photo.dataset import read_test_split
from tests.support import make_detector, plain, write_category

# What an evaluation object promises to hold, and what is given on top.
PROMISED = {
    "category", "bank_version", "n_good", "n_defective", "auroc", "auroc_ci95",
    "average_precision", "at_threshold", "alpha", "per_defect", "pixel_auroc", "aupro",
    "images_per_second",
}  # fmt: skip
AT_THRESHOLD = {"tp", "fp", "tn", "fn", "recall", "precision", "false_alarm_rate"}


@dataclass(frozen=True)
class Score:
    score: float
    width: int = 40
    height: int = 30


def run(root: Path) -> EvaluationRun:
    write_category(root)
    detector = make_detector(threshold=0.3)
    return evaluate(read_test_split(root, "can"), detector.manifest, detector.inspect)


def test_counts_at_the_banks_threshold(tmp_path: Path) -> None:
    evaluation = run(tmp_path).evaluation
    point = evaluation.at_threshold
    assert (evaluation.n_good, evaluation.n_defective, evaluation.n_unreadable) == (4, 3, 0)
    assert (point.tp, point.fp, point.tn, point.fn) == (3, 0, 4, 0)
    assert (point.recall, point.precision, point.false_alarm_rate) == (1, 1, 0)


def test_auroc_is_that_of_the_scores(tmp_path: Path) -> None:
    result = run(tmp_path)
    labels = [s.image.is_defective for s in result.scored]
    expected = roc_auc_score(labels, [s.score for s in result.scored])
    assert result.evaluation.auroc == pytest.approx(expected)


def test_each_defect_type_is_held_against_all_good_images(tmp_path: Path) -> None:
    per_defect = run(tmp_path).evaluation.per_defect
    assert {name: d.n for name, d in per_defect.items()} == {"blue_spot": 1, "red_spot": 2}
    assert all(d.recall == 1 and d.auroc == 1 for d in per_defect.values())


def test_promised_fields_are_there(tmp_path: Path) -> None:
    dumped = run(tmp_path).evaluation.model_dump(mode="json")
    assert set(dumped) >= PROMISED
    assert set(dumped["at_threshold"]) >= AT_THRESHOLD
    assert set(dumped["per_defect"]["red_spot"]) >= {"n", "auroc", "recall"}


def test_an_evaluation_survives_json(tmp_path: Path) -> None:
    evaluation = run(tmp_path).evaluation
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


def test_without_masks_there_are_no_pixel_figures(tmp_path: Path) -> None:
    evaluation = run(tmp_path).evaluation
    assert (evaluation.pixel_auroc, evaluation.aupro) == (None, None)


def test_unreadable_images_are_counted_and_left_out(tmp_path: Path) -> None:
    folder = write_category(tmp_path)
    (folder / "test" / "good" / "broken.png").write_bytes(b"no image")
    detector = make_detector()
    result = evaluate(read_test_split(tmp_path, "can"), detector.manifest, detector.inspect)
    assert (result.evaluation.n_unreadable, result.evaluation.n_good) == (1, 4)
    (broken,) = result.unreadable
    assert broken.path.name == "broken.png"
    assert broken.reason


def test_nothing_readable_of_one_label_is_no_test_split(tmp_path: Path) -> None:
    folder = write_category(tmp_path)
    for path in (folder / "test" / "good").iterdir():
        path.write_bytes(b"no image")
    detector = make_detector()
    with pytest.raises(NoTestSplit, match="0 good and 3 defective"):
        evaluate(read_test_split(tmp_path, "can"), detector.manifest, detector.inspect)


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    write_category(tmp_path)
    detector = make_detector()
    seen: list[tuple[int, int]] = []
    split = read_test_split(tmp_path, "can")
    evaluate(split, detector.manifest, detector.inspect, progress=lambda *at: seen.append(at))
    assert seen == [(done, 7) for done in range(1, 8)]


def test_a_score_equal_to_the_threshold_is_not_called_defective(tmp_path: Path) -> None:
    write_category(tmp_path)
    manifest = make_detector(threshold=0.5).manifest
    split = read_test_split(tmp_path, "can")
    point = evaluate(split, manifest, lambda _: Score(0.5)).evaluation.at_threshold
    assert (point.tp, point.fp) == (0, 0)
    assert point.precision is None


def test_scores_of_one_value_have_no_better_auroc_than_chance(tmp_path: Path) -> None:
    write_category(tmp_path)
    split = read_test_split(tmp_path, "can")
    result = evaluate(split, make_detector().manifest, lambda _: Score(1.0))
    assert result.evaluation.auroc == pytest.approx(0.5)
    assert np.isfinite(result.evaluation.auroc_ci95).all()


def with_masks(root: Path, *boxes: tuple[int, int, int, int]) -> Path:
    """The category with the boxes marked on each of its three defective photos."""
    folder = write_category(root)
    for photo in [*folder.glob("test/*_spot/*.png")]:
        mask = Image.new("L", (40, 30))
        for box in boxes:
            mask.paste(255, box)
        path = folder / "ground_truth" / photo.parent.name / f"{photo.stem}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask.save(path)
    return folder


def evaluated(root: Path) -> Evaluation:
    """Under a map that is brighter to the right."""
    split = read_test_split(root, "can")
    detector = make_detector(threshold=0.3)

    def ramp(_: Inspection, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        return np.tile(np.linspace(0, 1, shape[1], dtype=np.float32), (shape[0], 1))

    return evaluate(split, detector.manifest, detector.inspect, anomaly_map=ramp).evaluation


def test_a_broken_mask_costs_its_photo_the_pixel_metrics_alone(tmp_path: Path) -> None:
    folder = with_masks(tmp_path, (30, 0, 40, 30))
    whole = evaluated(tmp_path)
    assert (whole.n_unusable_masks, whole.remarks) == (0, ())
    (folder / "ground_truth/red_spot/photo_001_mask.png").write_bytes(b"no image")
    found = evaluated(tmp_path)
    assert (found.n_defective, found.n_unreadable, found.n_unusable_masks) == (3, 0, 1)
    (remark,) = found.remarks
    assert remark.startswith("1 masks cannot be used")
    assert "red_spot/photo_001.png (this is text, not an image" in remark
    (folder / "test/red_spot/photo_001.png").unlink()
    without = evaluated(tmp_path)
    assert (found.pixel_auroc, found.aupro) == (without.pixel_auroc, without.aupro)


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (0, 0, 40, 30)])
def test_a_mask_that_marks_nothing_or_most_is_asked_about(
    tmp_path: Path, box: tuple[int, int, int, int]
) -> None:
    with_masks(tmp_path, box)
    (remark,) = evaluated(tmp_path).remarks
    assert ("nothing is marked" in remark) is (box[2] == 0)
    assert ("are they inverted?" in remark) is (box[2] > 0)


def test_a_mask_of_another_shape_is_named(tmp_path: Path) -> None:
    folder = with_masks(tmp_path, (30, 0, 40, 30))
    Image.new("L", (30, 40), 255).save(folder / "ground_truth/blue_spot/photo_000_mask.png")
    found = evaluated(tmp_path)
    assert found.n_unusable_masks == 1
    assert "30 × 40 pixels, its photo 40 × 30" in found.remarks[0]


def test_small_marks_of_large_photos_are_counted_and_kept(tmp_path: Path) -> None:
    folder = with_masks(tmp_path)
    for path in folder.glob("test/*/*.png"):
        plain(100 if path.parent.name == "good" else (200, 60, 60), (1600, 1200)).save(path)
    for path in folder.glob("ground_truth/*/*.png"):
        mask = Image.new("L", (1600, 1200))
        mask.paste(255, (1580, 600, 1582, 602))
        mask.save(path)
    found = evaluated(tmp_path)
    assert found.n_small_marks == 3
    assert found.pixel_auroc == pytest.approx(0.99, abs=0.01)
    assert found.aupro is not None
    assert any("3 marks are smaller than a pixel" in remark for remark in found.remarks)


def test_what_was_made_of_the_folders_is_told_last(tmp_path: Path) -> None:
    folder = write_category(tmp_path)
    (folder / "test" / "good").rename(folder / "test" / "OK")
    assert evaluated(tmp_path).remarks == ("test/OK is read as test/good",)


def test_a_bank_that_catches_nothing_says_so_first(tmp_path: Path) -> None:
    folder = write_category(tmp_path)
    (folder / "test" / "good").rename(folder / "test" / "OK")
    detector = make_detector(threshold=99.0)
    found = evaluate(read_test_split(tmp_path, "can"), detector.manifest, detector.inspect)
    first, last = found.evaluation.remarks
    assert first.startswith("catches 0 of 3 defective photos: not usable")
    assert last == "test/OK is read as test/good"


def test_results_that_were_stored_without_remarks_are_read(tmp_path: Path) -> None:
    stored = run(tmp_path).evaluation.model_dump(mode="json")
    for name in ("remarks", "n_unusable_masks", "n_small_marks"):
        del stored[name]
    assert Evaluation.model_validate(stored).remarks == ()
