"""The patch method with real ResNet features, on photos whose defects are marked pixel by pixel."""

from __future__ import annotations

import json

import pytest

from app.core.evaluating.evaluation import Evaluation
from app.core.features.runtimes.openvino_runtime import has_bfloat16
from scripts import build_bank, evaluate
from tests.e2e.test_scripts import call
from tests.support import SHARED

DATA = SHARED / "data" / "mvtec_bottle"
WEIGHTS = SHARED / "weights" / "resnet18_imagenet1k_v1_folded_to_layer3.safetensors"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA.is_dir() and WEIGHTS.is_file()), reason="data is not here"),
]


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("bottle")
    common = ("--data", DATA, "--models", folder / "models", "--weights", WEIGHTS)
    built = call(build_bank.main, *common, "--preset", "patch", "--limit", "100")
    assert built.exit_code == 0, built.stderr
    done = call(evaluate.main, *common, "--json", folder / "figures.json")
    assert done.exit_code == 0, done.stderr
    (figures,) = json.loads((folder / "figures.json").read_text())
    return Evaluation.model_validate(figures)


def test_it_was_served_in_the_fastest_precision_that_keeps_its_scores(
    evaluation: Evaluation,
) -> None:
    assert evaluation.engine == f"openvino {'bfloat16' if has_bfloat16() else 'float32'}"


def test_defective_bottles_score_higher(evaluation: Evaluation) -> None:
    assert evaluation.auroc > 0.97


def test_most_defects_are_found_at_the_promised_threshold(evaluation: Evaluation) -> None:
    assert evaluation.at_threshold.recall is not None
    assert evaluation.at_threshold.recall > 0.8


def test_the_map_marks_the_defects_pixels(evaluation: Evaluation) -> None:
    assert evaluation.pixel_auroc is not None
    assert evaluation.pixel_auroc > 0.93
    assert evaluation.aupro is not None
    assert evaluation.aupro > 0.8
