from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from app.core.photo.dataset import read_category
from bench.autoencoder import SIDE, Autoencoder, fit, main, measure, read_pixels, redraw
from tests.support import write_photos


def stripes(shift: int, *, spot: bool = False) -> Image.Image:
    """Good goods are stripes at some phase; a defective one has a white square on them."""
    wave = 127 + 60 * np.sin((np.arange(SIDE) + shift) / 5.0)
    pixels = np.repeat(wave[None], SIDE, axis=0).astype(np.uint8)
    if spot:
        pixels[20:44, 20:44] = 255
    return Image.fromarray(pixels)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    can = tmp_path / "data" / "can"
    write_photos(can / "train" / "good", [stripes(i) for i in range(24)])
    write_photos(can / "test" / "good", [stripes(i) for i in range(1, 24, 4)])
    write_photos(can / "test" / "spot", [stripes(i, spot=True) for i in range(2, 24, 4)])
    return tmp_path / "data"


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_drawn_has_the_shape_and_range_of_photos(channels: int) -> None:
    drawn = Autoencoder(channels)(torch.rand(2, channels, SIDE, SIDE))
    assert drawn.shape == (2, channels, SIDE, SIDE)
    assert 0 <= drawn.min() <= drawn.max() <= 1


def test_the_same_seed_gives_the_same_network_and_leaves_the_generator_alone() -> None:
    train = np.random.default_rng(0).random((8, 1, SIDE, SIDE), dtype=np.float32)
    state = torch.get_rng_state()
    first, second, other = (redraw(fit(train, 2, seed), train) for seed in (0, 0, 1))
    assert (first == second).all()
    assert not (first == other).all()
    assert (torch.get_rng_state() == state).all()


def test_it_learns_the_good_and_scores_the_defective_higher(data: Path) -> None:
    outcome, redrawn = measure(read_category(data, "can"), epochs=12, threads=1)
    assert (outcome.n_train, outcome.n_good, outcome.n_defective) == (24, 6, 6)
    assert outcome.channels == 1
    assert outcome.auroc == 1.0
    assert outcome.auroc_ci95[0] < 1.0
    assert outcome.defective_error > 2 * outcome.good_error
    assert redrawn.scores == pytest.approx(
        np.square(redrawn.originals - redrawn.drawn).mean(axis=(1, 2, 3)), rel=1e-5
    )


def test_unreadable_photos_are_left_out(data: Path) -> None:
    (data / "can" / "test" / "spot" / "broken.png").write_bytes(b"no image")
    images, pixels = read_pixels(read_category(data, "can").test)
    assert len(images) == len(pixels) == 12


def test_the_command_writes_table_figures_and_picture(data: Path, tmp_path: Path) -> None:
    program = typer.Typer()
    program.command()(main)
    out, report = tmp_path / "out", tmp_path / "report"
    arguments = ["--data", data, "--epochs", 1, "--threads", 1, "--out", out, "--report", report]
    result = CliRunner().invoke(program, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    (row,) = json.loads((out / "autoencoder.json").read_text())
    assert (row["category"], row["epochs"], row["threads"]) == ("can", 1, 1)
    assert f"{row['auroc']:.3f}" in (out / "autoencoder.md").read_text()
    assert {p.name for p in out.iterdir()} == {"autoencoder.json", "autoencoder.md"}
    with Image.open(report / "can_autoencoder.png") as picture:
        picture.load()
        assert min(picture.size) > 300


def test_a_category_without_defective_photos_is_an_error(tmp_path: Path) -> None:
    write_photos(tmp_path / "can" / "train" / "good", [stripes(0)])
    program = typer.Typer()
    program.command()(main)
    result = CliRunner().invoke(
        program, ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--threads", "1"]
    )
    assert result.exit_code == 1
    assert "both are needed" in " ".join(result.stderr.split())
