from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.evaluating.evaluation import Evaluation, EvaluationRun, evaluate
from app.core.photo.dataset import read_test_split
from app.reports.pages import write_report, write_summary
from tests.support import make_detector, write_category

KINDS = ("hist", "good_defect_pair", "roc", "confusion", "tsne")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> EvaluationRun:
    root = tmp_path_factory.mktemp("data")
    write_category(root)
    detector = make_detector(threshold=0.3)
    return evaluate(read_test_split(root, "can"), detector.manifest, detector.inspect)


@pytest.fixture(scope="module")
def folder(run: EvaluationRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report")
    embeddings = np.random.default_rng(0).random((len(run.scored), 3), dtype=np.float32)
    write_report(target, run, embeddings)
    write_summary(target, [run.evaluation])
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_each_picture_is_a_picture(folder: Path, kind: str) -> None:
    with Image.open(folder / f"can_{kind}.png") as image:
        image.load()
        assert min(image.size) > 300
        assert len(image.convert("L").getcolors() or []) > 2


def test_nothing_half_written_is_left(folder: Path) -> None:
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_summary_names_the_figures(folder: Path, run: EvaluationRun) -> None:
    text = (folder / "summary.md").read_text()
    assert f"| can | colour | 4 / 3 | {run.evaluation.auroc:.3f}" in text
    assert run.evaluation.bank_version in text
    for name, defect in run.evaluation.per_defect.items():
        assert f"| {name} | {defect.n} |" in text


@pytest.mark.parametrize("kind", KINDS)
def test_summary_shows_every_picture(folder: Path, kind: str) -> None:
    assert f"(can_{kind}.png)" in (folder / "summary.md").read_text()


def test_a_mean_is_given_over_several_categories_only(folder: Path, run: EvaluationRun) -> None:
    def summary(*aurocs: float) -> str:
        evaluations: list[Evaluation] = [
            run.evaluation.model_copy(update={"auroc": auroc}) for auroc in aurocs
        ]
        return write_summary(folder / "..", evaluations).read_text()

    assert "Mean AUROC over 2 categories: 0.750" in summary(0.5, 1.0)
    assert "Mean" not in summary(0.5)
