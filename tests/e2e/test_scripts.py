from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from app.core.building.preset import preset_names
from app.core.photo.dataset import list_categories, read_category
from app.core.store import artifact as artifacts
from scripts import build_bank, evaluate, prepare_elpv, set_threshold
from tests.e2e.conftest import N_TEST, Elpv
from tests.e2e.process import Server
from tests.support import GREYS, bank_of, encode, make_artifact, plain, textured, write_photos
from tests.unit.core.evaluating.test_evaluation import AT_THRESHOLD, PROMISED

KINDS = ("hist", "good_defect_pair", "roc", "confusion", "tsne")
# What an evaluation object holds beyond what is promised.
MORE = {"preset", "engine", "evaluated_at", "n_unreadable", "threshold", "f1_max"} | {
    "remarks",
    "n_unusable_masks",
    "n_small_marks",
}


def call(main: Callable[..., None], *arguments: str | Path) -> Result:
    """Run a script's command in this process."""
    program = typer.Typer()
    program.command()(main)
    return CliRunner().invoke(program, list(map(str, arguments)))


def messages(result: Result) -> str:
    return " ".join(result.stderr.split())


def build(data: Path, models: Path, *arguments: str | Path) -> Result:
    return call(
        build_bank.main,
        *("--data", data, "--models", models, "--preset", "embedded-knn", "--device", "cpu"),
        *arguments,
    )


@dataclass(frozen=True)
class Evaluated:
    """What one run of the evaluation script left."""

    result: Result
    report: Path
    objects: list[dict[str, Any]]


@pytest.fixture(scope="module")
def evaluated(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    folder = tmp_path_factory.mktemp("evaluated")
    result = call(
        evaluate.main,
        *("--data", elpv.few, "--models", elpv.models, "--device", "cpu"),
        *("--report", folder / "report", "--json", folder / "figures.json"),
    )
    assert result.exit_code == 0, result.stderr
    return Evaluated(result, folder / "report", json.loads((folder / "figures.json").read_text()))


def test_evaluate_writes_one_object_per_category(evaluated: Evaluated) -> None:
    assert [e["category"] for e in evaluated.objects] == ["elpv_mono", "elpv_poly"]


@pytest.mark.parametrize("index", [0, 1])
def test_an_object_holds_what_is_promised_and_no_surprises(
    evaluated: Evaluated, index: int
) -> None:
    found = evaluated.objects[index]
    assert set(found) == PROMISED | MORE
    assert found["engine"].endswith(" float32")  # Lite0 is not served in less
    assert set(found["at_threshold"]) == AT_THRESHOLD | {"false_alarm_rate_ci95"}
    assert set(found["per_defect"]) == {"defective"}
    assert set(found["per_defect"]["defective"]) == {"n", "auroc", "recall"}


def test_figures_are_of_the_photos_there_are(evaluated: Evaluated) -> None:
    for found in evaluated.objects:
        point = found["at_threshold"]
        assert (found["n_good"], found["n_defective"]) == (N_TEST, N_TEST)
        assert point["tp"] + point["fn"] == point["fp"] + point["tn"] == N_TEST
        assert found["auroc_ci95"][0] <= found["auroc"] <= found["auroc_ci95"][1]


def test_evaluate_prints_its_table(evaluated: Evaluated) -> None:
    assert "elpv_mono" in evaluated.result.stdout
    assert f"{evaluated.objects[0]['auroc']:.3f}" in evaluated.result.stdout


@pytest.mark.parametrize("category", ["elpv_mono", "elpv_poly"])
@pytest.mark.parametrize("kind", KINDS)
def test_evaluate_draws_five_pictures(evaluated: Evaluated, category: str, kind: str) -> None:
    with Image.open(evaluated.report / f"{category}_{kind}.png") as picture:
        picture.load()
        assert min(picture.size) > 300


def test_evaluate_writes_a_summary_of_both(evaluated: Evaluated) -> None:
    text = (evaluated.report / "summary.md").read_text()
    assert "## elpv_mono" in text
    assert "## elpv_poly" in text


def test_service_and_script_give_the_same_figures(server: Server, evaluated: Evaluated) -> None:
    answer: httpx.Response = server.client.post("/evaluate/elpv_poly", params={"wait": "true"})
    assert answer.status_code == 200
    expected = evaluated.objects[1]
    for figure in ("auroc", "average_precision", "threshold", "bank_version"):
        assert answer.json()[figure] == expected[figure]
    assert answer.json()["at_threshold"] == expected["at_threshold"]


def test_evaluate_without_banks_says_what_to_do(elpv: Elpv, tmp_path: Path) -> None:
    result = call(evaluate.main, "--data", elpv.few, "--models", tmp_path)
    assert result.exit_code == 1
    assert "`goodsguard build`" in messages(result)


def test_evaluate_of_a_category_without_a_split_fails_and_does_the_others(
    elpv: Elpv, tmp_path: Path
) -> None:
    (tmp_path / "elpv_mono" / "test" / "good").mkdir(parents=True)
    (tmp_path / "elpv_poly").symlink_to(elpv.few / "elpv_poly")
    target = tmp_path / "out.json"
    result = call(
        evaluate.main,
        *("--data", tmp_path, "--models", elpv.models, "--json", target, "--device", "cpu"),
    )
    assert result.exit_code == 1
    assert "not evaluated: elpv_mono" in messages(result)
    assert [e["category"] for e in json.loads(target.read_text())] == ["elpv_poly"]


@pytest.mark.parametrize("option", ["--report", "--json"])
def test_figures_that_cannot_be_written_are_printed(
    elpv: Elpv, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").touch()
    result = call(
        evaluate.main,
        *("--data", elpv.few, "--models", elpv.models, "--category", "elpv_mono"),
        *(option, tmp_path / "file" / "figures"),
    )
    assert result.exit_code == 1
    assert "elpv_mono" in result.stdout  # the table
    assert "not written" in messages(result)
    assert isinstance(result.exception, SystemExit)  # no traceback


def test_evaluate_of_an_unknown_category_names_those_there_are(elpv: Elpv) -> None:
    result = call(
        evaluate.main, "--data", elpv.few, "--models", elpv.models, "--category", "bottle"
    )
    assert result.exit_code == 1
    assert "elpv_mono, elpv_poly" in messages(result)


def test_an_unknown_preset_names_those_there_are(elpv: Elpv, tmp_path: Path) -> None:
    result = build(elpv.data, tmp_path, "--preset", "best-knn")
    assert result.exit_code == 1
    assert all(name in messages(result) for name in preset_names())


@pytest.mark.parametrize("there", [True, False])
def test_an_empty_or_missing_folder_is_an_error(tmp_path: Path, there: bool) -> None:
    result = build(tmp_path if there else tmp_path / "absent", tmp_path / "models")
    assert result.exit_code == 1
    assert messages(result).startswith("error: no ")


def test_a_category_without_images_is_not_built_and_the_others_are(tmp_path: Path) -> None:
    write_photos(tmp_path / "data" / "can" / "train" / "good", [plain(g) for g in GREYS])
    (tmp_path / "data" / "box" / "train" / "good").mkdir(parents=True)
    result = build(tmp_path / "data", tmp_path / "models")
    assert result.exit_code == 1
    assert "box: no images" in messages(result)
    assert "not built: box" in messages(result)
    assert bank_of(artifacts.load(tmp_path / "models", "can")).dimensions == 1280


@pytest.fixture
def one_in_ten_broken(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "can" / "train" / "good"
    write_photos(folder, [textured(40 + i, 40) for i in range(9)])
    (folder / "broken.png").write_bytes(b"no image")
    return tmp_path / "data"


def test_too_many_unreadable_files_stop_the_build(one_in_ten_broken: Path, tmp_path: Path) -> None:
    result = build(one_in_ten_broken, tmp_path / "models")
    assert result.exit_code == 1
    assert "1 of 10" in messages(result)
    assert "broken.png" in messages(result)
    assert "--max-unreadable" in messages(result)
    assert not (tmp_path / "models" / "can").exists()


def test_more_unreadable_files_can_be_accepted(one_in_ten_broken: Path, tmp_path: Path) -> None:
    result = build(one_in_ten_broken, tmp_path / "models", "--max-unreadable", "0.1")
    assert result.exit_code == 0, result.stderr
    assert "skipped" in messages(result)
    assert artifacts.load(tmp_path / "models", "can").manifest.counts.unreadable == 1


@pytest.mark.parametrize(
    "arguments",
    [("--limit", "1"), ("--max-unreadable", "2"), ("--threads", "-1"), ("--colour", "red")],
)
def test_arguments_that_make_no_sense_are_a_usage_error(
    elpv: Elpv, tmp_path: Path, arguments: tuple[str, str]
) -> None:
    result = build(elpv.data, tmp_path, *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_weights_that_are_not_there_are_an_error(elpv: Elpv, tmp_path: Path) -> None:
    result = build(elpv.data, tmp_path, "--weights", tmp_path / "absent.pth")
    assert result.exit_code == 1
    assert "no weights file" in messages(result)


def test_a_models_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    write_photos(tmp_path / "data" / "can" / "train" / "good", [plain(g) for g in GREYS])
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "can").write_text("in the way")
    result = build(tmp_path / "data", tmp_path / "models")
    assert result.exit_code == 1
    assert "cannot write the bank" in messages(result)
    # That the folder itself is none is told before the work.
    result = build(tmp_path / "data", tmp_path / "models" / "can")
    assert result.exit_code == 1
    assert "is a file, not the folder of the banks" in messages(result)


def test_a_second_build_serves_and_keeps_the_first(tmp_path: Path) -> None:
    write_photos(tmp_path / "data" / "can" / "train" / "good", [plain(g) for g in GREYS])
    versions = []
    for _ in range(2):
        assert build(tmp_path / "data", tmp_path / "models").exit_code == 0
        versions.append(artifacts.current_version(tmp_path / "models" / "can"))
    assert artifacts.versions(tmp_path / "models" / "can") == sorted(versions)
    first, second = (artifacts.load(tmp_path / "models", "can", v) for v in versions)
    assert (bank_of(first).vectors == bank_of(second).vectors).all()


@pytest.mark.parametrize("alpha", ["0", "1", "0.5"])
def test_a_promise_of_all_or_nothing_is_refused_without_a_traceback(
    tmp_path: Path, alpha: str
) -> None:
    write_photos(tmp_path / "data" / "can" / "train" / "good", [plain(g) for g in GREYS])
    result = build(tmp_path / "data", tmp_path / "models", "--alpha", alpha)
    assert isinstance(result.exception, SystemExit | None)
    assert (result.exit_code == 0) is (alpha == "0.5")


def test_a_promise_that_so_few_photos_cannot_carry_is_refused(tmp_path: Path) -> None:
    write_photos(tmp_path / "data" / "can" / "train" / "good", [plain(g) for g in GREYS])
    result = build(tmp_path / "data", tmp_path / "models", "--alpha", "0.01")
    assert result.exit_code == 1
    assert "until there are 99" in messages(result)
    assert not (tmp_path / "models" / "can").exists()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    artifacts.save(tmp_path / "models", make_artifact(scores=[i / 100 for i in range(1, 20)]))
    return tmp_path / "models"


@pytest.mark.parametrize(
    ("arguments", "value", "alpha"),
    [
        (("--value", "0.5"), 0.5, 1 / 20),
        (("--alpha", "0.1"), 0.18, 0.1),
        (("--quantile", "0.5"), 0.1, 0.5),
        (("--mean-std", "0"), 0.1, 0.5),
    ],
)
def test_set_threshold_makes_a_new_version_of_the_same_bank(
    stored: Path, arguments: tuple[str, str], value: float, alpha: float
) -> None:
    before = artifacts.load(stored, "can")
    result = call(set_threshold.main, "--category", "can", "--models", stored, *arguments)
    assert result.exit_code == 0, result.stderr
    assert "running service takes it up" in result.stdout
    after = artifacts.load(stored, "can")
    assert after.manifest.threshold.value == pytest.approx(value)
    assert after.calibration.alpha == pytest.approx(alpha)
    assert (bank_of(after).vectors == bank_of(before).vectors).all()
    assert before.manifest.bank_version in artifacts.versions(stored / "can")
    assert after.manifest.bank_version != before.manifest.bank_version


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--value", "0.5", "--alpha", "0.1"),
        ("--alpha", "0.01"),
        ("--alpha", "0"),
        ("--quantile", "1"),
    ],
)
def test_set_threshold_refuses_what_makes_no_sense_and_changes_nothing(
    stored: Path, arguments: tuple[str, ...]
) -> None:
    before = artifacts.current_version(stored / "can")
    result = call(set_threshold.main, "--category", "can", "--models", stored, *arguments)
    assert result.exit_code == 1
    assert "error:" in result.stderr
    assert artifacts.current_version(stored / "can") == before


def test_set_threshold_of_an_unknown_category_is_an_error(tmp_path: Path) -> None:
    result = call(set_threshold.main, "--category", "can", "--models", tmp_path, "--value", "0.5")
    assert result.exit_code == 1
    assert "can" in messages(result)


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    return {
        str(p.relative_to(folder)): (
            p.lstat().st_ino,
            p.lstat().st_mtime_ns,
            str(p.readlink()) if p.is_symlink() else "",
        )
        for p in folder.rglob("*")
    }


def test_prepare_elpv_twice_changes_nothing(elpv: Elpv) -> None:
    before = snapshot(elpv.data)
    result = call(prepare_elpv.main, "--out", elpv.data)
    assert result.exit_code == 0
    assert snapshot(elpv.data) == before


def test_prepare_elpv_follows_its_protocol(elpv: Elpv) -> None:
    assert list_categories(elpv.data) == ["elpv_mono", "elpv_poly"]
    counts = {}
    for name in list_categories(elpv.data):
        category = read_category(elpv.data, name)
        defective = sum(image.is_defective for image in category.test)
        counts[name] = (len(category.train), len(category.test) - defective, defective)
    assert counts == {"elpv_mono": (349, 239, 313), "elpv_poly": (568, 352, 402)}


def test_no_photo_is_both_for_training_and_for_testing(elpv: Elpv) -> None:
    for name in list_categories(elpv.data):
        category = read_category(elpv.data, name)
        assert {p.name for p in category.train} & {i.path.name for i in category.test} == set()


@pytest.mark.parametrize(
    ("probability", "folder"),
    [(1.0, "test/defective"), (1 / 3, None), (2 / 3, None), (0.3333333333333333, None)],
)
def test_only_certain_labels_are_used(probability: float, folder: str | None) -> None:
    assert prepare_elpv.destination("cell0001.png", probability) == folder


def test_a_copy_replaces_a_link_and_a_link_a_copy(tmp_path: Path) -> None:
    source, target = tmp_path / "source.png", tmp_path / "out" / "photo.png"
    source.write_bytes(encode(plain(9)))
    for copy in (False, True, False):
        prepare_elpv.put(source, target, copy=copy)
        assert target.is_symlink() is not copy
        assert target.read_bytes() == source.read_bytes()


def test_a_broken_link_is_put_right(tmp_path: Path) -> None:
    source, target = tmp_path / "source.png", tmp_path / "out" / "photo.png"
    source.write_bytes(encode(plain(9)))
    target.parent.mkdir()
    target.symlink_to("nowhere.png")
    prepare_elpv.put(source, target, copy=False)
    assert target.read_bytes() == source.read_bytes()
