"""A small autoencoder, the *carpet* work's baseline: what it cannot draw it has not seen.

It learns to squeeze the good photos through a few numbers and to draw them again. A cell's score is
the Euclidean distance between the cell and what was drawn in its place. On raw pixels (backbone
`pixels`) a cell is a pixel of three colours in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from ..arrays import Floats
from ..errors import BankError, PresetError
from ..features.sample import Sample, Samples
from .method import Facts, Learnt, Lesson, Method, MethodSettings, checked

_HALVINGS = 4
_WIDTHS = (16, 32, 64, 64)


class AutoencoderSettings(MethodSettings):
    """How the network is made and trained.

    Attributes:
        code: numbers that a photo is squeezed into. Without a narrow place it would copy defects.
        epochs: passes over the good photos; the last one counts. batch: photos per step.
        learning_rate: of Adam (Kingma & Ba 2014, arXiv:1412.6980). seed: of weights and order.
        grid, channels: of the samples; the build finds them.
    """

    code: int = Field(default=64, ge=1, le=4096)
    epochs: int = Field(default=30, ge=1, le=10_000)
    batch: int = Field(default=32, ge=1, le=1024)
    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0)
    seed: int = Field(default=0, ge=0)
    grid: tuple[int, int] | None = None
    channels: int = Field(default=3, ge=1, le=4096)


class Autoencoder(Method):
    """Scores cells by how far they are from what a network draws of the whole photo."""

    kind = "autoencoder"
    Settings = AutoencoderSettings

    def __init__(self, settings: AutoencoderSettings, network: Network) -> None:
        self._settings = settings
        self._network = network.eval().requires_grad_(False)

    @property
    def settings(self) -> AutoencoderSettings:
        return self._settings

    @classmethod
    def fit(cls, settings: AutoencoderSettings, lesson: Lesson) -> Self:
        """Minimise the mean squared error over the good photos; the same seed, the same network.

        Raises:
            PresetError: a grid that cannot be halved four times.
        """
        first = lesson.samples[0]
        if any(side % 2**_HALVINGS for side in first.grid) or min(first.grid) == 1:
            raise PresetError(
                f"an autoencoder needs a grid whose sides are multiples of {2**_HALVINGS}, not "
                f"{first.grid[0]} × {first.grid[1]}: change input_size"
            )
        found = {"grid": first.grid, "channels": first.cells.shape[-1]}
        settings = settings.model_copy(update=found)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = Network(settings)
            _train(network, settings, lesson)
        return cls(settings, network)

    def score(self, sample: Sample, highest: int) -> Floats:  # noqa: ARG002 - all are exact
        learnt, channels = self._settings.grid, self._settings.channels
        if sample.grid != learnt or sample.cells.shape[-1] != channels:
            raise BankError(
                f"a grid of {sample.grid} with {sample.cells.shape[-1]} channels is not what the "
                f"autoencoder learnt: {learnt} with {channels}"
            )
        with torch.inference_mode():
            drawn = self._network(torch.from_numpy(_whole(sample))[None])[0].numpy()
        apart = sample.cells - drawn[sample.place]
        return np.asarray(np.linalg.norm(apart, axis=2), dtype=np.float32)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}

    @classmethod
    def load(cls, settings: AutoencoderSettings, tensors: Learnt) -> Self:
        if settings.grid is None or not all(0 < s <= 1024 for s in settings.grid):
            raise BankError("the autoencoder's settings name no grid")
        with torch.device("meta"):  # no memory before it is known that the tensors fit
            network = Network(settings)
        wanted = network.state_dict()
        found = checked(tensors, {name: (np.float32, t.ndim) for name, t in wanted.items()})
        for name, tensor in wanted.items():
            if found[name].shape != tuple(tensor.shape):
                raise BankError(f"the autoencoder's {name} is {found[name].shape}")
        network.load_state_dict(_copied(found), assign=True)
        return cls(settings, network)

    def facts(self) -> Facts:
        count = sum(parameter.numel() for parameter in self._network.parameters())
        return {"parameters": count, "code": self._settings.code}


class Network(nn.Module):
    """`forward`: (B, H, W, C) in [0, 1] -> the same, drawn from the code.

    Four halvings down to the code, and four doublings back.
    """

    def __init__(self, settings: AutoencoderSettings) -> None:
        super().__init__()
        assert settings.grid is not None
        channels = settings.channels
        corner = tuple(side // 2**_HALVINGS for side in settings.grid)
        inner = _WIDTHS[-1] * corner[0] * corner[1]
        down: list[nn.Module] = []
        for before, after in pairwise((channels, *_WIDTHS)):
            down += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
        up: list[nn.Module] = []
        for before, after in pairwise(_WIDTHS[::-1]):
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        # The last doubling costs no convolution at full size: four cells from each place.
        last = [nn.Conv2d(_WIDTHS[0], 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid()]
        self.encode = nn.Sequential(*down, nn.Flatten(), nn.Linear(inner, settings.code))
        self.decode = nn.Sequential(
            nn.Linear(settings.code, inner),
            nn.ReLU(),
            nn.Unflatten(1, (_WIDTHS[-1], *corner)),
            *up,
            *last,
        )

    def forward(self, cells: Tensor) -> Tensor:
        drawn: Tensor = self.decode(self.encode(cells.permute(0, 3, 1, 2)))
        return drawn.permute(0, 2, 3, 1)


def _train(network: Network, settings: AutoencoderSettings, lesson: Lesson) -> None:
    adam = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    for epoch in range(settings.epochs):
        for batch in _batches(lesson.samples, settings):
            loss = nn.functional.mse_loss(network(batch), batch)
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
        lesson.progress(epoch + 1, settings.epochs)


def _batches(samples: Samples, settings: AutoencoderSettings) -> Iterator[Tensor]:
    """All samples once, in an order of chance; read one batch at a time."""
    for chosen in torch.split(torch.randperm(len(samples)), settings.batch):
        yield torch.from_numpy(np.stack([_whole(samples[int(index)]) for index in chosen]))


def _whole(sample: Sample) -> Floats:
    """(H, W, C): the cells on the whole grid, the rim continued as a letterbox does."""
    rows, columns = sample.place
    beyond = (
        (rows.start, sample.grid[0] - rows.stop),
        (columns.start, sample.grid[1] - columns.stop),
        (0, 0),
    )
    return np.pad(sample.cells, beyond, mode="edge")  # a copy: those of a file are read-only


def _copied(tensors: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    """Copies, since tensors out of a file may be read-only."""
    return {name: torch.from_numpy(tensor.copy()) for name, tensor in tensors.items()}


METHOD = Autoencoder
