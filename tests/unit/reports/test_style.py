from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from app.core.evaluating.evaluation import evaluate
from app.core.photo.dataset import read_category, read_test_split
from app.reports import style
from app.reports.exploration import explore
from app.reports.exploration_pictures import write_pictures
from app.reports.pages import write_report
from tests.support import ROOT, make_detector, write_category

HOSTILE = "_a$_{$^%\\\\ \n<b>&amp|`"  # half a formula, a line end, and markup


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A data folder whose defect type and a file have names that a drawing library may parse."""
    can = write_category(tmp_path)
    (can / "test" / "red_spot").rename(can / "test" / HOSTILE)
    (can / "test" / "good" / "photo_000.png").rename(can / "test" / "good" / f"{HOSTILE}.png")
    mask = can / "ground_truth" / HOSTILE / "photo_000.png"
    mask.parent.mkdir(parents=True)
    picture = Image.new("L", (40, 30))
    picture.paste(255, (0, 0, 9, 9))
    picture.save(mask)
    return can


def test_names_that_look_like_formulae_are_drawn(odd: Path, tmp_path: Path) -> None:
    detector = make_detector(threshold=0.001)
    run = evaluate(read_test_split(odd.parent, "can"), detector.manifest, detector.inspect)
    embeddings = np.random.default_rng(0).random((len(run.scored), 3), dtype=np.float32)
    drawn = write_report(tmp_path / "report", run, embeddings)
    drawn += write_pictures(tmp_path / "report", explore(read_category(odd.parent, "can")))
    for path in drawn:
        with Image.open(path) as picture:
            picture.load()
    assert len(drawn) == 8


def test_the_style_ends_with_the_drawing() -> None:
    before = mpl.rcParams["text.parse_math"]
    inside = style.styled(lambda: mpl.rcParams["text.parse_math"])()
    assert (before, inside, mpl.rcParams["text.parse_math"]) == (True, False, True)


def test_no_other_module_has_colours_of_its_own() -> None:
    """core's maps are no plots: their colours are numbers."""
    for folder in ("app", "bench", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "style.py":
                found = re.findall(r"[\"']#[0-9a-fA-F]{3,8}[\"']", path.read_text("utf-8"))
                assert not found, path


def seen_by_the_red_blind(colour: str) -> npt.NDArray[np.float64]:
    """Protanopia (Machado, Oliveira, Fernandes 2009, severity 1), of linear RGB."""
    matrix = [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
    linear = np.power(to_rgb(colour), 2.2)
    return np.asarray(np.power(np.clip(np.array(matrix) @ linear, 0, 1), 1 / 2.2))


@pytest.mark.parametrize("colours", [(style.GOOD, style.DEFECTIVE), style.SERIES[:5]])
def test_colours_beside_each_other_are_told_apart_by_the_red_blind(colours: tuple[str]) -> None:
    for one, other in combinations(colours, 2):
        apart = np.linalg.norm(seen_by_the_red_blind(one) - seen_by_the_red_blind(other))
        assert apart > 0.15, (one, other)


def test_a_picture_that_cannot_be_drawn_costs_no_other(tmp_path: Path) -> None:
    def faulty() -> Figure:
        raise RuntimeError("no\nfont")

    def late() -> Figure:
        figure, axes = style.canvas(1, 1)
        axes.set_title("$$", parse_math=True)  # laid out when it is saved
        return figure

    said: list[str] = []
    pictures = {"a": faulty, "b": late, "c": lambda: style.canvas(1, 1)[0]}
    drawn = style.save_each({tmp_path / f"{n}.png": f for n, f in pictures.items()}, said.append)
    assert [path.name for path in drawn] == ["c.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]
    assert said[0] == "picture a.png was not drawn: RuntimeError: no\\nfont"
    assert said[1].startswith("picture b.png was not drawn: ")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        style.save_each({tmp_path / "file" / "a.png": lambda: style.canvas(1, 1)[0]})


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("price_$1_^2%.png", "price_$1_^2%.png"),
        ("_a", " _a"),
        ("a\nb", r"a\nb"),
        ("x" * 100, f"{'x' * 19}…{'x' * 20}"),
    ],
)
def test_names_are_drawn_as_they_are(name: str, drawn: str) -> None:
    assert style.literal(name) == drawn
