"""A dry run, and what is checked first; that a new version is written is in tests/e2e."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.commands import threshold, threshold_trial
from app.core.store import artifact as artifacts
from tests.support import make_artifact, version_number

SCORES = [i / 100 for i in range(1, 20)]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    artifacts.save(tmp_path / "models", make_artifact(scores=SCORES, version=version_number(1)))
    return tmp_path / "models"


def call(models: Path, category: str, *arguments: str) -> Result:
    program = typer.Typer()
    program.command()(threshold.main)
    options = ["--models", str(models), "--category", category, *arguments]
    return CliRunner().invoke(program, options)


def test_a_dry_run_shows_what_it_would_do_and_writes_nothing(models: Path) -> None:
    result = call(models, "can", "--alpha", "0.25", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"can: {version_number(1)} a dry run, nothing is written",
        "threshold 0.1000 → 0.1500",
        "promised false-alarm rate 1.000% → 25.000%",
        "good photos of the calibration above it 9 of 19 (47.4%) → 4 of 19 (21.1%)",
        "recall is measured on labelled photos, of which a bank keeps no scores: give --data ROOT",
    ]
    assert artifacts.versions(models / "can") == [version_number(1)]


@pytest.mark.parametrize("value", ["0", "0.001"])
def test_a_threshold_below_all_good_photos_can_be_set(models: Path, value: str) -> None:
    result = call(models, "can", "--value", value)
    assert result.exit_code == 0, result.stderr
    manifest = artifacts.load(models, "can").manifest
    assert (manifest.threshold.value, manifest.threshold.alpha) == (float(value), 1)


@pytest.mark.parametrize("category", ["/etc", "../can", "", "can/x", "c" * 65, "jar"])
def test_a_category_without_a_bank_is_refused_and_those_there_are_are_listed(
    models: Path, category: str
) -> None:
    result = call(models, category, "--alpha", "0.25")
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: no bank is stored for {category or repr('')}: there are can\n"
    )


@pytest.mark.parametrize("category", ["Can", "CAN ", "can"])
def test_a_category_goes_by_its_folders_name_too(models: Path, category: str) -> None:
    result = call(models, category, "--alpha", "25%", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("can: ")


def test_a_folder_without_banks_is_explained(models: Path) -> None:
    result = call(models / "can", "can", "--alpha", "0.25")
    assert result.exit_code == 1
    assert "the banks lie one level up" in result.stderr


def test_recall_and_alarms_are_those_of_the_labelled_photos() -> None:
    from app.core.evaluating.evaluation import ScoredImage
    from app.core.photo.dataset import LabelledImage

    def scored(kind: str, score: float) -> ScoredImage:
        return ScoredImage(LabelledImage(Path("p.png"), kind), score)

    photos = [scored("good", 1), scored("good", 3), scored("dent", 2), scored("tear", 4)]
    assert threshold_trial.caught(photos, 2, defective=True) == "1 of 2 (50.0%)"
    assert threshold_trial.caught(photos, 0, defective=False) == "2 of 2 (100.0%)"
    assert threshold_trial.caught([], 0, defective=False) == "none of none"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--alpha", "0", "a false-alarm rate lies between 0 and 1"),
        ("--alpha", "1", "a false-alarm rate lies between 0 and 1"),
        ("--quantile", "1", "q: must be less than 1"),
        ("--mean-std", "21", "k: must be less than or equal to 20"),
        ("--value", "inf", "threshold: must be a finite number"),
    ],
)
def test_a_rule_of_a_wrong_value_is_told_in_words(
    models: Path, option: str, value: str, words: str
) -> None:
    result = call(models, "can", option, value)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert artifacts.versions(models / "can") == [version_number(1)]
