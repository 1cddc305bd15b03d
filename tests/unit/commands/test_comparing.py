from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.commands.banks_to_compare import RECIPE, take_or_build
from app.commands.compare import _tell
from app.commands.comparing import compare_category, limited
from app.commands.contenders import Contender
from app.commands.drawn_to_compare import DRAWN
from app.core.building.preset import Preset
from app.core.judging.calibration import Alpha, MeanStd, Rule
from app.core.methods.knn import KnnSettings
from app.core.methods.registry import MethodChoice
from app.core.photo.dataset import read_category
from app.core.store import artifact as artifacts
from app.reports.comparison_page import Compared, render
from scripts.draw_example import draw_can
from tests.support import METHOD, colour_extractor, encode, plain, write_category, write_photos

# Another method on the same features; it judges by the distance to five good photos.
FIVE = METHOD.model_copy(
    update={"name": "five", "method": MethodChoice(kind="knn", settings=KnnSettings(k=5))}
)
# More false alarms forbidden than ten photos can promise: its build fails.
GREEDY = METHOD.model_copy(update={"name": "greedy", "threshold": Alpha(alpha=0.001)})


def contender(preset: Preset) -> Contender:
    return Contender(preset, colour_extractor())


def quiet(_step: str, _done: int, _total: int) -> None:
    """No progress bar."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_category(tmp_path / "data")
    return tmp_path / "data"


def compared(data: Path, contenders: Sequence[Contender], rule: Rule | None = None) -> Compared:
    category = read_category(data, "can")
    return compare_category(category, contenders, rule, data.parent / "banks", quiet)


def test_each_preset_has_a_bank_an_evaluation_and_a_time(data: Path) -> None:
    found = compared(data, [contender(METHOD), contender(FIVE)]).comparison
    for row in found.rows:
        assert row.fault is None
        assert row.bank
        assert row.evaluation
        assert (row.bank.images, row.evaluation.n_good, row.evaluation.n_defective) == (10, 4, 3)
        assert row.evaluation.auroc == 1
        assert row.ms_per_photo
        assert row.ms_per_photo > 0
    assert [row.bank.taken for row in found.rows if row.bank] == [False, False]
    stored = artifacts.load(data.parent / "banks" / "five", "can")
    assert found.rows[1].bank
    assert stored.manifest.bank_version == found.rows[1].bank.version
    assert stored.manifest.bank_bytes == found.rows[1].bank.bytes


@pytest.mark.parametrize(
    "faulty", [Contender(GREEDY, None, "no weights"), contender(GREEDY)], ids=["network", "build"]
)
def test_a_faulty_preset_costs_no_other(data: Path, faulty: Contender) -> None:
    found = compared(data, [faulty, contender(METHOD), contender(FIVE)])
    first, *others = found.comparison.rows
    assert first.fault
    assert (first.bank, first.evaluation, first.ms_per_photo) == (None, None, None)
    assert all(row.fault is None and row.evaluation for row in others)
    assert found.comparison.reference == METHOD.name
    assert all(len(photo.tiles) == 2 for photo in found.shown)


def test_an_engine_that_breaks_while_judging_costs_no_other(data: Path) -> None:
    calls = 0

    def breaks() -> None:
        nonlocal calls
        calls += 1
        if calls > 4:  # the build's and the self-test's batches, then photos one by one
            raise RuntimeError("device lost")

    broken = Contender(FIVE, colour_extractor(before=breaks))
    first, second = compared(data, [broken, contender(METHOD)]).comparison.rows
    assert first.fault == "unforeseen: RuntimeError: device lost"
    assert first.bank
    assert first.evaluation is None
    assert second.evaluation


def test_without_defects_thresholds_and_false_alarms_are_left(data: Path) -> None:
    for kind in ("red_spot", "blue_spot"):
        (data / "can" / "test" / kind).rename(data / kind)
    found = compared(data, [contender(METHOD), contender(FIVE)])
    for row in found.comparison.rows:
        assert (row.fault, row.evaluation, row.difference) == (None, None, None)
        assert row.bank
        assert row.bank.threshold > 0
        assert row.false_alarms
        assert row.false_alarms.n_good == 4
        assert row.ms_per_photo


def test_with_training_photos_alone_banks_and_times_are_left(data: Path) -> None:
    (data / "can" / "test").rename(data / "elsewhere")
    found = compared(data, [contender(METHOD), contender(FIVE)])
    for row in found.comparison.rows:
        assert (row.fault, row.evaluation, row.false_alarms) == (None, None, None)
        assert row.bank
        assert row.ms_per_photo
    assert found.shown == ()


@pytest.fixture(scope="module")
def cans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good photos alone."""
    folder = tmp_path_factory.mktemp("cans") / "data"
    write_photos(folder / "can/train/good", [draw_can(n).resize((96, 128)) for n in range(18)])
    return folder


def test_without_defects_presets_are_tried_on_drawn_damage(cans: Path) -> None:
    found = compared(cans, [contender(METHOD), contender(FIVE)])
    figures = found.comparison
    assert figures.drawn
    assert (figures.drawn.learnt, figures.n_good, figures.n_defective) == (12, 6, 18)
    assert figures.remarks == (figures.drawn.sentence,)
    for row in figures.rows:
        assert row.bank
        assert row.bank.images == 12
        assert row.evaluation
        assert row.evaluation.remarks[0] == figures.drawn.sentence
        assert row.ms_per_photo
    assert figures.rows[1].difference
    first, second = found.outcomes
    assert [s.image for s in first.scored] == [s.image for s in second.scored]
    assert found.shown
    # What was drawn is gone with the work.
    assert not any(one.image.path.exists() for one in first.scored)


def test_banks_of_some_of_the_photos_lie_apart_and_are_taken_again(cans: Path) -> None:
    compared(cans, [contender(METHOD)])
    again = compared(cans, [contender(METHOD)]).comparison.rows[0]
    assert again.bank
    assert again.bank.taken
    banks = cans.parent / "banks"
    assert (banks / f"colour{DRAWN}" / "can" / again.bank.version).is_dir()
    assert not (banks / "colour").exists()

    write_photos(cans / "can/test/dent", [draw_can(50, damaged=True).resize((96, 128))])
    write_photos(cans / "can/test/good", [draw_can(51).resize((96, 128))])
    try:
        stored = compared(cans, [contender(METHOD)]).comparison
    finally:
        shutil.rmtree(cans / "can/test")
    assert (stored.drawn, stored.remarks, stored.n_train) == (None, (), 18)
    assert stored.rows[0].bank
    assert not stored.rows[0].bank.taken
    assert stored.rows[0].bank.images == 18


def test_a_promise_that_fewer_photos_cannot_carry_costs_no_comparison(cans: Path) -> None:
    row = compared(cans, [contender(GREEDY)]).comparison.rows[0]
    assert row.fault is None
    assert row.bank
    assert row.bank.alpha == pytest.approx(0.077)  # of 12 photos
    wide = compared(cans, [contender(GREEDY)], Alpha(alpha=0.2)).comparison.rows[0]
    assert wide.bank
    assert wide.bank.alpha == 0.2


def test_too_few_photos_to_draw_on_are_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "can" / "test").rename(data / "elsewhere")
    found = compared(data, [contender(METHOD)])
    assert found.comparison.drawn is None
    _tell([found], [])
    assert "15 different ones or more; here are 10" in " ".join(capsys.readouterr().err.split())


def test_a_rule_replaces_the_presets(data: Path) -> None:
    found = compared(data, [contender(METHOD), contender(FIVE)], Alpha(alpha=0.25))
    assert [row.bank.alpha for row in found.comparison.rows if row.bank] == [0.25, 0.25]


def test_the_same_again_takes_the_same_banks(data: Path) -> None:
    first, second = (compared(data, [contender(METHOD), contender(FIVE)]) for _ in range(2))
    for before, after in zip(first.comparison.rows, second.comparison.rows, strict=True):
        assert before.bank
        assert after.bank == before.bank.model_copy(update={"taken": True})
        assert before.evaluation
        assert after.evaluation
        assert after.evaluation.auroc == before.evaluation.auroc


def test_disputed_photos_carry_each_presets_verdict(data: Path) -> None:
    found = compared(data, [contender(METHOD), contender(FIVE)])
    scores = {o.preset: {s.image.path: s.score for s in o.scored} for o in found.outcomes}
    assert found.shown
    for photo in found.shown:
        assert [tile.preset for tile in photo.tiles] == ["colour", "five"]
        for tile in photo.tiles:
            assert tile.score == scores[tile.preset][photo.image.path]
            assert tile.is_anomalous is (tile.score > tile.threshold)
            assert tile.overlay is None  # a mean colour has no place


@pytest.mark.parametrize("limit", [None, 2, 100])
def test_a_limit_is_for_training_and_for_each_label(data: Path, limit: int | None) -> None:
    category = read_category(data, "can")
    found = limited(category, limit)
    bad = sum(image.is_defective for image in found.test)
    cut = limit or 100
    assert (len(found.train), bad, len(found.test) - bad) == (
        min(10, cut),
        min(3, cut),
        min(4, cut),
    )
    assert set(found.test) <= set(category.test)


def taken(data: Path, preset: Preset = METHOD, rule: Rule | None = None) -> bool:
    category = read_category(data, "can")
    models = data.parent / "models"
    detector, there = take_or_build(models, category, preset, colour_extractor(), rule, quiet)
    assert detector.manifest.bank_version == artifacts.current_version(models / "can")
    return there


def test_a_bank_is_taken_only_where_it_fits(data: Path) -> None:
    assert [taken(data), taken(data)] == [False, True]
    other = METHOD.model_copy(update={"method": FIVE.method})  # same name, another content
    assert [taken(data, other), taken(data, other), taken(data)] == [False, True, False]
    assert [taken(data, rule=MeanStd(k=2)), taken(data, rule=MeanStd(k=2))] == [False, True]
    assert [taken(data), taken(data)] == [False, True]
    (data / "can" / "train" / "good" / "more.png").write_bytes(encode(plain(117)))
    assert [taken(data), taken(data)] == [False, True]


def test_weights_and_engine_decide_whether_a_bank_fits(data: Path) -> None:
    category, models = read_category(data, "can"), data.parent / "models"
    assert not taken(data)
    extractor = colour_extractor()
    extractor.spec = extractor.spec.model_copy(update={"weights_sha256": "1" * 64})
    _, there = take_or_build(models, category, METHOD, extractor, None, quiet)
    assert not there


def test_a_damaged_bank_is_built_again(data: Path) -> None:
    assert not taken(data)
    folder = data.parent / "models" / "can"
    bank = folder / artifacts.current_version(folder) / artifacts.BANK
    os.truncate(bank, bank.stat().st_size - 10)
    assert [taken(data), taken(data)] == [False, True]
    (folder / RECIPE).write_text("{")
    assert [taken(data), taken(data)] == [False, True]


def test_a_broken_training_file_does_not_keep_a_bank_from_being_taken(data: Path) -> None:
    for index in range(20):  # few enough among these to be accepted
        colour = plain(100 + index)
        (data / "can" / "train" / "good" / f"extra_{index}.png").write_bytes(encode(colour))
    (data / "can" / "train" / "good" / "broken.png").write_bytes(b"no image")
    assert [taken(data), taken(data)] == [False, True]


def test_outcomes_say_which_photos_were_scored(data: Path) -> None:
    (data / "can" / "test" / "good" / "broken.png").write_bytes(b"no image")
    found = compared(data, [contender(METHOD), replace(contender(FIVE))])
    assert [len(o.scored) for o in found.outcomes] == [7, 7]
    assert found.comparison.rows[0].evaluation
    assert found.comparison.rows[0].evaluation.n_unreadable == 1


def test_copies_are_told_in_the_terminal_and_on_the_page(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(data, [contender(METHOD)]).comparison.copies_remark == ""
    folder = data / "can/train/good"
    for path in sorted(folder.iterdir())[:3]:
        (folder / f"{path.stem} (1).png").write_bytes(path.read_bytes())
    found = compared(data, [contender(METHOD)])
    assert "10 different of 13 training photos" in render([found], {METHOD.name: ""})
    _tell([found], [])
    assert "can: copies count once: 10 different of 13 training photos" in capsys.readouterr().err
