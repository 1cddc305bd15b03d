"""What whoever builds should know of a look: how much of each photo it leaves, and what is odd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import ImageError
from ..photo.box import Box
from ..photo.look import Look
from .reading import read_file

# Less is a slip of the mouse more often than a choice.
_LITTLE = 0.01
# A mask's shape may differ so much from a photo's: rounding, and photos that differ themselves.
_SHAPES_APART = 0.1
_PLACES = 256


def looked_share(look: Look) -> float:
    """The share of each photo that is looked at, from 0 to 1."""
    crop = look.record.crop
    area = 1.0 if crop is None else Box(*crop).width * Box(*crop).height
    edges = np.linspace(0, 1, _PLACES + 1)
    counts = look.between(edges, edges)
    return area if counts is None else area * float((counts > 0).mean())


def sentence(look: Look) -> str:
    """Half a sentence for whoever builds; empty where all is looked at."""
    kind = look.record.kind
    return "" if kind == "whole" else f"looks at {looked_share(look):.1%} of each photo ({kind})"


def remarks(look: Look, photos: Sequence[Path], max_pixels: int) -> list[str]:
    """What is odd about it."""
    found = []
    share = looked_share(look)
    if share < _LITTLE:
        found.append(
            f"the {look.record.kind} leaves {share:.2%} of each photo to look at: few patches, in "
            "which damage hardly shows. Is it drawn as it was meant?"
        )
    if look.record.kind == "mask" and look.weights is not None and look.record.crop is None:
        size = _size(photos, max_pixels)
        height, width = look.weights.shape
        if size is not None and height != width:  # a polygon's places are square
            ratio = (width / height) / (size[0] / size[1])
            if not 1 - _SHAPES_APART < ratio < 1 + _SHAPES_APART:
                found.append(
                    f"the mask is {width / height:.2f} times as wide as high, photos such as "
                    f"{photos[0].name} {size[0] / size[1]:.2f} times: it is stretched over them"
                )
    return found


def _size(photos: Sequence[Path], max_pixels: int) -> tuple[int, int] | None:
    """(width, height) of the first photo, upright; None where it cannot be read."""
    if not photos:
        return None
    try:
        _, image = read_file(photos[0], max_pixels=max_pixels, at_least=(_PLACES, _PLACES))
    except ImageError:
        return None
    return image.width, image.height
