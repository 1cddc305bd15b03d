"""Drawn sets to choose a look on, and a network that is quick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import zoom
from torch.nn.functional import avg_pool2d

from app.core.building.preset import Preset
from app.core.features.extractor import FeatureExtractor
from app.core.photo.dataset import Category, read_category
from tests.drawn import photo
from tests.support import ColourRuntime, write_photos

PHOTOS = 36


class LocalColours(ColourRuntime):
    """The mean colour and contrast of 8 x 8 pixels: a network that pads nothing.

    Attributes:
        padding: how much the distance to the rim shows in the features, as padding makes it.
    """

    padding = 0.0

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mean = avg_pool2d(batch, 8)
        contrast = (avg_pool2d(batch**2, 8) - mean**2).clamp(min=0).sqrt()
        side = mean.shape[-1]
        line = torch.minimum(torch.arange(side), torch.arange(side - 1, -1, -1)) / side
        rim = torch.minimum(line[:, None], line[None, :]).expand(len(batch), 1, side, side)
        return (torch.cat([mean, contrast, self.padding * rim], dim=1),)


def before_a_busy_shelf(seed: int) -> Image.Image:
    """A blue carton before goods of other colours each time."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (160, 160))
    draw = ImageDraw.Draw(image)
    for _ in range(200):
        x, y = rng.integers(-20, 160, 2)
        w, h = rng.integers(5, 40, 2)
        colour = tuple(int(c) for c in rng.integers(0, [256, 256, 120]))
        draw.rectangle((x, y, x + w, y + h), fill=colour)
    dx, dy = rng.integers(-3, 4, 2)
    draw.rectangle((54 + dx, 44 + dy, 106 + dx, 116 + dy), fill=(120, 120, 230))
    for line in range(4):
        top = 52 + dy + 15 * line
        draw.rectangle((60 + dx, top, 100 + dx, top + 6), fill=(140, 100, 200))
    return image


def still(seed: int) -> Image.Image:
    """The same surroundings each time."""
    return photo(seed)[0]


def texture(seed: int) -> Image.Image:
    """No goods: the same stuff over the whole frame, its pattern another each time."""
    rng = np.random.default_rng(seed)
    layers = [
        zoom(rng.normal(0, 20, (160 // step, 160 // step, 1)), (step, step, 1), order=1)
        for step in (2, 8)
    ]
    return Image.fromarray(np.clip(128 + sum(layers) + np.zeros(3), 0, 255).astype(np.uint8))


def looking_at(preset: Preset, padding: float = 0.0) -> FeatureExtractor:
    spec = preset.features.model_copy(update={"weights_sha256": "0" * 64})
    runtime = LocalColours(spec=spec)
    runtime.padding = padding
    return FeatureExtractor(spec, runtime)


def category(root: Path, drawn: Callable[[int], Image.Image], photos: int = PHOTOS) -> Category:
    write_photos(root / "box/train/good", [drawn(seed) for seed in range(photos)])
    return read_category(root, "box")
