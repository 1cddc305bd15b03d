"""What the bank of an explored category looks at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from app.commands import explore
from app.core.errors import ArtifactError
from app.core.store import artifact as artifacts
from app.reports.exploration_look import look_of_bank
from tests.support import plain, write_photos
from tests.unit.reports.test_look_pictures import built


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two categories, one of them with a bank that looks at a box."""
    build, _ = built(tmp_path / "data")
    artifacts.save(tmp_path / "models", build.artifact)
    write_photos(tmp_path / "data/box/train/good", [plain(n) for n in range(100, 110)])
    return tmp_path


def run(root: Path, *more: str) -> tuple[int, str]:
    program = typer.Typer()
    program.command()(explore.main)
    given = ["--data", str(root / "data"), "--report", str(root / "report"), *more]
    result = CliRunner().invoke(program, given)
    return result.exit_code, " ".join(result.stderr.split())


def page(root: Path) -> str:
    return (root / "report/explore.md").read_text(encoding="utf-8")


def test_a_bank_that_is_stored_is_shown_and_no_other(root: Path) -> None:
    code, err = run(root, "--models", str(root / "models"))
    assert code == 0, err
    box, can = page(root).split("## can")
    version = artifacts.current_version(root / "models/can")
    assert f"- what is judged, by the bank {version} (preset " in can
    assert "a box is looked at, 25% of the photo" in can
    assert "![can_look](can_look.png)" in can
    with Image.open(root / "report/can_look.png") as picture:
        picture.load()
    assert "look" not in box
    assert not (root / "report/box_look.png").exists()


def test_without_models_nothing_of_the_kind_is_shown(root: Path) -> None:
    assert run(root)[0] == 0
    assert "looked at" not in page(root)
    assert not list((root / "report").glob("*_look.png"))


def test_a_folder_without_banks_is_told_and_costs_nothing(root: Path) -> None:
    code, err = run(root, "--models", str(root / "no models"))
    assert code == 0
    assert "no models does not exist" in err
    assert "## can" in page(root)


def test_a_bank_that_cannot_be_used_costs_its_picture_alone(root: Path) -> None:
    folder = root / "models/can"
    bank = folder / artifacts.current_version(folder) / artifacts.BANK
    os.truncate(bank, bank.stat().st_size - 10)
    with pytest.raises(ArtifactError):
        look_of_bank(root / "models", "can", [])
    code, err = run(root, "--models", str(root / "models"))
    assert code == 1
    assert "can: what its bank looks at is not shown: " in err
    assert "can_explore" in page(root)
    assert "looked at" not in page(root)


def test_only_photos_that_can_be_read_are_shown(root: Path) -> None:
    bank = look_of_bank(root / "models", "can", [root / "gone.png"])
    assert bank is not None
    assert bank.sentence.endswith(": box")
    assert look_of_bank(root / "models", "box", []) is None
