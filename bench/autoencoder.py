"""A small autoencoder on raw pixels: the baseline that memory banks of features must beat.

    python -m bench.autoencoder --data data/elpv --category elpv_mono --category elpv_poly

It learns to squeeze the good training photos, 64 × 64 pixels, through a few numbers and to draw
them again; what it cannot draw it has not seen. The score is the mean squared error over all
pixels, of good and defective test photos alike. Nothing is tuned on the test split: seed, epochs
and sizes are set beforehand, and the last epoch counts.

The table and the figures go to `--out`, the pictures, which show the data set's photos, to
`--report`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import typer
from matplotlib.figure import Figure
from PIL import Image
from rich.table import Table
from torch import Tensor, nn

from app.cli import CategoryOption, ThreadsOption, console, stop, warn
from app.core.errors import DatasetError, GoodsGuardError, ImageError
from app.core.evaluating.metrics import auroc, auroc_interval
from app.core.files import write_whole
from app.core.photo.dataset import Category, LabelledImage, list_categories, read_test_split
from app.core.photo.images import decode
from app.core.threads import set_threads
from app.reports.style import DEFECTIVE, GOOD, GREY, bare, save, styled

HERE = Path(__file__).parent
SIDE = 64
CODE = 64  # numbers that a photo is squeezed into
BATCH = 32
LEARNING_RATE = 1e-3
SEED = 0

_SHOWN = 4  # photos of each label in the picture

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one category's autoencoder reached; errors are mean squared, pixels in [0, 1]."""

    category: str
    n_train: int
    n_good: int
    n_defective: int
    n_unreadable: int
    auroc: float
    auroc_ci95: tuple[float, float]
    train_error: float
    good_error: float
    defective_error: float
    channels: int
    parameters: int
    epochs: int
    seed: int
    threads: int
    train_s: float
    s_per_image: float


@dataclass(frozen=True)
class Redrawn:
    """The test split before and after: (n, C, SIDE, SIDE) each, and the scores, (n,)."""

    images: tuple[LabelledImage, ...]
    originals: Floats
    drawn: Floats

    @property
    def errors(self) -> Floats:
        """(n, SIDE, SIDE) squared error, the mean over the channels."""
        errors: Floats = np.square(self.originals - self.drawn).mean(axis=1, dtype=np.float32)
        return errors

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        scores: npt.NDArray[np.float64] = self.errors.mean(axis=(1, 2), dtype=np.float64)
        return scores

    @property
    def is_defective(self) -> npt.NDArray[np.bool_]:
        return np.array([image.is_defective for image in self.images])


class Autoencoder(nn.Module):
    """Four halvings down to a code of CODE numbers, and four doublings back.

    The code is what makes it a baseline at all: without a narrow place it would copy defects too.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, 16, 32, 64, 64)
        corner = SIDE // 16
        down: list[nn.Module] = []
        for before, after in pairwise(widths):
            down += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
        up: list[nn.Module] = []
        for before, after in pairwise((64, 64, 32, 16)):
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        self.encode = nn.Sequential(*down, nn.Flatten(), nn.Linear(64 * corner**2, CODE))
        self.decode = nn.Sequential(
            *(nn.Linear(CODE, 64 * corner**2), nn.ReLU(), nn.Unflatten(1, (64, corner, corner))),
            # The last doubling costs no convolution at full size: four pixels from each place.
            *(*up, nn.Conv2d(16, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid()),
        )

    def forward(self, batch: Tensor) -> Tensor:
        """(B, C, SIDE, SIDE) in [0, 1] -> the same, drawn from the code."""
        drawn: Tensor = self.decode(self.encode(batch))
        return drawn


def main(
    data: Annotated[Path, typer.Option(help="ROOT of ROOT/<category>/train/good/*.")],
    category: CategoryOption = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over train/good.")] = 30,
    threads: ThreadsOption = 0,
    out: Annotated[Path, typer.Option(help="Where autoencoder.json and .md go.")] = HERE
    / "results",
    report: Annotated[Path, typer.Option(help="Where the pictures go.")] = Path("reports"),
) -> None:
    """Train one autoencoder per category on the CPU, and print their AUROC."""
    threads = set_threads(threads)
    done: list[Outcome] = []
    try:
        for name in list_categories(data, wanted=category):
            outcome, redrawn = measure(read_test_split(data, name), epochs, threads)
            if outcome.n_unreadable:
                warn(f"{name}: skipped {outcome.n_unreadable} files that cannot be read")
            done.append(outcome)
            write_picture(report / f"{name}_autoencoder.png", name, redrawn)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    write_results(out, done)
    console.print(rich_table(done))
    console.print(f"results: {out / 'autoencoder.md'}, pictures: {report}", highlight=False)


def measure(category: Category, epochs: int, threads: int) -> tuple[Outcome, Redrawn]:
    """Train on train/good, score the test split.

    Raises:
        DatasetError: nothing readable to train on, or of one of the two labels.
    """
    _, train = read_pixels([LabelledImage(path, "good") for path in category.train])
    images, test = read_pixels(category.test)
    labels = {image.is_defective for image in images}
    if not len(train) or labels != {False, True}:
        raise DatasetError(f"{category.name}: good photos to train on and both labels are needed")
    if (train == train[:, :1]).all() and (test == test[:, :1]).all():
        train, test = train[:, :1], test[:, :1]  # grey photos need no three channels
    start = time.perf_counter()
    model = fit(train, epochs)
    trained = time.perf_counter()
    redrawn = Redrawn(tuple(images), test, redraw(model, test))
    seconds = time.perf_counter() - trained
    scores, is_defective = redrawn.scores, redrawn.is_defective
    good, defective = scores[~is_defective], scores[is_defective]
    outcome = Outcome(
        category=category.name,
        n_train=len(train),
        n_good=len(good),
        n_defective=len(defective),
        n_unreadable=len(category.train) + len(category.test) - len(train) - len(test),
        auroc=auroc(good, defective),
        auroc_ci95=auroc_interval(good, defective),
        train_error=float(np.square(train - redraw(model, train)).mean()),
        good_error=float(good.mean()),
        defective_error=float(defective.mean()),
        channels=train.shape[1],
        parameters=sum(p.numel() for p in model.parameters()),
        epochs=epochs,
        seed=SEED,
        threads=threads,
        train_s=trained - start,
        s_per_image=seconds / len(test),
    )
    return outcome, redrawn


def read_pixels(images: Sequence[LabelledImage]) -> tuple[list[LabelledImage], Floats]:
    """The readable images, and their pixels, squashed: (n, 3, SIDE, SIDE) in [0, 1]."""
    readable, pixels = [], []
    for image in images:
        try:
            rgb = decode(image.path.read_bytes(), at_least=(SIDE, SIDE)).rgb
        except (ImageError, OSError):
            continue
        small = rgb.resize((SIDE, SIDE), Image.Resampling.BOX)
        pixels.append(np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / 255)
        readable.append(image)
    return readable, np.stack(pixels) if pixels else np.zeros((0, 3, SIDE, SIDE), np.float32)


def fit(train: Floats, epochs: int, seed: int = SEED) -> Autoencoder:
    """Minimise the mean squared error over train/good; the same seed draws the same network.

    Args:
        train: (n, C, SIDE, SIDE) in [0, 1].
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Autoencoder(train.shape[1])
        adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        pixels = torch.from_numpy(np.ascontiguousarray(train))
        for _ in range(epochs):
            for chosen in torch.split(torch.randperm(len(pixels)), BATCH):
                batch = pixels[chosen]
                loss = nn.functional.mse_loss(model(batch), batch)
                adam.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                adam.step()
    return model.eval()


def redraw(model: Autoencoder, pixels: Floats) -> Floats:
    """What the network draws of photos: (n, C, SIDE, SIDE)."""
    batches = torch.split(torch.from_numpy(np.ascontiguousarray(pixels)), BATCH)
    with torch.inference_mode():
        return np.asarray(torch.cat([model(batch) for batch in batches]), dtype=np.float32)


def write_picture(path: Path, name: str, redrawn: Redrawn) -> None:
    """Save the picture, whole or not at all."""
    save(picture(name, redrawn), path)


@styled
def picture(name: str, redrawn: Redrawn) -> Figure:
    """Originals, reconstructions and errors of photos across each label's range of scores."""
    good, bad = (
        [rows[i] for i in np.linspace(0, len(rows) - 1, min(len(rows), _SHOWN)).astype(int)]
        for rows in (_by_score(redrawn, defective=False), _by_score(redrawn, defective=True))
    )
    columns = [*good, *bad]
    # The root shows small errors beside large ones.
    errors, scores = np.sqrt(redrawn.errors), redrawn.scores
    # One scale for all; a few extreme pixels must not make the rest black.
    top = float(np.quantile(errors[columns], 0.995)) or 1.0
    figure = Figure(figsize=(1.55 * len(columns) + 1.4, 6.1), layout="constrained")
    table = figure.subplots(3, len(columns), squeeze=False)
    for axes in table.flat:
        bare(axes)
    for place, (line, index) in enumerate(zip(table.T, columns, strict=True)):
        colour = GOOD if place < len(good) else DEFECTIVE
        kind = redrawn.images[index].defect_type.replace("_", " ")
        line[0].set_title(
            f"{kind}\n{1000 * scores[index]:.1f}", color=colour, fontsize=10, fontweight="normal"
        )
        for axes, pixels in ((line[0], redrawn.originals), (line[1], redrawn.drawn)):
            shown = pixels[index].transpose(1, 2, 0)
            axes.imshow(np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown)
        heat = line[2].imshow(errors[index], cmap="magma", vmin=0, vmax=top)
        line[2].set_xlabel(redrawn.images[index].path.name[-20:], color=GREY, fontsize=7)
    for axes, title in zip(table[:, 0], ("photo", "redrawn", "difference"), strict=True):
        axes.set_ylabel(title, fontsize=11)
    figure.colorbar(heat, ax=table[2, :].tolist(), shrink=0.85, pad=0.01)
    figure.suptitle(f"{name}: from each label's lowest to its highest score (error × 1000)")
    return figure


def _by_score(redrawn: Redrawn, *, defective: bool) -> list[int]:
    rows = np.flatnonzero(redrawn.is_defective == defective)
    return [int(row) for row in rows[np.argsort(redrawn.scores[rows], kind="stable")]]


COLUMNS = ("set", "train", "good / defective", "AUROC (95 %)", "mean error × 1000: train")
MORE_COLUMNS = ("test good", "defective", "training", "per photo")


def cells(outcome: Outcome) -> list[str]:
    errors = (outcome.train_error, outcome.good_error, outcome.defective_error)
    return [
        outcome.category,
        str(outcome.n_train),
        f"{outcome.n_good} / {outcome.n_defective}",
        "{:.3f} ({:.3f} to {:.3f})".format(outcome.auroc, *outcome.auroc_ci95),
        *(f"{1000 * error:.2f}" for error in errors),
        f"{outcome.train_s:.0f} s",
        f"{1000 * outcome.s_per_image:.1f} ms",
    ]


def write_results(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write `autoencoder.json` and `autoencoder.md`."""
    rows = json.dumps([asdict(outcome) for outcome in outcomes], indent=1)
    write_whole(folder / "autoencoder.json", rows + "\n")
    write_whole(folder / "autoencoder.md", markdown(outcomes))


def markdown(outcomes: Sequence[Outcome]) -> str:
    columns = (*COLUMNS, *MORE_COLUMNS)
    one = outcomes[0]
    lines = [
        "# A small autoencoder on raw pixels, as a baseline",
        "",
        f"Made by `bench/autoencoder.py`: {SIDE} × {SIDE} pixels, a code of {CODE} numbers,",
        f"{one.parameters:,} parameters, {one.epochs} epochs of Adam at {LEARNING_RATE:g} in",
        f"batches of {BATCH}, seed {one.seed}, CPU, threads: {one.threads}. Score: the mean",
        "squared error of all pixels. AUROC: per image, with DeLong's interval. Per photo: network",
        f"only, in batches of {BATCH}.",
        "",
        *(
            "| " + " | ".join(line) + " |"
            for line in (columns, ["---"] * len(columns), *map(cells, outcomes))
        ),
    ]
    return "\n".join(lines) + "\n"


def rich_table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(*COLUMNS, *MORE_COLUMNS, title="autoencoder")
    for outcome in outcomes:
        table.add_row(*cells(outcome))
    return table


if __name__ == "__main__":
    typer.run(main)
