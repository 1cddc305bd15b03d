from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.commands.compare import main
from app.core.building.preset import load_preset
from app.core.evaluating.comparison import Comparison
from app.core.evaluating.damage.drawn import KINDS
from scripts.draw_example import draw_can
from tests.e2e.process import run_script
from tests.e2e.test_scripts import call, messages

SMALL = """
name = "small-patch"
description = "Lite0 patches at 96 px: small enough for a test"

[features]
backbone = "efficientnet_lite0"
layers = ["blocks.2"]
pooling = "patches"
preprocess = {{ input_size = 96, resize = "squash", mean = {mean}, std = {std} }}

[method]
kind = "knn"
coreset_ratio = 0.2

[scoring]
top_share = 0.02

[calibration]
folds = 2

[threshold]
rule = "quantile"
q = 0.9
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn cans, good and dented, and a second category of good ones alone."""
    folder = tmp_path_factory.mktemp("compare")
    for kind, first, n in (("train/good", 0, 8), ("test/good", 50, 4), ("test/d$nt_{$", 80, 4)):
        place = folder / "data" / "can" / kind
        place.mkdir(parents=True)
        for seed in range(first, first + n):
            can = draw_can(seed, damaged=kind.endswith("$")).resize((180, 240))
            can.save(place / f"{seed}.png")
    shutil.copytree(folder / "data/can/train", folder / "data/box/train")
    pixels = load_preset("embedded-knn").features.preprocess
    values = {"mean": list(pixels.mean), "std": list(pixels.std)}
    (folder / "small.toml").write_text(SMALL.format(**values))
    return folder


def arguments_for(root: Path, report: str, *more: str | Path) -> tuple[str | Path, ...]:
    return (
        "--data", root / "data", "--report", root / report, "--device", "cpu",
        "--preset", "embedded-knn", "--preset", root / "small.toml", *more,
    )  # fmt: skip


def compare(root: Path, report: str, *more: str | Path) -> tuple[int, str, str]:
    """In this process, whose networks are imported."""
    result = call(main, *arguments_for(root, report, *more))
    assert isinstance(result.exception, SystemExit | None)  # no traceback
    return result.exit_code, result.stdout, messages(result)


@pytest.mark.slow
def test_two_presets_are_compared_and_taken_the_second_time(root: Path) -> None:
    models = ("--models", root / "models")
    more = (*models, "--json", root / "figures.json")
    done = run_script("compare.py", *arguments_for(root, "first", *more))
    assert done.returncode == 0, done.stderr
    found = [Comparison.model_validate(o) for o in json.loads((root / "figures.json").read_text())]
    assert (root / "first" / "compare.json").read_text() == (root / "figures.json").read_text()
    box, can = found
    assert (box.category, box.n_good, box.n_defective) == ("box", 0, 0)
    assert (can.category, can.n_train, can.n_good, can.n_defective) == ("can", 8, 4, 4)
    for row in can.rows:
        assert row.evaluation
        assert row.evaluation.auroc > 0.5
        assert row.bank
        assert (root / "models" / row.preset / "can" / row.bank.version).is_dir()
    assert can.rows[1].difference
    assert " ".join(can.finding.sentence.split()) in " ".join(done.stdout.split())
    page = (root / "first" / "compare.html").read_text(encoding="utf-8")
    text = "".join(ElementTree.fromstring(page).itertext())
    assert can.finding.sentence in text
    assert "d$nt_{$" in text
    assert "accuracy needs labelled photos" in text  # of the box
    assert "data:image/jpeg" in page

    code, _, err = compare(root, "second", *models, "--category", "can")
    assert code == 0, err
    (again,) = json.loads((root / "second" / "compare.json").read_text())
    assert [row["bank"]["taken"] for row in again["rows"]] == [True, True]
    aurocs = [row["evaluation"]["auroc"] for row in again["rows"]]
    assert aurocs == [row.evaluation.auroc for row in can.rows if row.evaluation]


def test_without_labelled_defects_presets_are_compared_on_drawn_damage(root: Path) -> None:
    folder = root / "good only" / "can" / "train" / "good"
    folder.mkdir(parents=True)
    for seed in range(18):
        draw_can(seed).resize((180, 240)).save(folder / f"{seed}.png")
    code, out, err = compare(root, "drawn", "--data", root / "good only")
    assert code == 0, err
    (found,) = json.loads((root / "drawn" / "compare.json").read_text())
    assert found["drawn"]["damaged"] == 18
    assert (found["n_train"], found["n_good"], found["n_defective"]) == (12, 6, 18)
    for row in found["rows"]:
        assert row["fault"] is None
        assert 0 < row["evaluation"]["auroc_ci95"][0] < row["evaluation"]["auroc"]
        assert set(row["evaluation"]["per_defect"]) <= set(KINDS)
        assert (root / f"drawn/banks/{row['preset']}+drawn/can").is_dir()
    assert found["rows"][1]["evaluation"]["pixel_auroc"] > 0.5
    said = " ".join(err.split())
    assert "all figures are on drawn damage: 18 damages" in said
    assert "can (drawn damage)" in out
    assert "Drawn damage cannot say how real damage is found." in " ".join(out.split())
    page = (root / "drawn" / "compare.html").read_text(encoding="utf-8")
    text = " ".join("".join(ElementTree.fromstring(page).itertext()).split())
    assert "Drawn damage: no labelled defective photos are stored" in text
    assert "AUROC on drawn damage" in text


def test_a_preset_is_compared_with_several_looks(root: Path) -> None:
    """On stored defects; the rows say where each looks."""
    result = call(
        main, "--data", root / "data", "--category", "can", "--report", root / "looks",
        "--device", "cpu", "--preset", root / "small.toml",
        "--look", "whole", "--look", "learned", "--look", "auto", "--box", "0.1,0.1,0.9,0.9",
    )  # fmt: skip
    assert result.exit_code == 0, messages(result)
    (found,) = json.loads((root / "looks" / "compare.json").read_text())
    assert found["drawn"] is None
    names = ["small-patch", "small-patch, learned", "small-patch, auto", "small-patch, box"]
    assert [row["preset"] for row in found["rows"]] == names
    looks = [row["bank"]["look"] for row in found["rows"]]
    assert looks == ["whole", "learned", "whole", "box"]  # 8 photos are too few for a trial
    assert all(row["evaluation"]["n_defective"] == 4 for row in found["rows"])
    assert (root / "looks/banks/small-patch+learned/can").is_dir()
    page = (root / "looks" / "compare.html").read_text(encoding="utf-8")
    text = " ".join("".join(ElementTree.fromstring(page).itertext()).split())
    assert "small-patch, auto" in text
    assert "look: the look chosen by trial" in text
    assert "looks at" in text


def test_a_preset_without_weights_has_a_line_and_the_others_their_figures(root: Path) -> None:
    torn = root / "resnet18_torn.pth"
    torn.write_bytes(b"no weights")
    code, out, err = compare(
        root, "third", "--category", "can", "--limit", "6", "--alpha", "0.3",
        "--preset", "patch", "--weights", torn,
    )  # fmt: skip
    assert code == 1
    assert "not compared: patch on can" in err
    (found,) = json.loads((root / "third" / "compare.json").read_text())
    good, small, patch = found["rows"]
    assert "resnet18_torn.pth" in patch["fault"]
    assert good["evaluation"]
    assert small["bank"]["images"] == 6
    assert small["bank"]["alpha"] == 0.3
    assert "embedded-knn" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset", "best-knn"), "unknown preset 'best-knn'"),
        (("--preset", "embedded-knn"), "embedded-knn is given more than once"),
        (("--look", "box"), "a box look needs --box"),
        (("--mask", "gone.png"), "the mask gone.png cannot be read"),
        (("--category", "bottle"), "no category bottle"),
        (("--alpha", "0"), "lies between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_built(
    root: Path, arguments: tuple[str, str], words: str
) -> None:
    code, _, err = compare(root, "refused", *arguments)
    assert code == 1
    assert words in err
    assert not (root / "refused" / "banks").exists()


def test_a_report_that_cannot_be_written_is_told_at_once(root: Path) -> None:
    (root / "file").touch()
    code, _, err = compare(root, "file/report")
    assert code == 1
    assert "cannot write to" in err
