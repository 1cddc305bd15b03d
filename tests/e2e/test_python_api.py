"""What docs/python.md and the notebook show is what happens, under the name that is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.support import ROOT

GUIDE = ROOT / "docs/python.md"
NOTEBOOK = ROOT / "docs/notebook.ipynb"
AS_INSTALLED = {"PYTHONPATH": str(ROOT / ".editable")}


def photo(seed: int, *, scratched: bool = False) -> Image.Image:
    picture = Image.effect_noise((96, 96), 6).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((16 + seed % 5, 16, 76 + seed % 5, 76), fill=(60, 90, 140 + seed % 3))
    if scratched:
        draw.line((30, 30, 66, 60), fill=(250, 240, 90), width=6)
    return picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the guide asks for: good photos to learn from, labelled ones, and one to judge."""
    for place, count in (("train/good", 20), ("test/good", 3), ("test/scratch", 3)):
        target = tmp_path / "data/can" / place
        target.mkdir(parents=True)
        for seed in range(count):
            photo(seed, scratched="scratch" in place).save(target / f"{seed:03}.png")
    photo(7, scratched=True).save(tmp_path / "photo.png")
    return tmp_path


def blocks() -> list[str]:
    """The guide's programs: the fenced ones build, judge and measure, the indented one judges."""
    text = GUIDE.read_text(encoding="utf-8")
    indented = re.findall(r"((?:^    .*\n|^\n)+)", text, re.M)
    short = [re.sub(r"^    ", "", b, flags=re.M) for b in indented if "import" in b]
    return [*re.findall(r"^```python\n(.*?)^```", text, re.M | re.S), *short]


@pytest.mark.slow
def test_the_guides_programs_run_one_after_the_other(folder: Path) -> None:
    assert len(blocks()) == 4
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks())],
        cwd=folder,
        env=os.environ | AS_INSTALLED,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^anomalous: [\d.]+, threshold [\d.]+, p = 0\.0\d+$", done.stdout, re.M)
    assert re.search(r"^\(96, 96\) ", done.stdout, re.M)
    assert re.search(r"^AUROC \d\.\d{3}, ", done.stdout, re.M)


def test_the_guide_names_what_there_is_and_nothing_else() -> None:
    import app

    table = GUIDE.read_text(encoding="utf-8").split("## All names")[1]
    first = re.findall(r"^\| (`.*?) \|", table, re.M)
    named = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(app.__all__)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", AS_INSTALLED["PYTHONPATH"])
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "good: normal" in printed
    assert "scratched: anomalous" in printed
    assert [o for o in outputs if "image/png" in o.get("data", {})]


def test_the_notebook_is_stored_without_outputs() -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
