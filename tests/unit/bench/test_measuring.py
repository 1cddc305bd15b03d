"""The benches' arithmetic: rounds, tables, draws, and what they read from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.evaluating.metrics import auroc
from app.core.photo.dataset import LabelledImage
from bench import plots, tables
from bench.banks import agreement
from bench.build import STEPS, Steps
from bench.latency import accuracy, balanced
from bench.machine import RESULTS, Run, cpu, resident_bytes
from bench.page import render
from bench.precision import difference_interval, pairs_in_order
from bench.rounds import Spread, in_turn, ratio, spread, timed
from bench.service import Answers, summary
from bench.stock import draw, jpeg
from tests.support import textured

WRK = """\
Running 1s test @ http://127.0.0.1:1/score/can
  2 threads and 2 connections
answer 200 0.010000 100.0
answer 200 0.030000 100.5
answer 429 0.001000 100.6
answer 200 0.020000 101.0
lost 1
"""


def test_contenders_take_turns_and_the_first_calls_do_not_count() -> None:
    asked = []

    def contender(name: str, ms: float) -> object:
        def turn(calls: int) -> list[float]:
            asked.append(name)
            return [99.0] + [ms] * (calls - 1)

        return turn

    found = in_turn({"a": contender("a", 1.0), "b": contender("b", 3.0)}, 2, 3)  # type: ignore[dict-item]
    assert asked == ["a", "b"] * 3  # a round to warm up, and two
    assert found == {"a": [[1.0] * 3] * 2, "b": [[3.0] * 3] * 2}
    assert ratio(found["b"], found["a"]) == {"median": 3.0, "q1": 3.0, "q3": 3.0, "n": 2}


def test_a_ratio_is_taken_within_a_round() -> None:
    """The machine was twice as slow in the second round: the ratio does not see it."""
    assert ratio([[2.0], [4.0]], [[1.0], [2.0]])["q3"] == 2.0


def test_a_spread_is_of_all_calls() -> None:
    assert Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0, 5)
    assert spread([[1.0, 2.0], [3.0]])["median"] == 2.0


def test_a_timed_function_is_called_as_often_as_asked() -> None:
    calls: list[int] = []
    times = timed(lambda: calls.append(1))(3)
    assert len(times) == len(calls) == 3
    assert min(times) >= 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.1234, "0.123"),
        (0.9996, "1.00"),
        (12.34, "12.3"),
        (99.96, "100"),
        (1234.5, "1,234"),
    ],
)
def test_numbers_keep_three_digits(value: float, text: str) -> None:
    assert tables.number(value) == text


def test_bytes_are_written_for_people() -> None:
    assert [tables.size(n) for n in (12, 1500, 31e6, 2.5e9)] == [
        "12 B", "1.50 kB", "31.0 MB", "2.50 GB",
    ]  # fmt: skip


def test_a_table_is_markdown() -> None:
    assert tables.table(("a", "b"), [["x", "1"]]) == ["| a | b |", "| --- | ---: |", "| x | 1 |"]


def test_the_processor_is_read_from_its_own_words() -> None:
    text = (
        "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\n"
    )
    assert cpu(text) == ("Some CPU", ["avx2", "amx_bf16"])
    assert cpu("") == ("unknown", [])


def test_a_run_writes_the_machine_but_no_path_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.machine.set_threads", lambda threads: threads)
    file = Run("x", tmp_path, 1, quick=True).write({"rows": []})
    found = json.loads(file.read_text())
    assert found["rows"] == []
    assert found["machine"]["quick"] is True
    assert found["machine"]["threads"] == 1
    assert found["machine"]["cores_busy_by_others"] >= 0
    assert str(Path.home()) not in file.read_text()
    assert str(tmp_path) not in file.read_text()
    assert resident_bytes() > 1 << 20


def test_patches_are_drawn_once_each_and_as_the_peer_draws_them() -> None:
    everything = np.arange(60, dtype=np.float32).reshape(30, 2)
    photos = [everything[:8], everything[8:9], everything[9:30]]
    drawn = draw(photos, 12)
    assert len(np.unique(drawn[:, 0])) == 12
    theirs = np.random.default_rng(0).choice(30, 12, replace=False)
    assert np.array_equal(drawn, everything[np.sort(theirs)])
    assert np.array_equal(draw(photos, 30), everything)


def test_photos_are_brought_to_a_size_as_jpeg(tmp_path: Path) -> None:
    textured(30, 20).save(tmp_path / "p.png")
    data = jpeg(tmp_path / "p.png", (64, 48))
    (tmp_path / "p.jpg").write_bytes(data)
    with Image.open(tmp_path / "p.jpg") as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (64, 48), "RGB")
    assert data == jpeg(tmp_path / "p.png", (64, 48))


def labelled(good: int, defective: int) -> list[LabelledImage]:
    names = ["good"] * good + ["dent"] * defective
    return [LabelledImage(Path(f"{n}.png"), name, None) for n, name in enumerate(names)]


def test_half_of_the_judged_photos_are_good_where_there_are_so_many() -> None:
    chosen = balanced(labelled(10, 3), 8)
    assert [image.is_defective for image in chosen] == [False] * 4 + [True] * 3


def test_accuracy_is_of_each_contender() -> None:
    test = labelled(2, 2)
    scores = {"a": np.array([1.0, 2.0, 3.0, 4.0]), "b": np.array([1.0, 3.0, 2.0, 4.0])}
    found = accuracy(scores, test)
    assert (found["n_good"], found["n_defective"]) == (2, 2)
    assert [row["auroc"] for row in found["rows"]] == [1.0, 0.75]


def test_wrk_is_read_by_status() -> None:
    answers = Answers.read(WRK)
    assert answers.served() == [10.0, 30.0, 20.0]
    assert answers.per_second() == 2.0  # three in a second: two intervals
    found = summary([answers])
    assert (found["requests"], found["failed"], found["p50_ms"]) == (4, 1, 20.0)
    assert found["refused"] == 0.25


def test_one_answer_has_no_rate() -> None:
    assert Answers.read("answer 200 0.01 5.0\nlost 0\n").per_second() == 0.0


def test_a_builds_steps_end_where_the_next_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 2.0, 5.0, 6.0, 9.0])
    monkeypatch.setattr("bench.build.time.perf_counter", lambda: next(times))
    steps = Steps()
    for step in ("embed", "embed", "coreset", "calibration"):
        steps.report(step, 0, 1)
    assert steps.seconds() == dict(zip(STEPS, (2.0, 3.0, 1.0, 3.0), strict=True))


def test_equal_scores_agree() -> None:
    scores = np.array([1.0, 1.0, 1.0])
    assert agreement(scores, scores)["rank_correlation"] == 1.0
    found = agreement(np.array([1.0, 3.3, 2.0]), np.array([1.0, 3.0, 2.0]))
    assert found["rank_correlation"] == 1.0
    assert found["largest_deviation"] == pytest.approx(0.1)


def test_pairs_in_order_average_to_auroc() -> None:
    scores, labels = np.array([1.0, 2.0, 2.0, 3.0, 0.5]), np.array([False, False, True, True, True])
    wanted = auroc(scores[~labels], scores[labels])
    assert pairs_in_order(scores, labels).mean() == pytest.approx(wanted)
    assert difference_interval(scores, scores, labels) == [0.0, 0.0]


def test_the_page_is_made_of_what_there_is(tmp_path: Path) -> None:
    """Of the figures in the repository, without touching them."""
    folder = tmp_path / "results"
    folder.mkdir()
    for file in RESULTS.glob("*.json"):
        (folder / file.name).write_bytes(file.read_bytes())
    page = render(folder, tmp_path)
    drawn = {picture.stem for picture in folder.glob("*.png")}
    wanted = {
        name
        for stem, names in plots.PLOTS.items()
        for name in names
        if (folder / f"{stem}.json").is_file()
    }
    assert drawn == wanted
    assert all(f"(results/{name}.png)" in page for name in drawn)
    assert "## Coreset" in page
    assert render(tmp_path / "nothing", tmp_path).startswith("# What was measured")
