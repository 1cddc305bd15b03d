from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import UnknownCategory
from app.core.store import artifact as artifacts
from app.core.store.whereabouts import misplaced, public_reason, why_no_bank
from tests.support import make_artifact, version_number

VERSION = version_number(1)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    artifacts.save(tmp_path / "srv" / "models", make_artifact(version=VERSION))
    (tmp_path / "srv" / "file").write_text("")
    (tmp_path / "srv" / "empty").mkdir()
    return tmp_path / "srv" / "models"


WRONG = [
    ("modles", "the folder {given} does not exist"),
    ("no/modles", "the folder {given} does not exist, nor does {srv}/no"),
    ("file", "{given} is a file, not the folder of the banks"),
    ("models/can", "{given} is one category's folder; the banks lie one level up, in {models}"),
    (f"models/can/{VERSION}", "{given} is one version of a bank; the banks lie two levels up, in"),
    (".", "the banks lie one level down, in {models}, not in {given}"),
    ("empty", "no bank is stored in {given}; build one with `goodsguard build`"),
]


@pytest.mark.parametrize(("given", "told"), WRONG)
def test_it_says_where_the_banks_lie(models: Path, given: str, told: str) -> None:
    folder = models.parent / given
    told = told.format(given=folder, srv=models.parent, models=models)
    assert (why_no_bank(folder) or "").startswith(told)
    with pytest.raises(UnknownCategory) as caught:
        artifacts.load(folder, "jar")
    assert str(caught.value).startswith(f"no bank is stored for jar: {told}")
    assert caught.value.public == "no bank is stored for jar"


@pytest.mark.parametrize("given", [given for given, _ in WRONG])
def test_strangers_are_told_no_path(models: Path, given: str) -> None:
    folder = models.parent / given
    reason = public_reason(folder)
    assert reason.startswith("no bank is stored")
    assert (given == "empty") == ("GOODSGUARD_MODELS_DIR" not in reason)
    assert str(models.parent) not in reason


def test_where_banks_are_stored_nothing_is_said(models: Path) -> None:
    assert why_no_bank(models) is None
    assert misplaced(models) is None
    assert misplaced(models.parent / "new") is None


@pytest.mark.parametrize("given", ["file", "models/can", f"models/can/{VERSION}"])
def test_nothing_is_to_be_stored_below_a_category(models: Path, given: str) -> None:
    assert misplaced(models.parent / given)


def test_a_relative_folder_is_told_with_the_place_it_means(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models.parent)
    assert why_no_bank(Path("modles")) == (
        f"the folder modles ({models.parent / 'modles'}) does not exist"
    )
