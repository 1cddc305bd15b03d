from __future__ import annotations

from pathlib import Path

from app.core.evaluating.evaluation import evaluate
from app.core.evaluating.leaks import in_both, remark
from app.core.photo.dataset import read_test_split
from app.reports import pictures
from tests.support import make_detector, write_category


def test_files_of_equal_bytes_are_found_whatever_their_names(tmp_path: Path) -> None:
    texts = {"train_a": b"1234", "train_b": b"12", "test_a": b"1234", "test_b": b"4321", "c": b""}
    for name, data in texts.items():
        (tmp_path / name).write_bytes(data)
    train = [tmp_path / name for name in ("train_a", "train_b", "c", "absent")]
    test = [tmp_path / name for name in ("test_b", "test_a", "c", "absent", "other")]
    assert in_both(train, test) == [tmp_path / "test_a"]
    assert in_both([], test) == []


def test_an_evaluation_tells_photos_that_were_learnt_from(tmp_path: Path) -> None:
    folder = write_category(tmp_path)
    learnt = sorted((folder / "train/good").iterdir())
    for i in range(4):
        (folder / f"test/good/again_{i}.png").write_bytes(learnt[i].read_bytes())
    detector = make_detector(threshold=0.3)
    split = read_test_split(tmp_path, "can")
    run = evaluate(split, detector.manifest, detector.inspect)
    assert len(run.leaked) == 4
    told = [text for text in run.evaluation.remarks if "train/good, too" in text]
    assert told == [
        "4 of 11 test photos lie in train/good, too, and flatter the figures: good/again_0.png, "
        "good/again_1.png, good/again_2.png and 1 more. Take them out of one of the two folders"
    ]
    example = pictures.pair(run).axes[0].get_title("left")
    assert "photo_" in example
    assert "again_" not in example


def test_without_such_photos_nothing_is_said(tmp_path: Path) -> None:
    write_category(tmp_path)
    detector = make_detector(threshold=0.3)
    run = evaluate(read_test_split(tmp_path, "can"), detector.manifest, detector.inspect)
    assert not run.leaked
    assert not any("train/good, too" in text for text in run.evaluation.remarks)
    assert remark([], 7) == ""
