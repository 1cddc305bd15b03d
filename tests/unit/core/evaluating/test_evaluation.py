from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from app.core.errors import NoTestSplit
from app.core.evaluating.evaluation import Evaluation, EvaluationRun, evaluate
from app.core.photo.dataset import read_test_split
from tests.support import make_detector, write_category

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
    assert [path.name for path in result.unreadable] == ["broken.png"]


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
