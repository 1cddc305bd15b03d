"""What a bank looks at: its look over the mean good photo, and over six of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ..core.arrays import Floats
from ..core.building.reading import read_file
from ..core.errors import ImageError
from ..core.features.extractor import FeatureSpec
from ..core.judging.anomaly_map import place, veiled
from ..core.photo.dataset import evenly
from ..core.photo.images import DecodedImage
from ..core.photo.look import Look
from .style import GREY, INK, bare, literal, styled

_SIDE = 256  # photos are shown at this longer side, so that a line of a pixel is one
_PHOTOS, _AVERAGED = 6, 60
_KINDS = {
    "whole": "all of each photo is looked at",
    "box": "a box is looked at, {share:.0%} of the photo",
    "mask": "what a mask marks is looked at, {share:.0%} of the photo",
    "learned": "{share:.0%} of the photo are looked at, where the good photos show the goods",
}


@dataclass(frozen=True)
class LookSeen:
    """A bank's look, and some of the photos that it was built from.

    Attributes:
        spec: says how photos are prepared and where cells lie in them.
        paths: readable good photos.
        max_pixels: of a photo; larger ones are left out.
    """

    category: str
    look: Look
    spec: FeatureSpec
    paths: Sequence[Path]
    max_pixels: int

    def counts(self, image: DecodedImage, shape: tuple[int, int]) -> Floats:
        """What each place of a photo counts, 0 to 1, as the detector has it.

        Args:
            shape: (height, width) wanted.

        Raises:
            UnsupportedImage: nothing of the photo is looked at.
        """
        prepared = self.spec.preprocess.prepare(self.look.at(image))
        grid = self.spec.grid
        cells = prepared.cells(grid)
        weights = self.look.cell_weights(cells, prepared.content_in(grid))
        if weights is None:
            rows, columns = cells
            weights = np.ones((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        size = image.width, image.height
        # Between a cell that counts and one that does not the seam is sharp, as in an overlay.
        looked = place((weights > 0).astype(np.float32), grid, prepared, size, shape)
        counts = place(weights, grid, prepared, size, shape) / np.maximum(looked, 0.5)
        return np.asarray(np.where(looked > 0.5, counts, 0), dtype=np.float32)

    def photos(self, most: int) -> Iterator[tuple[Path, DecodedImage]]:
        """Some of the photos, evenly spread; those that are gone by now are left out."""
        white = self.spec.preprocess.white_level
        for path in evenly(self.paths, most):
            try:
                _, image = read_file(
                    path,
                    max_pixels=self.max_pixels,
                    at_least=(_SIDE, _SIDE),
                    white_level=white,
                )
            except ImageError:
                continue
            yield path, image

    def mean(self) -> DecodedImage | None:
        """The mean good photo, of the size that most have; None where none can be read."""
        sizes, images = [], []
        for _, image in self.photos(_AVERAGED):
            sizes.append((image.width, image.height))
            images.append(np.asarray(image.rgb.resize((_SIDE, _SIDE), Image.Resampling.BOX)))
        if not images:
            return None
        width, height = max(set(sizes), key=sizes.count)
        mean = np.mean(images, axis=0, dtype=np.float32).round().astype(np.uint8)
        shrink = _SIDE / max(width, height)
        shown = max(1, round(width * shrink)), max(1, round(height * shrink))
        return DecodedImage(Image.fromarray(mean).resize(shown), width, height, "")

    def sentence(self) -> str:
        """What is looked at, in words."""
        mean = self.mean()
        if mean is None:
            return self.look.record.kind
        share = float((self.counts(mean, (mean.rgb.height, mean.rgb.width)) > 0).mean())
        return _KINDS[self.look.record.kind].format(share=share)


@styled
def look_sheet(seen: LookSeen) -> Figure:
    """The mean good photo and six good photos: what is not looked at is veiled in grey, and what
    counts less the paler. Below the mean, what each place counts."""
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    table = figure.subplots(2, 4)
    for axes in table.flat:
        bare(axes)
    mean = seen.mean()
    if mean is not None:
        _draw(table[0, 0], seen, mean)
        _draw_counts(table[1, 0], seen, mean)
    table[0, 0].set_title("mean good photo", fontsize=10)
    for axes, (path, image) in zip(table[:, 1:].flat, seen.photos(_PHOTOS), strict=False):
        _draw(axes, seen, image)
        axes.set_xlabel(literal(path.name, 24), color=GREY, fontsize=7)
    figure.suptitle(f"{seen.category}: {seen.sentence()}", color=INK)
    return figure


def _draw(axes: Axes, seen: LookSeen, image: DecodedImage) -> None:
    rgb = image.rgb.copy()
    rgb.thumbnail((_SIDE, _SIDE))
    try:
        counts = seen.counts(image, (rgb.height, rgb.width))
    except ImageError as exc:
        counts = np.zeros((rgb.height, rgb.width), dtype=np.float32)
        axes.set_title(str(exc)[:40], fontsize=7, fontweight="normal")
    base, looked = np.asarray(rgb, dtype=np.float32), counts > 0
    if not looked.all():
        pale = base.mean(axis=-1, keepdims=True)
        weights = np.where(looked, counts, 1)[..., None]
        base = veiled(weights * base + (1 - weights) * pale, looked)
    axes.imshow(base.round().astype(np.uint8))


def _draw_counts(axes: Axes, seen: LookSeen, mean: DecodedImage) -> None:
    counts = seen.counts(mean, (mean.rgb.height, mean.rgb.width))
    axes.set_title("what a place counts", fontsize=10)
    shown = axes.imshow(counts, cmap="magma", vmin=0, vmax=1)
    axes.figure.colorbar(shown, ax=axes, location="bottom", shrink=0.6, aspect=30)
