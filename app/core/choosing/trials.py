"""Photos to try looks and presets on: held-out good ones, as they are and with damage drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

from ..building.reading import read_file
from ..evaluating.damage.drawn import KINDS, SIZES, Damaged, draw_damage
from ..evaluating.damage.goods import Goods
from ..evaluating.damage.pixels import Photo
from ..features.extractor import FeatureExtractor
from ..photo.images import DecodedImage

# Damage is drawn at so many pixels a side at most, or what gives a crop twice the network's input:
# more would show nothing more. The good photos are scored at that size, too.
_SIDE, _LARGEST = 1024, 4096
# Damages drawn on each held-out photo, one of each size.
EACH = len(SIZES)


@dataclass(frozen=True)
class Trial:
    """A photo to score; `drawn` is what was drawn on it, None: nothing."""

    image: DecodedImage
    drawn: Damaged | None = None


def drawing_side(view: FeatureExtractor) -> int:
    """Pixels of the longer side of photos that damage is drawn on, for a network that sees so."""
    twice = 2 * view.spec.preprocess.input_size
    width, height = view.look.at_least((twice, twice)) or (twice, twice)
    return min(_LARGEST, max(_SIDE, width, height))


def read_to_draw(path: Path, side: int, white_level: int, max_pixels: int) -> DecodedImage:
    """Decoded in full, then small enough to draw on.

    Raises:
        ImageError: it cannot be read.
    """
    _, image = read_file(path, max_pixels=max_pixels, white_level=white_level)
    small = image.rgb.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    return replace(image, rgb=small)


def with_damage(
    images: Iterable[DecodedImage], goods: Sequence[Goods], rng: np.random.Generator
) -> Iterator[Trial]:
    """Each photo good, then with a damage of each size; pieces come from the photo before it.

    The kinds take turns, so that each comes as often as any other.

    Args:
        goods: where in each of the photos they are.
    """
    kinds = cycle(KINDS)
    before: Photo | None = None
    for image, own in zip(images, goods, strict=True):
        photo = np.asarray(image.rgb)
        yield Trial(image)
        for size in SIZES:
            donor = photo if before is None else before
            drawn = draw_damage(photo, donor, next(kinds), size, own, rng)
            yield Trial(replace(image, rgb=Image.fromarray(drawn.photo)), drawn)
        before = photo
