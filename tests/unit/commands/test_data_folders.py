"""Each command over several categories: whatever is wrong with one, the others are done."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from app.commands import build, evaluate, explore
from app.core.building import preset as presets
from app.core.features.extractor import FeatureExtractor
from app.reports import pictures
from tests.support import METHOD, colour_extractor, encode, plain, write_category

if sys.platform in ("darwin", "win32"):
    pytest.skip("names are Unicode there", allow_module_level=True)

LATIN_1 = os.fsdecode(b"M\xfcller\n.png")


def run(module: ModuleType, *arguments: str | Path) -> tuple[int, str]:
    program = typer.Typer()
    program.command()(module.main)
    result = CliRunner().invoke(program, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three categories, in a folder of its own; the network is that of the mean colour."""
    monkeypatch.setattr(presets, "load_preset", lambda _: METHOD)
    monkeypatch.setattr(FeatureExtractor, "load", lambda spec, *_: colour_extractor(spec))
    root = tmp_path / "data"
    for name in ("a_first", "Second Can", "third"):
        write_category(root, name)
    return root


def built(data: Path, *more: str) -> tuple[int, str]:
    return run(build, "--data", data, "--models", data.parent / "models", *more)


def evaluated(data: Path, *more: str | Path) -> tuple[int, str]:
    return run(evaluate, "--data", data, "--models", data.parent / "models", *more)


def explored(data: Path) -> tuple[int, str]:
    return run(explore, "--data", data, "--report", data.parent / "report")


def stored(data: Path) -> set[str]:
    return {path.name for path in (data.parent / "models").iterdir()}


def test_a_folder_under_a_made_name_goes_through_all_commands(data: Path) -> None:
    code, text = built(data)
    assert (code, stored(data)) == (0, {"a_first", "second_can", "third"}), text
    assert "second_can (read from Second Can)" in text
    json_file = data.parent / "figures.json"
    code, text = evaluated(data, "--category", "Second Can", "--json", json_file)
    assert code == 0, text
    assert "second_can: the folder Second Can is read as second_can" in text
    (figures,) = json.loads(json_file.read_text())
    assert (figures["category"], figures["auroc"]) == ("second_can", 1.0)
    code, text = explored(data)
    assert (code, "second_can (read from Second Can)" in text) == (0, True)


def test_names_that_are_not_utf8_cost_nothing(data: Path) -> None:
    for place in ("train/good", "test/good", "test/red_spot"):
        folder = data / "a_first" / place
        (folder / "photo_000.png").rename(folder / LATIN_1)
    (data / "a_first/test/good" / f"x{LATIN_1}").write_bytes(b"no image")
    (data / "a_first/test/red_spot").rename(data / "a_first/test" / os.fsdecode(b"r\xf6t|$"))
    code, text = built(data)
    assert (code, stored(data)) == (0, {"a_first", "second_can", "third"}), text
    json_file, report = data.parent / "figures.json", data.parent / "report"
    code, text = evaluated(data, "--json", json_file, "--report", report)
    assert code == 0, text
    assert r"xM\xfcller\n.png: this is text, not an image" in text
    first = json.loads(json_file.read_text())[0]
    assert (first["n_unreadable"], set(first["per_defect"])) == (1, {r"r\xf6t|$", "blue_spot"})
    assert r"| r\\xf6t\|\$ | 2 |" in (report / "summary.md").read_text(encoding="utf-8")
    code, text = explored(data)
    assert code == 0, text
    page = (report / "explore.md").read_text(encoding="utf-8")
    assert r"unreadable: `test/good/xM\xfcller\n.png`" in page


def test_a_folder_that_cannot_be_read_as_a_category_is_told_and_fails(data: Path) -> None:
    write_category(data, "second-can!")
    write_category(data, "饮料")
    (data / "notes").mkdir()
    shutil.copytree(data / "Second Can", data / "Second.Can")
    for command in (built, evaluated, explored):
        code, text = command(data)
        assert code == 1, text
        assert "饮料: not read: its name has 饮料" in text
        assert "its category would be second_can, as that of Second.Can" in text
        assert "folders without train or test, not read: notes" in text
    assert stored(data) == {"a_first", "second-can", "third"}


def failing_once(function: Callable[..., object], name: str) -> Callable[..., object]:
    def fails(*args: object, **options: object) -> object:
        if name in repr(args):
            raise ZeroDivisionError("what nobody\nforesaw")
        return function(*args, **options)

    return fails


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (built, "app.core.building.build.build_bank"),
        (evaluated, "app.core.photo.dataset.read_test_split"),
        (explored, "app.reports.exploration.explore"),
    ],
)
def test_what_nobody_foresaw_costs_one_category_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Path], tuple[int, str]],
    place: str,
) -> None:  # fmt: skip
    if command is not built:
        built(data)
    module, _, function = place.rpartition(".")
    real = getattr(sys.modules[module], function)
    monkeypatch.setattr(place, failing_once(real, "a_first"))
    code, text = command(data)
    assert code == 1
    assert "a_first: unforeseen: ZeroDivisionError: what nobody foresaw" in text
    assert "third" in text
    if command is built:
        assert stored(data) == {"second_can", "third"}


def test_a_picture_that_fails_costs_no_table(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(data)

    def fails(*_: object) -> None:
        raise ValueError("mathtext")

    monkeypatch.setattr(pictures, "tsne", fails)
    json_file, report = data.parent / "figures.json", data.parent / "report"
    code, text = evaluated(data, "--json", json_file, "--report", report)
    assert code == 1
    assert "picture third_tsne.png was not drawn: ValueError: mathtext" in text
    assert len(json.loads(json_file.read_text())) == 3
    assert (report / "summary.md").is_file()
    assert (report / "third_roc.png").is_file()


def test_a_bank_that_catches_nothing_is_told_before_the_table(data: Path) -> None:
    built(data)
    for path in data.glob("*/test/*_spot/*.png"):  # damage that looks like good goods
        shutil.copy(data / "third/train/good/photo_003.png", path)
    report = data.parent / "report"
    code, text = evaluated(data, "--report", report)
    assert code == 0, text
    said = "a_first: catches 0 of 3 defective photos: not usable. Likely cause:"
    assert 0 <= text.find(said) < text.find("AUROC")
    summary = (report / "summary.md").read_text(encoding="utf-8")
    assert summary.index("catches 0 of 3") < summary.index("| category |")
    assert not [span for span in re.findall(r"`[^`]+`", summary) if "\\" in span]


def test_the_build_says_how_its_banks_are_measured(data: Path) -> None:
    code, text = built(data)
    assert code == 0, text
    named = re.search(r"Test photos lie beside: `goodsguard (evaluate [^`]+)` says", text)
    assert named
    command, *options = shlex.split(named[1])
    assert command == "evaluate"
    assert options == [f"--data={data}", f"--models={data.parent / 'models'}"]


def test_the_build_says_what_an_odd_photo_does(data: Path) -> None:
    folder = data / "third/train/good"
    (folder / "photo_009.png").write_bytes(encode(plain(250)))
    code, text = built(data)
    assert code == 0, text
    assert "third: the threshold" in text
    assert "1 of 10 good photos score far above the others and set it there" in text
    assert text.count("good photos score far above") == 1


def test_explore_decodes_as_all_else(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError("a plain open")

    monkeypatch.setattr(Image, "open", refuses)
    code, text = explored(data)
    assert code == 0, text
    assert "PNG RGB" in (data.parent / "report/explore.md").read_text(encoding="utf-8")


def test_no_photos_says_what_was_left_out(data: Path) -> None:
    for path in data.glob("third/train/good/*"):
        path.rename(path.with_suffix(".jp2"))
    code, text = built(data)
    assert code == 1
    assert "third: no images in third/train/good; 10 files left out: 10 .jp2" in text
    assert stored(data) == {"a_first", "second_can"}


def test_photos_that_cannot_be_judged_are_told_with_their_reason(data: Path) -> None:
    assert built(data, "--category", "third")[0] == 0
    test = data / "third" / "test" / "good"
    (test / "empty.png").write_bytes(b"")
    (test / "large.png").write_bytes(encode(plain(120, (300, 200))))
    code, text = evaluated(data, "--category", "third", "--max-pixels", "50000")
    assert code == 0, text
    assert "empty.png: the file is empty (0 bytes)" in text
    assert "large.png" in text
    assert "--max-pixels takes another" in text
    code, text = evaluated(data, "--category", "third")
    assert code == 0, text
    assert "large.png" not in text
